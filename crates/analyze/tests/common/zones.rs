//! Recordings with zones, cut into blocks as a file is.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;

use sondage_model::zone_tiles::{ZoneSums, ZoneTileBuilder};
use sondage_model::*;

const MS: u64 = 1_000_000;

/// A recording whose zones are cut into blocks, with tiles if wanted.
pub struct Cut {
    rest: Box<dyn Source>,
    blocks: Vec<BlockSpan>,
    zones: Vec<Arc<ZoneColumns>>,
    summaries: Vec<Arc<[ZoneSummaryRow]>>,
    tile_widths: Vec<Nanos>,
}

impl Cut {
    pub fn new(mut rows: MemoryRecording, rows_of_block: usize, tile_widths: Vec<Nanos>) -> Cut {
        let all = rows.zones.clone();
        let mut cut = Cut {
            blocks: Vec::new(),
            zones: Vec::new(),
            summaries: Vec::new(),
            tile_widths,
            rest: {
                rows.info.interval = Nanos(MS);
                Box::new(rows.seal())
            },
        };
        let mut sums = ZoneSums::default();
        let all: Vec<(ZoneRow, Option<ZoneDetail>)> = all
            .rows()
            .map(|row| (row, all.detail(&row).cloned()))
            .collect();
        for part in all.chunks(rows_of_block.max(1)) {
            let mut columns = ZoneColumns::default();
            for (row, detail) in part {
                columns.push(*row, detail.clone());
                sums.push(row);
            }
            let start = part.iter().map(|(row, _)| row.start).min();
            let end = part.iter().map(|(row, _)| row.range().end).max();
            cut.blocks.push(BlockSpan {
                range: TimeRange::new(start.unwrap_or_default(), end.unwrap_or_default()),
                rows: part.len() as u64,
                count: part.len() as u64,
            });
            cut.zones.push(Arc::new(columns));
            cut.summaries.push(sums.take().into());
        }
        cut
    }
}

impl Source for Cut {
    fn info(&self) -> &RecordingInfo {
        self.rest.info()
    }
    fn dictionary(&self) -> &Dictionary {
        self.rest.dictionary()
    }
    fn range(&self) -> TimeRange {
        self.rest.range()
    }
    fn blocks(&self) -> &[BlockSpan] {
        self.rest.blocks()
    }
    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError> {
        self.rest.samples(block)
    }
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        self.rest.summary(block)
    }
    fn tile_widths(&self) -> &[Nanos] {
        &[]
    }
    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        self.rest.tiles(width, range)
    }
    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        self.rest.counters(range)
    }
    fn zone_blocks(&self) -> &[BlockSpan] {
        &self.blocks
    }
    fn zones(&self, block: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        Ok(Arc::clone(&self.zones[block]))
    }
    fn zone_summary(&self, block: usize) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        Ok(Arc::clone(&self.summaries[block]))
    }
    fn zone_tile_widths(&self) -> &[Nanos] {
        &self.tile_widths
    }
    fn zone_tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<ZoneTileRow>, SourceError> {
        let mut builder = ZoneTileBuilder::new(width);
        self.zones
            .iter()
            .flat_map(|zones| zones.rows())
            .for_each(|row| builder.push(&row));
        let mut tiles = builder.finish();
        tiles.retain(|tile| {
            let span = TimeRange::new(tile.start, tile.start + width);
            span.intersect(range).is_some()
        });
        tiles.sort_unstable_by_key(|tile| (tile.thread, tile.lane, tile.depth, tile.start));
        Ok(tiles)
    }
    fn messages(&self) -> &[MessageRow] {
        self.rest.messages()
    }
    fn losses(&self) -> &[LossRow] {
        self.rest.losses()
    }
    fn clock(&self) -> &[ClockRow] {
        self.rest.clock()
    }
    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError> {
        self.rest.source_text(file)
    }
}

/// A place of zones in `handle` of `/work/app.py`.
pub fn site(recording: &mut MemoryRecording, name: &str, line: u32) -> SiteId {
    let dict = &mut recording.dictionary;
    let row = SiteRow {
        name: dict.string(name),
        function: dict.string("handle"),
        file: dict.file("/work/app.py"),
        line,
        colour: 0,
    };
    dict.site(row)
}
