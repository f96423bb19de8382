//! A mill: one thread brings grain to a queue, three grind it, and each second has sixty frames.
//! A recording of it must show: `grind` takes most of the time, twice as much for rye as for wheat;
//! the three millers wait for the lock of `queue` while `count` holds it; the plot `queued` rises
//! until the carrier stops and then falls; frames are about 16 ms long.

use sondage::sync::Mutex;
use sondage::{frame_mark, message, plot, zone};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
enum Grain {
    Wheat,
    Rye,
}

static QUEUE: Mutex<VecDeque<Grain>> = Mutex::named("queue", VecDeque::new());
static IS_OPEN: AtomicBool = AtomicBool::new(true);

fn main() {
    sondage::process_name("mill");
    let millers: Vec<_> = (1..=3)
        .map(|number| std::thread::spawn(move || mill(number)))
        .collect();
    for frame in 0..120_u64 {
        carry(frame);
        if frame % 30 == 29 {
            count();
        }
        frame_mark!();
        std::thread::sleep(Duration::from_millis(16));
    }
    message!("no more grain");
    IS_OPEN.store(false, Ordering::Release);
    for miller in millers {
        miller.join().expect("a miller");
    }
}

/// Brings more than the millers can grind.
#[sondage::instrument(args(frame))]
fn carry(frame: u64) {
    let mut queue = QUEUE.lock().expect("the queue");
    for sack in 0..6_u64 {
        queue.push_back(if (frame + sack).is_multiple_of(2) {
            Grain::Wheat
        } else {
            Grain::Rye
        });
    }
    plot!("queued", queue.len());
}

/// Holds the queue for long.
#[sondage::instrument]
fn count() {
    let queue = QUEUE.lock().expect("the queue");
    message!("{} sacks", queue.len());
    work(Duration::from_millis(20));
}

fn mill(number: u32) {
    sondage::thread_name(&format!("miller {number}"));
    loop {
        let next = QUEUE.lock().expect("the queue").pop_front();
        match next {
            Some(grain) => grind(grain),
            None if IS_OPEN.load(Ordering::Acquire) => std::thread::yield_now(),
            None => return,
        }
    }
}

fn grind(grain: Grain) {
    let time = match grain {
        Grain::Wheat => Duration::from_millis(5),
        Grain::Rye => Duration::from_millis(10),
    };
    zone!("grind", grain = format!("{grain:?}"));
    work(time);
}

fn work(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}
