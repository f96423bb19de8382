//! `sondage export`: convert a recording to another tool's format.

use std::path::PathBuf;

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage export`.
#[derive(clap::Args)]
pub struct Args {
    /// The recording.
    #[arg(value_name = "REC")]
    recording: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { recording } = args;
    let _ = recording;
    Err(CliError::new("this command is not in this build yet"))
}
