//! The library behind `include/sondage.h`: the probes of `sondage` for C and C++.
//!
//! **Supplies** one function for each declaration of the header, as `libsondage_c.so` and
//! `libsondage_c.a`.
//!
//! **Solves** that a program in C or C++ has the probes that a Rust program has, with the same cost
//! but for a call.
//!
//! **Not for** Rust: use `sondage`. The header is written by hand and its documentation is there;
//! a test compiles it with C and C++ compilers and compares what the program recorded.
//!
//! ```
//! let site = unsafe {
//!     sondage_c::sondage_site(c"load".as_ptr(), c"main".as_ptr(), c"main.c".as_ptr(), 7, 0)
//! };
//! if sondage_c::sondage_zone_begin(site) {
//!     sondage_c::sondage_zone_end();
//! }
//! ```
#![allow(
    clippy::missing_safety_doc,
    reason = "every unsafe function takes C strings: null, or with a zero at their end"
)]

use sondage::raw::{self, FrameOp, LockOp, SpanId, Value};
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

/// A C string's text: nothing for null, and `�` for what is not UTF-8.
///
/// # Safety
/// Null, or a C string that lives as long as the result.
unsafe fn text<'a>(text: *const c_char) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// Whether probes record.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_is_enabled() -> bool {
    raw::is_enabled()
}

/// Turns all probes of the process on or off.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_set_enabled(enabled: bool) {
    raw::set_enabled(enabled);
}

/// The number of a place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_site(
    name: *const c_char,
    function: *const c_char,
    file: *const c_char,
    line: u32,
    colour: u32,
) -> u32 {
    // SAFETY: C strings, as the header asks for.
    let [name, function, file] = unsafe { [text(name), text(function), text(file)] };
    raw::site(&name, &function, &file, line, colour)
}

/// The number of a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_text(string: *const c_char) -> u32 {
    // SAFETY: a C string, as the header asks for.
    raw::text(&unsafe { text(string) })
}

/// The number of a new lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_lock(name: *const c_char, place: *const c_char) -> u32 {
    // SAFETY: C strings, as the header asks for.
    let [name, place] = unsafe { [text(name), text(place)] };
    // Whether readers will share it is told only by what happens to it.
    raw::shared_lock(&name, &place)
}

/// Begins a zone.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_zone_begin(site: u32) -> bool {
    raw::zone_begin(site)
}

/// Ends the innermost zone.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_zone_end() {
    raw::zone_end();
}

/// Begins a span and enters it; its number, 0 when it is not recorded.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_span_begin(site: u32, parent: u64) -> u64 {
    let span = raw::new_span_id();
    if raw::span_begin(site, span, SpanId(parent)) {
        span.0
    } else {
        0
    }
}

/// The thread goes on with a span.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_span_enter(span: u64) {
    if span != 0 {
        raw::span_enter(SpanId(span));
    }
}

/// The thread leaves a span that goes on later.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_span_exit(span: u64) {
    if span != 0 {
        raw::span_exit(SpanId(span));
    }
}

/// Ends a span.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_span_end(span: u64, failed: bool) {
    if span != 0 {
        raw::span_end(SpanId(span), failed);
    }
}

/// An argument that is a whole number.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_value_int(span: u64, key: u32, value: i64) {
    raw::value(SpanId(span), key, Value::Int(value));
}

/// An argument that is a fraction.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_value_float(span: u64, key: u32, value: f64) {
    raw::value(SpanId(span), key, Value::Float(value));
}

/// An argument that is a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_value_text(span: u64, key: u32, value: *const c_char) {
    // SAFETY: a C string, as the header asks for.
    raw::value(SpanId(span), key, Value::Text(&unsafe { text(value) }));
}

/// A frame mark.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_frame_mark(name: u32) {
    raw::frame(name, FrameOp::Mark);
}

/// A discontinuous frame begins.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_frame_begin(name: u32) {
    raw::frame(name, FrameOp::Begin);
}

/// A discontinuous frame ends.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_frame_end(name: u32) {
    raw::frame(name, FrameOp::End);
}

/// A point of a plot.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_plot_int(name: u32, value: i64) {
    raw::plot(name, Value::Int(value));
}

/// A point of a plot.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_plot_float(name: u32, value: f64) {
    raw::plot(name, Value::Float(value));
}

/// A line of text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_message(level: u8, colour: u32, line: *const c_char) {
    // SAFETY: a C string, as the header asks for.
    raw::message(level, colour, &unsafe { text(line) });
}

/// What happened to a lock; another number than those of the header is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_lock_event(lock: u32, op: u8) {
    let op = match op {
        0 => LockOp::Wait,
        1 => LockOp::Obtained,
        2 => LockOp::Released,
        3 => LockOp::GivenUp,
        4 => LockOp::Shared,
        _ => return,
    };
    raw::lock_event(lock, op);
}

/// Memory was set aside, or given back.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_memory(address: *const u8, bytes: u64) {
    raw::memory(address.addr() as u64, bytes);
}

/// Names the thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_thread_name(name: *const c_char) {
    // SAFETY: a C string, as the header asks for.
    raw::thread_name(&unsafe { text(name) });
}

/// Names the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_process_name(name: *const c_char) {
    // SAFETY: a C string, as the header asks for.
    raw::process_name(&unsafe { text(name) });
}

/// Finds a collector; whether there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_connect(address: *const c_char) -> bool {
    // SAFETY: a C string or null, as the header asks for.
    let told = unsafe { text(address) };
    let told = (!told.is_empty()).then_some(&*told);
    sondage::connect(told).is_ok()
}

/// Calls `save` with a path; whether it worked.
///
/// # Safety
/// Null, or a C string.
unsafe fn saved<R, E>(path: *const c_char, save: impl FnOnce(&OsStr) -> Result<R, E>) -> bool {
    if path.is_null() {
        return false;
    }
    // SAFETY: as promised by the caller.
    let path = unsafe { CStr::from_ptr(path) };
    save(OsStr::from_bytes(path.to_bytes())).is_ok()
}

/// Saves what is kept to a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_save(path: *const c_char) -> bool {
    // SAFETY: a C string or null, as the header asks for.
    unsafe { saved(path, |path| sondage::save(path)) }
}

/// Saves at the end of the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_save_at_exit(path: *const c_char) -> bool {
    // SAFETY: a C string or null, as the header asks for.
    unsafe { saved(path, |path| sondage::save_at_exit(path)) }
}

/// Saves when a signal kills the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sondage_save_on_crash(path: *const c_char) -> bool {
    // SAFETY: a C string or null, as the header asks for.
    unsafe { saved(path, |path| sondage::save_on_crash(path)) }
}

/// Starts Tracy at this port of 127.0.0.1, the usual one for 0; whether it listens. False in a
/// library without the feature `tracy`.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_tracy_start(port: u16) -> bool {
    #[cfg(feature = "tracy")]
    {
        let mut config = sondage::tracy::Config::default();
        if port != 0 {
            config.port = port;
        }
        sondage::tracy::start(&config).is_ok()
    }
    #[cfg(not(feature = "tracy"))]
    {
        let _ = port;
        false
    }
}

/// Events lost since the start of the process.
#[unsafe(no_mangle)]
pub extern "C" fn sondage_lost() -> u64 {
    raw::lost().events
}
