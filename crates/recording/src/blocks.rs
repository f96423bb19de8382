//! Chunks grouped into blocks, with their level of detail.

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;
use sondage_model::{BlockSpan, Nanos, Time, TimeRange};

use crate::chunk::{ChunkRef, Header, Kind};
use crate::zone_lod;

/// The most rows of a block, whatever its chunks claim: a block is decoded as a whole.
const BLOCK_MOST_ROWS: u64 = 1 << 20;

/// Which chunks make up a block, as positions in the index.
pub(crate) struct Block<C> {
    /// Those of its rows.
    pub chunks: Vec<C>,
    pub summary: Option<usize>,
    /// By position in the widths.
    pub tiles: Vec<Option<usize>>,
}

/// A chunk of zones, and that of their details where they have some.
pub(crate) type ZoneChunk = (usize, Option<usize>);

/// The tables of a block's level of detail.
struct Levels<'a> {
    summaries: Table,
    tiles: Table,
    widths: &'a [Nanos],
}

/// Groups chunks of samples into blocks.
pub(crate) fn sample_blocks(
    chunks: &[ChunkRef],
    widths: &[Nanos],
) -> (Vec<BlockSpan>, Vec<Block<usize>>) {
    let levels = Levels {
        summaries: Table::Summaries,
        tiles: Table::Tiles,
        widths,
    };
    group(chunks, &levels, |at, header| {
        (header.table == Table::Samples as u16).then_some((at, header.count))
    })
}

/// Groups chunks of zones into blocks.
pub(crate) fn zone_blocks(chunks: &[ChunkRef]) -> (Vec<BlockSpan>, Vec<Block<ZoneChunk>>) {
    let levels = Levels {
        summaries: Table::ZoneSummaries,
        tiles: Table::ZoneTiles,
        widths: &zone_lod::WIDTHS,
    };
    let mut details: FxHashMap<(u32, u64), usize> = FxHashMap::default();
    group(chunks, &levels, |at, header| {
        // Details stand right before their zones; a number that comes again has its own.
        let key = (header.block, header.count);
        if header.table == Table::ZoneDetails as u16 {
            details.insert(key, at);
        }
        let is_zones = header.table == Table::Zones as u16;
        is_zones.then(|| ((at, details.remove(&key)), u64::from(header.rows)))
    })
}

/// Groups into blocks the chunks that `take` takes, each with its number of observations, and finds
/// each block's level of detail.
fn group<C>(
    chunks: &[ChunkRef],
    levels: &Levels<'_>,
    mut take: impl FnMut(usize, &Header) -> Option<(C, u64)>,
) -> (Vec<BlockSpan>, Vec<Block<C>>) {
    let rows = || {
        let headers = chunks.iter().map(|chunk| &chunk.header).enumerate();
        headers.filter(|(_, header)| header.kind == Kind::Rows as u8)
    };
    let mut spans: Vec<BlockSpan> = Vec::new();
    let mut blocks: Vec<Block<C>> = Vec::new();
    // `None` for a number that names two blocks: its level of detail cannot be told apart.
    let mut numbers: FxHashMap<u32, Option<usize>> = FxHashMap::default();
    let mut open: Option<u32> = None;
    for (at, header) in rows().filter(|(_, header)| header.rows > 0) {
        let Some((chunk, count)) = take(at, header) else {
            continue;
        };
        let rows = u64::from(header.rows);
        let range = TimeRange::new(Time(header.first), Time(header.last));
        if let (Some(span), Some(block)) = (spans.last_mut(), blocks.last_mut())
            && open == Some(header.block)
            && span.rows + rows <= BLOCK_MOST_ROWS
        {
            span.range.start = span.range.start.min(range.start);
            span.range.end = span.range.end.max(range.end);
            span.rows += rows;
            span.count = span.count.saturating_add(count);
            block.chunks.push(chunk);
            continue;
        }
        numbers
            .entry(header.block)
            .and_modify(|index| *index = None)
            .or_insert(Some(blocks.len()));
        open = Some(header.block);
        spans.push(BlockSpan { range, rows, count });
        blocks.push(Block {
            chunks: vec![chunk],
            summary: None,
            tiles: vec![None; levels.widths.len()],
        });
    }
    for (at, header) in rows() {
        let Some(Some(number)) = numbers.get(&header.block).copied() else {
            continue;
        };
        // Only whole blocks: a summary also counts rows whose chunk was lost.
        if header.count != spans[number].rows {
            continue;
        }
        let width = || levels.widths.iter().position(|w| w.0 == header.detail);
        if header.table == levels.summaries as u16 {
            blocks[number].summary = Some(at);
        } else if header.table == levels.tiles as u16
            && let Some(width) = width()
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
