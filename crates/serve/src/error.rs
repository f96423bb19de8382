//! What a question gets that has no answer.

use serde::Serialize;
use sondage_analyze::AnalyzeError;
use sondage_model::SourceError;

/// Whose fault it is; the HTTP status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The question makes no sense: 400.
    BadQuestion,
    /// What it asks about is not there: 404.
    NotFound,
    /// The recording is damaged, or we are wrong: 500.
    Internal,
}

/// Why there is no answer, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    hint: String,
}

impl ApiError {
    /// The question makes no sense.
    pub fn bad(message: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError {
            kind: ErrorKind::BadQuestion,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What it asks about is not there.
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError {
            kind: ErrorKind::NotFound,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The recording is damaged, or we are wrong.
    pub fn internal(message: impl Into<String>, hint: impl Into<String>) -> ApiError {
        ApiError {
            kind: ErrorKind::Internal,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// `{"error": …, "hint": …}`
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            hint: &'a str,
        }
        serde_json::to_vec(&Body {
            error: &self.message,
            hint: &self.hint,
        })
        .unwrap_or_default()
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> ApiError {
        ApiError::internal(
            error.to_string(),
            "choose a time range without the damaged part",
        )
    }
}

impl From<AnalyzeError> for ApiError {
    fn from(error: AnalyzeError) -> ApiError {
        match error {
            AnalyzeError::Source(error) => error.into(),
            AnalyzeError::Search(error) => {
                ApiError::bad(error.to_string(), "correct the regular expression")
            }
            error @ (AnalyzeError::NoSuch { .. } | AnalyzeError::NoSuchZone { .. }) => {
                ApiError::not_found(
                    error.to_string(),
                    "ids are those of this recording (see api/meta and api/functions)",
                )
            }
        }
    }
}
