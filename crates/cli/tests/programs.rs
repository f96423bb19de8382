//! Programs that say what they are doing: recorded, listened to, saved, and left alone for a while.

mod common;

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use common::{Place, SONDAGE};
use sondage::raw;
use sondage_model::{MessageRow, Source};
use sondage_recording::Recording;

const ROLE: &str = "SONDAGE_TEST_ROLE";
const FILE: &str = "SONDAGE_TEST_FILE";

/// Not a test by itself: the programs of the others are this same program, told by a variable.
#[test]
fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("ten") => zones(10),
        Ok("saves") => {
            raw::process_name("saver");
            zones(10);
            sondage::save(std::env::var(FILE).unwrap()).unwrap();
        }
        Ok("long") => {
            // Fills its memory while nobody empties it.
            for _ in 0..500 {
                zones(2000);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(role) => panic!("no such role: {role}"),
        Err(_) => {}
    }
}

fn zones(count: usize) {
    let site = raw::site("step", "child::zones", "programs.rs", 1, 0);
    for _ in 0..count {
        if raw::zone_begin(site) {
            raw::zone_end();
        }
    }
}

/// This program in a role, with words before it.
fn command(before: &[&str], role: &str) -> Command {
    let us = std::env::current_exe().unwrap();
    let mut command = match before {
        [program, words @ ..] => {
            let mut command = Command::new(program);
            command.args(words).arg(us);
            command
        }
        [] => Command::new(us),
    };
    command.args(["child", "--exact"]).env(ROLE, role);
    command
}

fn steps(recording: &Recording) -> usize {
    let dictionary = recording.dictionary();
    let blocks = 0..recording.zone_blocks().len();
    let sites = blocks.flat_map(|block| recording.zones(block).unwrap().sites.clone());
    sites
        .filter(|site| dictionary.text(dictionary.sites()[site.index()].name) == "step")
        .count()
}

fn open(path: &Path) -> Recording {
    Recording::open(path).unwrap()
}

fn signal(process: &Child, number: i32) {
    // SAFETY: our own child, which is not reaped yet.
    unsafe { libc::kill(process.id() as i32, number) };
}

#[test]
fn run_records_what_the_program_says() {
    let place = Place::new();
    let file = place.path("a.sondage");
    let words = [SONDAGE, "run", "-o", file.to_str().unwrap(), "--"];
    let output = command(&words, "ten").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("20 events of the program's own"), "{told}");
    assert_eq!(steps(&open(&file)), 10);
}

#[test]
fn listen_records_who_calls() {
    let place = Place::new();
    let file = place.path("a.sondage");
    let address = format!("@sondage-test-{}", std::process::id());
    let listen = || {
        let mut command = Command::new(SONDAGE);
        command.args(["listen", "-q", "--no-samples", "--address", &address, "-o"]);
        command
    };
    let mut listener = listen().arg(&file).spawn().unwrap();
    let names = || std::fs::read_to_string("/proc/net/unix").unwrap();
    while !names().contains(&address) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = listen().arg(place.path("b.sondage")).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("already"));
    for _ in 0..2 {
        let mut program = command(&[], "ten");
        let status = program.env("SONDAGE_COLLECTOR", &address).status().unwrap();
        assert!(status.success());
    }
    signal(&listener, libc::SIGINT);
    assert!(listener.wait().unwrap().success());
    let recording = open(&file);
    assert_eq!(steps(&recording), 20);
    assert_eq!(recording.dictionary().processes().len(), 2);
}

#[test]
fn what_a_program_saved_opens_like_a_recording() {
    let place = Place::new();
    let saved = place.path("saved.events");
    let status = command(&[], "saves").env(FILE, &saved).status().unwrap();
    assert!(status.success());
    let report = Command::new(SONDAGE)
        .args(["report", "--json"])
        .arg(&saved)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&report.stderr).into_owned();
    assert!(report.status.success(), "{told}");
    let file = place.path("a.sondage");
    let import = Command::new(SONDAGE)
        .arg("import")
        .arg(&saved)
        .arg("-o")
        .arg(&file)
        .output();
    let told = String::from_utf8_lossy(&import.unwrap().stderr).into_owned();
    assert!(told.contains("10 zones"), "{told}");
    assert_eq!(steps(&open(&file)), 10);
}

#[test]
fn a_stopped_collector_finds_its_program_again() {
    let place = Place::new();
    let file = place.path("a.sondage");
    let words = [
        SONDAGE,
        "run",
        "-q",
        "--no-samples",
        "-o",
        file.to_str().unwrap(),
        "--",
    ];
    let mut program = command(&words, "long");
    // A megabyte is full in less than two seconds: the program overwrites the oldest then.
    let mut collector = program.env("SONDAGE_BUFFER", "1M").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    signal(&collector, libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(4500));
    signal(&collector, libc::SIGCONT);
    assert!(collector.wait().unwrap().success());
    let recording = open(&file);
    let texts: Vec<&str> = recording
        .messages()
        .iter()
        .map(|row: &MessageRow| &*row.text)
        .collect();
    let lost: u64 = recording.losses().iter().map(|row| row.count).sum();
    let steps = steps(&recording);
    assert!(
        lost > 0 || !texts.is_empty(),
        "nothing is told of {steps} zones"
    );
    // What was said before, and what was said after.
    assert!((50_000..1_000_000).contains(&steps), "{steps}");
    let ends = recording
        .zone_blocks()
        .iter()
        .map(|block| block.range.end.0);
    assert!(ends.max().is_some_and(|end| end > 4_500_000_000));
}
