//! One zone with what is around it and inside it.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use sondage_model::{Nanos, SpanId, TaskId, ZoneDetail, ZoneFlags};

use crate::zones::{Zone, ZoneId, ZoneScope, each_block};
use crate::{AnalyzeError, Analyzer};

/// Zones that are read to find those inside one.
const MOST_READ: u64 = 1 << 21;
/// Zones inside that are given, the longest.
const MOST_CHILDREN: usize = 200;

/// All about one zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneCard {
    /// The zone.
    pub zone: Zone,
    /// Arguments, values, trace; `None` where it has none.
    pub detail: Option<ZoneDetail>,
    /// The asyncio task it ran in: what the program said, of it or of the zones around it in its
    /// thread.
    pub task: TaskId,
    /// Time in no zone directly inside it; `None` where too many zones had to be read.
    pub own: Option<Nanos>,
    /// The zones around it on its lane, outermost first. Of a span also the spans around it, of
    /// any thread and process.
    pub around: Vec<Zone>,
    /// The zones directly inside it, the longest 200, by start.
    pub inside: Vec<Zone>,
    /// How many there are directly inside; `None` where too many zones had to be read.
    pub inside_count: Option<u64>,
    /// The zone of the same place that began before.
    pub before: Option<Zone>,
    /// The zone of the same place that begins next.
    pub after: Option<Zone>,
}

impl Analyzer {
    /// All about one zone.
    ///
    /// # Errors
    /// When there is none of this number, or the recording cannot be read.
    pub fn zone_card(&self, id: ZoneId) -> Result<ZoneCard, AnalyzeError> {
        let zone = self.zone(id)?;
        let (block, _) = self.zone_place(id)?;
        let detail = self.source().zones(block)?.detail(&zone.row).cloned();
        let (before, after) = self.zone_neighbours(&zone)?;
        let around = self.around(zone)?;
        let mut card = ZoneCard {
            zone,
            task: self.task_of(&zone, &around)?,
            detail,
            own: None,
            around,
            inside: Vec::new(),
            inside_count: None,
            before,
            after,
        };
        self.look_inside(&mut card)?;
        Ok(card)
    }

    fn task_of(&self, zone: &Zone, around: &[Zone]) -> Result<TaskId, AnalyzeError> {
        let whole = if zone.row.flags.has(ZoneFlags::POLL) {
            self.span(zone.row.span, zone)?
        } else {
            None
        };
        let outwards = [zone].into_iter().chain(&whole).chain(around.iter().rev());
        for each in outwards.take_while(|each| each.row.thread == zone.row.thread) {
            if each.row.detail > 0 {
                let (block, _) = self.zone_place(each.id)?;
                let zones = self.source().zones(block)?;
                if let Some(detail) = zones.detail(&each.row)
                    && detail.task != TaskId::NONE
                {
                    return Ok(detail.task);
                }
            }
            // The span of a callback has a number, and was told to be in no task.
            if each.row.span != SpanId::NONE && !each.row.flags.has(ZoneFlags::POLL) {
                break;
            }
        }
        Ok(TaskId::NONE)
    }

    /// The zones around this one, outermost first: of spans by their numbers, else of the lane.
    fn around(&self, zone: Zone) -> Result<Vec<Zone>, AnalyzeError> {
        let mut around = Vec::new();
        let mut at = zone;
        // As deep as a lane can be; a damaged file may go round in circles.
        while around.len() < 1000 {
            let next = match self.zone_around(&at)? {
                None if at.row.parent != SpanId::NONE => self.span(at.row.parent, &at)?,
                // A stretch stands for the whole span.
                Some(stretch) if stretch.row.flags.has(ZoneFlags::POLL) => {
                    self.span(stretch.row.span, &at)?.or(Some(stretch))
                }
                found => found,
            };
            let Some(next) = next.filter(|next| next.id != zone.id && !around.contains(next))
            else {
                break;
            };
            around.push(next);
            at = next;
        }
        around.reverse();
        Ok(around)
    }

    /// The zone directly around this one on its lane. It was written later, as it ends later.
    fn zone_around(&self, zone: &Zone) -> Result<Option<Zone>, AnalyzeError> {
        let row = &zone.row;
        let Some(depth) = row.depth.checked_sub(1) else {
            return Ok(None);
        };
        let (first, index) = self.zone_place(zone.id)?;
        let spans = self.source().zone_blocks();
        for (block, span) in spans.iter().enumerate().skip(first) {
            if span.range.start > row.start || span.range.end < row.range().end {
                continue;
            }
            let zones = self.source().zones(block)?;
            let from = if block == first { index + 1 } else { 0 };
            for i in from..zones.len() {
                if zones.threads[i] == row.thread
                    && zones.lanes[i] == row.lane
                    && zones.depths[i] == depth
                    && zones.starts[i] <= row.start
                    && zones.starts[i] + zones.durations[i] >= row.range().end
                {
                    let id = self.zone_index().id(block, i);
                    return Ok(Some(Zone {
                        id,
                        row: zones.row(i),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// The span of this number, which began no later than `inside`.
    pub(crate) fn span(&self, number: SpanId, inside: &Zone) -> Result<Option<Zone>, AnalyzeError> {
        let spans = self.source().zone_blocks().iter().enumerate();
        let blocks: Vec<usize> = spans
            .filter(|(_, span)| span.range.start <= inside.row.start)
            .map(|(block, _)| block)
            .collect();
        // The nearest first: a span around ends soon after what is in it, as a rule.
        let (own, _) = self.zone_place(inside.id)?;
        let (earlier, later): (Vec<usize>, Vec<usize>) =
            blocks.into_iter().partition(|block| *block < own);
        let order: Vec<usize> = later.into_iter().chain(earlier.into_iter().rev()).collect();
        let mut found = None;
        each_block(self.source(), &order, |block, zones| {
            let at = (0..zones.len())
                .find(|&i| zones.spans[i] == number && !zones.flags[i].has(ZoneFlags::POLL));
            found = at.map(|i| Zone {
                id: self.zone_index().id(block, i),
                row: zones.row(i),
            });
            match found {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    }

    fn look_inside(&self, card: &mut ZoneCard) -> Result<(), AnalyzeError> {
        let row = card.zone.row;
        let blocks = self.zone_blocks_of(&ZoneScope::of_time(row.range()));
        if self.zones_in(&blocks) > MOST_READ {
            return Ok(());
        }
        let (mut count, mut taken) = (0, Nanos::ZERO);
        let span = (row.span != SpanId::NONE).then_some(row.span);
        let mut inside = Vec::new();
        each_block(self.source(), &blocks, |block, zones| {
            for i in 0..zones.len() {
                let id = self.zone_index().id(block, i);
                if id == card.zone.id {
                    continue;
                }
                let on_lane = zones.threads[i] == row.thread
                    && zones.lanes[i] == row.lane
                    && zones.depths[i] == row.depth + 1
                    && row.range().start <= zones.starts[i]
                    && zones.starts[i] + zones.durations[i] <= row.range().end
                    // A zone without length at the seam of two is in the one that ends later.
                    && id < card.zone.id;
                let of_span = span.is_some_and(|span| zones.parents[i] == span);
                if on_lane {
                    taken += zones.durations[i];
                }
                // A stretch is listed as the span that it is of.
                if (on_lane || of_span) && !zones.flags[i].has(ZoneFlags::POLL) {
                    count += 1;
                    inside.push(Zone {
                        id,
                        row: zones.row(i),
                    });
                }
            }
            if inside.len() > 4 * MOST_CHILDREN {
                keep_longest(&mut inside);
            }
            ControlFlow::Continue(())
        })?;
        keep_longest(&mut inside);
        inside.sort_by_key(|zone| (zone.row.start, Reverse(zone.row.duration), zone.id));
        card.inside = inside;
        card.inside_count = Some(count);
        card.own = Some(row.duration.saturating_sub(taken));
        Ok(())
    }
}

fn keep_longest(zones: &mut Vec<Zone>) {
    zones.sort_by_key(|zone| (Reverse(zone.row.duration), zone.id));
    zones.truncate(MOST_CHILDREN);
}
