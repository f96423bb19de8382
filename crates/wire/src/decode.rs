//! From words to events.

use crate::event::{
    BadEvent, CUMULATIVE, Event, FRAME, FrameOp, HAS_FAILED, HAS_TRACE, IS_REMOTE, LOCK, LockOp,
    MAX_TEXT_BYTES, MEMORY, MESSAGE, OwnedValue, PLOT, REST, SPAN_BEGIN, SPAN_END, SPAN_ENTER,
    SPAN_EXIT, SpanId, TraceId, VALUE, ValueKind, ZONE_BEGIN, ZONE_END,
};

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
