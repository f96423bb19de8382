//! The asyncio task of a sample, in real interpreters.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod pythons;

use pythons::{all, words};
use sondage_inspect::{StackSnapshot, TaskKey, ThreadCursor};
use std::collections::HashMap;

#[test]
fn the_running_asyncio_task_is_named() {
    for python in all() {
        let program = python.run("tasks.py", TASKS, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let mut cursor = ThreadCursor::new(&threads[0]);
        let mut out = StackSnapshot::default();
        let mut named = 0;
        for _ in 0..200 {
            target.sample(&mut cursor, &mut out).expect("a stack");
            // A look that was interrupted proves nothing.
            let Some(task) = out.task else { continue };
            let info = target.task(task).expect("its name");
            assert_eq!(info.name, "the work", "{}", python.label);
            assert_eq!(info.coroutine, "working", "{}", python.label);
            named += 1;
        }
        assert!(named > 100, "{}: named {named} of 200", python.label);
        assert_eq!(target.task(TaskKey(u32::MAX)), None);
    }
}

/// The task that a stack of `tasks.py` belongs to.
fn task_of(lines: &[String]) -> Option<&str> {
    let name = lines
        .iter()
        .filter_map(|line| line.split(':').next())
        .find(|name| name.starts_with("in_"))?;
    name.split("__").next()
}

#[test]
fn no_task_is_given_anothers_name() {
    for python in all() {
        let program = python.start("tasks.py", &["churn"]).ready();
        let mut target = program.open();
        let mut cursors: Vec<ThreadCursor> = Vec::new();
        let mut out = StackSnapshot::default();
        let (mut inside, mut named, mut eager) = (0, 0, 0);
        let mut wrong: HashMap<(String, String), u32> = HashMap::new();
        for turn in 0..40_000 {
            if turn % 5000 == 0 {
                let threads = target.threads().expect("threads");
                cursors = threads.iter().map(ThreadCursor::new).collect();
            }
            let index = turn % cursors.len();
            if target.sample(&mut cursors[index], &mut out).is_err() {
                continue;
            }
            let lines = words(&target, &out);
            let truth = task_of(&lines);
            inside += u32::from(truth.is_some());
            let Some(task) = out.task else { continue };
            let name = &target.task(task).expect("its name").name;
            match truth {
                Some(truth) if truth == name => named += 1,
                // It has no other name yet.
                Some(truth) if truth.starts_with("in_eager") && name.starts_with("Task-") => {
                    named += 1;
                    eager += 1;
                }
                Some(truth) => {
                    let pair = (truth.to_owned(), format!("{name} {lines:?}"));
                    *wrong.entry(pair).or_default() += 1;
                }
                None => {}
            }
        }
        println!(
            "{}: {named} of {inside} named, {eager} of them by number; {:?}",
            python.label,
            target.counters()
        );
        assert!(wrong.is_empty(), "{}: {wrong:?}", python.label);
        assert!(inside > 2000, "{}: saw {inside} only", python.label);
        assert!(
            f64::from(named) > 0.3 * f64::from(inside),
            "{}: {named} of {inside} named",
            python.label
        );
    }
}

const TASKS: &str = "
import asyncio
def spin():
    print('ready', flush=True)
    while True:
        pass
async def working():
    spin()
async def main():
    await asyncio.gather(asyncio.create_task(working(), name='the work'))
asyncio.run(main())
";
