//! `run` and `attach` from the outside: nothing of the program's behaviour may change, and whatever
//! ends, a readable recording is left.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use common::{Place, SONDAGE, output, program, python, samples, send, start_ready, wait_until};
use sondage_recording::Recording;

#[test]
fn the_exit_code_is_the_programs() {
    let place = Place::new();
    for code in [0, 1, 3, 255] {
        let status = output(place.run(&[], &["exit", &code.to_string()])).status;
        assert_eq!(status.code(), Some(code));
    }
    for (name, number) in [("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)] {
        let status = output(place.run(&[], &["signal", name])).status;
        // As without us: a shell makes 128 + number of it.
        assert_eq!(status.signal(), Some(number), "{name}");
        assert!(!status.core_dumped(), "a core of ours is no use");
        place.recording();
    }
    let mut missing = Command::new(SONDAGE);
    missing
        .current_dir(place.folder())
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

/// What a program sees of itself, without the one variable that we set: where its probes find us.
fn without_our_variable(seen: &str) -> String {
    let start = "\"SONDAGE_COLLECTOR\": \"@sondage-";
    let at = seen.find(start).expect("it is told where we listen");
    let length = seen[at..].find(", ").expect("more follows") + 2;
    format!("{}{}", &seen[..at], &seen[at + length..])
}

#[test]
fn nothing_of_ours_is_inherited_but_where_we_listen() {
    let place = Place::new();
    let look = |mut command: Command| {
        let out = command
            .current_dir(place.folder())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        String::from_utf8(out.stdout).expect("JSON")
    };
    let mut alone = Command::new(python());
    alone.arg(program("behave.py")).args(["look", "a b", ""]);
    let recorded = place.run(&[], &["look", "a b", ""]);
    let (alone, recorded) = (look(alone), look(recorded));
    assert!(alone.contains("TracerPid"), "{alone}");
    assert_eq!(alone, without_our_variable(&recorded));
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
            .current_dir(place.folder())
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        String::from_utf8(out.stdout).expect("JSON")
    };
    let mut alone = Command::new(python());
    alone.arg(program("behave.py")).arg("look");
    let recorded = look(place.run(&[], &["look"]));
    assert_eq!(look(alone), without_our_variable(&recorded));
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
    assert!(samples(&place.recording()) > 10);
}

#[test]
fn a_duration_ends_the_recording_not_the_program() {
    let place = Place::new();
    let stop = place.path("stop");
    let path = stop.display().to_string();
    let (mut child, _) = start_ready(place.run(&["-d", "300ms"], &["until", &path, "4"]));
    wait_until("the recording is whole", || {
        Recording::open(place.path("test.sondage"))
            .is_ok_and(|recording| recording.recovered().is_none())
    });
    let whole = std::fs::read(place.path("test.sondage")).expect("a recording");
    assert_eq!(
        child.try_wait().expect("a child"),
        None,
        "the program goes on"
    );
    std::fs::write(stop, "").expect("a file");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    assert_eq!(
        std::fs::read(place.path("test.sondage")).expect("a recording"),
        whole
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
    assert!(samples(&place.recording()) > 10);
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
        let mut command = Command::new(SONDAGE);
        command
            .current_dir(place.folder())
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
    let names: Vec<String> = std::fs::read_dir(place.folder())
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
    let stop = place.path("stop");
    let mut target = Command::new(python());
    target.arg(program("behave.py")).arg("sigint").arg(&stop);
    let (mut target, mut out) = start_ready(target);
    let attach = |options: &[&str]| {
        let mut command = Command::new(SONDAGE);
        command
            .current_dir(place.folder())
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
    assert!(samples(&place.recording()) > 10);
    // Ctrl-C ends the recording alone.
    std::fs::remove_file(place.path("test.sondage")).expect("a recording");
    let child = attach(&[]).stderr(Stdio::null()).spawn().expect("it runs");
    wait_until("it records", || {
        Recording::open(place.path("test.sondage")).is_ok_and(|so_far| samples(&so_far) > 0)
    });
    send(&child, libc::SIGINT);
    let status = child.wait_with_output().expect("it ends").status;
    assert!(status.success());
    let recording = place.recording();
    assert_eq!(recording.recovered(), None);
    std::fs::write(stop, "").expect("a file");
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
        let mut command = Command::new(SONDAGE);
        command.current_dir(place.folder()).args(arguments);
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
    target.arg(program("behave.py")).args(["sigint", "100"]);
    let (mut target, _out) = start_ready(target);
    let dump = || {
        let mut command = Command::new(SONDAGE);
        command
            .args(["dump", "--json"])
            .arg(target.id().to_string());
        let json: serde_json::Value =
            serde_json::from_slice(&output(command).stdout).expect("JSON");
        json["processes"][0]["threads"][0].clone()
    };
    let names = |thread: &serde_json::Value| -> Vec<String> {
        thread["frames"]
            .as_array()
            .expect("frames")
            .iter()
            .filter_map(|frame| frame["qualified"].as_str().map(str::to_owned))
            .collect()
    };
    // It said that it is ready a moment before it computes.
    let wanted = ["spin", "main", "<module>"];
    wait_until("it computes", || names(&dump()) == wanted);
    let thread = dump();
    assert_eq!(names(&thread), wanted);
    assert_eq!(thread["name"], "MainThread");
    assert_eq!(thread["state"], "cpu");
    assert_eq!(thread["holdsGil"], true);
    assert_eq!(
        thread["frames"][0]["file"],
        program("behave.py").to_str().expect("text")
    );
    target.kill().expect("it lives");
    target.wait().expect("it ends");
}
