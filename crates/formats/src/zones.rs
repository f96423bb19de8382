//! What programs say of themselves, as exports need it: zones thread by thread, their begins and
//! ends in order, frame marks and log lines.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use sondage_model::{
    Dictionary, SiteId, SourceError, ThreadId, Time, ZoneDetail, ZoneFlags, ZoneRow,
};

use crate::FormatError;
use crate::names::Names;
use crate::select::Selection;

/// Zones held in memory at a time, unless one thread has more. One takes about 100 bytes.
const ZONES_AT_A_TIME: u64 = 4_000_000;

/// A zone, cut to the range of the filter.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub row: ZoneRow,
    pub detail: Option<Box<ZoneDetail>>,
}

impl Zone {
    /// Its arguments by name; none where they cannot be read.
    pub fn arguments(&self) -> serde_json::Map<String, serde_json::Value> {
        let text = self.detail.as_ref().map_or("", |detail| &detail.arguments);
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// Calls `each` for every thread of the selection that has zones, by process and thread. The zones
/// of one lane nest; they come lane by lane, in order of their start, outer ones first. Stretches
/// of suspended spans are left out: the span itself is there. Where the selection is inside zones,
/// those that begin in there count.
pub(crate) fn per_thread(
    selection: &Selection<'_>,
    mut each: impl FnMut(ThreadId, &[Zone]) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let source = selection.source;
    let mut counts: FxHashMap<ThreadId, u64> = FxHashMap::default();
    for block in 0..source.zone_blocks().len() {
        for row in source.zone_summary(block)?.iter() {
            *counts.entry(row.thread).or_default() += row.count;
        }
    }
    let names = Names::new(source.dictionary());
    let mut threads: Vec<ThreadId> = counts.keys().copied().collect();
    threads.retain(|thread| selection.has_thread(*thread));
    threads.sort_unstable_by_key(|thread| (names.process_of(*thread), *thread));
    let mut rest = &threads[..];
    while !rest.is_empty() {
        let mut held = 0;
        let group = rest.iter().take_while(|thread| {
            let is_first = held == 0;
            held += counts[thread];
            is_first || held <= ZONES_AT_A_TIME
        });
        let (group, later) = rest.split_at(group.count());
        let mut zones = of_threads(selection, group)?;
        for thread in group {
            let mut zones = zones.remove(thread).unwrap_or_default();
            zones.sort_by_key(|zone| {
                let ZoneRow {
                    lane, start, depth, ..
                } = zone.row;
                (lane, start, depth)
            });
            if !zones.is_empty() {
                each(*thread, &zones)?;
            }
        }
        rest = later;
    }
    Ok(())
}

/// The lanes of one thread's zones.
pub(crate) fn lanes(zones: &[Zone]) -> impl Iterator<Item = &[Zone]> {
    zones.chunk_by(|a, b| a.row.lane == b.row.lane)
}

fn of_threads(
    selection: &Selection<'_>,
    threads: &[ThreadId],
) -> Result<FxHashMap<ThreadId, Vec<Zone>>, SourceError> {
    let (source, range) = (selection.source, selection.range());
    let mut found: FxHashMap<ThreadId, Vec<Zone>> = FxHashMap::default();
    for (block, span) in source.zone_blocks().iter().enumerate() {
        if span.range.start > range.end || span.range.end < range.start {
            continue;
        }
        let zones = source.zones(block)?;
        for mut row in zones.rows() {
            let (start, end) = (row.start.max(range.start), row.range().end.min(range.end));
            let is_inside = start < end || (start == end && row.duration.0 == 0);
            if !is_inside
                || row.flags.has(ZoneFlags::POLL)
                || !threads.contains(&row.thread)
                || !selection.is_inside(row.thread, row.start)
            {
                continue;
            }
            let detail = zones.detail(&row).cloned().map(Box::new);
            row.start = start;
            row.duration = end.since(start);
            found
                .entry(row.thread)
                .or_default()
                .push(Zone { row, detail });
        }
    }
    Ok(found)
}

/// A side of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    Begin,
    End,
}

/// Calls `each` with both sides of the zones of one lane, in the order of time. What reaches beyond
/// the zone around it, as in a gap, ends with it.
pub(crate) fn edges<E>(
    lane: &[Zone],
    mut each: impl FnMut(Edge, &Zone, Time) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Vec<(&Zone, Time)> = Vec::new();
    for zone in lane {
        let range = zone.row.range();
        while let Some((inner, end)) = open.pop_if(|(_, end)| *end <= range.start) {
            each(Edge::End, inner, end)?;
        }
        let around = open.last().map_or(range.end, |(_, end)| *end);
        each(Edge::Begin, zone, range.start)?;
        open.push((zone, range.end.min(around)));
    }
    while let Some((inner, end)) = open.pop() {
        each(Edge::End, inner, end)?;
    }
    Ok(())
}

/// What a thread said at one moment.
pub(crate) struct Moment<'a> {
    pub time: Time,
    pub thread: ThreadId,
    pub kind: MomentKind,
    /// What the frame is called, or the line of the log.
    pub text: Cow<'a, str>,
}

/// What is said at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MomentKind {
    Frame,
    Log,
}

impl MomentKind {
    pub fn name(self) -> &'static str {
        match self {
            MomentKind::Frame => "frame",
            MomentKind::Log => "log",
        }
    }
}

/// Calls `each` with the frame marks of the selection, in order, then with its log lines.
pub(crate) fn moments(
    selection: &Selection<'_>,
    mut each: impl FnMut(Moment<'_>) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let (source, range) = (selection.source, selection.range());
    let is_meant = |thread: ThreadId, time: Time| {
        selection.has_thread(thread) && selection.is_inside(thread, time)
    };
    for mark in source.frame_marks()?.iter() {
        if range.contains(mark.time) && is_meant(mark.thread, mark.time) {
            let text = match source.dictionary().text(mark.name) {
                "" => "frame",
                name => name,
            };
            each(Moment {
                time: mark.time,
                thread: mark.thread,
                kind: MomentKind::Frame,
                text: text.into(),
            })?;
        }
    }
    for log in source.logs(range)? {
        if is_meant(log.thread, log.time) {
            each(Moment {
                time: log.time,
                thread: log.thread,
                kind: MomentKind::Log,
                text: log.text.into(),
            })?;
        }
    }
    Ok(())
}

/// An argument's value as a format has it: `texts` are also what it has no kind of its own for.
pub(crate) fn value<V>(
    json: serde_json::Value,
    bools: impl FnOnce(bool) -> V,
    ints: impl FnOnce(i64) -> V,
    doubles: impl FnOnce(f64) -> V,
    texts: impl FnOnce(String) -> V,
) -> V {
    use serde_json::Value as Json;
    match json {
        Json::Bool(value) => bools(value),
        Json::String(text) => texts(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => ints(value),
            (None, Some(value)) => doubles(value),
            (None, None) => texts(number.to_string()),
        },
        other => texts(other.to_string()),
    }
}

/// What the site of a zone says.
pub(crate) struct Place<'a> {
    /// Never empty.
    pub name: &'a str,
    pub function: &'a str,
    pub file: &'a str,
    pub line: u32,
}

/// The place of a zone; `(unknown)` for a site that is not of this dictionary.
pub(crate) fn place(dictionary: &Dictionary, site: SiteId) -> Place<'_> {
    let Some(row) = dictionary.sites().get(site.index()) else {
        return Place {
            name: "(unknown)",
            function: "",
            file: "",
            line: 0,
        };
    };
    let function = dictionary.text(row.function);
    let name = [dictionary.text(row.name), function]
        .into_iter()
        .find(|text| !text.trim().is_empty());
    Place {
        name: name.unwrap_or("(unknown)"),
        function,
        file: dictionary.file_path(row.file),
        line: row.line,
    }
}

/// What a track of zones is called: the thread, and the lane where there are several.
pub(crate) fn track_name(thread: &str, lane: u16) -> String {
    match lane {
        0 => format!("{thread} zones"),
        lane => format!("{thread} zones {}", lane + 1),
    }
}
