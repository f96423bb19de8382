//! `top` on a terminal that goes away.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A pseudo-terminal of 80×24: our end, and the program's.
fn terminal() -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let mut size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: every pointer is valid for the call or null, and the descriptors are new and ours.
    unsafe {
        let rc = libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        );
        assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
        libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC);
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}

#[test]
fn it_ends_when_its_terminal_goes() {
    let mut target = Command::new("sleep").arg("60").spawn().expect("sleep");
    let (mut ours, theirs) = terminal();
    let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
    let number = theirs.as_raw_fd();
    let mut top = Command::new(env!("CARGO_BIN_EXE_sondage"));
    top.args(["top", &target.id().to_string()])
        .env("TERM", "xterm")
        .stdin(end())
        .stdout(end())
        .stderr(end());
    // SAFETY: only system calls, on a descriptor that is open until `exec`.
    unsafe {
        top.pre_exec(move || {
            libc::setsid();
            libc::ioctl(number, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    let mut top = top.spawn().expect("sondage");
    drop(theirs);
    let mut seen = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("quit") {
        let read = ours.read(&mut part).expect("the picture");
        seen.extend_from_slice(&part[..read]);
    }
    drop(ours);
    let began = Instant::now();
    while top.try_wait().expect("a child").is_none() {
        if began.elapsed() > Duration::from_secs(20) {
            top.kill().expect("a child");
            panic!("top goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    target.kill().expect("a child");
    target.wait().expect("a child");
}
