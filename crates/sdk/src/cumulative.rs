//! Many passes of one place, added up.

use crate::raw::{self, SpanId};
use crate::site::Site;

/// Adds the passes of one place up, and records them as one event when it ends. Made by
/// [`cumulative!`](crate::cumulative). Belongs to the span that the thread is in at its end.
#[derive(Debug)]
#[must_use = "it is recorded when it is dropped"]
pub struct Cumulative {
    site: Option<&'static Site>,
    count: u64,
    total_ticks: u64,
    min_ticks: u64,
    max_ticks: u64,
}

impl Cumulative {
    /// No passes yet.
    pub const fn new(site: &'static Site) -> Cumulative {
        Cumulative::of(Some(site))
    }

    /// One that is not recorded.
    pub const fn none() -> Cumulative {
        Cumulative::of(None)
    }

    const fn of(site: Option<&'static Site>) -> Cumulative {
        Cumulative {
            site,
            count: 0,
            total_ticks: 0,
            min_ticks: u64::MAX,
            max_ticks: 0,
        }
    }

    /// Begins a pass; it ends when what it returns is dropped.
    #[inline(always)]
    pub fn pass(&mut self) -> Pass<'_> {
        let begin = if self.site.is_some() && raw::is_enabled() {
            raw::ticks()
        } else {
            0
        };
        Pass { of: self, begin }
    }

    /// Records what was added up so far, and begins anew.
    pub fn flush(&mut self) {
        let Some(site) = self.site.filter(|_| self.count > 0) else {
            return;
        };
        let nanos = [self.total_ticks, self.min_ticks, self.max_ticks].map(raw::nanos_of);
        let parent: SpanId = raw::current_span();
        raw::cumulative(site.id(), parent, self.count, nanos);
        // Not by a new one in its place: that would drop the old one, and come back here.
        (self.count, self.total_ticks) = (0, 0);
        (self.min_ticks, self.max_ticks) = (u64::MAX, 0);
    }
}

impl Drop for Cumulative {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A pass of a [`Cumulative`].
#[derive(Debug)]
#[must_use = "the pass ends when this is dropped"]
pub struct Pass<'a> {
    of: &'a mut Cumulative,
    /// 0 when nothing is recorded.
    begin: u64,
}

impl Drop for Pass<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.begin != 0 {
            let ticks = raw::ticks().saturating_sub(self.begin);
            self.of.count += 1;
            self.of.total_ticks += ticks;
            self.of.min_ticks = self.of.min_ticks.min(ticks);
            self.of.max_ticks = self.of.max_ticks.max(ticks);
        }
    }
}
