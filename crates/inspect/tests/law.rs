//! Stacks of real interpreters, held against what their program can have done.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod oracle;
mod pythons;

use oracle::{Law, Place};
use pythons::all;
use sondage_inspect::{CodeId, Reject, StackSnapshot, Target, ThreadCursor};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Samples every thread in turn as fast as possible and holds each stack against the law: at most
/// one in 100,000 may be impossible, and 0.2 % rejected. Where it is more of a few, as while the
/// program's calls are new, ten times as many tell.
fn obeys_the_law(scenarios: &[&str], samples: u64) {
    for python in all() {
        let mut args = vec!["{dir}/law"];
        args.extend(scenarios);
        let program = python.start("oracle.py", &args);
        let law = Law::read(&program.file("law")).expect("the law");
        let mut target = program.open();
        let mut kept: HashMap<Vec<(CodeId, i32)>, u64> = HashMap::new();
        let mut judged = sample_and_judge(&python.label, &mut target, &law, &mut kept, samples);
        if judged.impossible > 0 || judged.rejected * 1000 > judged.good * 2 {
            let more = samples * 9;
            let second = sample_and_judge(&python.label, &mut target, &law, &mut kept, more);
            judged.good += second.good;
            judged.rejected += second.rejected;
            judged.impossible = second.impossible;
        }
        let Judged {
            good,
            rejected,
            impossible,
        } = judged;
        println!(
            "{}: {good} good, {rejected} rejected, {} different stacks, {impossible} impossible",
            python.label,
            kept.len()
        );
        assert!(kept.len() > 20, "{}: saw too little", python.label);
        assert!(
            impossible * 100_000 <= good,
            "{}: {impossible} impossible stacks in {good}",
            python.label
        );
        assert!(
            rejected * 1000 <= good * 2,
            "{}: {rejected} of {good} rejected",
            python.label
        );
    }
}

struct Judged {
    good: u64,
    rejected: u64,
    /// Of all that were ever kept.
    impossible: u64,
}

fn sample_and_judge(
    label: &str,
    target: &mut Target,
    law: &Law,
    kept: &mut HashMap<Vec<(CodeId, i32)>, u64>,
    samples: u64,
) -> Judged {
    let mut cursors: Vec<ThreadCursor> = Vec::new();
    let mut out = StackSnapshot::default();
    let (mut good, mut rejected) = (0, 0);
    let end = Instant::now() + Duration::from_secs(60);
    // On a busy machine the program may hardly run: then look for longer.
    let mut turn = 0;
    while turn < samples || (kept.len() <= 20 && Instant::now() < end) {
        turn += 1;
        if turn % 5000 == 1 {
            cursors = target
                .threads()
                .expect("threads")
                .iter()
                .map(ThreadCursor::new)
                .collect();
        }
        let index = turn as usize % cursors.len();
        match target.sample(&mut cursors[index], &mut out) {
            Ok(()) => {
                good += 1;
                let key = out.frames.iter().map(|frame| (frame.code, frame.offset));
                *kept.entry(key.collect()).or_default() += 1;
            }
            Err(Reject::Gone) => {}
            Err(_) => rejected += 1,
        }
    }
    let mut impossible = 0;
    for (frames, count) in kept.iter() {
        let places: Vec<Place> = frames
            .iter()
            .map(|(code, offset)| {
                let code = target.resolve(*code).expect("code");
                Place {
                    function: code.qualified_name.clone(),
                    file: code.filename.clone(),
                    line: code.line(*offset),
                }
            })
            .collect();
        if let Err(why) = law.check(&places) {
            impossible += count;
            eprintln!("{label}: ×{count} {why}: {places:?}");
        }
    }
    Judged {
        good,
        rejected,
        impossible,
    }
}

#[test]
fn every_stack_is_possible() {
    obeys_the_law(&[], 60_000);
}

#[test]
fn every_stack_of_switching_threads_is_possible() {
    obeys_the_law(&["threads", "chains", "generators", "callbacks"], 30_000);
}
