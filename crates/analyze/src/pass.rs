//! The samples that a filter admits, for who needs them one by one or summed up its own way.

use sondage_model::{Nanos, SampleRow, Source, SourceError};

use crate::names::Names;
use crate::scan::{Admit, Piece, Unit, check, unit_of};
use crate::{Filter, Search};

/// Passes over the samples of a recording that a filter admits. What it gives adds up to what
/// [`aggregate`](crate::aggregate) says.
pub struct Pass<'a> {
    source: &'a dyn Source,
    filter: &'a Filter,
    admit: Admit,
    unit: Unit,
}

impl<'a> Pass<'a> {
    /// Makes the filter ready.
    ///
    /// # Errors
    /// When the recording's tables contradict each other, or it cannot be read.
    pub fn new(source: &'a dyn Source, filter: &'a Filter) -> Result<Pass<'a>, SourceError> {
        let dict = source.dictionary();
        check(dict)?;
        let unit = unit_of(source)?;
        let matching = |search: &Search| Names::new(dict).matching(dict, search);
        Ok(Pass {
            source,
            filter,
            admit: Admit::new(source, matching, filter, unit),
            unit,
        })
    }

    /// What the recording measures weights in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Calls `each` with the part in the range of each sample, and its count. Its weight is zero
    /// where the recording knows no time.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn for_each(&self, mut each: impl FnMut(SampleRow, u64)) -> Result<(), SourceError> {
        for block in self.blocks() {
            let samples = self.source.samples(block)?;
            self.admit.add_samples(&samples, |row, piece| {
                let row = samples.row(row);
                let end = self.filter.range.map(|range| range.end);
                let row = SampleRow {
                    time: end.map_or(row.time, |end| row.time.min(end)),
                    stack: piece.stack,
                    weight: match self.unit {
                        Unit::Nanos => Nanos(piece.weight),
                        Unit::Samples => Nanos::ZERO,
                    },
                    ..row
                };
                each(row, piece.count);
            });
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
                self.admit.add_samples(&samples, |_, piece| each(piece));
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
