//! What a program says of itself: zones, spans, frames, plots, messages, locks, memory.
//!
//! **Supplies** the probes that a program is built with: [`zone!`], [`#[instrument]`](instrument),
//! [`span!`], [`cumulative!`], [`frame_mark!`], [`frame!`], [`plot!`], [`message!`], the locks of
//! [`sync`], the allocator [`Alloc`]; the same as plain functions for bindings ([`raw`]); and the
//! way of their events, into shared memory that a collector maps ([`connect()`]) or into a file
//! ([`save()`]).
//!
//! **Solves** that probes must stay in. A zone is two clock reads and 24 bytes; nothing waits,
//! allocates or calls the system on the way, and what was written outlives `kill -9`. Without a
//! collector the last 4 MB of each thread are kept, 64 MB of the process
//! (`SONDAGE_FLIGHT`, `SONDAGE_BUFFER`). With `default-features = false` every probe is nothing.
//! With the feature `tracy` all of it reaches the Tracy profiler too, once that is asked for: the
//! module `tracy`, which is only there with the feature.
//!
//! **Not for** looking at the result: `sondage run`, `record` and `view` do that. Nor for signal
//! handlers: a probe there may have interrupted another one.
//!
//! ```
//! use sondage::{frame_mark, message, plot, zone};
//!
//! #[sondage::instrument]
//! fn load(paths: &[&str]) -> usize {
//!     for path in paths {
//!         zone!("file", path = path);
//!         message!("read {path}");
//!     }
//!     paths.len()
//! }
//!
//! let files = load(&["a.toml", "b.toml"]);
//! plot!("files", files);
//! frame_mark!();
//! ```

mod alloc;
mod cumulative;
mod frame;
mod site;
mod span;
pub mod sync;
#[cfg(feature = "tracing")]
pub mod tracing;

#[cfg(feature = "enabled")]
mod clock;
#[cfg(feature = "enabled")]
mod connect;
#[cfg(feature = "enabled")]
mod local;
#[cfg(feature = "enabled")]
mod macros;
#[cfg(feature = "enabled")]
mod process;
#[cfg(feature = "enabled")]
pub mod raw;
#[cfg(feature = "enabled")]
mod registry;
#[cfg(feature = "enabled")]
mod save;
#[cfg(all(feature = "enabled", feature = "tracy"))]
mod tell;
#[cfg(all(feature = "enabled", not(feature = "tracy")))]
#[path = "tell_off.rs"]
mod tell;
#[cfg(all(feature = "enabled", feature = "tracy"))]
pub mod tracy;

#[cfg(not(feature = "enabled"))]
mod macros_off;
#[cfg(not(feature = "enabled"))]
mod off;
#[cfg(not(feature = "enabled"))]
#[path = "raw_off.rs"]
pub mod raw;
#[cfg(all(not(feature = "enabled"), feature = "tracy"))]
#[path = "tracy_off.rs"]
pub mod tracy;

pub use alloc::Alloc;
pub use cumulative::{Cumulative, Pass};
pub use frame::{Frame, Level};
#[doc(hidden)]
pub use frame::{mark_frame, plot_value, write_message};
pub use raw::{SpanId, TraceId, Value, process_name, set_enabled, thread_name};
pub use site::{AsValue, Site, Text, Zone};
pub use sondage_sdk_macros::instrument;
pub use span::{InSpan, Span};

#[cfg(feature = "enabled")]
pub use connect::{ConnectError, Connection, connect, connection};
#[cfg(feature = "enabled")]
pub use save::{SaveError, save, save_at_exit, save_on_crash};

#[cfg(not(feature = "enabled"))]
pub use off::{
    ConnectError, Connection, SaveError, connect, connection, save, save_at_exit, save_on_crash,
};

/// Environment variable: bytes of the whole process's events, such as `64M`.
pub const BUFFER_VARIABLE: &str = "SONDAGE_BUFFER";
/// Environment variable: bytes that one thread keeps while nobody collects, such as `4M`.
pub const FLIGHT_VARIABLE: &str = "SONDAGE_FLIGHT";

/// The guide's examples.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/rust.md")]
struct Guide;

/// The guide's examples.
#[cfg(all(doctest, feature = "tracy"))]
#[doc = include_str!("../../../docs/guide/tracy.md")]
struct TracyGuide;
