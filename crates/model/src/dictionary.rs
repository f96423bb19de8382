//! Interning: each string, function, frame and stack is stored once and named by a small id.

use rustc_hash::FxHashMap;

use crate::{
    CounterId, CounterSeriesRow, FileId, FrameId, FrameRow, FunctionId, FunctionKind, FunctionRow,
    LockId, LockRow, ModuleId, ModuleRow, ProcessId, ProcessRow, SiteId, SiteRow, StackId,
    StackRow, StringId, TaskId, TaskRow, ThreadId, ThreadRow,
};

/// Strings, each once. Id 0 is the empty string.
#[derive(Clone, Debug)]
pub struct StringTable {
    strings: Vec<Box<str>>,
    ids: FxHashMap<Box<str>, StringId>,
}

impl Default for StringTable {
    fn default() -> Self {
        let mut table = StringTable {
            strings: Vec::new(),
            ids: FxHashMap::default(),
        };
        table.intern("");
        table
    }
}

impl StringTable {
    /// The id of `text`, new if it was not there.
    pub fn intern(&mut self, text: &str) -> StringId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = StringId(self.strings.len() as u32);
        self.strings.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// The id of `text`, if it is there.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<StringId> {
        self.ids.get(text).copied()
    }

    /// The string with this id; empty for an id that is not of this table.
    #[must_use]
    pub fn get(&self, id: StringId) -> &str {
        self.strings.get(id.index()).map_or("", |text| text)
    }

    /// All strings, by id.
    #[must_use]
    pub fn as_slice(&self) -> &[Box<str>] {
        &self.strings
    }
}

/// Everything samples and zones refer to: strings, files, functions, frames, stacks, processes, threads,
/// tasks, modules, counter series, places of zones, locks.
///
/// Ids are positions and are given out in order, so that a writer can store what is new since a
/// [`Mark`], and a reader that appends rows in stored order gets the same ids.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// All strings.
    pub strings: StringTable,
    files: Vec<StringId>,
    file_ids: FxHashMap<StringId, FileId>,
    functions: Vec<FunctionRow>,
    function_ids: FxHashMap<FunctionRow, FunctionId>,
    frames: Vec<FrameRow>,
    frame_ids: FxHashMap<FrameRow, FrameId>,
    stacks: Stacks,
    processes: Vec<ProcessRow>,
    changed_processes: Vec<ProcessId>,
    threads: Vec<ThreadRow>,
    changed_threads: Vec<ThreadId>,
    tasks: Tasks,
    changed_tasks: Vec<TaskId>,
    modules: Vec<ModuleRow>,
    counter_series: Vec<CounterSeriesRow>,
    sites: Vec<SiteRow>,
    site_ids: FxHashMap<SiteRow, SiteId>,
    locks: Vec<LockRow>,
}

#[derive(Clone, Debug)]
struct Stacks {
    rows: Vec<StackRow>,
    ids: FxHashMap<StackRow, StackId>,
    depths: Vec<u32>,
}

impl Default for Stacks {
    fn default() -> Self {
        // Node 0 is the root; it is never looked up through `ids`.
        Stacks {
            rows: vec![StackRow::default()],
            ids: FxHashMap::default(),
            depths: vec![0],
        }
    }
}

#[derive(Clone, Debug)]
struct Tasks(Vec<TaskRow>);

impl Default for Tasks {
    fn default() -> Self {
        // Task 0 is "no task".
        Tasks(vec![TaskRow::default()])
    }
}

/// How much of a [`Dictionary`] was there at some moment; see [`Dictionary::mark`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// Number of strings.
    pub strings: usize,
    /// Number of files.
    pub files: usize,
    /// Number of functions.
    pub functions: usize,
    /// Number of frames.
    pub frames: usize,
    /// Number of stacks.
    pub stacks: usize,
    /// Number of modules.
    pub modules: usize,
    /// Number of counter series.
    pub counter_series: usize,
    /// Number of sites.
    pub sites: usize,
    /// Number of locks.
    pub locks: usize,
}

impl Dictionary {
    /// Interns a string.
    pub fn string(&mut self, text: &str) -> StringId {
        self.strings.intern(text)
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self, id: StringId) -> &str {
        self.strings.get(id)
    }

    /// Interns a file by its path.
    pub fn file(&mut self, path: &str) -> FileId {
        let path = self.strings.intern(path);
        *self.file_ids.entry(path).or_insert_with(|| {
            self.files.push(path);
            FileId(self.files.len() as u32 - 1)
        })
    }

    /// The path of a file; empty for an id that is not of this dictionary.
    #[must_use]
    pub fn file_path(&self, id: FileId) -> &str {
        self.files
            .get(id.index())
            .map_or("", |&path| self.strings.get(path))
    }

    /// The path ids of all files, by file id.
    #[must_use]
    pub fn files(&self) -> &[StringId] {
        &self.files
    }

    /// Interns a function from its parts.
    pub fn function(
        &mut self,
        name: &str,
        qualified_name: &str,
        file: &str,
        first_line: u32,
        kind: FunctionKind,
    ) -> FunctionId {
        let row = FunctionRow {
            name: self.string(name),
            qualified_name: self.string(qualified_name),
            file: self.file(file),
            first_line,
            kind,
        };
        self.function_row(row)
    }

    /// Interns a function.
    pub fn function_row(&mut self, row: FunctionRow) -> FunctionId {
        *self.function_ids.entry(row).or_insert_with(|| {
            self.functions.push(row);
            FunctionId(self.functions.len() as u32 - 1)
        })
    }

    /// All functions, by id.
    #[must_use]
    pub fn functions(&self) -> &[FunctionRow] {
        &self.functions
    }

    /// Interns a frame: `function` at `line` (1-based; 0 where unknown).
    pub fn frame(&mut self, function: FunctionId, line: u32) -> FrameId {
        let row = FrameRow { function, line };
        *self.frame_ids.entry(row).or_insert_with(|| {
            self.frames.push(row);
            FrameId(self.frames.len() as u32 - 1)
        })
    }

    /// All frames, by id.
    #[must_use]
    pub fn frames(&self) -> &[FrameRow] {
        &self.frames
    }

    /// Interns a stack: `frame` called by `parent`.
    pub fn stack(&mut self, parent: StackId, frame: FrameId) -> StackId {
        let row = StackRow { parent, frame };
        let Stacks { rows, ids, depths } = &mut self.stacks;
        *ids.entry(row).or_insert_with(|| {
            let id = StackId(rows.len() as u32);
            rows.push(row);
            depths.push(depths[parent.index()] + 1);
            id
        })
    }

    /// All nodes of the stack tree, by id. Node 0 is the root and has no frame of its own.
    #[must_use]
    pub fn stacks(&self) -> &[StackRow] {
        &self.stacks.rows
    }

    /// Number of frames of a stack.
    #[must_use]
    pub fn depth(&self, stack: StackId) -> u32 {
        self.stacks.depths.get(stack.index()).copied().unwrap_or(0)
    }

    /// The frames of a stack, outermost first.
    #[must_use]
    pub fn path(&self, stack: StackId) -> Vec<FrameId> {
        let mut path: Vec<FrameId> = self.frames_inward(stack).collect();
        path.reverse();
        path
    }

    /// The frames of a stack, innermost first.
    pub fn frames_inward(&self, stack: StackId) -> impl Iterator<Item = FrameId> + '_ {
        let mut at = stack;
        std::iter::from_fn(move || {
            if at == StackId::EMPTY {
                return None;
            }
            let row = self.stacks.rows.get(at.index())?;
            at = row.parent;
            Some(row.frame)
        })
    }

    /// The function of a frame.
    ///
    /// # Panics
    /// When the frame is not of this dictionary.
    #[must_use]
    pub fn function_of(&self, frame: FrameId) -> FunctionId {
        self.frames[frame.index()].function
    }

    /// Adds a process.
    pub fn add_process(&mut self, row: ProcessRow) -> ProcessId {
        self.processes.push(row);
        let id = ProcessId(self.processes.len() as u32 - 1);
        self.changed_processes.push(id);
        id
    }

    /// Changes a process, as when its name or end becomes known.
    pub fn update_process(&mut self, id: ProcessId, change: impl FnOnce(&mut ProcessRow)) {
        if let Some(row) = self.processes.get_mut(id.index()) {
            change(row);
            self.changed_processes.push(id);
        }
    }

    /// All processes, by id.
    #[must_use]
    pub fn processes(&self) -> &[ProcessRow] {
        &self.processes
    }

    /// Adds a thread.
    pub fn add_thread(&mut self, row: ThreadRow) -> ThreadId {
        self.threads.push(row);
        let id = ThreadId(self.threads.len() as u32 - 1);
        self.changed_threads.push(id);
        id
    }

    /// Changes a thread.
    pub fn update_thread(&mut self, id: ThreadId, change: impl FnOnce(&mut ThreadRow)) {
        if let Some(row) = self.threads.get_mut(id.index()) {
            change(row);
            self.changed_threads.push(id);
        }
    }

    /// All threads, by id.
    #[must_use]
    pub fn threads(&self) -> &[ThreadRow] {
        &self.threads
    }

    /// Adds a task.
    pub fn add_task(&mut self, row: TaskRow) -> TaskId {
        self.tasks.0.push(row);
        let id = TaskId(self.tasks.0.len() as u32 - 1);
        self.changed_tasks.push(id);
        id
    }

    /// Changes a task. [`TaskId::NONE`] cannot be changed.
    pub fn update_task(&mut self, id: TaskId, change: impl FnOnce(&mut TaskRow)) {
        if id == TaskId::NONE {
            return;
        }
        if let Some(row) = self.tasks.0.get_mut(id.index()) {
            change(row);
            self.changed_tasks.push(id);
        }
    }

    /// All tasks, by id; position 0 stands for [`TaskId::NONE`].
    #[must_use]
    pub fn tasks(&self) -> &[TaskRow] {
        &self.tasks.0
    }

    /// Adds a module.
    pub fn add_module(&mut self, row: ModuleRow) -> ModuleId {
        self.modules.push(row);
        ModuleId(self.modules.len() as u32 - 1)
    }

    /// All modules, by id.
    #[must_use]
    pub fn modules(&self) -> &[ModuleRow] {
        &self.modules
    }

    /// Adds a counter series.
    pub fn add_counter(&mut self, row: CounterSeriesRow) -> CounterId {
        self.counter_series.push(row);
        CounterId(self.counter_series.len() as u32 - 1)
    }

    /// All counter series, by id.
    #[must_use]
    pub fn counter_series(&self) -> &[CounterSeriesRow] {
        &self.counter_series
    }

    /// Interns a place where zones are made.
    pub fn site(&mut self, row: SiteRow) -> SiteId {
        *self.site_ids.entry(row).or_insert_with(|| {
            self.sites.push(row);
            SiteId(self.sites.len() as u32 - 1)
        })
    }

    /// All places where zones are made, by id.
    #[must_use]
    pub fn sites(&self) -> &[SiteRow] {
        &self.sites
    }

    /// Adds a lock.
    pub fn add_lock(&mut self, row: LockRow) -> LockId {
        self.locks.push(row);
        LockId(self.locks.len() as u32 - 1)
    }

    /// All locks, by id.
    #[must_use]
    pub fn locks(&self) -> &[LockRow] {
        &self.locks
    }

    /// How much there is now. Rows past a mark are new since it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            strings: self.strings.as_slice().len(),
            files: self.files.len(),
            functions: self.functions.len(),
            frames: self.frames.len(),
            stacks: self.stacks.rows.len(),
            modules: self.modules.len(),
            counter_series: self.counter_series.len(),
            sites: self.sites.len(),
            locks: self.locks.len(),
        }
    }

    /// The processes added or changed since the last call, each once, in order of id.
    pub fn take_changed_processes(&mut self) -> Vec<ProcessId> {
        sorted_once(std::mem::take(&mut self.changed_processes))
    }

    /// The threads added or changed since the last call, each once, in order of id.
    pub fn take_changed_threads(&mut self) -> Vec<ThreadId> {
        sorted_once(std::mem::take(&mut self.changed_threads))
    }

    /// The tasks added or changed since the last call, each once, in order of id.
    pub fn take_changed_tasks(&mut self) -> Vec<TaskId> {
        sorted_once(std::mem::take(&mut self.changed_tasks))
    }
}

fn sorted_once<T: Ord>(mut ids: Vec<T>) -> Vec<T> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_get_equal_ids_and_paths_come_back() {
        let mut dict = Dictionary::default();
        let f = dict.function("f", "C.f", "a.py", 1, FunctionKind::Python);
        let g = dict.function("g", "g", "a.py", 9, FunctionKind::Python);
        assert_eq!(
            f,
            dict.function("f", "C.f", "a.py", 1, FunctionKind::Python)
        );
        assert_ne!(f, g);
        let (f2, g10) = (dict.frame(f, 2), dict.frame(g, 10));
        let outer = dict.stack(StackId::EMPTY, f2);
        let inner = dict.stack(outer, g10);
        assert_eq!(inner, dict.stack(outer, g10));
        assert_eq!(dict.path(inner), vec![f2, g10]);
        assert_eq!(dict.depth(inner), 2);
        assert_eq!(dict.path(StackId::EMPTY), vec![]);
    }

    #[test]
    fn a_change_is_reported_once() {
        let mut dict = Dictionary::default();
        let p = dict.add_process(ProcessRow::default());
        dict.update_process(p, |row| row.start = crate::Time(5));
        assert_eq!(dict.take_changed_processes(), vec![p]);
        assert_eq!(dict.take_changed_processes(), vec![]);
    }

    #[test]
    fn ids_of_another_dictionary_do_not_panic() {
        let dict = Dictionary::default();
        assert_eq!(dict.text(StringId(99)), "");
        assert_eq!(dict.file_path(FileId(99)), "");
        assert_eq!(dict.depth(StackId(99)), 0);
        assert_eq!(dict.path(StackId(99)), vec![]);
    }
}
