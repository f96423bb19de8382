//! What Python sees of a span: the type, its methods and what can be asked of it.

use super::*;

/// A span is called: with nothing it is entered, with three arguments left, with one it decorates.
///
/// PERF: `with` looks `__enter__` and `__exit__` up and makes a bound method of each. Our
/// descriptor of these names gives the span itself instead, and calling it is this.
/// A span with it and with bound methods: 129 and 188 ns (`bench/python_spans.py`, 2-core VM,
/// CPython 3.11).
pub(super) unsafe extern "C" fn call_span(
    object: Object,
    arguments: *const Object,
    count: usize,
    keywords: Object,
) -> Object {
    // SAFETY: Python calls it with a live span and live arguments.
    unsafe {
        match count & !OFFSET_BIT {
            0 => enter_method(object, null_mut()),
            3 => exit_method(object, arguments.cast_mut(), 3),
            1 if keywords.is_null() => {
                let span: *mut Span = object.cast();
                let data = if (*span).data.is_null() {
                    py::Py_None()
                } else {
                    (*span).data
                };
                let arguments = [*arguments, (*span).name, data];
                call_in(c"sondage._decorate", c"decorate", &arguments)
            }
            _ => raise(
                py::PyExc_TypeError,
                "a span decorates one function: @profiler.span(name)",
            ),
        }
    }
}

unsafe extern "C" fn enter_method(object: Object, _: Object) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let span: *mut Span = object.cast();
        if (*span).flags == 0 {
            let state = STATE.get();
            (*state).until_timed -= 1;
            let is_timed = (*state).until_timed == 0;
            let began = if is_timed { raw::ticks() } else { 0 };
            enter(span);
            let ended = if is_timed { raw::ticks() } else { 0 };
            if is_timed {
                (*span).flags |= TIMED;
                (*state).until_timed = TIMED_EVERY;
                note_ticks(began, ended);
            }
        } else {
            (*span).again += 1;
        }
        new_ref(object)
    }
}

unsafe extern "C" fn exit_method(object: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let span: *mut Span = object.cast();
        if (*span).again > 0 && (*span).flags & ZONE == 0 {
            (*span).again -= 1;
        } else if (*span).is_open() && (*span).flags & ZONE == 0 {
            let failed = count > 0 && *arguments != py::Py_None();
            if failed {
                note_error(span, *arguments);
            }
            let is_timed = (*span).flags & TIMED != 0;
            let began = if is_timed { raw::ticks() } else { 0 };
            leave(span, failed);
            let ended = if is_timed { raw::ticks() } else { 0 };
            if is_timed {
                note_ticks(began, ended);
                (*STATE.get()).timed += 1;
            }
        }
        none()
    }
}

unsafe extern "C" fn set_method(object: Object, arguments: *mut Object, count: isize) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        if count != 2 {
            return raise(py::PyExc_TypeError, "set() takes a key and a value");
        }
        put(object.cast(), *arguments, *arguments.add(1));
        new_ref(object)
    }
}

unsafe extern "C" fn get_name(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { new_ref((*object.cast::<Span>()).name) }
}

unsafe extern "C" fn get_start(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { py::PyFloat_FromDouble(store::perf_counter((*object.cast::<Span>()).start)) }
}

unsafe extern "C" fn get_duration(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let nanos = raw::nanos_of((*object.cast::<Span>()).ticks());
        py::PyFloat_FromDouble(nanos as f64 / 1e6)
    }
}

unsafe extern "C" fn get_data(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let span: *mut Span = object.cast();
        if (*span).data.is_null() {
            (*span).data = py::PyDict_New();
        }
        if (*span).data.is_null() {
            return null_mut();
        }
        new_ref((*span).data)
    }
}

/// Spans and cumulative spans inside it, by when they began.
unsafe extern "C" fn get_children(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`; the list owns what it is given.
    unsafe {
        let list = py::PyList_New(0);
        if list.is_null() {
            return null_mut();
        }
        let (mut child, mut sum) = (
            (*object.cast::<Span>()).first,
            (*object.cast::<Span>()).sums,
        );
        while !(child.is_null() && sum.is_null()) {
            let is_sum = child.is_null() || (!sum.is_null() && (*sum).began() < (*child).start);
            let next: Object = if is_sum { sum.cast() } else { child.cast() };
            if py::PyList_Append(list, next) < 0 {
                decref(list);
                return null_mut();
            }
            if is_sum {
                sum = (*sum).next();
            } else {
                child = (*child).next;
            }
        }
        list
    }
}

unsafe extern "C" fn get_failed(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { py::PyBool_FromLong(i64::from((*object.cast::<Span>()).flags & FAILED != 0)) }
}

unsafe extern "C" fn get_dropped(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { py::PyLong_FromUnsignedLong(u64::from((*object.cast::<Span>()).lost)) }
}

unsafe extern "C" fn get_span_id(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { crate::object::new_text(&format!("{:016x}", (*object.cast::<Span>()).id)) }
}

unsafe extern "C" fn get_trace_id(object: Object, _: *mut c_void) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let (trace, _) = ids(object.cast());
        crate::object::new_text(&format!("{:032x}", trace.0))
    }
}

unsafe extern "C" fn repr(object: Object) -> Object {
    // SAFETY: as in `call_span`.
    unsafe {
        let span: *mut Span = object.cast();
        let millis = raw::nanos_of((*span).ticks()) as f64 / 1e6;
        let name = crate::object::text_of((*span).name);
        let text = match (*span).flags & (ENTERED | ENDED) {
            0 => format!("<ProfilingSpan {name}, not begun>"),
            ENTERED => format!("<ProfilingSpan {name}, open for {millis:.3} ms>"),
            _ => format!("<ProfilingSpan {name}, {millis:.3} ms>"),
        };
        crate::object::new_text(&text)
    }
}

unsafe extern "C" fn text(object: Object) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { call_in(c"sondage._tree", c"text", &[object]) }
}

unsafe extern "C" fn html_method(object: Object, _: Object) -> Object {
    // SAFETY: as in `call_span`.
    unsafe { call_in(c"sondage._tree", c"html", &[object]) }
}

/// What `__enter__` and `__exit__` are in the type: see [`call_span`].
#[repr(C)]
struct Itself {
    head: Head,
    method: Object,
}

unsafe extern "C" fn itself_get(descriptor: Object, object: Object, _: Object) -> Object {
    // SAFETY: Python calls it with a live descriptor and a live object or null.
    unsafe {
        if object.is_null() || object == py::Py_None() {
            new_ref((*descriptor.cast::<Itself>()).method)
        } else {
            new_ref(object)
        }
    }
}

unsafe extern "C" fn itself_dealloc(descriptor: Object) {
    // SAFETY: Python ends an object of ours.
    unsafe {
        let kind = crate::object::type_of(descriptor);
        xdecref((*descriptor.cast::<Itself>()).method);
        py::PyObject_Free(descriptor.cast());
        decref(kind.cast());
    }
}

/// Puts descriptors of `enter` and `exit` into a type whose instances can be called for both.
pub(crate) unsafe fn enter_by_call(
    kind: *mut py::PyTypeObject,
    enter: py::PyMethodDef,
    exit: py::PyMethodDef,
) -> bool {
    // SAFETY: the GIL is held; the type is ours and complete.
    unsafe {
        let itself = TypeBuilder::new::<Itself>(c"sondage._native.Itself", c"The object itself.")
            .without_new()
            .slot(py::Py_tp_dealloc, itself_dealloc as *mut _)
            .slot(py::Py_tp_descr_get, itself_get as *mut _)
            .build();
        if itself.is_null() {
            return false;
        }
        for method in [enter, exit] {
            let name = method.ml_name;
            let method = py::PyDescr_NewMethod(kind, Box::leak(Box::new(method)));
            let descriptor = py::PyType_GenericAlloc(itself, 0);
            if method.is_null() || descriptor.is_null() {
                return false;
            }
            (*descriptor.cast::<Itself>()).method = method;
            if py::PyObject_SetAttrString(kind.cast(), name, descriptor) < 0 {
                return false;
            }
            decref(descriptor);
        }
        true
    }
}

/// Makes the type. Null with an exception set when that fails.
pub(crate) unsafe fn init() -> *mut py::PyTypeObject {
    let doc = c"One stretch of time that the program named, and those inside it.";
    let kind = TypeBuilder::new::<Span>(c"sondage.ProfilingSpan", doc)
        .without_new()
        .vectorcall(offset_of!(Span, call))
        .slot(py::Py_tp_dealloc, dealloc as *mut _)
        .slot(py::Py_tp_repr, repr as *mut _)
        .slot(py::Py_tp_str, text as *mut _)
        .property(c"name", get_name, None, c"What it is called.")
        .property(
            c"start",
            get_start,
            None,
            c"When it began, in seconds of time.perf_counter.",
        )
        .property(
            c"duration_ms",
            get_duration,
            None,
            c"Milliseconds from begin to end; until now while it is open.",
        )
        .property(c"data", get_data, None, c"Its arguments and values.")
        .property(
            c"children",
            get_children,
            None,
            c"Spans and cumulative spans inside it, in the order in which they began.",
        )
        .property(
            c"failed",
            get_failed,
            None,
            c"Whether an exception left it.",
        )
        .property(
            c"dropped",
            get_dropped,
            None,
            c"Of a trace's root: spans that found no room in the tree.",
        )
        .property(
            c"span_id",
            get_span_id,
            None,
            c"Its number, 16 hexadecimal digits.",
        )
        .property(
            c"trace_id",
            get_trace_id,
            None,
            c"Its trace's number, 32 hexadecimal digits. Known while it is open, and of a root.",
        )
        .method(method_fast(
            c"set",
            set_method,
            c"set(key, value): adds a value to its data.",
        ))
        .method(method0(
            c"_repr_html_",
            html_method,
            c"The tree, for a notebook.",
        ))
        .build();
    // SAFETY: the GIL is held, and the type is new.
    unsafe {
        if kind.is_null() {
            return null_mut();
        }
        let state = STATE.get();
        (*state).kind = kind;
        (*state).trace_high = (raw::new_trace_id().0 >> 64) as u64;
        let enter = method0(c"__enter__", enter_method, c"Begins it.");
        let exit = method_fast(c"__exit__", exit_method, c"Ends it.");
        if !enter_by_call(kind, enter, exit) {
            return null_mut();
        }
    }
    kind
}

/// Notes the class of the exception that left the span.
#[cold]
pub(crate) unsafe fn note_error(span: *mut Span, error: Object) {
    // SAFETY: as in `call_span`.
    unsafe {
        let kind = if py::PyType_Check(error) != 0 {
            error
        } else {
            crate::object::type_of(error).cast()
        };
        let name = py::PyType_GetName(kind.cast());
        if !name.is_null() {
            static KEY: Guarded<Object> = Guarded::new(null_mut());
            if (*KEY.get()).is_null() {
                *KEY.get() = crate::object::new_text("error");
            }
            put(span, *KEY.get(), name);
            decref(name);
        }
    }
}
