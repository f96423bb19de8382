//! What a function, thread or process is called in an export.

use std::fmt::Write;

use sondage_model::{Dictionary, FunctionId, ProcessId, ThreadId};

/// Stands for the function of a sample that has no frames: a thread that runs no Python.
pub(crate) const NO_FUNCTION: FunctionId = FunctionId(u32::MAX);
/// Stands for the frames in the middle of a stack that [`shorten`] left out.
pub(crate) const LEFT_OUT: FunctionId = FunctionId(u32::MAX - 1);
/// Name of [`NO_FUNCTION`].
pub(crate) const NO_FRAME: &str = "(no Python frame)";

/// Leaves out the middle of a stack with more than `most` frames, as some programs fail on deep
/// ones. Both ends stay: who began it, and who runs.
pub(crate) fn shorten<T>(path: &mut Vec<T>, most: usize, marker: T) {
    if path.len() > most {
        let outer = most / 2;
        let inner = path.len() - (most - outer - 1);
        path.splice(outer..inner, [marker]);
    }
}

/// Names from a recording's dictionary. Ids that are not of it get `(unknown)`.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    dictionary: &'a Dictionary,
}

impl<'a> Names<'a> {
    pub fn new(dictionary: &'a Dictionary) -> Names<'a> {
        Names { dictionary }
    }

    /// Qualified name; never empty.
    pub fn name(self, function: FunctionId) -> &'a str {
        if function == NO_FUNCTION {
            return NO_FRAME;
        }
        if function == LEFT_OUT {
            return "(frames left out)";
        }
        let row = self.dictionary.functions().get(function.index());
        let qualified = row.map_or("", |row| self.dictionary.text(row.qualified_name));
        let name = row.map_or("", |row| self.dictionary.text(row.name));
        [qualified, name]
            .into_iter()
            .find(|text| !text.trim().is_empty())
            .unwrap_or("(unknown)")
    }

    /// Path of its file; empty where unknown.
    pub fn file(self, function: FunctionId) -> &'a str {
        self.dictionary
            .functions()
            .get(function.index())
            .map_or("", |row| self.dictionary.file_path(row.file))
    }

    /// First line; 0 where unknown.
    pub fn first_line(self, function: FunctionId) -> u32 {
        self.dictionary
            .functions()
            .get(function.index())
            .map_or(0, |row| row.first_line)
    }

    /// `name (file:line)`, without what is unknown.
    pub fn located(self, function: FunctionId, line: u32) -> String {
        self.with_file(function, self.file(function), line)
    }

    /// [`Names::located`] with only the last part of the path.
    pub fn located_short(self, function: FunctionId, line: u32) -> String {
        let file = self.file(function);
        self.with_file(
            function,
            file.rsplit(['/', '\\']).next().unwrap_or(file),
            line,
        )
    }

    fn with_file(self, function: FunctionId, file: &str, line: u32) -> String {
        let mut text = self.name(function).to_owned();
        if !file.is_empty() {
            let _ = match line {
                0 => write!(text, " ({file})"),
                line => write!(text, " ({file}:{line})"),
            };
        }
        text
    }

    /// `name (tid 12)`.
    pub fn thread(self, thread: ThreadId) -> String {
        let Some(row) = self.dictionary.threads().get(thread.index()) else {
            return "(unknown thread)".into();
        };
        let name = match self.dictionary.text(row.name) {
            "" => "thread",
            name => name,
        };
        format!("{name} (tid {})", row.tid.0)
    }

    /// `name (pid 12)`.
    pub fn process(self, process: ProcessId) -> String {
        let Some(row) = self.dictionary.processes().get(process.index()) else {
            return "(unknown process)".into();
        };
        format!("{} (pid {})", self.process_name(process), row.pid.0)
    }

    /// The process's short name; never empty.
    pub fn process_name(self, process: ProcessId) -> &'a str {
        let row = self.dictionary.processes().get(process.index());
        match row.map_or("", |row| self.dictionary.text(row.name)) {
            "" => "process",
            name => name,
        }
    }

    /// The process of a thread.
    pub fn process_of(self, thread: ThreadId) -> ProcessId {
        self.dictionary
            .threads()
            .get(thread.index())
            .map_or_else(ProcessId::default, |row| row.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_stack_keeps_both_ends() {
        let shortened = |length, most| {
            let mut path: Vec<u32> = (1..=length).collect();
            shorten(&mut path, most, 0);
            path
        };
        assert_eq!(shortened(6, 6), [1, 2, 3, 4, 5, 6]);
        assert_eq!(shortened(7, 6), [1, 2, 3, 0, 6, 7]);
        assert_eq!(shortened(100, 5), [1, 2, 0, 99, 100]);
    }
}
