//! `api/zones`, `api/site` and `api/instances`: zones by place.

use serde::Serialize;
use sondage_analyze::{
    Analyzer, Bucket, Histogram, InstanceQuery, Percentiles, SiteFigures, SiteName, Zone,
    ZoneQuery, ZoneSort,
};
use sondage_model::{Nanos, SiteId};

use crate::Recording;
use crate::api::columns::column;
use crate::api::filter::{place, recording, regex, site};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;

/// Rows of an answer at most.
const MAX_ROWS: usize = 10_000;
const DEFAULT_ROWS: usize = 200;

/// A place in the source where zones are made.
#[derive(Serialize)]
pub(super) struct SiteJson {
    site: u32,
    label: String,
    function: String,
    file: Option<u32>,
    path: String,
    short: String,
    line: u32,
    /// `#rrggbb`; null to let the page choose.
    colour: Option<String>,
}

impl SiteJson {
    pub(super) fn new(name: SiteName) -> SiteJson {
        SiteJson {
            site: name.site.0,
            file: (!name.path.is_empty()).then_some(name.file.0),
            label: name.label,
            function: name.function,
            path: name.path,
            short: name.short,
            line: name.line,
            colour: (name.colour != 0).then(|| format!("#{:06x}", name.colour & 0xff_ffff)),
        }
    }

    pub(super) fn of(analyzer: &Analyzer, site: SiteId) -> SiteJson {
        SiteJson::new(analyzer.site_name(site))
    }
}

/// Figures of one place.
#[derive(Serialize)]
pub(crate) struct FiguresJson {
    count: u64,
    total: u64,
    #[serde(rename = "self")]
    own: u64,
    min: u64,
    max: u64,
    mean: u64,
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
}

impl FiguresJson {
    pub(crate) fn new(row: &SiteFigures) -> FiguresJson {
        let percentile = |part: fn(&Percentiles) -> Nanos| Some(part(&row.percentiles?).0);
        FiguresJson {
            count: row.count,
            total: row.total.0,
            own: row.own.0,
            min: row.min.0,
            max: row.max.0,
            mean: row.mean().0,
            p50: percentile(|p| p.p50),
            p95: percentile(|p| p.p95),
            p99: percentile(|p| p.p99),
        }
    }
}

/// A histogram of durations, one column a part.
#[derive(Serialize)]
pub(super) struct HistogramJson {
    from: Vec<u64>,
    to: Vec<u64>,
    count: Vec<u64>,
    total: Vec<u64>,
    examples: Vec<Vec<u64>>,
}

impl HistogramJson {
    pub(super) fn new(histogram: &Histogram) -> HistogramJson {
        let numbers = |of: fn(&Bucket) -> u64| histogram.buckets.iter().map(of).collect();
        HistogramJson {
            from: numbers(|bucket| bucket.from.0),
            // The last one has no end, and none that fits a JavaScript number.
            to: numbers(|bucket| bucket.to.0.min(1 << 53)),
            count: numbers(|bucket| bucket.count),
            total: numbers(|bucket| bucket.total.0),
            examples: histogram
                .buckets
                .iter()
                .map(|bucket| bucket.examples.iter().map(|zone| zone.0).collect())
                .collect(),
        }
    }
}

/// A zone in a list.
#[derive(Serialize)]
pub(super) struct ZoneJson {
    zone: u64,
    site: u32,
    label: String,
    thread: u32,
    lane: u16,
    depth: u16,
    start: u64,
    duration: u64,
    busy: u64,
    flags: Vec<&'static str>,
}

impl ZoneJson {
    pub(super) fn new(analyzer: &Analyzer, zone: &Zone) -> ZoneJson {
        let row = &zone.row;
        ZoneJson {
            zone: zone.id.0,
            site: row.site.0,
            label: analyzer.site_name(row.site).label,
            thread: row.thread.0,
            lane: row.lane,
            depth: row.depth,
            start: row.start.0,
            duration: row.duration.0,
            busy: row.busy.0,
            flags: super::zone::flag_names(row.flags),
        }
    }
}

pub(super) fn zones(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<S, F> {
        zones: u64,
        rows: usize,
        sites: S,
        figures: F,
        empty: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let filter = place(analyzer.source(), params)?;
    let query = ZoneQuery {
        sort: params.choice(
            "sort",
            &[
                ("total", ZoneSort::Total),
                ("self", ZoneSort::Own),
                ("count", ZoneSort::Count),
                ("mean", ZoneSort::Mean),
                ("p95", ZoneSort::P95),
                ("max", ZoneSort::Max),
                ("name", ZoneSort::Name),
            ],
        )?,
        descending: params.flag("desc")?.unwrap_or(true),
        offset: params.number("offset")?.unwrap_or(0),
        limit: rows(params)?,
        only: match params.text("match") {
            None => None,
            Some(text) => Some(regex("match", text)?),
        },
        percentiles: params.flag("percentiles")?.unwrap_or(false),
    };
    let table = analyzer.zones(&filter, &query)?;
    to_json(&Answer {
        zones: table.zone_count,
        rows: table.row_count,
        sites: column(&table.rows, |row| SiteJson::of(analyzer, row.site)),
        figures: column(&table.rows, FiguresJson::new),
        empty: table.empty.map(|empty| empty.to_string()),
    })
}

fn rows(params: &Params) -> Result<usize, ApiError> {
    let rows: Option<usize> = params.number("limit")?;
    Ok(rows.unwrap_or(DEFAULT_ROWS).min(MAX_ROWS))
}

pub(super) fn statistics(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer {
        site: SiteJson,
        figures: FiguresJson,
        failed: u64,
        histogram: HistogramJson,
        longest: Option<ZoneJson>,
        shortest: Option<ZoneJson>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let site = wanted_site(analyzer, params)?;
    let all = analyzer.site_statistics(&place(analyzer.source(), params)?, site)?;
    let zone = |zone: Option<Zone>| zone.map(|zone| ZoneJson::new(analyzer, &zone));
    to_json(&Answer {
        site: SiteJson::new(all.name),
        figures: FiguresJson::new(&all.figures),
        failed: all.failed,
        histogram: HistogramJson::new(&all.histogram),
        longest: zone(all.longest),
        shortest: zone(all.shortest),
    })
}

pub(super) fn instances(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<Z> {
        site: SiteJson,
        count: u64,
        zones: Z,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let site = wanted_site(analyzer, params)?;
    let query = InstanceQuery {
        by_duration: params.choice("sort", &[("duration", true), ("start", false)])?,
        descending: params.flag("desc")?.unwrap_or(true),
        offset: params.number("offset")?.unwrap_or(0),
        limit: rows(params)?,
        at_least: Nanos(params.number("least")?.unwrap_or(0)),
        below: params.number("below")?.map(Nanos),
    };
    let filter = place(analyzer.source(), params)?;
    let found = analyzer.zone_instances(&filter, site, &query)?;
    to_json(&Answer {
        site: SiteJson::of(analyzer, site),
        count: found.count,
        zones: column(&found.rows, |zone| ZoneJson::new(analyzer, zone)),
    })
}

fn wanted_site(analyzer: &Analyzer, params: &Params) -> Result<SiteId, ApiError> {
    site(analyzer.source(), params)?.ok_or_else(|| {
        ApiError::bad(
            "`site` is missing",
            "name a place of zones by its id (see api/zones)",
        )
    })
}
