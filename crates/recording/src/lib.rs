//! The `.sondage` file: append, recover, index, read in part.
//!
//! **Supplies** [`Writer`], which appends rows to one file and never loses what it has flushed,
//! and [`Recording`], which reads such a file as a [`Source`](sondage_model::Source) without
//! loading its samples. The format is in `docs/formats/recording.md`.
//!
//! **Solves** that a profiler may be killed at any moment, that disks fill up, that recordings of
//! ten million samples must open at once, and that a file from elsewhere may hold anything: a
//! torn tail is cut, damage is skipped and told, and no bytes make the reader panic or use memory
//! without bound.
//!
//! **Not for** sampling, analysis or other tools' formats.
//!
//! ```
//! use sondage_model::*;
//! use sondage_recording::{Recording, Writer};
//!
//! let mut writer = Writer::create(Vec::new(), &RecordingInfo::default())?;
//! let dict = writer.dictionary_mut();
//! let process = dict.add_process(ProcessRow { pid: Pid(42), ..ProcessRow::default() });
//! let thread = dict.add_thread(ThreadRow { process, tid: Tid(42), ..ThreadRow::default() });
//! let function = dict.function("main", "main", "app.py", 1, FunctionKind::Python);
//! let frame = dict.frame(function, 3);
//! let stack = dict.stack(StackId::EMPTY, frame);
//! writer.push_sample(SampleRow {
//!     time: Time(1_000_000), weight: Nanos(1_000_000), count: 1,
//!     thread, stack, task: TaskId::NONE, state: State::new(StateKind::OnCpu, true),
//! })?;
//! writer.flush(Time(1_000_000))?; // From here on a crash does not lose the sample.
//! writer.finish(Time(2_000_000))?;
//!
//! let recording = Recording::from_bytes(writer.into_inner())?;
//! assert_eq!(recording.recovered(), None);
//! assert_eq!(recording.samples(0)?.len(), 1);
//! assert_eq!(recording.dictionary().path(stack), vec![frame]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod cache;
mod chunk;
mod codec;
mod codec_dictionary;
mod codec_index;
mod codec_program;
mod dictionary_loader;
mod error;
mod file;
mod index;
mod ipc;
mod load;
mod lod;
mod output;
mod parts;
mod reader;
mod reader_program;
mod recovery;
mod rows_by_id;
mod store;
mod upgrade;
mod writer;
mod zone_lod;
mod zone_writer;

pub use error::{OpenError, WriteError};
pub use reader::Recording;
pub use recovery::Recovery;
pub use writer::{Writer, Written};
