//! From a program's ticks to `CLOCK_MONOTONIC`.

use std::collections::VecDeque;

use sondage_wire::ClockKind;

use crate::clock::mono_now;

/// Moments that are kept. Fifty a second, so that events of the last twenty seconds are converted
/// between the two moments around them.
const MOST_POINTS: usize = 1024;

/// One moment on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The processor's time stamp counter.
    pub ticks: u64,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub mono_nanos: u64,
}

impl Moment {
    /// Both clocks, now: the closest of a few pairs of readings.
    #[must_use]
    pub fn now() -> Moment {
        let pairs = (0..5).map(|_| {
            let before = mono_now().0;
            let ticks = time_stamp_counter();
            let after = mono_now().0;
            let mono_nanos = before + (after - before) / 2;
            (after - before, Moment { ticks, mono_nanos })
        });
        let best = pairs.min_by_key(|(took, _)| *took);
        best.map_or(
            Moment {
                ticks: 0,
                mono_nanos: 0,
            },
            |(_, moment)| moment,
        )
    }
}

/// The counter that [`ClockKind::Tsc`] names; 0 where there is none.
fn time_stamp_counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 processor has the instruction, and Linux permits it.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads a counter that Linux permits programs to read.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        0
    }
}

/// A moment, and the clocks' ratio between the one before and this.
#[derive(Clone, Copy, Debug)]
struct Point {
    moment: Moment,
    /// Nanoseconds for a tick since the point before.
    rate: f64,
}

/// Converts ticks, straight between the moments that it is given.
#[derive(Clone, Debug)]
pub struct TickClock {
    kind: ClockKind,
    points: VecDeque<Point>,
}

/// Nanoseconds for a tick that a processor can have: from 100 GHz to 1 MHz.
const RATES: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

impl TickClock {
    /// A clock of this kind.
    #[must_use]
    pub fn new(kind: ClockKind) -> TickClock {
        TickClock {
            kind,
            points: VecDeque::new(),
        }
    }

    /// Adds a moment. One that is not later than the last on both clocks, or that is so far off
    /// that no processor counts like that, is passed over.
    pub fn add(&mut self, moment: Moment) {
        let Some(last) = self.points.back().copied() else {
            self.points.push_back(Point { moment, rate: 0.0 });
            return;
        };
        let ticks = moment.ticks.checked_sub(last.moment.ticks);
        let nanos = moment.mono_nanos.checked_sub(last.moment.mono_nanos);
        let (Some(ticks), Some(nanos)) = (ticks, nanos) else {
            return;
        };
        let rate = nanos as f64 / ticks as f64;
        if !RATES.contains(&rate) {
            return;
        }
        if self.points.len() == 1 {
            self.points[0].rate = rate;
        }
        if self.points.len() == MOST_POINTS {
            // The first stays: it was the beginning.
            let next = self.points[2].moment;
            let first = self.points[0].moment;
            let rate =
                (next.mono_nanos - first.mono_nanos) as f64 / (next.ticks - first.ticks) as f64;
            self.points.remove(1);
            self.points[1].rate = rate;
        }
        self.points.push_back(Point { moment, rate });
    }

    /// The time of a tick on `CLOCK_MONOTONIC`, in nanoseconds.
    #[must_use]
    pub fn mono_nanos(&self, ticks: u64) -> u64 {
        if self.kind == ClockKind::MonotonicNanos {
            return ticks;
        }
        let count = self.points.len();
        let Some(last) = self.points.back() else {
            return ticks;
        };
        // Nearly all events are of the last two stretches.
        let at = if ticks >= last.moment.ticks {
            count
        } else if count >= 2 && ticks >= self.points[count - 2].moment.ticks {
            count - 1
        } else {
            self.points
                .partition_point(|point| point.moment.ticks <= ticks)
        };
        // Before the first and after the last, the nearest stretch goes on.
        let base = self.points[at.saturating_sub(1)].moment;
        let rate = self.points[at.min(count - 1)].rate;
        if ticks >= base.ticks {
            let nanos = ((ticks - base.ticks) as f64 * rate) as u64;
            base.mono_nanos.saturating_add(nanos)
        } else {
            let nanos = ((base.ticks - ticks) as f64 * rate) as u64;
            base.mono_nanos.saturating_sub(nanos)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(ticks: u64, mono_nanos: u64) -> Moment {
        Moment { ticks, mono_nanos }
    }

    #[test]
    fn time_runs_straight_between_moments() {
        let mut clock = TickClock::new(ClockKind::Tsc);
        clock.add(moment(3_000, 1_000));
        clock.add(moment(6_000, 2_000));
        clock.add(moment(9_000, 4_000));
        let times = [3_000, 4_500, 6_000, 7_500, 9_000, 10_500, 1_500].map(|t| clock.mono_nanos(t));
        assert_eq!(times, [1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 500]);
    }

    #[test]
    fn nonsense_is_passed_over() {
        let mut clock = TickClock::new(ClockKind::Tsc);
        clock.add(moment(1_000, 1_000));
        clock.add(moment(500, 2_000));
        clock.add(moment(1_000, 3_000));
        clock.add(moment(u64::MAX, 3_000));
        clock.add(moment(2_000, 1_500));
        assert_eq!(clock.mono_nanos(3_000), 2_000);
    }

    #[test]
    fn nanoseconds_are_taken_as_they_are() {
        let mut clock = TickClock::new(ClockKind::MonotonicNanos);
        clock.add(moment(1, 1_000));
        assert_eq!(clock.mono_nanos(77), 77);
    }

    #[test]
    fn the_counter_of_this_machine_keeps_time() {
        let mut clock = TickClock::new(ClockKind::Tsc);
        clock.add(Moment::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        clock.add(Moment::now());
        let (before, ticks, after) = (mono_now().0, time_stamp_counter(), mono_now().0);
        let found = clock.mono_nanos(ticks);
        // A tenth of what was measured is far more than it can be off.
        assert!(found + 2_000_000 > before && found < after + 2_000_000);
    }

    proptest! {
        #[test]
        fn time_never_runs_backwards(
            steps in prop::collection::vec((1u64..1_000_000, 1u64..1_000_000), 1..2000),
            mut asked in prop::collection::vec(0u64..2_000_000_000, 1..50),
        ) {
            let mut clock = TickClock::new(ClockKind::Tsc);
            let (mut ticks, mut nanos) = (0, 0);
            for (t, n) in steps {
                ticks += t;
                nanos += n;
                clock.add(moment(ticks, nanos));
            }
            asked.sort_unstable();
            let times: Vec<u64> = asked.iter().map(|&t| clock.mono_nanos(t)).collect();
            // Where two stretches meet, rounding may cost a nanosecond.
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1] + 1), "{times:?}");
            prop_assert!(clock.points.len() <= MOST_POINTS);
        }
    }
}
