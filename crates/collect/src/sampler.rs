//! The sampling thread: looks at every thread of every process once a tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use sondage_model::{ClockRow, LossKind, LossRow, MessageLevel, MonoTime, Nanos, Pid, ProcessId};

use crate::batch::Batch;
use crate::clock::{self, Schedule};
use crate::life::{ImageKey, Life};
use crate::options::Options;
use crate::process::ProcessTrack;
use crate::procfs::{LastPid, ProcFile, parse_last_pid};
use crate::recorder::Recorder;

mod programs;

pub use programs::Programs;

/// A batch of this many rows goes to the writer at once.
const FULL_BATCH: usize = 1 << 16;
/// How often the kernel's figures of each process are read.
const METRICS: u64 = 100_000_000;
/// How often to keep house when nothing is sampled.
const HOUSE_ONLY: u64 = 5_000_000;
/// How often to look whether a program has called, while there is none.
const CALLS: u64 = 20_000_000;
/// How often the profiler's own cost is noted.
const CLOCK: u64 = 1_000_000_000;
/// No housekeeping oftener than this.
const HOUSEKEEPING: u64 = 1_000_000;
/// New threads and processes are looked for at least this often, whatever the kernel's counter says.
const SEARCH: u64 = 100_000_000;
/// The search takes about one part in this many of our time, and waits no longer than this for it.
const SEARCH_SHARE: u64 = 100;
const SEARCH_LATEST: u64 = 10_000_000;
/// How long the program to record may be inside `exec` before it counts as gone.
const LONGEST_EXEC: Duration = Duration::from_secs(1);
/// How long a forked process may be about to call `exec` before it counts as one of its own.
const EXEC_GRACE: u64 = 3_000_000;
/// Sleepers that are looked at take at most one part in this many of the interval …
const SLEEPER_SHARE: u64 = 33;
/// … at this cost each, in nanoseconds (measured: 305 ns and the bookkeeping).
const SLEEPER_COST: u64 = 350;
/// With fewer sleepers than this each is looked at in every tick.
const FEW_SLEEPERS: u64 = 32;

/// A message for the user, that is in the recording too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// How serious.
    pub level: MessageLevel,
    /// What happened.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Figures that other threads can read at any time.
#[derive(Debug, Default)]
pub struct Shared {
    /// Set to end the recording.
    pub stop: AtomicBool,
    /// Set by the writer when nothing can be written any more.
    pub write_failed: AtomicBool,
    /// Observations kept.
    pub kept: AtomicU64,
    /// Observations rejected.
    pub rejected: AtomicU64,
    /// Ticks left out.
    pub late: AtomicU64,
    /// Processes seen so far.
    pub processes: AtomicU64,
    /// Of these, Pythons that could be read.
    pub pythons: AtomicU64,
    /// Set when no process is left.
    pub finished: AtomicBool,
}

/// The sampling thread's state.
pub struct Sampler {
    recorder: Recorder,
    processes: Vec<ProcessTrack>,
    /// Children that may be about to call `exec`, and when they were first seen.
    pending: Vec<(Pid, ProcessId, MonoTime)>,
    schedule: Schedule,
    shared: Arc<Shared>,
    batches: SyncSender<Batch>,
    empties: Receiver<Batch>,
    notices: Sender<Notice>,
    hand_over: Nanos,
    last_pid_file: Option<ProcFile>,
    last_pid: LastPid,
    tick: u64,
    late: u64,
    /// Reads and stops of processes that have ended.
    past: (u64, u64),
    pythons: u64,
    next: Next,
    programs: Option<Programs>,
}

/// When each regular duty is due.
#[derive(Debug, Default)]
struct Next {
    housekeeping: u64,
    search: u64,
    search_allowed: u64,
    metrics: u64,
    clock: u64,
    hand_over: u64,
}

/// The ends of the channels that the sampler uses.
pub struct Channels {
    /// Rows for the writer.
    pub batches: SyncSender<Batch>,
    /// Batches to use again.
    pub empties: Receiver<Batch>,
    /// Messages for the user.
    pub notices: Sender<Notice>,
    /// How often rows are handed over.
    pub hand_over: Nanos,
    /// What programs say of themselves, if that is recorded.
    pub programs: Option<Programs>,
}

impl Sampler {
    /// A sampler of `root`, or of those who call. `None` when the process is gone already.
    pub fn new(
        mut recorder: Recorder,
        root: Option<Pid>,
        shared: Arc<Shared>,
        channels: Channels,
    ) -> Option<Sampler> {
        let start = recorder.start;
        let mut processes = Vec::new();
        if let Some(root) = root {
            // What was just launched may be inside `exec`, and then calls it again, as shims do.
            let until = Instant::now() + LONGEST_EXEC;
            let track = loop {
                match ProcessTrack::open(root, None, start, &mut recorder) {
                    Some(track) => break track,
                    None if Life::of(root) == Life::Ended || Instant::now() > until => return None,
                    None => std::thread::sleep(Duration::from_micros(200)),
                }
            };
            processes.push(track);
        }
        Some(Sampler {
            schedule: Schedule::new(start, interval_of(&recorder.options)),
            recorder,
            processes,
            pending: Vec::new(),
            shared,
            batches: channels.batches,
            empties: channels.empties,
            notices: channels.notices,
            hand_over: channels.hand_over,
            last_pid_file: ProcFile::open("/proc/loadavg").ok(),
            last_pid: LastPid::default(),
            tick: 0,
            late: 0,
            past: (0, 0),
            pythons: 0,
            next: Next {
                hand_over: start.0 + channels.hand_over.0,
                ..Next::default()
            },
            programs: channels.programs,
        })
    }

    /// Samples until it is told to stop or no process is left. Returns the time of its end.
    pub fn run(mut self) -> MonoTime {
        clock::wake_precisely();
        let interval = interval_of(&self.recorder.options);
        while !self.should_stop() && (!self.processes.is_empty() || self.is_listening()) {
            if self.processes.is_empty() {
                self.wait_for_calls();
                continue;
            }
            let (due, missed) = self.schedule.next(clock::mono_now());
            if !self.wait(due, interval) {
                break;
            }
            if missed > 0 && self.recorder.options.samples {
                self.note_late(missed);
            }
            self.tick();
        }
        self.finish()
    }

    fn should_stop(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed) || self.shared.write_failed.load(Ordering::Relaxed)
    }

    /// Waits while there is nothing to sample.
    fn wait_for_calls(&mut self) {
        let now = clock::mono_now();
        clock::wait_until(MonoTime(now.0 + CALLS), Nanos(CALLS));
        self.take_programs();
        // The ticks meanwhile were nobody's.
        self.schedule = Schedule::new(clock::mono_now(), interval_of(&self.recorder.options));
        self.hand_over_if_due(clock::mono_now());
    }

    /// Waits for the next tick. At low rates the wish to stop is looked at in between, and programs
    /// are listened to.
    fn wait(&mut self, due: MonoTime, interval: Nanos) -> bool {
        const NAP: u64 = 50_000_000;
        loop {
            let now = clock::mono_now();
            if due.0.saturating_sub(now.0) <= NAP {
                clock::wait_until(due, interval);
                return true;
            }
            clock::wait_until(MonoTime(now.0 + NAP), interval);
            if self.should_stop() {
                return false;
            }
            self.take_programs();
            self.hand_over_if_due(clock::mono_now());
        }
    }

    fn note_late(&mut self, missed: u64) {
        self.late += missed;
        let time = self.recorder.time(clock::mono_now());
        match self.recorder.batch.losses.last_mut() {
            Some(last) if last.kind == LossKind::Late => {
                last.count += missed;
                last.time = time;
            }
            _ => self.recorder.batch.losses.push(LossRow {
                time,
                process: None,
                kind: LossKind::Late,
                count: missed,
            }),
        }
    }

    fn tick(&mut self) {
        self.tick += 1;
        let stride = self.sleeper_stride();
        let turn = self.tick % stride;
        let mut gone = false;
        let is_sampling = self.recorder.options.samples;
        for process in self.processes.iter_mut().filter(|_| is_sampling) {
            gone |= !process.observe(
                clock::mono_now,
                |place| place as u64 % stride == turn,
                &mut self.recorder,
            );
        }
        let now = clock::mono_now();
        if gone || now.0 >= self.next.housekeeping {
            self.next.housekeeping = now.0 + HOUSEKEEPING;
            self.keep_house(now);
        }
        self.hand_over_if_due(now);
    }

    fn hand_over_if_due(&mut self, now: MonoTime) {
        let is_due = now.0 >= self.next.hand_over;
        let batch = &self.recorder.batch;
        if is_due || batch.samples.len() >= FULL_BATCH || batch.program_rows() >= FULL_BATCH {
            self.hand_over(now, is_due);
        }
    }

    /// One sleeper in this many is looked at in a tick, so that a thousand sleepers do not cost
    /// more than one runner. What is seen late is only that a sleeper woke.
    fn sleeper_stride(&self) -> u64 {
        let threads: usize = self.processes.iter().map(|p| p.threads.len()).sum();
        let budget =
            (self.recorder.options.interval.0 / SLEEPER_SHARE / SLEEPER_COST).max(FEW_SLEEPERS);
        (threads as u64).div_ceil(budget).max(1)
    }

    fn keep_house(&mut self, now: MonoTime) {
        self.take_programs();
        self.look_after(now);
        self.search(now);
        if now.0 >= self.next.metrics {
            self.next.metrics = now.0 + METRICS;
            self.read_metrics(now);
        }
        if now.0 >= self.next.clock {
            self.next.clock = now.0 + CLOCK;
            self.note_clock(now);
        }
        self.show_figures();
    }

    /// Brings the figures that other threads read up to date.
    fn show_figures(&self) {
        let shared = &self.shared;
        shared.kept.store(self.recorder.kept, Ordering::Relaxed);
        shared
            .rejected
            .store(self.recorder.rejected, Ordering::Relaxed);
        shared.late.store(self.late, Ordering::Relaxed);
        shared.pythons.store(self.pythons, Ordering::Relaxed);
        let processes = self.recorder.dictionary.processes().len() as u64;
        shared.processes.store(processes, Ordering::Relaxed);
    }

    /// Interpreters and lists of threads; processes that ended or run another program now.
    fn look_after(&mut self, now: MonoTime) {
        let mut changed = Vec::new();
        for (place, process) in self.processes.iter_mut().enumerate() {
            let was_python = process.is_python();
            if let Some(refusal) = process.look_after(now, &mut self.recorder) {
                let text = refusal.text.clone();
                let id = Some(process.id);
                self.recorder
                    .message(now, MessageLevel::Warning, id, text.clone());
                // Nobody listens any more when the recording ends.
                let _ = self.notices.send(Notice {
                    level: MessageLevel::Warning,
                    text,
                    hint: Some(refusal.hint),
                });
            }
            self.pythons += u64::from(process.is_python() && !was_python);
            if process.threads.is_empty()
                || process.is_suspicious() && Life::of(process.pid).has_left(&process.key)
            {
                changed.push(place);
            }
        }
        for place in changed.into_iter().rev() {
            self.replace(place, now);
        }
    }

    /// A process is not what it was: it is gone, or runs another program.
    fn replace(&mut self, place: usize, now: MonoTime) {
        let mut old = self.processes.swap_remove(place);
        old.flush(now, &mut self.recorder);
        old.end(now, &mut self.recorder);
        let (reads, stops) = old.reads_and_stops();
        self.past.0 += reads;
        self.past.1 += stops;
        let still = ImageKey::of(old.pid);
        let same_life = still
            .as_ref()
            .is_some_and(|key| key.start_ticks == old.key.start_ticks);
        if same_life {
            let parent = self.recorder.dictionary.processes()[old.id.index()].parent;
            if let Some(new) = ProcessTrack::open(old.pid, parent, now, &mut self.recorder) {
                self.processes.push(new);
            }
        }
    }

    /// Looks for new threads and processes when the kernel has given out a new number, as often
    /// as its cost allows.
    fn search(&mut self, now: MonoTime) {
        let moved = self.numbers_moved();
        let due = now.0 >= self.next.search || !self.pending.is_empty();
        if !(due || moved) {
            return;
        }
        if now.0 < self.next.search_allowed {
            // Not forgotten: the counter is compared again then.
            self.next.search = self.next.search.min(self.next.search_allowed);
            return;
        }
        for process in &mut self.processes {
            process.find_threads(now, &mut self.recorder);
        }
        if self.recorder.options.children {
            self.find_children(now);
        }
        let cost = clock::mono_now().0.saturating_sub(now.0);
        self.next.search_allowed = now.0 + (cost * SEARCH_SHARE).min(SEARCH_LATEST);
        self.next.search = now.0 + SEARCH;
    }

    fn numbers_moved(&mut self) -> bool {
        let mut buf = [0; 128];
        let Some(last) = self
            .last_pid_file
            .as_ref()
            .and_then(|file| parse_last_pid(file.read(&mut buf).ok()?))
        else {
            // Without the counter, look every time.
            return true;
        };
        std::mem::replace(&mut self.last_pid, last).last != last.last
    }

    fn find_children(&mut self, now: MonoTime) {
        let found: Vec<(Pid, ProcessId, ImageKey)> = self
            .processes
            .iter()
            .flat_map(|parent| {
                parent
                    .children()
                    .into_iter()
                    .map(|pid| (pid, parent.id, parent.key.clone()))
            })
            .collect();
        let mut pending = Vec::new();
        for (pid, parent, parent_key) in found {
            if self.processes.iter().any(|process| process.pid == pid) {
                continue;
            }
            let Some(key) = ImageKey::of(pid) else {
                continue;
            };
            let seen = self
                .pending
                .iter()
                .find(|(waiting, ..)| *waiting == pid)
                .map_or(now, |(_, _, seen)| *seen);
            // Until it calls `exec`, a child looks like its parent; most do so at once.
            if key.same_program(&parent_key) && now.0.saturating_sub(seen.0) < EXEC_GRACE {
                pending.push((pid, parent, seen));
                continue;
            }
            let process = ProcessTrack::open(pid, Some(parent), seen, &mut self.recorder);
            self.processes.extend(process);
        }
        self.pending = pending;
    }

    fn read_metrics(&mut self, now: MonoTime) {
        let mut changed = Vec::new();
        for (place, process) in self.processes.iter_mut().enumerate() {
            if !process.read_metrics(now, &mut self.recorder) {
                changed.push(place);
            }
        }
        for place in changed.into_iter().rev() {
            self.replace(place, now);
        }
    }

    fn note_clock(&mut self, now: MonoTime) {
        let (reads, stops) = self
            .processes
            .iter()
            .map(ProcessTrack::reads_and_stops)
            .fold(self.past, |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let row = ClockRow {
            time: self.recorder.time(now),
            unix_nanos: clock::unix_now(),
            own_cpu: clock::own_cpu(),
            ticks: self.recorder.observations,
            reads,
            stops,
        };
        self.recorder.batch.clock.push(row);
    }

    /// Hands the rows to the writer, if it is ready to take them.
    fn hand_over(&mut self, now: MonoTime, flush: bool) {
        if flush {
            self.next.hand_over = now.0 + self.hand_over.0;
            self.show_pids();
            for process in &mut self.processes {
                process.flush(now, &mut self.recorder);
            }
        }
        // Without an empty batch the writer is behind: rows pile up here, within a limit.
        let Ok(empty) = self.empties.try_recv() else {
            return;
        };
        let mut batch = self.recorder.take_batch(now, empty);
        batch.end = self.recorder.time(now);
        match self.batches.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                // There is one place in the channel for each batch in use, so only a writer that
                // is gone gets here. It has said why.
                self.shared.write_failed.store(true, Ordering::Relaxed);
            }
        }
    }

    fn finish(mut self) -> MonoTime {
        self.finish_programs();
        let now = clock::mono_now();
        for process in &mut self.processes {
            process.read_metrics(now, &mut self.recorder);
            process.flush(now, &mut self.recorder);
            // The end of one that lives on is not known.
            if ImageKey::of(process.pid).is_none() {
                process.end(now, &mut self.recorder);
            }
        }
        self.note_clock(now);
        self.show_figures();
        let mut batch = self.recorder.take_batch(now, Batch::default());
        batch.end = self.recorder.time(now);
        // A writer that is gone has said why.
        let _ = self.batches.send(batch);
        self.shared.finished.store(true, Ordering::Release);
        now
    }
}

/// Time between two ticks. Without samples only house is kept.
fn interval_of(options: &Options) -> Nanos {
    if options.samples {
        options.interval
    } else {
        Nanos(HOUSE_ONLY)
    }
}
