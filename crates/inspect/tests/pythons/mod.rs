//! The interpreters of this machine, and programs run by them.

#![allow(dead_code, reason = "shared by tests that use parts of it")]
#![allow(clippy::print_stderr)]

use sondage_inspect::{OpenError, StackSnapshot, Target};
use sondage_model::Pid;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A CPython that sondage reads.
#[derive(Clone, Debug)]
pub struct Python {
    pub minor: u8,
    /// Words for it.
    pub label: String,
    /// The root it runs in: `/`, or a chroot.
    root: PathBuf,
    /// The program, as seen in that root.
    program: PathBuf,
    /// What runs it, with its first arguments, when it is another machine's.
    emulator: Vec<String>,
}

const MINORS: [u8; 5] = [11, 12, 13, 14, 15];

/// Every interpreter found: pyenv's, those of `scripts/sid.sh`, and `python3.X` on the `PATH`.
/// Versions without one are told; at least one must be there.
pub fn all() -> Vec<Python> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let mut found = Vec::new();
    let mut add = |minor: u8, label: String, root: &Path, program: PathBuf| {
        if root
            .join(program.strip_prefix("/").expect("absolute"))
            .exists()
        {
            let root = root.to_owned();
            found.push(Python {
                minor,
                label,
                root,
                program,
                emulator: Vec::new(),
            });
        }
    };
    let mut pyenv: Vec<PathBuf> = std::fs::read_dir(home.join(".pyenv/versions"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    pyenv.sort();
    let sid = home.join(".cache/sondage/sid");
    // SAFETY: geteuid has no conditions.
    let root = unsafe { libc::geteuid() } == 0;
    for minor in MINORS {
        for path in &pyenv {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&format!("3.{minor}.")) {
                let program = path.join("bin/python3");
                add(minor, format!("pyenv {name}"), Path::new("/"), program);
            }
        }
        if root {
            let program = PathBuf::from(format!("/usr/bin/python3.{minor}"));
            add(minor, format!("sid 3.{minor}"), &sid, program);
        }
        for folder in ["/usr/bin", "/usr/local/bin"] {
            let program = PathBuf::from(format!("{folder}/python3.{minor}"));
            add(
                minor,
                format!("{folder} 3.{minor}"),
                Path::new("/"),
                program,
            );
        }
    }
    for minor in MINORS {
        if !found.iter().any(|python| python.minor == minor) {
            eprintln!("skipped: there is no Python 3.{minor} here");
        }
    }
    assert!(!found.is_empty(), "no Python from 3.11 to 3.15 was found");
    found
}

/// One interpreter of each minor version.
pub fn each_minor() -> Vec<Python> {
    let mut pythons = all();
    pythons.dedup_by_key(|python| python.minor);
    pythons
}

/// The interpreters of another machine that `EMULATOR:ROOT[:ROOT…]` names.
pub fn emulated(names: &str) -> impl Iterator<Item = Python> {
    let mut parts = names.split(':').map(str::to_owned);
    let emulator = parts.next().unwrap_or_default();
    let roots: Vec<String> = parts.collect();
    roots.into_iter().flat_map(move |root| {
        let emulator = emulator.clone();
        MINORS.into_iter().filter_map(move |minor| {
            let program = Path::new(&root).join(format!("usr/bin/python3.{minor}"));
            program.exists().then(|| Python {
                minor,
                label: program.display().to_string(),
                root: "/".into(),
                program,
                emulator: vec![emulator.clone(), "-L".into(), root.clone()],
            })
        })
    })
}

impl Python {
    /// The program `tests/programs/NAME`, copied where this interpreter sees it.
    pub fn start(&self, name: &str, args: &[&str]) -> Program {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/programs")
            .join(name);
        let source = std::fs::read_to_string(&file).expect("the program");
        self.run(name, &source, args)
    }

    /// A program given as text.
    pub fn run(&self, name: &str, source: &str, args: &[&str]) -> Program {
        let inside = tempfile::Builder::new()
            .prefix("sondage-")
            .tempdir_in(self.root.join("tmp"))
            .expect("a folder");
        let script = inside.path().join(name);
        std::fs::write(&script, source).expect("the program is written");
        let seen = |path: &Path| {
            Path::new("/").join(path.strip_prefix(&self.root).expect("inside the root"))
        };
        let mut command = if let [emulator, options @ ..] = self.emulator.as_slice() {
            let mut command = Command::new(emulator);
            command.args(options).arg(&self.program);
            command
        } else if self.root == Path::new("/") {
            Command::new(&self.program)
        } else {
            let mut command = Command::new("chroot");
            command.arg(&self.root).arg(&self.program);
            command
        };
        let folder = seen(inside.path());
        let args = args
            .iter()
            .map(|arg| arg.replace("{dir}", &folder.to_string_lossy()));
        let child = command
            .arg(seen(&script))
            .args(args)
            .env("PYTHONIOENCODING", "utf-8:backslashreplace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        Program {
            child,
            folder: inside,
        }
    }
}

/// A running program; killed when dropped.
pub struct Program {
    pub child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    pub fn pid(&self) -> Pid {
        Pid(self.child.id() as i32)
    }

    /// Waits until the program prints a line `ready`.
    pub fn ready(mut self) -> Program {
        let output = self.child.stdout.as_mut().expect("piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "ready");
        self
    }

    /// Waits until the program made this file, and gives its path here.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let end = Instant::now() + Duration::from_secs(60);
        while !path.exists() {
            assert!(Instant::now() < end, "the program did not write {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
        path
    }

    /// Opens it, waiting while it starts.
    pub fn open(&self) -> Target {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match Target::open(self.pid()) {
                Ok(target) => return target,
                Err(OpenError::NotReady { .. } | OpenError::NotPython { .. })
                    if Instant::now() < end =>
                {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A stack as lines `qualified name:line`, innermost first.
pub fn words<M: sondage_inspect::Memory>(target: &Target<M>, stack: &StackSnapshot) -> Vec<String> {
    stack
        .frames
        .iter()
        .map(|frame| {
            let code = target.resolve(frame.code).expect("known code");
            format!("{}:{}", code.qualified_name, code.line(frame.offset))
        })
        .collect()
}
