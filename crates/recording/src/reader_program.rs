//! Reading what programs said of themselves: zones, frame marks, log lines, waits.

use std::sync::Arc;

use sondage_model::zone_tiles::ZoneSums;
use sondage_model::{
    FrameMarkRow, LogRow, Nanos, SourceError, StringId, TaskId, ThreadId, Time, TimeRange, WaitRow,
    ZoneColumns, ZoneSummaryRow, ZoneTileRow,
};

use crate::blocks::{Block, ZoneChunk};
use crate::cache::{Decoded, Part};
use crate::chunk::{ChunkRef, Header};
use crate::codec_program;
use crate::error::ChunkError;
use crate::ipc::Batch;
use crate::reader::{Recording, damaged};
use crate::zone_lod::{self, WIDTHS, ZoneTileCollector, ZoneTileRun};

impl Recording {
    pub(crate) fn read_zones(&self, number: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        let decoded = self.cache.get(Part::Zones(number), || {
            Ok::<_, SourceError>(Decoded::Zones(Arc::new(self.decode_zones(number)?)))
        })?;
        match decoded {
            Decoded::Zones(zones) => Ok(zones),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }

    fn decode_zones(&self, number: usize) -> Result<ZoneColumns, SourceError> {
        let block = self.zone_block(number)?;
        let mut zones = ZoneColumns::default();
        for &(at, details) in &block.chunks {
            let first = zones.len();
            let why = |why| damaged(format!("block {number} of zones"), why);
            self.chunk(at, |batch, header| {
                codec_program::decode_zones(batch, Time(header.detail), &mut zones)
            })
            .map_err(why)?;
            for thread in &mut zones.threads[first..] {
                *thread = self.check_thread(*thread).map_err(why)?;
            }
            let sites = self.dictionary.sites().len();
            if zones.sites[first..]
                .iter()
                .any(|site| site.index() >= sites)
            {
                let error = ChunkError::Content("it refers to a site that is not there".into());
                return Err(why(error));
            }
            if let Some(at) = details {
                let read = self.chunk(at, |batch, _| {
                    codec_program::decode_details(batch, first, &mut zones)
                });
                read.map_err(why)?;
            }
        }
        let tasks = self.dictionary.tasks().len();
        for detail in &mut zones.details {
            if detail.task.index() >= tasks {
                detail.task = TaskId::NONE;
            }
        }
        Ok(zones)
    }

    fn zone_block(&self, number: usize) -> Result<&Block<ZoneChunk>, SourceError> {
        self.zone_blocks
            .get(number)
            .ok_or_else(|| SourceError::no_block(number))
    }

    /// The thread, if there is one of this number. In a damaged file another stands for it.
    fn check_thread(&self, thread: ThreadId) -> Result<ThreadId, ChunkError> {
        let mut threads = [thread];
        self.check_ids(&mut threads, &mut [], &mut [])?;
        Ok(threads[0])
    }

    pub(crate) fn read_zone_summary(
        &self,
        number: usize,
    ) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        let decoded = self.cache.get(Part::ZoneSummary(number), || {
            let stored = self.zone_block(number)?.summary;
            // Without its summary, or with a damaged one, a block still has its zones.
            let stored = stored.and_then(|at| self.stored_zone_summary(at).ok());
            let rows = match stored {
                Some(rows) => rows,
                None => {
                    let mut sums = ZoneSums::default();
                    for row in self.read_zones(number)?.rows() {
                        sums.push(&row);
                    }
                    sums.take()
                }
            };
            Ok::<_, SourceError>(Decoded::ZoneSummary(rows.into()))
        })?;
        match decoded {
            Decoded::ZoneSummary(rows) => Ok(rows),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }

    fn stored_zone_summary(&self, at: usize) -> Result<Vec<ZoneSummaryRow>, ChunkError> {
        let mut rows = self.chunk(at, |batch, _| codec_program::decode_zone_summary(batch))?;
        for row in &mut rows {
            row.thread = self.check_thread(row.thread)?;
            self.check_site(row.site.index())?;
        }
        Ok(rows)
    }

    fn check_site(&self, site: usize) -> Result<(), ChunkError> {
        if site < self.dictionary.sites().len() {
            return Ok(());
        }
        let what = "it refers to a site that is not there";
        Err(ChunkError::Content(what.into()))
    }

    pub(crate) fn read_zone_tiles(
        &self,
        width: Nanos,
        range: TimeRange,
    ) -> Result<Vec<ZoneTileRow>, SourceError> {
        let Some(position) = WIDTHS.iter().position(|w| *w == width) else {
            let why = format!("there are none {} ns wide", width.0);
            return Err(damaged("the tiles of zones", why));
        };
        let start = range.start.0 - range.start.0 % width.0;
        let end = range.end.0.div_ceil(width.0).saturating_mul(width.0);
        let whole = TimeRange::new(Time(start), Time(end));
        let mut collector = ZoneTileCollector::new(width, whole);
        for (number, span) in self.zone_spans.iter().enumerate() {
            if span.range.end < whole.start || span.range.start >= whole.end {
                continue;
            }
            for run in self.block_zone_tiles(number, position)?.iter() {
                collector.add(run)?;
            }
        }
        Ok(collector.finish())
    }

    fn block_zone_tiles(
        &self,
        number: usize,
        width: usize,
    ) -> Result<Arc<[ZoneTileRun]>, SourceError> {
        let decoded = self.cache.get(Part::ZoneTiles(width, number), || {
            let stored = self.zone_block(number)?.tiles[width];
            // Without its tiles, which are stored only where they are few, a block has its zones.
            let stored = stored.and_then(|at| self.stored_zone_tiles(at).ok());
            let runs = match stored {
                Some(runs) => runs,
                None => zone_lod::tiles_of(&*self.read_zones(number)?, WIDTHS[width]),
            };
            Ok::<_, SourceError>(Decoded::ZoneTiles(runs.into()))
        })?;
        match decoded {
            Decoded::ZoneTiles(runs) => Ok(runs),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }

    fn stored_zone_tiles(&self, at: usize) -> Result<Vec<ZoneTileRun>, ChunkError> {
        let mut runs = self.chunk(at, |batch, _| codec_program::decode_zone_tiles(batch))?;
        for ZoneTileRun { tile, .. } in &mut runs {
            tile.thread = self.check_thread(tile.thread)?;
            self.check_site(tile.site.index())?;
        }
        Ok(runs)
    }

    pub(crate) fn read_frame_marks(&self) -> Result<Arc<[FrameMarkRow]>, SourceError> {
        let mut rows: Vec<FrameMarkRow> = Vec::new();
        for &at in &self.program.frame_marks {
            let part = self.chunk(at, |batch, _| codec_program::decode_frame_marks(batch));
            rows.extend(part.map_err(|why| damaged("the frame marks", why))?);
        }
        let strings = self.dictionary.strings.as_slice().len();
        for row in &mut rows {
            let thread = self.check_thread(row.thread);
            row.thread = thread.map_err(|why| damaged("the frame marks", why))?;
            if row.name.index() >= strings {
                row.name = StringId::EMPTY;
            }
        }
        rows.sort_by_key(|row| row.time);
        Ok(rows.into())
    }

    pub(crate) fn read_logs(&self, range: TimeRange) -> Result<Vec<LogRow>, SourceError> {
        let mut rows: Vec<LogRow> = Vec::new();
        for &at in &self.program.logs {
            let header = &self.index.chunks[at].header;
            if header.first >= range.end.0 || header.last < range.start.0 {
                continue;
            }
            let part = self.chunk(at, |batch, _| codec_program::decode_logs(batch));
            let part = part.map_err(|why| damaged("the log", why))?;
            rows.extend(part.into_iter().filter(|row| range.contains(row.time)));
        }
        for row in &mut rows {
            let thread = self.check_thread(row.thread);
            row.thread = thread.map_err(|why| damaged("the log", why))?;
        }
        rows.sort_by_key(|row| row.time);
        Ok(rows)
    }

    pub(crate) fn read_waits(&self, range: TimeRange) -> Result<Vec<WaitRow>, SourceError> {
        let mut rows: Vec<WaitRow> = Vec::new();
        for &at in &self.program.waits {
            let header = &self.index.chunks[at].header;
            if header.first >= range.end.0 || header.last < range.start.0 {
                continue;
            }
            let part = self.chunk(at, |batch, _| codec_program::decode_waits(batch));
            let part = part.map_err(|why| damaged("the waits", why))?;
            rows.extend(part.into_iter().filter(|row| {
                row.start < range.end && row.start + row.wait + row.hold >= range.start
            }));
        }
        let threads = self.dictionary.threads().len();
        let locks = self.dictionary.locks().len();
        for row in &mut rows {
            let thread = self.check_thread(row.thread);
            row.thread = thread.map_err(|why| damaged("the waits", why))?;
            row.holder = row.holder.filter(|id| id.index() < threads);
        }
        rows.retain(|row| row.lock.index() < locks);
        rows.sort_by_key(|row| row.start);
        Ok(rows)
    }

    /// The rows of the chunk at this position of the index.
    fn chunk<T>(
        &self,
        at: usize,
        read: impl FnOnce(&Batch<'_>, &Header) -> Result<T, ChunkError>,
    ) -> Result<T, ChunkError> {
        let chunk: &ChunkRef = &self.index.chunks[at];
        self.index.rows(self.store.as_ref(), chunk, read)
    }
}
