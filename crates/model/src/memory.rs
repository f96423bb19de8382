//! A recording that is in memory: tests, imports and live views.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::tiles::{TileBuilder, summarize};
use crate::{
    BlockSpan, ClockRow, CounterRow, Dictionary, FileId, LossRow, MessageRow, Nanos, RecordingInfo,
    SampleColumns, SampleRow, Source, SourceError, SummaryRow, TileRow, Time, TimeRange,
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
    range: TimeRange,
}

impl SealedMemory {
    fn new(mut rows: MemoryRecording) -> SealedMemory {
        let samples = std::mem::take(&mut rows.samples);
        let span = samples
            .rows()
            .map(|row| row.range())
            .reduce(|a, b| TimeRange {
                start: a.start.min(b.start),
                end: a.end.max(b.end),
            });
        let counters = rows.counters.iter().map(|row| row.time);
        let first = span
            .map(|s| s.start)
            .into_iter()
            .chain(counters.clone())
            .min();
        let last = span.map(|s| s.end).into_iter().chain(counters).max();
        let range = TimeRange::new(first.unwrap_or(Time::ZERO), last.unwrap_or(Time::ZERO));
        let blocks = span
            .map(|range| BlockSpan {
                range,
                rows: samples.len() as u64,
                count: samples.counts.iter().map(|&count| u64::from(count)).sum(),
            })
            .into_iter()
            .collect();
        let summary = summarize(&samples).into();
        SealedMemory {
            rows,
            samples: Arc::new(samples),
            summary,
            blocks,
            range,
        }
    }

    fn check(&self, block: usize) -> Result<(), SourceError> {
        if block < self.blocks.len() {
            return Ok(());
        }
        Err(SourceError::Damaged {
            what: format!("block {block}"),
            why: "there is none".into(),
        })
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
        self.check(block)?;
        Ok(Arc::clone(&self.samples))
    }
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        self.check(block)?;
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

/// The tiles of `samples` that overlap `range`, ordered by thread, then start.
fn tiles_of(
    samples: impl Iterator<Item = SampleRow>,
    width: Nanos,
    range: TimeRange,
) -> Vec<TileRow> {
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
