//! The spans of one trace as a tree, across tasks, threads and processes.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use rustc_hash::FxHashMap;
use sondage_model::{SpanId, ZoneFlags};

use crate::zones::{Zone, ZoneId, each_block};
use crate::{AnalyzeError, Analyzer};

/// Spans of a tree that are given at most.
const MOST_SPANS: usize = 10_000;

/// A span of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceSpan {
    /// The span.
    pub zone: Zone,
    /// How far it is from the root, which has 0.
    pub level: u32,
    /// Position of the span around it in [`TraceTree::spans`]; `None` for roots.
    pub parent: Option<usize>,
}

/// The spans of one trace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TraceTree {
    /// The trace; 0 where it is not known by number.
    pub trace: u128,
    /// Each before those in it, by start.
    pub spans: Vec<TraceSpan>,
    /// How many more there are.
    pub omitted: u64,
}

impl Analyzer {
    /// The whole trace that a span is part of: every span that can be reached from the outermost
    /// one around it, and every one that was given the same trace number.
    ///
    /// # Errors
    /// When there is no such zone, or the recording cannot be read.
    pub fn trace_of(&self, id: ZoneId) -> Result<TraceTree, AnalyzeError> {
        let zone = self.zone(id)?;
        let mut spans: Vec<(Zone, u128)> = Vec::new();
        let blocks: Vec<usize> = (0..self.source().zone_blocks().len()).collect();
        each_block(self.source(), &blocks, |block, zones| {
            for i in 0..zones.len() {
                let flags = zones.flags[i];
                if zones.spans[i] == SpanId::NONE || flags.has(ZoneFlags::POLL) {
                    continue;
                }
                let row = zones.row(i);
                let trace = zones.detail(&row).map_or(0, |detail| detail.trace);
                let id = self.zone_index().id(block, i);
                spans.push((Zone { id, row }, trace));
            }
            ControlFlow::Continue(())
        })?;
        let by_number: FxHashMap<SpanId, usize> = spans
            .iter()
            .enumerate()
            .map(|(at, (zone, _))| (zone.row.span, at))
            .collect();
        let parent = |at: usize| by_number.get(&spans[at].0.row.parent).copied();
        // The outermost span; steps are counted because a damaged file may go round in circles.
        let root = |mut at: usize| {
            let mut trace = spans[at].1;
            for _ in 0..spans.len() {
                match parent(at) {
                    Some(up) if up != at => at = up,
                    _ => break,
                }
                if spans[at].1 != 0 {
                    trace = spans[at].1;
                }
            }
            (at, trace)
        };
        let start = by_number
            .get(&zone.row.span)
            .or_else(|| by_number.get(&zone.row.parent));
        let Some(&start) = start else {
            return Ok(TraceTree::default());
        };
        let (top, trace) = root(start);
        let mut children: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
        let mut roots = vec![top];
        for (at, (_, number)) in spans.iter().enumerate() {
            match parent(at) {
                Some(up) if up != at => children.entry(up).or_default().push(at),
                _ if at != top && trace != 0 && *number == trace => roots.push(at),
                _ => {}
            }
        }
        let by_start = |at: &usize| {
            let row = &spans[*at].0.row;
            (row.start, Reverse(row.duration), spans[*at].0.id)
        };
        roots.sort_by_key(by_start);
        let mut tree = TraceTree {
            trace,
            ..TraceTree::default()
        };
        let mut seen = vec![false; spans.len()];
        let mut waiting: Vec<(usize, u32, Option<usize>)> =
            roots.into_iter().rev().map(|at| (at, 0, None)).collect();
        while let Some((at, level, parent)) = waiting.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let place = tree.spans.len();
            if place < MOST_SPANS {
                tree.spans.push(TraceSpan {
                    zone: spans[at].0,
                    level,
                    parent,
                });
            } else {
                tree.omitted += 1;
            }
            let mut below = children.remove(&at).unwrap_or_default();
            below.sort_by_key(by_start);
            let parent = (place < MOST_SPANS).then_some(place).or(parent);
            let below = below.into_iter().rev();
            waiting.extend(below.map(|child| (child, level + 1, parent)));
        }
        Ok(tree)
    }
}
