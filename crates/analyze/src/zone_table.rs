//! Figures by place: a table of all zones, and everything about one place.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use rustc_hash::FxHashMap;
use sondage_model::{Nanos, SiteId, ZoneColumns, ZoneFlags, ZoneSummaryRow};

use crate::zone_digest::{Digest, GrowingHistogram, Histogram, Percentiles};
use crate::zones::{OwnTimes, SiteName, Zone, ZoneScope, check_site, each_block};
use crate::{AnalyzeError, Analyzer, Empty, Filter, Search};

/// Zones that are looked at one by one for percentiles that were not asked for.
const MOST_FOR_PERCENTILES: u64 = 1 << 20;

/// What a table of zones is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ZoneSort {
    /// Sum of the durations.
    #[default]
    Total,
    /// Sum of the own times.
    Own,
    /// Number of zones.
    Count,
    /// Mean duration.
    Mean,
    /// The 95th percentile; like the longest where it is not known.
    P95,
    /// Longest duration.
    Max,
    /// Name.
    Name,
}

/// Which part of the table of zones is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneQuery {
    /// What it is sorted by; equals by name.
    pub sort: ZoneSort,
    /// Largest (or last) first.
    pub descending: bool,
    /// Rows to leave out at the beginning.
    pub offset: usize,
    /// Rows to give at most.
    pub limit: usize,
    /// Only places whose `name (function, file)` matches.
    pub only: Option<Search>,
    /// Percentiles even where millions of zones must be read for them.
    pub percentiles: bool,
}

impl Default for ZoneQuery {
    fn default() -> Self {
        ZoneQuery {
            sort: ZoneSort::Total,
            descending: true,
            offset: 0,
            limit: 200,
            only: None,
            percentiles: false,
        }
    }
}

/// The zones of one place, added up. Stretches of suspended spans are no zones of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SiteFigures {
    /// The place.
    pub site: SiteId,
    /// Number of zones.
    pub count: u64,
    /// Sum of their durations.
    pub total: Nanos,
    /// Sum of their durations less those of the zones directly inside them.
    pub own: Nanos,
    /// The shortest.
    pub min: Nanos,
    /// The longest.
    pub max: Nanos,
    /// What most of them take; `None` where it was too much to read for a table.
    pub percentiles: Option<Percentiles>,
}

impl SiteFigures {
    /// Mean duration.
    #[must_use]
    pub fn mean(&self) -> Nanos {
        Nanos(self.total.0.checked_div(self.count).unwrap_or(0))
    }
}

/// A table of the places of zones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneTable {
    /// The rows asked for.
    pub rows: Vec<SiteFigures>,
    /// How many rows there are in all.
    pub row_count: usize,
    /// Number of zones in all rows.
    pub zone_count: u64,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
}

/// All about the zones of one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteStatistics {
    /// The place.
    pub name: SiteName,
    /// Its figures, percentiles included.
    pub figures: SiteFigures,
    /// How many took how long.
    pub histogram: Histogram,
    /// Zones that failed.
    pub failed: u64,
    /// One of the longest.
    pub longest: Option<Zone>,
    /// One of the shortest.
    pub shortest: Option<Zone>,
}

impl Analyzer {
    /// Figures by place of the zones that begin in the filter's range; of the filter the range,
    /// processes and threads count.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn zones(&self, filter: &Filter, query: &ZoneQuery) -> Result<ZoneTable, AnalyzeError> {
        let scope = ZoneScope::new(self.source(), filter);
        let blocks = self.zone_blocks_of(&scope);
        let one_by_one = query.percentiles || self.zones_in(&blocks) <= MOST_FOR_PERCENTILES;
        let mut rows = match one_by_one || scope.range.is_some() {
            true => self.figures_one_by_one(&scope, one_by_one)?,
            false => self.figures_of_blocks(&scope, &blocks)?,
        };
        let is_empty = rows.is_empty();
        let names: FxHashMap<SiteId, SiteName> = rows
            .iter()
            .map(|row| (row.site, self.site_name(row.site)))
            .collect();
        if let Some(search) = &query.only {
            rows.retain(|row| search.matches(&names[&row.site].searched()));
        }
        let name = |row: &SiteFigures| {
            let name = &names[&row.site];
            (&name.label, &name.path, name.line, row.site)
        };
        let key = |row: &SiteFigures| match query.sort {
            ZoneSort::Total => row.total.0,
            ZoneSort::Own => row.own.0,
            ZoneSort::Count => row.count,
            ZoneSort::Mean => row.mean().0,
            ZoneSort::P95 => row.percentiles.map_or(row.max, |p| p.p95).0,
            ZoneSort::Max => row.max.0,
            ZoneSort::Name => 0,
        };
        match (query.sort, query.descending) {
            (ZoneSort::Name, false) => rows.sort_by(|a, b| name(a).cmp(&name(b))),
            (ZoneSort::Name, true) => rows.sort_by(|a, b| name(b).cmp(&name(a))),
            (_, true) => {
                rows.sort_by(|a, b| (Reverse(key(a)), name(a)).cmp(&(Reverse(key(b)), name(b))))
            }
            (_, false) => rows.sort_by(|a, b| (key(a), name(a)).cmp(&(key(b), name(b)))),
        }
        Ok(ZoneTable {
            row_count: rows.len(),
            zone_count: rows.iter().map(|row| row.count).sum(),
            empty: match rows.is_empty() {
                true => Some(self.empty_zones(filter, is_empty, query.only.as_ref())),
                false => None,
            },
            rows: rows
                .into_iter()
                .skip(query.offset)
                .take(query.limit)
                .collect(),
        })
    }

    fn empty_zones(&self, filter: &Filter, no_zones: bool, only: Option<&Search>) -> Empty {
        match only {
            _ if self.zone_count() == 0 => Empty::NoZones,
            Some(search) if !no_zones => Empty::Search {
                pattern: search.pattern().to_owned(),
            },
            _ if filter.range.is_some() => Empty::ZonesOfRange,
            _ => Empty::ZonesOfThreads,
        }
    }

    /// From the sums that were stored with each block.
    fn figures_of_blocks(
        &self,
        scope: &ZoneScope,
        blocks: &[usize],
    ) -> Result<Vec<SiteFigures>, AnalyzeError> {
        let mut sums = Sums::default();
        for &block in blocks {
            for row in &*self.source().zone_summary(block)? {
                if scope.takes_thread(row.thread) {
                    sums.add(row);
                }
            }
        }
        Ok(sums.finish(&mut FxHashMap::default()))
    }

    fn figures_one_by_one(
        &self,
        scope: &ZoneScope,
        percentiles: bool,
    ) -> Result<Vec<SiteFigures>, AnalyzeError> {
        let blocks = self.zone_blocks_inside(scope)?;
        let mut own = OwnTimes::default();
        let mut digests: FxHashMap<SiteId, Digest> = FxHashMap::default();
        each_block(self.source(), &blocks, |_, zones| {
            for i in 0..zones.len() {
                if !scope.takes_thread(zones.threads[i]) {
                    continue;
                }
                let row = zones.row(i);
                if own.push(scope, &row) && percentiles && !row.flags.has(ZoneFlags::POLL) {
                    digests.entry(row.site).or_default().push(row.duration);
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut sums = Sums::default();
        own.take().iter().for_each(|row| sums.add(row));
        Ok(sums.finish(&mut digests))
    }

    /// All about the zones of one place that begin in the filter's range.
    ///
    /// # Errors
    /// When there is no such place, or the recording cannot be read.
    pub fn site_statistics(
        &self,
        filter: &Filter,
        site: SiteId,
    ) -> Result<SiteStatistics, AnalyzeError> {
        check_site(self.source(), site)?;
        let scope = ZoneScope::new(self.source(), filter);
        let blocks = self.zone_blocks_inside(&scope)?;
        let everything = scope.is_everything();
        // Own times need every zone of the lane; where the stored sums have them, only the blocks
        // with zones of this place are read.
        let (mut sums, read) = match everything {
            true => self.sums_of_site(&blocks, site)?,
            false => (Sums::default(), blocks),
        };
        let mut own = OwnTimes::default();
        let mut digest = Digest::default();
        let mut histogram = GrowingHistogram::new();
        let (mut longest, mut shortest): (Option<Zone>, Option<Zone>) = (None, None);
        let mut failed = 0;
        each_block(self.source(), &read, |block, zones| {
            for i in 0..zones.len() {
                let is_wanted = zones.sites[i] == site && !zones.flags[i].has(ZoneFlags::POLL);
                if (everything && !is_wanted) || !scope.takes_thread(zones.threads[i]) {
                    continue;
                }
                let row = zones.row(i);
                let counts = everything || own.push(&scope, &row);
                if !(counts && is_wanted) {
                    continue;
                }
                let id = self.zone_index().id(block, i);
                let zone = Zone { id, row };
                failed += u64::from(row.flags.has(ZoneFlags::FAILED));
                digest.push(row.duration);
                histogram.push(row.duration, Some(id));
                if longest.is_none_or(|longest| row.duration > longest.row.duration) {
                    longest = Some(zone);
                }
                if shortest.is_none_or(|shortest| row.duration < shortest.row.duration) {
                    shortest = Some(zone);
                }
            }
            ControlFlow::Continue(())
        })?;
        let sums_here = own.take();
        let sums_here = sums_here.iter().filter(|row| row.site == site);
        sums_here.for_each(|row| sums.add(row));
        let figures = sums.finish(&mut FxHashMap::default()).pop();
        Ok(SiteStatistics {
            name: self.site_name(site),
            figures: SiteFigures {
                percentiles: Some(digest.percentiles()),
                ..figures.unwrap_or(SiteFigures::none(site))
            },
            histogram: histogram.finish(),
            failed,
            longest,
            shortest,
        })
    }

    /// The stored sums of one place, and the blocks that have zones of it.
    fn sums_of_site(
        &self,
        blocks: &[usize],
        site: SiteId,
    ) -> Result<(Sums, Vec<usize>), AnalyzeError> {
        let (mut sums, mut read) = (Sums::default(), Vec::new());
        for &block in blocks {
            let summary = self.source().zone_summary(block)?;
            let mine = summary.iter().filter(|row| row.site == site);
            let before = sums.zones();
            mine.for_each(|row| sums.add(row));
            if sums.zones() > before {
                read.push(block);
            }
        }
        Ok((sums, read))
    }

    /// Which of these zones a summary may leave out: blocks without zones of the place.
    pub(crate) fn block_has_site(&self, block: usize, site: SiteId) -> Result<bool, AnalyzeError> {
        let summary = self.source().zone_summary(block)?;
        Ok(summary.iter().any(|row| row.site == site))
    }
}

/// Whether a row is a zone of this place.
pub(crate) fn is_of(zones: &ZoneColumns, index: usize, site: SiteId) -> bool {
    zones.sites[index] == site && !zones.flags[index].has(ZoneFlags::POLL)
}

impl SiteName {
    /// What a search looks at.
    pub(crate) fn searched(&self) -> String {
        format!("{} ({}, {})", self.label, self.function, self.path)
    }
}

impl SiteFigures {
    fn none(site: SiteId) -> SiteFigures {
        SiteFigures {
            site,
            count: 0,
            total: Nanos::ZERO,
            own: Nanos::ZERO,
            min: Nanos::ZERO,
            max: Nanos::ZERO,
            percentiles: None,
        }
    }
}

/// Figures by place while they grow.
#[derive(Default)]
struct Sums(FxHashMap<SiteId, SiteFigures>);

impl Sums {
    fn add(&mut self, row: &ZoneSummaryRow) {
        let figures = self.0.entry(row.site).or_insert_with(|| SiteFigures {
            min: row.min,
            ..SiteFigures::none(row.site)
        });
        figures.count += row.count;
        figures.total += row.total;
        figures.own += row.own;
        figures.min = figures.min.min(row.min);
        figures.max = figures.max.max(row.max);
    }

    fn zones(&self) -> u64 {
        self.0.values().map(|figures| figures.count).sum()
    }

    fn finish(self, digests: &mut FxHashMap<SiteId, Digest>) -> Vec<SiteFigures> {
        let mut rows: Vec<SiteFigures> = self.0.into_values().collect();
        for row in &mut rows {
            row.percentiles = digests.remove(&row.site).map(Digest::percentiles);
        }
        rows.sort_unstable_by_key(|row| row.site);
        rows
    }
}
