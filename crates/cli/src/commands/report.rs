//! `sondage report`: print where the time went.

mod program;
mod table;
mod text;

use std::path::PathBuf;

use sondage_analyze::ReportOptions;

use crate::commands::filter::FilterArgs;
use crate::commands::open;
use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;
use text::Style;

/// The narrowest terminal that the tables fit.
const MIN_WIDTH: usize = 80;
/// Wider than this lines are hard to follow.
const MAX_WIDTH: usize = 160;

/// Arguments of `sondage report`.
#[derive(clap::Args)]
pub struct Args {
    /// The recording, or a file that `sondage import` reads.
    #[arg(value_name = "REC")]
    recording: PathBuf,
    /// Print JSON, with nothing cut or rounded.
    #[arg(long)]
    json: bool,
    /// Rows of each list.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let recording = open::recording(&args.recording, ui)?;
    let analyzer = recording.analyzer();
    let options = ReportOptions {
        recording: args.recording.display().to_string(),
        limit: usize::from(args.limit),
        filter: args.filter.to_filter(analyzer.dictionary())?,
    };
    let report = analyzer
        .report(&options)
        .map_err(|error| CliError::new(format!("{}: {error}", args.recording.display())))?;
    if args.json {
        let json = sondage_serve::report_json(&report, recording.recovered.as_deref());
        let json = json.map_err(|error| CliError::new(format!("no JSON: {error}")))?;
        ui.line(String::from_utf8_lossy(&json))?;
    } else {
        let style = Style {
            width: ui.width().clamp(MIN_WIDTH, MAX_WIDTH),
            paint: &|paint, text| ui.paint(paint, text),
        };
        ui.out(text::render(&report, &style))?;
    }
    Ok(ExitStatus::OK)
}
