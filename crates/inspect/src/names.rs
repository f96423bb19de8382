//! Names of threads, out of `threading._active`.

use crate::memory::{Memory, field, read_u64};
use crate::objects;
use crate::target::Target;
use rustc_hash::FxHashMap;

/// Where an interpreter's `threading._active` is, and what was read of it.
#[derive(Debug, Default)]
pub(crate) struct ThreadNames {
    /// Address of the dict; 0 while the module is not imported.
    active: u64,
    /// How many modules there were when it was looked for.
    modules: u64,
    /// Thread object → name. Names are read again now and then: they may be set.
    names: FxHashMap<u64, String>,
    calls: u32,
}

/// Most threads named.
const MAX_THREADS: usize = 200_000;
/// Longest name kept, in characters.
const MAX_NAME: usize = 200;
/// Calls between two full reads of all names.
const REFRESH: u32 = 32;
/// Offset of `md_dict` in a module object.
const MODULE_DICT: u64 = 16;
/// Offset of `ma_used` in a dict.
const DICT_USED: u64 = 16;

impl<M: Memory> Target<M> {
    /// `threading.get_ident()` → name, for the threads that `threading` of this interpreter knows.
    /// Empty when the module was not imported or could not be read.
    pub(crate) fn thread_names(&mut self, interpreter_state: u64) -> FxHashMap<u64, String> {
        let mut cache = self
            .thread_names
            .remove(&interpreter_state)
            .unwrap_or_default();
        let names = self
            .read_thread_names(interpreter_state, &mut cache)
            .unwrap_or_default();
        self.thread_names.insert(interpreter_state, cache);
        names
    }

    fn read_thread_names(
        &self,
        interpreter_state: u64,
        cache: &mut ThreadNames,
    ) -> Option<FxHashMap<u64, String>> {
        let (memory, layout) = (&self.memory, &self.layout);
        if cache.active == 0 {
            let modules =
                read_u64(memory, field(interpreter_state, layout.interpreter.modules)).ok()?;
            let count = read_u64(memory, modules.checked_add(DICT_USED)?).ok()?;
            if count == cache.modules {
                return None;
            }
            cache.modules = count;
            let module = objects::dict_get(memory, layout, modules, "threading")?;
            let space = read_u64(memory, module.checked_add(MODULE_DICT)?).ok()?;
            let Some(active) = objects::dict_get(memory, layout, space, "_active") else {
                // Half imported: look again.
                cache.modules = 0;
                return None;
            };
            cache.active = active;
        }
        let threads = objects::dict_items(memory, layout, cache.active, MAX_THREADS)?;
        cache.calls += 1;
        if cache.calls.is_multiple_of(REFRESH) {
            cache.names.clear();
        }
        let mut names = FxHashMap::default();
        for (ident, thread) in threads {
            let Some(ident) = objects::integer(memory, layout, ident) else {
                continue;
            };
            let name = match cache.names.get(&thread) {
                Some(name) => name.clone(),
                None => {
                    let Some(name) = objects::attribute(memory, layout, thread, "_name")
                        .and_then(|at| objects::string(memory, layout, at, MAX_NAME))
                    else {
                        continue;
                    };
                    cache.names.insert(thread, name.clone());
                    name
                }
            };
            names.insert(ident, name);
        }
        Some(names)
    }
}
