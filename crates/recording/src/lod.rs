//! Level of detail: the samples of a block summed up by stack and by time.

use sondage_model::tiles::{TileBuilder, tile_total};
use sondage_model::{
    Nanos, SampleColumns, SampleRow, SourceError, StateKind, TileRow, Time, TimeRange,
};

/// A tile, and how many equal ones follow it without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TileRun {
    pub tile: TileRow,
    pub repeat: u32,
}

impl TileRun {
    /// The start of the tile after the run.
    fn end(&self) -> u64 {
        let tiles = u64::from(self.repeat) + 1;
        self.tile
            .start
            .0
            .saturating_add(self.tile.width.0.saturating_mul(tiles))
    }
}

/// The widths of the tiles of a recording with this time between samples: about 64, 1024 and
/// 16384 samples of a thread.
pub(crate) fn tile_widths(interval: Nanos) -> Vec<Nanos> {
    // Without a rate, as in imports, 1 ms: so tiles are between 65 ms and 17 s.
    let interval = if interval == Nanos::ZERO {
        1_000_000
    } else {
        interval.0.clamp(1_000, 1_000_000_000)
    };
    let base = (interval * 64).next_power_of_two();
    [base, base * 16, base * 256].map(Nanos).to_vec()
}

/// The tiles of one width of `samples`, by thread, then start.
pub(crate) fn tiles_of(samples: &SampleColumns, width: Nanos) -> Vec<TileRun> {
    let mut builder = TileBuilder::new(width);
    let mut runs: Vec<TileRun> = Vec::new();
    for row in samples.rows() {
        push(&mut builder, &mut runs, row, width);
    }
    let single = builder.finish().into_iter();
    runs.extend(single.map(|tile| TileRun { tile, repeat: 0 }));
    join(runs)
}

/// Adds a row. What of it fills whole tiles becomes a run, so that a long sleep costs one row and
/// not one a tile.
fn push(builder: &mut TileBuilder, runs: &mut Vec<TileRun>, row: SampleRow, width: Nanos) {
    let range = row.range();
    let first_whole = range.start.0.div_ceil(width.0);
    let whole_end = range.end.0 / width.0;
    if whole_end < first_whole.saturating_add(3) {
        builder.push(row);
        return;
    }
    let part = |start: u64, end: u64| SampleRow {
        time: Time(end),
        weight: Nanos(end - start),
        ..row
    };
    builder.push(part(range.start.0, first_whole * width.0));
    let mut at = first_whole;
    while at < whole_end {
        let tiles = (whole_end - at).min(u64::from(u32::MAX) + 1);
        let mut tile = TileRow {
            thread: row.thread,
            start: Time(at * width.0),
            width,
            stack: row.stack,
            ..TileRow::default()
        };
        tile.by_state[row.state.kind().index()] = width;
        if row.state.holds_gil() {
            tile.gil = width;
        }
        if row.state.kind().is_active() {
            tile.active_stack = row.stack;
        }
        runs.push(TileRun {
            tile,
            repeat: (tiles - 1) as u32,
        });
        at += tiles;
    }
    builder.push(part(whole_end * width.0, range.end.0));
}

/// Sorts runs by thread and start, and joins equal neighbours.
fn join(mut runs: Vec<TileRun>) -> Vec<TileRun> {
    runs.sort_unstable_by_key(|run| (run.tile.thread, run.tile.start, run.repeat));
    let mut out: Vec<TileRun> = Vec::with_capacity(runs.len());
    for run in runs {
        if let Some(last) = out.last_mut() {
            let follows = TileRow {
                start: last.tile.start,
                ..run.tile
            } == last.tile
                && last.end() == run.tile.start.0;
            let joined = last.repeat.checked_add(run.repeat);
            let joined = joined.and_then(|repeat| repeat.checked_add(1));
            if follows && let Some(repeat) = joined {
                last.repeat = repeat;
                continue;
            }
        }
        out.push(run);
    }
    out
}

/// Collects runs of several blocks into the tiles that overlap a range.
pub(crate) struct TileCollector {
    width: Nanos,
    range: TimeRange,
    tiles: Vec<TileRow>,
}

/// The most tiles one question is answered with: four million, about 500 MB. They are 18 hours of
/// four threads at the narrowest width for 1 kHz.
const MOST_TILES: usize = 1 << 22;

impl TileCollector {
    pub fn new(width: Nanos, range: TimeRange) -> TileCollector {
        TileCollector {
            width,
            range,
            tiles: Vec::new(),
        }
    }

    /// Adds the part of a run that lies in the range.
    pub fn add(&mut self, run: &TileRun) -> Result<(), SourceError> {
        let width = self.width.0;
        if run.tile.width != self.width || !run.tile.start.0.is_multiple_of(width) {
            return Err(SourceError::Damaged {
                what: "a tile".into(),
                why: "it does not lie on the grid".into(),
            });
        }
        let start = run.tile.start.0;
        let skipped = self.range.start.0.saturating_sub(start) / width;
        let end = run.end().min(self.range.end.0);
        let mut at = start.saturating_add(skipped.saturating_mul(width));
        let tiles = end.saturating_sub(at).div_ceil(width);
        if tiles > (MOST_TILES - self.tiles.len()) as u64 {
            return Err(SourceError::Damaged {
                what: "the tiles".into(),
                why: "there are too many of this width in this range; wider ones are fewer".into(),
            });
        }
        while at < end {
            self.tiles.push(TileRow {
                start: Time(at),
                ..run.tile
            });
            at = at.saturating_add(width);
        }
        Ok(())
    }

    /// The tiles by thread, then start; parts of one tile that came from several blocks are
    /// added up.
    pub fn finish(mut self) -> Vec<TileRow> {
        self.tiles
            .sort_unstable_by_key(|tile| (tile.thread, tile.start, tile.stack));
        let mut out: Vec<TileRow> = Vec::with_capacity(self.tiles.len());
        let mut heaviest = Nanos::ZERO;
        let mut most_active = Nanos::ZERO;
        for tile in self.tiles {
            let total = tile_total(&tile);
            let active = active_total(&tile);
            match out.last_mut() {
                Some(last) if last.thread == tile.thread && last.start == tile.start => {
                    for (sum, part) in last.by_state.iter_mut().zip(tile.by_state) {
                        *sum += part;
                    }
                    last.gil += tile.gil;
                    if total > heaviest {
                        last.stack = tile.stack;
                        heaviest = total;
                    }
                    if active > most_active {
                        last.active_stack = tile.active_stack;
                        most_active = active;
                    }
                }
                _ => {
                    out.push(tile);
                    heaviest = total;
                    most_active = active;
                }
            }
        }
        out
    }
}

fn active_total(tile: &TileRow) -> Nanos {
    StateKind::ALL
        .iter()
        .filter(|kind| kind.is_active())
        .map(|kind| tile.by_state[kind.index()])
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs are as long as a `u32` counts; two of the longest are not joined to one.
    #[test]
    fn a_sample_longer_than_a_run_is_several() {
        let mut samples = SampleColumns::default();
        samples.push(SampleRow {
            time: Time(u64::MAX),
            weight: Nanos(u64::MAX),
            count: 1,
            ..SampleRow::default()
        });
        let runs = tiles_of(&samples, Nanos(1 << 26));
        let tiles: u64 = runs.iter().map(|run| u64::from(run.repeat) + 1).sum();
        assert_eq!(tiles, 1 << 38);
        assert!(
            runs.windows(2)
                .all(|two| two[0].end() == two[1].tile.start.0)
        );
    }
}
