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
/// From one tick to the next it is between a half and one and a half intervals, one on average. So
/// the ticks wander through the period of a program that repeats itself as often as we look, and see
/// every part of it in proportion, and how long a sample stands for has nothing to do with where it
/// fell. Ticks at random places of fixed slots have neither property.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Nanos,
    /// The last tick.
    last: MonoTime,
    random: u64,
}

impl Schedule {
    /// A schedule whose first tick lies a half to one and a half intervals after `start`.
    #[must_use]
    pub fn new(start: MonoTime, interval: Nanos) -> Schedule {
        Schedule {
            interval: Nanos(interval.0.max(1)),
            last: start,
            // Any start but zero will do.
            random: start.0 | 1,
        }
    }

    /// The time of the next tick, and how many ticks were due before `now` and are left out. It lies
    /// less than one interval before `now`, if not after it.
    pub fn next(&mut self, now: MonoTime) -> (MonoTime, u64) {
        let interval = self.interval.0;
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.last.0 += interval / 2 + self.random % interval;
        let missed = now.0.saturating_sub(self.last.0) / interval;
        self.last.0 += missed * interval;
        (self.last, missed)
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

    /// The times of so many ticks, none of them late.
    fn ticks(count: usize, interval: u64) -> Vec<u64> {
        let mut schedule = Schedule::new(MonoTime(1_000_000), Nanos(interval));
        let mut now = MonoTime(1_000_000);
        (0..count)
            .map(|_| {
                let (due, missed) = schedule.next(now);
                assert_eq!(missed, 0);
                now = due;
                due.0
            })
            .collect()
    }

    #[test]
    fn ticks_come_once_an_interval_on_average_and_never_in_a_row() {
        let ticks = ticks(10_000, 1000);
        for pair in ticks.windows(2) {
            assert!((500..1500).contains(&(pair[1] - pair[0])), "{pair:?}");
        }
        let mean = (ticks[9999] - ticks[0]) as f64 / 9999.0;
        assert!((990.0..1010.0).contains(&mean), "{mean}");
    }

    #[test]
    fn a_program_with_our_period_is_seen_at_every_point_of_it_in_proportion() {
        // Samples stand for the time since the one before.
        let mut tenths = [0.0; 10];
        let ticks = ticks(100_000, 1000);
        for pair in ticks.windows(2) {
            let place = pair[1] % 1000 / 100;
            tenths[place as usize] += (pair[1] - pair[0]) as f64;
        }
        let all = (ticks[99_999] - ticks[0]) as f64;
        for (place, time) in tenths.iter().enumerate() {
            let share = time / all;
            assert!((0.095..0.105).contains(&share), "{place}: {share}");
        }
    }

    #[test]
    fn a_late_waker_leaves_ticks_out_and_counts_them() {
        let mut schedule = Schedule::new(MonoTime(0), Nanos(1000));
        let (first, missed) = schedule.next(MonoTime(100));
        assert_eq!(missed, 0);
        let late = MonoTime(first.0 + 7000);
        let (due, missed) = schedule.next(late);
        assert!(due <= late && late.0 - due.0 < 1000, "{due:?}");
        // A half to one and a half of the seven intervals are this tick's own.
        assert!((5..=6).contains(&missed), "{missed}");
        let (next, missed) = schedule.next(due);
        assert_eq!(missed, 0);
        assert!((500..1500).contains(&(next.0 - due.0)));
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
