//! The stacks of one thread in the order of time.

use sondage_model::{Nanos, StackId, StateKind, ThreadId, Time, TimeRange};

use crate::detail::{Detail, detail};
use crate::tree::{CallTree, MergeBy, ROOT};
use crate::view::name_of;
use crate::{AnalyzeError, Analyzer, Empty, Filter, FrameName, StateSet, Unit};

/// The stacks of one thread in the order of time.
///
/// A row of segments, each one stack for a while; between them nothing is known or nothing is
/// admitted by the filter. Positions count from the start of the filter's range (in samples where
/// the recording knows no time).
pub struct TimeOrder<'a> {
    analyzer: &'a Analyzer,
    tree: &'a CallTree,
    by: MergeBy,
    thread: Option<ThreadId>,
    total: u64,
    segments: Vec<Segment>,
    empty: Option<Empty>,
}

/// One stack for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Where it starts.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// How many outermost frames go on from the segment before; 0 after a gap.
    pub shared: u32,
    /// Number of frames.
    pub depth: u32,
    node: u32,
}

/// What of the order of time is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeWindow {
    /// Left edge; `None` is the start of the filter's range.
    pub x0: Option<u64>,
    /// Right edge; `None` is its end.
    pub x1: Option<u64>,
    /// Pixels across.
    pub px: u32,
}

impl Analyzer {
    /// The stacks of a thread in the order of time: of the filter's first thread, without one of
    /// the thread that has the most weight over the whole recording.
    ///
    /// Where there is more than a screen can show, a bucket of about a pixel shows its heaviest
    /// stack. A bucket in which the thread did anything that the filter admits is full, so that
    /// short work is not lost from sight. Buckets from the recording's tiles go by the stack that
    /// was heaviest there, so a filter by function or search is coarse until zoomed in.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn time_order(
        &self,
        filter: &Filter,
        by: MergeBy,
        window: TimeWindow,
    ) -> Result<TimeOrder<'_>, AnalyzeError> {
        let thread = match filter.threads.first() {
            Some(thread) => Some(*thread),
            // Of the whole time, so that the thread stays the same when the range moves.
            None => {
                let range = None;
                let always = Filter {
                    range,
                    ..filter.clone()
                };
                self.select(&always)?.busiest_thread()
            }
        };
        let range = filter.range.unwrap_or(self.source().range());
        let mut order = TimeOrder {
            analyzer: self,
            tree: self.tree(by),
            by,
            thread,
            total: range.span().0,
            segments: Vec::new(),
            empty: None,
        };
        let Some(thread) = thread else {
            order.empty = self.empty(filter)?;
            return Ok(order);
        };
        let filter = Filter {
            threads: vec![thread],
            processes: Vec::new(),
            ..filter.clone()
        };
        let segments = match self.unit() {
            Unit::Samples => {
                let segments = self.counted(&order, &filter)?;
                order.total = segments.last().map_or(0, |segment| segment.end);
                segments
            }
            Unit::Nanos => self.timed(&order, &filter, range, window)?,
        };
        let x1 = window.x1.unwrap_or(order.total).min(order.total);
        let span = x1.saturating_sub(window.x0.unwrap_or(0));
        let pixel = span.div_ceil(u64::from(window.px.max(1))).max(1);
        order.segments = if segments.len() > 4 * window.px as usize {
            heaviest_by_bucket(&segments, pixel)
        } else {
            segments
        };
        if let Some(last) = order.segments.last_mut() {
            last.end = last.end.min(order.total);
        }
        order.join(self.source().info().interval.0 / 2);
        if order.segments.is_empty() {
            order.empty = self.empty(&filter)?;
        }
        Ok(order)
    }

    /// The samples one after the other, each as long as it counts.
    fn counted(
        &self,
        order: &TimeOrder<'_>,
        filter: &Filter,
    ) -> Result<Vec<Segment>, AnalyzeError> {
        let admit = self.admit(filter)?;
        let mut segments = Vec::new();
        let mut at = 0;
        for block in 0..self.source().blocks().len() {
            for row in self.source().samples(block)?.rows() {
                let stack = admit.known(row.stack);
                if !admit.takes(row.thread, row.state, stack) {
                    continue;
                }
                let part = admit.inside(row.thread, row.time.0, row.weight.0, u64::from(row.count));
                if let Some((_, weight)) = part {
                    segments.push(order.segment(at, at + weight, stack));
                    at += weight;
                }
            }
        }
        Ok(segments)
    }

    fn timed(
        &self,
        order: &TimeOrder<'_>,
        filter: &Filter,
        range: TimeRange,
        window: TimeWindow,
    ) -> Result<Vec<Segment>, AnalyzeError> {
        let at = |x: Option<u64>, default: Time| x.map_or(default, |x| range.start + Nanos(x));
        let view = TimeRange::new(at(window.x0, range.start), at(window.x1, range.end));
        let Some(view) = view.intersect(range) else {
            return Ok(Vec::new());
        };
        let bucket = view.span().0.div_ceil(u64::from(window.px.max(1))).max(1);
        let admit = self.admit(filter)?;
        let mut segments = Vec::new();
        let mut push = |thread: ThreadId, part: TimeRange, stack: StackId| {
            let Some(part) = part.intersect(view) else {
                return;
            };
            let mut add = |from: u64, to: u64| {
                let start = from - range.start.0;
                segments.push(order.segment(start, start + (to - from), stack));
            };
            match admit.stretches() {
                None => add(part.start.0, part.end.0),
                Some(stretches) => {
                    let parts = stretches.parts(thread, part.start.0, part.end.0);
                    parts.for_each(|(from, to)| add(from, to));
                }
            }
        };
        match detail(self.source(), view, Nanos(bucket)) {
            Detail::Tiles(width) => {
                for tile in self.source().tiles(width, view)? {
                    let weight: u64 = filter
                        .states
                        .iter()
                        .map(|kind| tile.by_state[kind.index()].0)
                        .sum();
                    let stack =
                        admit.known(tile_stack(filter.states, tile.stack, tile.active_stack));
                    let gil = tile.gil.0 > 0 || !filter.gil_only;
                    if weight > 0
                        && gil
                        && admit.takes_thread(tile.thread)
                        && admit.takes_stack(stack)
                    {
                        let range = TimeRange::new(tile.start, tile.start + tile.width);
                        push(tile.thread, range, stack);
                    }
                }
            }
            Detail::Samples => {
                for (block, span) in self.source().blocks().iter().enumerate() {
                    if span.range.intersect(view).is_none() {
                        continue;
                    }
                    let rows = self.source().samples(block)?;
                    for i in 0..rows.len() {
                        // The thread first: most samples are of others.
                        if !admit.takes_thread(rows.threads[i]) {
                            continue;
                        }
                        let row = rows.row(i);
                        let stack = admit.known(row.stack);
                        if admit.takes(row.thread, row.state, stack) {
                            push(row.thread, row.range(), stack);
                        }
                    }
                }
            }
        }
        segments.sort_by_key(|segment| segment.start);
        Ok(segments)
    }
}

fn tile_stack(states: StateSet, stack: StackId, active_stack: StackId) -> StackId {
    if states.contains(StateKind::Blocked) {
        stack
    } else {
        active_stack
    }
}

impl<'a> TimeOrder<'a> {
    /// The thread; `None` where no thread has anything.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadId> {
        self.thread
    }

    /// Length of the whole range.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The segments in the window, from left to right. They do not overlap.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Why there is nothing, if there is nothing.
    #[must_use]
    pub fn empty(&self) -> Option<&Empty> {
        self.empty.as_ref()
    }

    /// The recording it is of.
    #[must_use]
    pub fn analyzer(&self) -> &'a Analyzer {
        self.analyzer
    }

    /// The key of a segment's frame: equal functions (or frames) have equal keys.
    ///
    /// # Panics
    /// When the segment has no frame at that depth, counted from 0 at the outermost.
    #[must_use]
    pub fn key(&self, segment: &Segment, depth: u32) -> u32 {
        assert!(depth < segment.depth, "the segment is not that deep");
        let node = self.tree.ancestor(segment.node, depth + 1);
        self.tree.key[node as usize]
    }

    /// What frames with this key are called.
    #[must_use]
    pub fn name_of(&self, key: u32) -> FrameName {
        name_of(self.analyzer, self.by, key)
    }

    fn segment(&self, start: u64, end: u64, stack: StackId) -> Segment {
        let node = self.tree.node(stack);
        Segment {
            start,
            end,
            shared: 0,
            depth: self.tree.depth(node),
            node,
        }
    }

    /// Makes one of neighbours with the same stack, closes gaps up to `tolerance`, and says what
    /// neighbours share.
    fn join(&mut self, tolerance: u64) {
        let mut joined: Vec<Segment> = Vec::with_capacity(self.segments.len());
        for mut segment in std::mem::take(&mut self.segments) {
            if segment.node == ROOT {
                continue;
            }
            if let Some(last) = joined.last_mut() {
                segment.start = segment.start.max(last.end);
                if segment.start >= segment.end {
                    continue;
                }
                if segment.start - last.end <= tolerance {
                    last.end = segment.start;
                    segment.shared = self.tree.shared_depth(last.node, segment.node);
                    if last.node == segment.node {
                        last.end = segment.end;
                        continue;
                    }
                }
            }
            joined.push(segment);
        }
        self.segments = joined;
    }
}

/// One segment for each bucket with anything in it: the heaviest stack there.
fn heaviest_by_bucket(segments: &[Segment], width: u64) -> Vec<Segment> {
    let mut out: Vec<Segment> = Vec::new();
    // The stacks of the bucket that is being filled.
    let mut bucket = 0;
    let mut weights: Vec<(u64, Segment)> = Vec::new();
    let mut close = |bucket: u64, weights: &mut Vec<(u64, Segment)>| {
        // Between equals the first.
        let most = weights
            .drain(..)
            .reduce(|a, b| if b.0 > a.0 { b } else { a });
        if let Some((_, segment)) = most {
            out.push(Segment {
                start: bucket * width,
                end: (bucket + 1) * width,
                ..segment
            });
        }
    };
    for segment in segments {
        let mut from = segment.start;
        while from < segment.end {
            let this = from / width;
            let to = segment.end.min((this + 1) * width);
            if this != bucket {
                close(bucket, &mut weights);
                bucket = this;
            }
            match weights.iter_mut().find(|(_, s)| s.node == segment.node) {
                Some((weight, _)) => *weight += to - from,
                None => weights.push((to - from, *segment)),
            }
            from = to;
        }
    }
    close(bucket, &mut weights);
    out
}
