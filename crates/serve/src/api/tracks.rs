//! `api/tracks`: what the program said, over time.

use rustc_hash::FxHashMap;
use serde::Serialize;
use sondage_analyze::{Analyzer, Frame, FrameSet, LogMark, WaitPiece, ZoneLane, ZonePiece};
use sondage_model::{LockId, SiteId, TaskId};

use crate::Recording;
use crate::api::columns::column;
use crate::api::filter::{place, px, recording};
use crate::api::params::Params;
use crate::api::to_json;
use crate::api::zones::SiteJson;
use crate::error::ApiError;

/// Rows of zones under a thread that are drawn unless the question says otherwise.
const DEFAULT_DEPTH: u16 = 64;

/// Where several zones, or one that is not known by number, are drawn.
const NO_ZONE: i64 = -1;

#[derive(Serialize)]
struct Lanes<T, L, D> {
    thread: T,
    lane: L,
    depths: D,
}

#[derive(Serialize)]
struct Pieces<I, L, T, Z, S> {
    thread: I,
    lane: L,
    depth: L,
    start: T,
    end: T,
    busy: T,
    count: T,
    zone: Z,
    flags: S,
    site: Vec<u32>,
    task: Vec<i32>,
}

#[derive(Serialize)]
struct Waits<I, T, H> {
    thread: I,
    start: T,
    end: T,
    count: T,
    wait: T,
    holder: H,
    lock: Vec<u32>,
}

#[derive(Serialize)]
struct Logs<T, I, L, C, X> {
    time: T,
    thread: I,
    level: L,
    colour: I,
    count: C,
    text: X,
}

#[derive(Serialize)]
struct FrameTrack<'a, T> {
    process: u32,
    name: &'a str,
    number: T,
    start: T,
    duration: T,
}

pub(super) fn answer(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<'a, L, Z, W, G, F> {
        from: u64,
        to: u64,
        width: u64,
        exact: bool,
        lanes: L,
        zones: Z,
        sites: Vec<SiteJson>,
        tasks: Vec<&'a str>,
        waits: W,
        locks: Vec<String>,
        logs: G,
        frames: Vec<F>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let filter = place(analyzer.source(), params)?;
    let px = px(params)?;
    let depth = params.number("depth")?.unwrap_or(DEFAULT_DEPTH);
    let tracks = analyzer.zone_tracks(&filter, px, depth)?;
    let lanes = analyzer.zone_lanes()?;
    let waits = analyzer.wait_pieces(&filter, px)?;
    let logs = analyzer.log_marks(&filter, px)?;
    let frames = analyzer.frame_tracks(&filter, px)?;
    let mut sites = Sites::default();
    let site = |piece: &ZonePiece| sites.index(piece.site);
    let piece_sites: Vec<u32> = tracks.pieces.iter().map(site).collect();
    let mut tasks = Tasks::default();
    let task = |piece: &ZonePiece| tasks.index(piece.task);
    let piece_tasks: Vec<i32> = tracks.pieces.iter().map(task).collect();
    let mut locks = Locks::default();
    let wait_locks = waits.iter().map(|wait| locks.index(wait.lock)).collect();
    to_json(&Answer {
        from: tracks.range.start.0,
        to: tracks.range.end.0,
        width: tracks.width.0,
        exact: tracks.exact,
        lanes: lanes_json(lanes),
        zones: pieces_json(&tracks.pieces, piece_sites, piece_tasks),
        sites: sites.finish(analyzer),
        tasks: tasks.finish(analyzer),
        waits: waits_json(&waits, wait_locks),
        locks: locks.finish(analyzer),
        logs: logs_json(&logs),
        frames: frames.iter().map(frame_json).collect(),
    })
}

fn lanes_json(lanes: &[ZoneLane]) -> impl Serialize + '_ {
    Lanes {
        thread: column(lanes, |lane| lane.thread.0),
        lane: column(lanes, |lane| lane.lane),
        depths: column(lanes, |lane| lane.depths),
    }
}

fn pieces_json(pieces: &[ZonePiece], site: Vec<u32>, task: Vec<i32>) -> impl Serialize + '_ {
    let numbers = |of: fn(&ZonePiece) -> u64| column(pieces, of);
    let small = |of: fn(&ZonePiece) -> u16| column(pieces, of);
    Pieces {
        thread: column(pieces, |piece| piece.thread.0),
        lane: small(|piece| piece.lane),
        depth: small(|piece| piece.depth),
        start: numbers(|piece| piece.start.0),
        end: numbers(|piece| piece.end.0),
        busy: numbers(|piece| piece.busy.0),
        count: numbers(|piece| piece.count),
        zone: column(pieces, |piece| {
            piece.zone.map_or(NO_ZONE, |zone| zone.0 as i64)
        }),
        flags: column(pieces, |piece| piece.flags.0),
        site,
        task,
    }
}

fn waits_json(waits: &[WaitPiece], lock: Vec<u32>) -> impl Serialize + '_ {
    let numbers = |of: fn(&WaitPiece) -> u64| column(waits, of);
    Waits {
        thread: column(waits, |wait| wait.thread.0),
        start: numbers(|wait| wait.start.0),
        end: numbers(|wait| wait.end.0),
        count: numbers(|wait| wait.count),
        wait: numbers(|wait| wait.wait.0),
        holder: column(waits, |wait| wait.holder.map(|thread| thread.0)),
        lock,
    }
}

fn logs_json(logs: &[LogMark]) -> impl Serialize + '_ {
    let numbers = |of: fn(&LogMark) -> u32| column(logs, of);
    Logs {
        time: column(logs, |mark| mark.row.time.0),
        thread: numbers(|mark| mark.row.thread.0),
        level: column(logs, |mark| mark.row.level),
        colour: numbers(|mark| mark.row.colour),
        count: column(logs, |mark| mark.count),
        text: column(logs, |mark| shortened(&mark.row.text)),
    }
}

fn frame_json(set: &FrameSet) -> impl Serialize + '_ {
    let numbers = |of: fn(&Frame) -> u64| column(&set.frames, of);
    FrameTrack {
        process: set.process.0,
        name: &set.name,
        number: numbers(|frame| frame.number),
        start: numbers(|frame| frame.start.0),
        duration: numbers(|frame| frame.duration.0),
    }
}

/// What a tooltip has room for; `api/logs` has the whole line.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// The places that pieces show, each once, in the order they are met.
#[derive(Default)]
struct Sites {
    sites: Vec<SiteId>,
    by_site: FxHashMap<SiteId, u32>,
}

impl Sites {
    fn index(&mut self, site: SiteId) -> u32 {
        let Sites { sites, by_site } = self;
        *by_site.entry(site).or_insert_with(|| {
            sites.push(site);
            sites.len() as u32 - 1
        })
    }

    fn finish(self, analyzer: &Analyzer) -> Vec<SiteJson> {
        let sites = self.sites.into_iter();
        sites.map(|site| SiteJson::of(analyzer, site)).collect()
    }
}

/// The tasks that pieces ran in, each once.
#[derive(Default)]
struct Tasks {
    tasks: Vec<TaskId>,
    by_task: FxHashMap<TaskId, i32>,
}

impl Tasks {
    /// -1 for no task.
    fn index(&mut self, task: TaskId) -> i32 {
        if task == TaskId::NONE {
            return -1;
        }
        let Tasks { tasks, by_task } = self;
        *by_task.entry(task).or_insert_with(|| {
            tasks.push(task);
            tasks.len() as i32 - 1
        })
    }

    fn finish(self, analyzer: &Analyzer) -> Vec<&str> {
        let dictionary = analyzer.dictionary();
        let rows = self
            .tasks
            .iter()
            .map(|task| dictionary.tasks().get(task.index()));
        rows.map(|row| row.map_or("", |row| dictionary.text(row.name)))
            .collect()
    }
}

/// The locks that waits show, each once.
#[derive(Default)]
struct Locks(Vec<LockId>);

impl Locks {
    fn index(&mut self, lock: LockId) -> u32 {
        let at = self.0.iter().position(|known| *known == lock);
        at.unwrap_or_else(|| {
            self.0.push(lock);
            self.0.len() - 1
        }) as u32
    }

    fn finish(self, analyzer: &Analyzer) -> Vec<String> {
        let locks = self.0.into_iter();
        locks.map(|lock| analyzer.lock_name(lock)).collect()
    }
}
