//! Recordings on disk.

mod common;

use common::{rich, rows_of};
use sondage_recording::{Recording, Writer};

#[test]
fn what_was_flushed_is_in_the_file_whatever_happens_to_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.sondage");
    let memory = rich(1_000);
    let mut writer = Writer::create_file(&path, &memory.info).unwrap();
    *writer.dictionary_mut() = memory.dictionary.clone();
    for row in memory.samples.rows().take(900) {
        writer.push_sample(row).unwrap();
    }
    writer.flush(memory.samples.times[899]).unwrap();
    writer.push_sample(memory.samples.row(900)).unwrap();
    // As with `kill -9`: no destructor runs, and no buffer of ours is written.
    std::mem::forget(writer);
    let recording = Recording::open(&path).unwrap();
    assert_eq!(rows_of(&recording).len(), 900);
    assert!(!recording.recovery().is_lossy());
    assert_eq!(recording.recovery().cut_bytes, 0);
}

#[test]
fn a_file_that_is_cut_while_it_is_open_gives_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.sondage");
    let memory = rich(1_000);
    let mut writer = Writer::create_file(&path, &memory.info).unwrap();
    writer.copy_from(&memory.seal()).unwrap();
    writer.finish(sondage_model::Time::ZERO).unwrap();
    let recording = Recording::open(&path).unwrap();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1_000)
        .unwrap();
    let error = sondage_model::Source::samples(&recording, 0).unwrap_err();
    insta::assert_snapshot!(error, @"block 0 of the recording cannot be read: the file ends before it does");
    let error = Recording::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a directory"), "{error}");
}

/// The reader in `docs/formats` sees what ours sees: two readings of one description.
#[test]
#[ignore = "needs a Python with pyarrow, called by PYARROW_PYTHON: tests/consumers/run.sh makes one"]
fn a_second_reader_agrees() {
    use std::path::Path;
    use std::process::Command;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = std::env::var_os("PYARROW_PYTHON").expect("PYARROW_PYTHON is a Python");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {text}");
        output.stdout
    };
    for name in ["v1-rich", "v1-killed", "v2-rich", "v2-killed"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.sondage"));
        let stdout = run(Command::new(&python)
            .arg(root.join("docs/formats/read_recording.py"))
            .arg(&path));
        let theirs: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
        let recording = Recording::open(&path).unwrap();
        let rows = rows_of(&recording);
        let dict = sondage_model::Source::dictionary(&recording);
        assert_eq!(
            theirs["weight"],
            rows.weights.iter().map(|w| w.0).sum::<u64>()
        );
        assert_eq!(
            theirs["count"],
            rows.counts.iter().map(|c| u64::from(*c)).sum::<u64>()
        );
        assert_eq!(theirs["tables"]["samples"]["rows"], rows.len());
        // Rows 0 of strings and stacks are not stored.
        assert_eq!(theirs["tables"]["strings"]["rows"], dict.mark().strings - 1);
        assert_eq!(theirs["tables"]["stacks"]["rows"], dict.mark().stacks - 1);
        assert_eq!(theirs["tables"]["functions"]["rows"], dict.mark().functions);
        let zones = sondage_model::Source::zone_blocks(&recording).iter();
        assert_eq!(
            theirs["tables"]["zones"]["rows"].as_u64().unwrap_or(0),
            zones.map(|block| block.rows).sum::<u64>()
        );
    }
}
