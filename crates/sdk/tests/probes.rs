//! Every probe of the Rust API, told from the file that the program saved.
#![cfg(feature = "enabled")]

mod common;

use common::Story;
use sondage::sync::{Mutex, RwLock};
use sondage::{Level, frame, frame_mark, message, plot, raw, zone};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Does `work` in a thread of this name and returns what it recorded.
fn recorded(name: &'static str, work: impl FnOnce() + Send + 'static) -> Vec<String> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).unwrap().join().unwrap();
    story().of_thread(name)
}

fn story() -> Story {
    let folder = tempfile::tempdir().unwrap();
    let path = sondage::save(folder.path().join("events")).unwrap();
    Story::of_file(&path)
}

#[test]
fn zones_nest_and_have_arguments() {
    let told = recorded("zones", || {
        zone!("outer", size = 3_usize, path = "a.rs", ratio = 0.5);
        for deep in [true, false] {
            zone!(colour: 0xff0000, "inner", deep = deep);
        }
        let early = sondage::enter!("early", below = -7);
        drop(early);
    });
    assert_eq!(
        told,
        [
            "zone outer depth 0",
            "value 0 size = 3",
            "value 0 path = \"a.rs\"",
            "value 0 ratio = 0.5",
            "zone inner depth 1",
            "value 0 deep = true",
            "end",
            "zone inner depth 1",
            "value 0 deep = false",
            "end",
            "zone early depth 1",
            "value 0 below = -7",
            "end",
            "end",
        ]
    );
    let names = story().names;
    let functions: Vec<&str> = names
        .sites
        .values()
        .filter(|(name, _)| name == "early")
        .map(|(_, function)| function.as_str())
        .collect();
    assert_eq!(functions, ["probes::zones_nest_and_have_arguments"]);
}

#[test]
fn frames_plots_and_messages() {
    let long = "x".repeat(3000);
    let told = recorded("frames", {
        let long = long.clone();
        move || {
            frame_mark!();
            frame_mark!("audio");
            {
                let _frame = frame!("load");
                plot!("queue", 17_u32);
            }
            plot!("load", 0.25_f32);
            let n = 3;
            message!("read {n} files");
            message!("plain");
            message!(Level::Error, "{} is gone", "a.toml");
            message!(Level::Debug, colour: 0x00ff00, "green");
            message!("{long}");
        }
    });
    assert_eq!(
        told,
        [
            "frame  Mark",
            "frame audio Mark",
            "frame load Begin",
            "plot queue 17",
            "frame load End",
            "plot load 0.25",
            "message 2 0 read 3 files",
            "message 2 0 plain",
            "message 4 0 a.toml is gone",
            "message 1 ff00 green",
            &format!("message 2 0 {long}"),
        ]
    );
}

#[sondage::instrument]
fn plain(n: u32) -> u32 {
    if n == 0 {
        return 1;
    }
    n * 2
}

#[sondage::instrument(name = "renamed", args(path, n))]
fn fallible<T>(path: T, n: i64) -> Result<i64, std::num::ParseIntError>
where
    T: AsRef<str> + sondage::AsValue,
{
    let read: i64 = path.as_ref().parse()?;
    Ok(read + n)
}

#[test]
fn functions_are_zones() {
    let told = recorded("functions", || {
        assert_eq!(plain(0), 1);
        assert_eq!(plain(4), 8);
        assert_eq!(fallible("12", 3), Ok(15));
        assert!(fallible("x", 3).is_err());
    });
    assert_eq!(
        told,
        [
            "zone plain depth 0",
            "end",
            "zone plain depth 0",
            "end",
            "zone renamed depth 0",
            "value 0 path = \"12\"",
            "value 0 n = 3",
            "end",
            "zone renamed depth 0",
            "value 0 path = \"x\"",
            "value 0 n = 3",
            "end",
        ]
    );
}

/// Ready at the second poll.
struct Later(bool);

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[sondage::instrument]
async fn inner() {
    Later(false).await;
}

#[sondage::instrument(args(text))]
async fn outer(text: &str) -> Result<u32, std::num::ParseIntError> {
    inner().await;
    zone!("after");
    let read: u32 = text.parse()?;
    Ok(read)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_span_follows_its_future_across_threads() {
    let mut future = Box::pin(outer("42"));
    let first = std::thread::Builder::new().name("first".to_owned());
    let future = first
        .spawn(move || {
            assert!(poll(future.as_mut()).is_pending());
            assert_eq!(raw::current_span().0, 0, "the thread has left the span");
            future
        })
        .unwrap()
        .join()
        .unwrap();
    let told = recorded("second", move || {
        let mut future = future;
        assert_eq!(poll(future.as_mut()), Poll::Ready(Ok(42)));
    });
    assert_eq!(
        story().of_thread("first"),
        [
            "span #1 outer in 0",
            "value #1 text = \"42\"",
            "span #2 inner in #1",
            "exit #2",
            "exit #1",
        ]
    );
    assert_eq!(
        told,
        [
            "enter #1",
            "enter #2",
            "end #2",
            "zone after depth 0",
            "end",
            "end #1"
        ]
    );
}

#[test]
fn a_cancelled_future_is_a_failed_span() {
    let told = recorded("cancelled", || {
        let mut future = Box::pin(outer("1"));
        assert!(poll(future.as_mut()).is_pending());
        drop(future);
        drop(outer("never polled"));
    });
    assert_eq!(
        told[5..],
        ["end #2 failed".to_owned(), "end #1 failed".to_owned()],
        "inner before outer, and nothing of what never began"
    );
}

#[test]
fn spans_are_entered_and_hold_others() {
    let told = recorded("spans", || {
        let mut request = sondage::span!("request", path = "/");
        request.enter(|| {
            let query = sondage::span!("query");
            drop(query);
        });
        request.fail();
    });
    assert_eq!(
        told,
        [
            "span #1 request in 0",
            "exit #1",
            "value #1 path = \"/\"",
            "enter #1",
            "span #2 query in #1",
            "exit #2",
            "end #2",
            "exit #1",
            "end #1 failed",
        ]
    );
}

#[test]
fn passes_are_added_up() {
    let told = recorded("passes", || {
        let mut hash = sondage::cumulative!("hash");
        for _ in 0..1000 {
            let _pass = hash.pass();
        }
        drop(hash);
        drop(sondage::cumulative!("never"));
    });
    assert_eq!(told, ["cumulative hash 1000 times in 0"]);
}

#[test]
fn a_panic_ends_what_it_leaves() {
    let told = recorded("panics", || {
        let caught = std::panic::catch_unwind(|| {
            zone!("outer");
            let span = sondage::span!("span");
            span.enter(|| std::panic::resume_unwind(Box::new(())));
        });
        assert!(caught.is_err());
        assert_eq!(raw::current_span().0, 0);
    });
    assert_eq!(
        told,
        [
            "zone outer depth 0",
            "span #1 span in 0",
            "exit #1",
            "enter #1",
            "exit #1",
            "end #1",
            "end"
        ]
    );
}

#[test]
fn locks_tell_who_waits_and_who_holds() {
    static QUEUE: Mutex<u32> = Mutex::named("queue", 0);
    static TABLE: RwLock<u32> = RwLock::named("table", 0);
    let told = recorded("locks", || {
        *QUEUE.lock().unwrap() += 1;
        {
            let one = TABLE.read().unwrap();
            let other = TABLE.read().unwrap();
            assert_eq!(*one, *other);
            assert!(TABLE.try_write().is_err());
        }
        *TABLE.write().unwrap() = 2;
        assert!(QUEUE.try_lock().is_ok());
    });
    assert_eq!(
        told,
        [
            "lock queue Obtained",
            "lock queue Released",
            "lock table Shared",
            "lock table Shared",
            "lock table Released",
            "lock table Released",
            "lock table Obtained",
            "lock table Released",
            "lock queue Obtained",
            "lock queue Released",
        ]
    );
    let names = story().names;
    let place = |wanted: &str| {
        let mut locks = names.locks.values();
        locks
            .find(|(name, _)| name == wanted)
            .map(|(_, place)| place.clone())
    };
    assert!(place("queue").is_some_and(|place| {
        let line = place
            .rsplit_once("probes.rs:")
            .map(|(_, line)| line.parse::<u32>());
        matches!(line, Some(Ok(_)))
    }));
}

#[test]
fn a_lock_that_is_held_is_waited_for() {
    static HELD: Mutex<()> = Mutex::named("held", ());
    let held = HELD.lock().unwrap();
    let thread = std::thread::Builder::new().name("waits".to_owned());
    let waits = thread.spawn(|| drop(HELD.lock().unwrap())).unwrap();
    common::wait_until("waited for", || {
        story().of_thread("waits") == ["lock held Wait"]
    });
    drop(held);
    waits.join().unwrap();
    assert_eq!(
        story().of_thread("waits"),
        ["lock held Wait", "lock held Obtained", "lock held Released"]
    );
}

#[test]
fn a_condition_gives_the_lock_back_meanwhile() {
    static STATE: Mutex<bool> = Mutex::named("state", false);
    static CHANGED: std::sync::Condvar = std::sync::Condvar::new();
    let thread = std::thread::Builder::new().name("sleeps".to_owned());
    let sleeps = thread
        .spawn(|| {
            let mut state = STATE.lock().unwrap();
            while !*state {
                state = state.wait(&CHANGED).unwrap();
            }
        })
        .unwrap();
    common::wait_until("asleep", || story().of_thread("sleeps").len() == 2);
    *STATE.lock().unwrap() = true;
    CHANGED.notify_all();
    sleeps.join().unwrap();
    let told = story().of_thread("sleeps");
    assert_eq!(told[0], "lock state Obtained");
    assert_eq!(told[1], "lock state Released");
    assert_eq!(told[told.len() - 2], "lock state Obtained");
    assert_eq!(told[told.len() - 1], "lock state Released");
}

#[test]
fn threads_and_the_process_are_named() {
    let thread = std::thread::spawn(|| {
        sondage::thread_name("worker of the second hall");
        zone!("work");
    });
    thread.join().unwrap();
    sondage::process_name("the mill");
    let story = story();
    assert_eq!(story.names.process, "the mill");
    assert_eq!(
        story.of_thread("worker of the second hall"),
        ["zone work depth 0", "end"]
    );
}

#[test]
fn numbers_of_spans_are_unique() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                (0..10_000)
                    .map(|_| raw::new_span_id().0)
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let mut ids: Vec<u64> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40_000);
    assert_ne!(ids[0], 0);
}

#[test]
fn ticks_last_as_long_as_the_clock_says() {
    let (ticks, begun) = (raw::ticks(), std::time::Instant::now());
    std::thread::sleep(std::time::Duration::from_millis(20));
    let (ticks, elapsed) = (raw::ticks() - ticks, begun.elapsed());
    let nanos = raw::nanos_of(ticks) as f64;
    let ratio = nanos / elapsed.as_nanos() as f64;
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}
