//! `sondage attach`: record a running process.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::process::{Pid as RawPid, PidfdFlags, pidfd_open};
use sondage_collect::{About, Session, check_target, process_name, procfs};
use sondage_inspect::OpenError;
use sondage_model::Pid;

use crate::error::{CliError, ExitStatus};
use crate::record::{self, Event, RecordArgs};
use crate::signals::Signals;
use crate::ui::Ui;

const EXAMPLES: &str = "\
EXAMPLES
  sondage attach 4711                 until Ctrl-C or the end of the process
  sondage attach 4711 -d 30s          for 30 seconds
  sondage attach 4711 -o server.sondage --label version=1.2
";

/// Arguments of `sondage attach`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// The process, by its number.
    #[arg(value_name = "PID")]
    pid: i32,

    #[command(flatten)]
    record: RecordArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let pid = Pid(args.pid);
    let quiet = args.record.quiet;
    match check_target(pid) {
        // A wrapper, or an interpreter that starts: its Pythons are waited for.
        Ok(_) | Err(OpenError::NotPython { .. } | OpenError::NotReady { .. }) => {}
        Err(error) => return Err(open_error(&error)),
    }
    let process = RawPid::from_raw(pid.0).and_then(|raw| pidfd_open(raw, PidfdFlags::empty()).ok());
    let command = procfs::command_line(pid);
    let name = process_name(&command);
    let signals = Signals::take()?;
    let recording = args.record.create(&name)?;
    let deadline = args.record.deadline();
    let about = About {
        command,
        labels: args.record.labels(),
    };
    let began = Instant::now();
    let session = Session::start(pid, recording, about, args.record.options())
        .map_err(|error| CliError::new(error).hint("look for the process with `ps`"))?;
    if !quiet && ui.is_interactive() {
        ui.note(format_args!("recording {name} ({}); Ctrl-C ends it", pid.0));
    }
    loop {
        let fd = process.as_ref().map(AsFd::as_fd);
        match record::watch(fd, &signals, deadline) {
            Event::Ended | Event::Deadline | Event::Signal(_) => break,
            Event::Nothing => {}
        }
        if session.progress().finished {
            break;
        }
        record::show_progress(&name, began, &session, quiet, ui);
    }
    let summary = record::finish(session, quiet, ui);
    Ok(if summary.error.is_some() {
        ExitStatus::FAILED
    } else {
        ExitStatus::OK
    })
}

/// Why a process cannot be read, and what to do.
pub fn open_error(error: &OpenError) -> CliError {
    CliError::new(error).hint(error.hint())
}
