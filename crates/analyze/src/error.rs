//! What can go wrong.

use sondage_model::SourceError;

use crate::SearchError;

/// Why a view could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AnalyzeError {
    /// The recording could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A regular expression is not one.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The question names something that is not in the recording.
    #[error("there is no {what} {id} in this recording")]
    NoSuch {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: u32,
    },
    /// The question names a zone that is not in the recording.
    #[error("there is no zone {id} in this recording")]
    NoSuchZone {
        /// Its number.
        id: u64,
    },
}
