//! The compiled part of the Python package: `sondage._native`.
//!
//! **Supplies** what the package must take from the Rust side: the version of the build.
//!
//! **Solves** that one wheel serves CPython 3.11 and all later ones: the module uses the stable
//! ABI only.
//!
//! **Not for** the profiler itself: the `sondage` program comes in the same wheel as a native
//! program and starts without an interpreter. Nor for conveniences: `python/sondage` is the typed,
//! forgiving layer, this one is strict.
//!
//! ```python
//! >>> import sondage
//! >>> sondage.__version__
//! '0.1.0'
//! ```

/// The module `sondage._native`.
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    /// Fills the module when Python imports it.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
