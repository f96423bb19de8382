//! An arena in a file: what a program saves that nobody collects.
//!
//! The file is an arena itself, cut after its last definition and its last used chunk:
//!
//! ```text
//! Header │ a ChunkHead for each chunk │ definitions │ zeros to a multiple of 4096 │ chunks
//! ```
//!
//! It begins with `SONDAGEW`, is read by [`Memory::load`](crate::Memory::load), and says in
//! [`Arena::saved`] when it was made: the second point that the rate of its clock is found from.

use crate::arena::{
    Arena, CHUNK_WORDS, Chunk, ChunkHead, FULL, HEADER_BYTES, Header, MAGIC, Size, VERSION, WRITING,
};
use crate::memory::Memory;
use crate::sync::{AtomicU64, Ordering, fence};
use std::marker::PhantomData;

static ZEROS: [u8; 4096] = [0; 4096];

/// The bytes of an arena's file, where they lie.
pub struct Image<'a> {
    header: Header,
    size: Size,
    arena: Arena<'a>,
}

impl std::fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("size", &self.size).finish()
    }
}

/// Bytes to be written to a file by the system, as [`Image::parts`] names them. Others may write
/// to them at the same time, so that no slice of them can be had.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The first byte.
    pub start: *const u8,
    /// How many there are.
    pub bytes: usize,
    lives: PhantomData<&'a ()>,
}

impl Image<'_> {
    /// What to write to the file, in order.
    #[must_use]
    pub fn parts(&self) -> [Part<'_>; 6] {
        fn of<T>(of: &[T]) -> Part<'_> {
            Part {
                start: of.as_ptr().cast(),
                bytes: size_of_val(of),
                lives: PhantomData,
            }
        }
        let size = self.size;
        let (chunks, words) = (size.chunks as usize, size.name_words as usize);
        let names_end = size.names_at() + words * size_of::<AtomicU64>();
        [
            of(std::slice::from_ref(&self.header)),
            of(&ZEROS[..HEADER_BYTES - size_of::<Header>()]),
            of(&self.arena.heads[..chunks]),
            of(&self.arena.names[..words]),
            of(&ZEROS[..size.chunks_at() - names_end]),
            of(&self.arena.chunks[..chunks]),
        ]
    }
}

impl<'a> Arena<'a> {
    /// What is in use.
    fn used(&self) -> Size {
        let chunks = self.header.high_chunk.load(Ordering::Acquire).max(1);
        let names_end = self.header.names_end.load(Ordering::Relaxed);
        Size {
            chunks: chunks.min(self.heads.len() as u32),
            name_words: names_end.min(self.names.len() as u64) as u32,
        }
    }

    /// A file of this arena, as it is while others write into it: for a program that is dying. It
    /// sets no memory aside. `now` is the time in ticks and in nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn image(self, now: (u64, u64)) -> Image<'a> {
        let header = Header::default();
        let size = self.used();
        self.copy_header(&header, size, now);
        Image {
            header,
            size,
            arena: self,
        }
    }

    /// A copy that nobody writes to, of what is committed now.
    #[must_use]
    pub fn copy(&self, now: (u64, u64)) -> Memory {
        let size = self.used();
        let memory = Memory::new(size);
        let copy = memory.arena();
        self.copy_header(copy.header, size, now);
        for (from, to) in self.names.iter().zip(copy.names) {
            to.store(from.load(Ordering::Acquire), Ordering::Relaxed);
        }
        for (chunk, (from, to)) in self.heads.iter().zip(copy.heads).enumerate() {
            // A chunk that is written over meanwhile gets a second chance, as another one.
            let to_words = &copy.chunks[chunk];
            let from_words = &self.chunks[chunk];
            let _ = copy_chunk((from, from_words), (to, to_words))
                || copy_chunk((from, from_words), (to, to_words));
        }
        memory
    }

    fn copy_header(&self, to: &Header, size: Size, (ticks, mono_nanos): (u64, u64)) {
        let from = self.header;
        let words = [
            (&from.start_ticks, &to.start_ticks),
            (&from.start_mono_nanos, &to.start_mono_nanos),
            (&from.lost, &to.lost),
            (&from.lost_names, &to.lost_names),
            (&from.zone_cost_picos, &to.zone_cost_picos),
        ];
        for (from, to) in words {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let halves = [
            (&from.pid, &to.pid),
            (&from.clock, &to.clock),
            (&from.threads, &to.threads),
            (&from.closed, &to.closed),
        ];
        for (from, to) in halves {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        to.version.store(VERSION, Ordering::Relaxed);
        to.chunks.store(size.chunks, Ordering::Relaxed);
        to.flight_chunks.store(size.chunks, Ordering::Relaxed);
        to.high_chunk.store(size.chunks, Ordering::Relaxed);
        to.name_words.store(size.name_words, Ordering::Relaxed);
        let names_end = u64::from(size.name_words);
        to.names_end.store(names_end, Ordering::Relaxed);
        to.saved_ticks.store(ticks, Ordering::Relaxed);
        to.saved_mono_nanos
            .store(mono_nanos.max(1), Ordering::Relaxed);
        to.magic.store(MAGIC, Ordering::Release);
    }
}

/// Copies a chunk in use as a full one; false when it became another one on the way, and then the
/// copy is an empty chunk.
fn copy_chunk(from: (&ChunkHead, &Chunk), to: (&ChunkHead, &Chunk)) -> bool {
    let (head, copy) = (from.0, to.0);
    let state = head.state.load(Ordering::Acquire);
    if !matches!(state & 0xff, WRITING | FULL) {
        return true;
    }
    let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
    copy.sequence.store(load(&head.sequence), Ordering::Relaxed);
    copy.lost.store(load(&head.lost), Ordering::Relaxed);
    let thread = head.thread.load(Ordering::Relaxed);
    copy.thread.store(thread, Ordering::Relaxed);
    let depth = head.depth.load(Ordering::Relaxed);
    copy.depth.store(depth, Ordering::Relaxed);
    for at in 0..CHUNK_WORDS {
        let word = from.1.words[at].load(Ordering::Acquire);
        to.1.words[at].store(word, Ordering::Relaxed);
    }
    fence(Ordering::Acquire);
    let now = head.state.load(Ordering::Relaxed);
    let is_same = now >> 8 == state >> 8 && matches!(now & 0xff, WRITING | FULL);
    if is_same {
        copy.state.store(state & !0xff | FULL, Ordering::Relaxed);
    } else {
        for word in &to.1.words {
            word.store(0, Ordering::Relaxed);
        }
    }
    is_same
}
