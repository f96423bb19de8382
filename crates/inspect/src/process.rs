//! What the kernel says of a process: its mappings and its binary.

use object::read::ReadCache;
use sondage_model::Pid;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

/// One line of `/proc/PID/maps`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Whether it may be executed.
    pub executable: bool,
    /// Whether it may be written.
    pub writable: bool,
    /// Offset of `start` in the file.
    pub file_offset: u64,
    /// Inode of the file; 0 for none.
    pub inode: u64,
    /// Path as the kernel shows it, without ` (deleted)`; empty for anonymous memory.
    pub path: String,
}

/// The mappings of a process, in order of address.
///
/// # Errors
/// As reading `/proc/PID/maps` fails: no such process, no permission.
pub fn mappings(pid: Pid) -> io::Result<Vec<Mapping>> {
    let text = fs::read(format!("/proc/{}/maps", pid.0))?;
    Ok(parse_mappings(&String::from_utf8_lossy(&text)))
}

/// Parses the text of `/proc/PID/maps`; lines that make no sense are left out.
#[must_use]
pub fn parse_mappings(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_mapping).collect()
}

fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let access = fields.next()?;
    let file_offset = fields.next()?;
    let _device = fields.next()?;
    let inode = fields.next()?;
    let path = fields.next().unwrap_or("").trim_start();
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        executable: access.contains('x'),
        writable: access.contains('w'),
        file_offset: u64::from_str_radix(file_offset, 16).ok()?,
        inode: inode.parse().ok()?,
        path: path.strip_suffix(" (deleted)").unwrap_or(path).to_owned(),
    })
}

/// A mapped file to read from, by whatever road leads to it: through `map_files` (works for
/// deleted files, needs privilege), through the process's root (containers, chroots), or by the
/// path itself.
///
/// # Errors
/// The error of the last road tried.
pub fn mapped_file(pid: Pid, mapping: &Mapping) -> io::Result<ReadCache<File>> {
    let roads = [
        PathBuf::from(format!(
            "/proc/{}/map_files/{:x}-{:x}",
            pid.0, mapping.start, mapping.end
        )),
        PathBuf::from(format!("/proc/{}/root{}", pid.0, mapping.path)),
        PathBuf::from(&mapping.path),
    ];
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for road in roads {
        match File::open(&road) {
            // PERF: only what is looked at is read. A whole interpreter is 30 MB and took 27 ms of
            // CPU on the 2-core VM (`perf record sondage run`), for each process opened.
            Ok(file) => return Ok(ReadCache::new(file)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The path of the binary the process runs; empty when it cannot be told.
#[must_use]
pub fn executable(pid: Pid) -> String {
    fs::read_link(format!("/proc/{}/exe", pid.0))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether the process exists and is not a zombie.
#[must_use]
pub fn is_alive(pid: Pid) -> bool {
    let Ok(stat) = fs::read(format!("/proc/{}/stat", pid.0)) else {
        return false;
    };
    // The state follows the last parenthesis of the name.
    let after = stat.iter().rposition(|byte| *byte == b')');
    after.is_some_and(|at| !matches!(stat.get(at + 2), Some(b'Z' | b'X') | None))
}

#[cfg(test)]
mod tests {
    use super::parse_mappings;

    #[test]
    fn lines_of_maps() {
        let maps = parse_mappings(
            "7f00-7fff r-xp 00002000 08:01 42                 /a b/libpython3.12.so (deleted)\n\
             8000-9000 rw-p 00000000 00:00 0\n\
             garbage\n\
             zz-9000 rw-p 00000000 00:00 0\n",
        );
        assert_eq!(maps.len(), 2);
        assert_eq!((maps[0].start, maps[0].end), (0x7f00, 0x7fff));
        assert_eq!(maps[0].path, "/a b/libpython3.12.so");
        assert_eq!((maps[0].file_offset, maps[0].inode), (0x2000, 42));
        assert!(maps[0].executable && !maps[0].writable);
        assert_eq!(maps[1].path, "");
        assert!(maps[1].writable);
    }
}
