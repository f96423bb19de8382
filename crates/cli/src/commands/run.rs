//! `sondage run`: record a program from its start to its end.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

use sondage_collect::launch::{Child, Ended, LaunchError};
use sondage_collect::{ADDRESS_VARIABLE, About, Listener, Session, process_name};

use crate::error::{CliError, ExitStatus};
use crate::record::{self, Event, RecordArgs};
use crate::signals::{Signal, Signals};
use crate::ui::Ui;
use crate::{python, start};

const EXAMPLES: &str = "\
EXAMPLES
  sondage run app.py --fast           a script with its arguments
  sondage run -m pytest -x            a module
  sondage run -c 'print(2 ** 1000)'   a line of code
  sondage run -- ./serve.sh 8000      any command; the Pythons it starts are recorded
  sondage run -- uv run app.py
  sondage run -o app.sondage -r 10000 app.py
";

/// Arguments of `sondage run`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// Python for scripts and modules [default: of sondage's own or the active virtual environment,
    /// else python3 on PATH].
    #[arg(long, value_name = "PATH")]
    python: Option<OsString>,

    /// What to run, with its arguments: a script, `-m MODULE`, `-c CODE`, or `--` and any command.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    program: Vec<OsString>,

    #[command(flatten)]
    record: RecordArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let after_dashes = is_after_dashes(&args.program);
    let command = command_line(&args.program, args.python.as_ref(), after_dashes)?;
    let words: Vec<String> = command
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let name = process_name(&words);
    let quiet = args.record.quiet;
    let recording = args.record.create(&name)?;
    let signals = match Signals::take_with_jobs() {
        Ok(signals) => signals,
        Err(error) => {
            recording.discard();
            return Err(error);
        }
    };
    // Where the program finds us if it wants to say what it is doing.
    let listener = match Listener::offer() {
        Ok(listener) => Some(listener),
        Err(error) => {
            ui.warning(format_args!(
                "the program's own events are not recorded: {error}"
            ));
            None
        }
    };
    let address = listener
        .iter()
        .map(|listener| (ADDRESS_VARIABLE, listener.address()));
    let variables: Vec<(&str, &str)> = address.collect();
    let mut child = match Child::launch_with(&command, &start::inherited(), &variables) {
        Ok(child) => child,
        Err(error) => {
            recording.discard();
            return Err(launch_error(error));
        }
    };
    let began = Instant::now();
    let deadline = args.record.deadline();
    let about = About {
        command: args
            .program
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        labels: args.record.labels(),
    };
    let (root, options) = (Some(child.pid()), args.record.options());
    let mut session = match Session::start_with(root, listener, recording, about, options) {
        Ok(session) => Some(session),
        Err(error) => {
            // The program must not suffer from it.
            ui.error(&CliError::new(format!("nothing is recorded: {error}")));
            None
        }
    };
    // Whether Ctrl-Z was typed since the program last ran.
    let mut ctrl_z = false;
    let ended = loop {
        let deadline = deadline.filter(|_| session.is_some());
        match record::watch(child.pidfd(), &signals, deadline) {
            Event::Signal(signal) => {
                ctrl_z |= signal.from_terminal && signal.number == libc::SIGTSTP;
                forward(signal, &child);
            }
            Event::Deadline => {
                if let Some(session) = session.take() {
                    record::finish(session, quiet, ui);
                }
            }
            Event::Ended | Event::Nothing => {}
        }
        if let Some(ended) = child.try_wait() {
            break ended;
        }
        if child
            .stopped()
            .is_some_and(|by| ctrl_z || is_job_control(by))
        {
            ui.clear_progress();
            stop_with(&mut child, &signals);
            ctrl_z = false;
        }
        if let Some(session) = &session {
            record::show_progress(&name, began, session, quiet, ui);
        }
    };
    if let Some(session) = session {
        record::finish(session, quiet, ui);
    }
    if let (Ended::Killed(signal), false) = (ended, quiet) {
        ui.note(format_args!("{name} was ended by signal {signal}"));
    }
    Ok(ended.into())
}

/// What came from the terminal went to the program, too: it is in our process group. What was sent
/// to us alone is passed on.
fn forward(signal: Signal, child: &Child) {
    let passed_on = matches!(signal.number, libc::SIGTERM | libc::SIGHUP | libc::SIGTSTP);
    if !signal.from_terminal && passed_on {
        child.signal(signal.number);
    }
}

/// Whether a stop by this signal is the terminal's or a shell's wish. A program that someone stops
/// with SIGSTOP may be continued by its number later, and we with it only if we still run.
fn is_job_control(signal: i32) -> bool {
    matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// Stops with the program, for the shell sees us in its place, and goes on with it.
fn stop_with(child: &mut Child, signals: &Signals) {
    signals.stop_here();
    // A shell continues the whole group; who continued us alone meant the program.
    for _ in 0..20 {
        if child.try_wait().is_some() || child.stopped().is_none() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.signal(libc::SIGCONT);
}

fn launch_error(error: LaunchError) -> CliError {
    let status = if error.is_not_found() {
        ExitStatus::NOT_FOUND
    } else {
        ExitStatus::NOT_EXECUTABLE
    };
    let told = CliError::new(&error).with_status(status);
    if error.is_not_found() {
        told.hint("a script is given by its path, a module as `-m MODULE`, a command after `--`")
    } else {
        told
    }
}

/// Whether the program was given after `--`: then it is run as it stands.
fn is_after_dashes(program: &[OsString]) -> bool {
    let all: Vec<OsString> = std::env::args_os().collect();
    all.len()
        .checked_sub(program.len() + 1)
        .and_then(|at| all.get(at))
        .is_some_and(|word| word == "--")
}

/// The command to execute for what the user gave.
fn command_line(
    program: &[OsString],
    python: Option<&OsString>,
    after_dashes: bool,
) -> Result<Vec<OsString>, CliError> {
    let Some(first) = program.first() else {
        return Err(CliError::usage("no program is given"));
    };
    if after_dashes {
        return Ok(program.to_vec());
    }
    let is_code = first == "-m" || first == "-c";
    if is_code && program.len() < 2 {
        return Err(CliError::usage(format!(
            "{} needs a value",
            first.to_string_lossy()
        )));
    }
    if !is_code && first.as_encoded_bytes().starts_with(b"-") && first != "-" {
        return Err(
            CliError::usage(format!("unknown option {}", first.to_string_lossy()))
                .hint("`sondage run --help` lists the options; they come before the program"),
        );
    }
    if is_code || is_script(first)? {
        let python = match python {
            Some(python) => python.clone(),
            None => python::for_scripts()?,
        };
        return Ok(std::iter::once(python).chain(program.to_vec()).collect());
    }
    Ok(program.to_vec())
}

/// Whether Python is to run this, rather than the kernel: a Python source, a folder or archive with
/// a `__main__`, or any file that is not executable.
fn is_script(program: &OsStr) -> Result<bool, CliError> {
    let path = Path::new(program);
    if program == "-" {
        return Ok(true);
    }
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or("");
    if matches!(extension, "py" | "pyw" | "pyc" | "pyz") {
        return if path.exists() {
            Ok(true)
        } else {
            Err(
                CliError::new(format!("there is no file {}", path.display()))
                    .with_status(ExitStatus::NOT_FOUND),
            )
        };
    }
    if path.is_dir() {
        return Ok(path.join("__main__.py").is_file());
    }
    Ok(path.is_file() && !python::is_program(path) && python::on_path(program).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(program: &[&str], after_dashes: bool) -> Result<String, String> {
        let words: Vec<OsString> = program.iter().map(OsString::from).collect();
        let python = OsString::from("PY");
        command_line(&words, Some(&python), after_dashes)
            .map(|words| {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                words.join(" ")
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn who_runs_what() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "pass").unwrap();
            path.to_str().unwrap().to_owned()
        };
        let script = file("a.py");
        assert_eq!(
            check(&[&script, "-x"], false),
            Ok(format!("PY {script} -x"))
        );
        // After dashes nothing is added.
        assert_eq!(check(&[&script], true), Ok(script));
        let bare = file("tool");
        assert_eq!(check(&[&bare], false), Ok(format!("PY {bare}")));
        assert_eq!(
            check(&["-m", "a.b", "--rate"], false),
            Ok("PY -m a.b --rate".into())
        );
        assert_eq!(check(&["sh", "-c", "x"], false), Ok("sh -c x".into()));
        assert!(check(&["--rat", "5"], false).unwrap_err().contains("--rat"));
        assert!(check(&["-m"], false).unwrap_err().contains("needs a value"));
        assert!(
            check(&["no-such.py"], false)
                .unwrap_err()
                .contains("no file")
        );
    }
}
