//! What the program said of itself, in short: for a report.

use sondage_model::{CounterKind, Nanos, TimeRange};

use crate::zone_table::{SiteFigures, ZoneQuery};
use crate::zones::SiteName;
use crate::{AnalyzeError, Analyzer, Filter, FrameFigures, LockFigures};

/// Name of the counter of events that probes wrote.
pub const PROBES: &str = "sondage.probes";
/// Name of the counter of what they cost, in nanoseconds.
pub const PROBE_COST: &str = "sondage.probe_cost";

/// What the program said of itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    /// The zones that took the most time, by place.
    pub zones: Vec<(SiteName, SiteFigures)>,
    /// Places of zones in all.
    pub site_count: usize,
    /// Zones in all.
    pub zone_count: u64,
    /// Its frames, by process and name.
    pub frames: Vec<FrameFigures>,
    /// The locks that were waited for the longest.
    pub locks: Vec<LockFigures>,
    /// Lines it logged.
    pub log_count: usize,
    /// What its probes cost; `None` where it has none.
    pub probes: Option<ProbeCost>,
}

/// What the probes in the program cost it, by their own measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProbeCost {
    /// Events that they wrote.
    pub events: u64,
    /// Time that took.
    pub cost: Nanos,
}

impl ProbeCost {
    /// Time for one event.
    #[must_use]
    pub fn each(&self) -> f64 {
        self.cost.0 as f64 / self.events.max(1) as f64
    }
}

impl Program {
    /// Whether it said nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zone_count == 0
            && self.frames.is_empty()
            && self.locks.is_empty()
            && self.log_count == 0
    }
}

impl Analyzer {
    /// What the program said of itself in the filter's range, `limit` rows of each list; of the
    /// filter the range, processes and threads count.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn program(&self, filter: &Filter, limit: usize) -> Result<Program, AnalyzeError> {
        let query = ZoneQuery {
            limit,
            ..ZoneQuery::default()
        };
        let table = self.zones(filter, &query)?;
        let mut locks = self.locks(filter)?;
        locks.truncate(limit);
        let logs = self.logs(filter, &crate::LogQuery::default())?;
        Ok(Program {
            zones: table
                .rows
                .into_iter()
                .map(|row| (self.site_name(row.site), row))
                .collect(),
            site_count: table.row_count,
            zone_count: table.zone_count,
            frames: self.frames(filter, limit)?,
            locks,
            log_count: logs.count,
            probes: self.probe_cost()?,
        })
    }

    /// What the program's probes cost, over the whole recording.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn probe_cost(&self) -> Result<Option<ProbeCost>, AnalyzeError> {
        let dict = self.dictionary();
        let series = dict.counter_series();
        let is = |name: &str, at: usize| {
            let row = series.get(at);
            row.is_some_and(|row| row.kind == CounterKind::Total && dict.text(row.name) == name)
        };
        if !(0..series.len()).any(|at| is(PROBES, at) || is(PROBE_COST, at)) {
            return Ok(None);
        }
        // A total never falls, so the largest value is the last.
        let mut most = vec![0.0_f64; series.len()];
        for row in self.source().counters(TimeRange::ALL)? {
            if let Some(most) = most.get_mut(row.counter.index()) {
                *most = most.max(row.value);
            }
        }
        let sum = |name: &str| -> u64 {
            let mine = most.iter().enumerate().filter(|(at, _)| is(name, *at));
            mine.map(|(_, value)| *value).sum::<f64>() as u64
        };
        Ok(Some(ProbeCost {
            events: sum(PROBES),
            cost: Nanos(sum(PROBE_COST)),
        }))
    }
}
