//! `api/report`: the summary that `sondage report --json` prints.

use sondage_analyze::ReportOptions;

use crate::Recording;
use crate::api::filter::{filter, recording};
use crate::api::params::Params;
use crate::error::ApiError;
use crate::report::report_json;

/// Rows of each list at most.
const MAX_ROWS: usize = 1000;

pub(super) fn answer(recordings: &[Recording], params: &Params) -> Result<Vec<u8>, ApiError> {
    let recording = recording(recordings, params)?;
    let defaults = ReportOptions::default();
    let options = ReportOptions {
        recording: recording.name.clone(),
        filter: filter(recording.source(), params)?,
        limit: params
            .number("limit")?
            .unwrap_or(defaults.limit)
            .min(MAX_ROWS),
    };
    let report = recording.analyzer().report(&options)?;
    report_json(&report, recording.recovered.as_deref()).map_err(|error| {
        ApiError::internal(
            format!("the report cannot be written as JSON: {error}"),
            "please report this",
        )
    })
}
