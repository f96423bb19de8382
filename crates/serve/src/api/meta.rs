//! `api/meta`: what the recordings are of.

use serde::Serialize;
use sondage_analyze::{Overview, ProbeCost};
use sondage_model::{
    ClockRow, CounterKind, Dictionary, LossKind, MessageLevel, RecordingInfo, Source, ThreadId,
    Time,
};

use crate::Recording;
use crate::api::columns::{ByState, by_state};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;
use crate::report::unit_name;

#[derive(Serialize)]
struct Meta<'a> {
    version: &'static str,
    recordings: Vec<RecordingMeta<'a>>,
}

#[derive(Serialize)]
struct RecordingMeta<'a> {
    index: usize,
    name: &'a str,
    path: Option<String>,
    info: Info<'a>,
    unit: &'static str,
    range: Range,
    samples: u64,
    recovered: Option<&'a str>,
    processes: Vec<Process<'a>>,
    threads: Vec<Thread<'a>>,
    counters: Vec<Counter<'a>>,
    tasks: usize,
    functions: usize,
    program: ProgramMeta,
    losses: Vec<Loss>,
    messages: Vec<Message<'a>>,
    overhead: Overhead,
}

/// What the program said of itself: how much there is of it.
#[derive(Serialize)]
struct ProgramMeta {
    zones: u64,
    sites: usize,
    frames: usize,
    logs: usize,
    locks: usize,
    probes: Option<Probes>,
}

/// What the probes in the program cost it.
#[derive(Serialize)]
pub(crate) struct Probes {
    events: u64,
    cost: u64,
}

impl Probes {
    pub(crate) fn new(cost: ProbeCost) -> Probes {
        Probes {
            events: cost.events,
            cost: cost.cost.0,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    command: &'a [String],
    engine: &'a str,
    writer: &'a str,
    unix_start_nanos: String,
    interval_nanos: u64,
    host: &'a str,
    system: &'a str,
    cpus: u32,
    labels: Vec<LabelJson<'a>>,
}

#[derive(Serialize)]
struct LabelJson<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Range {
    start: u64,
    end: u64,
}

#[derive(Serialize)]
struct Process<'a> {
    id: usize,
    pid: i32,
    parent: Option<u32>,
    name: &'a str,
    command: &'a str,
    runtime: &'a str,
    start: u64,
    end: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread<'a> {
    id: u32,
    process: u32,
    tid: i32,
    name: &'a str,
    is_main: bool,
    start: u64,
    end: Option<u64>,
    weights: ByState<u64>,
    gil: u64,
    count: u64,
}

#[derive(Serialize)]
struct Counter<'a> {
    id: usize,
    process: u32,
    name: &'a str,
    unit: &'a str,
    kind: &'static str,
}

/// Observations lost for one reason.
#[derive(Serialize)]
pub(crate) struct Loss {
    kind: &'static str,
    label: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Message<'a> {
    time: u64,
    level: &'static str,
    process: Option<u32>,
    text: &'a str,
}

/// The profiler's own cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overhead {
    own_cpu_nanos: u64,
    ticks: u64,
    reads: u64,
    stops: u64,
}

pub(super) fn answer(recordings: &[Recording], _: &Params) -> Result<Vec<u8>, ApiError> {
    let recordings = recordings.iter().enumerate();
    let recordings: Result<Vec<_>, ApiError> = recordings
        .map(|(index, recording)| recording_meta(index, recording))
        .collect();
    to_json(&Meta {
        version: env!("CARGO_PKG_VERSION"),
        recordings: recordings?,
    })
}

fn recording_meta(index: usize, recording: &Recording) -> Result<RecordingMeta<'_>, ApiError> {
    let analyzer = recording.analyzer();
    let source = analyzer.source();
    let overview = analyzer.overview()?;
    let dict = source.dictionary();
    let range = source.range();
    Ok(RecordingMeta {
        index,
        name: &recording.name,
        path: recording
            .path
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned()),
        info: info(source.info()),
        unit: unit_name(overview.unit),
        range: Range {
            start: range.start.0,
            end: range.end.0,
        },
        samples: overview.total.count,
        recovered: recording.recovered.as_deref(),
        processes: processes(dict),
        threads: threads(dict, &overview),
        counters: counters(dict),
        // Task 0 stands for no task.
        tasks: dict.tasks().len().saturating_sub(1),
        functions: dict.functions().len(),
        program: ProgramMeta {
            zones: analyzer.zone_count(),
            sites: dict.sites().len(),
            frames: analyzer
                .frame_sets()?
                .iter()
                .map(|set| set.frames.len())
                .sum(),
            logs: analyzer.log_count()?,
            locks: dict.locks().len(),
            probes: analyzer.probe_cost()?.map(Probes::new),
        },
        losses: Loss::all(&overview.losses),
        messages: messages(source),
        overhead: Overhead::new(&overview.overhead),
    })
}

fn info(info: &RecordingInfo) -> Info<'_> {
    Info {
        command: &info.command,
        engine: &info.engine,
        writer: &info.writer,
        unix_start_nanos: info.unix_start_nanos.to_string(),
        interval_nanos: info.interval.0,
        host: &info.host,
        system: &info.system,
        cpus: info.cpus,
        labels: info
            .labels
            .iter()
            .map(|label| LabelJson {
                key: &label.key,
                value: &label.value,
            })
            .collect(),
    }
}

/// `None` for what was still alive.
fn end(time: Time) -> Option<u64> {
    (time != Time::MAX).then_some(time.0)
}

fn processes(dict: &Dictionary) -> Vec<Process<'_>> {
    let rows = dict.processes().iter().enumerate();
    rows.map(|(id, row)| Process {
        id,
        pid: row.pid.0,
        parent: row.parent.map(|parent| parent.0),
        name: dict.text(row.name),
        command: dict.text(row.command),
        runtime: dict.text(row.runtime),
        start: row.start.0,
        end: end(row.end),
    })
    .collect()
}

fn threads<'a>(dict: &'a Dictionary, overview: &Overview) -> Vec<Thread<'a>> {
    let rows = (0..).map(ThreadId).zip(dict.threads());
    rows.map(|(id, row)| {
        let totals = overview.thread(id);
        Thread {
            id: id.0,
            process: row.process.0,
            tid: row.tid.0,
            name: dict.text(row.name),
            is_main: row.is_main,
            start: row.start.0,
            end: end(row.end),
            weights: by_state(&totals.by_state),
            gil: totals.gil,
            count: totals.count,
        }
    })
    .collect()
}

fn counters(dict: &Dictionary) -> Vec<Counter<'_>> {
    let rows = dict.counter_series().iter().enumerate();
    rows.map(|(id, row)| Counter {
        id,
        process: row.process.0,
        name: dict.text(row.name),
        unit: dict.text(row.unit),
        kind: match row.kind {
            CounterKind::Gauge => "gauge",
            CounterKind::Total => "total",
        },
    })
    .collect()
}

fn messages(source: &dyn Source) -> Vec<Message<'_>> {
    let rows = source.messages().iter();
    rows.map(|row| Message {
        time: row.time.0,
        level: match row.level {
            MessageLevel::Info => "info",
            MessageLevel::Warning => "warning",
            MessageLevel::Error => "error",
        },
        process: row.process.map(|process| process.0),
        text: &row.text,
    })
    .collect()
}

impl Loss {
    pub(crate) fn all(losses: &[(LossKind, u64)]) -> Vec<Loss> {
        losses
            .iter()
            .map(|(kind, count)| Loss {
                kind: kind.name(),
                label: kind.label(),
                count: *count,
            })
            .collect()
    }
}

impl Overhead {
    pub(crate) fn new(row: &ClockRow) -> Overhead {
        Overhead {
            own_cpu_nanos: row.own_cpu.0,
            ticks: row.ticks,
            reads: row.reads,
            stops: row.stops,
        }
    }
}
