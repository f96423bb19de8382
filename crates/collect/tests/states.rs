//! Threads whose states are known.

mod common;

use common::{at_rate, pythons, record};
use sondage_model::{LossKind, Source, StateKind};

#[test]
fn sleepers_readers_and_fighters_for_the_gil() {
    for python in pythons() {
        let recorded = record(&python.command("states.py", &["1.5"]), at_rate(1000));
        let label = &python.label;
        recorded.assert_rows_tile_time();
        let late = recorded.late();
        let (mut on_cpu, mut ready, mut waiting, mut wall) = (0.0, 0.0, 0.0, 0.0);
        for n in 0..3 {
            let states = recorded.states(&format!("spin-{n}"));
            wall += states.values().sum::<f64>();
            on_cpu += states["cpu"];
            ready += states["runnable"];
            waiting += states["gil-wait"];
            assert!(states["blocked"] < 0.15 + late, "{label}: {states:?}");
        }
        // Three spin; at any moment one has the GIL and two wait for it. On a busy machine a waiter
        // that was woken also waits for a CPU.
        let told = format!(
            "{label}: {on_cpu} on CPU, {ready} ready, {waiting} waiting of {wall}, {late} late"
        );
        assert!(wall > 3.5 - 3.0 * late, "{told}");
        // What came late is told by one look for all of the gap.
        let unsure = 3.0 * late;
        assert!(waiting < 0.72 * wall + unsure, "{told}");
        assert!(waiting > 0.6 * wall - ready - unsure, "{told}");
        assert!(on_cpu < 0.4 * wall + unsure, "{told}");
        assert!(on_cpu > 0.28 * wall - ready - unsure, "{told}");
        for name in ["sleeper", "reader"] {
            let states = recorded.states(name);
            let all: f64 = states.values().sum();
            assert!(
                states["blocked"] > 0.9 * all - late,
                "{label}: {name} {states:?}"
            );
            assert!(all > 1.2 - late, "{label}: {name} {states:?}");
        }
        // Who holds the GIL is on the sample.
        let gil: f64 = recorded
            .rows()
            .iter()
            .filter(|row| row.state.holds_gil())
            .map(|row| row.weight.as_secs_f64())
            .sum();
        assert!(
            (1.1 - late..1.9 + late).contains(&gil),
            "{label}: {gil} s with the GIL held, {late} s late"
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
        // Starting and ending, it runs.
        .filter(|row| row.state.kind() == StateKind::Blocked)
        .collect();
    let looks: u32 = rows.iter().map(|row| row.count).sum();
    let ticks = (2.0 - recorded.late()) * 1000.0;
    assert!(f64::from(looks) > 0.25 * ticks, "{looks} of {ticks}");
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
        let late = recorded.late();
        let unseen = (late / 0.01) as usize;
        assert!(
            named("short-") + unseen >= 25,
            "{label}: {}, {late} s late",
            named("short-")
        );
        let busy = recorded.states("busy");
        assert!(
            busy["cpu"] + busy["runnable"] > 1.0 - late,
            "{label}: {busy:?}, {late} s late"
        );
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
