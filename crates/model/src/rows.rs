//! The rows of each table. Columns and types on disk are in [`crate::schema`].

use crate::{
    Bytes, CounterId, FileId, FrameId, FunctionId, MonoTime, Nanos, Pid, ProcessId, StackId, State,
    StateKind, StringId, TaskId, ThreadId, Tid, Time, TimeRange,
};

/// What the whole recording is of. Stored once, at the head of the file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RecordingInfo {
    /// The command line that was recorded, or what was imported.
    pub command: Vec<String>,
    /// How it was recorded: `outside`, `import:collapsed`, …
    pub engine: String,
    /// Version of the sondage that wrote it.
    pub writer: String,
    /// Wall-clock time of [`Time::ZERO`], in nanoseconds since the Unix epoch.
    pub unix_start_nanos: u64,
    /// `CLOCK_MONOTONIC` at [`Time::ZERO`].
    pub mono_start: MonoTime,
    /// Time between two samples of a thread, as asked for. Zero where there is no fixed rate.
    pub interval: Nanos,
    /// Host name.
    pub host: String,
    /// Kernel and architecture, as `Linux 6.18 x86_64`.
    pub system: String,
    /// Logical CPUs.
    pub cpus: u32,
    /// The boot this clock belongs to; two recordings with the same id share a clock.
    pub boot_id: String,
    /// Labels given by the user (`--label k=v`).
    pub labels: Vec<Label>,
}

/// A label of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Label {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// One life of one process image. A later row with the same id replaces the earlier one
/// (names and ends become known later).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessRow {
    /// The operating system's number.
    pub pid: Pid,
    /// The process that started it, if that is recorded too.
    pub parent: Option<ProcessId>,
    /// Short name to show: the script, module or program.
    pub name: StringId,
    /// Full command line, joined by spaces.
    pub command: StringId,
    /// What runs in it, as `CPython 3.12.1`; empty when no Python was found.
    pub runtime: StringId,
    /// When it was first seen.
    pub start: Time,
    /// When it was seen to be gone; [`Time::MAX`] while it lives.
    pub end: Time,
}

/// One life of one thread. A later row with the same id replaces the earlier one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadRow {
    /// Its process.
    pub process: ProcessId,
    /// The kernel's number.
    pub tid: Tid,
    /// Its name: Python's where known, else the kernel's.
    pub name: StringId,
    /// Whether it is the process's first thread.
    pub is_main: bool,
    /// When it was first seen.
    pub start: Time,
    /// When it was seen to be gone; [`Time::MAX`] while it lives.
    pub end: Time,
}

/// An asyncio task. A later row with the same id replaces the earlier one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TaskRow {
    /// Its process.
    pub process: ProcessId,
    /// Its name (`Task-1`, or as set).
    pub name: StringId,
    /// The function its coroutine runs.
    pub coroutine: StringId,
    /// The task that awaits it, if known.
    pub parent: TaskId,
}

/// A mapped binary or library.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ModuleRow {
    /// Its process.
    pub process: ProcessId,
    /// Path of the file.
    pub path: StringId,
    /// Build id in hex; empty when it has none.
    pub build_id: StringId,
    /// Address of its first mapped byte.
    pub start: u64,
    /// Length of the mapping.
    pub size: Bytes,
}

/// What kind of code a function is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum FunctionKind {
    /// Python code.
    #[default]
    Python = 0,
    /// Compiled code.
    Native = 1,
    /// The kernel.
    Kernel = 2,
    /// Not code: a label of the profiler's, such as `<truncated>`.
    Meta = 3,
}

impl FunctionKind {
    /// The kind with this code; unknown codes become [`FunctionKind::Meta`].
    #[must_use]
    pub fn from_code(code: u8) -> FunctionKind {
        match code {
            0 => FunctionKind::Python,
            1 => FunctionKind::Native,
            2 => FunctionKind::Kernel,
            _ => FunctionKind::Meta,
        }
    }

    /// The word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FunctionKind::Python => "python",
            FunctionKind::Native => "native",
            FunctionKind::Kernel => "kernel",
            FunctionKind::Meta => "meta",
        }
    }
}

/// A function: what is compared when we say "the same function".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FunctionRow {
    /// Name as written in the source: `area`.
    pub name: StringId,
    /// Qualified name: `Shape.area`, `outer.<locals>.inner`. Never empty.
    pub qualified_name: StringId,
    /// Its file; the empty string where unknown.
    pub file: FileId,
    /// First line, 1-based; 0 where unknown.
    pub first_line: u32,
    /// What kind of code it is.
    pub kind: FunctionKind,
}

/// A function at a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FrameRow {
    /// The function.
    pub function: FunctionId,
    /// The line being run, 1-based; 0 where unknown.
    pub line: u32,
}

/// A node of the prefix tree of stacks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct StackRow {
    /// The stack without its last frame (the callers). Always a smaller id.
    pub parent: StackId,
    /// The innermost frame.
    pub frame: FrameId,
}

/// What one thread was seen doing, and the time that stands for.
///
/// A row covers the interval from `time - weight` up to `time`. A thread that sleeps on with
/// nothing changed is one row, whose `count` says how many times it was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SampleRow {
    /// When it was (last) seen so.
    pub time: Time,
    /// The wall time this row stands for.
    pub weight: Nanos,
    /// How many observations the row holds; at least 1.
    pub count: u32,
    /// The thread.
    pub thread: ThreadId,
    /// Its stack, innermost frame last.
    pub stack: StackId,
    /// The asyncio task that ran, if any.
    pub task: TaskId,
    /// What the scheduler said, and the GIL.
    pub state: State,
}

impl SampleRow {
    /// The interval the row covers.
    #[must_use]
    pub fn range(&self) -> TimeRange {
        TimeRange {
            start: self.time.saturating_sub(self.weight),
            end: self.time,
        }
    }
}

/// Samples as columns, all of one length: what scans go over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SampleColumns {
    /// [`SampleRow::time`].
    pub times: Vec<Time>,
    /// [`SampleRow::weight`].
    pub weights: Vec<Nanos>,
    /// [`SampleRow::count`].
    pub counts: Vec<u32>,
    /// [`SampleRow::thread`].
    pub threads: Vec<ThreadId>,
    /// [`SampleRow::stack`].
    pub stacks: Vec<StackId>,
    /// [`SampleRow::task`].
    pub tasks: Vec<TaskId>,
    /// [`SampleRow::state`].
    pub states: Vec<State>,
}

impl SampleColumns {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Appends a row.
    pub fn push(&mut self, row: SampleRow) {
        self.times.push(row.time);
        self.weights.push(row.weight);
        self.counts.push(row.count);
        self.threads.push(row.thread);
        self.stacks.push(row.stack);
        self.tasks.push(row.task);
        self.states.push(row.state);
    }

    /// The row at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`SampleColumns::len`].
    #[must_use]
    pub fn row(&self, index: usize) -> SampleRow {
        SampleRow {
            time: self.times[index],
            weight: self.weights[index],
            count: self.counts[index],
            thread: self.threads[index],
            stack: self.stacks[index],
            task: self.tasks[index],
            state: self.states[index],
        }
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = SampleRow> + '_ {
        (0..self.len()).map(|index| self.row(index))
    }

    /// Removes all rows, keeping the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.weights.clear();
        self.counts.clear();
        self.threads.clear();
        self.stacks.clear();
        self.tasks.clear();
        self.states.clear();
    }
}

/// A level-of-detail row: the samples of one thread with one stack and state in one block of
/// the recording, added up. The rows of a block hold exactly what its samples hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SummaryRow {
    /// The thread.
    pub thread: ThreadId,
    /// The stack.
    pub stack: StackId,
    /// The task.
    pub task: TaskId,
    /// The state.
    pub state: State,
    /// Sum of the counts.
    pub count: u64,
    /// Sum of the weights.
    pub weight: Nanos,
}

/// A level-of-detail row: one thread over one bucket of time `[start, start + width)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TileRow {
    /// The thread.
    pub thread: ThreadId,
    /// Start of the bucket; a multiple of its width.
    pub start: Time,
    /// Width of the bucket.
    pub width: Nanos,
    /// Wall time in each state, by [`StateKind::index`]. Sums to at most `width`.
    pub by_state: [Nanos; StateKind::COUNT],
    /// Time with the GIL held.
    pub gil: Nanos,
    /// The stack with the most weight in the bucket.
    pub stack: StackId,
    /// The stack with the most weight among the samples whose state
    /// [is active](StateKind::is_active): what the thread did when it was not asleep. Empty where
    /// it slept all the time.
    pub active_stack: StackId,
}

/// What a counter's values mean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum CounterKind {
    /// A level: RSS, threads.
    #[default]
    Gauge = 0,
    /// An ever-growing total, shown as a rate: CPU time, faults, bytes read.
    Total = 1,
}

/// A series of counter values. Names in use: `cpu.user` and `cpu.system` (ns, total), `rss`
/// (bytes), `threads`, `switches.voluntary`, `switches.involuntary`, `faults.minor`,
/// `faults.major`, `io.read`, `io.write` (bytes, total).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CounterSeriesRow<Process = ProcessId, Text = StringId> {
    /// Its process.
    pub process: Process,
    /// Its name.
    pub name: Text,
    /// Its unit: `ns`, `bytes` or empty for a plain count.
    pub unit: Text,
    /// How to read it.
    pub kind: CounterKind,
}

/// One value of a counter.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CounterRow {
    /// The series.
    pub counter: CounterId,
    /// When it was read.
    pub time: Time,
    /// The value, in the series' unit.
    pub value: f64,
}

/// How serious a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum MessageLevel {
    /// Good to know.
    #[default]
    Info = 0,
    /// Something was not as asked.
    Warning = 1,
    /// Something was lost.
    Error = 2,
}

/// A line of text at a time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MessageRow {
    /// When.
    pub time: Time,
    /// How serious.
    pub level: MessageLevel,
    /// Of which process, if of one.
    pub process: Option<ProcessId>,
    /// The text.
    pub text: String,
}

/// Why an observation was lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum LossKind {
    /// The stack changed under every one of the reads.
    Torn = 0,
    /// A pointer led to memory that is not mapped.
    BadRead = 1,
    /// A frame or code object made no sense.
    Invalid = 2,
    /// The sampler woke too late and left out ticks.
    Late = 3,
    /// The thread ended while it was read.
    Gone = 4,
    /// The recording could not be written fast enough, or the disk was full.
    Write = 5,
    /// A stack deeper than the limit; the sample is kept, its outermost frames are not.
    Truncated = 6,
    /// Any other reason.
    #[default]
    Other = 7,
    /// Events of the program (zones, messages, …) that came faster than they were collected.
    Event = 8,
    /// Names of the program's zones beyond the room for them.
    Name = 9,
}

impl LossKind {
    /// Every kind, in the order of its code.
    pub const ALL: [LossKind; 10] = [
        LossKind::Torn,
        LossKind::BadRead,
        LossKind::Invalid,
        LossKind::Late,
        LossKind::Gone,
        LossKind::Write,
        LossKind::Truncated,
        LossKind::Other,
        LossKind::Event,
        LossKind::Name,
    ];

    /// The kind with this code; unknown codes become [`LossKind::Other`].
    #[must_use]
    pub fn from_code(code: u8) -> LossKind {
        Self::ALL
            .get(usize::from(code))
            .copied()
            .unwrap_or(LossKind::Other)
    }

    /// The word used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LossKind::Torn => "torn",
            LossKind::BadRead => "bad-read",
            LossKind::Invalid => "invalid",
            LossKind::Late => "late",
            LossKind::Gone => "gone",
            LossKind::Write => "write",
            LossKind::Truncated => "truncated",
            LossKind::Other => "other",
            LossKind::Event => "event",
            LossKind::Name => "name",
        }
    }

    /// Whether nothing stands for the observation. A cut stack is still a sample, and the time of
    /// a tick that came too late is in the thread's next sample.
    #[must_use]
    pub fn is_lost_sample(self) -> bool {
        !matches!(
            self,
            LossKind::Truncated | LossKind::Late | LossKind::Event | LossKind::Name
        )
    }

    /// What a person is told.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            LossKind::Torn => "the stack changed while it was read",
            LossKind::BadRead => "a pointer led nowhere",
            LossKind::Invalid => "a frame made no sense",
            LossKind::Late => "the sampler woke too late; the next sample has the time",
            LossKind::Gone => "the thread ended while it was read",
            LossKind::Write => "the recording could not be written",
            LossKind::Truncated => "the stack was too deep and was cut",
            LossKind::Other => "another reason",
            LossKind::Event => "the program's events came faster than they were collected",
            LossKind::Name => "the program named more zones than there is room for",
        }
    }
}

/// Observations lost in an interval, for one reason. Counts add up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LossRow {
    /// End of the interval in which they were lost.
    pub time: Time,
    /// Of which process, if of one.
    pub process: Option<ProcessId>,
    /// Why.
    pub kind: LossKind,
    /// How many.
    pub count: u64,
}

/// The profiler's own cost and clock, at a time: totals since the recording began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockRow {
    /// When.
    pub time: Time,
    /// Wall clock at that time, in nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// CPU time used by the profiler so far.
    pub own_cpu: Nanos,
    /// Observations asked for so far (ticks × threads).
    pub ticks: u64,
    /// Reads of the target's memory so far, re-reads included.
    pub reads: u64,
    /// Times a thread of the target was stopped so far.
    pub stops: u64,
}

/// The text of a source file as it was when recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceTextRow {
    /// The file.
    pub file: FileId,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}
