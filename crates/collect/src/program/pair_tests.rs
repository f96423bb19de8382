use proptest::prelude::*;

use super::*;

/// `thread.lane.depth start+duration (busy) site flags span<parent`, a row a line.
fn show(rows: &Rows) -> String {
    let names = [
        (ZoneFlags::SPAN, "span"),
        (ZoneFlags::POLL, "poll"),
        (ZoneFlags::SUSPENDED, "suspended"),
        (ZoneFlags::FAILED, "failed"),
        (ZoneFlags::OPEN, "open"),
        (ZoneFlags::CUMULATIVE, "cumulative"),
        (ZoneFlags::REMOTE, "remote"),
        (ZoneFlags::CUT, "cut"),
    ];
    let line = |row: ZoneRow| {
        let mut line = format!(
            "t{}.{}.{} {}+{}",
            row.thread.0, row.lane, row.depth, row.start.0, row.duration.0
        );
        if row.busy != row.duration {
            line += &format!(" ({} busy)", row.busy.0);
        }
        line += &format!(" site {}", row.site.0);
        for (flag, name) in names {
            if row.flags.has(flag) {
                line += &format!(" {name}");
            }
        }
        if row.span != SpanId::NONE || row.parent != SpanId::NONE {
            line += &format!(" #{}<{}", row.span.0, row.parent.0);
        }
        if let Some(detail) = rows.zones.detail(&row) {
            if detail.task != TaskId::NONE {
                line += &format!(" task {}", detail.task.0);
            }
            if !detail.arguments.is_empty() || detail.count > 0 {
                line += &format!(" {}", detail.arguments);
            }
            if detail.count > 0 {
                let ZoneDetail {
                    count,
                    min,
                    max,
                    total,
                    ..
                } = detail;
                line += &format!("{count} times {}..{} sum {}", min.0, max.0, total.0);
            }
        }
        line
    };
    rows.zones.rows().map(line).collect::<Vec<_>>().join("\n")
}

fn zone(site: u32, depth: u16) -> Item {
    let site = SiteId(site);
    Item::ZoneBegin { site, depth }
}

fn begin(span: u64, parent: u64) -> Item {
    Item::SpanBegin {
        site: SiteId(span as u32),
        span: SpanId(span),
        parent: SpanId(parent),
        trace: 0,
        remote: false,
    }
}

fn end(span: u64) -> Item {
    let span = SpanId(span);
    Item::SpanEnd {
        span,
        failed: false,
    }
}

fn enter(span: u64) -> Item {
    Item::SpanEnter { span: SpanId(span) }
}

fn exit(span: u64) -> Item {
    Item::SpanExit { span: SpanId(span) }
}

fn value(span: u64, key: &str, value: i64) -> Item {
    Item::Value {
        span: SpanId(span),
        key: key.into(),
        value: OwnedValue::Int(value),
    }
}

fn task(span: u64, task: u32) -> Item {
    let (span, task) = (SpanId(span), TaskId(task));
    Item::Task { span, task }
}

fn gap(depth: u16, is_unknown: bool) -> Item {
    Item::Gap { depth, is_unknown }
}

/// What comes of events of threads 0, 1, …: each as (thread, time, event).
fn pair(threads: u32, events: &[(usize, u64, Item)], end: u64) -> String {
    let mut pairing = Pairing::new(0);
    let mut rows = Rows::default();
    for thread in 0..threads {
        pairing.stream(ThreadId(thread));
    }
    for (thread, time, item) in events {
        pairing.take(*thread, *time, item.clone(), &mut rows);
    }
    pairing.finish(end, &mut rows);
    show(&rows)
}

#[test]
fn zones_nest_and_carry_their_arguments() {
    let events = [
        (0, 10, zone(1, 0)),
        (0, 11, zone(2, 1)),
        (0, 0, value(0, "n", 5)),
        (1, 12, zone(3, 0)),
        (0, 13, Item::ZoneEnd),
        (0, 0, value(0, "outer", 1)),
        (0, 20, Item::ZoneEnd),
    ];
    insta::assert_snapshot!(pair(2, &events, 30), @r#"
    t0.0.1 11+2 site 2 {"n":5}
    t0.0.0 10+10 site 1 {"outer":1}
    t1.0.0 12+18 site 3 open
    "#);
}

#[test]
fn a_gap_ends_the_zones_that_it_says() {
    let events = [
        (0, 10, zone(1, 0)),
        (0, 11, zone(2, 1)),
        (0, 12, zone(3, 2)),
        (0, 0, gap(1, false)),
        (0, 50, zone(4, 1)),
        (0, 51, Item::ZoneEnd),
        (0, 52, Item::ZoneEnd),
        // Two zones are open that began before.
        (1, 0, gap(2, true)),
        (1, 60, Item::ZoneEnd),
        (1, 61, zone(5, 1)),
        (1, 62, Item::ZoneEnd),
        (1, 63, Item::ZoneEnd),
        (1, 64, zone(6, 0)),
        (1, 65, Item::ZoneEnd),
        // An event that could not be read: the depth tells.
        (1, 70, zone(7, 0)),
        (1, 71, zone(8, 1)),
        (1, 72, zone(9, 0)),
    ];
    insta::assert_snapshot!(pair(2, &events, 90), @"
    t0.0.2 12+0 site 3 cut
    t0.0.1 11+1 site 2 cut
    t0.0.1 50+1 site 4
    t0.0.0 10+42 site 1
    t1.0.0 61+1 site 5
    t1.0.0 64+1 site 6
    t1.0.1 71+0 site 8 cut
    t1.0.0 70+1 site 7 cut
    t1.0.0 72+18 site 9 open
    ");
}

#[test]
fn tasks_of_one_thread_lie_side_by_side() {
    let events = [
        (0, 10, begin(1, 0)),
        (0, 11, begin(2, 1)),
        (0, 12, begin(3, 1)),
        (0, 13, begin(4, 2)),
        (0, 14, begin(5, 3)),
        (0, 15, end(4)),
        (0, 0, value(3, "k", 1)),
        (0, 16, end(2)),
        (0, 17, end(5)),
        (0, 18, end(3)),
        (0, 19, begin(6, 1)),
        (0, 20, end(6)),
        (0, 21, end(1)),
    ];
    insta::assert_snapshot!(pair(1, &events, 30), @r#"
    t0.0.2 13+2 site 4 span #4<2
    t0.0.1 11+5 site 2 span #2<1
    t0.1.1 14+3 site 5 span #5<3
    t0.1.0 12+6 site 3 span #3<1 {"k":1}
    t0.0.1 19+1 site 6 span #6<1
    t0.0.0 10+11 site 1 span #1<0
    "#);
}

#[test]
fn a_span_that_changes_threads_leaves_its_stretches_and_has_a_lane_of_its_own() {
    let events = [
        (0, 10, zone(100, 0)),
        (0, 20, begin(1, 0)),
        (0, 21, begin(2, 1)),
        (0, 22, zone(101, 1)),
        (0, 23, Item::ZoneEnd),
        (0, 24, exit(2)),
        (0, 25, exit(1)),
        (0, 26, Item::ZoneEnd),
        (1, 30, enter(1)),
        (1, 31, enter(2)),
        (1, 35, end(2)),
        (1, 36, end(1)),
    ];
    insta::assert_snapshot!(pair(2, &events, 40), @"
    t0.0.3 22+1 site 101
    t0.0.2 21+3 site 2 poll #2<1
    t0.0.1 20+5 site 1 poll #1<0
    t0.0.0 10+16 site 100
    t1.0.1 31+4 site 2 poll #2<1
    t0.1.1 21+14 (7 busy) site 2 span suspended #2<1
    t1.0.0 30+6 site 1 poll #1<0
    t0.1.0 20+16 (11 busy) site 1 span suspended #1<0
    ");
}

#[test]
fn what_is_suspended_at_the_end_stays_open() {
    let events = [
        (0, 10, begin(1, 0)),
        (0, 11, exit(1)),
        (0, 12, begin(2, 0)),
        (0, 13, zone(9, 0)),
    ];
    insta::assert_snapshot!(pair(1, &events, 20), @"
    t0.0.0 10+1 site 1 poll #1<0
    t0.0.1 13+7 site 9 open
    t0.0.0 12+8 site 2 span open #2<0
    t0.1.0 10+10 (1 busy) site 1 span suspended open #1<0
    ");
}

#[test]
fn a_span_whose_end_was_lost_ends_in_the_gap() {
    let events = [
        (0, 10, begin(1, 0)),
        (0, 11, begin(2, 1)),
        (0, 0, gap(0, false)),
        (0, 30, begin(3, 1)),
        (0, 31, end(3)),
        (0, 32, end(1)),
        // Its number again: the end was lost, too.
        (0, 40, begin(7, 0)),
        (0, 45, begin(7, 0)),
        (0, 46, end(7)),
    ];
    insta::assert_snapshot!(pair(1, &events, 50), @"
    t0.0.1 11+0 site 2 span cut #2<1
    t0.0.1 30+1 site 3 span #3<1
    t0.0.0 10+22 site 1 span #1<0
    t0.0.0 40+5 site 7 span cut #7<0
    t0.0.0 45+1 site 7 span #7<0
    ");
}

#[test]
fn cumulative_passes_lie_where_nothing_else_does() {
    let passes = |total| Item::Cumulative {
        site: SiteId(5),
        parent: SpanId(1),
        count: 3,
        times: [Nanos(total), Nanos(2), Nanos(9)],
    };
    let events = [
        (0, 10, begin(1, 0)),
        (0, 30, passes(12)),
        (0, 31, passes(100)),
        (0, 40, end(1)),
    ];
    insta::assert_snapshot!(pair(1, &events, 50), @"
    t0.1.0 18+12 site 5 cumulative #0<1 3 times 2..9 sum 12
    t0.2.0 10+21 site 5 cumulative #0<1 3 times 2..9 sum 100
    t0.0.0 10+30 site 1 span #1<0
    ");
}

#[test]
fn two_arenas_of_a_thread_have_a_lane_each() {
    let mut pairing = Pairing::new(0);
    let mut rows = Rows::default();
    let rust = pairing.stream(ThreadId(0));
    let python = pairing.stream(ThreadId(0));
    pairing.take(rust, 10, zone(1, 0), &mut rows);
    pairing.take(python, 11, zone(2, 0), &mut rows);
    pairing.take(python, 12, begin(3, 0), &mut rows);
    pairing.take(rust, 13, begin(4, 0), &mut rows);
    pairing.finish(20, &mut rows);
    insta::assert_snapshot!(show(&rows), @"
    t0.1.1 12+8 site 3 span open #3<0
    t0.0.1 13+7 site 4 span open #4<0
    t0.0.0 10+10 site 1 open
    t0.1.0 11+9 site 2 open
    ");
}

#[test]
fn what_ended_before_the_recording_is_left_out() {
    let mut pairing = Pairing::new(100);
    let mut rows = Rows::default();
    let stream = pairing.stream(ThreadId(0));
    for (time, item) in [
        (50, zone(1, 0)),
        (60, zone(2, 1)),
        (70, Item::ZoneEnd),
        (120, Item::ZoneEnd),
    ] {
        pairing.take(stream, time, item, &mut rows);
    }
    insta::assert_snapshot!(show(&rows), @"t0.0.0 0+20 site 1");
}

#[test]
fn a_task_is_told_before_its_span_and_goes_for_those_inside() {
    let events = [
        (0, 0, task(1, 7)),
        (0, 10, begin(1, 0)),
        (0, 11, begin(2, 1)),
        // A callback: it has its caller's context, and is in no task.
        (0, 0, task(3, 0)),
        (0, 12, begin(3, 1)),
        (0, 13, end(3)),
        (0, 14, end(2)),
        // Another thread has other tasks.
        (1, 15, begin(4, 1)),
        (1, 16, end(4)),
        // What was told of a span whose begin was lost is of no other.
        (0, 0, task(5, 8)),
        (0, 17, begin(6, 0)),
        (0, 18, end(6)),
        (0, 20, end(1)),
    ];
    insta::assert_snapshot!(pair(2, &events, 30), @r"
    t0.1.0 12+1 site 3 span #3<1
    t0.0.1 11+3 site 2 span #2<1 task 7
    t1.0.0 15+1 site 4 span #4<1
    t0.1.0 17+1 site 6 span #6<0
    t0.0.0 10+10 site 1 span #1<0 task 7
    ");
}

#[test]
fn a_task_keeps_its_lane() {
    let mut events = Vec::new();
    let mut span = 0;
    let mut told = |at: u64, of: u32, parent: u64| {
        span += 1;
        [(0, 0, task(span, of)), (0, at, begin(span, parent))]
    };
    // Tasks 1 and 2 in turns: while one is in its span, the other comes and goes.
    for round in [0, 100] {
        events.extend(told(round + 10, 1, 0));
        events.extend(told(round + 20, 2, 0));
        events.push((0, round + 30, end(2 * (round / 100) + 1)));
        events.push((0, round + 40, end(2 * (round / 100) + 2)));
    }
    // Task 2 alone, then task 1, then both, suspended.
    events.extend(told(210, 2, 0));
    events.push((0, 220, end(5)));
    events.extend(told(230, 1, 0));
    events.push((0, 240, end(6)));
    for round in [300, 400] {
        let first = if round == 300 { 7 } else { 9 };
        events.extend(told(round, 1, 0));
        events.push((0, round + 5, exit(first)));
        events.extend(told(round + 10, 2, 0));
        events.push((0, round + 15, exit(first + 1)));
        for span in [first, first + 1] {
            events.push((0, round + 20 + span, enter(span)));
            events.push((0, round + 21 + span, end(span)));
        }
    }
    events.extend(told(500, 2, 0));
    events.push((0, 505, exit(11)));
    events.push((0, 506, enter(11)));
    events.push((0, 507, end(11)));
    insta::assert_snapshot!(pair(1, &events, 600), @r"
    t0.0.0 10+20 site 1 span #1<0 task 1
    t0.1.0 20+20 site 2 span #2<0 task 2
    t0.0.0 110+20 site 3 span #3<0 task 1
    t0.1.0 120+20 site 4 span #4<0 task 2
    t0.1.0 210+10 site 5 span #5<0 task 2
    t0.0.0 230+10 site 6 span #6<0 task 1
    t0.0.0 300+5 site 7 poll #7<0
    t0.0.0 310+5 site 8 poll #8<0
    t0.0.0 327+1 site 7 poll #7<0
    t0.1.0 300+28 (6 busy) site 7 span suspended #7<0 task 1
    t0.0.0 328+1 site 8 poll #8<0
    t0.2.0 310+19 (6 busy) site 8 span suspended #8<0 task 2
    t0.0.0 400+5 site 9 poll #9<0
    t0.0.0 410+5 site 10 poll #10<0
    t0.0.0 429+1 site 9 poll #9<0
    t0.1.0 400+30 (6 busy) site 9 span suspended #9<0 task 1
    t0.0.0 430+1 site 10 poll #10<0
    t0.2.0 410+21 (6 busy) site 10 span suspended #10<0 task 2
    t0.0.0 500+5 site 11 poll #11<0
    t0.0.0 506+1 site 11 poll #11<0
    t0.2.0 500+7 (6 busy) site 11 span suspended #11<0 task 2
    ");
}

/// Any event, of few spans and sites, so that they meet.
fn item() -> impl Strategy<Value = Item> {
    let span = 0u64..6;
    prop_oneof![
        4 => (0u32..3, prop_oneof![4 => 0u16..4, 1 => any::<u16>()]).prop_map(|(s, d)| zone(s, d)),
        4 => Just(Item::ZoneEnd),
        4 => (span.clone(), span.clone()).prop_map(|(span, parent)| begin(span, parent)),
        4 => span.clone().prop_map(end),
        3 => span.clone().prop_map(enter),
        3 => span.clone().prop_map(exit),
        1 => span.clone().prop_map(|span| value(span, "k", 1)),
        2 => (span.clone(), 0u32..3).prop_map(|(span, of)| task(span, of)),
        1 => (any::<u16>(), any::<bool>()).prop_map(|(d, u)| gap(d % 5, u)),
        1 => (span, any::<u64>()).prop_map(|(parent, total)| Item::Cumulative {
            site: SiteId(0),
            parent: SpanId(parent),
            count: 1,
            times: [Nanos(total); 3],
        }),
    ]
}

proptest! {
    #[test]
    fn every_begin_gives_one_row_and_nothing_overlaps(
        events in prop::collection::vec((0usize..4, 0u64..40, item()), 0..300),
        settle in 1usize..50,
    ) {
        let mut pairing = Pairing::new(0);
        let mut rows = Rows::default();
        // Threads 0 and 1, and a second arena in thread 0 and in thread 1.
        for thread in [0, 1, 0, 1] {
            pairing.stream(ThreadId(thread));
        }
        let (mut begins, mut passes, mut time) = (0, 0, 0u64);
        for (number, (stream, step, item)) in events.into_iter().enumerate() {
            // Mostly forwards, sometimes back.
            time = (time + step).saturating_sub(10);
            begins += usize::from(matches!(item, Item::ZoneBegin { .. } | Item::SpanBegin { .. }));
            passes += usize::from(matches!(item, Item::Cumulative { .. }));
            pairing.take(stream, time, item, &mut rows);
            if number % settle == 0 {
                pairing.settle(time.saturating_sub(20), &mut rows);
            }
        }
        pairing.finish(time, &mut rows);
        prop_assert!(pairing.spans.is_empty() && pairing.open_zones == 0);
        let all: Vec<ZoneRow> = rows.zones.rows().collect();
        let of = |flag| all.iter().filter(|row| row.flags.has(flag)).count();
        prop_assert_eq!(of(ZoneFlags::CUMULATIVE), passes);
        prop_assert_eq!(all.len() - of(ZoneFlags::POLL) - passes, begins, "{}", show(&rows));
        let mut last = std::collections::HashMap::new();
        let mut lane_end = std::collections::HashMap::new();
        for row in &all {
            let end = row.range().end;
            let before = last.insert((row.thread, row.lane, row.depth), end);
            prop_assert!(before.is_none_or(|before| before <= row.start), "{}", show(&rows));
            let before = lane_end.insert((row.thread, row.lane), end);
            prop_assert!(before.is_none_or(|before| before <= end), "order {}", show(&rows));
            prop_assert!(row.busy <= row.duration);
        }
    }

    #[test]
    fn it_does_not_matter_in_which_order_threads_are_read(
        steps in prop::collection::vec((0usize..3, item()), 0..200),
    ) {
        // Each event has a time of its own, so there is one true order.
        let events: Vec<(usize, u64, Item)> = steps
            .into_iter()
            .enumerate()
            .map(|(at, (stream, item))| (stream, at as u64 * 10, item))
            .collect();
        let end = events.len() as u64 * 10;
        let mut by_thread = events.clone();
        by_thread.sort_by_key(|(stream, ..)| *stream);
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        // A stream's zones are paired at once until it has a span; let all begin with one.
        let with_span = |mut events: Vec<(usize, u64, Item)>| {
            for stream in (0..3).rev() {
                events.insert(0, (stream, 0, value(99, "k", 0)));
            }
            sorted(pair(3, &events, end))
        };
        prop_assert_eq!(with_span(events), with_span(by_thread));
    }
}
