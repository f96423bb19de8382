//! Collectors and files where probes are compiled out: there is nothing to give them.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A collector that was found: there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Where it listens.
    pub address: String,
    /// Its process.
    pub pid: u32,
}

/// Why there is no collector.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The probes are compiled out.
    Off,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this program was built without probes")
    }
}

impl std::error::Error for ConnectError {}

/// Finds no collector.
///
/// # Errors
/// Always.
pub fn connect(address: Option<&str>) -> Result<Connection, ConnectError> {
    let _ = address;
    Err(ConnectError::Off)
}

/// None.
pub fn connection() -> Option<Connection> {
    None
}

/// Why events could not be saved.
#[derive(Debug)]
pub struct SaveError {
    /// Where to.
    pub path: PathBuf,
    /// What was tried.
    pub step: &'static str,
    /// Why it was not.
    pub error: io::Error,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this program was built without probes: there are no events to save")
    }
}

impl std::error::Error for SaveError {}

/// Saves nothing.
///
/// # Errors
/// Always: whoever asks for the file would look for it.
pub fn save(path: impl AsRef<Path>) -> Result<PathBuf, SaveError> {
    Err(SaveError {
        path: path.as_ref().to_owned(),
        step: "writing",
        error: io::Error::from(io::ErrorKind::Unsupported),
    })
}

/// Does nothing.
///
/// # Errors
/// Never.
pub fn save_at_exit(path: impl AsRef<Path>) -> Result<(), SaveError> {
    let _ = path;
    Ok(())
}

/// Does nothing.
///
/// # Errors
/// Never.
pub fn save_on_crash(path: impl AsRef<Path>) -> Result<(), SaveError> {
    let _ = path;
    Ok(())
}
