//! Something for the Tracy profiler to see, in numbers that can be compared with what it counts:
//!
//! ```text
//! cargo run --release -p sondage --features tracy --example tracy -- 1000
//! tracy-capture -o example.tracy -a 127.0.0.1 && tracy-csvexport example.tracy
//! ```
//!
//! The zone `parse` comes as often as told, `line` ten times as often, half of both in either
//! thread; `request` twice as often as `parse`, each time that its future is polled.
#![allow(clippy::print_stdout, reason = "it tells what it did")]

use sondage::sync::Mutex;
use sondage::{Level, frame, frame_mark, message, plot, tracy, zone};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[global_allocator]
static MEMORY: sondage::Alloc = sondage::Alloc::new();

static DONE: Mutex<u64> = Mutex::named("done", 0);

#[sondage::instrument(colour = 0x3366cc)]
fn parse(n: u64) {
    for line in 0..10 {
        zone!("line", n = line);
    }
    *DONE.lock().unwrap_or_else(|e| e.into_inner()) += 1;
    if n.is_multiple_of(100) {
        plot!("parsed", n);
        message!("{n} parsed");
    }
}

/// Gives way once.
async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut has_yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[sondage::instrument]
async fn request() {
    yield_once().await;
}

fn work(name: &str, passes: u64) {
    sondage::thread_name(name);
    for n in 0..passes {
        parse(n);
        let mut request = pin!(request());
        let mut context = Context::from_waker(Waker::noop());
        while request.as_mut().poll(&mut context).is_pending() {}
    }
}

fn main() -> Result<(), tracy::StartError> {
    let passes = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let passes: u64 = passes.unwrap_or(1000);
    sondage::process_name("sondage's example");
    let address = tracy::start(&tracy::Config::from_env()?)?;
    tracy::allocator_hook_enable();
    println!("waits for a profiler at {address}");
    while !tracy::is_connected() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| work("one half", passes / 2));
        scope.spawn(|| work("the other half", passes - passes / 2));
        for _ in 0..10 {
            let _physics = frame!("physics");
            std::thread::sleep(Duration::from_millis(1));
            frame_mark!();
        }
    });
    message!(Level::Warning, "that was all");
    println!(
        "parse {passes}, line {}, request {}",
        passes * 10,
        passes * 2
    );
    Ok(())
}
