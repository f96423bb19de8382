//! Stacks over time as rectangles: x is time, neighbours with a common beginning are one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sondage_analyze::{Segment, TimeOrder};

use crate::rects::{Builder, Rect};
use crate::{Flame, Viewport};

/// Neighbouring segments (`first..last`) that have the frame at `depth` in common. Ordered like
/// the nodes of a tree: the widest first, then the outermost, then the leftmost.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    w: u64,
    depth: Reverse<u32>,
    x: Reverse<u64>,
    first: usize,
    last: usize,
    parent: i32,
}

/// The rectangles of stacks over time that can be seen in the viewport: at least half a pixel
/// wide, and never more than [`MAX_RECTS`](crate::MAX_RECTS).
#[must_use]
pub fn time_flame(order: &TimeOrder<'_>, viewport: &Viewport) -> Flame {
    let segments = order.segments();
    let total = order.total();
    let narrowest = viewport.narrowest(total);
    let mut builder = Builder::new(total, viewport);
    builder.flame.thread = order.thread();
    builder.flame.empty = order.empty().cloned();
    let (x0, x1) = (builder.flame.x0, builder.flame.x1);
    let max_depth = viewport.max_depth.unwrap_or(u32::MAX);
    let mut waiting = BinaryHeap::new();
    let place =
        |within: std::ops::Range<usize>, depth: u32, parent: i32, waiting: &mut BinaryHeap<Run>| {
            let mut omitted = 0;
            for (first, last) in runs(segments, within, depth) {
                let (x, end) = (segments[first].start, segments[last - 1].end);
                if x >= x1 || end <= x0 {
                    continue;
                }
                if end - x < narrowest {
                    omitted += 1;
                    continue;
                }
                waiting.push(Run {
                    w: end - x,
                    depth: Reverse(depth),
                    x: Reverse(x),
                    first,
                    last,
                    parent,
                });
            }
            omitted
        };
    builder.flame.omitted += place(0..segments.len(), 0, -1, &mut waiting);
    while let Some(run) = waiting.pop() {
        if builder.is_full() {
            builder.flame.omitted += 1 + waiting.len() as u64;
            break;
        }
        let depth = run.depth.0;
        let inside = &segments[run.first..run.last];
        let rect = Rect {
            x: run.x.0,
            w: run.w,
            depth,
            own: inside
                .iter()
                .filter(|segment| segment.depth == depth + 1)
                .map(|segment| segment.end - segment.start)
                .sum(),
            parent: run.parent,
        };
        let key = order.key(&inside[0], depth);
        let index = builder.push(rect, key, || order.name_of(key));
        if depth < max_depth {
            builder.flame.omitted += place(run.first..run.last, depth + 1, index, &mut waiting);
        }
    }
    builder.flame
}

/// The longest runs of segments that have the frame at `depth` in common.
fn runs(
    segments: &[Segment],
    within: std::ops::Range<usize>,
    depth: u32,
) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = within.start;
    std::iter::from_fn(move || {
        while at < within.end && segments[at].depth <= depth {
            at += 1;
        }
        if at >= within.end {
            return None;
        }
        let first = at;
        at += 1;
        while at < within.end && segments[at].shared > depth {
            at += 1;
        }
        Some((first, at))
    })
}
