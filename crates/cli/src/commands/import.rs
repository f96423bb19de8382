//! `sondage import`: convert another tool's file to a recording.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sondage_analyze::human;
use sondage_formats::{FORMATS, FormatError, ImportOptions, ImportUnit};
use sondage_model::{MemoryRecording, Nanos, Source};
use sondage_recording::Writer;

use super::open;
use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage import`.
#[derive(clap::Args)]
#[command(after_help = formats_help())]
pub struct Args {
    /// The file to convert; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Recording to write, replaced if it is there. By default the file's name with `.sondage`, in
    /// this folder.
    #[arg(long, short, value_name = "REC")]
    output: Option<PathBuf>,
    /// Format of the file; by default it is found out from its content.
    #[arg(long, short, value_name = "FORMAT")]
    format: Option<String>,
    /// What a count of the file stands for, where the file does not say.
    #[arg(long, value_enum, value_name = "UNIT")]
    unit: Option<Unit>,
    /// Time that a sample stands for, in milliseconds, where counts are samples.
    #[arg(long, value_name = "MS", conflicts_with = "unit", value_parser = parse_interval)]
    interval: Option<Nanos>,
}

/// What a count is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Unit {
    /// A sample, of which no time is known.
    Samples,
    /// A nanosecond.
    Ns,
    /// A microsecond.
    Us,
    /// A millisecond.
    Ms,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let is_stdin = args.file == Path::new("-");
    if args.format.is_none() && open::is_saved(&args.file) {
        let recording = open::saved(&args.file)?;
        let output = args
            .output
            .map_or_else(|| free_path(&args.file, is_stdin), Ok)?;
        save(recording, &output, "program's own", None, ui)?;
        return Ok(ExitStatus::OK);
    }
    let bytes = read(&args.file, is_stdin)?;
    let options = ImportOptions {
        unit: unit(args.unit, args.interval),
        name: if is_stdin {
            "standard input".into()
        } else {
            let name = args.file.file_name().unwrap_or(args.file.as_os_str());
            name.to_string_lossy().into_owned()
        },
    };
    let (format, recording) = match &args.format {
        Some(name) => sondage_formats::find(name).and_then(|format| {
            sondage_formats::import_as(name, &bytes, &options).map(|recording| (format, recording))
        }),
        None => sondage_formats::import(&bytes, &options),
    }
    .map_err(|error| failed(&args.file, &error))?;
    drop(bytes);
    let output = match args.output {
        Some(output) => output,
        None => free_path(&args.file, is_stdin)?,
    };
    for message in &recording.messages {
        ui.warning(&message.text);
    }
    let loses = format.import.map(|import| import.loses);
    save(recording, &output, format.name, loses, ui)?;
    Ok(ExitStatus::OK)
}

fn read(file: &Path, is_stdin: bool) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let result = if is_stdin {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    result.map_err(|error| {
        CliError::new(format!("{} cannot be read: {error}", file.display()))
            .hint("check that the file is there and that you may read it")
    })
}

fn unit(unit: Option<Unit>, interval: Option<Nanos>) -> ImportUnit {
    match (unit, interval) {
        (_, Some(interval)) => ImportUnit::Sample(interval),
        (None, None) => ImportUnit::Samples,
        (Some(Unit::Samples), _) => ImportUnit::Samples,
        (Some(Unit::Ns), _) => ImportUnit::Time(Nanos(1)),
        (Some(Unit::Us), _) => ImportUnit::Time(Nanos(1_000)),
        (Some(Unit::Ms), _) => ImportUnit::Time(Nanos(1_000_000)),
    }
}

/// The default name, where nothing has it yet.
fn free_path(file: &Path, is_stdin: bool) -> Result<PathBuf, CliError> {
    let stem = match file.file_stem() {
        Some(stem) if !is_stdin => stem,
        _ => "imported".as_ref(),
    };
    let mut name = stem.to_owned();
    name.push(".sondage");
    let path = PathBuf::from(name);
    if path.exists() {
        return Err(
            CliError::new(format!("{} is already there", path.display())).hint(format!(
                "to replace it: sondage import … -o {}",
                path.display()
            )),
        );
    }
    Ok(path)
}

fn save(
    recording: MemoryRecording,
    output: &Path,
    format: &str,
    loses: Option<&str>,
    ui: &Ui,
) -> Result<(), CliError> {
    let source = recording.seal();
    let cannot = |error: sondage_recording::WriteError| {
        CliError::new(format!("{}: {error}", output.display())).hint(error.hint())
    };
    let mut writer = Writer::create_file(output, source.info()).map_err(cannot)?;
    writer.copy_from(&source).map_err(cannot)?;
    writer.finish(source.range().end).map_err(cannot)?;
    let samples: u64 = source.blocks().iter().map(|block| block.count).sum();
    let zones: u64 = source.zone_blocks().iter().map(|block| block.count).sum();
    let what = match (samples, zones) {
        (0, 1..) => human::plural(zones, "zone"),
        (_, 0) => human::plural(samples, "sample"),
        _ => format!(
            "{} and {}",
            human::plural(samples, "sample"),
            human::plural(zones, "zone")
        ),
    };
    ui.note(format_args!(
        "wrote {}: {what} from a {format} file",
        output.display()
    ));
    if let Some(loses) = loses {
        ui.note(format_args!("what it could not carry over: {loses}"));
    }
    ui.hint(format_args!("sondage view {}", output.display()));
    Ok(())
}

fn failed(file: &Path, error: &FormatError) -> CliError {
    let failure = CliError::new(format!("{} cannot be imported: {error}", file.display()));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn parse_interval(text: &str) -> Result<Nanos, String> {
    let millis: f64 = text
        .parse()
        .map_err(|_| "an interval is a number of milliseconds, as 10 or 0.5".to_owned())?;
    let nanos = millis * 1e6;
    // Up to an hour: a longer one is a slip of the hand.
    if !(1.0..=3.6e12).contains(&nanos) {
        return Err("an interval is between a nanosecond and an hour".into());
    }
    Ok(Nanos(nanos.round() as u64))
}

/// The formats that can be read, from the registry.
fn formats_help() -> String {
    let mut help = "Formats:\n".to_owned();
    for format in FORMATS {
        if let Some(import) = format.import {
            help.push_str(&format!(
                "  {}\n    not carried over: {}\n",
                format.name, import.loses
            ));
        }
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_milliseconds_a_sampler_could_have() {
        for (text, expected) in [
            ("10", Some(10_000_000)),
            ("0.5", Some(500_000)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e99", None),
            ("ten", None),
        ] {
            let interval = parse_interval(text).ok().map(|interval| interval.0);
            assert_eq!(interval, expected, "{text}");
        }
    }
}
