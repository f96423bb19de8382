//! Rectangles as columns, and what part of the data is looked at.

use sondage_analyze::{Empty, FrameName};
use sondage_model::ThreadId;

/// Rectangles in one answer at most: more than a screen can show apart.
pub const MAX_RECTS: usize = 12_000;

/// The part of the data that is on screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Viewport {
    /// Left edge; `None` is the beginning of the data.
    pub x0: Option<u64>,
    /// Right edge; `None` is the end of the data.
    pub x1: Option<u64>,
    /// Pixels across.
    pub px: u32,
    /// Rows below this depth are left out.
    pub max_depth: Option<u32>,
}

impl Viewport {
    /// All of the data on this many pixels.
    #[must_use]
    pub fn whole(px: u32) -> Viewport {
        Viewport {
            x0: None,
            x1: None,
            px,
            max_depth: None,
        }
    }

    /// Both edges, where the data goes from 0 to `end`. At least 1 wide.
    #[must_use]
    pub fn edges(&self, end: u64) -> (u64, u64) {
        let x0 = self.x0.unwrap_or(0).min(end.saturating_sub(1));
        let x1 = self.x1.unwrap_or(end).min(end.max(1)).max(x0 + 1);
        (x0, x1)
    }

    /// The narrowest rectangle to draw: half a pixel.
    #[must_use]
    pub fn narrowest(&self, end: u64) -> u64 {
        let (x0, x1) = self.edges(end);
        (x1 - x0).div_ceil(2 * u64::from(self.px.max(1))).max(1)
    }
}

/// Rectangles of a flame graph. Columns of one length, wider before narrower, so that a
/// rectangle's parent always stands before it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flame {
    /// The data goes from 0 to here.
    pub total: u64,
    /// Left edge of the part that was asked for.
    pub x0: u64,
    /// Its right edge.
    pub x1: u64,
    /// The thread it is of, where it is of one.
    pub thread: Option<ThreadId>,
    /// The greatest depth of a rectangle here.
    pub max_depth: u32,
    /// How many rectangles next to or below those here were too narrow, too deep or too many.
    pub omitted: u64,
    /// Left edge.
    pub x: Vec<u64>,
    /// Width.
    pub w: Vec<u64>,
    /// Row, from 0 at the root.
    pub depth: Vec<u32>,
    /// Self weight: what of the width is of no child. In a tree of callers only roots have any.
    pub own: Vec<u64>,
    /// Position in [`Flame::labels`].
    pub label: Vec<u32>,
    /// Position of the rectangle it stands on, -1 at the root.
    pub parent: Vec<i32>,
    /// What is written on rectangles, and whose code it is.
    pub labels: Vec<FrameName>,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
}

impl Flame {
    /// Number of rectangles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// The name of the rectangle at `index`.
    ///
    /// # Panics
    /// When there is no such rectangle.
    #[must_use]
    pub fn name(&self, index: usize) -> &FrameName {
        &self.labels[self.label[index] as usize]
    }

    /// The names from the root to the rectangle at `index`.
    ///
    /// # Panics
    /// When there is no such rectangle.
    #[must_use]
    pub fn path(&self, index: usize) -> Vec<&FrameName> {
        let mut path = vec![self.name(index)];
        let mut at = self.parent[index];
        while at >= 0 {
            path.push(self.name(at as usize));
            at = self.parent[at as usize];
        }
        path.reverse();
        path
    }
}

/// A rectangle before it has a place in the columns.
pub(crate) struct Rect {
    pub x: u64,
    pub w: u64,
    pub depth: u32,
    pub own: u64,
    pub parent: i32,
}

/// The columns while they grow, and the labels by key.
pub(crate) struct Builder {
    pub flame: Flame,
    labels_by_key: rustc_hash::FxHashMap<u32, u32>,
}

impl Builder {
    pub(crate) fn new(total: u64, viewport: &Viewport) -> Builder {
        let (x0, x1) = viewport.edges(total);
        Builder {
            flame: Flame {
                total,
                x0,
                x1,
                ..Flame::default()
            },
            labels_by_key: rustc_hash::FxHashMap::default(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.flame.len() >= MAX_RECTS
    }

    /// Adds a rectangle and says where it is. `name` names the key when it comes first.
    pub(crate) fn push(&mut self, rect: Rect, key: u32, name: impl FnOnce() -> FrameName) -> i32 {
        let flame = &mut self.flame;
        let label = *self.labels_by_key.entry(key).or_insert_with(|| {
            flame.labels.push(name());
            flame.labels.len() as u32 - 1
        });
        flame.x.push(rect.x);
        flame.w.push(rect.w);
        flame.depth.push(rect.depth);
        flame.own.push(rect.own);
        flame.label.push(label);
        flame.parent.push(rect.parent);
        flame.max_depth = flame.max_depth.max(rect.depth);
        flame.len() as i32 - 1
    }
}
