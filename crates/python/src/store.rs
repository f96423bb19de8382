//! Traces that ended, newest last, and the clocks they are told in.

use crate::object::{Guarded, Object, decref, incref};
use crate::{span, sum};
use pyo3::ffi as py;
use sondage::raw;
use std::collections::VecDeque;

/// Traces that are kept.
pub(crate) const MOST_TRACES: usize = 500;

/// Spans that are kept, in all traces together: about 40 MB.
const MOST_SPANS: u64 = 200_000;

struct State {
    /// Roots: spans, and cumulative spans outside of all spans.
    traces: VecDeque<Object>,
    /// Called with each trace's root at its end; null for nobody.
    observer: Object,
    /// The same moment on the three clocks: ticks, nanoseconds of `perf_counter`, and of the day.
    ticks: u64,
    perf_nanos: u64,
    wall_nanos: u64,
}

static STATE: Guarded<State> = Guarded::new(State {
    traces: VecDeque::new(),
    observer: std::ptr::null_mut(),
    ticks: 0,
    perf_nanos: 0,
    wall_nanos: 0,
});

/// Keeps a trace that ended.
#[inline(always)]
pub(crate) unsafe fn add(root: Object) {
    // SAFETY: the caller has a live root, and the GIL is held.
    unsafe {
        incref(root);
        let state = STATE.get();
        (*state).traces.push_back(root);
        if (*state).traces.len() > MOST_TRACES {
            drop_oldest();
        }
        if span::live() > MOST_SPANS {
            drop_to_fit();
        }
        if !(*state).observer.is_null() {
            observe(root);
        }
    }
}

#[inline(always)]
unsafe fn drop_oldest() {
    // SAFETY: as in `add`. The list does not hold the trace any more when it ends.
    unsafe {
        if let Some(oldest) = (*STATE.get()).traces.pop_front() {
            give_up(oldest);
        }
    }
}

#[inline(always)]
unsafe fn give_up(root: Object) {
    // SAFETY: the caller owned the reference.
    unsafe {
        if span::is_span(root) {
            span::cut_links(root.cast());
        }
        decref(root);
    }
}

#[cold]
unsafe fn drop_to_fit() {
    // SAFETY: as in `add`. The newest stays.
    unsafe {
        while span::live() > MOST_SPANS && (*STATE.get()).traces.len() > 1 {
            drop_oldest();
        }
    }
}

#[cold]
unsafe fn observe(root: Object) {
    // SAFETY: as in `add`. An observer that fails is reported as Python reports what fails where
    // nobody can be told. An error that is under way stays so.
    unsafe {
        let under_way = crate::object::take_error();
        let observer = crate::object::new_ref((*STATE.get()).observer);
        let answer = crate::object::call(observer, &[root]);
        if answer.is_null() {
            py::PyErr_WriteUnraisable(observer);
        } else {
            decref(answer);
        }
        decref(observer);
        crate::object::set_error(under_way);
    }
}

/// Sets who is told of each trace; null for nobody. Takes the reference.
pub(crate) unsafe fn set_observer(observer: Object) {
    // SAFETY: as in `add`.
    unsafe {
        let before = std::mem::replace(&mut (*STATE.get()).observer, observer);
        crate::object::xdecref(before);
    }
}

/// The roots of all traces, oldest first, as a new list.
pub(crate) unsafe fn list() -> Object {
    // SAFETY: as in `add`; the list gets references of its own.
    unsafe {
        let list = py::PyList_New(0);
        if !list.is_null() {
            for root in &(*STATE.get()).traces {
                py::PyList_Append(list, *root);
            }
        }
        list
    }
}

/// Forgets all traces.
pub(crate) unsafe fn clear() {
    // SAFETY: as in `add`.
    unsafe {
        let traces = std::mem::take(&mut (*STATE.get()).traces);
        sum::clear_loose();
        for root in traces {
            give_up(root);
        }
    }
}

/// Sets all traces aside, or puts back those that were: nothing that happens in between is kept.
pub(crate) unsafe fn swap(mut other: VecDeque<Object>) -> VecDeque<Object> {
    // SAFETY: as in `add`.
    unsafe {
        std::mem::swap(&mut other, &mut (*STATE.get()).traces);
    }
    other
}

/// Reads the three clocks.
pub(crate) fn init() {
    let clock = |which| {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is ours to write.
        unsafe { libc::clock_gettime(which, &mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    };
    // SAFETY: the module is being initialised, under the GIL.
    unsafe {
        let state = STATE.get();
        (*state).ticks = raw::ticks();
        (*state).perf_nanos = clock(libc::CLOCK_MONOTONIC);
        (*state).wall_nanos = clock(libc::CLOCK_REALTIME);
    }
}

/// Nanoseconds from the module's initialisation to `ticks`, forwards or back.
fn since(ticks: u64) -> i64 {
    // SAFETY: written once, by `init`.
    let start = unsafe { (*STATE.get()).ticks };
    let nanos = |ticks| i64::try_from(raw::nanos_of(ticks)).unwrap_or(i64::MAX);
    if ticks >= start {
        nanos(ticks - start)
    } else {
        -nanos(start - ticks)
    }
}

/// Ticks as seconds of `time.perf_counter`.
pub(crate) fn perf_counter(ticks: u64) -> f64 {
    // SAFETY: as in `since`.
    let base = unsafe { (*STATE.get()).perf_nanos };
    (base as i64 + since(ticks)) as f64 / 1e9
}

/// Seconds of `time.perf_counter` as seconds of `time.time`.
pub(crate) fn wall_of_perf(seconds: f64) -> f64 {
    // SAFETY: as in `since`.
    let (perf, wall) = unsafe { ((*STATE.get()).perf_nanos, (*STATE.get()).wall_nanos) };
    seconds + (wall as f64 - perf as f64) / 1e9
}
