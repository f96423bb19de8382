//! What can go wrong, as types.

use std::io;

/// Why a file could not be opened as a recording.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file, or `the recording` where it has no name.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is not one byte in it.
    #[error("{path} is empty: it was created, but nothing was written")]
    Empty {
        /// The file.
        path: String,
    },
    /// It does not begin as a recording does.
    #[error("{path} is not a sondage recording: it begins with {found}")]
    NotARecording {
        /// The file.
        path: String,
        /// Its first bytes, readable.
        found: String,
    },
    /// It was cut within its first bytes.
    #[error("{path} was cut in its first {needed} bytes: only {length} are there")]
    CutHead {
        /// The file.
        path: String,
        /// Its length.
        length: u64,
        /// The length of the head.
        needed: u64,
    },
    /// A later sondage wrote it in a way that this one does not know.
    #[error("{path} has format version {found}; this sondage reads versions up to {known}")]
    NewerVersion {
        /// The file.
        path: String,
        /// Its version.
        found: u16,
        /// The newest version known here.
        known: u16,
    },
    /// Its parts contradict each other although their checksums are right.
    #[error("{path} contradicts itself in its {what}: {why}")]
    Inconsistent {
        /// The file.
        path: String,
        /// Which part.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl OpenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            OpenError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the name, or make a recording: sondage run -o FILE script.py"
            }
            OpenError::Io { .. } => "check that the file is there and that you may read it",
            OpenError::Empty { .. } | OpenError::CutHead { .. } => {
                "record again; if the disk was full, make room first"
            }
            OpenError::NotARecording { .. } => {
                "profiles of other tools are read with: sondage import FILE"
            }
            OpenError::NewerVersion { .. } => "upgrade sondage: pip install -U sondage",
            OpenError::Inconsistent { .. } => {
                "the file was changed after it was written, or its writer has a bug: please report it"
            }
        }
    }
}

/// Why rows could not be written. The writer stays usable, and nothing that was written before is
/// damaged: rows that were not written wait for the next flush, within a bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "the recording could not be written at byte {offset}: {source} ({waiting} rows wait for the next try, {lost} are lost)"
)]
pub struct WriteError {
    /// Where in the file.
    pub offset: u64,
    /// Rows of samples that are kept and tried again at the next flush.
    pub waiting: u64,
    /// Rows of samples given up since the recording began.
    pub lost: u64,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl WriteError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room on the disk, or record to another one: -o FILE"
            }
            io::ErrorKind::BrokenPipe => "whatever read the recording has gone",
            _ => "record to another disk: -o FILE",
        }
    }
}

/// What is wrong with the bytes of one chunk. Becomes a sentence in the errors above.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("the file ends before it does")]
    Cut,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it cannot be decompressed")]
    Compression,
    #[error("it says that it holds {0} bytes, more than a chunk may")]
    TooLarge(u64),
    #[error("its Arrow message is malformed: {0}")]
    Message(&'static str),
    #[error("it has no column `{0}` of the expected type")]
    Column(&'static str),
    #[error("{0}")]
    Content(String),
    #[error("the system refused to read it: {0}")]
    Io(String),
}
