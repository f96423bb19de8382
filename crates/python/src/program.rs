//! Probes without a tree: frames, plots, messages, locks; and where events go.

use crate::object::text_of;
use crate::tracy;
use pyo3::exceptions::{PyConnectionError, PyOSError, PyTypeError};
use pyo3::prelude::*;
use sondage::raw::{self, FrameOp, LockOp, Value};
use std::path::PathBuf;

/// A frame mark: 0 mark, 1 begin, 2 end. `name` is a number of [`text`], 0 for the main frame.
#[pyfunction]
pub(crate) fn frame(name: u32, op: u8) {
    tracy::greet();
    let op = match op {
        0 => FrameOp::Mark,
        1 => FrameOp::Begin,
        _ => FrameOp::End,
    };
    raw::frame(name, op);
}

/// The number of a text.
#[pyfunction]
pub(crate) fn text(text: &str) -> u32 {
    raw::text(text)
}

/// A value of a plot: a number or a truth value.
#[pyfunction]
pub(crate) fn plot(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !raw::is_enabled() {
        return Ok(());
    }
    if !name.is_instance_of::<pyo3::types::PyString>() {
        return Err(PyTypeError::new_err("a plot's name is a str"));
    }
    // SAFETY: the name is a live `str`.
    let key = unsafe { crate::names::key(name.as_ptr()) };
    let value = if let Ok(number) = value.extract::<i64>() {
        Value::Int(number)
    } else {
        Value::Float(value.extract::<f64>()?)
    };
    tracy::greet();
    raw::plot(key.text, value);
    Ok(())
}

/// A line of text, with its level (1 debug to 5 critical) and colour (`0xRRGGBB`).
#[pyfunction]
#[pyo3(signature = (level, text, colour = 0))]
pub(crate) fn message(level: u8, text: &Bound<'_, PyAny>, colour: u32) {
    tracy::greet();
    // SAFETY: the text is alive.
    raw::message(level, colour, unsafe { text_of(text.as_ptr()) });
}

/// A number for a new lock.
#[pyfunction]
pub(crate) fn lock(name: &str, place: &str) -> u32 {
    raw::lock(name, place)
}

/// Something happened to a lock: 0 wait, 1 obtained, 2 released, 3 given up.
#[pyfunction]
pub(crate) fn lock_event(lock: u32, op: u8) {
    tracy::greet();
    let op = match op {
        0 => LockOp::Wait,
        1 => LockOp::Obtained,
        2 => LockOp::Released,
        3 => LockOp::GivenUp,
        _ => LockOp::Shared,
    };
    raw::lock_event(lock, op);
}

/// Names this thread in recordings.
#[pyfunction]
pub(crate) fn thread_name(name: &str) {
    raw::thread_name(name);
}

/// Finds a collector: its address and process.
#[pyfunction]
#[pyo3(signature = (address = None))]
pub(crate) fn connect(py: Python<'_>, address: Option<String>) -> PyResult<(String, u32)> {
    let found = py.detach(|| sondage::connect(address.as_deref()));
    match found {
        Ok(connection) => Ok((connection.address, connection.pid)),
        Err(error) => Err(PyConnectionError::new_err(format!(
            "{error}\nhint: sondage run starts a program with a collector"
        ))),
    }
}

/// The collector that events go to, if any.
#[pyfunction]
pub(crate) fn connection() -> Option<(String, u32)> {
    sondage::connection().map(|connection| (connection.address, connection.pid))
}

fn refused(error: sondage::SaveError) -> PyErr {
    PyOSError::new_err(error.to_string())
}

/// Writes what is kept into a file; its path.
#[pyfunction]
pub(crate) fn save(py: Python<'_>, path: PathBuf) -> PyResult<PathBuf> {
    // SAFETY: the GIL is held.
    unsafe { crate::sum::flush_loose() };
    py.detach(|| sondage::save(path)).map_err(refused)
}

/// Saves at the end of the process.
#[pyfunction]
pub(crate) fn save_at_exit(path: PathBuf) -> PyResult<()> {
    sondage::save_at_exit(path).map_err(refused)
}

/// Saves when a signal kills the process.
#[pyfunction]
pub(crate) fn save_on_crash(path: PathBuf) -> PyResult<()> {
    sondage::save_on_crash(path).map_err(refused)
}

/// The number of a place: a zone's name, function, file, line and colour (`0xRRGGBB`).
#[pyfunction]
pub(crate) fn site(name: &str, function: &str, file: &str, line: u32, colour: u32) -> u32 {
    raw::site(name, function, file, line, colour)
}

/// A new span at a place of its own, a number of [`site`].
#[pyfunction]
pub(crate) fn span_at(py: Python<'_>, name: &Bound<'_, PyAny>, site: u32) -> PyResult<Py<PyAny>> {
    if !name.is_instance_of::<pyo3::types::PyString>() {
        return Err(PyTypeError::new_err("a zone's name is a str"));
    }
    // SAFETY: the GIL is held; the name is a live `str`, and the reference is new.
    unsafe {
        let span = crate::profiler::new_span(name.as_ptr(), site);
        Ok(Bound::from_owned_ptr_or_err(py, span)?.unbind())
    }
}

/// Says where the spans called `name` are, unless there is one already.
#[pyfunction]
pub(crate) fn set_place(
    name: &Bound<'_, PyAny>,
    function: &str,
    file: &str,
    line: u32,
    colour: u32,
) {
    if name.is_instance_of::<pyo3::types::PyString>() {
        // SAFETY: the GIL is held; the name is a live `str`.
        unsafe { crate::names::set_place(name.as_ptr(), (function, file), line, colour) };
    }
}

/// What was lost: events, names.
#[pyfunction]
pub(crate) fn lost() -> (u64, u64) {
    let lost = raw::lost();
    (lost.events, lost.names)
}

/// Records cumulative spans that are outside of all spans: before the process ends.
#[pyfunction]
pub(crate) fn flush() {
    // SAFETY: the GIL is held.
    unsafe { crate::sum::flush_loose() };
}

/// Seconds of `time.perf_counter` as seconds of `time.time`.
#[pyfunction]
pub(crate) fn wall_of_perf(seconds: f64) -> f64 {
    crate::store::wall_of_perf(seconds)
}

/// Parts of names whose values are not recorded.
#[pyfunction]
pub(crate) fn set_secrets(parts: Vec<String>) {
    // SAFETY: the GIL is held.
    unsafe { crate::names::set_secrets(parts) };
}

/// Who is told of each trace at its end.
#[pyfunction]
pub(crate) fn set_observer(observer: Option<Bound<'_, PyAny>>) {
    let observer = observer.map_or(std::ptr::null_mut(), Bound::into_ptr);
    // SAFETY: the GIL is held; the reference is handed over.
    unsafe { crate::store::set_observer(observer) };
}

/// Trace and number of the current span.
#[pyfunction]
pub(crate) fn current_ids() -> Option<(u128, u64)> {
    // SAFETY: the GIL is held.
    unsafe { crate::profiler::current_ids() }.map(|(trace, span)| (trace.0, span.0))
}

/// Sets the span of another process that this one was started in.
#[pyfunction]
pub(crate) fn set_outer(trace: u128, span: u64) {
    // SAFETY: the GIL is held.
    unsafe { crate::span::set_outer(raw::TraceId(trace), raw::SpanId(span)) };
}

/// Makes a span of another process current, until [`leave_remote`] is given what this returns.
#[pyfunction]
pub(crate) fn enter_remote(py: Python<'_>, trace: u128, span: u64) -> PyResult<Py<PyAny>> {
    // SAFETY: the GIL is held; the new span's reference goes to the context and to the caller.
    unsafe {
        let name = crate::object::new_text("remote");
        let remote = crate::span::new_remote(name, raw::TraceId(trace), raw::SpanId(span));
        crate::object::decref(name);
        let object = Bound::from_owned_ptr_or_err(py, remote.cast())?;
        crate::span::enter_remote(remote);
        Ok(object.unbind())
    }
}

/// Makes what was current before current again.
#[pyfunction]
pub(crate) fn leave_remote(remote: &Bound<'_, PyAny>) {
    // SAFETY: the GIL is held; what is no span is let be.
    unsafe {
        if crate::span::is_span(remote.as_ptr()) {
            crate::span::leave_remote(remote.as_ptr().cast());
        }
    }
}

/// What `sys.monitoring` is to call at a function's begin, end and unwinding.
#[pyfunction]
pub(crate) fn call_callbacks(py: Python<'_>) -> PyResult<[Py<PyAny>; 3]> {
    // SAFETY: the GIL is held; the references are new.
    unsafe {
        let Some(made) = crate::calls::callbacks() else {
            return Err(PyErr::fetch(py));
        };
        Ok(made.map(|each| Bound::from_owned_ptr(py, each).unbind()))
    }
}

/// What switches `sys.monitoring` on and off.
#[pyfunction]
pub(crate) fn set_call_switch(switch: Bound<'_, PyAny>) {
    // SAFETY: the GIL is held; the reference is handed over.
    unsafe { crate::calls::set_switch(switch.into_ptr()) };
}

/// This thread is below a traced function.
#[pyfunction]
pub(crate) fn enter_calls() -> u32 {
    // SAFETY: the GIL is held.
    unsafe { crate::calls::enter() }
}

/// It is where it was before.
#[pyfunction]
pub(crate) fn leave_calls(before: u32) {
    // SAFETY: the GIL is held.
    unsafe { crate::calls::leave(before) };
}
