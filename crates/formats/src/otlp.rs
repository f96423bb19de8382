//! Spans as an OpenTelemetry export request (OTLP, protobuf): what is sent to a collector's
//! `/v1/traces`.

use std::io::Write;

use rustc_hash::FxHashMap;
use sondage_model::{ProcessId, Source, SpanId, ThreadId, ZoneFlags, ZoneRow};

use crate::names::Names;
use crate::otlp_proto::{
    AnyValue, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Value,
};
use crate::select::Selection;
use crate::zones::{self, Zone};
use crate::{ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "otlp",
    description: "OpenTelemetry traces (OTLP protobuf), for any collector or tracing back end: spans",
    extension: "otlp.pb",
    loses: "everything but zones and spans: samples, counters, frames, log and locks. Zones that are \
            no spans get ids made from their place and time, and times are those of the wall clock",
    text: false,
    export: Some(write),
    import: None,
};

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;
/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;

/// Field of the request that holds the spans of one process.
const RESOURCE_SPANS: u32 = 1;

/// Spans of one message: a request of many is many messages of this size.
const SPANS_AT_A_TIME: usize = 10_000;

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let selection = Selection::new(source, &options.filter)?;
    let traces = Traces::new(source)?;
    let epoch = source.info().unix_start_nanos;
    zones::per_thread(&selection, |thread, all| {
        for lane in zones::lanes(all) {
            // The zones around the one at hand, by depth: their ids and traces.
            let mut around: Vec<(u64, u128)> = Vec::new();
            for part in lane.chunks(SPANS_AT_A_TIME) {
                let spans = part
                    .iter()
                    .map(|zone| span(source, &traces, thread, zone, epoch, &mut around))
                    .collect();
                write_spans(source, thread, spans, out)?;
            }
        }
        Ok(())
    })
}

fn span(
    source: &dyn Source,
    traces: &Traces,
    thread: ThreadId,
    zone: &Zone,
    epoch: u64,
    around: &mut Vec<(u64, u128)>,
) -> Span {
    let row = &zone.row;
    around.truncate(usize::from(row.depth));
    let outer = around.last().copied();
    let is_span = row.span != SpanId::NONE;
    let id = if is_span {
        row.span.0
    } else {
        made_up(thread, row)
    };
    let parent = match row.parent {
        SpanId::NONE => outer.map_or(0, |(id, _)| id),
        parent => parent.0,
    };
    let trace = match (is_span, outer) {
        (true, _) => traces.of(row.span),
        (false, Some((_, trace))) => trace,
        (false, None) => u128::from(mixed(id)) << 64 | u128::from(id),
    };
    // Where an outer zone is not in the range, what is inside it counts as outermost.
    around.push((id, trace));
    let place = zones::place(source.dictionary(), row.site);
    let mut attributes = vec![
        KeyValue::int("thread.id", tid(source, thread)),
        KeyValue::text("thread.name", &thread_name(source, thread)),
    ];
    if !place.function.is_empty() {
        attributes.push(KeyValue::text("code.function.name", place.function));
    }
    if !place.file.is_empty() {
        attributes.push(KeyValue::text("code.file.path", place.file));
        attributes.push(KeyValue::int("code.line.number", i64::from(place.line)));
    }
    if let Some(detail) = zone.detail.as_ref().filter(|detail| detail.count > 0) {
        attributes.push(KeyValue::int("sondage.count", detail.count as i64));
        attributes.push(KeyValue::int("sondage.total_ns", detail.total.0 as i64));
    }
    for (key, value) in zone.arguments() {
        attributes.push(KeyValue {
            key,
            value: Some(AnyValue {
                value: Some(zones::value(
                    value,
                    Value::Bool,
                    Value::Int,
                    Value::Double,
                    Value::Text,
                )),
            }),
        });
    }
    let start = epoch.saturating_add(row.start.0);
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: match parent {
            0 => Vec::new(),
            parent => parent.to_be_bytes().to_vec(),
        },
        name: place.name.to_owned(),
        kind: if row.flags.has(ZoneFlags::REMOTE) {
            SERVER
        } else {
            INTERNAL
        },
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(row.duration.0),
        attributes,
        status: row
            .flags
            .has(ZoneFlags::FAILED)
            .then_some(Status { code: ERROR }),
    }
}

fn write_spans(
    source: &dyn Source,
    thread: ThreadId,
    spans: Vec<Span>,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let scope = Scope {
        name: "sondage".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let message = ResourceSpans {
        resource: Some(resource(
            source,
            Names::new(source.dictionary()).process_of(thread),
        )),
        scope_spans: vec![ScopeSpans {
            scope: Some(scope),
            spans,
        }],
    };
    let mut bytes = Vec::new();
    prost::encoding::message::encode(RESOURCE_SPANS, &message, &mut bytes);
    out.write_all(&bytes)?;
    Ok(())
}

fn resource(source: &dyn Source, process: ProcessId) -> Resource {
    let dictionary = source.dictionary();
    let row = dictionary.processes().get(process.index());
    let pid = row.map_or(0, |row| i64::from(row.pid.0));
    let command = row.map_or("", |row| dictionary.text(row.command));
    let info = source.info();
    Resource {
        attributes: vec![
            KeyValue::text("service.name", Names::new(dictionary).process_name(process)),
            KeyValue::int("process.pid", pid),
            KeyValue::text("process.command_line", command),
            KeyValue::text("host.name", &info.host),
            KeyValue::text("telemetry.sdk.name", "sondage"),
        ],
    }
}

fn tid(source: &dyn Source, thread: ThreadId) -> i64 {
    let row = source.dictionary().threads().get(thread.index());
    row.map_or(0, |row| i64::from(row.tid.0))
}

fn thread_name(source: &dyn Source, thread: ThreadId) -> String {
    let row = source.dictionary().threads().get(thread.index());
    row.map_or_else(String::new, |row| source.dictionary().text(row.name).into())
}

/// An id for a zone that is no span: the same each time it is exported.
fn made_up(thread: ThreadId, row: &ZoneRow) -> u64 {
    let place = u64::from(thread.0) << 32 | u64::from(row.lane) << 16 | u64::from(row.depth);
    mixed(mixed(place) ^ row.start.0).max(1)
}

/// Spreads a number over all 64 bits (SplitMix64's last step).
fn mixed(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// To which trace each span belongs: told where a trace begins, and passed on to what is inside.
struct Traces(FxHashMap<SpanId, (SpanId, u128)>);

impl Traces {
    fn new(source: &dyn Source) -> Result<Traces, FormatError> {
        let mut spans = FxHashMap::default();
        for block in 0..source.zone_blocks().len() {
            let zones = source.zones(block)?;
            for row in zones.rows() {
                if row.span != SpanId::NONE && !row.flags.has(ZoneFlags::POLL) {
                    let trace = zones.detail(&row).map_or(0, |detail| detail.trace);
                    spans.insert(row.span, (row.parent, trace));
                }
            }
        }
        Ok(Traces(spans))
    }

    fn of(&self, span: SpanId) -> u128 {
        let mut at = span;
        // Bounded: in a damaged recording spans may be inside each other.
        for _ in 0..1000 {
            match self.0.get(&at) {
                Some((_, trace)) if *trace != 0 => return *trace,
                Some((parent, _)) if self.0.contains_key(parent) => at = *parent,
                _ => break,
            }
        }
        u128::from(mixed(at.0)) << 64 | u128::from(at.0)
    }
}
