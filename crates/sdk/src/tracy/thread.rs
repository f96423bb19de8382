//! What a thread has to itself while Tracy runs: the zones that it is in, and its producer.

use super::names::{Place, name_thread};
use super::note::Note;
use super::spans::Span;
use super::{connected, sys};
use crate::local;
use crate::raw::SpanId;
use sondage_wire::Producer;
use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// A thread's own.
pub(crate) struct Thread {
    /// Where the thread's events go. It lies here so that the thread's usual way finds no room, and
    /// each event comes by the slow one, which tells Tracy.
    pub producer: Producer,
    /// Zones and spans that the thread is in, outermost first.
    open: Vec<Open>,
    /// The lock that it waits for.
    pub waiting: Option<Waiting>,
    /// The thread's end is being watched on Tracy's behalf.
    is_guarded: bool,
}

/// A zone that the thread is in.
struct Open {
    place: &'static Place,
    /// What Tracy calls it; not active when no profiler was attached at its begin.
    zone: sys::___tracy_c_zone_context,
    /// The span that it is a part of, if any.
    span: Option<Arc<Span>>,
    /// It is among sondage's events too.
    is_ours: bool,
}

/// A thread waits for a lock.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub lock: u32,
    pub is_shared: bool,
    /// Tracy has been told.
    pub is_told: bool,
}

/// A zone that no profiler has heard of.
const UNTOLD: sys::___tracy_c_zone_context = sys::___tracy_c_zone_context {
    id: 0,
    active: 0,
    connectionId: 0,
};

impl Thread {
    /// A thread that Tracy hears of first. `name` is what the program calls it.
    pub fn new(producer: Producer, name: Option<&CStr>) -> Thread {
        if let Some(name) = name {
            name_thread(name);
        }
        Thread {
            producer,
            open: Vec::new(),
            waiting: None,
            is_guarded: false,
        }
    }

    /// The program names the thread.
    pub fn rename(&mut self, name: &CStr) {
        name_thread(name);
    }

    /// Begins a zone of its own, or of a span.
    pub fn enter(&mut self, place: &'static Place, span: Option<Arc<Span>>, is_ours: bool) {
        self.settle();
        self.open.push(Open {
            place,
            zone: UNTOLD,
            span,
            is_ours,
        });
        if connected() {
            self.begin(self.open.len() - 1);
        }
    }

    /// Ends the innermost zone that is not of a span; false when it is not among sondage's events.
    pub fn zone_end(&mut self) -> bool {
        let at = self.open.iter().rposition(|open| open.span.is_none());
        // Without one, it began before Tracy did.
        at.is_none_or(|at| self.leave(at))
    }

    /// Leaves a span.
    pub fn exit(&mut self, span: SpanId) {
        let is_it = |open: &Open| open.span.as_ref().is_some_and(|open| open.id == span);
        if let Some(at) = self.open.iter().rposition(is_it) {
            self.leave(at);
        }
    }

    /// Notes an argument in the zone, or where the thread is in that span, in its.
    pub fn note(&mut self, span: SpanId, line: &str) {
        let Some(open) = self.open.last() else {
            return;
        };
        let innermost = open.span.as_ref().map_or(SpanId(0), |span| span.id);
        if innermost == span {
            open.tell(line);
        }
    }

    /// Shows something in the zone, as [`Thread::note`].
    pub fn show(&mut self, span: SpanId, note: Note<'_>) {
        let Some(open) = self.open.last() else {
            return;
        };
        let innermost = open.span.as_ref().map_or(SpanId(0), |span| span.id);
        if innermost == span {
            open.show(note);
        }
    }

    /// Ends spans that another thread ended while this one was in them.
    fn settle(&mut self) {
        let is_over = |open: &Open| open.span.as_ref().is_some_and(|span| span.is_over());
        while self.open.last().is_some_and(is_over) {
            self.leave(self.open.len() - 1);
        }
    }

    /// Ends a zone; whether it is among sondage's events. Tracy ends the innermost, so those inside
    /// end too, and begin anew.
    fn leave(&mut self, at: usize) -> bool {
        for open in self.open[at..].iter_mut().rev() {
            open.end();
        }
        let left = self.open.remove(at);
        if connected() {
            for inside in at..self.open.len() {
                self.begin(inside);
            }
        }
        left.is_ours
    }

    fn begin(&mut self, at: usize) {
        let open = &mut self.open[at];
        open.zone = open.place.begin();
        if open.zone.active != 0 {
            if let Some(span) = &open.span {
                span.lines(|lines| open.tell(lines));
                span.looks(|note| open.show(note));
            }
            self.guard();
        }
    }

    /// Sees to it that nothing is told after what Tracy keeps of this thread is gone. To be called
    /// when Tracy keeps it.
    pub fn guard(&mut self) {
        unsafe extern "C" {
            /// The C++ library's: calls `end` at the end of the thread, before what was asked for
            /// earlier.
            fn __cxa_thread_atexit(
                end: extern "C" fn(*mut c_void),
                what: *mut c_void,
                library: *const c_void,
            ) -> c_int;
        }
        extern "C" fn ended(_: *mut c_void) {
            local::tracy_ends();
        }
        /// Its address says which library must stay until then.
        static HERE: AtomicU8 = AtomicU8::new(0);
        if !self.is_guarded {
            self.is_guarded = true;
            // SAFETY: the function is there as long as this library. Tracy has asked for its own
            // call before: it comes after this one.
            unsafe {
                __cxa_thread_atexit(
                    ended,
                    std::ptr::null_mut(),
                    HERE.as_ptr().cast_const().cast(),
                );
            }
        }
    }

    /// The thread ends: Tracy hears no more of it.
    pub fn end(&mut self) {
        while let Some(mut open) = self.open.pop() {
            open.end();
        }
    }
}

impl Open {
    fn end(&mut self) {
        if self.zone.active != 0 {
            // SAFETY: Tracy runs. It looks itself whether the profiler is still the same.
            unsafe { sys::___tracy_emit_zone_end(self.zone) };
            self.zone = UNTOLD;
        }
    }

    fn show(&self, note: Note<'_>) {
        // SAFETY: Tracy runs, copies as many bytes of a text, and does nothing where nobody has
        // heard of the zone.
        unsafe {
            match note {
                Note::Text(line) => self.tell(line),
                Note::Value(value) => sys::___tracy_emit_zone_value(self.zone, value),
                Note::Colour(colour) => {
                    sys::___tracy_emit_zone_color(self.zone, colour & 0xff_ffff);
                }
                Note::Name(name) => {
                    let name = fitting(name);
                    sys::___tracy_emit_zone_name(self.zone, name.as_ptr().cast(), name.len());
                }
            }
        }
    }

    fn tell(&self, line: &str) {
        let line = fitting(line);
        // SAFETY: Tracy runs, and copies this many bytes of the text.
        unsafe { sys::___tracy_emit_zone_text(self.zone, line.as_ptr().cast(), line.len()) };
    }
}

/// The start of a text that Tracy takes: its lengths have 16 bits.
pub(super) fn fitting(text: &str) -> &str {
    const MAX_BYTES: usize = u16::MAX as usize - 1;
    &text[..text.floor_char_boundary(MAX_BYTES)]
}
