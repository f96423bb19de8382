//! The writing thread: puts batches into a recording file, and the source texts beside them.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use rustc_hash::FxHashMap;
use sondage_model::{MessageLevel, Nanos, ProcessId, Time};
use sondage_recording::{WriteError, Writer, Written};

use crate::batch::Batch;
use crate::program::{IdMap, ResolvedBatch};
use crate::sampler::Notice;
use crate::source_text::{Folders, SourceReader};
use crate::stacks::NewFile;

/// When the first source texts are read, and how often new ones are looked for then: not while
/// the program starts, but before it can be long gone.
const TEXTS_EVERY: Nanos = Nanos(5_000_000_000);

/// What is written to, live.
pub struct RecordingWriter {
    writer: Writer<File>,
    texts: Option<Texts>,
    notices: Sender<Notice>,
    /// Bytes written so far, for progress lines.
    bytes: Arc<AtomicU64>,
    failing: bool,
    /// What the numbers in programs' rows stand for.
    ids: IdMap,
}

/// Source files seen, and those whose text is still to be read.
#[derive(Default)]
struct Texts {
    reader: SourceReader,
    folders: FxHashMap<ProcessId, Folders>,
    waiting: Vec<NewFile>,
    read_at: Time,
}

/// How writing went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// What the file holds.
    pub written: Written,
    /// Why the file is not whole, if it is not.
    pub error: Option<String>,
}

impl RecordingWriter {
    /// Writes to `writer`; with `source_text`, source files are kept inside.
    pub fn new(
        writer: Writer<File>,
        source_text: bool,
        notices: Sender<Notice>,
        bytes: Arc<AtomicU64>,
    ) -> RecordingWriter {
        RecordingWriter {
            writer,
            texts: source_text.then(Texts::default),
            notices,
            bytes,
            failing: false,
            ids: IdMap::default(),
        }
    }

    /// Writes batches until the sampler is done.
    pub fn run(mut self, batches: &Receiver<Batch>, empties: &Sender<Batch>) -> Outcome {
        let mut end = Time::ZERO;
        while let Ok(mut batch) = batches.recv() {
            end = end.max(batch.end);
            self.take(&mut batch);
            self.read_texts(end, false);
            let result = self.writer.flush(end);
            self.note(result.err().map(|error| error.to_string()));
            self.bytes
                .store(self.writer.bytes_written(), Ordering::Relaxed);
            batch.clear();
            // The sampler may be done and gone.
            let _ = empties.send(batch);
        }
        self.read_texts(end, true);
        let result = self.writer.finish(end);
        let outcome = match result {
            Ok(written) => Outcome {
                written,
                error: None,
            },
            Err(error) => Outcome {
                written: Written {
                    bytes: self.writer.bytes_written(),
                    lost: error.lost + error.waiting,
                    ..Written::default()
                },
                error: Some(format!(
                    "the recording ends at byte {}: {}; {} rows of samples are lost",
                    error.offset,
                    error.source,
                    error.lost + error.waiting
                )),
            },
        };
        self.bytes.store(outcome.written.bytes, Ordering::Relaxed);
        outcome
    }

    fn take(&mut self, batch: &mut Batch) {
        batch.delta.apply(self.writer.dictionary_mut());
        if let Some(texts) = &mut self.texts {
            texts.folders.extend(batch.folders.drain(..));
            texts.waiting.append(&mut batch.new_files);
        }
        let mut failed = None;
        for row in batch.samples.rows() {
            // The row is kept for the next try; see `WriteError`.
            if let Err(error) = self.writer.push_sample(row) {
                failed = Some(error.to_string());
            }
        }
        for program in batch.programs.drain(..) {
            if let Err(error) = self.take_program(program) {
                failed = Some(error.to_string());
            }
        }
        self.note(failed);
        for row in batch.counters.drain(..) {
            self.writer.push_counter(row);
        }
        for row in batch.messages.drain(..) {
            self.writer.push_message(row);
        }
        for row in batch.losses.drain(..) {
            self.writer.push_loss(row);
        }
        for row in batch.clock.drain(..) {
            self.writer.push_clock(row);
        }
    }

    /// Writes what programs said of themselves.
    fn take_program(&mut self, batch: ResolvedBatch) -> Result<(), WriteError> {
        let ResolvedBatch { ids, mut rows } = batch;
        self.ids.extend(ids);
        self.ids.apply(&mut rows);
        let mut result = Ok(());
        let mut details = std::mem::take(&mut rows.zones.details);
        for row in rows.zones.rows() {
            let detail = (row.detail as usize).checked_sub(1);
            let detail = detail
                .and_then(|at| details.get_mut(at))
                .map(std::mem::take);
            // The row is kept for the next try; see `WriteError`.
            let pushed = self.writer.push_zone(row, detail);
            result = result.and(pushed);
        }
        for row in rows.frame_marks {
            self.writer.push_frame_mark(row);
        }
        for row in rows.logs {
            self.writer.push_log(row);
        }
        for row in rows.waits {
            self.writer.push_wait(row);
        }
        for row in rows.counters {
            self.writer.push_counter(row);
        }
        for row in rows.losses {
            self.writer.push_loss(row);
        }
        for row in rows.messages {
            self.writer.push_message(row);
        }
        result
    }

    fn read_texts(&mut self, now: Time, last: bool) {
        let Some(texts) = &mut self.texts else { return };
        if !last && now < texts.read_at + TEXTS_EVERY {
            return;
        }
        texts.read_at = now;
        for NewFile { file, process } in texts.waiting.drain(..) {
            let Some(folders) = texts.folders.get(&process) else {
                continue;
            };
            let path = self.writer.dictionary().file_path(file);
            if let Some(text) = texts.reader.read(folders, path) {
                self.writer.add_source_text(file, &text);
            }
        }
    }

    /// Tells when writing begins to fail; it is tried again with each batch.
    fn note(&mut self, error: Option<String>) {
        let begins = error.is_some() && !self.failing;
        self.failing = error.is_some();
        if let (Some(text), true) = (error, begins) {
            // Nobody listens any more when the recording ends.
            let _ = self.notices.send(Notice {
                level: MessageLevel::Error,
                text,
                hint: Some("the program runs on; make room to go on recording".into()),
            });
        }
    }
}
