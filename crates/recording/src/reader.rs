//! Reading a recording.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;
use sondage_model::tiles::{Summary, summarize};
use sondage_model::{
    BlockSpan, ClockRow, CounterRow, Dictionary, FileId, FrameMarkRow, LogRow, LossRow, MessageRow,
    Nanos, ProcessId, RecordingInfo, SampleColumns, Source, SourceError, StackId, SummaryRow,
    TaskId, ThreadId, TileRow, Time, TimeRange, WaitRow, ZoneColumns, ZoneSummaryRow, ZoneTileRow,
};

use crate::blocks::{Block, ZoneChunk, range_of, sample_blocks, zone_blocks};
use crate::cache::{Cache, Decoded, Part};
use crate::chunk::{ChunkRef, FLAG_RELATIVE_WEIGHTS};
use crate::codec;
use crate::dictionary_loader::Loaded;
use crate::error::{ChunkError, OpenError};
use crate::index::Index;
use crate::load::{Loader, ProgramChunks};
use crate::lod::{self, TileCollector, TileRun};
use crate::recovery::Recovery;
use crate::store::{Memory, Store};
use crate::zone_lod;

/// Decoded parts that are kept, in bytes.
const CACHE_BYTES: usize = 96 << 20;
/// More widths of tiles than this are not believed.
const MOST_WIDTHS: usize = 8;

/// A recording that is read where it lies: dictionary and small tables in memory, samples and level
/// of detail decoded on demand and kept within a bound.
pub struct Recording {
    pub(crate) store: Box<dyn Store>,
    pub(crate) index: Index,
    info: RecordingInfo,
    pub(crate) dictionary: Dictionary,
    /// What stands for a stack or thread whose row was lost; only in damaged files.
    lost: Option<(StackId, ThreadId)>,
    tile_widths: Vec<Nanos>,
    spans: Vec<BlockSpan>,
    blocks: Vec<Block<usize>>,
    pub(crate) zone_spans: Vec<BlockSpan>,
    pub(crate) zone_blocks: Vec<Block<ZoneChunk>>,
    pub(crate) program: ProgramChunks,
    frame_marks: OnceLock<Arc<[FrameMarkRow]>>,
    counters: Vec<usize>,
    texts: FxHashMap<FileId, usize>,
    messages: Vec<MessageRow>,
    losses: Vec<LossRow>,
    clock: Vec<ClockRow>,
    range: TimeRange,
    recovery: Recovery,
    recovered: Option<String>,
    pub(crate) cache: Cache,
    totals: OnceLock<Arc<[SummaryRow]>>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("info", &self.info)
            .field("blocks", &self.spans.len())
            .field("range", &self.range)
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Reads a recording from memory.
    ///
    /// # Errors
    /// When the bytes are no recording, or one of a later version.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Recording, OpenError> {
        Recording::from_store(Box::new(Memory(bytes.into())), "the recording")
    }

    pub(crate) fn from_store(store: Box<dyn Store>, name: &str) -> Result<Recording, OpenError> {
        let index = Index::load(store.as_ref(), name)?;
        let inconsistent = |(table, error): (Table, ChunkError)| OpenError::Inconsistent {
            path: name.to_owned(),
            what: table.name().to_owned(),
            why: error.to_string(),
        };
        let mut loader = Loader::new(store.as_ref(), &index);
        loader.load().map_err(inconsistent)?;
        let Loader {
            info,
            dictionary,
            mut tile_widths,
            mut messages,
            mut losses,
            clock,
            counters,
            texts,
            program,
            mut recovery,
            ..
        } = loader;
        recovery.made_up_rows = dictionary.missing;
        let Loaded { dictionary, lost } = dictionary
            .finish(recovery.is_lossy())
            .map_err(inconsistent)?;
        let processes = dictionary.processes().len();
        let known = |id: &mut Option<ProcessId>| *id = id.filter(|id| id.index() < processes);
        messages.iter_mut().for_each(|row| known(&mut row.process));
        losses.iter_mut().for_each(|row| known(&mut row.process));
        tile_widths.retain(|width| *width > Nanos::ZERO);
        tile_widths.sort_unstable();
        tile_widths.dedup();
        if tile_widths.is_empty() || tile_widths.len() > MOST_WIDTHS {
            tile_widths = lod::tile_widths(info.interval);
        }
        let (spans, blocks) = sample_blocks(&index.chunks, &tile_widths);
        let (zone_spans, zone_blocks) = zone_blocks(&index.chunks);
        let events = counters.iter().chain(&program.frame_marks);
        let events = events.chain(&program.logs).chain(&program.waits);
        let all_spans = spans.iter().chain(&zone_spans);
        let range = range_of(all_spans, events.map(|at| &index.chunks[*at]));
        let recovered = recovery.sentence();
        Ok(Recording {
            info,
            dictionary,
            lost,
            tile_widths,
            spans,
            blocks,
            zone_spans,
            zone_blocks,
            program,
            frame_marks: OnceLock::new(),
            counters,
            texts,
            messages,
            losses,
            clock,
            range,
            recovery,
            recovered,
            cache: Cache::new(CACHE_BYTES),
            totals: OnceLock::new(),
            index,
            store,
        })
    }

    /// What had to be done to read it, as a sentence for the user: `None` for a whole file.
    #[must_use]
    pub fn recovered(&self) -> Option<&str> {
        self.recovered.as_deref()
    }

    /// The figures behind [`Recording::recovered`].
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Length of the file in bytes, when it was opened.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.store.length()
    }

    /// All samples summed by thread, stack, task and state. From the summaries of the blocks, so
    /// that no sample is read; kept.
    ///
    /// # Errors
    /// When a block can neither be read from its summary nor from its samples.
    pub fn totals(&self) -> Result<Arc<[SummaryRow]>, SourceError> {
        if let Some(totals) = self.totals.get() {
            return Ok(Arc::clone(totals));
        }
        let mut sums = Summary::default();
        for block in 0..self.blocks.len() {
            self.summary(block)?.iter().for_each(|row| sums.add(row));
        }
        let totals = sums.finish();
        Ok(Arc::clone(self.totals.get_or_init(|| totals.into())))
    }

    /// Whether the block may hold samples of the thread. May say yes where there are none.
    #[must_use]
    pub fn block_may_have(&self, block: usize, thread: ThreadId) -> bool {
        let chunks = self
            .blocks
            .get(block)
            .map_or(&[][..], |block| &block.chunks);
        let threads = |at: &usize| self.index.chunks[*at].header.threads;
        chunks
            .iter()
            .any(|at| threads(at) & (1 << (thread.0 % 64)) != 0)
    }

    fn block(&self, block: usize) -> Result<&Block<usize>, SourceError> {
        self.blocks
            .get(block)
            .ok_or_else(|| damaged(format!("block {block}"), "there is none"))
    }

    fn decode_samples(&self, number: usize) -> Result<SampleColumns, SourceError> {
        let block = self.block(number)?;
        let mut samples = codec::samples_with_room(self.spans[number].rows as usize);
        for &at in &block.chunks {
            let chunk = &self.index.chunks[at];
            let start = samples.len();
            let read = self
                .index
                .rows(self.store.as_ref(), chunk, |batch, header| {
                    let base = Time(header.detail);
                    let relative = header.flags & FLAG_RELATIVE_WEIGHTS != 0;
                    codec::decode_samples(batch, base, relative, &mut samples)?;
                    self.check_ids(
                        &mut samples.threads[start..],
                        &mut samples.stacks[start..],
                        &mut samples.tasks[start..],
                    )
                });
            read.map_err(|why| damaged(format!("block {number}"), why))?;
        }
        Ok(samples)
    }

    /// Makes sure that ids lead somewhere. In a damaged file those that do not are replaced; in a
    /// whole one they are an error.
    pub(crate) fn check_ids(
        &self,
        threads: &mut [ThreadId],
        stacks: &mut [StackId],
        tasks: &mut [TaskId],
    ) -> Result<(), ChunkError> {
        let limits = [
            self.dictionary.threads().len(),
            self.dictionary.stacks().len(),
            self.dictionary.tasks().len(),
        ];
        let most = |ids: &mut dyn Iterator<Item = u32>| ids.max().map_or(0, |id| id as usize + 1);
        let within = most(&mut threads.iter().map(|id| id.0)) <= limits[0]
            && most(&mut stacks.iter().map(|id| id.0)) <= limits[1]
            && most(&mut tasks.iter().map(|id| id.0)) <= limits[2];
        if within {
            return Ok(());
        }
        let Some((lost_stack, lost_thread)) = self.lost else {
            return Err(ChunkError::Content(
                "it refers to a thread, stack or task that is not there".into(),
            ));
        };
        for id in threads.iter_mut().filter(|id| id.index() >= limits[0]) {
            *id = lost_thread;
        }
        for id in stacks.iter_mut().filter(|id| id.index() >= limits[1]) {
            *id = lost_stack;
        }
        for id in tasks.iter_mut().filter(|id| id.index() >= limits[2]) {
            *id = TaskId::NONE;
        }
        Ok(())
    }

    fn stored_summary(&self, chunk: &ChunkRef) -> Result<Vec<SummaryRow>, ChunkError> {
        let mut rows = self.index.rows(self.store.as_ref(), chunk, |batch, _| {
            codec::decode_summary(batch)
        })?;
        for row in &mut rows {
            self.check_ids(
                std::slice::from_mut(&mut row.thread),
                std::slice::from_mut(&mut row.stack),
                std::slice::from_mut(&mut row.task),
            )?;
        }
        Ok(rows)
    }

    fn stored_tiles(&self, chunk: &ChunkRef) -> Result<Vec<TileRun>, ChunkError> {
        let mut runs = self.index.rows(self.store.as_ref(), chunk, |batch, _| {
            codec::decode_tiles(batch)
        })?;
        for TileRun { tile, .. } in &mut runs {
            let threads = std::slice::from_mut(&mut tile.thread);
            self.check_ids(threads, &mut [tile.stack, tile.active_stack], &mut [])?;
            for stack in [&mut tile.stack, &mut tile.active_stack] {
                self.check_ids(&mut [], std::slice::from_mut(stack), &mut [])?;
            }
        }
        Ok(runs)
    }

    fn block_tiles(&self, number: usize, width: usize) -> Result<Arc<[TileRun]>, SourceError> {
        let decoded = self.cache.get(Part::Tiles(width, number), || {
            let stored = self.block(number)?.tiles.get(width).copied().flatten();
            // Without its tiles, or with damaged ones, a block still has its samples.
            let stored = stored.and_then(|at| self.stored_tiles(&self.index.chunks[at]).ok());
            let runs = match stored {
                Some(runs) => runs,
                None => lod::tiles_of(&*self.samples(number)?, self.tile_widths[width]),
            };
            Ok(Decoded::Tiles(runs.into()))
        })?;
        match decoded {
            Decoded::Tiles(runs) => Ok(runs),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }
}

pub(crate) fn damaged(what: impl Into<String>, why: impl ToString) -> SourceError {
    SourceError::Damaged {
        what: what.into(),
        why: why.to_string(),
    }
}

impl Source for Recording {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    fn range(&self) -> TimeRange {
        self.range
    }

    fn blocks(&self) -> &[BlockSpan] {
        &self.spans
    }

    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError> {
        let decoded = self.cache.get(Part::Samples(block), || {
            Ok::<_, SourceError>(Decoded::Samples(Arc::new(self.decode_samples(block)?)))
        })?;
        match decoded {
            Decoded::Samples(samples) => Ok(samples),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }

    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        let decoded = self.cache.get(Part::Summary(block), || {
            let stored = self.block(block)?.summary;
            // Without its summary, or with a damaged one, a block still has its samples.
            let stored = stored.and_then(|at| self.stored_summary(&self.index.chunks[at]).ok());
            let rows = match stored {
                Some(rows) => rows,
                None => summarize(&*self.samples(block)?),
            };
            Ok::<_, SourceError>(Decoded::Summary(rows.into()))
        })?;
        match decoded {
            Decoded::Summary(rows) => Ok(rows),
            _ => unreachable!("the cache gives back the part that was asked for"),
        }
    }

    fn tile_widths(&self) -> &[Nanos] {
        &self.tile_widths
    }

    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        let Some(position) = self.tile_widths.iter().position(|w| *w == width) else {
            return Err(damaged(
                "the tiles",
                format!("there are none {} ns wide", width.0),
            ));
        };
        // A tile reaches beyond the samples in it, so blocks beside the range can add to a tile
        // that is in it.
        let start = range.start.0 - range.start.0 % width.0;
        let end = range.end.0.div_ceil(width.0).saturating_mul(width.0);
        let whole = TimeRange::new(Time(start), Time(end));
        let mut collector = TileCollector::new(width, whole);
        for (number, span) in self.spans.iter().enumerate() {
            if span.range.intersect(whole).is_none() {
                continue;
            }
            for run in self.block_tiles(number, position)?.iter() {
                collector.add(run)?;
            }
        }
        Ok(collector.finish())
    }

    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        // PERF: gathered by series, which chunks are sorted by; sorting all by time took a third
        // of reading them: 200,000 values in 1,667 chunks took 16.9 ms, and 10.5 ms with this (2-core
        // VM).
        let mut series = vec![Vec::new(); self.dictionary.counter_series().len()];
        for &at in &self.counters {
            let chunk = &self.index.chunks[at];
            if chunk.header.first >= range.end.0 || chunk.header.last < range.start.0 {
                continue;
            }
            let part = self
                .index
                .rows(self.store.as_ref(), chunk, |batch, _| {
                    codec::decode_counters(batch)
                })
                .map_err(|why| damaged("the counters", why))?;
            for row in part.into_iter().filter(|row| range.contains(row.time)) {
                if let Some(series) = series.get_mut(row.counter.index()) {
                    series.push(row);
                }
            }
        }
        for rows in &mut series {
            if !rows.is_sorted_by_key(|row: &CounterRow| row.time) {
                rows.sort_by_key(|row| row.time);
            }
        }
        Ok(series.concat())
    }

    fn zone_blocks(&self) -> &[BlockSpan] {
        &self.zone_spans
    }

    fn zones(&self, block: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        self.read_zones(block)
    }

    fn zone_summary(&self, block: usize) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        self.read_zone_summary(block)
    }

    fn zone_tile_widths(&self) -> &[Nanos] {
        &zone_lod::WIDTHS
    }

    fn zone_tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<ZoneTileRow>, SourceError> {
        self.read_zone_tiles(width, range)
    }

    fn frame_marks(&self) -> Result<Arc<[FrameMarkRow]>, SourceError> {
        if let Some(rows) = self.frame_marks.get() {
            return Ok(Arc::clone(rows));
        }
        let rows = self.read_frame_marks()?;
        Ok(Arc::clone(self.frame_marks.get_or_init(|| rows)))
    }

    fn logs(&self, range: TimeRange) -> Result<Vec<LogRow>, SourceError> {
        self.read_logs(range)
    }

    fn waits(&self, range: TimeRange) -> Result<Vec<WaitRow>, SourceError> {
        self.read_waits(range)
    }

    fn messages(&self) -> &[MessageRow] {
        &self.messages
    }

    fn losses(&self) -> &[LossRow] {
        &self.losses
    }

    fn clock(&self) -> &[ClockRow] {
        &self.clock
    }

    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError> {
        let Some(&at) = self.texts.get(&file) else {
            return Ok(None);
        };
        let chunk = &self.index.chunks[at];
        let texts = self
            .index
            .rows(self.store.as_ref(), chunk, |batch, _| {
                codec::decode_source_texts(batch)
            })
            .map_err(|why| damaged("a source text", why))?;
        let text = texts.into_iter().find(|(id, _)| *id == file);
        Ok(text.map(|(_, text)| text.into()))
    }
}
