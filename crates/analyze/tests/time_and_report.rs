//! Each test is a picture of a recording and what is expected of it over time, and of its report.

mod common;

use common::*;
use std::fmt::Write as _;
use std::sync::Arc;

use sondage_analyze::{Analyzer, Empty, Filter, MergeBy, ReportOptions, TimeWindow, picture};
use sondage_model::{
    ClockRow, CounterKind, CounterRow, CounterSeriesRow, LossKind, LossRow, MemoryRecording, Nanos,
    ProcessId, Source, StateKind, Time, TimeRange,
};

fn order(analyzer: &Analyzer, filter: &Filter, window: TimeWindow) -> String {
    let order = analyzer
        .time_order(filter, MergeBy::Function, window)
        .expect("readable");
    let mut text = format!("thread {:?} of {} ms\n", order.thread(), ms(order.total()));
    for segment in order.segments() {
        let names: Vec<String> = (0..segment.depth)
            .map(|depth| order.name_of(order.key(segment, depth)).label)
            .collect();
        let _ = writeln!(
            text,
            "{}–{} {} (shares {})",
            ms(segment.start),
            ms(segment.end),
            names.join(" › "),
            segment.shared
        );
    }
    text
}

#[test]
fn the_order_of_time_joins_neighbours_and_breaks_at_gaps() {
    let analyzer = of("
        thread:  Main  Main  Main  Main     Main  Worker  Main
        state:   cpu   cpu   cpu   blocked  cpu   cpu     cpu
        at:      1     2     3     4        5     1       7
                 a:1   a:2   a     a        a     z       a
                 b     b     c     b        c             c
    ");
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 100,
    };
    insta::assert_snapshot!(order(&analyzer, &Filter::default(), window), @r"
    thread Some(ThreadId(0)) of 7 ms
    0–2 a › b (shares 0)
    2–3 a › c (shares 1)
    4–5 a › c (shares 0)
    6–7 a › c (shares 0)
    ");
    let inside = Filter {
        range: range(1, 3),
        ..Filter::default()
    };
    insta::assert_snapshot!(order(&analyzer, &inside, window), @r"
    thread Some(ThreadId(0)) of 2 ms
    0–1 a › b (shares 0)
    1–2 a › c (shares 1)
    ");
}

#[test]
fn the_order_of_time_shows_the_heaviest_stack_of_a_bucket() {
    let analyzer = of("
        ms:  1  1  1  3  1  1  1  1  1  1
             a  b  a  c  a  b  b  b  b  a
    ");
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 2,
    };
    insta::assert_snapshot!(order(&analyzer, &Filter::default(), window), @r"
    thread Some(ThreadId(0)) of 12 ms
    0–6 c (shares 0)
    6–12 b (shares 0)
    ");
}

#[test]
fn a_timeline_shares_samples_out_to_buckets() {
    let mut recording = picture::record(
        "
        thread:  Main     Main     Main  Worker
        state:   cpu+gil  blocked  cpu   gil-wait
        ms:      1        5        2     8
                 a        b        a     w
    ",
    );
    let dict = &mut recording.dictionary;
    let mut series = |name: &str, unit: &str, kind| {
        let row = CounterSeriesRow {
            process: ProcessId(0),
            name: dict.string(name),
            unit: dict.string(unit),
            kind,
        };
        dict.add_counter(row)
    };
    let cpu = series("cpu.user", "ns", CounterKind::Total);
    let rss = series("rss", "bytes", CounterKind::Gauge);
    for i in 0..4_u64 {
        let time = Time(i * 2_000_000);
        let value = (i * i) as f64 * 500_000.0;
        recording.counters.push(CounterRow {
            counter: cpu,
            time,
            value,
        });
        let value = 100.0 + i as f64;
        recording.counters.push(CounterRow {
            counter: rss,
            time,
            value,
        });
    }
    let analyzer = analyze(recording);
    let timeline = analyzer.timeline(&Filter::default(), 4).expect("readable");
    let mut text = format!("width {} ms\n", timeline.width.as_millis_f64());
    for track in &timeline.threads {
        for i in 0..track.start.len() {
            let states: Vec<String> = StateKind::ALL
                .iter()
                .filter(|kind| track.by_state[kind.index()][i] > 0)
                .map(|kind| format!("{} {}", kind.name(), ms(track.by_state[kind.index()][i])))
                .collect();
            let name = analyzer
                .innermost(track.stack[i])
                .map_or(String::new(), |id| {
                    analyzer.names().label(analyzer.dictionary(), id)
                });
            let _ = writeln!(
                text,
                "thread {} at {}: {}, gil {}, {name}",
                track.thread.0,
                ms(track.start[i].0),
                states.join(", "),
                ms(track.gil[i])
            );
        }
    }
    for track in &timeline.counters {
        let points: Vec<String> = track
            .time
            .iter()
            .zip(&track.value)
            .map(|(time, value)| format!("{}:{value}", ms(time.0)))
            .collect();
        let _ = writeln!(text, "counter {} {}", track.counter.0, points.join(" "));
    }
    insta::assert_snapshot!(text, @r"
    width 2 ms
    thread 0 at 0: cpu 1, blocked 1, gil 1, a
    thread 0 at 2: blocked 2, gil 0, b
    thread 0 at 4: blocked 2, gil 0, b
    thread 0 at 6: cpu 2, gil 0, a
    thread 1 at 0: gil-wait 2, gil 0, w
    thread 1 at 2: gil-wait 2, gil 0, w
    thread 1 at 4: gil-wait 2, gil 0, w
    thread 1 at 6: gil-wait 2, gil 0, w
    counter 0 2:0.25 4:0.75 6:1.25
    counter 1 0:100 2:101 4:102 6:103
    ");
}

/// Where there is no room to keep them, counters are read for each question.
#[test]
fn curves_are_the_same_whether_counters_are_kept_or_read() {
    let mut recording = picture::record("ms: 60000\n    a");
    let dict = &mut recording.dictionary;
    let series = [CounterKind::Total, CounterKind::Gauge].map(|kind| {
        dict.add_counter(CounterSeriesRow {
            process: ProcessId(0),
            kind,
            ..CounterSeriesRow::default()
        })
    });
    for i in 0..600_u64 {
        for counter in series {
            recording.counters.push(CounterRow {
                counter,
                time: Time(i * 100_000_000),
                value: (i * i % 1000) as f64,
            });
        }
    }
    let source: Arc<dyn Source> = Arc::new(recording.seal());
    let keeps = Analyzer::new(Arc::clone(&source)).expect("consistent");
    let reads = Analyzer::with_cache(source, 0).expect("consistent");
    for (from, to) in [(0, 60), (7, 9), (7, 8), (30, 60), (59, 60), (0, 60)] {
        let second = |n: u64| Time(n * 1_000_000_000);
        let filter = Filter {
            range: Some(TimeRange::new(second(from), second(to))),
            ..Filter::default()
        };
        let curves = |analyzer: &Analyzer| {
            let timeline = analyzer.timeline(&filter, 50).expect("readable");
            timeline.counters
        };
        let (kept, read) = (curves(&keeps), curves(&reads));
        assert_eq!(kept.len(), 2);
        assert!(kept.iter().all(|track| track.time.len() > 4));
        assert_eq!(kept, read);
    }
    assert!(keeps.bytes() > reads.bytes());
}

#[test]
fn the_report_says_where_the_time_went() {
    let mut recording = picture::record("
        thread:  MainThread  MainThread  MainThread  MainThread  Worker    Worker    w.py/MainThread
        state:   cpu+gil     cpu+gil     cpu+gil     blocked     gil-wait  blocked   cpu+gil
        ms:      700         200         50          50          600       400       300
                 <module>:1  <module>:1  <module>:2  <module>:3  run:20    run:21    <module>@/work/w.py:1
                 main:7      main:8      main:9      wait@/usr/lib/python3.12/threading.py:355
                 parse:31    write:44
    ");
    let app = recording.dictionary.file(picture::DEFAULT_FILE);
    let source: String = (1..=50)
        .map(|line| format!("    line_{line}()\n"))
        .collect();
    recording.sources.insert(app, source.into());
    recording.losses.push(LossRow {
        kind: LossKind::Torn,
        count: 3,
        ..LossRow::default()
    });
    recording.clock.push(ClockRow {
        own_cpu: Nanos(12_000_000),
        reads: 4321,
        ticks: 1000,
        ..ClockRow::default()
    });
    let analyzer = analyze(recording);
    let options = ReportOptions {
        recording: "app.sondage".into(),
        ..ReportOptions::default()
    };
    let report = analyzer.report(&options).expect("readable");
    insta::assert_debug_snapshot!(report);
}

#[test]
fn the_report_of_a_sleeper_shows_what_it_waits_for() {
    let analyzer = of("
        state:  blocked  blocked
        ms:     900      100
                main     main
                recv     poll
    ");
    let report = analyzer
        .report(&ReportOptions::default())
        .expect("readable");
    assert!(report.shows_asleep && report.empty.is_none());
    insta::assert_debug_snapshot!(report);
}

#[test]
fn the_report_of_nothing_says_so() {
    let report = analyze(MemoryRecording::default())
        .report(&ReportOptions::default())
        .expect("readable");
    assert_eq!(report.empty, Some(Empty::NoSamples { lost: 0 }));
    assert!(report.by_own.is_empty() && report.lines.is_empty() && report.paths.is_empty());
    assert!(report.notes.is_empty());
}

#[test]
fn the_report_notes_what_stands_out() {
    let mut recording = picture::record(
        "
        state:  cpu  runnable  gil-wait  disk  blocked
        ms:     6    1         2         1     100
                a    a         a         a     b
        ",
    );
    recording.losses.push(LossRow {
        count: 1,
        ..LossRow::default()
    });
    recording.clock.push(ClockRow {
        own_cpu: Nanos(11_000_000),
        ..ClockRow::default()
    });
    let report = analyze(recording)
        .report(&ReportOptions::default())
        .expect("readable");
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    1 of 6 observations were lost (16.7 %): the figures are less sure.
    Threads waited for the GIL in 20.0 % of the time they were not asleep.
    Threads were asleep 90.9 % of the time: what they wait for may matter more than what they do. Include the state “asleep” to see it.
    The profiler used 10.0 % of one CPU. A lower --rate costs less.
    ");
}
