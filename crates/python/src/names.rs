//! Numbers of names: a span's site and an argument's text, found by the address of the `str`.

use crate::object::{Guarded, Object, decref, new_ref, text_of, xdecref};
use pyo3::ffi as py;
use sondage::raw;
use std::collections::HashMap;
use std::ptr::null_mut;

/// Numbers of `str` objects by address.
///
/// PERF: names are constants of the source, the same object each time: one comparison finds the
/// number. A span with it and with the text hashed: 129 and 164 ns (`bench/python_spans.py`, 2-core VM,
/// CPython 3.11).
struct Addresses<T: Copy> {
    slots: [(Object, T); Addresses::<u32>::LENGTH],
}

impl<T: Copy> Addresses<T> {
    const LENGTH: usize = 1024;

    const fn new(empty: T) -> Addresses<T> {
        Addresses {
            slots: [(null_mut(), empty); Addresses::<u32>::LENGTH],
        }
    }

    #[inline(always)]
    fn slot(&mut self, name: Object) -> &mut (Object, T) {
        let hash = (name as usize >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &mut self.slots[hash >> (usize::BITS - Addresses::<u32>::LENGTH.trailing_zeros())]
    }

    /// Keeps `name` with its number; it lives as long as it is kept, so that no other object gets
    /// its address.
    unsafe fn keep(&mut self, name: Object, value: T) {
        // SAFETY: the caller has a live object; the slot owns the one that it gives up.
        unsafe {
            let slot = self.slot(name);
            let before = slot.0;
            *slot = (new_ref(name), value);
            xdecref(before);
        }
    }

    unsafe fn clear(&mut self) {
        for slot in &mut self.slots {
            let before = std::mem::replace(&mut slot.0, null_mut());
            // SAFETY: the slot owned it.
            unsafe { xdecref(before) };
        }
    }
}

/// An argument's name: its number, and whether its value is kept to ourselves.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub text: u32,
    pub is_secret: bool,
}

/// The site of a name, and the line of its place.
#[derive(Clone, Copy)]
struct Known {
    site: u32,
    line: u32,
}

struct State {
    sites: Addresses<u32>,
    keys: Addresses<Key>,
    /// Sites of spans by name: the place is where the name was first used.
    by_name: Option<HashMap<String, Known>>,
    /// Parts of names, in small letters, whose values are not recorded.
    secrets: Vec<String>,
}

static STATE: Guarded<State> = Guarded::new(State {
    sites: Addresses::new(0),
    keys: Addresses::new(Key {
        text: 0,
        is_secret: false,
    }),
    by_name: None,
    secrets: Vec::new(),
});

/// Sites by name that are remembered. Names made up while the program runs get none beyond.
const MOST_NAMES: usize = 1 << 16;

/// The site of the spans called `name`, a `str`.
#[inline(always)]
pub(crate) unsafe fn site(name: Object) -> u32 {
    // SAFETY: the GIL is held; the state is ours.
    unsafe {
        let slot = (*STATE.get()).sites.slot(name);
        if slot.0 == name {
            return slot.1;
        }
        site_by_text(name)
    }
}

#[inline(never)]
unsafe fn site_by_text(name: Object) -> u32 {
    // SAFETY: as in `site`. Looking for the place calls Python; no reference is held meanwhile.
    unsafe {
        let text = text_of(name);
        let known = (*STATE.get())
            .by_name
            .get_or_insert_default()
            .get(text)
            .copied();
        let known = known.unwrap_or_else(|| {
            let (function, file, line) = place();
            let site = raw::site(text, &function, &file, line, 0);
            let names = (*STATE.get()).by_name.get_or_insert_default();
            let known = Known { site, line };
            if names.len() < MOST_NAMES {
                names.insert(text.to_owned(), known);
            }
            known
        });
        (*STATE.get()).sites.keep(name, known.site);
        known.site
    }
}

/// Lines from a function's first decorator to the one that names a span.
const MOST_DECORATORS: u32 = 32;

/// Says that the spans called `name`, a `str`, are where a function is, unless one has been
/// elsewhere. Where the decorator stands that made the name is not elsewhere.
pub(crate) unsafe fn set_place(
    name: Object,
    (function, file): (&str, &str),
    line: u32,
    colour: u32,
) {
    // SAFETY: as in `site`.
    unsafe {
        let text = text_of(name);
        let names = (*STATE.get()).by_name.get_or_insert_default();
        let is_ours = match names.get(text) {
            Some(known) => known.line.wrapping_sub(line) < MOST_DECORATORS,
            None => names.len() < MOST_NAMES,
        };
        if is_ours {
            let site = raw::site(text, function, file, line, colour);
            names.insert(text.to_owned(), Known { site, line });
            (*STATE.get()).sites.keep(name, site);
        }
    }
}

/// The site of a function's spans.
pub(crate) fn site_of(name: &str, function: &str, file: &str, line: u32) -> u32 {
    raw::site(name, function, file, line, 0)
}

/// Function, file and line of the Python code that runs; empty where there is none.
pub(crate) unsafe fn place() -> (String, String, u32) {
    // SAFETY: the GIL is held. The frame is borrowed from the thread, which runs it.
    unsafe {
        let frame = py::PyEval_GetFrame();
        if frame.is_null() {
            return Default::default();
        }
        let line = py::PyFrame_GetLineNumber(frame);
        let code: Object = py::PyFrame_GetCode(frame).cast();
        let attribute = |name: &std::ffi::CStr| {
            let value = py::PyObject_GetAttrString(code, name.as_ptr());
            if value.is_null() {
                py::PyErr_Clear();
            }
            let text = text_of(value).to_owned();
            xdecref(value);
            text
        };
        let place = (
            attribute(c"co_qualname"),
            attribute(c"co_filename"),
            u32::try_from(line).unwrap_or(0),
        );
        decref(code);
        place
    }
}

/// The number of an argument's name, a `str`.
#[inline]
pub(crate) unsafe fn key(name: Object) -> Key {
    // SAFETY: as in `site`.
    unsafe {
        let state = STATE.get();
        let slot = (*state).keys.slot(name);
        if slot.0 == name {
            return slot.1;
        }
        let text = text_of(name);
        let small = text.to_lowercase();
        let key = Key {
            text: raw::text(text),
            is_secret: (*state).secrets.iter().any(|part| small.contains(part)),
        };
        (*state).keys.keep(name, key);
        key
    }
}

/// Sets the parts of names whose values are not recorded.
pub(crate) unsafe fn set_secrets(parts: Vec<String>) {
    // SAFETY: as in `site`.
    unsafe {
        let state = STATE.get();
        (*state).secrets = parts.into_iter().map(|part| part.to_lowercase()).collect();
        (*state).keys.clear();
    }
}
