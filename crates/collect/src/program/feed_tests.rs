use sondage_wire::{
    Definition, LockOp, Memory, Mode, Producer, Size, SpanId as WireSpan, TraceId, Value, encode,
};

use super::*;

struct Bench {
    program: Program,
    tables: Tables,
    rows: Rows,
}

impl Bench {
    fn new() -> Bench {
        let mut tables = Tables::default();
        let number = tables.add(Def::Process {
            pid: sondage_model::Pid(7),
            key: None,
            seen: sondage_model::MonoTime(0),
        });
        Bench {
            program: Program::new(number, 0),
            tables,
            rows: Rows::default(),
        }
    }

    fn poll(&mut self, feed: &mut Feed<'_>, now: u64) -> Found {
        let now = Moment {
            ticks: now,
            mono_nanos: now,
        };
        let Bench {
            program,
            tables,
            rows,
        } = self;
        let found = feed.poll(Take::Collect, now, program, tables, rows);
        program.settle(now.mono_nanos, tables, rows);
        found
    }
}

const SIZE: Size = Size {
    chunks: 8,
    name_words: 4096,
};

/// Writes an event, on a new chunk if need be.
fn write(producer: &mut Producer, arena: Arena<'_>, words: &[u64]) {
    assert!(producer.write(words) || producer.refill(arena, || 0) && producer.write(words));
}

#[test]
fn everything_a_program_can_say_becomes_rows() {
    let memory = Memory::new(SIZE);
    let arena = memory.arena();
    arena.set_mode(Mode::Collected);
    arena.set_zone_cost_picos(20_000);
    for definition in [
        Definition::Process { name: "app".into() },
        Definition::site(1, "parse", "app::parse", "app.rs", 12, 0xff00),
        Definition::text(1, "n"),
        Definition::text(2, "rss"),
        Definition::text(3, "net"),
        Definition::Lock {
            id: 1,
            name: "queue".into(),
            place: "app.rs:3".into(),
        },
    ] {
        assert!(arena.define(&definition));
    }
    let mut feed = Feed::new(arena);
    let mut bench = Bench::new();
    let mut thread = Producer::new();
    let number = arena.define_thread(70, "main");
    thread.attach(number);
    let p = &mut thread;
    write(p, arena, &encode::zone_begin(100, 1, 0));
    encode::value(WireSpan(0), 1, Value::Text("x\"y"), |w| write(p, arena, w));
    write(p, arena, &encode::zone_end(110));
    // A site whose definition comes later than the first look, and one that never comes.
    arena.define(&Definition::site(2, "late", "", "", 0, 0));
    let (span, none) = (WireSpan(5), WireSpan(0));
    write(
        p,
        arena,
        &encode::span_root(120, 2, (span, none), TraceId(9), true),
    );
    encode::value(span, 1, Value::Float(0.5), |w| write(p, arena, w));
    write(p, arena, &encode::cumulative(125, 77, span, 4, [3, 1, 2]));
    write(p, arena, &encode::span_end(130, span, true));
    write(p, arena, &encode::frame(140, 0, FrameOp::Mark));
    write(p, arena, &encode::frame(141, 3, FrameOp::Begin));
    write(p, arena, &encode::plot(150, 2, Value::Int(-3)));
    write(p, arena, &encode::plot(151, 2, Value::Bool(true)));
    encode::message(160, 3, 0xff, "careful", |w| write(p, arena, w));
    write(p, arena, &encode::lock(170, 1, LockOp::Wait));
    write(p, arena, &encode::lock(175, 1, LockOp::Obtained));
    write(p, arena, &encode::lock(179, 1, LockOp::Released));
    write(p, arena, &encode::memory(180, 0xabc, 4096));
    arena.define(&Definition::Thread {
        number,
        tid: 70,
        name: "worker".into(),
    });
    let found = bench.poll(&mut feed, 200);
    assert_eq!((found.events, found.probes), (16, 14));
    bench
        .program
        .finish(300, &mut bench.tables, &mut bench.rows);
    insta::assert_debug_snapshot!("everything", (bench.tables.take(), bench.rows));
}

#[test]
fn losses_are_told_once() {
    let memory = Memory::new(Size {
        chunks: 2,
        name_words: 64,
    });
    let arena = memory.arena();
    let mut feed = Feed::new(arena);
    let mut bench = Bench::new();
    arena.set_mode(Mode::Collected);
    arena.visit(0);
    let mut thread = Producer::new();
    thread.attach(arena.define_thread(70, "main"));
    let mut dropped = 0;
    for tick in 0..10_000u64 {
        if !(thread.zone_begin(tick, 1) || thread.refill(arena, || 0) && thread.zone_begin(tick, 1))
        {
            thread.drop_event(arena);
            dropped += 1;
        }
    }
    while arena.define(&Definition::text(
        1,
        "fill the log of names until nothing fits in",
    )) {}
    assert!(dropped > 0);
    bench.poll(&mut feed, 20_000);
    bench.poll(&mut feed, 30_000);
    let losses: Vec<_> = bench
        .rows
        .losses
        .iter()
        .map(|row| (row.kind, row.count))
        .collect();
    assert_eq!(losses, [(LossKind::Event, dropped), (LossKind::Name, 1)]);
    bench
        .program
        .finish(40_000, &mut bench.tables, &mut bench.rows);
    assert_eq!(bench.rows.zones.len() as u64 + dropped, 10_000);
}

#[test]
fn a_stopped_collector_finds_out_what_was_written_over() {
    let memory = Memory::new(Size {
        chunks: 3,
        name_words: 512,
    });
    let arena = memory.arena();
    arena.define(&Definition::site(1, "zone", "", "", 0, 0));
    let mut feed = Feed::new(arena);
    let mut bench = Bench::new();
    let mut thread = Producer::new();
    thread.attach(arena.define_thread(70, "main"));
    let mut zone = |tick| {
        assert!(
            thread.zone_begin(tick, 1) || thread.refill(arena, || 0) && thread.zone_begin(tick, 1)
        );
        assert!(
            thread.zone_end(tick + 1) || thread.refill(arena, || 0) && thread.zone_end(tick + 1)
        );
    };
    zone(10);
    bench.poll(&mut feed, 20);
    for tick in 0..10_000 {
        zone(100 + tick * 2);
    }
    bench.poll(&mut feed, 30_000);
    bench
        .program
        .finish(40_000, &mut bench.tables, &mut bench.rows);
    let texts: Vec<_> = bench
        .rows
        .messages
        .iter()
        .map(|row| row.text.as_str())
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("written over"), "{texts:?}");
    assert!(bench.rows.zones.len() > 600);
    let durations = bench.rows.zones.durations.iter();
    assert!(durations.clone().all(|duration| duration.0 <= 1));
}

#[test]
fn a_thread_that_gets_the_number_of_an_ended_one_gets_its_lane() {
    let memory = Memory::new(SIZE);
    let arena = memory.arena();
    arena.define(&Definition::site(1, "zone", "", "", 0, 0));
    let mut feed = Feed::new(arena);
    let mut bench = Bench::new();
    for round in 0..4 {
        let at = 100 * round;
        let mut thread = Producer::new();
        thread.attach(arena.define_thread(70, "worker"));
        assert!(thread.refill(arena, || 0));
        assert!(thread.zone_begin(at, 1) && thread.zone_begin(at + 1, 1));
        // It ends without a word of the outer zone.
        assert!(thread.zone_end(at + 5));
        thread.seal(arena);
        bench.poll(&mut feed, at + 50);
    }
    bench
        .program
        .finish(1_000, &mut bench.tables, &mut bench.rows);
    let rows: Vec<_> = bench.rows.zones.rows().collect();
    let all = rows
        .iter()
        .map(|row| (row.lane, row.depth, row.start.0, row.duration.0));
    let expected = [
        (0, 1, 1, 4),
        (0, 0, 0, 5),
        (0, 1, 101, 4),
        (0, 0, 100, 5),
        (0, 1, 201, 4),
        (0, 0, 200, 5),
        (0, 1, 301, 4),
        (0, 0, 300, 700),
    ];
    assert_eq!(all.collect::<Vec<_>>(), expected);
    assert!(rows.iter().all(|row| row.thread == rows[0].thread));
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is in the memory: no panic, no end of rows.
        #[test]
        fn any_words_in_the_chunks_are_survived(
            words in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..16, (0u64..1 << 20).prop_map(|w| w << 4 | 1)], 0..3000),
        ) {
            let memory = Memory::new(SIZE);
            let arena = memory.arena();
            let mut feed = Feed::new(arena);
            let mut bench = Bench::new();
            let mut thread = Producer::new();
            thread.attach(arena.define_thread(70, "main"));
            for word in &words {
                // A first word of zero would be "not written yet".
                let word = [*word | u64::from(*word == 0)];
                let _ = thread.write(&word) || thread.refill(arena, || 0) && thread.write(&word);
            }
            bench.poll(&mut feed, 1 << 40);
            bench.poll(&mut feed, 1 << 41);
            bench.program.finish(1 << 42, &mut bench.tables, &mut bench.rows);
            prop_assert!(bench.rows.len() <= 2 * words.len() + 8);
        }
    }
}
