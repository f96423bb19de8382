//! Frames: what a program that draws pictures says once a picture.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sondage_model::{FrameMarkKind, Nanos, ProcessId, StringId, ThreadId, Time, TimeRange};

use crate::zone_digest::{Digest, GrowingHistogram, Histogram, Percentiles};
use crate::{AnalyzeError, Analyzer, Filter};

/// Frames of one name in one process, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameSet {
    /// The process.
    pub process: ProcessId,
    /// The name; empty for the program's main one.
    pub name: String,
    /// The frames, by start.
    pub frames: Vec<Frame>,
}

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Its number in its set, from 0.
    pub number: u64,
    /// When it began.
    pub start: Time,
    /// How long it took.
    pub duration: Nanos,
}

/// Figures of the frames of one name.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameFigures {
    /// The process.
    pub process: ProcessId,
    /// The name; empty for the program's main one.
    pub name: String,
    /// Number of frames.
    pub count: u64,
    /// Sum of their durations.
    pub total: Nanos,
    /// The shortest.
    pub min: Nanos,
    /// The longest.
    pub max: Nanos,
    /// What most of them take.
    pub percentiles: Percentiles,
    /// How many took how long.
    pub histogram: Histogram,
    /// The longest ones, longest first.
    pub worst: Vec<Frame>,
}

impl FrameFigures {
    /// Frames a second, while there were frames; 0 without any.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        match self.total {
            Nanos::ZERO => 0.0,
            total => self.count as f64 / total.as_secs_f64(),
        }
    }
}

impl Analyzer {
    /// The frames of the recording, by process and name.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn frame_sets(&self) -> Result<Arc<[FrameSet]>, AnalyzeError> {
        if let Some(sets) = self.zone_index().frames.get() {
            return Ok(Arc::clone(sets));
        }
        let dict = self.dictionary();
        let mut sets: FxHashMap<(ProcessId, StringId), Growing> = FxHashMap::default();
        for mark in &*self.source().frame_marks()? {
            let Some(thread) = dict.threads().get(mark.thread.index()) else {
                continue;
            };
            let set = sets.entry((thread.process, mark.name)).or_default();
            match mark.kind {
                FrameMarkKind::Mark => {
                    if let Some(start) = set.last.replace(mark.time) {
                        set.push(start, mark.time);
                    }
                }
                FrameMarkKind::Begin => {
                    set.open.insert(mark.thread, mark.time);
                }
                FrameMarkKind::End => {
                    if let Some(start) = set.open.remove(&mark.thread) {
                        set.push(start, mark.time);
                    }
                }
            }
        }
        let mut sets: Vec<FrameSet> = sets
            .into_iter()
            .filter(|(_, set)| !set.frames.is_empty())
            .map(|((process, name), set)| FrameSet {
                process,
                name: dict.text(name).to_owned(),
                frames: set.finish(),
            })
            .collect();
        sets.sort_by(|a, b| (a.process, &a.name).cmp(&(b.process, &b.name)));
        Ok(Arc::clone(
            self.zone_index().frames.get_or_init(|| sets.into()),
        ))
    }

    /// Figures of the frames that begin in the filter's range, by process and name; `worst` of
    /// the longest each.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn frames(&self, filter: &Filter, worst: usize) -> Result<Vec<FrameFigures>, AnalyzeError> {
        let sets = self.frame_sets()?;
        let shown = |set: &&FrameSet| self.shows_process(filter, set.process);
        Ok(sets
            .iter()
            .filter(shown)
            .map(|set| figures(set, filter.range, worst))
            .filter(|figures| figures.count > 0)
            .collect())
    }

    /// The frames over time, by process and name: those that touch the filter's range; of those
    /// that begin on one of `px` pixels the longest.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn frame_tracks(&self, filter: &Filter, px: u32) -> Result<Vec<FrameSet>, AnalyzeError> {
        let range = filter.range.unwrap_or(self.source().range());
        let sets = self.frame_sets()?;
        let shown = |set: &&FrameSet| self.shows_process(filter, set.process);
        Ok(sets
            .iter()
            .filter(shown)
            .map(|set| FrameSet {
                process: set.process,
                name: set.name.clone(),
                frames: track(&set.frames, range, px),
            })
            .filter(|set| !set.frames.is_empty())
            .collect())
    }

    /// Whether a filter by processes and threads leaves anything of a process.
    pub(crate) fn shows_process(&self, filter: &Filter, process: ProcessId) -> bool {
        let of_thread = |thread: &ThreadId| {
            let row = self.dictionary().threads().get(thread.index());
            row.is_some_and(|row| row.process == process)
        };
        (filter.processes.is_empty() && filter.threads.is_empty())
            || filter.processes.contains(&process)
            || filter.threads.iter().any(of_thread)
    }
}

fn figures(set: &FrameSet, only: Option<TimeRange>, worst: usize) -> FrameFigures {
    let inside = |frame: &&Frame| only.is_none_or(|range| range.contains(frame.start));
    let frames = || set.frames.iter().filter(inside);
    let mut digest = Digest::default();
    let mut histogram = GrowingHistogram::new();
    for frame in frames() {
        digest.push(frame.duration);
        histogram.push(frame.duration, None);
    }
    let mut longest: Vec<Frame> = frames().copied().collect();
    longest.sort_by_key(|frame| (std::cmp::Reverse(frame.duration), frame.start));
    longest.truncate(worst);
    FrameFigures {
        process: set.process,
        name: set.name.clone(),
        count: frames().count() as u64,
        total: frames().map(|frame| frame.duration).sum(),
        min: frames()
            .map(|frame| frame.duration)
            .min()
            .unwrap_or_default(),
        max: frames()
            .map(|frame| frame.duration)
            .max()
            .unwrap_or_default(),
        percentiles: digest.percentiles(),
        histogram: histogram.finish(),
        worst: longest,
    }
}

/// The frames that touch the range; of those that begin on one pixel the longest.
fn track(frames: &[Frame], range: TimeRange, px: u32) -> Vec<Frame> {
    let width = range.span().0.div_ceil(u64::from(px.max(1))).max(1);
    let mut out: Vec<Frame> = Vec::new();
    for frame in frames {
        if frame.start + frame.duration < range.start || frame.start >= range.end {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.start.0 / width == frame.start.0 / width => {
                if frame.duration > last.duration {
                    *last = *frame;
                }
            }
            _ => out.push(*frame),
        }
    }
    out
}

/// Frames of one name while they are gathered.
#[derive(Default)]
struct Growing {
    last: Option<Time>,
    open: FxHashMap<ThreadId, Time>,
    frames: Vec<(Time, Time)>,
}

impl Growing {
    fn push(&mut self, start: Time, end: Time) {
        self.frames.push((start, end));
    }

    fn finish(mut self) -> Vec<Frame> {
        self.frames.sort_unstable();
        (0..)
            .zip(self.frames)
            .map(|(number, (start, end))| Frame {
                number,
                start,
                duration: end.since(start),
            })
            .collect()
    }
}
