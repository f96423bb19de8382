//! Recordings drawn as text, for tests and examples.
//!
//! Columns are samples, rows are depth; what stands below each other is one stack:
//!
//! ```
//! let recording = sondage_analyze::picture::record("
//!     thread:  Main     Main     Worker
//!     state:   cpu+gil  blocked  gil-wait
//!              main     main     run
//!              parse    read@io.py:7
//! ");
//! assert_eq!(recording.samples.len(), 3);
//! assert_eq!(recording.dictionary.threads().len(), 2);
//! ```
//!
//! A frame is `name`, `name:line`, `name@file` or `name@file:line`; without a file it is in
//! `/work/app.py`, without a line at line 1. Lines that begin with a word and a colon say more of
//! each sample: `thread:` (`process/thread`, or `thread` of the process `app.py`), `state:`,
//! `count:`, `ms:` (how long it took, by default 1) and `at:` (when it ended, in ms; by default
//! when the sample before it in the same thread ended, plus its own length).

use rustc_hash::FxHashMap;
use sondage_model::{
    FunctionKind, MemoryRecording, Nanos, Pid, ProcessId, ProcessRow, RecordingInfo, SampleRow,
    StackId, State, StateKind, TaskId, ThreadId, ThreadRow, Tid, Time,
};

/// Where functions are that are drawn without a file.
pub const DEFAULT_FILE: &str = "/work/app.py";

const MS: u64 = 1_000_000;

/// The recording that the picture shows: one sample a column, at a rate of 1 kHz.
///
/// # Panics
/// When the picture cannot be read.
#[must_use]
pub fn record(picture: &str) -> MemoryRecording {
    let mut recording = MemoryRecording::new(RecordingInfo {
        command: vec!["app.py".into()],
        engine: "picture".into(),
        interval: Nanos(MS),
        cpus: 2,
        ..RecordingInfo::default()
    });
    let lines: Vec<&str> = picture.lines().filter(|l| !l.trim().is_empty()).collect();
    let (heads, frames): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| head(line).is_some());
    let mut columns: Vec<usize> = Vec::new();
    for line in heads.iter().chain(&frames) {
        columns.extend(cells(line).into_iter().map(|(column, _)| column));
    }
    columns.sort_unstable();
    columns.dedup();
    let field = |name: &str, column: usize| {
        heads
            .iter()
            .filter(|line| head(line) == Some(name))
            .flat_map(|line| cells(line))
            .find(|(at, _)| *at == column)
            .map(|(_, text)| text)
    };
    let mut threads = Threads::default();
    for column in columns {
        let stack: Vec<&str> = frames
            .iter()
            .flat_map(|line| cells(line))
            .filter(|(at, _)| *at == column)
            .map(|(_, text)| text)
            .collect();
        let thread = threads.get(&mut recording, field("thread", column).unwrap_or("Main"));
        let weight = field("ms", column).map_or(MS, millis);
        let last = threads.ends.entry(thread).or_default();
        let time = field("at", column).map_or(*last + weight, millis);
        *last = time;
        let row = SampleRow {
            time: Time(time),
            weight: Nanos(weight),
            count: field("count", column).map_or(1, |n| n.parse().expect("a count")),
            thread,
            stack: push_stack(&mut recording, &stack),
            task: TaskId::NONE,
            state: field("state", column).map_or(State::new(StateKind::OnCpu, false), state),
        };
        recording.samples.push(row);
    }
    recording
}

fn push_stack(recording: &mut MemoryRecording, frames: &[&str]) -> StackId {
    let dict = &mut recording.dictionary;
    frames.iter().fold(StackId::EMPTY, |parent, text| {
        let (text, line) = match text.rsplit_once(':') {
            Some((text, line)) => (text, line.parse().expect("a line number")),
            None => (*text, 1),
        };
        let (name, file) = text.split_once('@').unwrap_or((text, DEFAULT_FILE));
        let short = name.rsplit('.').next().unwrap_or(name);
        let function = dict.function(short, name, file, 1, FunctionKind::Python);
        let frame = dict.frame(function, line);
        dict.stack(parent, frame)
    })
}

#[derive(Default)]
struct Threads {
    processes: FxHashMap<String, ProcessId>,
    threads: FxHashMap<(ProcessId, String), ThreadId>,
    ends: FxHashMap<ThreadId, u64>,
}

impl Threads {
    fn get(&mut self, recording: &mut MemoryRecording, text: &str) -> ThreadId {
        let (process, thread) = text.split_once('/').unwrap_or(("app.py", text));
        let dict = &mut recording.dictionary;
        let pid = Pid(100 * (self.processes.len() as i32 + 1));
        let process = *self.processes.entry(process.to_owned()).or_insert_with(|| {
            let row = ProcessRow {
                pid,
                name: dict.string(process),
                command: dict.string(&format!("python {process}")),
                runtime: dict.string("CPython 3.12.1"),
                end: Time::MAX,
                ..ProcessRow::default()
            };
            dict.add_process(row)
        });
        let key = (process, thread.to_owned());
        let tid = Tid(dict.processes()[process.index()].pid.0 + self.threads.len() as i32);
        *self.threads.entry(key).or_insert_with(|| {
            let row = ThreadRow {
                process,
                tid,
                name: dict.string(thread),
                is_main: !dict.threads().iter().any(|row| row.process == process),
                end: Time::MAX,
                ..ThreadRow::default()
            };
            dict.add_thread(row)
        })
    }
}

/// The word before the colon of a line that does not hold frames.
fn head(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next()?;
    word.strip_suffix(':')
}

/// The words of a line and the columns they start in, without its head.
fn cells(line: &str) -> Vec<(usize, &str)> {
    let mut cells = Vec::new();
    let mut start = None;
    for (i, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (c == ' ', start) {
            (false, None) => start = Some(i),
            (true, Some(from)) => {
                let word = &line[from..i];
                if !word.ends_with(':') {
                    cells.push((from, word));
                }
                start = None;
            }
            _ => {}
        }
    }
    cells
}

fn millis(text: &str) -> u64 {
    let ms: f64 = text.parse().expect("a number of milliseconds");
    (ms * MS as f64).round() as u64
}

fn state(text: &str) -> State {
    let (kind, gil) = match text.strip_suffix("+gil") {
        Some(kind) => (kind, true),
        None => (text, false),
    };
    State::new(StateKind::from_name(kind).expect("a state"), gil)
}
