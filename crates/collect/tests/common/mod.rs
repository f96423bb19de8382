//! Real programs, recorded for real.

#![allow(dead_code, reason = "shared by tests that use parts of it")]
#![allow(clippy::print_stderr, reason = "a test says what it left out")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use sondage_collect::launch::{Child, Ended, Inherited};
use sondage_collect::{About, NewRecording, Notice, Options, Session, Summary};
use sondage_model::{LossKind, Nanos, ProcessId, SampleRow, Source, StateKind, ThreadId};
use sondage_recording::Recording;

/// A CPython of this machine.
#[derive(Clone, Debug)]
pub struct Python {
    /// Words for it.
    pub label: String,
    command: Vec<OsString>,
    /// Where programs must lie for it to see them.
    root: PathBuf,
}

/// One CPython of each version from 3.11 to 3.15 that is here; those missing are told.
pub fn pythons() -> Vec<Python> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let sid = home.join(".cache/sondage/sid");
    let mut found = Vec::new();
    for minor in 11..=15 {
        let name = format!("python3.{minor}");
        let pyenv = std::fs::read_dir(home.join(".pyenv/versions"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with(&format!("3.{minor}."))
            })
            .map(|entry| entry.path().join("bin").join(&name))
            .find(|path| path.exists());
        let system = ["/usr/bin", "/usr/local/bin"]
            .map(|folder| Path::new(folder).join(&name))
            .into_iter()
            .find(|path| path.exists());
        let inside = format!("/usr/bin/{name}");
        if let Some(path) = pyenv.or(system) {
            found.push(Python {
                label: name,
                command: vec![path.into()],
                root: "/".into(),
            });
        } else if sid.join(&inside[1..]).exists() && rustix::process::geteuid().is_root() {
            let chroot = [OsString::from("chroot"), sid.clone().into(), inside.into()];
            found.push(Python {
                label: format!("{name} (chroot)"),
                command: chroot.into(),
                root: sid.clone(),
            });
        } else {
            eprintln!("skipped: there is no {name} here");
        }
    }
    assert!(!found.is_empty(), "no Python from 3.11 to 3.15 was found");
    found
}

/// The newest Python that needs no chroot: for what does not depend on the version.
pub fn any_python() -> Python {
    pythons()
        .into_iter()
        .rfind(|python| python.root == Path::new("/"))
        .expect("a Python outside of a chroot")
}

impl Python {
    /// The command that runs `tests/programs/NAME`.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Vec<OsString> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs");
        let source = here.join(name).canonicalize().expect("the program");
        let place = if self.root == Path::new("/") {
            source
        } else {
            // Each test copies the same bytes; a rename never shows half of them.
            let inside = Path::new("tmp").join(name);
            let temporary = format!("{name}.{}", std::process::id());
            let temporary = self.root.join("tmp").join(temporary);
            std::fs::copy(source, &temporary).expect("a copy");
            std::fs::rename(temporary, self.root.join(&inside)).expect("a rename");
            Path::new("/").join(inside)
        };
        let mut command = self.command.clone();
        command.push(place.into());
        command.extend(arguments.iter().map(OsString::from));
        command
    }

    /// Whether it runs in a chroot, which lacks what `multiprocessing` needs (`/dev/shm`).
    pub fn is_in_chroot(&self) -> bool {
        self.root != Path::new("/")
    }
}

/// A program's recording, and what became of the program.
pub struct Recorded {
    /// What it holds.
    pub recording: Recording,
    /// How the program ended.
    pub ended: Ended,
    /// How the recording ended.
    pub summary: Summary,
    /// Messages for the user.
    pub notices: Vec<Notice>,
}

/// Options for so many samples a second.
pub fn at_rate(hertz: u64) -> Options {
    Options {
        interval: Nanos(1_000_000_000 / hertz),
        ..Options::default()
    }
}

/// Records a command to its end.
pub fn record(command: &[OsString], options: Options) -> Recorded {
    let folder = tempfile::tempdir().expect("a folder");
    let file = NewRecording::create(&folder.path().join("test.sondage"), false).expect("a file");
    let mut child = Child::launch(command, &Inherited::capture()).expect("the program starts");
    let session = Session::start(child.pid(), file, About::default(), options).expect("a session");
    let ended = child.wait();
    let (summary, notices) = session.stop();
    assert_eq!(summary.error, None);
    let recording = Recording::open(&summary.path).expect("a readable recording");
    assert_eq!(recording.recovered(), None);
    Recorded {
        recording,
        ended,
        summary,
        notices,
    }
}

/// Records a program to its end, and returns what it wrote to its standard output, too. That goes
/// to a file: a shell between us does so without being in the way.
pub fn record_told(
    python: &Python,
    name: &str,
    arguments: &[&str],
    options: Options,
) -> (Recorded, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("told");
    let file = File::create(&told).expect("a file");
    let fd = file.as_raw_fd();
    let mut command: Vec<OsString> = ["sh", "-c"].map(Into::into).into();
    command.push(format!("exec \"$@\" >/proc/{}/fd/{fd}", std::process::id()).into());
    command.push("sh".into());
    command.extend(python.command(name, arguments));
    let recorded = record(&command, options);
    let text = std::fs::read_to_string(&told).expect("what it told");
    (recorded, text)
}

impl Recorded {
    /// All rows.
    pub fn rows(&self) -> Vec<SampleRow> {
        (0..self.recording.blocks().len())
            .flat_map(|block| {
                let samples = self.recording.samples(block).expect("a whole block");
                samples.rows().collect::<Vec<_>>()
            })
            .collect()
    }

    /// Wall time of each function as the innermost one, in seconds.
    pub fn self_times(&self) -> BTreeMap<String, f64> {
        let dictionary = self.recording.dictionary();
        let mut times = BTreeMap::new();
        for row in self.rows() {
            if let Some(frame) = dictionary.frames_inward(row.stack).next() {
                let function = dictionary.functions()[dictionary.function_of(frame).index()];
                let name = dictionary.text(function.name).to_owned();
                *times.entry(name).or_default() += row.weight.as_secs_f64();
            }
        }
        times
    }

    /// The share of time, from 0 to 1, that lies in gaps between samples of more than five intervals:
    /// where it was spent cannot be known. Above zero only when this machine is too busy.
    pub fn unknown_share(&self) -> f64 {
        let long = 5 * self.recording.info().interval.0;
        let (mut gaps, mut all) = (0.0, 0.0);
        for row in self.rows() {
            let weight = row.weight.as_secs_f64();
            all += weight;
            if row.weight.0 / u64::from(row.count) > long {
                gaps += weight;
            }
        }
        gaps / all
    }

    /// The time, in seconds, in which the sampler did not come to look, by its own count: what this
    /// machine's load took from it. Above zero only when others compute, too.
    pub fn late(&self) -> f64 {
        let ticks: u64 = self
            .recording
            .losses()
            .iter()
            .filter(|loss| loss.kind == LossKind::Late)
            .map(|loss| loss.count)
            .sum();
        ticks as f64 * self.recording.info().interval.as_secs_f64()
    }

    /// Wall time by state of the threads with this name, in seconds.
    pub fn states(&self, thread: &str) -> BTreeMap<&'static str, f64> {
        let mut times: BTreeMap<&'static str, f64> = StateKind::ALL
            .iter()
            .map(|kind| (kind.name(), 0.0))
            .collect();
        for row in self.rows() {
            if self.thread_name(row.thread) == thread {
                *times.entry(row.state.kind().name()).or_default() += row.weight.as_secs_f64();
            }
        }
        times
    }

    /// The name of a thread.
    pub fn thread_name(&self, id: ThreadId) -> &str {
        let dictionary = self.recording.dictionary();
        dictionary.text(dictionary.threads()[id.index()].name)
    }

    /// The processes in which a function was seen, with the time it ran there.
    pub fn processes_in(&self, function: &str) -> BTreeMap<ProcessId, f64> {
        let dictionary = self.recording.dictionary();
        let mut times = BTreeMap::new();
        for row in self.rows() {
            let inside = dictionary.frames_inward(row.stack).any(|frame| {
                let row = dictionary.functions()[dictionary.function_of(frame).index()];
                dictionary.text(row.name) == function
            });
            if inside {
                let process = dictionary.threads()[row.thread.index()].process;
                *times.entry(process).or_default() += row.weight.as_secs_f64();
            }
        }
        times
    }

    /// Every row's time lies in its thread's life, and no two rows of a thread overlap.
    pub fn assert_rows_tile_time(&self) {
        let dictionary = self.recording.dictionary();
        let mut upto: BTreeMap<ThreadId, u64> = BTreeMap::new();
        for row in self.rows() {
            let range = row.range();
            let thread = &dictionary.threads()[row.thread.index()];
            let from = upto.entry(row.thread).or_insert(thread.start.0);
            assert_eq!(
                range.start.0,
                *from,
                "a gap or an overlap in {}",
                dictionary.text(thread.name)
            );
            *from = range.end.0;
            assert!(row.time <= thread.end);
        }
    }
}
