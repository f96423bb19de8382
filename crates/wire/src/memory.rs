//! Memory for an arena inside one process: for tests, and for a program that keeps its events.

use crate::arena::{Arena, Size};
#[cfg(not(loom))]
use crate::arena::{ArenaError, HEADER_BYTES};

/// Memory that holds an arena. A program that is collected maps its own instead.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Memory {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: the memory is this value's own, and all of it is atomics.
#[cfg(not(loom))]
unsafe impl Send for Memory {}
// SAFETY: as above.
#[cfg(not(loom))]
unsafe impl Sync for Memory {}

#[cfg(not(loom))]
impl Memory {
    /// Sets memory aside and makes an arena of it, with ticks of nanoseconds.
    ///
    /// # Panics
    /// When there is not so much memory.
    #[must_use]
    pub fn new(size: Size) -> Memory {
        let memory = Memory::zeroed(size.bytes());
        let clock = crate::ClockKind::MonotonicNanos;
        // SAFETY: the memory is aligned, zero, and as long as asked for.
        unsafe { Arena::create(memory.start, size, 0, clock, (0, 0)) };
        memory
    }

    /// Copies the bytes of a file that a program saved.
    ///
    /// # Errors
    /// When they are no arena. What else is wrong with them, a [`Reader`](crate::Reader) finds.
    pub fn load(bytes: &[u8]) -> Result<Memory, ArenaError> {
        if bytes.len() < HEADER_BYTES {
            return Err(ArenaError::NotAnArena);
        }
        let memory = Memory::zeroed(bytes.len());
        // SAFETY: both are so many bytes long, and the memory is new.
        unsafe {
            memory
                .start
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        // SAFETY: the memory lives as long as the arena, which is dropped here.
        unsafe { Arena::open(memory.start, memory.bytes) }?;
        Ok(memory)
    }

    /// The arena in it.
    #[must_use]
    pub fn arena(&self) -> Arena<'_> {
        // SAFETY: the memory lives as long as `self`, and is used through arenas only.
        match unsafe { Arena::open(self.start, self.bytes) } {
            Ok(arena) => arena,
            Err(error) => unreachable!("an arena that was opened before: {error}"),
        }
    }

    fn zeroed(bytes: usize) -> Memory {
        let layout = Memory::layout(bytes);
        // SAFETY: the layout is not empty, since it holds a header.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        if start.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Memory { start, bytes }
    }

    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, 64).expect("a size below 2^63")
    }
}

#[cfg(not(loom))]
impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was set aside with this very layout.
        unsafe { std::alloc::dealloc(self.start, Memory::layout(self.bytes)) };
    }
}

/// The same of loom's atomics, which are not bytes.
#[cfg(loom)]
#[derive(Default)]
pub struct Memory {
    header: crate::arena::Header,
    heads: Vec<crate::arena::ChunkHead>,
    names: Vec<crate::sync::AtomicU64>,
    chunks: Vec<crate::arena::Chunk>,
}

#[cfg(loom)]
impl Memory {
    /// Makes an arena.
    #[must_use]
    pub fn new(size: Size) -> Memory {
        let header = crate::arena::Header::default();
        let flight = crate::sync::Ordering::Relaxed;
        header.flight_chunks.store(size.chunks, flight);
        Memory {
            header,
            heads: (0..size.chunks).map(|_| Default::default()).collect(),
            names: (0..size.name_words).map(|_| Default::default()).collect(),
            chunks: (0..size.chunks)
                .map(|_| crate::arena::Chunk {
                    words: Default::default(),
                })
                .collect(),
        }
    }

    /// The arena in it.
    #[must_use]
    pub fn arena(&self) -> Arena<'_> {
        Arena {
            header: &self.header,
            heads: &self.heads,
            names: &self.names,
            chunks: &self.chunks,
        }
    }
}
