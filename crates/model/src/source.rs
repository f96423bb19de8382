//! How analysis reads a recording, wherever its rows are.

use std::sync::Arc;

use crate::{
    ClockRow, CounterRow, Dictionary, FileId, FrameMarkRow, LogRow, LossRow, MessageRow, Nanos,
    RecordingInfo, SampleColumns, SummaryRow, TileRow, TimeRange, WaitRow, ZoneColumns,
    ZoneSummaryRow, ZoneTileRow,
};

/// Why rows could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The bytes of a part of the recording are damaged.
    #[error("{what} of the recording cannot be read: {why}")]
    Damaged {
        /// Which part.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl SourceError {
    /// There is no block of this number.
    #[must_use]
    pub fn no_block(block: usize) -> SourceError {
        SourceError::Damaged {
            what: format!("block {block}"),
            why: "there is none".into(),
        }
    }
}

/// A block of samples or zones: the unit that is read, summed up and skipped as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockSpan {
    /// From the earliest start to the latest end of its rows. Blocks may overlap a little.
    pub range: TimeRange,
    /// Number of rows.
    pub rows: u64,
    /// Number of observations, that is the sum of the rows' counts.
    pub count: u64,
}

/// A recording to read: a file, or one still in memory. All methods are cheap to call again:
/// implementations cache what they decode, within a bound.
///
/// What is there without being written is of a recording in which no program said anything: no
/// zones, frames, log lines or locks.
pub trait Source: Send + Sync {
    /// What the recording is of.
    fn info(&self) -> &RecordingInfo;

    /// Strings, functions, stacks, processes, threads, …
    fn dictionary(&self) -> &Dictionary;

    /// From the start of the first sample (or counter value) to the end of the last.
    fn range(&self) -> TimeRange;

    /// The blocks of samples, in the order they were written.
    fn blocks(&self) -> &[BlockSpan];

    /// The samples of a block.
    ///
    /// # Errors
    /// When the block is damaged or there is no such block.
    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError>;

    /// The samples of a block, summed by thread, stack, task and state.
    ///
    /// # Errors
    /// When the block is damaged or there is no such block.
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError>;

    /// The widths of the stored tiles, narrowest first; may be empty.
    fn tile_widths(&self) -> &[Nanos];

    /// The stored tiles of this width that overlap `range`, ordered by thread, then start.
    ///
    /// # Errors
    /// When they are damaged or `width` is not one of [`Source::tile_widths`].
    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError>;

    /// Counter values in `range`, ordered by time within each series.
    ///
    /// # Errors
    /// When they are damaged.
    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError>;

    /// The blocks of zones, in the order they were written; `count` is the number of rows.
    fn zone_blocks(&self) -> &[BlockSpan] {
        &[]
    }

    /// The zones of a block. Those of one lane come in the order of their ends.
    ///
    /// # Errors
    /// When the block is damaged or there is no such block.
    fn zones(&self, block: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        Err(SourceError::no_block(block))
    }

    /// The zones of a block, summed by place and thread.
    ///
    /// # Errors
    /// When the block is damaged or there is no such block.
    fn zone_summary(&self, block: usize) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        Err(SourceError::no_block(block))
    }

    /// The widths of the stored tiles of zones, narrowest first; may be empty.
    fn zone_tile_widths(&self) -> &[Nanos] {
        &[]
    }

    /// The stored tiles of this width that overlap `range`, ordered by thread, lane, depth and
    /// start.
    ///
    /// # Errors
    /// When they are damaged or `width` is not one of [`Source::zone_tile_widths`].
    fn zone_tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<ZoneTileRow>, SourceError> {
        let _ = (width, range);
        Ok(Vec::new())
    }

    /// All frame marks, in order.
    ///
    /// # Errors
    /// When they are damaged.
    fn frame_marks(&self) -> Result<Arc<[FrameMarkRow]>, SourceError> {
        Ok([].into())
    }

    /// The program's log lines in `range`, in order.
    ///
    /// # Errors
    /// When they are damaged.
    fn logs(&self, range: TimeRange) -> Result<Vec<LogRow>, SourceError> {
        let _ = range;
        Ok(Vec::new())
    }

    /// The waits for locks that overlap `range`, by their start.
    ///
    /// # Errors
    /// When they are damaged.
    fn waits(&self, range: TimeRange) -> Result<Vec<WaitRow>, SourceError> {
        let _ = range;
        Ok(Vec::new())
    }

    /// All messages, in order.
    fn messages(&self) -> &[MessageRow];

    /// All losses, in order.
    fn losses(&self) -> &[LossRow];

    /// All rows of the profiler's own cost, in order.
    fn clock(&self) -> &[ClockRow];

    /// The text of a source file, if it was kept.
    ///
    /// # Errors
    /// When it is damaged.
    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError>;
}
