//! At a terminal, with a shell's job control around: keys do to a recorded program what they do to it
//! alone. Each test is made twice, with us and without, and what the terminal shows is compared.

mod common;

use std::process::Command;

use common::terminal::{Terminal, shell};
use common::{
    Place, SONDAGE, is_in, late_seconds, now, owner, parent_of, process_of, program, python,
    samples, sched_stat, seconds_by_state, state_letter, wait_until,
};
use sondage_model::{Source, StateKind};

/// The command that runs terminal.py, recorded and alone.
fn both_ways(arguments: &[&str], test: impl Fn(&mut Terminal, &Place) -> String) -> Place {
    let place = Place::new();
    let python = python().display().to_string();
    let program = program("terminal.py").display().to_string();
    let alone: Vec<&str> = [&*python, &*program]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let recorded: Vec<&str> = [SONDAGE, "run", "-q", "-o", "test.sondage", "--"]
        .into_iter()
        .chain(alone.iter().copied())
        .collect();
    let mut shown = [&alone, &recorded].map(|command| {
        let mut terminal = shell(command, place.folder());
        let shown = test(&mut terminal, &place);
        terminal.keys("exit\n");
        assert!(terminal.child.wait().expect("a shell").success());
        shown
    });
    let with_us = std::mem::take(&mut shown[1]);
    assert_eq!(shown[0], with_us, "left: alone, right: recorded");
    let recording = place.recording();
    assert_eq!(recording.recovered(), None);
    assert!(samples(&recording) > 0);
    place
}

/// Types the command, presses a key when it is ready, and gives what is shown up to its exit code.
fn press(terminal: &mut Terminal, key: &str) -> String {
    terminal.keys("$CMD\n");
    terminal.wait_for("ready\r\n");
    terminal.keys(key);
    wait_for_prompt(terminal);
    terminal.keys("echo code=$?\n");
    terminal.wait_for("code=") + &terminal.rest_of_line()
}

/// Waits until the shell has the terminal again: what is typed before a key has done its work is
/// dropped with it.
fn wait_for_prompt(terminal: &mut Terminal) {
    let shell = terminal.child.id() as i32;
    wait_until("the shell has the terminal", || {
        let text = std::fs::read_to_string(format!("/proc/{shell}/stat")).expect("a shell");
        let after: Vec<&str> = text[text.rfind(')').expect("a name") + 2..]
            .split(' ')
            .collect();
        // The terminal's foreground group is its own, and it sleeps.
        after[5] == after[2] && after[0] == "S"
    });
}

#[test]
fn ctrl_c_is_a_keyboard_interrupt_once() {
    both_ways(&["interrupt"], |terminal, _| {
        let shown = press(terminal, "\x03");
        assert!(shown.contains("interrupts: 1\r\n"), "{shown}");
        assert!(shown.contains("\r\nKeyboardInterrupt\r\n"), "{shown}");
        assert!(shown.ends_with("code=130"), "{shown}");
        shown
    });
}

#[test]
fn ctrl_c_ends_the_shells_loop_around_it() {
    both_ways(&["wait"], |terminal, _| {
        terminal.keys("for n in 1 2 3; do $CMD; echo after=$n; done; echo over\n");
        terminal.wait_for("ready\r\n");
        terminal.keys("\x03");
        wait_for_prompt(terminal);
        terminal.keys("echo code=$?\n");
        let shown = terminal.wait_for("code=") + &terminal.rest_of_line();
        assert!(!shown.contains("after="), "the loop went on: {shown}");
        assert!(shown.ends_with("code=130"), "{shown}");
        shown
    });
}

#[test]
fn ctrl_c_is_its_handlers_business() {
    both_ways(&["handler"], |terminal, _| {
        let shown = press(terminal, "\x03");
        assert!(shown.contains("interrupts: 1\r\n"), "{shown}");
        assert!(shown.ends_with("code=7"), "{shown}");
        shown
    });
}

#[test]
fn ctrl_backslash_quits_it() {
    both_ways(&["wait"], |terminal, _| {
        terminal.keys("ulimit -c 0\n");
        let shown = press(terminal, "\x1c");
        assert!(shown.contains("Quit"), "{shown}");
        assert!(shown.ends_with("code=131"), "{shown}");
        shown
    });
}

#[test]
fn ctrl_z_stops_it_and_fg_continues_it() {
    let stop = std::cell::Cell::new((0, now(), now(), 0.0));
    let place = both_ways(&["cpu", "1.0"], |terminal, place| {
        terminal.keys("$CMD\n");
        terminal.wait_for("pid ");
        let pid: i32 = terminal.rest_of_line().parse().expect("a pid");
        terminal.keys("\x1a");
        let mut shown = terminal.wait_for("Stopped");
        shown += &terminal.rest_of_line();
        assert_eq!(state_letter(pid), Some('T'));
        let parent = parent_of(pid);
        if parent != terminal.child.id() as i32 {
            assert_eq!(state_letter(parent), Some('T'), "sondage goes on alone");
        }
        let (began, cpu) = (now(), sched_stat(pid).0);
        std::thread::sleep(std::time::Duration::from_millis(1500));
        assert_eq!(sched_stat(pid).0, cpu, "it ran while it was stopped");
        let ended = now();
        terminal.keys("fg\n");
        shown += &terminal.wait_for("cpu ");
        let cpu: f64 = terminal.rest_of_line().parse().expect("seconds");
        stop.set((pid, began, ended, cpu));
        wait_for_prompt(terminal);
        terminal.keys("echo code=$?\n");
        shown += &terminal.wait_for("code=5\r\n");
        assert!(place.folder().exists());
        shown
    });
    let (pid, began, ended, cpu) = stop.get();
    let recording = place.recording();
    let process = process_of(&recording, pid);
    let start = recording.info().mono_start;
    let (from, to) = (began.in_recording(start), ended.in_recording(start));
    let mine = seconds_by_state(&recording, |row| owner(&recording, row.thread) == process);
    let late = late_seconds(&recording);
    // The kernel's count of its CPU time ends with the program; ours, a tick before.
    assert!(
        (mine["cpu"] - cpu).abs() < 0.06 + 0.05 * cpu,
        "{cpu} s on a CPU, recorded {mine:?}, {late} s late"
    );
    // While it was stopped it neither ran nor waited to run.
    let awake: f64 = common::rows(&recording)
        .iter()
        .filter(|row| owner(&recording, row.thread) == process)
        .filter(|row| matches!(row.state.kind(), StateKind::OnCpu | StateKind::Runnable))
        .map(|row| {
            let range = row.range();
            let (a, b) = (range.start.max(from), range.end.min(to));
            b.since(a.min(b)).as_secs_f64()
        })
        .sum();
    assert!(awake < 0.1, "{awake} s awake while stopped: {mine:?}");
    assert!(mine["blocked"] > 1.3, "{mine:?}");
    // What it did before and after is there.
    for half in [true, false] {
        let spun = seconds_by_state(&recording, |row| {
            is_in(&recording, row, "spin") && (row.time < from) == half
        });
        assert!(spun["cpu"] > 0.02, "before: {half}, {spun:?}");
    }
}

#[test]
fn a_program_that_ignores_ctrl_z_goes_on_in_the_foreground() {
    both_ways(&["deaf"], |terminal, _| {
        terminal.keys("$CMD\n");
        terminal.wait_for("ready\r\n");
        terminal.keys("\x1a");
        // It still has the terminal: it reads the line, not the shell.
        terminal.keys("echo the shell has it\n");
        let shown = terminal.wait_for("going on\r\n");
        wait_for_prompt(terminal);
        terminal.keys("echo code=$?\n");
        shown + &terminal.wait_for("code=6\r\n")
    });
}

#[test]
fn a_program_that_stops_itself_after_ctrl_z_is_a_stopped_job() {
    both_ways(&["polite"], |terminal, _| {
        terminal.keys("$CMD\n");
        terminal.wait_for("ready\r\n");
        terminal.keys("\x1a");
        let mut shown = terminal.wait_for("tidied up\r\n");
        terminal.wait_for("Stopped");
        terminal.rest_of_line();
        terminal.keys("fg\n");
        shown += &terminal.wait_for("done\r\n");
        wait_for_prompt(terminal);
        terminal.keys("echo code=$?\n");
        shown + &terminal.wait_for("code=8\r\n")
    });
}

#[test]
fn a_job_in_the_background_goes_on_and_prints_nothing() {
    let place = Place::new();
    let python = python().display().to_string();
    let program = program("terminal.py").display().to_string();
    let line = [
        SONDAGE,
        "run",
        "-o",
        "test.sondage",
        "--",
        &python,
        &program,
        "cpu",
        "0.7",
    ];
    let mut terminal = shell(&line, place.folder());
    terminal.keys("stty tostop; $CMD & wait; echo code=$?\n");
    // Only the program writes to the terminal here, and is stopped for it; we are a job with it.
    wait_until("the job is stopped", || {
        let jobs =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", terminal.child.id()))
                .expect("the shell's children");
        jobs.split_whitespace()
            .any(|pid| state_letter(pid.parse().expect("a pid")) == Some('T'))
    });
    let shown = terminal.text();
    assert!(!shown.contains("recording "), "{shown}");
    terminal.wait_for("code=");
    terminal.keys("stty -tostop; fg\n");
    terminal.wait_for("cpu ");
    terminal.wait_for("test.sondage");
    wait_for_prompt(&mut terminal);
    terminal.keys("echo code=$?\n");
    terminal.wait_for("code=5\r\n");
    assert!(samples(&place.recording()) > 50);
}

#[test]
fn a_stop_from_elsewhere_stops_the_program_alone() {
    let place = Place::new();
    let (mut child, mut out) = common::start_ready(place.run(&[], &["sigint", "1"]));
    let parent = child.id() as i32;
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let pid: i32 = children.expect("children").trim().parse().expect("one");
    // SAFETY: both are numbers of processes that live.
    let send = |signal| unsafe { libc::kill(pid, signal) };
    send(libc::SIGSTOP);
    wait_until("it is stopped", || state_letter(pid) == Some('T'));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_ne!(state_letter(parent), Some('T'), "who would continue us?");
    send(libc::SIGCONT);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).expect("it talks");
    assert_eq!(rest, "seen 0\n");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    place.recording();
}

#[test]
fn top_ends_when_its_terminal_goes() {
    let mut target = Command::new("sleep").arg("100").spawn().expect("sleep");
    let mut top = Command::new(SONDAGE);
    top.args(["top", &target.id().to_string()]);
    let mut terminal = Terminal::start(top);
    terminal.wait_for("quit");
    terminal.close();
    let mut child = terminal.child;
    let began = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if began.elapsed().as_secs() > 60 {
            child.kill().expect("a child");
            child.wait().expect("a child");
            break None;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    target.kill().expect("a child");
    target.wait().expect("a child");
    assert!(status.is_some(), "top goes on without a terminal");
}
