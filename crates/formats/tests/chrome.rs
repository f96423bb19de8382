//! Chrome's traces as Tracy's importer reads them: microseconds times 1000 without what is behind
//! the point, events in the order of time, plots by the names of their values.

#[path = "common/mod.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use sondage_formats::{ExportOptions, export};
use sondage_model::{
    CounterKind, CounterRow, CounterSeriesRow, MemoryRecording, Nanos, SiteRow, Time, ZoneRow,
};

fn events(recording: MemoryRecording) -> Vec<Value> {
    let mut out = Vec::new();
    let source = recording.seal();
    export("chrome", &source, &ExportOptions::default(), &mut out).expect("to memory");
    let mut trace: Value = serde_json::from_slice(&out).expect("JSON");
    let Value::Array(events) = trace["traceEvents"].take() else {
        panic!("no events");
    };
    events
}

fn cut(micros: &Value) -> u64 {
    (micros.as_f64().expect("a number") * 1000.0) as u64
}

/// `(name, place, begin, end)` of every slice of every track.
fn slices(events: &[Value]) -> BTreeMap<String, Vec<(String, String, u64, u64)>> {
    let mut sides = Vec::new();
    for event in events {
        let track = format!("{} {}", event["pid"], event["tid"]);
        match event["ph"].as_str().expect("a phase") {
            "B" => sides.push((cut(&event["ts"]), track, Some(event))),
            "E" => sides.push((cut(&event["ts"]), track, None)),
            "X" => {
                let begin = cut(&event["ts"]);
                sides.push((begin, track.clone(), Some(event)));
                sides.push((begin + cut(&event["dur"]), track, None));
            }
            _ => {}
        }
    }
    sides.sort_by_key(|side| side.0);
    let mut open: BTreeMap<String, Vec<(&Value, u64)>> = BTreeMap::new();
    let mut slices: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (at, track, begun) in sides {
        let open = open.entry(track.clone()).or_default();
        if let Some(event) = begun {
            open.push((event, at));
        } else if let Some((event, begin)) = open.pop() {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let slice = (text("name"), text("loc"), begin, at);
            slices.entry(track).or_default().push(slice);
        }
    }
    slices
}

proptest! {
    /// Three zones in a row inside one, each beginning where the one before ends, at any
    /// nanosecond: no zone gets another one's time.
    #[test]
    fn zones_that_touch_stay_apart(
        start in 0..1u64 << 42,
        lengths in [1..100_000u64, 1..100_000u64, 1..100_000u64],
    ) {
        let mut r = MemoryRecording::new(common::says().info);
        let app = common::process(&mut r.dictionary, 42, None, "app");
        let thread = common::thread(&mut r.dictionary, app, 42, "main");
        let file = r.dictionary.file("/home/me/app.rs");
        let mut site = |name: &str| {
            let name = r.dictionary.string(name);
            r.dictionary.site(SiteRow { name, function: name, file, line: 7, colour: 0 })
        };
        let (outer, inner) = (site("outer"), [site("a"), site("b"), site("c")]);
        let mut zone = |site, depth, start: u64, nanos: u64| {
            let (start, duration) = (Time(start), Nanos(nanos));
            r.zones.push(
                ZoneRow { start, duration, busy: duration, thread, site, depth, ..ZoneRow::default() },
                None,
            );
        };
        let mut at = start;
        let mut expected = BTreeSet::new();
        for ((site, name), nanos) in inner.into_iter().zip(["a", "b", "c"]).zip(lengths) {
            zone(site, 1, at, nanos);
            expected.insert((name.to_owned(), "/home/me/app.rs:7".to_owned(), at, at + nanos));
            at += nanos;
        }
        zone(outer, 0, start, at - start);
        expected.insert(("outer".to_owned(), "/home/me/app.rs:7".to_owned(), start, at));
        let slices = slices(&events(r));
        prop_assert_eq!(slices.len(), 1);
        let seen: BTreeSet<_> = slices.into_values().flatten().collect();
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn slices_end_in_any_recording() {
    for name in common::RECORDINGS {
        let events = events(common::recording(name).expect("it is listed"));
        let begun = events.iter().filter(|e| e["ph"] == "B" || e["ph"] == "X");
        let ended: usize = slices(&events).values().map(Vec::len).sum();
        assert_eq!(begun.count(), ended, "{name}");
    }
}

#[test]
fn every_counter_is_a_plot_of_its_own() {
    let mut r = common::says();
    let d = &mut r.dictionary;
    let [app, worker] = [0, 1].map(sondage_model::ProcessId);
    for (process, name, unit, kind, values) in [
        (app, "rss", "bytes", CounterKind::Gauge, [1.0, 2.0, 3.0]),
        (worker, "rss", "bytes", CounterKind::Gauge, [4.0, 5.0, 6.0]),
        (
            app,
            "heap",
            "bytes",
            CounterKind::Gauge,
            [7.0, f64::NAN, f64::INFINITY],
        ),
        (app, "cpu.user", "ns", CounterKind::Total, [0.0, 1e6, 2e6]),
    ] {
        let (name, unit) = (d.string(name), d.string(unit));
        let counter = d.add_counter(CounterSeriesRow {
            process,
            name,
            unit,
            kind,
        });
        for (index, value) in values.into_iter().enumerate() {
            let time = Time((index as u64 + 1) * common::MS);
            r.counters.push(CounterRow {
                counter,
                time,
                value,
            });
        }
    }
    let mut plots: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for event in events(r).iter().filter(|event| event["ph"] == "C") {
        let values = event["args"].as_object().expect("values");
        for (key, value) in values {
            let value = value.as_f64().expect("a number");
            plots.entry(key.clone()).or_default().push(value);
        }
    }
    let expected = [
        ("42 cpu.user_ns/s", vec![1e9, 1e9]),
        ("42 heap_bytes", vec![7.0]),
        ("42 players", vec![1.0, 2.5]),
        ("42 rss_bytes", vec![1.0, 2.0, 3.0]),
        ("43 rss_bytes", vec![4.0, 5.0, 6.0]),
    ];
    assert_eq!(
        plots,
        expected
            .map(|(key, values)| (key.to_owned(), values))
            .into()
    );
}
