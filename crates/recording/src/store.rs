//! Where a recording's bytes come from.

use std::io;
use std::sync::Arc;

/// Bytes that can be read at any place, by many threads at once.
pub(crate) trait Store: Send + Sync {
    /// How many there were when it was opened.
    fn length(&self) -> u64;

    /// Fills `out` with the bytes from `offset` on.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// The bytes of a part.
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        // The length is a claim: it is checked before memory is set aside for it.
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut out = vec![0; length];
        self.read_at(offset, &mut out)?;
        Ok(out)
    }
}

/// A whole recording in memory.
pub(crate) struct Memory(pub Arc<[u8]>);

impl Store for Memory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..start.checked_add(out.len())?));
        match part {
            Some(part) => {
                out.copy_from_slice(part);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
