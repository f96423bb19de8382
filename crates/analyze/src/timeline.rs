//! What each thread did over time, in about as many buckets as there are pixels.

use rustc_hash::FxHashMap;
use sondage_model::{Nanos, StackId, StateKind, ThreadId, Time, TimeRange};

use crate::counters::CounterTrack;
use crate::detail::{Detail, detail};
use crate::scan::Admit;
use crate::{AnalyzeError, Analyzer, Filter, StateSet, Unit};

/// States and counters over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeline {
    /// The range that was asked for.
    pub range: TimeRange,
    /// Width of a bucket. Buckets start at multiples of it, so that they stay where they are when
    /// the range moves.
    pub width: Nanos,
    /// The threads that have samples in the range, by id.
    pub threads: Vec<ThreadTrack>,
    /// The counters of the processes that are shown, by id.
    pub counters: Vec<CounterTrack>,
}

/// One thread over time: columns of one length, one row for each bucket with samples. The buckets
/// at the ends of the range are whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadTrack {
    /// The thread.
    pub thread: ThreadId,
    /// Start of the bucket.
    pub start: Vec<Time>,
    /// Weight by [`StateKind::index`], then by bucket.
    pub by_state: [Vec<u64>; StateKind::COUNT],
    /// Weight with the GIL held.
    pub gil: Vec<u64>,
    /// The stack with the most weight.
    pub stack: Vec<StackId>,
}

impl Analyzer {
    /// States and counters over time, in at most about `px` buckets. Of the filter the range,
    /// processes and threads count.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn timeline(&self, filter: &Filter, px: u32) -> Result<Timeline, AnalyzeError> {
        let range = filter.range.unwrap_or(self.source().range());
        let px = u64::from(px.max(1));
        let least = Nanos(range.span().0.div_ceil(px).max(1));
        let detail = match self.unit() {
            Unit::Nanos => detail(self.source(), range, least),
            Unit::Samples => Detail::Samples,
        };
        let width = match detail {
            Detail::Samples => least,
            // Whole tiles, so that none is cut.
            Detail::Tiles(tile) => Nanos(least.0.div_ceil(tile.0) * tile.0),
        };
        let end = match range.end.0.div_ceil(width.0).saturating_mul(width.0) {
            // The last instant of a recording without lengths stands at its end.
            end if end == range.end.0 && self.unit() == Unit::Samples => end + width.0,
            end => end,
        };
        let buckets = TimeRange::new(Time(range.start.0 - range.start.0 % width.0), Time(end));
        let admit = self.admit(&Filter {
            range: Some(buckets),
            states: StateSet::ALL,
            processes: filter.processes.clone(),
            threads: filter.threads.clone(),
            ..Filter::default()
        })?;
        let mut tracks = Tracks {
            range: buckets,
            width: width.0,
            threads: (0..self.dictionary().threads().len())
                .map(|_| None)
                .collect(),
        };
        match detail {
            Detail::Samples => self.add_samples(&admit, &mut tracks)?,
            Detail::Tiles(tile) => {
                for tile in self.source().tiles(tile, buckets)? {
                    if admit.takes_thread(tile.thread) {
                        tracks.add(
                            tile.thread,
                            tile.start.0,
                            tile.by_state.map(|weight| weight.0),
                            tile.gil.0,
                            tile.stack,
                        );
                    }
                }
            }
        }
        Ok(Timeline {
            range,
            width,
            threads: tracks.finish(),
            counters: self.counters(filter, range, px)?,
        })
    }

    fn add_samples(&self, admit: &Admit, tracks: &mut Tracks) -> Result<(), AnalyzeError> {
        let (range, width) = (tracks.range, tracks.width);
        for (block, span) in self.source().blocks().iter().enumerate() {
            if !admit.touches(span.range) {
                continue;
            }
            let rows = self.source().samples(block)?;
            for i in 0..rows.len() {
                if !admit.takes_thread(rows.threads[i]) {
                    continue;
                }
                let row = rows.row(i);
                let stack = admit.known(row.stack);
                let mut add = |at: u64, weight: u64| {
                    let mut by_state = [0; StateKind::COUNT];
                    by_state[row.state.kind().index()] = weight;
                    let gil = if row.state.holds_gil() { weight } else { 0 };
                    tracks.add(row.thread, at, by_state, gil, stack);
                };
                if self.unit() == Unit::Samples {
                    if range.contains(row.time) {
                        add(row.time.0, u64::from(row.count));
                    }
                    continue;
                }
                let Some(part) = row.range().intersect(range) else {
                    continue;
                };
                let mut from = part.start.0;
                while from < part.end.0 {
                    let to = part.end.0.min(from - from % width + width);
                    add(from, to - from);
                    from = to;
                }
            }
        }
        Ok(())
    }
}

/// Buckets while they grow.
struct Tracks {
    range: TimeRange,
    width: u64,
    threads: Vec<Option<GrowingTrack>>,
}

#[derive(Default)]
struct GrowingTrack {
    buckets: Vec<Bucket>,
    /// The bucket that was added to last, and its weight by stack.
    // PERF: samples of a thread come in the order of time, so one small map is enough and stays in
    // the cache. One map of all (bucket, stack) took 40 % of a timeline (`perf record` of the
    // example `times`, 10 million samples, 2-core VM).
    open: usize,
    stacks: FxHashMap<StackId, u64>,
}

impl GrowingTrack {
    /// Keeps the heaviest stack of the open bucket; between equals the one with the smallest id.
    fn close(&mut self) {
        let heaviest = self
            .stacks
            .drain()
            .max_by_key(|(stack, weight)| (*weight, std::cmp::Reverse(*stack)));
        if let Some((stack, weight)) = heaviest {
            let bucket = &mut self.buckets[self.open];
            // A sample of another block may have opened it a second time.
            if weight > bucket.heaviest {
                (bucket.stack, bucket.heaviest) = (stack, weight);
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    by_state: [u64; StateKind::COUNT],
    gil: u64,
    stack: StackId,
    heaviest: u64,
}

impl Tracks {
    fn add(
        &mut self,
        thread: ThreadId,
        at: u64,
        by_state: [u64; StateKind::COUNT],
        gil: u64,
        stack: StackId,
    ) {
        let Some(slot) = self.threads.get_mut(thread.index()) else {
            return;
        };
        let count = self.range.span().0.div_ceil(self.width) as usize;
        let index = (at.saturating_sub(self.range.start.0) / self.width) as usize;
        let track = slot.get_or_insert_with(GrowingTrack::default);
        if index >= count {
            return;
        }
        if track.buckets.is_empty() {
            track.buckets = vec![Bucket::default(); count];
        }
        if track.open != index {
            track.close();
            track.open = index;
        }
        let bucket = &mut track.buckets[index];
        for (sum, part) in bucket.by_state.iter_mut().zip(by_state) {
            *sum += part;
        }
        bucket.gil += gil;
        let weight: u64 = by_state.iter().sum();
        *track.stacks.entry(stack).or_default() += weight;
    }

    fn finish(self) -> Vec<ThreadTrack> {
        let (range, width) = (self.range, self.width);
        let tracks = self.threads.into_iter().enumerate();
        tracks
            .filter_map(|(id, track)| Some((id, track?)))
            .map(|(id, mut track)| {
                track.close();
                let filled: Vec<usize> = (0..track.buckets.len())
                    .filter(|&i| track.buckets[i].by_state.iter().any(|&weight| weight > 0))
                    .collect();
                let bucket = |i: &usize| &track.buckets[*i];
                ThreadTrack {
                    thread: ThreadId(id as u32),
                    start: filled
                        .iter()
                        .map(|&i| Time(range.start.0 + i as u64 * width))
                        .collect(),
                    by_state: std::array::from_fn(|kind| {
                        filled.iter().map(|i| bucket(i).by_state[kind]).collect()
                    }),
                    gil: filled.iter().map(|i| bucket(i).gil).collect(),
                    stack: filled.iter().map(|i| bucket(i).stack).collect(),
                }
            })
            .filter(|track| !track.start.is_empty())
            .collect()
    }
}
