//! `api/source`: a source file with its figures by line.

use serde::Serialize;
use sondage_model::FunctionId;

use crate::Recording;
use crate::api::columns::column;
use crate::api::filter::{file, filter, function, recording, through};
use crate::api::params::Params;
use crate::api::to_json;
use crate::error::ApiError;
use crate::source_text;

pub(super) fn answer(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a, L, W, F> {
        file: u32,
        path: &'a str,
        text: Option<&'a str>,
        focus: Option<u32>,
        missing: Option<&'a str>,
        note: Option<&'a str>,
        total: u64,
        line: L,
        #[serde(rename = "self")]
        own: W,
        total_weight: W,
        function: L,
        functions: F,
    }
    #[derive(Serialize)]
    struct Function {
        function: u32,
        label: String,
        line: u32,
    }
    let analyzer = recording(recordings, params)?.analyzer();
    let dict = analyzer.dictionary();
    let (file, focus) = match (file(dict, params)?, function(dict, params)?) {
        (Some(file), _) => (file, None),
        (None, Some(function)) => {
            let row = dict.functions()[function.index()];
            (row.file, (row.first_line > 0).then_some(row.first_line))
        }
        (None, None) => {
            return Err(ApiError::bad(
                "`file` is missing",
                "name a file by its id (see api/files), or a function by its id",
            ));
        }
    };
    let mut filter = filter(analyzer.source(), params)?;
    if params.text("file").is_none() {
        // Here the function names the file; its own lines are not all that is of interest.
        filter.function = through(dict, params)?;
    }
    let figures = analyzer.file_lines(&filter, file)?;
    let text = source_text::find(analyzer.source(), file)?;
    let described = |function: &FunctionId| Function {
        function: function.0,
        label: analyzer.names().label(dict, *function),
        line: dict.functions()[function.index()].first_line,
    };
    let lines = &figures.lines[..];
    let ids = |id: fn(&sondage_analyze::LineFigures) -> u32| column(lines, id);
    let weights = |weight: fn(&sondage_analyze::LineFigures) -> u64| column(lines, weight);
    to_json(&Answer {
        file: file.0,
        path: dict.file_path(file),
        text: text.text.as_deref(),
        focus,
        missing: text.missing.as_deref(),
        note: text.note.as_deref(),
        total: figures.total,
        line: ids(|row| row.line),
        own: weights(|row| row.own),
        total_weight: weights(|row| row.total),
        function: ids(|row| row.function.0),
        functions: column(&figures.functions, described),
    })
}
