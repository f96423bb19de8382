//! From begins and ends to zones. Knows no arena, no clock and no dictionary.
//!
//! A **stream** is what one thread wrote into one arena, in order. A program that has two arenas
//! (its own and a Python module's) has two streams in a thread. Zones are a stream's own business
//! and are paired at once. Spans concern several threads: as soon as a stream has any, its events
//! wait until all streams are known up to their time ([`Pairing::settle`]).
//!
//! Where a span lies: on its parent if that is the innermost span in its lane; else in the
//! stream's own lane if no span is open there, on the zones that are; else in the first empty
//! lane. A span that is suspended gives its place back and gets one in a lane of its own for the
//! whole of its time; what stays where it began is a row of that stretch. Stretches are pushed on
//! the stream's own lane: they nest with the zones of their thread. A task's spans go where its
//! last one was, if there is room: a worker keeps its lane.
//!
//! Every begin gives exactly one row, whatever happens to its end: see [`ZoneFlags::CUT`] and
//! [`ZoneFlags::OPEN`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use sondage_model::{
    Nanos, SiteId, SpanId, TaskId, ThreadId, Time, ZoneDetail, ZoneFlags, ZoneRow,
};
use sondage_wire::OwnedValue;

use super::arguments::Arguments;
use super::lanes::{Lanes, Place};
use super::rows::Rows;

mod spans;

/// Zones and spans that may be open in a process. A begin beyond them is a row at once.
const MOST_OPEN: usize = 1 << 20;

/// Ancestors of a span that are looked at.
const MOST_ANCESTORS: usize = 64;

/// Tasks of a thread whose lanes are remembered.
const MOST_TASKS: usize = 1 << 12;

/// A stream, by its number in its [`Pairing`].
pub type StreamId = usize;

/// What a stream tells. Times come beside it, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A zone begins.
    ZoneBegin {
        /// Its place in the source.
        site: SiteId,
        /// Zones of the stream that are open around it.
        depth: u16,
    },
    /// The innermost zone ends.
    ZoneEnd,
    /// An argument of a span, or of the innermost zone where `span` is none.
    Value {
        /// Of which span.
        span: SpanId,
        /// Its name.
        key: Arc<str>,
        /// Its value.
        value: OwnedValue,
    },
    /// The task of a span that begins next on this thread.
    Task {
        /// Of which span.
        span: SpanId,
        /// Its task, or none.
        task: TaskId,
    },
    /// A span begins, on this thread.
    SpanBegin {
        /// Its place in the source.
        site: SiteId,
        /// Its number.
        span: SpanId,
        /// The span around it.
        parent: SpanId,
        /// The trace, if it is told.
        trace: u128,
        /// Whether the parent is in another process.
        remote: bool,
    },
    /// A span ends.
    SpanEnd {
        /// Its number.
        span: SpanId,
        /// Whether it failed.
        failed: bool,
    },
    /// The thread goes on with a span.
    SpanEnter {
        /// Its number.
        span: SpanId,
    },
    /// The thread leaves a span that goes on later.
    SpanExit {
        /// Its number.
        span: SpanId,
    },
    /// Many passes of one place.
    Cumulative {
        /// Its place in the source.
        site: SiteId,
        /// The span around it.
        parent: SpanId,
        /// Passes.
        count: u64,
        /// All of them, the shortest and the longest.
        times: [Nanos; 3],
    },
    /// Events are missing here.
    Gap {
        /// Zones of the stream that are open after it.
        depth: u16,
        /// Whether these may be others than before: what happened in the gap is not known at all.
        /// Otherwise zones only ended in it.
        is_unknown: bool,
    },
}

impl Item {
    /// Whether it matters to other streams, or where it lies depends on them.
    fn is_of_spans(&self) -> bool {
        match self {
            Item::ZoneBegin { .. } | Item::ZoneEnd | Item::Gap { .. } => false,
            Item::Value { span, .. } => *span != SpanId::NONE,
            Item::Task { .. }
            | Item::SpanBegin { .. }
            | Item::SpanEnd { .. }
            | Item::SpanEnter { .. }
            | Item::SpanExit { .. }
            | Item::Cumulative { .. } => true,
        }
    }
}

/// A thread of the process.
#[derive(Debug)]
struct Thread {
    id: ThreadId,
    lanes: Lanes,
    /// Where tasks had their last outermost spans: those that were not suspended, and the others.
    task_lanes: [FxHashMap<TaskId, u16>; 2],
}

#[derive(Debug)]
struct Stream {
    /// Position in [`Pairing::threads`].
    thread: usize,
    /// Its own lane.
    lane: u16,
    /// Zones that were open before all that is known.
    unknown: usize,
    /// The open zones inside these.
    zones: Vec<OpenZone>,
    /// Zones inside these for which there was no room; they are rows already.
    beyond: usize,
    /// Time of its last event, and of the last that was applied.
    last: u64,
    applied: u64,
    /// Whether it had any span.
    is_mixed: bool,
    waiting: VecDeque<(u64, Item)>,
    /// The task of the span that begins next.
    task: Option<(SpanId, TaskId)>,
}

#[derive(Debug)]
struct OpenZone {
    start: u64,
    site: SiteId,
    place: Place,
    arguments: Option<Box<Arguments>>,
}

#[derive(Debug)]
struct Span {
    site: SiteId,
    start: u64,
    /// Where it began.
    thread: usize,
    parent: SpanId,
    trace: u128,
    task: TaskId,
    flags: ZoneFlags,
    /// Where it runs now.
    stretch: Option<Stretch>,
    /// Enters that await their exits, beside the first.
    nested: u32,
    /// The place of its row, once it was suspended.
    place: Option<Place>,
    busy: u64,
    /// When events of the thread where it runs were lost: its end may be among them.
    doubtful: Option<u64>,
    arguments: Option<Box<Arguments>>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    thread: usize,
    place: Place,
    since: u64,
}

/// Pairs the events of one process.
#[derive(Debug)]
pub struct Pairing {
    /// Start of the recording on the events' clock.
    origin: u64,
    threads: Vec<Thread>,
    /// Positions in it.
    places: FxHashMap<ThreadId, usize>,
    streams: Vec<Stream>,
    spans: FxHashMap<SpanId, Span>,
    /// Zones that are open.
    open_zones: usize,
    /// Up to when waiting events were applied.
    settled: u64,
}

impl Pairing {
    /// For a recording that began at this time of the events' clock. What ended before is left out.
    #[must_use]
    pub fn new(origin: u64) -> Pairing {
        Pairing {
            origin,
            threads: Vec::new(),
            places: FxHashMap::default(),
            streams: Vec::new(),
            spans: FxHashMap::default(),
            open_zones: 0,
            settled: 0,
        }
    }

    /// Adds a stream of this thread.
    pub fn stream(&mut self, thread: ThreadId) -> StreamId {
        let at = *self.places.entry(thread).or_insert_with(|| {
            self.threads.push(Thread {
                id: thread,
                lanes: Lanes::default(),
                task_lanes: Default::default(),
            });
            self.threads.len() - 1
        });
        let lane = self.threads[at].lanes.own();
        self.streams.push(Stream {
            thread: at,
            lane,
            unknown: 0,
            zones: Vec::new(),
            beyond: 0,
            last: 0,
            applied: 0,
            is_mixed: false,
            waiting: VecDeque::new(),
            task: None,
        });
        self.streams.len() - 1
    }

    /// Takes the next event of a stream. Time does not run backwards in a stream: an earlier one is
    /// taken for that of the event before. A gap is where the last event was.
    pub fn take(&mut self, stream: StreamId, time: u64, item: Item, rows: &mut Rows) {
        let to = &mut self.streams[stream];
        if !matches!(item, Item::Gap { .. }) {
            to.last = to.last.max(time);
        }
        let time = to.last;
        to.is_mixed |= item.is_of_spans();
        if to.is_mixed {
            to.waiting.push_back((time, item));
        } else {
            self.apply(stream, time, item, rows);
        }
    }

    /// Pairs what waits up to a time to which all streams are known.
    pub fn settle(&mut self, until: u64, rows: &mut Rows) {
        let heads = self.streams.iter().enumerate();
        let mut heads: BinaryHeap<_> = heads
            .filter_map(|(stream, of)| Some(Reverse((of.waiting.front()?.0, stream))))
            .collect();
        while let Some(Reverse((time, stream))) = heads.pop() {
            if time > until {
                return;
            }
            let limit = heads.peek().map_or(until, |next| next.0.0.min(until));
            while let Some((time, item)) = self.streams[stream].waiting.pop_front() {
                if time > limit {
                    self.streams[stream].waiting.push_front((time, item));
                    heads.push(Reverse((time, stream)));
                    break;
                }
                // One that was read too late happens now: what others did since cannot be undone.
                self.settled = self.settled.max(time);
                self.apply(stream, self.settled, item, rows);
            }
        }
    }

    fn apply(&mut self, stream: StreamId, time: u64, item: Item, rows: &mut Rows) {
        match item {
            Item::ZoneBegin { site, depth } => self.zone_begin(stream, time, (site, depth), rows),
            Item::ZoneEnd => self.zone_end(stream, time, rows),
            Item::Value { span, key, value } => self.value(stream, span, &key, &value),
            Item::Task { span, task } => self.streams[stream].task = Some((span, task)),
            Item::SpanBegin {
                site,
                span,
                parent,
                trace,
                remote,
            } => {
                let flags = if remote {
                    ZoneFlags::SPAN.with(ZoneFlags::REMOTE)
                } else {
                    ZoneFlags::SPAN
                };
                let begun = Span {
                    site,
                    start: time,
                    thread: self.streams[stream].thread,
                    parent,
                    trace,
                    task: self.task_of_begin(stream, span, parent),
                    flags,
                    stretch: None,
                    nested: 0,
                    place: None,
                    busy: 0,
                    doubtful: None,
                    arguments: None,
                };
                self.span_begin(stream, span, begun, rows);
            }
            Item::SpanEnd { span, failed } => {
                let flags = if failed {
                    ZoneFlags::FAILED
                } else {
                    ZoneFlags::NONE
                };
                self.span_end(span, time, flags, rows);
            }
            Item::SpanEnter { span } => self.span_enter(stream, span, time, rows),
            Item::SpanExit { span } => self.span_exit(span, time, rows),
            Item::Cumulative {
                site,
                parent,
                count,
                times,
            } => self.cumulative(stream, time, site, parent, (count, times), rows),
            Item::Gap { depth, is_unknown } => {
                if is_unknown {
                    self.cut_zones(stream, 0, rows);
                    self.streams[stream].unknown = usize::from(depth);
                } else {
                    self.match_depth(stream, depth, rows);
                }
                self.doubt_spans(stream, time);
            }
        }
        self.streams[stream].applied = time;
    }

    fn zone_begin(
        &mut self,
        stream: StreamId,
        time: u64,
        (site, depth): (SiteId, u16),
        rows: &mut Rows,
    ) {
        self.match_depth(stream, depth, rows);
        let of = &mut self.streams[stream];
        let thread = &mut self.threads[of.thread];
        let has_room = of.beyond == 0 && self.open_zones < MOST_OPEN;
        let place = has_room.then(|| thread.lanes.push(of.lane, None)).flatten();
        let Some(place) = place else {
            of.beyond += 1;
            let row = ZoneRow {
                start: Time(time),
                thread: thread.id,
                site,
                lane: of.lane,
                depth: u16::MAX,
                flags: ZoneFlags::OPEN,
                ..ZoneRow::default()
            };
            self.put(row, time, None, rows);
            return;
        };
        self.open_zones += 1;
        of.zones.push(OpenZone {
            start: time,
            site,
            place,
            arguments: None,
        });
    }

    fn zone_end(&mut self, stream: StreamId, time: u64, rows: &mut Rows) {
        let of = &mut self.streams[stream];
        if of.beyond > 0 {
            of.beyond -= 1;
        } else if of.zones.is_empty() {
            of.unknown = of.unknown.saturating_sub(1);
        } else {
            self.close_zone(stream, time, ZoneFlags::NONE, rows);
        }
    }

    /// Ends the innermost known zone.
    fn close_zone(&mut self, stream: StreamId, time: u64, flags: ZoneFlags, rows: &mut Rows) {
        let of = &mut self.streams[stream];
        let Some(zone) = of.zones.pop() else { return };
        self.open_zones -= 1;
        let thread = &mut self.threads[of.thread];
        thread.lanes.remove(zone.place, time);
        let duration = Nanos(time.saturating_sub(zone.start));
        let row = ZoneRow {
            start: Time(zone.start),
            duration,
            busy: duration,
            thread: thread.id,
            site: zone.site,
            lane: zone.place.lane,
            depth: zone.place.depth,
            flags,
            ..ZoneRow::default()
        };
        let detail = zone.arguments.map(|arguments| ZoneDetail {
            arguments: arguments.to_json(),
            ..ZoneDetail::default()
        });
        self.put(row, time, detail, rows);
    }

    /// Ends zones whose ends were lost, until the stream has as many open as it says.
    fn match_depth(&mut self, stream: StreamId, depth: u16, rows: &mut Rows) {
        let of = &self.streams[stream];
        // Deeper than a number of 16 bits counts, it begins at zero again.
        if (of.unknown + of.zones.len() + of.beyond) as u16 == depth {
            return;
        }
        let depth = usize::from(depth);
        let unknown = of.unknown;
        if (unknown..=unknown + of.zones.len()).contains(&depth) {
            self.cut_zones(stream, depth - unknown, rows);
        } else {
            self.cut_zones(stream, 0, rows);
            self.streams[stream].unknown = depth;
        }
    }

    /// Ends all known zones but the outermost `keep` where the last event was.
    fn cut_zones(&mut self, stream: StreamId, keep: usize, rows: &mut Rows) {
        let of = &mut self.streams[stream];
        of.beyond = 0;
        // Not before anything else that ended in its lane.
        let at = of
            .applied
            .max(self.threads[of.thread].lanes.last_end(of.lane));
        while self.streams[stream].zones.len() > keep {
            self.close_zone(stream, at, ZoneFlags::CUT, rows);
        }
    }

    fn value(&mut self, stream: StreamId, span: SpanId, key: &str, value: &OwnedValue) {
        let of = if span == SpanId::NONE {
            let of = &mut self.streams[stream];
            let zone = of.zones.last_mut().filter(|_| of.beyond == 0);
            zone.map(|zone| &mut zone.arguments)
        } else {
            self.spans.get_mut(&span).map(|span| &mut span.arguments)
        };
        // Of one whose begin was lost, there is nothing to add to.
        if let Some(arguments) = of {
            arguments.get_or_insert_default().set(key, value);
        }
    }

    /// Ends everything that is open: the process has ended, or is not collected any more.
    pub fn finish(&mut self, time: u64, rows: &mut Rows) {
        self.settle(u64::MAX, rows);
        let last = self.streams.iter().map(|stream| stream.last).max();
        let end = last.map_or(time, |last| last.max(time));
        // From the innermost outwards, zones and spans of a lane together.
        let mut open: Vec<(Reverse<u16>, Result<StreamId, SpanId>)> = Vec::new();
        for (number, stream) in self.streams.iter().enumerate() {
            let zones = stream.zones.iter();
            open.extend(zones.map(|zone| (Reverse(zone.place.depth), Ok(number))));
        }
        for (id, span) in &self.spans {
            open.extend(span.stretch.map(|on| (Reverse(on.place.depth), Err(*id))));
        }
        open.sort_unstable();
        for (_, what) in open {
            match what {
                Ok(stream) => self.close_zone(stream, end, ZoneFlags::OPEN, rows),
                Err(id) if self.spans.get(&id).is_some_and(|span| span.place.is_none()) => {
                    self.span_end(id, end, ZoneFlags::OPEN, rows);
                }
                Err(id) => {
                    if let Some(span) = self.spans.get_mut(&id)
                        && let Some(stretch) = span.stretch.take()
                    {
                        span.busy += end.saturating_sub(stretch.since);
                        self.put_stretch(id, stretch, end, rows);
                    }
                }
            }
        }
        let suspended = self.spans.iter();
        let mut suspended: Vec<(Reverse<u16>, SpanId)> = suspended
            .map(|(id, span)| (Reverse(span.place.map_or(0, |place| place.depth)), *id))
            .collect();
        suspended.sort_unstable();
        for (_, id) in suspended {
            self.span_end(id, end, ZoneFlags::OPEN, rows);
        }
        for stream in &mut self.streams {
            (stream.unknown, stream.beyond) = (0, 0);
        }
    }

    /// Puts a row, whose start is still of the events' clock, on the recording's.
    fn put(&self, mut row: ZoneRow, end: u64, detail: Option<ZoneDetail>, rows: &mut Rows) {
        if end < self.origin {
            return;
        }
        let before = self.origin.saturating_sub(row.start.0);
        row.start = Time(row.start.0.saturating_sub(self.origin));
        row.duration -= Nanos(before);
        row.busy = row.busy.min(row.duration);
        rows.zones.push(row, detail);
    }
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
