//! Merged stacks as rectangles: x is weight, heaviest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sondage_analyze::{AnalyzeError, Node, Tree};

use crate::rects::{Builder, Rect};
use crate::{Flame, Viewport};

/// A node that has a place but is not drawn yet. Ordered so that the widest, then the outermost,
/// then the leftmost comes first: so whatever is left out for want of room is the narrowest.
struct Waiting {
    w: u64,
    depth: u32,
    x: u64,
    parent: i32,
    node: Node,
}

impl Waiting {
    fn order(&self) -> (u64, Reverse<u32>, Reverse<u64>) {
        (self.w, Reverse(self.depth), Reverse(self.x))
    }
}
impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.order() == other.order()
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// The rectangles of a tree that can be seen in the viewport: at least half a pixel wide, and
/// never more than [`MAX_RECTS`](crate::MAX_RECTS).
///
/// Children stand side by side from the left edge of their parent; what is left of it on the
/// right is its self weight. Below a rectangle that is not drawn nothing is drawn, so the work
/// depends on what can be seen and not on the size of the tree.
///
/// # Errors
/// When the recording cannot be read.
pub fn flame(tree: &Tree<'_>, viewport: &Viewport) -> Result<Flame, AnalyzeError> {
    let total = tree.total();
    let narrowest = viewport.narrowest(total);
    let mut builder = Builder::new(total, viewport);
    let (x0, x1) = (builder.flame.x0, builder.flame.x1);
    let max_depth = viewport.max_depth.unwrap_or(u32::MAX);
    let mut waiting = BinaryHeap::new();
    let place = |parent: Option<(&Node, i32)>, x: u64, depth: u32, waiting: &mut BinaryHeap<_>| {
        let children = tree.children(parent.map(|(node, _)| node), narrowest);
        let mut x = x;
        for node in children.nodes {
            let w = node.total();
            if x < x1 && x + w > x0 {
                let parent = parent.map_or(-1, |(_, index)| index);
                waiting.push(Waiting {
                    w,
                    depth,
                    x,
                    parent,
                    node,
                });
            }
            x += w;
        }
        children.omitted as u64
    };
    builder.flame.omitted += place(None, 0, 0, &mut waiting);
    while let Some(next) = waiting.pop() {
        if builder.is_full() {
            builder.flame.omitted += 1 + waiting.len() as u64;
            break;
        }
        let rect = Rect {
            x: next.x,
            w: next.w,
            depth: next.depth,
            own: next.node.own(),
            parent: next.parent,
        };
        let key = tree.key(&next.node);
        let index = builder.push(rect, key, || tree.name_of(key));
        if next.depth < max_depth {
            let parent = Some((&next.node, index));
            builder.flame.omitted += place(parent, next.x, next.depth + 1, &mut waiting);
        }
    }
    builder.flame.empty = tree.empty()?;
    Ok(builder.flame)
}
