//! Zones: which there are, what they are called, and one pass over those of a stretch of time.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock};

use sondage_model::{
    BlockSpan, FileId, LogRow, SiteId, Source, SourceError, StringId, ThreadId, TimeRange, WaitRow,
    ZoneColumns, ZoneRow,
};

use crate::frames::FrameSet;
use crate::inside::{Inside, Stretches};
use crate::scan::admitted_threads;
use crate::{AnalyzeError, Analyzer, Filter};

/// A zone's place among all zones of its recording, in the order they were written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ZoneId(pub u64);

/// A zone and its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Its place.
    pub id: ZoneId,
    /// What was recorded.
    pub row: ZoneRow,
}

/// A place in the source where zones are made, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteName {
    /// The place.
    pub site: SiteId,
    /// The zone's name, or the function's where it has none.
    pub label: String,
    /// The function it stands in; empty where unknown.
    pub function: String,
    /// Full path of its file; empty where unknown.
    pub path: String,
    /// The path to show.
    pub short: String,
    /// Its file.
    pub file: FileId,
    /// Its line, 1-based; 0 where unknown.
    pub line: u32,
    /// `0xRRGGBB`, or 0 to let the view choose.
    pub colour: u32,
}

/// Zones of a thread that nest: as many rows as they are deep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ZoneLane {
    /// The thread.
    pub thread: ThreadId,
    /// [`ZoneRow::lane`].
    pub lane: u16,
    /// Number of rows: the greatest depth and one.
    pub depths: u16,
}

/// What an [`Analyzer`] keeps of zones.
#[derive(Default)]
pub(crate) struct ZoneIndex {
    /// Zones before each block.
    firsts: Vec<u64>,
    pub(crate) lanes: OnceLock<Vec<ZoneLane>>,
    pub(crate) frames: OnceLock<Arc<[FrameSet]>>,
    pub(crate) stretches: Mutex<Option<(Inside, Arc<Stretches>)>>,
    /// All waits for locks by thread and start; `None` inside when they are too many to keep.
    pub(crate) waits: OnceLock<Option<Vec<WaitRow>>>,
    /// All log lines in order; `None` inside when they are too many to keep.
    pub(crate) logs: OnceLock<Option<Vec<LogRow>>>,
}

impl ZoneIndex {
    pub(crate) fn new(blocks: &[BlockSpan]) -> ZoneIndex {
        let mut rows = 0;
        let firsts = blocks.iter().map(|block| {
            rows += block.rows;
            rows - block.rows
        });
        ZoneIndex {
            firsts: firsts.collect(),
            ..ZoneIndex::default()
        }
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let frames = self.frames.get().map_or(0, |sets| {
            let frames: usize = sets.iter().map(|set| set.frames.len()).sum();
            frames * size_of::<crate::Frame>()
        });
        let waits = self.waits.get().and_then(Option::as_ref);
        let logs = self.logs.get().and_then(Option::as_ref);
        let stretches = self.stretches.lock();
        let stretches = stretches.unwrap_or_else(std::sync::PoisonError::into_inner);
        frames
            + waits.map_or(0, |waits| size_of_val(&waits[..]))
            + logs.map_or(0, |logs| {
                let texts: usize = logs.iter().map(|row| row.text.len()).sum();
                texts + size_of_val(&logs[..])
            })
            + stretches
                .as_ref()
                .map_or(0, |(_, stretches)| stretches.bytes())
    }

    pub(crate) fn id(&self, block: usize, index: usize) -> ZoneId {
        ZoneId(self.firsts[block] + index as u64)
    }

    /// The block of a zone, and its place there.
    pub(crate) fn place(&self, id: ZoneId) -> Option<(usize, usize)> {
        let block = self.firsts.partition_point(|first| *first <= id.0);
        let block = block.checked_sub(1)?;
        Some((block, (id.0 - self.firsts[block]) as usize))
    }
}

/// Which zones a question is about.
pub(crate) struct ZoneScope {
    pub(crate) range: Option<TimeRange>,
    threads: Option<Vec<bool>>,
}

impl ZoneScope {
    /// Of the filter the range, processes and threads count.
    pub(crate) fn new(source: &dyn Source, filter: &Filter) -> ZoneScope {
        ZoneScope {
            // A range that reaches the recording's end holds what begins in its last instant.
            range: filter.range.map(|range| match range.end {
                end if end >= source.range().end => TimeRange {
                    end: sondage_model::Time::MAX,
                    ..range
                },
                _ => range,
            }),
            threads: admitted_threads(source.dictionary(), filter),
        }
    }

    /// Zones of this time, whatever the thread.
    pub(crate) fn of_time(range: TimeRange) -> ZoneScope {
        ZoneScope {
            range: Some(range),
            threads: None,
        }
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.range.is_none() && self.threads.is_none()
    }

    pub(crate) fn takes_thread(&self, thread: ThreadId) -> bool {
        self.threads
            .as_ref()
            .is_none_or(|threads| threads.get(thread.index()).copied().unwrap_or(false))
    }

    /// Whether the zone begins in the range: what counts where whole zones are counted, so that
    /// two adjoining ranges have each once.
    pub(crate) fn begins_in(&self, start: sondage_model::Time) -> bool {
        self.range.is_none_or(|range| range.contains(start))
    }

    pub(crate) fn touches(&self, span: TimeRange) -> bool {
        self.range
            .is_none_or(|range| span.start < range.end && range.start <= span.end)
    }
}

impl Analyzer {
    /// Number of zones, stretches of suspended spans included.
    #[must_use]
    pub fn zone_count(&self) -> u64 {
        let blocks = self.source().zone_blocks();
        blocks.iter().map(|block| block.rows).sum()
    }

    /// What a place is called.
    #[must_use]
    pub fn site_name(&self, site: SiteId) -> SiteName {
        let dict = self.dictionary();
        let row = dict.sites().get(site.index()).copied();
        let row = row.unwrap_or_default();
        let text = |id: StringId| dict.text(id).to_owned();
        let path = dict.file_path(row.file).to_owned();
        let known_file = row.file.index() < dict.files().len() && !path.is_empty();
        let (name, function) = (text(row.name), text(row.function));
        SiteName {
            site,
            label: match (name.is_empty(), function.is_empty()) {
                (false, _) => name,
                (true, false) => function.clone(),
                (true, true) => format!("zone {}", site.0),
            },
            function,
            short: match known_file {
                true => self.names().file(row.file).short.clone(),
                false => String::new(),
            },
            path,
            file: row.file,
            line: row.line,
            colour: row.colour,
        }
    }

    /// The zone of this number.
    ///
    /// # Errors
    /// When there is none, or the recording cannot be read.
    pub fn zone(&self, id: ZoneId) -> Result<Zone, AnalyzeError> {
        zone_of(self.source(), self.zone_index(), id)
    }

    pub(crate) fn zone_place(&self, id: ZoneId) -> Result<(usize, usize), AnalyzeError> {
        let place = self.zone_index().place(id);
        place.ok_or_else(|| no_such_zone(id))
    }

    /// The lanes that zones lie in, by thread and lane, with how deep they are in the whole
    /// recording: a picture's height does not change when it is moved.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn zone_lanes(&self) -> Result<&[ZoneLane], AnalyzeError> {
        if let Some(lanes) = self.zone_index().lanes.get() {
            return Ok(lanes);
        }
        let mut lanes = rustc_hash::FxHashMap::default();
        let mut add = |thread: ThreadId, lane: u16, depth: u16| {
            let depths: &mut u16 = lanes.entry((thread, lane)).or_default();
            *depths = (*depths).max(depth.saturating_add(1));
        };
        match self.source().zone_tile_widths().last() {
            Some(&widest) => {
                for tile in self.source().zone_tiles(widest, TimeRange::ALL)? {
                    add(tile.thread, tile.lane, tile.depth);
                }
            }
            None => {
                for block in 0..self.source().zone_blocks().len() {
                    let zones = self.source().zones(block)?;
                    for i in 0..zones.len() {
                        add(zones.threads[i], zones.lanes[i], zones.depths[i]);
                    }
                }
            }
        }
        let mut lanes: Vec<ZoneLane> = lanes
            .into_iter()
            .map(|((thread, lane), depths)| ZoneLane {
                thread,
                lane,
                depths,
            })
            .collect();
        lanes.sort_unstable();
        Ok(self.zone_index().lanes.get_or_init(|| lanes))
    }

    /// The blocks with zones of this time.
    pub(crate) fn zone_blocks_of(&self, scope: &ZoneScope) -> Vec<usize> {
        blocks_of(self.source(), scope)
    }

    /// The blocks with zones that begin in the scope's range, and with everything inside those.
    pub(crate) fn zone_blocks_inside(&self, scope: &ZoneScope) -> Result<Vec<usize>, AnalyzeError> {
        let blocks = self.zone_blocks_of(scope);
        let Some(range) = scope.range else {
            return Ok(blocks);
        };
        let mut end = range.end;
        each_block(self.source(), &blocks, |_, zones| {
            for i in 0..zones.len() {
                if scope.begins_in(zones.starts[i]) && scope.takes_thread(zones.threads[i]) {
                    end = end.max(zones.starts[i] + zones.durations[i]);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(self.zone_blocks_of(&ZoneScope::of_time(TimeRange { end, ..range })))
    }

    pub(crate) fn zones_in(&self, blocks: &[usize]) -> u64 {
        let spans = self.source().zone_blocks();
        blocks.iter().map(|&block| spans[block].rows).sum()
    }
}

/// The zone of this number.
pub(crate) fn zone_of(
    source: &dyn Source,
    index: &ZoneIndex,
    id: ZoneId,
) -> Result<Zone, AnalyzeError> {
    let (block, at) = index.place(id).ok_or_else(|| no_such_zone(id))?;
    let columns = source.zones(block)?;
    if at >= columns.len() {
        return Err(no_such_zone(id));
    }
    Ok(Zone {
        id,
        row: columns.row(at),
    })
}

/// The blocks with zones of this time.
pub(crate) fn blocks_of(source: &dyn Source, scope: &ZoneScope) -> Vec<usize> {
    let blocks = source.zone_blocks().iter().enumerate();
    blocks
        .filter(|(_, block)| scope.touches(block.range))
        .map(|(block, _)| block)
        .collect()
}

/// Makes sure that there is such a place.
pub(crate) fn check_site(source: &dyn Source, site: SiteId) -> Result<(), AnalyzeError> {
    if site.index() < source.dictionary().sites().len() {
        return Ok(());
    }
    Err(AnalyzeError::NoSuch {
        what: "place of zones",
        id: site.0,
    })
}

fn no_such_zone(id: ZoneId) -> AnalyzeError {
    AnalyzeError::NoSuchZone { id: id.0 }
}

/// Own times of zones that begin in a range, whose rows come in the order they were written.
/// Zones around them may begin before it, zones inside them after it.
#[derive(Default)]
pub(crate) struct OwnTimes {
    sums: sondage_model::zone_tiles::ZoneSums,
}

impl OwnTimes {
    /// Adds a zone, and says whether it counts.
    pub(crate) fn push(&mut self, scope: &ZoneScope, row: &ZoneRow) -> bool {
        let counts = scope.begins_in(row.start);
        if counts {
            self.sums.push(row);
        } else if scope
            .range
            .is_none_or(|range| range.start <= row.range().end)
        {
            // What ended before the range may be in a zone that is not read.
            self.sums.push(&ZoneRow {
                flags: row.flags.with(sondage_model::ZoneFlags::POLL),
                ..*row
            });
        }
        counts
    }

    pub(crate) fn take(&mut self) -> Vec<sondage_model::ZoneSummaryRow> {
        self.sums.take()
    }
}

/// Visits blocks of zones in order. The next one is read while this one is looked at.
pub(crate) fn each_block(
    source: &dyn Source,
    blocks: &[usize],
    mut visit: impl FnMut(usize, &ZoneColumns) -> ControlFlow<()>,
) -> Result<(), SourceError> {
    if blocks.len() < 3 {
        for &block in blocks {
            if visit(block, &*source.zones(block)?).is_break() {
                break;
            }
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::sync_channel(2);
        scope.spawn(move || {
            for &block in blocks {
                if send.send((block, source.zones(block))).is_err() {
                    break;
                }
            }
        });
        for (block, columns) in receive {
            if visit(block, &*columns?).is_break() {
                break;
            }
        }
        Ok(())
    })
}
