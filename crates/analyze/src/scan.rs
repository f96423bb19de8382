//! The one pass over samples that all figures come from.
//!
//! A block of samples that lies inside the range is read as its summary, which is much shorter;
//! only blocks at the edges of the range are read sample by sample. Sums are of whole numbers, so
//! the result does not depend on the number of threads or on how samples are cut into blocks.

use sondage_model::{
    Dictionary, FunctionId, SampleColumns, Source, SourceError, StackId, State, StateKind,
    SummaryRow, TaskId, ThreadId, TimeRange,
};

use std::sync::Arc;

use crate::inside::Stretches;
use crate::names::Names;
use crate::{AnalyzeError, Filter, Search};

/// What weights are measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds of wall time of a thread.
    Nanos,
    /// Samples: the recording is an import that knows no time.
    Samples,
}

/// A piece of the recording: a sample, the part of one inside the range, or a sum of some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Whose.
    pub thread: ThreadId,
    /// Of this stack; one that the dictionary does not have counts as empty.
    pub stack: StackId,
    /// In this state.
    pub state: State,
    /// The asyncio task that ran, if any.
    pub task: TaskId,
    /// Number of observations.
    pub count: u64,
    /// In the unit of the recording ([`Unit`]).
    pub weight: u64,
}

/// What pieces are added to.
pub(crate) trait Sink: Send + Sized {
    fn add(&mut self, piece: Piece);
    /// Adds what another one got.
    fn merge(&mut self, other: Self);
}

/// A [`Filter`] made ready for a pass over samples.
pub(crate) struct Admit {
    range: Option<TimeRange>,
    /// End of the recording: the last instant belongs to a range that reaches it.
    recording_end: sondage_model::Time,
    threads: Option<Vec<bool>>,
    states: [bool; 256],
    stacks: Option<Vec<bool>>,
    stack_count: usize,
    unit: Unit,
    /// Of samples only the part in these counts.
    stretches: Option<Arc<Stretches>>,
}

impl Admit {
    /// The whole filter, for who has no [`Analyzer`](crate::Analyzer) that keeps names and
    /// stretches. Checks the recording's tables.
    pub(crate) fn of(source: &dyn Source, filter: &Filter) -> Result<Admit, AnalyzeError> {
        let dict = source.dictionary();
        check(dict)?;
        let matching = |search: &Search| Names::new(dict).matching(dict, search);
        let admit = Admit::new(source, matching, filter, unit_of(source)?);
        Ok(match filter.inside {
            Some(inside) => admit.inside_of(Arc::new(Stretches::of(source, inside)?)),
            None => admit,
        })
    }

    /// The filter but for its zones. `matching` says of each function whether it matches a search;
    /// asked only where there is one.
    pub(crate) fn new(
        source: &dyn Source,
        matching: impl FnOnce(&Search) -> Vec<bool>,
        filter: &Filter,
        unit: Unit,
    ) -> Admit {
        let dict = source.dictionary();
        let states = std::array::from_fn(|code| {
            let state = State::from_code(code as u8);
            filter.states.contains(state.kind()) && (state.holds_gil() || !filter.gil_only)
        });
        Admit {
            range: filter.range,
            recording_end: source.range().end,
            threads: admitted_threads(dict, filter),
            states,
            stacks: stacks_with(dict, matching, filter.function, filter.search.as_ref()),
            stack_count: dict.stacks().len(),
            unit,
            stretches: None,
        }
    }

    /// Counts only what lies in these stretches.
    pub(crate) fn inside_of(self, stretches: Arc<Stretches>) -> Admit {
        Admit {
            stretches: Some(stretches),
            ..self
        }
    }

    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    pub(crate) fn stretches(&self) -> Option<&Stretches> {
        self.stretches.as_deref()
    }

    pub(crate) fn takes_all_of(&self, span: TimeRange) -> bool {
        self.stretches.is_none()
            && self.range.is_none_or(|range| {
                range.start <= span.start
                    && (span.end < range.end || range.end >= self.recording_end)
            })
    }

    pub(crate) fn touches(&self, span: TimeRange) -> bool {
        // A block of instants has no length, so its ends count as inside.
        let near = |range: TimeRange| span.start <= range.end && range.start <= span.end;
        let zones = self.stretches().map(Stretches::hull);
        self.range.is_none_or(near) && zones.is_none_or(|hull| hull.is_some_and(near))
    }

    pub(crate) fn takes(&self, thread: ThreadId, state: State, stack: StackId) -> bool {
        self.states[usize::from(state.code())]
            && self.takes_thread(thread)
            && self.takes_stack(stack)
    }

    pub(crate) fn takes_thread(&self, thread: ThreadId) -> bool {
        self.threads
            .as_ref()
            .is_none_or(|threads| threads.get(thread.index()).copied().unwrap_or(false))
    }

    /// The stack must be [known](Admit::known).
    pub(crate) fn takes_stack(&self, stack: StackId) -> bool {
        self.stacks
            .as_ref()
            .is_none_or(|stacks| stacks[stack.index()])
    }

    /// A stack that is not in the dictionary is taken for the empty one.
    pub(crate) fn known(&self, stack: StackId) -> StackId {
        if stack.index() < self.stack_count {
            stack
        } else {
            StackId::EMPTY
        }
    }

    pub(crate) fn add_summary(&self, rows: &[SummaryRow], mut add: impl FnMut(Piece)) {
        for row in rows {
            let stack = self.known(row.stack);
            if self.takes(row.thread, row.state, stack) {
                add(Piece {
                    thread: row.thread,
                    stack,
                    state: row.state,
                    task: row.task,
                    count: row.count,
                    weight: match self.unit {
                        Unit::Nanos => row.weight.0,
                        Unit::Samples => row.count,
                    },
                });
            }
        }
    }

    /// Calls `add` with the part in the range of each row that is admitted.
    pub(crate) fn add_samples(&self, rows: &SampleColumns, mut add: impl FnMut(Piece)) {
        for i in 0..rows.len() {
            let (thread, state) = (rows.threads[i], rows.states[i]);
            let stack = self.known(rows.stacks[i]);
            if !self.takes(thread, state, stack) {
                continue;
            }
            let count = u64::from(rows.counts[i]);
            let inside = self.inside(thread, rows.times[i].0, rows.weights[i].0, count);
            let Some((count, weight)) = inside else {
                continue;
            };
            add(Piece {
                thread,
                stack,
                state,
                task: rows.tasks[i],
                count,
                weight,
            });
        }
    }

    /// The count and weight of the part of a sample that lies in the range, and in the stretches.
    pub(crate) fn inside(
        &self,
        thread: ThreadId,
        time: u64,
        weight: u64,
        count: u64,
    ) -> Option<(u64, u64)> {
        if self.stretches.is_none() {
            return self.inside_range(time, weight, count);
        }
        let mut sum = None;
        self.each_part(thread, time, weight, count, |_, count, weight| {
            let sum: &mut (u64, u64) = sum.get_or_insert_default();
            sum.0 += count;
            sum.1 += weight;
        });
        sum
    }

    /// Calls `each` with the end, count and weight of each piece of that part: of several
    /// stretches it has several.
    pub(crate) fn each_part(
        &self,
        thread: ThreadId,
        time: u64,
        weight: u64,
        count: u64,
        mut each: impl FnMut(u64, u64, u64),
    ) {
        let range = self.range.unwrap_or(TimeRange::ALL);
        let end = time.min(range.end.0);
        let stretches = match self.stretches() {
            Some(stretches) if weight > 0 && self.unit == Unit::Nanos => stretches,
            moments => {
                let whole = self.inside_range(time, weight, count);
                let is_in = moments.is_none_or(|stretches| stretches.contains(thread, time));
                if let Some((count, weight)) = whole.filter(|_| is_in) {
                    each(end, count, weight);
                }
                return;
            }
        };
        let sample = time.saturating_sub(weight);
        let start = sample.max(range.start.0);
        if start >= end {
            return;
        }
        let until = |at: u64| seen_until(count, weight, at - sample);
        for (from, to) in stretches.parts(thread, start, end) {
            each(to, until(to) - until(from), to - from);
        }
    }

    fn inside_range(&self, time: u64, weight: u64, count: u64) -> Option<(u64, u64)> {
        let Some(range) = self.range else {
            return Some(match self.unit {
                Unit::Nanos => (count, weight),
                Unit::Samples => (count, count),
            });
        };
        let (start, end) = (range.start.0, range.end.0);
        if weight == 0 || self.unit == Unit::Samples {
            let last = time == end && range.end >= self.recording_end;
            return (start <= time && (time < end || last)).then_some(match self.unit {
                Unit::Nanos => (count, 0),
                Unit::Samples => (count, count),
            });
        }
        // A range from the beginning takes also what a sample says of the time before it.
        let before = match start {
            0 => 0,
            _ => start.saturating_add(weight).saturating_sub(time),
        };
        let after = time.saturating_sub(end);
        let kept = weight.checked_sub(before.saturating_add(after))?;
        if kept == 0 {
            return None;
        }
        let until = |offset: u64| seen_until(count, weight, offset);
        Some((until(weight - after) - until(before), kept))
    }
}

/// Observations of a sample up to here. They are spread evenly, the last at the end, so that the
/// counts of two adjoining ranges add up to that of both.
fn seen_until(count: u64, weight: u64, offset: u64) -> u64 {
    (u128::from(count) * u128::from(offset) / u128::from(weight)) as u64
}

/// For each thread whether the filter takes it; `None` where it takes all.
pub(crate) fn admitted_threads(dict: &Dictionary, filter: &Filter) -> Option<Vec<bool>> {
    if filter.threads.is_empty() && filter.processes.is_empty() {
        return None;
    }
    let threads = (0..dict.threads().len() as u32).map(ThreadId);
    Some(
        threads
            .map(|thread| filter.takes_thread(dict, thread))
            .collect(),
    )
}

/// For each stack whether it contains the function and a frame that matches; `None` where both
/// are not asked for.
fn stacks_with(
    dict: &Dictionary,
    matching: impl FnOnce(&Search) -> Vec<bool>,
    function: Option<FunctionId>,
    search: Option<&Search>,
) -> Option<Vec<bool>> {
    let by_function = function.map(|function| {
        let mut wanted = vec![false; dict.functions().len()];
        if let Some(slot) = wanted.get_mut(function.index()) {
            *slot = true;
        }
        stacks_with_any(dict, &wanted)
    });
    let by_search = search.map(|search| stacks_with_any(dict, &matching(search)));
    match (by_function, by_search) {
        (Some(mut both), Some(other)) => {
            for (slot, other) in both.iter_mut().zip(other) {
                *slot &= other;
            }
            Some(both)
        }
        (one, other) => one.or(other),
    }
}

/// For each stack whether it contains one of the wanted functions. A parent has a smaller id than
/// its children, so one pass in order of ids is enough.
pub(crate) fn stacks_with_any(dict: &Dictionary, wanted: &[bool]) -> Vec<bool> {
    let frames: Vec<bool> = dict
        .frames()
        .iter()
        .map(|frame| wanted.get(frame.function.index()).copied().unwrap_or(false))
        .collect();
    let mut contains = vec![false; dict.stacks().len()];
    for (i, row) in dict.stacks().iter().enumerate().skip(1) {
        contains[i] =
            contains[row.parent.index()] || frames.get(row.frame.index()).copied().unwrap_or(false);
    }
    contains
}

/// What the weights of a recording are measured in: time, unless no sample has any.
pub(crate) fn unit_of(source: &dyn Source) -> Result<Unit, SourceError> {
    if source.info().interval.0 > 0 {
        return Ok(Unit::Nanos);
    }
    let first = source.blocks().iter().position(|block| block.rows > 0);
    let timeless = match first {
        Some(block) => source.summary(block)?.iter().all(|row| row.weight.0 == 0),
        None => false,
    };
    Ok(if timeless { Unit::Samples } else { Unit::Nanos })
}

/// Rows below which a second thread costs more than it saves.
const ROWS_FOR_TWO_THREADS: u64 = 1 << 18;

/// Adds all samples that the filter admits to sinks of `make`.
pub(crate) fn scan<S: Sink>(
    source: &dyn Source,
    admit: &Admit,
    make: impl Fn() -> S + Sync,
) -> Result<S, SourceError> {
    let blocks: Vec<usize> = (0..source.blocks().len())
        .filter(|&block| admit.touches(source.blocks()[block].range))
        .collect();
    let rows = |block: usize| source.blocks()[block].rows;
    let total: u64 = blocks.iter().map(|&block| rows(block)).sum();
    let part = |blocks: &[usize]| -> Result<S, SourceError> {
        let mut sink = make();
        for &block in blocks {
            if admit.takes_all_of(source.blocks()[block].range) {
                let summary = source.summary(block)?;
                admit.add_summary(&summary, |piece| sink.add(piece));
            } else {
                let samples = source.samples(block)?;
                admit.add_samples(&samples, |piece| sink.add(piece));
            }
        }
        Ok(sink)
    };
    if total < ROWS_FOR_TWO_THREADS || blocks.len() < 2 {
        return part(&blocks);
    }
    let mut first_half = 0;
    let mut middle = 0;
    while first_half * 2 < total && middle + 1 < blocks.len() {
        first_half += rows(blocks[middle]);
        middle += 1;
    }
    let (left, right) = blocks.split_at(middle);
    let (left, right) = std::thread::scope(|scope| {
        let right = scope.spawn(|| part(right));
        let left = part(left);
        (left, right.join())
    });
    let mut sink = left?;
    match right {
        Ok(other) => sink.merge(other?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    Ok(sink)
}

/// Figures by state.
pub(crate) type ByState = [u64; StateKind::COUNT];

/// Checks once what all passes rely on: that every row refers to rows that are there.
pub(crate) fn check(dict: &Dictionary) -> Result<(), SourceError> {
    let damaged = |what: &str, row: usize, why: &str| {
        Err(SourceError::Damaged {
            what: format!("row {row} of the {what}"),
            why: why.to_owned(),
        })
    };
    let functions = dict.functions();
    if let Some(i) = functions
        .iter()
        .position(|row| row.file.index() >= dict.files().len())
    {
        return damaged("functions", i, "its file is not in the files");
    }
    let frames = dict.frames();
    if let Some(i) = frames
        .iter()
        .position(|row| row.function.index() >= functions.len())
    {
        return damaged("frames", i, "its function is not in the functions");
    }
    for (i, row) in dict.stacks().iter().enumerate().skip(1) {
        if row.parent.index() >= i {
            return damaged("stacks", i, "its parent does not come before it");
        }
        if row.frame.index() >= frames.len() {
            return damaged("stacks", i, "its frame is not in the frames");
        }
    }
    let threads = dict.threads();
    if let Some(i) = threads
        .iter()
        .position(|row| row.process.index() >= dict.processes().len())
    {
        return damaged("threads", i, "its process is not in the processes");
    }
    Ok(())
}
