//! Which task of asyncio a span begins in: told to the recording before the span.
//!
//! Who the task is costs a hundred nanoseconds to ask, so it is asked only when the context is
//! another one than that of the last span: each task has a context of its own. It is told for
//! outermost spans; those inside have the task of the span around them. A context that the program
//! gives to two tasks, one after the other, may be told as the first one's.

use crate::object::{Guarded, Object, call, decref, text_of, xdecref};
use pyo3::ffi as py;
use sondage::raw::{self, SpanId, Value};
use std::ffi::CStr;
use std::mem::replace;
use std::ptr::null_mut;

/// What a span that begins has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
    /// It is in no task.
    Nothing,
    /// It is in the task that is known.
    Tell,
    /// The context is another one.
    Ask,
}

struct State {
    note: Note,
    /// The name of the task; null for none.
    name: Object,
    /// The number of the text that the name goes by.
    key: u32,
    /// Two functions of asyncio, once it was imported.
    running_loop: Object,
    current_task: Object,
}

static STATE: Guarded<State> = Guarded::new(State {
    note: Note::Nothing,
    name: null_mut(),
    key: 0,
    running_loop: null_mut(),
    current_task: null_mut(),
});

/// The context is another one than before.
#[inline(always)]
pub(crate) fn context_changed() {
    // SAFETY: the GIL is held by who changes contexts.
    unsafe { (*STATE.get()).note = Note::Ask }
}

/// Tells the task of a span that is about to begin.
#[inline(always)]
pub(crate) unsafe fn tell(span: SpanId, is_outermost: bool) {
    // SAFETY: the GIL is held.
    unsafe {
        if (*STATE.get()).note != Note::Nothing {
            tell_task(span, is_outermost);
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn tell_task(span: SpanId, is_outermost: bool) {
    // SAFETY: as in `tell`. What is asked may run Python, so the state is looked at anew.
    unsafe {
        let state = STATE.get();
        let is_new = (*state).note == Note::Ask;
        let in_loop = is_new && ask();
        if (*state).name.is_null() {
            if in_loop && !is_outermost {
                // Called back by the loop, in a copy of a task's context.
                put(span, "");
            }
        } else if is_new || is_outermost {
            put(span, text_of((*state).name));
        }
    }
}

unsafe fn put(span: SpanId, name: &str) {
    // SAFETY: as in `tell`.
    unsafe {
        let state = STATE.get();
        if (*state).key == 0 {
            (*state).key = raw::text(sondage_wire::TASK_KEY);
        }
        raw::value(span, (*state).key, Value::Text(name));
    }
}

/// Finds out which task runs. Whether an event loop does.
unsafe fn ask() -> bool {
    // SAFETY: as in `tell`.
    unsafe {
        let state = STATE.get();
        (*state).note = Note::Nothing;
        let running = running_loop();
        let name = if running.is_null() {
            null_mut()
        } else {
            task_name(running)
        };
        xdecref(replace(&mut (*state).name, name));
        if !name.is_null() {
            (*state).note = Note::Tell;
        }
        let in_loop = !running.is_null();
        xdecref(running);
        in_loop
    }
}

/// The event loop that runs in this thread; null where none does.
unsafe fn running_loop() -> Object {
    // SAFETY: as in `tell`.
    unsafe {
        let state = STATE.get();
        if (*state).running_loop.is_null() {
            let found = function(c"asyncio.events", c"_get_running_loop");
            let task = function(c"asyncio.tasks", c"current_task");
            if found.is_null() || task.is_null() {
                xdecref(found);
                xdecref(task);
                return null_mut();
            }
            (*state).running_loop = found;
            (*state).current_task = task;
        }
        some(call((*state).running_loop, &[]))
    }
}

/// A function of a module, if that was imported.
unsafe fn function(module: &CStr, name: &CStr) -> Object {
    // SAFETY: as in `tell`. The module is borrowed from the interpreter's list, and kept meanwhile.
    unsafe {
        let module = py::PyDict_GetItemString(py::PyImport_GetModuleDict(), module.as_ptr());
        if module.is_null() {
            return null_mut();
        }
        crate::object::incref(module);
        let found = some(py::PyObject_GetAttrString(module, name.as_ptr()));
        decref(module);
        found
    }
}

/// The name of the task that runs in an event loop; null where it is none, or has none.
unsafe fn task_name(running: Object) -> Object {
    // SAFETY: as in `tell`.
    unsafe {
        let task = some(call((*STATE.get()).current_task, &[running]));
        if task.is_null() {
            return null_mut();
        }
        let method = some(py::PyObject_GetAttrString(task, c"get_name".as_ptr()));
        decref(task);
        if method.is_null() {
            return null_mut();
        }
        let name = some(call(method, &[]));
        decref(method);
        if name.is_null() || py::PyUnicode_Check(name) != 0 {
            return name;
        }
        decref(name);
        null_mut()
    }
}

/// The object, or null for `None` and for an exception, which is dropped.
unsafe fn some(object: Object) -> Object {
    // SAFETY: the caller owns the reference.
    unsafe {
        if object.is_null() {
            py::PyErr_Clear();
        } else if object == py::Py_None() {
            decref(object);
            return null_mut();
        }
        object
    }
}
