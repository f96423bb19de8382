//! The header, compiled by a C and a C++ compiler and linked with the library that cargo has just
//! built; what the programs recorded is compared with what they did.

use sondage_wire::{Definition, Definitions, Event, Memory, OwnedValue, Reader, Take};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the library: cargo puts it beside the tests' one.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().to_owned();
    let beside = test.parent().unwrap().to_owned();
    let has_library = |folder: &PathBuf| folder.join("libsondage_c.so").is_file();
    [beside, folder]
        .into_iter()
        .find(has_library)
        .expect("libsondage_c.so")
}

/// Compiles a program of this folder and returns it; strictly, so that the header is clean.
fn compile(compiler: &str, source: &str, arguments: &[&str], folder: &Path) -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(source.replace('.', "-"));
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-I"])
        .arg(crate_folder.join("../../include"))
        .arg(crate_folder.join("tests").join(source))
        .arg("-o")
        .arg(&program)
        .args(arguments)
        .output()
        .expect("a compiler: apt-get install gcc g++");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {source}: {said}");
    program
}

/// What a program recorded, in words.
fn recorded(program: &Path, folder: &Path) -> Vec<String> {
    let file = folder.join("events");
    let status = Command::new(program)
        .arg(&file)
        .env("LD_LIBRARY_PATH", library())
        .env_remove("SONDAGE_COLLECTOR")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let memory = Memory::load(&std::fs::read(&file).unwrap()).expect("an arena");
    let (mut names, mut texts) = (HashMap::new(), HashMap::new());
    Definitions::default().poll(memory.arena(), |definition| match definition {
        Definition::Site {
            id, name, function, ..
        } => {
            names.insert(id, format!("{name} of {function}"));
        }
        Definition::Text { id, text } => {
            texts.insert(id, text);
        }
        _ => {}
    });
    let mut told = Vec::new();
    Reader::new(memory.arena()).poll(Take::Copy, |batch| {
        for event in batch.events() {
            told.push(match event.expect("an event") {
                Event::ZoneBegin { site, depth, .. } => format!("zone {} {depth}", names[&site]),
                Event::ZoneEnd { .. } => "end".to_owned(),
                Event::Value { key, value, .. } => {
                    format!("{} = {}", texts[&key], shown(&value))
                }
                Event::SpanBegin { site, .. } => format!("span {}", names[&site]),
                Event::SpanEnter { .. } => "enter".to_owned(),
                Event::SpanExit { .. } => "exit".to_owned(),
                Event::SpanEnd { failed, .. } => format!("end, failed {failed}"),
                Event::Frame { name, op, .. } => format!("frame {name} {op:?}"),
                Event::Plot { name, value, .. } => format!("{} {}", texts[&name], shown(&value)),
                Event::Message { level, text, .. } => format!("message {level} {text}"),
                Event::Lock { op, .. } => format!("lock {op:?}"),
                other => format!("{other:?}"),
            });
        }
    });
    told
}

fn shown(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Int(value) => value.to_string(),
        OwnedValue::Float(value) => value.to_string(),
        OwnedValue::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

const OF_C: [&str; 16] = [
    "zone load of load 0",
    "depth = 1",
    "zone load of load 1",
    "depth = 0",
    "end",
    "end",
    "span request of main",
    "path = /ä",
    "exit",
    "enter",
    "end, failed true",
    "frame 0 Mark",
    "load 0.5",
    "message 3 bad \u{fffd} byte",
    "lock Obtained",
    "lock Released",
];

#[test]
fn a_program_in_c_shared_and_static() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let shared = ["-L", library.to_str().unwrap(), "-lsondage_c"];
    let archive = library.join("libsondage_c.a");
    // The last for Tracy: a build of the whole workspace has it built in.
    let archive = [
        archive.to_str().unwrap(),
        "-lpthread",
        "-ldl",
        "-lm",
        "-lstdc++",
    ];
    for arguments in [&shared[..], &archive[..]] {
        let mut wanted: Vec<String> = OF_C.map(str::to_owned).to_vec();
        wanted.push("message 2 ".to_owned());
        let arguments: Vec<&str> = [&["-std=c11"], arguments].concat();
        let program = compile("gcc", "probes.c", &arguments, folder.path());
        assert_eq!(recorded(&program, folder.path()), wanted);
    }
}

#[test]
fn a_program_in_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let arguments = ["-std=c++11", "-L", library.to_str().unwrap(), "-lsondage_c"];
    let program = compile("g++", "probes.cpp", &arguments, folder.path());
    assert_eq!(
        recorded(&program, folder.path()),
        [
            "zone parse of parse 0",
            "zone inner of parse 1",
            "zone parse of parse 2",
            "end",
            "end",
            "end"
        ]
    );
}

#[test]
fn a_program_without_probes_needs_no_library() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("g++", "off.cpp", &["-std=c++11"], folder.path());
    assert!(Command::new(program).status().unwrap().success());
}
