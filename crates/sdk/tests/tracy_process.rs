//! Tracy and the process: nothing runs before it is asked for, what it does to ports, to programs that
//! are executed, and to the child of a fork. Programs are this one again, in a role.
#![cfg(feature = "enabled")]

mod common;
mod tracy_server;

use common::{Story, role, wait_until};
use sondage::tracy::{self, Config, StartError};
use sondage::{message, plot, zone};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use tracy_server::Profiler;
use tracy_server::program::{
    Program, counts, folder, start, start_and_wait_for_profiler, tell, wait,
};

#[global_allocator]
static MEMORY: sondage::Alloc = sondage::Alloc::new();

/// What a process listens to, at TCP, and what it has of UDP: addresses and ports as the system
/// writes them.
fn listens(pid: u32) -> BTreeSet<String> {
    let mut sockets = BTreeSet::new();
    for file in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = fs::read_link(file.path()).unwrap_or_default();
        let inode = target
            .to_str()
            .and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']'));
        sockets.extend(inode.map(str::to_owned));
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let lines = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in lines.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            let is_listening = words[3] == "0A" || table.starts_with("udp");
            if is_listening && sockets.contains(words[9]) {
                found.insert(format!("{table} {}", words[1]));
            }
        }
    }
    found
}

fn threads_of_tracy(pid: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
    threads
        .filter(|thread| thread.file_name() != *"self")
        .filter_map(|thread| name(thread).ok())
        .filter(|name| name.starts_with("Tracy"))
        .count()
}

/// An address as the system writes it, on this kind of processor.
fn in_table(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("{address}");
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("tcp {ip:08X}:{:04X}", address.port())
}

#[test]
fn nothing_listens_until_it_is_asked_for() {
    if role().is_some() {
        {
            zone!("before");
        }
        plot!("before", 1);
        assert!(!tracy::is_started() && !tracy::is_connected());
        assert_eq!(tracy::address(), None);
        assert_eq!(tracy::start_if_asked().unwrap(), None);
        tell("before", "");
        wait_until("asked", || folder().join("ask").exists());
        let address = start();
        assert!(tracy::is_started() && !tracy::is_connected());
        assert_eq!(tracy::start(&Config::default()).unwrap(), address, "once");
        let sleeping = Command::new("sleep").arg("60").spawn().unwrap();
        tell("sleeping", &sleeping.id().to_string());
        wait();
        let mut sleeping = sleeping;
        sleeping.kill().unwrap();
        sleeping.wait().unwrap();
        return;
    }
    let test = "nothing_listens_until_it_is_asked_for";
    let program = Program::start(test, "quiet", |_| ());
    let pid = program.child.id();
    program.told("before");
    assert_eq!(listens(pid), BTreeSet::new());
    assert_eq!(threads_of_tracy(pid), 0);

    fs::write(program.folder.path().join("ask"), "").unwrap();
    let address = program.address();
    assert!(address.ip().is_loopback());
    assert_eq!(listens(pid), BTreeSet::from([in_table(address)]));
    assert_ne!(threads_of_tracy(pid), 0);

    // A program that it starts does not keep the port.
    let sleeping = program.told("sleeping").parse().unwrap();
    wait_until("asleep", || {
        fs::read_to_string(format!("/proc/{sleeping}/comm")).is_ok_and(|comm| comm == "sleep\n")
    });
    assert_eq!(listens(sleeping), BTreeSet::new());
    program.end();
}

#[test]
fn all_addresses_are_listened_to_when_told() {
    if role().is_some() {
        let config = Config {
            port: 0,
            ..Config::from_env().unwrap()
        };
        let address = tracy::start(&config).unwrap();
        tell("address", &address.to_string());
        wait();
        return;
    }
    let test = "all_addresses_are_listened_to_when_told";
    let program = Program::start(test, "open", |command| {
        command.env(tracy::VARIABLE, "0.0.0.0");
    });
    let address = program.address();
    assert!(address.ip().is_unspecified());
    assert_eq!(
        listens(program.child.id()),
        BTreeSet::from([in_table(address)])
    );
    program.end();
}

#[test]
fn a_port_that_is_taken_is_told_and_the_program_runs_on() {
    if role().is_some() {
        let port = std::env::var(tracy::VARIABLE).unwrap().parse().unwrap();
        {
            zone!("first");
        }
        // The warning comes from the thread that the first zone has started.
        wait();
        let config = Config {
            port,
            ..Config::default()
        };
        let error = tracy::start(&config).unwrap_err();
        assert!(matches!(error, StartError::Port { .. }), "{error}");
        assert!(!tracy::is_started());
        {
            zone!("last");
        }
        let free = tracy::start(&Config { port: 0, ..config });
        assert!(free.is_ok(), "another try is free");
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let test = "a_port_that_is_taken_is_told_and_the_program_runs_on";
    let mut program = Program::start(test, "late", |command| {
        command
            .env(tracy::VARIABLE, address.port().to_string())
            .stderr(Stdio::piped());
    });
    let mut errors = program.child.stderr.take().unwrap();
    let mut warning = Vec::new();
    let mut byte = [0];
    while errors.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        warning.extend(byte);
    }
    let warning = String::from_utf8(warning).unwrap();
    let begin = format!("sondage: Tracy is not started: it cannot listen on {address}: ");
    assert!(warning.starts_with(&begin), "{warning}");
    assert!(warning.contains("hint: another port"), "{warning}");
    program.end();
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one warning");
}

#[test]
fn the_environment_can_ask() {
    if role().is_some() {
        {
            zone!("first");
        }
        wait_until("connected", tracy::is_connected);
        {
            zone!("asked");
        }
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let address = free.unwrap();
    let program = Program::start("the_environment_can_ask", "asked", |command| {
        command.env(tracy::VARIABLE, address.to_string());
    });
    wait_until("listening", || {
        listens(program.child.id()).contains(&in_table(address))
    });
    let mut profiler = Profiler::connect(address);
    profiler.read_to_end();
    assert_eq!(profiler.zone_counts(), counts([("asked", 1)]));
    program.end();
}

#[test]
fn a_forked_child_is_silent_and_ends() {
    if role().is_some() {
        start_and_wait_for_profiler();
        let open = sondage::enter!("open");
        message!("before");
        // SAFETY: the child calls what a program with one thread may.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            assert!(!tracy::is_started() && !tracy::is_connected());
            let again = tracy::start(&Config::default());
            assert!(matches!(again, Err(StartError::Forked)));
            {
                zone!("child");
            }
            message!("child");
            plot!("child", 1);
            drop(vec![0_u8; 999_999]);
            drop(open);
            std::thread::spawn(|| {
                zone!("child's thread");
            })
            .join()
            .unwrap();
            sondage::save(folder().join("events")).unwrap();
            tell("child", "");
            // Longer than the parent.
            wait();
            // SAFETY: it ends, with all that runs at the end.
            unsafe { libc::exit(0) };
        }
        drop(open);
        {
            zone!("parent");
        }
        tell("parent", &pid.to_string());
        return;
    }
    let mut program = Program::start("a_forked_child_is_silent_and_ends", "forks", |_| ());
    let address = program.address();
    let mut profiler = Profiler::connect(address);
    // The child has neither the connection nor the port: both end with the parent.
    profiler.read_to_end();
    assert!(program.child.wait().unwrap().success());
    program.told("child");
    TcpListener::bind(address).expect("the port is free");
    assert_eq!(profiler.zone_counts(), counts([("open", 1), ("parent", 1)]));
    assert_eq!(profiler.all("Message").count(), 1);
    assert_eq!(profiler.plots(), []);

    let child: u32 = program.told("parent").parse().unwrap();
    program.go_on();
    wait_until("ended", || {
        let status = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    });
    let story = Story::of_file(&program.folder.path().join("events"));
    let own: usize = story.threads.values().map(Vec::len).sum();
    assert!(own >= 6, "sondage's own events go on: {story:?}");
}
