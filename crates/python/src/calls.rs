//! `trace_calls`: every call below a function as a span, as long as that function runs.
//!
//! From 3.12 on `sys.monitoring` tells of calls, in all threads at once; who is not below a traced
//! function is told apart by a flag of the thread. Switching it on and off makes the interpreter
//! rewrite code, so it goes off only after a thousand calls that nobody wanted: by then it has cost
//! about what switching does. On 3.11 it is the thread's own profile function.

use crate::object::{
    Guarded, Head, OFFSET_BIT, Object, TypeBuilder, Vectorcall, decref, new_ref, none, text_of,
    xdecref,
};
use crate::span::{self, Span};
use crate::{context, names};
use pyo3::ffi as py;
use std::cell::Cell;
use std::ffi::c_int;
use std::mem::offset_of;
use std::ptr::null_mut;

thread_local! {
    /// Calls of this thread that are below a traced function, plus one for being below at all.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Below a traced function, whose own frame comes first: it has its span already.
const BELOW: u32 = 1;

/// Calls nobody wanted, after which monitoring goes off.
const PATIENCE: u32 = 1000;

struct State {
    /// `set_events(True)` and `set_events(False)`; null on 3.11.
    switch: Object,
    is_on: bool,
    /// Threads, tasks and generators that are below a traced function now.
    active: u32,
    unwanted: u32,
    codes: [Code; CODES],
}

/// A code object's name and site, found by its address. It holds the object.
#[derive(Clone, Copy)]
struct Code {
    code: Object,
    name: Object,
    site: u32,
    /// It is one of our own wrappers, whose spans are made otherwise.
    is_ours: bool,
}

/// The files of our wrappers.
const OURS: [&str; 2] = ["/sondage/_calls.py", "/sondage/_decorate.py"];

const CODES: usize = 4096;

static STATE: Guarded<State> = Guarded::new(State {
    switch: null_mut(),
    is_on: false,
    active: 0,
    unwanted: 0,
    codes: [Code {
        code: null_mut(),
        name: null_mut(),
        site: 0,
        is_ours: false,
    }; CODES],
});

/// This thread is below a traced function from here on; what was before, for [`leave`].
pub(crate) unsafe fn enter() -> u32 {
    // SAFETY: the GIL is held; no reference to the state outlives a call of Python.
    unsafe {
        let state = STATE.get();
        (*state).active += 1;
        (*state).unwanted = 0;
        if (*state).switch.is_null() {
            (crate::object::api().set_profile)(Some(on_profile), null_mut());
        } else if !(*state).is_on {
            (*state).is_on = true;
            switch(py::Py_True());
        }
        DEPTH.replace(BELOW)
    }
}

/// This thread is where it was before [`enter`].
pub(crate) unsafe fn leave(before: u32) {
    // SAFETY: as in `enter`.
    unsafe {
        DEPTH.set(before);
        let state = STATE.get();
        (*state).active -= 1;
        if (*state).switch.is_null() && before == 0 {
            (crate::object::api().set_profile)(None, null_mut());
        }
    }
}

unsafe fn switch(on: Object) {
    // SAFETY: as in `enter`. An exception that is under way stays so.
    unsafe {
        let raised = crate::object::take_error();
        let answer = crate::object::call((*STATE.get()).switch, &[on]);
        if answer.is_null() {
            py::PyErr_Clear();
        }
        xdecref(answer);
        crate::object::set_error(raised);
    }
}

/// A call that is below no traced function.
#[cold]
unsafe fn unwanted() {
    // SAFETY: as in `enter`.
    unsafe {
        let state = STATE.get();
        if (*state).active == 0 && (*state).is_on {
            (*state).unwanted += 1;
            if (*state).unwanted > PATIENCE {
                (*state).is_on = false;
                switch(py::Py_False());
            }
        }
    }
}

/// A Python function begins or goes on.
#[inline(always)]
unsafe fn begin(code: Object) {
    // SAFETY: Python calls with a live code object; the GIL is held.
    unsafe {
        let depth = DEPTH.get();
        if depth == 0 {
            unwanted();
            return;
        }
        DEPTH.set(depth + 1);
        if depth == BELOW {
            return;
        }
        let code = known(code);
        if code.is_ours {
            return;
        }
        let span = span::new(code.name, code.site);
        if span.is_null() {
            py::PyErr_Clear();
            DEPTH.set(depth);
            return;
        }
        let parent = context::swap(new_ref(span.cast()).cast());
        span::begin_call(span, parent);
        decref(span.cast());
    }
}

/// A Python function ends or waits.
#[inline(always)]
unsafe fn end(code: Object, failed: bool) {
    // SAFETY: as in `begin`.
    unsafe {
        let depth = DEPTH.get();
        if depth <= BELOW {
            return;
        }
        DEPTH.set(depth - 1);
        if depth == BELOW + 1 || known(code).is_ours {
            return;
        }
        let span = context::top();
        if span.is_null() || !(*span).is_call() {
            return;
        }
        let span: *mut Span = new_ref(span.cast()).cast();
        let parent = span::end_call(span, failed);
        if !context::leave(span, parent) {
            (*span).end_out_of_turn();
        }
        decref(span.cast());
    }
}

#[inline(always)]
unsafe fn known(code: Object) -> Code {
    let at = (code as usize >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> (usize::BITS - CODES.trailing_zeros());
    // SAFETY: the GIL is held.
    unsafe {
        let known = (*STATE.get()).codes[at];
        if known.code == code {
            return known;
        }
        learn(code, at)
    }
}

#[cold]
unsafe fn learn(code: Object, at: usize) -> Code {
    // SAFETY: as in `begin`. An exception that is under way stays so.
    unsafe {
        let raised = crate::object::take_error();
        let get = |name: &std::ffi::CStr| {
            let value = py::PyObject_GetAttrString(code, name.as_ptr());
            if value.is_null() {
                py::PyErr_Clear();
            }
            value
        };
        let (mut name, file, line) = (
            get(c"co_qualname"),
            get(c"co_filename"),
            get(c"co_firstlineno"),
        );
        if name.is_null() {
            name = crate::object::new_text("?");
        }
        let number = if line.is_null() {
            0
        } else {
            u32::try_from(py::PyLong_AsLong(line)).unwrap_or(0)
        };
        let text = text_of(name);
        let site = names::site_of(text, text, text_of(file), number);
        let is_ours = OURS.iter().any(|ours| text_of(file).ends_with(ours));
        xdecref(file);
        xdecref(line);
        crate::object::set_error(raised);
        let new = Code {
            code: new_ref(code),
            name,
            site,
            is_ours,
        };
        let before = std::mem::replace(&mut (*STATE.get()).codes[at], new);
        xdecref(before.code);
        xdecref(before.name);
        new
    }
}

unsafe extern "C" fn on_profile(
    _: Object,
    frame: *mut py::PyFrameObject,
    what: c_int,
    value: Object,
) -> c_int {
    const CALL: c_int = 0;
    const RETURN: c_int = 3;
    // SAFETY: Python calls it with a live frame.
    unsafe {
        match what {
            CALL => {
                let code: Object = py::PyFrame_GetCode(frame).cast();
                begin(code);
                decref(code);
            }
            RETURN => {
                let code: Object = py::PyFrame_GetCode(frame).cast();
                end(code, value.is_null());
                decref(code);
            }
            _ => {}
        }
    }
    0
}

/// What `sys.monitoring` calls.
#[repr(C)]
struct Callback {
    head: Head,
    call: Vectorcall,
}

unsafe extern "C" fn on_begin(
    _: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: Python calls it with a code object first.
    unsafe {
        if count & !OFFSET_BIT > 0 {
            begin(*arguments);
        }
    }
    none()
}

unsafe extern "C" fn on_end(
    _: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: as in `on_begin`.
    unsafe {
        if count & !OFFSET_BIT > 0 {
            end(*arguments, false);
        }
    }
    none()
}

unsafe extern "C" fn on_unwind(
    _: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: as in `on_begin`.
    unsafe {
        if count & !OFFSET_BIT > 0 {
            end(*arguments, true);
        }
    }
    none()
}

/// The callbacks for begin, end and unwinding, as new references; null with an exception set.
pub(crate) unsafe fn callbacks() -> Option<[Object; 3]> {
    let kind = TypeBuilder::new::<Callback>(c"sondage._native.Callback", c"A monitor's callback.")
        .without_new()
        .vectorcall(offset_of!(Callback, call))
        .build();
    if kind.is_null() {
        return None;
    }
    let make = |function: Vectorcall| {
        // SAFETY: the GIL is held; the type is complete.
        unsafe {
            let callback: *mut Callback = py::PyType_GenericAlloc(kind, 0).cast();
            if !callback.is_null() {
                (*callback).call = function;
            }
            callback.cast::<py::PyObject>()
        }
    };
    let made = [make(on_begin), make(on_end), make(on_unwind)];
    made.iter().all(|each| !each.is_null()).then_some(made)
}

/// Sets what switches monitoring on and off. Takes the reference.
pub(crate) unsafe fn set_switch(function: Object) {
    // SAFETY: the GIL is held.
    unsafe {
        let before = std::mem::replace(&mut (*STATE.get()).switch, function);
        xdecref(before);
    }
}
