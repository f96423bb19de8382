//! Whether a process still is what it was: it can call `exec`, or its number can pass to another.

use sondage_model::Pid;

use crate::procfs;

/// Which program a process runs: changes with `exec`, and with the pid's next owner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImageKey {
    /// When the process started, in clock ticks since boot.
    pub start_ticks: u64,
    start_code: u64,
    start_stack: u64,
}

/// What a process does, as the kernel tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Life {
    /// It runs this program.
    Runs(ImageKey),
    /// It has no memory: it is inside `exec`, or on its way out, which takes a while when there was
    /// much of it.
    Between {
        /// As in [`ImageKey`].
        start_ticks: u64,
    },
    /// It has ended.
    Ended,
}

impl Life {
    /// That of a process now.
    #[must_use]
    pub fn of(pid: Pid) -> Life {
        procfs::stat(pid).map_or(Life::Ended, |stat| Life::from_stat(&stat))
    }

    /// What this tells.
    pub fn from_stat(stat: &procfs::Stat) -> Life {
        let start_ticks = stat.start_ticks;
        match (stat.state, stat.start_code) {
            (b'Z' | b'X', _) => Life::Ended,
            (_, 0) => Life::Between { start_ticks },
            (_, start_code) => Life::Runs(ImageKey {
                start_ticks,
                start_code,
                start_stack: stat.start_stack,
            }),
        }
    }

    /// The program it runs.
    #[must_use]
    pub fn image(self) -> Option<ImageKey> {
        match self {
            Life::Runs(key) => Some(key),
            Life::Between { .. } | Life::Ended => None,
        }
    }

    /// Whether it is known to run this program no more. In between, that is not known.
    #[must_use]
    pub fn has_left(&self, key: &ImageKey) -> bool {
        match self {
            Life::Runs(now) => now != key,
            Life::Between { start_ticks } => *start_ticks != key.start_ticks,
            Life::Ended => true,
        }
    }
}

impl ImageKey {
    /// That of a process now; `None` when it is gone, or about to go or to change.
    #[must_use]
    pub fn of(pid: Pid) -> Option<ImageKey> {
        Life::of(pid).image()
    }

    /// Whether both run the same program image: a forked child and its parent do.
    #[must_use]
    pub fn same_program(&self, other: &ImageKey) -> bool {
        (self.start_code, self.start_stack) == (other.start_code, other.start_stack)
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageKey, Life};
    use crate::procfs::parse_stat;

    /// The life that a `stat` tells with this state and this start of its code.
    fn life(state: char, start_code: u64) -> Life {
        let text = format!(
            "42 (a (b) c) {state} 1 42 42 0 -1 4194304 5 0 0 0 7 8 0 0 20 0 1 0 900 4096 3 \
             18446744073709551615 {start_code} 2 77 0 0"
        );
        Life::from_stat(&parse_stat(text.as_bytes()).expect("a stat"))
    }

    #[test]
    fn a_process_without_memory_is_no_other_program() {
        let key = life('R', 4096).image().expect("it runs");
        assert_eq!(
            (key.start_ticks, key.start_code, key.start_stack),
            (900, 4096, 77)
        );
        assert!(!life('S', 4096).has_left(&key));
        assert!(life('S', 8192).has_left(&key));
        let between = life('R', 0);
        assert_eq!(between, Life::Between { start_ticks: 900 });
        assert!(!between.has_left(&key));
        assert_eq!(between.clone().image(), None);
        let of_a_pid_used_again = ImageKey {
            start_ticks: 1,
            ..key.clone()
        };
        assert!(between.has_left(&of_a_pid_used_again));
        for ended in [life('Z', 0), life('X', 4096)] {
            assert_eq!(ended, Life::Ended);
            assert!(ended.has_left(&key));
        }
    }
}
