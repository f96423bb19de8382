//! An export inside zones has the samples that the flame graph inside them shows, and what the
//! program said in there.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use sondage_analyze::{Analyzer, Filter, Inside, ZoneId};
use sondage_formats::{ExportOptions, FORMATS, ImportOptions, export, import};
use sondage_model::{
    Dictionary, FunctionKind, MemoryRecording, Nanos, RecordingInfo, SampleRow, SiteId, SiteRow,
    Source, StackId, TaskId, ThreadId, Time, TimeRange, ZoneRow,
};

/// Times here are whole microseconds, so that no format rounds.
const US: u64 = 1000;

fn exported(format: &str, source: &dyn Source, options: &ExportOptions) -> Vec<u8> {
    let mut out = Vec::new();
    export(format, source, options, &mut out).unwrap_or_else(|error| panic!("{format}: {error}"));
    out
}

fn json(format: &str, source: &dyn Source, options: &ExportOptions) -> Value {
    serde_json::from_slice(&exported(format, source, options)).expect("JSON")
}

fn site(d: &mut Dictionary, name: &str) -> SiteId {
    let row = SiteRow {
        name: d.string(name),
        ..SiteRow::default()
    };
    d.site(row)
}

/// Samples `(thread, µs, function)`, those of a thread one after the other, and zones
/// `(thread, start, µs, place)`, each in a lane of its own.
fn recording(samples: &[(u8, u8, u8)], zones: &[(u8, u8, u8, u8)]) -> MemoryRecording {
    let mut r = MemoryRecording::new(RecordingInfo {
        interval: Nanos(US),
        ..RecordingInfo::default()
    });
    let d = &mut r.dictionary;
    let process = common::process(d, 1, None, "p");
    let threads = [1, 2].map(|tid| common::thread(d, process, tid, "t"));
    let sites = ["one", "two", "three"].map(|name| site(d, name));
    let stacks: Vec<StackId> = (0..3)
        .map(|number| {
            let name = format!("f{number}");
            let function = d.function(&name, &name, "a.py", 1, FunctionKind::Python);
            let frame = d.frame(function, 1);
            d.stack(StackId::EMPTY, frame)
        })
        .collect();
    let mut ends = [0; 2];
    for &(thread, us, function) in samples {
        let at = usize::from(thread % 2);
        ends[at] += (u64::from(us) + 1) * US;
        r.samples.push(SampleRow {
            time: Time(ends[at]),
            weight: Nanos((u64::from(us) + 1) * US),
            count: 2,
            thread: threads[at],
            stack: stacks[usize::from(function % 3)],
            task: TaskId::NONE,
            ..SampleRow::default()
        });
    }
    for (lane, &(thread, start, us, site)) in (0..).zip(zones) {
        let row = ZoneRow {
            start: Time(u64::from(start) * US),
            duration: Nanos((u64::from(us) + 1) * US),
            thread: threads[usize::from(thread % 2)],
            site: sites[usize::from(site % 3)],
            lane,
            ..ZoneRow::default()
        };
        r.zones.push(row, None);
    }
    r
}

/// Microseconds in which a thread of a Chrome trace has any slice open.
fn covered(trace: &Value) -> f64 {
    let mut open: BTreeMap<i64, (u32, f64)> = BTreeMap::new();
    let mut sum = 0.0;
    for event in trace["traceEvents"].as_array().expect("events") {
        let tid = event["tid"].as_i64().unwrap_or(0);
        let (depth, since) = open.entry(tid).or_default();
        let at = || event["ts"].as_f64().expect("a time");
        match event["ph"].as_str() {
            Some("B") => {
                if *depth == 0 {
                    *since = at();
                }
                *depth += 1;
            }
            Some("E") => {
                *depth -= 1;
                if *depth == 0 {
                    sum += at() - *since;
                }
            }
            _ => {}
        }
    }
    sum
}

proptest! {
    #[test]
    fn exports_have_the_samples_of_the_flame_graph(
        samples in prop::collection::vec((0..2_u8, 0..20_u8, 0..3_u8), 0..40),
        zones in prop::collection::vec((0..2_u8, 0..200_u8, 0..60_u8, 0..3_u8), 1..20),
        pick in any::<prop::sample::Index>(),
        by_place in any::<bool>(),
        range in prop::option::of((0..150_u64, 0..150_u64)),
    ) {
        let source: Arc<dyn Source> = Arc::new(recording(&samples, &zones).seal());
        let zone = pick.index(zones.len());
        let inside = match by_place {
            true => Inside::Site(SiteId(u32::from(zones[zone].3 % 3))),
            false => Inside::Zone(ZoneId(zone as u64)),
        };
        let range = range.map(|(from, us)| TimeRange::new(Time(from * US), Time((from + us) * US)));
        let filter = Filter { inside: Some(inside), range, ..Filter::default() };
        let analyzer = Analyzer::new(Arc::clone(&source)).expect("sound");
        let shown = *analyzer.select(&filter).expect("readable").total();
        let options = ExportOptions { filter, ..ExportOptions::default() };
        let source = &*source;

        let collapsed = String::from_utf8(exported("collapsed", source, &options)).unwrap();
        let weights = collapsed.lines().map(|line| line.rsplit(' ').next().unwrap());
        let total: u64 = weights.map(|weight| weight.parse::<u64>().unwrap()).sum();
        prop_assert_eq!(total, shown.weight);

        let pprof = exported("pprof", source, &options);
        let back = import(&pprof, &ImportOptions::default()).unwrap().1;
        prop_assert_eq!(back.samples.weights.iter().map(|w| w.0).sum::<u64>(), shown.weight);

        let tree = json("json", source, &options);
        prop_assert_eq!(tree["call_count"].as_u64(), Some(shown.count));

        let trace = json("chrome", source, &options);
        prop_assert_eq!((covered(&trace) * 1000.0).round() as u64, shown.weight);

        let speedscope = json("speedscope", source, &options);
        let mut total = 0;
        let profiles = speedscope["profiles"].as_array().unwrap().iter();
        for profile in profiles.filter(|profile| profile["type"] == "sampled") {
            let stacks = profile["samples"].as_array().unwrap().iter();
            for (stack, weight) in stacks.zip(profile["weights"].as_array().unwrap()) {
                // Without frames it is a gap.
                if !stack.as_array().unwrap().is_empty() {
                    total += weight.as_u64().unwrap();
                }
            }
        }
        prop_assert_eq!(total, shown.weight);
    }
}

fn inside(place: &str, source: &dyn Source) -> ExportOptions {
    let d = source.dictionary();
    let site = d
        .sites()
        .iter()
        .position(|row| d.text(row.name).starts_with(place));
    let site = SiteId(site.expect("a place of this name") as u32);
    ExportOptions {
        filter: Filter {
            inside: Some(Inside::Site(site)),
            ..Filter::default()
        },
        ..ExportOptions::default()
    }
}

/// The names of events of a kind in a Chrome trace.
fn named(trace: &Value, key: &str, value: &str) -> Vec<String> {
    let events = trace["traceEvents"].as_array().expect("events").iter();
    let names = events.filter(|event| event[key] == value);
    names
        .map(|event| {
            event["name"]
                .as_str()
                .expect("a name")
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn zones_marks_and_log_lines_are_those_inside() {
    let source = common::says().seal();
    for (place, zones, marks, logs) in [
        ("frame", &["frame", "physics", "draw \"é\""][..], 0, 2),
        ("physics", &["physics"], 0, 2),
        ("draw", &["draw \"é\""], 0, 0),
    ] {
        let trace = json("chrome", &source, &inside(place, &source));
        assert_eq!(named(&trace, "cat", "zone"), zones.repeat(3), "{place}");
        assert_eq!(named(&trace, "cat", "frame").len(), marks, "{place}");
        assert_eq!(named(&trace, "cat", "log").len(), logs, "{place}");
        let firefox = json("firefox", &source, &inside(place, &source));
        let threads = firefox["threads"].as_array().expect("threads");
        let markers = |thread: &Value| thread["markers"]["length"].as_u64().expect("a number");
        let count: u64 = threads.iter().map(markers).sum();
        assert_eq!(count as usize, zones.len() * 3 + marks + logs, "{place}");
    }
}

/// A span that was suspended: where it ran, and itself.
#[test]
fn a_suspended_span_is_inside_itself() {
    let source = common::says().seal();
    let trace = json("chrome", &source, &inside("request", &source));
    assert_eq!(named(&trace, "cat", "zone"), ["request"]);
}

#[test]
fn a_place_that_is_not_there_is_refused() {
    let source = recording(&[(0, 1, 1)], &[]).seal();
    for inside in [Inside::Site(SiteId(99)), Inside::Zone(ZoneId(99))] {
        let options = ExportOptions {
            filter: Filter {
                inside: Some(inside),
                threads: vec![ThreadId(0)],
                ..Filter::default()
            },
            ..ExportOptions::default()
        };
        for format in FORMATS.iter().filter(|format| format.export.is_some()) {
            let written = export(format.name, &source, &options, &mut Vec::new());
            let error = written.expect_err(format.name).to_string();
            assert!(error.contains("99 in this recording"), "{error}");
        }
    }
}
