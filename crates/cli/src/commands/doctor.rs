//! `sondage doctor`: say what this machine permits.

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { json } = args;
    let _ = json;
    Err(CliError::new("this command is not in this build yet"))
}
