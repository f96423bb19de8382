//! The part of a recording that a question is about.

use sondage_analyze::{Analyzer, Filter, Inside, Search, StateSet, ZoneId};
use sondage_model::{
    Dictionary, FileId, FunctionId, ProcessId, SiteId, Source, StateKind, ThreadId, Time, TimeRange,
};

use crate::Recording;
use crate::api::params::{Params, wrong};
use crate::error::ApiError;

/// More pixels than this count as this: no screen has them, and answers grow with it.
const MAX_PX: u32 = 16_384;
/// The width of a view when a question does not say.
const DEFAULT_PX: u32 = 1200;

/// The recording that `rec` names.
pub(super) fn recording<'a>(
    recordings: &'a [Recording],
    params: &Params,
) -> Result<&'a Recording, ApiError> {
    let index: usize = params.number("rec")?.unwrap_or(0);
    recordings.get(index).ok_or_else(|| {
        ApiError::not_found(
            format!("there is no recording {index}"),
            format!(
                "`rec` counts from 0; this server shows {} (see api/meta)",
                recordings.len()
            ),
        )
    })
}

/// The samples that `from`, `to`, `processes`, `threads`, `states`, `gil`, `function` (or `through`),
/// `search`, `zone` and `site` let through.
pub(super) fn filter(source: &dyn Source, params: &Params) -> Result<Filter, ApiError> {
    let dict = source.dictionary();
    let search = match params.text("search") {
        None => None,
        Some(text) => Some(regex("search", text)?),
    };
    Ok(Filter {
        states: states(params)?,
        gil_only: params.flag("gil")?.unwrap_or(false),
        function: match through(dict, params)? {
            Some(through) => Some(through),
            None => function(dict, params)?,
        },
        search,
        inside: inside(source, params)?,
        ..place(source, params)?
    })
}

/// The same without what is asked of stacks: a time range, processes and threads.
pub(super) fn place(source: &dyn Source, params: &Params) -> Result<Filter, ApiError> {
    let dict = source.dictionary();
    let processes = params.ids("processes", ',')?;
    let threads = params.ids("threads", ',')?;
    known("process", &processes, dict.processes().len())?;
    known("thread", &threads, dict.threads().len())?;
    Ok(Filter {
        range: range(source, params)?,
        processes: processes.into_iter().map(ProcessId).collect(),
        threads: threads.into_iter().map(ThreadId).collect(),
        states: StateSet::ALL,
        ..Filter::default()
    })
}

fn range(source: &dyn Source, params: &Params) -> Result<Option<TimeRange>, ApiError> {
    let from: Option<u64> = params.number("from")?;
    let to: Option<u64> = params.number("to")?;
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let recorded = source.range();
    let start = from.map_or(recorded.start, Time);
    let end = to.map_or(recorded.end.max(start), Time);
    if end < start {
        return Err(wrong("to", end.0, "`to` is not before `from`"));
    }
    // After the end there is nothing that a view could be of.
    let end = end.min(recorded.end.max(start));
    Ok(Some(TimeRange::new(start, end)))
}

fn states(params: &Params) -> Result<StateSet, ApiError> {
    let words = params.words("states");
    if words.is_empty() {
        return Ok(StateSet::ACTIVE);
    }
    words
        .into_iter()
        .map(|word| {
            StateKind::from_name(word).ok_or_else(|| {
                let names = StateKind::ALL.map(StateKind::name).join(", ");
                wrong("states", word, format!("states are: {names}"))
            })
        })
        .collect()
}

/// The zones that samples must lie in: the one that `zone` names, or all of the place `site`.
fn inside(source: &dyn Source, params: &Params) -> Result<Option<Inside>, ApiError> {
    if let Some(zone) = zone_number(source, params)? {
        return Ok(Some(Inside::Zone(zone)));
    }
    Ok(site(source, params)?.map(Inside::Site))
}

/// The zone that `zone` names, if it names one.
pub(super) fn zone(analyzer: &Analyzer, params: &Params) -> Result<Option<ZoneId>, ApiError> {
    zone_number(analyzer.source(), params)
}

fn zone_number(source: &dyn Source, params: &Params) -> Result<Option<ZoneId>, ApiError> {
    let Some(id) = params.number("zone")? else {
        return Ok(None);
    };
    let count: u64 = source.zone_blocks().iter().map(|block| block.rows).sum();
    if id < count {
        return Ok(Some(ZoneId(id)));
    }
    Err(ApiError::not_found(
        format!("there is no zone {id}"),
        format!("zones are numbered from 0 to below {count} (see api/tracks)"),
    ))
}

/// The place of zones that `site` names, if it names one.
pub(super) fn site(source: &dyn Source, params: &Params) -> Result<Option<SiteId>, ApiError> {
    let Some(id) = params.number("site")? else {
        return Ok(None);
    };
    known("place of zones", &[id], source.dictionary().sites().len())?;
    Ok(Some(SiteId(id)))
}

/// The function that `function` names, if it names one.
pub(super) fn function(dict: &Dictionary, params: &Params) -> Result<Option<FunctionId>, ApiError> {
    function_named("function", dict, params)
}

/// The function that `through` names: a filter by function where `function` means something else.
pub(super) fn through(dict: &Dictionary, params: &Params) -> Result<Option<FunctionId>, ApiError> {
    function_named("through", dict, params)
}

fn function_named(
    name: &str,
    dict: &Dictionary,
    params: &Params,
) -> Result<Option<FunctionId>, ApiError> {
    let Some(id) = params.number(name)? else {
        return Ok(None);
    };
    known("function", &[id], dict.functions().len())?;
    Ok(Some(FunctionId(id)))
}

/// The file that `file` names, if it names one.
pub(super) fn file(dict: &Dictionary, params: &Params) -> Result<Option<FileId>, ApiError> {
    let Some(id) = params.number("file")? else {
        return Ok(None);
    };
    known("file", &[id], dict.files().len())?;
    Ok(Some(FileId(id)))
}

/// Compiles the regular expression of a parameter.
pub(super) fn regex(name: &str, text: &str) -> Result<Search, ApiError> {
    Search::new(text).map_err(|error| {
        ApiError::bad(
            format!("`{name}` is no regular expression: {error}"),
            r"write a \ before ( ) [ ] { } . * + ? | ^ $ to search for the character itself",
        )
    })
}

/// The width of the view, in pixels.
pub(super) fn px(params: &Params) -> Result<u32, ApiError> {
    match params.number::<u64>("px")? {
        None => Ok(DEFAULT_PX),
        Some(0) => Err(wrong("px", 0, "`px` is the width of the view in pixels")),
        Some(px) => Ok(u32::try_from(px).unwrap_or(MAX_PX).min(MAX_PX)),
    }
}

fn known(what: &str, ids: &[u32], count: usize) -> Result<(), ApiError> {
    match ids.iter().find(|id| **id as usize >= count) {
        None => Ok(()),
        Some(id) => Err(ApiError::not_found(
            format!("there is no {what} {id}"),
            format!("ids are those of this recording, from 0 to below {count} (see api/meta)"),
        )),
    }
}
