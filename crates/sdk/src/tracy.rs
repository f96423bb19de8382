//! The probes' way to the [Tracy profiler](https://github.com/wolfpld/tracy), live (feature
//! `tracy`).
//!
//! Nothing listens and no thread runs until it is asked for: by [`start`], or by the environment
//! variable [`VARIABLE`], which the first probe looks at. From then on every probe reaches Tracy
//! too, while a profiler is connected, and goes on into sondage's own events as before:
//!
//! | probe | in Tracy |
//! |---|---|
//! | zones, with name, function, file, line, colour | zones; arguments are their text |
//! | spans, futures | zones of the thread, only while the thread is in the span |
//! | cumulative zones | a plot of each sum in milliseconds, named after the zone |
//! | frame marks, frames | frame marks; a name is one kind of frame for good |
//! | plots, messages with level and colour | the same |
//! | [`Mutex`](crate::sync::Mutex), [`RwLock`](crate::sync::RwLock) | locks |
//! | [`Alloc`](crate::Alloc), after [`allocator_hook_enable`] | memory |
//! | [`thread_name`](crate::thread_name), [`process_name`](crate::process_name) | names; both best before the profiler connects |
//!
//! A span that is left while one begun later is still open in the thread (two tasks of an event
//! loop, say) parts the later one in two: Tracy's zones of a thread are nested.
//!
//! Tracy's own sampling, system tracing, crash handler and broadcasts are not built in. Its three
//! threads take no signals, and none of them is in a forked child: there, nothing reaches Tracy.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sondage::tracy;
//!
//! let config = tracy::Config { port: 0, ..tracy::Config::from_env()? }; // 0: any free port
//! let address = tracy::start(&config)?; // 127.0.0.1, unless told otherwise
//! println!("tracy-profiler -a {} -p {}", address.ip(), address.port());
//! assert!(tracy::is_started() && !tracy::is_connected());
//!
//! sondage::zone!("load", files = 3);
//! # Ok(())
//! # }
//! ```

mod config;
mod names;
mod note;
mod socket;
mod spans;
mod startup;
mod thread;

pub use config::{Config, DEFAULT_PORT, StartError, VARIABLE, is_asked_for};
pub(crate) use names::{Lock, Name, Place};
pub use note::Note;
pub(crate) use thread::Thread;

use crate::local;
use crate::raw::{self, FrameOp, LockOp, SpanId, Value};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tracy_client_sys as sys;

/// Not asked for.
const IDLE: u8 = 0;
/// A thread starts it.
const STARTING: u8 = 1;
/// Probes reach it.
const ON: u8 = 2;
/// It runs, and could not listen.
const DEAF: u8 = 3;
/// It ran in the process that this one was forked from.
const FORKED: u8 = 4;

static STATE: AtomicU8 = AtomicU8::new(IDLE);
static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
/// The socket that Tracy listens on, and the one of its connection; -1 for none that is known.
static LISTENER: AtomicI32 = AtomicI32::new(-1);
static CONNECTION: AtomicI32 = AtomicI32::new(-1);
/// What [`connected`] saw last.
static WAS_CONNECTED: AtomicBool = AtomicBool::new(false);
/// The environment was looked at, or need not be.
static HAS_LOOKED: AtomicBool = AtomicBool::new(false);
/// Memory goes to Tracy too.
static IS_HOOKED: AtomicBool = AtomicBool::new(false);
/// As asked for, before Tracy runs.
static WANTS_HOOK: AtomicBool = AtomicBool::new(false);

/// Whether Tracy is built in: with this feature, yes.
#[must_use]
pub const fn is_available() -> bool {
    true
}

/// Starts Tracy: its threads, and a socket that a profiler can connect to. Returns the socket's
/// address once it listens, which takes a quarter of a second: Tracy measures the clock's rate.
///
/// Once in a process. When it runs already, its address is returned, whatever the configuration
/// says. Until it listens, the variables `TRACY_PORT`, `TRACY_ONLY_LOCALHOST` and
/// `TRACY_ONLY_IPV4` stand in the process's environment: Tracy has no other way to be told.
///
/// # Errors
/// When the address cannot be Tracy's, the port is taken, or the process is the fork of one in
/// which Tracy ran. The program goes on without.
pub fn start(config: &Config) -> Result<SocketAddr, StartError> {
    HAS_LOOKED.store(true, Ordering::Relaxed);
    loop {
        match STATE.compare_exchange(IDLE, STARTING, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => break,
            Err(STARTING) => std::thread::sleep(Duration::from_millis(1)),
            Err(ON) => return ADDRESS.get().copied().ok_or(StartError::Deaf),
            Err(FORKED) => return Err(StartError::Forked),
            Err(_) => return Err(StartError::Deaf),
        }
    }
    // A thread of its own: Tracy calls the one that starts it the main thread, and its threads
    // inherit what signals they take.
    let config = config.clone();
    let thread = std::thread::Builder::new().name("sondage tracy".to_owned());
    let started = thread.spawn(move || startup::start(&config));
    let started = match started.map(std::thread::JoinHandle::join) {
        Ok(Ok(started)) => started,
        Ok(Err(_)) => Err(StartError::Deaf),
        Err(error) => Err(StartError::Thread(error)),
    };
    let state = match started {
        Ok(_) => return started,
        Err(StartError::Deaf) => DEAF,
        Err(_) => IDLE,
    };
    // A fork in between has the last word.
    let _ = STATE.compare_exchange(STARTING, state, Ordering::Release, Ordering::Relaxed);
    started
}

/// Starts Tracy if the environment asks for it ([`is_asked_for`]); `None` when it does not. The
/// first probe does the same, in a thread of its own, and writes what failed to standard error.
/// Where this is called before, it does not.
///
/// # Errors
/// As [`start`], and when the variable holds no address.
pub fn start_if_asked() -> Result<Option<SocketAddr>, StartError> {
    HAS_LOOKED.store(true, Ordering::Relaxed);
    if !is_asked_for() {
        return Ok(None);
    }
    start(&Config::from_env()?).map(Some)
}

/// Whether Tracy runs in this process.
#[must_use]
pub fn is_started() -> bool {
    STATE.load(Ordering::Acquire) == ON
}

/// Whether a profiler is attached.
#[must_use]
pub fn is_connected() -> bool {
    is_started() && connected()
}

/// Where Tracy listens.
#[must_use]
pub fn address() -> Option<SocketAddr> {
    is_started().then(|| ADDRESS.get().copied()).flatten()
}

/// From now on memory events reach Tracy too: those of [`Alloc`](crate::Alloc) and of
/// [`raw::memory`]. What was set aside before is unknown to Tracy.
pub fn allocator_hook_enable() {
    WANTS_HOOK.store(true, Ordering::Relaxed);
    if is_started() {
        IS_HOOKED.store(true, Ordering::Relaxed);
    }
}

/// Waits until the attached profiler has all that was told so far, no longer than `limit`. The end
/// of the process does so by itself, for up to two seconds. Whether it has; also when there is
/// none.
pub fn flush(limit: Duration) -> bool {
    /// Tracy's thread sleeps 10 ms when it has nothing to do; a busy machine delays it longer.
    const QUIET: Duration = Duration::from_millis(150);
    /// Ten times a second Tracy tells how busy the processors are.
    const CHATTER_BYTES: u64 = 128;
    let begun = Instant::now();
    let mut last = None;
    let mut quiet_since = begun;
    // No probe may have seen that another profiler came.
    let port = address().map(|address| address.port());
    let connection = port.filter(|_| is_connected()).and_then(socket::connection);
    while is_connected() {
        let Some(now) = connection.and_then(socket::traffic) else {
            // The system does not tell: a while has to do.
            std::thread::sleep(QUIET.min(limit));
            return false;
        };
        let is_quiet = last.is_some_and(|last: socket::Traffic| {
            now.waiting == 0
                && now.received == last.received
                && now.acknowledged - last.acknowledged < CHATTER_BYTES
        });
        if !is_quiet {
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= QUIET {
            return true;
        }
        if begun.elapsed() >= limit {
            return false;
        }
        last = Some(now);
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// From a probe that found no room, which a thread's first one is: does what the environment asks.
pub(crate) fn look() {
    if HAS_LOOKED.load(Ordering::Relaxed) || HAS_LOOKED.swap(true, Ordering::Relaxed) {
        return;
    }
    if !is_asked_for() {
        return;
    }
    let thread = std::thread::Builder::new().name("sondage tracy".to_owned());
    // Not waited for: the program asked nothing, its user did.
    let started = thread.spawn(|| {
        if let Err(error) = Config::from_env().and_then(|config| start(&config)) {
            warn(&error);
        }
    });
    if let Err(error) = started {
        warn(&StartError::Thread(error));
    }
}

/// Nobody called who could be told but the user.
fn warn(error: &StartError) {
    let _ = writeln!(std::io::stderr(), "sondage: {error}");
}

/// Whether a profiler is attached. Only where Tracy runs.
#[inline]
fn connected() -> bool {
    // SAFETY: Tracy runs, and for good.
    let now = unsafe { sys::___tracy_connected() } != 0;
    if now != WAS_CONNECTED.load(Ordering::Relaxed) {
        see(now);
    }
    now
}

/// A profiler came or went.
#[cold]
fn see(now: bool) {
    if WAS_CONNECTED.swap(now, Ordering::Relaxed) == now {
        return;
    }
    let port = ADDRESS.get().map(SocketAddr::port);
    let found = port.filter(|_| now).and_then(socket::connection);
    CONNECTION.store(found.unwrap_or(-1), Ordering::Relaxed);
}

/// The process ends.
pub(crate) fn at_exit() {
    flush(Duration::from_secs(2));
}

/// This is the child of a fork: Tracy's threads are not here, and its locks may be held by nobody.
pub(crate) fn forked() {
    if STATE.load(Ordering::Relaxed) == IDLE {
        return;
    }
    STATE.store(FORKED, Ordering::Relaxed);
    IS_HOOKED.store(false, Ordering::Relaxed);
    raw::turn();
    if let Some(address) = ADDRESS.get() {
        for file in [&LISTENER, &CONNECTION] {
            // Or the port stays taken, and the profiler attached, as long as the child lives.
            socket::close(file.swap(-1, Ordering::Relaxed), address.port());
        }
    }
}

/// Calls `with` with this thread's state when Tracy is told of it: not from inside itself, and not
/// at the thread's end, when what Tracy keeps of it is gone.
fn with_thread<R>(with: impl FnOnce(&mut Thread) -> R) -> Option<R> {
    is_started().then(|| local::with_tracy(with)).flatten()
}

/// Calls `with` when Tracy runs, without the memory that it needs being recorded; not from inside
/// itself.
fn aside<R>(with: impl FnOnce() -> R) -> Option<R> {
    if !is_started() || local::is_busy() {
        return None;
    }
    let _busy = local::Busy::new();
    Some(with())
}

/// As [`with_thread`], when a profiler is attached. Tracy keeps something of this thread from here
/// on.
fn with_connection(with: impl FnOnce()) {
    with_thread(|thread| {
        if connected() {
            with();
            thread.guard();
        }
    });
}

/// Begins a zone, here and there; whether it must be ended.
pub(crate) fn zone_begin(ticks: u64, site: u32) -> bool {
    let is_ours = local::zone_begin(ticks, site);
    with_thread(|thread| thread.enter(Place::of(site), None, is_ours)).map_or(is_ours, |()| true)
}

/// Ends the innermost zone; false when it was Tracy's alone.
pub(crate) fn zone_end() -> bool {
    with_thread(Thread::zone_end).unwrap_or(true)
}

/// A span begins, in no thread.
pub(crate) fn span_make(site: u32, span: SpanId) {
    aside(|| spans::add(Place::of(site), span));
}

/// The thread is in a span. For bindings that know better than its events where a thread is.
#[doc(hidden)]
pub fn span_enter(span: SpanId) {
    with_thread(|thread| {
        if let Some(span) = spans::get(span) {
            thread.enter(span.place, Some(span), true);
        }
    });
}

/// The thread leaves a span, as [`span_enter`].
#[doc(hidden)]
pub fn span_exit(span: SpanId) {
    with_thread(|thread| thread.exit(span));
}

/// A span ends.
pub(crate) fn span_end(span: SpanId) {
    aside(|| spans::end(span));
    span_exit(span);
}

/// An argument.
pub(crate) fn value(span: SpanId, key: u32, value: Value<'_>) {
    with_thread(|thread| {
        let known = (span != SpanId(0)).then(|| spans::get(span)).flatten();
        if known.is_some() || connected() {
            let key = Name::of(key).map_or("", Name::text);
            let line = match value {
                Value::Int(value) => format!("{key}: {value}"),
                Value::Uint(value) => format!("{key}: {value}"),
                Value::Float(value) => format!("{key}: {value:?}"),
                Value::Bool(value) => format!("{key}: {value}"),
                Value::Text(value) => format!("{key}: {value}"),
            };
            if let Some(span) = known {
                span.note(&line);
            }
            thread.note(span, &line);
        }
    });
}

/// Notes something about a span, or about this thread's innermost zone where `span` is 0. Arguments
/// ([`raw::value`]) reach recordings too; this does not.
pub fn note(span: SpanId, note: Note<'_>) {
    with_thread(|thread| {
        if span != SpanId(0)
            && let Some(span) = spans::get(span)
        {
            span.keep(note);
        }
        thread.show(span, note);
    });
}

/// A frame mark.
pub(crate) fn frame(name: u32, op: FrameOp) {
    match (name, Name::of(name)) {
        (0, _) if op == FrameOp::Mark => with_connection(|| {
            // SAFETY: Tracy runs; null is the main frame.
            unsafe { sys::___tracy_emit_frame_mark(std::ptr::null()) };
        }),
        (_, Some(name)) => with_connection(|| name.frame(op)),
        _ => {}
    }
}

/// A point of a plot. A text is none.
pub(crate) fn plot(name: u32, value: Value<'_>) {
    let Some(name) = Name::of(name) else {
        return;
    };
    with_connection(|| match value {
        Value::Int(value) => name.plot_int(value),
        Value::Bool(value) => name.plot_int(value.into()),
        Value::Uint(value) => match i64::try_from(value) {
            Ok(value) => name.plot_int(value),
            Err(_) => name.plot(value as f64),
        },
        Value::Float(value) => name.plot(value),
        Value::Text(_) => {}
    });
}

/// A message.
pub(crate) fn message(level: u8, colour: u32, text: &str) {
    let text = thread::fitting(text);
    let severity = i8::try_from(level.min(5)).unwrap_or_default();
    with_connection(|| {
        // SAFETY: Tracy runs, and copies this many bytes of the text. Its severities begin with
        // one that is less than ours, and are in the same order.
        unsafe {
            sys::___tracy_emit_logString(
                severity,
                (colour & 0xff_ffff) as i32,
                0,
                text.len(),
                text.as_ptr().cast(),
            );
        }
    });
}

/// Something happened to a lock; for a wait, `wanted` says how.
pub(crate) fn lock(lock: u32, op: LockOp, wanted: LockOp) {
    if is_started()
        && let Some(known) = Lock::of(lock)
    {
        let waiting = with_thread(|thread| thread.waiting.take_if(|waiting| waiting.lock == lock));
        match op {
            LockOp::Wait => {
                let waiting = known.wait(lock, wanted == LockOp::Shared);
                with_thread(|thread| thread.waiting = Some(waiting));
            }
            LockOp::Obtained => known.obtained(waiting.flatten()),
            LockOp::Shared => known.obtained_shared(waiting.flatten()),
            LockOp::GivenUp => known.given_up(waiting.flatten()),
            LockOp::Released => known.released(),
        }
    }
}

/// Memory was set aside, or given back where `bytes` is 0.
#[inline]
pub(crate) fn memory(address: u64, bytes: u64) {
    if IS_HOOKED.load(Ordering::Relaxed) {
        memory_hooked(address, bytes);
    }
}

#[cold]
fn memory_hooked(address: u64, bytes: u64) {
    if !is_started() {
        return;
    }
    let address = std::ptr::without_provenance(address as usize);
    // What is given back is always told: a profiler ends the session when an address is set aside
    // twice. What it does not know it ignores.
    if bytes == 0 {
        // SAFETY: Tracy runs, and only notes the address.
        unsafe { sys::___tracy_emit_memory_free(address) };
    } else if raw::is_enabled() && !local::is_busy() {
        // SAFETY: as above.
        unsafe { sys::___tracy_emit_memory_alloc(address, bytes as usize) };
    }
}

/// Passes of a place, added up.
pub(crate) fn cumulative(site: u32, nanos: u64) {
    let place = Place::of(site);
    with_connection(|| place.plot_sum(nanos as f64 / 1e6));
}

/// The program names the process.
pub(crate) fn process_name(name: &str) {
    let name = thread::fitting(name);
    with_thread(|thread| {
        // SAFETY: Tracy runs, and copies this many bytes of the text.
        unsafe { sys::___tracy_emit_message_appinfo(name.as_ptr().cast(), name.len()) };
        thread.guard();
    });
}
