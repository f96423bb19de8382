//! What probes tell Tracy: one look at a switch where it does not run.

use crate::raw::{self, FrameOp, LockOp, SpanId, Value};
use crate::tracy::{self, Lock, Name, Place};

/// Functions that tell when `$when`.
macro_rules! when {
    ($when:expr => $($name:ident($($argument:ident: $of:ty),*);)*) => { $(
        #[inline(always)]
        pub(crate) fn $name($($argument: $of),*) {
            if $when {
                tracy::$name($($argument),*);
            }
        }
    )* };
}

// What begins, when probes are on.
when! { raw::is_to_tracy() =>
    span_make(site: u32, span: SpanId);
    value(span: SpanId, key: u32, value: Value<'_>);
    frame(name: u32, op: FrameOp);
    plot(name: u32, value: Value<'_>);
    message(level: u8, colour: u32, text: &str);
    lock(lock: u32, op: LockOp, wanted: LockOp);
    cumulative(site: u32, nanos: u64);
}

// What ends, at any time.
when! { tracy::is_started() =>
    span_enter(span: SpanId);
    span_exit(span: SpanId);
    span_end(span: SpanId);
    process_name(name: &str);
}

pub(crate) use tracy::memory;

/// A span begins in this thread.
#[inline(always)]
pub(crate) fn span_begin(site: u32, span: SpanId) {
    if raw::is_to_tracy() {
        tracy::span_make(site, span);
        tracy::span_enter(span);
    }
}

/// The program names the thread. Kept until Tracy runs.
pub(crate) fn thread_name(name: &str) {
    crate::local::keep_name(name);
}

pub(crate) use tracy::{at_exit, forked, look};

/// The registry has got something new.
pub(crate) fn new_site(id: u32, names: (&str, &str, &str), line: u32, colour: u32) {
    if tracy::is_started() {
        Place::add(id, names, line, colour);
    }
}

/// The registry has got something new.
pub(crate) fn new_text(id: u32, text: &str) {
    if tracy::is_started() {
        Name::add(id, text);
    }
}

/// The registry has got something new.
pub(crate) fn new_lock(id: u32, name: &str, place: &str, is_shared: bool) {
    if tracy::is_started() {
        Lock::add(id, name, place, is_shared);
    }
}
