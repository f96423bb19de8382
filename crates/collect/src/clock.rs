//! The machine's clocks, and waiting for the next tick.

use rustix::time::{ClockId, Timespec, clock_gettime};
use sondage_model::{MonoTime, Nanos};

fn nanos(time: Timespec) -> u64 {
    // Neither clock is negative on a running machine.
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// `CLOCK_MONOTONIC`, now.
#[must_use]
pub fn mono_now() -> MonoTime {
    MonoTime(nanos(clock_gettime(ClockId::Monotonic)))
}

/// The wall clock, now, in nanoseconds since the Unix epoch.
#[must_use]
pub fn unix_now() -> u64 {
    nanos(clock_gettime(ClockId::Realtime))
}

/// CPU time this process has used so far, all threads.
#[must_use]
pub fn own_cpu() -> Nanos {
    Nanos(nanos(clock_gettime(ClockId::ProcessCPUTime)))
}

/// CPU time another process has used so far, all its threads, the ended ones too.
#[must_use]
pub fn process_cpu(pid: sondage_model::Pid) -> Option<Nanos> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // A process's CPU clock is named by its number; see `MAKE_PROCESS_CPUCLOCK` in the kernel:
    // the complement of the pid, shifted by three, with 2 for the scheduler's own count.
    let clock = (!pid.0 << 3) | 2;
    // SAFETY: `time` is a valid place for the result.
    let rc = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (rc == 0).then(|| Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64))
}

/// Below this interval a tick is waited for by looking at the clock, not by sleeping: a timer
/// wake-up costs 13–17 µs of CPU on the 2-core VM and comes up to 50 µs late.
pub const SPIN_BELOW: Nanos = Nanos(60_000);

/// When the next tick is due. Knows no clock.
///
/// Ticks lie one in each interval, at a random place in its middle half, so that a program with a
/// period near ours is not always seen at the same point of its period.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Nanos,
    /// Start of the current interval.
    slot: MonoTime,
    random: u64,
}

impl Schedule {
    /// A schedule whose first tick lies within the first interval after `start`.
    #[must_use]
    pub fn new(start: MonoTime, interval: Nanos) -> Schedule {
        Schedule {
            interval: Nanos(interval.0.max(1)),
            slot: start,
            // Any start but zero will do.
            random: start.0 | 1,
        }
    }

    /// The time of the next tick after `now`, and how many ticks were due before it and are left out.
    pub fn next(&mut self, now: MonoTime) -> (MonoTime, u64) {
        let interval = self.interval.0;
        self.slot.0 += interval;
        let mut missed = 0;
        if now.0 >= self.slot.0 + interval {
            missed = (now.0 - self.slot.0) / interval;
            self.slot.0 += missed * interval;
        }
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let quarter = interval / 4;
        let jitter = if quarter == 0 {
            0
        } else {
            self.random % (2 * quarter)
        };
        (MonoTime(self.slot.0 + quarter + jitter), missed)
    }
}

/// Sleeps, or looks at the clock in a loop, until `due`.
pub fn wait_until(due: MonoTime, interval: Nanos) {
    if interval < SPIN_BELOW {
        while mono_now() < due {
            std::hint::spin_loop();
        }
        return;
    }
    let due = libc::timespec {
        tv_sec: (due.0 / 1_000_000_000) as libc::time_t,
        tv_nsec: (due.0 % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: `due` is a valid time; no remaining time is asked for with TIMER_ABSTIME. An early
    // return by a signal only makes one tick early.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const due,
            std::ptr::null_mut(),
        );
    }
}

/// Asks the kernel to wake this thread when it said, not up to 50 µs later.
pub fn wake_precisely() {
    // SAFETY: sets one number of this thread. A refusal leaves the default slack.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_in_each_interval_at_changing_places() {
        let mut schedule = Schedule::new(MonoTime(1_000_000), Nanos(1000));
        let mut now = MonoTime(1_000_000);
        let mut places = Vec::new();
        for slot in 1..=1000u64 {
            let (due, missed) = schedule.next(now);
            assert_eq!(missed, 0);
            let start = 1_000_000 + slot * 1000;
            assert!((start + 250..start + 750).contains(&due.0), "{due:?}");
            places.push(due.0 - start);
            now = due;
        }
        places.sort_unstable();
        // The middle half is used all over.
        assert!(places[0] < 280 && places[500].abs_diff(500) < 50 && places[999] > 720);
    }

    #[test]
    fn a_late_waker_leaves_ticks_out_and_counts_them() {
        let mut schedule = Schedule::new(MonoTime(0), Nanos(1000));
        let (_, missed) = schedule.next(MonoTime(100));
        assert_eq!(missed, 0);
        // The interval from 2000 is due; at 7,400 those from 2000 to 6000 are over.
        let (due, missed) = schedule.next(MonoTime(7_400));
        assert_eq!(missed, 5);
        assert!((7_250..7_750).contains(&due.0));
        let (due, missed) = schedule.next(due);
        assert_eq!(missed, 0);
        assert!((8_250..8_750).contains(&due.0));
    }

    #[test]
    fn clocks_run() {
        let (a, b) = (mono_now(), mono_now());
        assert!(a <= b && a.0 > 0);
        assert!(unix_now() > 1_700_000_000_000_000_000);
        let us = sondage_model::Pid(std::process::id() as i32);
        assert!(process_cpu(us).unwrap() >= own_cpu().saturating_sub(Nanos(1_000_000_000)));
        assert_eq!(process_cpu(sondage_model::Pid(4_194_303)), None);
    }
}
