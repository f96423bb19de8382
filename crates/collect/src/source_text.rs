//! The text of source files, as the recorded process sees them.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use sondage_model::Pid;

/// Files longer than this are not kept.
const LARGEST_FILE: u64 = 2 << 20;
/// Once this much text is kept, no more is.
const LARGEST_SUM: u64 = 64 << 20;

/// The root folder and the working folder of a process, kept open so that files can be read after
/// its end.
#[derive(Debug)]
pub struct Folders {
    /// Absent when the root is ours, too.
    root: Option<OwnedFd>,
    working: PathBuf,
}

impl Folders {
    /// Those of a process, as far as we may see them.
    #[must_use]
    pub fn of(pid: Pid) -> Folders {
        let root = format!("/proc/{}/root", pid.0);
        let elsewhere = std::fs::read_link(&root).is_ok_and(|path| path != Path::new("/"));
        // A container's root is "/" in its own mount namespace.
        let ns = |who: String| std::fs::read_link(format!("/proc/{who}/ns/mnt")).ok();
        let namespaced = ns(pid.0.to_string()) != ns("self".into());
        Folders {
            root: (elsewhere || namespaced)
                .then(|| {
                    rustix::fs::open(
                        &root,
                        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                        Mode::empty(),
                    )
                    .ok()
                })
                .flatten(),
            working: std::fs::read_link(format!("/proc/{}/cwd", pid.0)).unwrap_or_default(),
        }
    }

    fn open(&self, path: &Path) -> Option<File> {
        let path = self.working.join(path);
        let Some(root) = &self.root else {
            return File::open(path).ok();
        };
        let inside: PathBuf = path
            .components()
            .filter(|part| !matches!(part, Component::RootDir))
            .collect();
        let fd = rustix::fs::openat2(
            root,
            &inside,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
        .ok()?;
        Some(fd.into())
    }
}

/// Reads source texts within limits of size.
#[derive(Debug, Default)]
pub struct SourceReader {
    kept: u64,
}

impl SourceReader {
    /// The text of a file of the process; `None` for what is no file, too large, or not a source
    /// (`<string>`, `<frozen importlib._bootstrap>`).
    pub fn read(&mut self, folders: &Folders, path: &str) -> Option<String> {
        if path.is_empty() || path.starts_with('<') || self.kept >= LARGEST_SUM {
            return None;
        }
        let file = folders.open(Path::new(path))?;
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > LARGEST_FILE {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE).read_to_end(&mut bytes).ok()?;
        // A compiled module, or a binary that calls itself a source.
        if bytes.contains(&0) {
            return None;
        }
        self.kept += bytes.len() as u64;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Folders {
        Folders::of(Pid(std::process::id() as i32))
    }

    #[test]
    fn texts_relative_and_absolute() {
        let mut reader = SourceReader::default();
        let folders = ours();
        assert!(folders.root.is_none());
        let text = reader.read(&folders, "src/source_text.rs").unwrap();
        assert!(text.contains("texts_relative_and_absolute"));
        let here = std::env::current_dir().unwrap().join("src/lib.rs");
        assert!(reader.read(&folders, here.to_str().unwrap()).is_some());
    }

    #[test]
    fn what_is_no_source_is_left_out() {
        let mut reader = SourceReader::default();
        for path in [
            "",
            "<string>",
            "/no/such.py",
            "/tmp",
            "/dev/zero",
            "/proc/self/exe",
        ] {
            assert_eq!(reader.read(&ours(), path), None, "{path}");
        }
    }

    #[test]
    fn a_changed_root_cannot_be_left() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.py"), "x = 1").unwrap();
        std::os::unix::fs::symlink("/a.py", folder.path().join("link.py")).unwrap();
        let root = rustix::fs::open(
            folder.path(),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
        let folders = Folders {
            root: Some(root),
            working: "/".into(),
        };
        let mut reader = SourceReader::default();
        for path in ["/a.py", "a.py", "/link.py", "/../../a.py"] {
            assert_eq!(
                reader.read(&folders, path).as_deref(),
                Some("x = 1"),
                "{path}"
            );
        }
        assert_eq!(reader.read(&folders, "/etc/passwd"), None);
    }
}
