//! `kill -9` at any moment, of the program or of sondage: all but the last fraction of a second is in
//! the recording. When that moment was, the program itself knows: it writes the time into a file that
//! outlives it.

mod common;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use common::{
    Place, late_seconds, now, process_of, rows, sched_stat, send, start_ready, state_letter,
    wait_until,
};
use sondage_model::{MonoTime, Source, Time};

/// How often each is killed.
const TIMES: u64 = 20;

/// Some time after the start, from nothing to a second and a half, other in each round.
fn moment(round: u64) -> Duration {
    // xorshift64, begun anew in each run.
    let mut random = now().0 ^ (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    Duration::from_micros(random % 1_500_000)
}

/// When the program last wrote the time.
fn last_told(path: &Path) -> MonoTime {
    let bytes = std::fs::read(path).expect("what it told");
    MonoTime(u64::from_ne_bytes(bytes[..8].try_into().expect("a number")))
}

fn only_child(pid: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    text.expect("children").trim().parse().expect("one child")
}

fn start(place: &Place) -> (std::process::Child, i32) {
    let truth = place.path("truth");
    File::create(&truth)
        .and_then(|file| file.set_len(8))
        .expect("a file");
    let path = truth.display().to_string();
    let (child, _) = start_ready(place.run(&[], &["truth", &path]));
    let program = only_child(child.id() as i32);
    (child, program)
}

#[test]
fn of_the_program() {
    for round in 0..TIMES {
        let place = Place::in_memory();
        let (mut child, program) = start(&place);
        let wait = moment(round);
        std::thread::sleep(wait);
        // SAFETY: sondage has not reaped it yet.
        unsafe {
            libc::kill(program, libc::SIGKILL);
        }
        assert_eq!(child.wait().expect("it ends").signal(), Some(9));
        let recording = place.recording();
        assert_eq!(recording.recovered(), None, "{wait:?}");
        let start = recording.info().mono_start;
        let died = last_told(&place.path("truth")).in_recording(start);
        let process = process_of(&recording, program);
        let row = &recording.dictionary().processes()[process.index()];
        assert!(row.end >= died && row.end < Time::MAX, "{wait:?}: {row:?}");
        let upto = rows(&recording).iter().map(|row| row.time).max();
        let upto = upto.unwrap_or(Time::ZERO);
        let missing = died.since(upto.min(died)).as_secs_f64();
        let late = late_seconds(&recording);
        assert!(
            missing < 0.1 + late,
            "{wait:?}: the last {missing} s are missing; the sampler was {late} s late in all"
        );
    }
}

#[test]
fn of_sondage() {
    for round in 0..TIMES {
        let place = Place::in_memory();
        let (mut child, program) = start(&place);
        let sondage = child.id() as i32;
        let wait = moment(round);
        std::thread::sleep(wait);
        // What the machine's load takes from it is no fault of its own.
        let waited = sched_stat(sondage).1 as f64 / 1e9;
        let killed = now();
        send(&child, libc::SIGKILL);
        assert_eq!(child.wait().expect("it ends").signal(), Some(9));
        // The program does not notice.
        let before = last_told(&place.path("truth"));
        wait_until("the program goes on", || {
            last_told(&place.path("truth")) > before
        });
        assert_ne!(state_letter(program), Some('T'));
        // SAFETY: it has just been seen alive, and nothing but this ends it.
        unsafe {
            libc::kill(program, libc::SIGKILL);
        }
        let recording = place.recording();
        assert!(recording.recovered().is_some(), "{wait:?}");
        let start = recording.info().mono_start;
        let upto = rows(&recording).iter().map(|row| row.time).max();
        let upto = upto.unwrap_or(Time::ZERO);
        let killed = killed.in_recording(start);
        let missing = killed.since(upto.min(killed)).as_secs_f64();
        assert!(
            missing < 0.6 + waited,
            "{wait:?}: the last {missing} s are missing; sondage waited {waited} s for a CPU in all"
        );
        assert!(upto <= killed, "{upto:?} is after {killed:?}");
    }
}
