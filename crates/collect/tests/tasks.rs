//! asyncio tasks whose part of the time is known: the recording must agree.

mod common;

use std::collections::BTreeMap;

use common::{Python, Recorded, at_rate, pythons, record_told};
use sondage_model::{SampleRow, Source, StateKind, TaskId};

/// Names of tasks, and the coroutine functions they are made of.
const COROUTINES: [(&str, &[&str]); 7] = [
    ("in_alpha", &["plain"]),
    ("in_beta", &["nested"]),
    // A group starts tasks under its own name.
    ("in_gamma", &["grouped", "inner"]),
    ("in_delta", &["plain"]),
    ("in_epsilon", &["nested"]),
    ("in_first", &["share"]),
    ("in_second", &["share"]),
];

/// How long the program computes.
const SECONDS: f64 = 3.0;

/// The functions of a row's stack, innermost first.
fn functions<'a>(recorded: &'a Recorded, row: &SampleRow) -> Vec<&'a str> {
    let dictionary = recorded.recording.dictionary();
    dictionary
        .frames_inward(row.stack)
        .map(|frame| {
            let function = &dictionary.functions()[dictionary.function_of(frame).index()];
            dictionary.text(function.name)
        })
        .collect()
}

/// What a row counts for: the task's name, or the function that computes outside of tasks.
fn owner<'a>(recorded: &'a Recorded, row: &SampleRow) -> Option<&'a str> {
    let dictionary = recorded.recording.dictionary();
    if row.task == TaskId::NONE {
        return functions(recorded, row)
            .contains(&"callback")
            .then_some("callback");
    }
    Some(dictionary.text(dictionary.tasks()[row.task.index()].name))
}

/// Shares in percent.
fn percent<'a>(times: &BTreeMap<&'a str, f64>) -> BTreeMap<&'a str, f64> {
    let sum: f64 = times.values().sum();
    let share = |(name, time): (&&'a str, &f64)| (*name, time * 100.0 / sum);
    times.iter().map(share).collect()
}

fn check(python: &Python) {
    let arguments = ["shares", &SECONDS.to_string()];
    let (recorded, told) = record_told(python, "tasks.py", &arguments, at_rate(1000));
    let label = &python.label;
    let truth: BTreeMap<&str, f64> = told
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, seconds)| (name, seconds.parse().expect("seconds")))
        .collect();
    assert_eq!(truth.len(), 7, "{label}: {truth:?}");

    let dictionary = recorded.recording.dictionary();
    for task in &dictionary.tasks()[1..] {
        let (name, coroutine) = (dictionary.text(task.name), dictionary.text(task.coroutine));
        // Until they are called otherwise, or when the loop shuts down.
        if name.starts_with("Task-") {
            continue;
        }
        let known = COROUTINES.iter().find(|(known, _)| *known == name);
        let (_, coroutines) = known.unwrap_or_else(|| panic!("{label}: a task {name}"));
        assert!(
            coroutines.contains(&coroutine),
            "{label}: {name} runs {coroutine}"
        );
    }

    let mut seen: BTreeMap<&str, f64> = BTreeMap::new();
    let (mut computing, mut unnamed) = (0.0, 0.0);
    for row in recorded.rows() {
        let stack = functions(&recorded, &row);
        let truth = stack.iter().find(|name| name.starts_with("in_")).copied();
        let name = owner(&recorded, &row);
        let weight = row.weight.as_secs_f64();
        match (truth, name) {
            (Some(truth), Some(name)) => assert_eq!(truth, name, "{label}: {stack:?}"),
            (Some(_), None) => unnamed += weight,
            (None, Some(name)) => {
                assert!(
                    name == "callback" || !stack.contains(&"callback"),
                    "{label}: {name} in a callback"
                );
            }
            (None, None) => {}
        }
        computing += weight;
        if row.state.kind() == StateKind::OnCpu && stack.contains(&"spin") {
            *seen.entry(name.unwrap_or("?")).or_default() += weight;
        }
    }
    assert!(
        unnamed < 0.01 * computing,
        "{label}: {unnamed} s without a task"
    );
    let seen = percent(&seen);
    // A look that comes late is one that waited for a CPU, and gets it when the program lets go of its own:
    // not at a moment of chance.
    let unknown = recorded.unknown_share() + recorded.late() / SECONDS;
    for (name, share) in percent(&truth) {
        let got = seen.get(name).copied().unwrap_or(0.0);
        assert!(
            (got - share).abs() < 3.0 + 100.0 * unknown,
            "{label}: {name} has {share:.2} %, was recorded with {got:.2} % ({unknown:.3} unknown)"
        );
    }
}

#[test]
fn tasks_have_their_names_coroutines_and_shares() {
    for python in pythons() {
        check(&python);
    }
}
