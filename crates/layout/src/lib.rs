//! From views to rectangles: what every panel draws, in the units of the data.
//!
//! **Supplies** [`flame`] (a [`Tree`](sondage_analyze::Tree) as rectangles, left-heavy, both ways
//! up), [`time_flame`] (stacks over time), [`lanes`] (processes and threads in the order they are
//! shown), [`text::fit`] (what of a label fits), [`tooltip`] (what to say of a rectangle).
//!
//! **Solves** that the web page, the terminal, egui and the HTML report would each decide anew
//! what is too narrow to draw, what stands above what and how a long name is cut. A panel only
//! maps x to pixels, depth to rows and a package to a colour.
//!
//! **Not for** colours, fonts, pixels, toolkits; and not for figures, which come from
//! `sondage-analyze`.
//!
//! ```
//! use std::sync::Arc;
//! use sondage_analyze::{Analyzer, Direction, Filter, MergeBy, picture};
//! use sondage_layout::{Viewport, flame};
//! let recording = picture::record("
//!     main   main   main
//!     parse  parse  write
//! ");
//! let analyzer = Analyzer::new(Arc::new(recording.seal()))?;
//! let tree = analyzer.call_tree(&Filter::default(), Direction::Callees, MergeBy::Function)?;
//! let flame = flame(&tree, &Viewport::whole(1200))?;
//! let parse = flame.labels.iter().position(|name| name.label == "parse").unwrap();
//! let at = flame.label.iter().position(|&label| label as usize == parse).unwrap();
//! assert_eq!((flame.x[at], flame.w[at], flame.depth[at]), (0, 2_000_000, 1));
//! # Ok::<(), sondage_analyze::AnalyzeError>(())
//! ```

mod flame;
mod lanes;
mod rects;
pub mod text;
mod time_flame;
mod tooltip;

pub use flame::flame;
pub use lanes::{Lane, LaneKind, lanes};
pub use rects::{Flame, MAX_RECTS, Viewport};
pub use time_flame::time_flame;
pub use tooltip::{Tooltip, tooltip};
