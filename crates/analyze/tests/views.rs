//! Each test is a picture of a recording and the view that is expected of it.

use std::fmt::Write as _;
use std::sync::Arc;

use sondage_analyze::{
    AnalyzeError, Analyzer, Direction, Empty, Filter, FunctionQuery, MergeBy, ReportOptions,
    Search, SortBy, StateSet, TimeWindow, picture,
};
use sondage_model::{
    ClockRow, CounterKind, CounterRow, CounterSeriesRow, FunctionId, LossKind, LossRow,
    MemoryRecording, Nanos, ProcessId, StateKind, ThreadId, Time, TimeRange,
};

fn analyze(recording: MemoryRecording) -> Analyzer {
    Analyzer::new(Arc::new(recording.seal())).expect("a sound recording")
}

fn of(text: &str) -> Analyzer {
    analyze(picture::record(text))
}

fn ms(weight: u64) -> f64 {
    weight as f64 / 1e6
}

fn range(from_ms: u64, to_ms: u64) -> Option<TimeRange> {
    Some(TimeRange::new(
        Time(from_ms * 1_000_000),
        Time(to_ms * 1_000_000),
    ))
}

fn function(analyzer: &Analyzer, name: &str) -> FunctionId {
    let dict = analyzer.dictionary();
    let position = (0..dict.functions().len() as u32)
        .map(FunctionId)
        .find(|id| dict.text(dict.functions()[id.index()].qualified_name) == name);
    position.unwrap_or_else(|| panic!("no function {name}"))
}

/// The function table as `label self/total`, a row each.
fn table(analyzer: &Analyzer, filter: &Filter) -> String {
    let table = analyzer
        .functions(filter, &FunctionQuery::default())
        .expect("readable");
    let mut text = format!("of {} ms\n", ms(table.total.weight));
    for row in table.rows {
        let label = analyzer.names().label(analyzer.dictionary(), row.function);
        let _ = writeln!(text, "{label} {}/{}", ms(row.own.weight), ms(row.total));
    }
    if let Some(empty) = table.empty {
        let _ = writeln!(text, "{empty}");
    }
    text
}

/// A whole tree, indented, as `label self/total`.
fn tree(analyzer: &Analyzer, filter: &Filter, direction: Direction, by: MergeBy) -> String {
    let tree = analyzer.call_tree(filter, direction, by).expect("readable");
    draw(&tree)
}

fn draw(tree: &sondage_analyze::Tree<'_>) -> String {
    let mut text = String::new();
    let mut waiting: Vec<_> = tree
        .children(None, 0)
        .nodes
        .into_iter()
        .map(|n| (n, 0))
        .collect();
    waiting.reverse();
    while let Some((node, depth)) = waiting.pop() {
        let label = tree.name(&node).label;
        let (own, total) = (ms(node.own()), ms(node.total()));
        let _ = writeln!(
            text,
            "{:indent$}{label} {own}/{total}",
            "",
            indent = 2 * depth
        );
        let children = tree.children(Some(&node), 0).nodes;
        waiting.extend(children.into_iter().rev().map(|n| (n, depth + 1)));
    }
    text
}

const BASIC: &str = "
    state:  cpu+gil  cpu+gil  cpu+gil  gil-wait  blocked
            main:1   main:1   main:2   main:2    main:3
            parse:7  parse:8  write:4  write:4   read:6
            token:9
";

const RECURSIVE: &str = "
    f:1  f:1  f:2  g
    f:1  g    f:2
    f:1  f:3  f:2
    h    g
         f:3
";

#[test]
fn functions_count_self_and_total_and_leave_sleepers_out() {
    insta::assert_snapshot!(table(&of(BASIC), &Filter::default()), @r"
    of 4 ms
    write 2/2
    parse 1/2
    token 1/1
    main 0/4
    ");
}

#[test]
fn a_recursive_function_counts_once_a_sample() {
    insta::assert_snapshot!(table(&of(RECURSIVE), &Filter::default()), @r"
    of 4 ms
    f 2/3
    g 1/2
    h 1/1
    ");
}

#[test]
fn self_time_is_split_by_state() {
    let analyzer = of(BASIC);
    let rows = analyzer
        .functions(&Filter::everything(), &FunctionQuery::default())
        .expect("readable")
        .rows;
    let write = rows
        .iter()
        .find(|row| row.function == function(&analyzer, "write"))
        .expect("write is there");
    assert_eq!(ms(write.own.state(StateKind::OnCpu)), 1.0);
    assert_eq!(ms(write.own.state(StateKind::GilWait)), 1.0);
    assert_eq!((ms(write.own.gil), write.own.count), (1.0, 2));
}

#[test]
fn the_table_can_be_sorted_cut_and_matched() {
    let analyzer = of(BASIC);
    let labels = |query: FunctionQuery| -> Vec<String> {
        let table = analyzer
            .functions(&Filter::default(), &query)
            .expect("readable");
        assert_eq!(
            table.total.weight, 4_000_000,
            "figures stay those of the filter"
        );
        let label = |id| analyzer.names().label(analyzer.dictionary(), id);
        table.rows.iter().map(|row| label(row.function)).collect()
    };
    let by = |sort, descending| FunctionQuery {
        sort,
        descending,
        ..FunctionQuery::default()
    };
    assert_eq!(
        labels(by(SortBy::Name, false)),
        ["main", "parse", "token", "write"]
    );
    assert_eq!(
        labels(by(SortBy::Total, true)),
        ["main", "write", "parse", "token"]
    );
    assert_eq!(
        labels(by(SortBy::Own, false)),
        ["main", "token", "parse", "write"]
    );
    let page = FunctionQuery {
        offset: 1,
        limit: 2,
        ..by(SortBy::Name, true)
    };
    assert_eq!(labels(page), ["token", "parse"]);
    let matched = FunctionQuery {
        only: Some(Search::new("^(PARSE|token) ").expect("good")),
        ..by(SortBy::Own, true)
    };
    assert_eq!(labels(matched), ["parse", "token"]);
}

#[test]
fn trees_both_ways_and_by_line() {
    let analyzer = of(BASIC);
    let filter = Filter::default();
    insta::assert_snapshot!(tree(&analyzer, &filter, Direction::Callees, MergeBy::Function), @r"
    main 0/4
      parse 1/2
        token 1/1
      write 2/2
    ");
    insta::assert_snapshot!(tree(&analyzer, &filter, Direction::Callers, MergeBy::Function), @r"
    write 2/2
      main 0/2
    parse 1/1
      main 0/1
    token 1/1
      parse 0/1
        main 0/1
    ");
    insta::assert_snapshot!(tree(&analyzer, &filter, Direction::Callees, MergeBy::Line), @r"
    main:1 0/2
      parse:7 0/1
        token:9 1/1
      parse:8 1/1
    main:2 0/2
      write:4 2/2
    ");
}

#[test]
fn a_tree_of_callers_merges_what_recursion_repeats() {
    insta::assert_snapshot!(
        tree(&of(RECURSIVE), &Filter::default(), Direction::Callers, MergeBy::Function), @r"
    f 2/2
      f 0/1
        f 0/1
      g 0/1
        f 0/1
          g 0/1
            f 0/1
    g 1/1
    h 1/1
      f 0/1
        f 0/1
          f 0/1
    ");
}

#[test]
fn a_sandwich_goes_out_from_the_innermost_and_in_from_the_outermost() {
    let analyzer = of(RECURSIVE);
    let sandwich = analyzer
        .sandwich(&Filter::default(), function(&analyzer, "f"))
        .expect("f is there");
    assert_eq!((ms(sandwich.own), ms(sandwich.total)), (2.0, 3.0));
    insta::assert_snapshot!(draw(&sandwich.callees), @r"
    f 2/3
      f 0/2
        f 1/2
          h 1/1
      g 0/1
        f 0/1
          g 0/1
            f 1/1
    ");
    insta::assert_snapshot!(draw(&sandwich.callers), @r"
    f 2/3
      f 0/2
        f 0/2
      g 0/1
        f 0/1
          g 0/1
            f 0/1
    ");
}

#[test]
fn the_tree_opens_level_by_level() {
    let analyzer = of(BASIC);
    let (main, parse) = (function(&analyzer, "main"), function(&analyzer, "parse"));
    let rows = |direction, path: &[FunctionId]| {
        let rows = analyzer
            .tree_rows(&Filter::default(), direction, path)?
            .rows;
        let text: Vec<String> = rows
            .iter()
            .map(|row| {
                let more = if row.has_children { " +" } else { "" };
                format!("{} {}/{}{more}", row.name.label, ms(row.own), ms(row.total))
            })
            .collect();
        Ok::<_, AnalyzeError>(text.join(", "))
    };
    let callees = |path: &[FunctionId]| rows(Direction::Callees, path).expect("there");
    assert_eq!(callees(&[]), "main 0/4 +");
    assert_eq!(callees(&[main]), "parse 1/2 +, write 2/2");
    assert_eq!(callees(&[main, parse]), "token 1/1");
    let callers = rows(Direction::Callers, &[parse]).expect("there");
    assert_eq!(callers, "main 0/1");
    let error = rows(Direction::Callees, &[parse]).expect_err("parse is no root");
    assert_eq!(
        error.to_string(),
        format!(
            "there is no node of the call tree that ends in function {} in this recording",
            parse.0
        )
    );
}

#[test]
fn filters_by_thread_process_state_gil_function_and_search() {
    let analyzer = of("
        thread:  Main     Main     Worker   w.py/Main  w.py/Main
        state:   cpu+gil  blocked  cpu      cpu+gil    disk
                 a        a        a        b          b
                 x        y        y        x          y
    ");
    let weight = |filter: Filter| ms(analyzer.select(&filter).expect("readable").total().weight);
    let all = Filter::everything;
    assert_eq!(weight(all()), 5.0);
    assert_eq!(weight(Filter::default()), 4.0);
    let threads = vec![ThreadId(1)];
    assert_eq!(
        weight(Filter {
            threads: threads.clone(),
            ..all()
        }),
        1.0
    );
    let processes = vec![ProcessId(1)];
    assert_eq!(
        weight(Filter {
            processes: processes.clone(),
            ..all()
        }),
        2.0
    );
    assert_eq!(
        weight(Filter {
            threads,
            processes,
            ..all()
        }),
        3.0,
        "either is enough"
    );
    let states = StateSet::NONE.with(StateKind::Blocked);
    assert_eq!(weight(Filter { states, ..all() }), 1.0);
    assert_eq!(
        weight(Filter {
            gil_only: true,
            ..all()
        }),
        2.0
    );
    let a = Some(function(&analyzer, "a"));
    assert_eq!(
        weight(Filter {
            function: a,
            ..all()
        }),
        3.0
    );
    let search = Some(Search::new("^Y ").expect("good"));
    assert_eq!(
        weight(Filter {
            search: search.clone(),
            ..all()
        }),
        3.0
    );
    assert_eq!(
        weight(Filter {
            search,
            function: a,
            ..all()
        }),
        2.0,
        "both are needed"
    );
    let nowhere = vec![ThreadId(99)];
    assert_eq!(
        weight(Filter {
            threads: nowhere,
            ..all()
        }),
        0.0
    );
}

#[test]
fn a_range_takes_the_part_of_a_sample_inside() {
    let analyzer = of("
        ms:     1  4  1
        count:  1  4  1
                a  b  c
    ");
    let figures = |from, to| {
        let filter = Filter {
            range: range(from, to),
            ..Filter::default()
        };
        let selection = analyzer.select(&filter).expect("readable");
        (ms(selection.total().weight), selection.total().count)
    };
    assert_eq!(figures(0, 6), (6.0, 6));
    assert_eq!(figures(0, 3), (3.0, 3));
    assert_eq!(figures(3, 6), (3.0, 3));
    assert_eq!(figures(2, 3), (1.0, 1));
    assert_eq!(figures(7, 9), (0.0, 0));
}

#[test]
fn a_recording_that_knows_no_time_counts_samples() {
    let mut recording = picture::record(
        "
        count:  3  2
        ms:     0  0
                a  b
    ",
    );
    recording.info.interval = Nanos(0);
    let analyzer = analyze(recording);
    let table = analyzer
        .functions(&Filter::default(), &FunctionQuery::default())
        .expect("readable");
    let weights: Vec<(u64, u64)> = table.rows.iter().map(|r| (r.own.weight, r.total)).collect();
    assert_eq!((table.total.weight, weights), (5, vec![(3, 3), (2, 2)]));
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 100,
    };
    let order = analyzer
        .time_order(&Filter::default(), MergeBy::Function, window)
        .expect("readable");
    let spans: Vec<(u64, u64)> = order.segments().iter().map(|s| (s.start, s.end)).collect();
    assert_eq!(
        spans,
        [(0, 3), (3, 5)],
        "in the order of time: in the order of the samples"
    );
}

#[test]
fn lines_and_files() {
    let analyzer = of("
        main:1        main:1        main:2
        f@lib.py:5    f@lib.py:5    main:1
        g@lib.py:5    h@lib.py:9    f@lib.py:5
    ");
    let dict = analyzer.dictionary();
    let file = dict.functions()[function(&analyzer, "f").index()].file;
    let lines = analyzer
        .file_lines(&Filter::default(), file)
        .expect("there");
    let shown: Vec<String> = lines
        .lines
        .iter()
        .map(|row| {
            let label = analyzer.names().label(dict, row.function);
            format!("{}: {}/{} {label}", row.line, ms(row.own), ms(row.total))
        })
        .collect();
    assert_eq!(
        shown,
        ["5: 2/3 f", "9: 1/1 h"],
        "f and g on line 5 are one line, once a sample"
    );
    let functions: Vec<String> = lines
        .functions
        .iter()
        .map(|id| analyzer.names().label(dict, *id))
        .collect();
    assert_eq!(functions, ["f", "g", "h"]);
    let main = dict.functions()[function(&analyzer, "main").index()].file;
    let lines = analyzer
        .file_lines(&Filter::default(), main)
        .expect("there")
        .lines;
    let shown: Vec<(u32, f64)> = lines.iter().map(|row| (row.line, ms(row.total))).collect();
    assert_eq!(shown, [(1, 3.0), (2, 1.0)]);
    let files: Vec<String> = analyzer
        .files(&Filter::default())
        .expect("readable")
        .iter()
        .map(|row| {
            format!(
                "{} {}/{}",
                dict.file_path(row.file),
                ms(row.own),
                ms(row.total)
            )
        })
        .collect();
    assert_eq!(files, ["lib.py 3/3", "/work/app.py 0/3"]);
}

#[test]
fn search_says_how_much_it_finds() {
    let analyzer = of(BASIC);
    let found = analyzer
        .search(
            &Filter::default(),
            &Search::new("parse|token|read").expect("good"),
        )
        .expect("readable");
    let expected = ["parse", "token"].map(|name| function(&analyzer, name));
    assert_eq!(found.functions, expected, "read only slept");
    assert_eq!((ms(found.weight), ms(found.total)), (2.0, 4.0));
}

#[test]
fn an_empty_view_says_why() {
    let asleep = of("
        state:  blocked  blocked
                a        a
    ");
    let mixed = of("
        thread:  Main  Main      Worker
        state:   cpu   gil-wait  blocked
                 a     b         c
    ");
    let none = analyze(MemoryRecording::default());
    let mut lost = MemoryRecording::default();
    lost.losses.push(LossRow {
        count: 12,
        ..LossRow::default()
    });
    let lost = analyze(lost);
    let why = |analyzer: &Analyzer, filter: Filter| {
        let empty = analyzer.empty(&filter).expect("readable");
        empty.map_or("not empty".to_owned(), |empty| empty.to_string())
    };
    let all = Filter::default;
    let search = Some(Search::new("zebra").expect("good"));
    let reasons = [
        why(&none, all()),
        why(&lost, all()),
        why(&asleep, all()),
        why(&mixed, all()),
        why(
            &mixed,
            Filter {
                range: range(5, 6),
                ..all()
            },
        ),
        why(
            &mixed,
            Filter {
                threads: vec![ThreadId(9)],
                ..all()
            },
        ),
        why(
            &mixed,
            Filter {
                threads: vec![ThreadId(1)],
                ..all()
            },
        ),
        why(
            &mixed,
            Filter {
                states: StateSet::NONE.with(StateKind::Disk),
                ..all()
            },
        ),
        why(
            &mixed,
            Filter {
                gil_only: true,
                ..all()
            },
        ),
        why(
            &mixed,
            Filter {
                function: Some(function(&mixed, "c")),
                ..all()
            },
        ),
        why(&mixed, Filter { search, ..all() }),
    ];
    insta::assert_snapshot!(reasons.join("\n"), @r"
    The recording has no samples: the program ended before the first one. Record for longer, or at a higher rate.
    The recording has no samples: all 12 observations were lost. The messages say why.
    All samples in this range are of sleeping threads. Include the state “asleep”.
    not empty
    There are no samples in this time range. Widen it.
    The chosen threads have no samples in this time range. Choose others.
    All samples in this range are of sleeping threads. Include the state “asleep”.
    No sample in this range has one of the chosen states. Choose more.
    No sample in this range held the GIL. Show samples without the GIL too.
    c is in no stack of this range. Clear the function.
    Nothing in this range matches “zebra”. Change the search.
    ");
}

#[test]
fn ids_of_nothing_are_errors_and_no_panic() {
    let analyzer = of(BASIC);
    let filter = Filter::default();
    let sandwich = analyzer.sandwich(&filter, FunctionId(999)).map(|_| ());
    assert_eq!(
        sandwich.expect_err("none").to_string(),
        "there is no function 999 in this recording"
    );
    assert!(
        analyzer
            .file_lines(&filter, sondage_model::FileId(999))
            .is_err()
    );
    let window = TimeWindow {
        x0: Some(9),
        x1: Some(3),
        px: 0,
    };
    let threads = vec![ThreadId(999)];
    let order = analyzer
        .time_order(&Filter { threads, ..filter }, MergeBy::Line, window)
        .expect("an answer");
    assert!(order.segments().is_empty() && order.empty().is_some());
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let mut recording = picture::record("a");
    recording.dictionary.frame(FunctionId(77), 1);
    let error = Analyzer::new(Arc::new(recording.seal())).expect_err("damaged");
    assert_eq!(
        error.to_string(),
        "row 1 of the frames of the recording cannot be read: its function is not in the functions"
    );
}

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

#[test]
fn ten_thousand_frames_deep() {
    let mut recording = picture::record("a");
    let dict = &mut recording.dictionary;
    let frame = dict.frame(FunctionId(0), 1);
    let mut stack = sondage_model::StackId::EMPTY;
    for _ in 0..10_000 {
        stack = dict.stack(stack, frame);
    }
    recording.samples.stacks[0] = stack;
    let analyzer = analyze(recording);
    insta::assert_snapshot!(table(&analyzer, &Filter::default()), @r"
    of 1 ms
    a 1/1
    ");
    let sandwich = analyzer
        .sandwich(&Filter::default(), FunctionId(0))
        .expect("there");
    assert_eq!(draw(&sandwich.callees).lines().count(), 10_000);
    assert_eq!(draw(&sandwich.callers).lines().count(), 10_000);
    let report = analyzer
        .report(&ReportOptions::default())
        .expect("readable");
    assert_eq!(report.paths[0].functions.len(), 10_000);
}
