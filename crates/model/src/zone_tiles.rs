//! Summing zones up: by place ([`ZoneSums`]) and by time ([`ZoneTileBuilder`]).

use rustc_hash::FxHashMap;

use crate::{Nanos, SiteId, ThreadId, Time, ZoneFlags, ZoneRow, ZoneSummaryRow, ZoneTileRow};

/// Adds zones up by place and thread.
///
/// The zones of one lane must come in the order of their ends, so that what lies inside a zone
/// comes before it. State is kept between blocks: a zone may end long after those inside it.
#[derive(Debug, Default)]
pub struct ZoneSums {
    /// For each lane: durations of the zones at each depth since the last end of the one around.
    inside: FxHashMap<(ThreadId, u16), Vec<Nanos>>,
    sums: FxHashMap<(SiteId, ThreadId), ZoneSummaryRow>,
}

impl ZoneSums {
    /// Adds a zone and returns its own time: its duration less that of the zones directly inside.
    pub fn push(&mut self, row: &ZoneRow) -> Nanos {
        let depth = usize::from(row.depth);
        let lane = self.inside.entry((row.thread, row.lane)).or_default();
        if lane.len() < depth + 2 {
            lane.resize(depth + 2, Nanos::ZERO);
        }
        // Deeper sums belong to zones whose own row was lost.
        let own = row.duration.saturating_sub(lane[depth + 1]);
        lane[depth + 1..].fill(Nanos::ZERO);
        lane[depth] += row.duration;
        if row.flags.has(ZoneFlags::POLL) {
            return own;
        }
        let sum = self.sums.entry((row.site, row.thread)).or_insert_with(|| {
            let (site, thread, min) = (row.site, row.thread, row.duration);
            ZoneSummaryRow {
                site,
                thread,
                min,
                ..ZoneSummaryRow::default()
            }
        });
        sum.count += 1;
        sum.total += row.duration;
        sum.own += own;
        sum.min = sum.min.min(row.duration);
        sum.max = sum.max.max(row.duration);
        own
    }

    /// The sums since the last call, by place and thread.
    pub fn take(&mut self) -> Vec<ZoneSummaryRow> {
        let mut rows: Vec<ZoneSummaryRow> = self.sums.drain().map(|(_, row)| row).collect();
        rows.sort_unstable_by_key(|row| (row.site, row.thread));
        rows
    }
}

/// Cuts zones into buckets of one width, for each depth of each lane.
///
/// The zones of one depth of a lane must come in the order of their time.
#[derive(Debug)]
pub struct ZoneTileBuilder {
    width: Nanos,
    open: FxHashMap<(ThreadId, u16, u16), OpenTile>,
    done: Vec<ZoneTileRow>,
}

#[derive(Debug)]
struct OpenTile {
    tile: ZoneTileRow,
    sites: FxHashMap<SiteId, Nanos>,
}

impl OpenTile {
    fn close(&self) -> ZoneTileRow {
        let most = self
            .sites
            .iter()
            .max_by_key(|(site, time)| (**time, std::cmp::Reverse(**site)));
        ZoneTileRow {
            site: most.map_or(SiteId::default(), |(site, _)| *site),
            ..self.tile
        }
    }
}

impl ZoneTileBuilder {
    /// A builder of tiles of this width.
    ///
    /// # Panics
    /// When `width` is zero.
    #[must_use]
    pub fn new(width: Nanos) -> ZoneTileBuilder {
        assert!(width.0 > 0, "a tile has a width");
        ZoneTileBuilder {
            width,
            open: FxHashMap::default(),
            done: Vec::new(),
        }
    }

    /// Adds a zone. One without duration counts where it began.
    pub fn push(&mut self, row: &ZoneRow) {
        self.add(row, true);
    }

    /// Adds the later part of a zone, which began in a tile before.
    pub fn push_rest(&mut self, row: &ZoneRow) {
        if row.duration > Nanos::ZERO {
            self.add(row, false);
        }
    }

    fn add(&mut self, row: &ZoneRow, begins: bool) {
        let width = self.width.0;
        let range = row.range();
        let mut from = range.start.0;
        let mut is_first = true;
        while is_first || from < range.end.0 {
            let start = from - from % width;
            let to = range.end.0.min(start.saturating_add(width));
            let key = (row.thread, row.lane, row.depth);
            let fresh = || ZoneTileRow {
                thread: row.thread,
                lane: row.lane,
                depth: row.depth,
                start: Time(start),
                width: self.width,
                ..ZoneTileRow::default()
            };
            let open = self.open.entry(key).or_insert_with(|| OpenTile {
                tile: fresh(),
                sites: FxHashMap::default(),
            });
            if open.tile.start.0 != start {
                self.done.push(open.close());
                open.tile = fresh();
                open.sites.clear();
            }
            let busy = Nanos(to.saturating_sub(from));
            open.tile.busy = (open.tile.busy + busy).min(self.width);
            open.tile.count = open
                .tile
                .count
                .saturating_add(u32::from(is_first && begins));
            *open.sites.entry(row.site).or_default() += busy;
            is_first = false;
            if to <= from {
                break;
            }
            from = to;
        }
    }

    /// The tiles that are complete, in the order they were completed.
    pub fn take_done(&mut self) -> Vec<ZoneTileRow> {
        std::mem::take(&mut self.done)
    }

    /// All tiles not yet taken, the unfinished ones last.
    #[must_use]
    pub fn finish(mut self) -> Vec<ZoneTileRow> {
        let mut open: Vec<ZoneTileRow> = self.open.values().map(OpenTile::close).collect();
        open.sort_unstable_by_key(|tile| (tile.thread, tile.lane, tile.depth));
        self.done.extend(open);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(start: u64, duration: u64, depth: u16, site: u32) -> ZoneRow {
        ZoneRow {
            start: Time(start),
            duration: Nanos(duration),
            busy: Nanos(duration),
            depth,
            site: SiteId(site),
            ..ZoneRow::default()
        }
    }

    #[test]
    fn own_time_is_what_no_zone_inside_took() {
        let mut sums = ZoneSums::default();
        let own: Vec<u64> = [
            zone(10, 5, 2, 3),
            zone(8, 10, 1, 2),
            zone(20, 4, 1, 2),
            zone(0, 30, 0, 1),
            zone(40, 1, 1, 2),
            zone(39, 3, 0, 1),
        ]
        .iter()
        .map(|row| sums.push(row).0)
        .collect();
        assert_eq!(own, [5, 5, 4, 16, 1, 2]);
        let rows: Vec<_> = sums
            .take()
            .iter()
            .map(|r| (r.site.0, r.count, r.total.0, r.own.0, r.min.0, r.max.0))
            .collect();
        assert_eq!(
            rows,
            [
                (1, 2, 33, 18, 3, 30),
                (2, 3, 15, 10, 1, 10),
                (3, 1, 5, 5, 5, 5)
            ]
        );
        assert!(sums.take().is_empty());
    }

    #[test]
    fn a_long_zone_fills_its_tiles_and_counts_once() {
        let mut builder = ZoneTileBuilder::new(Nanos(10));
        builder.push(&zone(2, 0, 0, 4));
        builder.push(&zone(5, 20, 0, 1));
        builder.push(&zone(26, 2, 0, 2));
        let seen: Vec<_> = builder
            .finish()
            .iter()
            .map(|t| (t.start.0, t.busy.0, t.count, t.site.0))
            .collect();
        assert_eq!(seen, [(0, 5, 2, 1), (10, 10, 0, 1), (20, 7, 1, 1)]);
    }
}
