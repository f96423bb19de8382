//! Writes a recording of the tests as a `.sondage` file, with its true figures beside it, for the
//! tests that open exports in the programs they are for: `fixtures NAME FOLDER`.
#![allow(clippy::print_stdout, reason = "a program for tests")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::{File, create_dir_all};
use std::io::BufWriter;
use std::path::Path;

use serde_json::{Value, json};
use sondage_formats::{FORMATS, ImportOptions, import};
use sondage_model::{MemoryRecording, Source};
use sondage_recording::Writer;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["names"] => {
            println!("{}", common::RECORDINGS.join("\n"));
            Ok(())
        }
        ["formats"] => {
            for format in FORMATS.iter().filter(|format| format.export.is_some()) {
                println!("{} {}", format.name, format.extension);
            }
            Ok(())
        }
        ["import", file] => print_import(file),
        [name, folder] => {
            let recording = common::recording(name).ok_or("there is no recording of this name")?;
            write(recording, Path::new(folder))
        }
        _ => Err("usage: fixtures NAME FOLDER | names | formats | import FILE".into()),
    }
}

fn print_import(file: &str) -> Result<(), Failure> {
    let bytes = std::fs::read(file)?;
    let (format, recording) = import(&bytes, &ImportOptions::default())?;
    let messages: Vec<String> = recording.messages.iter().map(|m| m.text.clone()).collect();
    let mut truth = truth(&recording.seal());
    truth["format"] = json!(format.name);
    truth["messages"] = json!(messages);
    println!("{truth}");
    Ok(())
}

fn write(recording: MemoryRecording, folder: &Path) -> Result<(), Failure> {
    create_dir_all(folder)?;
    let source = recording.seal();
    let file = BufWriter::new(File::create(folder.join("recording.sondage"))?);
    let mut writer = Writer::create(file, source.info())?;
    writer.copy_from(&source)?;
    writer.finish(source.range().end)?;
    std::fs::write(folder.join("truth.json"), truth(&source).to_string())?;
    Ok(())
}

fn truth(source: &dyn Source) -> Value {
    let truth = common::truth(source);
    let functions: Vec<Value> = truth
        .by_function
        .iter()
        .map(|((name, file, line), figures)| {
            json!({
                "name": name, "file": file, "line": line,
                "self_ns": figures.self_nanos, "total_ns": figures.total_nanos,
                "self_samples": figures.self_count, "total_samples": figures.total_count,
            })
        })
        .collect();
    let mut zones: std::collections::BTreeMap<String, (u64, u64)> = Default::default();
    for block in 0..source.zone_blocks().len() {
        for row in source.zones(block).expect("memory").rows() {
            if !row.flags.has(sondage_model::ZoneFlags::POLL) {
                let site = source.dictionary().sites()[row.site.index()];
                let sum = zones
                    .entry(source.dictionary().text(site.name).into())
                    .or_default();
                sum.0 += 1;
                sum.1 += row.duration.0;
            }
        }
    }
    let zones: Vec<Value> = zones
        .into_iter()
        .map(|(name, (count, nanos))| json!({"name": name, "count": count, "ns": nanos}))
        .collect();
    let threads: Vec<Value> = truth
        .by_thread
        .iter()
        .map(|((pid, tid), (nanos, cpu))| json!({"pid": pid, "tid": tid, "ns": nanos, "cpu_ns": cpu}))
        .collect();
    json!({
        "total_ns": truth.nanos, "bare_ns": truth.bare_nanos, "samples": truth.count,
        "functions": functions, "threads": threads, "zones": zones,
    })
}
