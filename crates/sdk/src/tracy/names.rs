//! Places, texts and locks as Tracy wants them: by addresses that stay, since a profiler asks for
//! what they mean long after the event.

use super::sys;
use super::thread::Waiting;
use crate::raw::FrameOp;
use crate::registry::MAX_OF_A_KIND;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

/// What a number means. Filled while the registry is locked, read at any time; never emptied.
struct Table<T: 'static>([AtomicPtr<T>; MAX_OF_A_KIND + 1]);

impl<T> Table<T> {
    // Pages that no number is on cost nothing.
    const fn new() -> Table<T> {
        Table([const { AtomicPtr::new(null_mut()) }; MAX_OF_A_KIND + 1])
    }

    fn get(&self, number: u32) -> Option<&'static T> {
        let slot = self.0.get(number as usize)?;
        // SAFETY: null, or a leaked box that was complete before the pointer to it was stored.
        unsafe { slot.load(Ordering::Acquire).as_ref() }
    }

    fn put(&self, number: u32, what: T) {
        if let Some(slot) = self.0.get(number as usize) {
            slot.store(Box::into_raw(Box::new(what)), Ordering::Release);
        }
    }
}

static PLACES: Table<Place> = Table::new();
static NAMES: Table<Name> = Table::new();
static LOCKS: Table<Lock> = Table::new();

/// A text that ends with a zero, and before any in it.
fn c_text(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

/// A place in the source. What it points to is leaked, or its own.
pub(crate) struct Place {
    location: sys::___tracy_source_location_data,
    /// What the plot of its sums is called.
    sums: Option<CString>,
}

// SAFETY: nothing that it points to ever changes.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

/// The place of what has none, or came after too many.
static NOWHERE: Place = Place {
    location: sys::___tracy_source_location_data {
        name: null(),
        function: c"?".as_ptr(),
        file: c"".as_ptr(),
        line: 0,
        color: 0,
    },
    sums: None,
};

fn location(
    name: Option<&str>,
    function: &str,
    file: &str,
    line: u32,
    colour: u32,
) -> sys::___tracy_source_location_data {
    let keep = |text: &str| -> *const c_char { c_text(text).into_raw() };
    sys::___tracy_source_location_data {
        name: name.map_or(null(), keep),
        function: keep(function),
        file: keep(file),
        line,
        color: colour & 0xff_ffff,
    }
}

impl Place {
    /// The place with this number.
    pub fn of(site: u32) -> &'static Place {
        PLACES.get(site).unwrap_or(&NOWHERE)
    }

    /// Gives a number its place.
    pub fn add(id: u32, (name, function, file): (&str, &str, &str), line: u32, colour: u32) {
        let place = Place {
            location: location(Some(name), function, file, line, colour),
            sums: Some(c_text(&format!("{name}, ms"))),
        };
        PLACES.put(id, place);
    }

    /// Begins a zone here. Only where Tracy runs.
    pub fn begin(&'static self) -> sys::___tracy_c_zone_context {
        // SAFETY: Tracy runs, and the location stays.
        unsafe { sys::___tracy_emit_zone_begin(&self.location, 1) }
    }

    /// Puts a sum of milliseconds into its plot. Only where Tracy runs.
    pub fn plot_sum(&'static self, millis: f64) {
        if let Some(name) = &self.sums {
            // SAFETY: Tracy runs, and the name stays.
            unsafe { sys::___tracy_emit_plot(name.as_ptr(), millis) };
        }
    }
}

/// A text: the name of a plot, a frame, an argument.
pub(crate) struct Name {
    text: CString,
    /// What frames it names: Tracy takes one kind for each name.
    kind: AtomicU8,
    /// Frames of the name that have begun and not ended: Tracy takes one at a time.
    open: AtomicU32,
}

const NO_FRAME: u8 = 0;
const MARKED: u8 = 1;
const BEGUN_AND_ENDED: u8 = 2;

impl Name {
    /// The text with this number.
    pub fn of(number: u32) -> Option<&'static Name> {
        NAMES.get(number)
    }

    /// Gives a number its text.
    pub fn add(id: u32, text: &str) {
        let name = Name {
            text: c_text(text),
            kind: AtomicU8::new(NO_FRAME),
            open: AtomicU32::new(0),
        };
        NAMES.put(id, name);
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.text.to_str().unwrap_or_default()
    }

    fn is_of_kind(&self, wanted: u8) -> bool {
        let first =
            self.kind
                .compare_exchange(NO_FRAME, wanted, Ordering::Relaxed, Ordering::Relaxed);
        first.map_or_else(|known| known == wanted, |_| true)
    }

    /// A frame mark with this name. Only where Tracy runs.
    pub fn frame(&'static self, op: FrameOp) {
        let kind = match op {
            FrameOp::Mark => MARKED,
            FrameOp::Begin | FrameOp::End => BEGUN_AND_ENDED,
        };
        if !self.is_of_kind(kind) {
            return;
        }
        let (name, relaxed) = (self.text.as_ptr(), Ordering::Relaxed);
        let less = |open: u32| open.checked_sub(1);
        // SAFETY: Tracy runs, and the name stays.
        unsafe {
            match op {
                FrameOp::Mark => sys::___tracy_emit_frame_mark(name),
                FrameOp::Begin if self.open.fetch_add(1, relaxed) == 0 => {
                    sys::___tracy_emit_frame_mark_start(name);
                }
                FrameOp::End if self.open.fetch_update(relaxed, relaxed, less) == Ok(1) => {
                    sys::___tracy_emit_frame_mark_end(name);
                }
                FrameOp::Begin | FrameOp::End => {}
            }
        }
    }

    /// A point of the plot with this name. Only where Tracy runs.
    pub fn plot(&'static self, value: f64) {
        // SAFETY: Tracy runs, and the name stays.
        unsafe { sys::___tracy_emit_plot(self.text.as_ptr(), value) };
    }

    /// As [`Name::plot`].
    pub fn plot_int(&'static self, value: i64) {
        // SAFETY: as above.
        unsafe { sys::___tracy_emit_plot_int(self.text.as_ptr(), value) };
    }
}

/// A lock, as Tracy follows it.
pub(crate) struct Lock {
    context: Context,
    /// A thread has it alone.
    is_held: AtomicBool,
    /// Threads that have it together.
    readers: AtomicU32,
}

#[derive(Clone, Copy)]
enum Context {
    Alone(*mut sys::__tracy_lockable_context_data),
    Shared(*mut sys::__tracy_shared_lockable_context_data),
}

// SAFETY: what the context points to is Tracy's, which takes it from any thread.
unsafe impl Send for Lock {}
// SAFETY: as above.
unsafe impl Sync for Lock {}

impl Lock {
    /// The lock with this number.
    pub fn of(number: u32) -> Option<&'static Lock> {
        LOCKS.get(number)
    }

    /// Gives a number its lock, which readers may share or not, and announces it. Only where Tracy
    /// runs. `place` is `file:line`.
    pub fn add(id: u32, name: &str, place: &str, is_shared: bool) {
        let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
        // Tracy calls a lock what its function is called.
        let location = location(None, name, file, line.parse().unwrap_or(0), 0);
        let location = Box::leak(Box::new(location));
        // SAFETY: Tracy runs, and the location stays.
        let context = unsafe {
            if is_shared {
                Context::Shared(sys::___tracy_announce_shared_lockable_ctx(location))
            } else {
                Context::Alone(sys::___tracy_announce_lockable_ctx(location))
            }
        };
        let lock = Lock {
            context,
            is_held: AtomicBool::new(false),
            readers: AtomicU32::new(0),
        };
        LOCKS.put(id, lock);
    }

    /// The thread waits, to have it alone or with other readers.
    pub fn wait(&self, lock: u32, is_shared: bool) -> Waiting {
        // SAFETY: Tracy runs: the lock was announced to it.
        let (is_shared, is_told) = unsafe {
            match self.context {
                Context::Alone(of) => (false, sys::___tracy_before_lock_lockable_ctx(of)),
                Context::Shared(of) if is_shared => (
                    true,
                    sys::___tracy_before_lock_shared_shared_lockable_ctx(of),
                ),
                Context::Shared(of) => (false, sys::___tracy_before_lock_shared_lockable_ctx(of)),
            }
        };
        Waiting {
            lock,
            is_shared,
            is_told: is_told != 0,
        }
    }

    /// The thread has it alone.
    pub fn obtained(&self, waiting: Option<Waiting>) {
        if self.is_held.swap(true, Ordering::Relaxed) {
            // Probes were off when it was given back.
            self.release();
        }
        match waiting {
            Some(waiting) if !waiting.is_shared => self.arrive(waiting),
            other => {
                self.leave(other);
                // SAFETY: as in `wait`.
                unsafe {
                    match self.context {
                        Context::Alone(of) => sys::___tracy_after_try_lock_lockable_ctx(of, 1),
                        Context::Shared(of) => {
                            sys::___tracy_after_try_lock_shared_lockable_ctx(of, 1);
                        }
                    }
                }
            }
        }
    }

    /// The thread has it together with other readers.
    pub fn obtained_shared(&self, waiting: Option<Waiting>) {
        let Context::Shared(_) = self.context else {
            return self.leave(waiting);
        };
        self.readers.fetch_add(1, Ordering::Relaxed);
        let waiting = match waiting {
            Some(waiting) if waiting.is_shared => waiting,
            other => {
                self.leave(other);
                // There is no call for a reader who did not wait that says so.
                self.wait(0, true)
            }
        };
        self.arrive(waiting);
    }

    /// The thread stopped waiting without it.
    pub fn given_up(&self, waiting: Option<Waiting>) {
        self.leave(waiting);
    }

    /// The thread gives it back.
    pub fn released(&self) {
        if self.is_held.swap(false, Ordering::Relaxed) {
            self.release();
            return;
        }
        let less = |readers: u32| readers.checked_sub(1);
        let had = self
            .readers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        // What was obtained before Tracy ran is not released to it.
        if had.is_ok() {
            self.release_shared();
        }
    }

    /// Ends a wait: the thread has it.
    fn arrive(&self, waiting: Waiting) {
        if !waiting.is_told {
            return;
        }
        // SAFETY: as in `wait`, which Tracy has heard of.
        unsafe {
            match self.context {
                Context::Alone(of) => sys::___tracy_after_lock_lockable_ctx(of),
                Context::Shared(of) if waiting.is_shared => {
                    sys::___tracy_after_lock_shared_shared_lockable_ctx(of);
                }
                Context::Shared(of) => sys::___tracy_after_lock_shared_lockable_ctx(of),
            }
        }
    }

    /// Ends a wait in vain: Tracy knows only those that had it, so for a moment it had.
    fn leave(&self, waiting: Option<Waiting>) {
        let Some(waiting) = waiting else {
            return;
        };
        let is_shared = waiting.is_shared;
        self.arrive(waiting);
        if is_shared {
            self.release_shared();
        } else {
            self.release();
        }
    }

    fn release(&self) {
        // SAFETY: as in `wait`.
        unsafe {
            match self.context {
                Context::Alone(of) => sys::___tracy_after_unlock_lockable_ctx(of),
                Context::Shared(of) => sys::___tracy_after_unlock_shared_lockable_ctx(of),
            }
        }
    }

    fn release_shared(&self) {
        if let Context::Shared(of) = self.context {
            // SAFETY: as in `wait`.
            unsafe { sys::___tracy_after_unlock_shared_shared_lockable_ctx(of) };
        }
    }
}

/// Names the calling thread to Tracy, and leaves the system's name of it as it is: Tracy sets both.
pub(super) fn name_thread(name: &CStr) {
    let before = crate::process::system_name();
    // SAFETY: Tracy runs, and copies the name.
    unsafe { sys::___tracy_set_thread_name(name.as_ptr()) };
    // SAFETY: 16 bytes, with a zero among them.
    unsafe { libc::prctl(libc::PR_SET_NAME, before.as_ptr()) };
}
