//! What the sampler hands to the writer: samples, and the part of the dictionary that is new.

use sondage_model::{
    ClockRow, CounterRow, CounterSeriesRow, Dictionary, FrameRow, FunctionRow, LockRow, LossRow,
    Mark, MessageRow, ProcessId, ProcessRow, SampleColumns, SiteRow, StackRow, StringId, TaskId,
    TaskRow, ThreadId, ThreadRow, Time,
};

use crate::program::ResolvedBatch;
use crate::source_text::Folders;
use crate::stacks::NewFile;

/// Rows collected since the batch before.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is new in the dictionary; samples of this batch may refer to it.
    pub delta: Delta,
    /// Source files seen for the first time.
    pub new_files: Vec<NewFile>,
    /// The folders of processes seen for the first time.
    pub folders: Vec<(ProcessId, Folders)>,
    /// The samples.
    pub samples: SampleColumns,
    /// Counter values.
    pub counters: Vec<CounterRow>,
    /// Messages.
    pub messages: Vec<MessageRow>,
    /// Losses.
    pub losses: Vec<LossRow>,
    /// The profiler's own cost.
    pub clock: Vec<ClockRow>,
    /// What programs said of themselves.
    pub programs: Vec<ResolvedBatch>,
    /// Up to when rows were collected.
    pub end: Time,
}

impl Batch {
    /// Number of rows of what programs said.
    #[must_use]
    pub fn program_rows(&self) -> usize {
        self.programs.iter().map(|batch| batch.rows.len()).sum()
    }

    /// Removes all rows, keeping the memory.
    pub fn clear(&mut self) {
        self.delta = Delta::default();
        self.new_files.clear();
        self.folders.clear();
        self.samples.clear();
        self.counters.clear();
        self.messages.clear();
        self.losses.clear();
        self.clock.clear();
        self.programs.clear();
    }
}

/// The rows a [`Dictionary`] got since some moment.
///
/// Ids are given out in order, so a second dictionary to which all deltas are applied, and nothing
/// else is added, gives the same ids.
#[derive(Debug, Default)]
pub struct Delta {
    strings: Vec<Box<str>>,
    files: Vec<StringId>,
    functions: Vec<FunctionRow>,
    frames: Vec<FrameRow>,
    stacks: Vec<StackRow>,
    counter_series: Vec<CounterSeriesRow>,
    sites: Vec<SiteRow>,
    locks: Vec<LockRow>,
    processes: Vec<(ProcessId, ProcessRow)>,
    threads: Vec<(ThreadId, ThreadRow)>,
    tasks: Vec<(TaskId, TaskRow)>,
}

impl Delta {
    /// What `dictionary` got since `mark`, which is moved to now.
    pub fn take(dictionary: &mut Dictionary, mark: &mut Mark) -> Delta {
        let processes = dictionary.take_changed_processes();
        let threads = dictionary.take_changed_threads();
        let tasks = dictionary.take_changed_tasks();
        let rows = |id: &ProcessId| (*id, dictionary.processes()[id.index()].clone());
        let delta = Delta {
            strings: dictionary.strings.as_slice()[mark.strings..].to_vec(),
            files: dictionary.files()[mark.files..].to_vec(),
            functions: dictionary.functions()[mark.functions..].to_vec(),
            frames: dictionary.frames()[mark.frames..].to_vec(),
            stacks: dictionary.stacks()[mark.stacks..].to_vec(),
            counter_series: dictionary.counter_series()[mark.counter_series..].to_vec(),
            sites: dictionary.sites()[mark.sites..].to_vec(),
            locks: dictionary.locks()[mark.locks..].to_vec(),
            processes: processes.iter().map(rows).collect(),
            threads: threads
                .iter()
                .map(|id| (*id, dictionary.threads()[id.index()].clone()))
                .collect(),
            tasks: tasks
                .iter()
                .map(|id| (*id, dictionary.tasks()[id.index()].clone()))
                .collect(),
        };
        *mark = dictionary.mark();
        delta
    }

    /// Adds the rows to another dictionary.
    pub fn apply(&self, dictionary: &mut Dictionary) {
        for text in &self.strings {
            dictionary.string(text);
        }
        for &path in &self.files {
            let path = dictionary.text(path).to_owned();
            dictionary.file(&path);
        }
        for &row in &self.functions {
            dictionary.function_row(row);
        }
        for row in &self.frames {
            dictionary.frame(row.function, row.line);
        }
        for row in &self.stacks {
            dictionary.stack(row.parent, row.frame);
        }
        for row in &self.counter_series {
            dictionary.add_counter(row.clone());
        }
        for &row in &self.sites {
            dictionary.site(row);
        }
        for &row in &self.locks {
            dictionary.add_lock(row);
        }
        for (id, row) in &self.processes {
            if id.index() < dictionary.processes().len() {
                dictionary.update_process(*id, |old| *old = row.clone());
            } else {
                dictionary.add_process(row.clone());
            }
        }
        for (id, row) in &self.threads {
            if id.index() < dictionary.threads().len() {
                dictionary.update_thread(*id, |old| *old = row.clone());
            } else {
                dictionary.add_thread(row.clone());
            }
        }
        for (id, row) in &self.tasks {
            if id.index() < dictionary.tasks().len() {
                dictionary.update_task(*id, |old| *old = row.clone());
            } else {
                dictionary.add_task(row.clone());
            }
        }
    }
}

/// The mark of a dictionary in which nothing but its fixed rows is.
#[must_use]
pub fn empty_mark() -> Mark {
    Dictionary::default().mark()
}

#[cfg(test)]
mod tests {
    use sondage_model::{FunctionKind, StackId};

    use super::*;

    #[test]
    fn a_second_dictionary_gets_the_same_ids() {
        let mut ours = Dictionary::default();
        let mut theirs = Dictionary::default();
        let mut mark = empty_mark();
        let mut stack = StackId::EMPTY;
        let process = ours.add_process(ProcessRow::default());
        for round in 0..5u32 {
            for line in 1..4 {
                let name = format!("f{round}");
                let f = ours.function(&name, &name, "a.py", round, FunctionKind::Python);
                let frame = ours.frame(f, line);
                stack = ours.stack(stack, frame);
            }
            ours.update_process(process, |row| row.start = Time(u64::from(round)));
            ours.add_thread(ThreadRow::default());
            ours.add_task(TaskRow::default());
            ours.site(SiteRow {
                line: round,
                ..SiteRow::default()
            });
            ours.add_lock(LockRow::default());
            Delta::take(&mut ours, &mut mark).apply(&mut theirs);
        }
        assert_eq!(ours.strings.as_slice(), theirs.strings.as_slice());
        assert_eq!(ours.functions(), theirs.functions());
        assert_eq!(ours.path(stack), theirs.path(stack));
        assert_eq!(ours.processes(), theirs.processes());
        assert_eq!(ours.threads(), theirs.threads());
        assert_eq!(ours.tasks(), theirs.tasks());
        assert_eq!(ours.sites(), theirs.sites());
        assert_eq!(ours.locks(), theirs.locks());
        assert_eq!(ours.mark(), theirs.mark());
        assert_eq!(ours.depth(stack), 15);
    }
}
