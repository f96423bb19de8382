//! Rows that are found by their number, some of which may be lost.

use crate::error::ChunkError;

/// The most rows that are made up to fill holes.
const MOST_MISSING: u64 = 1 << 18;
/// Rows by id, with holes where they were lost.
#[derive(Debug)]
pub(crate) struct Rows<T>(pub Vec<Option<T>>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows(Vec::new())
    }
}

impl<T> Rows<T> {
    /// With a place for row 0, which stands for nothing and is never stored.
    pub fn from_one() -> Self {
        Rows(vec![None])
    }

    /// Puts a row at `id`, whether there was one or not.
    pub fn put(&mut self, id: u64, row: T, missing: &mut u64) -> Result<(), ChunkError> {
        let known = self.0.len() as u64;
        if id >= known {
            *missing = missing.saturating_add(id - known);
            if *missing > MOST_MISSING {
                return Err(ChunkError::Content(format!("{missing} rows are missing")));
            }
            self.0.resize_with(id as usize + 1, || None);
        }
        self.0[id as usize] = Some(row);
        Ok(())
    }

    pub fn put_all(
        &mut self,
        first: u64,
        rows: impl Iterator<Item = T>,
        missing: &mut u64,
    ) -> Result<(), ChunkError> {
        for (offset, row) in rows.enumerate() {
            self.put(first.saturating_add(offset as u64), row, missing)?;
        }
        Ok(())
    }
}
