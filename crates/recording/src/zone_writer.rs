//! Writing zones: chunks, blocks and their level of detail.

use std::io::{self, Write};

use sondage_model::schema::Table;
use sondage_model::zone_tiles::ZoneSums;
use sondage_model::{Nanos, Time, TimeRange, ZoneColumns, ZoneDetail, ZoneRow};

use crate::chunk::Header;
use crate::codec_program::{self, EncodedZones};
use crate::output::Output;
use crate::zone_lod;

/// The most rows of a chunk: fewer than of samples, since arguments may be long.
const CHUNK_ROWS: usize = 16 << 10;
/// Bytes of arguments in one chunk, about.
const CHUNK_TEXT: usize = 8 << 20;
/// A block is complete with so many rows …
const BLOCK_ROWS: usize = 32 << 10;
/// … or when its zones end so far apart and it has at least [`BLOCK_LEAST`] rows …
const BLOCK_SPAN: Nanos = Nanos(8_000_000_000);
const BLOCK_LEAST: usize = 4 << 10;
/// … or so far apart.
const BLOCK_LONGEST: Nanos = Nanos(64_000_000_000);
/// When writing fails, so many zones are kept for the next try; those beyond are lost.
const MOST_KEPT: usize = 256 << 10;

/// Zones that wait to be written, and the block that they go to.
#[derive(Default)]
pub(crate) struct ZoneWriter {
    waiting: ZoneColumns,
    block: ZoneBlock,
    /// Kept from block to block: what is inside a zone comes before it.
    sums: ZoneSums,
}

#[derive(Default)]
struct ZoneBlock {
    number: u32,
    zones: ZoneColumns,
    /// From the earliest start to the latest end, and from the earliest end to the latest.
    span: Option<TimeRange>,
    ends: Option<TimeRange>,
    chunks: u64,
    /// Which of the level-of-detail chunks are written: the summary, then one for each width.
    done: usize,
}

impl ZoneBlock {
    fn is_complete(&self) -> bool {
        let rows = self.zones.len();
        let ends = self.ends.map_or(Nanos::ZERO, TimeRange::span);
        rows >= BLOCK_ROWS || (rows >= BLOCK_LEAST && ends >= BLOCK_SPAN) || ends >= BLOCK_LONGEST
    }
}

impl ZoneWriter {
    pub fn push(&mut self, row: ZoneRow, detail: Option<ZoneDetail>) {
        self.waiting.push(row, detail);
    }

    /// Zones that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets what waits where it is too much to keep; returns how many zones.
    pub fn drop_excess(&mut self) -> u64 {
        if self.waiting.len() <= MOST_KEPT {
            return 0;
        }
        std::mem::take(&mut self.waiting).len() as u64
    }

    /// Writes what waits; with `last`, completes the block too.
    pub fn flush<W: Write>(&mut self, out: &mut Output<W>, last: bool) -> io::Result<()> {
        // A block whose level of detail could not be written last time comes first.
        if self.block.done > 0 {
            self.close_block(out)?;
        }
        let mut start = 0;
        let result = loop {
            if start == self.waiting.len() {
                break Ok(());
            }
            let end = self.part_end(start);
            let part = codec_program::encode_zones(&self.waiting, start..end);
            if let Err(error) = self.write_part(out, &part) {
                break Err(error);
            }
            for index in start..end {
                let row = self.waiting.row(index);
                let detail = self.waiting.detail(&row).cloned();
                let at = row.range().end;
                let ends = self.block.ends.get_or_insert(TimeRange::new(at, at));
                ends.start = ends.start.min(at);
                ends.end = ends.end.max(at);
                self.sums.push(&row);
                self.block.zones.push(row, detail);
            }
            let all = TimeRange::new(part.first, part.last);
            let span = self.block.span.get_or_insert(all);
            span.start = span.start.min(part.first);
            span.end = span.end.max(part.last);
            start = end;
            if self.block.is_complete()
                && let Err(error) = self.close_block(out)
            {
                break Err(error);
            }
        };
        self.drop_front(start);
        result?;
        if last && !self.block.zones.is_empty() {
            self.close_block(out)?;
        }
        Ok(())
    }

    /// Where a chunk must end that begins at `start`.
    fn part_end(&self, start: usize) -> usize {
        let most = self.waiting.len().min(start + CHUNK_ROWS);
        let mut bytes = 0;
        let fitting = (start..most).take_while(|index| {
            let fits = bytes < CHUNK_TEXT;
            let detail = self.waiting.detail(&self.waiting.row(*index));
            bytes += detail.map_or(0, |detail| detail.arguments.len());
            fits
        });
        start + fitting.count()
    }

    fn write_part<W: Write>(&self, out: &mut Output<W>, part: &EncodedZones) -> io::Result<()> {
        let header = Header {
            block: self.block.number,
            first: part.first.0,
            last: part.last.0,
            count: self.block.chunks,
            ..Header::default()
        };
        // Details first: what a chunk refers to stands before it.
        if let Some(details) = &part.details {
            out.rows(Table::ZoneDetails, details, header)?;
        }
        let header = Header {
            detail: part.base.0,
            ..header
        };
        out.rows(Table::Zones, &part.encoded, header)
    }

    /// Removes the first rows.
    fn drop_front(&mut self, rows: usize) {
        let all = std::mem::take(&mut self.waiting);
        for index in rows..all.len() {
            let row = all.row(index);
            self.waiting.push(row, all.detail(&row).cloned());
        }
    }

    /// Writes the level of detail of the block, of which what is written stays written.
    fn close_block<W: Write>(&mut self, out: &mut Output<W>) -> io::Result<()> {
        let block = &mut self.block;
        let span = block.span.unwrap_or(TimeRange::new(Time::ZERO, Time::ZERO));
        let header = Header {
            block: block.number,
            first: span.start.0,
            last: span.end.0,
            count: block.zones.len() as u64,
            ..Header::default()
        };
        if block.done == 0 {
            let rows = self.sums.take();
            // Taken is taken: a summary that cannot be written is made from the zones by readers.
            block.done = 1;
            let encoded = codec_program::encode_zone_summary(&rows);
            out.rows(Table::ZoneSummaries, &encoded, header)?;
        }
        while block.done <= zone_lod::WIDTHS.len() {
            let width = zone_lod::WIDTHS[block.done - 1];
            if let Some(runs) = zone_lod::tiles_worth_storing(&block.zones, width) {
                let encoded = codec_program::encode_zone_tiles(&runs);
                let header = Header {
                    detail: width.0,
                    ..header
                };
                out.rows(Table::ZoneTiles, &encoded, header)?;
            }
            block.done += 1;
        }
        *block = ZoneBlock {
            number: block.number + 1,
            ..ZoneBlock::default()
        };
        Ok(())
    }
}
