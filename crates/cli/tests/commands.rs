//! Whatever a command is: its Pythons are found, named, timed, and its exit code is ours.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{
    Place, SONDAGE, is_in, late_seconds, output, owner, process_name, process_of, program, python,
    rows, samples, seconds_by_state,
};
use sondage_model::{Source, Time};
use sondage_recording::Recording;

/// What a worker says of itself: its number, wall and CPU seconds in `work`.
type Told = (i32, f64, f64);

fn told(out: &Output) -> Vec<Told> {
    let text = String::from_utf8_lossy(&out.stdout);
    let all: Vec<Told> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse().expect("a number");
            (words[0].parse().expect("a pid"), number(1), number(2))
        })
        .collect();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!all.is_empty(), "{:?}: {text}{said}", out.status);
    all
}

/// Each worker's time in `work` is in the recording, under its number, and nobody else's is.
fn check(recording: &Recording, told: &[Told], names: &[&str]) {
    assert_eq!(recording.recovered(), None);
    let late = late_seconds(recording);
    for &(pid, wall, cpu) in told {
        let process = process_of(recording, pid);
        let row = &recording.dictionary().processes()[process.index()];
        let name = process_name(recording, process);
        assert!(names.contains(&name), "{pid} is called {name}");
        assert!(row.end < Time::MAX, "{row:?}");
        let seen = seconds_by_state(recording, |row| {
            owner(recording, row.thread) == process && is_in(recording, row, "work")
        });
        let all: f64 = seen.values().sum();
        let figures = format!("{pid}: {wall} s, CPU {cpu} s; recorded {seen:?}; late {late} s");
        assert!((all - wall).abs() < 0.06 + late + 0.05 * wall, "{figures}");
        // A tick of the kernel at each end, and what falls into long gaps.
        assert!(
            (seen["cpu"] - cpu).abs() < 0.06 + late + 0.05 * cpu,
            "{figures}"
        );
    }
    for row in rows(recording) {
        if is_in(recording, &row, "work") {
            let process = owner(recording, row.thread);
            let pid = recording.dictionary().processes()[process.index()].pid.0;
            assert!(told.iter().any(|told| told.0 == pid), "{pid} did not work");
        }
    }
}

/// A file that may be executed.
fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its owner");
}

fn source() -> String {
    std::fs::read_to_string(program("told.py")).expect("the program")
}

#[test]
fn a_script_that_names_its_python() {
    let place = Place::new();
    for (dashes, line) in [
        (true, format!("#!{}\n", python().display())),
        (false, format!("#!{} -u\n", python().display())),
        (true, "#!/usr/bin/env python3\n".to_owned()),
    ] {
        executable(&place.path("tool"), &(line.clone() + &source()));
        let mut command = Command::new(SONDAGE);
        command
            .current_dir(place.folder())
            .args(["run", "-q", "-o", "test.sondage"])
            .args(dashes.then_some("--"))
            .args(["./tool", "0.3", "7"])
            .env("PATH", with_python_first());
        let out = output(command);
        assert_eq!(out.status.code(), Some(7), "{line}");
        check(&place.recording(), &told(&out), &["tool"]);
    }
}

/// `PATH`, with the Python under test as its first `python3`.
fn with_python_first() -> std::ffi::OsString {
    let folder = python().parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)))
        .expect("a PATH")
}

#[test]
fn a_shell_around_it() {
    let place = Place::new();
    for (end, code) in [("exec \"$@\"", 7), ("\"$@\"; exit 9", 9)] {
        executable(&place.path("serve.sh"), &format!("#!/bin/sh\n{end}\n"));
        let (python, program) = (python(), program("told.py"));
        let line = [
            "./serve.sh",
            python.to_str().expect("text"),
            program.to_str().expect("text"),
            "0.3",
            "7",
        ];
        let out = output(place.record(&[], &line));
        assert_eq!(out.status.code(), Some(code), "{end}");
        let recording = place.recording();
        check(&recording, &told(&out), &["told.py"]);
        // The shell is there, too.
        let first = sondage_model::ProcessId(0);
        let name = process_name(&recording, first);
        assert!(name == "serve.sh" || code == 7, "{name}");
    }
}

/// `uv`, from a virtual environment that the tests keep.
fn uv() -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("uv"))
        .find(|path| path.is_file());
    if found.is_some() {
        return found;
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let folder = cache.join("sondage/uv-venv");
    let uv = folder.join("bin/uv");
    if !uv.is_file() {
        let made = Command::new(python())
            .args(["-m", "venv", "--clear"])
            .arg(&folder)
            .status();
        let installed = Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "-q", "uv"])
            .status();
        if !made.is_ok_and(|status| status.success())
            || !installed.is_ok_and(|status| status.success())
        {
            return None;
        }
    }
    Some(uv)
}

#[test]
#[allow(clippy::print_stderr, reason = "a test says what it left out")]
fn uv_around_it() {
    let Some(uv) = uv() else {
        eprintln!("skipped: uv is not here and could not be installed");
        return;
    };
    let place = Place::new();
    std::fs::write(place.path("app.py"), source()).expect("a file");
    let python = python();
    let line = [
        uv.to_str().expect("text"),
        "run",
        "--no-project",
        "--offline",
        "--python",
        python.to_str().expect("text"),
        "app.py",
        "0.3",
        "7",
    ];
    let out = output(place.record(&[], &line));
    assert_eq!(
        out.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let recording = place.recording();
    check(&recording, &told(&out), &["app.py"]);
    assert_eq!(process_name(&recording, sondage_model::ProcessId(0)), "uv");
}

fn pools(kind: &str) {
    for (method, name) in [
        ("fork", "pools.py"),
        ("spawn", "multiprocessing.spawn"),
        ("forkserver", "multiprocessing.forkserver"),
    ] {
        let place = Place::new();
        let out = output(place.run_program("pools.py", &[], &[kind, method, "0.4"]));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(4), "{method}: {said}");
        assert_eq!(said, "", "{method}");
        let told = told(&out);
        assert_eq!(told.len(), 2, "{method}: {told:?}");
        assert_ne!(told[0].0, told[1].0, "{method}: {told:?}");
        let recording = place.recording();
        check(&recording, &told, &[name]);
        let dictionary = recording.dictionary();
        for &(pid, ..) in &told {
            let row = &dictionary.processes()[process_of(&recording, pid).index()];
            assert!(row.parent.is_some(), "{method}: {row:?}");
            assert!(dictionary.text(row.runtime).starts_with("CPython 3."));
        }
        assert_eq!(dictionary.processes()[0].parent, None);
        assert!(samples(&recording) > 100, "{method}");
        let messages = recording.messages();
        assert!(messages.is_empty(), "{method}: {messages:?}");
    }
}

#[test]
fn multiprocessing_pools() {
    pools("pool");
}

#[test]
fn process_pool_executors() {
    pools("executor");
}
