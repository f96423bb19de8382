//! Answers that were given, to be given again: the URL is the whole question, so an equal
//! question has an equal answer.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use rustc_hash::FxHashMap;

/// Answers by question, the longest unused thrown out first.
pub(crate) struct Cache {
    budget_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: FxHashMap<String, Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    answer: Bytes,
    used: u64,
}

impl Entry {
    fn cost(question: &str, answer: &Bytes) -> usize {
        // A flat sum for the map's own memory, so that tiny answers are not free.
        question.len() + answer.len() + 128
    }
}

impl Cache {
    /// A cache that holds at most this much.
    pub(crate) fn new(budget_bytes: usize) -> Cache {
        Cache {
            budget_bytes,
            inner: Mutex::default(),
        }
    }

    /// The answer to this question, if it is kept.
    pub(crate) fn get(&self, question: &str) -> Option<Bytes> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.entries.get_mut(question)?;
        entry.used = now;
        Some(entry.answer.clone())
    }

    /// Keeps an answer, unless it is too big a part of what may be kept.
    pub(crate) fn put(&self, question: String, answer: &Bytes) {
        let cost = Entry::cost(&question, answer);
        if cost > self.budget_bytes / 4 {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(&question);
        while inner.bytes + cost > self.budget_bytes {
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(question, _)| question.clone()) else {
                break;
            };
            inner.remove(&oldest);
        }
        inner.clock += 1;
        inner.bytes += cost;
        let used = inner.clock;
        let answer = answer.clone();
        inner.entries.insert(question, Entry { answer, used });
    }
}

impl Inner {
    fn remove(&mut self, question: &str) {
        if let Some(entry) = self.entries.remove(question) {
            self.bytes -= Entry::cost(question, &entry.answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_budget_and_keeps_what_is_used() {
        let cache = Cache::new(4000);
        cache.put("kept".into(), &Bytes::from_static(b"1"));
        for round in 0..100 {
            cache.put(format!("question {round}"), &Bytes::from(vec![0; 500]));
            assert!(cache.get("kept").is_some(), "round {round}");
            let inner = cache.inner.lock().expect("no panic");
            let true_bytes: usize = inner
                .entries
                .iter()
                .map(|(question, entry)| Entry::cost(question, &entry.answer))
                .sum();
            assert_eq!(inner.bytes, true_bytes);
            assert!(inner.bytes <= 4000);
        }
        assert!(cache.get("question 0").is_none());
        assert!(cache.get("question 99").is_some());
    }

    #[test]
    fn an_answer_bigger_than_a_quarter_is_not_kept() {
        let cache = Cache::new(4000);
        cache.put("big".into(), &Bytes::from(vec![0; 1001]));
        assert!(cache.get("big").is_none());
    }

    #[test]
    fn putting_again_replaces() {
        let cache = Cache::new(4000);
        cache.put("q".into(), &Bytes::from_static(b"1"));
        cache.put("q".into(), &Bytes::from_static(b"2"));
        assert_eq!(cache.get("q").as_deref(), Some(&b"2"[..]));
        assert_eq!(cache.inner.lock().expect("no panic").entries.len(), 1);
    }
}
