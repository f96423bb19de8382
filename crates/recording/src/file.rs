//! Recordings in files: the only place of this crate that opens one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sondage_model::RecordingInfo;

use crate::error::{OpenError, WriteError};
use crate::store::Store;
use crate::{Recording, Writer};

/// A file, read by position.
///
/// Not mapped: every chunk is checked and decompressed into memory of its own anyway, and a mapped
/// file that another program cuts short ends this one with SIGBUS, where a read says what is
/// wrong: docs/decisions/0009.
struct FileStore {
    file: File,
    length: u64,
}

impl Store for FileStore {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }
}

impl Recording {
    /// Opens a recording. An unfinished or damaged one opens too, with what can be read of it:
    /// see [`Recording::recovered`].
    ///
    /// # Errors
    /// When the file cannot be read, is no recording, or is of a later version.
    pub fn open(path: impl AsRef<Path>) -> Result<Recording, OpenError> {
        let path = path.as_ref();
        let io_error = |source| OpenError::Io {
            path: path.display().to_string(),
            source,
        };
        let file = File::open(path).map_err(io_error)?;
        let metadata = file.metadata().map_err(io_error)?;
        if metadata.is_dir() {
            return Err(io_error(io::ErrorKind::IsADirectory.into()));
        }
        let length = metadata.len();
        Recording::from_store(
            Box::new(FileStore { file, length }),
            &path.display().to_string(),
        )
    }
}

impl Writer<File> {
    /// Creates a recording at `path`; what was there is replaced.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn create_file(
        path: impl AsRef<Path>,
        info: &RecordingInfo,
    ) -> Result<Writer<File>, WriteError> {
        let file = File::create(path).map_err(|source| WriteError {
            offset: 0,
            waiting: 0,
            lost: 0,
            source,
        })?;
        Writer::create(file, info)
    }
}
