//! From a recording to what it says: sums, trees, tables, timelines, a report.
//!
//! **Supplies** [`Analyzer`], which answers questions about one recording under a [`Filter`]:
//! [function tables](Analyzer::functions), [call trees](Analyzer::call_tree) both ways,
//! [callers and callees](Analyzer::sandwich), [lines](Analyzer::file_lines),
//! [timelines](Analyzer::timeline), [stacks over time](Analyzer::time_order),
//! [search](Analyzer::search), [report](Analyzer::report); [`aggregate`], the sum that all of them
//! are derived from; [`Names`], what functions are called and whose code they are.
//!
//! **Solves** that each view adds samples up in its own way: here it is done once, recursion and
//! the edges of a time range included. The same recording and question give the same answer,
//! whatever the number of threads and however samples are cut into blocks.
//!
//! **Not for** rectangles and pixels (`sondage-layout`), text formats, I/O. Nothing here is
//! `Serialize`; boundaries convert.
//!
//! ```
//! use std::sync::Arc;
//! use sondage_analyze::{Analyzer, Filter, FunctionQuery, picture};
//! let recording = picture::record("
//!     main   main   main
//!     parse  parse  write
//! ");
//! let analyzer = Analyzer::new(Arc::new(recording.seal()))?;
//! let table = analyzer.functions(&Filter::default(), &FunctionQuery::default())?;
//! let hottest = &table.rows[0];
//! assert_eq!(analyzer.names().label(analyzer.dictionary(), hottest.function), "parse");
//! assert_eq!((hottest.own.weight, table.total.weight), (2_000_000, 3_000_000));
//! # Ok::<(), sondage_analyze::AnalyzeError>(())
//! ```

mod analyzer;
mod counters;
mod detail;
mod empty;
mod error;
mod filter;
mod functions;
pub mod human;
mod lines;
mod names;
mod order;
mod overview;
pub mod picture;
mod report;
mod scan;
mod timeline;
mod tree;
mod view;
mod weights;

pub use analyzer::{Analyzer, Selection};
pub use counters::CounterTrack;
pub use empty::Empty;
pub use error::AnalyzeError;
pub use filter::{Filter, Search, SearchError, StateSet};
pub use functions::{Found, FunctionFigures, FunctionQuery, FunctionTable, SortBy};
pub use lines::{FileFigures, FileLines, LineFigures};
pub use names::{FileName, FrameName, Names, Origin};
pub use order::{Segment, TimeOrder, TimeWindow};
pub use overview::Overview;
pub use report::{
    HotFunction, HotLine, HotPath, Note, ProcessTimes, Report, ReportOptions, ThreadTimes,
};
pub use scan::Unit;
pub use timeline::{ThreadTrack, Timeline};
pub use tree::MergeBy;
pub use view::{Children, Direction, Node, Sandwich, Tree, TreeRow, TreeRows};
pub use weights::{Totals, Weights, aggregate};
