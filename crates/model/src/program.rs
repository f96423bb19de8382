//! Rows of what a program says of itself: zones, frame marks, log lines, locks.
//!
//! *Zone* is any stretch of time that the program named: a scope of one thread, a call that was
//! traced, or a **span**, which has a number of its own and may be suspended, change threads and
//! have its parent in another process.

use crate::{
    FileId, LockId, Nanos, ProcessId, SiteId, SpanId, StringId, TaskId, ThreadId, Time, TimeRange,
};

/// A place in the source where zones are made: what is compared when we say "the same zone".
///
/// Of ids in a recording. Whoever has no ids yet puts the texts themselves (`String`) in their place;
/// so in [`LockRow`] and [`CounterSeriesRow`](crate::CounterSeriesRow).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SiteRow<Text = StringId, File = FileId> {
    /// The zone's name.
    pub name: Text,
    /// The function it stands in; empty where unknown.
    pub function: Text,
    /// Its file; the empty string where unknown.
    pub file: File,
    /// Its line, 1-based; 0 where unknown.
    pub line: u32,
    /// `0xRRGGBB`, or 0 to let the view choose.
    pub colour: u32,
}

/// A lock that the program wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LockRow<Process = ProcessId, Text = StringId> {
    /// Its process.
    pub process: Process,
    /// Its name.
    pub name: Text,
    /// Where it was made, as `file:line`; empty where unknown.
    pub place: Text,
}

/// What is special about a zone; several may be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ZoneFlags(pub u8);

impl ZoneFlags {
    /// A zone of one thread, like most.
    pub const NONE: ZoneFlags = ZoneFlags(0);
    /// It is a span: [`ZoneRow::span`] is its number.
    pub const SPAN: ZoneFlags = ZoneFlags(1);
    /// One stretch of a suspended span on a thread. The span's own row has the same number.
    pub const POLL: ZoneFlags = ZoneFlags(2);
    /// The span was suspended or changed threads: [`ZoneRow::busy`] is less than its duration.
    pub const SUSPENDED: ZoneFlags = ZoneFlags(4);
    /// It failed: an exception left it.
    pub const FAILED: ZoneFlags = ZoneFlags(8);
    /// Its end was not seen; it is taken to end with the thread or the recording.
    pub const OPEN: ZoneFlags = ZoneFlags(16);
    /// Many passes of one place, added up: [`ZoneDetail::count`] and its neighbours tell.
    pub const CUMULATIVE: ZoneFlags = ZoneFlags(32);
    /// Its parent is in another process.
    pub const REMOTE: ZoneFlags = ZoneFlags(64);
    /// Its end fell into a gap of lost events; it is taken to end there.
    pub const CUT: ZoneFlags = ZoneFlags(128);

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn has(self, other: ZoneFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `other` set too.
    #[must_use]
    pub const fn with(self, other: ZoneFlags) -> ZoneFlags {
        ZoneFlags(self.0 | other.0)
    }
}

/// One zone, from its begin to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ZoneRow {
    /// When it began.
    pub start: Time,
    /// How long it took.
    pub duration: Nanos,
    /// Time in it on a thread: less than the duration for a span that was suspended.
    pub busy: Nanos,
    /// The thread; of a span that changed threads the one where it began.
    pub thread: ThreadId,
    /// Its place.
    pub site: SiteId,
    /// Zones of one thread that do not nest (spans of concurrent tasks) lie in different lanes.
    /// 0 is the thread's own.
    pub lane: u16,
    /// How many zones of its lane are around it.
    pub depth: u16,
    /// What is special about it.
    pub flags: ZoneFlags,
    /// Its number, if it is a span.
    pub span: SpanId,
    /// The span around it, of any process.
    pub parent: SpanId,
    /// Its [`ZoneDetail`], counted from 1, in the same [`ZoneColumns`]; 0 for none.
    pub detail: u32,
}

impl ZoneRow {
    /// The interval it covers.
    #[must_use]
    pub fn range(&self) -> TimeRange {
        TimeRange {
            start: self.start,
            end: self.start + self.duration,
        }
    }
}

/// What few zones have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ZoneDetail {
    /// Arguments and values, as one JSON object; empty for none.
    pub arguments: String,
    /// The trace it belongs to, 0 where unknown.
    pub trace: u128,
    /// The asyncio task it ran in, if any.
    pub task: TaskId,
    /// Passes, if it is cumulative.
    pub count: u64,
    /// The shortest pass.
    pub min: Nanos,
    /// The longest pass.
    pub max: Nanos,
    /// All passes together.
    pub total: Nanos,
}

/// Zones as columns, all of one length but for `details`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ZoneColumns {
    /// [`ZoneRow::start`].
    pub starts: Vec<Time>,
    /// [`ZoneRow::duration`].
    pub durations: Vec<Nanos>,
    /// [`ZoneRow::busy`].
    pub busies: Vec<Nanos>,
    /// [`ZoneRow::thread`].
    pub threads: Vec<ThreadId>,
    /// [`ZoneRow::site`].
    pub sites: Vec<SiteId>,
    /// [`ZoneRow::lane`].
    pub lanes: Vec<u16>,
    /// [`ZoneRow::depth`].
    pub depths: Vec<u16>,
    /// [`ZoneRow::flags`].
    pub flags: Vec<ZoneFlags>,
    /// [`ZoneRow::span`].
    pub spans: Vec<SpanId>,
    /// [`ZoneRow::parent`].
    pub parents: Vec<SpanId>,
    /// [`ZoneRow::detail`].
    pub detail_numbers: Vec<u32>,
    /// The details that `detail_numbers` count.
    pub details: Vec<ZoneDetail>,
}

impl ZoneColumns {
    /// Number of zones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Appends a zone; `row.detail` is set here.
    pub fn push(&mut self, row: ZoneRow, detail: Option<ZoneDetail>) {
        self.starts.push(row.start);
        self.durations.push(row.duration);
        self.busies.push(row.busy);
        self.threads.push(row.thread);
        self.sites.push(row.site);
        self.lanes.push(row.lane);
        self.depths.push(row.depth);
        self.flags.push(row.flags);
        self.spans.push(row.span);
        self.parents.push(row.parent);
        let number = match detail {
            Some(detail) => {
                self.details.push(detail);
                self.details.len() as u32
            }
            None => 0,
        };
        self.detail_numbers.push(number);
    }

    /// The zone at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`ZoneColumns::len`].
    #[must_use]
    pub fn row(&self, index: usize) -> ZoneRow {
        ZoneRow {
            start: self.starts[index],
            duration: self.durations[index],
            busy: self.busies[index],
            thread: self.threads[index],
            site: self.sites[index],
            lane: self.lanes[index],
            depth: self.depths[index],
            flags: self.flags[index],
            span: self.spans[index],
            parent: self.parents[index],
            detail: self.detail_numbers[index],
        }
    }

    /// The zones in order.
    pub fn rows(&self) -> impl Iterator<Item = ZoneRow> + '_ {
        (0..self.len()).map(|index| self.row(index))
    }

    /// What only this zone has, if anything.
    #[must_use]
    pub fn detail(&self, row: &ZoneRow) -> Option<&ZoneDetail> {
        self.details.get((row.detail as usize).checked_sub(1)?)
    }
}

/// A level-of-detail row: the zones of one place and thread in one block, added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ZoneSummaryRow {
    /// The place.
    pub site: SiteId,
    /// The thread.
    pub thread: ThreadId,
    /// Zones, stretches of suspended spans left out.
    pub count: u64,
    /// Sum of their durations.
    pub total: Nanos,
    /// Sum of their durations less those of the zones directly inside them.
    pub own: Nanos,
    /// The shortest.
    pub min: Nanos,
    /// The longest.
    pub max: Nanos,
}

/// A level-of-detail row: one row of zones over one bucket of time `[start, start + width)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ZoneTileRow {
    /// The thread.
    pub thread: ThreadId,
    /// [`ZoneRow::lane`].
    pub lane: u16,
    /// [`ZoneRow::depth`].
    pub depth: u16,
    /// Start of the bucket; a multiple of its width.
    pub start: Time,
    /// Width of the bucket.
    pub width: Nanos,
    /// Time covered by zones; at most `width`.
    pub busy: Nanos,
    /// Zones that began in it.
    pub count: u32,
    /// The place with most time in it.
    pub site: SiteId,
}

/// Which side of a frame a mark is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum FrameMarkKind {
    /// One frame ends and the next begins.
    #[default]
    Mark = 0,
    /// A discontinuous frame begins.
    Begin = 1,
    /// A discontinuous frame ends.
    End = 2,
}

/// A frame mark: what games and desktop programs say once a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameMarkRow {
    /// When.
    pub time: Time,
    /// The thread that said it.
    pub thread: ThreadId,
    /// Name of the frame; empty for the program's main one.
    pub name: StringId,
    /// Which side.
    pub kind: FrameMarkKind,
}

/// A line of the program's log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogRow {
    /// When.
    pub time: Time,
    /// The thread that wrote it.
    pub thread: ThreadId,
    /// 0 none, 1 debug, 2 info, 3 warning, 4 error, 5 critical: a tenth of Python's.
    pub level: u8,
    /// `0xRRGGBB`; 0 for none.
    pub colour: u32,
    /// The text.
    pub text: String,
}

/// How a lock was asked for, and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum WaitKind {
    /// Obtained alone.
    #[default]
    Exclusive = 0,
    /// Obtained together with other readers.
    Shared = 1,
    /// Given up without it.
    GivenUp = 2,
}

/// One time that a thread asked for a lock: the wait, and for how long it then had it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WaitRow {
    /// When it asked.
    pub start: Time,
    /// How long it waited; 0 where the lock was free.
    pub wait: Nanos,
    /// How long it had the lock after that.
    pub hold: Nanos,
    /// The thread.
    pub thread: ThreadId,
    /// The lock.
    pub lock: LockId,
    /// Who had the lock when the wait began, where known.
    pub holder: Option<ThreadId>,
    /// What came of it.
    pub kind: WaitKind,
}
