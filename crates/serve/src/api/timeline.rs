//! `api/timeline`: what each thread did over time.

use rustc_hash::FxHashMap;
use serde::Serialize;
use sondage_analyze::{Analyzer, CounterTrack, FrameName, ThreadTrack};
use sondage_model::{FunctionId, StackId, StateKind};

use crate::Recording;
use crate::api::columns::{ByState, column};
use crate::api::filter::{place, px, recording};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;

/// Where no Python code ran.
const NO_NAME: i32 = -1;

#[derive(Serialize)]
struct Counter<'a, T> {
    counter: u32,
    time: T,
    value: &'a [f64],
}

pub(super) fn answer(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<'a, T, N, F, C> {
        from: u64,
        to: u64,
        width: u64,
        threads: Vec<T>,
        names: N,
        functions: F,
        packages: Vec<&'a str>,
        own: Vec<bool>,
        counters: Vec<C>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let filter = place(analyzer.source(), params)?;
    let timeline = analyzer.timeline(&filter, px(params)?)?;
    let mut names = Names::new(analyzer);
    let threads = timeline
        .threads
        .iter()
        .map(|track| thread_json(track, &mut names))
        .collect();
    let names = names.names;
    to_json(&Answer {
        from: timeline.range.start.0,
        to: timeline.range.end.0,
        width: timeline.width.0,
        threads,
        names: column(&names, |name| name.label.as_str()),
        functions: column(&names, |name| name.function.0),
        packages: names.iter().map(|name| name.package.as_str()).collect(),
        own: names.iter().map(|name| name.own).collect(),
        counters: timeline.counters.iter().map(counter_json).collect(),
    })
}

fn thread_json<'a>(track: &'a ThreadTrack, names: &mut Names<'_>) -> impl Serialize + use<'a> {
    #[derive(Serialize)]
    struct Thread<'a, T> {
        thread: u32,
        start: T,
        states: ByState<&'a [u64]>,
        gil: &'a [u64],
        name: Vec<i32>,
    }
    Thread {
        thread: track.thread.0,
        start: column(&track.start, |time| time.0),
        states: ByState::new(|kind: StateKind| track.by_state[kind.index()].as_slice()),
        gil: &track.gil,
        name: track
            .stack
            .iter()
            .map(|stack| names.index(*stack))
            .collect(),
    }
}

fn counter_json(track: &CounterTrack) -> impl Serialize + '_ {
    Counter {
        counter: track.counter.0,
        time: column(&track.time, |time| time.0),
        value: &track.value,
    }
}

/// The names of the functions that buckets show, each once, in the order they are met.
struct Names<'a> {
    analyzer: &'a Analyzer,
    names: Vec<FrameName>,
    by_function: FxHashMap<FunctionId, i32>,
}

impl<'a> Names<'a> {
    fn new(analyzer: &'a Analyzer) -> Names<'a> {
        Names {
            analyzer,
            names: Vec::new(),
            by_function: FxHashMap::default(),
        }
    }

    /// The position of the innermost function of a stack.
    fn index(&mut self, stack: StackId) -> i32 {
        let Some(function) = self.analyzer.innermost(stack) else {
            return NO_NAME;
        };
        let Names {
            analyzer,
            names,
            by_function,
        } = self;
        *by_function.entry(function).or_insert_with(|| {
            names.push(
                analyzer
                    .names()
                    .frame(analyzer.dictionary(), function, None),
            );
            names.len() as i32 - 1
        })
    }
}
