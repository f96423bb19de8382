//! Level of detail of zones: those of a block cut into tiles of time.

use sondage_model::zone_tiles::ZoneTileBuilder;
use sondage_model::{Nanos, SourceError, Time, TimeRange, ZoneColumns, ZoneRow, ZoneTileRow};

/// A tile, and how many equal ones follow it without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ZoneTileRun {
    pub tile: ZoneTileRow,
    pub repeat: u32,
}

/// The widths of the tiles of zones: 1 ms, 17 ms, 0.27 s, 4.3 s. Unlike samples zones have no rate
/// that would tell better ones.
pub(crate) const WIDTHS: [Nanos; 4] = [
    Nanos(1 << 20),
    Nanos(1 << 24),
    Nanos(1 << 28),
    Nanos(1 << 32),
];

/// The tiles of one width, or `None` where they would be so many that the zones themselves tell
/// more for less.
pub(crate) fn tiles_worth_storing(zones: &ZoneColumns, width: Nanos) -> Option<Vec<ZoneTileRun>> {
    let tiles = tiles_of(zones, width);
    (tiles.len() <= zones.len() / 4).then_some(tiles)
}

/// The tiles of one width of `zones`, by thread, lane, depth and start.
pub(crate) fn tiles_of(zones: &ZoneColumns, width: Nanos) -> Vec<ZoneTileRun> {
    let mut builder = ZoneTileBuilder::new(width);
    let mut runs: Vec<ZoneTileRun> = Vec::new();
    for row in zones.rows() {
        push(&mut builder, &mut runs, row, width);
    }
    let single = builder.finish().into_iter();
    runs.extend(single.map(|tile| ZoneTileRun { tile, repeat: 0 }));
    runs.sort_unstable_by_key(|run| key(&run.tile));
    runs
}

pub(crate) fn key(tile: &ZoneTileRow) -> (u32, u16, u16, Time) {
    (tile.thread.0, tile.lane, tile.depth, tile.start)
}

/// Adds a zone. What of it fills whole tiles becomes a run, so that a long zone costs one row and
/// not one a tile.
fn push(builder: &mut ZoneTileBuilder, runs: &mut Vec<ZoneTileRun>, row: ZoneRow, width: Nanos) {
    let range = row.range();
    let first_whole = range.start.0.div_ceil(width.0);
    let whole_end = range.end.0 / width.0;
    if whole_end < first_whole.saturating_add(3) {
        builder.push(&row);
        return;
    }
    let head = first_whole * width.0 - range.start.0;
    if head > 0 {
        builder.push(&ZoneRow {
            duration: Nanos(head),
            ..row
        });
    }
    let mut at = first_whole;
    // The zone began in the first tile; where that is whole, it counts there.
    let mut count = u32::from(head == 0);
    while at < whole_end {
        let tiles = if count == 1 {
            1
        } else {
            (whole_end - at).min(u64::from(u32::MAX))
        };
        runs.push(ZoneTileRun {
            tile: ZoneTileRow {
                thread: row.thread,
                lane: row.lane,
                depth: row.depth,
                start: Time(at * width.0),
                width,
                busy: width,
                count,
                site: row.site,
            },
            repeat: (tiles - 1) as u32,
        });
        count = 0;
        at += tiles;
    }
    builder.push_rest(&ZoneRow {
        start: Time(whole_end * width.0),
        duration: Nanos(range.end.0 - whole_end * width.0),
        ..row
    });
}

/// Collects runs of several blocks into the tiles that overlap a range.
pub(crate) struct ZoneTileCollector {
    width: Nanos,
    range: TimeRange,
    tiles: Vec<ZoneTileRow>,
}

/// The most tiles one question is answered with: four million, about 200 MB.
const MOST_TILES: usize = 1 << 22;

impl ZoneTileCollector {
    /// `range` begins and ends at multiples of `width`.
    pub fn new(width: Nanos, range: TimeRange) -> ZoneTileCollector {
        ZoneTileCollector {
            width,
            range,
            tiles: Vec::new(),
        }
    }

    /// Adds the part of a run that lies in the range.
    pub fn add(&mut self, run: &ZoneTileRun) -> Result<(), SourceError> {
        let width = self.width.0;
        let wrong = |why: &str| SourceError::Damaged {
            what: "a tile of zones".into(),
            why: why.into(),
        };
        let start = run.tile.start.0;
        if run.tile.width != self.width || !start.is_multiple_of(width) {
            return Err(wrong("it does not lie on the grid"));
        }
        let length = width.saturating_mul(u64::from(run.repeat) + 1);
        let end = start.saturating_add(length).min(self.range.end.0);
        let mut at = start.max(self.range.start.0);
        let tiles = end.saturating_sub(at).div_ceil(width);
        if tiles > (MOST_TILES - self.tiles.len()) as u64 {
            return Err(wrong(
                "there are too many of this width in this range; wider ones are fewer",
            ));
        }
        while at < end {
            self.tiles.push(ZoneTileRow {
                start: Time(at),
                ..run.tile
            });
            at += width;
        }
        Ok(())
    }

    /// The tiles by thread, lane, depth and start; parts of one tile that came from several blocks
    /// are added up.
    pub fn finish(mut self) -> Vec<ZoneTileRow> {
        self.tiles
            .sort_unstable_by_key(|tile| (key(tile), std::cmp::Reverse(tile.busy), tile.site));
        self.tiles.dedup_by(|next, kept| {
            let is_same = key(next) == key(kept);
            if is_same {
                kept.busy = (kept.busy + next.busy).min(self.width);
                kept.count = kept.count.saturating_add(next.count);
            }
            is_same
        });
        self.tiles
    }
}
