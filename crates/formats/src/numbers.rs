//! Process and thread numbers for formats that tell processes and threads apart by them.

use rustc_hash::FxHashSet;
use sondage_model::{Dictionary, ProcessId, ThreadId};

/// First of the numbers given to what has none of its own, or shares one with another.
const SPARE: i64 = 1_000_000_000;

/// The operating system's numbers, changed where they would not tell two rows apart: a number
/// that is used again, and those of imports, which are zero.
pub(crate) struct Numbers {
    processes: Vec<i64>,
    threads: Vec<i64>,
}

impl Numbers {
    pub fn new(dictionary: &Dictionary) -> Numbers {
        Numbers {
            processes: apart(dictionary.processes().iter().map(|row| row.pid.0)),
            threads: apart(dictionary.threads().iter().map(|row| row.tid.0)),
        }
    }

    pub fn process(&self, id: ProcessId) -> i64 {
        self.processes.get(id.index()).copied().unwrap_or(SPARE - 1)
    }

    pub fn thread(&self, id: ThreadId) -> i64 {
        self.threads.get(id.index()).copied().unwrap_or(SPARE - 1)
    }
}

fn apart(numbers: impl Iterator<Item = i32>) -> Vec<i64> {
    let mut used = FxHashSet::default();
    let mut spare = SPARE;
    numbers
        .map(i64::from)
        .map(|number| {
            if number > 0 && number < SPARE && used.insert(number) {
                return number;
            }
            spare += 1;
            spare
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_used_again_are_told_apart() {
        assert_eq!(
            apart([7, 8, 7, 0, 0].into_iter()),
            [7, 8, SPARE + 1, SPARE + 2, SPARE + 3]
        );
    }
}
