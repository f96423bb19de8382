//! Events in files: at the end of a process, and when a signal kills it.
#![cfg(feature = "enabled")]

mod common;

use common::{Story, program, role};
use sondage::zone;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

/// What a program of this role leaves in a folder, and how it ended.
fn left_by(test: &str, role: &str) -> (Vec<(PathBuf, Story)>, std::process::ExitStatus) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(test, role);
    command.env("SONDAGE_TEST_FOLDER", folder.path());
    let status = command.status().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = files.into_iter().map(|file| {
        let story = Story::of_file(&file);
        (PathBuf::from(file.file_name().unwrap()), story)
    });
    (read.collect(), status)
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("SONDAGE_TEST_FOLDER").unwrap())
}

#[test]
fn at_the_end_of_the_process() {
    match role().as_deref() {
        Some("exit") => {
            sondage::save_at_exit(folder().join("events")).unwrap();
            sondage::thread_name("ends");
            zone!("last");
            // SAFETY: ends the process, as `main` would.
            unsafe { libc::exit(3) };
        }
        Some("fork") => {
            sondage::save_at_exit(folder().join("events-of-parent")).unwrap();
            sondage::thread_name("ends");
            let _open = sondage::enter!("parent");
            // SAFETY: the child ends at once.
            unsafe {
                let pid = libc::fork();
                if pid == 0 {
                    zone!("child");
                    libc::exit(0);
                }
                libc::waitpid(pid, std::ptr::null_mut(), 0);
                libc::exit(3);
            }
        }
        _ => {}
    }
    for role in ["exit", "fork"] {
        let (files, status) = left_by("at_the_end_of_the_process", role);
        assert_eq!(status.code(), Some(3));
        assert_eq!(
            files.len(),
            1,
            "a child does not write over its parent's file"
        );
        let told = files[0].1.of_thread("ends");
        assert!(told[0] == "zone last depth 0" || told[0] == "zone parent depth 0");
    }
}

#[test]
fn when_a_signal_kills() {
    if let Some(role) = role() {
        sondage::save_on_crash(folder().join("first")).unwrap();
        sondage::save_on_crash(folder().join("{pid}.crash")).unwrap();
        sondage::thread_name("dies");
        zone!("last words");
        match role.as_str() {
            "abort" => std::process::abort(),
            "kill" => {
                // SAFETY: sends a signal to this process.
                unsafe { libc::kill(libc::getpid(), libc::SIGFPE) };
            }
            "files" => {
                // No file can be opened any more, as in a program that leaks them.
                while std::fs::File::open("/dev/null")
                    .map(std::mem::forget)
                    .is_ok()
                {}
                std::process::abort();
            }
            _ => {
                let nowhere = std::ptr::without_provenance_mut::<u8>(8);
                // SAFETY: it is not, which is the point.
                unsafe { nowhere.write_volatile(1) };
            }
        }
        loop {
            std::thread::yield_now();
        }
    }
    let cases = [
        ("abort", libc::SIGABRT),
        ("fault", libc::SIGSEGV),
        ("kill", libc::SIGFPE),
        ("files", libc::SIGABRT),
    ];
    for (role, signal) in cases {
        let (files, status) = left_by("when_a_signal_kills", role);
        assert_eq!(status.signal(), Some(signal), "{role}: it still dies of it");
        assert_eq!(files.len(), 1, "{role}: {files:?}");
        assert!(files[0].0.to_string_lossy().ends_with(".crash"));
        assert_eq!(
            files[0].1.of_thread("dies"),
            ["zone last words depth 0"],
            "{role}"
        );
    }
}

#[test]
fn what_handled_the_signal_before_still_does() {
    if role().is_some() {
        extern "C" fn tell(_: i32) {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(77) };
        }
        // SAFETY: the handler is a function of the program.
        unsafe { libc::signal(libc::SIGSEGV, tell as *const () as usize) };
        sondage::save_on_crash(folder().join("events")).unwrap();
        zone!("last words");
        let nowhere = std::ptr::without_provenance_mut::<u8>(8);
        // SAFETY: it is not, which is the point.
        unsafe { nowhere.write_volatile(1) };
        return;
    }
    let (files, status) = left_by("what_handled_the_signal_before_still_does", "chain");
    assert_eq!(status.code(), Some(77));
    assert_eq!(files.len(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let error = sondage::save("/nowhere/at/all").unwrap_err();
    assert_eq!(
        error.to_string(),
        "opening /nowhere/at/all to save events: No such file or directory (os error 2)"
    );
    assert!(sondage::save_at_exit("a\0b").is_err());
}

#[test]
fn a_flight_recorder_keeps_the_last() {
    if role().is_some() {
        sondage::save_at_exit(folder().join("events")).unwrap();
        sondage::thread_name("flies");
        for n in 0..1_000_000_u64 {
            zone!("work", n = n);
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = program("a_flight_recorder_keeps_the_last", "fly");
    command
        .env("SONDAGE_TEST_FOLDER", folder.path())
        .env("SONDAGE_FLIGHT", "1M");
    assert!(command.status().unwrap().success());
    let path = folder.path().join("events");
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes < 2 << 20, "{bytes}");
    let story = Story::of_file(&path);
    let told = story.of_thread("flies");
    assert!(told.contains(&"value 0 n = 999999".to_owned()));
    assert!(!told.contains(&"value 0 n = 7".to_owned()));
    assert_eq!(story.gaps.len(), 1);
    assert!(story.gaps[0].1.overwritten > 100);
}
