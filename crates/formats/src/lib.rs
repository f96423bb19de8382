//! Files of other tools: recordings out to them, their profiles in.
//!
//! **Supplies** the [`FORMATS`] registry. A [`Format`] says its name, what opens it, its file
//! extension and what it [loses](Format::loses); it can [`export`] any [`Source`], [`import`] bytes
//! into a [`MemoryRecording`], or both.
//!
//! **Solves** that each profile viewer has a format of its own, and that a conversion which
//! silently drops something is a lie: totals are those of the recording to the nanosecond (or the
//! rounding is stated), and what cannot be carried is told.
//!
//! **Not for** choosing file names, opening files or printing; for sondage's own file see
//! `sondage-recording`. Adding a format is one file in `src/` and one line in [`FORMATS`].
//!
//! ```
//! use sondage_formats::{ExportOptions, ImportOptions, export, import};
//! use sondage_model::Source;
//! let bytes = b"main (app.py:3);work (app.py:9) 7\nmain (app.py:4) 2\n";
//! let (format, recording) = import(bytes, &ImportOptions::default()).unwrap();
//! assert_eq!(format.name, "collapsed");
//! let mut out = Vec::new();
//! export("speedscope", &recording.seal(), &ExportOptions::default(), &mut out).unwrap();
//! assert!(out.starts_with(b"{\"$schema\":\"https://www.speedscope.app"));
//! ```
//!
//! [`Source`]: sondage_model::Source
//! [`MemoryRecording`]: sondage_model::MemoryRecording

mod callgrind;
mod calltree;
mod chrome;
mod collapsed;
mod error;
mod firefox;
mod firefox_markers;
mod firefox_tables;
mod importing;
mod json;
mod json_tree;
mod names;
mod numbers;
mod options;
mod otlp;
mod otlp_proto;
mod perfetto;
mod perfetto_proto;
mod pprof;
mod pprof_proto;
mod pprof_read;
mod registry;
mod select;
mod speedscope;
mod svg;
mod zones;

pub use error::FormatError;
pub use options::{Detail, ExportOptions, ImportOptions, ImportUnit, Measure};
pub use registry::{
    Confidence, Export, FORMATS, Format, Import, export, find, for_file_name, import, import_as,
};
