//! Spans: zones with a number, which may change threads, and the futures in them.

use crate::raw::{self, SpanId};
use crate::site::{AsValue, Site, Text};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A span: begins when it is made, ends when it is dropped, and is in a thread only in between
/// [`Span::enter`]. Made by [`span!`](crate::span).
#[derive(Debug)]
#[must_use = "the span ends when this is dropped"]
pub struct Span {
    id: SpanId,
    has_failed: bool,
}

impl Span {
    /// Begins a span inside the one that this thread is in.
    pub fn begin(site: &Site) -> Span {
        if !raw::is_enabled() {
            return Span::none();
        }
        let id = raw::new_span_id();
        if !raw::span_make(site.id(), id, raw::current_span()) {
            return Span::none();
        }
        Span::of(id)
    }

    const fn of(id: SpanId) -> Span {
        Span {
            id,
            has_failed: false,
        }
    }

    /// A span that is not recorded.
    pub const fn none() -> Span {
        Span::of(SpanId(0))
    }

    /// Its number; 0 when it is not recorded.
    #[must_use]
    pub fn id(&self) -> SpanId {
        self.id
    }

    /// Whether it is recorded.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.id != SpanId(0)
    }

    /// Notes an argument of the span.
    pub fn value(&self, key: &Text, value: impl AsValue) {
        if self.is_open() {
            raw::value(self.id, key.id(), value.as_value());
        }
    }

    /// Notes that it fails.
    pub fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Does `work` inside the span.
    pub fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        if !self.is_open() {
            return work();
        }
        raw::span_enter(self.id);
        let _inside = Inside::new(self.id);
        work()
    }

    /// Puts a future into the span: from its first poll to its end it is in the span whenever it
    /// is polled, in whatever thread. The time between polls is the span's waiting.
    pub fn follow<F: Future>(self, future: F) -> InSpan<F> {
        InSpan {
            future,
            span: self,
            site: None,
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.is_open() {
            raw::span_end(self.id, self.has_failed);
        }
    }
}

/// While a thread is in a span. A panic leaves it too.
struct Inside {
    span: SpanId,
    outer: SpanId,
    is_over: bool,
}

impl Inside {
    fn new(span: SpanId) -> Inside {
        Inside {
            span,
            outer: raw::set_current_span(span),
            is_over: false,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        raw::set_current_span(self.outer);
        if !self.is_over {
            raw::span_exit(self.span);
        }
    }
}

/// A future in a span. Made by [`Span::follow`] and [`instrument`](crate::instrument).
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InSpan<F> {
    // Dropped first: what the future does at its end is still in the span.
    future: F,
    span: Span,
    /// The span begins at the first poll, with this place.
    site: Option<&'static Site>,
}

impl<F: Future> InSpan<F> {
    /// A future whose span begins when it is polled first, as its work does.
    pub fn at(site: &'static Site, future: F) -> InSpan<F> {
        InSpan {
            future,
            span: Span::none(),
            site: Some(site),
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future is never moved out of `self`; the other parts are not pinned.
        let (future, span, site) = unsafe {
            let this = self.get_unchecked_mut();
            let future = Pin::new_unchecked(&mut this.future);
            (future, &mut this.span, &mut this.site)
        };
        if let Some(site) = site.take()
            && raw::is_enabled()
        {
            let id = raw::new_span_id();
            if raw::span_begin(site.id(), id, raw::current_span()) {
                // Until it is done it counts as failed: whoever drops it, cancels it.
                (span.id, span.has_failed) = (id, true);
            }
        } else if span.is_open() {
            raw::span_enter(span.id);
        }
        if !span.is_open() {
            return future.poll(context);
        }
        let mut inside = Inside::new(span.id);
        let polled = future.poll(context);
        if polled.is_ready() {
            inside.is_over = true;
            drop(inside);
            raw::span_end(span.id, false);
            span.id = SpanId(0);
        }
        polled
    }
}
