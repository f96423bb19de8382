//! `run` and `attach` from the outside: nothing of the program's behaviour may change, and whatever
//! ends, a readable recording is left.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sondage_model::Source;
use sondage_recording::Recording;

fn program() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../../tests/programs/behave.py")
        .canonicalize()
        .expect("behave.py")
}

/// A Python of a version that sondage reads.
fn python() -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let mut found: Vec<PathBuf> = std::fs::read_dir(home.join(".pyenv/versions"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            ["3.11.", "3.12.", "3.13."]
                .iter()
                .any(|version| name.starts_with(version))
        })
        .map(|path| path.join("bin/python3"))
        .collect();
    found.extend((11..=15).map(|minor| format!("/usr/bin/python3.{minor}").into()));
    found
        .into_iter()
        .find(|path| path.exists())
        .expect("a Python from 3.11 on")
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `sondage run -q -o test.sondage OPTIONS -- python behave.py ARGUMENTS`
    fn run(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
        command
            .current_dir(self.folder.path())
            .args(["run", "-q", "-o", "test.sondage"])
            .args(options)
            .arg("--")
            .arg(python())
            .arg(program())
            .args(arguments);
        command
    }

    fn recording(&self) -> Recording {
        Recording::open(self.path("test.sondage")).expect("a readable recording")
    }
}

fn samples(recording: &Recording) -> u64 {
    recording.blocks().iter().map(|block| block.count).sum()
}

fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("sondage runs")
}

fn send(child: &Child, signal: i32) {
    // SAFETY: the child is not reaped yet.
    unsafe {
        libc::kill(child.id() as i32, signal);
    }
}

/// Starts it and waits until the program says "ready".
fn start_ready(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sondage runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    (child, out)
}

#[test]
fn the_exit_code_is_the_programs() {
    let place = Place::new();
    for code in [0, 1, 3, 255] {
        let status = output(place.run(&[], &["exit", &code.to_string()])).status;
        assert_eq!(status.code(), Some(code));
    }
    for (name, number) in [("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)] {
        let status = output(place.run(&[], &["signal", name])).status;
        assert_eq!(status.code(), Some(128 + number), "{name}");
        place.recording();
    }
    let mut missing = Command::new(env!("CARGO_BIN_EXE_sondage"));
    missing
        .current_dir(&place.folder)
        .args(["run", "--", "/no/such/program"]);
    assert_eq!(output(missing).status.code(), Some(127));
}

#[test]
fn standard_streams_are_its_own() {
    let place = Place::new();
    let mut child = place
        .run(&[], &["echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sondage runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    for word in ["one", "two"] {
        writeln!(input, "{word}").expect("it reads");
        let mut line = String::new();
        out.read_line(&mut line).expect("it answers");
        assert_eq!(line, word.to_uppercase() + "\n");
    }
    drop(input);
    let rest = child.wait_with_output().expect("it ends");
    assert!(rest.status.success());
    assert_eq!(
        String::from_utf8_lossy(&rest.stderr),
        "",
        "-q prints nothing"
    );
}

#[test]
fn nothing_of_ours_is_inherited() {
    let place = Place::new();
    let look = |mut command: Command| {
        let out = command
            .current_dir(&place.folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        String::from_utf8(out.stdout).expect("JSON")
    };
    let mut alone = Command::new(python());
    alone.arg(program()).args(["look", "a b", ""]);
    let recorded = place.run(&[], &["look", "a b", ""]);
    let (alone, recorded) = (look(alone), look(recorded));
    assert!(alone.contains("TracerPid"), "{alone}");
    assert_eq!(alone, recorded);
}

#[test]
fn ignored_signals_and_closed_streams_are_passed_on() {
    let place = Place::new();
    let look = |mut command: Command| {
        // SAFETY: only async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                libc::signal(libc::SIGINT, libc::SIG_IGN);
                libc::close(0);
                Ok(())
            });
        }
        let out = command
            .current_dir(&place.folder)
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        String::from_utf8(out.stdout).expect("JSON")
    };
    let mut alone = Command::new(python());
    alone.arg(program()).arg("look");
    assert_eq!(look(alone), look(place.run(&[], &["look"])));
}

#[test]
fn a_signal_to_us_reaches_the_program_once() {
    let place = Place::new();
    let (mut child, mut out) = start_ready(place.run(&[], &["sigint", "1"]));
    send(&child, libc::SIGTERM);
    // What came from elsewhere is the sender's business: SIGINT to us alone goes nowhere.
    send(&child, libc::SIGINT);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it talks");
    assert_eq!(rest, "seen 100\n");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    assert!(samples(&place.recording()) > 100);
}

#[test]
fn killing_us_leaves_the_program_and_a_readable_recording() {
    let place = Place::new();
    let (mut child, mut out) = start_ready(place.run(&[], &["sigint", "2"]));
    std::thread::sleep(Duration::from_millis(1300));
    send(&child, libc::SIGKILL);
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
    let recording = place.recording();
    assert!(recording.recovered().is_some());
    // All but the last half second or so, however slow the machine.
    assert!(samples(&recording) > 200, "{}", samples(&recording));
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it talks");
    assert_eq!(rest, "seen 0\n", "the program went on to its end");
}

#[test]
fn a_duration_ends_the_recording_not_the_program() {
    let place = Place::new();
    let began = Instant::now();
    let out = output(place.run(&["-d", "300ms"], &["spin", "1.2"]));
    assert!(out.status.success());
    assert!(began.elapsed() >= Duration::from_millis(1200));
    let recording = place.recording();
    assert_eq!(recording.recovered(), None);
    assert!(
        recording.range().end.0 < 1_100_000_000,
        "{:?}",
        recording.range()
    );
}

#[test]
fn a_full_disk_does_not_reach_the_program() {
    let place = Place::new();
    let mut command = place.run(&["-r", "5000"], &["spin", "1.5"]);
    // SAFETY: setrlimit is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit {
                rlim_cur: 2048,
                rlim_max: libc::RLIM_INFINITY,
            };
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
            Ok(())
        });
    }
    let out = output(command);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    assert!(told.contains("error:") && told.contains("hint:"), "{told}");
    // What was written can still be read.
    place.recording();
}

#[test]
fn a_program_that_closes_everything_is_still_recorded() {
    let place = Place::new();
    assert!(output(place.run(&[], &["close", "0.5"])).status.success());
    assert!(samples(&place.recording()) > 100);
}

#[test]
fn a_script_is_run_by_python_and_a_line_of_code_too() {
    let place = Place::new();
    std::fs::write(
        place.path("app.py"),
        "import sys; print(sys.argv); sys.exit(5)",
    )
    .expect("a file");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
        command
            .current_dir(&place.folder)
            .args(["run", "-q", "--python"])
            .arg(python())
            .args(arguments);
        output(command)
    };
    let out = run(&["app.py", "--rate", "x"]);
    assert_eq!(out.status.code(), Some(5));
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "['app.py', '--rate', 'x']\n"
    );
    let out = run(&["-c", "print(6 * 7)"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "42\n");
    let out = run(&["-m", "app"]);
    assert_eq!(out.status.code(), Some(5));
    // Three recordings, named after what ran; none replaced another.
    let names: Vec<String> = std::fs::read_dir(&place.folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sondage"))
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("app-2"))
            .count(),
        2,
        "{names:?}"
    );
}

#[test]
fn a_file_that_is_no_recording_is_not_replaced() {
    let place = Place::new();
    std::fs::write(place.path("test.sondage"), "my thesis").expect("a file");
    let out = output(place.run(&[], &["exit", "0"]));
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is no recording"));
    assert_eq!(
        std::fs::read(place.path("test.sondage")).expect("it is there"),
        b"my thesis"
    );
}

#[test]
fn attach_leaves_the_process_as_it_was() {
    let place = Place::new();
    let mut target = Command::new(python());
    target.arg(program()).args(["sigint", "3"]);
    let (mut target, mut out) = start_ready(target);
    let attach = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
        command
            .current_dir(&place.folder)
            .args(["attach", "-o", "test.sondage"])
            .args(options)
            .arg(target.id().to_string());
        command
    };
    let out_text = output(attach(&["-d", "0.7"]));
    let told = String::from_utf8_lossy(&out_text.stderr);
    assert!(out_text.status.success(), "{told}");
    assert!(
        told.contains("samples") && told.contains("sondage view test.sondage"),
        "{told}"
    );
    assert!(samples(&place.recording()) > 100);
    // Ctrl-C ends the recording alone.
    let child = attach(&[]).stderr(Stdio::null()).spawn().expect("it runs");
    std::thread::sleep(Duration::from_millis(700));
    send(&child, libc::SIGINT);
    let status = child.wait_with_output().expect("it ends").status;
    assert!(status.success());
    let recording = place.recording();
    assert_eq!(recording.recovered(), None);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("it talks");
    assert_eq!(rest, "seen 0\n");
    assert_eq!(target.wait().expect("it ends").code(), Some(3));
}

#[test]
fn what_cannot_be_read_is_told_with_a_hint() {
    let place = Place::new();
    for (arguments, word) in [
        (&["attach", "4194303"][..], "no process"),
        (&["dump", "4194303"][..], "no process"),
        (&["dump", &std::process::id().to_string()][..], "no Python"),
        (&["top", "1"][..], "needs a terminal"),
        (&["run", "--rat", "5", "x.py"][..], "--rat"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
        command.current_dir(&place.folder).args(arguments);
        let out = output(command);
        let told = String::from_utf8_lossy(&out.stderr);
        assert_ne!(out.status.code(), Some(0), "{arguments:?}");
        assert!(
            told.contains(word) && told.contains("hint:"),
            "{arguments:?}: {told}"
        );
    }
}

#[test]
fn dump_shows_stacks_states_and_the_gil() {
    let mut target = Command::new(python());
    target.arg(program()).args(["sigint", "2"]);
    let (mut target, _out) = start_ready(target);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
    command
        .args(["dump", "--json"])
        .arg(target.id().to_string());
    let out = output(command);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let thread = &json["processes"][0]["threads"][0];
    assert_eq!(thread["name"], "MainThread");
    assert_eq!(thread["state"], "cpu");
    assert_eq!(thread["holdsGil"], true);
    let names: Vec<&str> = thread["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .filter_map(|frame| frame["qualified"].as_str())
        .collect();
    assert_eq!(names, ["spin", "main", "<module>"]);
    assert_eq!(
        thread["frames"][0]["file"],
        program().to_str().expect("text")
    );
    target.kill().expect("it lives");
    target.wait().expect("it ends");
}
