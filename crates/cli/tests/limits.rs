//! Where something is missing: room on the disk, rights, the same view of processes.

#![allow(clippy::print_stderr, reason = "a test says what it left out")]

mod common;

use std::ffi::CString;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{
    Place, SONDAGE, is_in, now, output, process_of, program, python, rows, samples,
    seconds_by_state, send, start_ready, system_pythons,
};
use sondage_model::{LossKind, Source};
use sondage_recording::Recording;

/// A file system in memory that only this test sees, as large as said.
struct SmallDisk<'p>(&'p Path);

impl SmallDisk<'_> {
    /// Mounts it over a folder. `None`, and says so, where that is not permitted.
    fn mount<'p>(folder: &'p Path, size: &str) -> Option<SmallDisk<'p>> {
        let text = |text: &[u8]| CString::new(text).expect("no zero byte");
        let (kind, root, size) = (
            text(b"tmpfs"),
            text(b"/"),
            text(format!("size={size}").as_bytes()),
        );
        let path = text(folder.as_os_str().as_bytes());
        // SAFETY: every string lives through its call. The thread gets a view of mounts of its own,
        // which its children inherit; what is mounted in it goes with them.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    std::ptr::null(),
                    root.as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                && libc::mount(
                    kind.as_ptr(),
                    path.as_ptr(),
                    kind.as_ptr(),
                    0,
                    size.as_ptr().cast(),
                ) == 0
        };
        if mounted {
            Some(SmallDisk(folder))
        } else {
            let error = std::io::Error::last_os_error();
            eprintln!("skipped: no file system can be mounted here: {error}");
            None
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let path = CString::new(self.0.as_os_str().as_bytes()).expect("no zero byte");
        // SAFETY: the string lives through the call. What cannot be taken away goes with the thread.
        unsafe {
            libc::umount2(path.as_ptr(), libc::MNT_DETACH);
        }
    }
}

/// Takes all the room that is left but for so many bytes.
fn fill(folder: &Path, but: u64) {
    let mut file = std::fs::File::create(folder.join("ballast")).expect("a file");
    while file.write_all(&[1; 4096]).is_ok() {}
    let full = file.metadata().expect("a file").len();
    file.set_len(full - but).expect("to make it shorter");
}

/// A recorded program that computes until told, on a disk that is nearly full; it comes back when
/// sondage has told of the full disk.
fn record_on(
    disk: &Path,
    place: &Place,
    rate: &str,
) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let stop = place.path("stop").display().to_string();
    let mut command = Command::new(SONDAGE);
    command
        .args(["run", "-r", rate, "-o"])
        .arg(disk.join("test.sondage"))
        .arg("--")
        .arg(python())
        .arg(program("behave.py"))
        .args(["until", &stop, "5"])
        .stderr(Stdio::piped());
    let (mut child, _) = start_ready(command);
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut told = String::new();
    while !told.contains("hint:") {
        assert_ne!(said.read_line(&mut told).expect("a line"), 0, "{told}");
    }
    assert!(
        told.contains("error:") && told.contains("No space left on device"),
        "{told}"
    );
    (child, said, told)
}

#[test]
fn a_disk_that_is_full_and_stays_so() {
    let (place, disk) = (Place::new(), Place::new());
    let Some(small) = SmallDisk::mount(disk.folder(), "1m") else {
        return;
    };
    fill(small.0, 40 << 10);
    let (mut child, mut said, mut told) = record_on(small.0, &place, "10000");
    std::fs::write(place.path("stop"), "").expect("a file");
    said.read_to_string(&mut told).expect("text");
    // The program ended as it wanted.
    assert_eq!(child.wait().expect("it ends").code(), Some(5), "{told}");
    // What is lost is counted and told, and what is not there is not claimed.
    assert!(told.contains("rows of samples are lost"), "{told}");
    assert!(told.contains("hint: what was written before"), "{told}");
    assert!(!told.contains(" samples in "), "{told}");
    let recording = Recording::open(small.0.join("test.sondage")).expect("a readable recording");
    assert!(recording.recovered().is_some());
    assert!(samples(&recording) > 100, "{}", samples(&recording));
}

#[test]
fn a_disk_that_gets_room_again() {
    let (place, disk) = (Place::new(), Place::new());
    let Some(small) = SmallDisk::mount(disk.folder(), "1m") else {
        return;
    };
    fill(small.0, 40 << 10);
    let (mut child, mut said, mut told) = record_on(small.0, &place, "5000");
    std::fs::remove_file(small.0.join("ballast")).expect("it is there");
    let room = now();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    std::fs::write(place.path("stop"), "").expect("a file");
    said.read_to_string(&mut told).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(5), "{told}");
    assert!(!told.contains("samples are lost"), "{told}");
    let recording = Recording::open(small.0.join("test.sondage")).expect("a readable recording");
    assert_eq!(recording.recovered(), None);
    let room = room.in_recording(recording.info().mono_start);
    let all = rows(&recording);
    assert!(all.iter().filter(|row| row.time > room).count() > 100);
    // Rows waited for the room: none is missing.
    let (mut upto, mut gap) = (std::collections::HashMap::new(), 0);
    for row in &all {
        let last = upto.insert(row.thread, row.range().end);
        gap += last.map_or(0, |last| row.range().start.since(last).0);
    }
    assert_eq!(gap, 0, "nanoseconds without a row");
    let lost = recording
        .losses()
        .iter()
        .filter(|loss| loss.kind == LossKind::Write)
        .count();
    assert_eq!(lost, 0);
}

/// What a user without rights needs, where they can get at it.
fn for_nobody(place: &Place) -> Option<std::path::PathBuf> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
    let python = system_pythons().next();
    let (true, Some(python)) = (is_root, python) else {
        eprintln!("skipped: needs root and a Python that every user may run");
        return None;
    };
    std::fs::set_permissions(place.folder(), Permissions::from_mode(0o777)).expect("ours");
    std::fs::copy(SONDAGE, place.path("sondage")).expect("a copy");
    std::fs::copy(program("behave.py"), place.path("behave.py")).expect("a copy");
    Some(python)
}

fn as_nobody(place: &Place) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(place.path("sondage"))
        .current_dir(place.folder())
        .env("HOME", "/nonexistent");
    command
}

#[test]
fn a_user_without_rights_records_a_program_of_their_own() {
    let place = Place::new();
    let Some(python) = for_nobody(&place) else {
        return;
    };
    let mut command = as_nobody(&place);
    command
        .args(["run", "-o", "test.sondage", "--"])
        .arg(&python)
        .args(["behave.py", "spin", "0.6"]);
    let out = output(command);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    assert!(told.contains("samples"), "{told}");
    let recording = place.recording();
    let spun = seconds_by_state(&recording, |row| is_in(&recording, row, "spin"));
    assert!(spun["cpu"] > 0.1, "{spun:?}: {told}");
    let owner = std::fs::metadata(place.path("test.sondage")).expect("a file");
    assert_eq!(owner.uid(), 65534);
    // A process of their own can be attached to, too.
    let mut target = Command::new("setpriv");
    target
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&python)
        .arg(place.path("behave.py"))
        .args(["sigint", "100"]);
    let (mut target, _) = start_ready(target);
    let mut command = as_nobody(&place);
    command.args(["attach", "-q", "-o", "test.sondage", "-d", "0.7"]);
    command.arg(target.id().to_string());
    let out = output(command);
    target.kill().expect("a child");
    target.wait().expect("a child");
    let told = String::from_utf8_lossy(&out.stderr);
    if std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .is_ok_and(|scope| scope.trim() != "0")
    {
        assert!(told.contains("ptrace_scope"), "{told}");
        return;
    }
    assert_eq!(out.status.code(), Some(0), "{told}");
    assert!(samples(&place.recording()) > 10);
}

#[test]
fn a_user_without_rights_is_told_about_anothers_process() {
    let place = Place::new();
    let Some(python) = for_nobody(&place) else {
        return;
    };
    let mut target = Command::new(&python);
    target.arg(program("behave.py")).args(["sigint", "100"]);
    let (mut target, _) = start_ready(target);
    let pid = target.id().to_string();
    for arguments in [&["attach", "-o", "no.sondage", &pid][..], &["dump", &pid]] {
        let mut command = as_nobody(&place);
        command.args(arguments);
        let out = output(command);
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{told}");
        assert!(
            told.contains(&format!("error: not allowed to read process {pid}\n")),
            "{told}"
        );
        assert!(
            told.contains("hint: run sondage as the same user as the process or as root"),
            "{told}"
        );
        assert!(!place.path("no.sondage").exists(), "an empty file is left");
    }
    target.kill().expect("a child");
    target.wait().expect("a child");
}

/// `unshare`, where it may make a view of processes of its own.
fn other_pids() -> Option<Command> {
    let arguments = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let mut command = Command::new("unshare");
    command.args(arguments);
    let mut trial = Command::new("unshare");
    let permitted = trial
        .args(arguments)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    if permitted.is_ok_and(|status| status.success()) {
        return Some(command);
    }
    eprintln!("skipped: no process can be given a view of its own here");
    None
}

#[test]
fn a_process_in_a_container_is_recorded_from_outside() {
    let place = Place::new();
    let Some(mut target) = other_pids() else {
        return;
    };
    target.arg(python()).arg(program("behave.py"));
    target.args(["sigint", "100"]);
    let (mut target, _) = start_ready(target);
    let outer = target.id();
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    let pid: i32 = children.expect("children").trim().parse().expect("one");
    let mut command = Command::new(SONDAGE);
    command
        .current_dir(place.folder())
        .args(["attach", "-o", "test.sondage", "-d", "1"])
        .arg(pid.to_string());
    let out = output(command);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    let dump = output({
        let mut command = Command::new(SONDAGE);
        command.args(["dump", &pid.to_string()]);
        command
    });
    send(&target, libc::SIGKILL);
    target.wait().expect("a child");
    assert_eq!(out.status.code(), Some(0), "{told}");
    let recording = place.recording();
    assert_eq!(process_of(&recording, pid).index(), 0);
    let dictionary = recording.dictionary();
    assert_eq!(dictionary.text(dictionary.threads()[0].name), "MainThread");
    let all: f64 = seconds_by_state(&recording, |_| true).values().sum();
    let spun = seconds_by_state(&recording, |row| is_in(&recording, row, "spin"));
    let known: f64 = spun.values().sum();
    assert!(known > 0.9 * all, "{spun:?} of {all}");
    let text = String::from_utf8_lossy(&dump.stdout);
    assert!(text.contains("spin"), "{text}");
}

#[test]
fn a_container_started_by_us_is_recorded() {
    let place = Place::new();
    if other_pids().is_none() {
        return;
    }
    let (python, program) = (python(), program("told.py"));
    let line = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        python.to_str().expect("text"),
        program.to_str().expect("text"),
        "0.3",
        "7",
    ];
    let out = output(place.record(&[], &line));
    assert_eq!(out.status.code(), Some(7));
    // Inside it is number 1.
    assert!(out.stdout.starts_with(b"1 "), "{:?}", out.stdout);
    let recording = place.recording();
    let worked = seconds_by_state(&recording, |row| is_in(&recording, row, "work"));
    assert!(worked["cpu"] > 0.2, "{worked:?}");
}

#[test]
fn a_program_that_waits_for_the_disk() {
    let place = Place::new();
    let data = place.path("data");
    std::fs::write(&data, vec![7; 64 << 20]).expect("room for 64 MiB");
    let file = std::fs::File::open(&data).expect("it is there");
    file.sync_all().expect("it reaches the disk");
    let path = data.display().to_string();
    let out = output(place.run_program("disk.py", &[], &[&path, "1.5"]));
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    let numbers: Vec<f64> = told
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [looks, waits] = numbers[..] else {
        // The one thing that may fail here: a file system without O_DIRECT, as tmpfs was long.
        eprintln!(
            "skipped: the disk cannot be read past the cache here: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        return;
    };
    let recording = place.recording();
    let dictionary = recording.dictionary();
    let states = seconds_by_state(&recording, |row| {
        let thread = &dictionary.threads()[row.thread.index()];
        dictionary.text(thread.name) == "reader"
    });
    let all: f64 = states.values().sum();
    let (truth, share) = (waits / looks, states["disk"] / all);
    if truth < 0.05 {
        eprintln!(
            "skipped: of {looks} looks by the program {waits} found its reader waiting for the disk: \
             this machine's disk answers at once, or its kernel does not say D for it"
        );
        return;
    }
    // Both looked at the same letter at different moments.
    assert!(
        (truth - share).abs() < 0.25,
        "the program saw {truth}, recorded {share}: {states:?}"
    );
    assert!(share > 0.02, "{states:?}");
}
