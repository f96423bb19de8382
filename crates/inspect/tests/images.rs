//! The walkers on stored memory: what a real interpreter of each version held, read back without a
//! process, on any machine; and the same with damage in it.
//!
//! `cargo test -p sondage-inspect --test images -- --ignored write_images` makes the images anew.
//! Those of aarch64 need its interpreters and an emulator: `SONDAGE_AARCH64` is `QEMU:ROOT[:ROOT…]`,
//! where each `ROOT/usr/bin` holds some `python3.N`. The images here are of Debian's 3.11.2,
//! 3.13.18, 3.14.10 and 3.15.2 under `qemu-aarch64-static` 7.2, which leaves addresses as they are.

#![allow(clippy::print_stderr)]

mod pythons;

use proptest::prelude::*;
use sondage_inspect::layout::{Architecture, CLibrary, Machine};
use sondage_inspect::{
    Memory, MemoryError, RemoteMemory, RuntimePlace, StackSnapshot, Target, ThreadCursor,
};
use sondage_model::{Pid, RemoteAddr};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Memory of a process that is no more: ranges by address.
#[derive(Clone, Debug)]
struct Image {
    pid: i32,
    machine: Machine,
    runtime: u64,
    version: u64,
    asyncio: u64,
    ranges: BTreeMap<u64, Vec<u8>>,
}

impl Memory for Image {
    fn read(&self, at: RemoteAddr, into: &mut [u8]) -> Result<(), MemoryError> {
        let unmapped = MemoryError::Unmapped(at);
        let (start, bytes) = self.ranges.range(..=at.0).next_back().ok_or(unmapped)?;
        let from = (at.0 - start) as usize;
        let to = from.checked_add(into.len()).ok_or(unmapped)?;
        into.copy_from_slice(bytes.get(from..to).ok_or(unmapped)?);
        Ok(())
    }
}

impl Image {
    fn open(&self) -> Result<Target<Image>, sondage_inspect::OpenError> {
        let place = RuntimePlace {
            binary: "image".to_owned(),
            base: RemoteAddr(0),
            runtime: RemoteAddr(self.runtime),
            version: (self.version != 0).then_some(RemoteAddr(self.version)),
            asyncio: (self.asyncio != 0).then_some(RemoteAddr(self.asyncio)),
            machine: self.machine,
        };
        Target::with_memory(self.clone(), Pid(self.pid), place)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |value: u64, out: &mut Vec<u8>| out.extend(value.to_le_bytes());
        let head = [
            self.pid as u64,
            u64::from(self.machine.architecture == Architecture::Aarch64),
            self.runtime,
            self.version,
            self.asyncio,
        ];
        for value in head {
            number(value, &mut out);
        }
        for (at, bytes) in &self.ranges {
            number(*at, &mut out);
            number(bytes.len() as u64, &mut out);
            out.extend(bytes);
        }
        out
    }

    fn from_bytes(mut bytes: &[u8]) -> Image {
        let mut number = || {
            let (head, tail) = bytes.split_at(8);
            bytes = tail;
            u64::from_le_bytes(head.try_into().expect("8 bytes"))
        };
        let mut image = Image {
            pid: number() as i32,
            machine: Machine {
                architecture: if number() == 1 {
                    Architecture::Aarch64
                } else {
                    Architecture::X86_64
                },
                library: CLibrary::Glibc,
            },
            runtime: number(),
            version: number(),
            asyncio: number(),
            ranges: BTreeMap::new(),
        };
        while !bytes.is_empty() {
            let (head, tail) = bytes.split_at(16);
            let at = u64::from_le_bytes(head[..8].try_into().expect("8 bytes"));
            let len = u64::from_le_bytes(head[8..].try_into().expect("8 bytes")) as usize;
            image.ranges.insert(at, tail[..len].to_vec());
            bytes = &tail[len..];
        }
        image
    }
}

/// Reads another process and keeps what was read.
struct Recorder {
    from: RemoteMemory,
    kept: RefCell<BTreeMap<u64, Vec<u8>>>,
}

impl Memory for &Recorder {
    fn read(&self, at: RemoteAddr, into: &mut [u8]) -> Result<(), MemoryError> {
        self.from.read(at, into)?;
        let mut kept = self.kept.borrow_mut();
        // Ranges that touch become one, so that later reads may span them.
        let mut start = at.0;
        let mut bytes = into.to_vec();
        let end = start + bytes.len() as u64;
        let touching: Vec<u64> = kept
            .range(..=end)
            .filter(|(other, old)| *other + old.len() as u64 >= start)
            .map(|(other, _)| *other)
            .collect();
        for other in touching {
            let old = kept.remove(&other).expect("there");
            let low = start.min(other);
            let high = (start + bytes.len() as u64).max(other + old.len() as u64);
            let mut merged = vec![0; (high - low) as usize];
            merged[(other - low) as usize..][..old.len()].copy_from_slice(&old);
            merged[(start - low) as usize..][..bytes.len()].copy_from_slice(&bytes);
            (start, bytes) = (low, merged);
        }
        kept.insert(start, bytes);
        Ok(())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images")
}

/// What is read of an image, as text.
fn describe<M: Memory>(target: &mut Target<M>, pid: i32) -> String {
    let mut text = format!("{}\n", target.runtime().implementation);
    let mut threads = target.threads().expect("threads");
    threads.sort_by_key(|thread| thread.tid);
    for thread in threads {
        text += &format!(
            "thread {} name {:?} interpreter {}\n",
            thread.tid.0 - pid,
            thread.name,
            thread.interpreter
        );
        let gil = target.gil(thread.interpreter_state).expect("a GIL");
        text += &format!(
            "    a GIL of {} bytes, {}\n",
            gil.end.0 - gil.start.0,
            if gil.locked { "taken" } else { "free" }
        );
        let mut out = StackSnapshot::default();
        target
            .sample(&mut ThreadCursor::new(&thread), &mut out)
            .expect("a stack");
        for line in pythons::words(target, &out) {
            text += &format!("    {line}\n");
        }
        if let Some(task) = out.task.and_then(|key| target.task(key)) {
            text += &format!("    task {:?} of {}\n", task.name, task.coroutine);
        }
    }
    text
}

#[test]
#[ignore = "makes the images anew, from the interpreters of this machine"]
fn write_images() {
    std::fs::create_dir_all(folder()).expect("the folder");
    let native = pythons::each_minor().into_iter();
    let emulated = std::env::var("SONDAGE_AARCH64").unwrap_or_default();
    let all = native
        .map(|python| ("x86_64", python))
        .chain(pythons::emulated(&emulated).map(|python| ("aarch64", python)));
    for (architecture, python) in all {
        for what in PROGRAMS {
            write_image(architecture, &python, what);
        }
    }
}

fn write_image(architecture: &str, python: &pythons::Python, what: &str) {
    let program = python.start(&format!("{what}.py"), &[]).ready();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let place = Target::locate(program.pid()).expect("a place");
    let recorder = Recorder {
        from: RemoteMemory::new(program.pid()),
        kept: RefCell::default(),
    };
    let mut image = Image {
        pid: program.pid().0,
        machine: place.machine,
        runtime: place.runtime.0,
        version: place.version.map_or(0, |at| at.0),
        asyncio: 0,
        ranges: BTreeMap::new(),
    };
    let mut target = Target::with_memory(&recorder, program.pid(), place).expect("a target");
    let text = describe(&mut target, image.pid);
    // An image has no extension modules to look into.
    image.asyncio = target.asyncio_section().map_or(0, |at| at.0);
    drop(target);
    image.ranges = recorder.kept.into_inner();
    let name = format!("3.{}.{architecture}.{what}", python.minor);
    let file = |ending| folder().join(format!("{name}.{ending}"));
    std::fs::write(file("image"), image.to_bytes()).expect("written");
    std::fs::write(file("txt"), text).expect("written");
}

/// Five versions on x86-64, four on aarch64, two programs each.
const STORED: usize = 18;
const PROGRAMS: [&str; 2] = ["asleep", "asleep_task"];

/// Every image: what it is of, itself, and what is to be read of it.
fn stored() -> Vec<(String, Image, String)> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name();
            Some(name.to_str()?.strip_suffix(".image")?.to_owned())
        })
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let file = |ending| folder().join(format!("{name}.{ending}"));
            let image = std::fs::read(file("image")).expect("the image");
            let text = std::fs::read_to_string(file("txt")).expect("its text");
            (name, Image::from_bytes(&image), text)
        })
        .collect()
}

#[test]
fn stored_images_of_every_version_and_machine_are_read() {
    let stored = stored();
    assert_eq!(stored.len(), STORED);
    for (name, image, text) in stored {
        let expected = if name.ends_with("asleep_task") {
            "task \"étape 1\" of second_step\n"
        } else {
            "Étage.méthode:26\n"
        };
        assert!(text.contains(expected), "{name}: {text}");
        let gil = if name.contains("aarch64") { 224 } else { 208 };
        assert!(
            text.contains(&format!("a GIL of {gil} bytes")),
            "{name}: {text}"
        );
        let mut target = image.open().expect("a target");
        assert_eq!(describe(&mut target, image.pid), text, "{name}");
    }
}

/// Reads all there is; whatever comes of it, it must end and not panic.
fn read_all(image: &Image) {
    let Ok(mut target) = image.open() else { return };
    target.limits_mut().tries = 4;
    let Ok(threads) = target.threads() else {
        return;
    };
    let mut out = StackSnapshot::default();
    for thread in threads.iter().take(4) {
        let mut cursor = ThreadCursor::new(thread);
        for _ in 0..3 {
            if target.sample(&mut cursor, &mut out).is_ok() {
                for frame in &out.frames {
                    let code = target.resolve(frame.code).expect("known code");
                    drop(code.line(frame.offset).to_string());
                }
                if let Some(task) = out.task {
                    drop(target.task(task).expect("its name").clone());
                }
            }
        }
        drop(target.gil(thread.interpreter_state));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_images_do_no_harm(
        which in 0..STORED,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u64>(), 0..4_u8), 1..40),
    ) {
        let (_, mut image, _) = stored().swap_remove(which);
        let starts: Vec<u64> = image.ranges.keys().copied().collect();
        for (range, place, value, kind) in damage {
            let start = starts[range.index(starts.len())];
            let other = starts[place.index(starts.len())];
            let bytes = image.ranges.get_mut(&start).expect("there");
            if bytes.len() < 8 {
                continue;
            }
            let at = place.index(bytes.len() / 8) * 8;
            let word = match kind {
                0 => value,
                1 => value % 4096,
                // A pointer to something else that is there.
                2 => other,
                _ => u64::MAX - value % 64,
            };
            if let Some(slot) = bytes.get_mut(at..at + 8) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
        }
        read_all(&image);
    }
}
