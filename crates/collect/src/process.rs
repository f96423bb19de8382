//! One process under observation: its threads, its interpreter, its life.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use rustc_hash::FxHashSet;
use sondage_inspect::{OpenError, PythonThread, Target, ThreadCursor};
use sondage_model::{
    Dictionary, LossKind, LossRow, MonoTime, Pid, ProcessId, ProcessRow, StackId, TaskId, ThreadId,
    ThreadRow, Tid, Time,
};

use crate::life::{ImageKey, Life};
use crate::metrics::Metrics;
use crate::names::process_name;
use crate::procfs::{self, ProcFile, parse_children, parse_ns_ids};
use crate::recorder::Recorder;
use crate::source_text::Folders;
use crate::stacks::FrameCache;
use crate::tasks::TaskCache;
use crate::thread::{Outcome, ProcessView, ThreadTrack};

/// First wait before an interpreter that is not ready is looked for again; it grows by half.
const RETRY: u64 = 500_000;
/// Longest wait for an interpreter that is starting.
const RETRY_STARTING: u64 = 10_000_000;
/// Longest wait for an interpreter in a program that had none: it may be loaded later.
const RETRY_OTHER: u64 = 1_000_000_000;
/// How long a thread that the interpreter does not know is looked up there again.
const YOUNG: u64 = 50_000_000;
/// How often names are read again without a reason.
const RENAME_EVERY: u64 = 2_000_000_000;

/// What a process was found to run.
#[derive(Debug)]
enum Image {
    /// Not known yet: it has just started, or its interpreter has.
    Unknown,
    /// A Python that can be read.
    Python(Box<Target>),
    /// Something else, or a Python that cannot be read.
    Other,
}

/// Something to tell the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What happened.
    pub text: String,
    /// What to do.
    pub hint: String,
}

/// One process under observation.
#[derive(Debug)]
pub struct ProcessTrack {
    /// Its row in the recording.
    pub id: ProcessId,
    /// The kernel's number of it.
    pub pid: Pid,
    /// Which program it runs.
    pub key: ImageKey,
    /// Its threads.
    pub threads: Vec<ThreadTrack>,
    /// What its threads without Python are recorded with.
    native_stack: StackId,
    image: Image,
    open_at: MonoTime,
    open_wait: u64,
    frames: FrameCache,
    tasks: TaskCache,
    gils: Vec<Range<u64>>,
    metrics: Option<Metrics>,
    children: Option<ProcFile>,
    /// Whether its numbers of threads are not ours.
    other_pid_namespace: bool,
    relist_at: MonoTime,
    relist_wait: u64,
    failures: u32,
    /// How many failures there were when its image was last checked.
    failures_checked: u32,
    losses: [u64; LossKind::ALL.len()],
}

impl ProcessTrack {
    /// Takes up a process first seen at `seen`. `None` when it is gone already.
    pub fn open(
        pid: Pid,
        parent: Option<ProcessId>,
        seen: MonoTime,
        recorder: &mut Recorder,
    ) -> Option<ProcessTrack> {
        let key = ImageKey::of(pid)?;
        let command = procfs::command_line(pid);
        let program = procfs::program(pid)
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "program".into());
        let row = ProcessRow {
            pid,
            parent,
            name: recorder.dictionary.string(&process_name(&command)),
            command: recorder.dictionary.string(&command.join(" ")),
            start: recorder.time(seen),
            end: Time::MAX,
            ..ProcessRow::default()
        };
        let id = recorder.dictionary.add_process(row);
        recorder.batch.folders.push((id, Folders::of(pid)));
        let ns = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/pid")).ok();
        let mut track = ProcessTrack {
            id,
            pid,
            key,
            threads: Vec::new(),
            native_stack: recorder.native_stack(&program),
            image: Image::Unknown,
            open_at: seen,
            open_wait: RETRY,
            frames: FrameCache::default(),
            tasks: TaskCache::default(),
            gils: Vec::new(),
            metrics: Metrics::open(pid, id, &mut recorder.dictionary),
            children: ProcFile::open(format!("/proc/{}/task/{}/children", pid.0, pid.0)).ok(),
            other_pid_namespace: ns(&pid.0.to_string())
                .is_some_and(|theirs| ns("self").is_some_and(|ours| ours != theirs)),
            relist_at: seen,
            relist_wait: RETRY,
            failures: 0,
            failures_checked: 0,
            losses: [0; LossKind::ALL.len()],
        };
        track.find_threads(seen, recorder);
        Some(track)
    }

    /// Whether its Python is being read.
    #[must_use]
    pub fn is_python(&self) -> bool {
        matches!(self.image, Image::Python(_))
    }

    /// Reads of its memory so far, and times one of its threads was stopped.
    #[must_use]
    pub fn reads_and_stops(&self) -> (u64, u64) {
        match &self.image {
            Image::Python(target) => (target.counters().reads, target.counters().stops),
            Image::Unknown | Image::Other => (0, 0),
        }
    }

    /// The task that the program calls so.
    pub fn task(&mut self, name: &str, dictionary: &mut Dictionary) -> TaskId {
        self.tasks.named(name, self.id, dictionary)
    }

    /// Looks for new threads and takes leave of ended ones. Returns whether it still has threads.
    pub fn find_threads(&mut self, now: MonoTime, recorder: &mut Recorder) -> bool {
        let Ok(mut tids) = procfs::threads(self.pid) else {
            self.end_threads(now, recorder);
            return false;
        };
        if recorder.options.main_thread_only {
            tids.retain(|tid| tid.0 == self.pid.0);
        }
        tids.sort_unstable();
        let time = recorder.time(now);
        self.threads.retain_mut(|thread| {
            let lives = tids.binary_search(&thread.tid).is_ok();
            if !lives {
                thread.close_row(recorder);
                recorder
                    .dictionary
                    .update_thread(thread.id(), |row| row.end = time);
            }
            lives
        });
        let known: FxHashSet<Tid> = self.threads.iter().map(|thread| thread.tid).collect();
        for tid in tids {
            if !known.contains(&tid) {
                self.add_thread(tid, now, recorder);
            }
        }
        !self.threads.is_empty()
    }

    fn add_thread(&mut self, tid: Tid, now: MonoTime, recorder: &mut Recorder) {
        let inner_tid = match self.other_pid_namespace {
            true => self.inner_tid(tid).unwrap_or(tid),
            false => tid,
        };
        // Its program may have told of it already.
        let bare = recorder.bare_threads.get(&(self.id, inner_tid)).copied();
        let next = ThreadId(recorder.dictionary.threads().len() as u32);
        let id = bare.map_or(next, |bare| bare.id);
        let Ok(mut thread) = ThreadTrack::open(self.pid, tid, id, now, recorder.start) else {
            return;
        };
        thread.inner_tid = inner_tid;
        if let Some(bare) = bare {
            recorder.bare_threads.remove(&(self.id, inner_tid));
            thread.is_named = bare.is_named;
        }
        if thread.is_named {
            let row = &recorder.dictionary.threads()[id.index()];
            thread.name = recorder.dictionary.text(row.name).to_owned();
        } else {
            thread.name = procfs::thread_name(self.pid, tid).unwrap_or_default();
        }
        let row = ThreadRow {
            process: self.id,
            tid,
            name: recorder.dictionary.string(&thread.name),
            is_main: tid.0 == self.pid.0,
            start: recorder.time(now),
            end: Time::MAX,
        };
        if bare.is_some() {
            recorder.dictionary.update_thread(id, |old| {
                let start = old.start.min(row.start);
                *old = ThreadRow { start, ..row };
            });
        } else {
            let added = recorder.dictionary.add_thread(row);
            debug_assert_eq!(added, id);
        }
        self.threads.push(thread);
        self.relist_at = now;
        self.relist_wait = RETRY;
    }

    /// The thread's number in its own pid namespace.
    fn inner_tid(&self, tid: Tid) -> Option<Tid> {
        let bytes = procfs::read_process(self.pid, &format!("task/{}/status", tid.0)).ok()?;
        parse_ns_ids(&bytes, "NSpid").last().copied().map(Tid)
    }

    /// Looks for the interpreter, and keeps its list of threads and their names current, when it
    /// is time to.
    pub fn look_after(&mut self, now: MonoTime, recorder: &mut Recorder) -> Option<Refusal> {
        let mut refusal = None;
        if !self.is_python() && now >= self.open_at {
            refusal = self.try_open(now, recorder);
        }
        if self.is_python() && now >= self.relist_at {
            self.relist(now, recorder);
        }
        refusal
    }

    fn try_open(&mut self, now: MonoTime, recorder: &mut Recorder) -> Option<Refusal> {
        let file = std::fs::metadata(format!("/proc/{}/exe", self.pid.0))
            .map(|about| (about.dev(), about.ino()))
            .ok();
        let known_foreign = file.is_some_and(|file| recorder.foreign.contains(&file));
        let again = |track: &mut ProcessTrack, longest: u64| {
            track.open_at = MonoTime(now.0 + track.open_wait);
            track.open_wait = (track.open_wait + track.open_wait / 2).min(longest);
        };
        if known_foreign && !self.maps_name_python() {
            self.image = Image::Other;
            again(self, RETRY_OTHER);
            return None;
        }
        match Target::open(self.pid) {
            // It called `exec` since it was taken up: what is known of it is another program's.
            Ok(_) if ImageKey::of(self.pid).as_ref() != Some(&self.key) => {
                self.failures = (self.failures_checked * 2).max(3);
                None
            }
            Ok(target) => {
                let runtime = recorder.dictionary.string(&target.runtime().implementation);
                recorder
                    .dictionary
                    .update_process(self.id, |row| row.runtime = runtime);
                self.image = Image::Python(Box::new(target));
                self.frames = FrameCache::default();
                self.tasks = TaskCache::default();
                self.relist_at = now;
                self.relist_wait = RETRY;
                None
            }
            Err(OpenError::NotReady { .. }) => {
                again(self, RETRY_STARTING);
                None
            }
            Err(OpenError::NotPython { .. }) => {
                // Not at the first look: a program that is just being loaded has no Python yet.
                if self.open_wait > 4 * RETRY {
                    recorder.foreign.extend(file);
                }
                self.image = Image::Other;
                again(self, RETRY_OTHER);
                None
            }
            Err(OpenError::Gone { .. }) => {
                self.open_at = MonoTime(now.0 + RETRY_STARTING);
                None
            }
            Err(error @ (OpenError::NoPermission { .. } | OpenError::Unsupported { .. })) => {
                self.image = Image::Other;
                self.open_at = MonoTime(u64::MAX);
                Some(Refusal {
                    text: error.to_string(),
                    hint: error.hint().to_owned(),
                })
            }
        }
    }

    /// Whether a Python library is mapped: a cheap look before an expensive one.
    fn maps_name_python(&self) -> bool {
        procfs::read_process(self.pid, "maps")
            .is_ok_and(|maps| maps.windows(9).any(|part| part == b"libpython"))
    }

    /// Reads the interpreter's list of threads, and gives each of ours its place in it.
    fn relist(&mut self, now: MonoTime, recorder: &mut Recorder) {
        let Image::Python(target) = &mut self.image else {
            return;
        };
        let (listed, gils) = match target
            .threads()
            .and_then(|threads| Ok((threads, target.gils()?)))
        {
            Ok(lists) => lists,
            Err(_) => {
                self.failures += 1;
                self.relist_at = MonoTime(now.0 + RETRY_STARTING);
                return;
            }
        };
        self.gils = gils.iter().map(|gil| gil.start.0..gil.end.0).collect();
        let mut unknown = false;
        for thread in &mut self.threads {
            match listed_of(&listed, thread) {
                Some(listed) => {
                    if thread.python.as_ref().map(ThreadCursor::state) != Some(listed.state) {
                        // The same program again, by `exec`, can lie at the same addresses.
                        if thread.had_python && ImageKey::of(self.pid).as_ref() != Some(&self.key) {
                            self.failures = (self.failures_checked * 2).max(3);
                            return;
                        }
                        thread.forget_python();
                        thread.had_python = true;
                        thread.python = Some(ThreadCursor::new(listed));
                    }
                    let is_main = thread.tid.0 == self.pid.0;
                    let name = match (&listed.name, is_main) {
                        (Some(name), _) => Some(name.as_str()),
                        (None, true) => Some("MainThread"),
                        (None, false) => None,
                    };
                    let name = name.filter(|name| !thread.is_named && *name != thread.name);
                    if let Some(name) = name {
                        thread.name = name.to_owned();
                        let name = recorder.dictionary.string(name);
                        recorder
                            .dictionary
                            .update_thread(thread.id(), |row| row.name = name);
                    }
                    // `threading` learns of a thread a little after the interpreter does.
                    unknown |= listed.name.is_none();
                }
                None => {
                    if thread.python.is_some() {
                        thread.forget_python();
                    }
                    // Just started or forked, and it has not told its number yet.
                    unknown = true;
                }
            }
        }
        let wait = if unknown {
            self.relist_wait
        } else {
            RENAME_EVERY
        };
        self.relist_at = MonoTime(now.0 + wait);
        // So that what is late is seen late by a quarter of that, at most.
        self.relist_wait = (self.relist_wait + self.relist_wait / 4).min(RENAME_EVERY);
    }

    /// Looks at every thread once; at a sleeper only when `wakes` says so of its place. Returns
    /// whether any thread is left.
    pub fn observe(
        &mut self,
        clock: impl Fn() -> MonoTime,
        wakes: impl Fn(usize) -> bool,
        recorder: &mut Recorder,
    ) -> bool {
        let ProcessTrack {
            id,
            threads,
            native_stack,
            image,
            frames,
            tasks,
            gils,
            failures,
            losses,
            relist_at,
            ..
        } = self;
        let target = match image {
            Image::Python(target) => Some(&mut **target),
            Image::Unknown | Image::Other => None,
        };
        let is_python = target.is_some();
        let mut view = ProcessView {
            process: *id,
            native_stack: (!is_python).then_some(*native_stack),
            target,
            gils,
            frames,
            tasks,
        };
        let mut index = 0;
        threads.retain_mut(|thread| {
            index += 1;
            if thread.sleeps() && !wakes(index) {
                return true;
            }
            // A thread that Python is about to know gets its first stack from there.
            let now = clock();
            if is_python && thread.python.is_none() && is_young(thread, now) {
                return true;
            }
            recorder.observations += 1;
            match thread.observe(now, &mut view, recorder) {
                Outcome::SleepsOn => true,
                outcome @ (Outcome::Seen | Outcome::Truncated) => {
                    *failures = 0;
                    losses[LossKind::Truncated as usize] +=
                        u64::from(outcome == Outcome::Truncated);
                    let vanished = std::mem::take(&mut thread.vanished);
                    losses[LossKind::Gone as usize] += vanished;
                    recorder.rejected += vanished;
                    true
                }
                Outcome::Lost(LossKind::Gone) => {
                    // The last look at a thread that ends is no loss; see above for the others.
                    thread.vanished += 1;
                    *failures += 1;
                    *relist_at = now;
                    true
                }
                Outcome::Lost(kind) => {
                    losses[kind as usize] += 1;
                    recorder.rejected += 1;
                    *failures += 1;
                    true
                }
                Outcome::Gone => {
                    let end = recorder.time(now);
                    thread.close_row(recorder);
                    recorder
                        .dictionary
                        .update_thread(thread.id(), |row| row.end = end);
                    false
                }
            }
        });
        !threads.is_empty()
    }

    /// Whether reads have failed so often since the last call that another program may run in it.
    pub fn is_suspicious(&mut self) -> bool {
        if self.failures < self.failures_checked {
            self.failures_checked = 0;
        }
        // Each doubling is looked into once.
        let due = self.failures >= (self.failures_checked * 2).max(3);
        if due {
            self.failures_checked = self.failures;
        }
        due
    }

    /// The pids of the processes that its threads started.
    pub fn children(&self) -> Vec<Pid> {
        let Some(file) = &self.children else {
            return procfs::search_children(self.pid);
        };
        let mut found = file
            .read_all()
            .map(|bytes| parse_children(&bytes))
            .unwrap_or_default();
        for thread in &self.threads {
            if thread.tid.0 != self.pid.0 {
                found.extend(procfs::children(self.pid, thread.tid).unwrap_or_default());
            }
        }
        found
    }

    /// Reads the process's figures. Returns whether it still runs the same program.
    pub fn read_metrics(&mut self, now: MonoTime, recorder: &mut Recorder) -> bool {
        let Some(metrics) = &mut self.metrics else {
            return !Life::of(self.pid).has_left(&self.key);
        };
        let threads = self.threads.iter().map(|t| (t.tid, t.switches()));
        let time = recorder.time(now);
        metrics
            .read(time, threads, &mut recorder.batch.counters)
            .is_some_and(|stat| !Life::from_stat(&stat).has_left(&self.key))
    }

    /// Hands over what must not be lost if we are killed: open rows and counts of losses.
    pub fn flush(&mut self, now: MonoTime, recorder: &mut Recorder) {
        for thread in &mut self.threads {
            thread.close_row(recorder);
        }
        let time = recorder.time(now);
        for (&kind, count) in LossKind::ALL.iter().zip(&mut self.losses) {
            if *count > 0 {
                recorder.batch.losses.push(LossRow {
                    time,
                    process: Some(self.id),
                    kind,
                    count: std::mem::take(count),
                });
            }
        }
    }

    /// The process has ended, or runs another program.
    pub fn end(&mut self, now: MonoTime, recorder: &mut Recorder) {
        self.end_threads(now, recorder);
        let end = recorder.time(now);
        recorder
            .dictionary
            .update_process(self.id, |row| row.end = end);
    }

    fn end_threads(&mut self, now: MonoTime, recorder: &mut Recorder) {
        let end = recorder.time(now);
        let Recorder {
            bare_threads,
            dictionary,
            ..
        } = recorder;
        bare_threads.retain(|(process, _), bare| {
            if *process == self.id {
                dictionary.update_thread(bare.id, |row| row.end = end);
            }
            *process != self.id
        });
        for mut thread in self.threads.drain(..) {
            thread.close_row(recorder);
            recorder
                .dictionary
                .update_thread(thread.id(), |row| row.end = end);
        }
    }
}

fn is_young(thread: &ThreadTrack, now: MonoTime) -> bool {
    now.0.saturating_sub(thread.seen.0) < YOUNG
}

/// The interpreter's entry of a thread. A thread can have one in several interpreters: the one we
/// know is kept, else the main interpreter's is taken.
fn listed_of<'a>(listed: &'a [PythonThread], thread: &ThreadTrack) -> Option<&'a PythonThread> {
    let known = thread.python.as_ref().map(ThreadCursor::state);
    listed
        .iter()
        .filter(|listed| listed.tid == thread.inner_tid)
        .min_by_key(|listed| (Some(listed.state) != known, listed.interpreter))
}
