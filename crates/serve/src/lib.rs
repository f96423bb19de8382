//! The viewer's server: the page and its API over HTTP, for one user on one machine.
//!
//! **Supplies** [`Server`], which serves recordings on the loopback address under an unguessable
//! token; [`answer`], the API as a plain function from a question to JSON (see `docs/api.md`);
//! [`report_json`], what `sondage report` prints; [`open`], which opens a recording or imports a
//! foreign file.
//!
//! **Solves** showing a recording to a browser without giving it to anybody else: a web page in
//! the same browser, or another user of the machine, gets nothing (see `guard`).
//!
//! **Not for** analysis: every figure comes from `sondage-analyze` and `sondage-layout`. Keeps no
//! session: the URL is the whole question. Prints nothing.
//!
//! ```
//! # use std::sync::Arc;
//! # use sondage_model::{MemoryRecording, RecordingInfo};
//! use sondage_serve::{Options, Recording, Server};
//! let rows = MemoryRecording::new(RecordingInfo::default()).seal();
//! let recording = Recording::new("app.sondage", Arc::new(rows))?;
//! let server = Server::bind(vec![recording], Options::default())?;
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! let stop = std::future::ready(()); // `stop_signal()` in a program
//! server.run(stop)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod assets;
mod cache;
mod error;
mod guard;
mod recording;
mod report;
mod server;
mod source_text;

pub use api::answer;
pub use assets::page_is_embedded;
pub use error::{ApiError, ErrorKind};
pub use recording::{OpenError, Recording, open};
pub use report::report_json;
pub use server::{Options, ServeError, Server, keep_memory_small, stop_signal};
