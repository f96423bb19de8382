//! What needs all threads in the order of time: locks, memory, plots, frame marks, log lines.
//!
//! Threads are read one after the other, so their events are kept until all threads are known up
//! to a time, and sorted.

use rustc_hash::FxHashMap;
use sondage_model::{
    CounterId, CounterRow, FrameMarkRow, LockId, LogRow, Nanos, ThreadId, Time, WaitKind, WaitRow,
};
use sondage_wire::LockOp;

use super::rows::Rows;

/// Pieces of memory that are kept in mind. What is beyond them counts as set aside for ever.
const MOST_PIECES: usize = 4 << 20;
/// Threads that wait for, or have, a lock, of all locks.
const MOST_HOLDS: usize = 1 << 20;
/// Values of memory in use are not written more often than this.
const MEMORY_EVERY: u64 = 1_000_000;

/// Something at a time. Times in rows are set when it is put out.
#[derive(Clone, Debug, PartialEq)]
pub enum Timed {
    /// A frame mark.
    Frame(FrameMarkRow),
    /// A log line.
    Log(LogRow),
    /// A plot's value.
    Plot(CounterId, f64),
    /// Something happened to a lock.
    Lock(ThreadId, LockId, LockOp),
    /// Memory was set aside at an address, or given back (0 bytes). The counter is of the process.
    Memory(CounterId, u64, u64),
}

/// What came of asking for a lock, so far.
#[derive(Clone, Copy, Debug)]
struct Ask {
    start: u64,
    holder: Option<ThreadId>,
    obtained: Option<(u64, WaitKind)>,
    /// Times obtained again, beside the first.
    nested: u32,
}

/// Puts out what happened in the order of time.
#[derive(Debug)]
pub struct InOrder {
    origin: u64,
    waiting: Vec<(u64, Timed)>,
    asks: FxHashMap<(LockId, ThreadId), Ask>,
    /// Who obtained each lock last and has not given it back.
    holders: FxHashMap<LockId, ThreadId>,
    pieces: FxHashMap<u64, u64>,
    memory: Memory,
    /// Events that could not be kept in mind.
    lost: u64,
}

/// Bytes in use, thinned out.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    counter: Option<CounterId>,
    live: u64,
    /// The most since the last value that was put out, and when.
    most: (u64, u64),
    last_time: u64,
    put_at: u64,
    is_new: bool,
}

impl InOrder {
    /// For a recording that began at this time of the events' clock.
    #[must_use]
    pub fn new(origin: u64) -> InOrder {
        InOrder {
            origin,
            waiting: Vec::new(),
            asks: FxHashMap::default(),
            holders: FxHashMap::default(),
            pieces: FxHashMap::default(),
            memory: Memory::default(),
            lost: 0,
        }
    }

    /// Takes something down.
    pub fn take(&mut self, time: u64, what: Timed) {
        self.waiting.push((time, what));
    }

    /// Events that could not be kept in mind, since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Puts out everything up to a time.
    pub fn settle(&mut self, until: u64, rows: &mut Rows) {
        self.waiting.sort_by_key(|(time, _)| *time);
        let ready = self.waiting.partition_point(|(time, _)| *time <= until);
        let later = self.waiting.split_off(ready);
        for (time, what) in std::mem::replace(&mut self.waiting, later) {
            self.apply(time, what, rows);
        }
        self.put_memory(rows);
    }

    /// Puts out the rest. Locks that are held are held until then.
    pub fn finish(&mut self, end: u64, rows: &mut Rows) {
        self.settle(u64::MAX, rows);
        let mut asks: Vec<_> = self.asks.drain().collect();
        asks.sort_unstable_by_key(|((lock, thread), ask)| (ask.start, *lock, *thread));
        for ((lock, thread), ask) in asks {
            self.put_wait(end, (lock, thread), ask, rows);
        }
        self.holders.clear();
    }

    fn time(&self, time: u64) -> Option<Time> {
        time.checked_sub(self.origin).map(Time)
    }

    fn apply(&mut self, time: u64, what: Timed, rows: &mut Rows) {
        let at = self.time(time);
        match (what, at) {
            (Timed::Lock(thread, lock, op), _) => self.lock(time, (lock, thread), op, rows),
            (Timed::Memory(counter, address, bytes), _) => {
                self.memory(time, counter, (address, bytes), rows);
            }
            (_, None) => {}
            (Timed::Frame(row), Some(time)) => {
                rows.frame_marks.push(FrameMarkRow { time, ..row });
            }
            (Timed::Log(row), Some(time)) => rows.logs.push(LogRow { time, ..row }),
            (Timed::Plot(counter, value), Some(time)) => rows.counters.push(CounterRow {
                counter,
                time,
                value,
            }),
        }
    }

    fn lock(&mut self, time: u64, key: (LockId, ThreadId), op: LockOp, rows: &mut Rows) {
        let (lock, thread) = key;
        match op {
            LockOp::Wait | LockOp::Obtained | LockOp::Shared => {
                if !self.asks.contains_key(&key) && self.asks.len() >= MOST_HOLDS {
                    self.lost += 1;
                    return;
                }
                let others = self.holders.get(&lock).copied();
                let others = others.filter(|holder| *holder != thread);
                let holder = if op == LockOp::Wait { others } else { None };
                let ask = self.asks.entry(key).or_insert(Ask {
                    start: time,
                    holder,
                    obtained: None,
                    nested: 0,
                });
                let kind = match op {
                    LockOp::Wait => return,
                    LockOp::Shared => WaitKind::Shared,
                    _ => WaitKind::Exclusive,
                };
                if ask.obtained.is_some() {
                    ask.nested = ask.nested.saturating_add(1);
                } else {
                    ask.obtained = Some((time, kind));
                    self.holders.insert(lock, thread);
                }
            }
            LockOp::Released => {
                let Some(ask) = self.asks.get_mut(&key) else {
                    return;
                };
                if ask.nested > 0 {
                    ask.nested -= 1;
                    return;
                }
                let ask = *ask;
                self.asks.remove(&key);
                if self.holders.get(&lock) == Some(&thread) {
                    self.holders.remove(&lock);
                }
                self.put_wait(time, key, ask, rows);
            }
            LockOp::GivenUp => {
                // One that has the lock and asked again in vain has it still.
                let waits = self
                    .asks
                    .get(&key)
                    .is_some_and(|ask| ask.obtained.is_none());
                if waits && let Some(ask) = self.asks.remove(&key) {
                    self.put_wait(time, key, ask, rows);
                }
            }
        }
    }

    fn put_wait(&self, end: u64, (lock, thread): (LockId, ThreadId), ask: Ask, rows: &mut Rows) {
        if end < self.origin {
            return;
        }
        let clip = |time: u64| time.clamp(self.origin, end.max(self.origin)) - self.origin;
        let (obtained, kind) = ask.obtained.unwrap_or((end, WaitKind::GivenUp));
        let (start, obtained, end) = (clip(ask.start), clip(obtained), clip(end));
        rows.waits.push(WaitRow {
            start: Time(start),
            wait: Nanos(obtained.saturating_sub(start)),
            hold: Nanos(end.saturating_sub(obtained)),
            thread,
            lock,
            holder: ask.holder,
            kind,
        });
    }

    fn memory(
        &mut self,
        time: u64,
        counter: CounterId,
        (address, bytes): (u64, u64),
        rows: &mut Rows,
    ) {
        if time.saturating_sub(self.memory.put_at) >= MEMORY_EVERY {
            self.put_memory(rows);
            self.memory.put_at = time;
        }
        if bytes > 0 {
            if self.pieces.len() >= MOST_PIECES && !self.pieces.contains_key(&address) {
                self.lost += 1;
                return;
            }
            // Where its giving back was lost, the piece before is gone all the same.
            let before = self.pieces.insert(address, bytes).unwrap_or(0);
            self.memory.live = self
                .memory
                .live
                .saturating_sub(before)
                .saturating_add(bytes);
        } else if let Some(bytes) = self.pieces.remove(&address) {
            self.memory.live = self.memory.live.saturating_sub(bytes);
        } else {
            // Set aside before we came.
            return;
        }
        let memory = &mut self.memory;
        memory.counter = Some(counter);
        memory.last_time = time;
        if !memory.is_new || memory.live > memory.most.1 {
            memory.most = (time, memory.live);
        }
        memory.is_new = true;
    }

    /// The most that was in use since the last time, and what is in use.
    fn put_memory(&mut self, rows: &mut Rows) {
        let memory = self.memory;
        let (Some(counter), true) = (memory.counter, memory.is_new) else {
            return;
        };
        self.memory.is_new = false;
        let last = (memory.last_time, memory.live);
        let values = [memory.most, last];
        let values = if memory.most.1 > memory.live {
            &values[..]
        } else {
            &values[1..]
        };
        for (time, value) in values {
            rows.counters
                .extend(self.time(*time).map(|time| CounterRow {
                    counter,
                    time,
                    value: *value as f64,
                }));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waits(events: &[(u64, u32, LockOp)]) -> Vec<String> {
        let mut order = InOrder::new(0);
        let mut rows = Rows::default();
        for (time, thread, op) in events {
            order.take(*time, Timed::Lock(ThreadId(*thread), LockId(3), *op));
        }
        order.finish(100, &mut rows);
        let show = |row: &WaitRow| {
            let holder = row.holder.map(|holder| format!(" for t{}", holder.0));
            format!(
                "t{} at {}: waits {}{}, holds {} {:?}",
                row.thread.0,
                row.start.0,
                row.wait.0,
                holder.unwrap_or_default(),
                row.hold.0,
                row.kind
            )
        };
        rows.waits.iter().map(show).collect()
    }

    #[test]
    fn who_waits_knows_for_whom() {
        use LockOp::{GivenUp, Obtained, Released, Shared, Wait};
        let seen = waits(&[
            // As it is read: thread by thread.
            (10, 0, Obtained),
            (30, 0, Released),
            (12, 1, Wait),
            (31, 1, Obtained),
            (32, 1, Obtained),
            (33, 1, Released),
            (40, 1, Released),
            (35, 2, Wait),
            (38, 2, GivenUp),
            (50, 2, Shared),
            (51, 0, Shared),
            (60, 2, Released),
            (70, 1, Wait),
            (71, 3, Released),
        ]);
        let expected = [
            "t0 at 10: waits 0, holds 20 Exclusive",
            "t2 at 35: waits 3 for t1, holds 0 GivenUp",
            "t1 at 12: waits 19 for t0, holds 9 Exclusive",
            "t2 at 50: waits 0, holds 10 Shared",
            "t0 at 51: waits 0, holds 49 Shared",
            "t1 at 70: waits 30 for t0, holds 0 GivenUp",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn memory_in_use_shows_its_peaks() {
        let mut order = InOrder::new(1000);
        let mut rows = Rows::default();
        let counter = CounterId(0);
        // Thread by thread: what one gives back the other has set aside.
        for (time, address, bytes) in [
            (1_020, 7, 0),
            (2_001_000, 9, 5),
            (1_000, 7, 100),
            (1_010, 8, 50),
            (1_030, 99, 0),
        ] {
            order.take(time, Timed::Memory(counter, address, bytes));
        }
        order.settle(3_000_000, &mut rows);
        let values: Vec<(u64, f64)> = rows.counters.iter().map(|r| (r.time.0, r.value)).collect();
        assert_eq!(values, [(10, 150.0), (20, 50.0), (2_000_000, 55.0)]);
    }

    #[test]
    fn marks_and_lines_come_in_order_and_those_too_late_to_know_wait() {
        let mut order = InOrder::new(10);
        let mut rows = Rows::default();
        for time in [50, 9, 20, 70, 30] {
            order.take(time, Timed::Frame(FrameMarkRow::default()));
        }
        order.settle(60, &mut rows);
        let times =
            |rows: &Rows| -> Vec<u64> { rows.frame_marks.iter().map(|r| r.time.0).collect() };
        assert_eq!(times(&rows), [10, 20, 40]);
        order.finish(70, &mut rows);
        assert_eq!(times(&rows), [10, 20, 40, 60]);
    }

    fn any_op() -> impl Strategy<Value = LockOp> {
        prop::sample::select(vec![
            LockOp::Wait,
            LockOp::Obtained,
            LockOp::Released,
            LockOp::GivenUp,
            LockOp::Shared,
        ])
    }

    proptest! {
        #[test]
        fn any_order_of_events_gives_waits_inside_the_recording(
            events in prop::collection::vec((0u64..1000, 0u32..3, 0u32..3, any_op()), 0..200),
        ) {
            let mut order = InOrder::new(100);
            let mut rows = Rows::default();
            for (time, thread, lock, op) in events {
                order.take(time, Timed::Lock(ThreadId(thread), LockId(lock), op));
            }
            order.finish(1000, &mut rows);
            for row in &rows.waits {
                prop_assert!(row.start.0 + row.wait.0 + row.hold.0 <= 900, "{row:?}");
                prop_assert_ne!(row.holder, Some(row.thread));
            }
        }
    }
}
