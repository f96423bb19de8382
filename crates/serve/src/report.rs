//! The report as JSON: what `sondage report --json` prints and `api/report` answers.

use serde::Serialize;
use sondage_analyze::{
    HotFunction, HotLine, HotPath, Note, ProcessTimes, Program, Report, TaskTimes, ThreadTimes,
    Totals, Unit,
};

use crate::api::columns::{ByState, NameJson, by_state, column};
use crate::api::meta::{Loss, Overhead, Probes};
use crate::api::said::{FrameSetJson, LockJson};
use crate::api::zones::FiguresJson;

/// A report with what is known of its file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportJson<'a, P, F, L, H> {
    version: &'static str,
    recording: &'a str,
    recovered: Option<&'a str>,
    command: &'a [String],
    engine: &'a str,
    runtime: &'a str,
    range: [u64; 2],
    interval_nanos: u64,
    unit: &'static str,
    total: TotalsJson,
    shown: TotalsJson,
    shows_asleep: bool,
    processes: P,
    tasks: Vec<Task<'a>>,
    functions_by_self: F,
    functions_by_total: F,
    lines: L,
    paths: H,
    without_stack: u64,
    lost: u64,
    tried: u64,
    losses: Vec<Loss>,
    overhead: Overhead,
    program: ProgramJson<'a>,
    notes: Vec<NoteJson>,
    empty: Option<String>,
    more: &'a str,
}

/// What the program said of itself.
#[derive(Serialize)]
struct ProgramJson<'a> {
    zones: u64,
    sites: usize,
    #[serde(rename = "zonesByTotal")]
    zones_by_total: Vec<ZoneRow<'a>>,
    frames: Vec<FrameSetJson>,
    locks: Vec<LockJson<'a>>,
    logs: usize,
    probes: Option<Probes>,
}

#[derive(Serialize)]
struct ZoneRow<'a> {
    site: u32,
    label: &'a str,
    function: &'a str,
    file: &'a str,
    short: &'a str,
    line: u32,
    #[serde(flatten)]
    figures: FiguresJson,
}

#[derive(Serialize)]
struct TotalsJson {
    weight: u64,
    count: u64,
    gil: u64,
    states: ByState<u64>,
}

#[derive(Serialize)]
struct Process<'a> {
    process: u32,
    pid: i32,
    name: &'a str,
    runtime: &'a str,
    total: TotalsJson,
    threads: Vec<Thread<'a>>,
}

#[derive(Serialize)]
struct Thread<'a> {
    thread: u32,
    tid: i32,
    name: &'a str,
    total: TotalsJson,
}

#[derive(Serialize)]
struct Task<'a> {
    process: u32,
    name: &'a str,
    coroutine: &'a str,
    tasks: u64,
    total: TotalsJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    #[serde(flatten)]
    name: NameJson<'a>,
    #[serde(rename = "self")]
    own_weight: u64,
    total_weight: u64,
    self_count: u64,
    states: ByState<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    file: &'a str,
    short: &'a str,
    line: u32,
    function: &'a str,
    #[serde(rename = "self")]
    own_weight: u64,
    total_weight: u64,
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct Path<'a> {
    functions: &'a [String],
    #[serde(rename = "self")]
    own_weight: u64,
}

#[derive(Serialize)]
struct NoteJson {
    kind: &'static str,
    text: String,
}

/// The report as JSON, in the form that `docs/api.md` describes.
///
/// `recovered` says what was wrong with the file, if something was.
///
/// # Errors
/// Never for a report that analysis made.
pub fn report_json(report: &Report, recovered: Option<&str>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&ReportJson {
        version: env!("CARGO_PKG_VERSION"),
        recording: &report.recording,
        recovered,
        command: &report.command,
        engine: &report.engine,
        runtime: &report.runtime,
        range: [report.range.start.0, report.range.end.0],
        interval_nanos: report.interval.0,
        unit: unit_name(report.unit),
        total: totals(&report.total),
        shown: totals(&report.shown),
        shows_asleep: report.shows_asleep,
        processes: column(&report.processes, process),
        tasks: report.tasks.iter().map(task).collect(),
        functions_by_self: column(&report.by_own, function),
        functions_by_total: column(&report.by_total, function),
        lines: column(&report.lines, line),
        paths: column(&report.paths, path),
        without_stack: report.without_stack,
        lost: report.lost,
        tried: report.tried,
        losses: Loss::all(&report.losses),
        overhead: Overhead::new(&report.overhead),
        program: program(&report.program),
        notes: report.notes.iter().map(note).collect(),
        empty: report.empty.as_ref().map(ToString::to_string),
        more: &report.more,
    })
}

/// The word for what weights are measured in.
pub(crate) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanos => "ns",
        Unit::Samples => "samples",
    }
}

fn program(program: &Program) -> ProgramJson<'_> {
    ProgramJson {
        zones: program.zone_count,
        sites: program.site_count,
        zones_by_total: program
            .zones
            .iter()
            .map(|row| ZoneRow {
                site: row.0.site.0,
                label: &row.0.label,
                function: &row.0.function,
                file: &row.0.path,
                short: &row.0.short,
                line: row.0.line,
                figures: FiguresJson::new(&row.1),
            })
            .collect(),
        frames: program.frames.iter().map(FrameSetJson::new).collect(),
        locks: program.locks.iter().map(LockJson::new).collect(),
        logs: program.log_count,
        probes: program.probes.map(Probes::new),
    }
}

fn totals(totals: &Totals) -> TotalsJson {
    TotalsJson {
        weight: totals.weight,
        count: totals.count,
        gil: totals.gil,
        states: by_state(&totals.by_state),
    }
}

fn process(row: &ProcessTimes) -> Process<'_> {
    Process {
        process: row.process.0,
        pid: row.pid,
        name: &row.name,
        runtime: &row.runtime,
        total: totals(&row.totals),
        threads: row.threads.iter().map(thread).collect(),
    }
}

fn thread(row: &ThreadTimes) -> Thread<'_> {
    Thread {
        thread: row.thread.0,
        tid: row.tid,
        name: &row.name,
        total: totals(&row.totals),
    }
}

fn task(row: &TaskTimes) -> Task<'_> {
    Task {
        process: row.process.0,
        name: &row.name,
        coroutine: &row.coroutine,
        tasks: row.tasks,
        total: totals(&row.totals),
    }
}

fn function(row: &HotFunction) -> Function<'_> {
    Function {
        name: NameJson::new(&row.name),
        own_weight: row.own.weight,
        total_weight: row.total,
        self_count: row.own.count,
        states: by_state(&row.own.by_state),
    }
}

fn line(row: &HotLine) -> Line<'_> {
    Line {
        file: &row.path,
        short: &row.short,
        line: row.line,
        function: &row.function,
        own_weight: row.own,
        total_weight: row.total,
        text: row.text.as_deref(),
    }
}

fn path(row: &HotPath) -> Path<'_> {
    Path {
        functions: &row.functions,
        own_weight: row.own,
    }
}

fn note(note: &Note) -> NoteJson {
    NoteJson {
        kind: match note {
            Note::Lost { .. } => "lost",
            Note::GilWait { .. } => "gil-wait",
            Note::CpuWait { .. } => "cpu-wait",
            Note::DiskWait { .. } => "disk-wait",
            Note::Overhead { .. } => "overhead",
            Note::Asleep { .. } => "asleep",
        },
        text: note.to_string(),
    }
}
