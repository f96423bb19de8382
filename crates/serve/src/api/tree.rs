//! `api/tree`: the call tree, one level at a time.

use serde::Serialize;
use sondage_analyze::{Direction, TreeRow};
use sondage_model::FunctionId;

use crate::Recording;
use crate::api::columns::{NameJson, column};
use crate::api::filter::{filter, recording};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Child<'a> {
    #[serde(flatten)]
    name: NameJson<'a>,
    #[serde(rename = "self")]
    own_weight: u64,
    total_weight: u64,
    has_children: bool,
}

pub(super) fn answer(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Answer<C> {
        path: Vec<u32>,
        total: u64,
        children: C,
        empty: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let filter = filter(analyzer.source(), params)?;
    let path = params.ids("path", '.')?;
    let functions: Vec<FunctionId> = path.iter().copied().map(FunctionId).collect();
    let rows = analyzer.tree_rows(&filter, direction(params)?, &functions)?;
    to_json(&Answer {
        path,
        total: rows.total,
        children: column(&rows.rows, child),
        empty: rows.empty.as_ref().map(ToString::to_string),
    })
}

fn child(row: &TreeRow) -> Child<'_> {
    Child {
        name: NameJson::new(&row.name),
        own_weight: row.own,
        total_weight: row.total,
        has_children: row.has_children,
    }
}

/// Which way the tree grows.
pub(super) fn direction(params: &Params) -> Result<Direction, ApiError> {
    Ok(if params.flag("inverted")?.unwrap_or(false) {
        Direction::Callers
    } else {
        Direction::Callees
    })
}
