//! The bytes of a recording: head, chunk headers, trailer. `docs/formats/recording.md` has the
//! table of the fields.

use crate::error::ChunkError;

/// First bytes of a recording.
pub(crate) const MAGIC: [u8; 8] = *b"\x89SONDAGE";
/// The version that is written.
pub(crate) const VERSION: u16 = 2;
/// Length of the head: magic, version, flags, checksum.
pub(crate) const HEAD_LENGTH: usize = 16;

/// First bytes of a chunk.
pub(crate) const CHUNK_MAGIC: [u8; 4] = *b"\xf5SCK";
/// Length of a chunk's header.
pub(crate) const HEADER_LENGTH: usize = 80;
/// The most bytes a chunk may hold, decompressed or not. Bounds what a reader allocates.
pub(crate) const MAX_RAW: u32 = 64 << 20;
/// The most rows a chunk may hold.
pub(crate) const MAX_ROWS: u32 = 1 << 20;

/// Last bytes of a finished recording.
pub(crate) const TRAILER_MAGIC: [u8; 8] = *b"SONDEND\n";
/// Length of the trailer: offset of the footer, checksum, reserved, magic.
pub(crate) const TRAILER_LENGTH: usize = 24;

/// What a chunk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Rows: an Arrow record batch message.
    Rows = 0,
    /// The schema of the table: an Arrow schema message.
    Schema = 1,
}

/// The payload is one zstd frame.
pub(crate) const FLAG_ZSTD: u8 = 1;
/// `weight_extra` is the difference from the time since the thread's row before in this chunk,
/// not the weight itself.
pub(crate) const FLAG_RELATIVE_WEIGHTS: u8 = 2;

/// Numbers are stored as planes: of each column all lowest bytes, then all next ones, and so on.
pub(crate) const FLAG_PLANES: u8 = 4;

/// A chunk's header, less its magic and its own checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Header {
    pub table: u16,
    pub kind: u8,
    pub flags: u8,
    pub payload_length: u32,
    pub raw_length: u32,
    pub rows: u32,
    pub payload_crc: u32,
    pub sequence: u32,
    pub block: u32,
    pub first: u64,
    pub last: u64,
    pub detail: u64,
    pub count: u64,
    pub threads: u64,
}

/// A chunk and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChunkRef {
    /// Of its header.
    pub offset: u64,
    pub header: Header,
}

impl ChunkRef {
    /// The first byte after the chunk.
    pub fn end(&self) -> u64 {
        self.offset
            .saturating_add(HEADER_LENGTH as u64)
            .saturating_add(u64::from(self.header.payload_length))
    }
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&CHUNK_MAGIC);
        put(&self.table.to_le_bytes());
        put(&[self.kind, self.flags]);
        for value in [
            self.payload_length,
            self.raw_length,
            self.rows,
            self.payload_crc,
            self.sequence,
            self.block,
        ] {
            put(&value.to_le_bytes());
        }
        for value in [self.first, self.last, self.detail, self.count, self.threads] {
            put(&value.to_le_bytes());
        }
        // Four bytes are reserved and zero.
        put(&[0; 4]);
        let crc = crc32fast::hash(&out[..HEADER_LENGTH - 4]);
        out[HEADER_LENGTH - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header and checks its checksum and limits.
    pub fn decode(bytes: &[u8]) -> Result<Header, ChunkError> {
        let bytes = bytes.get(..HEADER_LENGTH).ok_or(ChunkError::Cut)?;
        let crc = u32_at(bytes, HEADER_LENGTH - 4);
        if bytes[..4] != CHUNK_MAGIC || crc32fast::hash(&bytes[..HEADER_LENGTH - 4]) != crc {
            return Err(ChunkError::Checksum);
        }
        let header = Header {
            table: u16::from_le_bytes([bytes[4], bytes[5]]),
            kind: bytes[6],
            flags: bytes[7],
            payload_length: u32_at(bytes, 8),
            raw_length: u32_at(bytes, 12),
            rows: u32_at(bytes, 16),
            payload_crc: u32_at(bytes, 20),
            sequence: u32_at(bytes, 24),
            block: u32_at(bytes, 28),
            first: u64_at(bytes, 32),
            last: u64_at(bytes, 40),
            detail: u64_at(bytes, 48),
            count: u64_at(bytes, 56),
            threads: u64_at(bytes, 64),
        };
        header.check()?;
        Ok(header)
    }

    /// Refuses what no writer writes.
    pub fn check(&self) -> Result<(), ChunkError> {
        for length in [self.payload_length, self.raw_length] {
            if length > MAX_RAW {
                return Err(ChunkError::TooLarge(u64::from(length)));
            }
        }
        if self.flags & !(FLAG_ZSTD | FLAG_RELATIVE_WEIGHTS | FLAG_PLANES) != 0 {
            return Err(ChunkError::Content(format!(
                "it has flags that are not known: {:#x}",
                self.flags
            )));
        }
        if self.rows > MAX_ROWS {
            return Err(ChunkError::Content(format!(
                "it says that it holds {} rows, more than a chunk may",
                self.rows
            )));
        }
        Ok(())
    }
}

/// The head of a file of this version.
pub(crate) fn head() -> [u8; HEAD_LENGTH] {
    let mut out = [0; HEAD_LENGTH];
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&out[..12]);
    out[12..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The trailer of a file whose footer is the chunk at `offset`.
pub(crate) fn trailer(offset: u64) -> [u8; TRAILER_LENGTH] {
    let mut out = [0; TRAILER_LENGTH];
    out[..8].copy_from_slice(&offset.to_le_bytes());
    let crc = crc32fast::hash(&out[..8]);
    out[8..12].copy_from_slice(&crc.to_le_bytes());
    out[16..].copy_from_slice(&TRAILER_MAGIC);
    out
}

/// The offset of the footer that a trailer tells, if it is one.
pub(crate) fn footer_offset(trailer: &[u8; TRAILER_LENGTH]) -> Option<u64> {
    let whole =
        trailer[16..] == TRAILER_MAGIC && crc32fast::hash(&trailer[..8]) == u32_at(trailer, 8);
    whole.then(|| u64_at(trailer, 0))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_seen() {
        let header = Header {
            table: 11,
            kind: 0,
            flags: 7,
            payload_length: 1000,
            raw_length: 5000,
            rows: 100,
            payload_crc: 0xdead_beef,
            sequence: 7,
            block: 2,
            first: 1,
            last: u64::MAX,
            detail: 3,
            count: 4,
            threads: 5,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for bit in 0..HEADER_LENGTH * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Header::decode(&bytes),
                Err(ChunkError::Checksum),
                "bit {bit}"
            );
        }
        assert_eq!(Header::decode(&bytes[..79]), Err(ChunkError::Cut));
    }

    #[test]
    fn a_trailer_comes_back() {
        assert_eq!(footer_offset(&trailer(1234)), Some(1234));
        let mut bytes = trailer(1234);
        bytes[0] ^= 1;
        assert_eq!(footer_offset(&bytes), None);
    }
}
