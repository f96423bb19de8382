//! Records running programs: starts them or attaches to them, follows their children, looks at
//! every thread at a fixed rate, takes what programs say of themselves out of their shared memory, and
//! writes the recording.
//!
//! **Supplies** [`launch`] (start a program as a shell would), [`Session`] (record a process and
//! its children into a file), [`Listener`] (where programs that have probes call), [`flight`] (files
//! that they saved by themselves), [`Options`], and readers of what the kernel says ([`procfs`],
//! [`machine`]).
//!
//! **Solves** four things. *The time each sample stands for*: every nanosecond between a thread's
//! first sight and its last observation is in exactly one row, late ticks and rejected reads
//! included. *The state of a thread*: from the scheduler's own figures; a wait for the GIL is a
//! `futex` call on an address inside the GIL. *Its own cost*: a sleeping thread costs one read of a
//! small file a tick, a running one about 3 µs; rows are encoded and written by another thread, for
//! which the sampler never waits. *What a program said*: every event that it committed is in the
//! recording, also after `kill -9`, and whatever is in its memory harms nobody else.
//!
//! **Not for** reading Python's memory (`sondage-inspect`), the file's bytes
//! (`sondage-recording`), or printing: messages come as [`Notice`]s.
//!
//! ```no_run
//! use sondage_collect::{About, NewRecording, Options, Session};
//! use sondage_model::Pid;
//! # fn main() -> Result<(), sondage_collect::StartError> {
//! let file = NewRecording::create("app.sondage".as_ref(), false)?;
//! let session = Session::start(Pid(4711), file, About::default(), Options::default())?;
//! std::thread::sleep(std::time::Duration::from_secs(10));
//! let (summary, _messages) = session.stop();
//! assert!(summary.error.is_none());
//! # Ok(())
//! # }
//! ```

mod batch;
pub mod clock;
pub mod doctor;
mod dump;
pub mod launch;
mod life;
pub mod live;
pub mod machine;
mod metrics;
mod names;
mod options;
mod process;
pub mod procfs;
mod program;
mod recorder;
mod rows;
mod sampler;
mod scheduler;
mod session;
mod source_text;
mod stacks;
mod tasks;
mod thread;
mod writer;

pub use dump::{DumpFrame, ProcessDump, ThreadDump, dump};
pub use names::process_name;
pub use options::Options;
pub use program::{ListenError, Listener, flight};
pub use sampler::Notice;
pub use session::{About, NewRecording, Progress, Session, StartError, Summary, check_target};
/// Environment variable that tells a program where its collector listens.
pub use sondage_wire::hello::ADDRESS_VARIABLE;
/// Where a program of this user looks for a collector when nobody told it.
pub use sondage_wire::hello::default_address;
