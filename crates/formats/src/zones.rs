//! The zones an export is about, thread by thread in order of their start.

use rustc_hash::FxHashMap;
use sondage_analyze::Filter;
use sondage_model::{
    Dictionary, SiteId, Source, SourceError, ThreadId, TimeRange, ZoneDetail, ZoneFlags, ZoneRow,
};

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

/// Calls `each` for every thread that passes the filter and has zones, by process and thread. The
/// zones of one lane nest; they come lane by lane, in order of their start, outer ones first.
/// Stretches of suspended spans are left out: the span itself is there. Of the filter range,
/// processes and threads count.
pub(crate) fn per_thread<E: From<SourceError>>(
    source: &dyn Source,
    filter: &Filter,
    mut each: impl FnMut(ThreadId, &[Zone]) -> Result<(), E>,
) -> Result<(), E> {
    let mut counts: FxHashMap<ThreadId, u64> = FxHashMap::default();
    for block in 0..source.zone_blocks().len() {
        for row in source.zone_summary(block)?.iter() {
            *counts.entry(row.thread).or_default() += row.count;
        }
    }
    let process_of = |thread: ThreadId| {
        let row = source.dictionary().threads().get(thread.index());
        row.map(|row| row.process)
    };
    let all = filter.threads.is_empty() && filter.processes.is_empty();
    let mut threads: Vec<ThreadId> = counts.keys().copied().collect();
    threads.retain(|thread| {
        let process = process_of(*thread);
        all || filter.threads.contains(thread)
            || process.is_some_and(|process| filter.processes.contains(&process))
    });
    threads.sort_unstable_by_key(|thread| (process_of(*thread), *thread));
    let mut rest = &threads[..];
    while !rest.is_empty() {
        let mut held = 0;
        let group = rest.iter().take_while(|thread| {
            let is_first = held == 0;
            held += counts[thread];
            is_first || held <= ZONES_AT_A_TIME
        });
        let (group, later) = rest.split_at(group.count());
        let mut zones = of_threads(source, filter.range, group)?;
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

fn of_threads(
    source: &dyn Source,
    range: Option<TimeRange>,
    threads: &[ThreadId],
) -> Result<FxHashMap<ThreadId, Vec<Zone>>, SourceError> {
    let range = range.unwrap_or(TimeRange::ALL);
    let mut found: FxHashMap<ThreadId, Vec<Zone>> = FxHashMap::default();
    for (block, span) in source.zone_blocks().iter().enumerate() {
        if span.range.start > range.end || span.range.end < range.start {
            continue;
        }
        let zones = source.zones(block)?;
        for mut row in zones.rows() {
            let (start, end) = (row.start.max(range.start), row.range().end.min(range.end));
            let is_inside = start < end || (start == end && row.duration.0 == 0);
            if !is_inside || row.flags.has(ZoneFlags::POLL) || !threads.contains(&row.thread) {
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
