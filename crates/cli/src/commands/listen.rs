//! `sondage listen`: record the programs that call.

use std::time::Instant;

use sondage_collect::{About, Listener, Session, default_address};

use crate::error::{CliError, ExitStatus};
use crate::record::{self, Event, RecordArgs};
use crate::signals::Signals;
use crate::ui::Ui;

const EXAMPLES: &str = "\
EXAMPLES
  sondage listen                      every program of yours that calls `sondage.connect()`
  sondage listen -o day.sondage -d 8h
  sondage listen --no-samples         only what they say of themselves
";

/// Arguments of `sondage listen`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// Where to listen: `@NAME`, or a path for programs in containers [default: @sondage-UID, where
    /// programs look].
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,

    #[command(flatten)]
    record: RecordArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let quiet = args.record.quiet;
    let uid = rustix::process::geteuid().as_raw();
    let address = args.address.unwrap_or_else(|| default_address(uid));
    let listener = Listener::at(&address).map_err(|error| {
        CliError::new(error).hint(
            "give another address with `--address`, and programs the same in SONDAGE_COLLECTOR",
        )
    })?;
    let signals = Signals::take()?;
    let recording = args.record.create("listen")?;
    let deadline = args.record.deadline();
    let about = About {
        command: vec!["sondage".into(), "listen".into()],
        labels: args.record.labels(),
    };
    let began = Instant::now();
    let session = Session::start_with(
        None,
        Some(listener),
        recording,
        about,
        args.record.options(),
    )
    .map_err(CliError::new)?;
    if !quiet {
        ui.note(format_args!("listening at {address}; Ctrl-C ends it"));
    }
    loop {
        match record::watch(None, &signals, deadline) {
            Event::Deadline | Event::Signal(_) => break,
            Event::Ended | Event::Nothing => {}
        }
        if session.progress().finished {
            break;
        }
        record::show_progress("programs that call", began, &session, quiet, ui);
    }
    let summary = record::finish(session, quiet, ui);
    Ok(if summary.error.is_some() {
        ExitStatus::FAILED
    } else {
        ExitStatus::OK
    })
}
