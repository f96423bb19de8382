//! The lanes of a thread: where zones lie so that what overlaps lies side by side.
//!
//! In a lane, what is open is a stack. A zone's place in it is its depth. Something in the middle
//! of the stack can end first (a span of a task whose caller gave up waiting); it leaves a hole,
//! which is not filled again before everything above it has ended, so that at one depth of a lane
//! nothing ever overlaps.

use std::collections::BTreeSet;

/// More lanes than this are not made: what finds no empty one is put on top in the last.
pub const MOST_LANES: usize = 1 << 14;

/// How many empty lanes are looked at for one that was empty long enough.
const MOST_LOOKS: usize = 64;

/// A place that is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The lane.
    pub lane: u16,
    /// The depth in it.
    pub depth: u16,
}

/// The lanes of one thread.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// The lanes in which nothing is open, without those of streams.
    empty: BTreeSet<u16>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    /// For each depth: whether something is open there.
    open: Vec<bool>,
    /// The spans among it, by depth.
    spans: Vec<(u16, u64)>,
    /// The latest end of what was in it.
    last_end: u64,
    /// Whether it is a stream's own.
    is_own: bool,
}

impl Lanes {
    /// Makes a lane for the zones of a stream: the first is 0.
    pub fn own(&mut self) -> u16 {
        let lane = match self.empty.pop_first() {
            Some(lane) => lane,
            None => self.grow(),
        };
        self.lanes[usize::from(lane)].is_own = true;
        lane
    }

    fn grow(&mut self) -> u16 {
        if self.lanes.len() < MOST_LANES {
            self.lanes.push(Lane::default());
        }
        self.lanes.len() as u16 - 1
    }

    /// Opens something on top of a lane; `span` is its number if it is a span. `None` when no depth
    /// is left.
    pub fn push(&mut self, lane: u16, span: Option<u64>) -> Option<Place> {
        let on = &mut self.lanes[usize::from(lane)];
        let depth = u16::try_from(on.open.len()).ok()?;
        let was_empty = depth == 0 && !on.is_own;
        on.open.push(true);
        if let Some(span) = span {
            on.spans.push((depth, span));
        }
        if was_empty {
            self.empty.remove(&lane);
        }
        Some(Place { lane, depth })
    }

    /// The spans that are open in any lane.
    pub fn spans(&self) -> impl Iterator<Item = u64> + '_ {
        let spans = self.lanes.iter().flat_map(|lane| &lane.spans);
        spans.map(|(_, span)| *span)
    }

    /// Closes what is open at a place, at this time.
    pub fn remove(&mut self, place: Place, end: u64) {
        let on = &mut self.lanes[usize::from(place.lane)];
        on.last_end = on.last_end.max(end);
        let depth = usize::from(place.depth);
        if depth + 1 < on.open.len() {
            on.open[depth] = false;
        } else {
            on.open.pop();
            while on.open.last() == Some(&false) {
                on.open.pop();
            }
        }
        if let Some(at) = on
            .spans
            .iter()
            .rposition(|(depth, _)| *depth == place.depth)
        {
            on.spans.remove(at);
        }
        if on.open.is_empty() && !on.is_own {
            self.empty.insert(place.lane);
        }
    }

    /// The innermost span open in a lane.
    #[must_use]
    pub fn top_span(&self, lane: u16) -> Option<u64> {
        let lane = self.lanes.get(usize::from(lane))?;
        lane.spans.last().map(|(_, span)| *span)
    }

    /// When the last thing in a lane ended.
    #[must_use]
    pub fn last_end(&self, lane: u16) -> u64 {
        self.lanes
            .get(usize::from(lane))
            .map_or(0, |lane| lane.last_end)
    }

    /// Whether nothing was open in a lane since then. A stream's own is never said to be empty.
    #[must_use]
    pub fn is_empty_since(&self, lane: u16, since: u64) -> bool {
        self.empty.contains(&lane) && self.last_end(lane) <= since
    }

    /// A lane in which nothing was open since then.
    pub fn empty_since(&mut self, since: u64) -> u16 {
        let long = |lane: &&u16| self.lanes[usize::from(**lane)].last_end <= since;
        let found = self.empty.iter().take(MOST_LOOKS).find(long).copied();
        found.unwrap_or_else(|| self.grow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_kept_until_what_is_above_has_ended() {
        let mut lanes = Lanes::default();
        let own = lanes.own();
        let low = lanes.push(own, Some(1)).unwrap();
        let high = lanes.push(own, Some(2)).unwrap();
        lanes.remove(low, 10);
        assert_eq!(lanes.top_span(own), Some(2));
        let above = lanes.push(own, None).unwrap();
        assert_eq!((low.depth, high.depth, above.depth), (0, 1, 2));
        lanes.remove(above, 11);
        lanes.remove(high, 12);
        assert_eq!(lanes.push(own, None).unwrap().depth, 0);
        assert_eq!(lanes.top_span(own), None);
    }

    #[test]
    fn an_empty_lane_is_used_again_when_it_was_empty_long_enough() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.own(), 0);
        let one = lanes.empty_since(5);
        let place = lanes.push(one, Some(7)).unwrap();
        lanes.remove(place, 20);
        assert_eq!(lanes.empty_since(20), one);
        assert_eq!(lanes.empty_since(19), 2);
        assert_eq!(lanes.own(), 1);
    }

    #[test]
    fn there_is_a_last_lane() {
        let mut lanes = Lanes::default();
        for span in 0..MOST_LANES as u64 + 10 {
            let lane = lanes.empty_since(0);
            lanes.push(lane, Some(span));
        }
        assert_eq!(lanes.empty_since(0), MOST_LANES as u16 - 1);
    }
}
