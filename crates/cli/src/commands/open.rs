//! Opening what the user named, with what there is to say about it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sondage_collect::flight;
use sondage_model::MemoryRecording;
use sondage_serve::Recording;

use crate::error::CliError;
use crate::ui::Ui;

/// The recording in this file, or another tool's profile imported into memory.
pub fn recording(path: &Path, ui: &Ui) -> Result<Recording, CliError> {
    if is_saved(path) {
        let saved = saved(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let opened = Recording::new(name.to_string_lossy(), Arc::new(saved.seal()));
        let mut recording = opened.map_err(CliError::new)?;
        recording.path = std::path::absolute(path).ok();
        return Ok(recording);
    }
    let recording =
        sondage_serve::open(path).map_err(|error| CliError::new(&error).hint(error.hint()))?;
    if let Some(what) = &recording.recovered {
        ui.warning(format_args!("{}: {what}", path.display()));
    }
    Ok(recording)
}

/// Whether the file is one that a program saved its events in.
pub fn is_saved(path: &Path) -> bool {
    let mut start = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && flight::is_saved(&start)
}

/// The events in a file that a program saved.
pub fn saved(path: &Path) -> Result<MemoryRecording, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        CliError::new(format!("{} cannot be read: {error}", path.display()))
            .hint("check that the file is there and that you may read it")
    })?;
    flight::load(&bytes).map_err(|error| {
        CliError::new(format!("{} cannot be read: {error}", path.display()))
            .hint("save it again with a program of this sondage's version")
    })
}
