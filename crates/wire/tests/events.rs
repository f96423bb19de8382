//! Any events, in any order, come out as they went in; what does not fit is counted; and no bytes
//! make a reader panic.
#![cfg(not(loom))]

use proptest::prelude::*;
use sondage_wire::{
    Arena, BadEvent, CHUNK_WORDS, Definition, Definitions, Event, FrameOp, LockOp, MAX_TEXT_BYTES,
    Memory, Mode, OwnedValue, Producer, Reader, Size, SpanId, Take, TraceId, Value, encode,
};

const TICKS: u64 = (1 << 60) - 1;

fn value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        any::<i64>().prop_map(OwnedValue::Int),
        any::<u64>().prop_map(OwnedValue::Uint),
        // Not those that are not equal to themselves.
        (-1e300..1e300).prop_map(OwnedValue::Float),
        any::<bool>().prop_map(OwnedValue::Bool),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        (0..MAX_TEXT_BYTES).prop_map(|length| "x".repeat(length)),
    ]
}

/// Any event but zones, whose depth the producer gives.
fn event() -> impl Strategy<Value = Event> {
    let span = || any::<u64>().prop_map(SpanId);
    let frame = prop_oneof![
        Just(FrameOp::Mark),
        Just(FrameOp::Begin),
        Just(FrameOp::End)
    ];
    let lock = prop_oneof![
        Just(LockOp::Wait),
        Just(LockOp::Obtained),
        Just(LockOp::Released),
        Just(LockOp::GivenUp),
        Just(LockOp::Shared)
    ];
    let ticks = || 0..=TICKS;
    prop_oneof![
        (
            span(),
            any::<u32>(),
            prop_oneof![value(), text().prop_map(OwnedValue::Text)]
        )
            .prop_map(|(span, key, value)| Event::Value { span, key, value }),
        (ticks(), any::<u32>(), frame).prop_map(|(ticks, name, op)| Event::Frame {
            ticks,
            name,
            op
        }),
        (ticks(), any::<u32>(), value()).prop_map(|(ticks, name, value)| Event::Plot {
            ticks,
            name,
            value
        }),
        (ticks(), any::<u8>(), any::<u32>(), text()).prop_map(|(ticks, level, colour, text)| {
            Event::Message {
                ticks,
                level,
                colour,
                text,
            }
        }),
        (ticks(), any::<u32>(), span(), span()).prop_map(|(ticks, site, span, parent)| {
            Event::SpanBegin {
                ticks,
                site,
                span,
                parent,
                trace: TraceId(0),
                remote: false,
            }
        }),
        (
            ticks(),
            any::<u32>(),
            span(),
            span(),
            any::<u128>(),
            any::<bool>()
        )
            .prop_map(
                |(ticks, site, span, parent, trace, remote)| Event::SpanBegin {
                    ticks,
                    site,
                    span,
                    parent,
                    trace: TraceId(trace),
                    remote,
                }
            ),
        (ticks(), span(), any::<bool>()).prop_map(|(ticks, span, failed)| Event::SpanEnd {
            ticks,
            span,
            failed
        }),
        (ticks(), span()).prop_map(|(ticks, span)| Event::SpanEnter { ticks, span }),
        (ticks(), span()).prop_map(|(ticks, span)| Event::SpanExit { ticks, span }),
        (ticks(), any::<u32>(), lock).prop_map(|(ticks, lock, op)| Event::Lock { ticks, lock, op }),
        (ticks(), any::<u64>(), any::<u64>()).prop_map(|(ticks, address, bytes)| Event::Memory {
            ticks,
            address,
            bytes
        }),
        (ticks(), any::<u32>(), span(), any::<[u64; 4]>()).prop_map(
            |(ticks, site, parent, [count, total_nanos, min_nanos, max_nanos])| {
                Event::Cumulative {
                    ticks,
                    site,
                    parent,
                    count,
                    total_nanos,
                    min_nanos,
                    max_nanos,
                }
            }
        ),
        (ticks(), any::<u32>()).prop_map(|(ticks, site)| Event::ZoneBegin {
            ticks,
            site,
            depth: 0
        }),
        ticks().prop_map(|ticks| Event::ZoneEnd { ticks }),
    ]
}

fn borrowed(value: &OwnedValue) -> Value<'_> {
    match value {
        OwnedValue::Int(value) => Value::Int(*value),
        OwnedValue::Uint(value) => Value::Uint(*value),
        OwnedValue::Float(value) => Value::Float(*value),
        OwnedValue::Bool(value) => Value::Bool(*value),
        OwnedValue::Text(text) => Value::Text(text),
    }
}

/// Writes an event as a program does; false when there is no room.
fn write(producer: &mut Producer, event: &Event) -> bool {
    match event {
        Event::ZoneBegin { ticks, site, .. } => producer.zone_begin(*ticks, *site),
        Event::ZoneEnd { ticks } => producer.zone_end(*ticks),
        Event::Value { span, key, value } => {
            encode::value(*span, *key, borrowed(value), |words| producer.write(words))
        }
        Event::Frame { ticks, name, op } => producer.write(&encode::frame(*ticks, *name, *op)),
        Event::Plot { ticks, name, value } => {
            producer.write(&encode::plot(*ticks, *name, borrowed(value)))
        }
        Event::Message {
            ticks,
            level,
            colour,
            text,
        } => encode::message(*ticks, *level, *colour, text, |words| producer.write(words)),
        Event::SpanBegin {
            ticks,
            site,
            span,
            parent,
            trace: TraceId(0),
            remote: false,
        } => producer.write(&encode::span_begin(*ticks, *site, *span, *parent)),
        Event::SpanBegin {
            ticks,
            site,
            span,
            parent,
            trace,
            remote,
        } => producer.write(&encode::span_root(
            *ticks,
            *site,
            (*span, *parent),
            *trace,
            *remote,
        )),
        Event::SpanEnd {
            ticks,
            span,
            failed,
        } => producer.write(&encode::span_end(*ticks, *span, *failed)),
        Event::SpanEnter { ticks, span } => producer.write(&encode::span_enter(*ticks, *span)),
        Event::SpanExit { ticks, span } => producer.write(&encode::span_exit(*ticks, *span)),
        Event::Lock { ticks, lock, op } => producer.write(&encode::lock(*ticks, *lock, *op)),
        Event::Memory {
            ticks,
            address,
            bytes,
        } => producer.write(&encode::memory(*ticks, *address, *bytes)),
        Event::Cumulative {
            ticks,
            site,
            parent,
            count,
            total_nanos,
            min_nanos,
            max_nanos,
        } => producer.write(&encode::cumulative(
            *ticks,
            *site,
            *parent,
            *count,
            [*total_nanos, *min_nanos, *max_nanos],
        )),
    }
}

/// Writes an event or counts it; whether it is written.
fn put(producer: &mut Producer, arena: Arena<'_>, event: &Event) -> bool {
    if write(producer, event) {
        return true;
    }
    if producer.refill(arena, || 0) && write(producer, event) {
        return true;
    }
    producer.drop_event(arena);
    false
}

/// What is in an arena, and how much gaps say is missing.
fn take(reader: &mut Reader<'_>, take: Take) -> (Vec<Event>, u64) {
    let (mut events, mut lost) = (Vec::new(), 0);
    reader.poll(take, |batch| {
        lost += batch.gap.map_or(0, |gap| gap.lost);
        events.extend(batch.events().map(|event| event.expect("an event")));
    });
    (events, lost)
}

fn without_depth(mut event: Event) -> Event {
    if let Event::ZoneBegin { depth, .. } = &mut event {
        *depth = 0;
    }
    event
}

fn collected(chunks: u32) -> Memory {
    let memory = Memory::new(Size {
        chunks,
        name_words: 64,
    });
    memory.arena().set_mode(Mode::Collected);
    memory
}

proptest! {
    #[test]
    fn events_come_out_as_they_went_in(events in prop::collection::vec(event(), 1..200)) {
        let memory = collected(200 * 5);
        let mut producer = Producer::new();
        producer.attach(memory.arena().define_thread(1, "main"));
        for event in &events {
            prop_assert!(put(&mut producer, memory.arena(), event));
        }
        // As they are, and from a copy.
        let copy = memory.arena().copy((1, 1));
        for arena in [memory.arena(), copy.arena()] {
            let (out, lost) = take(&mut Reader::new(arena), Take::Copy);
            let out: Vec<Event> = out.into_iter().map(without_depth).collect();
            prop_assert_eq!(&out, &events);
            prop_assert_eq!(lost, 0);
        }
    }

    /// A collector that comes at any time, to an arena that is too small.
    #[test]
    fn what_does_not_fit_is_counted(
        steps in prop::collection::vec((event(), prop::bool::weighted(0.02)), 1..600),
    ) {
        let memory = collected(2);
        let arena = memory.arena();
        let mut reader = Reader::new(arena);
        let mut producer = Producer::new();
        producer.attach(arena.define_thread(1, "main"));
        let (mut written, mut dropped) = (Vec::new(), 0);
        let (mut read, mut told) = (Vec::new(), 0);
        for (event, does_collect) in &steps {
            if put(&mut producer, arena, event) {
                written.push(event.clone());
            } else {
                dropped += 1;
            }
            if *does_collect {
                let (events, lost) = take(&mut reader, Take::Collect);
                read.extend(events);
                told += lost;
            }
        }
        prop_assert_eq!(arena.lost(), dropped);
        // One more chunk tells the rest.
        for _ in 0..2 {
            let (events, lost) = take(&mut reader, Take::Collect);
            read.extend(events);
            told += lost;
            producer.refill(arena, || 0);
        }
        let (events, lost) = take(&mut reader, Take::Collect);
        read.extend(events);
        prop_assert_eq!(told + lost, dropped);
        let read: Vec<Event> = read.into_iter().map(without_depth).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn definitions_come_out_as_they_went_in(
        texts in prop::collection::vec((any::<u32>(), "\\PC{0,60}", "\\PC{0,9}"), 0..40),
    ) {
        let memory = Memory::new(Size { chunks: 1, name_words: 4096 });
        let mut all = Vec::new();
        for (at, (id, one, two)) in texts.iter().enumerate() {
            let (one, two) = (one.clone(), two.clone());
            let definition = match at % 5 {
                0 => Definition::site(*id, &one, &two, &one, *id / 3, 0xff_ffff),
                1 => Definition::text(*id, &one),
                2 => Definition::Thread { number: *id, tid: *id / 2, name: one },
                3 => Definition::Lock { id: *id, name: one, place: two },
                _ => Definition::Process { name: one },
            };
            prop_assert!(memory.arena().define(&definition));
            all.push(definition);
        }
        let mut out = Vec::new();
        Definitions::default().poll(memory.arena(), |definition| out.push(definition));
        prop_assert_eq!(out, all);
    }

    /// A saved arena with damage anywhere: it is refused or read, and reading ends.
    #[test]
    fn damaged_arenas_are_read_or_refused(
        events in prop::collection::vec(event(), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0..4_u8), 1..40),
    ) {
        let mut bytes = saved(&events);
        for (at, with, kind) in damage {
            // The header, the heads and the names are small beside the chunks: hit them as often.
            let end = match kind { 0 => 256, 1 => 4096 + 64 * 4, 2 => 8192, _ => bytes.len() };
            let at = at.index(end / 8) * 8;
            bytes[at..at + 8].copy_from_slice(&with.to_le_bytes());
        }
        read_anything(&bytes);
    }

    /// Any words in a chunk.
    #[test]
    fn any_words_are_events_or_not(words in prop::collection::vec(any::<u64>(), 1..CHUNK_WORDS)) {
        let mut bytes = saved(&[Event::ZoneEnd { ticks: 1 }]);
        let at = bytes.len() - CHUNK_WORDS * 8;
        for (at, word) in (at..).step_by(8).zip(&words) {
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        read_anything(&bytes);
    }
}

/// The file of an arena with these events.
fn saved(events: &[Event]) -> Vec<u8> {
    let memory = collected(events.len() as u32 * 5);
    let arena = memory.arena();
    arena.define(&Definition::site(
        1,
        "parse",
        "app::parse",
        "src/app.rs",
        7,
        0,
    ));
    let mut producer = Producer::new();
    producer.attach(arena.define_thread(1, "main"));
    for event in events {
        put(&mut producer, arena, event);
    }
    let copy = arena.copy((5, 6));
    let image = copy.arena().image((5, 6));
    let mut bytes = Vec::new();
    for part in image.parts() {
        // SAFETY: nobody writes to the copy.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(part.start, part.bytes) });
    }
    bytes
}

fn read_anything(bytes: &[u8]) {
    let Ok(memory) = Memory::load(bytes) else {
        return;
    };
    let arena = memory.arena();
    let mut reader = Reader::new(arena);
    let mut words = 0;
    for take in [Take::Copy, Take::Collect, Take::Collect] {
        reader.poll(take, |batch| {
            let mut has_ended = false;
            for event in batch.events() {
                assert!(!has_ended, "nothing follows an error");
                has_ended = event.is_err();
                words += 1;
            }
        });
    }
    assert!(words <= 3 * bytes.len() / 8);
    let mut definitions = Definitions::default();
    for _ in 0..2 {
        definitions.poll(arena, |_| {});
    }
    let _ = (arena.clock(), arena.mode(), arena.saved(), arena.start());
}

#[test]
fn a_saved_arena_says_when_and_can_be_loaded() {
    let events = [Event::ZoneEnd { ticks: 77 }];
    let bytes = saved(&events);
    assert_eq!(&bytes[..8], b"SONDAGEW");
    let memory = Memory::load(&bytes).expect("an arena");
    assert_eq!(memory.arena().saved(), Some((5, 6)));
    assert_eq!(take(&mut Reader::new(memory.arena()), Take::Copy).0, events);
    assert!(Memory::load(&bytes[..bytes.len() - 1]).is_err(), "cut");
    assert!(Memory::load(&[]).is_err());
    assert!(Memory::load(&[0; 8192]).is_err());
}

#[test]
fn an_unknown_kind_ends_its_chunk() {
    let mut bytes = saved(&[Event::ZoneEnd { ticks: 1 }]);
    let at = bytes.len() - CHUNK_WORDS * 8 + 8;
    bytes[at] = 14;
    let memory = Memory::load(&bytes).expect("an arena");
    let mut seen = Vec::new();
    Reader::new(memory.arena()).poll(Take::Copy, |batch| seen.extend(batch.events()));
    assert_eq!(
        seen,
        [Ok(Event::ZoneEnd { ticks: 1 }), Err(BadEvent::Kind(14))]
    );
}

#[test]
fn long_texts_are_cut_at_whole_characters() {
    let memory = collected(4);
    let mut producer = Producer::new();
    producer.attach(0);
    let text = "ä".repeat(MAX_TEXT_BYTES);
    assert!(producer.refill(memory.arena(), || 0));
    assert!(encode::message(1, 2, 3, &text, |words| producer.write(words)));
    let (events, _) = take(&mut Reader::new(memory.arena()), Take::Copy);
    let Event::Message { text, .. } = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(text.len(), MAX_TEXT_BYTES);
    assert!(text.chars().all(|c| c == 'ä'));
}

#[test]
fn without_a_collector_the_oldest_is_written_over() {
    let memory = Memory::new(Size {
        chunks: 64,
        name_words: 64,
    });
    let arena = memory.arena();
    arena.set_flight_bytes(3 * CHUNK_WORDS as u64 * 8);
    let mut producer = Producer::new();
    producer.attach(arena.define_thread(1, "main"));
    let count = CHUNK_WORDS as u64 * 10;
    for ticks in 0..count {
        assert!(put(&mut producer, arena, &Event::ZoneEnd { ticks }));
    }
    let mut gaps = Vec::new();
    let mut events = Vec::new();
    Reader::new(arena).poll(Take::Copy, |batch| {
        gaps.extend(batch.gap);
        events.extend(batch.events().map(|event| event.expect("an event")));
    });
    assert_eq!(events.last(), Some(&Event::ZoneEnd { ticks: count - 1 }));
    assert!(events.len() <= 3 * CHUNK_WORDS);
    assert!(events.len() > CHUNK_WORDS);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].overwritten, 10 - 3);
}

#[test]
fn a_fork_tells_what_was_open() {
    let memory = collected(4);
    let mut producer = Producer::new();
    producer.attach(memory.arena().define_thread(1, "parent"));
    producer.refill(memory.arena(), || 0);
    assert!(producer.zone_begin(1, 1));
    producer.fork();
    assert!(!producer.zone_end(2), "the arena is its parent's");
    let child = collected(4);
    producer.attach(child.arena().define_thread(2, "child"));
    assert!(producer.refill(child.arena(), || 0));
    assert!(producer.zone_end(2));
    let mut gaps = Vec::new();
    Reader::new(child.arena()).poll(Take::Copy, |batch| gaps.extend(batch.gap));
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].lost, gaps[0].overwritten, gaps[0].depth),
        (0, 0, 1)
    );
}

#[test]
fn threads_write_while_a_collector_takes() {
    const THREADS: u32 = 4;
    const EVENTS: u64 = 50_000;
    let memory = collected(24);
    let arena = memory.arena();
    let mut seen = vec![Vec::new(); THREADS as usize];
    let mut told = 0;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(move || {
                    let mut producer = Producer::new();
                    producer.attach(arena.define_thread(1, "writer"));
                    for ticks in 1..=EVENTS {
                        let span = SpanId(ticks);
                        put(&mut producer, arena, &Event::SpanEnter { ticks, span });
                    }
                    producer.seal(arena);
                })
            })
            .collect();
        let mut reader = Reader::new(arena);
        let mut is_last = false;
        while !is_last {
            is_last = writers.iter().all(|writer| writer.is_finished());
            reader.poll(Take::Collect, |batch| {
                told += batch.gap.map_or(0, |gap| gap.lost);
                for event in batch.events() {
                    let Ok(Event::SpanEnter { ticks, span }) = event else {
                        panic!("{event:?}");
                    };
                    assert_eq!(span.0, ticks, "half an event");
                    seen[batch.thread as usize].push(ticks);
                }
            });
        }
    });
    let count: usize = seen.iter().map(Vec::len).sum();
    assert_eq!(count as u64 + arena.lost(), u64::from(THREADS) * EVENTS);
    assert!(told <= arena.lost());
    for ticks in &seen {
        assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
