//! Starting the program to record exactly as a shell would: nothing of ours leaks into it.

use std::ffi::{CString, NulError, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;
use rustix::process::{Pid as RawPid, PidfdFlags, pidfd_open};
use sondage_model::Pid;

/// The signals whose handling a profiler, or the Rust runtime before `main`, changes for itself.
const SIGNALS: [libc::c_int; 8] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGPIPE,
    libc::SIGXFSZ,
    libc::SIGTSTP,
    libc::SIGCHLD,
];

/// How this process was started: what the program to record shall get in turn.
#[derive(Clone, Copy)]
pub struct Inherited {
    actions: [libc::sigaction; SIGNALS.len()],
    mask: libc::sigset_t,
    closed: [bool; 3],
}

impl Inherited {
    /// Looks at signal handling and the standard streams as they are now.
    ///
    /// The Rust runtime ignores SIGPIPE and opens closed standard streams before `main`, so a
    /// program has to call this earlier, from a function in `.init_array`.
    #[must_use]
    pub fn capture() -> Inherited {
        // SAFETY: all three types are plain data for which zeros are valid, and every call only
        // writes into the place it is given.
        unsafe {
            let mut inherited = Inherited {
                actions: [std::mem::zeroed(); SIGNALS.len()],
                mask: std::mem::zeroed(),
                closed: [false; 3],
            };
            for (&signal, action) in SIGNALS.iter().zip(&mut inherited.actions) {
                libc::sigaction(signal, std::ptr::null(), action);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut inherited.mask);
            for (fd, closed) in inherited.closed.iter_mut().enumerate() {
                *closed = libc::fcntl(fd as libc::c_int, libc::F_GETFD) == -1;
            }
            inherited
        }
    }

    /// Puts everything back. Only calls that are safe between `fork` and `exec`.
    ///
    /// # Safety
    /// To be called in a process that is about to call `exec`: it closes standard streams.
    unsafe fn restore(&self) {
        // SAFETY: the structures are those the kernel gave us; descriptors are those of a process
        // that is about to be replaced.
        unsafe {
            for (&signal, action) in SIGNALS.iter().zip(&self.actions) {
                libc::sigaction(signal, action, std::ptr::null_mut());
            }
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.mask,
                std::ptr::null_mut(),
            );
            for (fd, &closed) in self.closed.iter().enumerate() {
                if closed {
                    libc::close(fd as libc::c_int);
                }
            }
        }
    }
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// An argument holds a zero byte.
    #[error("an argument holds a zero byte: {0}")]
    ZeroByte(#[from] NulError),
    /// There is nothing to start.
    #[error("no program is given")]
    Empty,
    /// The kernel gave no process or no pipe.
    #[error("no process could be made for {program}: {errno}")]
    Fork {
        /// The program.
        program: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The program could not be executed.
    #[error("{program} could not be started: {errno}")]
    Exec {
        /// The program.
        program: String,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl LaunchError {
    /// Whether the program was not found, rather than found and not fit to run.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            LaunchError::Exec {
                errno: Errno::NOENT,
                ..
            }
        )
    }
}

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By itself, with this code.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// The exit code a shell would give: the program's own, or 128 + signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Ended::Exited(code) => code,
            Ended::Killed(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

/// A program we started.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    ended: Option<Ended>,
    stopped: Option<i32>,
}

impl Child {
    /// Starts `command[0]`, found on `PATH` as a shell would, with our environment, folder,
    /// standard streams, process group and terminal, and with the signals as *we* got them.
    ///
    /// It returns when the program is executed. Call it while this process has one thread.
    ///
    /// # Errors
    /// When it cannot be executed; nothing is left behind then.
    pub fn launch(command: &[OsString], inherited: &Inherited) -> Result<Child, LaunchError> {
        Child::launch_with(command, inherited, &[])
    }

    /// The same, with some variables set in its environment.
    ///
    /// # Errors
    /// When it cannot be executed; nothing is left behind then.
    pub fn launch_with(
        command: &[OsString],
        inherited: &Inherited,
        variables: &[(&str, &str)],
    ) -> Result<Child, LaunchError> {
        let program = command.first().ok_or(LaunchError::Empty)?;
        let name = || program.to_string_lossy().into_owned();
        let arguments = command
            .iter()
            .map(|argument| CString::new(argument.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<*const libc::c_char> =
            arguments.iter().map(|argument| argument.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let environment = environment(variables)?;
        let mut names: Vec<*const libc::c_char> =
            environment.iter().map(|name| name.as_ptr()).collect();
        names.push(std::ptr::null());

        let fork_error = |errno| LaunchError::Fork {
            program: name(),
            errno,
        };
        // It tells us whether `exec` worked: success closes the writing end.
        let (told, tell) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fork_error)?;
        let tell = above_standard_streams(tell).map_err(fork_error)?;
        // SAFETY: the child calls only async-signal-safe functions and then `exec` or `_exit`. With
        // SIGCHLD ignored, as some shells leave it, the kernel would keep the exit code to itself.
        let pid = unsafe {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            libc::fork()
        };
        if pid == 0 {
            // SAFETY: we are the child, about to be replaced; `pointers` and `names` are lists of C
            // strings that end with null and live on.
            unsafe {
                inherited.restore();
                libc::execvpe(pointers[0], pointers.as_ptr(), names.as_ptr());
                let errno = (*libc::__errno_location()).to_ne_bytes();
                libc::write(tell.as_raw_fd(), errno.as_ptr().cast(), errno.len());
                libc::_exit(127);
            }
        }
        drop(tell);
        if pid < 0 {
            return Err(fork_error(last_errno()));
        }
        let mut errno = [0; 4];
        let failed = loop {
            match rustix::io::read(&told, &mut errno) {
                Err(Errno::INTR) => {}
                Ok(4) => break true,
                Ok(_) | Err(_) => break false,
            }
        };
        let pid = Pid(pid);
        if failed {
            let mut child = Child {
                pid,
                pidfd: None,
                ended: None,
                stopped: None,
            };
            child.wait();
            return Err(LaunchError::Exec {
                program: name(),
                errno: Errno::from_raw_os_error(i32::from_ne_bytes(errno)),
            });
        }
        Ok(Child {
            pid,
            pidfd: RawPid::from_raw(pid.0)
                .and_then(|raw| pidfd_open(raw, PidfdFlags::empty()).ok()),
            ended: None,
            stopped: None,
        })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// A descriptor that becomes readable when it ends; absent before Linux 5.3.
    #[must_use]
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// How it ended, if it did. Looks, too, whether it was stopped or continued.
    pub fn try_wait(&mut self) -> Option<Ended> {
        self.reap(libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED)
    }

    /// The signal that stopped it, when it was stopped at the last [`try_wait`](Child::try_wait).
    #[must_use]
    pub fn stopped(&self) -> Option<i32> {
        self.stopped
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.reap(0) {
                return ended;
            }
        }
    }

    fn reap(&mut self, flags: libc::c_int) -> Option<Ended> {
        while self.ended.is_none() {
            let mut status = 0;
            // SAFETY: `status` is a valid place; the pid is our child's, not yet reaped.
            let rc = unsafe { libc::waitpid(self.pid.0, &raw mut status, flags) };
            if rc == self.pid.0 {
                if libc::WIFEXITED(status) {
                    self.ended = Some(Ended::Exited(libc::WEXITSTATUS(status) as u8));
                } else if libc::WIFSIGNALED(status) {
                    self.ended = Some(Ended::Killed(libc::WTERMSIG(status)));
                } else if libc::WIFSTOPPED(status) {
                    self.stopped = Some(libc::WSTOPSIG(status));
                } else {
                    self.stopped = None;
                }
            } else if rc < 0 && last_errno() == Errno::CHILD {
                // Someone else took its status: SIGCHLD is ignored. All we know is that it is over.
                self.ended = Some(Ended::Exited(0));
            } else {
                break;
            }
        }
        self.ended
    }

    /// Sends it a signal, if it still lives.
    pub fn signal(&self, signal: i32) {
        if self.ended.is_none() {
            // SAFETY: the child is not reaped yet, so the number is still its own.
            unsafe {
                libc::kill(self.pid.0, signal);
            }
        }
    }
}

/// Our environment with some variables set, each as `NAME=value`.
fn environment(variables: &[(&str, &str)]) -> Result<Vec<CString>, NulError> {
    let is_set = |name: &OsString| variables.iter().any(|(other, _)| name == other);
    let ours = std::env::vars_os().filter(|(name, _)| !is_set(name));
    let set = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    ours.chain(set)
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            CString::new(name.as_bytes())
        })
        .collect()
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Moves a descriptor out of the way of the standard streams: it lands among them when one of
/// ours was closed.
fn above_standard_streams(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    rustix::io::fcntl_dupfd_cloexec(&fd, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn exit_codes_come_back() {
        let inherited = Inherited::capture();
        let mut child = Child::launch(&command(&["sh", "-c", "exit 7"]), &inherited).unwrap();
        assert_eq!(child.wait(), Ended::Exited(7));
        assert_eq!(child.try_wait(), Some(Ended::Exited(7)));
        let mut child = Child::launch(&command(&["sh", "-c", "kill -9 $$"]), &inherited).unwrap();
        assert_eq!(child.wait(), Ended::Killed(9));
        assert_eq!(Ended::Killed(9).code(), 137);
    }

    #[test]
    fn a_stop_is_told_and_is_no_end() {
        let inherited = Inherited::capture();
        let words = command(&["sh", "-c", "kill -STOP $$; exit 7"]);
        let mut child = Child::launch(&words, &inherited).unwrap();
        while child.stopped().is_none() {
            assert_eq!(child.try_wait(), None);
            std::thread::yield_now();
        }
        assert_eq!(child.stopped(), Some(libc::SIGSTOP));
        child.signal(libc::SIGCONT);
        while child.stopped().is_some() {
            if child.try_wait().is_some() {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(child.wait(), Ended::Exited(7));
    }

    #[test]
    fn a_program_that_is_not_there_is_told_apart_from_one_that_cannot_run() {
        let inherited = Inherited::capture();
        let missing = Child::launch(&command(&["/no/such/program"]), &inherited).unwrap_err();
        assert!(missing.is_not_found(), "{missing}");
        let folder = Child::launch(&command(&["/tmp"]), &inherited).unwrap_err();
        assert!(!folder.is_not_found(), "{folder}");
        assert!(matches!(
            Child::launch(&[], &inherited),
            Err(LaunchError::Empty)
        ));
        assert!(matches!(
            Child::launch(&command(&["a\0b"]), &inherited),
            Err(LaunchError::ZeroByte(_))
        ));
    }
}
