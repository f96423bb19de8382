//! The formats: one line each.

use std::fmt;
use std::io::Write;

use sondage_model::{MemoryRecording, Source};

use crate::{ExportOptions, FormatError, ImportOptions};

/// Every format, in the order help and menus show them.
pub static FORMATS: &[Format] = &[
    crate::speedscope::FORMAT,
    crate::firefox::FORMAT,
    crate::chrome::FORMAT,
    crate::perfetto::FORMAT,
    crate::pprof::FORMAT,
    crate::collapsed::FORMAT,
    crate::svg::FORMAT,
    crate::callgrind::FORMAT,
    crate::json_tree::FORMAT,
    crate::otlp::FORMAT,
];

/// A file format of another tool.
pub struct Format {
    /// The word for it on the command line.
    pub name: &'static str,
    /// One line: what it is and what opens it.
    pub description: &'static str,
    /// Ending of its files, without the first dot.
    pub extension: &'static str,
    /// What an export does not carry, told to the user.
    pub loses: &'static str,
    /// Whether the file is text that may be printed on a terminal.
    pub text: bool,
    /// How to write it.
    pub export: Option<Export>,
    /// How to read it.
    pub import: Option<Import>,
}

/// Writes the selected part of a recording.
///
/// # Errors
/// When the recording is damaged or the output cannot be written.
pub type Export = fn(&dyn Source, &ExportOptions, &mut dyn Write) -> Result<(), FormatError>;

/// How a format is recognised and read.
#[derive(Clone, Copy)]
pub struct Import {
    /// Looks at the bytes of a file and says whether it is one.
    pub sniff: fn(&[u8]) -> Confidence,
    /// Reads the whole file. Never panics, whatever the bytes.
    pub read: fn(&[u8], &ImportOptions) -> Result<MemoryRecording, FormatError>,
    /// What an import does not carry over, told to the user.
    pub loses: &'static str,
}

/// How sure an importer is that a file is its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Confidence {
    /// It is not, because of this.
    No(String),
    /// It looks like it; a [`Confidence::Sure`] one goes first.
    Likely,
    /// It is.
    Sure,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format")
            .field("name", &self.name)
            .field("extension", &self.extension)
            .field("exports", &self.export.is_some())
            .field("imports", &self.import.is_some())
            .finish()
    }
}

/// The format of this name.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<&'static Format, FormatError> {
    FORMATS
        .iter()
        .find(|format| format.name == name)
        .ok_or_else(|| FormatError::NoSuchFormat {
            name: name.to_owned(),
            known: FORMATS
                .iter()
                .map(|format| format.name)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The format whose extension this file name has; the longest extension wins.
#[must_use]
pub fn for_file_name(name: &str) -> Option<&'static Format> {
    FORMATS
        .iter()
        .filter(|format| {
            name.strip_suffix(format.extension)
                .is_some_and(|stem| stem.ends_with('.'))
        })
        .max_by_key(|format| format.extension.len())
}

/// Writes the selected part of `source` in the format of this name.
///
/// # Errors
/// When there is no such format, it cannot be written, the recording is damaged, or the output
/// cannot be written.
pub fn export(
    name: &str,
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let format = find(name)?;
    let write = format.export.ok_or(FormatError::WrongDirection {
        format: format.name,
        can: "imported",
        cannot: "exported",
    })?;
    write(source, options, out)
}

/// Reads a file of the format of this name.
///
/// # Errors
/// When there is no such format, it cannot be read, or the bytes are not one.
pub fn import_as(
    name: &str,
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<MemoryRecording, FormatError> {
    let format = find(name)?;
    let import = format.import.ok_or(FormatError::WrongDirection {
        format: format.name,
        can: "exported",
        cannot: "imported",
    })?;
    (import.read)(bytes, options)
}

/// Finds out what `bytes` are and reads them.
///
/// # Errors
/// When no format takes them (the error lists why each declined), or the one that does finds them
/// damaged.
pub fn import(
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<(&'static Format, MemoryRecording), FormatError> {
    let mut likely = None;
    let mut declined = Vec::new();
    for format in FORMATS {
        let Some(import) = format.import else {
            continue;
        };
        match (import.sniff)(bytes) {
            Confidence::Sure => return Ok((format, (import.read)(bytes, options)?)),
            Confidence::Likely => likely = likely.or(Some((format, import))),
            Confidence::No(why) => declined.push((format.name, why)),
        }
    }
    let (format, import) = likely.ok_or(FormatError::Unrecognised { declined })?;
    Ok((format, (import.read)(bytes, options)?))
}
