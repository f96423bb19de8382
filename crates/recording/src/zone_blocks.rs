//! Chunks of zones grouped into blocks, with their level of detail.

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;
use sondage_model::{BlockSpan, Time, TimeRange};

use crate::chunk::{ChunkRef, Kind};
use crate::zone_lod::WIDTHS;

/// The most rows of a block, whatever its chunks claim: a block is decoded as a whole.
const BLOCK_MOST_ROWS: u64 = 1 << 20;

/// Which chunks make up a block of zones, as positions in the index.
#[derive(Default)]
pub(crate) struct ZoneBlock {
    /// Each with its details, where it has some.
    pub zones: Vec<(usize, Option<usize>)>,
    pub summary: Option<usize>,
    /// By position in [`WIDTHS`].
    pub tiles: [Option<usize>; WIDTHS.len()],
}

/// Groups chunks of zones into blocks, and finds each block's level of detail.
pub(crate) fn zone_blocks_of(chunks: &[ChunkRef]) -> (Vec<BlockSpan>, Vec<ZoneBlock>) {
    let mut spans: Vec<BlockSpan> = Vec::new();
    let mut blocks: Vec<ZoneBlock> = Vec::new();
    // `None` for a number that names two blocks: its level of detail cannot be told apart.
    let mut numbers: FxHashMap<u32, Option<usize>> = FxHashMap::default();
    let mut details: FxHashMap<(u32, u64), usize> = FxHashMap::default();
    let mut open: Option<u32> = None;
    for (at, chunk) in chunks.iter().enumerate() {
        let header = &chunk.header;
        if header.kind != Kind::Rows as u8 || header.rows == 0 {
            continue;
        }
        if header.table == Table::ZoneDetails as u16 {
            details.insert((header.block, header.count), at);
        }
        if header.table != Table::Zones as u16 {
            continue;
        }
        let rows = u64::from(header.rows);
        let range = TimeRange::new(Time(header.first), Time(header.last));
        // Details stand right before their zones; a number that comes again has its own.
        let details = details.remove(&(header.block, header.count));
        let fits = spans
            .last()
            .is_some_and(|span| span.rows + rows <= BLOCK_MOST_ROWS);
        if let (true, Some(span), Some(block)) = (
            fits && open == Some(header.block),
            spans.last_mut(),
            blocks.last_mut(),
        ) {
            span.range.start = span.range.start.min(range.start);
            span.range.end = span.range.end.max(range.end);
            span.rows += rows;
            span.count = span.rows;
            block.zones.push((at, details));
            continue;
        }
        numbers
            .entry(header.block)
            .and_modify(|index| *index = None)
            .or_insert(Some(blocks.len()));
        open = Some(header.block);
        spans.push(BlockSpan {
            range,
            rows,
            count: rows,
        });
        blocks.push(ZoneBlock {
            zones: vec![(at, details)],
            ..ZoneBlock::default()
        });
    }
    for (at, chunk) in chunks.iter().enumerate() {
        let header = &chunk.header;
        if header.kind != Kind::Rows as u8 {
            continue;
        }
        let Some(Some(number)) = numbers.get(&header.block).copied() else {
            continue;
        };
        // Only whole blocks: a summary also counts zones whose chunk was lost.
        if header.count != spans[number].rows {
            continue;
        }
        if header.table == Table::ZoneSummaries as u16 {
            blocks[number].summary = Some(at);
        } else if header.table == Table::ZoneTiles as u16
            && let Some(width) = WIDTHS.iter().position(|width| width.0 == header.detail)
        {
            blocks[number].tiles[width] = Some(at);
        }
    }
    (spans, blocks)
}
