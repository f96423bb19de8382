//! `api/zone` and `api/trace`: one zone, and the spans of one trace.

use serde::Serialize;
use sondage_analyze::{Analyzer, Zone, ZoneId};
use sondage_model::{SpanId, ThreadId, Time, ZoneFlags};

use crate::Recording;
use crate::api::columns::column;
use crate::api::filter::{place, recording, zone};
use crate::api::params::{Params, wrong};
use crate::api::to_json;
use crate::api::zones::{SiteJson, ZoneJson};
use crate::error::ApiError;

/// What is special about a zone, as words.
pub(super) fn flag_names(flags: ZoneFlags) -> Vec<&'static str> {
    [
        (ZoneFlags::SPAN, "span"),
        (ZoneFlags::POLL, "poll"),
        (ZoneFlags::SUSPENDED, "suspended"),
        (ZoneFlags::FAILED, "failed"),
        (ZoneFlags::OPEN, "open"),
        (ZoneFlags::CUMULATIVE, "cumulative"),
        (ZoneFlags::REMOTE, "remote"),
        (ZoneFlags::CUT, "cut"),
    ]
    .into_iter()
    .filter(|(flag, _)| flags.has(*flag))
    .map(|(_, name)| name)
    .collect()
}

/// Numbers that do not fit a JavaScript number, in hexadecimal as traces write them.
fn span(number: SpanId) -> Option<String> {
    (number != SpanId::NONE).then(|| format!("{:016x}", number.0))
}

fn trace(number: u128) -> Option<String> {
    (number != 0).then(|| format!("{number:032x}"))
}

/// All passes of a cumulative zone.
#[derive(Serialize)]
struct Passes {
    count: u64,
    total: u64,
    min: u64,
    max: u64,
}

pub(super) fn card(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a, A, I> {
        zone: ZoneJson,
        site: SiteJson,
        #[serde(rename = "self")]
        own: Option<u64>,
        arguments: &'a str,
        passes: Option<Passes>,
        span: Option<String>,
        parent: Option<String>,
        trace: Option<String>,
        task: Option<&'a str>,
        around: A,
        inside: I,
        inside_count: Option<u64>,
        before: Option<u64>,
        after: Option<u64>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let dict = analyzer.dictionary();
    let card = analyzer.zone_card(wanted_zone(analyzer, params)?)?;
    let row = card.zone.row;
    let detail = card.detail.as_ref();
    let task = dict.tasks().get(card.task.index());
    let passes = detail.filter(|_| row.flags.has(ZoneFlags::CUMULATIVE));
    let list = |zone: &Zone| ZoneJson::new(analyzer, zone);
    to_json(&Answer {
        zone: list(&card.zone),
        site: SiteJson::of(analyzer, row.site),
        own: card.own.map(|own| own.0),
        arguments: detail.map_or("", |detail| &detail.arguments),
        passes: passes.map(|detail| Passes {
            count: detail.count,
            total: detail.total.0,
            min: detail.min.0,
            max: detail.max.0,
        }),
        span: span(row.span),
        parent: span(row.parent),
        trace: trace(detail.map_or(0, |detail| detail.trace)),
        task: task
            .map(|task| dict.text(task.name))
            .filter(|name| !name.is_empty()),
        around: column(&card.around, list),
        inside: column(&card.inside, list),
        inside_count: card.inside_count,
        before: card.before.map(|zone| zone.id.0),
        after: card.after.map(|zone| zone.id.0),
    })
}

/// The zone that `zone` names, or the one of `threads`, `lane` and `depth` at the time `at`.
fn wanted_zone(analyzer: &Analyzer, params: &Params) -> Result<ZoneId, ApiError> {
    if let Some(id) = zone(analyzer, params)? {
        return Ok(id);
    }
    let Some(at) = params.number("at")?.map(Time) else {
        return Err(ApiError::bad(
            "`zone` is missing",
            "name a zone by its number (see api/tracks), or by `threads`, `lane`, `depth` and `at`",
        ));
    };
    let threads = place(analyzer.source(), params)?.threads;
    let [thread] = threads[..] else {
        let given = params.text("threads").unwrap_or("").to_owned();
        return Err(wrong(
            "threads",
            given,
            "with `at`, name one thread by its id",
        ));
    };
    let thread: ThreadId = thread;
    let lane = params.number("lane")?.unwrap_or(0);
    let depth = params.number("depth")?.unwrap_or(0);
    let found = analyzer.zone_at(thread, lane, depth, at)?;
    found.map(|zone| zone.id).ok_or_else(|| {
        ApiError::not_found(
            "there is no zone at this time",
            "zones of this thread, lane and depth are in api/tracks",
        )
    })
}

pub(super) fn tree(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<Z, L, P> {
        trace: Option<String>,
        zones: Z,
        level: L,
        parent: P,
        omitted: u64,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let tree = analyzer.trace_of(wanted_zone(analyzer, params)?)?;
    to_json(&Answer {
        trace: trace(tree.trace),
        zones: column(&tree.spans, |span| ZoneJson::new(analyzer, &span.zone)),
        level: column(&tree.spans, |span| span.level),
        parent: column(&tree.spans, |span| span.parent.map_or(-1, |at| at as i64)),
        omitted: tree.omitted,
    })
}
