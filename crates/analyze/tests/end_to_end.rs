//! The same views from a recording file and from memory.

use std::sync::Arc;

use sondage_analyze::{Analyzer, Filter, MergeBy, ReportOptions, TimeWindow, picture};
use sondage_model::{MemoryRecording, SampleRow, Source, Time, TimeRange};
use sondage_recording::{Recording, Writer};

/// The picture over and over: 6,000 samples.
fn long() -> MemoryRecording {
    let mut recording = picture::record(
        "
        thread:  Main     Main     Main     Main     Worker    Worker
        state:   cpu+gil  cpu+gil  blocked  cpu+gil  gil-wait  cpu
        ms:      2        3        7        1        4         9
                 main:1   main:2   main:3   main:1   run:20    run:21
                 parse:7  write:9  sleep:4  parse:8  fetch:30
        ",
    );
    let rows: Vec<SampleRow> = recording.samples.rows().collect();
    for round in 1..1000 {
        for row in &rows {
            recording.samples.push(SampleRow {
                time: Time(row.time.0 + round * 13_000_000),
                ..*row
            });
        }
    }
    recording
}

fn written(recording: &MemoryRecording) -> Recording {
    let mut writer = Writer::create(Vec::new(), &recording.info).expect("written");
    *writer.dictionary_mut() = recording.dictionary.clone();
    for row in recording.samples.rows() {
        writer.push_sample(row).expect("written");
    }
    writer.finish(Time(13_000_000_000)).expect("written");
    Recording::from_bytes(writer.into_inner()).expect("readable")
}

#[test]
fn a_file_says_what_memory_says() {
    let memory = long();
    let file = written(&memory);
    assert!(!file.tile_widths().is_empty());
    let file = Analyzer::new(Arc::new(file)).expect("sound");
    let memory = Analyzer::new(Arc::new(memory.seal())).expect("sound");
    let ranges = [
        None,
        Some((0, 13_000_000_000)),
        Some((1_234_567, 7_654_321_000)),
    ];
    for range in ranges {
        let filter = Filter {
            range: range.map(|(from, to)| TimeRange::new(Time(from), Time(to))),
            ..Filter::default()
        };
        let a = file.select(&filter).expect("readable");
        let b = memory.select(&filter).expect("readable");
        assert_eq!(a.weights(), b.weights());
        assert_eq!(a.threads(), b.threads());
    }
    let report = |analyzer: &Analyzer| analyzer.report(&ReportOptions::default());
    let (a, b) = (report(&file), report(&memory));
    assert_eq!(a.expect("readable"), b.expect("readable"));
}

#[test]
fn tiles_of_a_file_give_the_same_timeline_and_a_full_order_of_time() {
    let memory = long();
    let file = Analyzer::new(Arc::new(written(&memory))).expect("sound");
    let memory = Analyzer::new(Arc::new(memory.seal())).expect("sound");
    let coarse = file.timeline(&Filter::default(), 50).expect("readable");
    let tile = file.source().tile_widths()[0];
    assert!(coarse.width.0.is_multiple_of(tile.0), "made from tiles");
    let buckets = memory.source().range().span().0.div_ceil(coarse.width.0);
    let range = TimeRange::new(Time(0), Time(buckets * coarse.width.0));
    let filter = Filter {
        range: Some(range),
        ..Filter::default()
    };
    let exact = memory.timeline(&filter, buckets as u32).expect("readable");
    assert_eq!(exact.width, coarse.width);
    for (a, b) in coarse.threads.iter().zip(&exact.threads) {
        assert_eq!(
            (&a.start, &a.by_state, &a.gil),
            (&b.start, &b.by_state, &b.gil)
        );
    }
    // The main thread sleeps most of each tile; what it did while awake is what is shown.
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 50,
    };
    let order = file
        .time_order(&Filter::default(), MergeBy::Function, window)
        .expect("readable");
    assert!(!order.segments().is_empty());
    for segment in order.segments() {
        let leaf = order.name_of(order.key(segment, segment.depth - 1)).label;
        assert_ne!(leaf, "sleep");
    }
}
