//! Many durations in little memory: percentiles and a histogram.

use rustc_hash::FxHashMap;
use sondage_model::Nanos;

use crate::zones::ZoneId;

/// So many durations are kept one by one; their percentiles are exact.
const EXACT: usize = 1024;
/// Parts of each doubling, as a power of two: the middle of a part is at most 1/256 away from
/// what lies in it.
const PART_BITS: u32 = 7;
const LINEAR: u64 = 2 << PART_BITS;
/// Examples in each bucket of a histogram.
const EXAMPLES: usize = 4;

/// What half, most and nearly all durations are at most. Of more than 1024 durations each is
/// right within 0.4 %.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Percentiles {
    /// Half of them take at most this.
    pub p50: Nanos,
    /// 95 of 100.
    pub p95: Nanos,
    /// 99 of 100.
    pub p99: Nanos,
}

/// Durations, added one by one in any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    count: u64,
    least: u64,
    most: u64,
    /// All of them, while they are few.
    exact: Vec<u64>,
    parts: FxHashMap<u32, u64>,
}

impl Digest {
    pub(crate) fn push(&mut self, duration: Nanos) {
        let value = duration.0;
        if self.count == 0 {
            (self.least, self.most) = (value, value);
        }
        self.count += 1;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        if self.count <= EXACT as u64 {
            self.exact.push(value);
            return;
        }
        for value in std::mem::take(&mut self.exact) {
            *self.parts.entry(part(value)).or_default() += 1;
        }
        *self.parts.entry(part(value)).or_default() += 1;
    }

    pub(crate) fn percentiles(mut self) -> Percentiles {
        self.exact.sort_unstable();
        let mut parts: Vec<(u32, u64)> = self.parts.iter().map(|(at, n)| (*at, *n)).collect();
        parts.sort_unstable();
        let at = |percent: u64| {
            // Nearest rank: the smallest value that so many do not exceed.
            let rank = (self.count * percent).div_ceil(100).max(1);
            if let Some(value) = self.exact.get(rank as usize - 1) {
                return Nanos(*value);
            }
            let mut below = 0;
            let found = parts.iter().find(|(_, n)| {
                below += n;
                below >= rank
            });
            Nanos(found.map_or(0, |(at, _)| middle(*at).clamp(self.least, self.most)))
        };
        Percentiles {
            p50: at(50),
            p95: at(95),
            p99: at(99),
        }
    }
}

/// The part a duration lies in: one each below 256 ns, 128 a doubling above.
fn part(value: u64) -> u32 {
    if value < LINEAR {
        return value as u32;
    }
    let shift = value.ilog2() - PART_BITS;
    // The leading bit is in the quotient, so neighbouring doublings continue each other.
    (shift << PART_BITS) + (value >> shift) as u32
}

fn middle(part: u32) -> u64 {
    if u64::from(part) < LINEAR {
        return u64::from(part);
    }
    let shift = (part >> PART_BITS) - 1;
    let quotient = u64::from(part - (shift << PART_BITS));
    (quotient << shift) + (1 << shift >> 1)
}

/// How many zones took how long, in buckets of about a quarter more each: ten for a factor of 10.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    /// From the bucket of the shortest to that of the longest, empty ones between them too.
    pub buckets: Vec<Bucket>,
}

/// The zones of about one duration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    /// The shortest duration that belongs to it.
    pub from: Nanos,
    /// The shortest that no longer does.
    pub to: Nanos,
    /// How many there are.
    pub count: u64,
    /// Sum of their durations.
    pub total: Nanos,
    /// The first of them that were written.
    pub examples: Vec<ZoneId>,
}

/// A histogram while it grows.
pub(crate) struct GrowingHistogram {
    edges: Vec<u64>,
    buckets: Vec<Bucket>,
}

impl GrowingHistogram {
    pub(crate) fn new() -> GrowingHistogram {
        let edges = edges();
        let buckets = edges.windows(2).map(|edge| Bucket {
            from: Nanos(edge[0]),
            to: Nanos(edge[1]),
            ..Bucket::default()
        });
        GrowingHistogram {
            buckets: buckets.collect(),
            edges,
        }
    }

    pub(crate) fn push(&mut self, duration: Nanos, id: Option<ZoneId>) {
        let above = self.edges.partition_point(|edge| *edge <= duration.0);
        let at = above.saturating_sub(1).min(self.buckets.len() - 1);
        let bucket = &mut self.buckets[at];
        bucket.count += 1;
        bucket.total += duration;
        if bucket.examples.len() < EXAMPLES {
            bucket.examples.extend(id);
        }
    }

    pub(crate) fn finish(self) -> Histogram {
        let filled = |bucket: &Bucket| bucket.count > 0;
        let first = self.buckets.iter().position(filled).unwrap_or(0);
        let end = self
            .buckets
            .iter()
            .rposition(filled)
            .map_or(0, |last| last + 1);
        Histogram {
            buckets: self.buckets[first..end].to_vec(),
        }
    }
}

/// 0, 1, 2, … 10, 12, 16, 20, 25, 31, 40, 50, 63, 80, 100, 125, …
fn edges() -> Vec<u64> {
    const TENTHS: [u128; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
    let powers = (1..20).map(|power| 10_u128.pow(power));
    let above = powers.flat_map(|power| TENTHS.map(|tenth| tenth * power / 100));
    (0..10)
        .chain(above)
        .map_while(|edge| u64::try_from(edge).ok())
        .chain([u64::MAX])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_far_from_what_lies_in_it() {
        let mut last = 0;
        for value in (0..5000).chain((13..64).flat_map(|bits| {
            let power = 1_u64 << bits;
            [power - 1, power, power + power / 3]
        })) {
            let part = part(value);
            assert!(part >= last, "parts are in order: {value}");
            last = part;
            let error = middle(part).abs_diff(value) as f64 / value.max(1) as f64;
            assert!(error <= 1.0 / 256.0, "{value}: {error}");
        }
    }

    #[test]
    fn percentiles_of_few_are_exact() {
        let mut digest = Digest::default();
        for value in (1..=100).rev() {
            digest.push(Nanos(value * 1_000_003));
        }
        let found = digest.percentiles();
        assert_eq!(
            [found.p50, found.p95, found.p99].map(|p| p.0),
            [50, 95, 99].map(|p| p * 1_000_003)
        );
        assert_eq!(Digest::default().percentiles(), Percentiles::default());
        let mut one = Digest::default();
        one.push(Nanos(7));
        assert_eq!(one.percentiles().p99, Nanos(7));
    }

    #[test]
    fn percentiles_of_many_are_near_and_do_not_depend_on_the_order() {
        let values: Vec<u64> = (1..=100_000).map(|i| i * i).collect();
        let digest = |values: &mut dyn Iterator<Item = u64>| {
            let mut digest = Digest::default();
            values.for_each(|value| digest.push(Nanos(value)));
            digest.percentiles()
        };
        let found = digest(&mut values.iter().copied());
        assert_eq!(found, digest(&mut values.iter().rev().copied()));
        for (percentile, rank) in [
            (found.p50, 50_000_u64),
            (found.p95, 95_000),
            (found.p99, 99_000),
        ] {
            let exact = (rank * rank) as f64;
            assert!((percentile.0 as f64 / exact - 1.0).abs() < 0.004);
        }
    }

    #[test]
    fn a_histogram_covers_every_duration_and_gives_examples() {
        assert!(edges().is_sorted_by(|a, b| a < b));
        let mut histogram = GrowingHistogram::new();
        for (i, value) in [0, 11, 12, 12, 30, u64::MAX].into_iter().enumerate() {
            histogram.push(Nanos(value), Some(ZoneId(i as u64)));
        }
        let buckets = histogram.finish().buckets;
        let filled: Vec<_> = buckets
            .iter()
            .filter(|bucket| bucket.count > 0)
            .map(|b| {
                (
                    b.from.0,
                    b.to.0,
                    b.count,
                    b.examples.iter().map(|z| z.0).collect(),
                )
            })
            .collect();
        let expected: Vec<(u64, u64, u64, Vec<u64>)> = vec![
            (0, 1, 1, vec![0]),
            (10, 12, 1, vec![1]),
            (12, 16, 2, vec![2, 3]),
            (25, 31, 1, vec![4]),
            (buckets[buckets.len() - 1].from.0, u64::MAX, 1, vec![5]),
        ];
        assert_eq!(filled, expected);
        assert!(GrowingHistogram::new().finish().buckets.is_empty());
    }
}
