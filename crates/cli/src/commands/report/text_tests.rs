//! What the report looks like.

use std::sync::Arc;

use sondage_analyze::{Analyzer, ReportOptions, picture};
use sondage_model::{
    ClockRow, CounterKind, CounterRow, CounterSeriesRow, FrameMarkRow, LockRow, LossKind, LossRow,
    MemoryRecording, Nanos, ProcessId, SiteRow, TaskId, TaskRow, Time, WaitRow, ZoneRow,
};

use super::*;

fn text(picture: &str, width: usize) -> String {
    text_of(picture::record(picture), width)
}

fn text_of(mut recording: MemoryRecording, width: usize) -> String {
    recording.losses.push(LossRow {
        kind: LossKind::Torn,
        count: 3,
        ..LossRow::default()
    });
    recording.clock.push(ClockRow {
        own_cpu: Nanos(120_000),
        reads: 40,
        ..ClockRow::default()
    });
    let analyzer = Analyzer::new(Arc::new(recording.seal())).expect("a recording");
    let options = ReportOptions {
        recording: "app.sondage".into(),
        ..ReportOptions::default()
    };
    let report = analyzer.report(&options).expect("a report");
    let style = Style {
        width,
        paint: &|_, text| text.to_owned(),
    };
    render(&report, &style)
}

const PROGRAM: &str = "
    thread:  Main                           Main     Main                                                                      Main     worker/pool-1  worker/pool-2
    state:   cpu+gil                        cpu+gil  runnable                                                                  blocked  gil-wait       disk
    ms:      800                            120.5    30                                                                        2000     400            7
             main:9                         main:9   main:9                                                                    main:11  run            run
             Job.step@/work/deep/job.py:40  parse:7  Loader.load_with_a_very_long_name@/work/deep/er/still/more/loader.py:812  wait     take           read
             inner:3
";

#[test]
fn a_program_at_two_widths() {
    insta::assert_snapshot!("at_80", text(PROGRAM, 80));
    insta::assert_snapshot!("at_130", text(PROGRAM, 130));
}

#[test]
fn asyncio_tasks() {
    let mut recording = picture::record(
        "
        ms: 30    20    10    5
            main  main  main  main
        ",
    );
    let dict = &mut recording.dictionary;
    let mut task = |name: &str, coroutine: &str| {
        let row = TaskRow {
            process: ProcessId(0),
            name: dict.string(name),
            coroutine: dict.string(coroutine),
            parent: TaskId::NONE,
        };
        dict.add_task(row)
    };
    let worker = [task("worker", "fetch"), task("worker", "fetch")];
    let other = task(
        "a name that somebody made longer than is good",
        "Server.handle",
    );
    recording.samples.tasks = vec![worker[0], other, worker[1], TaskId::NONE];
    let text = text_of(recording, 80);
    let (_, tasks) = text
        .split_once("asyncio tasks\n")
        .expect("a table of tasks");
    let (tasks, _) = tasks.split_once("\n\n").expect("more below");
    insta::assert_snapshot!(tasks);
}

#[test]
fn what_the_program_said() {
    let mut recording = picture::record("main main main");
    let dict = &mut recording.dictionary;
    let [name, empty] = ["request", ""].map(|text| dict.string(text));
    let file = dict.file("/work/app.py");
    let site = dict.site(SiteRow {
        name,
        file,
        line: 7,
        ..SiteRow::default()
    });
    let lock = dict.add_lock(LockRow {
        name,
        place: empty,
        ..LockRow::default()
    });
    let unit = dict.string("ns");
    for (name, unit, value) in [
        ("sondage.probes", empty, 12.0),
        ("sondage.probe_cost", unit, 600.0),
    ] {
        let name = recording.dictionary.string(name);
        let counter = recording.dictionary.add_counter(CounterSeriesRow {
            name,
            unit,
            kind: CounterKind::Total,
            ..CounterSeriesRow::default()
        });
        let time = Time(1_000_000);
        recording.counters.push(CounterRow {
            counter,
            time,
            value,
        });
    }
    for start in [0, 1_000_000] {
        let row = ZoneRow {
            start: Time(start),
            duration: Nanos(500_000 + start / 4),
            site,
            ..ZoneRow::default()
        };
        recording.zones.push(row, None);
        recording.frame_marks.push(FrameMarkRow {
            time: Time(start),
            ..FrameMarkRow::default()
        });
    }
    recording.waits.push(WaitRow {
        wait: Nanos(30_000),
        hold: Nanos(4_000),
        lock,
        ..WaitRow::default()
    });
    let text = text_of(recording, 80);
    let (_, said) = text.split_once("Zones of the program").expect("zones");
    insta::assert_snapshot!(said);
}

#[test]
fn threads_that_only_sleep() {
    insta::assert_snapshot!(text("state: blocked\nms:    50\n       wait", 80));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 130, 160] {
        for line in text(PROGRAM, width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_path_gives_up_its_middle_first() {
    let path: Vec<String> = (0..9).map(|at| format!("f{at}")).collect();
    assert_eq!(
        fitted_path(&path, 100),
        "f0 › f1 › f2 › f3 › f4 › f5 › f6 › f7 › f8"
    );
    assert_eq!(fitted_path(&path, 31), "f0 › … 5 more › f6 › f7 › f8");
    assert_eq!(fitted_path(&path, 14), "… 8 more › f8");
    assert_eq!(fitted_path(&["x".repeat(30)], 10).chars().count(), 10);
    let deep = ["main", "walk", "walk", "walk", "leaf"].map(str::to_owned);
    assert_eq!(fitted_path(&deep, 100), "main › walk ×3 › leaf");
}

#[test]
fn a_bar_is_as_long_as_its_share_and_never_nothing() {
    assert_eq!(bar(1, 1), "█".repeat(BAR));
    assert_eq!(bar(1, 2), "█".repeat(BAR / 2));
    assert_eq!(bar(1, 1_000_000), "▏");
}
