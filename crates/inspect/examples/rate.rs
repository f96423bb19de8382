//! How fast, and how truly, one thread can be sampled.
//!
//! ```text
//! rate PID SECONDS [--hz N] [--edges FILE] [--top N] [--stop 1] [--main 1]
//! ```
//!
//! Samples the thread with the deepest stack in a busy loop (or `--hz` times a second) and prints
//! samples, rejects and re-reads. With `--edges` (written by `tests/programs/oracle.py`) every stack is
//! held against the calls that the program can make, and impossible ones are counted and shown.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit, missing_docs)]

use sondage_inspect::{CodeId, StackSnapshot, Target, ThreadCursor};
use sondage_model::Pid;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

#[path = "../tests/oracle/mod.rs"]
mod oracle;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|text| text.parse::<f64>().ok());
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let (Some(pid), Some(seconds)) = (number(0), number(1)) else {
        eprintln!("usage: rate PID SECONDS [--hz N] [--edges FILE] [--top N]");
        std::process::exit(2);
    };
    let mut target = match Target::open(Pid(pid as i32)) {
        Ok(target) => target,
        Err(error) => {
            eprintln!("rate: {error}\nhint: {}", error.hint());
            std::process::exit(1);
        }
    };
    let law = option("--edges").map(|path| oracle::Law::read(path.as_ref()).expect("edges file"));
    let top: usize = option("--top")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let interval = option("--hz")
        .and_then(|text| text.parse::<f64>().ok())
        .map(|hz| Duration::from_secs_f64(1.0 / hz));

    // SAFETY: sets how late this thread may be woken, in nanoseconds.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let stop = option("--stop").is_some();
    let mut out = StackSnapshot::default();
    let threads = target.threads().expect("threads");
    let deepest = threads
        .iter()
        .map(|thread| {
            let mut cursor = ThreadCursor::new(thread);
            let depth = match target.sample(&mut cursor, &mut out) {
                Ok(()) => out.frames.len(),
                Err(_) => 0,
            };
            (depth, cursor)
        })
        .max_by_key(|(depth, _)| *depth);
    let mut cursor = deepest.expect("a thread").1;
    if option("--main").is_some() {
        cursor = ThreadCursor::new(threads.last().expect("a thread"));
    }

    let before = *target.counters();
    let cpu_before = cpu_seconds();
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(seconds);
    let mut next = begin;
    let mut kept: HashMap<Vec<(CodeId, i32)>, u64> = HashMap::new();
    let mut key = Vec::new();
    let mut rejects: HashMap<String, u64> = HashMap::new();
    let (mut samples, mut depth, mut with_gil) = (0_u64, 0_u64, 0_u64);
    let mut now = begin;
    while now < end {
        if let Some(interval) = interval {
            next += interval;
            let now = Instant::now();
            if now < next {
                std::thread::sleep(next - now);
            } else {
                next = now;
            }
        }
        // A clock read costs a tenth of a sample.
        for _ in 0..if interval.is_some() { 1 } else { 16 } {
            let outcome = if stop {
                target.stop_and_sample(&mut cursor, &mut out)
            } else {
                target.sample(&mut cursor, &mut out)
            };
            match outcome {
                Ok(()) => {
                    samples += 1;
                    depth += out.frames.len() as u64;
                    with_gil += u64::from(out.holds_gil);
                    if law.is_some() || top > 0 {
                        key.clear();
                        key.extend(out.frames.iter().map(|frame| (frame.code, frame.offset)));
                        match kept.get_mut(&key) {
                            Some(count) => *count += 1,
                            None => {
                                kept.insert(key.clone(), 1);
                            }
                        }
                    }
                }
                Err(reject) => *rejects.entry(reject.to_string()).or_default() += 1,
            }
        }
        now = Instant::now();
    }
    let spent = begin.elapsed().as_secs_f64();
    let after = *target.counters();
    let rejected: u64 = rejects.values().sum();
    let all = (samples + rejected).max(1) as f64;
    println!(
        "{} pid {pid}: {:.0} samples/s ({:.0} in a second of our CPU time), mean depth {:.1}, GIL {:.1} %, rejected {:.4} % {rejects:?}, re-reads {:.3} a sample (unconfirmed {}, outside {}, interrupted {}), code reuses {}, codes {}",
        target.runtime().implementation,
        samples as f64 / spent,
        samples as f64 / (cpu_seconds() - cpu_before),
        depth as f64 / samples.max(1) as f64,
        100.0 * with_gil as f64 / samples.max(1) as f64,
        100.0 * rejected as f64 / all,
        (after.rereads - before.rereads) as f64 / all,
        after.unconfirmed - before.unconfirmed,
        after.outside - before.outside,
        after.interrupted - before.interrupted,
        after.code_reuses - before.code_reuses,
        target.code_count(),
    );
    let words = |frames: &[(CodeId, i32)]| -> Vec<oracle::Place> {
        frames
            .iter()
            .map(|(code, offset)| {
                let info = target.resolve(*code).expect("code");
                oracle::Place {
                    function: info.qualified_name.clone(),
                    file: info.filename.clone(),
                    line: info.line(*offset),
                }
            })
            .collect()
    };
    if let Some(law) = law {
        let mut impossible = 0;
        let mut shown = HashSet::new();
        for (frames, count) in &kept {
            let places = words(frames);
            if let Err(why) = law.check(&places) {
                impossible += count;
                if shown.len() < 10 && shown.insert(why.clone()) {
                    println!("impossible ×{count}: {why}");
                    for place in &places {
                        println!("    {} {}:{}", place.function, place.file, place.line);
                    }
                }
            }
        }
        println!(
            "impossible {impossible} of {samples} ({:.2} in 100,000), {} different stacks",
            impossible as f64 * 1e5 / samples.max(1) as f64,
            kept.len()
        );
    }
    if top > 0 {
        let mut leaves: HashMap<String, u64> = HashMap::new();
        for (frames, count) in &kept {
            let places = words(&frames[..frames.len().min(1)]);
            let name = places.first().map_or_else(
                || "(none)".to_owned(),
                |p| format!("{}:{}", p.function, p.line),
            );
            *leaves.entry(name).or_default() += count;
        }
        let mut leaves: Vec<_> = leaves.into_iter().collect();
        leaves.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (name, count) in leaves.iter().take(top) {
            println!(
                "{:6.2} %  {name}",
                100.0 * *count as f64 / samples.max(1) as f64
            );
        }
    }
}

/// CPU time of this thread so far: on a busy machine it tells more than the wall clock.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
