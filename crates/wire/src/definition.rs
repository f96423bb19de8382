//! What events refer to by number: places in the source, texts, threads, locks.
//!
//! A log that only grows, beside the chunks, so that a definition is never dropped with the
//! events of a full arena:
//!
//! ```text
//! word 0 │ committed:1 │ texts:7 │ kind:8 │ … │ words:32 │    word 1 │ a │    word 2 │ b │    then each text: bytes, then words
//! ```
//!
//! A thread takes room by putting the number of words into a first word that is zero, and commits
//! the record by that word as well. So the log has no place of unknown length, wherever a thread
//! is killed: a reader passes over what is not committed, and looks at it again later.

use std::collections::VecDeque;

use crate::arena::Arena;
use crate::sync::{AtomicU64, Ordering};

/// A definition. Numbers of sites, texts and locks are the program's to give; 0 is no number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Definition {
    /// A place in the source where zones or spans are made.
    Site {
        /// Its number.
        id: u32,
        /// The zone's name.
        name: String,
        /// The function it stands in; empty where unknown.
        function: String,
        /// Path of the source file; empty where unknown.
        file: String,
        /// Line, 1-based; 0 where unknown.
        line: u32,
        /// `0xRRGGBB`; 0 for none.
        colour: u32,
    },
    /// A text: the name of a frame, a plot, an argument.
    Text {
        /// Its number.
        id: u32,
        /// The text.
        text: String,
    },
    /// A thread. A later one of the same number gives it a new name.
    Thread {
        /// Its number in this arena: from [`Arena::define_thread`].
        number: u32,
        /// The kernel's number.
        tid: u32,
        /// Its name; empty where unknown.
        name: String,
    },
    /// A lock.
    Lock {
        /// Its number.
        id: u32,
        /// Its name.
        name: String,
        /// Where it was made: `file:line`; empty where unknown.
        place: String,
    },
    /// The process: what to call it.
    Process {
        /// Its name.
        name: String,
    },
}

const SITE: u8 = 1;
const TEXT: u8 = 2;
const THREAD: u8 = 3;
const LOCK: u8 = 4;
const PROCESS: u8 = 5;

/// Set in the first word of a record that is whole.
const COMMITTED: u64 = 1 << 63;
/// Words of the shortest record.
const LEAST_WORDS: usize = 3;

/// The longest text of a definition; longer ones are cut.
const MAX_TEXT_BYTES: usize = 4096;

impl Definition {
    /// A [`Definition::Site`].
    #[must_use]
    pub fn site(id: u32, name: &str, function: &str, file: &str, line: u32, colour: u32) -> Self {
        Definition::Site {
            id,
            name: name.to_owned(),
            function: function.to_owned(),
            file: file.to_owned(),
            line,
            colour,
        }
    }

    /// A [`Definition::Text`].
    #[must_use]
    pub fn text(id: u32, text: &str) -> Self {
        let text = text.to_owned();
        Definition::Text { id, text }
    }

    /// Kind, two numbers, texts.
    fn parts(&self) -> (u8, u64, u64, [&str; 3], usize) {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        match self {
            Definition::Site {
                id,
                name,
                function,
                file,
                line,
                colour,
            } => (
                SITE,
                pair(*id, *line),
                u64::from(*colour),
                [name, function, file],
                3,
            ),
            Definition::Text { id, text } => (TEXT, u64::from(*id), 0, [text, "", ""], 1),
            Definition::Thread { number, tid, name } => {
                (THREAD, pair(*number, *tid), 0, [name, "", ""], 1)
            }
            Definition::Lock { id, name, place } => (LOCK, u64::from(*id), 0, [name, place, ""], 2),
            Definition::Process { name } => (PROCESS, 0, 0, [name, "", ""], 1),
        }
    }
}

impl Arena<'_> {
    /// Writes a definition; false, and counted, when their log is full. Threads may call it at the
    /// same time: it is for the first use of a name, not for a hot path.
    pub fn define(&self, definition: &Definition) -> bool {
        let (kind, a, b, texts, count) = definition.parts();
        let texts: Vec<&str> = texts[..count]
            .iter()
            .map(|text| &text[..text.floor_char_boundary(MAX_TEXT_BYTES)])
            .collect();
        let words: usize = LEAST_WORDS
            + texts
                .iter()
                .map(|text| 1 + text.len().div_ceil(8))
                .sum::<usize>();
        let Some(record) = self.claim(words) else {
            self.header.lost_names.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        record[1].store(a, Ordering::Relaxed);
        record[2].store(b, Ordering::Relaxed);
        let mut next = LEAST_WORDS;
        for text in &texts {
            record[next].store(text.len() as u64, Ordering::Relaxed);
            next += 1;
            for bytes in text.as_bytes().chunks(8) {
                let mut padded = [0; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                record[next].store(u64::from_le_bytes(padded), Ordering::Relaxed);
                next += 1;
            }
        }
        let first = COMMITTED | (count as u64) << 56 | u64::from(kind) << 48 | words as u64;
        record[0].store(first, Ordering::Release);
        true
    }

    /// Takes room for a record of so many words; `None` when there is not so much.
    fn claim(&self, words: usize) -> Option<&[AtomicU64]> {
        let end = &self.header.names_end;
        let mut at = usize::try_from(end.load(Ordering::Relaxed)).ok()?;
        loop {
            let record = self.names.get(at..at.checked_add(words)?)?;
            // Nothing but lengths hangs on this word until it is committed.
            let taken =
                record[0].compare_exchange(0, words as u64, Ordering::Relaxed, Ordering::Relaxed);
            match taken {
                Ok(_) => {
                    end.fetch_max((at + words) as u64, Ordering::Relaxed);
                    return Some(record);
                }
                // Another thread's, which has not moved the end yet and may never do.
                Err(first) => at += Some(words_of(first)).filter(|words| *words >= LEAST_WORDS)?,
            }
        }
    }

    /// Defines the next thread and returns its number.
    pub fn define_thread(&self, tid: u32, name: &str) -> u32 {
        let number = self.header.threads.fetch_add(1, Ordering::Relaxed);
        let name = name.to_owned();
        self.define(&Definition::Thread { number, tid, name });
        number
    }
}

/// The length in the first word of a record.
fn words_of(first: u64) -> usize {
    (first & 0xffff_ffff) as usize
}

/// Reads the log of definitions as it grows.
#[derive(Debug, Default)]
pub struct Definitions {
    at: usize,
    /// Records that were passed over before they were committed: a thread is at it, or was killed.
    unfinished: VecDeque<usize>,
    is_damaged: bool,
}

/// Records that are looked at again; of more, the oldest are given up. A program has far fewer
/// threads in the middle of a definition.
const MOST_UNFINISHED: usize = 256;

/// What the log has at a place.
enum Found {
    /// Nothing yet.
    End,
    /// A record that is not committed.
    Unfinished,
    /// A whole one; none of a kind of a later version.
    Whole(Option<Definition>),
    /// No record.
    Damage,
}

impl Found {
    /// What the rest of the log begins with, and how long that is.
    fn first_of(rest: &[AtomicU64]) -> (Found, usize) {
        let first = rest.first().map_or(0, |word| word.load(Ordering::Acquire));
        let words = words_of(first);
        let found = match rest.get(..words) {
            _ if first == 0 => Found::End,
            Some(_) if words < LEAST_WORDS => Found::Damage,
            Some(_) if first & COMMITTED == 0 => Found::Unfinished,
            Some(record) => Found::Whole(parse(first, record)),
            None => Found::Damage,
        };
        (found, words)
    }
}

impl Definitions {
    /// Calls `each` with what was defined since the last call. Definitions whose bytes make no
    /// sense end the log for good.
    pub fn poll(&mut self, arena: Arena<'_>, mut each: impl FnMut(Definition)) {
        // These were begun before all that follows.
        self.unfinished.retain(|&at| {
            let (found, _) = Found::first_of(arena.names.get(at..).unwrap_or_default());
            if let Found::Whole(Some(definition)) = found {
                each(definition);
                return false;
            }
            matches!(found, Found::Unfinished)
        });
        while !self.is_damaged {
            let (found, words) = Found::first_of(arena.names.get(self.at..).unwrap_or_default());
            match found {
                Found::End => return,
                Found::Unfinished => {
                    if self.unfinished.len() == MOST_UNFINISHED {
                        self.unfinished.pop_front();
                    }
                    self.unfinished.push_back(self.at);
                }
                Found::Whole(definition) => definition.into_iter().for_each(&mut each),
                Found::Damage => self.is_damaged = true,
            }
            self.at += words;
        }
    }

    /// Definitions that were begun and are not there: their threads are at it, or were killed.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Whether the log could not be read to its end.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }
}

/// The definition that a committed record holds; `None` when it makes no sense.
fn parse(first: u64, record: &[AtomicU64]) -> Option<Definition> {
    let (kind, count) = ((first >> 48) as u8, (first >> 56) as usize & 0x7f);
    let word = |at: usize| Some(record.get(at)?.load(Ordering::Relaxed));
    let (a, b) = (word(1)?, word(2)?);
    let mut texts: [String; 3] = Default::default();
    let mut next = LEAST_WORDS;
    for text in texts.get_mut(..count)? {
        let bytes = usize::try_from(word(next)?).ok()?;
        let end = (next + 1).checked_add(bytes.div_ceil(8))?;
        let copied: Vec<u64> = record
            .get(next + 1..end)?
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
            .collect();
        *text = text_of(&copied, bytes);
        next = end;
    }
    let [one, two, three] = texts;
    let (low, high) = (a as u32, (a >> 32) as u32);
    Some(match kind {
        SITE => Definition::Site {
            id: low,
            name: one,
            function: two,
            file: three,
            line: high,
            colour: b as u32,
        },
        TEXT => Definition::Text { id: low, text: one },
        THREAD => Definition::Thread {
            number: low,
            tid: high,
            name: one,
        },
        LOCK => Definition::Lock {
            id: low,
            name: one,
            place: two,
        },
        PROCESS => Definition::Process { name: one },
        _ => return None,
    })
}

/// The first `bytes` bytes of `words` as text; what is not UTF-8 reads as `�`.
pub(crate) fn text_of(words: &[u64], bytes: usize) -> String {
    let mut all: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    all.truncate(bytes);
    match String::from_utf8(all) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
