//! A program with many zones, for the sizes of recordings: `many ours|tracy ZONES`.
//!
//! Requests of a made-up server: zones of eight places, up to four deep, each around work of 0.1 to
//! 1.5 µs. Both programs make the same zones in the same order; how long each took is the
//! machine's own.

use std::hint::black_box;

use crate::clock;

/// Ticks of the clock in one step of work: about a tenth of a microsecond.
const STEP_TICKS: u64 = 250;

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn work(&mut self) {
        let until = clock() + STEP_TICKS * (1 + self.below(15));
        while clock() < until {
            black_box(());
        }
    }
}

/// The program, with one profiler's zones.
macro_rules! requests {
    ($name:ident, $zone:ident) => {
        pub fn $name(zones: u64) {
            let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
            let mut made = 0;
            while made < zones {
                $zone!("request");
                made += 3;
                {
                    $zone!("parse");
                    numbers.work();
                }
                for _ in 0..numbers.below(4) {
                    $zone!("query");
                    made += 1;
                    for _ in 0..numbers.below(20) {
                        $zone!("row");
                        numbers.work();
                        made += 1;
                        if numbers.below(4) == 0 {
                            $zone!("decode");
                            numbers.work();
                            made += 1;
                        }
                    }
                }
                if numbers.below(8) == 0 {
                    $zone!("cache");
                    numbers.work();
                    made += 1;
                }
                {
                    $zone!("render");
                    numbers.work();
                    for _ in 0..numbers.below(6) {
                        $zone!("template");
                        numbers.work();
                        made += 1;
                    }
                }
            }
        }
    };
}

macro_rules! ours {
    ($name:literal) => {
        sondage::zone!($name);
    };
}

macro_rules! tracys {
    ($name:literal) => {
        let _zone = tracy_client::span!($name, 0);
    };
}

requests!(ours, ours);
requests!(tracy, tracys);
