//! Decoded parts of a recording, kept within a bound.

use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;
use sondage_model::{SampleColumns, SummaryRow, ZoneColumns, ZoneDetail, ZoneSummaryRow};

use crate::lod::TileRun;
use crate::zone_lod::ZoneTileRun;

/// What a decoded part is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    Samples(usize),
    Summary(usize),
    /// Of the width with this position, in this block.
    Tiles(usize, usize),
    Zones(usize),
    ZoneSummary(usize),
    /// Of the width with this position, in this block.
    ZoneTiles(usize, usize),
}

/// A decoded part.
#[derive(Clone)]
pub(crate) enum Decoded {
    Samples(Arc<SampleColumns>),
    Summary(Arc<[SummaryRow]>),
    Tiles(Arc<[TileRun]>),
    Zones(Arc<ZoneColumns>),
    ZoneSummary(Arc<[ZoneSummaryRow]>),
    ZoneTiles(Arc<[ZoneTileRun]>),
}

impl Decoded {
    fn bytes(&self) -> usize {
        const SAMPLE: usize = 8 + 8 + 4 + 4 + 4 + 4 + 1;
        const ZONE: usize = 8 + 8 + 8 + 4 + 4 + 2 + 2 + 1 + 8 + 8 + 4;
        64 + match self {
            Decoded::Samples(samples) => samples.times.capacity() * SAMPLE,
            Decoded::Summary(rows) => size_of_val::<[SummaryRow]>(rows),
            Decoded::Tiles(runs) => size_of_val::<[TileRun]>(runs),
            Decoded::Zones(zones) => {
                let texts = zones.details.iter().map(|detail| detail.arguments.len());
                zones.starts.capacity() * ZONE
                    + zones.details.len() * size_of::<ZoneDetail>()
                    + texts.sum::<usize>()
            }
            Decoded::ZoneSummary(rows) => size_of_val::<[ZoneSummaryRow]>(rows),
            Decoded::ZoneTiles(runs) => size_of_val::<[ZoneTileRun]>(runs),
        }
    }
}

/// Keeps what was used last, up to a number of bytes.
pub(crate) struct Cache {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    parts: FxHashMap<Part, (Decoded, u64)>,
    bytes: usize,
    clock: u64,
}

impl Cache {
    pub fn new(most_bytes: usize) -> Cache {
        Cache {
            most_bytes,
            kept: Mutex::default(),
        }
    }

    /// The part, decoded now if it is not kept. Two threads that miss at once both decode.
    pub fn get<E>(
        &self,
        part: Part,
        decode: impl FnOnce() -> Result<Decoded, E>,
    ) -> Result<Decoded, E> {
        {
            let mut kept = self.lock();
            kept.clock += 1;
            let clock = kept.clock;
            if let Some((decoded, used)) = kept.parts.get_mut(&part) {
                *used = clock;
                return Ok(decoded.clone());
            }
        }
        let decoded = decode()?;
        let mut kept = self.lock();
        kept.put(part, decoded.clone(), self.most_bytes);
        Ok(decoded)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A panic while it was held left at worst a wrong sum of bytes.
        self.kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, part: Part, decoded: Decoded, most_bytes: usize) {
        let bytes = decoded.bytes();
        if bytes > most_bytes {
            return;
        }
        while self.bytes + bytes > most_bytes {
            let oldest = self.parts.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(part, _)| *part) else {
                break;
            };
            self.remove(oldest);
        }
        self.remove(part);
        self.bytes += bytes;
        self.parts.insert(part, (decoded, self.clock));
    }

    fn remove(&mut self, part: Part) {
        if let Some((decoded, _)) = self.parts.remove(&part) {
            self.bytes -= decoded.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(rows: usize) -> Decoded {
        Decoded::Summary(vec![SummaryRow::default(); rows].into())
    }

    #[test]
    fn what_was_used_last_stays_within_the_bound() {
        let one = summary(100).bytes();
        let cache = Cache::new(one * 3);
        let mut decoded = 0;
        let mut get = |block: usize| {
            let result: Result<_, ()> = cache.get(Part::Summary(block), || {
                decoded += 1;
                Ok(summary(100))
            });
            assert!(result.is_ok());
        };
        for block in [0, 1, 2, 0, 3, 0] {
            get(block);
        }
        // 1 was used longest ago when 3 came.
        assert_eq!(decoded, 4);
        let get_again = |block: usize| {
            let mut missed = false;
            let result: Result<_, ()> = cache.get(Part::Summary(block), || {
                missed = true;
                Ok(summary(100))
            });
            assert!(result.is_ok());
            missed
        };
        assert!(!get_again(2));
        assert!(get_again(1));
        assert_eq!(cache.lock().bytes, one * 3);
    }

    #[test]
    fn what_is_larger_than_the_bound_is_not_kept() {
        let cache = Cache::new(10);
        let result: Result<_, ()> = cache.get(Part::Summary(0), || Ok(summary(100)));
        assert!(result.is_ok());
        assert_eq!(cache.lock().bytes, 0);
    }
}
