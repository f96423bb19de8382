//! How finely a stretch of time is looked at: sample by sample, or by the recording's tiles.

use sondage_model::{Nanos, Source, TimeRange};

/// Samples that are read for one picture at most, where there are tiles instead.
const MOST_ROWS: u64 = 1 << 18;

/// What a picture over time is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// The samples themselves.
    Samples,
    /// Tiles of this width.
    Tiles(Nanos),
}

/// The widest tiles that are not wider than two of the buckets that were asked for. Without such
/// tiles the samples, unless they are so many that coarser buckets are the lesser evil.
// PERF: tiles are stored in widths 16 apart. With tiles of up to one bucket, a picture of 1200
// buckets of 8 threads took up to 152,000 tiles; with up to two, half of it. Example `times`,
// 10 million samples, 2-core VM.
pub(crate) fn detail(source: &dyn Source, range: TimeRange, bucket: Nanos) -> Detail {
    let widths = source.tile_widths();
    if let Some(width) = widths.iter().rev().find(|width| width.0 <= 2 * bucket.0) {
        return Detail::Tiles(*width);
    }
    let touched = source
        .blocks()
        .iter()
        .filter(|block| block.range.intersect(range).is_some());
    let rows: u64 = touched.map(|block| block.rows).sum();
    match widths.first() {
        Some(width) if rows > MOST_ROWS => Detail::Tiles(*width),
        _ => Detail::Samples,
    }
}
