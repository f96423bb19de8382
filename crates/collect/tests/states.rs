//! Threads whose states are known.

mod common;

use common::{at_rate, pythons, record};
use sondage_model::{LossKind, Source};

#[test]
fn sleepers_readers_and_fighters_for_the_gil() {
    for python in pythons() {
        let recorded = record(&python.command("states.py", &["1.5"]), at_rate(1000));
        let label = &python.label;
        recorded.assert_rows_tile_time();
        let (mut on_cpu, mut ready, mut waiting, mut wall) = (0.0, 0.0, 0.0, 0.0);
        for n in 0..3 {
            let states = recorded.states(&format!("spin-{n}"));
            wall += states.values().sum::<f64>();
            on_cpu += states["cpu"];
            ready += states["runnable"];
            waiting += states["gil-wait"];
            assert!(states["blocked"] < 0.15, "{label}: {states:?}");
        }
        // Three spin; at any moment one has the GIL and two wait for it. On a busy machine a waiter
        // that was woken also waits for a CPU.
        assert!(wall > 3.5, "{label}: the threads were not seen: {wall}");
        let told = format!("{label}: {on_cpu} on CPU, {ready} ready, {waiting} waiting of {wall}");
        assert!(waiting < 0.72 * wall, "{told}");
        assert!(waiting > 0.6 * wall - ready, "{told}");
        assert!(on_cpu < 0.4 * wall, "{told}");
        assert!(on_cpu > 0.28 * wall - ready, "{told}");
        for name in ["sleeper", "reader"] {
            let states = recorded.states(name);
            let all: f64 = states.values().sum();
            assert!(states["blocked"] > 0.9 * all, "{label}: {name} {states:?}");
            assert!(all > 1.2, "{label}: {name} {states:?}");
        }
        // Who holds the GIL is on the sample.
        let gil: f64 = recorded
            .rows()
            .iter()
            .filter(|row| row.state.holds_gil())
            .map(|row| row.weight.as_secs_f64())
            .sum();
        assert!(
            (1.1..1.9).contains(&gil),
            "{label}: {gil} s with the GIL held"
        );
    }
}

#[test]
fn a_sleeper_costs_rows_only_at_a_flush() {
    let python = common::any_python();
    let recorded = record(&python.command("states.py", &["2"]), at_rate(1000));
    let rows: Vec<_> = recorded
        .rows()
        .into_iter()
        .filter(|row| recorded.thread_name(row.thread) == "sleeper")
        .collect();
    let looks: u32 = rows.iter().map(|row| row.count).sum();
    assert!(looks > 500, "{looks}");
    assert!(rows.len() < 30, "{} rows", rows.len());
}

#[test]
fn a_crowd_of_threads() {
    for python in pythons() {
        let recorded = record(&python.command("crowd.py", &["300", "1.5"]), at_rate(200));
        let label = &python.label;
        let dictionary = recorded.recording.dictionary();
        let named = |prefix: &str| {
            dictionary
                .threads()
                .iter()
                .filter(|row| dictionary.text(row.name).starts_with(prefix))
                .count()
        };
        assert_eq!(named("idle-"), 300, "{label}");
        assert_eq!(named("busy"), 1, "{label}");
        // Threads that live for 10 ms are seen, most of them: a look takes place each 5 ms.
        assert!(named("short-") >= 25, "{label}: {}", named("short-"));
        let busy = recorded.states("busy");
        assert!(busy["cpu"] + busy["runnable"] > 1.0, "{label}: {busy:?}");
        recorded.assert_rows_tile_time();
        let rejected: u64 = recorded
            .recording
            .losses()
            .iter()
            .filter(|loss| !matches!(loss.kind, LossKind::Late | LossKind::Gone))
            .map(|loss| loss.count)
            .sum();
        assert!(rejected < 20, "{label}: {:?}", recorded.recording.losses());
    }
}
