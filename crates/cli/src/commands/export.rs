//! `sondage export`: convert a recording to another tool's format.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use sondage_analyze::human;
use sondage_formats::{Detail, ExportOptions, FORMATS, Format, FormatError, Measure};

use crate::commands::filter::FilterArgs;
use crate::commands::open;
use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage export`.
#[derive(clap::Args)]
#[command(after_help = formats_help())]
pub struct Args {
    /// The recording.
    #[arg(value_name = "REC")]
    recording: PathBuf,
    /// Format to write; by default the one that the name after `-o` ends in.
    #[arg(long, short, value_name = "FORMAT")]
    format: Option<String>,
    /// File to write, replaced if it is there; `-` for standard output. By default the recording's
    /// name with the format's ending, in this folder.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One frame a line instead of a function, in formats that have only one name for a frame.
    #[arg(long)]
    by_line: bool,
    /// Each thread under a frame of its own, in formats that know no threads.
    #[arg(long)]
    by_thread: bool,
    /// Count samples instead of time, in formats that have only one figure.
    #[arg(long)]
    samples: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let format = choose(args.format.as_deref(), args.output.as_deref())?;
    let recording = open::recording(&args.recording, ui)?;
    let source = recording.source();
    let options = ExportOptions {
        filter: args.filter.to_filter(source.dictionary())?,
        detail: if args.by_line {
            Detail::Line
        } else {
            Detail::Function
        },
        measure: if args.samples {
            Measure::Samples
        } else {
            Measure::Time
        },
        by_thread: args.by_thread,
    };
    let write = |out: &mut dyn Write| sondage_formats::export(format.name, source, &options, out);
    match args.output.as_deref() {
        Some(path) if path == Path::new("-") => to_stdout(format, write)?,
        Some(path) => {
            let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
            to_file(file, path, write, ui)?;
        }
        None => {
            let path = default_path(&args.recording, format.extension);
            // A name that nobody chose must not cost anybody a file.
            let file = File::create_new(&path).map_err(|error| {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    CliError::new(format!("{} is already there", path.display())).hint(format!(
                        "to replace it: sondage export … -o {}",
                        path.display()
                    ))
                } else {
                    cannot_write(&path, &error)
                }
            })?;
            to_file(file, &path, write, ui)?;
        }
    }
    ui.note(format_args!(
        "{} does not carry: {}",
        format.name, format.loses
    ));
    Ok(ExitStatus::OK)
}

fn choose(name: Option<&str>, output: Option<&Path>) -> Result<&'static Format, CliError> {
    let format = match (name, output.and_then(Path::file_name)) {
        (Some(name), _) => Some(sondage_formats::find(name).map_err(|error| {
            let error = failed(&error);
            error.with_status(ExitStatus::USAGE)
        })?),
        (None, Some(file)) => file.to_str().and_then(sondage_formats::for_file_name),
        (None, None) => None,
    };
    match format {
        Some(format) if format.export.is_some() => Ok(format),
        Some(format) => Err(CliError::usage(format!(
            "{} files can be imported, not exported",
            format.name
        ))
        .hint(format!("formats to export: {}", names()))),
        None => Err(
            CliError::usage("say which format to write: --format FORMAT")
                .hint(format!("formats are: {}", names())),
        ),
    }
}

fn names() -> String {
    let exported = FORMATS.iter().filter(|format| format.export.is_some());
    let names: Vec<&str> = exported.map(|format| format.name).collect();
    names.join(", ")
}

fn to_stdout(
    format: &Format,
    write: impl Fn(&mut dyn Write) -> Result<(), FormatError>,
) -> Result<(), CliError> {
    let stdout = io::stdout();
    if !format.text && stdout.is_terminal() {
        return Err(CliError::usage(format!(
            "{} is a binary format; a terminal cannot show it",
            format.name
        ))
        .hint("write it to a file with `-o FILE`, or into a pipe"));
    }
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    match write(&mut out).and_then(|()| Ok(out.flush()?)) {
        // Who reads has seen enough.
        Err(FormatError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| failed(&error)),
    }
}

fn to_file(
    file: File,
    path: &Path,
    write: impl Fn(&mut dyn Write) -> Result<(), FormatError>,
    ui: &Ui,
) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write(&mut out).and_then(|()| Ok(out.flush()?));
    if let Err(error) = written {
        // Half an export would pass for a whole one. Pipes and devices stay.
        if path.is_file() {
            let _ = std::fs::remove_file(path);
        }
        return Err(failed(&error));
    }
    let bytes = out.get_ref().metadata().map_or(0, |file| file.len());
    ui.note(format_args!(
        "wrote {} ({} bytes)",
        path.display(),
        human::count(bytes)
    ));
    Ok(())
}

/// The recording's name with another ending, in the folder the user is in.
fn default_path(recording: &Path, extension: &str) -> PathBuf {
    let stem = recording.file_stem().unwrap_or(recording.as_os_str());
    let mut name = stem.to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn failed(error: &FormatError) -> CliError {
    let failure = CliError::new(error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::new(format!("{} cannot be written: {error}", path.display()))
        .hint("choose another place with `-o FILE`")
}

/// The formats with what they are for and what they lose, from the registry.
fn formats_help() -> String {
    let exported: Vec<&Format> = FORMATS
        .iter()
        .filter(|format| format.export.is_some())
        .collect();
    let width = exported.iter().map(|format| format.name.len()).max();
    let width = width.unwrap_or(0);
    let mut help = "Formats:\n".to_owned();
    for format in exported {
        let indent = " ".repeat(width + 4);
        help.push_str(&format!(
            "  {:width$}  {}\n{indent}not in it: {}\n",
            format.name, format.description, format.loses
        ));
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_in_the_users_folder() {
        for (recording, expected) in [
            ("/data/app.sondage", "app.svg"),
            ("app-2026.11.21.sondage", "app-2026.11.21.svg"),
            ("plain", "plain.svg"),
        ] {
            assert_eq!(
                default_path(Path::new(recording), "svg"),
                Path::new(expected)
            );
        }
    }

    #[test]
    fn the_format_comes_from_the_name_or_the_file() {
        let chosen = |name, output: Option<&str>| {
            choose(name, output.map(Path::new)).map(|format| format.name)
        };
        assert_eq!(chosen(Some("collapsed"), None).ok(), Some("collapsed"));
        assert_eq!(
            chosen(None, Some("x.speedscope.json")).ok(),
            Some("speedscope")
        );
        assert_eq!(
            chosen(Some("collapsed"), Some("x.speedscope.json")).ok(),
            Some("collapsed")
        );
        for error in [
            chosen(None, None),
            chosen(Some("best"), None),
            chosen(None, Some("-")),
        ] {
            assert_eq!(error.expect_err("no format").status(), ExitStatus::USAGE);
        }
    }

    #[test]
    fn the_help_names_every_format_and_what_it_loses() {
        let help = formats_help();
        for format in FORMATS.iter().filter(|format| format.export.is_some()) {
            assert!(help.contains(format.name) && help.contains(format.loses));
        }
    }
}
