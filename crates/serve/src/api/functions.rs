//! `api/functions`, `api/files` and `api/search`: figures as tables.

use serde::Serialize;
use sondage_analyze::{FrameName, FunctionQuery, SortBy};

use crate::Recording;
use crate::api::columns::{ByState, column};
use crate::api::filter::{filter, recording, regex};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;

/// Rows of one answer at most.
const MAX_ROWS: usize = 10_000;
const DEFAULT_ROWS: usize = 200;

pub(super) fn functions(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<N, W, S> {
        total: u64,
        count: u64,
        rows: usize,
        #[serde(flatten)]
        names: N,
        #[serde(rename = "self")]
        own: W,
        total_weight: W,
        self_count: W,
        states: ByState<S>,
        empty: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let query = FunctionQuery {
        sort: params.choice(
            "sort",
            &[
                ("self", SortBy::Own),
                ("total", SortBy::Total),
                ("name", SortBy::Name),
            ],
        )?,
        descending: params.flag("desc")?.unwrap_or(true),
        offset: params.number("offset")?.unwrap_or(0),
        limit: params
            .number("limit")?
            .unwrap_or(DEFAULT_ROWS)
            .min(MAX_ROWS),
        only: match params.text("match") {
            None => None,
            Some(text) => Some(regex("match", text)?),
        },
    };
    let dict = analyzer.dictionary();
    let table = analyzer.functions(&filter(analyzer.source(), params)?, &query)?;
    let rows = &table.rows[..];
    let names: Vec<FrameName> = rows
        .iter()
        .map(|row| analyzer.names().frame(dict, row.function, None))
        .collect();
    let weights = |weight: fn(&sondage_analyze::FunctionFigures) -> u64| column(rows, weight);
    to_json(&Answer {
        total: table.total.weight,
        count: table.total.count,
        rows: table.row_count,
        names: NameColumns::new(&names),
        own: weights(|row| row.own.weight),
        total_weight: weights(|row| row.total),
        self_count: weights(|row| row.own.count),
        states: ByState::new(|kind| column(rows, move |row| row.own.state(kind))),
        empty: table.empty.map(|empty| empty.to_string()),
    })
}

/// Names, one column a part.
#[derive(Serialize)]
struct NameColumns<'a> {
    function: Vec<u32>,
    label: Vec<&'a str>,
    file: Vec<&'a str>,
    short: Vec<&'a str>,
    line: Vec<u32>,
    kind: Vec<&'static str>,
    package: Vec<&'a str>,
    own: Vec<bool>,
}

impl<'a> NameColumns<'a> {
    fn new(names: &'a [FrameName]) -> NameColumns<'a> {
        let texts = |text: fn(&FrameName) -> &String| -> Vec<&'a str> {
            names.iter().map(|name| text(name).as_str()).collect()
        };
        NameColumns {
            function: names.iter().map(|name| name.function.0).collect(),
            label: texts(|name| &name.label),
            file: texts(|name| &name.file),
            short: texts(|name| &name.short),
            line: names.iter().map(|name| name.line).collect(),
            kind: names.iter().map(|name| name.kind.name()).collect(),
            package: texts(|name| &name.package),
            own: names.iter().map(|name| name.own).collect(),
        }
    }
}

pub(super) fn files(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        file: Vec<u32>,
        path: Vec<&'a str>,
        short: Vec<&'a str>,
        own: Vec<bool>,
        #[serde(rename = "self")]
        own_weight: Vec<u64>,
        total_weight: Vec<u64>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let (dict, names) = (analyzer.dictionary(), analyzer.names());
    let files = analyzer.files(&filter(analyzer.source(), params)?)?;
    let is_own = |origin| origin == sondage_analyze::Origin::Own;
    to_json(&Answer {
        file: files.iter().map(|row| row.file.0).collect(),
        path: files.iter().map(|row| dict.file_path(row.file)).collect(),
        short: files
            .iter()
            .map(|row| names.file(row.file).short.as_str())
            .collect(),
        own: files
            .iter()
            .map(|row| is_own(names.file(row.file).origin))
            .collect(),
        own_weight: files.iter().map(|row| row.own).collect(),
        total_weight: files.iter().map(|row| row.total).collect(),
    })
}

pub(super) fn search(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize, Default)]
    struct Answer {
        matches: usize,
        weight: u64,
        total: u64,
        functions: Vec<u32>,
        error: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let Some(text) = params.text("q") else {
        return Err(ApiError::bad(
            "`q` is missing",
            "`q` is the regular expression to look for",
        ));
    };
    let filter = filter(analyzer.source(), params)?;
    // Somebody who is still writing the expression has made no mistake yet.
    let search = match sondage_analyze::Search::new(text) {
        Ok(search) => search,
        Err(error) => {
            return to_json(&Answer {
                error: Some(error.to_string()),
                ..Answer::default()
            });
        }
    };
    let found = analyzer.search(&filter, &search)?;
    to_json(&Answer {
        matches: found.functions.len(),
        weight: found.weight,
        total: found.total,
        functions: found.functions.iter().map(|function| function.0).collect(),
        error: None,
    })
}
