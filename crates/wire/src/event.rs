//! The events, and their words.
//!
//! An event is one to many words of 8 bytes, little-endian on every machine we run on. The low
//! four bits of its first word are its kind and never zero, so that a zero word is "not written
//! yet"; the other sixty are the time, or for [`Event::Value`] what else it needs:
//!
//! ```text
//!            word 0                              words 1…
//! zone begin │ ticks:60                │  1 │   site:32  depth:16
//! zone end   │ ticks:60                │  2 │
//! value      │ bytes:20 key:32 type:8  │  3 │   span  bits | text…
//! frame      │ ticks:60                │  4 │   name:32  op:8
//! plot       │ ticks:60                │  5 │   name:32  type:8 │ bits
//! message    │ ticks:60                │  6 │   bytes:32 level:8 │ colour:32 │ text…
//! span begin │ ticks:60                │  7 │   site:32 flags:8 │ span │ parent │ (trace high │ trace low)
//! span end   │ ticks:60                │  8 │   span │ flags:8
//! span enter │ ticks:60                │  9 │   span
//! span exit  │ ticks:60                │ 10 │   span
//! lock       │ ticks:60                │ 11 │   lock:32  op:8
//! memory     │ ticks:60                │ 12 │   address │ bytes:56 op:8
//! cumulative │ ticks:60                │ 13 │   site:32 │ parent │ count │ total │ least │ most
//! rest       │ 0                       │ 15 │   the chunk ends here
//! ```
//!
//! Sixty bits of a 3 GHz counter last twelve years.

/// A span's number: unique in its program and, being random, as good as unique in the world. 0 is
/// none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SpanId(pub u64);

/// A trace's number, of W3C's 128 bits. 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TraceId(pub u128);

/// The key of a [`Event::Value`] that names the task of `asyncio` in which a span runs: a text,
/// empty for none. It comes before the span begins. Spans inside it, in its thread, are of the same
/// task unless they are told otherwise.
pub const TASK_KEY: &str = "asyncio.task";

/// The longest text of an event; longer ones are cut.
pub const MAX_TEXT_BYTES: usize = 8 << 10;

/// Values of an argument and of a plot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// A signed number.
    Int(i64),
    /// A number without sign.
    Uint(u64),
    /// A fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text, of at most [`MAX_TEXT_BYTES`]. Bytes that are not UTF-8 read as `�`.
    Text(&'a str),
}

/// The type of a [`Value`] in its word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ValueKind {
    /// [`Value::Int`].
    Int = 0,
    /// [`Value::Uint`].
    Uint = 1,
    /// [`Value::Float`].
    Float = 2,
    /// [`Value::Bool`].
    Bool = 3,
    /// [`Value::Text`].
    Text = 4,
}

/// Which side of a frame a mark is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameOp {
    /// One frame ends and the next begins.
    Mark = 0,
    /// A discontinuous frame begins.
    Begin = 1,
    /// A discontinuous frame ends.
    End = 2,
}

/// What happened to a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum LockOp {
    /// The thread waits for it.
    Wait = 0,
    /// The thread has it, alone; without a `Wait` before it was free.
    Obtained = 1,
    /// The thread gives it back.
    Released = 2,
    /// The thread stopped waiting without it.
    GivenUp = 3,
    /// The thread has it together with other readers.
    Shared = 4,
}

/// What a program said.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A zone of the thread begins, inside those that are open.
    ZoneBegin {
        /// When.
        ticks: u64,
        /// Its [`Definition`](crate::Definition).
        site: u32,
        /// How many zones of the thread are open around it.
        depth: u16,
    },
    /// The innermost open zone of the thread ends.
    ZoneEnd {
        /// When.
        ticks: u64,
    },
    /// An argument of a span, or of the thread's innermost open zone where `span` is 0.
    Value {
        /// Of which span.
        span: SpanId,
        /// The text that names it.
        key: u32,
        /// Its value.
        value: OwnedValue,
    },
    /// A frame mark.
    Frame {
        /// When.
        ticks: u64,
        /// The text that names the frame; 0 for the program's main one.
        name: u32,
        /// Mark, begin or end.
        op: FrameOp,
    },
    /// A value of a plot.
    Plot {
        /// When.
        ticks: u64,
        /// The text that names it.
        name: u32,
        /// Its value.
        value: OwnedValue,
    },
    /// A line of text.
    Message {
        /// When.
        ticks: u64,
        /// As `logging` has it, divided by ten: 1 debug, 2 info, 3 warning, 4 error, 5 critical.
        level: u8,
        /// `0xRRGGBB`; 0 for none.
        colour: u32,
        /// The text.
        text: String,
    },
    /// A span begins: a zone that has a number, so that it may change threads, and others may
    /// name it as their parent. The thread is in it until it exits or ends.
    SpanBegin {
        /// When.
        ticks: u64,
        /// Its definition.
        site: u32,
        /// Its number.
        span: SpanId,
        /// The span around it; 0 for none.
        parent: SpanId,
        /// The trace, where this span begins one or comes from another process.
        trace: TraceId,
        /// Whether the parent is in another process.
        remote: bool,
    },
    /// A span ends.
    SpanEnd {
        /// When.
        ticks: u64,
        /// Its number.
        span: SpanId,
        /// Whether it failed: an exception left it.
        failed: bool,
    },
    /// The thread goes on with a span.
    SpanEnter {
        /// When.
        ticks: u64,
        /// Its number.
        span: SpanId,
    },
    /// The thread leaves a span that goes on later.
    SpanExit {
        /// When.
        ticks: u64,
        /// Its number.
        span: SpanId,
    },
    /// Something happened to a lock.
    Lock {
        /// When.
        ticks: u64,
        /// Its definition.
        lock: u32,
        /// What.
        op: LockOp,
    },
    /// Memory was set aside or given back.
    Memory {
        /// When.
        ticks: u64,
        /// The address.
        address: u64,
        /// Its bytes; 0 for memory given back.
        bytes: u64,
    },
    /// Many passes of one place, added up. Times are nanoseconds.
    Cumulative {
        /// When the last pass ended.
        ticks: u64,
        /// Its definition.
        site: u32,
        /// The span around it; 0 for none.
        parent: SpanId,
        /// Passes.
        count: u64,
        /// All passes together.
        total_nanos: u64,
        /// The shortest.
        min_nanos: u64,
        /// The longest.
        max_nanos: u64,
    },
}

/// A [`Value`] that owns its text.
#[derive(Clone, PartialEq, Debug)]
pub enum OwnedValue {
    /// A signed number.
    Int(i64),
    /// A number without sign.
    Uint(u64),
    /// A fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text.
    Text(String),
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> OwnedValue {
        match value {
            Value::Int(value) => OwnedValue::Int(value),
            Value::Uint(value) => OwnedValue::Uint(value),
            Value::Float(value) => OwnedValue::Float(value),
            Value::Bool(value) => OwnedValue::Bool(value),
            Value::Text(text) => OwnedValue::Text(text.to_owned()),
        }
    }
}

/// Words that are no event. The rest of their chunk cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadEvent {
    /// There is no such kind, or its code is out of range.
    Kind(u8),
    /// The words end before the event does.
    Short,
}

impl std::fmt::Display for BadEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadEvent::Kind(kind) => write!(f, "there is no event of kind {kind}"),
            BadEvent::Short => f.write_str("an event reaches beyond its chunk"),
        }
    }
}

impl std::error::Error for BadEvent {}

pub(crate) const ZONE_BEGIN: u64 = 1;
pub(crate) const ZONE_END: u64 = 2;
pub(crate) const VALUE: u64 = 3;
pub(crate) const FRAME: u64 = 4;
pub(crate) const PLOT: u64 = 5;
pub(crate) const MESSAGE: u64 = 6;
pub(crate) const SPAN_BEGIN: u64 = 7;
pub(crate) const SPAN_END: u64 = 8;
pub(crate) const SPAN_ENTER: u64 = 9;
pub(crate) const SPAN_EXIT: u64 = 10;
pub(crate) const LOCK: u64 = 11;
pub(crate) const MEMORY: u64 = 12;
pub(crate) const CUMULATIVE: u64 = 13;
/// The rest of a chunk stays unused.
pub(crate) const REST: u64 = 15;

pub(crate) const HAS_TRACE: u64 = 1;
pub(crate) const IS_REMOTE: u64 = 2;
pub(crate) const HAS_FAILED: u64 = 1;
