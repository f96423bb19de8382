//! What is known of programs so far: rows with numbers of our own, and what the numbers mean.
//!
//! The thread that empties arenas must not wait for the recording's dictionary, which is the
//! sampler's. So its rows carry numbers that it gives out itself, in the fields for ids; a [`Def`]
//! tells the meaning of each, in order. Whoever has the dictionary turns these into ids
//! ([`Resolver`]), and [`IdMap::apply`] puts them into the rows.

use sondage_model::{
    CounterId, CounterKind, CounterRow, CounterSeriesRow, Dictionary, FrameMarkRow, LockId,
    LockRow, LogRow, LossRow, MemoryRecording, MessageRow, MonoTime, Pid, ProcessId, SiteId,
    SiteRow, StringId, TaskId, TaskRow, ThreadId, Tid, WaitRow, ZoneColumns,
};

use crate::life::ImageKey;

/// The meaning of the next number of its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Def {
    /// A place where zones are made.
    Site(SiteRow<String, String>),
    /// Name of a frame.
    Text(String),
    /// A process.
    Process {
        /// Its number.
        pid: Pid,
        /// The program it runs, where that is known.
        key: Option<ImageKey>,
        /// When its events were first seen.
        seen: MonoTime,
    },
    /// A thread.
    Thread {
        /// Our number of its process.
        process: u32,
        /// The kernel's number, in the process's own namespace; 0 where unknown.
        tid: Tid,
        /// Its name; empty where the program gave it none.
        name: String,
    },
    /// A new name of a thread. Takes no number.
    ThreadName {
        /// Our number of the thread.
        thread: u32,
        /// Its name.
        name: String,
    },
    /// A new name of a process. Takes no number.
    ProcessName {
        /// Our number of the process.
        process: u32,
        /// Its name.
        name: String,
    },
    /// A lock, with our number of its process.
    Lock(LockRow<u32, String>),
    /// A task of `asyncio`. Numbers of tasks begin with 1: 0 is no task.
    Task {
        /// Our number of its process.
        process: u32,
        /// Its name.
        name: String,
    },
    /// A series of counter values, with our number of its process.
    Counter(CounterSeriesRow<u32, String>),
}

/// Gives out the numbers.
#[derive(Debug, Default)]
pub struct Tables {
    sites: u32,
    texts: u32,
    processes: u32,
    threads: u32,
    locks: u32,
    tasks: u32,
    counters: u32,
    new: Vec<Def>,
}

impl Tables {
    /// Takes a definition down and returns its number, which for a mere new name means nothing.
    pub fn add(&mut self, def: Def) -> u32 {
        let mut none = 0;
        let count = match &def {
            Def::Site(_) => &mut self.sites,
            Def::Text(_) => &mut self.texts,
            Def::Process { .. } => &mut self.processes,
            Def::Thread { .. } => &mut self.threads,
            Def::Lock(_) => &mut self.locks,
            Def::Task { .. } => {
                self.tasks += 1;
                none = self.tasks;
                &mut none
            }
            Def::Counter(_) => &mut self.counters,
            Def::ThreadName { .. } | Def::ProcessName { .. } => &mut none,
        };
        let number = *count;
        *count += 1;
        self.new.push(def);
        number
    }

    /// Takes a series of counter values down; `process` is our number of its process.
    pub fn counter(
        &mut self,
        process: u32,
        name: &str,
        unit: &str,
        kind: CounterKind,
    ) -> CounterId {
        CounterId(self.add(Def::Counter(CounterSeriesRow {
            process,
            name: name.into(),
            unit: unit.into(),
            kind,
        })))
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> Vec<Def> {
        std::mem::take(&mut self.new)
    }

    /// Whether anything was added since the last [`Tables::take`].
    #[must_use]
    pub fn has_new(&self) -> bool {
        !self.new.is_empty()
    }
}

/// Rows of what programs said. Their ids are numbers of [`Tables`], but for those of
/// [`Rows::messages`] and [`Rows::losses`], whose processes are numbers too.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rows {
    /// Zones; those of one lane in the order of their ends.
    pub zones: ZoneColumns,
    /// Frame marks, in order.
    pub frame_marks: Vec<FrameMarkRow>,
    /// Log lines, in order.
    pub logs: Vec<LogRow>,
    /// Waits for locks, in the order in which the locks were given back.
    pub waits: Vec<WaitRow>,
    /// Values of plots and of what we count.
    pub counters: Vec<CounterRow>,
    /// What was lost.
    pub losses: Vec<LossRow>,
    /// What the user should know.
    pub messages: Vec<MessageRow>,
}

impl Rows {
    /// Number of rows of all kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.zones.len()
            + self.frame_marks.len()
            + self.logs.len()
            + self.waits.len()
            + self.counters.len()
            + self.losses.len()
            + self.messages.len()
    }
}

/// Rows, and the meaning of the numbers that are new in them.
#[derive(Debug, Default)]
pub struct ProgramBatch {
    /// What is new.
    pub defs: Vec<Def>,
    /// The rows.
    pub rows: Rows,
}

/// Rows, and the ids of the numbers that are new in them.
#[derive(Debug, Default)]
pub struct ResolvedBatch {
    /// What is new.
    pub ids: IdMap,
    /// The rows.
    pub rows: Rows,
}

/// For each number its id in the recording.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdMap {
    sites: Vec<SiteId>,
    texts: Vec<StringId>,
    processes: Vec<ProcessId>,
    threads: Vec<ThreadId>,
    locks: Vec<LockId>,
    tasks: Vec<TaskId>,
    counters: Vec<CounterId>,
}

impl IdMap {
    /// Adds the ids of the numbers that follow.
    pub fn extend(&mut self, mut later: IdMap) {
        self.sites.append(&mut later.sites);
        self.texts.append(&mut later.texts);
        self.processes.append(&mut later.processes);
        self.threads.append(&mut later.threads);
        self.locks.append(&mut later.locks);
        self.tasks.append(&mut later.tasks);
        self.counters.append(&mut later.counters);
    }

    /// Puts ids in the place of numbers. Every number was given out before, so none is unknown.
    pub fn apply(&self, rows: &mut Rows) {
        fn put<T: Copy>(ids: &[T], id: &mut T, number: impl Fn(T) -> u32) {
            if let Some(known) = ids.get(number(*id) as usize) {
                *id = *known;
            }
        }
        let thread = |id: &mut ThreadId| put(&self.threads, id, |id| id.0);
        for id in &mut rows.zones.sites {
            put(&self.sites, id, |id| id.0);
        }
        rows.zones.threads.iter_mut().for_each(thread);
        let details = rows.zones.details.iter_mut().map(|detail| &mut detail.task);
        for id in details.filter(|id| **id != TaskId::NONE) {
            put(&self.tasks, id, |id| id.0 - 1);
        }
        for row in &mut rows.frame_marks {
            thread(&mut row.thread);
            put(&self.texts, &mut row.name, |id| id.0);
        }
        for row in &mut rows.logs {
            thread(&mut row.thread);
        }
        for row in &mut rows.waits {
            thread(&mut row.thread);
            put(&self.locks, &mut row.lock, |id| id.0);
            row.holder.iter_mut().for_each(thread);
        }
        for row in &mut rows.counters {
            put(&self.counters, &mut row.counter, |id| id.0);
        }
        let losses = rows.losses.iter_mut().map(|row| &mut row.process);
        let messages = rows.messages.iter_mut().map(|row| &mut row.process);
        for id in losses.chain(messages).flatten() {
            put(&self.processes, id, |id| id.0);
        }
    }
}

/// Knows which process and which thread of the recording is meant.
pub trait Known {
    /// The dictionary.
    fn dictionary(&mut self) -> &mut Dictionary;
    /// The process; it is added where it is new.
    fn process(&mut self, pid: Pid, key: Option<&ImageKey>, seen: MonoTime) -> ProcessId;
    /// The thread; it is added where it is new.
    fn thread(&mut self, process: ProcessId, tid: Tid, name: &str) -> ThreadId;
    /// The program names its thread.
    fn name_thread(&mut self, thread: ThreadId, name: &str);
    /// The task of this name; it is added where it is new.
    fn task(&mut self, process: ProcessId, name: &str) -> TaskId {
        let dictionary = self.dictionary();
        let row = TaskRow {
            process,
            name: dictionary.string(name),
            ..TaskRow::default()
        };
        dictionary.add_task(row)
    }
}

/// Turns definitions into ids.
#[derive(Debug, Default)]
pub struct Resolver {
    processes: Vec<ProcessId>,
    threads: Vec<ThreadId>,
}

impl Resolver {
    /// The ids of what is new, in order.
    pub fn resolve(&mut self, defs: Vec<Def>, known: &mut impl Known) -> IdMap {
        let mut ids = IdMap::default();
        for def in defs {
            self.add(def, known, &mut ids);
        }
        ids
    }

    /// The process of this number.
    fn process(&self, number: u32) -> ProcessId {
        self.processes[number as usize]
    }

    fn add(&mut self, def: Def, known: &mut impl Known, ids: &mut IdMap) {
        match def {
            Def::Site(site) => {
                let dictionary = known.dictionary();
                let row = SiteRow {
                    name: dictionary.string(&site.name),
                    function: dictionary.string(&site.function),
                    file: dictionary.file(&site.file),
                    line: site.line,
                    colour: site.colour,
                };
                ids.sites.push(dictionary.site(row));
            }
            Def::Text(text) => ids.texts.push(known.dictionary().string(&text)),
            Def::Process { pid, key, seen } => {
                let id = known.process(pid, key.as_ref(), seen);
                self.processes.push(id);
                ids.processes.push(id);
            }
            Def::Thread { process, tid, name } => {
                let id = known.thread(self.process(process), tid, &name);
                self.threads.push(id);
                ids.threads.push(id);
            }
            Def::ThreadName { thread, name } => {
                known.name_thread(self.threads[thread as usize], &name);
            }
            Def::ProcessName { process, name } => {
                let id = self.process(process);
                let name = known.dictionary().string(&name);
                known.dictionary().update_process(id, |row| row.name = name);
            }
            Def::Lock(lock) => {
                let process = self.process(lock.process);
                let dictionary = known.dictionary();
                let row = LockRow {
                    process,
                    name: dictionary.string(&lock.name),
                    place: dictionary.string(&lock.place),
                };
                ids.locks.push(dictionary.add_lock(row));
            }
            Def::Task { process, name } => {
                let process = self.process(process);
                ids.tasks.push(known.task(process, &name));
            }
            Def::Counter(series) => {
                let process = self.process(series.process);
                let dictionary = known.dictionary();
                let row = CounterSeriesRow {
                    process,
                    name: dictionary.string(&series.name),
                    unit: dictionary.string(&series.unit),
                    kind: series.kind,
                };
                ids.counters.push(dictionary.add_counter(row));
            }
        }
    }
}

/// Adds rows that have their ids to a recording in memory.
pub fn append(rows: Rows, recording: &mut MemoryRecording) {
    for row in rows.zones.rows() {
        let detail = rows.zones.detail(&row).cloned();
        recording.zones.push(row, detail);
    }
    recording.frame_marks.extend(rows.frame_marks);
    recording.logs.extend(rows.logs);
    recording.waits.extend(rows.waits);
    recording.counters.extend(rows.counters);
    recording.losses.extend(rows.losses);
    recording.messages.extend(rows.messages);
}
