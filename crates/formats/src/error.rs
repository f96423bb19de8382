//! What can go wrong between a recording and a file of another tool.

use std::io;

use sondage_analyze::AnalyzeError;
use sondage_model::SourceError;

/// Why an export or import did not happen.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The recording could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),

    /// The filter names what the recording does not have.
    #[error(transparent)]
    Analyze(#[from] AnalyzeError),

    /// The output could not be written.
    #[error("the export could not be written: {0}")]
    Write(#[from] io::Error),

    /// The bytes are not what the format says.
    #[error("not a valid {format} file: {why} (at {at})")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// Where: a line, or a byte offset.
        at: String,
        /// What is wrong there.
        why: String,
    },

    /// Valid, but larger than any real profile: most likely damaged, hostile, or of another unit.
    #[error("the {format} file asks for too much: {what} is over the limit of {limit}")]
    TooLarge {
        /// Name of the format.
        format: &'static str,
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },

    /// There is no format of this name.
    #[error("there is no format named `{name}`; known are: {known}")]
    NoSuchFormat {
        /// The name asked for.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },

    /// The format is known, but only in the other direction.
    #[error("{format} files can be {can}, not {cannot}")]
    WrongDirection {
        /// Name of the format.
        format: &'static str,
        /// What can be done.
        can: &'static str,
        /// What was asked.
        cannot: &'static str,
    },

    /// No importer took the file.
    #[error("no importer knows this file:{}", list(.declined))]
    Unrecognised {
        /// Each importer's name and why it declined.
        declined: Vec<(&'static str, String)>,
    },
}

impl FormatError {
    /// What to do about it, if there is something: shown as `hint:`.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            FormatError::TooLarge { .. } => Some(
                "if its counts are another unit of time, or samples, say so: `sondage import --unit`",
            ),
            FormatError::NoSuchFormat { .. }
            | FormatError::WrongDirection { .. }
            | FormatError::Unrecognised { .. } => Some("`sondage export --help` lists the formats"),
            FormatError::Source(_)
            | FormatError::Analyze(_)
            | FormatError::Write(_)
            | FormatError::Malformed { .. } => None,
        }
    }
}

fn list(declined: &[(&'static str, String)]) -> String {
    declined
        .iter()
        .map(|(name, why)| format!("\n  {name}: {why}"))
        .collect()
}
