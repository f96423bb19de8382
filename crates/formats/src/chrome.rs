//! The Trace Event Format of Chrome, read by Perfetto, Chrome's own viewer and speedscope.
//!
//! Neighbouring samples with the same outer frames become one slice: a `B` event where a frame is
//! first seen, an `E` where it is first not seen. What is between two samples is not known, so a
//! slice says that the frame was seen at both ends, not that it was one call.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use sondage_model::{
    CounterKind, CounterRow, FunctionId, FunctionKind, Nanos, ProcessId, Source, StackId, ThreadId,
    Time, TimeRange,
};

use crate::json::{Quoted, WholeMicros};
use crate::names::{LEFT_OUT, NO_FUNCTION, Names, shorten};
use crate::numbers::Numbers;
use crate::select::{Selection, Slice};
use crate::zones::{self, Moment, MomentKind, Place, Zone};
use crate::{Detail, ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "chrome",
    description: "Chrome trace events as JSON, for Perfetto and chrome://tracing: slices over time",
    extension: "trace.json",
    loses: "thread states, the GIL and tasks; time asleep is a gap. Neighbouring samples in the \
            same function become one slice, whether it was one call or many. Locks and the ids of spans are left out. Of stacks with more than \
            500 frames the middle is left out, as Perfetto cannot show it. Samples of one thread that overlap are \
            moved apart",
    text: true,
    export: Some(write),
    import: None,
};

/// Deepest stack that is drawn. Perfetto draws 512 slices on top of each other and loses count of
/// those below.
const MAX_DEPTH: usize = 500;

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let selection = Selection::new(source, &options.filter)?;
    let names = Names::new(source.dictionary());
    let numbers = Numbers::new(source.dictionary());
    let info = source.info();
    writeln!(
        out,
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"writer\":{},\"command\":{},\"host\":{},\
         \"system\":{},\"unix_start_ns\":\"{}\"}},\"traceEvents\":[",
        Quoted(concat!("sondage ", env!("CARGO_PKG_VERSION"))),
        Quoted(&info.command.join(" ")),
        Quoted(&info.host),
        Quoted(&info.system),
        info.unix_start_nanos,
    )?;
    let mut events = Events { out, any: false };
    let mut processes = Vec::new();
    selection.per_thread(|thread, slices| {
        let process = names.process_of(thread);
        let (pid, tid) = (numbers.process(process), numbers.thread(thread));
        if !processes.contains(&process) {
            processes.push(process);
            let name = names.process_name(process);
            events.name("process_name", pid, pid, name)?;
        }
        let row = source.dictionary().threads().get(thread.index());
        let name = row.map_or("", |row| source.dictionary().text(row.name));
        events.name(
            "thread_name",
            pid,
            tid,
            if name.is_empty() { "thread" } else { name },
        )?;
        let mut track = Track::new(source, options.detail, pid, tid);
        for slice in slices {
            track.sample(&mut events, slice)?;
        }
        track.close_all(&mut events)?;
        Ok(())
    })?;
    let range = selection.range();
    zones(&mut events, &selection, &numbers, &mut processes)?;
    moments(&mut events, &selection, &processes, &numbers)?;
    counters(&mut events, source, range, &processes, &numbers)?;
    messages(&mut events, source, range, &processes, &numbers)?;
    events.out.write_all(b"\n]}\n")?;
    Ok(())
}

/// Writes events with commas between, one a line.
struct Events<'a> {
    out: &'a mut dyn Write,
    any: bool,
}

impl Events<'_> {
    fn begin(&mut self) -> io::Result<&mut dyn Write> {
        if self.any {
            self.out.write_all(b",\n")?;
        }
        self.any = true;
        Ok(self.out)
    }

    fn name(&mut self, what: &str, pid: i64, tid: i64, name: &str) -> io::Result<()> {
        write!(
            self.begin()?,
            "{{\"ph\":\"M\",\"pid\":{pid},\"tid\":{tid},\"name\":\"{what}\",\"args\":{{\"name\":{}}}}}",
            Quoted(name)
        )
    }
}

/// The open slices of one thread, outermost first.
struct Track<'a> {
    source: &'a dyn Source,
    names: Names<'a>,
    detail: Detail,
    pid: i64,
    tid: i64,
    open: Vec<(FunctionId, u32)>,
    stack: Option<StackId>,
    end: Time,
    path: Vec<(FunctionId, u32)>,
}

impl<'a> Track<'a> {
    fn new(source: &'a dyn Source, detail: Detail, pid: i64, tid: i64) -> Track<'a> {
        Track {
            source,
            names: Names::new(source.dictionary()),
            detail,
            pid,
            tid,
            open: Vec::new(),
            stack: None,
            end: Time::ZERO,
            path: Vec::new(),
        }
    }

    fn sample(&mut self, events: &mut Events<'_>, slice: &Slice) -> io::Result<()> {
        if slice.weight == Nanos::ZERO {
            return Ok(());
        }
        let gap = slice.start > self.end;
        if gap {
            self.close(events, 0)?;
            self.stack = None;
        }
        self.end = slice.end();
        if self.stack == Some(slice.stack) {
            return Ok(());
        }
        self.stack = Some(slice.stack);
        self.fill_path(slice.stack);
        let same = self
            .open
            .iter()
            .zip(&self.path)
            .take_while(|(a, b)| a == b)
            .count();
        let path = std::mem::take(&mut self.path);
        // The slices that end, end where this one starts.
        self.end = slice.start;
        self.close(events, same)?;
        self.end = slice.end();
        for &(function, line) in &path[same..] {
            self.begin(events, slice.start, function, line)?;
            self.open.push((function, line));
        }
        self.path = path;
        Ok(())
    }

    fn fill_path(&mut self, stack: StackId) {
        let dictionary = self.source.dictionary();
        self.path.clear();
        self.path
            .extend(dictionary.frames_inward(stack).map(|frame| {
                let row = dictionary.frames().get(frame.index());
                let function = row.map_or(NO_FUNCTION, |row| row.function);
                match (self.detail, row) {
                    (Detail::Line, Some(row)) => (function, row.line),
                    _ => (function, self.names.first_line(function)),
                }
            }));
        self.path.reverse();
        shorten(&mut self.path, MAX_DEPTH, (LEFT_OUT, 0));
        if self.path.is_empty() {
            self.path.push((NO_FUNCTION, 0));
        }
    }

    fn begin(
        &self,
        events: &mut Events<'_>,
        at: Time,
        function: FunctionId,
        line: u32,
    ) -> io::Result<()> {
        let rows = self.source.dictionary().functions();
        let kind = rows
            .get(function.index())
            .map_or(FunctionKind::Meta, |row| row.kind);
        let out = events.begin()?;
        write!(
            out,
            "{{\"ph\":\"B\",\"pid\":{},\"tid\":{},\"ts\":{},\"cat\":\"{}\",\"name\":{}",
            self.pid,
            self.tid,
            WholeMicros(Nanos(at.0)),
            kind.name(),
            Quoted(&slice_name(self.names, function)),
        )?;
        let file = self.names.file(function);
        location(out, file, line)?;
        match (file.is_empty(), line) {
            (true, _) => {}
            (false, 0) => write!(out, ",\"args\":{{\"file\":{}}}", Quoted(file))?,
            (false, line) => {
                write!(
                    out,
                    ",\"args\":{{\"file\":{},\"line\":{line}}}",
                    Quoted(file)
                )?;
            }
        }
        out.write_all(b"}")
    }

    /// Ends the open slices but the outermost `keep`.
    fn close(&mut self, events: &mut Events<'_>, keep: usize) -> io::Result<()> {
        while self.open.len() > keep {
            let Some((function, _)) = self.open.pop() else {
                break;
            };
            // The Firefox Profiler wants a name even here.
            write!(
                events.begin()?,
                "{{\"ph\":\"E\",\"pid\":{},\"tid\":{},\"ts\":{},\"name\":{}}}",
                self.pid,
                self.tid,
                WholeMicros(Nanos(self.end.0)),
                Quoted(&slice_name(self.names, function)),
            )?;
        }
        Ok(())
    }

    fn close_all(&mut self, events: &mut Events<'_>) -> io::Result<()> {
        self.close(events, 0)
    }
}

/// Where it stands, for Tracy: it keeps places of one name apart by this alone.
fn location(out: &mut dyn Write, file: &str, line: u32) -> io::Result<()> {
    if file.is_empty() {
        return Ok(());
    }
    write!(out, ",\"loc\":{}", Quoted(&format!("{file}:{line}")))
}

/// A function's name on one line: Perfetto shows escapes in names as they are in the file.
fn slice_name(names: Names<'_>, function: FunctionId) -> String {
    names.name(function).replace(|c: char| c.is_control(), " ")
}

/// Each lane of zones is a track of its own, beside that of the thread's samples.
fn zones(
    events: &mut Events<'_>,
    selection: &Selection<'_>,
    numbers: &Numbers,
    processes: &mut Vec<ProcessId>,
) -> Result<(), FormatError> {
    let dictionary = selection.source.dictionary();
    let names = Names::new(dictionary);
    let mut track = ZONE_TRACKS;
    zones::per_thread(selection, |thread, all| {
        let process = names.process_of(thread);
        let pid = numbers.process(process);
        if !processes.contains(&process) {
            processes.push(process);
            let name = names.process_name(process);
            events.name("process_name", pid, pid, name)?;
        }
        let row = dictionary.threads().get(thread.index());
        let name = match row.map_or("", |row| dictionary.text(row.name)) {
            "" => "thread",
            name => name,
        };
        for lane in zones::lanes(all) {
            track += 1;
            let name = zones::track_name(name, lane[0].row.lane);
            events.name("thread_name", pid, track, &name)?;
            for zone in lane {
                let place = zones::place(dictionary, zone.row.site);
                let out = events.begin()?;
                write!(
                    out,
                    "{{\"ph\":\"X\",\"pid\":{pid},\"tid\":{track},\"ts\":{},\"dur\":{},\
                     \"cat\":\"zone\",\"name\":{}",
                    WholeMicros(Nanos(zone.row.start.0)),
                    WholeMicros(zone.row.duration),
                    Quoted(&place.name.replace(|c: char| c.is_control(), " ")),
                )?;
                location(out, place.file, place.line)?;
                out.write_all(b",\"args\":")?;
                arguments(out, &place, zone)?;
                out.write_all(b"}")?;
            }
        }
        Ok(())
    })
}

/// First number of the tracks of zones: above any thread's.
const ZONE_TRACKS: i64 = 1_500_000_000;

/// The zone's own arguments, with where it was made.
fn arguments(out: &mut dyn Write, place: &Place<'_>, zone: &Zone) -> io::Result<()> {
    out.write_all(b"{")?;
    let mut comma = "";
    if !place.file.is_empty() {
        write!(out, "\"file\":{}", Quoted(place.file))?;
        comma = ",";
        if place.line > 0 {
            write!(out, ",\"line\":{}", place.line)?;
        }
    }
    for (key, value) in zone.arguments() {
        write!(out, "{comma}{}:{value}", Quoted(&key))?;
        comma = ",";
    }
    out.write_all(b"}")
}

/// Frame marks and the program's log, as moments of their threads.
fn moments(
    events: &mut Events<'_>,
    selection: &Selection<'_>,
    processes: &[ProcessId],
    numbers: &Numbers,
) -> Result<(), FormatError> {
    let names = Names::new(selection.source.dictionary());
    zones::moments(selection, |moment| {
        let process = names.process_of(moment.thread);
        if !processes.contains(&process) {
            return Ok(());
        }
        write!(
            events.begin()?,
            "{{\"ph\":\"i\",\"s\":\"t\",\"pid\":{},\"tid\":{},\"ts\":{},\"cat\":\"{}\",\"name\":{}}}",
            numbers.process(process),
            numbers.thread(moment.thread),
            WholeMicros(Nanos(moment.time.0)),
            moment.kind.name(),
            Quoted(&moment_name(&moment)),
        )?;
        Ok(())
    })
}

/// On one line. A frame says that it is one: what says so is a frame in Tracy.
fn moment_name(moment: &Moment<'_>) -> String {
    let name = moment.text.replace(|c: char| c.is_control(), " ");
    match moment.kind {
        MomentKind::Frame if !name.to_lowercase().contains("frame") => format!("frame {name}"),
        _ => name,
    }
}

/// Gauges as they are, totals as rates per second. The values are named in full, as Tracy knows
/// counters by these names alone, and takes what ends in `_bytes` for memory.
fn counters(
    events: &mut Events<'_>,
    source: &dyn Source,
    range: TimeRange,
    processes: &[ProcessId],
    numbers: &Numbers,
) -> Result<(), FormatError> {
    let dictionary = source.dictionary();
    let mut last: FxHashMap<_, CounterRow> = FxHashMap::default();
    for row in source.counters(range)? {
        let Some(series) = dictionary.counter_series().get(row.counter.index()) else {
            continue;
        };
        if !processes.contains(&series.process) {
            continue;
        }
        let before = last.insert(row.counter, row);
        let (at, value, per) = match (series.kind, before) {
            (CounterKind::Gauge, _) => (row.time, row.value, ""),
            (CounterKind::Total, None) => continue,
            (CounterKind::Total, Some(before)) => {
                let seconds = row.time.since(before.time).as_secs_f64();
                if seconds == 0.0 {
                    continue;
                }
                (before.time, (row.value - before.value) / seconds, "/s")
            }
        };
        if !value.is_finite() {
            continue;
        }
        let pid = numbers.process(series.process);
        let name = dictionary.text(series.name);
        let of = match processes.len() {
            1 => String::new(),
            _ => format!("{pid} "),
        };
        let unit = match dictionary.text(series.unit) {
            "" => String::new(),
            unit => format!("_{unit}"),
        };
        write!(
            events.begin()?,
            "{{\"ph\":\"C\",\"pid\":{},\"ts\":{},\"name\":{},\"args\":{{{}:{value}}}}}",
            pid,
            WholeMicros(Nanos(at.0)),
            Quoted(name),
            Quoted(&format!("{of}{name}{unit}{per}")),
        )?;
    }
    Ok(())
}

fn messages(
    events: &mut Events<'_>,
    source: &dyn Source,
    range: TimeRange,
    processes: &[ProcessId],
    numbers: &Numbers,
) -> io::Result<()> {
    for message in source.messages() {
        let process = message.process.or(processes.first().copied());
        let Some(process) = process.filter(|process| processes.contains(process)) else {
            continue;
        };
        if !range.contains(message.time) {
            continue;
        }
        let main = main_thread(source, process);
        write!(
            events.begin()?,
            "{{\"ph\":\"i\",\"s\":\"p\",\"pid\":{},\"tid\":{},\"ts\":{},\"cat\":\"message\",\"name\":{}}}",
            numbers.process(process),
            main.map_or(numbers.process(process), |thread| numbers.thread(thread)),
            WholeMicros(Nanos(message.time.0)),
            Quoted(&message.text),
        )?;
    }
    Ok(())
}

fn main_thread(source: &dyn Source, process: ProcessId) -> Option<ThreadId> {
    let threads = source.dictionary().threads();
    let of = |row: &&sondage_model::ThreadRow| row.process == process;
    let main = threads.iter().position(|row| of(&row) && row.is_main);
    let any = threads.iter().position(|row| of(&row));
    main.or(any).map(|index| ThreadId(index as u32))
}
