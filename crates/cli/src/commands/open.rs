//! Opening what the user named, with what there is to say about it.

use std::path::Path;

use sondage_serve::Recording;

use crate::error::CliError;
use crate::ui::Ui;

/// The recording in this file, or another tool's profile imported into memory.
pub fn recording(path: &Path, ui: &Ui) -> Result<Recording, CliError> {
    let recording =
        sondage_serve::open(path).map_err(|error| CliError::new(&error).hint(error.hint()))?;
    if let Some(what) = &recording.recovered {
        ui.warning(format_args!("{}: {what}", path.display()));
    }
    Ok(recording)
}
