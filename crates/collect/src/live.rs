//! Sampling without a file: figures that are looked at while they grow.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use rustc_hash::FxHashMap;
use sondage_model::{
    Dictionary, FunctionId, MonoTime, Nanos, Pid, SampleRow, StackId, State, StateKind, ThreadId,
    Time,
};

use crate::batch::Batch;
use crate::machine;
use crate::options::Options;
use crate::recorder::Recorder;
use crate::sampler::{Channels, Notice, Sampler, Shared};
use crate::session::StartError;

/// Batches in use between the sampler and us.
const BATCHES: usize = 4;
/// How often the sampler hands its rows over.
const HAND_OVER: Nanos = Nanos(100_000_000);

/// Which samples count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LiveFilter {
    /// Count threads that are asleep, too.
    pub idle: bool,
    /// Count only threads that hold the GIL.
    pub gil_only: bool,
}

impl LiveFilter {
    fn admits(self, state: State) -> bool {
        (self.idle || state.kind().is_active()) && (!self.gil_only || state.holds_gil())
    }
}

/// Time of a function: innermost, and anywhere on the stack (counted once where it recurses).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FunctionTime {
    /// As the innermost function.
    pub own: Nanos,
    /// Anywhere on the stack.
    pub total: Nanos,
}

/// Time of a thread by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadTime {
    /// By [`StateKind::index`].
    pub by_state: [Nanos; StateKind::COUNT],
    /// With the GIL held.
    pub gil: Nanos,
    /// What it was seen doing last.
    pub last: Option<(StackId, State)>,
}

/// Sums over some time.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// By function.
    pub functions: FxHashMap<FunctionId, FunctionTime>,
    /// By thread.
    pub threads: FxHashMap<ThreadId, ThreadTime>,
    /// Time of all samples that count.
    pub counted: Nanos,
    /// Time on a CPU, of all threads.
    pub cpu: Nanos,
    /// Time with the GIL held, of all threads.
    pub gil: Nanos,
    /// Observations.
    pub samples: u64,
}

/// The functions of each stack, every one once, the innermost first.
#[derive(Debug, Default)]
struct Paths(FxHashMap<StackId, Box<[FunctionId]>>);

impl Paths {
    fn of(&mut self, stack: StackId, dictionary: &Dictionary) -> &[FunctionId] {
        self.0.entry(stack).or_insert_with(|| {
            let mut functions = Vec::new();
            for frame in dictionary.frames_inward(stack) {
                let function = dictionary.function_of(frame);
                if !functions.contains(&function) {
                    functions.push(function);
                }
            }
            functions.into()
        })
    }
}

impl Sums {
    fn add(&mut self, row: SampleRow, filter: LiveFilter, path: &[FunctionId]) {
        self.samples += u64::from(row.count);
        let thread = self.threads.entry(row.thread).or_default();
        thread.by_state[row.state.kind().index()] += row.weight;
        thread.last = Some((row.stack, row.state));
        if row.state.holds_gil() {
            thread.gil += row.weight;
            self.gil += row.weight;
        }
        if row.state.kind() == StateKind::OnCpu {
            self.cpu += row.weight;
        }
        if !filter.admits(row.state) {
            return;
        }
        self.counted += row.weight;
        for (depth, &function) in path.iter().enumerate() {
            let time = self.functions.entry(function).or_default();
            time.total += row.weight;
            if depth == 0 {
                time.own += row.weight;
            }
        }
    }
}

/// A process that is being sampled without a recording.
pub struct Live {
    shared: Arc<Shared>,
    batches: Receiver<Batch>,
    empties: Sender<Batch>,
    notices: Receiver<Notice>,
    sampler: Option<JoinHandle<MonoTime>>,
    dictionary: Dictionary,
    paths: Paths,
    /// Since the beginning, or the last [`reset`](Live::reset).
    pub all: Sums,
    /// Since the last [`take_recent`](Live::take_recent).
    recent: Sums,
    filter: LiveFilter,
    now: Time,
}

impl Live {
    /// Begins to sample `root`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn start(root: Pid, options: Options) -> Result<Live, StartError> {
        let start = machine::recording_info(options.interval).mono_start;
        let recorder = Recorder::new(options, start);
        let shared = Arc::new(Shared::default());
        let (send_notices, notices) = mpsc::channel();
        let (send_batches, batches) = mpsc::sync_channel(BATCHES);
        let (empties, receive_empties) = mpsc::channel();
        for _ in 0..BATCHES {
            // The receiver is right here.
            let _ = empties.send(Batch::default());
        }
        let channels = Channels {
            batches: send_batches,
            empties: receive_empties,
            notices: send_notices,
            hand_over: HAND_OVER,
            programs: None,
        };
        let sampler = Sampler::new(recorder, Some(root), Arc::clone(&shared), channels)
            .ok_or(StartError::NoProcess(root))?;
        let sampler = std::thread::Builder::new()
            .name("sondage-sample".into())
            .spawn(move || sampler.run())
            .map_err(StartError::Thread)?;
        Ok(Live {
            shared,
            batches,
            empties,
            notices,
            sampler: Some(sampler),
            dictionary: Dictionary::default(),
            paths: Paths::default(),
            all: Sums::default(),
            recent: Sums::default(),
            filter: LiveFilter::default(),
            now: Time::ZERO,
        })
    }

    /// Takes over what was sampled since the last call. With `count` unset, samples are dropped.
    pub fn update(&mut self, count: bool) {
        while let Ok(mut batch) = self.batches.try_recv() {
            batch.delta.apply(&mut self.dictionary);
            self.now = self.now.max(batch.end);
            for row in batch.samples.rows().filter(|_| count) {
                let path = self.paths.of(row.stack, &self.dictionary);
                self.all.add(row, self.filter, path);
                self.recent.add(row, self.filter, path);
            }
            batch.clear();
            // The sampler may be done and gone.
            let _ = self.empties.send(batch);
        }
    }

    /// The sums since the last call.
    pub fn take_recent(&mut self) -> Sums {
        std::mem::take(&mut self.recent)
    }

    /// Which samples count from now on; the sums begin anew.
    pub fn set_filter(&mut self, filter: LiveFilter) {
        self.filter = filter;
        self.reset();
    }

    /// Which samples count.
    #[must_use]
    pub fn filter(&self) -> LiveFilter {
        self.filter
    }

    /// Lets all sums begin anew.
    pub fn reset(&mut self) {
        self.all = Sums::default();
        self.recent = Sums::default();
    }

    /// What samples refer to.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Up to when samples were taken over.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Observations rejected so far.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.shared.rejected.load(Ordering::Relaxed)
    }

    /// Whether no process is left.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// The messages since the last call.
    pub fn notices(&self) -> impl Iterator<Item = Notice> + '_ {
        self.notices.try_iter()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(sampler) = self.sampler.take() {
            // Its last batch has a place in the channel, or is dropped with it.
            while self.batches.try_recv().is_ok() {}
            // A sampler that panicked has printed so.
            let _ = sampler.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use sondage_model::{FunctionKind, TaskId};

    use super::*;

    #[test]
    fn recursion_counts_once_and_filters_apply() {
        let mut dictionary = Dictionary::default();
        let f = dictionary.function("f", "f", "a.py", 1, FunctionKind::Python);
        let g = dictionary.function("g", "g", "a.py", 9, FunctionKind::Python);
        let (f1, f2, g1) = (
            dictionary.frame(f, 1),
            dictionary.frame(f, 2),
            dictionary.frame(g, 9),
        );
        let outer = dictionary.stack(StackId::EMPTY, f1);
        let inner = dictionary.stack(outer, f2);
        let leaf = dictionary.stack(inner, g1);
        let mut paths = Paths::default();
        let mut sums = Sums::default();
        let mut add = |stack, kind, gil| {
            let row = SampleRow {
                weight: Nanos(10),
                count: 1,
                stack,
                task: TaskId::NONE,
                state: State::new(kind, gil),
                ..SampleRow::default()
            };
            sums.add(row, LiveFilter::default(), paths.of(stack, &dictionary));
        };
        add(leaf, StateKind::OnCpu, true);
        add(inner, StateKind::GilWait, false);
        add(leaf, StateKind::Blocked, false);
        assert_eq!(
            sums.functions[&f],
            FunctionTime {
                own: Nanos(10),
                total: Nanos(20)
            }
        );
        assert_eq!(
            sums.functions[&g],
            FunctionTime {
                own: Nanos(10),
                total: Nanos(10)
            }
        );
        assert_eq!(
            (sums.counted, sums.cpu, sums.gil),
            (Nanos(20), Nanos(10), Nanos(10))
        );
        assert_eq!(sums.samples, 3);
        let thread = sums.threads[&ThreadId(0)];
        assert_eq!(thread.by_state[StateKind::Blocked.index()], Nanos(10));
        assert_eq!(
            thread.last.map(|(_, state)| state.kind()),
            Some(StateKind::Blocked)
        );
    }
}
