//! From observations of one thread to sample rows: which time each stands for, and how a sleeper's
//! observations become one row. Knows no clock and reads nothing.

use sondage_model::{Nanos, SampleRow, StackId, State, StateKind, TaskId, ThreadId, Time};

/// A gap between two observations that is longer than this is not said to be spent in one state
/// without asking the scheduler: we, or the whole program, may have been stopped.
const LONG_GAP: Nanos = Nanos(20_000_000);
/// The scheduler's figure for a thread that runs right now is that much behind, at most: a tick of
/// the kernel, 10 ms with `CONFIG_HZ=100`.
const TICK: Nanos = Nanos(10_000_000);

/// What was seen of a thread at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// When.
    pub time: Time,
    /// Its stack.
    pub stack: StackId,
    /// Its asyncio task.
    pub task: TaskId,
    /// Its state.
    pub state: State,
    /// Time on a CPU or waiting for one since the observation before, as the scheduler says.
    pub awake: Nanos,
}

/// The rows of one thread.
///
/// Every nanosecond between the thread's first sight and its last observation is in exactly one
/// row: an observation stands for the time since the one before, and time whose observation was
/// rejected goes to the next good one.
#[derive(Debug)]
pub struct ThreadRows {
    thread: ThreadId,
    /// Up to where rows stand for the thread's time.
    upto: Time,
    /// The row that may still grow.
    open: Option<SampleRow>,
    /// What the thread was seen doing last, whether or not its row is still open.
    last: Option<(StackId, TaskId, State)>,
}

impl ThreadRows {
    /// Rows of a thread first seen at `start`.
    #[must_use]
    pub fn new(thread: ThreadId, start: Time) -> ThreadRows {
        ThreadRows {
            thread,
            upto: start,
            open: None,
            last: None,
        }
    }

    /// The thread.
    #[must_use]
    pub fn thread(&self) -> ThreadId {
        self.thread
    }

    /// The time an observation at `time` would stand for.
    #[must_use]
    pub fn weight_at(&self, time: Time) -> Nanos {
        time.since(self.upto)
    }

    /// The part of that time in which a thread that is ready to run now may have run or waited for a
    /// CPU, when the scheduler reports `awake` for it.
    #[must_use]
    pub fn ready_part(weight: Nanos, awake: Nanos) -> Nanos {
        if weight > LONG_GAP {
            weight.min(awake + TICK)
        } else {
            weight
        }
    }

    /// Whether there was an observation yet.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.last.is_some()
    }

    /// The thread was seen; rows that are complete go to `done`.
    pub fn observe(&mut self, seen: Observation, done: &mut impl FnMut(SampleRow)) {
        let weight = self.weight_at(seen.time);
        self.close(done);
        let mut row = SampleRow {
            time: seen.time,
            weight,
            count: 1,
            thread: self.thread,
            stack: seen.stack,
            task: seen.task,
            state: seen.state,
        };
        // After a long gap the state of one moment says nothing about all of it.
        let ready = matches!(seen.state.kind(), StateKind::OnCpu | StateKind::Runnable);
        let slept = weight - ThreadRows::ready_part(weight, seen.awake);
        if ready && slept.0 > 0 {
            row.weight = weight - slept;
            done(SampleRow {
                time: seen.time.saturating_sub(row.weight),
                weight: slept,
                state: State::new(StateKind::Blocked, false),
                ..row
            });
        }
        self.open = Some(row);
        self.last = Some((seen.stack, seen.task, seen.state));
        self.upto = seen.time;
    }

    /// The thread was looked at and has slept on since the last observation.
    pub fn sleeps_on(&mut self, time: Time) {
        let weight = self.weight_at(time);
        if let Some(row) = &mut self.open {
            row.time = time;
            row.weight += weight;
            row.count = row.count.saturating_add(1);
        } else if let Some((stack, task, state)) = self.last {
            self.open = Some(SampleRow {
                time,
                weight,
                count: 1,
                thread: self.thread,
                stack,
                task,
                state,
            });
        }
        self.upto = time;
    }

    /// Ends the open row; what the thread was seen doing last stays known.
    pub fn close(&mut self, done: &mut impl FnMut(SampleRow)) {
        if let Some(row) = self.open.take() {
            done(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(time: u64, stack: u32, kind: StateKind) -> Observation {
        Observation {
            time: Time(time),
            stack: StackId(stack),
            task: TaskId::NONE,
            state: State::new(kind, false),
            awake: Nanos(time),
        }
    }

    fn check(act: impl FnOnce(&mut ThreadRows, &mut Vec<SampleRow>)) -> Vec<(u64, u64, u32, u32)> {
        let mut rows = ThreadRows::new(ThreadId(3), Time(100));
        let mut done = Vec::new();
        act(&mut rows, &mut done);
        rows.close(&mut |row| done.push(row));
        done.iter()
            .map(|row| (row.time.0, row.weight.0, row.count, row.stack.0))
            .collect()
    }

    #[test]
    fn the_first_row_reaches_back_to_the_start_and_rejected_time_is_carried() {
        let rows = check(|rows, done| {
            rows.observe(seen(110, 1, StateKind::OnCpu), &mut |row| done.push(row));
            // The observation at 120 was rejected.
            rows.observe(seen(130, 2, StateKind::OnCpu), &mut |row| done.push(row));
        });
        assert_eq!(rows, vec![(110, 10, 1, 1), (130, 20, 1, 2)]);
    }

    #[test]
    fn a_sleeper_is_one_row_and_goes_on_after_a_flush() {
        let rows = check(|rows, done| {
            rows.observe(seen(110, 1, StateKind::Blocked), &mut |row| done.push(row));
            rows.sleeps_on(Time(120));
            rows.sleeps_on(Time(130));
            rows.close(&mut |row| done.push(row));
            rows.sleeps_on(Time(140));
            rows.sleeps_on(Time(150));
        });
        assert_eq!(rows, vec![(130, 30, 3, 1), (150, 20, 2, 1)]);
    }

    #[test]
    fn a_stopped_program_is_not_said_to_have_run_or_waited() {
        for ready in [StateKind::OnCpu, StateKind::Runnable] {
            let mut rows = ThreadRows::new(ThreadId(0), Time(0));
            let mut done = Vec::new();
            let second = 1_000_000_000;
            let mut late = seen(10 * second, 1, ready);
            late.awake = Nanos(second);
            rows.observe(late, &mut |row| done.push(row));
            rows.close(&mut |row| done.push(row));
            let kinds: Vec<_> = done
                .iter()
                .map(|row| {
                    (
                        row.state.kind(),
                        row.weight.0 / 1_000_000,
                        row.time.0 / 1_000_000,
                    )
                })
                .collect();
            assert_eq!(
                kinds,
                vec![(StateKind::Blocked, 8990, 8990), (ready, 1010, 10_000)]
            );
        }
    }
}
