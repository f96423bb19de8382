//! What a program says of itself: zones, spans, frames, plots, messages, locks.
//!
//! **Supplies** the probes that a program is built with, as plain functions ([`raw`]), and the way
//! of their events: into shared memory that a collector maps ([`connect`]).
//!
//! **Solves** that probes must stay in. A zone is two clock reads and 24 bytes; nothing waits,
//! allocates or calls the system on the way, and what was written outlives `kill -9`.
//!
//! **Not for** looking at the result: `sondage run`, `record` and `view` do that.
//!
//! ```
//! use sondage::raw;
//! let site = raw::site("parse", "app::parse", "src/app.rs", 12, 0);
//! if raw::zone_begin(site) {
//!     raw::zone_end();
//! }
//! assert_eq!(raw::lost().events, 0);
//! ```
#![cfg_attr(not(feature = "enabled"), allow(unused))]

#[cfg(feature = "enabled")]
mod clock;
#[cfg(feature = "enabled")]
mod connect;
#[cfg(feature = "enabled")]
mod local;
#[cfg(feature = "enabled")]
mod process;
#[cfg(feature = "enabled")]
pub mod raw;
#[cfg(feature = "enabled")]
mod registry;

#[cfg(feature = "enabled")]
pub use connect::{ConnectError, Connection, connect, connection};
#[cfg(feature = "enabled")]
pub use process::{BUFFER_VARIABLE, FLIGHT_VARIABLE};
