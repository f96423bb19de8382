//! Locks that the program wrapped: who waited for them, who had them.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use sondage_model::{LockId, Nanos, ThreadId, Time, TimeRange, WaitKind, WaitRow};

use crate::zones::ZoneScope;
use crate::{AnalyzeError, Analyzer, Filter};

/// Waits that are kept at most, instead of being read for each picture.
// PERF: pictures of what the program said took 32 ms of CPU time (p99 of `latency REC tracks`,
// crates/serve, on 10 million zones and 88,000 waits of its example `talk`) where waits were read
// for each, and 28 ms where they are kept. 2-core VM.
const MOST_KEPT: usize = 1 << 18;

/// Figures of one lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockFigures {
    /// The lock.
    pub lock: LockId,
    /// Its name.
    pub name: String,
    /// Where it was made; empty where unknown.
    pub place: String,
    /// How often it was asked for.
    pub count: u64,
    /// How often that took a wait.
    pub waits: u64,
    /// How often it was given up.
    pub given_up: u64,
    /// Sum of the waits.
    pub wait: Nanos,
    /// The longest wait.
    pub max_wait: Nanos,
    /// Sum of the times it was held.
    pub hold: Nanos,
    /// The longest time it was held.
    pub max_hold: Nanos,
    /// Who waited for whom, the longest together first.
    pub pairs: Vec<WaitPair>,
}

/// Waits of one thread for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitPair {
    /// Who waited.
    pub waiter: ThreadId,
    /// Who had the lock when the wait began, where known.
    pub holder: Option<ThreadId>,
    /// How often.
    pub count: u64,
    /// For how long together.
    pub wait: Nanos,
}

/// Waits over time: one, or several short ones of the same thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitPiece {
    /// The thread.
    pub thread: ThreadId,
    /// The lock; of several the one of the longest wait.
    pub lock: LockId,
    /// Left edge.
    pub start: Time,
    /// Right edge.
    pub end: Time,
    /// How many waits.
    pub count: u64,
    /// Sum of the waits.
    pub wait: Nanos,
    /// Who had the lock when the (longest) wait began, where known.
    pub holder: Option<ThreadId>,
}

impl Analyzer {
    /// Figures of the locks that were asked for in the filter's range, the most waited for first;
    /// of the filter the range, processes and threads count.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn locks(&self, filter: &Filter) -> Result<Vec<LockFigures>, AnalyzeError> {
        let scope = ZoneScope::new(self.source(), filter);
        let mut locks: FxHashMap<LockId, LockFigures> = FxHashMap::default();
        let mut pairs: FxHashMap<(LockId, ThreadId, Option<ThreadId>), WaitPair> =
            FxHashMap::default();
        for row in self.waits_of(&scope)? {
            if !scope.begins_in(row.start) {
                continue;
            }
            let figures = locks.entry(row.lock).or_insert_with(|| self.lock(row.lock));
            figures.count += 1;
            figures.waits += u64::from(row.wait > Nanos::ZERO);
            figures.given_up += u64::from(row.kind == WaitKind::GivenUp);
            figures.wait += row.wait;
            figures.max_wait = figures.max_wait.max(row.wait);
            figures.hold += row.hold;
            figures.max_hold = figures.max_hold.max(row.hold);
            if row.wait > Nanos::ZERO {
                let pair = pairs
                    .entry((row.lock, row.thread, row.holder))
                    .or_insert(WaitPair {
                        waiter: row.thread,
                        holder: row.holder,
                        count: 0,
                        wait: Nanos::ZERO,
                    });
                pair.count += 1;
                pair.wait += row.wait;
            }
        }
        for ((lock, ..), pair) in pairs {
            if let Some(figures) = locks.get_mut(&lock) {
                figures.pairs.push(pair);
            }
        }
        let mut locks: Vec<LockFigures> = locks.into_values().collect();
        for figures in &mut locks {
            let key = |pair: &WaitPair| (Reverse(pair.wait), pair.waiter, pair.holder);
            figures.pairs.sort_unstable_by_key(key);
        }
        locks.sort_unstable_by_key(|row| (Reverse(row.wait), Reverse(row.count), row.lock));
        Ok(locks)
    }

    /// Waits for locks over time on `px` pixels, by thread.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn wait_pieces(&self, filter: &Filter, px: u32) -> Result<Vec<WaitPiece>, AnalyzeError> {
        let range = filter.range.unwrap_or(self.source().range());
        let width = range.span().0.div_ceil(u64::from(px.max(1))).max(1);
        let mut rows = self.waits_of(&ZoneScope::new(self.source(), filter))?;
        rows.retain(|row| row.wait > Nanos::ZERO && row.start + row.wait >= range.start);
        let mut pieces: Vec<WaitPiece> = Vec::new();
        let mut longest = Nanos::ZERO;
        for row in rows {
            let end = row.start + row.wait;
            if let Some(last) = pieces.last_mut()
                && last.thread == row.thread
                && last.start.0 / width == row.start.0 / width
                && last.end.since(last.start).0 < width
            {
                last.end = last.end.max(end);
                last.count += 1;
                last.wait += row.wait;
                if row.wait > longest {
                    longest = row.wait;
                    (last.lock, last.holder) = (row.lock, row.holder);
                }
                continue;
            }
            longest = row.wait;
            pieces.push(WaitPiece {
                thread: row.thread,
                lock: row.lock,
                start: row.start,
                end,
                count: 1,
                wait: row.wait,
                holder: row.holder,
            });
        }
        Ok(pieces)
    }

    /// A lock without figures.
    fn lock(&self, lock: LockId) -> LockFigures {
        let dict = self.dictionary();
        let row = dict.locks().get(lock.index());
        let name = row.map_or("", |row| dict.text(row.name));
        LockFigures {
            lock,
            name: match name {
                "" => format!("lock {}", lock.0),
                name => name.to_owned(),
            },
            place: row.map_or("", |row| dict.text(row.place)).to_owned(),
            count: 0,
            waits: 0,
            given_up: 0,
            wait: Nanos::ZERO,
            max_wait: Nanos::ZERO,
            hold: Nanos::ZERO,
            max_hold: Nanos::ZERO,
            pairs: Vec::new(),
        }
    }

    /// What a lock is called.
    #[must_use]
    pub fn lock_name(&self, lock: LockId) -> String {
        self.lock(lock).name
    }

    /// The waits that touch the scope, by thread and start.
    fn waits_of(&self, scope: &ZoneScope) -> Result<Vec<WaitRow>, AnalyzeError> {
        let range = scope.range.unwrap_or(TimeRange::ALL);
        let touches = |row: &WaitRow| {
            let end = row.start + row.wait + row.hold;
            scope.takes_thread(row.thread)
                && row.start < range.end
                && (range.start < end || range.contains(row.start))
        };
        if let Some(kept) = self.kept_waits()? {
            return Ok(kept.iter().filter(|row| touches(row)).copied().collect());
        }
        let mut rows = self.source().waits(range)?;
        rows.retain(touches);
        rows.sort_by_key(|row| (row.thread, row.start));
        Ok(rows)
    }

    fn kept_waits(&self) -> Result<Option<&[WaitRow]>, AnalyzeError> {
        let slot = &self.zone_index().waits;
        if let Some(kept) = slot.get() {
            return Ok(kept.as_deref());
        }
        let mut rows = self.source().waits(TimeRange::ALL)?;
        rows.sort_by_key(|row| (row.thread, row.start));
        let kept = (rows.len() <= MOST_KEPT).then_some(rows);
        Ok(slot.get_or_init(|| kept).as_deref())
    }
}
