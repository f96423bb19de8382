//! A terminal, and a shell with job control in it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What came out of the terminal so far, and whether its other end is closed.
#[derive(Default)]
struct Seen {
    text: String,
    over: bool,
}

/// Our end of a pseudo-terminal of 80×24, and the program at the other one.
pub struct Terminal {
    ours: Option<File>,
    reader: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// Up to where [`wait_for`](Terminal::wait_for) has looked.
    at: usize,
    /// The program.
    pub child: Child,
}

impl Terminal {
    /// Starts it as the leader of a new session, with the terminal as its own.
    pub fn start(mut command: Command) -> Terminal {
        let (mut ours, mut theirs) = (-1, -1);
        let mut size = libc::winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: every pointer is valid for the call or null, and the descriptors are new and ours.
        let (ours, theirs) = unsafe {
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
        };
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let number = theirs.as_raw_fd();
        command
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        // SAFETY: only system calls, on a descriptor that is open until `exec`.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                libc::ioctl(number, libc::TIOCSCTTY, 0);
                libc::close(number);
                Ok(())
            });
        }
        let child = command.spawn().expect("it starts");
        // With it go the other end's descriptors that are ours.
        drop((command, theirs));
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let ours = ours.try_clone().expect("a descriptor");
            let (seen, closing) = (Arc::clone(&seen), Arc::clone(&closing));
            move || read_all(&ours, &seen, &closing)
        });
        Terminal {
            ours: Some(ours),
            reader: Some(reader),
            closing,
            seen,
            at: 0,
            child,
        }
    }

    /// Waits until this comes out, after what was waited for before; gives what came up to its end.
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(100);
        let mut seen = self.seen.0.lock().expect("no panic");
        loop {
            let new = &seen.text[self.at..];
            if let Some(place) = new.find(text) {
                let upto = place + text.len();
                let found = new[..upto].to_owned();
                self.at += upto;
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !seen.over,
                "waited in vain for {text:?}; the terminal shows:\n{}",
                seen.text
            );
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
    }

    /// The rest of the line, after what was waited for.
    pub fn rest_of_line(&mut self) -> String {
        self.wait_for("\n").trim_end().to_owned()
    }

    /// Everything that came out.
    pub fn text(&self) -> String {
        self.seen.0.lock().expect("no panic").text.clone()
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        let ours = self.ours.as_mut().expect("an open terminal");
        ours.write_all(keys.as_bytes()).expect("it takes keys");
    }

    /// Takes the terminal away, as when a window is closed.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.reader
            .take()
            .expect("an open terminal")
            .join()
            .expect("no panic");
        self.ours = None;
    }
}

/// Takes what comes out until nobody is at the other end, or it is to be closed.
fn read_all(ours: &File, seen: &(Mutex<Seen>, Condvar), closing: &AtomicBool) {
    let mut part = [0; 4096];
    while !closing.load(Ordering::Relaxed) {
        let mut fds = [PollFd::new(ours, PollFlags::IN)];
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        if poll(&mut fds, Some(&time)) == Ok(0) {
            continue;
        }
        // An error: nobody has the other end.
        let read = (&*ours).read(&mut part).unwrap_or(0);
        let mut now = seen.0.lock().expect("no panic");
        now.text += &String::from_utf8_lossy(&part[..read]);
        now.over = read == 0;
        seen.1.notify_all();
        if read == 0 {
            return;
        }
    }
}

/// An interactive shell with job control, in which `$CMD` is the command to try.
pub fn shell(command: &[&str], folder: &std::path::Path) -> Terminal {
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "--noediting", "-i"])
        .current_dir(folder)
        .env("CMD", command.join(" "))
        .env("PS1", "")
        .env("HISTFILE", "")
        .env("NO_COLOR", "1")
        .env("PYTHONUNBUFFERED", "1");
    let mut terminal = Terminal::start(bash);
    terminal.keys("stty -echo; echo be''gin\n");
    terminal.wait_for("begin\r\n");
    terminal
}
