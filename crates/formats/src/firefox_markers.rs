//! What a program said of itself as markers of the Firefox Profiler.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use sondage_model::{Nanos, ThreadId, Time};

use crate::FormatError;
use crate::firefox_tables::Tables;
use crate::json::{Millis, Quoted, array};
use crate::select::Selection;
use crate::zones::{self, MomentKind};

/// How the profiler shows our markers: zones in the chart and the table with all that they carry.
pub(crate) const MARKER_SCHEMA: &str = concat!(
    r#"[{"name":"Zone","display":["marker-chart","marker-table","timeline-overview"],"#,
    r#""chartLabel":"{marker.name}","tableLabel":"{marker.name} {marker.data.arguments}","#,
    r#""fields":[{"key":"arguments","label":"Arguments","format":"string"},"#,
    r#"{"key":"place","label":"Place","format":"string"}]},"#,
    r#"{"name":"Log","display":["marker-chart","marker-table"],"#,
    r#""tableLabel":"{marker.data.text}","#,
    r#""fields":[{"key":"text","label":"Text","format":"string"}]}]"#,
);

/// A stretch of time, or a moment where `end` is `None`.
pub(crate) struct Marker {
    pub start: Time,
    pub end: Option<Time>,
    pub name: String,
    /// The fields of its data, as JSON.
    pub data: String,
}

/// The markers of each thread.
pub(crate) struct Markers(FxHashMap<ThreadId, Vec<Marker>>);

impl Markers {
    pub fn new(selection: &Selection<'_>) -> Result<Markers, FormatError> {
        let dictionary = selection.source.dictionary();
        let mut all: FxHashMap<ThreadId, Vec<Marker>> = FxHashMap::default();
        zones::per_thread(selection, |thread, zones| {
            let markers = zones.iter().map(|zone| {
                let place = zones::place(dictionary, zone.row.site);
                let arguments: Vec<String> = zone
                    .arguments()
                    .into_iter()
                    .map(|(key, value)| match value {
                        serde_json::Value::String(text) => format!("{key}={text}"),
                        value => format!("{key}={value}"),
                    })
                    .collect();
                Marker {
                    start: zone.row.start,
                    end: Some(zone.row.range().end),
                    name: place.name.to_owned(),
                    data: format!(
                        "{{\"type\":\"Zone\",\"arguments\":{},\"place\":{}}}",
                        Quoted(&arguments.join(", ")),
                        Quoted(&match place.file {
                            "" => place.function.to_owned(),
                            file => format!("{file}:{}", place.line),
                        }),
                    ),
                }
            });
            all.entry(thread).or_default().extend(markers);
            Ok(())
        })?;
        zones::moments(selection, |moment| {
            let (name, data) = match moment.kind {
                MomentKind::Frame => (moment.text.into_owned(), "null".to_owned()),
                MomentKind::Log => {
                    let text = Quoted(&moment.text);
                    (
                        "log".to_owned(),
                        format!("{{\"type\":\"Log\",\"text\":{text}}}"),
                    )
                }
            };
            all.entry(moment.thread).or_default().push(Marker {
                start: moment.time,
                end: None,
                name,
                data,
            });
            Ok(())
        })?;
        for markers in all.values_mut() {
            markers.sort_by_key(|marker| marker.start);
        }
        Ok(Markers(all))
    }

    /// The markers of a thread, once.
    pub fn take(&mut self, thread: ThreadId) -> Vec<Marker> {
        self.0.remove(&thread).unwrap_or_default()
    }

    /// The threads whose markers are left, in order.
    pub fn threads(&self) -> Vec<ThreadId> {
        let mut threads: Vec<ThreadId> = self.0.keys().copied().collect();
        threads.sort_unstable();
        threads
    }
}

/// A stretch and a moment, as the profiler counts phases.
const INTERVAL: u8 = 1;
const INSTANT: u8 = 0;

pub(crate) fn write_markers(
    out: &mut dyn Write,
    markers: &[Marker],
    tables: &mut Tables<'_>,
) -> io::Result<()> {
    write!(out, "{{\"length\":{},\"category\":", markers.len())?;
    array(out, markers, |out, _| out.write_all(b"0"))?;
    out.write_all(b",\"data\":")?;
    array(out, markers, |out, marker| {
        out.write_all(marker.data.as_bytes())
    })?;
    out.write_all(b",\"endTime\":")?;
    array(out, markers, |out, marker| match marker.end {
        Some(end) => write!(out, "{}", Millis(Nanos(end.0))),
        None => out.write_all(b"null"),
    })?;
    out.write_all(b",\"name\":")?;
    array(out, markers, |out, marker| {
        write!(out, "{}", tables.string(&marker.name))
    })?;
    out.write_all(b",\"phase\":")?;
    array(out, markers, |out, marker| {
        let phase = if marker.end.is_some() {
            INTERVAL
        } else {
            INSTANT
        };
        write!(out, "{phase}")
    })?;
    out.write_all(b",\"startTime\":")?;
    array(out, markers, |out, marker| {
        write!(out, "{}", Millis(Nanos(marker.start.0)))
    })?;
    out.write_all(b"}")
}
