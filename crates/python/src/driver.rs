//! A decorated asynchronous function: what calls it and drives what it gives, in one step.
//!
//! The wrapper stays a coroutine function of Python's own, so that tasks, debuggers and samplers
//! see a coroutine; all that it does is to await the call of one of these.

use crate::object::{
    Guarded, Head, OFFSET_BIT, Object, TypeBuilder, Vectorcall, decref, new_ref, raise, xdecref,
};
use crate::{profiler, steps};
use pyo3::ffi as py;
use std::ffi::{c_int, c_void};
use std::mem::{offset_of, replace};
use std::ptr::null_mut;

#[repr(C)]
struct Driver {
    head: Head,
    call: Vectorcall,
    function: Object,
    name: Object,
    /// The function's parameters by position.
    names: Object,
    kind: i64,
}

static KIND: Guarded<*mut py::PyTypeObject> = Guarded::new(null_mut());

/// `_driver(function, kind, name, names)`: what is called with a call's tuple and dict.
pub(crate) unsafe extern "C" fn driver(_: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: Python calls it with live arguments, as many as said. What is made is all zeros.
    unsafe {
        if count != 4 {
            return raise(py::PyExc_TypeError, "_driver(function, kind, name, names)");
        }
        let [function, kind, name, names] = [0, 1, 2, 3].map(|at| *arguments.add(at));
        let driver: *mut Driver = py::PyType_GenericAlloc(*KIND.get(), 0).cast();
        if driver.is_null() {
            return null_mut();
        }
        (*driver).call = call;
        (*driver).function = new_ref(function);
        (*driver).name = new_ref(name);
        (*driver).names = new_ref(names);
        (*driver).kind = py::PyLong_AsLong(kind);
        driver.cast()
    }
}

/// Calls the function, and gives what drives its coroutine in a span; the coroutine itself while
/// the profiler is off.
///
/// PERF: the call is made here because `function(*args, **kwargs)` in Python copies the dict. What
/// the decorator adds to a coroutine: 207 and 251 ns (`bench/python_spans.py`, the lower of two runs in
/// turns, 2-core VM at a load of 6, CPython 3.11); with the collector told only of what waits.
unsafe extern "C" fn call(
    object: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: Python calls it with live arguments; the wrapper's are a tuple and a dict.
    unsafe {
        if count & !OFFSET_BIT != 2 {
            return raise(py::PyExc_TypeError, "a driver takes a tuple and a dict");
        }
        let driver: *mut Driver = object.cast();
        let (positional, keywords) = (*arguments, *arguments.add(1));
        let given = if py::PyDict_Size(keywords) == 0 {
            null_mut()
        } else {
            keywords
        };
        let inner = py::PyObject_Call((*driver).function, positional, given);
        if inner.is_null() || !profiler::is_on() {
            return inner;
        }
        let (name, names) = ((*driver).name, (*driver).names);
        steps::make(inner, (*driver).kind, name, (names, positional, keywords))
    }
}

unsafe extern "C" fn dealloc(object: Object) {
    // SAFETY: Python ends an object of ours.
    unsafe {
        py::PyObject_GC_UnTrack(object.cast());
        clear(object);
        let kind = crate::object::type_of(object);
        py::PyObject_GC_Del(object.cast());
        decref(kind.cast());
    }
}

unsafe extern "C" fn traverse(object: Object, visit: py::visitproc, data: *mut c_void) -> c_int {
    // SAFETY: Python's collector calls it with a live object.
    unsafe {
        let driver: *mut Driver = object.cast();
        for each in [(*driver).function, crate::object::type_of(object).cast()] {
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

unsafe extern "C" fn clear(object: Object) -> c_int {
    // SAFETY: as in `traverse`.
    unsafe {
        let driver: *mut Driver = object.cast();
        xdecref(replace(&mut (*driver).function, null_mut()));
        xdecref(replace(&mut (*driver).name, null_mut()));
        xdecref(replace(&mut (*driver).names, null_mut()));
        0
    }
}

/// Makes the type. False with an exception set when that fails.
pub(crate) unsafe fn init() -> bool {
    let doc = c"A decorated asynchronous function, without its wrapper.";
    let kind = TypeBuilder::new::<Driver>(c"sondage._native.Driver", doc)
        .without_new()
        .flag(py::Py_TPFLAGS_HAVE_GC)
        .vectorcall(offset_of!(Driver, call))
        .slot(py::Py_tp_dealloc, dealloc as *mut _)
        .slot(py::Py_tp_traverse, traverse as *mut _)
        .slot(py::Py_tp_clear, clear as *mut _)
        .build();
    // SAFETY: the GIL is held.
    unsafe { *KIND.get() = kind };
    !kind.is_null()
}
