//! Tracy, as a profiler sees it that speaks its protocol over the socket. Programs are this one
//! again, in a role.
#![cfg(feature = "enabled")]

mod common;
mod tracy_server;

use common::{Story, program, role, wait_until};
use sondage::tracy::{self, Config, StartError};
use sondage::{Level, cumulative, frame, frame_mark, message, plot, raw, span, zone};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use tracy_server::Profiler;

#[global_allocator]
static MEMORY: sondage::Alloc = sondage::Alloc::new();

/// Environment variable: the folder that a program and its test share.
const FOLDER: &str = "SONDAGE_TEST_FOLDER";

/// A program in a role, and the folder that both know.
struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    fn start(test: &str, role: &str, with: impl FnOnce(&mut Command)) -> Program {
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
    fn told(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        wait_until(name, || path.exists());
        fs::read_to_string(path).unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.told("address").parse().unwrap()
    }

    /// Lets it go on where it waits in [`wait`].
    fn go_on(&mut self) {
        self.child.stdin = None;
    }

    fn end(mut self) {
        self.go_on();
        assert!(self.child.wait().unwrap().success());
    }
}

/// Tells the test something.
fn tell(name: &str, what: &str) {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let whole = folder.join(format!("{name} in the making"));
    fs::write(&whole, what).unwrap();
    fs::rename(whole, folder.join(name)).unwrap();
}

/// Waits until the test lets the program go on.
fn wait() {
    assert_eq!(std::io::stdin().read(&mut [0]).unwrap(), 0);
}

/// Starts Tracy at a free port, and tells the test where.
fn start() -> SocketAddr {
    let config = Config {
        port: 0,
        ..Config::default()
    };
    let address = tracy::start(&config).unwrap();
    tell("address", &address.to_string());
    address
}

fn start_and_wait_for_profiler() {
    start();
    wait_until("connected", tracy::is_connected);
}

/// A future that is ready when it is polled again.
struct Twice(bool);

impl Future for Twice {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[sondage::instrument(colour = 0x00aa_00ff)]
fn parse(lines: u32) {
    for line in 0..lines {
        zone!("line", n = line, text = "a\nb");
    }
}
const PARSE_LINE: u64 = line!() as u64 - 6;

/// What every kind of probe says.
fn tell_everything() {
    sondage::thread_name("a worker whose name is long");
    for _ in 0..3 {
        parse(4);
        frame_mark!();
    }
    frame_mark!("tick");
    for _ in 0..2 {
        let _physics = frame!("physics");
        let _inside = frame!("physics");
    }
    plot!("queue", 7);
    plot!("queue", -1_i8);
    plot!("load", 0.25);
    plot!("large", u64::MAX);
    message!("read {} files", 3);
    message!(Level::Error, colour: 0x00ff_8000, "too late");

    let mut request = Box::pin(span!("request", path = "/").follow(async {
        {
            zone!("first");
        }
        Twice(false).await;
        zone!("second");
    }));
    let mut poll = || {
        let mut context = Context::from_waker(Waker::noop());
        request.as_mut().poll(&mut context)
    };
    assert_eq!(poll(), Poll::Pending);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sondage::thread_name("another");
            assert_eq!(poll(), Poll::Ready(()));
        });
    });

    let mut hash = cumulative!("hash");
    drop(hash.pass());
    drop(hash.pass());
    drop(hash);

    tasks();
    locks();

    drop(vec![0_u8; 123_457]);
    tracy::allocator_hook_enable();
    drop(vec![0_u8; 123_458]);

    sondage::set_enabled(false);
    {
        zone!("off");
        message!("off");
    }
    sondage::set_enabled(true);
    message!("done");
}

/// Two tasks of one thread, the second of which ends later.
fn tasks() {
    let site = |name| raw::site(name, "tasks", "tasks.py", 1, 0);
    let (first, second) = (raw::new_span_id(), raw::new_span_id());
    raw::span_begin(site("first task"), first, raw::SpanId(0));
    raw::span_begin(site("second task"), second, raw::SpanId(0));
    raw::value(second, raw::text("n"), raw::Value::Int(2));
    raw::span_end(first, false);
    raw::span_end(second, false);
    // Begun here, ended elsewhere.
    let away = raw::new_span_id();
    raw::span_begin(site("away"), away, raw::SpanId(0));
    std::thread::scope(|scope| {
        scope.spawn(|| raw::span_end(away, true));
    });
    zone!("after away");
}

fn locks() {
    use sondage::sync::{Mutex, RwLock};
    static QUEUE: Mutex<u32> = Mutex::named("queue lock", 0);
    static TABLE: RwLock<u32> = RwLock::named("table lock", 0);
    *QUEUE.lock().unwrap() += 1;
    drop(QUEUE.try_lock());
    {
        let held = QUEUE.lock().unwrap();
        let is_next = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                is_next.store(true, Ordering::Relaxed);
                *QUEUE.lock().unwrap() += 1;
            });
            wait_until("next", || is_next.load(Ordering::Relaxed));
            std::thread::sleep(std::time::Duration::from_millis(200));
            drop(held);
        });
    }
    *TABLE.write().unwrap() += 1;
    let readers = (TABLE.read().unwrap(), TABLE.read().unwrap());
    drop(readers);

    // What other bindings say: a wait in vain.
    let lock = raw::lock("given up", "a.py:7");
    for op in [
        raw::LockOp::Wait,
        raw::LockOp::GivenUp,
        raw::LockOp::Obtained,
        raw::LockOp::Released,
    ] {
        raw::lock_event(lock, op);
    }
}

fn counts<'a>(of: impl IntoIterator<Item = (&'a str, usize)>) -> BTreeMap<String, usize> {
    of.into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect()
}

#[test]
fn every_probe_reaches_a_profiler() {
    if role().is_some() {
        sondage::process_name("probes of all kinds");
        start_and_wait_for_profiler();
        tell_everything();
        // In the system it is called as before.
        let comm = fs::read_to_string("/proc/thread-self/comm").unwrap();
        tell("comm", comm.trim());
        wait();
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
        sondage::save(folder.join("events")).unwrap();
        return;
    }
    let test = "every_probe_reaches_a_profiler";
    let mut program = Program::start(test, "tells", |_| ());
    let mut profiler = Profiler::connect(program.address());
    assert!(profiler.is_on_demand);
    assert_eq!(profiler.program, "probes of all kinds");
    profiler.read_until("done", |seen| {
        seen.all("Message").any(|message| message.text == "done")
    });

    let again = "second task";
    assert_eq!(
        profiler.zone_counts(),
        counts([
            ("parse", 3),
            ("parse/line", 12),
            ("request", 2),
            ("request/first", 1),
            ("request/second", 1),
            ("first task", 1),
            ("first task/second task", 1),
            // When the first left.
            (again, 1),
            ("away", 1),
            ("after away", 1),
        ])
    );
    let zones = profiler.zones();
    let of = |path: &'static str| zones.iter().filter(move |(_, p, _)| p == path);
    let notes: Vec<_> = of("parse/line").map(|(.., notes)| notes.clone()).collect();
    for (n, notes) in notes.iter().enumerate() {
        assert_eq!(notes, &[format!("n: {}", n % 4), "text: a\nb".to_owned()]);
    }
    let request: Vec<_> = of("request").collect();
    let worker = "a worker whose name is long";
    let note = vec!["path: /".to_owned()];
    assert_eq!(
        *request[0],
        (worker.to_owned(), "request".to_owned(), note.clone())
    );
    assert_eq!(
        *request[1],
        ("another".to_owned(), "request".to_owned(), note)
    );
    assert_eq!(of(again).next().unwrap().2, ["n: 2"]);

    let places: BTreeSet<_> = profiler
        .all("ZoneBegin")
        .map(|zone| profiler.place(zone.field("srcloc")))
        .collect();
    let parse = places.iter().find(|place| place.name == "parse").unwrap();
    assert_eq!(parse.function, "tracy::parse");
    assert!(
        parse.file.ends_with("crates/sdk/tests/tracy.rs"),
        "{parse:?}"
    );
    assert_eq!((parse.line, parse.colour), (PARSE_LINE, 0x00_aa_00ff));
    let task = places.iter().find(|place| place.name == again).unwrap();
    assert_eq!(
        (&*task.function, &*task.file, task.line),
        ("tasks", "tasks.py", 1)
    );

    let frame = |kind: &str, name: &str, n| ((kind.to_owned(), name.to_owned()), n);
    assert_eq!(
        profiler.frames(),
        BTreeMap::from([
            frame("", "", 3),
            frame("", "tick", 1),
            frame("Start", "physics", 2),
            frame("End", "physics", 2),
        ])
    );

    let plots = profiler.plots();
    let plots: Vec<_> = plots
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    let (sum, plots) = plots.split_last().unwrap();
    assert_eq!(
        plots,
        [
            ("queue", 7.0),
            ("queue", -1.0),
            ("load", 0.25),
            ("large", u64::MAX as f64)
        ]
    );
    assert_eq!(sum.0, "hash, ms");

    let messages: Vec<_> = profiler
        .events
        .iter()
        .filter(|event| event.kind.starts_with("Message"))
        .map(|event| {
            let colour = ["r", "g", "b"].map(|part| event.fields.get(part).copied());
            (&*event.text, event.field("metadata") >> 4, colour)
        })
        .collect();
    assert_eq!(
        messages,
        [
            ("read 3 files", 2, [None; 3]),
            ("too late", 4, [Some(0xff), Some(0x80), Some(0)]),
            ("done", 2, [None; 3]),
        ]
    );

    assert_eq!(
        profiler.lock("queue lock"),
        [
            "Obtain", "Release", "Obtain", "Release", "Obtain", "Wait", "Release", "Obtain",
            "Release"
        ]
    );
    assert_eq!(
        profiler.lock("table lock"),
        [
            "Obtain",
            "Release",
            "SharedWait",
            "SharedObtain",
            "SharedWait",
            "SharedObtain",
            "SharedRelease",
            "SharedRelease"
        ]
    );
    assert_eq!(
        profiler.lock("given up"),
        ["Wait", "Obtain", "Release", "Obtain", "Release"]
    );

    let taken: Vec<_> = profiler.all("MemAlloc").collect();
    assert!(taken.iter().all(|taken| taken.field("size") != 123_457));
    let taken = taken.iter().find(|taken| taken.field("size") == 123_458);
    let address = taken.expect("after the hook was enabled").field("ptr");
    assert!(
        profiler
            .all("MemFree")
            .any(|freed| freed.field("ptr") == address)
    );

    let comm = program.told("comm");
    assert!(!worker.starts_with(&comm), "{comm}");
    program.go_on();
    profiler.read_to_end();
    assert!(program.child.wait().unwrap().success());

    // What sondage keeps itself is whole as well.
    let story = Story::of_file(&program.folder.path().join("events"));
    let events = story.of_thread(worker);
    let count = |what: &str| events.iter().filter(|event| *event == what).count();
    assert_eq!(
        (count("zone line depth 1"), count("zone parse depth 0")),
        (12, 3)
    );
    let zones = events
        .iter()
        .filter(|event| event.starts_with("zone "))
        .count();
    assert_eq!(count("end"), zones);
}

#[test]
fn what_was_told_before_the_end_arrives() {
    const ZONES: usize = 300_000;
    if role().is_some() {
        start_and_wait_for_profiler();
        let half = || {
            for _ in 0..ZONES / 2 {
                zone!("many");
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(half);
            half();
        });
        return;
    }
    let program = Program::start("what_was_told_before_the_end_arrives", "many", |_| ());
    let mut profiler = Profiler::connect(program.address());
    profiler.read_to_end();
    assert_eq!(profiler.zone_counts(), counts([("many", ZONES)]));
    program.end();
}

#[test]
fn zones_that_a_profiler_saw_half_of_are_not_told() {
    if role().is_some() {
        let before_tracy = sondage::enter!("before Tracy");
        start();
        let before = sondage::enter!("before a profiler");
        wait_until("connected", tracy::is_connected);
        let across = sondage::enter!("across");
        tell("first", "");
        wait_until("disconnected", || !tracy::is_connected());
        wait_until("connected", tracy::is_connected);
        let late = sondage::enter!("late");
        drop((late, across, before, before_tracy));
        {
            zone!("whole");
        }
        message!("done");
        wait();
        return;
    }
    let test = "zones_that_a_profiler_saw_half_of_are_not_told";
    let program = Program::start(test, "half", |_| ());
    let address = program.address();
    let first = Profiler::connect(address);
    program.told("first");
    first.disconnect();
    let mut second = Profiler::connect(address);
    second.read_until("done", |seen| {
        seen.all("Message").any(|message| message.text == "done")
    });
    assert_eq!(second.zone_counts(), counts([("late", 1), ("whole", 1)]));
    program.end();
}

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
        wait_until("asked", || {
            Path::new(&std::env::var(FOLDER).unwrap())
                .join("ask")
                .exists()
        });
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
            let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
            sondage::save(folder.join("events")).unwrap();
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
