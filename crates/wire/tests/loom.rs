//! Every order in which a thread and a collector can meet, as far as loom explores:
//! `scripts/sections.sh wire-loom`. Chunks are of four words here, so that their ends come soon.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use sondage_wire::{Event, Memory, Mode, Producer, Reader, Size, SpanId, Take, encode};

/// Events of two words that a chunk holds.
const EVENTS: u64 = 2;

fn arena(chunks: u32, mode: Mode) -> Arc<Memory> {
    let memory = Memory::new(Size {
        chunks,
        name_words: 0,
    });
    memory.arena().set_mode(mode);
    memory.arena().visit(1);
    Arc::new(memory)
}

/// Writes events of two words, each with its number from 1 on in both; returns how many were written and how many dropped.
fn write(memory: &Memory, count: u64) -> (u64, u64) {
    let arena = memory.arena();
    let mut producer = Producer::new();
    producer.attach(0);
    let (mut written, mut dropped) = (0, 0);
    for ticks in 1..=count {
        let words = encode::span_enter(ticks, SpanId(ticks));
        let is_in =
            producer.write(&words) || (producer.refill(arena, || 1) && producer.write(&words));
        if is_in {
            written += 1;
        } else {
            producer.drop_event(arena);
            dropped += 1;
        }
    }
    producer.seal(arena);
    (written, dropped)
}

#[derive(Default)]
struct Seen {
    ticks: Vec<u64>,
    lost: u64,
    overwritten: u64,
}

impl Seen {
    fn poll(&mut self, reader: &mut Reader<'_>, take: Take) {
        reader.poll(take, |batch| {
            if let Some(gap) = batch.gap {
                self.lost += gap.lost;
                self.overwritten += gap.overwritten;
            }
            for event in batch.events() {
                match event {
                    Ok(Event::SpanEnter { ticks, span }) => {
                        assert_eq!(span.0, ticks, "half an event");
                        self.ticks.push(ticks);
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
    }
}

fn model(bound: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(bound);
    model.check(check);
}

#[test]
fn a_collector_gets_every_event_once_and_in_order() {
    model(3, || {
        let memory = arena(2, Mode::Collected);
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || write(&memory, 2 * EVENTS))
        };
        let mut seen = Seen::default();
        let view = memory.arena();
        let mut reader = Reader::new(view);
        seen.poll(&mut reader, Take::Collect);
        let (written, dropped) = writer.join().unwrap();
        seen.poll(&mut reader, Take::Collect);
        seen.poll(&mut reader, Take::Collect);
        assert_eq!(seen.ticks.len() as u64, written);
        assert!(seen.ticks.is_sorted());
        assert_eq!(written + dropped, 2 * EVENTS);
        assert_eq!(seen.overwritten, 0);
        assert!(seen.lost <= dropped);
    });
}

#[test]
fn a_full_arena_drops_and_tells() {
    model(3, || {
        let memory = arena(1, Mode::Collected);
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || write(&memory, 4))
        };
        let mut seen = Seen::default();
        let view = memory.arena();
        let mut reader = Reader::new(view);
        seen.poll(&mut reader, Take::Collect);
        let (written, dropped) = writer.join().unwrap();
        seen.poll(&mut reader, Take::Collect);
        assert_eq!(seen.ticks.len() as u64, written);
        assert!(seen.ticks.is_sorted());
        assert_eq!(view.lost(), dropped);
    });
}

#[test]
fn who_looks_while_chunks_are_written_over_sees_no_half_of_any() {
    model(2, || {
        let memory = arena(2, Mode::Flight);
        let writer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || write(&memory, 5))
        };
        let mut seen = Seen::default();
        let view = memory.arena();
        let mut reader = Reader::new(view);
        seen.poll(&mut reader, Take::Copy);
        assert_eq!(writer.join().unwrap(), (5, 0));
        seen.poll(&mut reader, Take::Copy);
        // Later looks repeat nothing, and the newest is always there.
        assert!(
            seen.ticks.windows(2).all(|pair| pair[0] < pair[1]),
            "{:?}",
            seen.ticks
        );
        assert_eq!(seen.ticks.last(), Some(&5));
    });
}

#[test]
fn two_threads_take_different_chunks() {
    model(2, || {
        let memory = arena(2, Mode::Collected);
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || {
                    let mut producer = Producer::new();
                    producer.attach(thread);
                    assert!(producer.refill(memory.arena(), || 1));
                    let ticks = u64::from(thread) + 1;
                    assert!(producer.write(&encode::span_enter(ticks, SpanId(ticks))));
                    producer.seal(memory.arena());
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let mut seen = Seen::default();
        let view = memory.arena();
        seen.poll(&mut Reader::new(view), Take::Collect);
        assert_eq!(seen.ticks, [1, 2]);
    });
}
