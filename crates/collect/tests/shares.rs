//! Programs whose functions' shares of time are known: the recording must agree.

mod common;

use std::collections::BTreeMap;

use common::{Recorded, at_rate, pythons, record_told};
use sondage_model::{Source, StateKind};

/// Records shares.py and returns what it says of itself, too.
fn shares(python: &common::Python, numbers: &[u32]) -> (Recorded, BTreeMap<String, f64>) {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let arguments: Vec<&str> = std::iter::once("2.2")
        .chain(words.iter().map(String::as_str))
        .collect();
    let (recorded, text) = record_told(python, "shares.py", &arguments, at_rate(5000));
    let truth = text
        .lines()
        .filter_map(|line| {
            let (name, seconds) = line.split_once(' ')?;
            Some((name.to_owned(), seconds.parse().ok()?))
        })
        .collect();
    (recorded, truth)
}

/// Shares in percent.
fn percent(times: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let spins = || times.iter().filter(|(name, _)| name.starts_with("spin_"));
    let sum: f64 = spins().map(|(_, time)| time).sum();
    spins()
        .map(|(name, time)| (name.clone(), time * 100.0 / sum))
        .collect()
}

fn check(python: &common::Python, numbers: &[u32]) {
    let (recorded, truth) = shares(python, numbers);
    let label = &python.label;
    recorded.assert_rows_tile_time();
    assert_eq!(truth.len(), numbers.len() + 1, "{label}: {truth:?}");
    let seen = percent(&recorded.self_times());
    let unknown = recorded.unknown_share();
    let allowed = 1.0 + 100.0 * unknown;
    for (name, share) in percent(&truth) {
        let got = seen.get(&name).copied().unwrap_or(0.0);
        assert!(
            (got - share).abs() < allowed,
            "{label}: {name} has {share:.2} %, was recorded with {got:.2} % ({unknown:.3} in gaps)"
        );
    }
    // Time on a CPU is the scheduler's own figure, not only the program's share of it.
    let on_cpu: f64 = recorded
        .rows()
        .iter()
        .filter(|row| row.state.kind() == StateKind::OnCpu)
        .map(|row| row.weight.as_secs_f64())
        .sum();
    let cpu = truth["cpu"];
    assert!(
        (on_cpu - cpu).abs() < (0.05 + unknown) * cpu,
        "{label}: {cpu:.3} s on a CPU, recorded {on_cpu:.3} s"
    );
    assert!(
        recorded
            .recording
            .clock()
            .last()
            .expect("a clock row")
            .own_cpu
            .0
            > 0
    );
}

#[test]
fn seventy_twenty_ten() {
    for python in pythons() {
        check(&python, &[70, 20, 10]);
    }
}

#[test]
fn fifty_functions() {
    let numbers: Vec<u32> = (1..=50).collect();
    check(&common::any_python(), &numbers);
}
