//! Zones over time: what a timeline draws under each thread.

use rustc_hash::FxHashMap;
use sondage_model::{
    Nanos, SiteId, TaskId, ThreadId, Time, TimeRange, ZoneColumns, ZoneFlags, ZoneTileRow,
};

use crate::zones::{ZoneId, ZoneScope};
use crate::{AnalyzeError, Analyzer, Filter};

/// Zones that are read one by one for a picture at most, where there are tiles instead.
const MOST_ROWS: u64 = 1 << 17;
/// Pixels that a tile may be wide.
// PERF: tiles are stored in widths 16 apart. With tiles of at most two pixels, a picture of 1200
// pixels took up to 100,000 of them and 32 ms of CPU time (p99 of `latency REC tracks`, crates/serve,
// on 10 million zones of its example `talk`); with four, at most 48,000 and 11 ms. 2-core VM.
const WIDEST_TILE: u64 = 4;
/// Pieces in one answer at most: more than a screen can show apart.
pub const MAX_ZONE_PIECES: usize = 12_000;

/// Zones over time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneTracks {
    /// The range that was asked for.
    pub range: TimeRange,
    /// Zones narrower than this are drawn together with their neighbours.
    pub width: Nanos,
    /// Whether single zones are known by their number, not only by place and time.
    pub exact: bool,
    /// What is drawn, by thread, lane and depth, and there from left to right.
    pub pieces: Vec<ZonePiece>,
}

/// A zone, or several narrow ones next to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZonePiece {
    /// The thread.
    pub thread: ThreadId,
    /// [`ZoneRow::lane`](sondage_model::ZoneRow::lane).
    pub lane: u16,
    /// [`ZoneRow::depth`](sondage_model::ZoneRow::depth).
    pub depth: u16,
    /// Left edge.
    pub start: Time,
    /// Right edge.
    pub end: Time,
    /// Time covered by zones.
    pub busy: Nanos,
    /// How many zones.
    pub count: u64,
    /// The place; of several the one with the most time.
    pub site: SiteId,
    /// The zone, where it is one and its number is known.
    pub zone: Option<ZoneId>,
    /// What is special about it, where it is one.
    pub flags: ZoneFlags,
    /// The asyncio task it ran in, where it is one and that is known.
    pub task: TaskId,
}

impl ZonePiece {
    fn range(&self) -> TimeRange {
        TimeRange::new(self.start, self.end)
    }
}

type Row = (ThreadId, u16, u16);

impl Analyzer {
    /// Zones over time on `px` pixels: of the filter the range, processes and threads count.
    /// Rows of depth `most_depth` and more are left out.
    ///
    /// Close up every zone that is a pixel wide is there by itself. From afar tiles are used, in
    /// which a zone longer than a few pixels still has its own piece.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn zone_tracks(
        &self,
        filter: &Filter,
        px: u32,
        most_depth: u16,
    ) -> Result<ZoneTracks, AnalyzeError> {
        let range = filter.range.unwrap_or(self.source().range());
        let scope = ZoneScope::new(self.source(), filter);
        let wanted =
            |thread: ThreadId, depth: u16| depth < most_depth && scope.takes_thread(thread);
        let mut width = Nanos(range.span().0.div_ceil(u64::from(px.max(1))).max(1));
        let blocks = self.zone_blocks_of(&scope);
        let widths = self.source().zone_tile_widths();
        let tile = widths
            .iter()
            .rev()
            .find(|tile| tile.0 <= WIDEST_TILE * width.0)
            .or(widths.first());
        let tile = tile.filter(|_| self.zones_in(&blocks) > MOST_ROWS);
        let mut rows: FxHashMap<Row, Vec<ZonePiece>> = FxHashMap::default();
        match tile {
            Some(&tile) => {
                for tile in self.source().zone_tiles(tile, range)? {
                    if wanted(tile.thread, tile.depth) {
                        let row = rows.entry((tile.thread, tile.lane, tile.depth));
                        push_tile(row.or_default(), &tile);
                    }
                }
            }
            None => {
                for block in blocks {
                    let zones = self.source().zones(block)?;
                    for i in 0..zones.len() {
                        let span =
                            TimeRange::new(zones.starts[i], zones.starts[i] + zones.durations[i]);
                        if wanted(zones.threads[i], zones.depths[i]) && scope.touches(span) {
                            let row = (zones.threads[i], zones.lanes[i], zones.depths[i]);
                            let id = self.zone_index().id(block, i);
                            rows.entry(row)
                                .or_default()
                                .push(piece(&zones, i, span, id));
                        }
                    }
                }
            }
        }
        let mut rows: Vec<(Row, Vec<ZonePiece>)> = rows.into_iter().collect();
        rows.sort_unstable_by_key(|(row, _)| *row);
        for (_, pieces) in &mut rows {
            pieces.sort_by_key(|piece| (piece.start, piece.end));
            *pieces = joined(together(pieces, width), width);
        }
        while rows.iter().map(|(_, pieces)| pieces.len()).sum::<usize>() > MAX_ZONE_PIECES {
            width = Nanos(width.0.saturating_mul(2));
            for (_, pieces) in &mut rows {
                *pieces = joined(together(pieces, width), width);
            }
        }
        Ok(ZoneTracks {
            range,
            width,
            exact: tile.is_none(),
            pieces: rows.into_iter().flat_map(|(_, pieces)| pieces).collect(),
        })
    }
}

fn piece(zones: &ZoneColumns, index: usize, span: TimeRange, id: ZoneId) -> ZonePiece {
    ZonePiece {
        thread: zones.threads[index],
        lane: zones.lanes[index],
        depth: zones.depths[index],
        start: span.start,
        end: span.end,
        busy: zones.durations[index],
        count: 1,
        site: zones.sites[index],
        zone: Some(id),
        flags: zones.flags[index],
        task: match zones.detail_numbers[index] {
            0 => TaskId::NONE,
            number => zones
                .details
                .get(number as usize - 1)
                .map_or(TaskId::NONE, |detail| detail.task),
        },
    }
}

/// Adds a tile. One in which no zone begins is the continuation of the zone before it.
fn push_tile(pieces: &mut Vec<ZonePiece>, tile: &ZoneTileRow) {
    let start = tile.start;
    if tile.count == 0 {
        let covered = start + tile.busy;
        if let Some(last) = pieces.last_mut()
            && last.end == start
            && last.count == 1
            && last.site == tile.site
        {
            last.end = covered;
            last.busy += tile.busy;
            return;
        }
    }
    pieces.push(ZonePiece {
        thread: tile.thread,
        lane: tile.lane,
        depth: tile.depth,
        start,
        end: match tile.count {
            0 => start + tile.busy,
            _ => start + tile.width,
        },
        busy: tile.busy,
        count: u64::from(tile.count.max(1)),
        site: tile.site,
        zone: None,
        flags: ZoneFlags::NONE,
        task: TaskId::NONE,
    });
}

/// What is narrower than `width`, drawn together with what begins in the same bucket.
fn together(pieces: &[ZonePiece], width: Nanos) -> Vec<ZonePiece> {
    let mut out: Vec<ZonePiece> = Vec::new();
    let mut open: Option<Bucket> = None;
    for piece in pieces {
        let bucket = piece.start.0 / width.0;
        if piece.range().span() >= width {
            out.extend(open.take().map(|bucket| bucket.piece()));
            out.push(*piece);
            continue;
        }
        match &mut open {
            Some(open) if open.bucket == bucket => open.add(piece),
            _ => {
                out.extend(open.take().map(|bucket| bucket.piece()));
                open = Some(Bucket::new(bucket, piece));
            }
        }
    }
    out.extend(open.map(|bucket| bucket.piece()));
    out
}

/// Narrow pieces of one bucket.
struct Bucket {
    bucket: u64,
    sum: ZonePiece,
    /// Most buckets have zones of few places.
    sites: Vec<(SiteId, Nanos)>,
}

impl Bucket {
    fn new(bucket: u64, piece: &ZonePiece) -> Bucket {
        Bucket {
            bucket,
            sum: *piece,
            sites: vec![(piece.site, piece.busy)],
        }
    }

    fn add(&mut self, piece: &ZonePiece) {
        self.sum.end = self.sum.end.max(piece.end);
        self.sum.busy += piece.busy;
        self.sum.count += piece.count;
        self.sum.zone = None;
        self.sum.flags = ZoneFlags::NONE;
        self.sum.task = TaskId::NONE;
        match self.sites.iter_mut().find(|(site, _)| *site == piece.site) {
            Some((_, time)) => *time += piece.busy,
            None => self.sites.push((piece.site, piece.busy)),
        }
    }

    fn piece(self) -> ZonePiece {
        let most = self
            .sites
            .iter()
            .max_by_key(|(site, time)| (*time, std::cmp::Reverse(*site)));
        ZonePiece {
            site: most.map_or(self.sum.site, |(site, _)| *site),
            ..self.sum
        }
    }
}

/// One piece for several zones, where neighbours are much the same.
fn joined(pieces: Vec<ZonePiece>, width: Nanos) -> Vec<ZonePiece> {
    let mut out: Vec<ZonePiece> = Vec::with_capacity(pieces.len());
    let quarter = |piece: &ZonePiece| {
        let span = piece.range().span().0.max(1);
        u128::from(piece.busy.0) * 4 / u128::from(span)
    };
    for piece in pieces {
        if let Some(last) = out.last_mut()
            && last.count > 1
            && piece.count > 1
            && last.site == piece.site
            && piece.start.since(last.end) < width
            && quarter(last) == quarter(&piece)
        {
            last.end = last.end.max(piece.end);
            last.busy += piece.busy;
            last.count += piece.count;
            continue;
        }
        out.push(piece);
    }
    out
}
