//! The memory of Python's objects, told as it is set aside and given back: from
//! [`hook_allocator`] on, and only then.
//!
//! Python asks for memory through tables of functions that a program may replace. Those of objects
//! and of what belongs to them (lists' items, dicts' keys) are called with the GIL held, so what
//! is told comes in the order in which it happened. The table below them, `raw`, is let be: large
//! objects' memory comes from it and would be told twice.

use crate::object::Guarded;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use sondage::raw;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// `PyMemAllocatorEx`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Table {
    context: *mut c_void,
    malloc: Option<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>,
    calloc: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>,
    realloc: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void>,
    free: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
}

/// `PyMem_GetAllocator` and `PyMem_SetAllocator`: in every CPython, and not in the stable ABI.
type ForTable = unsafe extern "C" fn(c_int, *mut Table);

/// `PYMEM_DOMAIN_MEM` and `PYMEM_DOMAIN_OBJ`.
const DOMAINS: [c_int; 2] = [1, 2];

const EMPTY: Table = Table {
    context: null_mut(),
    malloc: None,
    calloc: None,
    realloc: None,
    free: None,
};

/// What was there before, which still does the work. Ours are given an entry's address.
static BEFORE: Guarded<[Table; 2]> = Guarded::new([EMPTY; 2]);
static IS_HOOKED: Guarded<bool> = Guarded::new(false);

/// Tells of all memory of Python's objects from here on.
#[pyfunction]
pub(crate) fn hook_allocator() -> PyResult<()> {
    let find = |name: &'static std::ffi::CStr| {
        // SAFETY: the name is a C string; the interpreter's own symbols are searched. The symbol
        // is CPython's function of that name, whose type has been the same since 3.4.
        unsafe {
            let found = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
            (!found.is_null()).then(|| std::mem::transmute::<*mut c_void, ForTable>(found))
        }
    };
    let (Some(get), Some(set)) = (find(c"PyMem_GetAllocator"), find(c"PyMem_SetAllocator")) else {
        return Err(PyImportError::new_err(
            "this Python has no PyMem_SetAllocator: its memory cannot be told of",
        ));
    };
    sondage::tracy::allocator_hook_enable();
    // SAFETY: the GIL is held, so nobody is inside these tables' functions; the entries live as
    // long as the process, and each is whole before it is used.
    unsafe {
        if std::mem::replace(&mut *IS_HOOKED.get(), true) {
            return Ok(());
        }
        for (at, domain) in DOMAINS.into_iter().enumerate() {
            let before: *mut Table = (&raw mut *BEFORE.get()).cast::<Table>().add(at);
            get(domain, before);
            let mut ours = Table {
                context: before.cast(),
                malloc: Some(malloc),
                calloc: Some(calloc),
                realloc: Some(realloc),
                free: Some(free),
            };
            set(domain, &mut ours);
        }
    }
    Ok(())
}

/// Tells of new memory, where there is any.
#[inline(always)]
fn tell(memory: *mut c_void, bytes: usize) -> *mut c_void {
    if !memory.is_null() {
        // Nothing is an address too, and is given back.
        raw::memory(memory.addr() as u64, bytes.max(1) as u64);
    }
    memory
}

unsafe extern "C" fn malloc(context: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: Python calls it with what `hook_allocator` gave: an entry that is whole. The same
    // holds for all that follow.
    unsafe {
        let before = *context.cast::<Table>();
        let Some(malloc) = before.malloc else {
            return null_mut();
        };
        tell(malloc(before.context, bytes), bytes)
    }
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, each: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    unsafe {
        let before = *context.cast::<Table>();
        let Some(calloc) = before.calloc else {
            return null_mut();
        };
        let memory = calloc(before.context, count, each);
        tell(memory, count.saturating_mul(each))
    }
}

unsafe extern "C" fn realloc(
    context: *mut c_void,
    memory: *mut c_void,
    bytes: usize,
) -> *mut c_void {
    // SAFETY: as in `malloc`.
    unsafe {
        let before = *context.cast::<Table>();
        let Some(realloc) = before.realloc else {
            return null_mut();
        };
        let old = memory.addr() as u64;
        let new = realloc(before.context, memory, bytes);
        // Where it fails the old memory stays.
        if !new.is_null() && old != 0 {
            raw::memory(old, 0);
        }
        tell(new, bytes)
    }
}

unsafe extern "C" fn free(context: *mut c_void, memory: *mut c_void) {
    // SAFETY: as in `malloc`.
    unsafe {
        let before = *context.cast::<Table>();
        if !memory.is_null() {
            raw::memory(memory.addr() as u64, 0);
        }
        if let Some(free) = before.free {
            free(before.context, memory);
        }
    }
}
