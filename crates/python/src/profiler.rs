//! `sondage.profiler`, as far as it must be fast, and the span of a profiler that is switched off.

use crate::object::{
    Guarded, Head, OFFSET_BIT, Object, TypeBuilder, Vectorcall, call_in, method_fast,
    method_keywords, method0, method1, new_ref, none, raise, text_of,
};
use crate::{capture, context, names, span, store, sum};
use pyo3::ffi as py;
use sondage::raw::{self, SpanId};
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr::null_mut;

/// The probes themselves are functions in slots of the instance.
///
/// PERF: of a name that a module imported, CPython loads an attribute and calls it, instead of
/// calling a method. Of a method that makes a bound object each time; of a slot it is one load.
/// `bench/python_spans.py`, 2-core VM, CPython 3.11.
#[repr(C)]
struct Profiler {
    head: Head,
    span: Object,
    cumulative_span: Object,
    current_span: Object,
}

static PROBES: Guarded<[Object; 3]> = Guarded::new([null_mut(); 3]);

unsafe extern "C" fn new_profiler(kind: *mut py::PyTypeObject, _: Object, _: Object) -> Object {
    // SAFETY: Python calls it with our type or one derived from it. Each instance has references
    // of its own to the functions, which live for ever.
    unsafe {
        let object = py::PyType_GenericAlloc(kind, 0);
        if !object.is_null() {
            let profiler: *mut Profiler = object.cast();
            let [span, cumulative, current] = *PROBES.get();
            (*profiler).span = new_ref(span);
            (*profiler).cumulative_span = new_ref(cumulative);
            (*profiler).current_span = new_ref(current);
        }
        object
    }
}

/// What every probe gives while the profiler is off: entering, leaving and setting do nothing.
#[repr(C)]
struct NoSpan {
    head: Head,
    call: Vectorcall,
}

static NO_SPAN: Guarded<Object> = Guarded::new(null_mut());

/// The name and the arguments of the last span that was asked for while the profiler was off, and
/// whether it was a cumulative one: what it decorates needs them once the profiler is on. A
/// decorator is called right after it was made.
struct Last {
    name: Object,
    data: Object,
    is_cumulative: bool,
}

static LAST: Guarded<Last> = Guarded::new(Last {
    name: null_mut(),
    data: null_mut(),
    is_cumulative: false,
});

#[inline(always)]
unsafe fn note_last(name: Object, data: Object, is_cumulative: bool) {
    // SAFETY: the GIL is held.
    unsafe {
        let last = LAST.get();
        if (*last).name != name || (*last).data != data || (*last).is_cumulative != is_cumulative {
            set_last(name, data, is_cumulative);
        }
    }
}

#[inline(never)]
unsafe fn set_last(name: Object, data: Object, is_cumulative: bool) {
    // SAFETY: the GIL is held; both are live, or null.
    unsafe {
        let last = LAST.get();
        (*last).is_cumulative = is_cumulative;
        for (slot, new) in [(&raw mut (*last).name, name), (&raw mut (*last).data, data)] {
            if *slot != new {
                if !new.is_null() {
                    crate::object::incref(new);
                }
                crate::object::xdecref(std::mem::replace(&mut *slot, new));
            }
        }
    }
}

/// Whether probes of Python record. Apart from the process's switch, which `raw` keeps: measuring
/// what a span costs needs one without the other.
static IS_ON: Guarded<bool> = Guarded::new(true);

#[inline(always)]
pub(crate) fn is_on() -> bool {
    // SAFETY: the GIL is held by every probe.
    unsafe { *IS_ON.get() }
}

/// Turns probes on or off; not those of the rest of the process.
pub(crate) fn turn(on: bool) {
    // SAFETY: the GIL is held by who asks.
    unsafe { *IS_ON.get() = on }
}

#[inline(always)]
fn no_span() -> Object {
    // SAFETY: made by `init`, and never given up.
    unsafe { new_ref(*NO_SPAN.get()) }
}

/// `span(name=None, args=None)`.
unsafe extern "C" fn span_method(
    _: Object,
    arguments: *const Object,
    count: isize,
    keywords: Object,
) -> Object {
    // SAFETY: Python calls it with live arguments, as many as said, and those of keywords behind.
    unsafe {
        if !is_on() {
            return off(arguments, count, keywords);
        }
        if count == 1 && keywords.is_null() {
            let name = *arguments;
            if let Some(site) = span::site_of_name(name) {
                return span::new(name, site).cast();
            }
        }
        let Some([name, data]) = parse(arguments, count, keywords) else {
            return null_mut();
        };
        span_with(name, data)
    }
}

/// While the profiler is off: nothing, but what is decorated now may run when it is on.
#[inline(always)]
unsafe fn off(arguments: *const Object, count: isize, keywords: Object) -> Object {
    // SAFETY: as in `span_method`.
    unsafe {
        if count == 1 && keywords.is_null() && py::PyUnicode_Check(*arguments) != 0 {
            note_last(*arguments, null_mut(), false);
            return no_span();
        }
        let Some([name, data]) = parse(arguments, count, keywords) else {
            return null_mut();
        };
        if py::PyUnicode_Check(name) != 0 {
            note_last(name, data, false);
            return no_span();
        }
        span_with(name, data)
    }
}

/// The name and the arguments, borrowed, `None` where they are missing.
unsafe fn parse(arguments: *const Object, count: isize, keywords: Object) -> Option<[Object; 2]> {
    // SAFETY: as in `span_method`.
    unsafe {
        let mut found = [py::Py_None(); 2];
        let named = if keywords.is_null() {
            0
        } else {
            py::PyTuple_Size(keywords)
        };
        if count > 2 {
            raise(py::PyExc_TypeError, "span() takes a name and args={…}");
            return None;
        }
        for (at, slot) in found.iter_mut().enumerate().take(count as usize) {
            *slot = *arguments.add(at);
        }
        for at in 0..named {
            let value = *arguments.add((count + at) as usize);
            match text_of(py::PyTuple_GetItem(keywords, at)) {
                "name" => found[0] = value,
                "args" => found[1] = value,
                other => {
                    let text = format!("span() has no argument '{other}': a name and args={{…}}");
                    raise(py::PyExc_TypeError, &text);
                    return None;
                }
            }
        }
        Some(found)
    }
}

/// A new span at `site`, or what stands for one while the profiler is off.
pub(crate) unsafe fn new_span(name: Object, site: u32) -> Object {
    // SAFETY: the caller has a live `str`, and the GIL.
    unsafe {
        if is_on() {
            span::new(name, site).cast()
        } else {
            no_span()
        }
    }
}

#[inline(never)]
unsafe fn span_with(name: Object, data: Object) -> Object {
    // SAFETY: as in `span_method`.
    unsafe {
        if py::PyUnicode_Check(name) == 0 {
            // `@profiler.span` and `@profiler.span()`: the function's own name.
            if name == py::Py_None() || py::PyCallable_Check(name) != 0 {
                return call_in(c"sondage._decorate", c"decorate_bare", &[name, data]);
            }
            return raise(py::PyExc_TypeError, "a span's name is a str");
        }
        let span = span::new(name, names::site(name));
        if !span.is_null() && data != py::Py_None() {
            fill(span, data);
        }
        span.cast()
    }
}

/// Puts arguments, a `dict` or a function that makes one, into a new span. Whatever is wrong with
/// them is left out.
unsafe fn fill(span: *mut span::Span, data: Object) {
    // SAFETY: as in `span_method`. The dict is a copy: keeping a value may run code.
    unsafe {
        let made = if py::PyDict_Check(data) != 0 {
            py::PyDict_Copy(data)
        } else if py::PyCallable_Check(data) != 0 {
            crate::object::call(data, &[])
        } else {
            null_mut()
        };
        if !made.is_null() && py::PyDict_Check(made) != 0 {
            let (mut at, mut key, mut value) = (0, null_mut(), null_mut());
            while py::PyDict_Next(made, &mut at, &mut key, &mut value) != 0 {
                span::put(span, key, value);
            }
        }
        crate::object::xdecref(made);
        if !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
        }
    }
}

unsafe extern "C" fn cumulative_method(_: Object, name: Object) -> Object {
    // SAFETY: Python calls it with a live argument.
    unsafe {
        if py::PyUnicode_Check(name) == 0 {
            return raise(py::PyExc_TypeError, "a cumulative span's name is a str");
        }
        if is_on() {
            sum::new_pass(name)
        } else {
            note_last(name, null_mut(), true);
            no_span()
        }
    }
}

unsafe extern "C" fn current_method(_: Object, _: Object) -> Object {
    // SAFETY: the GIL is held.
    unsafe {
        let top = context::top();
        if top.is_null() || (*top).is_remote() {
            none()
        } else {
            new_ref(top.cast())
        }
    }
}

unsafe extern "C" fn get_enabled(_: Object, _: *mut c_void) -> Object {
    // SAFETY: the GIL is held.
    unsafe { py::PyBool_FromLong(i64::from(is_on())) }
}

unsafe extern "C" fn set_enabled(_: Object, value: Object, _: *mut c_void) -> c_int {
    // SAFETY: Python calls it with a live value, or null to delete.
    unsafe {
        if value.is_null() {
            raise(py::PyExc_AttributeError, "enabled is True or False");
            return -1;
        }
        let is_on = py::PyObject_IsTrue(value);
        if is_on < 0 {
            return -1;
        }
        *IS_ON.get() = is_on != 0;
        raw::set_enabled(is_on != 0);
        0
    }
}

unsafe extern "C" fn clear_method(_: Object, _: Object) -> Object {
    // SAFETY: the GIL is held.
    unsafe { store::clear() };
    none()
}

unsafe extern "C" fn roots_method(_: Object, _: Object) -> Object {
    // SAFETY: the GIL is held.
    unsafe { store::list() }
}

/// `_arguments(names, positional, keywords)`: a dict of what is kept of a call's arguments.
unsafe extern "C" fn call_span_method(_: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: Python calls it with live arguments. What they are is checked.
    unsafe {
        if count != 4 {
            return raise(
                py::PyExc_TypeError,
                "_call_span(name, names, positional, keywords)",
            );
        }
        let [name, names, positional, keywords] = [0, 1, 2, 3].map(|at| *arguments.add(at));
        if !is_on() {
            return no_span();
        }
        let span = span::new(name, names::site(name));
        if !span.is_null() {
            fill_call(span, names, positional, keywords);
        }
        span.cast()
    }
}

/// Keeps a call's arguments in a new span. `names` are the function's parameters by position.
pub(crate) unsafe fn fill_call(
    span: *mut span::Span,
    names: Object,
    positional: Object,
    keywords: Object,
) {
    // SAFETY: as in `call_span_method`.
    unsafe {
        let (given, named) = (py::PyTuple_Size(positional), py::PyDict_Size(keywords));
        if given == 0 && named == 0 {
            return;
        }
        let known = py::PyTuple_Size(names);
        for at in 0..given.min(known) {
            let name = py::PyTuple_GetItem(names, at);
            // A method's own object says nothing: its name is empty here.
            if py::PyUnicode_GetLength(name) > 0 {
                span::put(span, name, py::PyTuple_GetItem(positional, at));
            }
        }
        let (mut at, mut key, mut value) = (0, null_mut(), null_mut());
        while py::PyDict_Next(keywords, &mut at, &mut key, &mut value) != 0 {
            span::put(span, key, value);
        }
        if !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
        }
    }
}

unsafe extern "C" fn no_call(
    object: Object,
    arguments: *const Object,
    count: usize,
    _: Object,
) -> Object {
    // SAFETY: Python calls it with live arguments.
    unsafe {
        match count & !OFFSET_BIT {
            0 => new_ref(object),
            1 => {
                let last = LAST.get();
                let name = if (*last).name.is_null() {
                    py::Py_None()
                } else {
                    (*last).name
                };
                if (*last).is_cumulative {
                    let arguments = [*arguments, name];
                    return call_in(c"sondage._decorate", c"decorate_cumulative", &arguments);
                }
                let data = if (*last).data.is_null() {
                    py::Py_None()
                } else {
                    (*last).data
                };
                call_in(c"sondage._decorate", c"decorate", &[*arguments, name, data])
            }
            _ => none(),
        }
    }
}

unsafe extern "C" fn no_enter(object: Object, _: Object) -> Object {
    // SAFETY: Python calls it with a live object.
    unsafe { new_ref(object) }
}

unsafe extern "C" fn no_exit(_: Object, _: *mut Object, _: isize) -> Object {
    none()
}

unsafe extern "C" fn no_set(object: Object, _: *mut Object, _: isize) -> Object {
    // SAFETY: Python calls it with a live object.
    unsafe { new_ref(object) }
}

unsafe extern "C" fn no_name(_: Object, _: *mut c_void) -> Object {
    crate::object::new_text("")
}

unsafe extern "C" fn no_time(_: Object, _: *mut c_void) -> Object {
    // SAFETY: the GIL is held, as for all that follow.
    unsafe { py::PyFloat_FromDouble(0.0) }
}

unsafe extern "C" fn no_data(_: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `no_time`.
    unsafe { py::PyDict_New() }
}

unsafe extern "C" fn no_children(_: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `no_time`.
    unsafe { py::PyList_New(0) }
}

unsafe extern "C" fn no_failed(_: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `no_time`.
    unsafe { py::PyBool_FromLong(0) }
}

unsafe extern "C" fn no_bool(_: Object) -> c_int {
    0
}

unsafe extern "C" fn no_repr(_: Object) -> Object {
    crate::object::new_text("<no span: the profiler is off>")
}

/// Keeps what `capture` would keep: for tests, and for values that Python code puts elsewhere.
unsafe extern "C" fn kept_method(_: Object, value: Object) -> Object {
    // SAFETY: Python calls it with a live value.
    unsafe { capture::kept(value) }
}

/// Makes `Profiler` and `NoSpan`. Null with an exception set when that fails.
pub(crate) unsafe fn init() -> Option<[*mut py::PyTypeObject; 2]> {
    let doc = c"The probes of a program's spans. There is one: sondage.profiler.";
    let profiler = TypeBuilder::new::<Profiler>(c"sondage._native.Profiler", doc)
        .flag(py::Py_TPFLAGS_BASETYPE)
        .slot(py::Py_tp_new, new_profiler as *mut _)
        .object(
            c"span",
            offset_of!(Profiler, span),
            c"span(name, args=None)",
        )
        .object(
            c"cumulative_span",
            offset_of!(Profiler, cumulative_span),
            c"cumulative_span(name)",
        )
        .object(
            c"current_span",
            offset_of!(Profiler, current_span),
            c"current_span()",
        )
        .method(method0(c"clear", clear_method, c"Forgets all traces."))
        .method(method0(
            c"_roots",
            roots_method,
            c"The roots of all traces.",
        ))
        .method(method_fast(
            c"_call_span",
            call_span_method,
            c"A call's span.",
        ))
        .method(method_fast(
            c"_drive",
            crate::steps::drive,
            c"Drives a call in its span.",
        ))
        .method(method_fast(
            c"_driver",
            crate::driver::driver,
            c"What calls a function and drives it in its span.",
        ))
        .method(method1(c"_kept", kept_method, c"What is kept of a value."))
        .property(
            c"enabled",
            get_enabled,
            Some(set_enabled),
            c"Whether probes record.",
        )
        .build();
    let doc = c"What a probe gives while the profiler is off. It is false.";
    let no = TypeBuilder::new::<NoSpan>(c"sondage._native.NoSpan", doc)
        .without_new()
        .vectorcall(offset_of!(NoSpan, call))
        .slot(py::Py_nb_bool, no_bool as *mut _)
        .slot(py::Py_tp_repr, no_repr as *mut _)
        .property(c"name", no_name, None, c"Nothing.")
        .property(c"start", no_time, None, c"Nothing.")
        .property(c"duration_ms", no_time, None, c"Nothing.")
        .property(c"data", no_data, None, c"Nothing.")
        .property(c"children", no_children, None, c"Nothing.")
        .property(c"failed", no_failed, None, c"Nothing.")
        .method(method_fast(c"set", no_set, c"Does nothing."))
        .build();
    // SAFETY: the GIL is held, and the types are new.
    unsafe {
        if profiler.is_null() || no.is_null() {
            return None;
        }
        let object = py::PyType_GenericAlloc(no, 0);
        if object.is_null() {
            return None;
        }
        (*object.cast::<NoSpan>()).call = no_call;
        *NO_SPAN.get() = object;
        let probes = [
            method_keywords(
                c"span",
                span_method,
                c"span(name, args=None): a span, for `with` or as a decorator.",
            ),
            method1(
                c"cumulative_span",
                cumulative_method,
                c"cumulative_span(name): a pass that is added to those of its name.",
            ),
            method0(
                c"current_span",
                current_method,
                c"The innermost open span, or None.",
            ),
        ]
        .map(|probe| py::PyCFunction_NewEx(Box::leak(Box::new(probe)), null_mut(), null_mut()));
        if probes.iter().any(|probe| probe.is_null()) {
            return None;
        }
        *PROBES.get() = probes;
        let enter = method0(c"__enter__", no_enter, c"Does nothing.");
        let exit = method_fast(c"__exit__", no_exit, c"Does nothing.");
        span::enter_by_call(no, enter, exit).then_some([profiler, no])
    }
}

/// The ids of the current span, remote ones included.
pub(crate) unsafe fn current_ids() -> Option<(raw::TraceId, SpanId)> {
    // SAFETY: the GIL is held.
    unsafe {
        let top = context::top();
        (!top.is_null()).then(|| span::ids(top))
    }
}
