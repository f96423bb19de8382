//! The compiled part of the Python package: `sondage._native`.
//!
//! **Supplies** the probes of a Python program (spans, cumulative spans, traced calls, frames,
//! plots, messages, locks), the traces that they make, and the version of the build.
//!
//! **Solves** that a probe in Python must cost less than a function call in Python, and that one
//! wheel serves CPython 3.11 and all later ones: the module uses the stable ABI, and what else it
//! needs it looks up by name when it is loaded.
//!
//! **Not for** the profiler itself: the `sondage` program comes in the same wheel as a native
//! program and starts without an interpreter. Nor for conveniences: `python/sondage` is the typed,
//! forgiving layer, this one is strict.
//!
//! ```python
//! >>> from sondage import profiler
//! >>> with profiler.span("parse", args={"lines": 3}) as span:
//! ...     _ = span.set("errors", 0)
//! >>> profiler.traces[-1].root_span.data
//! {'lines': 3, 'errors': 0}
//! ```

mod calls;
mod capture;
mod context;
mod driver;
mod memory;
mod names;
mod object;
mod overhead;
mod profiler;
mod program;
mod span;
mod steps;
mod store;
mod sum;
mod tasks;
mod tracy;

/// The module `sondage._native`.
#[pyo3::pymodule]
mod _native {
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::program::{
        call_callbacks, connect, connection, current_ids, enter_calls, enter_remote, flush, frame,
        leave_calls, leave_remote, lock, lock_event, lost, message, plot, save, save_at_exit,
        save_on_crash, set_call_switch, set_observer, set_outer, set_place, set_secrets, site,
        span_at, text, thread_name, wall_of_perf,
    };

    #[pymodule_export]
    use crate::memory::hook_allocator;

    #[pymodule_export]
    use crate::tracy::{
        process_name, tracy_address, tracy_connected, tracy_parse, tracy_start, zone_colour,
        zone_name, zone_text, zone_value,
    };

    #[pymodule_export]
    use crate::overhead::{begin_calibration, counts, end_calibration, event_nanos, own_nanos};

    /// Fills the module when Python imports it.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let py = module.py();
        crate::object::load_api().map_err(|name| {
            PyImportError::new_err(format!(
                "this Python has no {}: sondage needs CPython 3.11 or later",
                name.to_string_lossy()
            ))
        })?;
        crate::store::init();
        // SAFETY: the GIL is held; each step that fails leaves an exception.
        unsafe {
            if !crate::context::init() || !crate::steps::init() || !crate::driver::init() {
                return Err(PyErr::fetch(py));
            }
            for (name, kind) in [
                ("ProfilingSpan", crate::span::init()),
                ("CumulativeSpan", crate::sum::init()),
            ] {
                let kind = Bound::from_owned_ptr_or_err(py, kind.cast())?;
                module.add(name, kind)?;
            }
            let Some([profiler, no_span]) = crate::profiler::init() else {
                return Err(PyErr::fetch(py));
            };
            module.add("Profiler", Bound::from_owned_ptr(py, profiler.cast()))?;
            module.add("NoSpan", Bound::from_owned_ptr(py, no_span.cast()))?;
        }
        module.add("CONTEXT_IN_PLACE", crate::context::is_in_place())?;
        module.add("TRACY_VERSION", crate::tracy::VERSION)?;
        module.add("PROFILER_MAX_TRACES", crate::store::MOST_TRACES)
    }
}
