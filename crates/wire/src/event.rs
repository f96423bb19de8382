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

const ZONE_BEGIN: u64 = 1;
const ZONE_END: u64 = 2;
const VALUE: u64 = 3;
const FRAME: u64 = 4;
const PLOT: u64 = 5;
const MESSAGE: u64 = 6;
const SPAN_BEGIN: u64 = 7;
const SPAN_END: u64 = 8;
const SPAN_ENTER: u64 = 9;
const SPAN_EXIT: u64 = 10;
const LOCK: u64 = 11;
const MEMORY: u64 = 12;
const CUMULATIVE: u64 = 13;
/// The rest of a chunk stays unused.
pub(crate) const REST: u64 = 15;

const HAS_TRACE: u64 = 1;
const IS_REMOTE: u64 = 2;
const HAS_FAILED: u64 = 1;

/// From events to words. [`Producer`](crate::Producer) writes what these return.
pub mod encode {
    use super::{
        CUMULATIVE, FRAME, FrameOp, HAS_FAILED, HAS_TRACE, IS_REMOTE, LOCK, LockOp, MAX_TEXT_BYTES,
        MEMORY, MESSAGE, PLOT, SPAN_BEGIN, SPAN_END, SPAN_ENTER, SPAN_EXIT, SpanId, TraceId, VALUE,
        Value, ValueKind, ZONE_BEGIN, ZONE_END,
    };

    /// The first word of an event that has a time.
    #[inline(always)]
    const fn timed(ticks: u64, kind: u64) -> u64 {
        ticks << 4 | kind
    }

    /// [`Event::ZoneBegin`](crate::Event::ZoneBegin).
    #[inline(always)]
    #[must_use]
    pub const fn zone_begin(ticks: u64, site: u32, depth: u16) -> [u64; 2] {
        [timed(ticks, ZONE_BEGIN), site as u64 | (depth as u64) << 32]
    }

    /// [`Event::ZoneEnd`](crate::Event::ZoneEnd).
    #[inline(always)]
    #[must_use]
    pub const fn zone_end(ticks: u64) -> [u64; 1] {
        [timed(ticks, ZONE_END)]
    }

    /// [`Event::Frame`](crate::Event::Frame).
    #[must_use]
    pub const fn frame(ticks: u64, name: u32, op: FrameOp) -> [u64; 2] {
        [timed(ticks, FRAME), name as u64 | (op as u64) << 32]
    }

    /// [`Event::Lock`](crate::Event::Lock).
    #[must_use]
    pub const fn lock(ticks: u64, lock: u32, op: LockOp) -> [u64; 2] {
        [timed(ticks, LOCK), lock as u64 | (op as u64) << 32]
    }

    /// [`Event::Memory`](crate::Event::Memory); `bytes` 0 gives it back.
    #[must_use]
    pub const fn memory(ticks: u64, address: u64, bytes: u64) -> [u64; 3] {
        [timed(ticks, MEMORY), address, bytes]
    }

    /// [`Event::SpanBegin`](crate::Event::SpanBegin) inside its process and trace.
    #[must_use]
    pub const fn span_begin(ticks: u64, site: u32, span: SpanId, parent: SpanId) -> [u64; 4] {
        [timed(ticks, SPAN_BEGIN), site as u64, span.0, parent.0]
    }

    /// [`Event::SpanBegin`](crate::Event::SpanBegin) that begins a trace, or whose parent is in
    /// another process.
    #[must_use]
    pub const fn span_root(
        ticks: u64,
        site: u32,
        (span, parent): (SpanId, SpanId),
        trace: TraceId,
        remote: bool,
    ) -> [u64; 6] {
        let flags = HAS_TRACE | if remote { IS_REMOTE } else { 0 };
        [
            timed(ticks, SPAN_BEGIN),
            site as u64 | flags << 32,
            span.0,
            parent.0,
            (trace.0 >> 64) as u64,
            trace.0 as u64,
        ]
    }

    /// [`Event::SpanEnd`](crate::Event::SpanEnd).
    #[must_use]
    pub const fn span_end(ticks: u64, span: SpanId, failed: bool) -> [u64; 3] {
        let flags = if failed { HAS_FAILED } else { 0 };
        [timed(ticks, SPAN_END), span.0, flags]
    }

    /// [`Event::SpanEnter`](crate::Event::SpanEnter).
    #[must_use]
    pub const fn span_enter(ticks: u64, span: SpanId) -> [u64; 2] {
        [timed(ticks, SPAN_ENTER), span.0]
    }

    /// [`Event::SpanExit`](crate::Event::SpanExit).
    #[must_use]
    pub const fn span_exit(ticks: u64, span: SpanId) -> [u64; 2] {
        [timed(ticks, SPAN_EXIT), span.0]
    }

    /// [`Event::Cumulative`](crate::Event::Cumulative); `[total, min, max]` in nanoseconds.
    #[must_use]
    pub const fn cumulative(
        ticks: u64,
        site: u32,
        parent: SpanId,
        count: u64,
        [total, min, max]: [u64; 3],
    ) -> [u64; 7] {
        [
            timed(ticks, CUMULATIVE),
            site as u64,
            parent.0,
            count,
            total,
            min,
            max,
        ]
    }

    /// [`Event::Plot`](crate::Event::Plot). Text and truth are plotted as 0 and 1.
    #[must_use]
    pub const fn plot(ticks: u64, name: u32, value: Value<'_>) -> [u64; 3] {
        let (kind, bits) = match bits(value) {
            Some(typed) => typed,
            None => (ValueKind::Uint, 0),
        };
        [timed(ticks, PLOT), name as u64 | (kind as u64) << 32, bits]
    }

    /// Calls `write` with the words of an [`Event::Value`](crate::Event::Value).
    pub fn value<R>(
        span: SpanId,
        key: u32,
        value: Value<'_>,
        write: impl FnOnce(&[u64]) -> R,
    ) -> R {
        let first = |kind: ValueKind, bytes: usize| {
            VALUE | (kind as u64) << 4 | u64::from(key) << 12 | (bytes as u64) << 44
        };
        match (value, bits(value)) {
            (_, Some((kind, bits))) => write(&[first(kind, 0), span.0, bits]),
            (Value::Text(text), None) => {
                let text = cut(text);
                with_text([first(ValueKind::Text, text.len()), span.0], text, write)
            }
            (_, None) => unreachable!("only text has no bits"),
        }
    }

    /// Calls `write` with the words of an [`Event::Message`](crate::Event::Message).
    pub fn message<R>(
        ticks: u64,
        level: u8,
        colour: u32,
        text: &str,
        write: impl FnOnce(&[u64]) -> R,
    ) -> R {
        let text = cut(text);
        let size = text.len() as u64 | u64::from(level) << 32;
        with_text(
            [timed(ticks, MESSAGE), size, u64::from(colour)],
            text,
            write,
        )
    }

    /// The type and the bits of a value that is no text.
    const fn bits(value: Value<'_>) -> Option<(ValueKind, u64)> {
        Some(match value {
            Value::Int(value) => (ValueKind::Int, value as u64),
            Value::Uint(value) => (ValueKind::Uint, value),
            Value::Float(value) => (ValueKind::Float, value.to_bits()),
            Value::Bool(value) => (ValueKind::Bool, value as u64),
            Value::Text(_) => return None,
        })
    }

    /// The start of a text, of at most [`MAX_TEXT_BYTES`] and whole characters.
    fn cut(text: &str) -> &str {
        &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
    }

    /// Calls `write` with `first` and the text's bytes behind it. Nothing is set aside: the words
    /// lie on the stack, since an allocator may be what is being observed.
    fn with_text<const N: usize, R>(
        first: [u64; N],
        text: &str,
        write: impl FnOnce(&[u64]) -> R,
    ) -> R {
        let fill = |words: &mut [u64]| {
            words[..N].copy_from_slice(&first);
            for (word, bytes) in words[N..].iter_mut().zip(text.as_bytes().chunks(8)) {
                let mut padded = [0; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_le_bytes(padded);
            }
        };
        let count = N + text.len().div_ceil(8);
        if count <= 32 {
            let mut words = [0; 32];
            fill(&mut words[..count]);
            write(&words[..count])
        } else {
            let mut words = [0; MAX_TEXT_BYTES / 8 + 8];
            fill(&mut words[..count]);
            write(&words[..count])
        }
    }
}

/// Words of the event that begins with these two; 1 for what is none.
pub(crate) fn length(first: u64, second: u64) -> usize {
    let with_text = |from: usize, bytes: usize| from + bytes.min(MAX_TEXT_BYTES).div_ceil(8);
    match first & 0xf {
        ZONE_BEGIN | FRAME | SPAN_ENTER | SPAN_EXIT | LOCK => 2,
        VALUE if (first >> 4) as u8 == ValueKind::Text as u8 => {
            with_text(2, (first >> 44) as usize)
        }
        VALUE | PLOT | SPAN_END | MEMORY => 3,
        MESSAGE => with_text(3, second as u32 as usize),
        SPAN_BEGIN if second >> 32 & HAS_TRACE == 0 => 4,
        SPAN_BEGIN => 6,
        CUMULATIVE => 7,
        _ => 1,
    }
}

/// Reads the event at the start of `words`; returns it with its length. `None` at the end of what
/// is written.
///
/// # Errors
/// When the words are no event; what follows them cannot be read either.
pub(crate) fn decode(words: &[u64]) -> Result<Option<(Event, usize)>, BadEvent> {
    let Some(&first) = words.first() else {
        return Ok(None);
    };
    let second = words.get(1).copied().unwrap_or(0);
    let length = length(first, second);
    if words.len() < length {
        return Err(BadEvent::Short);
    }
    let ticks = first >> 4;
    let code = (second >> 32) as u8;
    let event = match first & 0xf {
        0 | REST => return Ok(None),
        ZONE_BEGIN => Event::ZoneBegin {
            ticks,
            site: second as u32,
            depth: (second >> 32) as u16,
        },
        ZONE_END => Event::ZoneEnd { ticks },
        VALUE => Event::Value {
            span: SpanId(second),
            key: (first >> 12) as u32,
            value: match (first >> 4) as u8 {
                kind if kind == ValueKind::Text as u8 => {
                    OwnedValue::Text(text(&words[2..length], (first >> 44) as usize)?)
                }
                kind => plain(kind, words[2])?,
            },
        },
        FRAME => Event::Frame {
            ticks,
            name: second as u32,
            op: match code {
                0 => FrameOp::Mark,
                1 => FrameOp::Begin,
                2 => FrameOp::End,
                other => return Err(BadEvent::Kind(other)),
            },
        },
        PLOT => Event::Plot {
            ticks,
            name: second as u32,
            value: plain(code, words[2])?,
        },
        MESSAGE => Event::Message {
            ticks,
            level: code,
            colour: words[2] as u32,
            text: text(&words[3..length], second as u32 as usize)?,
        },
        SPAN_BEGIN => {
            let flags = second >> 32;
            let trace = match flags & HAS_TRACE {
                0 => 0,
                _ => u128::from(words[4]) << 64 | u128::from(words[5]),
            };
            Event::SpanBegin {
                ticks,
                site: second as u32,
                span: SpanId(words[2]),
                parent: SpanId(words[3]),
                trace: TraceId(trace),
                remote: flags & IS_REMOTE != 0,
            }
        }
        SPAN_END => Event::SpanEnd {
            ticks,
            span: SpanId(second),
            failed: words[2] & HAS_FAILED != 0,
        },
        SPAN_ENTER => Event::SpanEnter {
            ticks,
            span: SpanId(second),
        },
        SPAN_EXIT => Event::SpanExit {
            ticks,
            span: SpanId(second),
        },
        LOCK => Event::Lock {
            ticks,
            lock: second as u32,
            op: match code {
                0 => LockOp::Wait,
                1 => LockOp::Obtained,
                2 => LockOp::Released,
                3 => LockOp::GivenUp,
                4 => LockOp::Shared,
                other => return Err(BadEvent::Kind(other)),
            },
        },
        MEMORY => Event::Memory {
            ticks,
            address: second,
            bytes: words[2],
        },
        CUMULATIVE => Event::Cumulative {
            ticks,
            site: second as u32,
            parent: SpanId(words[2]),
            count: words[3],
            total_nanos: words[4],
            min_nanos: words[5],
            max_nanos: words[6],
        },
        other => return Err(BadEvent::Kind(other as u8)),
    };
    Ok(Some((event, length)))
}

fn plain(kind: u8, bits: u64) -> Result<OwnedValue, BadEvent> {
    Ok(match kind {
        0 => OwnedValue::Int(bits as i64),
        1 => OwnedValue::Uint(bits),
        2 => OwnedValue::Float(f64::from_bits(bits)),
        3 => OwnedValue::Bool(bits != 0),
        other => return Err(BadEvent::Kind(other)),
    })
}

/// The first `bytes` bytes of `words`.
fn text(words: &[u64], bytes: usize) -> Result<String, BadEvent> {
    if bytes.div_ceil(8) > words.len() {
        return Err(BadEvent::Short);
    }
    Ok(crate::definition::text_of(words, bytes))
}
