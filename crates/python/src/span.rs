//! The span: what `with profiler.span("x")` makes, enters and leaves, and a node of its trace.

use crate::object::{
    FreeList, Guarded, Head, OFFSET_BIT, Object, TypeBuilder, Vectorcall, call_in, decref, incref,
    method_fast, method0, new_ref, none, raise, xdecref,
};
use crate::sum::{self, Sum};
use crate::{capture, context, names, store, tasks, tracy};
use pyo3::ffi as py;
use sondage::raw::{self, SpanId, TraceId};
use std::ffi::c_void;
use std::mem::{offset_of, replace};
use std::ptr::null_mut;

mod kind;
mod remote;

use kind::call_span;
pub(crate) use kind::{enter_by_call, init, note_error};
pub(crate) use remote::{enter_remote, leave_remote, new_remote};

/// Spans of one trace that are kept in its tree. Those beyond are recorded and counted only.
pub(crate) const MOST_IN_A_TRACE: u32 = 10_000;

const ENTERED: u32 = 1;
const ENDED: u32 = 2;
const FAILED: u32 = 4;
/// It ended while another span was current.
const OUT_OF_TURN: u32 = 8;
/// Its trace has no room for it.
const UNKEPT: u32 = 16;
/// A span of this trace ended out of turn: links upwards may be left in it.
const HAS_LINKS: u32 = 32;
/// It stands for a span of another process.
const REMOTE: u32 = 64;
/// A call that was traced: a zone of the thread in the recording.
const ZONE: u32 = 128;

/// A span. Python knows it as `ProfilingSpan`.
#[repr(C)]
pub(crate) struct Span {
    head: Head,
    call: Vectorcall,
    name: Object,
    /// A `dict`, or null.
    data: Object,
    /// The span around it, as long as it is open.
    parent: *mut Span,
    /// The outermost span of its trace, as long as it is open; null for itself.
    root: *mut Span,
    /// Those inside it: the first owns the next and so on.
    first: *mut Span,
    /// The last of them, borrowed.
    last: *mut Span,
    next: *mut Span,
    /// Cumulative spans inside it, likewise.
    sums: *mut Sum,
    start: u64,
    end: u64,
    id: u64,
    /// Of a root only.
    trace: u128,
    site: u32,
    flags: u32,
    /// Of a root only: spans in its tree, and those that found no room.
    inside: u32,
    lost: u32,
    /// How often it was entered again while it was open.
    again: u32,
}

/// Its own cost is being measured.
const TIMED: u32 = 256;

/// Of so many spans one is measured. A prime: programs count in round numbers.
const TIMED_EVERY: u32 = 251;

/// More ticks than any span's own work takes: the thread was stopped.
const MOST_OWN_TICKS: u64 = 1 << 21;

struct State {
    kind: *mut py::PyTypeObject,
    free: FreeList<Span>,
    /// Spans that wait for their end: trees are deeper than stacks.
    ending: Vec<*mut Span>,
    is_ending: bool,
    /// Spans recorded since the start, and calls that were traced.
    count: u64,
    calls: u64,
    /// Spans until the next one whose own cost is measured.
    until_timed: u32,
    /// What was measured, in ticks, and of how many spans.
    own_ticks: u64,
    timed: u64,
    /// Spans in memory.
    live: u64,
    /// Half of the numbers of traces that begin here.
    trace_high: u64,
    /// The span that this process was started in.
    outer: (TraceId, SpanId),
}

static STATE: Guarded<State> = Guarded::new(State {
    kind: null_mut(),
    free: FreeList::new(),
    ending: Vec::new(),
    is_ending: false,
    count: 0,
    calls: 0,
    until_timed: TIMED_EVERY,
    own_ticks: 0,
    timed: 0,
    live: 0,
    trace_high: 0,
    outer: (TraceId(0), SpanId(0)),
});

impl Span {
    #[inline(always)]
    pub fn ended_out_of_turn(&self) -> bool {
        self.flags & OUT_OF_TURN != 0
    }

    #[inline(always)]
    pub fn parent(&self) -> *mut Span {
        self.parent
    }

    pub fn id(&self) -> SpanId {
        SpanId(self.id)
    }

    pub fn sums(&mut self) -> &mut *mut Sum {
        &mut self.sums
    }

    pub fn is_remote(&self) -> bool {
        self.flags & REMOTE != 0
    }

    pub fn is_open(&self) -> bool {
        self.flags & (ENTERED | ENDED) == ENTERED
    }

    pub fn is_call(&self) -> bool {
        self.flags & ZONE != 0
    }

    pub fn end_out_of_turn(&mut self) {
        self.flags |= OUT_OF_TURN;
    }

    /// Ticks from its begin to its end, or until now.
    pub fn ticks(&self) -> u64 {
        match self.flags & (ENTERED | ENDED) {
            0 => 0,
            ENTERED => raw::ticks().saturating_sub(self.start),
            _ => self.end.saturating_sub(self.start),
        }
    }
}

/// Whether an object is a span.
pub(crate) unsafe fn is_span(object: Object) -> bool {
    // SAFETY: the caller has a live object.
    unsafe { crate::object::type_of(object) == (*STATE.get()).kind }
}

/// A new span called `name` at `site`. Null with an exception set when there is no memory.
#[inline(always)]
pub(crate) unsafe fn new(name: Object, site: u32) -> *mut Span {
    // SAFETY: the GIL is held; `name` is a live `str`.
    unsafe {
        let state = STATE.get();
        let span = (*state).free.take((*state).kind);
        if span.is_null() {
            return null_mut();
        }
        (*state).live += 1;
        (*span).call = call_span;
        (*span).name = new_ref(name);
        (*span).data = null_mut();
        (*span).parent = null_mut();
        (*span).root = null_mut();
        (*span).first = null_mut();
        (*span).last = null_mut();
        (*span).next = null_mut();
        (*span).sums = null_mut();
        (*span).site = site;
        (*span).flags = 0;
        (*span).inside = 0;
        (*span).lost = 0;
        (*span).again = 0;
        span
    }
}

/// Gives it its place in the tree. `parent` is the caller's reference, null for none.
#[inline(always)]
unsafe fn place(span: *mut Span, parent: *mut Span) {
    // SAFETY: both are live; the GIL is held.
    unsafe {
        (*span).parent = parent;
        if parent.is_null() || (*parent).is_remote() {
            return;
        }
        let root = if (*parent).root.is_null() {
            parent
        } else {
            (*parent).root
        };
        incref(root.cast());
        (*span).root = root;
        if (*root).inside >= MOST_IN_A_TRACE || (*parent).flags & UNKEPT != 0 {
            (*root).lost += 1;
            (*span).flags |= UNKEPT;
            return;
        }
        (*root).inside += 1;
        incref(span.cast());
        let last = replace(&mut (*parent).last, span);
        if last.is_null() {
            (*parent).first = span;
        } else {
            (*last).next = span;
        }
    }
}

/// Makes it current and begins it.
#[inline(always)]
pub(crate) unsafe fn enter(span: *mut Span) {
    // SAFETY: the span is live, and the GIL is held.
    unsafe {
        let mut parent = context::swap(new_ref(span.cast()).cast());
        if !parent.is_null() && (*parent).flags & OUT_OF_TURN != 0 {
            parent = pass_over(parent);
        }
        (*span).flags |= ENTERED;
        (*STATE.get()).count += 1;
        place(span, parent);
        let is_told = tracy::is_on();
        if is_told {
            tracy::before_begin(parent);
        }
        begin(span, parent);
        if is_told {
            tracy::after_begin(span);
        }
    }
}

/// Records that it begins.
#[inline(always)]
unsafe fn begin(span: *mut Span, parent: *mut Span) {
    // SAFETY: as in `enter`.
    unsafe {
        let id = raw::new_span_id();
        (*span).id = id.0;
        let is_outermost = parent.is_null() || (*parent).is_remote();
        tasks::tell(id, is_outermost);
        if is_outermost {
            begin_root(span, parent);
        } else {
            (*span).start = raw::ticks();
            raw::at::span_begin((*span).start, (*span).site, id, SpanId((*parent).id));
        }
        if !(*span).data.is_null() {
            capture::record_all(id, (*span).data);
        }
    }
}

#[inline]
unsafe fn begin_root(span: *mut Span, remote: *mut Span) {
    // SAFETY: as in `enter`.
    unsafe {
        let state = STATE.get();
        let (trace, parent) = if !remote.is_null() {
            (TraceId((*remote).trace), SpanId((*remote).id))
        } else if (*state).outer.1.0 != 0 {
            (*state).outer
        } else {
            let trace = u128::from((*state).trace_high) << 64 | u128::from((*span).id);
            (TraceId(trace), SpanId(0))
        };
        (*span).trace = trace.0;
        (*span).start = raw::ticks();
        let id = SpanId((*span).id);
        let ids = (id, parent);
        raw::at::span_root((*span).start, (*span).site, ids, trace, parent.0 != 0);
    }
}

/// The nearest span outwards that did not end out of turn, for one that did. Takes a reference and
/// gives one. Those passed over let their parents go: nobody comes by them again.
#[cold]
#[inline(never)]
unsafe fn pass_over(mut span: *mut Span) -> *mut Span {
    // SAFETY: as in `enter`.
    unsafe {
        while !span.is_null() && (*span).flags & OUT_OF_TURN != 0 {
            let parent = replace(&mut (*span).parent, null_mut());
            decref(span.cast());
            span = parent;
        }
    }
    span
}

/// Ends it, and makes what was current before current again.
#[inline(always)]
pub(crate) unsafe fn leave(span: *mut Span, failed: bool) {
    // SAFETY: as in `enter`.
    unsafe {
        end(span, failed);
        let mut parent = (*span).parent;
        if !parent.is_null() {
            incref(parent.cast());
            if (*parent).flags & OUT_OF_TURN != 0 {
                parent = pass_over(parent);
            }
        }
        if context::leave(span, parent) {
            let parent = replace(&mut (*span).parent, null_mut());
            xdecref(parent.cast());
        } else {
            (*span).flags |= OUT_OF_TURN;
            let root = (*span).root;
            if !root.is_null() {
                (*root).flags |= HAS_LINKS;
            }
        }
        close(span);
    }
}

/// Adds what one span took of its own to what was measured. What a span costs depends on the
/// program's memory and caches, so some are measured where they are, in the code that all run.
#[cold]
unsafe fn note_ticks(began: u64, ended: u64) {
    // SAFETY: as in `enter`.
    unsafe {
        let ticks = ended.saturating_sub(began);
        if ticks < MOST_OWN_TICKS {
            (*STATE.get()).own_ticks += ticks;
        }
    }
}

/// Ticks of the spans that were measured, and how many; set anew.
pub(crate) fn swap_timed(new: (u64, u64)) -> (u64, u64) {
    // SAFETY: the GIL is held by who asks.
    unsafe {
        let state = STATE.get();
        let before = ((*state).own_ticks, (*state).timed);
        ((*state).own_ticks, (*state).timed) = new;
        before
    }
}

/// Ends it where it is current no more.
pub(crate) unsafe fn leave_suspended(span: *mut Span, failed: bool) {
    // SAFETY: as in `enter`.
    unsafe {
        end(span, failed);
        let parent = replace(&mut (*span).parent, null_mut());
        xdecref(parent.cast());
        close(span);
    }
}

#[inline(always)]
unsafe fn end(span: *mut Span, failed: bool) {
    // SAFETY: as in `enter`.
    unsafe {
        if !(*span).sums.is_null() {
            sum::flush_all((*span).sums, SpanId((*span).id));
        }
        (*span).flags |= if failed { ENDED | FAILED } else { ENDED };
        if tracy::is_on() {
            tracy::before_end(span);
        }
        (*span).end = raw::ticks();
        raw::at::span_end((*span).end, SpanId((*span).id), failed);
    }
}

/// What follows its end: a trace is complete, or its root is let go.
#[inline(always)]
unsafe fn close(span: *mut Span) {
    // SAFETY: as in `enter`.
    unsafe {
        let root = replace(&mut (*span).root, null_mut());
        if root.is_null() {
            store::add(span.cast());
        } else {
            decref(root.cast());
        }
    }
}

/// Begins a call that is traced: inside `parent`, whose reference it takes, and never current.
#[inline(always)]
pub(crate) unsafe fn begin_call(span: *mut Span, parent: *mut Span) {
    // SAFETY: as in `enter`.
    unsafe {
        (*span).flags |= ENTERED | ZONE;
        (*STATE.get()).calls += 1;
        place(span, parent);
        (*span).id = (*parent).id;
        (*span).start = raw::ticks();
        let is_recorded = raw::at::zone_begin((*span).start, (*span).site);
        (*span).again = u32::from(is_recorded);
    }
}

/// Ends a call that is traced; its parent, as a reference.
#[inline(always)]
pub(crate) unsafe fn end_call(span: *mut Span, failed: bool) -> *mut Span {
    // SAFETY: as in `enter`.
    unsafe {
        (*span).end = raw::ticks();
        if (*span).again != 0 {
            raw::at::zone_end((*span).end);
        }
        (*span).flags |= if failed { ENDED | FAILED } else { ENDED };
        let root = replace(&mut (*span).root, null_mut());
        xdecref(root.cast());
        replace(&mut (*span).parent, null_mut())
    }
}

/// Lets go of links upwards that spans ended out of turn left, before a trace is given up.
pub(crate) unsafe fn cut_links(root: *mut Span) {
    // SAFETY: the tree is the caller's to give up; the GIL is held.
    unsafe {
        if (*root).flags & HAS_LINKS == 0 {
            return;
        }
        let mut pending = vec![root];
        while let Some(span) = pending.pop() {
            let mut child = (*span).first;
            while !child.is_null() {
                pending.push(child);
                child = (*child).next;
            }
            if (*span).flags & ENDED != 0 {
                let parent = replace(&mut (*span).parent, null_mut());
                xdecref(parent.cast());
            }
        }
    }
}

/// Puts a value into the span's data, and its events if it is open.
pub(crate) unsafe fn put(span: *mut Span, key: Object, value: Object) {
    // SAFETY: as the caller says.
    unsafe { put_with(span, key, value, raw::value) }
}

/// As [`put`], and Tracy hears of it otherwise.
pub(crate) unsafe fn put_untold(span: *mut Span, key: Object, value: Object) {
    // SAFETY: as the caller says.
    unsafe { put_with(span, key, value, raw::value_untold) }
}

#[inline(always)]
unsafe fn put_with(span: *mut Span, key: Object, value: Object, write: capture::Write) {
    // SAFETY: as in `call_span`.
    unsafe {
        if (*span).data.is_null() {
            (*span).data = py::PyDict_New();
            if (*span).data.is_null() {
                py::PyErr_Clear();
                return;
            }
        }
        let id = if (*span).is_open() { (*span).id } else { 0 };
        capture::put((*span).data, SpanId(id), key, value, write);
    }
}

/// Trace and number of a span. An ended span's trace is known where it is the root.
pub(crate) unsafe fn ids(span: *mut Span) -> (TraceId, SpanId) {
    // SAFETY: the caller has a live span.
    unsafe {
        let root = if (*span).root.is_null() {
            span
        } else {
            (*span).root
        };
        (TraceId((*root).trace), SpanId((*span).id))
    }
}

/// Ends a span's memory, and that of what only it holds, without recursion.
unsafe extern "C" fn dealloc(object: Object) {
    // SAFETY: Python ends an object of ours; the GIL is held.
    unsafe {
        let state = STATE.get();
        let span: *mut Span = object.cast();
        let is_simple = (*span).first.is_null() && (*span).parent.is_null();
        if is_simple && !(*state).is_ending {
            end_memory(span);
            return;
        }
        (*state).ending.push(span);
        if (*state).is_ending {
            return;
        }
        (*state).is_ending = true;
        while let Some(span) = (*state).ending.pop() {
            end_memory(span);
        }
        (*state).is_ending = false;
    }
}

#[inline(always)]
unsafe fn end_memory(span: *mut Span) {
    // SAFETY: as in `dealloc`.
    unsafe {
        decref((*span).name);
        xdecref((*span).data);
        xdecref((*span).parent.cast());
        xdecref((*span).root.cast());
        xdecref((*span).sums.cast());
        let mut child = (*span).first;
        while !child.is_null() {
            let next = replace(&mut (*child).next, null_mut());
            decref(child.cast());
            child = next;
        }
        let state = STATE.get();
        (*state).live -= 1;
        (*state).free.give(span);
    }
}

/// Spans recorded since the start, and calls that were traced.
pub(crate) fn counts() -> [u64; 2] {
    // SAFETY: the GIL is held by who asks.
    unsafe { [(*STATE.get()).count, (*STATE.get()).calls] }
}

/// Sets the counts back: what was measured on ourselves is not the program's.
pub(crate) fn set_counts([spans, calls]: [u64; 2]) {
    // SAFETY: as in `counts`.
    unsafe { ((*STATE.get()).count, (*STATE.get()).calls) = (spans, calls) }
}

/// Spans in memory.
#[inline(always)]
pub(crate) fn live() -> u64 {
    // SAFETY: as in `counts`.
    unsafe { (*STATE.get()).live }
}

/// Sets the span that this process was started in.
pub(crate) unsafe fn set_outer(trace: TraceId, span: SpanId) {
    // SAFETY: as in `counts`.
    unsafe { (*STATE.get()).outer = (trace, span) }
}

/// `name` as the site and the object that spans are called by; an error when it is no `str`.
#[inline(always)]
pub(crate) unsafe fn site_of_name(name: Object) -> Option<u32> {
    // SAFETY: the caller has a live object.
    unsafe { (py::PyUnicode_Check(name) != 0).then(|| names::site(name)) }
}
