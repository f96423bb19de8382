//! What importers share: a recording built from stacks and figures.

use rustc_hash::FxHashMap;
use sondage_model::{
    FrameId, FunctionKind, MemoryRecording, MessageLevel, MessageRow, Nanos, Pid, ProcessId,
    ProcessRow, RecordingInfo, SampleRow, StackId, State, StateKind, TaskId, ThreadId, ThreadRow,
    Tid, Time,
};

use crate::{FormatError, ImportOptions, ImportUnit};

/// Nodes of the stack tree that an import may make.
const MAX_STACKS: usize = 20_000_000;
/// Threads that an import may make.
const MAX_THREADS: usize = 100_000;
/// Rows that an import may make.
const MAX_ROWS: usize = 50_000_000;
/// Samples that one line of a file may stand for.
const MAX_COUNT: u64 = 1 << 40;
/// Longest imported recording: 50 years, so that sums of times cannot overflow.
const MAX_SPAN: u64 = 50 * 365 * 86_400 * 1_000_000_000;

/// A frame of an imported stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub name: &'a str,
    pub qualified_name: &'a str,
    pub file: &'a str,
    pub first_line: u32,
    pub line: u32,
    pub kind: FunctionKind,
}

/// Code in a file of this name: Python, or compiled.
pub(crate) fn kind_of_file(file: &str) -> FunctionKind {
    if file.ends_with(".py") || file.ends_with(".pyw") || file.starts_with('<') {
        FunctionKind::Python
    } else {
        FunctionKind::Native
    }
}

/// Process and thread of a sample; empty and zero where the file does not say.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Owner {
    pub process: String,
    pub pid: i32,
    pub thread: String,
    pub tid: i32,
}

/// Builds the recording of an imported file. The samples of a thread are laid end to end.
pub(crate) struct Builder {
    format: &'static str,
    unit: ImportUnit,
    recording: MemoryRecording,
    processes: FxHashMap<(String, i32), ProcessId>,
    threads: FxHashMap<Owner, ThreadId>,
    ends: Vec<Time>,
    name: String,
    rounded: bool,
}

impl Builder {
    pub fn new(format: &'static str, options: &ImportOptions) -> Builder {
        Builder {
            format,
            unit: options.unit,
            recording: MemoryRecording::new(RecordingInfo {
                command: vec![match options.name.as_str() {
                    "" => format.to_owned(),
                    name => name.to_owned(),
                }],
                engine: format!("import:{format}"),
                writer: env!("CARGO_PKG_VERSION").into(),
                interval: match options.unit {
                    ImportUnit::Sample(each) => each,
                    ImportUnit::Samples | ImportUnit::Time(_) => Nanos::ZERO,
                },
                ..RecordingInfo::default()
            }),
            processes: FxHashMap::default(),
            threads: FxHashMap::default(),
            ends: Vec::new(),
            name: options.name.clone(),
            rounded: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.recording.samples.is_empty()
    }

    /// Tells the user something about the import.
    pub fn message(&mut self, level: MessageLevel, text: String) {
        self.recording.messages.push(MessageRow {
            time: Time::ZERO,
            level,
            process: None,
            text,
        });
    }

    /// Tells the user that something is not as in the file.
    pub fn warn(&mut self, text: String) {
        self.message(MessageLevel::Warning, text);
    }

    /// The recording's info, to fill in what the file says.
    pub fn info(&mut self) -> &mut RecordingInfo {
        &mut self.recording.info
    }

    /// The id of a frame.
    pub fn frame(&mut self, frame: Frame<'_>) -> FrameId {
        let dictionary = &mut self.recording.dictionary;
        let function = dictionary.function(
            frame.name,
            frame.qualified_name,
            frame.file,
            frame.first_line,
            frame.kind,
        );
        dictionary.frame(function, frame.line)
    }

    /// The stack of `frame` called by `parent`.
    pub fn push_frame(
        &mut self,
        parent: StackId,
        frame: FrameId,
        at: impl Fn() -> String,
    ) -> Result<StackId, FormatError> {
        let dictionary = &mut self.recording.dictionary;
        if dictionary.stacks().len() >= MAX_STACKS {
            return Err(self.too_many("different stacks", MAX_STACKS, at));
        }
        Ok(dictionary.stack(parent, frame))
    }

    /// Adds a stack with a count in the unit the user chose: digits with a fraction, if any.
    pub fn written(
        &mut self,
        stack: StackId,
        count: &str,
        at: impl Fn() -> String,
    ) -> Result<(), FormatError> {
        let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
        let whole: u64 = whole.parse().map_err(|_| self.too_long(&at))?;
        let fraction: f64 = format!("0.{fraction}").parse().unwrap_or(0.0);
        let rounded = whole.saturating_add(fraction.round() as u64);
        let owner = Owner::default();
        let weigh = |builder: &Builder, each: Nanos| {
            whole
                .checked_mul(each.0)
                .and_then(|weight| weight.checked_add((fraction * each.0 as f64).round() as u64))
                .ok_or_else(|| builder.too_long(&at))
        };
        match self.unit {
            ImportUnit::Samples => {
                self.rounded |= fraction > 0.0;
                self.counted(&owner, stack, rounded, StateKind::Unknown, at)
            }
            ImportUnit::Sample(each) => {
                let weight = weigh(self, each)?;
                if weight == 0 {
                    return Ok(());
                }
                self.timed(
                    &owner,
                    stack,
                    Nanos(weight),
                    rounded.max(1),
                    StateKind::Unknown,
                    at,
                )
            }
            ImportUnit::Time(each) => {
                let weight = weigh(self, each)?;
                if weight == 0 {
                    return Ok(());
                }
                self.timed(&owner, stack, Nanos(weight), 1, StateKind::Unknown, at)
            }
        }
    }

    /// Adds `count` samples of which no time is known.
    pub fn counted(
        &mut self,
        owner: &Owner,
        stack: StackId,
        mut count: u64,
        kind: StateKind,
        at: impl Fn() -> String,
    ) -> Result<(), FormatError> {
        if count > MAX_COUNT {
            return Err(self.too_many("samples of one stack", MAX_COUNT as usize, at));
        }
        let thread = self.thread(owner, &at)?;
        // A row holds 32 bits of them.
        while count > 0 {
            let part = u32::try_from(count).unwrap_or(u32::MAX);
            count -= u64::from(part);
            self.row(thread, Time::ZERO, Nanos::ZERO, part, stack, kind, &at)?;
        }
        Ok(())
    }

    /// Adds a stack that stands for `weight` and was seen `count` times, at least once.
    pub fn timed(
        &mut self,
        owner: &Owner,
        stack: StackId,
        weight: Nanos,
        count: u64,
        kind: StateKind,
        at: impl Fn() -> String,
    ) -> Result<(), FormatError> {
        let thread = self.thread(owner, &at)?;
        let end = self.ends[thread.index()].0.saturating_add(weight.0);
        if end > MAX_SPAN {
            return Err(self.too_long(at));
        }
        self.ends[thread.index()] = Time(end);
        let count =
            u32::try_from(count).map_err(|_| self.too_many("samples", u32::MAX as usize, &at))?;
        self.row(thread, Time(end), weight, count, stack, kind, &at)
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    fn row(
        &mut self,
        thread: ThreadId,
        time: Time,
        weight: Nanos,
        count: u32,
        stack: StackId,
        kind: StateKind,
        at: &impl Fn() -> String,
    ) -> Result<(), FormatError> {
        if self.recording.samples.len() >= MAX_ROWS {
            return Err(self.too_many("samples", MAX_ROWS, at));
        }
        self.recording.samples.push(SampleRow {
            time,
            weight,
            count,
            thread,
            stack,
            task: TaskId::NONE,
            state: State::new(kind, false),
        });
        Ok(())
    }

    fn thread(&mut self, owner: &Owner, at: impl Fn() -> String) -> Result<ThreadId, FormatError> {
        if let Some(&thread) = self.threads.get(owner) {
            return Ok(thread);
        }
        if self.threads.len() >= MAX_THREADS {
            return Err(self.too_many("threads", MAX_THREADS, at));
        }
        let dictionary = &mut self.recording.dictionary;
        let process = *self
            .processes
            .entry((owner.process.clone(), owner.pid))
            .or_insert_with(|| {
                let names = [owner.process.as_str(), self.name.as_str(), self.format];
                let name = names
                    .into_iter()
                    .find(|name| !name.is_empty())
                    .unwrap_or("");
                let name = dictionary.string(name);
                dictionary.add_process(ProcessRow {
                    pid: Pid(owner.pid),
                    name,
                    end: Time::MAX,
                    ..ProcessRow::default()
                })
            });
        let name = dictionary.string(match owner.thread.as_str() {
            "" => "imported",
            name => name,
        });
        let thread = dictionary.add_thread(ThreadRow {
            process,
            tid: Tid(owner.tid),
            name,
            is_main: owner.tid == owner.pid,
            end: Time::MAX,
            ..ThreadRow::default()
        });
        self.threads.insert(owner.clone(), thread);
        self.ends.push(Time::ZERO);
        Ok(thread)
    }

    /// The error of a file whose times cannot be true.
    pub fn too_long(&self, at: impl Fn() -> String) -> FormatError {
        FormatError::TooLarge {
            format: self.format,
            what: format!("the time, reached at {}", at()),
            limit: "50 years".into(),
        }
    }

    fn too_many(&self, what: &str, limit: usize, at: impl Fn() -> String) -> FormatError {
        FormatError::TooLarge {
            format: self.format,
            what: format!("the number of {what}, reached at {}", at()),
            limit: limit.to_string(),
        }
    }

    pub fn finish(mut self) -> MemoryRecording {
        if self.rounded {
            self.warn("counts with a fraction were rounded to whole samples".into());
        }
        self.recording
    }
}
