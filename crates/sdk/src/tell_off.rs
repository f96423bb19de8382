//! What probes tell Tracy without the feature `tracy`: nothing.

use crate::raw::{FrameOp, LockOp, SpanId, Value};

macro_rules! nothing {
    ($($name:ident($($argument:ident: $of:ty),*);)*) => { $(
        #[inline(always)]
        pub(crate) fn $name($($argument: $of),*) {
            $( let _ = $argument; )*
        }
    )* };
}

nothing! {
    span_make(site: u32, span: SpanId);
    span_begin(site: u32, span: SpanId);
    span_enter(span: SpanId);
    span_exit(span: SpanId);
    span_end(span: SpanId);
    value(span: SpanId, key: u32, value: Value<'_>);
    frame(name: u32, op: FrameOp);
    plot(name: u32, value: Value<'_>);
    message(level: u8, colour: u32, text: &str);
    lock(lock: u32, op: LockOp, wanted: LockOp);
    memory(address: u64, bytes: u64);
    cumulative(site: u32, nanos: u64);
    thread_name(name: &str);
    process_name(name: &str);
    new_site(id: u32, names: (&str, &str, &str), line: u32, colour: u32);
    new_text(id: u32, text: &str);
    new_lock(id: u32, name: &str, place: &str, is_shared: bool);
    look();
    forked();
    at_exit();
}
