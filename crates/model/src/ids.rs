//! Ids: small integers that name a row of one table of one recording.
//!
//! An id is only meaningful together with the [`Dictionary`](crate::Dictionary) that gave it out.
//! The operating system's own numbers are [`Pid`] and [`Tid`]; they are reused within a recording,
//! so rows refer to [`ProcessId`] and [`ThreadId`] instead.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// As a position in the table.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A row of the strings table. `StringId(0)` is the empty string.
    StringId;
    /// A row of the files table, that is a string that names a source file.
    FileId;
    /// A row of the modules table: a mapped binary or library.
    ModuleId;
    /// A row of the functions table: name, file and first line.
    FunctionId;
    /// A row of the frames table: a function at a line.
    FrameId;
    /// A node of the stack prefix tree; its path to the root is a stack. `StackId(0)` is the
    /// empty stack.
    StackId;
    /// A row of the processes table: one life of one process image.
    ProcessId;
    /// A row of the threads table: one life of one thread.
    ThreadId;
    /// A row of the tasks table: an asyncio task. `TaskId(0)` means no task.
    TaskId;
    /// A row of the counter series table.
    CounterId;
    /// A row of the sites table: a place in the source where zones are made.
    SiteId;
    /// A row of the locks table: a lock that the program wrapped.
    LockId;
}

impl StringId {
    /// The empty string.
    pub const EMPTY: StringId = StringId(0);
}
impl StackId {
    /// The stack without frames, the root of the prefix tree.
    pub const EMPTY: StackId = StackId(0);
}
impl TaskId {
    /// Not in a task.
    pub const NONE: TaskId = TaskId(0);
}

/// A span's number, as the program gave it: unique among all spans that a recording can hold, of
/// whatever process. `SpanId(0)` is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SpanId(pub u64);

impl SpanId {
    /// No span.
    pub const NONE: SpanId = SpanId(0);
}

/// The operating system's process number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Pid(pub i32);

/// The operating system's thread number (the kernel's, not `threading.get_ident()`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Tid(pub i32);
