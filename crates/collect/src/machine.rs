//! The machine a recording is made on.

use sondage_model::{MonoTime, Nanos, RecordingInfo};

use crate::clock;

fn line_of(path: &str) -> String {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A [`RecordingInfo`] about this machine and this moment; the command and the labels are the
/// caller's to fill in.
#[must_use]
pub fn recording_info(interval: Nanos) -> RecordingInfo {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    RecordingInfo {
        engine: "outside".into(),
        writer: env!("CARGO_PKG_VERSION").into(),
        unix_start_nanos: clock::unix_now(),
        mono_start: clock::mono_now(),
        interval,
        host: text(name.nodename()),
        system: format!(
            "{} {} {}",
            text(name.sysname()),
            text(name.release()),
            text(name.machine())
        ),
        cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        boot_id: line_of("/proc/sys/kernel/random/boot_id"),
        ..RecordingInfo::default()
    }
}

/// Bytes in a page of memory.
#[must_use]
pub fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// How many of the kernel's clock ticks are in a second.
#[must_use]
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// The time between this machine's start and `ticks` on its boot clock, as a [`MonoTime`].
///
/// The boot clock also runs while the machine is suspended; on one that never was they agree.
#[must_use]
pub fn mono_of_ticks(ticks: u64) -> MonoTime {
    MonoTime(ticks.saturating_mul(1_000_000_000 / ticks_per_second().max(1)))
}

/// Raises our limit of open files as far as we may: two are open for each thread observed. To be
/// called after the program to record is started, which must not inherit it.
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // With fewer files, fewer threads are observed.
    let _ = setrlimit(Resource::Nofile, raised);
}
