//! What the whole recording holds: totals by thread, losses, the profiler's own cost.

use sondage_model::{ClockRow, LossKind, ThreadId, TimeRange};

use crate::{AnalyzeError, Analyzer, Filter, Totals, Unit};

/// Totals of a whole recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Overview {
    /// From the first sample to the last.
    pub range: TimeRange,
    /// What weights are measured in.
    pub unit: Unit,
    /// Sums over all samples, those of sleeping threads too.
    pub total: Totals,
    /// The same by thread id.
    pub threads: Vec<Totals>,
    /// What was lost, by reason, most first.
    pub losses: Vec<(LossKind, u64)>,
    /// The profiler's own cost at the end.
    pub overhead: ClockRow,
}

impl Overview {
    /// The sums of one thread.
    #[must_use]
    pub fn thread(&self, thread: ThreadId) -> Totals {
        self.threads
            .get(thread.index())
            .copied()
            .unwrap_or_default()
    }

    /// Observations that were lost altogether: see [`LossKind::is_lost_sample`].
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.losses
            .iter()
            .filter(|(kind, _)| kind.is_lost_sample())
            .map(|(_, count)| count)
            .sum()
    }
}

impl Analyzer {
    /// Totals of the whole recording.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn overview(&self) -> Result<Overview, AnalyzeError> {
        let selection = self.select(&Filter::everything())?;
        let mut losses: Vec<(LossKind, u64)> =
            LossKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
        for row in self.source().losses() {
            losses[row.kind as usize].1 += row.count;
        }
        losses.retain(|(_, count)| *count > 0);
        losses.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        Ok(Overview {
            range: self.source().range(),
            unit: self.unit(),
            total: *selection.total(),
            threads: selection.threads().to_vec(),
            losses,
            overhead: self.source().clock().last().copied().unwrap_or_default(),
        })
    }
}
