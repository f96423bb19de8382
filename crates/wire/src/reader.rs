//! The collector's side: takes events out of an arena that it does not trust.

use crate::arena::{Arena, CHUNK_WORDS, FREE, FULL, WRITING};
use crate::decode::{decode, length};
use crate::event::{BadEvent, Event};
use crate::producer::clear;
use crate::sync::{Ordering, fence};
use std::collections::HashMap;

/// What to do with chunks that were read to their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// Clear them and give them back: a collector at work.
    Collect,
    /// Leave them: a look at what there is.
    Copy,
}

/// What is missing before a batch: events, or, when both numbers are 0, only the begins of zones
/// that the thread of a forked child brought along from its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Events that the thread dropped.
    pub lost: u64,
    /// Chunks that were written over before they were read.
    pub overwritten: u64,
    /// Zones that are open in the thread after the gap. Others ended inside it.
    pub depth: u16,
}

/// Events of one thread, in order.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The thread's number, as its [`Definition`](crate::Definition) has it.
    pub thread: u32,
    /// What is missing before the first event.
    pub gap: Option<Gap>,
    /// The chunk that the events are of; 0 is the thread's first.
    pub sequence: u64,
    words: &'a [u64],
}

impl Batch<'_> {
    /// The events. After an error there are no more.
    pub fn events(&self) -> impl Iterator<Item = Result<Event, BadEvent>> + '_ {
        let mut rest = self.words;
        std::iter::from_fn(move || match decode(rest) {
            Ok(Some((event, length))) => {
                rest = &rest[length..];
                Some(Ok(event))
            }
            Ok(None) => None,
            Err(bad) => {
                rest = &[];
                Some(Err(bad))
            }
        })
    }
}

/// Takes events out of an arena: one reader for an arena at a time.
#[derive(Debug)]
pub struct Reader<'a> {
    arena: ArenaRef<'a>,
    /// For each chunk: the generation that was read, and how many words of it.
    seen: Vec<(u64, usize)>,
    /// For each thread: the sequence of its next chunk.
    expected: HashMap<u32, u64>,
    words: Vec<u64>,
}

/// An [`Arena`] that can be shown.
struct ArenaRef<'a>(Arena<'a>);

impl std::fmt::Debug for ArenaRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena of process {}", self.0.pid())
    }
}

/// A chunk as it was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    thread: u32,
    sequence: u64,
    chunk: u32,
    state: u64,
    depth: u16,
    lost: u64,
}

impl Found {
    /// Whether both are of the same chunk, filled for the same time.
    fn is_same_use(&self, other: &Found) -> bool {
        self.chunk == other.chunk && self.state >> 8 == other.state >> 8
    }
}

impl<'a> Reader<'a> {
    /// Reads an arena from its oldest event on.
    #[must_use]
    pub fn new(arena: Arena<'a>) -> Reader<'a> {
        Reader {
            arena: ArenaRef(arena),
            seen: vec![(0, 0); arena.heads.len()],
            expected: HashMap::new(),
            words: Vec::with_capacity(CHUNK_WORDS),
        }
    }

    /// Calls `each` with what was committed since the last call: each thread's events in order,
    /// threads one after the other.
    pub fn poll(&mut self, take: Take, mut each: impl FnMut(Batch<'_>)) {
        let mut before = self.find();
        // A thread may take a chunk that was already looked at, fill it and take the next one while
        // this goes on. A second look tells what was missed from what is missing.
        let found = if self.has_gap(&before) {
            self.find()
        } else {
            std::mem::take(&mut before)
        };
        let mut freed = false;
        let mut unfinished = None;
        for found in &found {
            // What follows a chunk that was still being written comes next time: it may have got
            // events since it was read, and they are earlier.
            if unfinished == Some(found.thread) {
                continue;
            }
            let is_early = found.sequence > self.expected(found.thread);
            if is_early && !before.iter().any(|one| one.is_same_use(found)) {
                unfinished = Some(found.thread);
                continue;
            }
            let is_full = found.state & 0xff == FULL;
            self.read(*found, &mut each);
            if !is_full {
                unfinished = Some(found.thread);
            } else if take == Take::Collect {
                freed |= self.free(*found);
            }
        }
        if freed {
            self.arena.0.header.freed.fetch_add(1, Ordering::Release);
        }
    }

    /// The sequence of a thread's next chunk.
    fn expected(&self, thread: u32) -> u64 {
        self.expected.get(&thread).copied().unwrap_or(0)
    }

    /// Whether a thread's chunks do not follow each other.
    fn has_gap(&self, found: &[Found]) -> bool {
        let mut last = None;
        found.iter().any(|one| {
            let expected = match last.replace((one.thread, one.sequence)) {
                Some((thread, sequence)) if thread == one.thread => sequence.saturating_add(1),
                _ => self.expected(one.thread),
            };
            one.sequence > expected
        })
    }

    /// The chunks in use, by thread and sequence.
    fn find(&self) -> Vec<Found> {
        let arena = self.arena.0;
        let high = arena.header.high_chunk.load(Ordering::Acquire) as usize;
        let heads = &arena.heads[..high.min(arena.heads.len())];
        let in_use = heads.iter().enumerate().filter_map(|(chunk, head)| {
            let state = head.state.load(Ordering::Acquire);
            let found = Found {
                thread: head.thread.load(Ordering::Relaxed),
                sequence: head.sequence.load(Ordering::Relaxed),
                chunk: chunk as u32,
                state,
                depth: head.depth.load(Ordering::Relaxed) as u16,
                lost: head.lost.load(Ordering::Relaxed),
            };
            matches!(state & 0xff, WRITING | FULL).then_some(found)
        });
        let mut in_use: Vec<Found> = in_use.collect();
        in_use.sort_unstable();
        in_use
    }

    /// Hands out what is new in a chunk.
    fn read(&mut self, found: Found, each: &mut impl FnMut(Batch<'_>)) {
        let arena = self.arena.0;
        let (seen_generation, seen_words) = self.seen[found.chunk as usize];
        let generation = found.state >> 8;
        let is_new = seen_generation != generation;
        let from = if is_new { 0 } else { seen_words };
        self.words.clear();
        let words = &arena.chunks[found.chunk as usize].words;
        let mut at = from;
        while at < words.len() {
            // The first word of an event commits the others.
            let first = words[at].load(Ordering::Acquire);
            if first == 0 {
                break;
            }
            self.words.push(first);
            let second = words
                .get(at + 1)
                .map_or(0, |word| word.load(Ordering::Relaxed));
            let end = (at + length(first, second)).min(words.len());
            let others = words[at + 1..end].iter();
            self.words
                .extend(others.map(|word| word.load(Ordering::Relaxed)));
            at = end;
        }
        // Whoever clears the chunk says so first.
        fence(Ordering::Acquire);
        let head = &arena.heads[found.chunk as usize];
        let now = head.state.load(Ordering::Relaxed);
        if now >> 8 != generation || !matches!(now & 0xff, WRITING | FULL) {
            return;
        }
        self.seen[found.chunk as usize] = (generation, at);
        let gap = if is_new { self.gap(found) } else { None };
        if gap.is_some() || !self.words.is_empty() {
            each(Batch {
                thread: found.thread,
                gap,
                sequence: found.sequence,
                words: &self.words,
            });
        }
    }

    /// What is missing before a chunk that is read for the first time.
    fn gap(&mut self, found: Found) -> Option<Gap> {
        let overwritten = found.sequence.saturating_sub(self.expected(found.thread));
        let next = found.sequence.saturating_add(1);
        self.expected.insert(found.thread, next);
        let is_forked = found.sequence == 0 && found.depth > 0;
        (overwritten > 0 || found.lost > 0 || is_forked).then_some(Gap {
            lost: found.lost,
            overwritten,
            depth: found.depth,
        })
    }

    /// Gives a chunk back that was read to its end.
    fn free(&mut self, found: Found) -> bool {
        let arena = self.arena.0;
        let (generation, _) = self.seen[found.chunk as usize];
        if generation != found.state >> 8 {
            return false;
        }
        let head = &arena.heads[found.chunk as usize];
        // Clear it in our own hands: in flight, its thread may want it back at the same time.
        let taken = head.state.compare_exchange(
            found.state,
            generation << 8 | CLEARING,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if taken.is_err() {
            return false;
        }
        clear(arena, found.chunk);
        head.state.store(generation << 8 | FREE, Ordering::Release);
        true
    }
}

/// In the collector's hands.
const CLEARING: u64 = 4;
