//! The `sondage` program: arguments, printing, exit codes.
//!
//! **Supplies** the `sondage` command and its subcommands, one file each in [`commands`].
//!
//! **Solves** the last step only: turning arguments into calls of the other crates, and their
//! results into text, JSON and exit codes. It is the one crate that prints or exits, and it prints
//! through [`ui::Ui`] alone.
//!
//! **Not for** anything a library or a test could want to use: recording is in `sondage-collect`,
//! figures are in `sondage-analyze`.

mod commands;
mod error;
mod python;
mod record;
mod signals;
mod start;
mod ui;

use std::process::ExitCode;

use clap::Parser;
use sondage_collect::launch::Ended;

use crate::commands::Command;
use crate::error::ExitStatus;
use crate::ui::{ColorChoice, Ui};

const EXAMPLES: &str = "\
EXAMPLES
  sondage run app.py              record a script until it ends
  sondage run -m pytest -x        record a module
  sondage run -- ./serve.sh 8000  record any command and the Pythons it starts
  sondage attach 4711             record a running process
  sondage view app.sondage        look at a recording in the browser
  sondage report app.sondage      print where the time went
  sondage dump 4711               print every thread's stack, now
  sondage top 4711                watch a process live
  sondage doctor                  what this machine permits
";

/// Finds out where a Python program's time goes.
#[derive(Parser)]
#[command(name = "sondage", version, before_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,

    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.color);
    let status = cli.command.run(&ui).unwrap_or_else(|error| {
        ui.error(&error);
        error.status()
    });
    match status {
        ExitStatus::Code(code) => code.into(),
        ExitStatus::Signal(number) => {
            signals::die_of(number);
            Ended::Killed(number).code().into()
        }
    }
}
