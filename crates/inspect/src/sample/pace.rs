//! How long a copy takes, to tell one that was interrupted.

/// How long copies of this thread take, to tell one that was interrupted half-way: what it holds
/// of two different moments may look like one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The usual time of a copy, in 1/16 ns.
    usual: u64,
    /// The size of the last plan; a larger one takes longer.
    size: Size,
    /// Copies in a row that took too long, and the shortest of them.
    slow: u32,
    shortest: u64,
}

/// How much one copy takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Size {
    pub spans: usize,
    pub bytes: usize,
}

/// Copies in a row that took too long, after which that is the new pace: the machine is slow.
const SLOW: u32 = 15;
/// What a first copy may take, at most, to set the pace; nanoseconds.
const FIRST: u64 = 4000;
/// What a span and a byte more cost at most; nanoseconds, and bytes a nanosecond.
const A_SPAN: u64 = 250;
const BYTES: u64 = 4;

impl Pace {
    /// Whether a copy of this size that took so many nanoseconds was interrupted.
    #[inline]
    pub fn too_long(&mut self, nanos: u64, size: Size) -> bool {
        let time = nanos.saturating_mul(16);
        if self.size != size {
            let more = size.spans.saturating_sub(self.size.spans) as u64 * A_SPAN
                + size.bytes.saturating_sub(self.size.bytes) as u64 / BYTES;
            self.usual += more * 16;
            if self.size == Size::default() {
                self.usual = time.min((FIRST + more) * 16);
            }
            self.size = size;
        }
        if time > self.limit() {
            self.shortest = if self.slow == 0 {
                time
            } else {
                self.shortest.min(time)
            };
            self.slow += 1;
            if self.slow <= SLOW {
                return true;
            }
            self.usual = self.shortest;
            self.slow = 0;
            return time > self.limit();
        }
        self.slow = 0;
        // A moving average that follows quickly downwards and slowly upwards.
        self.usual = if time < self.usual {
            self.usual - (self.usual - time) / 4
        } else {
            self.usual + (time - self.usual) / 16
        };
        false
    }

    fn limit(&self) -> u64 {
        self.usual + self.usual / 2 + 16 * 200
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Size};

    const SMALL: Size = Size {
        spans: 3,
        bytes: 1000,
    };

    #[test]
    fn an_interrupted_copy_stands_out() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            assert!(!pace.too_long(1000, SMALL));
        }
        assert!(pace.too_long(5000, SMALL));
        assert!(!pace.too_long(1100, SMALL));
    }

    #[test]
    fn the_first_copy_and_the_first_of_a_new_plan_may_be_interrupted_too() {
        let mut pace = Pace::default();
        assert!(pace.too_long(4_000_000, SMALL));
        assert!(!pace.too_long(1000, SMALL));
        let other = Size {
            spans: 4,
            bytes: 1200,
        };
        assert!(pace.too_long(4_000_000, other));
        assert!(!pace.too_long(1200, other));
    }

    #[test]
    fn a_machine_that_became_slow_is_not_an_interruption() {
        let mut pace = Pace::default();
        pace.too_long(1000, SMALL);
        let late = (0..100).filter(|_| pace.too_long(30_000, SMALL)).count();
        assert!(late <= 16, "{late}");
    }

    #[test]
    fn a_larger_plan_may_take_longer() {
        let mut pace = Pace::default();
        pace.too_long(1000, SMALL);
        let large = Size {
            spans: 3,
            bytes: 1 << 20,
        };
        assert!(!pace.too_long(100_000, large));
    }
}
