//! What the tests of the real program share: where it runs, what it left, and terminals.

#![allow(dead_code, reason = "shared by tests that use parts of it")]
#![allow(clippy::print_stderr, reason = "a test says what it left out")]

pub mod terminal;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use sondage_model::{LossKind, MonoTime, Pid, ProcessId, SampleRow, Source, StateKind, ThreadId};
use sondage_recording::Recording;

/// The `sondage` under test.
pub const SONDAGE: &str = env!("CARGO_BIN_EXE_sondage");

/// A program of `tests/programs`.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/programs")
        .join(name)
        .canonicalize()
        .expect("the program")
}

/// A Python of a version that sondage reads.
pub fn python() -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let mut found: Vec<PathBuf> = std::fs::read_dir(home.join(".pyenv/versions"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            ["3.11.", "3.12.", "3.13."]
                .iter()
                .any(|version| name.starts_with(version))
        })
        .map(|path| path.join("bin/python3"))
        .collect();
    found.extend(system_pythons());
    found
        .into_iter()
        .find(|path| path.exists())
        .expect("a Python from 3.11 on")
}

/// Where a Python lies that every user may run.
pub fn system_pythons() -> impl Iterator<Item = PathBuf> {
    (11..=15)
        .map(|minor| PathBuf::from(format!("/usr/bin/python3.{minor}")))
        .filter(|path| path.exists())
}

/// A folder for one test.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A new one.
    pub fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// A new one in memory, where there is such: no disk of a busy machine is waited for.
    pub fn in_memory() -> Place {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Place::new(), |folder| Place { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `sondage run -q -o test.sondage OPTIONS -- COMMAND`
    pub fn record(&self, options: &[&str], line: &[&str]) -> Command {
        let mut command = Command::new(SONDAGE);
        command
            .current_dir(self.folder.path())
            .args(["run", "-q", "-o", "test.sondage"])
            .args(options)
            .arg("--")
            .args(line);
        command
    }

    /// `sondage run -q -o test.sondage OPTIONS -- python behave.py ARGUMENTS`
    pub fn run(&self, options: &[&str], arguments: &[&str]) -> Command {
        self.run_program("behave.py", options, arguments)
    }

    /// As [`run`](Place::run), of another program of `tests/programs`.
    pub fn run_program(&self, name: &str, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.record(options, &[]);
        command.arg(python()).arg(program(name)).args(arguments);
        command
    }

    /// `test.sondage`.
    pub fn recording(&self) -> Recording {
        Recording::open(self.path("test.sondage")).expect("a readable recording")
    }
}

/// Samples in a recording.
pub fn samples(recording: &Recording) -> u64 {
    recording.blocks().iter().map(|block| block.count).sum()
}

/// All rows.
pub fn rows(recording: &Recording) -> Vec<SampleRow> {
    (0..recording.blocks().len())
        .flat_map(|block| {
            let samples = recording.samples(block).expect("a whole block");
            samples.rows().collect::<Vec<_>>()
        })
        .collect()
}

/// The process with this number, as it ended: one that calls `exec` has a row for each program.
pub fn process_of(recording: &Recording, pid: i32) -> ProcessId {
    let dictionary = recording.dictionary();
    let at = dictionary
        .processes()
        .iter()
        .rposition(|row| row.pid == Pid(pid))
        .unwrap_or_else(|| panic!("process {pid} is not in the recording"));
    ProcessId(at as u32)
}

/// The name of a process.
pub fn process_name(recording: &Recording, process: ProcessId) -> &str {
    let dictionary = recording.dictionary();
    dictionary.text(dictionary.processes()[process.index()].name)
}

/// The process of a thread.
pub fn owner(recording: &Recording, thread: ThreadId) -> ProcessId {
    recording.dictionary().threads()[thread.index()].process
}

/// Whether a function of this name is in the row's stack.
pub fn is_in(recording: &Recording, row: &SampleRow, function: &str) -> bool {
    let dictionary = recording.dictionary();
    dictionary.frames_inward(row.stack).any(|frame| {
        let function_row = dictionary.functions()[dictionary.function_of(frame).index()];
        dictionary.text(function_row.name) == function
    })
}

/// Seconds by state of the rows that are wanted.
pub fn seconds_by_state(
    recording: &Recording,
    wanted: impl Fn(&SampleRow) -> bool,
) -> BTreeMap<&'static str, f64> {
    let mut times: BTreeMap<&'static str, f64> = StateKind::ALL
        .iter()
        .map(|kind| (kind.name(), 0.0))
        .collect();
    for row in rows(recording).iter().filter(|row| wanted(row)) {
        *times.entry(row.state.kind().name()).or_default() += row.weight.as_secs_f64();
    }
    times
}

/// The time in which the sampler did not come to look, by its own count, in seconds: what this
/// machine's load took from it.
pub fn late_seconds(recording: &Recording) -> f64 {
    let interval = recording.info().interval.as_secs_f64();
    recording
        .losses()
        .iter()
        .filter(|loss| loss.kind == LossKind::Late)
        .map(|loss| loss.count as f64 * interval)
        .sum()
}

/// Runs it to its end, without a standard input.
pub fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("sondage runs")
}

/// Sends a signal to a child.
pub fn send(child: &Child, signal: i32) {
    // SAFETY: the child is not reaped yet.
    unsafe {
        libc::kill(child.id() as i32, signal);
    }
}

/// Starts it and waits until the program says "ready".
pub fn start_ready(mut command: Command) -> (Child, BufReader<ChildStdout>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sondage runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    (child, out)
}

/// `CLOCK_MONOTONIC`, now.
pub fn now() -> MonoTime {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the result.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    MonoTime(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The numbers of a thread's `schedstat`, summed over the threads of a process: nanoseconds on a
/// CPU, and nanoseconds it could have run but others did.
pub fn sched_stat(pid: i32) -> (u64, u64) {
    let mut sums = (0, 0);
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = std::fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|word| word.parse::<u64>());
        if let (Some(Ok(run)), Some(Ok(delay))) = (numbers.next(), numbers.next()) {
            sums.0 += run;
            sums.1 += delay;
        }
    }
    sums
}

/// The letter of a process's state, as `ps` shows it.
pub fn state_letter(pid: i32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text[text.rfind(')')? + 2..].chars().next()
}

/// The number of a process's parent.
pub fn parent_of(pid: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let after = &text[text.rfind(')').expect("a name") + 2..];
    let word = after.split(' ').nth(1).expect("a parent");
    word.parse().expect("a number")
}

/// Looks until it is so; a test that waits for ever is ended by the runner, which says where.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(
            began.elapsed().as_secs() < 100,
            "waited in vain until {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
