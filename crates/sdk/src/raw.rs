//! The probes as plain functions: what the macros, the C library and the Python module are made
//! of. Places, texts and locks go by numbers, which [`site`], [`text`] and [`lock`] give; 0 is the
//! number of none, and of what came after 65,536 of its kind.
//!
//! Nothing here panics, and nothing waits but [`connect`](crate::connect). No probe may be called
//! from a signal handler: it may have interrupted one.

use crate::{clock, local, process, tell};
use sondage_wire::encode;
use std::sync::atomic::{AtomicU8, Ordering};

pub use sondage_wire::{FrameOp, LockOp, SpanId, TraceId, Value};

/// The switch and the clock in one: a zone asks once. [`UNSET`] until the first probe.
static SWITCH: AtomicU8 = AtomicU8::new(UNSET);
const UNSET: u8 = 0;
/// On, with ticks of the processor's counter.
const ON_TSC: u8 = 1;
/// On, with ticks of the system's clock.
const ON_OTHER: u8 = 2;
const OFF: u8 = 3;
/// On, and each event goes to Tracy too. As it is none of the others, a zone finds out by the way.
#[cfg(feature = "tracy")]
const ON_TRACY: u8 = 4;

fn on() -> u8 {
    #[cfg(feature = "tracy")]
    if crate::tracy::is_started() {
        return ON_TRACY;
    }
    match clock::kind() {
        sondage_wire::ClockKind::Tsc => ON_TSC,
        sondage_wire::ClockKind::MonotonicNanos => ON_OTHER,
    }
}

/// Whether probes record. They do from the start of the program.
#[inline]
#[must_use]
pub fn is_enabled() -> bool {
    SWITCH.load(Ordering::Relaxed) != OFF
}

/// Turns all probes of the process on or off. What began before still ends.
pub fn set_enabled(enabled: bool) {
    SWITCH.store(if enabled { on() } else { OFF }, Ordering::Relaxed);
}

/// Whether events go to Tracy too.
#[cfg(feature = "tracy")]
#[inline(always)]
pub(crate) fn is_to_tracy() -> bool {
    SWITCH.load(Ordering::Relaxed) == ON_TRACY
}

/// Tracy has come, or stayed behind in the parent of this process. Whoever turned probes off is not
/// overruled.
#[cfg(feature = "tracy")]
pub(crate) fn turn() {
    let (relaxed, turned) = (Ordering::Relaxed, on());
    let _ = SWITCH.fetch_update(relaxed, relaxed, |now| (now != OFF).then_some(turned));
}

/// Now, on the clock of events.
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    clock::ticks()
}

/// Nanoseconds that `ticks` ticks last, from the rate between the arena's making and now.
#[must_use]
pub fn nanos_of(ticks: u64) -> u64 {
    process::rate().nanos(ticks)
}

/// The number of a place in the source: its zone's name, function, file, line and colour
/// (`0xRRGGBB`, 0 for none). The same place has the same number for good.
#[must_use]
pub fn site(name: &str, function: &str, file: &str, line: u32, colour: u32) -> u32 {
    process::with_registry(|registry, arena| {
        registry.site(arena, (name, function, file), line, colour)
    })
}

/// The number of a text: the name of a frame, of a plot, of an argument.
#[must_use]
pub fn text(text: &str) -> u32 {
    process::with_registry(|registry, arena| registry.text(arena, text))
}

/// A number for a new lock, with its name and the place where it was made (`file:line`).
#[must_use]
pub fn lock(name: &str, place: &str) -> u32 {
    process::with_registry(|registry, arena| registry.lock(arena, name, place, false))
}

/// As [`lock`], for one that readers may have together ([`LockOp::Shared`]).
#[must_use]
pub fn shared_lock(name: &str, place: &str) -> u32 {
    process::with_registry(|registry, arena| registry.lock(arena, name, place, true))
}

/// Begins a zone in this thread. When it says true, [`zone_end`] must follow in the same thread,
/// after those of all zones begun since.
#[inline(always)]
#[must_use]
pub fn zone_begin(site: u32) -> bool {
    zone_begin_at(|| site)
}

/// As [`zone_begin`], with a place whose number is asked for only when probes are on.
#[inline(always)]
#[must_use]
pub fn zone_begin_at(site: impl FnOnce() -> u32) -> bool {
    match SWITCH.load(Ordering::Relaxed) {
        ON_TSC => {
            let site = site();
            local::zone_begin(clock::tsc(), site)
        }
        OFF => false,
        _ => zone_begin_other(site()),
    }
}

#[cold]
#[inline(never)]
fn zone_begin_other(site: u32) -> bool {
    if SWITCH.load(Ordering::Relaxed) == UNSET {
        // Whoever turns it off in between is not overruled.
        let _ = SWITCH.compare_exchange(UNSET, on(), Ordering::Relaxed, Ordering::Relaxed);
    }
    at::zone_begin(clock::ticks(), site)
}

/// Ends the innermost zone of this thread.
#[inline(always)]
pub fn zone_end() {
    local::zone_end(clock::ticks());
}

/// A number for a new span: unique in this process, and as good as random between processes.
#[inline]
#[must_use]
pub fn new_span_id() -> SpanId {
    local::new_span_id()
}

/// A number for a new trace.
#[must_use]
pub fn new_trace_id() -> TraceId {
    let halves = u128::from(process::fresh_random()) << 64 | u128::from(process::fresh_random());
    TraceId(halves.max(1))
}

/// The span that this thread is in, as [`set_current_span`] had it; 0 for none.
#[inline]
#[must_use]
pub fn current_span() -> SpanId {
    // SAFETY: the pointer is to this thread's own.
    unsafe { (*local::local()).span }
}

/// Says which span this thread is in; returns the one before. Records nothing.
#[inline]
pub fn set_current_span(span: SpanId) -> SpanId {
    // SAFETY: the pointer is to this thread's own.
    unsafe { std::mem::replace(&mut (*local::local()).span, span) }
}

/// Begins a span inside `parent` (0 for none) and enters it. False when it is not recorded.
#[inline]
pub fn span_begin(site: u32, span: SpanId, parent: SpanId) -> bool {
    is_enabled() && at::span_begin(ticks(), site, span, parent)
}

/// As [`span_begin`], and leaves it: it goes on later, here or in another thread.
#[inline]
pub fn span_make(site: u32, span: SpanId, parent: SpanId) -> bool {
    let is_made = is_enabled() && local::write(&encode::span_begin(ticks(), site, span, parent));
    if is_made {
        local::write(&encode::span_exit(ticks(), span));
        tell::span_make(site, span);
    }
    is_made
}

/// Begins a span that begins a trace, or whose parent is in another process (`remote`).
#[inline]
pub fn span_root(site: u32, span: SpanId, parent: SpanId, trace: TraceId, remote: bool) -> bool {
    is_enabled() && at::span_root(ticks(), site, (span, parent), trace, remote)
}

/// This thread goes on with a span.
#[inline]
pub fn span_enter(span: SpanId) -> bool {
    tell::span_enter(span);
    local::write(&encode::span_enter(ticks(), span))
}

/// This thread leaves a span that goes on later, here or in another thread.
#[inline]
pub fn span_exit(span: SpanId) -> bool {
    tell::span_exit(span);
    local::write(&encode::span_exit(ticks(), span))
}

/// Ends a span; `failed` says that an error left it.
#[inline]
pub fn span_end(span: SpanId, failed: bool) -> bool {
    at::span_end(ticks(), span, failed)
}

/// Probes with a time that the caller has read from [`ticks`] already, for bindings that keep it.
pub mod at {
    use super::{SpanId, TraceId, encode, is_enabled, local, tell};

    /// As [`zone_begin`](super::zone_begin).
    #[inline(always)]
    #[must_use]
    pub fn zone_begin(ticks: u64, site: u32) -> bool {
        #[cfg(feature = "tracy")]
        if super::is_to_tracy() {
            return crate::tracy::zone_begin(ticks, site);
        }
        is_enabled() && local::zone_begin(ticks, site)
    }

    /// As [`zone_end`](super::zone_end).
    #[inline(always)]
    pub fn zone_end(ticks: u64) {
        local::zone_end(ticks);
    }

    /// As [`span_begin`](super::span_begin).
    #[inline]
    pub fn span_begin(ticks: u64, site: u32, span: SpanId, parent: SpanId) -> bool {
        let is_written =
            is_enabled() && local::write(&encode::span_begin(ticks, site, span, parent));
        if is_written {
            tell::span_begin(site, span);
        }
        is_written
    }

    /// As [`span_root`](super::span_root).
    #[inline]
    pub fn span_root(
        ticks: u64,
        site: u32,
        ids: (SpanId, SpanId),
        trace: TraceId,
        remote: bool,
    ) -> bool {
        let is_written =
            is_enabled() && local::write(&encode::span_root(ticks, site, ids, trace, remote));
        if is_written {
            tell::span_begin(site, ids.0);
        }
        is_written
    }

    /// As [`span_end`](super::span_end).
    #[inline]
    pub fn span_end(ticks: u64, span: SpanId, failed: bool) -> bool {
        tell::span_end(span);
        local::write(&encode::span_end(ticks, span, failed))
    }
}

/// An argument of a span, or of this thread's innermost zone where `span` is 0.
#[inline]
pub fn value(span: SpanId, key: u32, value: Value<'_>) -> bool {
    tell::value(span, key, value);
    is_enabled() && encode::value(span, key, value, local::write)
}

/// As [`value`], for bindings that tell Tracy of it in another way.
#[inline]
pub fn value_untold(span: SpanId, key: u32, value: Value<'_>) -> bool {
    is_enabled() && encode::value(span, key, value, local::write)
}

/// A frame mark. `name` is a text's number, 0 for the program's main frame.
#[inline]
pub fn frame(name: u32, op: FrameOp) -> bool {
    tell::frame(name, op);
    is_enabled() && local::write(&encode::frame(ticks(), name, op))
}

/// A value of the plot that the text `name` names.
#[inline]
pub fn plot(name: u32, value: Value<'_>) -> bool {
    tell::plot(name, value);
    is_enabled() && local::write(&encode::plot(ticks(), name, value))
}

/// A line of text, with its level (1 debug to 5 critical) and colour (`0xRRGGBB`, 0 for none).
#[inline]
pub fn message(level: u8, colour: u32, text: &str) -> bool {
    tell::message(level, colour, text);
    is_enabled() && encode::message(ticks(), level, colour, text, local::write)
}

/// Something happened to a lock.
#[inline]
pub fn lock_event(lock: u32, op: LockOp) -> bool {
    tell::lock(lock, op, LockOp::Obtained);
    is_enabled() && local::write(&encode::lock(ticks(), lock, op))
}

/// The thread waits for a lock to have it as `wanted` says, [`LockOp::Obtained`] or
/// [`LockOp::Shared`]. Where that is not known, [`lock_event`] does.
#[inline]
pub fn lock_wait(lock: u32, wanted: LockOp) -> bool {
    tell::lock(lock, LockOp::Wait, wanted);
    is_enabled() && local::write(&encode::lock(ticks(), lock, LockOp::Wait))
}

/// Memory was set aside, or given back where `bytes` is 0. What sondage sets aside for names and
/// events is not recorded.
#[inline]
pub fn memory(address: u64, bytes: u64) -> bool {
    tell::memory(address, bytes);
    is_enabled() && !local::is_busy() && local::write(&encode::memory(ticks(), address, bytes))
}

/// Many passes of one place, added up: `[total, least, most]` in nanoseconds.
#[inline]
pub fn cumulative(site: u32, parent: SpanId, count: u64, nanos: [u64; 3]) -> bool {
    tell::cumulative(site, nanos[0]);
    is_enabled() && local::write(&encode::cumulative(ticks(), site, parent, count, nanos))
}

/// Names this thread in recordings. Without, it has the name that the system knows it by.
pub fn thread_name(name: &str) {
    local::set_thread_name(name);
    tell::thread_name(name);
}

/// Names this process in recordings.
pub fn process_name(name: &str) {
    process::with_registry(|registry, arena| registry.process(arena, name));
    tell::process_name(name);
}

/// What a zone costs here, in picoseconds, as measured when the first probe ran; 0 before.
#[must_use]
pub fn zone_cost_picos() -> u64 {
    process::existing().map_or(0, |arena| arena.zone_cost_picos())
}

/// What was lost since the start of the process: events for which there was no room, and names.
#[must_use]
pub fn lost() -> Lost {
    let arena = process::existing();
    let refused = process::with_registry(|registry, _| registry.refused);
    Lost {
        events: arena.map_or(0, |arena| arena.lost()),
        names: arena.map_or(0, |arena| arena.lost_names()) + refused,
    }
}

/// What [`lost`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Events.
    pub events: u64,
    /// Names of places, texts and locks that got no number, and definitions without room.
    pub names: u64,
}
