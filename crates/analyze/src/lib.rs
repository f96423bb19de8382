//! From a recording to what it says: sums, trees, tables, timelines, a report.
//!
//! **Supplies** [`Analyzer`], which answers questions about one recording under a [`Filter`]:
//! [function tables](Analyzer::functions), [call trees](Analyzer::call_tree) both ways,
//! [callers and callees](Analyzer::sandwich), [lines](Analyzer::file_lines),
//! [timelines](Analyzer::timeline), [stacks over time](Analyzer::time_order),
//! [search](Analyzer::search), [report](Analyzer::report); of what the program says of itself
//! [zones over time](Analyzer::zone_tracks), [by place](Analyzer::zones) and
//! [one by one](Analyzer::zone_card), [traces](Analyzer::trace_of), [frames](Analyzer::frames),
//! [log lines](Analyzer::logs), [locks](Analyzer::locks); [`aggregate`], the sum that all of them
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
mod frames;
mod functions;
pub mod human;
mod inside;
mod lines;
mod locks;
mod logs;
mod names;
mod order;
mod overview;
mod pass;
pub mod picture;
mod program;
mod report;
mod scan;
mod tasks;
mod timeline;
mod trace;
mod tree;
mod view;
mod weights;
mod zone_detail;
mod zone_digest;
mod zone_instances;
mod zone_table;
mod zone_tracks;
mod zones;

pub use analyzer::{Analyzer, Selection};
pub use counters::CounterTrack;
pub use empty::Empty;
pub use error::AnalyzeError;
pub use filter::{Filter, Search, SearchError, StateSet};
pub use frames::{Frame, FrameFigures, FrameSet};
pub use functions::{Found, FunctionFigures, FunctionQuery, FunctionTable, SortBy};
pub use inside::Inside;
pub use lines::{FileFigures, FileLines, LineFigures};
pub use locks::{LockFigures, WaitPair, WaitPiece};
pub use logs::{LogLines, LogMark, LogQuery};
pub use names::{FileName, FrameName, Names, Origin};
pub use order::{Segment, TimeOrder, TimeWindow};
pub use overview::Overview;
pub use pass::Pass;
pub use program::{PROBE_COST, PROBES, ProbeCost, Program};
pub use report::{
    HotFunction, HotLine, HotPath, Note, ProcessTimes, Report, ReportOptions, ThreadTimes,
};
pub use scan::{Piece, Unit};
pub use tasks::TaskTimes;
pub use timeline::{ThreadTrack, Timeline};
pub use trace::{TraceSpan, TraceTree};
pub use tree::MergeBy;
pub use view::{Children, Direction, Node, Sandwich, Tree, TreeRow, TreeRows};
pub use weights::{Totals, Weights, aggregate};
pub use zone_detail::ZoneCard;
pub use zone_digest::{Bucket, Histogram, Percentiles};
pub use zone_instances::{InstanceQuery, Instances, MAX_INSTANCES};
pub use zone_table::{SiteFigures, SiteStatistics, ZoneQuery, ZoneSort, ZoneTable};
pub use zone_tracks::{MAX_ZONE_PIECES, ZonePiece, ZoneTracks};
pub use zones::{SiteName, Zone, ZoneId, ZoneLane};
