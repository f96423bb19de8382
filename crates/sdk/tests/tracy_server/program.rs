//! Programs that a profiler looks at: the test itself, again, in a role.

use crate::common::{program, wait_until};
use sondage::tracy::{self, Config};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Environment variable: the folder that a program and its test share.
const FOLDER: &str = "SONDAGE_TEST_FOLDER";

/// A program in a role, and the folder that both know.
pub struct Program {
    pub child: Child,
    pub folder: tempfile::TempDir,
}

impl Program {
    pub fn start(test: &str, role: &str, with: impl FnOnce(&mut Command)) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program(test, role);
        command
            .env_remove(tracy::VARIABLE)
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped());
        with(&mut command);
        let child = command.spawn().unwrap();
        Program { child, folder }
    }

    /// What it tells.
    pub fn told(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        wait_until(name, || path.exists());
        fs::read_to_string(path).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.told("address").parse().unwrap()
    }

    /// Lets it go on where it waits in [`wait`].
    pub fn go_on(&mut self) {
        self.child.stdin = None;
    }

    pub fn end(mut self) {
        self.go_on();
        assert!(self.child.wait().unwrap().success());
    }
}

/// Tells the test something.
pub fn tell(name: &str, what: &str) {
    let folder = folder();
    let whole = folder.join(format!("{name} in the making"));
    fs::write(&whole, what).unwrap();
    fs::rename(whole, folder.join(name)).unwrap();
}

/// Waits until the test lets the program go on.
pub fn wait() {
    assert_eq!(std::io::stdin().read(&mut [0]).unwrap(), 0);
}

/// Starts Tracy at a free port, and tells the test where.
pub fn start() -> SocketAddr {
    let config = Config {
        port: 0,
        ..Config::default()
    };
    let address = tracy::start(&config).unwrap();
    tell("address", &address.to_string());
    address
}

pub fn start_and_wait_for_profiler() {
    start();
    wait_until("connected", tracy::is_connected);
}

/// The folder that the test knows.
pub fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("told by the test"))
}

/// Numbers by name, as a profiler counts.
pub fn counts<'a>(of: impl IntoIterator<Item = (&'a str, usize)>) -> BTreeMap<String, usize> {
    of.into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect()
}
