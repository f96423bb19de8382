//! The text of a source file: from the recording, else from this machine's disk.
//!
//! From disk only files that the recording names are read, only regular ones, and never more than
//! [`MAX_BYTES`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sondage_model::{FileId, Source, SourceError};

/// A longer file is not source that a person reads.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A source file's text, or why there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SourceText {
    /// The text.
    pub(crate) text: Option<Arc<str>>,
    /// Why there is no text, as a sentence.
    pub(crate) missing: Option<String>,
    /// What to know about the text, as a sentence.
    pub(crate) note: Option<String>,
}

impl SourceText {
    fn missing(why: impl Into<String>) -> SourceText {
        SourceText {
            missing: Some(why.into()),
            ..SourceText::default()
        }
    }
}

/// The text of a file that the recording names.
///
/// # Errors
/// When the text kept in the recording is damaged.
pub(crate) fn find(source: &dyn Source, file: FileId) -> Result<SourceText, SourceError> {
    if let Some(text) = source.source_text(file)? {
        return Ok(SourceText {
            text: Some(text),
            ..SourceText::default()
        });
    }
    let path = source.dictionary().file_path(file);
    if path.is_empty() {
        return Ok(SourceText::missing(
            "This code has no source file: it is compiled, or a label of the profiler.",
        ));
    }
    if path.starts_with('<') {
        return Ok(SourceText::missing(format!(
            "{path} is no file: the code was made while the program ran, or is built into Python."
        )));
    }
    if !Path::new(path).is_absolute() {
        return Ok(SourceText::missing(format!(
            "The recording holds no text of {path}, and does not say in which folder it is."
        )));
    }
    Ok(match read(Path::new(path)) {
        Ok((text, changed)) => SourceText {
            text: Some(text.into()),
            missing: None,
            note: note(source, changed),
        },
        Err(why) => SourceText::missing(format!(
            "The recording holds no text of {path}, and this machine has none: {why}."
        )),
    })
}

/// The text and when it was last changed.
fn read(path: &Path) -> io::Result<(String, Option<SystemTime>)> {
    // Without waiting: a pipe of that name must not hang the server.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    if bytes.contains(&0) {
        return Err(io::Error::other("it is not text"));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((text, metadata.modified().ok()))
}

fn note(source: &dyn Source, changed: Option<SystemTime>) -> Option<String> {
    let info = source.info();
    let here = rustix::system::uname();
    if !info.host.is_empty() && here.nodename().to_str().is_ok_and(|here| here != info.host) {
        return Some(format!(
            "This is the file of this machine; the program ran on {}. Lines may differ.",
            info.host
        ));
    }
    let changed = changed?.duration_since(UNIX_EPOCH).ok()?;
    let end = u128::from(info.unix_start_nanos) + u128::from(source.range().end.0);
    let is_newer = info.unix_start_nanos > 0 && changed.as_nanos() > end;
    is_newer.then(|| "This file was changed after the recording. Lines may have moved.".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sondage_model::{MemoryRecording, RecordingInfo};

    /// The texts of these paths, as found for a recording made then.
    fn find_all(paths: &[&str], unix_start_nanos: u64) -> Vec<SourceText> {
        let mut recording = MemoryRecording::new(RecordingInfo {
            unix_start_nanos,
            ..RecordingInfo::default()
        });
        let ids: Vec<FileId> = paths
            .iter()
            .map(|path| recording.dictionary.file(path))
            .collect();
        let source = recording.seal();
        let texts = ids.into_iter().map(|id| find(&source, id));
        texts.collect::<Result<_, _>>().expect("no damage")
    }

    #[test]
    fn what_is_no_text_of_the_program_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        std::fs::write(path("binary.py"), b"ab\0c").expect("written");
        std::fs::write(path("big.py"), vec![b'#'; MAX_BYTES as usize + 1]).expect("written");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe.py"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .expect("a pipe");
        for (path, why) in [
            (path("binary.py"), "not text"),
            (path("big.py"), "larger than"),
            (path("pipe.py"), "no regular file"),
            (path(""), "no regular file"),
            (path("gone.py"), "No such file"),
            ("/dev/zero".into(), "no regular file"),
            ("app.py".into(), "which folder"),
            ("<frozen os>".into(), "built into Python"),
            (String::new(), "no source file"),
        ] {
            let found = &find_all(&[&path], 0)[0];
            assert_eq!(found.text, None, "{path}");
            let missing = found.missing.as_deref().expect("a reason");
            assert!(missing.contains(why), "{path}: {missing}");
        }
    }

    #[test]
    fn a_file_changed_since_says_so() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "x = 1\n\u{e9}\n").expect("written");
        let path = file.path().to_str().expect("UTF-8");
        let long_ago = &find_all(&[path], 1_000_000_000)[0];
        assert_eq!(long_ago.text.as_deref(), Some("x = 1\n\u{e9}\n"));
        assert!(
            long_ago
                .note
                .as_deref()
                .is_some_and(|note| note.contains("changed after"))
        );
        let later = &find_all(&[path], u64::MAX)[0];
        assert_eq!(later.note, None);
    }

    #[test]
    fn the_text_in_the_recording_comes_first() {
        let mut recording = MemoryRecording::new(RecordingInfo::default());
        let id = recording.dictionary.file("/etc/hostname");
        recording.sources.insert(id, "kept".into());
        let found = find(&recording.seal(), id).expect("no damage");
        assert_eq!(found.text.as_deref(), Some("kept"));
        assert_eq!((found.missing, found.note), (None, None));
    }
}
