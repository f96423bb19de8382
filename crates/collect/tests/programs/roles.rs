//! What the child processes of these tests do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags, mmap};
use sondage::raw;

/// Variable that tells a child what to do.
pub const ROLE: &str = "SONDAGE_TEST_ROLE";
/// Variable that tells it where to count.
pub const COUNT: &str = "SONDAGE_TEST_COUNT";

/// Does what the variable says.
pub fn play() {
    match std::env::var(ROLE).as_deref() {
        Ok("tight") => tight(),
        Ok("everything") => everything(),
        Ok("ten") => zones(10),
        Ok("closes") => {
            zones(10);
            // SAFETY: all descriptors but the standard streams are closed: what the test runner
            // does with others does not matter any more.
            unsafe { libc::close_range(3, 1024, 0) };
            std::thread::sleep(Duration::from_millis(150));
            zones(10);
            done();
        }
        Ok("forks") => {
            zones(10);
            // SAFETY: the child does what is safe after a fork of this one thread, and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                zones(7);
                std::thread::sleep(Duration::from_millis(100));
                done();
            }
            // SAFETY: our own child.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            zones(10);
            done();
        }
        Ok("execs") => {
            use std::os::unix::process::CommandExt;
            zones(5);
            let error = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["child", "--exact"])
                .env(ROLE, "ten")
                .exec();
            panic!("{error}");
        }
        Ok("threads") => {
            let threads: Vec<_> = (0..500).map(|_| std::thread::spawn(|| zones(20))).collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
        Ok("steady") => {
            for _ in 0..600 {
                zones(1);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(role) => panic!("no such role: {role}"),
        Err(_) => {}
    }
}

fn done() -> ! {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(0) }
}

fn zones(count: usize) {
    let site = raw::site("step", "child::zones", "programs.rs", 1, 0);
    for _ in 0..count {
        if raw::zone_begin(site) {
            raw::zone_end();
        }
    }
}

/// Counts every zone that is committed, in memory that outlives us.
fn tight() {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(std::env::var(COUNT).unwrap())
        .unwrap();
    let count = shared_count(&file);
    let site = raw::site("tight", "child::tight", "programs.rs", 1, 0);
    loop {
        if raw::zone_begin(site) {
            raw::zone_end();
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The count in a file that a child and its parent map.
pub fn shared_count(file: &std::fs::File) -> &'static AtomicU64 {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping of a file of 4096 bytes, which nobody cuts and nobody unmaps.
    unsafe {
        let start = mmap(
            std::ptr::null_mut(),
            4096,
            access,
            MapFlags::SHARED,
            file,
            0,
        )
        .unwrap();
        &*start.cast::<AtomicU64>()
    }
}

fn everything() {
    use raw::{FrameOp, LockOp, SpanId, TraceId, Value};
    raw::process_name("chatty");
    raw::thread_name("worker 1");
    let none = SpanId(0);
    let site = raw::site("request", "child::everything", "programs.rs", 7, 0xff_8800);
    let (key, plot, frame) = (raw::text("path"), raw::text("queue"), raw::text("net"));
    let span = raw::new_span_id();
    assert!(raw::span_root(site, span, none, TraceId(77), false));
    raw::value(span, key, Value::Text("/a\"b"));
    zones(3);
    raw::plot(plot, Value::Int(5));
    raw::message(3, 0, "careful");
    raw::frame(0, FrameOp::Mark);
    raw::frame(frame, FrameOp::Begin);
    let lock = raw::lock("jobs", "programs.rs:9");
    raw::lock_event(lock, LockOp::Wait);
    raw::lock_event(lock, LockOp::Obtained);
    raw::lock_event(lock, LockOp::Released);
    raw::memory(0x1000, 4096);
    raw::cumulative(site, span, 3, [30, 5, 15]);
    raw::span_exit(span);
    let other = std::thread::spawn(move || {
        raw::span_enter(span);
        raw::span_end(span, true);
    });
    other.join().unwrap();
}
