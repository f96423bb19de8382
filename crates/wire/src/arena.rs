//! The memory that both sides map: where everything lies in it.
//!
//! ```text
//! Header │ a ChunkHead for each chunk │ definitions │ chunks
//! ```
//!
//! All of it is atomics: one side may write what the other reads, and neither may assume that the
//! other behaves.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Words (of 8 bytes) of a chunk. 16 KiB: 680 zones, so that taking a new one costs a zone little.
#[cfg(not(loom))]
pub const CHUNK_WORDS: usize = 2048;
/// Words of a chunk: few, so that loom gets to their ends.
#[cfg(loom)]
pub const CHUNK_WORDS: usize = 4;

/// First word of an arena: `SONDAGEW`.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"SONDAGEW");
/// Version of the layout and of the events. Both sides must agree.
pub(crate) const VERSION: u32 = 2;

/// What a thread does when no chunk is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Mode {
    /// Nobody collects: write over the oldest.
    Flight = 0,
    /// A collector empties chunks: drop and count.
    Collected = 1,
}

/// What the ticks of events count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ClockKind {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    MonotonicNanos = 0,
    /// The processor's time stamp counter; the collector finds its rate.
    Tsc = 1,
}

/// The first page.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct Header {
    /// [`MAGIC`], stored last when an arena is made.
    pub magic: AtomicU64,
    pub version: AtomicU32,
    pub pid: AtomicU32,
    pub chunks: AtomicU32,
    pub name_words: AtomicU32,
    /// [`ClockKind`].
    pub clock: AtomicU32,
    /// Chunks that one thread may hold in [`Mode::Flight`].
    pub flight_chunks: AtomicU32,
    /// When the arena was made, on both clocks.
    pub start_ticks: AtomicU64,
    pub start_mono_nanos: AtomicU64,
    /// [`Mode`].
    pub mode: AtomicU32,
    /// Counts the collector's visits that gave chunks back: without one, trying again is idle.
    pub freed: AtomicU32,
    /// `CLOCK_MONOTONIC` of the collector's last visit.
    pub visited_mono_nanos: AtomicU64,
    /// Events dropped since the arena was made, all threads.
    pub lost: AtomicU64,
    /// Definitions dropped because their log is full.
    pub lost_names: AtomicU64,
    /// Where to look first for room for a definition; only the program moves it. It is behind for
    /// a moment, and for ever where a thread was killed in that moment, until the next definition.
    pub names_end: AtomicU64,
    /// Threads so far; the next one's number.
    pub threads: AtomicU32,
    /// One more than the highest chunk that was ever taken.
    pub high_chunk: AtomicU32,
    /// Where to look first for a chunk to write over.
    pub hand: AtomicU32,
    /// Set to 1 by a program that ends in order.
    pub closed: AtomicU32,
    /// What a zone costs, in picoseconds, as the program measured it; 0 unknown.
    pub zone_cost_picos: AtomicU64,
    /// When the image was made, on both clocks; 0 in an arena that is no image.
    pub saved_ticks: AtomicU64,
    pub saved_mono_nanos: AtomicU64,
}

/// What a chunk is at: in the low byte of [`ChunkHead::state`].
pub(crate) const FREE: u64 = 0;
/// A thread writes into it.
pub(crate) const WRITING: u64 = 1;
/// A thread is done with it.
pub(crate) const FULL: u64 = 2;

/// What both sides know of a chunk.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct ChunkHead {
    /// `generation << 8 | state`. Each new use of the chunk is a new generation.
    pub state: AtomicU64,
    /// Number of this chunk among its thread's, from 0.
    pub sequence: AtomicU64,
    /// Events that the thread dropped before the first event here.
    pub lost: AtomicU64,
    /// Number of the thread.
    pub thread: AtomicU32,
    /// Zones open in the thread before the first event here.
    pub depth: AtomicU32,
    /// The thread's next chunk, and that chunk's generation: a thread's own chunks in a row.
    pub next: AtomicU32,
    pub next_generation: AtomicU64,
}

/// What threads write.
#[repr(C)]
pub(crate) struct Chunk {
    pub words: [AtomicU64; CHUNK_WORDS],
}

const _: () = {
    #[cfg(not(loom))]
    {
        assert!(size_of::<Header>() <= HEADER_BYTES);
        assert!(size_of::<ChunkHead>() == 64);
        assert!(size_of::<Chunk>() == CHUNK_WORDS * 8);
    }
};

/// Bytes kept for the [`Header`].
pub(crate) const HEADER_BYTES: usize = 4096;

/// How large an arena is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Number of chunks of [`CHUNK_WORDS`].
    pub chunks: u32,
    /// Words (of 8 bytes) of the log of definitions.
    pub name_words: u32,
}

impl Size {
    /// The largest arena that a reader takes: 16 GiB of events, 1 GiB of definitions.
    pub const MAX: Size = Size {
        chunks: 1 << 20,
        name_words: 1 << 27,
    };

    /// An arena whose events fill about this many bytes. Untouched memory costs nothing.
    #[must_use]
    pub fn for_bytes(bytes: u64) -> Size {
        let chunks = (bytes / (CHUNK_WORDS as u64 * 8)).clamp(4, u64::from(Size::MAX.chunks));
        Size {
            chunks: chunks as u32,
            name_words: 2 << 20,
        }
    }

    pub(crate) fn heads_at(self) -> usize {
        HEADER_BYTES
    }

    pub(crate) fn names_at(self) -> usize {
        self.heads_at() + self.chunks as usize * size_of::<ChunkHead>()
    }

    pub(crate) fn chunks_at(self) -> usize {
        (self.names_at() + self.name_words as usize * 8).next_multiple_of(4096)
    }

    /// Bytes of memory that an arena of this size needs.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.chunks_at() + self.chunks as usize * size_of::<Chunk>()
    }
}

/// Why memory is no arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArenaError {
    /// It does not begin as an arena does, or is not aligned to 64 bytes.
    NotAnArena,
    /// It was written by another version of sondage.
    Version(u32),
    /// Its sizes do not fit its length.
    Size,
}

impl std::fmt::Display for ArenaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ArenaError::NotAnArena => f.write_str("the memory does not begin as an arena does"),
            ArenaError::Version(version) => write!(
                f,
                "the program's events are of version {version}, this sondage reads version {VERSION}"
            ),
            ArenaError::Size => f.write_str("the arena's sizes do not fit its length"),
        }
    }
}

impl std::error::Error for ArenaError {}

/// A view of the memory that both sides map. Copies are views of the same.
#[derive(Clone, Copy)]
pub struct Arena<'a> {
    pub(crate) header: &'a Header,
    pub(crate) heads: &'a [ChunkHead],
    pub(crate) names: &'a [AtomicU64],
    pub(crate) chunks: &'a [Chunk],
}

#[cfg(not(loom))]
impl<'a> Arena<'a> {
    /// Makes an arena of zeroed memory: the program's side.
    ///
    /// `ticks` and `mono_nanos` are the time now on the events' clock and on `CLOCK_MONOTONIC`.
    ///
    /// # Safety
    /// `memory` is aligned to 64 bytes, [`Size::bytes`] long, readable, writable and zero, stays
    /// so for `'a`, and is used through arenas only.
    pub unsafe fn create(
        memory: *mut u8,
        size: Size,
        pid: u32,
        clock: ClockKind,
        (ticks, mono_nanos): (u64, u64),
    ) -> Arena<'a> {
        // SAFETY: as promised by the caller.
        let arena = unsafe { Arena::view(memory, size) };
        let header = arena.header;
        header.version.store(VERSION, Ordering::Relaxed);
        header.pid.store(pid, Ordering::Relaxed);
        header.chunks.store(size.chunks, Ordering::Relaxed);
        header.name_words.store(size.name_words, Ordering::Relaxed);
        header.clock.store(clock as u32, Ordering::Relaxed);
        header.flight_chunks.store(size.chunks, Ordering::Relaxed);
        header.start_ticks.store(ticks, Ordering::Relaxed);
        header.start_mono_nanos.store(mono_nanos, Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
        arena
    }

    /// Looks at memory that another process made an arena of: the collector's side.
    ///
    /// # Errors
    /// When it is none, or of another version.
    ///
    /// # Safety
    /// `memory` is aligned to 64 bytes, `length` bytes long, readable and writable, and stays so
    /// for `'a` (a sealed size sees to it); this process uses it through arenas only. Its contents
    /// may be anything.
    pub unsafe fn open(memory: *mut u8, length: usize) -> Result<Arena<'a>, ArenaError> {
        if length < HEADER_BYTES || !memory.addr().is_multiple_of(64) {
            return Err(ArenaError::NotAnArena);
        }
        // SAFETY: the memory holds a header, of which any bytes are valid.
        let header: &Header = unsafe { &*memory.cast::<Header>() };
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Err(ArenaError::NotAnArena);
        }
        let version = header.version.load(Ordering::Relaxed);
        if version != VERSION {
            return Err(ArenaError::Version(version));
        }
        let size = Size {
            chunks: header.chunks.load(Ordering::Relaxed),
            name_words: header.name_words.load(Ordering::Relaxed),
        };
        let fits = size.chunks >= 1
            && size.chunks <= Size::MAX.chunks
            && size.name_words <= Size::MAX.name_words
            && size.bytes() <= length;
        if !fits {
            return Err(ArenaError::Size);
        }
        // SAFETY: the memory is long enough for this size, as was just found.
        Ok(unsafe { Arena::view(memory, size) })
    }

    /// # Safety
    /// As for [`Arena::create`], but for the contents.
    unsafe fn view(memory: *mut u8, size: Size) -> Arena<'a> {
        let (chunks, words) = (size.chunks as usize, size.name_words as usize);
        // SAFETY: `Size` lays the parts out one behind the other, each aligned, inside the memory;
        // atomics allow any bytes, and that others write them at the same time.
        unsafe {
            Arena {
                header: &*memory.cast(),
                heads: std::slice::from_raw_parts(memory.add(size.heads_at()).cast(), chunks),
                names: std::slice::from_raw_parts(memory.add(size.names_at()).cast(), words),
                chunks: std::slice::from_raw_parts(memory.add(size.chunks_at()).cast(), chunks),
            }
        }
    }
}

impl Arena<'_> {
    /// The program that made it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.header.pid.load(Ordering::Relaxed)
    }

    /// What the ticks of events count. An unknown kind is taken for nanoseconds.
    #[must_use]
    pub fn clock(&self) -> ClockKind {
        match self.header.clock.load(Ordering::Relaxed) {
            1 => ClockKind::Tsc,
            _ => ClockKind::MonotonicNanos,
        }
    }

    /// When the arena was made: in ticks, and in nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn start(&self) -> (u64, u64) {
        (
            self.header.start_ticks.load(Ordering::Relaxed),
            self.header.start_mono_nanos.load(Ordering::Relaxed),
        )
    }

    /// When this image of an arena was saved: in ticks, and in nanoseconds of `CLOCK_MONOTONIC`.
    /// `None` for an arena that a program may still write into.
    #[must_use]
    pub fn saved(&self) -> Option<(u64, u64)> {
        let nanos = self.header.saved_mono_nanos.load(Ordering::Relaxed);
        (nanos != 0).then(|| (self.header.saved_ticks.load(Ordering::Relaxed), nanos))
    }

    /// Says how much one thread may hold while nobody collects.
    pub fn set_flight_bytes(&self, bytes: u64) {
        let chunks = (bytes / (CHUNK_WORDS as u64 * 8)).clamp(2, u64::from(u32::MAX));
        self.header
            .flight_chunks
            .store(chunks as u32, Ordering::Relaxed);
    }

    /// Whether somebody collects.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.header.mode.load(Ordering::Relaxed) {
            1 => Mode::Collected,
            _ => Mode::Flight,
        }
    }

    /// Says whether somebody collects.
    pub fn set_mode(&self, mode: Mode) {
        self.header.mode.store(mode as u32, Ordering::Release);
    }

    /// The collector was here, at this time of `CLOCK_MONOTONIC`. Visits that stop end
    /// [`Mode::Collected`] as soon as a thread finds no free chunk for [`Arena::PATIENCE_NANOS`].
    pub fn visit(&self, mono_nanos: u64) {
        self.header
            .visited_mono_nanos
            .store(mono_nanos, Ordering::Relaxed);
    }

    /// How long a collector may stay away before it counts as gone.
    pub const PATIENCE_NANOS: u64 = 3_000_000_000;

    /// Events dropped since the arena was made, of all threads.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.header.lost.load(Ordering::Relaxed)
    }

    /// Definitions dropped because their log is full.
    #[must_use]
    pub fn lost_names(&self) -> u64 {
        self.header.lost_names.load(Ordering::Relaxed)
    }

    /// Notes that the program ends in order.
    pub fn close(&self) {
        self.header.closed.store(1, Ordering::Release);
    }

    /// Whether the program said that it ends.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.header.closed.load(Ordering::Acquire) != 0
    }

    /// Notes what a zone costs, as measured.
    pub fn set_zone_cost_picos(&self, picos: u64) {
        self.header.zone_cost_picos.store(picos, Ordering::Relaxed);
    }

    /// What a zone costs, as the program measured it, in picoseconds; 0 unknown.
    #[must_use]
    pub fn zone_cost_picos(&self) -> u64 {
        self.header.zone_cost_picos.load(Ordering::Relaxed)
    }
}
