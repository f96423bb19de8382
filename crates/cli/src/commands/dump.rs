//! `sondage dump`: print every thread's stack, now.

use std::fmt::Write;

use serde_json::{Value, json};
use sondage_collect::{DumpFrame, ProcessDump, ThreadDump, dump};
use sondage_model::{Pid, StateKind};

use super::attach::open_error;
use crate::error::{CliError, ExitStatus};
use crate::ui::{Paint, Ui};

const EXAMPLES: &str = "\
EXAMPLES
  sondage dump 4711           what every thread does, now
  sondage dump 4711 --json    the same for programs
";

/// Arguments of `sondage dump`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// The process, by its number.
    #[arg(value_name = "PID")]
    pid: i32,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    /// Leave out the processes that it started.
    #[arg(long)]
    no_children: bool,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let processes = dump(Pid(args.pid), !args.no_children).map_err(|error| open_error(&error))?;
    if args.json {
        let all: Vec<Value> = processes.iter().map(process_json).collect();
        ui.line(format_args!("{:#}", json!({ "processes": all })))?;
    } else {
        let text: Vec<String> = processes.iter().map(|one| process_text(one, ui)).collect();
        ui.out(text.join("\n"))?;
    }
    // A process without a readable Python has no stacks: what was asked for is not there.
    match &processes[0].runtime {
        Err(error) if processes.iter().all(|one| one.runtime.is_err()) => Err(open_error(error)),
        _ => Ok(ExitStatus::OK),
    }
}

fn process_text(process: &ProcessDump, ui: &Ui) -> String {
    let mut text = String::new();
    let runtime = match &process.runtime {
        Ok(runtime) => runtime.clone(),
        Err(error) => error.to_string(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} {} ({runtime})",
        ui.paint(Paint::Bold, format_args!("Process {}:", process.pid.0)),
        process.command.join(" "),
    );
    for thread in &process.threads {
        text += &thread_text(thread, ui);
    }
    text
}

fn thread_text(thread: &ThreadDump, ui: &Ui) -> String {
    let mut text = String::new();
    let kind = thread.state.kind();
    let color = match kind {
        StateKind::OnCpu | StateKind::Runnable => Paint::Green,
        StateKind::GilWait | StateKind::Disk => Paint::Yellow,
        StateKind::Blocked | StateKind::Unknown => Paint::Dim,
    };
    let gil = if thread.state.holds_gil() {
        ", holds the GIL"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "{} {}",
        ui.paint(
            Paint::Bold,
            format_args!("Thread {} \"{}\":", thread.tid.0, thread.name)
        ),
        ui.paint(color, format_args!("{}{gil}", kind.label())),
    );
    match &thread.frames {
        None => text += "    (no thread of Python's)\n",
        Some(Err(reject)) => {
            let _ = writeln!(text, "    (the stack could not be read: {reject})");
        }
        Some(Ok(frames)) if frames.is_empty() => text += "    (no Python frame)\n",
        Some(Ok(frames)) => {
            for frame in frames {
                let place = format!("({}:{})", frame.file, frame.line);
                let _ = writeln!(
                    text,
                    "    {} {}",
                    frame.qualified_name,
                    ui.paint(Paint::Dim, place)
                );
            }
        }
    }
    if thread.truncated {
        text += "    (outer frames were cut off)\n";
    }
    text
}

fn process_json(process: &ProcessDump) -> Value {
    json!({
        "pid": process.pid.0,
        "parent": process.parent.map(|pid| pid.0),
        "name": process.name,
        "command": process.command,
        "runtime": process.runtime.as_ref().ok(),
        "problem": process.runtime.as_ref().err().map(ToString::to_string),
        "threads": process.threads.iter().map(thread_json).collect::<Vec<_>>(),
    })
}

fn thread_json(thread: &ThreadDump) -> Value {
    let (frames, problem) = match &thread.frames {
        None => (None, None),
        Some(Ok(frames)) => (
            Some(frames.iter().map(frame_json).collect::<Vec<_>>()),
            None,
        ),
        Some(Err(reject)) => (None, Some(reject.to_string())),
    };
    json!({
        "tid": thread.tid.0,
        "name": thread.name,
        "isMain": thread.is_main,
        "state": thread.state.kind().name(),
        "holdsGil": thread.state.holds_gil(),
        "frames": frames,
        "truncated": thread.truncated,
        "problem": problem,
    })
}

fn frame_json(frame: &DumpFrame) -> Value {
    json!({
        "name": frame.name,
        "qualified": frame.qualified_name,
        "file": frame.file,
        "line": frame.line,
    })
}
