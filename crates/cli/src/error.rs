//! What a command says when it cannot do its work.

use std::fmt;

use sondage_collect::launch::Ended;

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// With this exit code.
    Code(u8),
    /// By this signal, as the program that was recorded.
    Signal(i32),
}

impl ExitStatus {
    /// All went well.
    pub const OK: ExitStatus = ExitStatus::Code(0);
    /// The command could not do its work.
    pub const FAILED: ExitStatus = ExitStatus::Code(1);
    /// The arguments make no sense.
    pub const USAGE: ExitStatus = ExitStatus::Code(2);
    /// The program to run was found but could not be started, as shells say it.
    pub const NOT_EXECUTABLE: ExitStatus = ExitStatus::Code(126);
    /// The program to run was not found, as shells say it.
    pub const NOT_FOUND: ExitStatus = ExitStatus::Code(127);
}

impl From<Ended> for ExitStatus {
    fn from(ended: Ended) -> ExitStatus {
        match ended {
            Ended::Exited(code) => ExitStatus::Code(code),
            Ended::Killed(signal) => ExitStatus::Signal(signal),
        }
    }
}

/// A failure that a person reads: what happened, and what to do.
#[derive(Debug)]
pub struct CliError {
    message: String,
    hint: Option<String>,
    status: ExitStatus,
}

impl CliError {
    /// The command could not do its work: what, where, likely cause.
    pub fn new(message: impl fmt::Display) -> CliError {
        CliError {
            message: message.to_string(),
            hint: None,
            status: ExitStatus::FAILED,
        }
    }

    /// The arguments make no sense.
    pub fn usage(message: impl fmt::Display) -> CliError {
        CliError::new(message).with_status(ExitStatus::USAGE)
    }

    /// Adds the next command to try.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> CliError {
        self.hint = Some(hint.to_string());
        self
    }

    /// Ends the program with this code.
    #[must_use]
    pub fn with_status(mut self, status: ExitStatus) -> CliError {
        self.status = status;
        self
    }

    /// The exit code.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// The next command to try.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}
