//! What is kept of a value: numbers and short texts as they are, containers as a bounded text, of
//! anything else its type. No code of the program runs for it, nothing of it is kept alive, and it
//! cannot fail.

use crate::names;
use crate::object::{Object, decref, incref, new_text, text_of, type_of, xdecref};
use pyo3::ffi as py;
use sondage::raw::{self, SpanId, Value};
use std::fmt::Write as _;

/// Characters of a text that are kept.
const MOST_TEXT: usize = 200;
/// Items of a container that are shown.
const MOST_ITEMS: usize = 8;
/// Containers inside containers that are shown.
const MOST_DEPTH: usize = 3;
/// Stands for a value that is not recorded.
const SECRET: &str = "***";

/// Modules of the standard library whose objects say what they are in a few characters, in C.
const PLAIN_MODULES: [&str; 5] = ["datetime", "uuid", "decimal", "pathlib", "fractions"];

/// What is kept of `value`: a new reference to a number, a `str`, `None`.
pub(crate) unsafe fn kept(value: Object) -> Object {
    // SAFETY: the caller has a live object and the GIL.
    unsafe {
        let kind = type_of(value);
        let is_plain = value == py::Py_None()
            || kind == &raw mut py::PyBool_Type
            || kind == &raw mut py::PyFloat_Type
            || (kind == &raw mut py::PyLong_Type && fits(value))
            || (kind == &raw mut py::PyUnicode_Type
                && py::PyUnicode_GetLength(value) <= MOST_TEXT as isize);
        if is_plain {
            incref(value);
            return value;
        }
        let mut text = String::new();
        write(&mut text, value, 0);
        new_text(&text)
    }
}

unsafe fn fits(value: Object) -> bool {
    // SAFETY: as in `kept`.
    unsafe {
        let mut overflow = 0;
        py::PyLong_AsLongLongAndOverflow(value, &mut overflow);
        overflow == 0
    }
}

/// Writes an argument as an event: [`raw::value`], or [`raw::value_untold`].
pub(crate) type Write = fn(SpanId, u32, Value<'_>) -> bool;

/// Puts what is kept of `value` under `key` into `data`, a `dict`, and into the events of `span`
/// unless that is 0.
#[inline]
pub(crate) unsafe fn put(data: Object, span: SpanId, key: Object, value: Object, write: Write) {
    // SAFETY: as in `kept`; failures are of memory, and leave the value out.
    unsafe {
        let key = if py::PyUnicode_Check(key) != 0 {
            crate::object::new_ref(key)
        } else {
            kept(key)
        };
        let name = if py::PyUnicode_Check(key) != 0 {
            key
        } else {
            let text = py::PyObject_Str(key);
            decref(key);
            text
        };
        let value = match name.is_null() {
            true => std::ptr::null_mut(),
            false if names::key(name).is_secret => new_text(SECRET),
            false => kept(value),
        };
        if !value.is_null() {
            if py::PyDict_SetItem(data, name, value) == 0 && span.0 != 0 {
                record(span, name, value, write);
            }
            decref(value);
        }
        xdecref(name);
        if !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
        }
    }
}

/// Writes a kept value as an event.
#[inline]
unsafe fn record(span: SpanId, key: Object, value: Object, write: Write) {
    // SAFETY: as in `kept`.
    unsafe {
        let text = names::key(key).text;
        let kind = type_of(value);
        let value = if kind == &raw mut py::PyBool_Type {
            Value::Bool(value == py::Py_True())
        } else if kind == &raw mut py::PyLong_Type {
            Value::Int(py::PyLong_AsLongLong(value))
        } else if kind == &raw mut py::PyFloat_Type {
            Value::Float(py::PyFloat_AsDouble(value))
        } else if value == py::Py_None() {
            Value::Text("None")
        } else {
            Value::Text(text_of(value))
        };
        write(span, text, value);
    }
}

/// Writes all that `data` holds as events of `span`.
pub(crate) unsafe fn record_all(span: SpanId, data: Object) {
    // SAFETY: as in `kept`; the dict holds what it gives, and nobody changes it meanwhile.
    unsafe {
        let (mut at, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        while py::PyDict_Next(data, &mut at, &mut key, &mut value) != 0 {
            record(span, key, value, raw::value);
        }
    }
}

/// Writes a value's text, as Python would where that is short.
unsafe fn write(out: &mut String, value: Object, depth: usize) {
    // SAFETY: as in `kept`. Only exact built-in types are looked into, whose C functions run no
    // other code.
    unsafe {
        let kind = type_of(value);
        if value == py::Py_None() {
            out.push_str("None");
        } else if kind == &raw mut py::PyBool_Type {
            out.push_str(if value == py::Py_True() {
                "True"
            } else {
                "False"
            });
        } else if kind == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let number = py::PyLong_AsLongLongAndOverflow(value, &mut overflow);
            match overflow {
                0 => write!(out, "{number}"),
                _ => write!(out, "<int of more than 63 bits>"),
            }
            .unwrap_or(());
        } else if kind == &raw mut py::PyFloat_Type {
            let _ = write!(out, "{:?}", py::PyFloat_AsDouble(value));
        } else if kind == &raw mut py::PyUnicode_Type {
            write_text(out, text_of(value), depth);
        } else if kind == &raw mut py::PyBytes_Type || kind == &raw mut py::PyByteArray_Type {
            let length = py::PyObject_Size(value);
            let _ = write!(out, "<{} of {length}>", type_name(value));
        } else if kind == &raw mut py::PyDict_Type {
            write_dict(out, value, depth);
        } else if kind == &raw mut py::PyList_Type {
            let item = |at| py::PyList_GetItem(value, at);
            write_items(out, ["[", "]"], py::PyList_Size(value), item, depth);
        } else if kind == &raw mut py::PyTuple_Type {
            let item = |at| py::PyTuple_GetItem(value, at);
            let length = py::PyTuple_Size(value);
            let end = if length == 1 { ",)" } else { ")" };
            write_items(out, ["(", end], length, item, depth);
        } else if kind == &raw mut py::PySet_Type || kind == &raw mut py::PyFrozenSet_Type {
            let _ = write!(out, "<{} of {}>", type_name(value), py::PySet_Size(value));
        } else if !write_plain(out, value) {
            let _ = write!(out, "<{}>", type_name(value));
        }
    }
}

fn write_text(out: &mut String, text: &str, depth: usize) {
    let most = if depth == 0 { MOST_TEXT } else { MOST_TEXT / 4 };
    let is_long = text.chars().nth(most).is_some();
    let quote = if depth == 0 { "" } else { "'" };
    out.push_str(quote);
    if is_long {
        out.extend(text.chars().take(most));
        out.push('…');
    } else {
        out.push_str(text);
    }
    out.push_str(quote);
}

unsafe fn write_items(
    out: &mut String,
    [begin, end]: [&str; 2],
    length: isize,
    item: impl Fn(isize) -> Object,
    depth: usize,
) {
    out.push_str(begin);
    let shown = length.min(MOST_ITEMS as isize);
    for at in 0..shown {
        if depth >= MOST_DEPTH || out.len() > MOST_TEXT {
            break;
        }
        if at > 0 {
            out.push_str(", ");
        }
        // SAFETY: as in `write`; the container keeps its items.
        unsafe { write(out, item(at), depth + 1) };
    }
    if length > shown || (length > 0 && (depth >= MOST_DEPTH || out.len() > MOST_TEXT)) {
        let _ = write!(out, "… {length} items");
    }
    out.push_str(end);
}

unsafe fn write_dict(out: &mut String, dict: Object, depth: usize) {
    // SAFETY: as in `write`; nothing changes the dict meanwhile.
    unsafe {
        let length = py::PyDict_Size(dict);
        out.push('{');
        let (mut at, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        let mut shown = 0;
        while depth < MOST_DEPTH
            && shown < MOST_ITEMS
            && out.len() <= MOST_TEXT
            && py::PyDict_Next(dict, &mut at, &mut key, &mut value) != 0
        {
            if shown > 0 {
                out.push_str(", ");
            }
            write(out, key, depth + 1);
            out.push_str(": ");
            let is_secret =
                type_of(key) == &raw mut py::PyUnicode_Type && names::key(key).is_secret;
            match is_secret {
                true => out.push_str(SECRET),
                false => write(out, value, depth + 1),
            }
            shown += 1;
        }
        if (shown as isize) < length {
            let _ = write!(out, "… {length} items");
        }
        out.push('}');
    }
}

/// Writes an object of a plain module of the standard library; false for any other.
unsafe fn write_plain(out: &mut String, value: Object) -> bool {
    // SAFETY: as in `kept`. These types' own `__str__` runs, unless a class of the program derives
    // from them: then the module is another.
    unsafe {
        let module = py::PyObject_GetAttrString(type_of(value).cast(), c"__module__".as_ptr());
        let name = text_of(module);
        let is_plain = PLAIN_MODULES.iter().any(|plain| {
            name == *plain
                || name
                    .strip_prefix(plain)
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        xdecref(module);
        if is_plain {
            let text = py::PyObject_Str(value);
            if !text.is_null() {
                write_text(out, text_of(text), 0);
                decref(text);
                return true;
            }
        }
        py::PyErr_Clear();
        false
    }
}

unsafe fn type_name(value: Object) -> String {
    // SAFETY: as in `kept`.
    unsafe {
        let name = py::PyType_GetQualName(type_of(value));
        if name.is_null() {
            py::PyErr_Clear();
        }
        let text = text_of(name).to_owned();
        xdecref(name);
        text
    }
}
