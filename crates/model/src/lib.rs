//! The words of sondage: units, clocks, ids, events and tables.
//!
//! **Supplies** the types that every other crate speaks: [`Nanos`] and [`Time`] (what a number
//! measures), the ids ([`StackId`], [`ThreadId`], …), the [`Dictionary`] that interns what repeats
//! (strings, functions, frames, stacks), the rows of each table, their Arrow schemas
//! ([`schema`]), and [`Source`], the one way analysis reads a recording.
//!
//! **Solves** that "a `u64`" can be a time, a duration, an address or an id, and that four crates
//! would otherwise each define a stack.
//!
//! **Not for** I/O, clocks, printing, serialisation: nothing here reads a file or the time, and no
//! type is `Serialize`; boundaries convert.
//!
//! ```
//! use sondage_model::*;
//! let mut recording = MemoryRecording::new(RecordingInfo::default());
//! let dict = &mut recording.dictionary;
//! let process = dict.add_process(ProcessRow { pid: Pid(42), ..ProcessRow::default() });
//! let thread = dict.add_thread(ThreadRow { process, tid: Tid(42), ..ThreadRow::default() });
//! let function = dict.function("main", "main", "app.py", 1, FunctionKind::Python);
//! let frame = dict.frame(function, 3);
//! let stack = dict.stack(StackId::EMPTY, frame);
//! recording.samples.push(SampleRow {
//!     time: Time(1_000_000), weight: Nanos(1_000_000), count: 1,
//!     thread, stack, task: TaskId::NONE, state: State::new(StateKind::OnCpu, true),
//! });
//! assert_eq!(recording.dictionary.path(stack), vec![frame]);
//! ```

mod dictionary;
mod ids;
mod memory;
mod program;
mod rows;
pub mod schema;
mod source;
mod state;
pub mod tiles;
mod units;
pub mod zone_tiles;

pub use dictionary::{Dictionary, Mark, StringTable};
pub use ids::{
    CounterId, FileId, FrameId, FunctionId, LockId, ModuleId, Pid, ProcessId, SiteId, SpanId,
    StackId, StringId, TaskId, ThreadId, Tid,
};
pub use memory::MemoryRecording;
pub use program::{
    FrameMarkKind, FrameMarkRow, LockRow, LogRow, SiteRow, WaitKind, WaitRow, ZoneColumns,
    ZoneDetail, ZoneFlags, ZoneRow, ZoneSummaryRow, ZoneTileRow,
};
pub use rows::{
    ClockRow, CounterKind, CounterRow, CounterSeriesRow, FrameRow, FunctionKind, FunctionRow,
    Label, LossKind, LossRow, MessageLevel, MessageRow, ModuleRow, ProcessRow, RecordingInfo,
    SampleColumns, SampleRow, SourceTextRow, StackRow, SummaryRow, TaskRow, ThreadRow, TileRow,
};
pub use source::{BlockSpan, Source, SourceError};
pub use state::{State, StateKind};
pub use units::{Bytes, MonoTime, Nanos, RemoteAddr, Time, TimeRange};
