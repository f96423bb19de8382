//! A recording that is served: its rows, and where they came from.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sondage_analyze::{AnalyzeError, Analyzer};
use sondage_formats::{FormatError, ImportOptions};
use sondage_model::Source;

/// A recording with what a person calls it.
#[derive(Clone)]
pub struct Recording {
    /// Short name to show, as a rule the file's.
    pub name: String,
    /// The file, if it is one.
    pub path: Option<PathBuf>,
    /// What was wrong with the file and is made good, as a sentence.
    pub recovered: Option<String>,
    analyzer: Arc<Analyzer>,
}

impl Recording {
    /// A recording of these rows.
    ///
    /// # Errors
    /// When its tables contradict each other, or it cannot be read.
    pub fn new(
        name: impl Into<String>,
        source: Arc<dyn Source>,
    ) -> Result<Recording, AnalyzeError> {
        Ok(Recording {
            name: name.into(),
            path: None,
            recovered: None,
            analyzer: Arc::new(Analyzer::new(source)?),
        })
    }

    /// What answers questions about it.
    #[must_use]
    pub fn analyzer(&self) -> &Analyzer {
        &self.analyzer
    }

    /// Its rows.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        self.analyzer.source()
    }
}

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened as a recording.
    #[error(transparent)]
    Recording(#[from] sondage_recording::OpenError),
    /// It is no recording and cannot be read as another tool's file.
    #[error("{} cannot be read: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Its content makes no sense.
    #[error("{} cannot be shown: {error}", .path.display())]
    Analyze {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: AnalyzeError,
    },
    /// It is no recording, and no importer reads it.
    #[error("{} is no recording, and cannot be imported: {error}", .path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: FormatError,
    },
}

impl OpenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            OpenError::Recording(error) => error.hint(),
            OpenError::Analyze { .. } => "the file was changed after it was written: record again",
            OpenError::Read { .. } => "check that you may read it",
            OpenError::Import { error, .. } => match error {
                FormatError::TooLarge { .. } | FormatError::Malformed { .. } => {
                    "`sondage import` has options that say more of a file: `sondage import --help`"
                }
                _ => "make a recording: sondage run -o FILE script.py",
            },
        }
    }
}

/// Opens a recording, or imports another tool's file into memory.
///
/// # Errors
/// When the file cannot be read, or is neither.
pub fn open(path: &Path) -> Result<Recording, OpenError> {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let (source, recovered): (Arc<dyn Source>, _) = match sondage_recording::Recording::open(path) {
        Ok(recording) => {
            let recovered = recording.recovered().map(str::to_owned);
            (Arc::new(recording), recovered)
        }
        Err(sondage_recording::OpenError::NotARecording { .. }) => (import(path, &name)?, None),
        Err(error) => return Err(error.into()),
    };
    let recording = Recording::new(name, source).map_err(|error| OpenError::Analyze {
        path: path.to_owned(),
        error,
    })?;
    Ok(Recording {
        path: std::path::absolute(path).ok(),
        recovered,
        ..recording
    })
}

fn import(path: &Path, name: &str) -> Result<Arc<dyn Source>, OpenError> {
    let bytes = std::fs::read(path).map_err(|error| OpenError::Read {
        path: path.to_owned(),
        error,
    })?;
    let options = ImportOptions {
        name: name.to_owned(),
        ..ImportOptions::default()
    };
    match sondage_formats::import(&bytes, &options) {
        Ok((_, recording)) => Ok(Arc::new(recording.seal())),
        Err(error) => Err(OpenError::Import {
            path: path.to_owned(),
            error,
        }),
    }
}
