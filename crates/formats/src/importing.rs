//! What importers share: a recording of one thread built from stacks and counts.

use sondage_model::{
    FrameId, FunctionKind, MemoryRecording, MessageLevel, MessageRow, Nanos, Pid, ProcessRow,
    RecordingInfo, SampleRow, StackId, State, StateKind, TaskId, ThreadId, ThreadRow, Tid, Time,
};

use crate::{FormatError, ImportOptions, ImportUnit};

/// Nodes of the stack tree that an import may make, frames and stacks together.
const MAX_STACKS: usize = 20_000_000;
/// Samples that a file of unknown unit may hold: more than a day at 1 kHz.
const MAX_GUESSED: f64 = 100_000_000.0;
/// What a sample stands for when nothing says so.
const GUESS: Nanos = Nanos(1_000_000);
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

/// Builds the recording of an imported file: its samples laid end to end on one thread.
pub(crate) struct Builder {
    format: &'static str,
    unit: ImportUnit,
    recording: MemoryRecording,
    thread: ThreadId,
    end: Time,
    samples: f64,
}

impl Builder {
    pub fn new(format: &'static str, options: &ImportOptions) -> Result<Builder, FormatError> {
        let mut recording = MemoryRecording::new(RecordingInfo {
            command: vec![options.name.clone()],
            engine: format!("import:{format}"),
            writer: env!("CARGO_PKG_VERSION").into(),
            interval: match options.unit {
                ImportUnit::Sample(each) => each,
                ImportUnit::Guess | ImportUnit::Time(_) => Nanos::ZERO,
            },
            ..RecordingInfo::default()
        });
        let dictionary = &mut recording.dictionary;
        let name = dictionary.string(match options.name.as_str() {
            "" => format,
            name => name,
        });
        let process = dictionary.add_process(ProcessRow {
            pid: Pid(0),
            name,
            end: Time::MAX,
            ..ProcessRow::default()
        });
        let name = dictionary.string("imported");
        let thread = dictionary.add_thread(ThreadRow {
            process,
            tid: Tid(0),
            name,
            is_main: true,
            end: Time::MAX,
            ..ThreadRow::default()
        });
        Ok(Builder {
            format,
            unit: options.unit,
            recording,
            thread,
            end: Time::ZERO,
            samples: 0.0,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.recording.samples.is_empty()
    }

    /// Tells the user something about the import.
    pub fn warn(&mut self, text: String) {
        self.message(MessageLevel::Warning, text);
    }

    pub fn message(&mut self, level: MessageLevel, text: String) {
        self.recording.messages.push(MessageRow {
            time: Time::ZERO,
            level,
            process: None,
            text,
        });
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
    pub fn push(
        &mut self,
        parent: StackId,
        frame: Frame<'_>,
        at: impl Fn() -> String,
    ) -> Result<StackId, FormatError> {
        let frame = self.frame(frame);
        self.push_frame(parent, frame, at)
    }

    /// The stack of a frame already known, called by `parent`.
    pub fn push_frame(
        &mut self,
        parent: StackId,
        frame: FrameId,
        at: impl Fn() -> String,
    ) -> Result<StackId, FormatError> {
        let dictionary = &mut self.recording.dictionary;
        if dictionary.stacks().len() >= MAX_STACKS {
            return Err(FormatError::TooLarge {
                format: self.format,
                what: format!("the number of different stacks, reached at {}", at()),
                limit: format!("{MAX_STACKS} nodes"),
            });
        }
        Ok(dictionary.stack(parent, frame))
    }

    /// Adds a stack with a count in the file's unit: digits with a fraction, if any.
    pub fn sample(
        &mut self,
        stack: StackId,
        count: &str,
        at: impl Fn() -> String,
    ) -> Result<(), FormatError> {
        let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
        let whole: u64 = whole.parse().map_err(|_| self.too_large(&at))?;
        let fraction: f64 = format!("0.{fraction}").parse().unwrap_or(0.0);
        let each = match self.unit {
            ImportUnit::Guess => GUESS,
            ImportUnit::Sample(each) | ImportUnit::Time(each) => each,
        };
        let weight = whole
            .checked_mul(each.0)
            .and_then(|weight| weight.checked_add((fraction * each.0 as f64).round() as u64))
            .ok_or_else(|| self.too_large(&at))?;
        let count = match self.unit {
            ImportUnit::Time(_) => 1,
            ImportUnit::Guess | ImportUnit::Sample(_) => {
                let samples = whole as f64 + fraction;
                self.samples += samples;
                let over = self.unit == ImportUnit::Guess && self.samples > MAX_GUESSED;
                if over || samples > f64::from(u32::MAX) {
                    return Err(FormatError::TooLarge {
                        format: self.format,
                        what: format!("the number of samples, reached at {}", at()),
                        limit: format!("{MAX_GUESSED} samples where their unit is not said"),
                    });
                }
                samples.round() as u32
            }
        };
        self.weighed(stack, Nanos(weight), count, at)
    }

    /// Adds a stack that stands for `weight`, seen `count` times (at least 1 is recorded).
    pub fn weighed(
        &mut self,
        stack: StackId,
        weight: Nanos,
        count: u32,
        at: impl Fn() -> String,
    ) -> Result<(), FormatError> {
        if weight == Nanos::ZERO {
            return Ok(());
        }
        let end = self.end.0.saturating_add(weight.0);
        if end > MAX_SPAN {
            return Err(self.too_large(&at));
        }
        self.end = Time(end);
        self.recording.samples.push(SampleRow {
            time: self.end,
            weight,
            count: count.max(1),
            thread: self.thread,
            stack,
            task: TaskId::NONE,
            state: State::new(StateKind::Unknown, false),
        });
        Ok(())
    }

    fn too_large(&self, at: &impl Fn() -> String) -> FormatError {
        FormatError::TooLarge {
            format: self.format,
            what: format!("the time, reached at {}", at()),
            limit: "50 years".into(),
        }
    }

    pub fn finish(mut self) -> MemoryRecording {
        if self.unit == ImportUnit::Guess && self.samples > 0.0 {
            self.message(
                MessageLevel::Info,
                "the file does not say what a count stands for: each is taken as a sample of 1 ms"
                    .into(),
            );
        }
        self.recording
    }
}
