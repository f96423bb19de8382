//! The two clocks: ticks, which events carry, and `CLOCK_MONOTONIC`.

use sondage_wire::ClockKind;
use std::sync::atomic::{AtomicU8, Ordering};

/// What [`CLOCK`] holds before anybody asked.
const UNKNOWN: u8 = 0;
const TSC: u8 = 1;
const MONOTONIC: u8 = 2;

/// Which clock ticks are of. Found once and the same for good.
static CLOCK: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Now, in ticks.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    if CLOCK.load(Ordering::Relaxed) == TSC {
        tsc()
    } else {
        other_ticks()
    }
}

#[cold]
fn other_ticks() -> u64 {
    match kind() {
        ClockKind::Tsc => tsc(),
        ClockKind::MonotonicNanos => mono_nanos(),
    }
}

/// The time stamp counter. Only called where [`kind`] found one.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; `prctl(PR_SET_TSC)` could forbid it, and
    // would forbid the system's own clock with it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// There is no counter that the collector could calibrate.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn tsc() -> u64 {
    mono_nanos()
}

/// What ticks count in this process.
pub(crate) fn kind() -> ClockKind {
    let clock = match CLOCK.load(Ordering::Relaxed) {
        UNKNOWN => {
            let clock = if has_steady_tsc() { TSC } else { MONOTONIC };
            // Two threads may both find out; they find the same.
            CLOCK.store(clock, Ordering::Relaxed);
            clock
        }
        known => known,
    };
    if clock == TSC {
        ClockKind::Tsc
    } else {
        ClockKind::MonotonicNanos
    }
}

/// Whether the counter runs at one rate on all processors: the processor says so, and the kernel,
/// which compares them, still keeps it as a clock.
#[cfg(target_arch = "x86_64")]
fn has_steady_tsc() -> bool {
    use core::arch::x86_64::__cpuid;
    const LAST_LEAF: u32 = 0x8000_0000;
    const POWER: u32 = 0x8000_0007;
    const INVARIANT_TSC: u32 = 1 << 8;
    let is_invariant = __cpuid(LAST_LEAF).eax >= POWER && __cpuid(POWER).edx & INVARIANT_TSC != 0;
    is_invariant && kernel_keeps_tsc()
}

/// Whether `tsc` is among the kernel's clocks. In a sandbox without /sys the processor's word has to
/// do. Sets no memory aside: the first probe may be an allocator's.
#[cfg(target_arch = "x86_64")]
fn kernel_keeps_tsc() -> bool {
    let path = c"/sys/devices/system/clocksource/clocksource0/available_clocksource";
    let mut clocks = [0_u8; 256];
    // SAFETY: the path is a C string, the buffer as long as said, and the file closed once.
    let read = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return true;
        }
        let read = libc::read(file, clocks.as_mut_ptr().cast(), clocks.len());
        libc::close(file);
        read
    };
    let Ok(read) = usize::try_from(read) else {
        return true;
    };
    clocks[..read]
        .split(u8::is_ascii_whitespace)
        .any(|clock| clock == b"tsc")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_steady_tsc() -> bool {
    false
}

/// Now, in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn mono_nanos() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is ours to write; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Both clocks at one moment: ticks, nanoseconds. The narrowest of a few tries, so that being
/// interrupted between the two does not shift one against the other.
pub(crate) fn both() -> (u64, u64) {
    let once = || {
        let before = ticks();
        let nanos = mono_nanos();
        let after = ticks();
        (
            after.wrapping_sub(before),
            (before + (after - before) / 2, nanos),
        )
    };
    (0..4)
        .map(|_| once())
        .min_by_key(|(width, _)| *width)
        .map_or((0, 0), |(_, both)| both)
}
