//! Tracy, as a profiler sees it that speaks its protocol over the socket. Programs are this one
//! again, in a role.
#![cfg(feature = "enabled")]

mod common;
mod tracy_server;

use common::{Story, role, wait_until};
use sondage::{Level, cumulative, frame, frame_mark, message, plot, raw, span, tracy, zone};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use tracy_server::Profiler;
use tracy_server::program::{
    Program, counts, folder, start, start_and_wait_for_profiler, tell, wait,
};

#[global_allocator]
static MEMORY: sondage::Alloc = sondage::Alloc::new();

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
        sondage::save(folder().join("events")).unwrap();
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
    assert_eq!((parse.line, parse.colour), (PARSE_LINE, 0x00aa_00ff));
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

/// Something of a thread that has a probe when the thread ends.
struct Late(&'static str);

impl Drop for Late {
    fn drop(&mut self) {
        zone!("late", of = self.0);
        plot!("late", 1);
        message!("late");
        frame_mark!("late");
    }
}

#[test]
fn a_thread_may_end_with_probes() {
    const THREADS: usize = 100;
    if role().is_some() {
        thread_local! {
            static FIRST: Late = const { Late("first") };
            static LAST: Late = const { Late("last") };
        }
        start_and_wait_for_profiler();
        for _ in 0..THREADS {
            let thread = std::thread::spawn(|| {
                sondage::thread_name("ends");
                // Before Tracy keeps something of the thread, and after: it goes in between.
                FIRST.with(|_| ());
                {
                    zone!("work");
                }
                LAST.with(|_| ());
                // It never ends.
                std::mem::forget(sondage::enter!("open"));
            });
            thread.join().unwrap();
        }
        message!("done");
        wait();
        sondage::save(folder().join("events")).unwrap();
        return;
    }
    let mut program = Program::start("a_thread_may_end_with_probes", "ends", |_| ());
    let mut profiler = Profiler::connect(program.address());
    profiler.read_until("done", |seen| {
        seen.all("Message").any(|message| message.text == "done")
    });
    // None is without end.
    let counts = profiler.zone_counts();
    assert_eq!((counts["work"], counts["open"]), (THREADS, THREADS));
    program.go_on();
    assert!(program.child.wait().unwrap().success());
    let story = Story::of_file(&program.folder.path().join("events"));
    let events = story.of_thread("ends");
    let late = events
        .iter()
        .filter(|event| event.starts_with("zone late "));
    assert_eq!(late.count(), 2 * THREADS);
}
