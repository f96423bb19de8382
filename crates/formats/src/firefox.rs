//! The Firefox Profiler's processed profile, version 60: one table of stacks, frames and functions
//! for the whole profile, and each thread's samples.

use std::io::{self, Write};

use sondage_model::{
    CounterKind, CounterRow, Nanos, Source, StackId, StateKind, ThreadId, Time, TimeRange,
};

use crate::firefox_markers::{MARKER_SCHEMA, Marker, Markers, write_markers};
use crate::firefox_tables::Tables;
use crate::json::{Micros, Millis, Quoted, array, column};
use crate::names::Names;
use crate::numbers::Numbers;
use crate::select::{Selection, Slice};
use crate::{ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "firefox",
    description: "Firefox Profiler (processed profile): threads over time with CPU use, functions, lines, zones as markers",
    extension: "firefox.json",
    loses: "states other than on or off the CPU, the GIL, tasks, messages, locks and counters that are \
            levels other than memory; time asleep is a gap. Samples of one thread that overlap are \
            moved apart",
    text: true,
    export: Some(write),
    import: None,
};

/// Names and colours of the categories; the first grey one is the default. Their positions are
/// given out by [`Tables`].
const CATEGORIES: [(&str, &str); 4] = [
    ("Other", "grey"),
    ("Python", "yellow"),
    ("Native", "blue"),
    ("Kernel", "orange"),
];

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let selection = Selection::new(source, &options.filter)?;
    let numbers = Numbers::new(source.dictionary());
    let mut tables = Tables::new(source);
    let mut markers = Markers::new(&selection)?;
    let mut threads: Vec<(ThreadId, u64)> = Vec::new();
    out.write_all(b"{\"libs\":[],\"pages\":[],\"profilerOverhead\":[],\"threads\":[")?;
    selection.per_thread(|thread, slices| {
        if !threads.is_empty() {
            out.write_all(b",")?;
        }
        threads.push((thread, slices.iter().map(|slice| slice.weight.0).sum()));
        Thread {
            source,
            numbers: &numbers,
            timeless: selection.timeless,
        }
        .write(out, thread, slices, &markers.take(thread), &mut tables)
    })?;
    // Threads that were not sampled, or asleep all the time, may have zones.
    for thread in markers.threads() {
        if !threads.is_empty() {
            out.write_all(b",")?;
        }
        threads.push((thread, 0));
        Thread {
            source,
            numbers: &numbers,
            timeless: selection.timeless,
        }
        .write(out, thread, &[], &markers.take(thread), &mut tables)?;
    }
    if threads.is_empty() {
        // The profiler refuses a profile without threads.
        Thread {
            source,
            numbers: &numbers,
            timeless: selection.timeless,
        }
        .write(out, ThreadId(0), &[], &[], &mut tables)?;
    }
    out.write_all(b"],\"counters\":")?;
    counters(out, source, selection.range(), &numbers, &threads)?;
    out.write_all(b",\"shared\":")?;
    tables.write(out)?;
    out.write_all(b",\"meta\":")?;
    meta(out, source, &threads)?;
    out.write_all(b"}\n")?;
    Ok(())
}

fn meta(out: &mut dyn Write, source: &dyn Source, threads: &[(ThreadId, u64)]) -> io::Result<()> {
    let info = source.info();
    let command = info.command.join(" ");
    let interval = if info.interval == Nanos::ZERO {
        Nanos(1_000_000)
    } else {
        info.interval
    };
    let most = threads.iter().map(|(_, weight)| *weight).max();
    let busiest = threads
        .iter()
        .position(|(_, weight)| Some(*weight) == most)
        .unwrap_or(0);
    write!(
        out,
        "{{\"preprocessedProfileVersion\":60,\"version\":24,\"processType\":0,\"stackwalk\":1,\
         \"debug\":false,\"symbolicated\":true,\"symbolicationNotSupported\":true,\
         \"usesOnlyOneStackType\":true,\"sourceCodeIsNotOnSearchfox\":true,\
         \"keepProfileThreadOrder\":true,\"markerSchema\":{MARKER_SCHEMA},\"pausedRanges\":[],\
         \"extensions\":{{\"length\":0,\"baseURL\":[],\"id\":[],\"name\":[]}},\
         \"importedFrom\":\"sondage\",\"product\":{},\"arguments\":{},\"oscpu\":{},\
         \"logicalCPUs\":{},\"interval\":{},\"startTime\":{},\
         \"startTimeAsClockMonotonicNanosecondsSinceBoot\":{},\
         \"profilingStartTime\":{},\"profilingEndTime\":{},\
         \"sampleUnits\":{{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"µs\"}},\
         \"initialSelectedThreads\":[{busiest}],",
        Quoted(if command.is_empty() {
            "sondage"
        } else {
            &command
        }),
        Quoted(&command),
        Quoted(&info.system),
        info.cpus,
        Millis(interval),
        Millis(Nanos(info.unix_start_nanos)),
        info.mono_start.0,
        Millis(Nanos(source.range().start.0)),
        Millis(Nanos(source.range().end.0)),
    )?;
    out.write_all(b"\"categories\":")?;
    array(out, CATEGORIES, |out, (name, color)| {
        write!(
            out,
            "{{\"name\":\"{name}\",\"color\":\"{color}\",\"subcategories\":[\"Other\"]}}"
        )
    })?;
    out.write_all(b"}")
}

struct Thread<'a> {
    source: &'a dyn Source,
    numbers: &'a Numbers,
    timeless: bool,
}

/// A sample as the profiler has it: it lasts until the next one.
struct Point {
    at: Time,
    stack: Option<StackId>,
    weight: Nanos,
    count: u64,
    /// Time on a CPU since the previous point.
    cpu: Nanos,
}

impl Thread<'_> {
    fn write(
        &self,
        out: &mut dyn Write,
        thread: ThreadId,
        slices: &[Slice],
        markers: &[Marker],
        tables: &mut Tables<'_>,
    ) -> Result<(), FormatError> {
        let dictionary = self.source.dictionary();
        let names = Names::new(dictionary);
        let process = names.process_of(thread);
        let row = dictionary
            .threads()
            .get(thread.index())
            .cloned()
            .unwrap_or_default();
        let of = dictionary
            .processes()
            .get(process.index())
            .cloned()
            .unwrap_or_default();
        let name = match dictionary.text(row.name) {
            "" => "thread",
            name => name,
        };
        write!(
            out,
            "{{\"name\":{},\"isMainThread\":{},\"processType\":\"default\",\"processName\":{},\
             \"pid\":\"{}\",\"tid\":{},\"processStartupTime\":{},\"processShutdownTime\":{},\
             \"registerTime\":{},\"unregisterTime\":{},\"pausedRanges\":[],\
             \"showMarkersInTimeline\":{},\"markers\":",
            Quoted(name),
            row.is_main,
            Quoted(names.process_name(process)),
            self.numbers.process(process),
            self.numbers.thread(thread),
            Millis(Nanos(of.start.0)),
            until(of.end),
            Millis(Nanos(row.start.0)),
            until(row.end),
            !markers.is_empty(),
        )?;
        write_markers(out, markers, tables)?;
        out.write_all(b",\"samples\":{")?;
        let points = || points(slices);
        write!(
            out,
            "\"length\":{},\"weightType\":\"{}\",\"stack\":",
            points().count(),
            if self.timeless {
                "samples"
            } else {
                "tracing-ms"
            },
        )?;
        array(out, points(), |out, point| match point.stack {
            Some(stack) => write!(out, "{}", tables.stack(stack)),
            None => write!(out, "null"),
        })?;
        out.write_all(b",")?;
        column(out, "time", points().map(|point| Millis(Nanos(point.at.0))))?;
        out.write_all(b",\"weight\":")?;
        array(out, points(), |out, point| match point.stack {
            None => write!(out, "0"),
            Some(_) if self.timeless => write!(out, "{}", point.count),
            Some(_) => write!(out, "{}", Millis(point.weight)),
        })?;
        out.write_all(b",")?;
        column(
            out,
            "threadCPUDelta",
            points().map(|point| Micros(point.cpu)),
        )?;
        out.write_all(b"}}")?;
        Ok(())
    }
}

fn until(time: Time) -> String {
    match time {
        Time::MAX => "null".into(),
        time => Millis(Nanos(time.0)).to_string(),
    }
}

/// The samples with a point without stack where each gap begins, and at the end.
fn points(slices: &[Slice]) -> impl Iterator<Item = Point> + '_ {
    let mut ended: Option<(Time, Nanos)> = None;
    let last = slices.last().map(|slice| Point {
        at: slice.end(),
        stack: None,
        weight: Nanos::ZERO,
        count: 0,
        cpu: cpu(slice),
    });
    slices
        .iter()
        .flat_map(move |slice| {
            let gap = ended
                .filter(|(end, _)| *end < slice.start)
                .map(|(at, cpu)| Point {
                    at,
                    stack: None,
                    weight: Nanos::ZERO,
                    count: 0,
                    cpu,
                });
            let before = match (&gap, ended) {
                (None, Some((_, cpu))) => cpu,
                _ => Nanos::ZERO,
            };
            ended = Some((slice.end(), cpu(slice)));
            gap.into_iter().chain([Point {
                at: slice.start,
                stack: Some(slice.stack),
                weight: slice.weight,
                count: slice.count,
                cpu: before,
            }])
        })
        .chain(last)
}

fn cpu(slice: &Slice) -> Nanos {
    match slice.state.kind() {
        StateKind::OnCpu | StateKind::Unknown => slice.weight,
        _ => Nanos::ZERO,
    }
}

/// Memory as the changes from value to value, growing totals as what was added.
fn counters(
    out: &mut dyn Write,
    source: &dyn Source,
    range: TimeRange,
    numbers: &Numbers,
    threads: &[(ThreadId, u64)],
) -> Result<(), FormatError> {
    let dictionary = source.dictionary();
    let names = Names::new(dictionary);
    let mut values: Vec<Vec<CounterRow>> = vec![Vec::new(); dictionary.counter_series().len()];
    for row in source.counters(range)? {
        if let Some(series) = values.get_mut(row.counter.index()) {
            series.push(row);
        }
    }
    let shown = dictionary
        .counter_series()
        .iter()
        .zip(&values)
        .filter_map(|(series, values)| {
            let is_memory = dictionary.text(series.name) == "rss";
            let thread = threads
                .iter()
                .position(|(thread, _)| names.process_of(*thread) == series.process)?;
            let drawable = is_memory || series.kind == CounterKind::Total;
            (drawable && !values.is_empty()).then_some((series, values, thread, is_memory))
        });
    array(out, shown, |out, (series, values, thread, is_memory)| {
        let deltas =
            std::iter::once(0.0).chain(values.windows(2).map(|two| two[1].value - two[0].value));
        write!(
            out,
            "{{\"name\":{},\"category\":\"{}\",\"description\":{},\"pid\":\"{}\",\
             \"mainThreadIndex\":{thread},\"samples\":{{\"length\":{},",
            Quoted(dictionary.text(series.name)),
            if is_memory { "Memory" } else { "Other" },
            Quoted(dictionary.text(series.unit)),
            numbers.process(series.process),
            values.len(),
        )?;
        column(
            out,
            "time",
            values.iter().map(|row| Millis(Nanos(row.time.0))),
        )?;
        out.write_all(b",")?;
        column(out, "count", deltas)?;
        out.write_all(b"}}")
    })?;
    Ok(())
}
