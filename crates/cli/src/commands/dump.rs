//! `sondage dump`: print every thread's stack, now.

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage dump`.
#[derive(clap::Args)]
pub struct Args {
    /// The process.
    #[arg(value_name = "PID")]
    pid: i32,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { pid } = args;
    let _ = pid;
    Err(CliError::new("this command is not in this build yet"))
}
