//! Writing a recording.

use std::io::{self, Write};

use sondage_model::schema::Table;
use sondage_model::tiles::summarize;
use sondage_model::{
    ClockRow, CounterRow, Dictionary, FileId, FrameMarkRow, LogRow, LossKind, LossRow, Mark,
    MessageRow, Nanos, ProcessId, RecordingInfo, SampleColumns, SampleRow, Source, TaskId,
    ThreadId, Time, TimeRange, WaitRow, ZoneDetail, ZoneRow,
};

use crate::chunk::{self, FLAG_RELATIVE_WEIGHTS, Header};
use crate::error::WriteError;
use crate::output::Output;
use crate::parts::{CHUNK_ROWS, drop_front, keep_last, part_end, write_events};
use crate::zone_writer::ZoneWriter;
use crate::{codec, codec_dictionary, codec_program, lod};

/// Samples are written by themselves when so many wait.
const MOST_WAITING: usize = 32 << 10;
/// When writing fails, so many samples are kept for the next try; those beyond are lost.
const MOST_KEPT: usize = 256 << 10;
/// A block is complete with so many rows …
const BLOCK_ROWS: usize = 32 << 10;
/// … or when it spans this long and has at least [`BLOCK_LEAST`] rows …
const BLOCK_SPAN: Nanos = Nanos(8_000_000_000);
/// … fewer rows make a block worth its overhead only when it spans [`BLOCK_LONGEST`].
const BLOCK_LEAST: usize = 4 << 10;
const BLOCK_LONGEST: Nanos = Nanos(64_000_000_000);
/// Counters, losses and clock rows are few; they wait so long to share a chunk.
const SLOW_SPAN: Nanos = Nanos(2_000_000_000);
/// A message is cut to this length.
const LONGEST_MESSAGE: usize = 64 << 10;
/// A longer source text is not stored.
const LONGEST_TEXT: usize = 16 << 20;

/// What a finished recording holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Rows of samples in it.
    pub rows: u64,
    /// Rows of samples that could not be written.
    pub lost: u64,
}

/// Writes one recording to `W`, append only.
///
/// Rows are gathered and written at [`flush`](Writer::flush); after it returns, they are with the
/// operating system and survive the end of this process. Dictionary rows always precede the
/// samples that use them. On an error nothing is thrown away at once: see [`WriteError`].
///
/// `W` must not buffer, or must pass on what it has in its own `flush`, which is called after each
/// write.
pub struct Writer<W: Write> {
    out: Output<W>,
    dictionary: Dictionary,
    mark: Mark,
    processes: Vec<ProcessId>,
    threads: Vec<ThreadId>,
    tasks: Vec<TaskId>,
    samples: SampleColumns,
    block: Block,
    tile_widths: Vec<Nanos>,
    zones: ZoneWriter,
    frame_marks: Vec<FrameMarkRow>,
    logs: Vec<LogRow>,
    waits: Vec<WaitRow>,
    counters: Vec<CounterRow>,
    messages: Vec<MessageRow>,
    losses: Vec<LossRow>,
    clock: Vec<ClockRow>,
    texts: Vec<(FileId, Box<str>)>,
    slow_written: Time,
    written: Written,
    lost_told: u64,
}

/// The block being written.
#[derive(Default)]
struct Block {
    number: u32,
    samples: SampleColumns,
    span: Option<TimeRange>,
    /// Which of the level-of-detail chunks are written: the summary, then one for each width.
    done: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a recording: writes the head and `info`.
    ///
    /// # Errors
    /// When `writer` fails.
    pub fn create(writer: W, info: &RecordingInfo) -> Result<Writer<W>, WriteError> {
        let tile_widths = lod::tile_widths(info.interval);
        let mut writer = Writer {
            out: Output::new(writer),
            dictionary: Dictionary::default(),
            mark: Dictionary::default().mark(),
            processes: Vec::new(),
            threads: Vec::new(),
            tasks: Vec::new(),
            samples: SampleColumns::default(),
            block: Block::default(),
            tile_widths,
            zones: ZoneWriter::default(),
            frame_marks: Vec::new(),
            logs: Vec::new(),
            waits: Vec::new(),
            counters: Vec::new(),
            messages: Vec::new(),
            losses: Vec::new(),
            clock: Vec::new(),
            texts: Vec::new(),
            slow_written: Time::ZERO,
            written: Written::default(),
            lost_told: 0,
        };
        let encoded = codec::encode_info(info, &writer.tile_widths);
        let begun = writer
            .out
            .write(&chunk::head())
            .and_then(|()| writer.out.rows(Table::Info, &encoded, Header::default()));
        match begun {
            Ok(()) => Ok(writer),
            Err(error) => Err(writer.failed(error)),
        }
    }

    /// What samples refer to. Rows must be added here before samples that use them are pushed.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// As [`Writer::dictionary`], to add to it.
    pub fn dictionary_mut(&mut self) -> &mut Dictionary {
        &mut self.dictionary
    }

    /// Adds a sample. Writes by itself only when very many wait.
    ///
    /// # Errors
    /// When that write fails; the sample is kept as [`WriteError`] tells.
    pub fn push_sample(&mut self, row: SampleRow) -> Result<(), WriteError> {
        self.samples.push(row);
        if self.samples.len().is_multiple_of(MOST_WAITING) {
            return self.flush(row.time);
        }
        Ok(())
    }

    /// Adds a zone. Those of one lane must come in the order of their ends. Writes by itself only
    /// when very many wait.
    ///
    /// # Errors
    /// When that write fails; the zone is kept as [`WriteError`] tells.
    pub fn push_zone(
        &mut self,
        row: ZoneRow,
        detail: Option<ZoneDetail>,
    ) -> Result<(), WriteError> {
        self.zones.push(row, detail);
        if self.zones.len().is_multiple_of(MOST_WAITING) {
            return self.flush(row.range().end);
        }
        Ok(())
    }

    /// Adds a frame mark.
    pub fn push_frame_mark(&mut self, row: FrameMarkRow) {
        self.frame_marks.push(row);
    }

    /// Adds a line of the program's log. Text beyond 64 KiB is cut off.
    pub fn push_log(&mut self, mut row: LogRow) {
        let end = row.text.floor_char_boundary(LONGEST_MESSAGE);
        row.text.truncate(end);
        self.logs.push(row);
    }

    /// Adds a wait for a lock.
    pub fn push_wait(&mut self, row: WaitRow) {
        self.waits.push(row);
    }

    /// Adds the value of a counter. Counters, losses and clock rows reach the file within two
    /// seconds of [`flush`](Writer::flush)es.
    pub fn push_counter(&mut self, row: CounterRow) {
        self.counters.push(row);
    }

    /// Adds a message. Text beyond 64 KiB is cut off.
    pub fn push_message(&mut self, mut row: MessageRow) {
        let end = row.text.floor_char_boundary(LONGEST_MESSAGE);
        row.text.truncate(end);
        self.messages.push(row);
    }

    /// Adds a loss.
    pub fn push_loss(&mut self, row: LossRow) {
        self.losses.push(row);
    }

    /// Adds a row of the profiler's own cost.
    pub fn push_clock(&mut self, row: ClockRow) {
        self.clock.push(row);
    }

    /// Keeps the text of a source file. Texts over 16 MiB are left out.
    pub fn add_source_text(&mut self, file: FileId, text: &str) {
        if text.len() <= LONGEST_TEXT {
            self.texts.push((file, text.into()));
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.out.offset
    }

    /// Writes what was gathered. `now` decides what is due.
    ///
    /// # Errors
    /// When writing fails. The writer can be used further.
    pub fn flush(&mut self, now: Time) -> Result<(), WriteError> {
        self.flush_parts(now, false)
            .map_err(|error| self.failed(error))
    }

    /// Writes all that is left, the level of detail of the last block, and the footer.
    ///
    /// # Errors
    /// When writing fails. It may be called again; without a footer the file is still readable.
    pub fn finish(&mut self, now: Time) -> Result<Written, WriteError> {
        self.flush_parts(now, true)
            .and_then(|()| self.out.footer())
            .map_err(|error| self.failed(error))?;
        self.written.bytes = self.out.offset;
        Ok(self.written)
    }

    /// Gives back what it writes to.
    pub fn into_inner(self) -> W {
        self.out.into_inner()
    }

    /// Appends all of `source`, as for an import. The dictionary must be empty.
    ///
    /// # Errors
    /// When writing fails, or `source` cannot be read, which is told as an I/O error.
    pub fn copy_from(&mut self, source: &dyn Source) -> Result<(), WriteError> {
        self.dictionary = source.dictionary().clone();
        self.processes = (0..self.dictionary.processes().len() as u32)
            .map(ProcessId)
            .collect();
        self.threads = (0..self.dictionary.threads().len() as u32)
            .map(ThreadId)
            .collect();
        self.tasks = (1..self.dictionary.tasks().len() as u32)
            .map(TaskId)
            .collect();
        let unreadable =
            |error| io::Error::new(io::ErrorKind::InvalidData, format!("its source: {error}"));
        for block in 0..source.blocks().len() {
            let samples = match source.samples(block) {
                Ok(samples) => samples,
                Err(error) => return Err(self.failed(unreadable(error))),
            };
            for row in samples.rows() {
                self.push_sample(row)?;
            }
        }
        for block in 0..source.zone_blocks().len() {
            let zones = match source.zones(block) {
                Ok(zones) => zones,
                Err(error) => return Err(self.failed(unreadable(error))),
            };
            for row in zones.rows() {
                self.push_zone(row, zones.detail(&row).cloned())?;
            }
        }
        let all = TimeRange::ALL;
        let others = source.counters(all).and_then(|counters| {
            let waits = source.waits(all)?;
            Ok((counters, source.frame_marks()?, source.logs(all)?, waits))
        });
        match others {
            Ok((counters, frame_marks, logs, waits)) => {
                self.counters.extend(counters);
                self.frame_marks.extend(frame_marks.iter());
                self.logs.extend(logs);
                self.waits.extend(waits);
            }
            Err(error) => return Err(self.failed(unreadable(error))),
        }
        self.messages.extend(source.messages().iter().cloned());
        self.losses.extend(source.losses());
        self.clock.extend(source.clock());
        for file in 0..self.dictionary.files().len() as u32 {
            match source.source_text(FileId(file)) {
                Ok(Some(text)) => self.add_source_text(FileId(file), &text),
                Ok(None) => {}
                Err(error) => return Err(self.failed(unreadable(error))),
            }
        }
        Ok(())
    }

    fn failed(&mut self, source: io::Error) -> WriteError {
        // Bounded: a disk that stays full must not fill the memory too.
        if self.samples.len() > MOST_KEPT {
            self.written.lost += self.samples.len() as u64;
            self.samples.clear();
        }
        self.written.lost += self.zones.drop_excess();
        keep_last(&mut self.frame_marks);
        keep_last(&mut self.logs);
        keep_last(&mut self.waits);
        keep_last(&mut self.counters);
        keep_last(&mut self.messages);
        keep_last(&mut self.losses);
        keep_last(&mut self.clock);
        WriteError {
            offset: self.out.offset,
            waiting: (self.samples.len() + self.zones.len()) as u64,
            lost: self.written.lost,
            source,
        }
    }

    fn flush_parts(&mut self, now: Time, last: bool) -> io::Result<()> {
        self.flush_dictionary()?;
        self.flush_samples(last)?;
        self.zones.flush(&mut self.out, last)?;
        while let Some((file, text)) = self.texts.last() {
            let encoded = codec::encode_source_text(*file, text);
            let header = Header {
                detail: u64::from(file.0),
                ..Header::default()
            };
            self.out.rows(Table::SourceTexts, &encoded, header)?;
            self.texts.pop();
        }
        if self.written.lost > self.lost_told {
            self.losses.push(LossRow {
                time: now,
                process: None,
                kind: LossKind::Write,
                count: self.written.lost - self.lost_told,
            });
            self.lost_told = self.written.lost;
        }
        let out = &mut self.out;
        write_events(
            out,
            Table::Messages,
            &mut self.messages,
            codec::encode_messages,
            |row| (row.time, row.time),
        )?;
        write_events(
            out,
            Table::FrameMarks,
            &mut self.frame_marks,
            codec_program::encode_frame_marks,
            |row| (row.time, row.time),
        )?;
        write_events(
            out,
            Table::Logs,
            &mut self.logs,
            codec_program::encode_logs,
            |row| (row.time, row.time),
        )?;
        write_events(
            out,
            Table::Waits,
            &mut self.waits,
            codec_program::encode_waits,
            |row| (row.start, row.start + row.wait + row.hold),
        )?;
        if last || now.since(self.slow_written) >= SLOW_SPAN {
            // By series, so that equal and near values are neighbours.
            self.counters.sort_by_key(|row| (row.counter, row.time));
            let out = &mut self.out;
            write_events(
                out,
                Table::Counters,
                &mut self.counters,
                codec::encode_counters,
                |row| (row.time, row.time),
            )?;
            write_events(
                out,
                Table::Losses,
                &mut self.losses,
                codec::encode_losses,
                |row| (row.time, row.time),
            )?;
            write_events(
                out,
                Table::Clock,
                &mut self.clock,
                codec::encode_clock,
                |row| (row.time, row.time),
            )?;
            self.slow_written = now;
        }
        Ok(())
    }

    fn flush_dictionary(&mut self) -> io::Result<()> {
        self.processes
            .extend(self.dictionary.take_changed_processes());
        self.threads.extend(self.dictionary.take_changed_threads());
        self.tasks.extend(self.dictionary.take_changed_tasks());
        let now = self.dictionary.mark();
        macro_rules! by_position {
            ($($table:ident $field:ident;)*) => {$(
                while self.mark.$field < now.$field {
                    let from = self.mark.$field;
                    let to = part_end(&self.dictionary, Table::$table, from, now.$field);
                    let encoded = codec_dictionary::encode_by_position(&self.dictionary, Table::$table, from, to);
                    let header = Header { detail: from as u64, ..Header::default() };
                    self.out.rows(Table::$table, &encoded, header)?;
                    self.mark.$field = to;
                }
            )*};
        }
        macro_rules! by_id {
            ($($table:ident $field:ident $encode:ident;)*) => {$(
                while !self.$field.is_empty() {
                    let part = self.$field.len().min(CHUNK_ROWS);
                    let encoded = codec_dictionary::$encode(&self.dictionary, &self.$field[..part]);
                    self.out.rows(Table::$table, &encoded, Header::default())?;
                    self.$field.drain(..part);
                }
            )*};
        }
        by_position! {
            Strings strings; Files files; Functions functions; Frames frames; Stacks stacks;
        }
        by_id! {
            Processes processes encode_processes;
            Threads threads encode_threads;
            Tasks tasks encode_tasks;
        }
        by_position! {
            Modules modules; CounterSeries counter_series; Sites sites; Locks locks;
        }
        Ok(())
    }

    fn flush_samples(&mut self, last: bool) -> io::Result<()> {
        // A block whose level of detail could not be written last time comes first.
        if self.block.done > 0 {
            self.close_block()?;
        }
        let mut start = 0;
        let result = loop {
            if start == self.samples.len() {
                break Ok(());
            }
            let end = self.samples.len().min(start + CHUNK_ROWS);
            let part = codec::encode_samples(&self.samples, start..end);
            if let Err(error) = self.write_samples(&part) {
                break Err(error);
            }
            for index in start..start + part.encoded.rows {
                self.block.samples.push(self.samples.row(index));
            }
            let span = self
                .block
                .span
                .get_or_insert(TimeRange::new(part.first, part.last));
            span.start = span.start.min(part.first);
            span.end = span.end.max(part.last);
            self.written.rows += part.encoded.rows as u64;
            start += part.encoded.rows;
            if self.block.is_complete()
                && let Err(error) = self.close_block()
            {
                break Err(error);
            }
        };
        drop_front(&mut self.samples, start);
        result?;
        if last && !self.block.samples.is_empty() {
            self.close_block()?;
        }
        Ok(())
    }

    fn write_samples(&mut self, part: &codec::EncodedSamples) -> io::Result<()> {
        let header = Header {
            flags: if part.relative {
                FLAG_RELATIVE_WEIGHTS
            } else {
                0
            },
            block: self.block.number,
            first: part.first.0,
            last: part.last.0,
            detail: part.base.0,
            count: part.count,
            threads: part.threads,
            ..Header::default()
        };
        self.out.rows(Table::Samples, &part.encoded, header)
    }

    /// Writes the level of detail of the block, of which what is written stays written.
    fn close_block(&mut self) -> io::Result<()> {
        let block = &mut self.block;
        let span = block.span.unwrap_or(TimeRange::new(Time::ZERO, Time::ZERO));
        let header = Header {
            block: block.number,
            first: span.start.0,
            last: span.end.0,
            count: block.samples.len() as u64,
            ..Header::default()
        };
        block.done = block.done.max(1);
        while block.done <= self.tile_widths.len() + 1 {
            if block.done == 1 {
                let rows = summarize(&block.samples);
                let encoded = codec::encode_summary(&rows);
                self.out.rows(Table::Summaries, &encoded, header)?;
            } else {
                let width = self.tile_widths[block.done - 2];
                let runs = lod::tiles_of(&block.samples, width);
                let encoded = codec::encode_tiles(&runs);
                let header = Header {
                    detail: width.0,
                    ..header
                };
                self.out.rows(Table::Tiles, &encoded, header)?;
            }
            block.done += 1;
        }
        block.number += 1;
        block.samples.clear();
        block.span = None;
        block.done = 0;
        Ok(())
    }
}

impl Block {
    fn is_complete(&self) -> bool {
        let rows = self.samples.len();
        let span = self.span.map_or(Nanos::ZERO, TimeRange::span);
        rows >= BLOCK_ROWS || (rows >= BLOCK_LEAST && span >= BLOCK_SPAN) || span >= BLOCK_LONGEST
    }
}
