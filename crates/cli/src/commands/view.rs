//! `sondage view`: look at recordings in the browser.

use std::path::PathBuf;

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage view`.
#[derive(clap::Args)]
pub struct Args {
    /// Recordings to look at.
    #[arg(required = true, value_name = "REC")]
    recordings: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { recordings } = args;
    let _ = recordings;
    Err(CliError::new("this command is not in this build yet"))
}
