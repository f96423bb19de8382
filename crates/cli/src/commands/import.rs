//! `sondage import`: convert another tool's file to a recording.

use std::path::PathBuf;

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage import`.
#[derive(clap::Args)]
pub struct Args {
    /// The file to convert.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { file } = args;
    let _ = file;
    Err(CliError::new("this command is not in this build yet"))
}
