//! The dictionary's rows to columns and back.

use std::borrow::Cow;

use sondage_model::schema::Table;
use sondage_model::{
    Bytes, CounterSeriesRow, Dictionary, FileId, FrameId, FunctionId, FunctionKind, FunctionRow,
    ModuleRow, Pid, ProcessId, ProcessRow, StackId, StringId, TaskId, TaskRow, ThreadId, ThreadRow,
    Tid, Time,
};

use crate::codec::{counter_kind, process_code, process_of};
use crate::error::ChunkError;
use crate::ipc::{Batch, BatchEncoder, Encoded};

/// A longer string is cut: a chunk must hold it.
const LONGEST_STRING: usize = 1 << 20;

/// `text` cut to `most` bytes at a character.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The rows `from..to` of a table that is stored by position.
pub(crate) fn encode_by_position(
    dictionary: &Dictionary,
    table: Table,
    from: usize,
    to: usize,
) -> Encoded {
    let mut batch = BatchEncoder::new(table, to - from);
    match table {
        Table::Strings => {
            let rows = &dictionary.strings.as_slice()[from..to];
            batch.utf8(rows.iter().map(|text| cut(text, LONGEST_STRING)));
        }
        Table::Files => batch.u32(dictionary.files()[from..to].iter().map(|path| path.0)),
        Table::Functions => {
            let rows = &dictionary.functions()[from..to];
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.qualified_name.0));
            batch.u32(rows.iter().map(|row| row.file.0));
            batch.u32(rows.iter().map(|row| row.first_line));
            batch.u8(rows.iter().map(|row| row.kind as u8));
        }
        Table::Frames => {
            let rows = &dictionary.frames()[from..to];
            batch.u32(rows.iter().map(|row| row.function.0));
            batch.u32(rows.iter().map(|row| row.line));
        }
        Table::Stacks => {
            let rows = &dictionary.stacks()[from..to];
            batch.u32(rows.iter().map(|row| row.parent.0));
            batch.u32(rows.iter().map(|row| row.frame.0));
        }
        Table::Modules => {
            let rows = &dictionary.modules()[from..to];
            batch.u32(rows.iter().map(|row| row.process.0));
            batch.u32(rows.iter().map(|row| row.path.0));
            batch.u32(rows.iter().map(|row| row.build_id.0));
            batch.u64(rows.iter().map(|row| row.start));
            batch.u64(rows.iter().map(|row| row.size.0));
        }
        Table::CounterSeries => {
            let rows = &dictionary.counter_series()[from..to];
            batch.u32(rows.iter().map(|row| row.process.0));
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.unit.0));
            batch.u8(rows.iter().map(|row| row.kind as u8));
        }
        other => unreachable!("{} is not stored by position", other.name()),
    }
    batch.finish()
}

pub(crate) fn encode_processes(dictionary: &Dictionary, ids: &[ProcessId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.processes()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Processes, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.i32(rows().map(|row| row.pid.0));
    batch.u32(rows().map(|row| process_code(row.parent)));
    batch.u32(rows().map(|row| row.name.0));
    batch.u32(rows().map(|row| row.command.0));
    batch.u32(rows().map(|row| row.runtime.0));
    batch.u64(rows().map(|row| row.start.0));
    batch.u64(rows().map(|row| row.end.0));
    batch.finish()
}

pub(crate) fn encode_threads(dictionary: &Dictionary, ids: &[ThreadId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.threads()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Threads, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.u32(rows().map(|row| row.process.0));
    batch.i32(rows().map(|row| row.tid.0));
    batch.u32(rows().map(|row| row.name.0));
    batch.u8(rows().map(|row| u8::from(row.is_main)));
    batch.u64(rows().map(|row| row.start.0));
    batch.u64(rows().map(|row| row.end.0));
    batch.finish()
}

pub(crate) fn encode_tasks(dictionary: &Dictionary, ids: &[TaskId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.tasks()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Tasks, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.u32(rows().map(|row| row.process.0));
    batch.u32(rows().map(|row| row.name.0));
    batch.u32(rows().map(|row| row.coroutine.0));
    batch.u32(rows().map(|row| row.parent.0));
    batch.finish()
}

/// Builds a [`Dictionary`] from stored rows. Whatever it is fed, every reference between rows of
/// the result is valid.
#[derive(Debug, Default)]
pub(crate) struct DictionaryLoader {
    dictionary: Dictionary,
    /// Rows that were not in the file although later ones were, and had to be made up.
    pub made_up: u64,
    lost: Option<(FunctionId, ProcessId, ThreadId)>,
}

/// The most rows that are made up to fill holes.
const MOST_MADE_UP: u64 = 1 << 18;

fn content<T>(why: impl Into<String>) -> Result<T, ChunkError> {
    Err(ChunkError::Content(why.into()))
}

impl DictionaryLoader {
    /// The dictionary. Cross references between processes, threads and tasks that lead nowhere
    /// are cut.
    pub fn finish(mut self) -> Dictionary {
        let dictionary = &mut self.dictionary;
        let processes = dictionary.processes().len() as u32;
        let tasks = dictionary.tasks().len() as u32;
        for index in 0..processes {
            let id = ProcessId(index);
            // A parent is an earlier process; this also rules out circles.
            dictionary.update_process(id, |row| row.parent = row.parent.filter(|p| *p < id));
        }
        for index in 1..tasks {
            dictionary.update_task(TaskId(index), |row| {
                if row.parent.0 >= tasks {
                    row.parent = TaskId::NONE;
                }
            });
        }
        dictionary.take_changed_processes();
        dictionary.take_changed_threads();
        dictionary.take_changed_tasks();
        self.dictionary
    }

    /// How many processes there are so far.
    pub fn processes(&self) -> usize {
        self.dictionary.processes().len()
    }

    /// The ids that stand for what was lost: a stack, a thread. Made on first use.
    pub fn lost(&mut self) -> (StackId, ThreadId) {
        let (function, _, thread) = self.lost_rows();
        let frame = self.dictionary.frame(function, 0);
        (self.dictionary.stack(StackId::EMPTY, frame), thread)
    }

    fn lost_rows(&mut self) -> (FunctionId, ProcessId, ThreadId) {
        if let Some(lost) = self.lost {
            return lost;
        }
        let dictionary = &mut self.dictionary;
        let name = dictionary.string("<lost>");
        let function = dictionary.function("<lost>", "<lost>", "", 0, FunctionKind::Meta);
        let process = dictionary.add_process(ProcessRow {
            name,
            end: Time::MAX,
            ..ProcessRow::default()
        });
        let thread = dictionary.add_thread(ThreadRow {
            process,
            name,
            end: Time::MAX,
            ..ThreadRow::default()
        });
        *self.lost.insert((function, process, thread))
    }

    /// Adds the rows of a chunk of one of the dictionary's tables; `first` is the id of its first
    /// row where rows are stored by position.
    pub fn add(&mut self, table: Table, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        match table {
            Table::Strings => self.strings(first, batch),
            Table::Files => self.files(first, batch),
            Table::Functions => self.functions(first, batch),
            Table::Frames => self.frames(first, batch),
            Table::Stacks => self.stacks(first, batch),
            Table::Modules => self.modules(first, batch),
            Table::CounterSeries => self.counter_series(first, batch),
            Table::Processes => self.add_processes(batch),
            Table::Threads => self.threads(batch),
            Table::Tasks => self.tasks(batch),
            other => content(format!("{} are not of the dictionary", other.name())),
        }
    }

    /// How many rows to leave out because they are there already (a chunk that was written
    /// twice), and how many are missing before `first`.
    fn place(&mut self, first: u64, length: usize) -> Result<(usize, usize), ChunkError> {
        let length = length as u64;
        if first <= length {
            return Ok(((length - first) as usize, 0));
        }
        let missing = first - length;
        self.make_up(missing)?;
        Ok((0, missing as usize))
    }

    fn make_up(&mut self, rows: u64) -> Result<(), ChunkError> {
        self.made_up = self.made_up.saturating_add(rows);
        if self.made_up > MOST_MADE_UP {
            return content(format!("{} rows before it are missing", self.made_up));
        }
        Ok(())
    }

    fn push_string(&mut self, text: &str) {
        let strings = &mut self.dictionary.strings;
        if strings.find(text).is_none() {
            strings.intern(text);
            return;
        }
        // Strings are unique; one that is there twice was cut or made up. Its id must not be
        // that of the other.
        let mut number = strings.as_slice().len();
        loop {
            let unique = format!("{text} (string {number})");
            if strings.find(&unique).is_none() {
                strings.intern(&unique);
                return;
            }
            number += 1;
        }
    }

    fn strings(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.strings.as_slice().len())?;
        for _ in 0..missing {
            self.push_string("<lost>");
        }
        for text in batch.utf8("text")?.skip(skip) {
            self.push_string(&text);
        }
        Ok(())
    }

    fn string(&self, id: u32) -> Result<StringId, ChunkError> {
        if (id as usize) < self.dictionary.strings.as_slice().len() {
            return Ok(StringId(id));
        }
        content(format!("string {id} is not there"))
    }

    fn files(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.files().len())?;
        for _ in 0..missing {
            let id = self.dictionary.files().len();
            self.dictionary.file(&format!("<lost file {id}>"));
        }
        for path in batch.u32("path")?.skip(skip) {
            let path = self.string(path)?;
            let expected = self.dictionary.files().len();
            let text: Cow<'_, str> = Cow::Owned(self.dictionary.text(path).to_owned());
            if self.dictionary.file(&text) != FileId(expected as u32) {
                return content(format!("file {expected} is there twice"));
            }
        }
        Ok(())
    }

    fn functions(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.functions().len())?;
        for _ in 0..missing {
            let id = self.dictionary.functions().len();
            let name = format!("<lost function {id}>");
            self.dictionary
                .function(&name, &name, "", 0, FunctionKind::Meta);
        }
        let names = batch.u32("name")?.zip(batch.u32("qualified_name")?);
        let places = batch.u32("file")?.zip(batch.u32("first_line")?);
        let rows = names.zip(places).zip(batch.u8("kind")?);
        for (((name, qualified_name), (file, first_line)), kind) in rows.skip(skip) {
            if file as usize >= self.dictionary.files().len() {
                return content(format!("file {file} is not there"));
            }
            let row = FunctionRow {
                name: self.string(name)?,
                qualified_name: self.string(qualified_name)?,
                file: FileId(file),
                first_line,
                kind: FunctionKind::from_code(kind),
            };
            let expected = self.dictionary.functions().len();
            if self.dictionary.function_row(row) != FunctionId(expected as u32) {
                return content(format!("function {expected} is there twice"));
            }
        }
        Ok(())
    }

    fn frames(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.frames().len())?;
        for _ in 0..missing {
            let (function, ..) = self.lost_rows();
            let id = self.dictionary.frames().len() as u32;
            self.dictionary.frame(function, id + 1);
        }
        for (function, line) in batch.u32("function")?.zip(batch.u32("line")?).skip(skip) {
            if function as usize >= self.dictionary.functions().len() {
                return content(format!("function {function} is not there"));
            }
            let expected = self.dictionary.frames().len();
            if self.dictionary.frame(FunctionId(function), line) != FrameId(expected as u32) {
                return content(format!("frame {expected} is there twice"));
            }
        }
        Ok(())
    }

    fn stacks(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.stacks().len())?;
        for _ in 0..missing {
            // A chain of its own keeps each made-up node apart from the others.
            let (function, ..) = self.lost_rows();
            let frame = self.dictionary.frame(function, 0);
            let id = self.dictionary.stacks().len() as u32;
            self.dictionary.stack(StackId(id - 1), frame);
        }
        for (parent, frame) in batch.u32("parent")?.zip(batch.u32("frame")?).skip(skip) {
            let expected = self.dictionary.stacks().len();
            if parent as usize >= expected {
                return content(format!("stack {expected} comes before its parent {parent}"));
            }
            if frame as usize >= self.dictionary.frames().len() {
                return content(format!("frame {frame} is not there"));
            }
            let id = self.dictionary.stack(StackId(parent), FrameId(frame));
            if id != StackId(expected as u32) {
                return content(format!("stack {expected} is there twice"));
            }
        }
        Ok(())
    }

    fn process(&self, id: u32) -> Result<ProcessId, ChunkError> {
        if (id as usize) < self.dictionary.processes().len() {
            return Ok(ProcessId(id));
        }
        content(format!("process {id} is not there"))
    }

    fn modules(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.modules().len())?;
        for _ in 0..missing {
            let (_, process, _) = self.lost_rows();
            self.dictionary.add_module(ModuleRow {
                process,
                ..ModuleRow::default()
            });
        }
        let ids = batch.u32("process")?.zip(batch.u32("path")?);
        let ranges = batch.u64("start")?.zip(batch.u64("size")?);
        let rows = ids.zip(batch.u32("build_id")?).zip(ranges);
        for (((process, path), build_id), (start, size)) in rows.skip(skip) {
            let row = ModuleRow {
                process: self.process(process)?,
                path: self.string(path)?,
                build_id: self.string(build_id)?,
                start,
                size: Bytes(size),
            };
            self.dictionary.add_module(row);
        }
        Ok(())
    }

    fn counter_series(&mut self, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let (skip, missing) = self.place(first, self.dictionary.counter_series().len())?;
        for _ in 0..missing {
            let (_, process, _) = self.lost_rows();
            self.dictionary.add_counter(CounterSeriesRow {
                process,
                ..CounterSeriesRow::default()
            });
        }
        let ids = batch.u32("process")?.zip(batch.u32("name")?);
        let rows = ids.zip(batch.u32("unit")?).zip(batch.u8("kind")?);
        for (((process, name), unit), kind) in rows.skip(skip) {
            let row = CounterSeriesRow {
                process: self.process(process)?,
                name: self.string(name)?,
                unit: self.string(unit)?,
                kind: counter_kind(kind),
            };
            self.dictionary.add_counter(row);
        }
        Ok(())
    }

    fn add_processes(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let numbers = batch.u32("id")?.zip(batch.i32("pid")?);
        let names = batch.u32("name")?.zip(batch.u32("command")?);
        let times = batch.u64("start")?.zip(batch.u64("end")?);
        let more = batch.u32("parent")?.zip(batch.u32("runtime")?);
        for ((((id, pid), (name, command)), (start, end)), (parent, runtime)) in
            numbers.zip(names).zip(times).zip(more)
        {
            let row = ProcessRow {
                pid: Pid(pid),
                parent: process_of(parent),
                name: self.string(name)?,
                command: self.string(command)?,
                runtime: self.string(runtime)?,
                start: Time(start),
                end: Time(end),
            };
            let known = self.dictionary.processes().len();
            for _ in known..(id as usize).min(known + MOST_MADE_UP as usize) {
                self.make_up(1)?;
                self.dictionary.add_process(ProcessRow::default());
            }
            if (id as usize) < self.dictionary.processes().len() {
                self.dictionary
                    .update_process(ProcessId(id), |old| *old = row);
            } else {
                self.dictionary.add_process(row);
            }
        }
        Ok(())
    }

    fn threads(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let numbers = batch.u32("id")?.zip(batch.i32("tid")?);
        let names = batch.u32("process")?.zip(batch.u32("name")?);
        let times = batch.u64("start")?.zip(batch.u64("end")?);
        for ((((id, tid), (process, name)), (start, end)), is_main) in
            numbers.zip(names).zip(times).zip(batch.u8("is_main")?)
        {
            let row = ThreadRow {
                process: self.process(process)?,
                tid: Tid(tid),
                name: self.string(name)?,
                is_main: is_main != 0,
                start: Time(start),
                end: Time(end),
            };
            let known = self.dictionary.threads().len();
            for _ in known..(id as usize).min(known + MOST_MADE_UP as usize) {
                self.make_up(1)?;
                self.dictionary.add_thread(ThreadRow {
                    process: row.process,
                    ..ThreadRow::default()
                });
            }
            if (id as usize) < self.dictionary.threads().len() {
                self.dictionary
                    .update_thread(ThreadId(id), |old| *old = row);
            } else {
                self.dictionary.add_thread(row);
            }
        }
        Ok(())
    }

    fn tasks(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let numbers = batch.u32("id")?.zip(batch.u32("process")?);
        let names = batch.u32("name")?.zip(batch.u32("coroutine")?);
        for (((id, process), (name, coroutine)), parent) in
            numbers.zip(names).zip(batch.u32("parent")?)
        {
            let row = TaskRow {
                process: self.process(process)?,
                name: self.string(name)?,
                coroutine: self.string(coroutine)?,
                parent: TaskId(parent),
            };
            let known = self.dictionary.tasks().len();
            for _ in known..(id as usize).min(known + MOST_MADE_UP as usize) {
                self.make_up(1)?;
                self.dictionary.add_task(TaskRow {
                    process: row.process,
                    ..TaskRow::default()
                });
            }
            if (id as usize) < self.dictionary.tasks().len() {
                self.dictionary.update_task(TaskId(id), |old| *old = row);
            } else {
                self.dictionary.add_task(row);
            }
        }
        Ok(())
    }
}
