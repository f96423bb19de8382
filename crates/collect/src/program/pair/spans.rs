//! Spans: where they lie, and how they change threads.

use sondage_model::{Nanos, SiteId, SpanId, TaskId, Time, ZoneDetail, ZoneFlags, ZoneRow};

use super::{MOST_ANCESTORS, MOST_OPEN, MOST_TASKS, Pairing, Span, StreamId, Stretch};
use crate::program::lanes::Place;
use crate::program::rows::Rows;

impl Pairing {
    pub(super) fn span_begin(
        &mut self,
        stream: StreamId,
        id: SpanId,
        mut span: Span,
        rows: &mut Rows,
    ) {
        let time = span.start;
        if self.spans.contains_key(&id) {
            // Numbers are given out once: its end was lost.
            self.span_end(id, time, ZoneFlags::CUT, rows);
        }
        let lane = self.lane_of_begin(stream, &span, rows);
        let lanes = &mut self.threads[span.thread].lanes;
        let has_room = self.spans.len() < MOST_OPEN;
        let place = has_room.then(|| lanes.push(lane, Some(id.0))).flatten();
        let Some(place) = place else {
            let depth = u16::MAX;
            span.flags = span.flags.with(ZoneFlags::OPEN);
            self.put_span(id, span, Place { lane, depth }, time, rows);
            return;
        };
        span.stretch = Some(Stretch {
            thread: span.thread,
            place,
            since: time,
        });
        self.spans.insert(id, span);
    }

    /// The task of a span that begins now: the one that was told, else that of the span around it.
    pub(super) fn task_of_begin(&mut self, stream: StreamId, id: SpanId, parent: SpanId) -> TaskId {
        let of = &mut self.streams[stream];
        if let Some((span, task)) = of.task.take()
            && span == id
        {
            return task;
        }
        let around = self.spans.get(&parent);
        let around = around.filter(|around| around.thread == of.thread);
        around.map_or(TaskId::NONE, |around| around.task)
    }

    /// Where a span goes that begins now.
    fn lane_of_begin(&mut self, stream: StreamId, span: &Span, rows: &mut Rows) -> u16 {
        let (thread, own) = (span.thread, self.streams[stream].lane);
        let parent = self.spans.get(&span.parent);
        let around = parent.and_then(|parent| parent.stretch);
        let around = around.filter(|around| around.thread == thread);
        if let Some(around) = around {
            let lane = around.place.lane;
            self.cut_doubtful((thread, lane), span.parent, span.start, rows);
            if self.threads[thread].lanes.top_span(lane) == Some(span.parent.0) {
                return lane;
            }
        }
        self.cut_doubtful((thread, own), span.parent, span.start, rows);
        let of = &mut self.threads[thread];
        let known = of.task_lanes[0].get(&span.task).copied();
        if let Some(lane) = known.filter(|lane| *lane != own)
            && of.lanes.is_empty_since(lane, span.start)
        {
            return lane;
        }
        if of.lanes.top_span(own).is_none() {
            return own;
        }
        of.lanes.empty_since(span.start)
    }

    /// Remembers where a task had an outermost span.
    fn keep_lane(&mut self, span: &Span, place: Place) {
        if span.task == TaskId::NONE || place.depth > 0 {
            return;
        }
        let [whole, suspended] = &mut self.threads[span.thread].task_lanes;
        let lanes = if span.place.is_some() {
            whole.remove(&span.task);
            suspended
        } else {
            whole
        };
        if lanes.len() >= MOST_TASKS {
            lanes.clear();
        }
        lanes.insert(span.task, place.lane);
    }

    pub(super) fn span_enter(&mut self, stream: StreamId, id: SpanId, time: u64, rows: &mut Rows) {
        let (thread, lane) = (self.streams[stream].thread, self.streams[stream].lane);
        let Some(span) = self.spans.get_mut(&id) else {
            return;
        };
        span.doubtful = None;
        match span.stretch {
            Some(stretch) if stretch.thread == thread => {
                span.nested = span.nested.saturating_add(1);
                return;
            }
            // Two threads at once: the first one's stretch ends here.
            Some(_) => {
                span.nested = 0;
                self.span_exit(id, time, rows);
            }
            None => {}
        }
        let place = self.threads[thread].lanes.push(lane, Some(id.0));
        if let (Some(span), Some(place)) = (self.spans.get_mut(&id), place) {
            span.stretch = Some(Stretch {
                thread,
                place,
                since: time,
            });
        }
    }

    pub(super) fn span_exit(&mut self, id: SpanId, time: u64, rows: &mut Rows) {
        let Some(span) = self.spans.get_mut(&id) else {
            return;
        };
        span.doubtful = None;
        if span.nested > 0 {
            span.nested -= 1;
            return;
        }
        self.give_places(id);
        let Some(span) = self.spans.get_mut(&id) else {
            return;
        };
        span.flags = span.flags.with(ZoneFlags::SUSPENDED);
        if let Some(stretch) = span.stretch.take() {
            span.busy += time.saturating_sub(stretch.since);
            self.put_stretch(id, stretch, time, rows);
        }
    }

    /// Gives a span that is about to be suspended a place for its whole time, and those around it
    /// first, which will be suspended with it.
    fn give_places(&mut self, id: SpanId) {
        let mut chain = vec![id];
        let mut at = id;
        while let Some(span) = self.spans.get(&at)
            && let Some(parent) = self.spans.get(&span.parent)
            && parent.place.is_none()
            && parent.thread == span.thread
            && chain.len() < MOST_ANCESTORS
        {
            at = span.parent;
            chain.push(at);
        }
        for id in chain.into_iter().rev() {
            let Some(span) = self.spans.get(&id) else {
                continue;
            };
            if span.place.is_some() {
                continue;
            }
            let parent = self.spans.get(&span.parent);
            let parent = parent.filter(|parent| parent.thread == span.thread);
            let around = parent.and_then(|parent| parent.place);
            let of = &mut self.threads[span.thread];
            let lanes = &mut of.lanes;
            let lane = around.map(|around| around.lane).filter(|lane| {
                let is_on_top = lanes.top_span(*lane) == Some(span.parent.0);
                is_on_top && lanes.last_end(*lane) <= span.start
            });
            let lane = lane.or_else(|| {
                let known = of.task_lanes[1].get(&span.task).copied();
                known.filter(|lane| lanes.is_empty_since(*lane, span.start))
            });
            let lane = lane.unwrap_or_else(|| lanes.empty_since(span.start));
            let place = lanes.push(lane, Some(id.0));
            if let Some(span) = self.spans.get_mut(&id) {
                span.place = place;
            }
        }
    }

    pub(super) fn span_end(&mut self, id: SpanId, time: u64, flags: ZoneFlags, rows: &mut Rows) {
        let Some(mut span) = self.spans.remove(&id) else {
            return;
        };
        span.flags = span.flags.with(flags);
        let mut place = Place { lane: 0, depth: 0 };
        if let Some(stretch) = span.stretch.take() {
            span.busy += time.saturating_sub(stretch.since);
            place = stretch.place;
            if span.place.is_some() {
                let poll = (id, span.site, span.parent);
                self.put_poll(poll, stretch, time, rows);
            } else {
                self.threads[stretch.thread].lanes.remove(place, time);
            }
        }
        if let Some(whole) = span.place {
            self.threads[span.thread].lanes.remove(whole, time);
            place = whole;
        }
        self.keep_lane(&span, place);
        self.put_span(id, span, place, time, rows);
    }

    pub(super) fn cumulative(
        &mut self,
        stream: StreamId,
        time: u64,
        site: SiteId,
        parent: SpanId,
        (count, [total, min, max]): (u64, [Nanos; 3]),
        rows: &mut Rows,
    ) {
        let around = self
            .spans
            .get(&parent)
            .map_or(self.origin, |span| span.start);
        let start = time.saturating_sub(total.0).max(around.min(time));
        let thread = &mut self.threads[self.streams[stream].thread];
        let lane = thread.lanes.empty_since(start);
        let place = thread.lanes.push(lane, None);
        if let Some(place) = place {
            thread.lanes.remove(place, time);
        }
        let row = ZoneRow {
            start: Time(start),
            duration: Nanos(time - start),
            busy: Nanos(time - start),
            thread: thread.id,
            site,
            lane,
            depth: place.map_or(0, |place| place.depth),
            flags: ZoneFlags::CUMULATIVE,
            parent,
            ..ZoneRow::default()
        };
        let detail = ZoneDetail {
            count,
            min,
            max,
            total,
            ..ZoneDetail::default()
        };
        self.put(row, time, Some(detail), rows);
    }

    /// Events of a thread were lost: of each span that runs there, the end may be among them.
    pub(super) fn doubt_spans(&mut self, stream: StreamId, time: u64) {
        let thread = self.streams[stream].thread;
        for id in self.threads[thread].lanes.spans() {
            if let Some(span) = self.spans.get_mut(&SpanId(id))
                && span.stretch.is_some_and(|stretch| stretch.thread == thread)
            {
                span.doubtful.get_or_insert(time);
            }
        }
    }

    /// Another span begins in this lane: whatever is on top of it, may have ended in a gap, and is
    /// not around the new one, did so.
    fn cut_doubtful(
        &mut self,
        (thread, lane): (usize, u16),
        parent: SpanId,
        now: u64,
        rows: &mut Rows,
    ) {
        while let Some(top) = self.threads[thread].lanes.top_span(lane).map(SpanId)
            && let Some(span) = self.spans.get(&top)
            && let Some(at) = span.doubtful
            && !self.is_around(top, parent)
        {
            // What began in it after the gap and has ended lies in it.
            let inside = self.threads[thread].lanes.last_end(lane);
            let whole = span.place.map_or(0, |place| {
                self.threads[span.thread].lanes.last_end(place.lane)
            });
            let at = at.max(span.start).max(inside).max(whole).min(now);
            self.span_end(top, at, ZoneFlags::CUT, rows);
        }
    }

    /// Whether `outer` is `inner` or around it.
    fn is_around(&self, outer: SpanId, inner: SpanId) -> bool {
        let mut at = inner;
        for _ in 0..MOST_ANCESTORS {
            if at == outer {
                return true;
            }
            match self.spans.get(&at) {
                Some(span) => at = span.parent,
                None => return false,
            }
        }
        true
    }

    pub(super) fn put_stretch(&mut self, id: SpanId, stretch: Stretch, end: u64, rows: &mut Rows) {
        if let Some(span) = self.spans.get(&id) {
            let poll = (id, span.site, span.parent);
            self.put_poll(poll, stretch, end, rows);
        }
    }

    fn put_poll(
        &mut self,
        (span, site, parent): (SpanId, SiteId, SpanId),
        stretch: Stretch,
        end: u64,
        rows: &mut Rows,
    ) {
        let thread = &mut self.threads[stretch.thread];
        thread.lanes.remove(stretch.place, end);
        let duration = Nanos(end.saturating_sub(stretch.since));
        let row = ZoneRow {
            start: Time(stretch.since),
            duration,
            busy: duration,
            thread: thread.id,
            site,
            lane: stretch.place.lane,
            depth: stretch.place.depth,
            flags: ZoneFlags::POLL,
            span,
            parent,
            detail: 0,
        };
        if duration > Nanos::ZERO {
            self.put(row, end, None, rows);
        }
    }

    fn put_span(&mut self, id: SpanId, span: Span, place: Place, end: u64, rows: &mut Rows) {
        let row = ZoneRow {
            start: Time(span.start),
            duration: Nanos(end.saturating_sub(span.start)),
            busy: Nanos(span.busy),
            thread: self.threads[span.thread].id,
            site: span.site,
            lane: place.lane,
            depth: place.depth,
            flags: span.flags,
            span: id,
            parent: span.parent,
            detail: 0,
        };
        let has_task = span.task != TaskId::NONE;
        let has_detail = span.trace != 0 || has_task || span.arguments.is_some();
        let detail = has_detail.then(|| ZoneDetail {
            arguments: span.arguments.map_or_else(String::new, |all| all.to_json()),
            trace: span.trace,
            task: span.task,
            ..ZoneDetail::default()
        });
        self.put(row, end, detail, rows);
    }
}
