//! The allocator that records, from the program's first allocation on.
#![cfg(feature = "enabled")]

mod common;

use sondage::zone;
use sondage_wire::Event;
use std::collections::HashMap;

#[global_allocator]
static MEMORY: sondage::Alloc = sondage::Alloc::new();

#[test]
fn every_allocation_is_recorded_and_none_recurses() {
    let thread = std::thread::Builder::new().name("hungry".to_owned());
    let (address, second) = thread
        .spawn(|| {
            zone!("hungry");
            let mut kept: Vec<u8> = Vec::with_capacity(123_457);
            let address = kept.as_ptr().addr() as u64;
            kept.resize(123_457, 1);
            kept.reserve_exact(600_000);
            let second = kept.as_ptr().addr() as u64;
            drop(kept);
            // So much that chunks are changed inside the allocator.
            for size in 1..20_000_usize {
                drop(std::hint::black_box(vec![0_u8; size % 100 + 1]));
            }
            (address, second)
        })
        .unwrap()
        .join()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = sondage::save(folder.path().join("events")).unwrap();
    let story = common::Story::of_file(&path);
    let number = story
        .names
        .threads
        .iter()
        .find(|(_, name)| *name == "hungry");
    let events = &story.threads[number.unwrap().0];
    let memory: Vec<(u64, u64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Memory { address, bytes, .. } => Some((*address, *bytes)),
            _ => None,
        })
        .collect();
    let at = memory
        .iter()
        .position(|one| *one == (address, 123_457))
        .unwrap();
    let until = memory
        .iter()
        .position(|one| *one == (second, 723_457))
        .unwrap();
    assert!(
        memory[at..until].contains(&(address, 0)),
        "moved by realloc"
    );
    assert!(memory[until..].contains(&(second, 0)));
    // What this thread gave back it had got, but for what it brought along from its parent.
    let mut held = HashMap::new();
    for (address, bytes) in &memory[at..] {
        match bytes {
            0 => {
                held.remove(address);
            }
            bytes => assert_eq!(held.insert(*address, *bytes), None, "given twice"),
        }
    }
    assert_eq!(sondage::raw::lost().events, 0);
    assert!(memory.len() > 40_000, "{}", memory.len());
}
