//! What all threads under observation share: the dictionary, the rows collected since the last
//! batch, and where the clock started.

use rustc_hash::{FxHashMap, FxHashSet};
use sondage_inspect::StackSnapshot;
use sondage_model::{
    Dictionary, LossKind, LossRow, Mark, MessageLevel, MessageRow, MonoTime, ProcessId, SampleRow,
    StackId, ThreadId, Tid, Time,
};

use crate::batch::{Batch, Delta, empty_mark};
use crate::options::Options;
use crate::stacks::meta_stack;

/// Most rows kept when the writer does not keep up; more are dropped and counted.
const MOST_ROWS: usize = 4 << 20;

/// Programs found to have no Python inside, by device and inode, so that their files are read once.
pub type Foreign = FxHashSet<(u64, u64)>;

/// A thread that its program told of before the sampler saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BareThread {
    /// Its row.
    pub id: ThreadId,
    /// Whether the program named it.
    pub is_named: bool,
}

/// What all threads under observation share.
#[derive(Debug)]
pub struct Recorder {
    /// The recording's dictionary; the writer has a copy that follows by [`Delta`]s.
    pub dictionary: Dictionary,
    /// Rows since the last batch.
    pub batch: Batch,
    /// A stack just read; kept to reuse its memory.
    pub snapshot: StackSnapshot,
    /// Programs without Python.
    pub foreign: Foreign,
    /// Threads that are not sampled, by process and number.
    pub bare_threads: FxHashMap<(ProcessId, Tid), BareThread>,
    /// What to record.
    pub options: Options,
    /// Start of the recording.
    pub start: MonoTime,
    /// Observations so far, rejected ones too.
    pub observations: u64,
    /// Observations kept as rows so far.
    pub kept: u64,
    /// Observations rejected so far.
    pub rejected: u64,
    /// Rows dropped since the last batch, for the writer did not keep up.
    dropped: u64,
    mark: Mark,
}

impl Recorder {
    /// An empty one.
    #[must_use]
    pub fn new(options: Options, start: MonoTime) -> Recorder {
        Recorder {
            dictionary: Dictionary::default(),
            batch: Batch::default(),
            snapshot: StackSnapshot::default(),
            foreign: Foreign::default(),
            bare_threads: FxHashMap::default(),
            options,
            start,
            observations: 0,
            kept: 0,
            rejected: 0,
            dropped: 0,
            mark: empty_mark(),
        }
    }

    /// A time on the recording's clock.
    #[must_use]
    pub fn time(&self, now: MonoTime) -> Time {
        now.in_recording(self.start)
    }

    /// Takes a row that is complete.
    pub fn push(&mut self, row: SampleRow) {
        if !self.options.keeps(row.state) {
            return;
        }
        if self.batch.samples.len() >= MOST_ROWS {
            self.dropped += u64::from(row.count);
            return;
        }
        self.kept += u64::from(row.count);
        self.batch.samples.push(row);
    }

    /// Takes a message.
    pub fn message(
        &mut self,
        now: MonoTime,
        level: MessageLevel,
        process: Option<ProcessId>,
        text: String,
    ) {
        let time = self.time(now);
        self.batch.messages.push(MessageRow {
            time,
            level,
            process,
            text,
        });
    }

    /// The stack of one frame that is no code: `<native NAME>`.
    pub fn native_stack(&mut self, name: &str) -> StackId {
        meta_stack(&format!("<native {name}>"), &mut self.dictionary)
    }

    /// The rows since the last batch, with what is new in the dictionary; `empty` takes their place.
    pub fn take_batch(&mut self, now: MonoTime, empty: Batch) -> Batch {
        self.batch.delta = Delta::take(&mut self.dictionary, &mut self.mark);
        if self.dropped > 0 {
            let time = self.time(now);
            self.batch.losses.push(LossRow {
                time,
                process: None,
                kind: LossKind::Write,
                count: std::mem::take(&mut self.dropped),
            });
        }
        std::mem::replace(&mut self.batch, empty)
    }
}
