//! A global allocator that records what it sets aside.

use crate::raw;
use std::alloc::{GlobalAlloc, Layout, System};

/// An allocator whose every call is recorded: address, bytes, thread, time.
///
/// ```
/// #[global_allocator]
/// static MEMORY: sondage::Alloc = sondage::Alloc::new();
/// # fn main() { assert_eq!(vec![1, 2, 3].len(), 3); }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Alloc<A = System> {
    inner: A,
}

impl Alloc<System> {
    /// Records the system's allocator.
    #[must_use]
    pub const fn new() -> Alloc<System> {
        Alloc { inner: System }
    }
}

impl<A> Alloc<A> {
    /// Records another allocator.
    #[must_use]
    pub const fn of(inner: A) -> Alloc<A> {
        Alloc { inner }
    }
}

fn taken(start: *mut u8, bytes: usize) -> *mut u8 {
    if !start.is_null() && bytes > 0 {
        raw::memory(start.addr() as u64, bytes as u64);
    }
    start
}

// SAFETY: every call goes to the inner allocator as it came; the probes around it keep no memory of
// it, and where they need memory themselves, the probe of that does not need any.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        taken(unsafe { self.inner.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        taken(unsafe { self.inner.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // Before: afterwards another thread may get the same address.
        raw::memory(start.addr() as u64, 0);
        // SAFETY: as the caller promises.
        unsafe { self.inner.dealloc(start, layout) };
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        raw::memory(start.addr() as u64, 0);
        // SAFETY: as the caller promises.
        let moved = unsafe { self.inner.realloc(start, layout, bytes) };
        if moved.is_null() {
            // It stays where it was.
            taken(start, layout.size());
            return moved;
        }
        taken(moved, bytes)
    }
}
