//! A recording that is in memory: tests, imports and live views.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::tiles::{TileBuilder, summarize};
use crate::zone_tiles::{ZoneSums, ZoneTileBuilder};
use crate::{
    BlockSpan, ClockRow, CounterRow, Dictionary, FileId, FrameMarkRow, LogRow, LossRow, MessageRow,
    Nanos, RecordingInfo, SampleColumns, SampleRow, Source, SourceError, SummaryRow, TileRow, Time,
    TimeRange, WaitRow, ZoneColumns, ZoneSummaryRow, ZoneTileRow,
};

/// Rows in memory, to be filled and then [sealed](MemoryRecording::seal) into a [`Source`].
#[derive(Debug, Clone, Default)]
pub struct MemoryRecording {
    /// What it is of.
    pub info: RecordingInfo,
    /// What samples refer to.
    pub dictionary: Dictionary,
    /// The samples.
    pub samples: SampleColumns,
    /// The zones; those of one lane in the order of their ends.
    pub zones: ZoneColumns,
    /// Frame marks, in order.
    pub frame_marks: Vec<FrameMarkRow>,
    /// The program's log, in order.
    pub logs: Vec<LogRow>,
    /// Waits for locks, by their start.
    pub waits: Vec<WaitRow>,
    /// Counter values.
    pub counters: Vec<CounterRow>,
    /// Messages.
    pub messages: Vec<MessageRow>,
    /// Losses.
    pub losses: Vec<LossRow>,
    /// The profiler's own cost.
    pub clock: Vec<ClockRow>,
    /// Source texts.
    pub sources: FxHashMap<FileId, Arc<str>>,
}

impl MemoryRecording {
    /// An empty recording.
    #[must_use]
    pub fn new(info: RecordingInfo) -> MemoryRecording {
        MemoryRecording {
            info,
            ..MemoryRecording::default()
        }
    }

    /// Makes it readable.
    #[must_use]
    pub fn seal(self) -> impl Source {
        SealedMemory::new(self)
    }
}

struct SealedMemory {
    rows: MemoryRecording,
    samples: Arc<SampleColumns>,
    summary: Arc<[SummaryRow]>,
    blocks: Vec<BlockSpan>,
    zones: Arc<ZoneColumns>,
    zone_summary: Arc<[ZoneSummaryRow]>,
    zone_blocks: Vec<BlockSpan>,
    frame_marks: Arc<[FrameMarkRow]>,
    range: TimeRange,
}

impl SealedMemory {
    fn new(mut rows: MemoryRecording) -> SealedMemory {
        let samples = std::mem::take(&mut rows.samples);
        let zones = std::mem::take(&mut rows.zones);
        let frame_marks: Arc<[FrameMarkRow]> = std::mem::take(&mut rows.frame_marks).into();
        let span = hull(samples.rows().map(|row| row.range()));
        let zone_span = hull(zones.rows().map(|row| row.range()));
        let points = rows.counters.iter().map(|row| row.time);
        let points = points.chain(frame_marks.iter().map(|row| row.time));
        let points = points.chain(rows.logs.iter().map(|row| row.time));
        let waits = rows.waits.iter();
        let waits = waits.map(|row| TimeRange::new(row.start, row.start + row.wait + row.hold));
        let all = span.into_iter().chain(zone_span).chain(waits);
        let range = hull(all.chain(points.map(|time| TimeRange::new(time, time))));
        let blocks = span.map(|range| BlockSpan {
            range,
            rows: samples.len() as u64,
            count: samples.counts.iter().map(|&count| u64::from(count)).sum(),
        });
        let zone_blocks = zone_span.map(|range| BlockSpan {
            range,
            rows: zones.len() as u64,
            count: zones.len() as u64,
        });
        let mut sums = ZoneSums::default();
        for row in zones.rows() {
            sums.push(&row);
        }
        SealedMemory {
            summary: summarize(&samples).into(),
            zone_summary: sums.take().into(),
            blocks: blocks.into_iter().collect(),
            zone_blocks: zone_blocks.into_iter().collect(),
            samples: Arc::new(samples),
            zones: Arc::new(zones),
            frame_marks,
            range: range.unwrap_or(TimeRange::new(Time::ZERO, Time::ZERO)),
            rows,
        }
    }

    fn check(blocks: &[BlockSpan], block: usize) -> Result<(), SourceError> {
        if block < blocks.len() {
            return Ok(());
        }
        Err(SourceError::no_block(block))
    }
}

impl Source for SealedMemory {
    fn info(&self) -> &RecordingInfo {
        &self.rows.info
    }
    fn dictionary(&self) -> &Dictionary {
        &self.rows.dictionary
    }
    fn range(&self) -> TimeRange {
        self.range
    }
    fn blocks(&self) -> &[BlockSpan] {
        &self.blocks
    }
    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError> {
        SealedMemory::check(&self.blocks, block)?;
        Ok(Arc::clone(&self.samples))
    }
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        SealedMemory::check(&self.blocks, block)?;
        Ok(Arc::clone(&self.summary))
    }
    fn tile_widths(&self) -> &[Nanos] {
        &[]
    }
    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        Ok(tiles_of(self.samples.rows(), width, range))
    }
    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        Ok(self
            .rows
            .counters
            .iter()
            .filter(|row| range.contains(row.time))
            .copied()
            .collect())
    }
    fn zone_blocks(&self) -> &[BlockSpan] {
        &self.zone_blocks
    }
    fn zones(&self, block: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        SealedMemory::check(&self.zone_blocks, block)?;
        Ok(Arc::clone(&self.zones))
    }
    fn zone_summary(&self, block: usize) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        SealedMemory::check(&self.zone_blocks, block)?;
        Ok(Arc::clone(&self.zone_summary))
    }
    fn zone_tile_widths(&self) -> &[Nanos] {
        &[]
    }
    fn zone_tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<ZoneTileRow>, SourceError> {
        let range = on_grid(range, width);
        let mut builder = ZoneTileBuilder::new(width);
        for row in self.zones.rows().filter(|row| touches(row.range(), range)) {
            builder.push(&row);
        }
        let mut tiles = builder.finish();
        tiles.retain(|tile| touches(TimeRange::new(tile.start, tile.start + tile.width), range));
        tiles.sort_unstable_by_key(|tile| (tile.thread, tile.lane, tile.depth, tile.start));
        Ok(tiles)
    }
    fn frame_marks(&self) -> Result<Arc<[FrameMarkRow]>, SourceError> {
        Ok(Arc::clone(&self.frame_marks))
    }
    fn logs(&self, range: TimeRange) -> Result<Vec<LogRow>, SourceError> {
        let logs = self.rows.logs.iter();
        Ok(logs
            .filter(|row| range.contains(row.time))
            .cloned()
            .collect())
    }
    fn waits(&self, range: TimeRange) -> Result<Vec<WaitRow>, SourceError> {
        let span = |row: &WaitRow| TimeRange::new(row.start, row.start + row.wait + row.hold);
        let waits = self.rows.waits.iter();
        Ok(waits
            .filter(|row| touches(span(row), range))
            .copied()
            .collect())
    }
    fn messages(&self) -> &[MessageRow] {
        &self.rows.messages
    }
    fn losses(&self) -> &[LossRow] {
        &self.rows.losses
    }
    fn clock(&self) -> &[ClockRow] {
        &self.rows.clock
    }
    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError> {
        Ok(self.rows.sources.get(&file).map(Arc::clone))
    }
}

/// The smallest range around all of them.
fn hull(ranges: impl Iterator<Item = TimeRange>) -> Option<TimeRange> {
    ranges.reduce(|a, b| TimeRange {
        start: a.start.min(b.start),
        end: a.end.max(b.end),
    })
}

/// The whole tiles that a range touches: what lies in a part of a tile counts too.
fn on_grid(range: TimeRange, width: Nanos) -> TimeRange {
    let end = range.end.0.div_ceil(width.0).saturating_mul(width.0);
    TimeRange::new(Time(range.start.0 - range.start.0 % width.0), Time(end))
}

/// Whether they overlap, or one is a moment inside the other.
fn touches(one: TimeRange, range: TimeRange) -> bool {
    one.intersect(range).is_some() || range.contains(one.start)
}

/// The tiles of `samples` that overlap `range`, ordered by thread, then start.
fn tiles_of(
    samples: impl Iterator<Item = SampleRow>,
    width: Nanos,
    range: TimeRange,
) -> Vec<TileRow> {
    let range = on_grid(range, width);
    let mut builder = TileBuilder::new(width);
    for row in samples.filter(|row| row.range().intersect(range).is_some()) {
        builder.push(row);
    }
    let mut tiles = builder.finish();
    tiles.retain(|tile| {
        TimeRange::new(tile.start, tile.start + tile.width)
            .intersect(range)
            .is_some()
    });
    tiles.sort_unstable_by_key(|tile| (tile.thread, tile.start));
    tiles
}
