//! Any bytes as a program's arena: its header, heads and definitions as they are, its chunks too.
//! A good seed is a file of `sondage::save`. What `cargo test` does of this on stable is in
//! crates/wire/tests/events.rs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sondage_wire::{Definitions, Memory, Reader, Take};

fuzz_target!(|bytes: &[u8]| {
    let Ok(memory) = Memory::load(bytes) else {
        return;
    };
    let arena = memory.arena();
    let mut reader = Reader::new(arena);
    let mut definitions = Definitions::default();
    for take in [Take::Copy, Take::Collect, Take::Collect] {
        definitions.poll(arena, |_| {});
        reader.poll(take, |batch| {
            for event in batch.events() {
                let _ = event;
            }
        });
    }
    let _ = arena.copy((1, 1));
});
