//! What a thread has to itself, and the way of an event into its chunk.

use crate::clock::{mono_nanos, ticks};
use crate::connect;
use crate::process;
use crate::tell;
use sondage_wire::{Arena, Definition, Memory, Producer, Size, SpanId};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "tracy")]
use std::{ffi::CString, mem::ManuallyDrop, ptr::null_mut};

/// A thread's own.
pub(crate) struct Local {
    producer: Producer,
    /// The slow path is being walked: a probe inside it (an allocator's) must not enter it again.
    is_busy: bool,
    /// The thread's end is being watched.
    is_watched: bool,
    /// What the system called the thread when it was last asked; `None` when the program named it.
    name: Option<[u8; 16]>,
    /// The span that the thread is in.
    pub span: SpanId,
    /// Numbers of spans that are this thread's to give.
    spans: std::ops::Range<u64>,
    #[cfg(feature = "tracy")]
    tracy: Tracy,
}

/// What a thread keeps for Tracy.
#[cfg(feature = "tracy")]
struct Tracy {
    /// Null until Tracy hears of this thread. Then the producer is in there, and the one of `Local`
    /// has never room.
    thread: *mut crate::tracy::Thread,
    /// The thread ends, and what Tracy keeps of it is gone.
    is_over: bool,
    /// How the program calls the thread.
    name: ManuallyDrop<Option<CString>>,
}

thread_local! {
    // PERF: constant and without Drop, so that reaching it is one instruction and no check. The
    // end of a thread is watched by a key of pthread instead, whose destructors run after those of
    // all thread-locals: what they do is still recorded.
    static LOCAL: UnsafeCell<Local> = const { UnsafeCell::new(Local {
        producer: Producer::new(),
        is_busy: false,
        is_watched: false,
        name: Some([0; 16]),
        span: SpanId(0),
        spans: 0..0,
        #[cfg(feature = "tracy")]
        tracy: Tracy { thread: null_mut(), is_over: false, name: ManuallyDrop::new(None) },
    }) };
}

/// This thread's own. No reference to it outlives one call of a function here: an allocator that
/// counts may come back in between.
#[inline(always)]
pub(crate) fn local() -> *mut Local {
    LOCAL.with(UnsafeCell::get)
}

/// The producer of the thread, whose own this is.
///
/// # Safety
/// The pointer is to this thread's own.
#[inline]
unsafe fn producer(local: *mut Local) -> *mut Producer {
    // SAFETY: as promised. A thread's state of Tracy's is there until the pointer to it is null.
    unsafe {
        #[cfg(feature = "tracy")]
        if !(*local).tracy.thread.is_null() {
            return &raw mut (*(*local).tracy.thread).producer;
        }
        &raw mut (*local).producer
    }
}

/// Begins a zone; false when it is not recorded.
#[inline(always)]
pub(crate) fn zone_begin(ticks: u64, site: u32) -> bool {
    // SAFETY: the pointer is to this thread's own; nothing else has a reference to its producer
    // while this call lasts, since it calls nothing back.
    let begun = unsafe { (*local()).producer.zone_begin(ticks, site) };
    begun || zone_begin_slow(ticks, site)
}

#[cold]
#[inline(never)]
fn zone_begin_slow(ticks: u64, site: u32) -> bool {
    slow(
        |producer| producer.zone_begin(ticks, site),
        Producer::drop_event,
    )
}

/// Ends the innermost zone.
#[inline(always)]
pub(crate) fn zone_end(ticks: u64) {
    // SAFETY: as in `zone_begin`.
    let ended = unsafe { (*local()).producer.zone_end(ticks) };
    if !ended {
        zone_end_slow(ticks);
    }
}

#[cold]
#[inline(never)]
fn zone_end_slow(ticks: u64) {
    #[cfg(feature = "tracy")]
    if !crate::tracy::zone_end() {
        return;
    }
    slow(|producer| producer.zone_end(ticks), Producer::drop_zone_end);
}

/// Writes an event; false when it is lost.
#[inline]
pub(crate) fn write(words: &[u64]) -> bool {
    // SAFETY: as in `zone_begin`.
    let written = unsafe { (*local()).producer.write(words) };
    written || write_slow(words)
}

#[cold]
#[inline(never)]
fn write_slow(words: &[u64]) -> bool {
    slow(|producer| producer.write(words), Producer::drop_event)
}

/// There was no room: gets some and tries again, or counts the loss.
fn slow(
    attempt: impl Fn(&mut Producer) -> bool,
    lose: impl FnOnce(&mut Producer, Arena<'_>),
) -> bool {
    let local = local();
    // SAFETY: the pointer is to this thread's own. What may call a probe again (making the arena,
    // giving the thread a name) runs while no reference is held, and `is_busy` keeps that probe
    // out of here.
    unsafe {
        if (*local).is_busy {
            if let Some(arena) = process::existing() {
                lose(&mut *producer(local), arena);
            }
            return false;
        }
        #[cfg(feature = "tracy")]
        if !(*local).tracy.thread.is_null() && attempt(&mut *producer(local)) {
            return true;
        }
        let busy = Busy::new();
        let arena = process::arena();
        let written = match arena {
            None => false,
            Some(arena) => {
                name_thread(arena);
                if !(*local).is_watched {
                    (*local).is_watched = process::watch_thread_end();
                }
                let producer = &mut *producer(local);
                let written = producer.refill(arena, mono_nanos) && attempt(producer);
                if !written {
                    lose(producer, arena);
                }
                written
            }
        };
        drop(busy);
        if arena.is_some() {
            connect::look();
            tell::look();
        }
        written
    }
}

/// Sees to it that the thread has a number, and its definition the name that the system has now:
/// a thread is often named after its first probe.
fn name_thread(arena: Arena<'_>) -> u32 {
    let local = local();
    let now = process::system_name();
    // SAFETY: the pointer is to this thread's own; what defines a name keeps no reference to it.
    unsafe {
        match (*producer(local)).thread() {
            Some(number) => {
                if (*local).name.is_some_and(|name| name != now) {
                    (*local).name = Some(now);
                    let name = process::text_of(&now).into_owned();
                    let tid = process::tid();
                    arena.define(&Definition::Thread { number, tid, name });
                }
                number
            }
            None => {
                let number = arena.define_thread(process::tid(), &process::text_of(&now));
                (*producer(local)).attach(number);
                (*local).name = Some(now);
                number
            }
        }
    }
}

/// Whether this thread is in the slow path, or about names.
#[inline]
pub(crate) fn is_busy() -> bool {
    // SAFETY: the pointer is to this thread's own.
    unsafe { (*local()).is_busy }
}

/// Keeps the probes of this thread out of the slow path as long as it lives.
pub(crate) struct Busy {
    was_busy: bool,
}

impl Busy {
    pub fn new() -> Busy {
        // SAFETY: the pointer is to this thread's own.
        let was_busy = unsafe { std::mem::replace(&mut (*local()).is_busy, true) };
        Busy { was_busy }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // SAFETY: as above; made and dropped in one function, so in one thread.
        unsafe { (*local()).is_busy = self.was_busy };
    }
}

/// The thread ends: what it wrote is complete.
pub(crate) fn seal() {
    let local = local();
    // SAFETY: the pointer is to this thread's own, and nothing else runs in it now.
    unsafe {
        (*local).is_watched = false;
        let _busy = Busy::new();
        if let Some(arena) = process::existing() {
            name_thread(arena);
            (*producer(local)).seal(arena);
        }
        #[cfg(feature = "tracy")]
        {
            forget_tracy();
            let name = &mut (*local).tracy.name;
            **name = None;
        }
    }
}

/// This is the thread that a forked process begins with: the arena is its parent's.
pub(crate) fn forked() {
    let local = local();
    // SAFETY: the pointer is to this thread's own, and nothing else runs in this process yet.
    unsafe {
        (*producer(local)).fork();
        (*local).spans = 0..0;
        #[cfg(feature = "tracy")]
        {
            let _busy = Busy::new();
            forget_tracy();
        }
    }
}

/// Names the thread, whatever the system calls it.
pub(crate) fn set_thread_name(name: &str) {
    if is_busy() {
        return;
    }
    let _busy = Busy::new();
    if let Some(arena) = process::arena() {
        let number = name_thread(arena);
        let (tid, name) = (process::tid(), name.to_owned());
        arena.define(&Definition::Thread { number, tid, name });
        // SAFETY: as above.
        unsafe { (*local()).name = None };
    }
}

/// Calls `with` with what this thread keeps while Tracy runs, made if need be. Not from inside, and
/// not when the thread ends.
#[cfg(feature = "tracy")]
pub(crate) fn with_tracy<R>(with: impl FnOnce(&mut crate::tracy::Thread) -> R) -> Option<R> {
    let local = local();
    // SAFETY: the pointer is to this thread's own. `is_busy` keeps out whoever would come here from
    // inside, and make a second reference.
    unsafe {
        if (*local).is_busy || (*local).tracy.is_over {
            return None;
        }
        let _busy = Busy::new();
        if (*local).tracy.thread.is_null() {
            let name = &(*local).tracy.name;
            let name = name.as_deref();
            let thread = crate::tracy::Thread::new(Producer::new(), name);
            let thread = Box::into_raw(Box::new(thread));
            std::mem::swap(&mut (*thread).producer, &mut (*local).producer);
            (*local).tracy.thread = thread;
            if !(*local).is_watched {
                (*local).is_watched = process::watch_thread_end();
            }
        }
        Some(with(&mut *(*local).tracy.thread))
    }
}

/// Takes the producer back from what the thread kept for Tracy.
#[cfg(feature = "tracy")]
fn forget_tracy() {
    let local = local();
    // SAFETY: the pointer is to this thread's own, and nobody has a reference to what is dropped:
    // only the thread's end and a fork come here.
    unsafe {
        let thread = std::mem::replace(&mut (*local).tracy.thread, null_mut());
        if !thread.is_null() {
            std::mem::swap(&mut (*thread).producer, &mut (*local).producer);
            drop(Box::from_raw(thread));
        }
    }
}

/// What Tracy keeps of this thread is about to go.
#[cfg(feature = "tracy")]
pub(crate) fn tracy_ends() {
    if crate::tracy::is_started() {
        with_tracy(crate::tracy::Thread::end);
    }
    // SAFETY: the pointer is to this thread's own.
    unsafe { (*local()).tracy.is_over = true };
}

/// Notes how the program calls the thread, for Tracy.
#[cfg(feature = "tracy")]
pub(crate) fn keep_name(name: &str) {
    if is_busy() {
        return;
    }
    let local = local();
    let is_started = crate::tracy::is_started();
    let kept = {
        let _busy = Busy::new();
        let name = CString::new(name.split('\0').next().unwrap_or_default()).ok();
        // SAFETY: the pointer is to this thread's own.
        unsafe {
            if !(*local).is_watched {
                (*local).is_watched = process::watch_thread_end();
            }
            let kept = &mut (*local).tracy.name;
            **kept = name;
            kept.as_deref()
        }
    };
    if is_started && let Some(name) = kept {
        with_tracy(|thread| thread.rename(name));
    }
}

/// Numbers that a thread takes at once.
const SPANS_AT_ONCE: u64 = 4096;

/// Numbers given so far, in this process.
static SPANS: AtomicU64 = AtomicU64::new(0);

/// A number for a new span.
#[inline]
pub(crate) fn new_span_id() -> SpanId {
    let local = local();
    // SAFETY: as in `zone_begin`; a range's `next` calls nothing back.
    let next = unsafe { (*local).spans.next() };
    next.map_or_else(more_spans, SpanId)
}

#[cold]
fn more_spans() -> SpanId {
    // A random start and a counter: no two in a process are the same, and two processes' numbers
    // meet as seldom as random ones. The start is below 2^63, so that the sum is never 0.
    let first = process::random() + SPANS.fetch_add(SPANS_AT_ONCE, Ordering::Relaxed);
    // SAFETY: as in `zone_begin`.
    unsafe { (*local()).spans = first + 1..first + SPANS_AT_ONCE };
    SpanId(first)
}

/// What a zone costs in picoseconds: measured on memory aside, so that no event shows. Some 20 µs.
pub(crate) fn measure_zone_picos() -> u64 {
    /// They fit into one chunk.
    const ZONES: u64 = 512;
    const BATCHES: u32 = 4;
    let memory = Memory::new(Size {
        chunks: BATCHES,
        name_words: 64,
    });
    let mut producer = Producer::new();
    producer.attach(0);
    let mut batch = || {
        producer.refill(memory.arena(), || 0);
        let begun = mono_nanos();
        for zone in 0..ZONES {
            if producer.zone_begin(ticks(), std::hint::black_box(zone as u32)) {
                producer.zone_end(ticks());
            }
        }
        mono_nanos() - begun
    };
    // A pause makes a batch longer, and none shorter.
    let least = (0..BATCHES).map(|_| batch()).min().unwrap_or(0);
    least * 1000 / ZONES
}
