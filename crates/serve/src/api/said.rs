//! `api/frames`, `api/logs` and `api/locks`: what else the program said.

use serde::Serialize;
use sondage_analyze::{Frame, FrameFigures, LockFigures, LogQuery, WaitPair};
use sondage_model::LogRow;

use crate::Recording;
use crate::api::columns::column;
use crate::api::filter::{place, recording, regex};
use crate::api::params::Params;
use crate::api::to_json;
use crate::api::zones::HistogramJson;
use crate::error::ApiError;

/// Log lines of an answer at most.
const MAX_LINES: usize = 10_000;
const DEFAULT_LINES: usize = 500;
/// Worst frames of an answer.
const DEFAULT_WORST: usize = 20;
const MAX_WORST: usize = 1000;

/// Frames as columns.
#[derive(Serialize)]
struct FramesJson {
    number: Vec<u64>,
    start: Vec<u64>,
    duration: Vec<u64>,
}

impl FramesJson {
    fn new(frames: &[Frame]) -> FramesJson {
        FramesJson {
            number: frames.iter().map(|frame| frame.number).collect(),
            start: frames.iter().map(|frame| frame.start.0).collect(),
            duration: frames.iter().map(|frame| frame.duration.0).collect(),
        }
    }
}

/// Figures of the frames of one name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameSetJson {
    process: u32,
    name: String,
    count: u64,
    total: u64,
    per_second: f64,
    min: u64,
    max: u64,
    p50: u64,
    p95: u64,
    p99: u64,
    worst: FramesJson,
}

impl FrameSetJson {
    pub(crate) fn new(set: &FrameFigures) -> FrameSetJson {
        FrameSetJson {
            process: set.process.0,
            name: set.name.clone(),
            count: set.count,
            total: set.total.0,
            per_second: set.per_second(),
            min: set.min.0,
            max: set.max.0,
            p50: set.percentiles.p50.0,
            p95: set.percentiles.p95.0,
            p99: set.percentiles.p99.0,
            worst: FramesJson::new(&set.worst),
        }
    }
}

pub(super) fn frames(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Set {
        #[serde(flatten)]
        figures: FrameSetJson,
        histogram: HistogramJson,
    }
    #[derive(Serialize)]
    struct Answer<S> {
        sets: S,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let worst = params.number("limit")?.unwrap_or(DEFAULT_WORST);
    let filter = place(analyzer.source(), params)?;
    let sets = analyzer.frames(&filter, worst.min(MAX_WORST))?;
    to_json(&Answer {
        sets: column(&sets, |set| Set {
            figures: FrameSetJson::new(set),
            histogram: HistogramJson::new(&set.histogram),
        }),
    })
}

pub(super) fn logs(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<T, I, L, C, X> {
        rows: usize,
        time: T,
        thread: I,
        level: L,
        colour: C,
        text: X,
        empty: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let query = LogQuery {
        only: match params.text("match") {
            None => None,
            Some(text) => Some(regex("match", text)?),
        },
        least_level: params.number("level")?.unwrap_or(0),
        offset: params.number("offset")?.unwrap_or(0),
        limit: params
            .number("limit")?
            .unwrap_or(DEFAULT_LINES)
            .min(MAX_LINES),
    };
    let lines = analyzer.logs(&place(analyzer.source(), params)?, &query)?;
    let rows = &lines.rows[..];
    let numbers = |of: fn(&LogRow) -> u32| column(rows, of);
    to_json(&Answer {
        rows: lines.count,
        time: column(rows, |row| row.time.0),
        thread: numbers(|row| row.thread.0),
        level: column(rows, |row| row.level),
        colour: numbers(|row| row.colour),
        text: column(rows, |row| row.text.as_str()),
        empty: lines.empty.map(|empty| empty.to_string()),
    })
}

/// Figures of one lock.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LockJson<'a> {
    lock: u32,
    name: &'a str,
    place: &'a str,
    count: u64,
    waits: u64,
    given_up: u64,
    wait: u64,
    max_wait: u64,
    hold: u64,
    max_hold: u64,
    pairs: Vec<PairJson>,
}

/// Who waited for whom.
#[derive(Serialize)]
struct PairJson {
    waiter: u32,
    holder: Option<u32>,
    count: u64,
    wait: u64,
}

impl<'a> LockJson<'a> {
    pub(crate) fn new(row: &'a LockFigures) -> LockJson<'a> {
        let pair = |pair: &WaitPair| PairJson {
            waiter: pair.waiter.0,
            holder: pair.holder.map(|thread| thread.0),
            count: pair.count,
            wait: pair.wait.0,
        };
        LockJson {
            lock: row.lock.0,
            name: &row.name,
            place: &row.place,
            count: row.count,
            waits: row.waits,
            given_up: row.given_up,
            wait: row.wait.0,
            max_wait: row.max_wait.0,
            hold: row.hold.0,
            max_hold: row.max_hold.0,
            pairs: row.pairs.iter().map(pair).collect(),
        }
    }
}

pub(super) fn locks(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<L> {
        locks: L,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let locks = analyzer.locks(&place(analyzer.source(), params)?)?;
    to_json(&Answer {
        locks: column(&locks, LockJson::new),
    })
}
