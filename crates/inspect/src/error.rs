//! What can go wrong, said so that a person can act on it.

use crate::layout::Version;
use crate::memory::MemoryError;
use sondage_model::{LossKind, Pid};

/// Why a process cannot be read as a Python program.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// No CPython in it.
    #[error("process {pid} is no Python program: {exe} has no CPython in it", pid = pid.0)]
    NotPython {
        /// The process.
        pid: Pid,
        /// The binary it runs.
        exe: String,
    },
    /// The interpreter is still starting.
    #[error("the Python in process {pid} has not started yet", pid = pid.0)]
    NotReady {
        /// The process.
        pid: Pid,
    },
    /// The kernel refuses.
    #[error("not allowed to read process {pid}", pid = pid.0)]
    NoPermission {
        /// The process.
        pid: Pid,
    },
    /// It has ended, or never was.
    #[error("there is no process {pid}", pid = pid.0)]
    Gone {
        /// The process.
        pid: Pid,
    },
    /// A Python that this sondage cannot read.
    #[error("process {pid} runs {what}, which cannot be read: {why}", pid = pid.0)]
    Unsupported {
        /// The process.
        pid: Pid,
        /// Its version, when known.
        version: Option<Version>,
        /// Words for it, as `CPython 3.10`.
        what: String,
        /// The reason.
        why: String,
    },
}

impl OpenError {
    /// What to do next, as a sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            OpenError::NotPython { .. } => {
                "give the process that runs Python itself; `sondage run -- COMMAND` finds it among the children"
            }
            OpenError::NotReady { .. } => "try again in a moment",
            OpenError::NoPermission { .. } => {
                "run sondage as the same user as the process or as root; if /proc/sys/kernel/yama/ptrace_scope is 1, start the program with `sondage run`"
            }
            OpenError::Gone { .. } => "look for the process with `ps`",
            OpenError::Unsupported { .. } => {
                "sondage reads CPython 3.11 to 3.15 with the GIL; look for a newer sondage, or run the program with one of these"
            }
        }
    }

    pub(crate) fn of_memory(error: MemoryError, pid: Pid) -> OpenError {
        match error {
            MemoryError::NoPermission => OpenError::NoPermission { pid },
            MemoryError::Gone => OpenError::Gone { pid },
            MemoryError::Unmapped(_) | MemoryError::Other(_) => {
                if crate::process::is_alive(pid) {
                    OpenError::NotReady { pid }
                } else {
                    OpenError::Gone { pid }
                }
            }
        }
    }
}

/// Why the lists of an open target could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The process has ended or runs another program now.
    #[error("the process has ended")]
    Gone,
    /// The kernel refuses, for instance after the process changed its user.
    #[error("not allowed to read the process any more")]
    NoPermission,
    /// The lists changed while they were read, every time.
    #[error("the interpreter's lists changed while they were read")]
    Torn,
}

impl From<MemoryError> for ReadError {
    fn from(error: MemoryError) -> ReadError {
        match error {
            MemoryError::Gone => ReadError::Gone,
            MemoryError::NoPermission => ReadError::NoPermission,
            MemoryError::Unmapped(_) | MemoryError::Other(_) => ReadError::Torn,
        }
    }
}

/// Why a sample was given up, after all its re-reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Reject {
    /// The stack changed under every read.
    #[error("the stack changed while it was read")]
    Torn,
    /// A pointer led to memory that is not mapped.
    #[error("a pointer led nowhere")]
    BadRead,
    /// A frame or code object made no sense.
    #[error("a frame made no sense")]
    Invalid,
    /// The thread or the process has ended.
    #[error("the thread ended while it was read")]
    Gone,
}

impl Reject {
    /// The kind under which recordings count it.
    #[must_use]
    pub fn loss_kind(self) -> LossKind {
        match self {
            Reject::Torn => LossKind::Torn,
            Reject::BadRead => LossKind::BadRead,
            Reject::Invalid => LossKind::Invalid,
            Reject::Gone => LossKind::Gone,
        }
    }
}
