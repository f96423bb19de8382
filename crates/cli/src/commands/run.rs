//! `sondage run`: record a program from its start to its end.

use std::ffi::OsString;

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage run`.
#[derive(clap::Args)]
pub struct Args {
    /// The program.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    program: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: Args, _ui: &Ui) -> Result<ExitStatus, CliError> {
    let Args { program } = args;
    let _ = program;
    Err(CliError::new("this command is not in this build yet"))
}
