//! Samples inside zones: the stretches of time that zones cover, thread by thread.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use sondage_model::{SiteId, Source, SpanId, ThreadId, Time, TimeRange, ZoneFlags};

use crate::zones::{ZoneId, ZoneIndex, ZoneScope, blocks_of, check_site, each_block, zone_of};
use crate::{AnalyzeError, Analyzer};

/// Zones that samples must lie in: with the part inside, on the zone's thread. Of a span that was
/// suspended only the stretches count in which it ran.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Inside {
    /// This zone.
    Zone(ZoneId),
    /// Every zone of this place.
    Site(SiteId),
}

/// Stretches of time by thread, in order and apart from each other.
#[derive(Debug, Default)]
pub(crate) struct Stretches {
    by_thread: Vec<Vec<(u64, u64)>>,
    hull: Option<TimeRange>,
}

impl Stretches {
    /// The stretches of these zones over the whole recording.
    pub(crate) fn of(source: &dyn Source, inside: Inside) -> Result<Stretches, AnalyzeError> {
        let mut found = Stretches {
            by_thread: vec![Vec::new(); source.dictionary().threads().len()],
            hull: None,
        };
        match inside {
            Inside::Site(site) => {
                check_site(source, site)?;
                // Summaries leave stretches of suspended spans out, so every block is read.
                let blocks: Vec<usize> = (0..source.zone_blocks().len()).collect();
                each_block(source, &blocks, |_, zones| {
                    for i in 0..zones.len() {
                        // The row of a suspended span is not where it ran; its stretches are.
                        if zones.sites[i] == site && !zones.flags[i].has(ZoneFlags::SUSPENDED) {
                            found.push(zones.threads[i], zones.row(i).range());
                        }
                    }
                    ControlFlow::Continue(())
                })?;
            }
            Inside::Zone(id) => {
                let zone = zone_of(source, &ZoneIndex::new(source.zone_blocks()), id)?;
                let number = zone.row.span;
                if zone.row.flags.has(ZoneFlags::SUSPENDED) && number != SpanId::NONE {
                    let scope = ZoneScope::of_time(zone.row.range());
                    each_block(source, &blocks_of(source, &scope), |_, zones| {
                        for i in 0..zones.len() {
                            if zones.spans[i] == number && zones.flags[i].has(ZoneFlags::POLL) {
                                found.push(zones.threads[i], zones.row(i).range());
                            }
                        }
                        ControlFlow::Continue(())
                    })?;
                } else {
                    found.push(zone.row.thread, zone.row.range());
                }
            }
        }
        Ok(found.finish())
    }

    fn push(&mut self, thread: ThreadId, range: TimeRange) {
        if let Some(stretches) = self.by_thread.get_mut(thread.index())
            && range.start < range.end
        {
            // What lies inside the last one, or around it, needs no place of its own: recursion.
            if let Some(last) = stretches.last_mut()
                && range.start.0 <= last.1
                && last.0 <= range.end.0
            {
                *last = (last.0.min(range.start.0), last.1.max(range.end.0));
                return;
            }
            stretches.push((range.start.0, range.end.0));
        }
    }

    fn finish(mut self) -> Stretches {
        for stretches in &mut self.by_thread {
            stretches.sort_unstable();
            stretches.dedup_by(|next, last| {
                let joins = next.0 <= last.1;
                if joins {
                    last.1 = last.1.max(next.1);
                }
                joins
            });
            stretches.shrink_to_fit();
        }
        let filled = || {
            self.by_thread
                .iter()
                .filter(|stretches| !stretches.is_empty())
        };
        let start = filled().map(|stretches| stretches[0].0).min();
        let end = filled()
            .map(|stretches| stretches[stretches.len() - 1].1)
            .max();
        self.hull = start
            .zip(end)
            .map(|(start, end)| TimeRange::new(Time(start), Time(end)));
        self
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let stretches: usize = self.by_thread.iter().map(Vec::len).sum();
        stretches * size_of::<(u64, u64)>()
    }

    /// From the start of the first to the end of the last; `None` where there are none.
    pub(crate) fn hull(&self) -> Option<TimeRange> {
        self.hull
    }

    /// The parts of `[from, to)` that lie in stretches of this thread.
    pub(crate) fn parts(
        &self,
        thread: ThreadId,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = (u64, u64)> + '_ {
        let stretches = self.by_thread.get(thread.index());
        let stretches = stretches.map_or(&[][..], |stretches| stretches);
        let first = stretches.partition_point(|stretch| stretch.1 <= from);
        stretches[first..]
            .iter()
            .take_while(move |stretch| stretch.0 < to)
            .map(move |stretch| (stretch.0.max(from), stretch.1.min(to)))
    }

    /// Whether a moment lies in a stretch of this thread.
    pub(crate) fn contains(&self, thread: ThreadId, time: u64) -> bool {
        self.parts(thread, time, time.saturating_add(1))
            .next()
            .is_some()
    }
}

impl Analyzer {
    /// [`Stretches::of`] the recording. The last ones are kept.
    pub(crate) fn stretches(&self, inside: Inside) -> Result<Arc<Stretches>, AnalyzeError> {
        let kept = || {
            let kept = self.zone_index().stretches.lock();
            kept.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((of, stretches)) = &*kept()
            && *of == inside
        {
            return Ok(Arc::clone(stretches));
        }
        let found = Arc::new(Stretches::of(self.source(), inside)?);
        *kept() = Some((inside, Arc::clone(&found)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined_and_found() {
        let mut stretches = Stretches {
            by_thread: vec![Vec::new(); 2],
            hull: None,
        };
        for (start, end) in [(40, 50), (10, 20), (12, 15), (45, 60), (60, 61), (70, 70)] {
            stretches.push(ThreadId(1), TimeRange::new(Time(start), Time(end)));
        }
        stretches.push(ThreadId(9), TimeRange::new(Time(0), Time(99)));
        let stretches = stretches.finish();
        assert_eq!(stretches.by_thread[1], [(10, 20), (40, 61)]);
        assert_eq!(stretches.hull(), Some(TimeRange::new(Time(10), Time(61))));
        let parts = |from, to| stretches.parts(ThreadId(1), from, to).collect::<Vec<_>>();
        assert_eq!(parts(0, 100), [(10, 20), (40, 61)]);
        assert_eq!(parts(15, 41), [(15, 20), (40, 41)]);
        assert_eq!(parts(20, 40), []);
        assert!(stretches.contains(ThreadId(1), 10));
        assert!(!stretches.contains(ThreadId(1), 20));
        assert!(!stretches.contains(ThreadId(0), 15));
        assert!(!stretches.contains(ThreadId(7), 15));
    }
}
