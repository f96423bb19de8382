//! What the process has once: the arena, its fork, its end.

use crate::clock;
use crate::connect;
use crate::local;
use crate::registry::Registry;
use crate::save;
use crate::tell;
use crate::{BUFFER_VARIABLE, FLIGHT_VARIABLE};
use sondage_wire::hello::MEMORY_NAME;
use sondage_wire::{Arena, Size};
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_void};
use std::os::fd::RawFd;
use std::ptr::{null_mut, without_provenance};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

const DEFAULT_BUFFER_BYTES: u64 = 64 << 20;
const DEFAULT_FLIGHT_BYTES: u64 = 4 << 20;

/// The arena and where it lies. Made once in a process and never freed.
pub(crate) struct Shared {
    pub arena: Arena<'static>,
    pub start: *mut u8,
    pub bytes: usize,
    file: AtomicI32,
}

impl Shared {
    /// The memory's file; -1 when there is none, and it cannot be shared.
    pub fn file(&self) -> RawFd {
        self.file.load(Ordering::Relaxed)
    }
}

/// Closes the arena's file, for a dying program that has no other file left to close. The memory
/// stays.
pub(crate) fn give_up_file() {
    if let Some(shared) = shared() {
        close(shared.file.swap(-1, Ordering::Relaxed));
    }
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(null_mut());
static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// The arena's memory, if there is one yet.
#[inline]
pub(crate) fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or a leaked box that was complete before the pointer to it was stored.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

/// The arena, if there is one yet.
#[inline]
pub(crate) fn existing() -> Option<Arena<'static>> {
    shared().map(|shared| shared.arena)
}

/// The arena, made if need be; `None` when the system gives no memory.
pub(crate) fn arena() -> Option<Arena<'static>> {
    existing().or_else(make)
}

/// Calls `with` with the names of this process, and the arena if there is one.
pub(crate) fn with_registry<R>(with: impl FnOnce(&mut Registry, Option<Arena<'static>>) -> R) -> R {
    // An allocator that records would come back for the same lock.
    let _busy = local::Busy::new();
    let mut registry = registry();
    with(registry.get_or_insert_default(), existing())
}

fn registry() -> MutexGuard<'static, Option<Registry>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cold]
fn make() -> Option<Arena<'static>> {
    // Two threads' first probes may meet here.
    let mut registry = registry();
    if let Some(arena) = existing() {
        return Some(arena);
    }
    watch_process();
    let size = Size::for_bytes(bytes_of(BUFFER_VARIABLE).unwrap_or(DEFAULT_BUFFER_BYTES));
    let bytes = size.bytes();
    let (start, file) = map(bytes)?;
    // SAFETY: fresh pages: aligned, zero, as long as asked for, and mapped until the process ends
    // or forks; only arenas use them.
    let arena = unsafe {
        Arena::create(
            start,
            size,
            std::process::id(),
            clock::kind(),
            clock::both(),
        )
    };
    arena.set_flight_bytes(bytes_of(FLIGHT_VARIABLE).unwrap_or(DEFAULT_FLIGHT_BYTES));
    arena.set_zone_cost_picos(local::measure_zone_picos());
    registry.get_or_insert_default().define_all(arena);
    let shared = Box::new(Shared {
        arena,
        start,
        bytes,
        file: AtomicI32::new(file),
    });
    SHARED.store(Box::into_raw(shared), Ordering::Release);
    Some(arena)
}

/// Maps memory that another process can be given; where that is forbidden, memory of our own.
/// Pages that are not written to cost nothing.
fn map(bytes: usize) -> Option<(*mut u8, RawFd)> {
    let file = memory_file(bytes).unwrap_or(-1);
    let flags = match file {
        -1 => libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        _ => libc::MAP_SHARED,
    };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses.
    let start = unsafe { libc::mmap(null_mut(), bytes, access, flags, file, 0) };
    if start == libc::MAP_FAILED {
        close(file);
        return None;
    }
    Some((start.cast(), file))
}

/// A file without a name in any folder, whose size nobody can change: whoever maps it can rely on
/// the pages to be there.
fn memory_file(bytes: usize) -> Option<RawFd> {
    let name = CString::new(MEMORY_NAME).ok()?;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a C string.
    let file = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    if file < 0 {
        return None;
    }
    let length = libc::off_t::try_from(bytes).ok();
    let seals = libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: the file is ours; both calls touch no memory.
    let is_ready = length.is_some_and(|length| unsafe {
        libc::ftruncate(file, length) == 0 && libc::fcntl(file, libc::F_ADD_SEALS, seals) == 0
    });
    if !is_ready {
        close(file);
        return None;
    }
    Some(file)
}

/// Closes a file if it is one.
pub(crate) fn close(file: RawFd) {
    if file >= 0 {
        // SAFETY: the caller owns the file and forgets it.
        unsafe { libc::close(file) };
    }
}

/// Bytes that an environment variable asks for: a number, with `K`, `M` or `G` behind it.
fn bytes_of(variable: &str) -> Option<u64> {
    parse_bytes(&std::env::var(variable).ok()?)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text
        .trim()
        .trim_end_matches(['b', 'B'])
        .trim_end_matches('i');
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// What the system calls the calling thread: at most 15 bytes, then zeros.
pub(crate) fn system_name() -> [u8; 16] {
    let mut name = [0_u8; 16];
    // SAFETY: the call writes at most 16 bytes, with a zero at the end.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// A name of the system's as text.
pub(crate) fn text_of(name: &[u8; 16]) -> std::borrow::Cow<'_, str> {
    CStr::from_bytes_until_nul(name)
        .unwrap_or_default()
        .to_string_lossy()
}

/// The kernel's number of the calling thread.
pub(crate) fn tid() -> u32 {
    // SAFETY: the call has no preconditions.
    unsafe { libc::gettid() as u32 }
}

/// Asks for [`local::seal`] at the end of the calling thread.
pub(crate) fn watch_thread_end() -> bool {
    /// The key, plus one; 0 before it is made, `u32::MAX` where none is left.
    static KEY: AtomicU32 = AtomicU32::new(0);
    static MADE: Once = Once::new();
    extern "C" fn ended(_: *mut c_void) {
        local::seal();
    }
    MADE.call_once(|| {
        let mut key = 0;
        // SAFETY: `key` is ours to write; the destructor is there as long as this code.
        let made = unsafe { libc::pthread_key_create(&mut key, Some(ended)) } == 0;
        KEY.store(if made { key + 1 } else { u32::MAX }, Ordering::Relaxed);
    });
    let key = match KEY.load(Ordering::Relaxed) {
        u32::MAX => return true,
        key => key - 1,
    };
    // The destructor runs for any value but null.
    // SAFETY: the key was made above; the value is never looked at.
    unsafe { libc::pthread_setspecific(key, without_provenance(1)) == 0 }
}

/// Sees to it that a forked child gets an arena of its own, and that the end of the process is
/// noted. Once in a process; children inherit it.
fn watch_process() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.swap(true, Ordering::Relaxed) {
        // SAFETY: the functions are there as long as this code and may run at these moments.
        unsafe {
            libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child));
            libc::atexit(on_exit);
        }
    }
}

extern "C" fn on_exit() {
    save::at_exit();
    tell::at_exit();
    if let Some(arena) = existing() {
        arena.close();
    }
}

/// What a fork holds still, so that the child does not begin with a lock that nobody holds.
type Held = (
    MutexGuard<'static, Option<Registry>>,
    MutexGuard<'static, connect::Link>,
);

/// Written by the thread that forks only, between its two handlers.
struct HeldCell(UnsafeCell<Option<Held>>);

// SAFETY: whoever reaches it holds the locks whose guards it holds.
unsafe impl Sync for HeldCell {}

static HELD: HeldCell = HeldCell(UnsafeCell::new(None));

extern "C" fn before_fork() {
    let held = (registry(), connect::link());
    // SAFETY: this thread holds the locks.
    unsafe { *HELD.0.get() = Some(held) };
}

extern "C" fn after_fork() {
    // SAFETY: this thread holds the locks, and gives them back by this. Taken out first, because
    // from then on the next fork may come.
    let held = unsafe { (*HELD.0.get()).take() };
    drop(held);
}

/// The child has its parent's memory mapped, and would write into its parent's events.
extern "C" fn in_child() {
    tell::forked();
    local::forked();
    RANDOM.store(0, Ordering::Relaxed);
    let shared = SHARED.swap(null_mut(), Ordering::AcqRel);
    // SAFETY: this thread holds the locks.
    let held = unsafe { (*HELD.0.get()).take() };
    if let Some((registry, mut link)) = held {
        link.forked();
        drop((registry, link));
    }
    if !shared.is_null() {
        // SAFETY: the box was leaked by `make`. No other thread is left to use the memory, and
        // this one has just forgotten where it wrote.
        unsafe {
            let shared = Box::from_raw(shared);
            close(shared.file());
            libc::munmap(shared.start.cast(), shared.bytes);
        }
    }
}

/// How ticks and nanoseconds belong together.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    ticks: u64,
    nanos: u64,
}

impl Rate {
    /// Nanoseconds that so many ticks last.
    pub fn nanos(self, ticks: u64) -> u64 {
        let nanos = u128::from(ticks) * u128::from(self.nanos) / u128::from(self.ticks.max(1));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// The rate of ticks, measured from the arena's making until now, and kept once it is good.
pub(crate) fn rate() -> Rate {
    /// After so long the clocks' own errors, of some 50 ns, are less than one in a million.
    const GOOD_NANOS: u64 = 100_000_000;
    /// Before this they would show.
    const FAIR_NANOS: u64 = 1_000_000;
    static KNOWN: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

    let one = Rate { ticks: 1, nanos: 1 };
    if clock::kind() == sondage_wire::ClockKind::MonotonicNanos {
        return one;
    }
    let nanos = KNOWN[1].load(Ordering::Acquire);
    if nanos != 0 {
        let ticks = KNOWN[0].load(Ordering::Relaxed);
        return Rate { ticks, nanos };
    }
    let Some(arena) = arena() else {
        return one;
    };
    let (start_ticks, start_nanos) = arena.start();
    let mut now = clock::both();
    while now.1.saturating_sub(start_nanos) < FAIR_NANOS {
        std::hint::spin_loop();
        now = clock::both();
    }
    let ticks = now.0.saturating_sub(start_ticks);
    let nanos = now.1 - start_nanos;
    // Two threads' measurements must not be mixed: the first one stays.
    if nanos >= GOOD_NANOS
        && KNOWN[0]
            .compare_exchange(0, ticks, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        KNOWN[1].store(nanos, Ordering::Release);
    }
    Rate { ticks, nanos }
}

/// A random number of this process, never 0; 0 in here before it is drawn.
static RANDOM: AtomicU64 = AtomicU64::new(0);

/// A random number below 2^63, the same as long as the process lives.
pub(crate) fn random() -> u64 {
    let known = RANDOM.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let drawn = fresh_random() >> 1 | 1;
    match RANDOM.compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => drawn,
        Err(other) => other,
    }
}

/// A new random number.
pub(crate) fn fresh_random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is eight bytes long.
    let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 8, libc::GRND_NONBLOCK) };
    if drawn == 8 {
        return u64::from_ne_bytes(bytes);
    }
    // Early in boot: process and time have to do.
    let seed = u64::from(std::process::id()) << 32 ^ clock::mono_nanos();
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_have_units() {
        let cases = [
            ("4096", Some(4096)),
            ("64M", Some(64 << 20)),
            (" 2 MiB ", Some(2 << 20)),
            ("1g", Some(1 << 30)),
            ("8kB", Some(8 << 10)),
            ("", None),
            ("M", None),
            ("many", None),
            ("99999999999999G", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), bytes, "{text:?}");
        }
    }
}
