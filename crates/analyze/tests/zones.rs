//! What the program says of itself: known answers.

#[path = "common/zones.rs"]
mod zones;

use std::sync::Arc;

use sondage_analyze::{
    Analyzer, Empty, Filter, FunctionQuery, Inside, LogQuery, MergeBy, ProbeCost, Search,
    TimeWindow, ZoneId, ZoneQuery, ZoneSort, picture,
};
use sondage_model::*;
use zones::site;

const MS: u64 = 1_000_000;

fn zone(thread: u32, site: SiteId, depth: u16, start: u64, duration: u64) -> ZoneRow {
    ZoneRow {
        start: Time(start * MS),
        duration: Nanos(duration * MS),
        busy: Nanos(duration * MS),
        thread: ThreadId(thread),
        site,
        depth,
        ..ZoneRow::default()
    }
}

/// Ten samples of the main thread, one of a second; `request` from 0 to 10 ms with two `query`
/// inside, and a span that was suspended and ran from 1 to 2 and from 5 to 7 ms.
fn small() -> MemoryRecording {
    let mut recording = picture::record(
        "
        thread:  Main Main Main Main Main Main Main Main Main Main Worker
                 main main main main main main main main main main run
                 a    b    c    c    d    e    f    g    g    g
        ",
    );
    let (request, query) = (
        site(&mut recording, "request", 3),
        site(&mut recording, "query", 9),
    );
    let task = site(&mut recording, "task", 20);
    let span = SpanId(77);
    let poll = |depth, start, duration| ZoneRow {
        flags: ZoneFlags::POLL,
        span,
        ..zone(0, task, depth, start, duration)
    };
    let detail = ZoneDetail {
        arguments: r#"{"user": 7}"#.into(),
        trace: 0xabc,
        ..ZoneDetail::default()
    };
    recording.zones.push(poll(1, 1, 1), None);
    recording.zones.push(zone(0, query, 1, 2, 2), None);
    recording.zones.push(poll(1, 5, 2), None);
    recording.zones.push(
        ZoneRow {
            lane: 1,
            busy: Nanos(3 * MS),
            flags: ZoneFlags::SPAN.with(ZoneFlags::SUSPENDED),
            span,
            parent: SpanId(5),
            ..zone(0, task, 0, 1, 6)
        },
        Some(detail.clone()),
    );
    recording.zones.push(zone(0, query, 1, 7, 3), None);
    recording.zones.push(
        ZoneRow {
            flags: ZoneFlags::SPAN.with(ZoneFlags::FAILED),
            span: SpanId(5),
            ..zone(0, request, 0, 0, 10)
        },
        Some(detail),
    );
    recording
}

fn analyzer(recording: MemoryRecording) -> Analyzer {
    Analyzer::new(Arc::new(recording.seal())).expect("a sound recording")
}

#[test]
fn the_table_counts_whole_zones_and_leaves_stretches_out() {
    let analyzer = analyzer(small());
    let table = analyzer
        .zones(&Filter::default(), &ZoneQuery::default())
        .expect("readable");
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| {
            let name = analyzer.site_name(row.site).label;
            let times = [row.total, row.own, row.min, row.max, row.mean()].map(|t| t.0 / 1000);
            (name, row.count, times)
        })
        .collect();
    let expected = [
        // Inside the request are 3 ms of the task's stretches and 5 ms of queries.
        ("request", 1, [10_000, 2_000, 10_000, 10_000, 10_000]),
        ("task", 1, [6_000, 6_000, 6_000, 6_000, 6_000]),
        ("query", 2, [5_000, 5_000, 2_000, 3_000, 2_500]),
    ];
    assert_eq!(
        rows,
        expected.map(|(name, n, times)| (name.to_owned(), n, times))
    );
    assert_eq!((table.zone_count, table.row_count), (4, 3));
    let query = ZoneQuery {
        only: Some(Search::new("^QUE").expect("an expression")),
        ..ZoneQuery::default()
    };
    let found = analyzer
        .zones(&Filter::default(), &query)
        .expect("readable");
    assert_eq!((found.row_count, found.zone_count), (1, 2));
    let query = ZoneQuery {
        only: Some(Search::new("nothing").expect("an expression")),
        sort: ZoneSort::Name,
        ..ZoneQuery::default()
    };
    let found = analyzer
        .zones(&Filter::default(), &query)
        .expect("readable");
    assert!(matches!(found.empty, Some(Empty::Search { .. })));
}

#[test]
fn an_empty_table_says_what_to_do() {
    let plain = analyzer(picture::record("main"));
    let query = ZoneQuery::default();
    let empty = |analyzer: &Analyzer, filter: &Filter| {
        let table = analyzer.zones(filter, &query).expect("readable");
        table.empty.expect("a reason").to_string()
    };
    assert!(empty(&plain, &Filter::default()).contains("profiler.span("));
    let small = analyzer(small());
    let range = Some(TimeRange::new(Time(8 * MS), Time(9 * MS)));
    assert!(
        empty(
            &small,
            &Filter {
                range,
                ..Filter::default()
            }
        )
        .contains("Widen it")
    );
    let threads = vec![ThreadId(1)];
    assert!(
        empty(
            &small,
            &Filter {
                threads,
                ..Filter::default()
            }
        )
        .contains("chosen threads")
    );
}

/// Own weight in ms by function, of the samples inside.
fn inside(analyzer: &Analyzer, filter: &Filter) -> Vec<(String, f64)> {
    let query = FunctionQuery {
        sort: sondage_analyze::SortBy::Name,
        descending: false,
        ..FunctionQuery::default()
    };
    let table = analyzer.functions(filter, &query).expect("readable");
    let label = |id| analyzer.names().label(analyzer.dictionary(), id);
    let rows = table.rows.into_iter().filter(|row| row.own.weight > 0);
    rows.map(|row| (label(row.function), row.own.weight as f64 / MS as f64))
        .collect()
}

#[test]
fn samples_inside_a_zone_all_zones_of_a_place_and_the_stretches_of_a_span() {
    let analyzer = analyzer(small());
    let of = |inside| Filter {
        inside: Some(inside),
        ..Filter::default()
    };
    let named = |rows: &[(&str, f64)]| -> Vec<(String, f64)> {
        rows.iter()
            .map(|(name, ms)| ((*name).to_owned(), *ms))
            .collect()
    };
    // The first query, from 2 to 4 ms; then both; then the span, from 1 to 2 and from 5 to 7.
    let query = analyzer.zone(ZoneId(1)).expect("there");
    let one = of(Inside::Zone(query.id));
    assert_eq!(inside(&analyzer, &one), named(&[("c", 2.0)]));
    let all = of(Inside::Site(query.row.site));
    assert_eq!(inside(&analyzer, &all), named(&[("c", 2.0), ("g", 3.0)]));
    let span = analyzer.zone(ZoneId(3)).expect("there");
    let stretches = named(&[("b", 1.0), ("e", 1.0), ("f", 1.0)]);
    assert_eq!(inside(&analyzer, &of(Inside::Zone(span.id))), stretches);
    assert_eq!(
        inside(&analyzer, &of(Inside::Site(span.row.site))),
        stretches
    );
    // A time range cuts on.
    let range = Some(TimeRange::new(Time(3_500_000), Time(8_000_000)));
    let both = Filter {
        range,
        ..all.clone()
    };
    assert_eq!(inside(&analyzer, &both), named(&[("c", 0.5), ("g", 1.0)]));
    // In the order of time there are only those stretches.
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 1000,
    };
    let order = analyzer
        .time_order(&all, MergeBy::Function, window)
        .expect("readable");
    let segments: Vec<(u64, u64)> = order
        .segments()
        .iter()
        .map(|s| (s.start / MS, s.end / MS))
        .collect();
    assert_eq!(segments, [(2, 4), (7, 10)]);
    // Of a thread without zones nothing is left, and it says why.
    let other = Filter {
        threads: vec![ThreadId(1)],
        ..all
    };
    assert_eq!(
        analyzer.empty(&other).expect("readable"),
        Some(Empty::Inside)
    );
    let nowhere = of(Inside::Zone(ZoneId(99)));
    assert!(analyzer.select(&nowhere).is_err());
    assert!(analyzer.select(&of(Inside::Site(SiteId(99)))).is_err());
}

#[test]
fn a_card_tells_what_is_around_inside_before_and_after() {
    let analyzer = analyzer(small());
    let ids = |zones: &[sondage_analyze::Zone]| zones.iter().map(|z| z.id.0).collect::<Vec<_>>();
    let request = analyzer.zone_card(ZoneId(5)).expect("there");
    assert_eq!(ids(&request.inside), [3, 1, 4]);
    assert_eq!(
        (request.inside_count, request.own),
        (Some(3), Some(Nanos(5 * MS - 3 * MS)))
    );
    assert_eq!(
        request.detail.expect("it has one").arguments,
        r#"{"user": 7}"#
    );
    assert_eq!((request.before, request.after), (None, None));
    let query = analyzer.zone_card(ZoneId(1)).expect("there");
    assert_eq!(ids(&query.around), [5]);
    assert_eq!(query.after.map(|zone| zone.id), Some(ZoneId(4)));
    // The span's parent is known by its number, not by its lane.
    let span = analyzer.zone_card(ZoneId(3)).expect("there");
    assert_eq!(ids(&span.around), [5]);
    let tree = analyzer.trace_of(ZoneId(3)).expect("readable");
    let spans: Vec<_> = tree
        .spans
        .iter()
        .map(|s| (s.zone.id.0, s.level, s.parent))
        .collect();
    assert_eq!(
        (tree.trace, spans),
        (0xabc, vec![(5, 0, None), (3, 1, Some(0))])
    );
    let statistics = analyzer
        .site_statistics(&Filter::default(), query.zone.row.site)
        .expect("there");
    assert_eq!((statistics.figures.count, statistics.failed), (2, 0));
    assert_eq!(statistics.longest.map(|zone| zone.id), Some(ZoneId(4)));
    let filled = statistics
        .histogram
        .buckets
        .iter()
        .filter(|bucket| bucket.count > 0);
    let filled: Vec<_> = filled
        .map(|b| (b.from.0 / 1000, b.to.0 / 1000, b.count))
        .collect();
    assert_eq!(filled, [(2000, 2500, 1), (2500, 3150, 1)]);
    let at = |depth, ms: u64| {
        analyzer
            .zone_at(ThreadId(0), 0, depth, Time(ms * MS))
            .expect("readable")
    };
    assert_eq!(at(1, 8).map(|zone| zone.id), Some(ZoneId(4)));
    assert_eq!(at(0, 8).map(|zone| zone.id), Some(ZoneId(5)));
    assert_eq!(at(2, 8), None);
    assert!(analyzer.zone_card(ZoneId(6)).is_err());
}

/// A request in a task, with a query inside; a stretch of the request's; a span inside the request
/// that was called back outside of any task, with a query inside; and a query of another thread.
#[test]
fn a_zone_is_of_the_task_that_was_said_of_it_or_around_it() {
    let mut recording = small();
    recording.zones = ZoneColumns::default();
    let name = recording.dictionary.string("worker-1");
    let task = recording.dictionary.add_task(TaskRow {
        name,
        ..TaskRow::default()
    });
    let place = site(&mut recording, "request", 3);
    let spanned = |span, parent, row| ZoneRow {
        flags: ZoneFlags::SPAN,
        span: SpanId(span),
        parent: SpanId(parent),
        ..row
    };
    let detail = ZoneDetail {
        task,
        ..ZoneDetail::default()
    };
    let poll = ZoneRow {
        flags: ZoneFlags::POLL,
        lane: 1,
        ..spanned(5, 0, zone(0, place, 0, 0, 2))
    };
    let suspended = ZoneFlags::SPAN.with(ZoneFlags::SUSPENDED);
    let request = ZoneRow {
        flags: suspended,
        ..spanned(5, 0, zone(0, place, 0, 0, 10))
    };
    let rows = [
        (poll, None),
        (zone(0, place, 1, 1, 1), None),
        (zone(0, place, 2, 4, 1), None),
        (spanned(6, 5, zone(0, place, 1, 3, 3)), None),
        (zone(1, place, 0, 7, 1), None),
        (request, Some(detail)),
    ];
    for (row, detail) in rows {
        recording.zones.push(row, detail);
    }
    let analyzer = analyzer(recording);
    let of = |id| analyzer.zone_card(ZoneId(id)).expect("there").task;
    let none = TaskId::NONE;
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(of),
        [task, task, none, none, none, task]
    );
    let tracks = analyzer
        .zone_tracks(&Filter::default(), 1000, 9)
        .expect("readable");
    let drawn = tracks.pieces.iter().filter(|piece| piece.task != none);
    assert_eq!(
        drawn.map(|piece| piece.zone).collect::<Vec<_>>(),
        [Some(ZoneId(5))]
    );
    // Drawn together with others it is of no task that is known.
    let far = analyzer
        .zone_tracks(&Filter::default(), 1, 9)
        .expect("readable");
    assert!(
        far.pieces
            .iter()
            .all(|piece| piece.count == 1 || piece.task == none)
    );
}

#[test]
fn frames_locks_logs_and_the_cost_of_probes() {
    let mut recording = small();
    let dict = &mut recording.dictionary;
    let name = dict.string("load");
    let cache = dict.string("cache");
    let lock = dict.add_lock(LockRow {
        name: cache,
        ..LockRow::default()
    });
    for (at, kind, name) in [
        (0, FrameMarkKind::Mark, StringId::EMPTY),
        (10, FrameMarkKind::Mark, StringId::EMPTY),
        (12, FrameMarkKind::Begin, name),
        (40, FrameMarkKind::Mark, StringId::EMPTY),
        (41, FrameMarkKind::End, name),
        (50, FrameMarkKind::Mark, StringId::EMPTY),
    ] {
        recording.frame_marks.push(FrameMarkRow {
            time: Time(at * MS),
            thread: ThreadId(0),
            name,
            kind,
        });
    }
    for (start, thread, wait, holder) in [(1, 0, 4, 1), (2, 1, 0, 0), (9, 0, 2, 1)] {
        recording.waits.push(WaitRow {
            start: Time(start * MS),
            wait: Nanos(wait * MS),
            hold: Nanos(MS),
            thread: ThreadId(thread),
            lock,
            holder: (wait > 0).then_some(ThreadId(holder)),
            kind: WaitKind::Exclusive,
        });
    }
    for (at, level, text) in [
        (1, 2, "started"),
        (3, 4, "lost the disk"),
        (3, 2, "went on"),
    ] {
        recording.logs.push(LogRow {
            time: Time(at * MS),
            level,
            text: text.into(),
            ..LogRow::default()
        });
    }
    for (series, unit, value) in [
        ("sondage.probes", "", 200.0),
        ("sondage.probe_cost", "ns", 5000.0),
    ] {
        let row = CounterSeriesRow {
            process: ProcessId(0),
            name: recording.dictionary.string(series),
            unit: recording.dictionary.string(unit),
            kind: CounterKind::Total,
        };
        let counter = recording.dictionary.add_counter(row);
        for (at, share) in [(1, 0.5), (2, 1.0)] {
            let (time, value) = (Time(at * MS), value * share);
            recording.counters.push(CounterRow {
                counter,
                time,
                value,
            });
        }
    }
    let analyzer = analyzer(recording);
    let all = Filter::default();
    let frames = analyzer.frames(&all, 2).expect("readable");
    let seen: Vec<_> = frames
        .iter()
        .map(|f| {
            let worst: Vec<u64> = f.worst.iter().map(|frame| frame.duration.0 / MS).collect();
            (
                f.name.as_str(),
                f.count,
                f.max.0 / MS,
                f.percentiles.p50.0 / MS,
                worst,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [("", 3, 30, 10, vec![30, 10]), ("load", 1, 29, 29, vec![29])]
    );
    assert!((frames[0].per_second() - 60.0).abs() < 1e-9);
    let tracks = analyzer.frame_tracks(&all, 2).expect("readable");
    let numbers: Vec<Vec<u64>> = tracks
        .iter()
        .map(|set| set.frames.iter().map(|frame| frame.number).collect())
        .collect();
    // Of the two that begin on the first pixel only the longer one is drawn.
    assert_eq!(numbers, [vec![1, 2], vec![0]]);
    let locks = analyzer.locks(&all).expect("readable");
    let figures = &locks[0];
    assert_eq!(
        (figures.name.as_str(), figures.count, figures.waits),
        ("cache", 3, 2)
    );
    assert_eq!(
        (
            figures.wait.0 / MS,
            figures.max_wait.0 / MS,
            figures.hold.0 / MS
        ),
        (6, 4, 3)
    );
    let pairs: Vec<_> = figures
        .pairs
        .iter()
        .map(|p| (p.waiter.0, p.holder, p.count))
        .collect();
    assert_eq!(pairs, [(0, Some(ThreadId(1)), 2)]);
    assert_eq!(analyzer.wait_pieces(&all, 1000).expect("readable").len(), 2);
    let query = LogQuery {
        least_level: 3,
        limit: 10,
        ..LogQuery::default()
    };
    let logs = analyzer.logs(&all, &query).expect("readable");
    assert_eq!(
        (logs.count, logs.rows[0].text.as_str()),
        (1, "lost the disk")
    );
    let marks = analyzer.log_marks(&all, 5).expect("readable");
    let marks: Vec<_> = marks
        .iter()
        .map(|mark| (mark.count, mark.row.level))
        .collect();
    assert_eq!(marks, [(3, 4)]);
    let report = analyzer
        .report(&sondage_analyze::ReportOptions::default())
        .expect("readable");
    let expected = ProbeCost {
        events: 200,
        cost: Nanos(5000),
    };
    assert_eq!(report.program.probes, Some(expected));
    assert_eq!(
        (report.program.zone_count, report.program.log_count),
        (4, 3)
    );
}
