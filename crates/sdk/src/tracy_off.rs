//! Tracy where probes are compiled out: there is nothing to tell it.

#[path = "tracy/config.rs"]
mod config;

#[path = "tracy/note.rs"]
mod note;

pub use config::{Config, DEFAULT_PORT, StartError, VARIABLE, is_asked_for};
pub use note::Note;

use crate::raw::SpanId;
use std::net::SocketAddr;
use std::time::Duration;

/// No.
#[must_use]
pub const fn is_available() -> bool {
    false
}

/// Starts nothing.
///
/// # Errors
/// Always.
pub fn start(config: &Config) -> Result<SocketAddr, StartError> {
    let _ = config;
    Err(StartError::Off)
}

/// Starts nothing.
///
/// # Errors
/// When the environment asks for it.
pub fn start_if_asked() -> Result<Option<SocketAddr>, StartError> {
    if is_asked_for() {
        return Err(StartError::Off);
    }
    Ok(None)
}

/// No.
#[must_use]
pub fn is_started() -> bool {
    false
}

/// No.
#[must_use]
pub fn is_connected() -> bool {
    false
}

/// Nowhere.
#[must_use]
pub fn address() -> Option<SocketAddr> {
    None
}

/// Does nothing.
pub fn allocator_hook_enable() {}

/// Does nothing.
pub fn note(span: SpanId, note: Note<'_>) {
    let _ = (span, note);
}

/// Nothing.
#[doc(hidden)]
pub fn span_enter(span: SpanId) {
    let _ = span;
}

/// Nothing.
#[doc(hidden)]
pub fn span_exit(span: SpanId) {
    let _ = span;
}

/// There is nothing to wait for.
pub fn flush(limit: Duration) -> bool {
    let _ = limit;
    true
}
