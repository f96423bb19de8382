//! The probes as plain functions, which do nothing: `default-features = false`.

pub use sondage_wire::{FrameOp, LockOp, SpanId, TraceId, Value};

macro_rules! nothing {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $of:ty),*) $(-> $gives:ty = $what:expr)?;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name($($argument: $of),*) $(-> $gives)? {
            $( let _ = $argument; )*
            $( $what )?
        }
    )* };
}

nothing! {
    /// No.
    fn is_enabled() -> bool = false;
    /// Nothing can turn them on.
    fn set_enabled(enabled: bool);
    /// No clock is read.
    fn ticks() -> u64 = 0;
    /// 0.
    fn nanos_of(ticks: u64) -> u64 = 0;
    /// 0.
    fn site(name: &str, function: &str, file: &str, line: u32, colour: u32) -> u32 = 0;
    /// 0.
    fn text(text: &str) -> u32 = 0;
    /// 0.
    fn lock(name: &str, place: &str) -> u32 = 0;
    /// 0.
    fn shared_lock(name: &str, place: &str) -> u32 = 0;
    /// False.
    fn zone_begin(site: u32) -> bool = false;
    /// Nothing.
    fn zone_end();
    /// None.
    fn new_span_id() -> SpanId = SpanId(0);
    /// None.
    fn new_trace_id() -> TraceId = TraceId(0);
    /// None.
    fn current_span() -> SpanId = SpanId(0);
    /// None.
    fn set_current_span(span: SpanId) -> SpanId = SpanId(0);
    /// False.
    fn span_begin(site: u32, span: SpanId, parent: SpanId) -> bool = false;
    /// False.
    fn span_make(site: u32, span: SpanId, parent: SpanId) -> bool = false;
    /// False.
    fn span_root(site: u32, span: SpanId, parent: SpanId, trace: TraceId, remote: bool) -> bool = false;
    /// False.
    fn span_enter(span: SpanId) -> bool = false;
    /// False.
    fn span_exit(span: SpanId) -> bool = false;
    /// False.
    fn span_end(span: SpanId, failed: bool) -> bool = false;
    /// False.
    fn value(span: SpanId, key: u32, value: Value<'_>) -> bool = false;
    /// False.
    fn value_untold(span: SpanId, key: u32, value: Value<'_>) -> bool = false;
    /// False.
    fn frame(name: u32, op: FrameOp) -> bool = false;
    /// False.
    fn plot(name: u32, value: Value<'_>) -> bool = false;
    /// False.
    fn message(level: u8, colour: u32, text: &str) -> bool = false;
    /// False.
    fn lock_event(lock: u32, op: LockOp) -> bool = false;
    /// False.
    fn lock_wait(lock: u32, wanted: LockOp) -> bool = false;
    /// False.
    fn memory(address: u64, bytes: u64) -> bool = false;
    /// False.
    fn cumulative(site: u32, parent: SpanId, count: u64, nanos: [u64; 3]) -> bool = false;
    /// Nothing.
    fn thread_name(name: &str);
    /// Nothing.
    fn process_name(name: &str);
    /// 0.
    fn zone_cost_picos() -> u64 = 0;
    /// Nothing.
    fn lost() -> Lost = Lost::default();
}

/// False.
#[inline(always)]
pub fn zone_begin_at(site: impl FnOnce() -> u32) -> bool {
    let _ = site;
    false
}

/// Probes with a time that the caller has read already: nothing.
pub mod at {
    use super::{SpanId, TraceId};

    nothing! {
        /// False.
        fn zone_begin(ticks: u64, site: u32) -> bool = false;
        /// Nothing.
        fn zone_end(ticks: u64);
        /// False.
        fn span_begin(ticks: u64, site: u32, span: SpanId, parent: SpanId) -> bool = false;
        /// False.
        fn span_root(ticks: u64, site: u32, ids: (SpanId, SpanId), trace: TraceId, remote: bool) -> bool = false;
        /// False.
        fn span_end(ticks: u64, span: SpanId, failed: bool) -> bool = false;
    }
}

/// What [`lost`] counts: nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Events.
    pub events: u64,
    /// Names.
    pub names: u64,
}
