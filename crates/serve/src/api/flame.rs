//! `api/flame` and `api/sandwich`: rectangles.

use serde::Serialize;
use sondage_analyze::{Filter, MergeBy, Sandwich, TimeWindow};
use sondage_layout::{Flame, Viewport};

use crate::Recording;
use crate::api::columns::{NameJson, column};
use crate::api::filter::{filter, function, px, recording, through};
use crate::api::params::{Params, wrong};
use crate::api::to_json;
use crate::api::tree::direction;
use crate::error::ApiError;

/// What x is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    LeftHeavy,
    Time,
}

/// The columns of a flame graph.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FlameJson<'a, N> {
    total: u64,
    x0: u64,
    x1: u64,
    thread: Option<u32>,
    max_depth: u32,
    omitted: u64,
    x: &'a [u64],
    w: &'a [u64],
    depth: &'a [u32],
    #[serde(rename = "self")]
    own: &'a [u64],
    name: &'a [u32],
    path: &'a [i32],
    names: N,
    empty: Option<String>,
}

fn flame_json(flame: &Flame) -> impl Serialize + '_ {
    FlameJson {
        total: flame.total,
        x0: flame.x0,
        x1: flame.x1,
        thread: flame.thread.map(|thread| thread.0),
        max_depth: flame.max_depth,
        omitted: flame.omitted,
        x: &flame.x,
        w: &flame.w,
        depth: &flame.depth,
        own: &flame.own,
        name: &flame.label,
        path: &flame.parent,
        names: column(&flame.labels, NameJson::new),
        empty: flame.empty.as_ref().map(ToString::to_string),
    }
}

pub(super) fn flame(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    let analyzer = recording(recordings, params)?.analyzer();
    let filter = filter(analyzer.source(), params)?;
    let viewport = viewport(params)?;
    let by = params.choice(
        "by",
        &[("function", MergeBy::Function), ("line", MergeBy::Line)],
    )?;
    let order = params.choice(
        "order",
        &[("left-heavy", Order::LeftHeavy), ("time", Order::Time)],
    )?;
    let direction = direction(params)?;
    let flame = match order {
        Order::LeftHeavy => {
            sondage_layout::flame(&analyzer.call_tree(&filter, direction, by)?, &viewport)?
        }
        Order::Time => {
            let window = TimeWindow {
                x0: viewport.x0,
                x1: viewport.x1,
                px: viewport.px,
            };
            sondage_layout::time_flame(&analyzer.time_order(&filter, by, window)?, &viewport)
        }
    };
    to_json(&flame_json(&flame))
}

pub(super) fn sandwich(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a, F, G> {
        name: NameJson<'a>,
        #[serde(rename = "self")]
        own: u64,
        total_weight: u64,
        callers: F,
        callees: G,
        empty: Option<String>,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let dict = analyzer.dictionary();
    let Some(function) = function(dict, params)? else {
        return Err(ApiError::bad(
            "`function` is missing",
            "name the function in the middle by its id (see api/functions)",
        ));
    };
    let filter = Filter {
        // `function` is the one in the middle: every stack of the answer contains it anyway.
        function: through(dict, params)?,
        ..filter(analyzer.source(), params)?
    };
    let viewport = viewport(params)?;
    let Sandwich {
        name,
        own,
        total,
        callers,
        callees,
        empty,
    } = analyzer.sandwich(&filter, function)?;
    let callers = sondage_layout::flame(&callers, &viewport)?;
    let callees = sondage_layout::flame(&callees, &viewport)?;
    to_json(&Answer {
        name: NameJson::new(&name),
        own,
        total_weight: total,
        callers: flame_json(&callers),
        callees: flame_json(&callees),
        empty: empty.map(|empty| empty.to_string()),
    })
}

fn viewport(params: &Params) -> Result<Viewport, ApiError> {
    let (x0, x1) = (params.number("x0")?, params.number("x1")?);
    if let (Some(x0), Some(x1)) = (x0, x1)
        && x1 < x0
    {
        return Err(wrong("x1", x1, "`x1` is not before `x0`"));
    }
    Ok(Viewport {
        x0,
        x1,
        px: px(params)?,
        max_depth: params.number("depth")?,
    })
}
