//! The metrics of processes as curves.

use std::borrow::Cow;

use sondage_model::{CounterId, CounterKind, CounterRow, Nanos, Time, TimeRange};

use crate::{AnalyzeError, Analyzer, Filter};

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

/// The values of each counter, by id, in the order of time.
pub(crate) type Series = Vec<Vec<(Time, f64)>>;

impl Analyzer {
    /// The curves of the processes that are shown, of at most `px` points each.
    pub(crate) fn counters(
        &self,
        filter: &Filter,
        range: TimeRange,
        px: u64,
    ) -> Result<Vec<CounterTrack>, AnalyzeError> {
        let dict = self.dictionary();
        // A little beyond the edges, so that the curve goes on to them.
        let beyond = Nanos((range.span().0 / 50).max(1_000_000_000));
        let asked = TimeRange::new(range.start.saturating_sub(beyond), range.end + beyond);
        let all = self.counter_values(asked)?;
        let rows = dict.counter_series().iter().zip(all.iter()).enumerate();
        Ok(rows
            .map(|(id, (series, points))| (id, series, within(points, asked)))
            .filter(|(_, series, points)| {
                self.shows_process(filter, series.process) && !points.is_empty()
            })
            .map(|(id, series, points)| {
                let per_second = match dict.text(series.unit) {
                    "ns" => 1.0,
                    _ => 1e9,
                };
                let points = match series.kind {
                    CounterKind::Gauge => Cow::Borrowed(points),
                    CounterKind::Total => Cow::Owned(rates(points, per_second)),
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

    /// The values in the range, or more of them.
    // PERF: kept, as they lie in many small chunks. The whole timeline of 10 million samples with
    // 6 counters at 10 Hz took 20.3 ms, and 2.5 ms from the second time on with this (median of 30,
    // 2-core VM).
    fn counter_values(&self, range: TimeRange) -> Result<Cow<'_, Series>, AnalyzeError> {
        match self.kept_counters.get() {
            Some(Some(kept)) => return Ok(Cow::Borrowed(kept)),
            Some(None) => return Ok(Cow::Owned(self.by_series(self.source().counters(range)?))),
            None => {}
        }
        let rows = self.source().counters(TimeRange::ALL)?;
        let few = rows.len() * size_of::<(Time, f64)>() <= self.cache_bytes() / 2;
        let all = self.by_series(rows);
        let kept = self.kept_counters.get_or_init(|| few.then(|| all.clone()));
        Ok(kept.as_ref().map_or(Cow::Owned(all), Cow::Borrowed))
    }

    fn by_series(&self, rows: Vec<CounterRow>) -> Series {
        let mut all: Series = vec![Vec::new(); self.dictionary().counter_series().len()];
        for row in rows {
            if let Some(points) = all.get_mut(row.counter.index()) {
                points.push((row.time, row.value));
            }
        }
        all
    }
}

/// The points in a range.
fn within(points: &[(Time, f64)], range: TimeRange) -> &[(Time, f64)] {
    let first = points.partition_point(|(time, _)| *time < range.start);
    let last = points.partition_point(|(time, _)| *time < range.end);
    &points[first..last.max(first)]
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
        assert_eq!(
            within(&points, TimeRange::new(Time(100), Time(300))),
            &points[1..3]
        );
    }
}
