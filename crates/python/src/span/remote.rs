//! Spans that stand for those of another process.

use super::*;

/// A span of another process, to be made current: spans inside it are its children there.
pub(crate) unsafe fn new_remote(name: Object, trace: TraceId, id: SpanId) -> *mut Span {
    // SAFETY: as in `new`.
    unsafe {
        let span = new(name, 0);
        if !span.is_null() {
            (*span).flags = REMOTE;
            (*span).id = id.0;
            (*span).trace = trace.0;
            (*span).start = 0;
        }
        span
    }
}

/// Makes a remote span current.
pub(crate) unsafe fn enter_remote(span: *mut Span) {
    // SAFETY: the span is live, and the GIL is held.
    unsafe {
        (*span).parent = context::swap(new_ref(span.cast()).cast());
    }
}

/// Ends what [`enter_remote`] began.
pub(crate) unsafe fn leave_remote(span: *mut Span) {
    // SAFETY: as in `enter_remote`.
    unsafe {
        if (*span).flags & (REMOTE | ENDED) == REMOTE {
            (*span).flags |= ENDED;
            let parent = replace(&mut (*span).parent, null_mut());
            if !parent.is_null() {
                incref(parent.cast());
            }
            if context::leave(span, parent) {
                xdecref(parent.cast());
            } else {
                (*span).parent = parent;
                (*span).flags |= OUT_OF_TURN;
            }
        }
    }
}
