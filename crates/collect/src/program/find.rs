//! Arenas of programs that did not call: their memory is among the files that they have open, or
//! only among what they have mapped.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use sondage_model::Pid;
use sondage_wire::hello::MEMORY_NAME;

/// Files of a process that are looked through.
const MOST_FILES: usize = 1 << 16;

/// The memory of each arena that a process has, once. Whether it is of this process or of one that
/// it was forked from, its header tells.
#[must_use]
pub fn arenas(pid: Pid) -> Vec<OwnedFd> {
    let link = format!("/memfd:{MEMORY_NAME}");
    let open =
        |path: PathBuf| rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok();
    let is_arena = |path: &PathBuf| {
        let target = std::fs::read_link(path);
        target.is_ok_and(|target| target.to_string_lossy().starts_with(&link))
    };
    let files = std::fs::read_dir(format!("/proc/{}/fd", pid.0));
    let files = files.into_iter().flatten().flatten().take(MOST_FILES);
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.path()).filter(is_arena).collect();
    if paths.is_empty() {
        // A program that closes everything it has open keeps what it has mapped.
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", pid.0)).unwrap_or_default();
        let ours = maps.lines().filter(|line| line.contains(&link));
        let ranges = ours.filter_map(|line| line.split(' ').next());
        paths = ranges
            .map(|range| PathBuf::from(format!("/proc/{}/map_files/{range}", pid.0)))
            .collect();
    }
    let mut known = Vec::new();
    paths
        .into_iter()
        .filter_map(open)
        .filter(|file| {
            let identity = super::mapping::identity(file);
            let is_new = identity.is_some() && !known.contains(&identity);
            known.push(identity);
            is_new
        })
        .collect()
}
