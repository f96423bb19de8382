//! Reading a CPython process from outside, without stopping it.
//!
//! **Supplies** [`Target`]: one Python process (3.11 to 3.15, with the GIL), its threads
//! ([`Target::threads`]), their stacks ([`Target::sample`]), code objects ([`Target::resolve`]),
//! asyncio tasks ([`Target::task`]) and GIL ([`Target::gil`]); [`Memory`], behind which the process may be another one or a stored
//! image; [`process`], what the kernel says of it.
//!
//! **Solves** that a running stack changes while it is read: a snapshot is one moment's stack or
//! it is a [`Reject`] with a reason, and [`Counters`] counts what it took.
//!
//! **Not for** policy: when to sample, what to record, whether a thread is asleep. It does not
//! print, nor change the process; only [`Target::stop_and_sample`] stops a thread.
//!
//! ```no_run
//! use sondage_inspect::{StackSnapshot, Target, ThreadCursor};
//! use sondage_model::Pid;
//! let mut target = Target::open(Pid(4242))?;
//! println!("{}", target.runtime().implementation);
//! let mut stack = StackSnapshot::default();
//! for thread in target.threads()? {
//!     let mut cursor = ThreadCursor::new(&thread);
//!     if target.sample(&mut cursor, &mut stack).is_ok() {
//!         for frame in &stack.frames {
//!             if let Some(code) = target.resolve(frame.code) {
//!                 println!("{} {}:{}", code.qualified_name, code.filename, code.line(frame.offset));
//!             }
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asyncio;
mod code;
mod elf;
mod error;
pub mod layout;
mod lines;
mod memory;
mod names;
mod objects;
pub mod process;
mod sample;
mod stop;
mod target;

pub use asyncio::{TaskInfo, TaskKey};
pub use code::{CodeId, CodeInfo};
pub use error::{OpenError, ReadError, Reject};
pub use memory::{Memory, MemoryError, ReadPart, RemoteMemory, Span};
pub use sample::{Counters, Frame, Limits, StackSnapshot, ThreadCursor};
pub use target::{Gil, PythonThread, RuntimeInfo, RuntimePlace, Target};
