//! The zones of one place one by one: pages of them, and the next and the one before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use sondage_model::{Nanos, SiteId, Time};

use crate::zone_table::is_of;
use crate::zones::{Zone, ZoneScope, check_site, each_block};
use crate::{AnalyzeError, Analyzer, Filter};

/// Zones that can be reached by paging; more are found by narrowing the durations.
pub const MAX_INSTANCES: usize = 100_000;

/// Which zones of a place are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstanceQuery {
    /// By duration, else by start.
    pub by_duration: bool,
    /// Longest (or latest) first.
    pub descending: bool,
    /// Zones to leave out at the beginning.
    pub offset: usize,
    /// Zones to give at most; with the offset at most [`MAX_INSTANCES`].
    pub limit: usize,
    /// Only zones at least as long.
    pub at_least: Nanos,
    /// Only zones shorter than this; `None` for all.
    pub below: Option<Nanos>,
}

impl Default for InstanceQuery {
    fn default() -> Self {
        InstanceQuery {
            by_duration: true,
            descending: true,
            offset: 0,
            limit: 100,
            at_least: Nanos::ZERO,
            below: None,
        }
    }
}

/// Zones of one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instances {
    /// The zones asked for.
    pub rows: Vec<Zone>,
    /// How many there are in all.
    pub count: u64,
}

/// The first zones in some order, of those that were pushed.
struct First {
    most: usize,
    // The worst of those kept is at the top.
    heap: BinaryHeap<(u64, u64, Kept)>,
}

/// A zone that takes no part in comparisons: key and id before it are never both equal.
struct Kept(Zone);

impl PartialEq for Kept {
    fn eq(&self, _: &Kept) -> bool {
        true
    }
}
impl Eq for Kept {}
impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Kept {
    fn cmp(&self, _: &Kept) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl First {
    fn push(&mut self, key: u64, zone: Zone) {
        if self.heap.len() < self.most {
            self.heap.push((key, zone.id.0, Kept(zone)));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && (key, zone.id.0) < (worst.0, worst.1)
        {
            *worst = (key, zone.id.0, Kept(zone));
        }
    }

    fn finish(self) -> impl Iterator<Item = Zone> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|(_, _, zone)| zone.0)
    }
}

impl Analyzer {
    /// Zones of a place that begin in the filter's range, one by one.
    ///
    /// # Errors
    /// When there is no such place, or the recording cannot be read.
    pub fn zone_instances(
        &self,
        filter: &Filter,
        site: SiteId,
        query: &InstanceQuery,
    ) -> Result<Instances, AnalyzeError> {
        check_site(self.source(), site)?;
        let scope = ZoneScope::new(self.source(), filter);
        let mut blocks = Vec::new();
        for block in self.zone_blocks_of(&scope) {
            if self.block_has_site(block, site)? {
                blocks.push(block);
            }
        }
        let mut first = First {
            most: query.offset.saturating_add(query.limit).min(MAX_INSTANCES),
            heap: BinaryHeap::new(),
        };
        let mut count = 0;
        each_block(self.source(), &blocks, |block, zones| {
            for i in 0..zones.len() {
                let duration = zones.durations[i];
                if !is_of(zones, i, site)
                    || !scope.takes_thread(zones.threads[i])
                    || !scope.begins_in(zones.starts[i])
                    || duration < query.at_least
                    || query.below.is_some_and(|below| duration >= below)
                {
                    continue;
                }
                count += 1;
                let key = match query.by_duration {
                    true => duration.0,
                    false => zones.starts[i].0,
                };
                let id = self.zone_index().id(block, i);
                let row = zones.row(i);
                let key = if query.descending {
                    u64::MAX - key
                } else {
                    key
                };
                first.push(key, Zone { id, row });
            }
            ControlFlow::Continue(())
        })?;
        Ok(Instances {
            rows: first.finish().skip(query.offset).collect(),
            count,
        })
    }

    /// The zones of the same place before and after this one, by start; of all threads.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn zone_neighbours(
        &self,
        zone: &Zone,
    ) -> Result<(Option<Zone>, Option<Zone>), AnalyzeError> {
        let key = |zone: &Zone| (zone.row.start, zone.id);
        let here = key(zone);
        let (mut before, mut after): (Option<Zone>, Option<Zone>) = (None, None);
        let spans = self.source().zone_blocks();
        // From the nearest on, so that most blocks cannot hold a nearer one.
        let (own, _) = self.zone_place(zone.id)?;
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|block| block.abs_diff(own));
        for block in order {
            let range = spans[block].range;
            let maybe_before = range.start <= zone.row.start
                && before.is_none_or(|before: Zone| range.end >= before.row.start);
            let maybe_after = range.end >= zone.row.start
                && after.is_none_or(|after: Zone| range.start <= after.row.start);
            if !(maybe_before || maybe_after) || !self.block_has_site(block, zone.row.site)? {
                continue;
            }
            let zones = self.source().zones(block)?;
            for i in 0..zones.len() {
                if !is_of(&zones, i, zone.row.site) {
                    continue;
                }
                let id = self.zone_index().id(block, i);
                let this = (zones.starts[i], id);
                let row = || zones.row(i);
                if this < here && before.is_none_or(|zone| this > key(&zone)) {
                    before = Some(Zone { id, row: row() });
                } else if this > here && after.is_none_or(|zone| this < key(&zone)) {
                    after = Some(Zone { id, row: row() });
                }
            }
        }
        Ok((before, after))
    }

    /// The zone of this thread, lane and depth at a moment; the shortest of those that touch it.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn zone_at(
        &self,
        thread: sondage_model::ThreadId,
        lane: u16,
        depth: u16,
        time: Time,
    ) -> Result<Option<Zone>, AnalyzeError> {
        let moment = sondage_model::TimeRange::new(time, time + Nanos(1));
        let scope = ZoneScope::of_time(moment);
        let mut found: Option<Zone> = None;
        for block in self.zone_blocks_of(&scope) {
            let zones = self.source().zones(block)?;
            for i in 0..zones.len() {
                if zones.threads[i] != thread
                    || zones.lanes[i] != lane
                    || zones.depths[i] != depth
                    || zones.starts[i] > time
                    || zones.starts[i] + zones.durations[i] < time
                {
                    continue;
                }
                let id = self.zone_index().id(block, i);
                let row = zones.row(i);
                let better = |found: Zone| {
                    (row.duration, Reverse(id)) < (found.row.duration, Reverse(found.id))
                };
                if found.is_none_or(better) {
                    found = Some(Zone { id, row });
                }
            }
        }
        Ok(found)
    }
}
