//! What each thread did over time, in about as many buckets as there are pixels.

use rustc_hash::FxHashMap;
use sondage_model::{CounterId, CounterKind, Nanos, StackId, StateKind, ThreadId, Time, TimeRange};

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

/// One counter over time: columns of one length.
#[derive(Clone, PartialEq, Debug)]
pub struct CounterTrack {
    /// The counter.
    pub counter: CounterId,
    /// When.
    pub time: Vec<Time>,
    /// A gauge's values; a total's growth per second, where nanoseconds per second are counted
    /// as seconds per second (that is, CPUs).
    pub value: Vec<f64>,
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
        });
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

    fn counters(
        &self,
        filter: &Filter,
        range: TimeRange,
        px: u64,
    ) -> Result<Vec<CounterTrack>, AnalyzeError> {
        let dict = self.dictionary();
        let series = dict.counter_series();
        let shown = |process| {
            let of_thread = |thread: &ThreadId| {
                let row = dict.threads().get(thread.index());
                row.is_some_and(|row| row.process == process)
            };
            (filter.processes.is_empty() && filter.threads.is_empty())
                || filter.processes.contains(&process)
                || filter.threads.iter().any(of_thread)
        };
        // A little beyond the edges, so that the curve goes on to them.
        let beyond = Nanos((range.span().0 / 50).max(1_000_000_000));
        let asked = TimeRange::new(range.start.saturating_sub(beyond), range.end + beyond);
        let mut points: Vec<Vec<(Time, f64)>> = vec![Vec::new(); series.len()];
        for row in self.source().counters(asked)? {
            if let Some(points) = points.get_mut(row.counter.index()) {
                points.push((row.time, row.value));
            }
        }
        let rows = series.iter().zip(points).enumerate();
        Ok(rows
            .filter(|(_, (series, points))| shown(series.process) && !points.is_empty())
            .map(|(id, (series, points))| {
                let per_second = match dict.text(series.unit) {
                    "ns" => 1.0,
                    _ => 1e9,
                };
                let points = match series.kind {
                    CounterKind::Gauge => points,
                    CounterKind::Total => rates(&points, per_second),
                };
                let points = thin_out(around(&points, range), px as usize);
                CounterTrack {
                    counter: CounterId(id as u32),
                    time: points.iter().map(|(time, _)| *time).collect(),
                    value: points.iter().map(|(_, value)| *value).collect(),
                }
            })
            .collect())
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

/// Growth per second between neighbouring values, at the later one's time. A total that falls
/// began anew; that step is left out.
fn rates(points: &[(Time, f64)], per_second: f64) -> Vec<(Time, f64)> {
    points
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0 && pair[1].1 >= pair[0].1)
        .map(|pair| {
            let nanos = pair[1].0.since(pair[0].0).0 as f64;
            (pair[1].0, (pair[1].1 - pair[0].1) / nanos * per_second)
        })
        .collect()
}

/// The points inside the range, and one on either side.
fn around(points: &[(Time, f64)], range: TimeRange) -> &[(Time, f64)] {
    let first = points.partition_point(|(time, _)| *time < range.start);
    let last = points.partition_point(|(time, _)| *time < range.end);
    &points[first.saturating_sub(1)..(last + 1).min(points.len())]
}

/// At most `most` points: of each of the equal parts the lowest and the highest.
fn thin_out(points: &[(Time, f64)], most: usize) -> Vec<(Time, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    if points.len() <= most || most < 2 {
        return points.iter().take(most.max(1)).copied().collect();
    }
    let width = (last.0.since(first.0).0 / (most as u64 / 2)).saturating_add(1);
    let part = |point: &(Time, f64)| point.0.since(first.0).0 / width;
    let mut kept = Vec::with_capacity(most);
    for same in points.chunk_by(|a, b| part(a) == part(b)) {
        let indexes = 0..same.len();
        let by_value = |a: &usize, b: &usize| same[*a].1.total_cmp(&same[*b].1);
        let low = indexes.clone().min_by(by_value).unwrap_or(0);
        let high = indexes.max_by(by_value).unwrap_or(0);
        kept.push(same[low.min(high)]);
        if low != high {
            kept.push(same[low.max(high)]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(Time, f64)> {
        let times = (0..).map(|i| Time(i * 100));
        times.zip(values.iter().copied()).collect()
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let mut values = vec![5.0; 1000];
        values[333] = 99.0;
        values[777] = -1.0;
        let thin = thin_out(&points(&values), 20);
        assert!(thin.len() <= 20, "{}", thin.len());
        for extreme in [99.0, -1.0] {
            assert!(thin.iter().any(|(_, value)| *value == extreme));
        }
        assert!(thin.is_sorted_by_key(|(time, _)| *time));
        assert_eq!(thin_out(&points(&values), 1000).len(), 1000);
        assert_eq!(thin_out(&[], 5), vec![]);
    }

    #[test]
    fn a_total_becomes_a_rate_and_a_restart_no_negative_one() {
        let rates = rates(&points(&[0.0, 50.0, 50.0, 10.0, 110.0]), 1.0);
        let expected = vec![(Time(100), 0.5), (Time(200), 0.0), (Time(400), 1.0)];
        assert_eq!(rates, expected);
    }

    #[test]
    fn one_point_on_either_side_stays() {
        let points = points(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        let inside = around(&points, TimeRange::new(Time(150), Time(250)));
        assert_eq!(inside.len(), 3);
        assert_eq!(
            around(&points, TimeRange::new(Time(900), Time(999))).len(),
            1
        );
        assert_eq!(around(&[], TimeRange::ALL).len(), 0);
    }
}
