//! `sondage report`: print where the time went.

use std::path::PathBuf;

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage report`.
#[derive(clap::Args)]
pub struct Args {
    /// The recording.
    #[arg(value_name = "REC")]
    recording: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { recording, json } = args;
    let _ = (recording, json);
    Err(CliError::new("this command is not in this build yet"))
}
