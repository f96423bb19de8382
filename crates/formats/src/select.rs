//! The samples an export is about, summed up or in the order of time.

use rustc_hash::FxHashMap;
use sondage_analyze::{Filter, Names, Search};
use sondage_model::{
    Dictionary, FunctionId, Nanos, SampleRow, Source, SourceError, StackId, State, StateKind,
    ThreadId, Time, TimeRange,
};

use crate::{FormatError, Measure};

/// Rows that [`Selection::per_thread`] holds in memory at a time, unless one thread has more.
/// A row takes 40 bytes.
const ROWS_AT_A_TIME: u64 = 4_000_000;

/// How long a sample is drawn where the recording knows no time.
pub(crate) const DRAWN: Nanos = Nanos(1_000);

/// The samples of a recording that pass a filter, by the rules of [`sondage_analyze::aggregate`].
pub(crate) struct Selection<'a> {
    pub source: &'a dyn Source,
    /// Whether the samples have no times: an import of counts.
    pub timeless: bool,
    filter: &'a Filter,
    /// For each thread whether it passes; `None` when all do.
    threads: Option<Vec<bool>>,
    /// For each stack whether it passes; `None` when all do.
    stacks: Option<Vec<bool>>,
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
    pub fn new(source: &'a dyn Source, filter: &'a Filter) -> Result<Selection<'a>, SourceError> {
        let dictionary = source.dictionary();
        let by_thread = !(filter.threads.is_empty() && filter.processes.is_empty());
        let passes = |(index, process)| {
            filter.processes.contains(process) || filter.threads.contains(&ThreadId(index))
        };
        let processes = dictionary.threads().iter().map(|row| &row.process);
        Ok(Selection {
            source,
            timeless: is_timeless(source)?,
            filter,
            threads: by_thread.then(|| (0u32..).zip(processes).map(passes).collect()),
            stacks: stacks_that_pass(dictionary, filter.function, filter.search.as_ref()),
        })
    }

    /// What is to be measured when this was asked for.
    pub fn measure(&self, asked: Measure) -> Measure {
        if self.timeless {
            Measure::Samples
        } else {
            asked
        }
    }

    fn admits(&self, thread: ThreadId, stack: StackId, state: State) -> bool {
        let one = |flags: &Option<Vec<bool>>, index: usize| {
            flags
                .as_ref()
                .is_none_or(|flags| flags.get(index).copied().unwrap_or(false))
        };
        self.filter.states.contains(state.kind())
            && (state.holds_gil() || !self.filter.gil_only)
            && one(&self.threads, thread.index())
            && one(&self.stacks, stack.index())
    }

    /// A stack that the recording does not have counts as empty.
    fn known(&self, stack: StackId) -> StackId {
        if stack.index() < self.source.dictionary().stacks().len() {
            stack
        } else {
            StackId::EMPTY
        }
    }

    /// The blocks that may have a part in the range, and whether all of it.
    fn blocks(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        let blocks = self.source.blocks().iter().enumerate();
        blocks.filter_map(|(block, span)| {
            let Some(range) = self.filter.range else {
                return Some((block, true));
            };
            let (start, end) = (span.range.start, span.range.end);
            let touches = start <= range.end && range.start <= end;
            let reaches_end = range.end >= self.source.range().end;
            let whole = range.start <= start && (end < range.end || reaches_end);
            touches.then_some((block, whole))
        })
    }

    /// Calls `each` with the samples that pass: what is inside the range of each, and its count.
    pub fn for_each(&self, mut each: impl FnMut(SampleRow, u64)) -> Result<(), SourceError> {
        for (block, _) in self.blocks() {
            let samples = self.source.samples(block)?;
            self.of_block(samples.rows(), &mut each);
        }
        Ok(())
    }

    fn of_block(
        &self,
        rows: impl Iterator<Item = SampleRow>,
        each: &mut impl FnMut(SampleRow, u64),
    ) {
        for mut row in rows {
            row.stack = self.known(row.stack);
            if !self.admits(row.thread, row.stack, row.state) {
                continue;
            }
            if let Some((weight, count)) = self.inside(&row) {
                if let Some(range) = self.filter.range {
                    row.time = row.time.min(range.end);
                }
                row.weight = weight;
                each(row, count);
            }
        }
    }

    /// The weight and count of the part of a sample that lies in the range.
    fn inside(&self, row: &SampleRow) -> Option<(Nanos, u64)> {
        let (time, weight, count) = (row.time.0, row.weight.0, u64::from(row.count));
        let Some(TimeRange { start, end }) = self.filter.range else {
            return Some((row.weight, count));
        };
        if weight == 0 || self.timeless {
            let last = row.time == end && end >= self.source.range().end;
            let inside = start <= row.time && (row.time < end || last);
            return inside.then_some((Nanos::ZERO, count));
        }
        let before = match start.0 {
            0 => 0,
            start => start.saturating_add(weight).saturating_sub(time),
        };
        let after = time.saturating_sub(end.0);
        let kept = weight.checked_sub(before.saturating_add(after))?;
        let seen_until =
            |offset: u64| (u128::from(count) * u128::from(offset) / u128::from(weight)) as u64;
        let count = seen_until(weight - after) - seen_until(before);
        (kept > 0).then_some((Nanos(kept), count))
    }

    /// The sums of each thread's stacks, ordered by thread and stack.
    pub fn by_thread_and_stack(&self) -> Result<Vec<ThreadSum>, SourceError> {
        let mut sums: FxHashMap<(ThreadId, StackId), Sum> = FxHashMap::default();
        let mut add = |thread, stack, sum| sums.entry((thread, stack)).or_default().add(sum);
        for (block, whole) in self.blocks() {
            if whole {
                for row in self.source.summary(block)?.iter() {
                    let stack = self.known(row.stack);
                    if self.admits(row.thread, stack, row.state) {
                        add(
                            row.thread,
                            stack,
                            Sum::new(row.state, row.weight, row.count),
                        );
                    }
                }
            } else {
                let samples = self.source.samples(block)?;
                self.of_block(samples.rows(), &mut |row, count| {
                    add(
                        row.thread,
                        row.stack,
                        Sum::new(row.state, row.weight, count),
                    );
                });
            }
        }
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
            self.for_each(|row, count| {
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
        self.for_each(|row, _| *rows.entry(row.thread).or_default() += 1)?;
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

/// Whether no sample has a time, as in an import of counts.
fn is_timeless(source: &dyn Source) -> Result<bool, SourceError> {
    if source.info().interval > Nanos::ZERO {
        return Ok(false);
    }
    match source.blocks().iter().position(|block| block.rows > 0) {
        Some(block) => Ok(source
            .summary(block)?
            .iter()
            .all(|row| row.weight == Nanos::ZERO)),
        None => Ok(false),
    }
}

/// For each stack whether it has the function and a frame that matches; `None` when neither is
/// asked for. Callers have smaller ids, so one pass is enough.
fn stacks_that_pass(
    dictionary: &Dictionary,
    function: Option<FunctionId>,
    search: Option<&Search>,
) -> Option<Vec<bool>> {
    let containing = |wanted: &dyn Fn(FunctionId) -> bool| {
        let mut flags = vec![false; dictionary.stacks().len()];
        for (index, row) in dictionary.stacks().iter().enumerate().skip(1) {
            let frame = dictionary.frames().get(row.frame.index());
            let caller = flags.get(row.parent.index()).copied().unwrap_or(false);
            flags[index] = caller || frame.is_some_and(|frame| wanted(frame.function));
        }
        flags
    };
    let with_function = function.map(|function| containing(&|other| other == function));
    let with_match = search.map(|search| {
        let matching = Names::new(dictionary).matching(dictionary, search);
        containing(&|function| matching.get(function.index()).copied().unwrap_or(false))
    });
    match (with_function, with_match) {
        (Some(a), Some(b)) => Some(a.into_iter().zip(b).map(|(a, b)| a && b).collect()),
        (a, b) => a.or(b),
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
