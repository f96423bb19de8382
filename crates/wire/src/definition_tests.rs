//! Threads that define at once, or are killed on the way. As plain tests, and in every order under
//! loom (`scripts/sections.sh`).

use super::{Definition, Definitions};
use crate::sync::Ordering;
use crate::{Memory, Size};

/// A text's definition of five words.
fn text(id: u32) -> Definition {
    Definition::text(id, "name")
}
const TEXT_WORDS: u32 = 5;

fn memory(name_words: u32) -> Memory {
    Memory::new(Size {
        chunks: 1,
        name_words,
    })
}

fn poll(log: &mut Definitions, memory: &Memory) -> Vec<Definition> {
    let mut found = Vec::new();
    log.poll(memory.arena(), |definition| found.push(definition));
    found
}

/// What a thread does that is killed before it wrote anything but the length.
fn begin_only(memory: &Memory) -> usize {
    let arena = memory.arena();
    let record = arena.claim(TEXT_WORDS as usize).expect("room");
    record.as_ptr_range().start.addr() - arena.names.as_ptr().addr()
}

#[cfg(not(loom))]
mod plain {
    use super::super::{COMMITTED, MOST_UNFINISHED};
    use super::*;
    use crate::sync::AtomicU64;

    fn word_at(memory: &Memory, byte: usize) -> &AtomicU64 {
        &memory.arena().names[byte / 8]
    }

    #[test]
    fn a_thread_that_was_killed_hides_nothing() {
        let memory = memory(64);
        let mut log = Definitions::default();
        assert!(memory.arena().define(&text(1)));
        begin_only(&memory);
        assert!(memory.arena().define(&text(2)));
        assert_eq!(poll(&mut log, &memory), [text(1), text(2)]);
        assert_eq!(log.unfinished(), 1);
        // Nor in what is saved.
        let copy = memory.arena().copy((1, 1));
        assert_eq!(poll(&mut Definitions::default(), &copy), [text(1), text(2)]);
        assert!(memory.arena().define(&text(3)));
        assert_eq!(poll(&mut log, &memory), [text(3)]);
    }

    #[test]
    fn the_end_of_the_log_is_found_where_its_mark_is_behind() {
        let memory = memory(64);
        let arena = memory.arena();
        arena.define(&text(1));
        begin_only(&memory);
        // Killed before it moved the mark, and so were all before it.
        arena.header.names_end.store(0, Ordering::Relaxed);
        assert!(arena.define(&text(2)));
        let end = arena.header.names_end.load(Ordering::Relaxed);
        assert_eq!(end, u64::from(3 * TEXT_WORDS));
        assert_eq!(
            poll(&mut Definitions::default(), &memory),
            [text(1), text(2)]
        );
    }

    #[test]
    fn what_is_finished_late_comes_late() {
        let memory = memory(64);
        let at = begin_only(&memory);
        memory.arena().define(&text(2));
        let mut log = Definitions::default();
        assert_eq!(poll(&mut log, &memory), [text(2)]);
        let other = super::memory(64);
        other.arena().define(&text(1));
        for (to, from) in memory.arena().names[at / 8..]
            .iter()
            .zip(&other.arena().names[..TEXT_WORDS as usize])
        {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        assert_eq!(poll(&mut log, &memory), [text(1)]);
        assert_eq!(log.unfinished(), 0);
        assert_eq!(poll(&mut log, &memory), []);
    }

    #[test]
    fn holes_without_end_are_given_up() {
        let count = MOST_UNFINISHED + 10;
        let memory = memory(TEXT_WORDS * (count as u32 + 1));
        for _ in 0..count {
            begin_only(&memory);
        }
        memory.arena().define(&text(1));
        let mut log = Definitions::default();
        assert_eq!(poll(&mut log, &memory), [text(1)]);
        assert_eq!(log.unfinished(), MOST_UNFINISHED);
        // The log is full, and says so.
        assert!(!memory.arena().define(&text(2)));
        assert_eq!(memory.arena().lost_names(), 1);
    }

    /// Whoever else writes to the memory: neither side panics, or goes round for ever.
    #[test]
    fn lengths_that_are_none_end_the_log_on_both_sides() {
        for first in [
            1,
            2,
            64,
            0xffff_ffff,
            1 << 32,
            COMMITTED,
            COMMITTED | 2,
            COMMITTED | 0xffff_ffff,
            u64::MAX,
        ] {
            let memory = memory(64);
            memory.arena().define(&text(1));
            word_at(&memory, TEXT_WORDS as usize * 8).store(first, Ordering::Relaxed);
            let mut log = Definitions::default();
            assert_eq!(poll(&mut log, &memory), [text(1)], "{first:#x}");
            assert!(log.is_damaged(), "{first:#x}");
            assert!(!memory.arena().define(&text(2)), "{first:#x}");
            assert_eq!(memory.arena().lost_names(), 1);
        }
        for end in [65, 1 << 40, u64::MAX] {
            let memory = memory(64);
            let mark = &memory.arena().header.names_end;
            mark.store(end, Ordering::Relaxed);
            assert!(!memory.arena().define(&text(2)), "{end}");
        }
    }
}

#[cfg(loom)]
mod every_order {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    /// Takes what is there now, and after the others are done; each definition comes once.
    fn read_with(memory: &Memory, others: impl FnOnce()) -> Vec<Definition> {
        let mut log = Definitions::default();
        let mut found = poll(&mut log, memory);
        others();
        found.extend(poll(&mut log, memory));
        assert!(!log.is_damaged());
        found.sort_by_key(|definition| match definition {
            Definition::Text { id, .. } => *id,
            other => panic!("{other:?}"),
        });
        found
    }

    #[test]
    fn two_threads_define_while_one_reads() {
        model(|| {
            let memory = Arc::new(memory(2 * TEXT_WORDS));
            let threads = [1, 2].map(|id| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || assert!(memory.arena().define(&text(id))))
            });
            let found = read_with(&memory, || {
                for thread in threads {
                    thread.join().unwrap();
                }
            });
            assert_eq!(found, [text(1), text(2)]);
            let end = memory.arena().header.names_end.load(Ordering::Relaxed);
            assert_eq!(end, u64::from(2 * TEXT_WORDS));
        });
    }

    /// Wherever in the log the killed one is, the other's definition is found.
    #[test]
    fn one_thread_is_killed_while_another_defines() {
        model(|| {
            let memory = Arc::new(memory(2 * TEXT_WORDS));
            let killed = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || {
                    begin_only(&memory);
                })
            };
            let other = {
                let memory = Arc::clone(&memory);
                thread::spawn(move || assert!(memory.arena().define(&text(1))))
            };
            let found = read_with(&memory, || {
                killed.join().unwrap();
                other.join().unwrap();
            });
            assert_eq!(found, [text(1)]);
        });
    }

    #[test]
    fn threads_that_have_no_room_take_none() {
        model(|| {
            let memory = Arc::new(memory(TEXT_WORDS));
            let threads = [1, 2].map(|id| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.arena().define(&text(id)))
            });
            let defined = threads.map(|thread| thread.join().unwrap());
            assert_ne!(defined[0], defined[1], "one has room");
            assert_eq!(memory.arena().lost_names(), 1);
            let found = poll(&mut Definitions::default(), &memory);
            assert_eq!(found, [text(if defined[0] { 1 } else { 2 })]);
        });
    }
}
