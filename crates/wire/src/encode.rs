//! From events to words. [`Producer`](crate::Producer) writes what these return.

use crate::event::{
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
pub fn value<R>(span: SpanId, key: u32, value: Value<'_>, write: impl FnOnce(&[u64]) -> R) -> R {
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
fn with_text<const N: usize, R>(first: [u64; N], text: &str, write: impl FnOnce(&[u64]) -> R) -> R {
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
