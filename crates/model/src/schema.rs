//! The Arrow schema of each table, as stored in recordings and in the fleet's tables.
//!
//! Columns are only ever added at the end; a reader takes those it knows by name. Times in
//! recordings are nanoseconds since the recording began.

use arrow_schema::{DataType, Field, Schema};

/// A table of a recording. The code is stored in chunk headers and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u16)]
pub enum Table {
    /// [`RecordingInfo`](crate::RecordingInfo), as key and value.
    Info = 1,
    /// Strings by id.
    Strings = 2,
    /// Files by id.
    Files = 3,
    /// [`FunctionRow`](crate::FunctionRow) by id.
    Functions = 4,
    /// [`FrameRow`](crate::FrameRow) by id.
    Frames = 5,
    /// [`StackRow`](crate::StackRow) by id.
    Stacks = 6,
    /// [`ProcessRow`](crate::ProcessRow), last row of an id wins.
    Processes = 7,
    /// [`ThreadRow`](crate::ThreadRow), last row of an id wins.
    Threads = 8,
    /// [`TaskRow`](crate::TaskRow), last row of an id wins.
    Tasks = 9,
    /// [`ModuleRow`](crate::ModuleRow) by id.
    Modules = 10,
    /// [`SampleRow`](crate::SampleRow).
    Samples = 11,
    /// [`CounterSeriesRow`](crate::CounterSeriesRow) by id.
    CounterSeries = 12,
    /// [`CounterRow`](crate::CounterRow).
    Counters = 13,
    /// [`MessageRow`](crate::MessageRow).
    Messages = 14,
    /// [`LossRow`](crate::LossRow).
    Losses = 15,
    /// [`ClockRow`](crate::ClockRow).
    Clock = 16,
    /// [`SourceTextRow`](crate::SourceTextRow).
    SourceTexts = 17,
    /// [`SummaryRow`](crate::SummaryRow) of the sample block before it.
    Summaries = 18,
    /// [`TileRow`](crate::TileRow). A run of equal tiles is one row, `repeat` the number of
    /// tiles after the first.
    Tiles = 19,
    /// The footer of a recording: one row a chunk before it.
    Index = 20,
    /// [`SiteRow`](crate::SiteRow) by id.
    Sites = 21,
    /// [`LockRow`](crate::LockRow) by id.
    Locks = 22,
    /// [`ZoneRow`](crate::ZoneRow).
    Zones = 32,
    /// Reserved: memory allocations.
    Allocations = 33,
    /// [`WaitRow`](crate::WaitRow).
    Waits = 34,
    /// Reserved: traced calls.
    Calls = 35,
    /// [`FrameMarkRow`](crate::FrameMarkRow).
    FrameMarks = 36,
    /// [`LogRow`](crate::LogRow).
    Logs = 37,
    /// [`ZoneDetail`](crate::ZoneDetail) of the chunk of zones with the same block and number.
    ZoneDetails = 38,
    /// [`ZoneSummaryRow`](crate::ZoneSummaryRow) of a block of zones.
    ZoneSummaries = 39,
    /// [`ZoneTileRow`](crate::ZoneTileRow). A run of equal tiles is one row, as for
    /// [`Table::Tiles`].
    ZoneTiles = 40,
}

impl Table {
    /// Every table that is written today.
    pub const WRITTEN: [Table; 29] = [
        Table::Info,
        Table::Strings,
        Table::Files,
        Table::Functions,
        Table::Frames,
        Table::Stacks,
        Table::Processes,
        Table::Threads,
        Table::Tasks,
        Table::Modules,
        Table::Samples,
        Table::CounterSeries,
        Table::Counters,
        Table::Messages,
        Table::Losses,
        Table::Clock,
        Table::SourceTexts,
        Table::Summaries,
        Table::Tiles,
        Table::Index,
        Table::Sites,
        Table::Locks,
        Table::Zones,
        Table::Waits,
        Table::FrameMarks,
        Table::Logs,
        Table::ZoneDetails,
        Table::ZoneSummaries,
        Table::ZoneTiles,
    ];

    /// The table with this code, if it is one written today.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Table> {
        Self::WRITTEN
            .into_iter()
            .find(|table| *table as u16 == code)
    }

    /// Its name: lower case, plural, as in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Info => "info",
            Table::Strings => "strings",
            Table::Files => "files",
            Table::Functions => "functions",
            Table::Frames => "frames",
            Table::Stacks => "stacks",
            Table::Processes => "processes",
            Table::Threads => "threads",
            Table::Tasks => "tasks",
            Table::Modules => "modules",
            Table::Samples => "samples",
            Table::CounterSeries => "counter_series",
            Table::Counters => "counters",
            Table::Messages => "messages",
            Table::Losses => "losses",
            Table::Clock => "clock",
            Table::SourceTexts => "source_texts",
            Table::Summaries => "summaries",
            Table::Tiles => "tiles",
            Table::Index => "index",
            Table::Sites => "sites",
            Table::Locks => "locks",
            Table::Zones => "zones",
            Table::Allocations => "allocations",
            Table::Waits => "waits",
            Table::Calls => "calls",
            Table::FrameMarks => "frame_marks",
            Table::Logs => "logs",
            Table::ZoneDetails => "zone_details",
            Table::ZoneSummaries => "zone_summaries",
            Table::ZoneTiles => "zone_tiles",
        }
    }

    /// Its columns. Empty for reserved tables.
    #[must_use]
    pub fn schema(self) -> Schema {
        use DataType::{Float64, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Utf8};
        let columns: &[(&str, DataType)] = match self {
            Table::Info => &[("key", Utf8), ("value", Utf8)],
            Table::Strings => &[("text", Utf8)],
            Table::Files => &[("path", UInt32)],
            Table::Functions => &[
                ("name", UInt32),
                ("qualified_name", UInt32),
                ("file", UInt32),
                ("first_line", UInt32),
                ("kind", UInt8),
            ],
            Table::Frames => &[("function", UInt32), ("line", UInt32)],
            Table::Stacks => &[("parent", UInt32), ("frame", UInt32)],
            Table::Processes => &[
                ("id", UInt32),
                ("pid", Int32),
                ("parent", UInt32),
                ("name", UInt32),
                ("command", UInt32),
                ("runtime", UInt32),
                ("start", UInt64),
                ("end", UInt64),
            ],
            Table::Threads => &[
                ("id", UInt32),
                ("process", UInt32),
                ("tid", Int32),
                ("name", UInt32),
                ("is_main", UInt8),
                ("start", UInt64),
                ("end", UInt64),
            ],
            Table::Tasks => &[
                ("id", UInt32),
                ("process", UInt32),
                ("name", UInt32),
                ("coroutine", UInt32),
                ("parent", UInt32),
            ],
            Table::Modules => &[
                ("process", UInt32),
                ("path", UInt32),
                ("build_id", UInt32),
                ("start", UInt64),
                ("size", UInt64),
            ],
            // Times are stored as steps, weights as what they differ from the expected one: see
            // docs/formats/recording.md.
            Table::Samples => &[
                ("time_step", Int64),
                ("weight_extra", Int64),
                ("count", UInt32),
                ("thread", UInt32),
                ("stack", UInt32),
                ("task", UInt32),
                ("state", UInt8),
            ],
            Table::CounterSeries => &[
                ("process", UInt32),
                ("name", UInt32),
                ("unit", UInt32),
                ("kind", UInt8),
            ],
            Table::Counters => &[("counter", UInt32), ("time", UInt64), ("value", Float64)],
            Table::Messages => &[
                ("time", UInt64),
                ("level", UInt8),
                ("process", UInt32),
                ("text", Utf8),
            ],
            Table::Losses => &[
                ("time", UInt64),
                ("process", UInt32),
                ("kind", UInt8),
                ("count", UInt64),
            ],
            Table::Clock => &[
                ("time", UInt64),
                ("unix_nanos", UInt64),
                ("own_cpu", UInt64),
                ("ticks", UInt64),
                ("reads", UInt64),
                ("stops", UInt64),
            ],
            Table::SourceTexts => &[("file", UInt32), ("text", Utf8)],
            Table::Summaries => &[
                ("thread", UInt32),
                ("stack", UInt32),
                ("task", UInt32),
                ("state", UInt8),
                ("count", UInt64),
                ("weight", UInt64),
            ],
            Table::Tiles => &[
                ("thread", UInt32),
                ("start", UInt64),
                ("width", UInt64),
                ("on_cpu", UInt64),
                ("runnable", UInt64),
                ("gil_wait", UInt64),
                ("blocked", UInt64),
                ("disk", UInt64),
                ("unknown", UInt64),
                ("gil", UInt64),
                ("stack", UInt32),
                ("active_stack", UInt32),
                ("repeat", UInt32),
            ],
            Table::Index => &[
                ("offset", UInt64),
                ("table", UInt16),
                ("kind", UInt8),
                ("flags", UInt8),
                ("payload_length", UInt32),
                ("raw_length", UInt32),
                ("rows", UInt32),
                ("payload_crc", UInt32),
                ("sequence", UInt32),
                ("block", UInt32),
                ("first", UInt64),
                ("last", UInt64),
                ("detail", UInt64),
                ("count", UInt64),
                ("threads", UInt64),
            ],
            Table::Sites => &[
                ("name", UInt32),
                ("function", UInt32),
                ("file", UInt32),
                ("line", UInt32),
                ("colour", UInt32),
            ],
            Table::Locks => &[("process", UInt32), ("name", UInt32), ("place", UInt32)],
            // Times and numbers of spans are stored as steps: see docs/formats/recording.md.
            Table::Zones => &[
                ("start_step", Int64),
                ("duration", UInt64),
                ("idle", UInt64),
                ("thread", UInt32),
                ("site", UInt32),
                ("lane", UInt16),
                ("depth", UInt16),
                ("flags", UInt8),
                ("span_step", Int64),
                ("parent_step", Int64),
            ],
            Table::ZoneDetails => &[
                ("row", UInt32),
                ("arguments", Utf8),
                ("trace_high", UInt64),
                ("trace_low", UInt64),
                ("task", UInt32),
                ("count", UInt64),
                ("min", UInt64),
                ("max", UInt64),
                ("total", UInt64),
            ],
            Table::ZoneSummaries => &[
                ("site", UInt32),
                ("thread", UInt32),
                ("count", UInt64),
                ("total", UInt64),
                ("own", UInt64),
                ("min", UInt64),
                ("max", UInt64),
            ],
            Table::ZoneTiles => &[
                ("thread", UInt32),
                ("lane", UInt16),
                ("depth", UInt16),
                ("start", UInt64),
                ("width", UInt64),
                ("busy", UInt64),
                ("count", UInt32),
                ("site", UInt32),
                ("repeat", UInt32),
            ],
            Table::Waits => &[
                ("start", UInt64),
                ("wait", UInt64),
                ("hold", UInt64),
                ("thread", UInt32),
                ("lock", UInt32),
                ("holder", UInt32),
                ("kind", UInt8),
            ],
            Table::FrameMarks => &[
                ("time", UInt64),
                ("thread", UInt32),
                ("name", UInt32),
                ("kind", UInt8),
            ],
            Table::Logs => &[
                ("time", UInt64),
                ("thread", UInt32),
                ("level", UInt8),
                ("colour", UInt32),
                ("text", Utf8),
            ],
            Table::Allocations | Table::Calls => &[],
        };
        Schema::new(
            columns
                .iter()
                .map(|(name, data_type)| Field::new(*name, data_type.clone(), false))
                .collect::<Vec<_>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_one_to_one() {
        for table in Table::WRITTEN {
            assert_eq!(Table::from_code(table as u16), Some(table));
            assert!(
                !table.schema().fields().is_empty(),
                "{} has columns",
                table.name()
            );
        }
    }
}
