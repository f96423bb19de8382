//! What is known of spans that have begun: threads enter and leave them by number.

use super::names::Place;
use super::note::Note;
use super::thread::fitting;
use crate::raw::SpanId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A span that Tracy is told of whenever a thread is in it.
pub(crate) struct Span {
    pub id: SpanId,
    pub place: &'static Place,
    /// Its arguments, a line each: each zone of it has them all.
    lines: Mutex<String>,
    /// What it looks like, where it is not as its place says.
    look: Mutex<Look>,
    is_over: AtomicBool,
}

/// What was noted of a span, for zones to come.
#[derive(Default)]
struct Look {
    name: Option<String>,
    colour: Option<u32>,
    value: Option<u64>,
}

impl Span {
    /// Keeps something for zones to come.
    pub fn keep(&self, note: Note<'_>) {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        match note {
            Note::Text(line) => self.note(line),
            Note::Value(value) => look.value = Some(value),
            Note::Name(name) => look.name = Some(fitting(name).to_owned()),
            Note::Colour(colour) => look.colour = Some(colour),
        }
    }

    /// Calls `with` with what was kept, but for texts.
    pub fn looks(&self, with: impl Fn(Note<'_>)) {
        let look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = &look.name {
            with(Note::Name(name));
        }
        if let Some(colour) = look.colour {
            with(Note::Colour(colour));
        }
        if let Some(value) = look.value {
            with(Note::Value(value));
        }
    }

    /// Notes an argument, for zones to come.
    pub fn note(&self, line: &str) {
        /// Whoever notes more in one span reads it elsewhere.
        const MAX_BYTES: usize = 4096;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() + line.len() < MAX_BYTES {
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(line);
        }
    }

    /// Calls `with` with its arguments, if it has any.
    pub fn lines(&self, with: impl FnOnce(&str)) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.is_empty() {
            with(fitting(&lines));
        }
    }

    /// Whether it has ended, in whatever thread.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Threads seldom meet: a span's number says which part it is in.
const PARTS: usize = 16;

/// Spans that nobody ends must not fill the memory.
const MAX_IN_A_PART: usize = 1 << 12;

static SPANS: [Mutex<BTreeMap<u64, Arc<Span>>>; PARTS] =
    [const { Mutex::new(BTreeMap::new()) }; PARTS];

fn part(span: SpanId) -> MutexGuard<'static, BTreeMap<u64, Arc<Span>>> {
    let part = &SPANS[span.0 as usize % PARTS];
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A span begins. Where too many have, it is not told.
pub(super) fn add(place: &'static Place, id: SpanId) {
    let mut part = part(id);
    if part.len() < MAX_IN_A_PART {
        let span = Span {
            id,
            place,
            lines: Mutex::new(String::new()),
            look: Mutex::new(Look::default()),
            is_over: AtomicBool::new(false),
        };
        part.insert(id.0, Arc::new(span));
    }
}

/// A span that has begun since Tracy runs.
pub(super) fn get(id: SpanId) -> Option<Arc<Span>> {
    part(id).get(&id.0).cloned()
}

/// A span ends.
pub(super) fn end(id: SpanId) {
    let known = part(id).remove(&id.0);
    if let Some(span) = known {
        span.is_over.store(true, Ordering::Relaxed);
    }
}
