//! What probes cost: with the recording set aside, so that none of it is the program's.

use crate::object::{Guarded, Object};
use crate::{profiler, span, store, sum};
use pyo3::prelude::*;
use sondage::raw::{self, SpanId, TraceId};
use sondage_wire::{Memory, Producer, Size, encode};
use std::collections::VecDeque;
use std::hint::black_box;

/// What is put back when the measuring is over.
struct Aside {
    traces: VecDeque<Object>,
    counts: [u64; 3],
    timed: (u64, u64),
    was_on: bool,
}

/// Writes an event.
type Write<'a> = dyn FnMut(&[u64]) + 'a;

static ASIDE: Guarded<Option<Aside>> = Guarded::new(None);

/// Spans and passes recorded since the start, and calls that were traced.
#[pyfunction]
pub(crate) fn counts() -> (u64, u64, u64) {
    let [spans, calls] = span::counts();
    (spans, sum::count(), calls)
}

/// Spans go into no recording and no kept trace, and count for nothing, until
/// [`end_calibration`].
#[pyfunction]
pub(crate) fn begin_calibration() {
    let [spans, calls] = span::counts();
    // SAFETY: the GIL is held.
    unsafe {
        *ASIDE.get() = Some(Aside {
            traces: store::swap(VecDeque::new()),
            counts: [spans, calls, sum::count()],
            timed: span::swap_timed((0, 0)),
            was_on: profiler::is_on(),
        });
        profiler::turn(true);
    }
    raw::set_enabled(false);
}

/// Nanoseconds of entering and leaving a span on average, as measured on one of many; and how many
/// were measured.
#[pyfunction]
pub(crate) fn own_nanos() -> (f64, u64) {
    let timed = span::swap_timed((0, 0));
    span::swap_timed(timed);
    let (ticks, count) = timed;
    (raw::nanos_of(ticks) as f64 / count.max(1) as f64, count)
}

/// All is as it was before [`begin_calibration`].
#[pyfunction]
pub(crate) fn end_calibration() {
    // SAFETY: the GIL is held; what was made in between is given up.
    unsafe {
        let Some(aside) = (*ASIDE.get()).take() else {
            return;
        };
        for root in store::swap(aside.traces) {
            crate::object::decref(root);
        }
        let [spans, calls, passes] = aside.counts;
        span::set_counts([spans, calls]);
        sum::set_count(passes);
        span::swap_timed(aside.timed);
        profiler::turn(aside.was_on);
        raw::set_enabled(aside.was_on);
    }
}

/// Nanoseconds of the events of one span, and of one traced call: written to memory of our own,
/// which is used again and again as a collector's is.
#[pyfunction]
pub(crate) fn event_nanos() -> (f64, f64) {
    const PASSES: u64 = 1000;
    const ROUNDS: usize = 15;
    let memory = Memory::new(Size {
        chunks: 4,
        name_words: 64,
    });
    let arena = memory.arena();
    let mut producer = Producer::new();
    producer.attach(arena.define_thread(1, ""));
    let mut write = |words: &[u64]| {
        if !producer.write(words) {
            producer.refill(arena, || 0);
            producer.write(words);
        }
    };
    let mut measure = |once: &mut dyn FnMut(&mut Write<'_>)| {
        let mut rounds: Vec<u64> = (0..ROUNDS)
            .map(|_| {
                let began = raw::ticks();
                for _ in 0..PASSES {
                    once(&mut write);
                }
                raw::ticks() - began
            })
            .collect();
        rounds.sort_unstable();
        raw::nanos_of(rounds[ROUNDS / 2]) as f64 / PASSES as f64
    };
    let (id, trace) = (SpanId(1), TraceId(1));
    let spans = measure(&mut |write| {
        write(&encode::span_root(
            black_box(raw::ticks()),
            1,
            (id, id),
            trace,
            false,
        ));
        write(&encode::span_end(black_box(raw::ticks()), id, false));
    });
    let calls = measure(&mut |write| {
        write(&encode::zone_begin(black_box(raw::ticks()), 1, 0));
        write(&encode::zone_end(black_box(raw::ticks())));
    });
    (spans, calls)
}
