//! Each test is a picture of a recording and the view that is expected of it: tables, trees,
//! filters, lines.

mod common;

use common::*;
use std::sync::Arc;

use sondage_analyze::{
    AnalyzeError, Analyzer, Direction, Filter, FunctionQuery, MergeBy, ReportOptions, Search,
    SortBy, StateSet, TimeWindow, picture,
};
use sondage_model::{FunctionId, LossRow, MemoryRecording, Nanos, ProcessId, StateKind, ThreadId};

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
