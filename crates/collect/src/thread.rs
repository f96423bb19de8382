//! One thread under observation.

use std::ops::Range;

use sondage_inspect::{Reject, Target, ThreadCursor};
use sondage_model::{
    LossKind, MonoTime, Nanos, Pid, ProcessId, StackId, State, StateKind, TaskId, ThreadId, Tid,
    Time,
};

use crate::procfs::SchedStat;
use crate::recorder::Recorder;
use crate::rows::{Observation, ThreadRows};
use crate::scheduler::{ThreadGone, ThreadScheduler};
use crate::stacks::{FrameCache, Names, meta_stack};
use crate::tasks::TaskCache;

/// How long the state of a running thread is taken as known.
///
/// PERF: only above 50 kHz does it matter. Reading both files costs 0.7 µs; a sample of the stack
/// about 2 µs.
const LOOK_EVERY: u64 = 20_000;

/// How often an observation of a sleeper is made again when it turns out to have run meanwhile.
const TRIES: usize = 3;

/// One thread under observation.
#[derive(Debug)]
pub struct ThreadTrack {
    /// The kernel's number of it, in our pid namespace.
    pub tid: Tid,
    /// Its number in its own pid namespace, as Python knows it.
    pub inner_tid: Tid,
    /// When it was first seen.
    pub seen: MonoTime,
    /// Its name so far.
    pub name: String,
    /// Whether its program gave it this name.
    pub is_named: bool,
    /// How often it was gone from the interpreter since it was last seen there.
    pub vanished: u64,
    /// Whether it ever was one of Python's.
    pub had_python: bool,
    /// The thread in the interpreter, if it is one of Python's.
    pub python: Option<ThreadCursor>,
    rows: ThreadRows,
    scheduler: ThreadScheduler,
    /// Its stack while it has no Python frames.
    native_stack: Option<StackId>,
    /// Stack ids of its last stack, outermost first.
    path: Vec<StackId>,
    /// When its files were read last.
    looked: MonoTime,
    /// Whether it was on a CPU then.
    ran: bool,
}

/// What came of an observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// There is nothing to say: it sleeps on, or what it did in a long gap is not known yet. Only
    /// small files were read.
    SleepsOn,
    /// There is a new row.
    Seen,
    /// The stack could not be read.
    Lost(LossKind),
    /// There is a new row, but its outermost frames were cut off.
    Truncated,
    /// The thread has ended.
    Gone,
}

/// What one read of a thread's memory gives.
#[derive(Clone, Copy, Debug)]
struct Look {
    stack: StackId,
    task: TaskId,
    holds_gil: bool,
}

/// What the threads of a process have in common.
pub struct ProcessView<'a> {
    /// The process.
    pub process: ProcessId,
    /// Its interpreter, when it is a Python that we can read.
    pub target: Option<&'a mut Target>,
    /// Addresses of its GILs.
    pub gils: &'a [Range<u64>],
    /// Its frames that are interned already.
    pub frames: &'a mut FrameCache,
    /// Its asyncio tasks that are known already.
    pub tasks: &'a mut TaskCache,
    /// What is recorded for threads without a Python stack, when the process has no Python.
    pub native_stack: Option<StackId>,
}

impl ThreadTrack {
    /// Opens the files of a thread that was first seen `now`.
    pub fn open(
        pid: Pid,
        tid: Tid,
        id: ThreadId,
        now: MonoTime,
        start: MonoTime,
    ) -> Result<ThreadTrack, ThreadGone> {
        Ok(ThreadTrack {
            tid,
            inner_tid: tid,
            seen: now,
            name: String::new(),
            is_named: false,
            vanished: 0,
            had_python: false,
            python: None,
            rows: ThreadRows::new(id, now.in_recording(start)),
            scheduler: ThreadScheduler::open(pid, tid)?,
            native_stack: None,
            path: Vec::new(),
            looked: MonoTime(0),
            ran: false,
        })
    }

    /// Its row in the recording.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.rows.thread()
    }

    /// How often it was put on a CPU, when last looked at.
    #[must_use]
    pub fn switches(&self) -> u64 {
        self.scheduler.last().switches
    }

    /// Hands over the open row.
    pub fn close_row(&mut self, recorder: &mut Recorder) {
        self.rows.close(&mut |row| recorder.push(row));
    }

    /// Whether it was asleep when last looked at.
    #[must_use]
    pub fn sleeps(&self) -> bool {
        self.rows.has_any() && self.scheduler.is_asleep()
    }

    /// It runs another program now, or its interpreter is another: what was known of its Python
    /// stack is void.
    pub fn forget_python(&mut self) {
        self.python = None;
        self.native_stack = None;
        self.path.clear();
    }

    /// Looks at the thread once.
    pub fn observe(
        &mut self,
        now: MonoTime,
        view: &mut ProcessView<'_>,
        recorder: &mut Recorder,
    ) -> Outcome {
        let time = recorder.time(now);
        let quick = self.ran && now.0.saturating_sub(self.looked.0) < LOOK_EVERY;
        let mut figures = if quick {
            self.scheduler.last()
        } else {
            match self.scheduler.read() {
                Ok(figures) => figures,
                Err(ThreadGone(_)) => return Outcome::Gone,
            }
        };
        if !quick {
            self.looked = now;
            if self.rows.has_any() && self.scheduler.slept_on(figures) {
                self.rows.sleeps_on(time);
                return Outcome::SleepsOn;
            }
        }
        let mut proved = false;
        for attempt in 1.. {
            let kind = if quick {
                StateKind::OnCpu
            } else {
                match self.scheduler.kind(view.gils) {
                    Ok(kind) => kind,
                    Err(ThreadGone(_)) => return Outcome::Gone,
                }
            };
            if kind == StateKind::OnCpu && self.is_unclear(time, figures) {
                return Outcome::SleepsOn;
            }
            let look = match self.read_stack(view, recorder) {
                Ok(read) => read,
                Err(reject) => return Outcome::Lost(reject.loss_kind()),
            };
            if kind != StateKind::OnCpu {
                // The stack is the sleeper's own only if it did not run between the two looks.
                let Ok(again) = self.scheduler.read() else {
                    return Outcome::Gone;
                };
                proved = same_sleep(figures, again);
                figures = again;
                if !proved && attempt < TRIES {
                    continue;
                }
            }
            self.record(time, figures, kind, look, proved, recorder);
            break;
        }
        if self.python.is_some() && recorder.snapshot.truncated {
            Outcome::Truncated
        } else {
            Outcome::Seen
        }
    }

    fn record(
        &mut self,
        time: Time,
        figures: SchedStat,
        kind: StateKind,
        look: Look,
        proved: bool,
        recorder: &mut Recorder,
    ) {
        self.ran = kind == StateKind::OnCpu;
        let awake = self.awake(figures);
        let ready = ThreadRows::ready_part(self.rows.weight_at(time), awake);
        let kind = self.scheduler.accept(figures, kind, ready, proved);
        let seen = Observation {
            time,
            stack: look.stack,
            task: look.task,
            state: State::new(kind, look.holds_gil),
            awake,
        };
        self.rows.observe(seen, &mut |row| recorder.push(row));
    }

    /// Time on a CPU and waiting for one since the last observation, as far as the kernel says.
    fn awake(&self, figures: SchedStat) -> Nanos {
        let last = self.scheduler.last();
        figures.run.saturating_sub(last.run) + figures.run_delay.saturating_sub(last.run_delay)
    }

    /// Whether a thread that is ready to run now either has waited for a CPU through a long gap or
    /// was stopped in it and has just been continued: the kernel reports a wait when it ends, and
    /// until the thread is put on a CPU the two look alike. The next observation will know.
    fn is_unclear(&self, time: Time, figures: SchedStat) -> bool {
        let weight = self.rows.weight_at(time);
        figures.switches == self.scheduler.last().switches
            && ThreadRows::ready_part(weight, self.awake(figures)) < weight
    }

    /// The thread's stack, and what is read with it.
    fn read_stack(
        &mut self,
        view: &mut ProcessView<'_>,
        recorder: &mut Recorder,
    ) -> Result<Look, Reject> {
        let (Some(cursor), Some(target)) = (&mut self.python, &mut view.target) else {
            let name = &self.name;
            let stack = view.native_stack.unwrap_or_else(|| {
                *self
                    .native_stack
                    .get_or_insert_with(|| recorder.native_stack(name))
            });
            return Ok(Look {
                stack,
                task: TaskId::NONE,
                holds_gil: false,
            });
        };
        target.sample(cursor, &mut recorder.snapshot)?;
        let mut names = Names {
            process: view.process,
            dictionary: &mut recorder.dictionary,
            new_files: &mut recorder.batch.new_files,
        };
        let snapshot = &recorder.snapshot;
        let stack = view
            .frames
            .intern(target, snapshot, &mut self.path, &mut names);
        let stack = if stack == StackId::EMPTY {
            meta_stack("<no Python frame>", &mut recorder.dictionary)
        } else {
            stack
        };
        let task = recorder.snapshot.task.map_or(TaskId::NONE, |key| {
            view.tasks
                .id(key, target, view.process, &mut recorder.dictionary)
        });
        Ok(Look {
            stack,
            task,
            holds_gil: recorder.snapshot.holds_gil,
        })
    }
}

/// Whether the thread did not run between two readings.
fn same_sleep(before: SchedStat, after: SchedStat) -> bool {
    before.switches == after.switches && before.run == after.run
}
