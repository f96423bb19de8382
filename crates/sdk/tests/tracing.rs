//! The layer of `tracing`. `tracing` itself is a dependency of tests only.
#![cfg(feature = "enabled")]

mod common;

use tracing_subscriber::prelude::*;

#[test]
fn spans_fields_and_events_come_through() {
    let subscriber = tracing_subscriber::registry().with(sondage::tracing::Layer::new());
    sondage::thread_name("traced");
    tracing::subscriber::with_default(subscriber, || {
        let load =
            tracing::info_span!("load", path = "a.toml", n = 3, late = tracing::field::Empty);
        load.in_scope(|| {
            tracing::warn!(bytes = 12, name = "x", "it is {}", "short");
            tracing::debug_span!("parse", fast = true).in_scope(|| ());
            load.record("late", 0.5);
        });
    });
    let folder = tempfile::tempdir().unwrap();
    let path = sondage::save(folder.path().join("events")).unwrap();
    assert_eq!(
        common::Story::of_file(&path).of_thread("traced"),
        [
            "span #1 load in 0",
            "exit #1",
            "value #1 path = \"a.toml\"",
            "value #1 n = 3",
            "enter #1",
            "message 3 0 it is short bytes=12 name=x",
            "span #2 parse in #1",
            "exit #2",
            "value #2 fast = true",
            "enter #2",
            "exit #2",
            "end #2",
            "value #1 late = 0.5",
            "exit #1",
            "end #1",
        ]
    );
}
