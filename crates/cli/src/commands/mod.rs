//! One file a command: its arguments and what it does.

use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

mod attach;
mod doctor;
mod dump;
mod export;
mod filter;
mod import;
mod listen;
mod open;
mod report;
mod run;
mod top;
mod view;

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Record a program from its start to its end.
    Run(run::Args),
    /// Record a running process.
    Attach(attach::Args),
    /// Record programs that call by themselves.
    Listen(listen::Args),
    /// Look at recordings in the browser.
    View(view::Args),
    /// Print where the time went.
    Report(report::Args),
    /// Convert a recording to another tool's format.
    Export(export::Args),
    /// Convert another tool's file to a recording.
    Import(import::Args),
    /// Print every thread's stack, now.
    Dump(dump::Args),
    /// Watch a process live in the terminal.
    Top(top::Args),
    /// Say what this machine permits and how to permit more.
    Doctor(doctor::Args),
}

impl Command {
    /// Does it.
    pub fn run(self, ui: &Ui) -> Result<ExitStatus, CliError> {
        match self {
            Command::Run(args) => run::run(args, ui),
            Command::Attach(args) => attach::run(args, ui),
            Command::Listen(args) => listen::run(args, ui),
            Command::View(args) => view::run(args, ui),
            Command::Report(args) => report::run(args, ui),
            Command::Export(args) => export::run(args, ui),
            Command::Import(args) => import::run(args, ui),
            Command::Dump(args) => dump::run(args, ui),
            Command::Top(args) => top::run(args, ui),
            Command::Doctor(args) => doctor::run(args, ui),
        }
    }
}
