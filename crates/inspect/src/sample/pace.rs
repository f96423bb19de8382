//! How long a copy takes, to tell one that was interrupted.

/// How long copies of this thread take, to tell one that was interrupted half-way: what it holds
/// of two different moments may look like one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The usual time of a copy, in 1/16 ns.
    usual: u64,
    /// For plans of this size; another plan has another pace.
    size: usize,
    /// Copies in a row that took too long: then it is the machine that is slow now.
    slow: u32,
}

impl Pace {
    /// Whether a copy of `size` bytes that took so many nanoseconds was interrupted.
    #[inline]
    pub fn too_long(&mut self, nanos: u64, size: usize) -> bool {
        if self.size != size {
            self.size = size;
            self.usual = self.usual.max(nanos * 16);
        }
        let late = nanos * 16 > self.usual + self.usual / 2 + 16 * 200;
        if late && self.slow < 3 {
            self.slow += 1;
            return true;
        }
        self.slow = 0;
        // A moving average that follows quickly downwards and slowly upwards.
        self.usual = if nanos * 16 < self.usual {
            self.usual - (self.usual - nanos * 16) / 4
        } else {
            self.usual + (nanos * 16 - self.usual) / 16
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn an_interrupted_copy_stands_out() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            assert!(!pace.too_long(1000, 64));
        }
        assert!(pace.too_long(5000, 64));
        assert!(!pace.too_long(1100, 64));
    }

    #[test]
    fn a_machine_that_became_slow_is_not_an_interruption() {
        let mut pace = Pace::default();
        pace.too_long(1000, 64);
        let late = (0..100).filter(|_| pace.too_long(3000, 64)).count();
        assert!(late < 60, "{late}");
        assert!(!pace.too_long(3000, 64));
    }

    #[test]
    fn a_larger_plan_may_take_longer() {
        let mut pace = Pace::default();
        pace.too_long(1000, 64);
        assert!(!pace.too_long(100_000, 1 << 20));
    }
}
