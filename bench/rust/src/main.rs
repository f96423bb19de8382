//! What a zone costs, beside two reads of the clock with 24 bytes stored, and beside rivals.
//!
//! All of them take turns in one run, a round each, for as many rounds as fit; what is told is the
//! median, and the least, of the time for each zone. `one NAME N` runs N zones of one of them and
//! nothing else, for callgrind. `many ours|tracy N` makes N zones of a program, for the size of
//! recordings.

mod many;

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Zones in a round: half of them inside the other half, as in a program.
const ZONES: u64 = 200_000;

/// Something that costs something for each zone.
struct Contestant {
    name: &'static str,
    /// Zones in a row.
    zones: fn(u64),
    /// Between rounds, not measured.
    rest: fn(),
}

/// A ring as large as a thread's buffer without a collector.
struct Ring {
    words: Box<[u64]>,
    at: usize,
}

thread_local! {
    static RING: std::cell::RefCell<Ring> = std::cell::RefCell::new(Ring {
        words: vec![0; (4 << 20) / 8].into(),
        at: 0,
    });
}

#[inline(always)]
fn clock() -> u64 {
    // SAFETY: every x86-64 processor has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The least that a zone can be: two reads of the clock, 24 bytes stored.
fn floor(zones: u64) {
    RING.with_borrow_mut(|ring| {
        let length = ring.words.len();
        for zone in 0..zones {
            if ring.at + 3 > length {
                ring.at = 0;
            }
            let words = &mut ring.words[ring.at..ring.at + 3];
            words[0] = clock();
            words[1] = black_box(zone);
            words[2] = clock();
            ring.at += 3;
        }
    });
}

fn empty(zones: u64) {
    for zone in 0..zones {
        black_box(zone);
    }
}

fn ours(zones: u64) {
    for zone in 0..zones {
        sondage::zone!("zone");
        black_box(zone);
    }
}

/// The same code, in rounds with probes turned off.
fn ours_off(zones: u64) {
    for zone in 0..zones {
        sondage::zone!("zone");
        black_box(zone);
    }
}

fn ours_with_value(zones: u64) {
    for zone in 0..zones {
        sondage::zone!("zone", n = zone);
        black_box(zone);
    }
}

fn tracy(zones: u64) {
    for zone in 0..zones {
        let _zone = tracy_client::span!("zone", 0);
        black_box(zone);
    }
}

fn puffin(zones: u64) {
    for zone in 0..zones {
        puffin::profile_scope!("zone");
        black_box(zone);
    }
}

/// Spans that `fastrace` takes under one root before it drops more.
const UNDER_A_ROOT: u64 = 1000;

fn fastrace(zones: u64) {
    for from in (0..zones).step_by(UNDER_A_ROOT as usize) {
        let root = fastrace::Span::root("root", fastrace::prelude::SpanContext::random());
        let _guard = root.set_local_parent();
        for zone in from..zones.min(from + UNDER_A_ROOT) {
            let _zone = fastrace::local::LocalSpan::enter_with_local_parent("zone");
            black_box(zone);
        }
    }
}

fn tracing(zones: u64) {
    for zone in 0..zones {
        let span = tracing::info_span!("zone");
        let _zone = span.enter();
        black_box(zone);
    }
}

/// Takes what `fastrace` reports, and keeps nothing.
struct Nobody;

impl fastrace::collector::Reporter for Nobody {
    fn report(&mut self, spans: Vec<fastrace::prelude::SpanRecord>) {
        black_box(spans);
    }
}

const NONE: fn() = || ();

const CONTESTANTS: &[Contestant] = &[
    Contestant {
        name: "empty loop",
        zones: empty,
        rest: NONE,
    },
    Contestant {
        name: "two clock reads, 24 bytes",
        zones: floor,
        rest: NONE,
    },
    Contestant {
        name: "sondage zone!",
        zones: ours,
        rest: NONE,
    },
    Contestant {
        name: "sondage zone!, off",
        zones: ours_off,
        rest: NONE,
    },
    Contestant {
        name: "sondage zone! with a value",
        zones: ours_with_value,
        rest: NONE,
    },
    Contestant {
        name: "tracy-client span!",
        zones: tracy,
        rest: NONE,
    },
    Contestant {
        name: "puffin profile_scope!",
        zones: puffin,
        rest: || puffin::GlobalProfiler::lock().new_frame(),
    },
    Contestant {
        name: "fastrace LocalSpan",
        zones: fastrace,
        rest: fastrace::flush,
    },
    Contestant {
        name: "tracing span + our layer",
        zones: tracing,
        rest: NONE,
    },
];

/// How the name of one ends that runs with probes turned off.
const OFF: &str = ", off";

/// Nanoseconds of this thread on a processor.
fn thread_nanos() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Nanoseconds for each zone, of one round in each of so many threads at once.
fn round(contestant: &Contestant, threads: usize) -> f64 {
    let measure = || {
        let begun = thread_nanos();
        (contestant.zones)(ZONES);
        (thread_nanos() - begun) as f64 / ZONES as f64
    };
    if threads == 1 {
        return measure();
    }
    let start = std::sync::Barrier::new(threads);
    let each: Vec<f64> = std::thread::scope(|scope| {
        let run = || {
            // What a thread's first zone does is not what this is about.
            (contestant.zones)(1000);
            start.wait();
            measure()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    each.iter().sum::<f64>() / threads as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let subscriber = {
        use tracing_subscriber::prelude::*;
        tracing_subscriber::registry().with(sondage::tracing::Layer::new())
    };
    tracing::subscriber::set_global_default(subscriber).unwrap();
    if let [_, one, name, zones] = arguments.as_slice()
        && one == "one"
    {
        let known = CONTESTANTS.iter().find(|known| known.name == name);
        sondage::set_enabled(!name.ends_with(OFF));
        (known.expect("a contestant").zones)(zones.parse().expect("a number"));
        return;
    }
    if let [_, many, whose, zones] = arguments.as_slice()
        && many == "many"
    {
        let zones = zones.parse().expect("a number");
        match whose.as_str() {
            "tracy" => {
                let _client = tracy_client::Client::start();
                // The memory of what nobody reads would be the program's.
                while !tracy_client::Client::is_connected() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                many::tracy(zones);
                // SAFETY: it runs, and there is no zone after it. It sends what is left.
                unsafe { tracy_client::sys::___tracy_shutdown_profiler() };
            }
            _ => many::ours(zones),
        }
        return;
    }
    let seconds = arguments
        .get(1)
        .map_or(20, |text| text.parse().expect("seconds"));
    tracy_client::Client::start();
    puffin::set_scopes_on(true);
    let collector = fastrace::collector::Config::default();
    fastrace::set_reporter(Nobody, collector);

    let mut times = vec![[Vec::new(), Vec::new()]; CONTESTANTS.len()];
    for contestant in CONTESTANTS {
        (contestant.zones)(1000);
        (contestant.rest)();
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        for (contestant, times) in CONTESTANTS.iter().zip(&mut times) {
            // Tracy keeps everything in memory until somebody connects.
            if contestant.name.starts_with("tracy") && times[0].len() >= 60 {
                continue;
            }
            sondage::set_enabled(!contestant.name.ends_with(OFF));
            for threads in 1..=2 {
                times[threads - 1].push(round(contestant, threads));
                (contestant.rest)();
            }
        }
    }
    println!("| | one thread: median ns | least | × floor | two at once: median ns | × one |");
    println!("|---|---|---|---|---|---|");
    let floors = times[1].clone();
    // Of the rounds in turn, so that what else the machine does is on both sides.
    let ratio = |these: &[f64], those: &[f64]| {
        let mut ratios: Vec<f64> = these.iter().zip(those).map(|(a, b)| a / b).collect();
        median(&mut ratios)
    };
    let medians = |name: &str| {
        let at = CONTESTANTS.iter().position(|one| one.name == name);
        median(&mut times[at.expect("a contestant")][0].clone())
    };
    let ours = medians("sondage zone!") - medians("empty loop");
    for (contestant, [one, two]) in CONTESTANTS.iter().zip(&times) {
        println!(
            "| {} | {:.1} | {:.1} | {:.2} | {:.1} | {:.2} |",
            contestant.name,
            median(&mut one.clone()),
            one.iter().copied().fold(f64::INFINITY, f64::min),
            ratio(one, &floors[0]),
            median(&mut two.clone()),
            ratio(two, one),
        );
    }
    let told = sondage::raw::zone_cost_picos() as f64 / 1000.0;
    println!();
    println!(
        "The program itself says that a zone costs {told:.1} ns; with and without: {ours:.1} ns."
    );
}
