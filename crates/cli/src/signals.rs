//! Signals as something to wait for.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::CliError;

/// A signal that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Whether the kernel sent it, as a terminal's Ctrl-C, and so to the whole process group.
    pub from_terminal: bool,
}

/// Signals that no longer interrupt but are read.
pub struct Signals(OwnedFd);

/// The signals that end a program.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];

impl Signals {
    /// From now on SIGINT, SIGQUIT, SIGTERM and SIGHUP are to be read here; in every thread started
    /// later, too. A full disk makes writes fail instead of killing us with SIGXFSZ.
    pub fn take() -> Result<Signals, CliError> {
        Signals::block(&ENDING, &ENDING)
    }

    /// As [`take`](Signals::take), for one that stands between a shell and the program it started:
    /// SIGTSTP (Ctrl-Z) and SIGCHLD are read here, too, and what we print in the background stops
    /// nobody (SIGTTOU goes to the program as well).
    pub fn take_with_jobs() -> Result<Signals, CliError> {
        let mut read = ENDING.to_vec();
        read.extend([libc::SIGTSTP, libc::SIGCHLD]);
        let mut blocked = read.clone();
        blocked.push(libc::SIGTTOU);
        Signals::block(&blocked, &read)
    }

    fn block(blocked: &[i32], read: &[i32]) -> Result<Signals, CliError> {
        let (blocked, read) = (set_of(blocked), set_of(read));
        // SAFETY: every pointer is valid for its call, and the descriptor is new and ours.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let fd = libc::signalfd(-1, &raw const read, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(CliError::new(format!(
                    "signals cannot be watched: {}",
                    std::io::Error::last_os_error()
                )));
            }
            Ok(Signals(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Stops this process until it is continued, so that the shell that started it sees a stopped
    /// job. Where no shell could continue it (an orphaned process group), the kernel does nothing.
    pub fn stop_here(&self) {
        let stop = set_of(&[libc::SIGTSTP]);
        // SAFETY: the set is valid. Every other thread blocks the signal: it is delivered to this
        // one, when it is let through, and stops the whole process.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGTSTP);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const stop, std::ptr::null_mut());
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const stop, std::ptr::null_mut());
        }
    }

    /// The next signal that has come.
    pub fn next(&self) -> Option<Signal> {
        // SAFETY: `info` is plain data, filled by the kernel.
        let (read, info) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            let read = libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size);
            (read == size as isize, info)
        };
        read.then_some(Signal {
            number: info.ssi_signo as i32,
            from_terminal: info.ssi_code == libc::SI_KERNEL,
        })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ends this process by a signal, so that who started it sees what became of the program: a shell
/// leaves its loop only when a program was ended by Ctrl-C, not when it exits with 130. No core is
/// dumped: it would be ours, not the program's. Comes back when the signal is ignored.
pub fn die_of(signal: i32) {
    let all = set_of(&[signal]);
    // SAFETY: plain system calls on numbers and a valid set; the process has nothing left to do.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0 as libc::c_ulong);
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const all, std::ptr::null_mut());
    }
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: the set is initialised before signals are added to it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}
