//! From the events of a process's arenas to rows. Does no I/O and reads no clock.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sondage_model::{
    CounterId, CounterKind, CounterRow, FrameMarkKind, FrameMarkRow, LockId, LogRow, LossKind,
    LossRow, MessageLevel, MessageRow, Nanos, ProcessId, SiteId, SpanId, StringId, TaskId,
    ThreadId, Time,
};
use sondage_wire::{Arena, Batch, Event, FrameOp, OwnedValue, Reader, TASK_KEY, Take};

use super::clock::{Moment, TickClock};
use super::names::Names;
use super::pair::{Item, Pairing, StreamId};
use super::rows::{Def, Rows, Tables};
use super::timed::{InOrder, Timed};

/// Events of a time later than now by more than this are taken for later by this.
const MOST_AHEAD: u64 = 1_000_000_000;

/// How often the cost of probes is written.
const COST_EVERY: u64 = 100_000_000;

/// Threads of an arena that are told apart.
const MOST_STREAMS: usize = 1 << 17;

/// Tasks of a process whose numbers are remembered; most live only shortly.
const MOST_TASKS: usize = 1 << 12;

/// Names of counters that are the profiler's own: a plot of such a name gets another.
const OWN_COUNTERS: [&str; 8] = [
    "cpu.",
    "rss",
    "threads",
    "switches.",
    "faults.",
    "io.",
    "memory.",
    "sondage.",
];

/// One process: what its arenas have in common.
#[derive(Debug)]
pub struct Program {
    /// Our number of the process.
    number: u32,
    origin: u64,
    pairing: Pairing,
    in_order: InOrder,
    /// Our numbers of its threads, by the kernel's.
    threads: FxHashMap<i32, ThreadId>,
    plots: FxHashMap<Arc<str>, CounterId>,
    tasks: FxHashMap<String, TaskId>,
    memory: Option<CounterId>,
    cost: Cost,
}

/// What probes cost, as the program measured it.
#[derive(Debug, Default)]
struct Cost {
    counters: Option<(CounterId, CounterId)>,
    probes: u64,
    picos: u128,
    /// What was written last, and when.
    written: (u64, u64),
}

/// One arena that is read.
#[derive(Debug)]
pub struct Feed<'a> {
    arena: ArenaView<'a>,
    reader: Reader<'a>,
    names: Names,
    clock: TickClock,
    streams: Streams,
    lost: u64,
    lost_names: u64,
    bad: u64,
    has_told_bad: bool,
}

/// An arena that can be shown.
struct ArenaView<'a>(Arena<'a>);

impl std::fmt::Debug for ArenaView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena of process {}", self.0.pid())
    }
}

/// The streams of an arena.
#[derive(Debug, Default)]
struct Streams {
    /// By the number of their thread in the arena.
    by_number: FxHashMap<u32, Stream>,
    /// The latest number of each thread of the kernel's, which gives them out again and again.
    numbers: FxHashMap<i32, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    stream: StreamId,
    thread: ThreadId,
}

/// What a poll found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Events.
    pub events: u64,
    /// Of these, beginnings: each costs the program a probe.
    pub probes: u64,
    /// Chunks that were written over before they were read.
    pub overwritten: u64,
}

impl Program {
    /// The process with this number of ours, in a recording that began at `origin` of
    /// `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn new(number: u32, origin: u64) -> Program {
        Program {
            number,
            origin,
            pairing: Pairing::new(origin),
            in_order: InOrder::new(origin),
            threads: FxHashMap::default(),
            plots: FxHashMap::default(),
            tasks: FxHashMap::default(),
            memory: None,
            cost: Cost::default(),
        }
    }

    /// Pairs everything up to a time to which all its arenas were polled.
    pub fn settle(&mut self, until: u64, tables: &mut Tables, rows: &mut Rows) {
        self.pairing.settle(until, rows);
        self.in_order.settle(until, rows);
        self.put_cost(until, false, tables, rows);
        let lost = self.in_order.take_lost();
        self.put_loss(LossKind::Event, lost, until, rows);
    }

    /// Ends what is open: the process has ended, or is not collected any more.
    pub fn finish(&mut self, end: u64, tables: &mut Tables, rows: &mut Rows) {
        self.pairing.finish(end, rows);
        self.in_order.finish(end, rows);
        self.put_cost(end, true, tables, rows);
    }

    /// Our number of a thread.
    fn thread(&mut self, tid: i32, name: String, tables: &mut Tables) -> ThreadId {
        let process = self.number;
        let new = || {
            let tid = sondage_model::Tid(tid);
            ThreadId(tables.add(Def::Thread { process, tid, name }))
        };
        match tid {
            // Unknown ones are not the same.
            0 => new(),
            tid => *self.threads.entry(tid).or_insert_with(new),
        }
    }

    fn plot(&mut self, name: Arc<str>, tables: &mut Tables) -> CounterId {
        let process = self.number;
        *self.plots.entry(name).or_insert_with_key(|name| {
            let is_ours = OWN_COUNTERS.iter().any(|ours| name.starts_with(ours));
            let suffix = if is_ours { " (plot)" } else { "" };
            tables.counter(process, &format!("{name}{suffix}"), "", CounterKind::Gauge)
        })
    }

    /// Our number of a task; of an empty name, or of what is no name, none.
    fn task(&mut self, name: OwnedValue, tables: &mut Tables) -> TaskId {
        let OwnedValue::Text(name) = name else {
            return TaskId::NONE;
        };
        if name.is_empty() {
            return TaskId::NONE;
        }
        if let Some(task) = self.tasks.get(&name) {
            return *task;
        }
        let process = self.number;
        let task = TaskId(tables.add(Def::Task {
            process,
            name: name.clone(),
        }));
        if self.tasks.len() >= MOST_TASKS {
            self.tasks.clear();
        }
        self.tasks.insert(name, task);
        task
    }

    fn memory(&mut self, tables: &mut Tables) -> CounterId {
        let process = self.number;
        *self.memory.get_or_insert_with(|| {
            tables.counter(process, "memory.live", "bytes", CounterKind::Gauge)
        })
    }

    fn put_cost(&mut self, now: u64, is_last: bool, tables: &mut Tables, rows: &mut Rows) {
        let cost = &mut self.cost;
        let is_due = is_last || now.saturating_sub(cost.written.1) >= COST_EVERY;
        if cost.probes == cost.written.0 || !is_due {
            return;
        }
        let process = self.number;
        let mut counter =
            |name: &str, unit: &str| tables.counter(process, name, unit, CounterKind::Total);
        let (probes, nanos) = *cost.counters.get_or_insert_with(|| {
            (
                counter("sondage.probes", ""),
                counter("sondage.probe_cost", "ns"),
            )
        });
        cost.written = (cost.probes, now);
        let time = Time(now.saturating_sub(self.origin));
        let row = |counter, value| CounterRow {
            counter,
            time,
            value,
        };
        rows.counters.push(row(probes, cost.probes as f64));
        rows.counters.push(row(nanos, (cost.picos / 1000) as f64));
    }

    fn put_loss(&self, kind: LossKind, count: u64, now: u64, rows: &mut Rows) {
        if count > 0 {
            rows.losses.push(LossRow {
                time: Time(now.saturating_sub(self.origin)),
                process: Some(ProcessId(self.number)),
                kind,
                count,
            });
        }
    }

    fn put_message(&self, text: String, now: u64, rows: &mut Rows) {
        rows.messages.push(MessageRow {
            time: Time(now.saturating_sub(self.origin)),
            level: MessageLevel::Warning,
            process: Some(ProcessId(self.number)),
            text,
        });
    }
}

/// What a batch of events is turned into rows with.
struct Turn<'t, 'a> {
    arena: Arena<'a>,
    program: &'t mut Program,
    names: &'t mut Names,
    clock: &'t TickClock,
    tables: &'t mut Tables,
    rows: &'t mut Rows,
    /// No event is later than this.
    latest: u64,
    found: Found,
}

impl<'a> Feed<'a> {
    /// Reads an arena from its oldest event on.
    #[must_use]
    pub fn new(arena: Arena<'a>) -> Feed<'a> {
        let mut clock = TickClock::new(arena.clock());
        let (ticks, mono_nanos) = arena.start();
        clock.add(Moment { ticks, mono_nanos });
        Feed {
            arena: ArenaView(arena),
            reader: Reader::new(arena),
            names: Names::default(),
            clock,
            streams: Streams::default(),
            // What was dropped before anybody collected is not lost from the recording.
            lost: arena.lost(),
            lost_names: 0,
            bad: 0,
            has_told_bad: false,
        }
    }

    /// Adds a moment for the conversion of ticks.
    pub fn add_moment(&mut self, moment: Moment) {
        self.clock.add(moment);
    }

    /// Takes what was committed since the last call. `now` was measured just before.
    pub fn poll(
        &mut self,
        take: Take,
        now: Moment,
        program: &mut Program,
        tables: &mut Tables,
        rows: &mut Rows,
    ) -> Found {
        self.clock.add(now);
        let arena = self.arena.0;
        self.names.learn(arena, program.number, tables);
        let mut turn = Turn {
            arena,
            program,
            names: &mut self.names,
            clock: &self.clock,
            tables,
            rows,
            latest: now.mono_nanos.saturating_add(MOST_AHEAD),
            found: Found::default(),
        };
        let (streams, bad) = (&mut self.streams, &mut self.bad);
        self.reader
            .poll(take, |batch| turn.batch(&batch, streams, bad));
        let found = turn.found;
        program.cost.probes += found.probes;
        program.cost.picos += u128::from(found.probes) * u128::from(arena.zone_cost_picos());
        for (thread, name) in self.names.take_renamed() {
            if let Some(stream) = self.streams.by_number.get(&thread) {
                let thread = stream.thread.0;
                tables.add(Def::ThreadName { thread, name });
            }
        }
        if let Some(name) = self.names.take_process() {
            let process = program.number;
            tables.add(Def::ProcessName { process, name });
        }
        self.put_losses(found, now.mono_nanos, program, rows);
        found
    }

    /// Nothing more is taken: names that were not told by now are lost.
    pub fn end(&mut self, now: u64, program: &Program, rows: &mut Rows) {
        let unfinished = self.names.unfinished() as u64;
        program.put_loss(LossKind::Name, unfinished, now, rows);
    }

    fn put_losses(&mut self, found: Found, now: u64, program: &Program, rows: &mut Rows) {
        let arena = self.arena.0;
        let (lost, lost_names) = (arena.lost(), arena.lost_names());
        let bad = std::mem::take(&mut self.bad);
        let dropped = lost.saturating_sub(self.lost).saturating_add(bad);
        program.put_loss(LossKind::Event, dropped, now, rows);
        let names = lost_names.saturating_sub(self.lost_names);
        program.put_loss(LossKind::Name, names, now, rows);
        (self.lost, self.lost_names) = (lost, lost_names);
        if (bad > 0 || self.names.is_damaged()) && !self.has_told_bad {
            self.has_told_bad = true;
            let text = "some of the program's events make no sense and are left out: \
                        something has written over its memory";
            program.put_message(text.into(), now, rows);
        }
        if found.overwritten > 0 {
            let kib = found.overwritten * (sondage_wire::CHUNK_WORDS as u64 / 128);
            let text = format!(
                "{kib} KiB of the program's events were written over before they were \
                 collected: the collector was stopped or starved"
            );
            program.put_message(text, now, rows);
        }
    }
}

impl Turn<'_, '_> {
    fn batch(&mut self, batch: &Batch<'_>, streams: &mut Streams, bad: &mut u64) {
        let known = streams.by_number.get(&batch.thread).copied();
        let stream = match known {
            Some(stream) => stream,
            None if streams.by_number.len() < MOST_STREAMS => self.stream(batch.thread, streams),
            None => {
                *bad += 1;
                return;
            }
        };
        if let Some(gap) = batch.gap {
            let is_unknown = gap.overwritten > 0;
            // What was written before we came is nobody's loss.
            if known.is_some() {
                self.found.overwritten = self.found.overwritten.saturating_add(gap.overwritten);
            }
            let depth = gap.depth;
            self.pair(stream, 0, Item::Gap { depth, is_unknown });
        }
        for event in batch.events() {
            match event {
                Ok(event) => self.event(stream, event),
                Err(_) => *bad += 1,
            }
        }
    }

    fn stream(&mut self, number: u32, streams: &mut Streams) -> Stream {
        let process = self.program.number;
        let about = self.names.thread(self.arena, number, process, self.tables);
        let given = about.given.clone();
        let thread = self.program.thread(about.tid.0, about.name, self.tables);
        if let Some(name) = given {
            let thread = thread.0;
            self.tables.add(Def::ThreadName { thread, name });
        }
        let before = match about.tid.0 {
            0 => None,
            tid => streams.numbers.insert(tid, number),
        };
        let stream = match before.and_then(|before| streams.by_number.remove(&before)) {
            // The kernel gave the number of a thread that has ended to this one.
            Some(ended) => {
                let (depth, is_unknown) = (0, true);
                self.pair(ended, 0, Item::Gap { depth, is_unknown });
                ended
            }
            None => Stream {
                stream: self.program.pairing.stream(thread),
                thread,
            },
        };
        streams.by_number.insert(number, stream);
        stream
    }

    #[inline]
    fn pair(&mut self, stream: Stream, time: u64, item: Item) {
        let pairing = &mut self.program.pairing;
        pairing.take(stream.stream, time, item, self.rows);
    }

    #[inline]
    fn time(&self, ticks: u64) -> u64 {
        self.clock.mono_nanos(ticks).min(self.latest)
    }

    #[inline]
    fn site(&mut self, site: u32) -> SiteId {
        let process = self.program.number;
        SiteId(self.names.site(self.arena, site, process, self.tables))
    }

    fn event(&mut self, stream: Stream, event: Event) {
        let (arena, process) = (self.arena, self.program.number);
        let thread = stream.thread;
        self.found.events += 1;
        self.found.probes += u64::from(!matches!(
            event,
            Event::ZoneEnd { .. } | Event::SpanEnd { .. } | Event::SpanExit { .. }
        ));
        let (ticks, item) = match event {
            Event::ZoneBegin { ticks, site, depth } => {
                let site = self.site(site);
                (ticks, Item::ZoneBegin { site, depth })
            }
            Event::ZoneEnd { ticks } => (ticks, Item::ZoneEnd),
            Event::Value { span, key, value } => {
                let key = self.names.text(arena, key, process, self.tables);
                let span = SpanId(span.0);
                let item = if *key == *TASK_KEY && span != SpanId::NONE {
                    let task = self.program.task(value, self.tables);
                    Item::Task { span, task }
                } else {
                    Item::Value { span, key, value }
                };
                // It has no time: it is said right after what came before.
                self.pair(stream, 0, item);
                return;
            }
            Event::SpanBegin {
                ticks,
                site,
                span,
                parent,
                trace,
                remote,
            } => {
                let begin = Item::SpanBegin {
                    site: self.site(site),
                    span: SpanId(span.0),
                    parent: SpanId(parent.0),
                    trace: trace.0,
                    remote,
                };
                (ticks, begin)
            }
            Event::SpanEnd {
                ticks,
                span,
                failed,
            } => {
                let span = SpanId(span.0);
                (ticks, Item::SpanEnd { span, failed })
            }
            Event::SpanEnter { ticks, span } => {
                let span = SpanId(span.0);
                (ticks, Item::SpanEnter { span })
            }
            Event::SpanExit { ticks, span } => {
                let span = SpanId(span.0);
                (ticks, Item::SpanExit { span })
            }
            Event::Cumulative {
                ticks,
                site,
                parent,
                count,
                total_nanos,
                min_nanos,
                max_nanos,
            } => {
                let passes = Item::Cumulative {
                    site: self.site(site),
                    parent: SpanId(parent.0),
                    count,
                    times: [Nanos(total_nanos), Nanos(min_nanos), Nanos(max_nanos)],
                };
                (ticks, passes)
            }
            Event::Frame { ticks, name, op } => {
                let name = self.names.frame(arena, name, process, self.tables);
                let kind = match op {
                    FrameOp::Mark => FrameMarkKind::Mark,
                    FrameOp::Begin => FrameMarkKind::Begin,
                    FrameOp::End => FrameMarkKind::End,
                };
                let row = FrameMarkRow {
                    thread,
                    name: StringId(name),
                    kind,
                    time: Time::ZERO,
                };
                return self.at(ticks, Timed::Frame(row));
            }
            Event::Plot { ticks, name, value } => {
                let name = self.names.text(arena, name, process, self.tables);
                let counter = self.program.plot(name, self.tables);
                return self.at(ticks, Timed::Plot(counter, number(&value)));
            }
            Event::Message {
                ticks,
                level,
                colour,
                text,
            } => {
                let row = LogRow {
                    thread,
                    level,
                    colour,
                    text,
                    time: Time::ZERO,
                };
                return self.at(ticks, Timed::Log(row));
            }
            Event::Lock { ticks, lock, op } => {
                let lock = self.names.lock(arena, lock, process, self.tables);
                return self.at(ticks, Timed::Lock(thread, LockId(lock), op));
            }
            Event::Memory {
                ticks,
                address,
                bytes,
            } => {
                let counter = self.program.memory(self.tables);
                return self.at(ticks, Timed::Memory(counter, address, bytes));
            }
        };
        let time = self.time(ticks);
        self.pair(stream, time, item);
    }

    fn at(&mut self, ticks: u64, what: Timed) {
        let time = self.time(ticks);
        self.program.in_order.take(time, what);
    }
}

/// A plot's value as a number.
fn number(value: &OwnedValue) -> f64 {
    match value {
        OwnedValue::Int(value) => *value as f64,
        OwnedValue::Uint(value) => *value as f64,
        OwnedValue::Float(value) => *value,
        OwnedValue::Bool(value) => f64::from(*value),
        OwnedValue::Text(_) => 0.0,
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
