//! The samples an export is about, summed up or in the order of time.

use rustc_hash::FxHashMap;
use sondage_analyze::{AnalyzeError, Filter, Pass, Unit};
use sondage_model::{
    Nanos, Source, SourceError, StackId, State, StateKind, ThreadId, Time, TimeRange,
};

use crate::{FormatError, Measure};

/// Rows that [`Selection::per_thread`] holds in memory at a time, unless one thread has more.
/// A row takes 40 bytes.
const ROWS_AT_A_TIME: u64 = 4_000_000;

/// How long a sample is drawn where the recording knows no time.
pub(crate) const DRAWN: Nanos = Nanos(1_000);

/// The part of a recording that passes a filter; of samples by the rules of
/// [`sondage_analyze::aggregate`].
pub(crate) struct Selection<'a> {
    pub source: &'a dyn Source,
    filter: &'a Filter,
    /// Whether the samples have no times: an import of counts.
    pub timeless: bool,
    pass: Pass<'a>,
}

/// What one stack (of one thread, if asked) adds up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sum {
    pub weight: Nanos,
    /// The part of the weight on a CPU.
    pub cpu: Nanos,
    pub count: u64,
}

/// The sum of one stack of one thread.
pub(crate) type ThreadSum = ((ThreadId, StackId), Sum);

impl Sum {
    fn new(state: State, weight: Nanos, count: u64) -> Sum {
        Sum {
            weight,
            cpu: match state.kind() {
                StateKind::OnCpu => weight,
                _ => Nanos::ZERO,
            },
            count,
        }
    }

    pub fn add(&mut self, other: Sum) {
        self.weight += other.weight;
        self.cpu += other.cpu;
        self.count += other.count;
    }
}

/// One sample of a thread's line of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slice {
    pub start: Time,
    pub weight: Nanos,
    pub count: u64,
    pub stack: StackId,
    pub state: State,
}

impl Slice {
    pub fn end(&self) -> Time {
        self.start + self.weight
    }
}

impl<'a> Selection<'a> {
    pub fn new(source: &'a dyn Source, filter: &'a Filter) -> Result<Selection<'a>, AnalyzeError> {
        let pass = Pass::new(source, filter)?;
        Ok(Selection {
            source,
            filter,
            timeless: pass.unit() == Unit::Samples,
            pass,
        })
    }

    /// Its range; everything where none was asked for.
    pub fn range(&self) -> TimeRange {
        self.filter.range.unwrap_or(TimeRange::ALL)
    }

    /// Whether it has this thread.
    pub fn has_thread(&self, thread: ThreadId) -> bool {
        self.filter.takes_thread(self.source.dictionary(), thread)
    }

    /// Whether a moment of a thread lies in the zones that were asked for, if any were.
    pub fn is_inside(&self, thread: ThreadId, time: Time) -> bool {
        self.pass.is_inside(thread, time)
    }

    /// What is to be measured when this was asked for.
    pub fn measure(&self, asked: Measure) -> Measure {
        if self.timeless {
            Measure::Samples
        } else {
            asked
        }
    }

    /// The sums of each thread's stacks, ordered by thread and stack.
    pub fn by_thread_and_stack(&self) -> Result<Vec<ThreadSum>, SourceError> {
        let mut sums: FxHashMap<(ThreadId, StackId), Sum> = FxHashMap::default();
        self.pass.for_each_sum(|piece| {
            let weight = match self.timeless {
                true => Nanos::ZERO,
                false => Nanos(piece.weight),
            };
            let sum = Sum::new(piece.state, weight, piece.count);
            sums.entry((piece.thread, piece.stack))
                .or_default()
                .add(sum);
        })?;
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        Ok(sums)
    }

    /// The sums of each stack, ordered by stack.
    pub fn by_stack(&self) -> Result<Vec<(StackId, Sum)>, SourceError> {
        let mut sums: FxHashMap<StackId, Sum> = FxHashMap::default();
        for ((_, stack), sum) in self.by_thread_and_stack()? {
            sums.entry(stack).or_default().add(sum);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        Ok(sums)
    }

    /// Calls `each` with the samples of one thread after the other, threads ordered by process.
    ///
    /// The samples come in the order of time and do not overlap: one that would begin before the
    /// previous one's end is moved back to it, so that the sum of the weights stays what it is.
    /// Where no time is known, each sample is drawn as [`DRAWN`] long.
    pub fn per_thread(
        &self,
        mut each: impl FnMut(ThreadId, &[Slice]) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        for group in self.groups()? {
            let mut rows: FxHashMap<ThreadId, Vec<Slice>> =
                group.iter().map(|thread| (*thread, Vec::new())).collect();
            self.pass.for_each(|row, count| {
                if let Some(slices) = rows.get_mut(&row.thread) {
                    slices.push(Slice {
                        start: row.time.saturating_sub(row.weight),
                        weight: match self.timeless {
                            true => Nanos(DRAWN.0.saturating_mul(count)),
                            false => row.weight,
                        },
                        count,
                        stack: row.stack,
                        state: row.state,
                    });
                }
            })?;
            for thread in group {
                let mut slices = rows.remove(&thread).unwrap_or_default();
                in_line(&mut slices);
                each(thread, &slices)?;
            }
        }
        Ok(())
    }

    /// The threads that have samples, in order, in groups that fit [`ROWS_AT_A_TIME`].
    fn groups(&self) -> Result<Vec<Vec<ThreadId>>, SourceError> {
        let mut rows: FxHashMap<ThreadId, u64> = FxHashMap::default();
        self.pass
            .for_each(|row, _| *rows.entry(row.thread).or_default() += 1)?;
        let names = crate::names::Names::new(self.source.dictionary());
        let mut threads: Vec<(ThreadId, u64)> = rows.into_iter().collect();
        threads.sort_unstable_by_key(|(thread, _)| (names.process_of(*thread), *thread));
        let mut groups: Vec<Vec<ThreadId>> = Vec::new();
        let mut held = u64::MAX;
        for (thread, rows) in threads {
            held = held.saturating_add(rows);
            match groups.last_mut() {
                Some(group) if held <= ROWS_AT_A_TIME => group.push(thread),
                _ => {
                    groups.push(vec![thread]);
                    held = rows;
                }
            }
        }
        Ok(groups)
    }
}

/// Orders the samples of a thread and moves those that overlap apart.
fn in_line(slices: &mut [Slice]) {
    if !slices.is_sorted_by_key(|slice| slice.start) {
        slices.sort_by_key(|slice| slice.start);
    }
    let mut free = Time::ZERO;
    for slice in slices {
        slice.start = slice.start.max(free);
        free = slice.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn samples_in_line_do_not_overlap_and_keep_their_weight(
            mut samples in prop::collection::vec((0u64..1000, 0u64..100), 0..50)
        ) {
            let mut slices: Vec<Slice> = samples
                .iter()
                .map(|&(start, weight)| Slice {
                    start: Time(start),
                    weight: Nanos(weight),
                    count: 1,
                    stack: StackId::EMPTY,
                    state: State::default(),
                })
                .collect();
            in_line(&mut slices);
            prop_assert!(slices.windows(2).all(|pair| pair[0].end() <= pair[1].start));
            let mut weights: Vec<u64> = slices.iter().map(|s| s.weight.0).collect();
            weights.sort_unstable();
            samples.sort_unstable_by_key(|s| s.1);
            prop_assert_eq!(weights, samples.iter().map(|s| s.1).collect::<Vec<_>>());
        }
    }
}
