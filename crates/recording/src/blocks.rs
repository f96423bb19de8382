//! Chunks of samples grouped into blocks, with their level of detail.

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;
use sondage_model::{BlockSpan, Nanos, Time, TimeRange};

use crate::chunk::{ChunkRef, Kind};

/// The most rows of a block, whatever its chunks claim: a block is decoded as a whole.
const BLOCK_MOST_ROWS: u64 = 1 << 20;

/// Which chunks make up a block of samples, as positions in the index.
#[derive(Default)]
pub(crate) struct Block {
    pub samples: Vec<usize>,
    pub summary: Option<usize>,
    /// By position in the widths.
    pub tiles: Vec<Option<usize>>,
    pub threads: u64,
}

/// Groups sample chunks into blocks, and finds each block's level of detail.
pub(crate) fn blocks_of(chunks: &[ChunkRef], widths: &[Nanos]) -> (Vec<BlockSpan>, Vec<Block>) {
    let mut spans: Vec<BlockSpan> = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    // `None` for a number that names two blocks: its level of detail cannot be told apart.
    let mut numbers: FxHashMap<u32, Option<usize>> = FxHashMap::default();
    let mut open: Option<u32> = None;
    for (at, chunk) in chunks.iter().enumerate() {
        let header = &chunk.header;
        let is_samples = header.table == Table::Samples as u16 && header.kind == Kind::Rows as u8;
        if !is_samples || header.rows == 0 {
            continue;
        }
        let rows = u64::from(header.rows);
        let range = TimeRange::new(Time(header.first), Time(header.last));
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
            span.count = span.count.saturating_add(header.count);
            block.samples.push(at);
            block.threads |= header.threads;
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
            count: header.count,
        });
        blocks.push(Block {
            samples: vec![at],
            tiles: vec![None; widths.len()],
            threads: header.threads,
            ..Block::default()
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
        // Only whole blocks: a summary also counts samples whose chunk was lost.
        if header.table == Table::Summaries as u16 && header.count == spans[number].rows {
            blocks[number].summary = Some(at);
        } else if header.table == Table::Tiles as u16
            && header.count == spans[number].rows
            && let Some(width) = widths.iter().position(|w| w.0 == header.detail)
        {
            blocks[number].tiles[width] = Some(at);
        }
    }
    (spans, blocks)
}

/// From the earliest start to the latest end of blocks and of events outside them.
pub(crate) fn range_of<'a>(
    spans: impl Iterator<Item = &'a BlockSpan>,
    events: impl Iterator<Item = &'a ChunkRef>,
) -> TimeRange {
    let events =
        events.map(|chunk| TimeRange::new(Time(chunk.header.first), Time(chunk.header.last)));
    spans
        .map(|span| span.range)
        .chain(events)
        .reduce(|a, b| TimeRange {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
        })
        .unwrap_or(TimeRange::new(Time::ZERO, Time::ZERO))
}
