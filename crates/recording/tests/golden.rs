//! Recordings of every version open for ever, with exactly what was in them.
//!
//! The files are made once, by `cargo test -p sondage-recording --test golden -- --ignored`, and never
//! again: a change of the writer must not change them, and a change of the reader must not change
//! what is read from them.

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::rich;
use sondage_model::*;
use sondage_recording::{Recording, Writer};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn bytes_of(memory: &MemoryRecording, flush: usize, finish: bool) -> Vec<u8> {
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    *writer.dictionary_mut() = memory.dictionary.clone();
    for (index, row) in memory.samples.rows().enumerate() {
        writer.push_sample(row).unwrap();
        if index % flush == flush - 1 {
            writer.flush(row.time).unwrap();
        }
    }
    for (index, row) in memory.zones.rows().enumerate() {
        let detail = memory.zones.detail(&row).cloned();
        writer.push_zone(row, detail).unwrap();
        if index % flush == flush - 1 {
            writer.flush(row.range().end).unwrap();
        }
    }
    memory
        .frame_marks
        .iter()
        .for_each(|row| writer.push_frame_mark(*row));
    memory
        .logs
        .iter()
        .for_each(|row| writer.push_log(row.clone()));
    memory.waits.iter().for_each(|row| writer.push_wait(*row));
    memory
        .counters
        .iter()
        .for_each(|row| writer.push_counter(*row));
    memory
        .messages
        .iter()
        .for_each(|row| writer.push_message(row.clone()));
    memory.losses.iter().for_each(|row| writer.push_loss(*row));
    memory.clock.iter().for_each(|row| writer.push_clock(*row));
    for (file, text) in &memory.sources {
        writer.add_source_text(*file, text);
    }
    if finish {
        writer.finish(Time(10_000_000_000)).unwrap();
    }
    writer.into_inner()
}

#[test]
#[ignore = "makes the golden files of the current version; run once a version"]
fn make() {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder().join(name);
        assert!(!path.exists(), "{} is there for ever", path.display());
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("v2-rich.sondage", &bytes_of(&rich(600), 150, true));
    let mut killed = bytes_of(&rich(600), 150, false);
    killed.truncate(killed.len() - 100);
    write("v2-killed.sondage", &killed);
    write(
        "v2-empty.sondage",
        &bytes_of(&MemoryRecording::default(), 1, true),
    );
}

/// All that a recording holds, as text; of the samples the first and the sums.
fn describe(recording: &Recording) -> String {
    let mut out = String::new();
    let dict = recording.dictionary();
    let _ = writeln!(out, "recovered: {:?}", recording.recovered());
    let _ = writeln!(out, "{:#?}", recording.info());
    let _ = writeln!(out, "range: {:?}", recording.range());
    let _ = writeln!(out, "blocks: {:?}", recording.blocks());
    let _ = writeln!(out, "{:?}", dict.mark());
    for process in dict.processes() {
        let _ = writeln!(out, "{process:?} {}", dict.text(process.name));
    }
    for thread in dict.threads() {
        let _ = writeln!(out, "{thread:?} {}", dict.text(thread.name));
    }
    let _ = writeln!(out, "{:?}", dict.tasks());
    let _ = writeln!(out, "{:?}", dict.modules());
    let _ = writeln!(out, "{:?}", dict.counter_series());
    for block in 0..recording.blocks().len() {
        for row in recording.samples(block).unwrap().rows().take(5) {
            let _ = writeln!(out, "{row:?}");
        }
    }
    for row in recording.totals().unwrap().iter() {
        let names: Vec<_> = dict
            .path(row.stack)
            .into_iter()
            .map(|frame| {
                let function = dict.functions()[dict.function_of(frame).index()];
                format!(
                    "{}:{}",
                    dict.text(function.qualified_name),
                    dict.frames()[frame.index()].line
                )
            })
            .collect();
        let _ = writeln!(
            out,
            "{} {:?} task {} {} x {} = {}",
            row.thread.0,
            row.state,
            row.task.0,
            names.join(";"),
            row.count,
            row.weight.0
        );
    }
    for &width in recording.tile_widths() {
        for tile in recording.tiles(width, TimeRange::ALL).unwrap() {
            let _ = writeln!(out, "{tile:?}");
        }
    }
    describe_program(recording, &mut out);
    let counters = recording.counters(TimeRange::ALL).unwrap();
    let _ = writeln!(out, "counters: {} {:?}", counters.len(), counters.last());
    let _ = writeln!(out, "{:?}", recording.messages());
    let _ = writeln!(out, "{:?}", recording.losses());
    let _ = writeln!(out, "{:?}", recording.clock());
    for file in 0..dict.files().len() as u32 {
        if let Some(text) = recording.source_text(FileId(file)).unwrap() {
            let _ = writeln!(out, "{}: {text:?}", dict.file_path(FileId(file)));
        }
    }
    out
}

/// What the program said, where it said something.
fn describe_program(recording: &Recording, out: &mut String) {
    let dict = recording.dictionary();
    for site in dict.sites() {
        let _ = writeln!(out, "{site:?} {}", dict.text(site.name));
    }
    for lock in dict.locks() {
        let _ = writeln!(out, "{lock:?} {}", dict.text(lock.name));
    }
    for block in 0..recording.zone_blocks().len() {
        let _ = writeln!(out, "zones: {:?}", recording.zone_blocks()[block]);
        let zones = recording.zones(block).unwrap();
        for row in zones.rows().take(20) {
            let _ = writeln!(out, "{row:?} {:?}", zones.detail(&row));
        }
        for row in recording.zone_summary(block).unwrap().iter() {
            let _ = writeln!(out, "{row:?}");
        }
        for width in recording.zone_tile_widths() {
            let tiles = recording.zone_tiles(*width, TimeRange::ALL).unwrap();
            let busy: u64 = tiles.iter().map(|tile| tile.busy.0).sum();
            let _ = writeln!(out, "{width:?}: {} tiles, {busy} ns", tiles.len());
        }
    }
    let marks = recording.frame_marks().unwrap();
    let logs = recording.logs(TimeRange::ALL).unwrap();
    let waits = recording.waits(TimeRange::ALL).unwrap();
    if let (Some(mark), Some(log), Some(wait)) = (marks.last(), logs.last(), waits.last()) {
        let _ = writeln!(out, "frame marks: {} {mark:?}", marks.len());
        let _ = writeln!(out, "log: {} {log:?}", logs.len());
        let _ = writeln!(out, "waits: {} {wait:?}", waits.len());
    }
}

#[test]
fn every_version_opens_with_all_it_had() {
    let mut seen = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "sondage"))
        .collect();
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording = Recording::open(&path).unwrap();
        insta::assert_snapshot!(name, describe(&recording));
        seen += 1;
    }
    assert_eq!(seen, 6);
}
