//! A recording that is served: its rows, and where they came from.

use std::path::PathBuf;
use std::sync::Arc;

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
    /// Its rows.
    pub source: Arc<dyn Source>,
}
