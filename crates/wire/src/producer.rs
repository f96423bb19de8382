//! One thread's writing side.

use crate::arena::{Arena, CHUNK_WORDS, FREE, FULL, Mode, WRITING};
use crate::encode;
use crate::event::REST;
use crate::sync::{AtomicU64, Ordering, fence};

/// Where a thread writes its events.
///
/// One for each thread, never shared. The hot path is [`Producer::zone_begin`] and
/// [`Producer::zone_end`]: a comparison, and stores into the thread's own chunk. When they return
/// false there is no room: call [`Producer::refill`] and try once more, else the event is lost and
/// counted.
///
/// It holds pointers into the arena that it was last refilled from. That memory must stay mapped
/// until the producer is gone, or [forked](Producer::fork).
#[derive(Debug)]
pub struct Producer {
    /// Where the next word goes, and one past the last. Both null without a chunk.
    next: *const AtomicU64,
    end: *const AtomicU64,
    /// Zones open in this thread whose begin was written.
    depth: u16,
    /// The number of this thread in the arena.
    thread: Option<u32>,
    /// Events dropped since the last chunk began.
    lost: u64,
    /// Number of the next chunk.
    sequence: u64,
    /// The chunk being written, and the thread's oldest.
    newest: Option<Own>,
    oldest: Option<Own>,
    /// Chunks from oldest to newest.
    held: u32,
    /// Chunks below this one were not free when [`Header::freed`](crate::arena::Header::freed) was
    /// as in `freed_seen`, nor are they before it changes.
    looked_below: u32,
    freed_seen: u32,
}

/// A chunk in one of its uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Own {
    chunk: u32,
    generation: u64,
}

impl Default for Producer {
    fn default() -> Self {
        Producer::new()
    }
}

impl Producer {
    /// A producer without arena and chunk: there is room for nothing.
    #[must_use]
    pub const fn new() -> Producer {
        Producer {
            next: std::ptr::null(),
            end: std::ptr::null(),
            depth: 0,
            thread: None,
            lost: 0,
            sequence: 0,
            newest: None,
            oldest: None,
            held: 0,
            looked_below: 0,
            freed_seen: 0,
        }
    }

    /// Gives the thread its number, from [`Arena::define_thread`].
    pub fn attach(&mut self, thread: u32) {
        self.thread = Some(thread);
    }

    /// Whether the thread has a number.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.thread.is_some()
    }

    /// The thread's number.
    #[must_use]
    pub fn thread(&self) -> Option<u32> {
        self.thread
    }

    /// Forgets the arena without touching it: it is the parent's, and this is the thread that the
    /// child of a fork begins with. Zones that it was in stay open.
    pub fn fork(&mut self) {
        let depth = self.depth;
        *self = Producer::new();
        self.depth = depth;
    }

    /// Zones open in this thread whose begin was written.
    #[must_use]
    pub fn depth(&self) -> u16 {
        self.depth
    }

    #[inline(always)]
    fn has_room(&self, words: usize) -> bool {
        self.end.addr() - self.next.addr() >= words * size_of::<AtomicU64>()
    }

    /// Writes an event whose first word commits it. The caller has seen to the room.
    #[inline(always)]
    fn put(&mut self, words: &[u64]) {
        // SAFETY: `next..end` are words of the thread's own chunk in mapped memory, and there is
        // room for this many.
        unsafe {
            for (index, word) in words.iter().enumerate().skip(1) {
                (*self.next.add(index)).store(*word, Ordering::Relaxed);
            }
            (*self.next).store(words[0], Ordering::Release);
            self.next = self.next.add(words.len());
        }
    }

    /// Begins a zone. False when there is no room: the zone is not open then.
    #[inline(always)]
    pub fn zone_begin(&mut self, ticks: u64, site: u32) -> bool {
        if !self.has_room(2) {
            return false;
        }
        self.put(&encode::zone_begin(ticks, site, self.depth));
        self.depth = self.depth.wrapping_add(1);
        true
    }

    /// Ends the innermost open zone. False when there is no room.
    #[inline(always)]
    pub fn zone_end(&mut self, ticks: u64) -> bool {
        if !self.has_room(1) {
            return false;
        }
        self.put(&encode::zone_end(ticks));
        self.depth = self.depth.wrapping_sub(1);
        true
    }

    /// Writes an event made by [`encode`]. False when there is no room.
    #[inline]
    pub fn write(&mut self, words: &[u64]) -> bool {
        let has_room = self.has_room(words.len()) && !words.is_empty();
        if has_room {
            self.put(words);
        }
        has_room
    }

    /// Counts an event that found no room.
    #[cold]
    pub fn drop_event(&mut self, arena: Arena<'_>) {
        self.lost += 1;
        arena.header.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of an open zone that found no room. The next chunk tells that it is closed.
    #[cold]
    pub fn drop_zone_end(&mut self, arena: Arena<'_>) {
        self.depth = self.depth.wrapping_sub(1);
        self.drop_event(arena);
    }

    /// Ends the chunk in use and takes another. False when there is none, or the thread has no
    /// number. `mono_nanos` reads `CLOCK_MONOTONIC`; it is asked for only when nothing is free.
    #[cold]
    pub fn refill(&mut self, arena: Arena<'_>, mono_nanos: impl FnOnce() -> u64) -> bool {
        let Some(thread) = self.thread else {
            return false;
        };
        self.seal(arena);
        let Some(own) = self.take(arena, mono_nanos) else {
            return false;
        };
        let head = &arena.heads[own.chunk as usize];
        head.thread.store(thread, Ordering::Relaxed);
        head.depth.store(u32::from(self.depth), Ordering::Relaxed);
        head.lost.store(self.lost, Ordering::Relaxed);
        head.sequence.store(self.sequence, Ordering::Relaxed);
        self.lost = 0;
        self.sequence += 1;
        self.keep(arena, own);
        // From here on a reader may look.
        head.state
            .store(own.generation << 8 | WRITING, Ordering::Release);
        arena
            .header
            .high_chunk
            .fetch_max(own.chunk + 1, Ordering::Release);
        let words = &arena.chunks[own.chunk as usize].words;
        self.next = words.as_ptr();
        // SAFETY: one past the end of the array.
        self.end = unsafe { self.next.add(CHUNK_WORDS) };
        true
    }

    /// Ends the chunk in use, if any: the thread writes no more for now.
    pub fn seal(&mut self, arena: Arena<'_>) {
        if self.has_room(1) {
            // SAFETY: there is room for one word in the thread's own chunk.
            unsafe { (*self.next).store(REST, Ordering::Release) };
        }
        (self.next, self.end) = (std::ptr::null(), std::ptr::null());
        if let Some(own) = self.newest {
            let head = &arena.heads[own.chunk as usize];
            // Where the chunk is not ours any more (a collector that thought us dead), let it be.
            let _ = head.state.compare_exchange(
                own.generation << 8 | WRITING,
                own.generation << 8 | FULL,
                Ordering::Release,
                Ordering::Relaxed,
            );
        }
    }

    /// Puts a chunk at the end of the thread's own row.
    fn keep(&mut self, arena: Arena<'_>, own: Own) {
        match self.newest {
            Some(newest) => {
                let head = &arena.heads[newest.chunk as usize];
                head.next_generation
                    .store(own.generation, Ordering::Relaxed);
                head.next.store(own.chunk, Ordering::Relaxed);
            }
            None => self.oldest = Some(own),
        }
        self.newest = Some(own);
        self.held += 1;
    }

    /// Finds a chunk, empty and ours alone: its state is neither free nor readable until
    /// [`Producer::refill`] says so.
    fn take(&mut self, arena: Arena<'_>, mono_nanos: impl FnOnce() -> u64) -> Option<Own> {
        let header = arena.header;
        let mut flies = arena.mode() == Mode::Flight;
        let is_at_limit = self.held >= header.flight_chunks.load(Ordering::Relaxed);
        if flies
            && is_at_limit
            && let Some(own) = self.take_oldest(arena)
        {
            return Some(own);
        }
        let freed = header.freed.load(Ordering::Acquire);
        if self.freed_seen != freed {
            (self.freed_seen, self.looked_below) = (freed, 0);
        }
        if let Some(own) = take_free(arena, &mut self.looked_below) {
            return Some(own);
        }
        if !flies {
            let visited = header.visited_mono_nanos.load(Ordering::Relaxed);
            if mono_nanos().saturating_sub(visited) > Arena::PATIENCE_NANOS {
                arena.set_mode(Mode::Flight);
                flies = true;
            }
        }
        if !flies {
            return None;
        }
        self.take_oldest(arena).or_else(|| take_full(arena))
    }

    /// Takes back this thread's own oldest chunk.
    fn take_oldest(&mut self, arena: Arena<'_>) -> Option<Own> {
        let oldest = self.oldest?;
        let head = &arena.heads[oldest.chunk as usize];
        let next = Own {
            chunk: head.next.load(Ordering::Relaxed),
            generation: head.next_generation.load(Ordering::Relaxed),
        };
        let was_newest = self.newest == Some(oldest);
        match recycle(arena, oldest.chunk, oldest.generation) {
            Some(own) if !was_newest => {
                self.oldest = Some(next);
                self.held -= 1;
                Some(own)
            }
            // A collector has been there, or the row is at its end: it begins anew.
            other => {
                (self.oldest, self.newest, self.held) = (None, None, 0);
                other
            }
        }
    }
}

/// The first chunk that nobody has, from `looked_below` on, which follows.
fn take_free(arena: Arena<'_>, looked_below: &mut u32) -> Option<Own> {
    let heads = arena.heads.get(*looked_below as usize..)?;
    for head in heads {
        let chunk = *looked_below;
        *looked_below += 1;
        let state = head.state.load(Ordering::Relaxed);
        if state & 0xff != FREE {
            continue;
        }
        let generation = state >> 8;
        // Taken, but not to be read yet, and of the generation before.
        let taken = head.state.compare_exchange(
            state,
            generation << 8 | TAKEN,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if taken.is_ok() {
            return Some(Own {
                chunk,
                generation: generation + 1,
            });
        }
    }
    None
}

/// The next full chunk of any thread, in the order in which they lie: about the oldest.
fn take_full(arena: Arena<'_>) -> Option<Own> {
    let count = arena.heads.len() as u32;
    (0..count).find_map(|_| {
        let chunk = arena.header.hand.fetch_add(1, Ordering::Relaxed) % count;
        let state = arena.heads[chunk as usize].state.load(Ordering::Relaxed);
        (state & 0xff == FULL).then(|| recycle(arena, chunk, state >> 8))?
    })
}

/// In a thread's hands, neither to be read nor to be taken.
const TAKEN: u64 = 3;

/// Empties a full chunk that nobody collected, if it still is at `generation`.
fn recycle(arena: Arena<'_>, chunk: u32, generation: u64) -> Option<Own> {
    let head = &arena.heads.get(chunk as usize)?;
    head.state
        .compare_exchange(
            generation << 8 | FULL,
            generation << 8 | TAKEN,
            Ordering::Acquire,
            Ordering::Relaxed,
        )
        .ok()?;
    // Who reads it at this moment and sees one of the zeros must see the new state too.
    fence(Ordering::Release);
    clear(arena, chunk);
    Some(Own {
        chunk,
        generation: generation + 1,
    })
}

/// Zeroes the words of a chunk that were written.
pub(crate) fn clear(arena: Arena<'_>, chunk: u32) {
    for word in &arena.chunks[chunk as usize].words {
        word.store(0, Ordering::Relaxed);
    }
}
