//! Drives a coroutine or a generator inside a span: suspended with it, resumed with it.
//!
//! A coroutine's span stays current while it waits: its task has a context of its own. A
//! generator's does not: its consumer runs in the same context between two items.

use crate::object::{
    Guarded, Head, Object, TypeBuilder, decref, method_fast, method0, method1, new_ref, none,
    raise, xdecref,
};
use crate::span::{self, Span};
use crate::{calls, context, profiler, tracy};
use pyo3::ffi as py;
use sondage::raw;
use std::mem::replace;
use std::ptr::null_mut;

/// What is driven.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    Coroutine = 0,
    Generator = 1,
    /// An asynchronous generator's `asend` and its like, one after the other.
    AsyncGenerator = 2,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Phase {
    New = 0,
    Running = 1,
    Suspended = 2,
    Done = 3,
}

#[repr(C)]
struct Steps {
    head: Head,
    inner: Object,
    span: *mut Span,
    /// Of a generator: while it runs, what was current outside; while it waits, what is inside.
    other: *mut Span,
    kind: Kind,
    phase: Phase,
    /// Calls below it are traced.
    traces: bool,
    /// Python's collector knows it.
    is_tracked: bool,
    before: u32,
}

static KIND: Guarded<*mut py::PyTypeObject> = Guarded::new(null_mut());

/// Added to the kind of what is driven when the calls below it are traced.
const TRACES: i64 = 4;

/// `_drive(inner, kind, name, names, positional, keywords)`: what drives a call that was made, or
/// the call's own coroutine or generator while the profiler is off.
pub(crate) unsafe extern "C" fn drive(_: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: Python calls it with live arguments, as many as said.
    unsafe {
        if count != 6 {
            return raise(py::PyExc_TypeError, "_drive takes six arguments");
        }
        let [inner, kind, name, names, positional, keywords] =
            [0, 1, 2, 3, 4, 5].map(|at| *arguments.add(at));
        if !profiler::is_on() {
            return new_ref(inner);
        }
        let kind = py::PyLong_AsLong(kind);
        make(new_ref(inner), kind, name, (names, positional, keywords))
    }
}

/// What drives `inner`, whose reference it takes, in a span called `name`. `kind` is as `_drive`
/// takes it; of the call are known: its parameters by position, and its arguments.
#[inline(always)]
pub(crate) unsafe fn make(
    inner: Object,
    kind: i64,
    name: Object,
    (names, positional, keywords): (Object, Object, Object),
) -> Object {
    // SAFETY: live objects all, and the GIL is held.
    unsafe {
        let steps = take();
        let span = span::new(name, crate::names::site(name));
        if steps.is_null() || span.is_null() {
            xdecref(steps.cast());
            xdecref(span.cast());
            decref(inner);
            return null_mut();
        }
        profiler::fill_call(span, names, positional, keywords);
        (*steps).inner = inner;
        (*steps).span = span;
        (*steps).traces = kind & TRACES != 0;
        (*steps).kind = match kind & !TRACES {
            0 => Kind::Coroutine,
            1 => Kind::Generator,
            _ => Kind::AsyncGenerator,
        };
        steps.cast()
    }
}

/// Memory of those that ended, with the collector's head before it.
static FREE: Guarded<(*mut Steps, usize)> = Guarded::new((null_mut(), 0));
const MOST_FREE: usize = 256;

/// A new one, as zeros; null with an exception set when there is no memory.
unsafe fn take() -> *mut Steps {
    // SAFETY: the GIL is held; what is in the list is untracked, and its count is zero.
    unsafe {
        let (first, length) = *FREE.get();
        if first.is_null() {
            let made: *mut Steps = py::PyType_GenericAlloc(*KIND.get(), 0).cast();
            if !made.is_null() {
                (*made).is_tracked = true;
            }
            return made;
        }
        *FREE.get() = ((*first).inner.cast(), length - 1);
        (*first).inner = null_mut();
        (*first).phase = Phase::New;
        (*first).head.count = 1;
        (*first).is_tracked = false;
        first
    }
}

/// Begins the span, or goes on with it.
#[inline]
unsafe fn resume(steps: *mut Steps) {
    // SAFETY: the object is live, the GIL is held.
    unsafe {
        let span = (*steps).span;
        match (*steps).phase {
            Phase::New if (*steps).kind == Kind::Coroutine => span::enter(span),
            Phase::New => {
                span::enter(span);
                let outside = (*span).parent();
                if !outside.is_null() {
                    crate::object::incref(outside.cast());
                }
                (*steps).other = outside;
            }
            Phase::Suspended => {
                if (*steps).kind != Kind::Coroutine {
                    swap(steps);
                }
                let is_told = tracy::is_on();
                if is_told {
                    tracy::before_begin((*span).parent());
                }
                raw::span_enter((*span).id());
                if is_told {
                    tracy::after_begin(span);
                    tracy::go_to(context::top());
                }
            }
            Phase::Running | Phase::Done => {}
        }
        if (*steps).phase != Phase::Done {
            (*steps).phase = Phase::Running;
            if (*steps).traces {
                (*steps).before = calls::enter();
            }
        }
    }
}

/// Changes what is current inside for what is outside, or back.
unsafe fn swap(steps: *mut Steps) {
    // SAFETY: as in `resume`. Each reference goes from one holder to the other.
    unsafe {
        let other = replace(&mut (*steps).other, null_mut());
        (*steps).other = context::swap(other);
    }
}

/// It waits.
#[inline]
unsafe fn suspend(steps: *mut Steps, leaves: bool) {
    // SAFETY: as in `resume`.
    unsafe {
        if (*steps).phase == Phase::Running {
            if (*steps).traces {
                calls::leave((*steps).before);
            }
            if leaves && (*steps).kind != Kind::Coroutine {
                swap(steps);
            }
            if tracy::is_on() {
                tracy::before_end((*steps).span);
            }
            raw::span_exit((*(*steps).span).id());
            (*steps).phase = Phase::Suspended;
            // Only what waits can be part of a cycle that nobody holds.
            if !(*steps).is_tracked {
                (*steps).is_tracked = true;
                py::PyObject_GC_Track(steps.cast());
            }
        }
    }
}

/// It is over.
#[inline]
unsafe fn finish(steps: *mut Steps, failed: bool) {
    // SAFETY: as in `resume`.
    unsafe {
        let phase = replace(&mut (*steps).phase, Phase::Done);
        if phase == Phase::Running && (*steps).traces {
            calls::leave((*steps).before);
        }
        let span = (*steps).span;
        let outside = replace(&mut (*steps).other, null_mut());
        match phase {
            Phase::New | Phase::Done => xdecref(outside.cast()),
            Phase::Running if (*steps).kind == Kind::Coroutine => span::leave(span, failed),
            Phase::Running => {
                let inside = context::swap(outside);
                xdecref(inside.cast());
                span::leave_suspended(span, failed);
            }
            Phase::Suspended if (*steps).kind == Kind::Coroutine => span::leave(span, failed),
            Phase::Suspended => {
                xdecref(outside.cast());
                span::leave_suspended(span, failed);
            }
        }
    }
}

/// Ends it with the exception that is under way, if it is one that tells of a failure.
unsafe fn fail(steps: *mut Steps) {
    // SAFETY: as in `resume`. The exception is put back as it was.
    unsafe {
        let raised = crate::object::take_error();
        let is_end = raised[0].is_null()
            || py::PyErr_GivenExceptionMatches(raised[0], py::PyExc_StopIteration) != 0
            || py::PyErr_GivenExceptionMatches(raised[0], py::PyExc_StopAsyncIteration) != 0
            || py::PyErr_GivenExceptionMatches(raised[0], py::PyExc_GeneratorExit) != 0;
        if !is_end && matches!((*steps).phase, Phase::Running | Phase::Suspended) {
            span::note_error((*steps).span, raised[0]);
        }
        finish(steps, !is_end);
        crate::object::set_error(raised);
    }
}

/// What follows a step of the inner one.
unsafe fn after(steps: *mut Steps, result: py::PySendResult) {
    // SAFETY: as in `resume`.
    unsafe {
        let is_async_generator = (*steps).kind == Kind::AsyncGenerator;
        match result {
            // It waits in the event loop; an asynchronous generator's consumer waits with it.
            py::PySendResult::PYGEN_NEXT => suspend(steps, true),
            // An item.
            py::PySendResult::PYGEN_RETURN if is_async_generator => suspend(steps, true),
            py::PySendResult::PYGEN_RETURN => finish(steps, false),
            py::PySendResult::PYGEN_ERROR => fail(steps),
        }
    }
}

unsafe extern "C" fn am_send(
    object: Object,
    value: Object,
    answer: *mut Object,
) -> py::PySendResult {
    // SAFETY: Python calls it with live objects and a place for the answer.
    unsafe {
        let steps: *mut Steps = object.cast();
        resume(steps);
        let inner = new_ref((*steps).inner);
        let result = py::PyIter_Send(inner, value, answer);
        decref(inner);
        after(steps, result);
        result
    }
}

/// The answer as methods give it: the value that is yielded, or `StopIteration` with the result.
unsafe fn as_method(result: py::PySendResult, answer: Object) -> Object {
    // SAFETY: the caller owns the answer, which is null for an error.
    unsafe {
        match result {
            py::PySendResult::PYGEN_NEXT => answer,
            py::PySendResult::PYGEN_ERROR => null_mut(),
            py::PySendResult::PYGEN_RETURN => {
                let stop = crate::object::call(py::PyExc_StopIteration, &[answer]);
                decref(answer);
                if !stop.is_null() {
                    py::PyErr_SetObject(py::PyExc_StopIteration, stop);
                    decref(stop);
                }
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn send(object: Object, value: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe {
        let mut answer = null_mut();
        let result = am_send(object, value, &mut answer);
        as_method(result, answer)
    }
}

/// PERF: the end of an iterator without a result is null and no exception. 3.12 and later, which
/// take this way instead of `am_send`, need no `StopIteration` then.
unsafe extern "C" fn next(object: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe {
        let mut answer = null_mut();
        let result = am_send(object, py::Py_None(), &mut answer);
        if matches!(result, py::PySendResult::PYGEN_RETURN) && answer == py::Py_None() {
            decref(answer);
            return null_mut();
        }
        as_method(result, answer)
    }
}

unsafe extern "C" fn throw(object: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: as in `am_send`.
    unsafe {
        let steps: *mut Steps = object.cast();
        resume(steps);
        let method = py::PyObject_GetAttrString((*steps).inner, c"throw".as_ptr());
        if method.is_null() {
            fail(steps);
            return null_mut();
        }
        let arguments = std::slice::from_raw_parts(arguments, count as usize);
        let answer = crate::object::call(method, arguments);
        decref(method);
        if !answer.is_null() {
            after(steps, py::PySendResult::PYGEN_NEXT);
        } else if (*steps).kind == Kind::AsyncGenerator
            && py::PyErr_ExceptionMatches(py::PyExc_StopIteration) != 0
        {
            after(steps, py::PySendResult::PYGEN_RETURN);
        } else {
            fail(steps);
        }
        answer
    }
}

unsafe extern "C" fn close(object: Object, _: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe {
        let steps: *mut Steps = object.cast();
        let was_new = (*steps).phase == Phase::New;
        if !was_new {
            resume(steps);
        }
        let method = py::PyObject_GetAttrString((*steps).inner, c"close".as_ptr());
        let answer = if method.is_null() {
            py::PyErr_Clear();
            none()
        } else {
            let answer = crate::object::call(method, &[]);
            decref(method);
            answer
        };
        if answer.is_null() {
            fail(steps);
        } else {
            finish(steps, false);
        }
        answer
    }
}

/// `over(awaitable)`: the next step of an asynchronous generator.
unsafe extern "C" fn over(object: Object, inner: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe {
        let steps: *mut Steps = object.cast();
        let before = replace(&mut (*steps).inner, new_ref(inner));
        decref(before);
        new_ref(object)
    }
}

/// `end()`: an asynchronous generator is over.
unsafe extern "C" fn end(object: Object, _: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe { finish(object.cast(), false) };
    none()
}

unsafe extern "C" fn itself(object: Object) -> Object {
    // SAFETY: as in `am_send`.
    unsafe { new_ref(object) }
}

unsafe extern "C" fn dealloc(object: Object) {
    // SAFETY: Python ends an object of ours. Who never came to its end was given up.
    unsafe {
        let steps: *mut Steps = object.cast();
        if (*steps).is_tracked {
            py::PyObject_GC_UnTrack(object.cast());
        }
        if !(*steps).span.is_null() && (*steps).phase != Phase::Done {
            let raised = crate::object::take_error();
            finish(steps, false);
            crate::object::set_error(raised);
        }
        clear(object);
        let (first, length) = *FREE.get();
        if length < MOST_FREE {
            (*steps).inner = first.cast();
            *FREE.get() = (steps, length + 1);
            return;
        }
        let kind = crate::object::type_of(object);
        py::PyObject_GC_Del(object.cast());
        decref(kind.cast());
    }
}

unsafe extern "C" fn traverse(
    object: Object,
    visit: py::visitproc,
    data: *mut std::ffi::c_void,
) -> std::ffi::c_int {
    // SAFETY: Python's collector calls it with a live object.
    unsafe {
        let steps: *mut Steps = object.cast();
        for each in [(*steps).inner, crate::object::type_of(object).cast()] {
            if !each.is_null() {
                let stop = visit(each, data);
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn clear(object: Object) -> std::ffi::c_int {
    // SAFETY: as in `traverse`.
    unsafe {
        let steps: *mut Steps = object.cast();
        xdecref(replace(&mut (*steps).inner, null_mut()));
        xdecref(replace(&mut (*steps).span, null_mut()).cast());
        xdecref(replace(&mut (*steps).other, null_mut()).cast());
        0
    }
}

/// Makes the type. False with an exception set when that fails.
pub(crate) unsafe fn init() -> bool {
    let doc = c"A coroutine or generator inside its span.";
    let kind = TypeBuilder::new::<Steps>(c"sondage._native.Steps", doc)
        .without_new()
        .flag(py::Py_TPFLAGS_HAVE_GC)
        .slot(py::Py_tp_dealloc, dealloc as *mut _)
        .slot(py::Py_tp_traverse, traverse as *mut _)
        .slot(py::Py_tp_clear, clear as *mut _)
        .slot(py::Py_tp_iter, itself as *mut _)
        .slot(py::Py_tp_iternext, next as *mut _)
        .slot(py::Py_am_await, itself as *mut _)
        .slot(py::Py_am_send, am_send as *mut _)
        .method(method1(c"send", send, c"Sends a value in."))
        .method(method_fast(c"throw", throw, c"Raises an exception inside."))
        .method(method0(c"close", close, c"Ends it."))
        .method(method0(c"end", end, c"Ends its span."))
        .method(method1(c"over", over, c"Drives the next step."))
        .build();
    // SAFETY: the GIL is held.
    unsafe { *KIND.get() = kind };
    !kind.is_null()
}
