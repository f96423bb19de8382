//! `sondage doctor`: say what this machine permits.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::json;
use sondage_collect::doctor::{Check, Diagnosis, FoundPython, Verdict, diagnose};

use sondage_inspect::OpenError;

use crate::error::{CliError, ExitStatus};
use crate::python::is_program;
use crate::start;
use crate::ui::{Paint, Ui};

const EXAMPLES: &str = "\
EXAMPLES
  sondage doctor          what works here, and the one command that enables what is missing
  sondage doctor --json   the same for programs; exit code 1 when `sondage run` cannot work
";

/// Arguments of `sondage doctor`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let diagnosis = diagnose(&start::inherited(), &pythons());
    if args.json {
        ui.line(format_args!("{:#}", as_json(&diagnosis)))?;
    } else {
        ui.out(as_text(&diagnosis, ui))?;
    }
    let works = diagnosis
        .checks
        .iter()
        .all(|check| check.verdict != Verdict::Bad || check.name == "read-others");
    Ok(if works {
        ExitStatus::OK
    } else {
        ExitStatus::FAILED
    })
}

/// Pythons on `PATH`, in the active virtual environment and of pyenv, each program once.
fn pythons() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(std::env::var_os("VIRTUAL_ENV").map(|venv| PathBuf::from(venv).join("bin")));
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .unwrap_or_else(|| home.join(".pyenv"));
    for place in [pyenv.join("versions"), home.join(".local/share/uv/python")] {
        if let Ok(entries) = std::fs::read_dir(place) {
            let mut found: Vec<_> = entries.flatten().map(|e| e.path().join("bin")).collect();
            found.sort();
            folders.extend(found);
        }
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut names: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_python_name))
            .map(|entry| entry.path())
            .collect();
        names.sort();
        for path in names {
            // A shim is a script that starts another Python; those are found by themselves.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let is_script = std::fs::read(&real).is_ok_and(|bytes| bytes.starts_with(b"#!"));
            if is_program(&path) && !is_script && seen.insert(real) {
                found.push(path);
            }
        }
    }
    found
}

/// `python3`, `python3.12`, but not `python3-config`.
fn is_python_name(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        rest.chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == 't')
    })
}

fn as_text(diagnosis: &Diagnosis, ui: &Ui) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{}, {} CPUs", diagnosis.system, diagnosis.cpus);
    if let Some(container) = &diagnosis.container {
        let _ = write!(text, ", in a container ({container})");
    }
    text += "\n\n";
    for check in &diagnosis.checks {
        let _ = writeln!(text, "{} {}", mark(check.verdict, ui), check.purpose);
        let _ = writeln!(text, "    {}", ui.paint(Paint::Dim, &check.detail));
    }
    text += "\nPythons\n";
    if diagnosis.pythons.is_empty() {
        text += "    none on PATH\n";
    }
    for FoundPython { path, runtime } in &diagnosis.pythons {
        let (verdict, words) = match runtime {
            Ok(runtime) => (Verdict::Good, runtime.clone()),
            Err(OpenError::Unsupported { what, why, .. }) => {
                (Verdict::Bad, format!("{what}: {why}"))
            }
            Err(_) => (Verdict::Bad, "no CPython from 3.11 to 3.15".into()),
        };
        let place = ui.paint(Paint::Dim, path.display());
        let _ = writeln!(text, "{} {words}  {place}", mark(verdict, ui));
    }
    text += "\n";
    match diagnosis.fix() {
        Some(fix) => {
            let _ = writeln!(text, "To enable what is missing:\n    {fix}");
        }
        None => text += "Everything that sondage needs works here.\n",
    }
    text
}

fn mark(verdict: Verdict, ui: &Ui) -> String {
    match verdict {
        Verdict::Good => ui.paint(Paint::Green, "yes "),
        Verdict::Limited => ui.paint(Paint::Yellow, "part"),
        Verdict::Bad => ui.paint(Paint::Red, "no  "),
    }
}

fn as_json(diagnosis: &Diagnosis) -> serde_json::Value {
    let check = |check: &Check| {
        json!({
            "name": check.name,
            "purpose": check.purpose,
            "verdict": match check.verdict {
                Verdict::Good => "good",
                Verdict::Limited => "limited",
                Verdict::Bad => "bad",
            },
            "detail": check.detail,
            "fix": check.fix,
        })
    };
    let python = |python: &FoundPython| {
        json!({
            "path": python.path,
            "runtime": python.runtime.as_ref().ok(),
            "problem": python.runtime.as_ref().err().map(ToString::to_string),
        })
    };
    json!({
        "system": diagnosis.system,
        "cpus": diagnosis.cpus,
        "container": diagnosis.container,
        "checks": diagnosis.checks.iter().map(check).collect::<Vec<_>>(),
        "pythons": diagnosis.pythons.iter().map(python).collect::<Vec<_>>(),
        "fix": diagnosis.fix(),
    })
}
