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

impl Signals {
    /// From now on SIGINT, SIGQUIT, SIGTERM and SIGHUP are to be read here; in every thread started
    /// later, too. A full disk makes writes fail instead of killing us with SIGXFSZ.
    pub fn take() -> Result<Signals, CliError> {
        // SAFETY: the set is initialised before use, every pointer is valid for its call, and the
        // descriptor is new and ours.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(CliError::new(format!(
                    "signals cannot be watched: {}",
                    std::io::Error::last_os_error()
                )));
            }
            Ok(Signals(OwnedFd::from_raw_fd(fd)))
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
