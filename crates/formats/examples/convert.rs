//! Writes a recording of the tests in every format, with its true figures beside it, for the tests
//! that open exports in the programs they are for: `convert NAME FOLDER`.
#![allow(clippy::print_stdout, reason = "a program for tests")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};
use sondage_formats::{
    Detail, ExportOptions, FORMATS, Format, FormatError, ImportOptions, Measure, import,
};
use sondage_model::Source;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["names"] => {
            println!("{}", common::RECORDINGS.join("\n"));
            Ok(())
        }
        ["import", file] => print_import(file),
        [name, folder] => {
            let recording = common::recording(name).ok_or("there is no recording of this name")?;
            write_all(&recording.seal(), Path::new(folder))
        }
        _ => Err("usage: convert NAME FOLDER | convert import FILE | convert names".into()),
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

fn write_all(source: &dyn Source, folder: &Path) -> Result<(), Failure> {
    create_dir_all(folder)?;
    for format in FORMATS.iter().filter(|format| format.export.is_some()) {
        let name = format!("all.{}", format.extension);
        write(
            format,
            source,
            &ExportOptions::default(),
            &folder.join(name),
        )?;
    }
    let samples = ExportOptions {
        measure: Measure::Samples,
        ..ExportOptions::default()
    };
    let lines = ExportOptions {
        detail: Detail::Line,
        by_thread: true,
        ..ExportOptions::default()
    };
    for name in ["collapsed", "svg"] {
        let format = sondage_formats::find(name)?;
        write(
            format,
            source,
            &samples,
            &folder.join(format!("samples.{}", format.extension)),
        )?;
        write(
            format,
            source,
            &lines,
            &folder.join(format!("lines.{}", format.extension)),
        )?;
    }
    std::fs::write(folder.join("truth.json"), truth(source).to_string())?;
    Ok(())
}

fn write(
    format: &Format,
    source: &dyn Source,
    options: &ExportOptions,
    path: &Path,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(File::create(path)?);
    let export = format.export.ok_or(FormatError::WrongDirection {
        format: format.name,
        can: "imported",
        cannot: "exported",
    })?;
    export(source, options, &mut out)?;
    out.flush()?;
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
    let threads: Vec<Value> = truth
        .by_thread
        .iter()
        .map(|((pid, tid), nanos)| json!({"pid": pid, "tid": tid, "ns": nanos}))
        .collect();
    json!({
        "total_ns": truth.nanos, "samples": truth.count,
        "functions": functions, "threads": threads,
    })
}
