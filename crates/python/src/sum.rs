//! Cumulative spans: one entry in the tree however many passes.

use crate::object::{
    FreeList, Guarded, Head, OFFSET_BIT, Object, TypeBuilder, Vectorcall, call_in, decref,
    method_fast, method0, new_ref, none, raise, xdecref,
};
use crate::span;
use crate::{context, store};
use pyo3::ffi as py;
use sondage::raw::{self, SpanId};
use std::ffi::c_void;
use std::mem::{offset_of, replace};
use std::ptr::null_mut;

/// The passes of one name inside one span. Python knows it as `CumulativeSpan`.
#[repr(C)]
pub(crate) struct Sum {
    head: Head,
    name: Object,
    /// The next one in the same span, owned.
    next: *mut Sum,
    site: u32,
    /// Ticks.
    begin: u64,
    count: u64,
    total: u64,
    least: u64,
    most: u64,
    /// What was not recorded yet.
    new_count: u64,
    new_total: u64,
    new_least: u64,
    new_most: u64,
    recorded: u64,
    /// It is outside of all spans.
    is_loose: bool,
}

/// One pass: what `with profiler.cumulative_span("x")` makes.
#[repr(C)]
struct Pass {
    head: Head,
    call: Vectorcall,
    name: Object,
    /// Where it is added, from its begin to its end; null before.
    sum: *mut Sum,
    start: u64,
}

struct State {
    kind: *mut py::PyTypeObject,
    pass: *mut py::PyTypeObject,
    free: FreeList<Pass>,
    /// Those outside of all spans: their last ones, by name.
    loose: Vec<*mut Sum>,
    count: u64,
}

static STATE: Guarded<State> = Guarded::new(State {
    kind: null_mut(),
    pass: null_mut(),
    free: FreeList::new(),
    loose: Vec::new(),
    count: 0,
});

/// A cumulative span outside of all spans has no end at which to record it: it is recorded each
/// time that so many ticks have gone by, some tenths of a second.
const LOOSE_TICKS: u64 = 1 << 28;

/// Names outside of all spans that are remembered.
const MOST_LOOSE: usize = 500;

impl Sum {
    pub fn next(&self) -> *mut Sum {
        self.next
    }

    pub fn began(&self) -> u64 {
        self.begin
    }

    #[inline(always)]
    fn add(&mut self, ticks: u64) {
        self.count += 1;
        self.total += ticks;
        self.least = self.least.min(ticks);
        self.most = self.most.max(ticks);
        self.new_count += 1;
        self.new_total += ticks;
        self.new_least = self.new_least.min(ticks);
        self.new_most = self.new_most.max(ticks);
    }

    /// Records what was added since the last time.
    fn flush(&mut self, parent: SpanId) {
        if self.new_count > 0 {
            let nanos = [self.new_total, self.new_least, self.new_most].map(raw::nanos_of);
            raw::cumulative(self.site, parent, self.new_count, nanos);
            (self.new_count, self.new_total) = (0, 0);
            (self.new_least, self.new_most) = (u64::MAX, 0);
        }
    }
}

/// Records a span's cumulative spans at its end.
#[cold]
pub(crate) unsafe fn flush_all(mut sum: *mut Sum, parent: SpanId) {
    // SAFETY: the span owns the list; the GIL is held.
    unsafe {
        while !sum.is_null() {
            (*sum).flush(parent);
            sum = (*sum).next;
        }
    }
}

/// Records what is outside of all spans: at the end of the process.
pub(crate) unsafe fn flush_loose() {
    // SAFETY: the GIL is held; the list owns its entries.
    unsafe {
        for sum in &(*STATE.get()).loose {
            (**sum).flush(SpanId(0));
        }
    }
}

/// Whether two `str` are the same text.
#[inline(always)]
unsafe fn is_same(one: Object, other: Object) -> bool {
    // SAFETY: both are live `str`.
    unsafe { one == other || py::PyUnicode_Compare(one, other) == 0 }
}

/// The sum called `name` inside the current span. Borrowed from the span, or from the list of
/// those outside; null with an exception set when there is no memory.
#[inline(always)]
unsafe fn find(name: Object) -> *mut Sum {
    // SAFETY: the GIL is held; `name` is a live `str`.
    unsafe {
        let parent = context::top();
        if parent.is_null() || (*parent).is_remote() {
            return find_loose(name);
        }
        let mut at: *mut *mut Sum = (*parent).sums();
        while !(*at).is_null() {
            if is_same((**at).name, name) {
                return *at;
            }
            at = &raw mut (**at).next;
        }
        // At the end, where those that began last are.
        *at = make(name);
        *at
    }
}

#[cold]
unsafe fn find_loose(name: Object) -> *mut Sum {
    // SAFETY: as in `find`.
    unsafe {
        let state = STATE.get();
        let loose = &mut (*state).loose;
        if let Some(sum) = loose.iter().find(|sum| is_same((***sum).name, name)) {
            return *sum;
        }
        let sum = make(name);
        if sum.is_null() {
            return sum;
        }
        if loose.len() >= MOST_LOOSE {
            let oldest = (*state).loose.remove(0);
            (*oldest).flush(SpanId(0));
            decref(oldest.cast());
        }
        (*sum).is_loose = true;
        (*sum).recorded = (*sum).begin;
        (*state).loose.push(sum);
        store::add(sum.cast());
        sum
    }
}

/// Forgets those outside of all spans: the traces are cleared.
pub(crate) unsafe fn clear_loose() {
    // SAFETY: as in `find`.
    unsafe {
        for sum in std::mem::take(&mut (*STATE.get()).loose) {
            (*sum).flush(SpanId(0));
            decref(sum.cast());
        }
    }
}

unsafe fn make(name: Object) -> *mut Sum {
    // SAFETY: as in `find`; the memory is zero.
    unsafe {
        let sum: *mut Sum = py::PyType_GenericAlloc((*STATE.get()).kind, 0).cast();
        if !sum.is_null() {
            (*sum).name = new_ref(name);
            (*sum).site = crate::names::site(name);
            (*sum).begin = raw::ticks();
            (*sum).least = u64::MAX;
            (*sum).new_least = u64::MAX;
        }
        sum
    }
}

/// A new pass of `name`, a `str`. Null with an exception set when there is no memory.
#[inline(always)]
pub(crate) unsafe fn new_pass(name: Object) -> Object {
    // SAFETY: the GIL is held.
    unsafe {
        let state = STATE.get();
        let pass = (*state).free.take((*state).pass);
        if pass.is_null() {
            return null_mut();
        }
        (*pass).call = call_pass;
        (*pass).name = new_ref(name);
        (*pass).sum = null_mut();
        pass.cast()
    }
}

/// As a span's: entered by a call with nothing, left by one with three.
unsafe extern "C" fn call_pass(
    object: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: Python calls it with a live pass and live arguments.
    unsafe {
        match count & !OFFSET_BIT {
            0 => enter_method(object, null_mut()),
            3 => exit_method(object, null_mut(), 3),
            1 => {
                let name = (*object.cast::<Pass>()).name;
                call_in(
                    c"sondage._decorate",
                    c"decorate_cumulative",
                    &[*arguments, name],
                )
            }
            _ => raise(
                py::PyExc_TypeError,
                "a cumulative span decorates one function: @profiler.cumulative_span(name)",
            ),
        }
    }
}

unsafe extern "C" fn enter_method(object: Object, _: Object) -> Object {
    // SAFETY: as in `call_pass`.
    unsafe {
        let pass: *mut Pass = object.cast();
        if (*pass).sum.is_null() {
            let sum = find((*pass).name);
            if sum.is_null() {
                py::PyErr_Clear();
            } else {
                (*pass).sum = new_ref(sum.cast()).cast();
                (*pass).start = raw::ticks();
            }
        }
        new_ref(object)
    }
}

unsafe extern "C" fn exit_method(object: Object, _: *mut Object, _: isize) -> Object {
    // SAFETY: as in `call_pass`.
    unsafe {
        let pass: *mut Pass = object.cast();
        let sum = replace(&mut (*pass).sum, null_mut());
        if !sum.is_null() {
            let now = raw::ticks();
            (*sum).add(now.saturating_sub((*pass).start));
            (*STATE.get()).count += 1;
            if (*sum).is_loose && now.saturating_sub((*sum).recorded) > LOOSE_TICKS {
                (*sum).recorded = now;
                (*sum).flush(SpanId(0));
            }
            decref(sum.cast());
        }
        none()
    }
}

unsafe extern "C" fn pass_dealloc(object: Object) {
    // SAFETY: Python ends an object of ours.
    unsafe {
        let pass: *mut Pass = object.cast();
        decref((*pass).name);
        xdecref((*pass).sum.cast());
        (*STATE.get()).free.give(pass);
    }
}

unsafe extern "C" fn sum_dealloc(object: Object) {
    // SAFETY: Python ends an object of ours. The list is freed one by one, not by recursion.
    unsafe {
        let mut sum: *mut Sum = object.cast();
        loop {
            let next = replace(&mut (*sum).next, null_mut());
            let kind = crate::object::type_of(sum.cast());
            decref((*sum).name);
            py::PyObject_Free(sum.cast());
            decref(kind.cast());
            if next.is_null() || !crate::object::is_last(next.cast()) {
                xdecref(next.cast());
                return;
            }
            sum = next;
        }
    }
}

unsafe fn millis(ticks: u64) -> Object {
    // SAFETY: the GIL is held.
    unsafe { py::PyFloat_FromDouble(raw::nanos_of(ticks) as f64 / 1e6) }
}

unsafe extern "C" fn get_name(object: Object, _: *mut c_void) -> Object {
    // SAFETY: Python calls it with a live object of ours, as all that follow.
    unsafe { new_ref((*object.cast::<Sum>()).name) }
}

unsafe extern "C" fn get_start(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { py::PyFloat_FromDouble(store::perf_counter((*object.cast::<Sum>()).begin)) }
}

unsafe extern "C" fn get_count(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { py::PyLong_FromUnsignedLongLong((*object.cast::<Sum>()).count) }
}

unsafe extern "C" fn get_total(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { millis((*object.cast::<Sum>()).total) }
}

unsafe extern "C" fn get_least(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe {
        let sum: *mut Sum = object.cast();
        millis(if (*sum).count == 0 { 0 } else { (*sum).least })
    }
}

unsafe extern "C" fn get_most(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { millis((*object.cast::<Sum>()).most) }
}

unsafe extern "C" fn get_average(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `get_name`.
    unsafe {
        let sum: *mut Sum = object.cast();
        let nanos = raw::nanos_of((*sum).total) as f64;
        py::PyFloat_FromDouble(nanos / 1e6 / (*sum).count.max(1) as f64)
    }
}

unsafe extern "C" fn repr(object: Object) -> Object {
    // SAFETY: as in `get_name`.
    unsafe {
        let sum: *mut Sum = object.cast();
        let name = crate::object::text_of((*sum).name);
        let total = raw::nanos_of((*sum).total) as f64 / 1e6;
        let text = format!(
            "<CumulativeSpan {name}, {} passes, {total:.3} ms>",
            (*sum).count
        );
        crate::object::new_text(&text)
    }
}

unsafe extern "C" fn text(object: Object) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { call_in(c"sondage._tree", c"text", &[object]) }
}

unsafe extern "C" fn html_method(object: Object, _: Object) -> Object {
    // SAFETY: as in `get_name`.
    unsafe { call_in(c"sondage._tree", c"html", &[object]) }
}

/// Passes since the start.
pub(crate) fn count() -> u64 {
    // SAFETY: the GIL is held by who asks.
    unsafe { (*STATE.get()).count }
}

/// Sets the count back: what was measured on ourselves is not the program's.
pub(crate) fn set_count(count: u64) {
    // SAFETY: as in `count`.
    unsafe { (*STATE.get()).count = count }
}

/// Makes the types. Null with an exception set when that fails.
pub(crate) unsafe fn init() -> *mut py::PyTypeObject {
    let doc = c"Many passes of one place inside one span, added up.";
    let kind = TypeBuilder::new::<Sum>(c"sondage.CumulativeSpan", doc)
        .without_new()
        .slot(py::Py_tp_dealloc, sum_dealloc as *mut _)
        .slot(py::Py_tp_repr, repr as *mut _)
        .slot(py::Py_tp_str, text as *mut _)
        .property(c"name", get_name, None, c"What it is called.")
        .property(
            c"start",
            get_start,
            None,
            c"When its first pass began, in seconds of time.perf_counter.",
        )
        .property(c"count", get_count, None, c"Passes.")
        .property(c"total_ms", get_total, None, c"Milliseconds of all passes.")
        .property(
            c"min_ms",
            get_least,
            None,
            c"Milliseconds of the shortest pass.",
        )
        .property(
            c"max_ms",
            get_most,
            None,
            c"Milliseconds of the longest pass.",
        )
        .property(
            c"avg_ms",
            get_average,
            None,
            c"Milliseconds of a pass on average.",
        )
        .method(method0(c"_repr_html_", html_method, c"For a notebook."))
        .build();
    let doc = c"One pass of a cumulative span.";
    let pass = TypeBuilder::new::<Pass>(c"sondage._native.Pass", doc)
        .without_new()
        .vectorcall(offset_of!(Pass, call))
        .slot(py::Py_tp_dealloc, pass_dealloc as *mut _)
        .build();
    // SAFETY: the GIL is held, and the types are new.
    unsafe {
        if kind.is_null() || pass.is_null() {
            return null_mut();
        }
        let state = STATE.get();
        (*state).kind = kind;
        (*state).pass = pass;
        let enter = method0(c"__enter__", enter_method, c"Begins the pass.");
        let exit = method_fast(c"__exit__", exit_method, c"Ends the pass.");
        if !span::enter_by_call(pass, enter, exit) {
            return null_mut();
        }
    }
    kind
}
