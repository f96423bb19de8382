//! The sampler's part in what programs say of themselves: it has the dictionary, and knows the
//! processes and threads.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use sondage_model::{
    Dictionary, MessageLevel, MonoTime, Pid, ProcessId, ProcessRow, TaskId, TaskRow, ThreadId,
    ThreadRow, Tid, Time,
};

use super::{Notice, Sampler};
use crate::clock;
use crate::life::ImageKey;
use crate::names::process_name;
use crate::process::ProcessTrack;
use crate::procfs;
use crate::program::{DrainShared, Known, ProgramBatch, ResolvedBatch, Resolver};
use crate::recorder::BareThread;

/// Rows that are kept when the writer does not keep up; the rest waits in the programs' memory.
const MOST_ROWS: usize = 1 << 20;
/// The newest threads that are looked through for one that the sampler saw end.
const MOST_LOOKS: usize = 4096;
/// How long the last rows are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ends of what connects the sampler with the thread that empties arenas.
pub struct Programs {
    /// Rows, and what is new in them.
    pub batches: Receiver<ProgramBatch>,
    /// What both share.
    pub shared: Arc<DrainShared>,
    /// Whether programs that are not recorded yet may call.
    pub is_listening: bool,
    resolver: Resolver,
}

impl Programs {
    /// From the ends.
    pub fn new(
        batches: Receiver<ProgramBatch>,
        shared: Arc<DrainShared>,
        is_listening: bool,
    ) -> Programs {
        Programs {
            batches,
            shared,
            is_listening,
            resolver: Resolver::default(),
        }
    }
}

impl Sampler {
    /// Whether it goes on although no process is left.
    pub(super) fn is_listening(&self) -> bool {
        self.programs
            .as_ref()
            .is_some_and(|programs| programs.is_listening)
    }

    /// Tells which processes are recorded: their memory is searched for arenas.
    pub(super) fn show_pids(&self) {
        if let Some(programs) = &self.programs {
            programs
                .shared
                .set_pids(self.processes.iter().map(|process| process.pid));
        }
    }

    /// Takes the rows that have come, as far as there is room.
    pub(super) fn take_programs(&mut self) {
        while self.recorder.batch.program_rows() < MOST_ROWS
            && let Some(batch) = self
                .programs
                .as_ref()
                .and_then(|programs| programs.batches.try_recv().ok())
        {
            self.take_program(batch);
        }
    }

    /// Lets the thread take what there is, and takes all of it.
    pub(super) fn finish_programs(&mut self) {
        let Some(programs) = &self.programs else {
            return;
        };
        programs.shared.stop();
        while let Some(programs) = &self.programs {
            match programs.batches.recv_timeout(PATIENCE) {
                Ok(batch) => self.take_program(batch),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let text = "the programs' last events did not come in time";
                    let now = clock::mono_now();
                    self.recorder
                        .message(now, MessageLevel::Warning, None, text.into());
                    return;
                }
            }
        }
    }

    fn take_program(&mut self, batch: ProgramBatch) {
        let ProgramBatch { defs, rows } = batch;
        let Some(programs) = &mut self.programs else {
            return;
        };
        let mut resolver = std::mem::take(&mut programs.resolver);
        let ids = resolver.resolve(defs, self);
        if let Some(programs) = &mut self.programs {
            programs.resolver = resolver;
        }
        for message in &rows.messages {
            // Nobody listens any more when the recording ends.
            let _ = self.notices.send(Notice {
                level: message.level,
                text: message.text.clone(),
                hint: None,
            });
        }
        self.recorder
            .batch
            .programs
            .push(ResolvedBatch { ids, rows });
    }

    /// A process that is being sampled: the one of this program where that is known.
    fn place(&self, pid: Pid, key: Option<&ImageKey>) -> Option<usize> {
        self.processes
            .iter()
            .position(|process| process.pid == pid && key.is_none_or(|key| *key == process.key))
    }
}

impl Known for Sampler {
    fn dictionary(&mut self) -> &mut Dictionary {
        &mut self.recorder.dictionary
    }

    fn process(&mut self, pid: Pid, key: Option<&ImageKey>, seen: MonoTime) -> ProcessId {
        if let Some(place) = self.place(pid, key) {
            return self.processes[place].id;
        }
        let now = clock::mono_now();
        let runs = key.is_some() && ImageKey::of(pid).as_ref() == key;
        if runs && let Some(old) = self.place(pid, None) {
            // It called `exec`, and its probes were faster than our looking.
            self.replace(old, now);
        } else if runs {
            let parent = procfs::stat(pid).and_then(|stat| self.place(stat.parent, None));
            let parent = parent.map(|place| self.processes[place].id);
            let process = ProcessTrack::open(pid, parent, now, &mut self.recorder);
            self.processes.extend(process);
        }
        if let Some(place) = self.place(pid, key) {
            return self.processes[place].id;
        }
        // It has ended.
        let time = self.recorder.time(seen);
        let rows = self.recorder.dictionary.processes().iter().enumerate();
        let was = |(_, row): &(usize, &ProcessRow)| row.pid == pid && row.end >= time;
        if let Some((at, _)) = rows.rev().find(was) {
            return ProcessId(at as u32);
        }
        let command = procfs::command_line(pid);
        let dictionary = &mut self.recorder.dictionary;
        let row = ProcessRow {
            pid,
            name: dictionary.string(&process_name(&command)),
            command: dictionary.string(&command.join(" ")),
            start: time,
            end: now.in_recording(self.recorder.start),
            ..ProcessRow::default()
        };
        dictionary.add_process(row)
    }

    fn thread(&mut self, process: ProcessId, tid: Tid, name: &str) -> ThreadId {
        let tracks = self.processes.iter().filter(|track| track.id == process);
        let mut threads = tracks.flat_map(|track| &track.threads);
        if let Some(thread) = threads.find(|thread| thread.inner_tid == tid) {
            return thread.id();
        }
        if let Some(bare) = self.recorder.bare_threads.get(&(process, tid)) {
            return bare.id;
        }
        let dictionary = &mut self.recorder.dictionary;
        let threads = dictionary.threads().iter().enumerate();
        let mut newest = threads.rev().take(MOST_LOOKS);
        let was = |row: &ThreadRow| row.process == process && row.tid == tid && tid != Tid(0);
        if let Some((at, _)) = newest.find(|(_, row)| was(row)) {
            return ThreadId(at as u32);
        }
        let about = dictionary.processes().get(process.index());
        let (pid, start, end) = about.map_or((Pid(0), Time::ZERO, Time::MAX), |row| {
            (row.pid, row.start, row.end)
        });
        let row = ThreadRow {
            process,
            tid,
            name: dictionary.string(name),
            is_main: tid.0 == pid.0,
            start,
            end,
        };
        let id = dictionary.add_thread(row);
        if end == Time::MAX && tid != Tid(0) {
            let bare = BareThread {
                id,
                is_named: false,
            };
            self.recorder.bare_threads.insert((process, tid), bare);
        }
        id
    }

    fn name_thread(&mut self, thread: ThreadId, name: &str) {
        let tracks = self.processes.iter_mut();
        let mut threads = tracks.flat_map(|track| &mut track.threads);
        if let Some(track) = threads.find(|track| track.id() == thread) {
            track.is_named = true;
            track.name = name.to_owned();
        }
        let bare = self.recorder.bare_threads.values_mut();
        for bare in bare.filter(|bare| bare.id == thread) {
            bare.is_named = true;
        }
        let dictionary = &mut self.recorder.dictionary;
        let name = dictionary.string(name);
        dictionary.update_thread(thread, |row| row.name = name);
    }

    fn task(&mut self, process: ProcessId, name: &str) -> TaskId {
        let dictionary = &mut self.recorder.dictionary;
        let mut tracks = self.processes.iter_mut();
        if let Some(track) = tracks.find(|track| track.id == process) {
            return track.task(name, dictionary);
        }
        // It has ended.
        let row = TaskRow {
            process,
            name: dictionary.string(name),
            ..TaskRow::default()
        };
        dictionary.add_task(row)
    }
}
