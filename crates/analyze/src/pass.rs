//! The samples that a filter admits, for who needs them one by one or summed up its own way.

use sondage_model::{Nanos, SampleRow, Source, SourceError, ThreadId, Time};

use crate::inside::Stretches;
use crate::scan::{Admit, Piece, Unit};
use crate::{AnalyzeError, Filter};

/// Passes over the samples of a recording that a filter admits. What it gives adds up to what
/// [`aggregate`](crate::aggregate) says.
pub struct Pass<'a> {
    source: &'a dyn Source,
    admit: Admit,
}

impl<'a> Pass<'a> {
    /// Makes the filter ready.
    ///
    /// # Errors
    /// When the recording's tables contradict each other, the filter names a zone that it does not
    /// have, or it cannot be read.
    pub fn new(source: &'a dyn Source, filter: &Filter) -> Result<Pass<'a>, AnalyzeError> {
        let admit = Admit::of(source, filter)?;
        Ok(Pass { source, admit })
    }

    /// What the recording measures weights in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.admit.unit()
    }

    /// Whether a moment of a thread lies in the filter's zones, where it has some. Its range and
    /// its threads are not looked at.
    #[must_use]
    pub fn is_inside(&self, thread: ThreadId, time: Time) -> bool {
        let inside = |stretches: &Stretches| stretches.contains(thread, time.0);
        self.admit.stretches().is_none_or(inside)
    }

    /// Calls `each` with each sample cut to the part that counts, and that part's count: several
    /// parts where it lies in several zones. The weight is zero where the recording knows no time.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn for_each(&self, mut each: impl FnMut(SampleRow, u64)) -> Result<(), SourceError> {
        let is_timeless = self.unit() == Unit::Samples;
        for block in self.blocks() {
            for row in self.source.samples(block)?.rows() {
                let stack = self.admit.known(row.stack);
                if !self.admit.takes(row.thread, row.state, stack) {
                    continue;
                }
                let (time, weight) = (row.time.0, row.weight.0);
                let put = |end, count, weight| {
                    let part = SampleRow {
                        time: Time(end),
                        stack,
                        weight: if is_timeless {
                            Nanos::ZERO
                        } else {
                            Nanos(weight)
                        },
                        ..row
                    };
                    each(part, count);
                };
                let count = u64::from(row.count);
                self.admit.each_part(row.thread, time, weight, count, put);
            }
        }
        Ok(())
    }

    /// Calls `each` with pieces that the samples add up to. Blocks that lie in the range are read
    /// as their summaries, so that there are far fewer pieces than samples.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn for_each_sum(&self, mut each: impl FnMut(Piece)) -> Result<(), SourceError> {
        for block in self.blocks() {
            if self.admit.takes_all_of(self.source.blocks()[block].range) {
                self.admit
                    .add_summary(&self.source.summary(block)?, &mut each);
            } else {
                let samples = self.source.samples(block)?;
                self.admit.add_samples(&samples, &mut each);
            }
        }
        Ok(())
    }

    fn blocks(&self) -> impl Iterator<Item = usize> + '_ {
        let blocks = self.source.blocks().iter().enumerate();
        blocks
            .filter(|(_, span)| self.admit.touches(span.range))
            .map(|(block, _)| block)
    }
}
