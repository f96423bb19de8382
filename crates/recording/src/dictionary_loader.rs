//! Stored rows back to a [`Dictionary`].
//!
//! Rows are collected by id first and put together at the end, because ids are positions: what
//! stands for a lost row must come after all rows that are there.

use sondage_model::schema::Table;
use sondage_model::{
    Bytes, CounterSeriesRow, Dictionary, FileId, FrameId, FrameRow, FunctionId, FunctionKind,
    FunctionRow, LockRow, ModuleRow, Pid, ProcessId, ProcessRow, SiteRow, StackId, StackRow,
    StringId, TaskId, TaskRow, ThreadId, ThreadRow, Tid, Time,
};

use crate::codec::{counter_kind, process_of};
use crate::error::ChunkError;
use crate::ipc::Batch;
use crate::rows_by_id::Rows;

/// What a lost thing is called.
const LOST: &str = "<lost>";

/// Collects stored rows, then builds a [`Dictionary`] in which every reference is valid.
#[derive(Debug, Default)]
pub(crate) struct DictionaryLoader {
    strings: Rows<Box<str>>,
    files: Rows<u32>,
    functions: Rows<FunctionRow>,
    frames: Rows<FrameRow>,
    stacks: Rows<StackRow>,
    processes: Rows<ProcessRow>,
    threads: Rows<ThreadRow>,
    tasks: Rows<TaskRow>,
    modules: Rows<ModuleRow>,
    counter_series: Rows<CounterSeriesRow>,
    sites: Rows<SiteRow>,
    locks: Rows<LockRow>,
    /// Rows that are not in the file although later ones are.
    pub missing: u64,
}

/// A dictionary, and what stands in it for stacks and threads whose rows were lost; `None` where
/// nothing was.
pub(crate) struct Loaded {
    pub dictionary: Dictionary,
    pub lost: Option<(StackId, ThreadId)>,
}

impl DictionaryLoader {
    pub fn new() -> DictionaryLoader {
        DictionaryLoader {
            strings: Rows::from_one(),
            stacks: Rows::from_one(),
            tasks: Rows::from_one(),
            ..DictionaryLoader::default()
        }
    }

    /// Adds the rows of a chunk of one of the dictionary's tables; `first` is the id of its first
    /// row where rows are stored by position.
    pub fn add(&mut self, table: Table, first: u64, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let missing = &mut self.missing;
        match table {
            Table::Strings => {
                let rows = batch.utf8("text")?.map(|text| text.as_ref().into());
                self.strings.put_all(first, rows, missing)
            }
            Table::Files => self.files.put_all(first, batch.u32("path")?, missing),
            Table::Functions => {
                let names = batch.u32("name")?.zip(batch.u32("qualified_name")?);
                let places = batch.u32("file")?.zip(batch.u32("first_line")?);
                let rows = names.zip(places).zip(batch.u8("kind")?).map(
                    |(((name, qualified_name), (file, first_line)), kind)| FunctionRow {
                        name: StringId(name),
                        qualified_name: StringId(qualified_name),
                        file: FileId(file),
                        first_line,
                        kind: FunctionKind::from_code(kind),
                    },
                );
                self.functions.put_all(first, rows, missing)
            }
            Table::Frames => {
                let rows =
                    batch
                        .u32("function")?
                        .zip(batch.u32("line")?)
                        .map(|(function, line)| FrameRow {
                            function: FunctionId(function),
                            line,
                        });
                self.frames.put_all(first, rows, missing)
            }
            Table::Stacks => {
                let rows = batch
                    .u32("parent")?
                    .zip(batch.u32("frame")?)
                    .map(|(parent, frame)| StackRow {
                        parent: StackId(parent),
                        frame: FrameId(frame),
                    });
                self.stacks.put_all(first, rows, missing)
            }
            Table::Modules => {
                let ids = batch.u32("process")?.zip(batch.u32("path")?);
                let ranges = batch.u64("start")?.zip(batch.u64("size")?);
                let rows = ids.zip(batch.u32("build_id")?).zip(ranges).map(
                    |(((process, path), build_id), (start, size))| ModuleRow {
                        process: ProcessId(process),
                        path: StringId(path),
                        build_id: StringId(build_id),
                        start,
                        size: Bytes(size),
                    },
                );
                self.modules.put_all(first, rows, missing)
            }
            Table::CounterSeries => {
                let ids = batch.u32("process")?.zip(batch.u32("name")?);
                let rows = ids.zip(batch.u32("unit")?).zip(batch.u8("kind")?).map(
                    |(((process, name), unit), kind)| CounterSeriesRow {
                        process: ProcessId(process),
                        name: StringId(name),
                        unit: StringId(unit),
                        kind: counter_kind(kind),
                    },
                );
                self.counter_series.put_all(first, rows, missing)
            }
            Table::Sites => {
                let names = batch.u32("name")?.zip(batch.u32("function")?);
                let places = batch.u32("file")?.zip(batch.u32("line")?);
                let rows = names.zip(places).zip(batch.u32("colour")?).map(
                    |(((name, function), (file, line)), colour)| SiteRow {
                        name: StringId(name),
                        function: StringId(function),
                        file: FileId(file),
                        line,
                        colour,
                    },
                );
                self.sites.put_all(first, rows, missing)
            }
            Table::Locks => {
                let names = batch.u32("name")?.zip(batch.u32("place")?);
                let rows = batch
                    .u32("process")?
                    .zip(names)
                    .map(|(process, (name, place))| LockRow {
                        process: ProcessId(process),
                        name: StringId(name),
                        place: StringId(place),
                    });
                self.locks.put_all(first, rows, missing)
            }
            Table::Processes => self.add_processes(batch),
            Table::Threads => self.add_threads(batch),
            Table::Tasks => self.add_tasks(batch),
            other => Err(ChunkError::Content(format!(
                "{} are not of the dictionary",
                other.name()
            ))),
        }
    }

    fn add_processes(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let numbers = batch.i32("pid")?.zip(batch.u32("parent")?);
        let names = batch.u32("name")?.zip(batch.u32("command")?);
        let times = batch.u64("start")?.zip(batch.u64("end")?);
        let rows = numbers.zip(names).zip(times).zip(batch.u32("runtime")?);
        for (id, row) in batch.u32("id")?.zip(rows) {
            let ((((pid, parent), (name, command)), (start, end)), runtime) = row;
            let row = ProcessRow {
                pid: Pid(pid),
                parent: process_of(parent),
                name: StringId(name),
                command: StringId(command),
                runtime: StringId(runtime),
                start: Time(start),
                end: Time(end),
            };
            self.processes.put(u64::from(id), row, &mut self.missing)?;
        }
        Ok(())
    }

    fn add_threads(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let numbers = batch.i32("tid")?.zip(batch.u32("process")?);
        let names = batch.u32("name")?.zip(batch.u8("is_main")?);
        let times = batch.u64("start")?.zip(batch.u64("end")?);
        for (id, row) in batch.u32("id")?.zip(numbers.zip(names).zip(times)) {
            let (((tid, process), (name, is_main)), (start, end)) = row;
            let row = ThreadRow {
                process: ProcessId(process),
                tid: Tid(tid),
                name: StringId(name),
                is_main: is_main != 0,
                start: Time(start),
                end: Time(end),
            };
            self.threads.put(u64::from(id), row, &mut self.missing)?;
        }
        Ok(())
    }

    fn add_tasks(&mut self, batch: &Batch<'_>) -> Result<(), ChunkError> {
        let names = batch.u32("name")?.zip(batch.u32("coroutine")?);
        let rows = batch.u32("process")?.zip(names).zip(batch.u32("parent")?);
        for (id, ((process, (name, coroutine)), parent)) in batch.u32("id")?.zip(rows) {
            let row = TaskRow {
                process: ProcessId(process),
                name: StringId(name),
                coroutine: StringId(coroutine),
                parent: TaskId(parent),
            };
            self.tasks.put(u64::from(id), row, &mut self.missing)?;
        }
        Ok(())
    }

    /// Puts the dictionary together. Where rows are known to be `lossy`, what leads nowhere is led
    /// to things called `<lost>`; otherwise it is an error.
    pub fn finish(self, lossy: bool) -> Result<Loaded, (Table, ChunkError)> {
        let mut builder = Builder {
            dictionary: Dictionary::default(),
            lossy: lossy || self.missing > 0,
        };
        builder.strings(self.strings);
        builder.files(self.files).map_err(|e| (Table::Files, e))?;
        builder
            .functions(self.functions)
            .map_err(|e| (Table::Functions, e))?;
        builder
            .frames(self.frames)
            .map_err(|e| (Table::Frames, e))?;
        builder
            .stacks(self.stacks)
            .map_err(|e| (Table::Stacks, e))?;
        builder
            .processes(self.processes)
            .map_err(|e| (Table::Processes, e))?;
        builder
            .threads(self.threads)
            .map_err(|e| (Table::Threads, e))?;
        builder.tasks(self.tasks).map_err(|e| (Table::Tasks, e))?;
        builder
            .modules(self.modules)
            .map_err(|e| (Table::Modules, e))?;
        builder
            .counter_series(self.counter_series)
            .map_err(|e| (Table::CounterSeries, e))?;
        builder.sites(self.sites).map_err(|e| (Table::Sites, e))?;
        builder.locks(self.locks).map_err(|e| (Table::Locks, e))?;
        let lost = builder.lossy.then(|| builder.lost());
        let mut dictionary = builder.dictionary;
        dictionary.take_changed_processes();
        dictionary.take_changed_threads();
        dictionary.take_changed_tasks();
        Ok(Loaded { dictionary, lost })
    }
}

/// Puts rows together, table after table.
struct Builder {
    dictionary: Dictionary,
    lossy: bool,
}

impl Builder {
    /// The answer to something that cannot be: nothing where rows were lost, an error elsewhere.
    fn wrong<T>(&self, what: impl FnOnce() -> String) -> Result<Option<T>, ChunkError> {
        if self.lossy {
            Ok(None)
        } else {
            Err(ChunkError::Content(what()))
        }
    }

    fn strings(&mut self, rows: Rows<Box<str>>) {
        // String 0 is the empty one and not stored.
        for (id, text) in rows.0.into_iter().enumerate().skip(1) {
            let text = text.as_deref().unwrap_or(LOST);
            let strings = &mut self.dictionary.strings;
            if strings.find(text).is_none() {
                strings.intern(text);
                continue;
            }
            // Strings are unique; one that is there twice was cut or lost. Its id must not be
            // that of the other.
            let mut unique = format!("{text} (string {id})");
            while strings.find(&unique).is_some() {
                unique.push('\'');
            }
            strings.intern(&unique);
        }
    }

    fn string(&mut self, id: StringId) -> Result<StringId, ChunkError> {
        if id.index() < self.dictionary.strings.as_slice().len() {
            return Ok(id);
        }
        self.wrong(|| format!("string {} is not there", id.0))
            .map(|found| found.unwrap_or_else(|| self.dictionary.string(LOST)))
    }

    fn files(&mut self, rows: Rows<u32>) -> Result<(), ChunkError> {
        for (id, path) in rows.0.into_iter().enumerate() {
            let mut path = match path {
                Some(path) => {
                    let path = self.string(StringId(path))?;
                    self.dictionary.text(path).to_owned()
                }
                None => format!("<lost file {id}>"),
            };
            while self.dictionary.file(&path).index() != id {
                self.wrong::<()>(|| format!("file {id} is there twice"))?;
                path.push('\'');
            }
        }
        Ok(())
    }

    fn lost_function(&mut self, name: &str) -> FunctionId {
        self.dictionary
            .function(name, name, "", 0, FunctionKind::Meta)
    }

    fn functions(&mut self, rows: Rows<FunctionRow>) -> Result<(), ChunkError> {
        for (id, row) in rows.0.into_iter().enumerate() {
            if let Some(mut row) = row {
                row.name = self.string(row.name)?;
                row.qualified_name = self.string(row.qualified_name)?;
                if row.file.index() >= self.dictionary.files().len() {
                    self.wrong::<()>(|| format!("file {} is not there", row.file.0))?;
                    row.file = self.dictionary.file("");
                }
                if self.dictionary.function_row(row).index() == id {
                    continue;
                }
                self.wrong::<()>(|| format!("function {id} is there twice"))?;
            }
            let mut name = format!("<lost function {id}>");
            while self.lost_function(&name).index() != id {
                name.push('\'');
            }
        }
        Ok(())
    }

    fn frames(&mut self, rows: Rows<FrameRow>) -> Result<(), ChunkError> {
        for (id, row) in rows.0.into_iter().enumerate() {
            if let Some(row) = row {
                if row.function.index() < self.dictionary.functions().len() {
                    if self.dictionary.frame(row.function, row.line).index() == id {
                        continue;
                    }
                    self.wrong::<()>(|| format!("frame {id} is there twice"))?;
                } else {
                    self.wrong::<()>(|| format!("function {} is not there", row.function.0))?;
                }
            }
            // A function of its own, so that the frame is new.
            let function = self.lost_function(&format!("<lost frame {id}>"));
            let mut line = 0;
            while self.dictionary.frame(function, line).index() != id {
                line += 1;
            }
        }
        Ok(())
    }

    fn stacks(&mut self, rows: Rows<StackRow>) -> Result<(), ChunkError> {
        // Stack 0 is the empty one and not stored.
        for (id, row) in rows.0.into_iter().enumerate().skip(1) {
            if let Some(row) = row {
                if row.parent.index() < id && row.frame.index() < self.dictionary.frames().len() {
                    if self.dictionary.stack(row.parent, row.frame).index() == id {
                        continue;
                    }
                    self.wrong::<()>(|| format!("stack {id} is there twice"))?;
                } else {
                    self.wrong::<()>(|| format!("the parent or frame of stack {id} is not there"))?;
                }
            }
            let function = self.lost_function(&format!("<lost stack {id}>"));
            let mut line = 0;
            loop {
                let frame = self.dictionary.frame(function, line);
                if self.dictionary.stack(StackId::EMPTY, frame).index() == id {
                    break;
                }
                line += 1;
            }
        }
        Ok(())
    }

    fn processes(&mut self, rows: Rows<ProcessRow>) -> Result<(), ChunkError> {
        for (id, row) in rows.0.into_iter().enumerate() {
            let mut row = match row {
                Some(row) => row,
                None => self.lost_process(),
            };
            row.name = self.string(row.name)?;
            row.command = self.string(row.command)?;
            row.runtime = self.string(row.runtime)?;
            // A parent is an earlier process; this also rules out circles.
            row.parent = row.parent.filter(|parent| parent.index() < id);
            self.dictionary.add_process(row);
        }
        Ok(())
    }

    fn lost_process(&mut self) -> ProcessRow {
        ProcessRow {
            name: self.dictionary.string(LOST),
            end: Time::MAX,
            ..ProcessRow::default()
        }
    }

    fn process(&mut self, id: ProcessId) -> Result<ProcessId, ChunkError> {
        if id.index() < self.dictionary.processes().len() {
            return Ok(id);
        }
        self.wrong::<()>(|| format!("process {} is not there", id.0))?;
        let last = self.dictionary.processes().len().wrapping_sub(1);
        let name = self.dictionary.string(LOST);
        match self.dictionary.processes().get(last) {
            Some(row) if row.name == name => Ok(ProcessId(last as u32)),
            _ => {
                let row = self.lost_process();
                Ok(self.dictionary.add_process(row))
            }
        }
    }

    fn threads(&mut self, rows: Rows<ThreadRow>) -> Result<(), ChunkError> {
        for row in rows.0 {
            let mut row = match row {
                Some(row) => row,
                None => ThreadRow {
                    process: ProcessId(u32::MAX),
                    name: self.dictionary.string(LOST),
                    end: Time::MAX,
                    ..ThreadRow::default()
                },
            };
            row.process = self.process(row.process)?;
            row.name = self.string(row.name)?;
            self.dictionary.add_thread(row);
        }
        Ok(())
    }

    fn tasks(&mut self, rows: Rows<TaskRow>) -> Result<(), ChunkError> {
        let tasks = rows.0.len();
        // Task 0 means no task and is not stored.
        for row in rows.0.into_iter().skip(1) {
            let mut row = match row {
                Some(row) => row,
                None => TaskRow {
                    process: ProcessId(u32::MAX),
                    name: self.dictionary.string(LOST),
                    ..TaskRow::default()
                },
            };
            row.process = self.process(row.process)?;
            row.name = self.string(row.name)?;
            row.coroutine = self.string(row.coroutine)?;
            if row.parent.index() >= tasks {
                row.parent = TaskId::NONE;
            }
            self.dictionary.add_task(row);
        }
        Ok(())
    }

    fn modules(&mut self, rows: Rows<ModuleRow>) -> Result<(), ChunkError> {
        for row in rows.0 {
            let mut row = row.unwrap_or(ModuleRow {
                process: ProcessId(u32::MAX),
                ..ModuleRow::default()
            });
            row.process = self.process(row.process)?;
            row.path = self.string(row.path)?;
            row.build_id = self.string(row.build_id)?;
            self.dictionary.add_module(row);
        }
        Ok(())
    }

    fn counter_series(&mut self, rows: Rows<CounterSeriesRow>) -> Result<(), ChunkError> {
        for row in rows.0 {
            let mut row = row.unwrap_or(CounterSeriesRow {
                process: ProcessId(u32::MAX),
                ..CounterSeriesRow::default()
            });
            row.process = self.process(row.process)?;
            row.name = self.string(row.name)?;
            row.unit = self.string(row.unit)?;
            self.dictionary.add_counter(row);
        }
        Ok(())
    }

    fn sites(&mut self, rows: Rows<SiteRow>) -> Result<(), ChunkError> {
        for (id, row) in rows.0.into_iter().enumerate() {
            let mut row = match row {
                Some(mut row) => {
                    row.name = self.string(row.name)?;
                    row.function = self.string(row.function)?;
                    if row.file.index() >= self.dictionary.files().len() {
                        self.wrong::<()>(|| format!("file {} is not there", row.file.0))?;
                        row.file = self.dictionary.file("");
                    }
                    row
                }
                None => SiteRow {
                    name: self.dictionary.string(LOST),
                    file: self.dictionary.file(""),
                    ..SiteRow::default()
                },
            };
            // Sites are unique; one that is there twice was lost or damaged.
            let mut number = 0;
            while self.dictionary.site(row).index() != id {
                self.wrong::<()>(|| format!("site {id} is there twice"))?;
                number += 1;
                row.function = self.dictionary.string(&format!("{LOST} {id}.{number}"));
            }
        }
        Ok(())
    }

    fn locks(&mut self, rows: Rows<LockRow>) -> Result<(), ChunkError> {
        for row in rows.0 {
            let mut row = row.unwrap_or(LockRow {
                process: ProcessId(u32::MAX),
                ..LockRow::default()
            });
            row.process = self.process(row.process)?;
            row.name = self.string(row.name)?;
            row.place = self.string(row.place)?;
            self.dictionary.add_lock(row);
        }
        Ok(())
    }

    /// What stands for stacks and threads whose rows were lost.
    fn lost(&mut self) -> (StackId, ThreadId) {
        let function = self.lost_function(LOST);
        let frame = self.dictionary.frame(function, 0);
        let stack = self.dictionary.stack(StackId::EMPTY, frame);
        let row = self.lost_process();
        let name = row.name;
        let process = self.dictionary.add_process(row);
        let thread = self.dictionary.add_thread(ThreadRow {
            process,
            name,
            end: Time::MAX,
            ..ThreadRow::default()
        });
        (stack, thread)
    }
}
