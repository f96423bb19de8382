//! Pictures of recordings, and the rectangles that are expected of them.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use sondage_analyze::{Analyzer, Direction, Filter, MergeBy, StateSet, TimeWindow, Unit, picture};
use sondage_layout::{Flame, LaneKind, MAX_RECTS, Viewport, flame, lanes, time_flame, tooltip};
use sondage_model::{
    CounterSeriesRow, FunctionKind, MemoryRecording, Nanos, Pid, ProcessId, ProcessRow, SampleRow,
    StackId, State, StateKind, ThreadId, Time,
};

fn analyze(recording: MemoryRecording) -> Analyzer {
    Analyzer::new(Arc::new(recording.seal())).expect("a sound recording")
}

const MS: u64 = 1_000_000;

/// The rectangles row by row: `label x–end (self)` in ms.
fn draw(flame: &Flame) -> String {
    let mut text = format!(
        "{}–{} of {} ms\n",
        flame.x0 / MS,
        flame.x1 / MS,
        flame.total / MS
    );
    for depth in 0..=flame.max_depth {
        let mut row: Vec<usize> = (0..flame.len())
            .filter(|&i| flame.depth[i] == depth)
            .collect();
        row.sort_unstable_by_key(|&i| flame.x[i]);
        let cells: Vec<String> = row
            .into_iter()
            .map(|i| {
                let end = (flame.x[i] + flame.w[i]) / MS;
                let (label, x, own) = (&flame.name(i).label, flame.x[i] / MS, flame.own[i] / MS);
                format!("{label} {x}–{end} ({own})")
            })
            .collect();
        let _ = writeln!(text, "{depth}: {}", cells.join(" | "));
    }
    let _ = writeln!(text, "omitted: {}", flame.omitted);
    if let Some(empty) = &flame.empty {
        let _ = writeln!(text, "{empty}");
    }
    text
}

fn left_heavy(analyzer: &Analyzer, direction: Direction, viewport: &Viewport) -> Flame {
    let tree = analyzer
        .call_tree(&Filter::default(), direction, MergeBy::Function)
        .expect("readable");
    flame(&tree, viewport).expect("readable")
}

fn in_time(analyzer: &Analyzer, filter: &Filter, viewport: &Viewport) -> Flame {
    let window = TimeWindow {
        x0: viewport.x0,
        x1: viewport.x1,
        px: viewport.px,
    };
    let order = analyzer
        .time_order(filter, MergeBy::Function, window)
        .expect("readable");
    time_flame(&order, viewport)
}

fn recording() -> MemoryRecording {
    picture::record(
        "
        ms:     2      3      1      4      1        2
        state:  cpu    cpu    cpu    cpu    blocked  cpu
                main   main   main   main   main     main
                parse  write  parse  write  sleep    parse
                token         token                  token
        ",
    )
}

#[test]
fn left_heavy_stands_the_heaviest_first() {
    let analyzer = analyze(recording());
    let view = Viewport::whole(1000);
    insta::assert_snapshot!(draw(&left_heavy(&analyzer, Direction::Callees, &view)), @r"
    0–12 of 12 ms
    0: main 0–12 (0)
    1: write 0–7 (7) | parse 7–12 (0)
    2: token 7–12 (5)
    omitted: 0
    ");
    insta::assert_snapshot!(draw(&left_heavy(&analyzer, Direction::Callers, &view)), @r"
    0–12 of 12 ms
    0: write 0–7 (7) | token 7–12 (5)
    1: main 0–7 (0) | parse 7–12 (0)
    2: main 7–12 (0)
    omitted: 0
    ");
}

#[test]
fn a_viewport_leaves_out_what_is_beside_it_too_narrow_or_too_deep() {
    let analyzer = analyze(recording());
    let view = Viewport {
        x0: Some(8 * MS),
        x1: Some(12 * MS),
        ..Viewport::whole(1000)
    };
    insta::assert_snapshot!(draw(&left_heavy(&analyzer, Direction::Callees, &view)), @r"
    8–12 of 12 ms
    0: main 0–12 (0)
    1: parse 7–12 (0)
    2: token 7–12 (5)
    omitted: 0
    ");
    // 12 ms on 1 pixel: half a pixel is 6 ms.
    let coarse = Viewport::whole(1);
    insta::assert_snapshot!(draw(&left_heavy(&analyzer, Direction::Callees, &coarse)), @r"
    0–12 of 12 ms
    0: main 0–12 (0)
    1: write 0–7 (7)
    omitted: 1
    ");
    let shallow = Viewport {
        max_depth: Some(0),
        ..Viewport::whole(1000)
    };
    assert_eq!(left_heavy(&analyzer, Direction::Callees, &shallow).len(), 1);
}

#[test]
fn in_the_order_of_time_neighbours_are_one_and_sleep_is_a_gap() {
    let analyzer = analyze(recording());
    let view = Viewport::whole(1000);
    insta::assert_snapshot!(draw(&in_time(&analyzer, &Filter::default(), &view)), @r"
    0–13 of 13 ms
    0: main 0–10 (0) | main 11–13 (0)
    1: parse 0–2 (0) | write 2–5 (3) | parse 5–6 (0) | write 6–10 (4) | parse 11–13 (0)
    2: token 0–2 (2) | token 5–6 (1) | token 11–13 (2)
    omitted: 0
    ");
    insta::assert_snapshot!(draw(&in_time(&analyzer, &Filter::everything(), &view)), @r"
    0–13 of 13 ms
    0: main 0–13 (0)
    1: parse 0–2 (0) | write 2–5 (3) | parse 5–6 (0) | write 6–10 (4) | sleep 10–11 (1) | parse 11–13 (0)
    2: token 0–2 (2) | token 5–6 (1) | token 11–13 (2)
    omitted: 0
    ");
}

#[test]
fn an_empty_flame_says_why() {
    let analyzer = analyze(picture::record(
        "
        state:  blocked
                main
        ",
    ));
    let view = Viewport::whole(100);
    let expected = "All samples in this range are of sleeping threads. Include the state “asleep”.";
    for flame in [
        left_heavy(&analyzer, Direction::Callees, &view),
        in_time(&analyzer, &Filter::default(), &view),
    ] {
        assert!(flame.is_empty());
        assert_eq!(
            flame.empty.map(|why| why.to_string()).as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn a_tooltip_says_what_where_and_how_much() {
    let analyzer = analyze(recording());
    let flame = left_heavy(&analyzer, Direction::Callees, &Viewport::whole(1000));
    let tip = |label: &str| {
        let at = (0..flame.len()).find(|&i| flame.name(i).label == label);
        tooltip(&flame, at.expect("there"), Unit::Nanos)
    };
    let write = tip("write");
    assert_eq!(
        (write.title.as_str(), write.place.as_str()),
        ("write", "app.py:1")
    );
    let expected = [
        ("total", "7.00 ms (58.3 %)"),
        ("self", "7.00 ms (58.3 %)"),
        ("of its caller", "58.3 %"),
    ];
    assert_eq!(
        write.figures,
        expected.map(|(what, figure)| (what, figure.to_owned()))
    );
    let main = tip("main").figures;
    assert_eq!(main, [("total", "12.0 ms (100 %)".to_owned())]);
}

#[test]
fn more_than_can_be_drawn_is_cut_from_the_narrowest() {
    let mut recording = MemoryRecording::default();
    recording.info.interval = Nanos(1);
    let dict = &mut recording.dictionary;
    let process = dict.add_process(ProcessRow::default());
    let thread = dict.add_thread(sondage_model::ThreadRow {
        process,
        ..sondage_model::ThreadRow::default()
    });
    let wanted = MAX_RECTS as u32 + 500;
    for i in 0..wanted {
        let name = format!("f{i:05}");
        let function = dict.function(&name, &name, "a.py", 1, FunctionKind::Python);
        let frame = dict.frame(function, 1);
        let stack = dict.stack(StackId::EMPTY, frame);
        // The first 500 are half as wide.
        let weight = if i < 500 { 1 } else { 2 };
        recording.samples.push(SampleRow {
            time: Time(u64::from(2 * (i + 1))),
            weight: Nanos(weight),
            count: 1,
            thread,
            stack,
            state: State::new(StateKind::OnCpu, false),
            ..SampleRow::default()
        });
    }
    let analyzer = analyze(recording);
    let flame = left_heavy(&analyzer, Direction::Callees, &Viewport::whole(1_000_000));
    assert_eq!((flame.len(), flame.omitted), (MAX_RECTS, 500));
    assert!(flame.w.iter().all(|&w| w == 2));
}

#[test]
fn lanes_stand_in_families() {
    let mut recording = picture::record(
        "
        thread:  Main  Idle     Busy  w.py/Main  other.py/Main
        state:   cpu   blocked  cpu   cpu        cpu
                 a     a        a     a          a
        ",
    );
    let dict = &mut recording.dictionary;
    dict.update_process(ProcessId(1), |row| row.parent = Some(ProcessId(0)));
    let name = dict.string("rss");
    dict.add_counter(CounterSeriesRow {
        process: ProcessId(1),
        name,
        ..CounterSeriesRow::default()
    });
    // Processes that call each other their parent are no endless loop.
    let lost = dict.string("lost");
    let one = ProcessRow {
        pid: Pid(7),
        name: lost,
        parent: Some(ProcessId(4)),
        ..ProcessRow::default()
    };
    dict.add_process(one.clone());
    dict.add_process(ProcessRow {
        parent: Some(ProcessId(3)),
        ..one
    });
    let analyzer = analyze(recording);
    let overview = analyzer.overview().expect("readable");
    let text: Vec<String> = lanes(analyzer.dictionary(), &overview)
        .iter()
        .map(|lane| {
            let kind = match lane.kind {
                LaneKind::Process(_) => "process",
                LaneKind::Counter(_) => "counter",
                LaneKind::Thread(_) => "thread",
            };
            format!("{:1$}{kind} {2}", "", 2 * lane.indent as usize, lane.label)
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    process app.py [100]
      thread Main
      thread Busy
      thread Idle
      process w.py [200]
        counter rss
        thread Main
    process other.py [300]
      thread Main
    process lost [7]
      process lost [7]
    ");
}

/// What holds for every flame: a rectangle lies inside its parent, one row below; those of one
/// row do not overlap; children and self weight fit into the width.
fn check(flame: &Flame, viewport: &Viewport, callers: bool) -> Result<(), TestCaseError> {
    prop_assert!(flame.len() <= MAX_RECTS);
    let narrowest = viewport.narrowest(flame.total);
    let mut inside = vec![0; flame.len()];
    for i in 0..flame.len() {
        let (x, w) = (flame.x[i], flame.w[i]);
        prop_assert!(w >= narrowest && x + w <= flame.total);
        prop_assert!(x < flame.x1 && x + w > flame.x0);
        if flame.depth[i] == 0 {
            prop_assert_eq!(flame.parent[i], -1);
            continue;
        }
        let parent = flame.parent[i] as usize;
        prop_assert!(parent < i);
        prop_assert_eq!(flame.depth[parent] + 1, flame.depth[i]);
        prop_assert!(flame.x[parent] <= x && x + w <= flame.x[parent] + flame.w[parent]);
        inside[parent] += w;
    }
    for (i, &inside) in inside.iter().enumerate() {
        prop_assert!(inside <= flame.w[i] && flame.own[i] <= flame.w[i]);
        // In a tree of callers the self weight is of the roots, and their callers share it.
        prop_assert!(callers || inside + flame.own[i] <= flame.w[i]);
    }
    for depth in 0..=flame.max_depth {
        let mut row: Vec<usize> = (0..flame.len())
            .filter(|&i| flame.depth[i] == depth)
            .collect();
        row.sort_unstable_by_key(|&i| flame.x[i]);
        for pair in row.windows(2) {
            prop_assert!(flame.x[pair[0]] + flame.w[pair[0]] <= flame.x[pair[1]]);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn rectangles_nest_and_do_not_overlap(
        samples in prop::collection::vec(
            (0..30_u64, 1..20_u64, any::<bool>(), prop::collection::vec(0..4_u32, 0..6)),
            1..60,
        ),
        x0 in prop::option::of(0..400_u64),
        x1 in prop::option::of(0..400_u64),
        px in 1..300_u32,
        max_depth in prop::option::of(0..4_u32),
        asleep in any::<bool>(),
    ) {
        let mut recording = picture::record("f0");
        recording.samples.clear();
        recording.info.interval = Nanos(4);
        let mut end = 0;
        for (gap, weight, awake, frames) in samples {
            let dict = &mut recording.dictionary;
            let stack = frames.into_iter().fold(StackId::EMPTY, |parent, i| {
                let name = format!("f{i}");
                let function = dict.function(&name, &name, "a.py", 1, FunctionKind::Python);
                let frame = dict.frame(function, 1);
                dict.stack(parent, frame)
            });
            end += weight + gap.saturating_sub(20);
            let kind = if awake { StateKind::OnCpu } else { StateKind::Blocked };
            recording.samples.push(SampleRow {
                time: Time(end),
                weight: Nanos(weight),
                count: 1,
                thread: ThreadId(0),
                stack,
                state: State::new(kind, false),
                ..SampleRow::default()
            });
        }
        let analyzer = analyze(recording);
        let viewport = Viewport { x0, x1, px, max_depth };
        let states = if asleep { StateSet::ALL } else { StateSet::ACTIVE };
        let filter = Filter { states, ..Filter::default() };
        for direction in [Direction::Callees, Direction::Callers] {
            for by in [MergeBy::Function, MergeBy::Line] {
                let tree = analyzer.call_tree(&filter, direction, by).expect("readable");
                let flame = flame(&tree, &viewport).expect("readable");
                check(&flame, &viewport, direction == Direction::Callers)?;
            }
        }
        check(&in_time(&analyzer, &filter, &viewport), &viewport, false)?;
    }
}
