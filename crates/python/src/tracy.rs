//! Tracy: starting it, and keeping its zones in the order that it needs.
//!
//! Tracy's zones are nested in each thread. Spans are nested in each context: between two awaits of
//! a task its thread runs other tasks, whose spans begin and end meanwhile. So each thread notes
//! which spans it has told Tracy that it is in, and before a span begins or ends, it leaves those
//! that are not around that one, and goes back into those that are: what Tracy shows is where the
//! thread is, as far as spans tell. Without Tracy nothing is noted.

use crate::object::{call_in, decref, set_error, take_error, text_of, xdecref};
use crate::span::Span;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::ffi as py;
use pyo3::prelude::*;
use sondage::raw::{self, SpanId};
use sondage::tracy::{self, Note};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of Tracy that is built in: a window must be of the same protocol.
pub(crate) const VERSION: &str = "0.14.1";

/// Spans of a thread.
struct Spans {
    /// Those that Tracy was told the thread is in, outermost first.
    inside: Vec<SpanId>,
    /// Open ones that it has left because another context ran, the longest gone first.
    away: Vec<SpanId>,
}

thread_local! {
    static SPANS: RefCell<Spans> = const {
        RefCell::new(Spans { inside: Vec::new(), away: Vec::new() })
    };
    /// How often the thread's name may still be asked for; 0 once it has it.
    static TRIES: Cell<u8> = const { Cell::new(MOST_TRIES) };
}

/// A thread of Python's has its name after its first steps. Another program's has none.
const MOST_TRIES: u8 = 16;

/// Spans that end in other threads stay among those that are away. So many are remembered.
const MOST_AWAY: usize = 4096;

/// The program has named its process.
static HAS_PROCESS_NAME: AtomicBool = AtomicBool::new(false);

/// Whether Tracy runs.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    tracy::is_started()
}

/// Sees to it that Tracy knows the thread by Python's name of it. To be called before each event,
/// with the GIL held.
#[inline(always)]
pub(crate) fn greet() {
    if is_on() && TRIES.get() > 0 {
        // SAFETY: the GIL is held by every probe of Python's.
        unsafe { name_thread() };
    }
}

#[cold]
unsafe fn name_thread() {
    TRIES.set(TRIES.get() - 1);
    // SAFETY: the GIL is held. Nothing is imported: a program that has threads has the module. An
    // exception that is under way stays so.
    unsafe {
        let raised = take_error();
        let modules = py::PyImport_GetModuleDict();
        let threading = py::PyDict_GetItemString(modules, c"threading".as_ptr());
        if !threading.is_null() {
            let threads = py::PyObject_GetAttrString(threading, c"_active".as_ptr());
            let number = call_in(c"threading", c"get_ident", &[]);
            if !threads.is_null() && !number.is_null() && py::PyDict_Check(threads) != 0 {
                let thread = py::PyDict_GetItemWithError(threads, number);
                if !thread.is_null() {
                    let name = py::PyObject_GetAttrString(thread, c"name".as_ptr());
                    if !text_of(name).is_empty() {
                        TRIES.set(0);
                        raw::thread_name(text_of(name));
                    }
                    xdecref(name);
                }
            }
            xdecref(threads);
            xdecref(number);
        }
        py::PyErr_Clear();
        set_error(raised);
    }
}

impl Spans {
    /// Leaves the innermost span, which stays open.
    fn step_out(&mut self) {
        if let Some(span) = self.inside.pop() {
            tracy::span_exit(span);
            if self.away.len() == MOST_AWAY {
                self.away.remove(0);
            }
            self.away.push(span);
        }
    }

    /// Is in `innermost` and those around it, as far as the thread has been in them, and in no
    /// others.
    #[cold]
    unsafe fn go(&mut self, innermost: *mut Span) {
        let mut wanted = Vec::new();
        let mut span = innermost;
        // SAFETY: open spans hold those around them; the GIL is held.
        unsafe {
            while !span.is_null() {
                let id = (*span).id();
                if self.inside.contains(&id) || self.away.contains(&id) {
                    wanted.push(id);
                }
                span = (*span).parent();
            }
        }
        wanted.reverse();
        let same = self.inside.iter().zip(&wanted);
        let common = same.take_while(|(is, wanted)| is == wanted).count();
        while self.inside.len() > common {
            self.step_out();
        }
        for id in wanted.drain(common..) {
            self.away.retain(|away| *away != id);
            tracy::span_enter(id);
            self.inside.push(id);
        }
    }

    /// As [`Spans::go`], which has nothing to do when one span follows the other in one context.
    #[inline]
    unsafe fn go_to(&mut self, innermost: *mut Span) {
        // SAFETY: the caller has a live span, or null.
        let is_there = unsafe {
            match self.inside.last() {
                None => innermost.is_null() || self.away.is_empty(),
                Some(last) => !innermost.is_null() && (*innermost).id() == *last,
            }
        };
        if !is_there {
            // SAFETY: as above.
            unsafe { self.go(innermost) };
        }
    }

    /// The thread is in `span` no more: it ends, or waits. Those inside it wait with it.
    fn drop(&mut self, span: SpanId) {
        match self.inside.iter().rposition(|inside| *inside == span) {
            Some(at) => {
                while self.inside.len() > at + 1 {
                    self.step_out();
                }
                self.inside.pop();
            }
            None => self.away.retain(|away| *away != span),
        }
    }
}

fn with_spans(with: impl FnOnce(&mut Spans)) {
    // A probe inside a probe finds it taken, and a thread at its end finds it gone.
    let _ = SPANS.try_with(|spans| spans.try_borrow_mut().map(|mut spans| with(&mut spans)));
}

/// A span is about to begin, or to go on, inside `parent` (null for none).
#[cold]
pub(crate) unsafe fn before_begin(parent: *mut Span) {
    greet();
    // SAFETY: the caller has a live span, or null.
    with_spans(|spans| unsafe { spans.go_to(parent) });
}

/// A span began, or went on.
#[cold]
pub(crate) unsafe fn after_begin(span: *mut Span) {
    // SAFETY: the caller has a live span.
    let id = unsafe { (*span).id() };
    with_spans(|spans| spans.inside.push(id));
}

/// A coroutine goes on inside `innermost`, a span that began in it.
#[cold]
pub(crate) unsafe fn go_to(innermost: *mut Span) {
    // SAFETY: the caller has a live span, or null.
    with_spans(|spans| unsafe { spans.go_to(innermost) });
}

/// A span is about to end, or to wait.
#[cold]
pub(crate) unsafe fn before_end(span: *mut Span) {
    // SAFETY: the caller has a live span.
    let id = unsafe { (*span).id() };
    with_spans(|spans| spans.drop(id));
}

/// Starts it: lets it listen at an address (0 is any port), under the process's name as the program
/// told it, here or before, or its script's. Where it listens.
#[pyfunction]
#[pyo3(signature = (address, port, name, script))]
pub(crate) fn tracy_start(
    py: Python<'_>,
    address: &str,
    port: u16,
    name: Option<String>,
    script: String,
) -> PyResult<(String, u16)> {
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(PyValueError::new_err(format!("{address} is no IP address")));
    };
    let is_named = HAS_PROCESS_NAME.load(Ordering::Relaxed);
    let process_name = name.or_else(|| (!is_named).then_some(script));
    let config = tracy::Config {
        address,
        port,
        process_name,
    };
    match py.detach(|| tracy::start(&config)) {
        Ok(address) => Ok((address.ip().to_string(), address.port())),
        Err(error) => Err(PyOSError::new_err(reason(&error))),
    }
}

/// Why it did not start, for a text that says so already.
fn reason(error: &tracy::StartError) -> String {
    let text = error.to_string();
    text.strip_prefix("Tracy is not started: ")
        .map_or_else(|| text.clone(), str::to_owned)
}

/// Address and port of what the environment variable `SONDAGE_TRACY` says.
#[pyfunction]
pub(crate) fn tracy_parse(text: &str) -> PyResult<(String, u16)> {
    match tracy::Config::parse(text) {
        Ok(config) => Ok((config.address.to_string(), config.port)),
        Err(error) => Err(PyValueError::new_err(reason(&error))),
    }
}

/// Whether a profiler is connected.
#[pyfunction]
pub(crate) fn tracy_connected() -> bool {
    tracy::is_connected()
}

/// Where it listens, however it was started.
#[pyfunction]
pub(crate) fn tracy_address() -> Option<(String, u16)> {
    tracy::address().map(|address| (address.ip().to_string(), address.port()))
}

/// Names this process.
#[pyfunction]
pub(crate) fn process_name(name: &str) {
    HAS_PROCESS_NAME.store(true, Ordering::Relaxed);
    raw::process_name(name);
}

/// The number of a span, when it is one and open.
unsafe fn open_id(span: &Bound<'_, PyAny>) -> Option<(*mut Span, SpanId)> {
    // SAFETY: the GIL is held; the object is alive, and looked at before it is used.
    unsafe {
        let is_span = crate::span::is_span(span.as_ptr());
        let span: *mut Span = span.as_ptr().cast();
        (is_span && (*span).is_open()).then(|| (span, (*span).id()))
    }
}

/// Notes something of a zone: in its data and its events under `key`, and to Tracy as a zone's.
unsafe fn note(span: &Bound<'_, PyAny>, key: &str, value: &Bound<'_, PyAny>, note: Note<'_>) {
    // SAFETY: the GIL is held.
    unsafe {
        if let Some((span, id)) = open_id(span) {
            let key = crate::object::new_text(key);
            if !key.is_null() {
                crate::span::put_untold(span, key, value.as_ptr());
                decref(key);
            }
            tracy::note(id, note);
        }
    }
}

/// Says something of a zone.
#[pyfunction]
pub(crate) fn zone_text(span: &Bound<'_, PyAny>, text: &Bound<'_, PyAny>) {
    // SAFETY: the GIL is held; the text is alive.
    unsafe { note(span, "text", text, Note::Text(text_of(text.as_ptr()))) };
}

/// Gives a zone a number.
#[pyfunction]
pub(crate) fn zone_value(span: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let number = value.extract::<u64>()?;
    // SAFETY: the GIL is held.
    unsafe { note(span, "value", value, Note::Value(number)) };
    Ok(())
}

/// Gives a zone a name of its own.
#[pyfunction]
pub(crate) fn zone_name(span: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) {
    // SAFETY: the GIL is held; the text is alive.
    unsafe { note(span, "name", name, Note::Name(text_of(name.as_ptr()))) };
}

/// Gives a zone a colour of its own.
#[pyfunction]
pub(crate) fn zone_colour(span: &Bound<'_, PyAny>, colour: u32) {
    // SAFETY: the GIL is held.
    unsafe {
        if let Some((_, id)) = open_id(span) {
            tracy::note(id, Note::Colour(colour));
        }
    }
}
