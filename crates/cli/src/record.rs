//! What `run` and `attach` share: options, the file, the progress line, the last line.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sondage_collect::{NewRecording, Notice, Options, Progress, Session, StartError, Summary};
use sondage_model::{Label, MessageLevel, Nanos};

use crate::error::CliError;
use crate::signals::{Signal, Signals};
use crate::ui::{self, Ui};

/// How to record.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Recording")]
pub struct RecordArgs {
    /// File to write [default: PROGRAM-DATE-TIME.sondage in the current folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Samples a second, of each thread.
    #[arg(short, long, value_name = "HZ", default_value = "1000", value_parser = parse_rate)]
    rate: f64,

    /// Stop recording after this time, as `30`, `30s`, `5m` or `500ms`; the program runs on.
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// Record all threads: the default.
    #[arg(long, overrides_with = "main_thread")]
    threads: bool,

    /// Record only the main thread of each process.
    #[arg(long, overrides_with = "threads")]
    main_thread: bool,

    /// Record sleeping threads, too: the default.
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,

    /// Leave sleeping threads out.
    #[arg(long, overrides_with = "idle")]
    no_idle: bool,

    /// Do not look at threads: record only what programs say of themselves.
    #[arg(long)]
    no_samples: bool,

    /// Record only threads that hold the GIL.
    #[arg(long)]
    gil: bool,

    /// Leave out the processes that the program starts.
    #[arg(long)]
    no_children: bool,

    /// Put a label into the recording, as `version=1.2`; can be given more than once.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,

    /// Leave the text of source files out.
    #[arg(long)]
    no_source: bool,

    /// Print nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=10_000_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("give a rate from 0.1 to 10,000,000 a second".into())
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| "give a time as `30`, `30s`, `5m` or `500ms`".to_owned())?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1e3,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("`{unit}` is no unit of time; take ms, s, m or h")),
    };
    if seconds.is_finite() && seconds > 0.0 && seconds < 1e9 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("give a time above zero".into())
    }
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("give a label as KEY=VALUE".into()),
    }
}

impl RecordArgs {
    /// For the collector.
    pub fn options(&self) -> Options {
        Options {
            interval: Nanos((1e9 / self.rate).round().max(1.0) as u64),
            samples: !self.no_samples,
            children: !self.no_children,
            main_thread_only: self.main_thread,
            idle: !self.no_idle,
            gil_only: self.gil,
            source_text: !self.no_source,
        }
    }

    /// For the recording's head.
    pub fn labels(&self) -> Vec<Label> {
        self.labels
            .iter()
            .map(|(key, value)| Label {
                key: key.clone(),
                value: value.clone(),
            })
            .collect()
    }

    /// When to stop, if a duration is given.
    pub fn deadline(&self) -> Option<Instant> {
        self.duration.map(|duration| Instant::now() + duration)
    }

    /// Makes the file. A file that was asked for replaces an older recording, and nothing else.
    pub fn create(&self, program: &str) -> Result<NewRecording, CliError> {
        let made = match &self.output {
            Some(path) => {
                if !is_replaceable(path) {
                    return Err(CliError::new(format!(
                        "{} is there already and is no recording",
                        path.display()
                    ))
                    .hint("choose another file with `-o FILE`, or remove this one"));
                }
                NewRecording::create(path, true)
            }
            None => create_by_name(program),
        };
        made.map_err(|error| {
            CliError::new(error).hint("choose a file that can be written with `-o FILE`")
        })
    }
}

/// Whether a file is absent, empty, a recording, or no plain file (such as a pipe).
fn is_replaceable(path: &Path) -> bool {
    let Ok(about) = std::fs::metadata(path) else {
        return true;
    };
    if !about.is_file() || about.len() == 0 {
        return !about.is_dir();
    }
    sondage_recording::Recording::open(path).is_ok()
}

/// `PROGRAM-YYYYMMDD-HHMMSS.sondage`, with a number when that is taken.
fn create_by_name(program: &str) -> Result<NewRecording, StartError> {
    let stem: String = Path::new(program)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|| "program".into())
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let stem = stem.strip_suffix(".py").unwrap_or(&stem);
    let name = format!("{stem}-{}", local_time());
    for number in 2.. {
        let suffix = if number == 2 {
            String::new()
        } else {
            format!("-{}", number - 1)
        };
        let path = PathBuf::from(format!("{name}{suffix}.sondage"));
        match NewRecording::create(&path, false) {
            Err(StartError::Create { error, .. })
                if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => {}
            made => return made,
        }
    }
    unreachable!("the loop ends by itself")
}

/// The time on the clock on the wall, as `YYYYMMDD-HHMMSS`.
fn local_time() -> String {
    // SAFETY: both structures are plain data and valid for their calls.
    let time = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const now, &raw mut parts);
        parts
    };
    format!(
        "{:04}{:02}{:02}-{:02}{:02}{:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec
    )
}

/// Why [`watch`] came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The process has ended.
    Ended,
    /// The duration is over.
    Deadline,
    /// A signal came.
    Signal(Signal),
    /// Nothing happened for a while.
    Nothing,
}

/// Waits for the end of a process, a signal or the deadline, for half a second at most.
pub fn watch(
    process: Option<BorrowedFd<'_>>,
    signals: &Signals,
    deadline: Option<Instant>,
) -> Event {
    const LONGEST: Duration = Duration::from_millis(500);
    let now = Instant::now();
    let left = deadline.map_or(LONGEST, |at| at.saturating_duration_since(now).min(LONGEST));
    let timeout = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    let mut fds = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
    fds.extend(process.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    // Interrupted or not: what is there is looked at below.
    let _ = poll(&mut fds, Some(&timeout));
    if let Some(signal) = signals.next() {
        return Event::Signal(signal);
    }
    if fds.get(1).is_some_and(|fd| !fd.revents().is_empty()) {
        return Event::Ended;
    }
    if deadline.is_some_and(|at| Instant::now() >= at) {
        return Event::Deadline;
    }
    Event::Nothing
}

/// Shows how far the recording is.
pub fn show_progress(name: &str, began: Instant, session: &Session, quiet: bool, ui: &Ui) {
    for notice in session.notices() {
        show_notice(&notice, quiet, ui);
    }
    if quiet || !ui.is_interactive() {
        return;
    }
    let Progress {
        samples,
        rejected,
        processes,
        events,
        bytes,
        ..
    } = session.progress();
    let mut line = format!(
        "recording {name}  {:.0} s  {} samples",
        began.elapsed().as_secs_f64(),
        ui::grouped(samples)
    );
    if events > 0 {
        line += &format!("  {} events", ui::grouped(events));
    }
    if processes > 1 {
        line += &format!("  {processes} processes");
    }
    if rejected > 0 {
        line += &format!("  {} lost", ui::grouped(rejected));
    }
    line += &format!("  {}", megabytes(bytes));
    ui.progress(&line);
}

/// Shows a message of the recording's.
pub fn show_notice(notice: &Notice, quiet: bool, ui: &Ui) {
    match notice.level {
        MessageLevel::Error => {
            let mut error = CliError::new(&notice.text);
            if let Some(hint) = &notice.hint {
                error = error.hint(hint);
            }
            ui.error(&error);
        }
        MessageLevel::Warning | MessageLevel::Info if quiet => {}
        MessageLevel::Warning => {
            ui.warning(&notice.text);
            if let Some(hint) = &notice.hint {
                ui.hint(hint);
            }
        }
        MessageLevel::Info => ui.note(&notice.text),
    }
}

/// Ends the recording and says what came of it.
pub fn finish(session: Session, quiet: bool, ui: &Ui) -> Summary {
    let (summary, notices) = session.stop();
    ui.clear_progress();
    for notice in &notices {
        show_notice(notice, quiet, ui);
    }
    if let Some(error) = &summary.error {
        ui.error(&CliError::new(error).hint(format_args!(
            "what was written before can be read: sondage view {}",
            quoted(&summary.path)
        )));
    }
    if quiet || summary.error.is_some() {
        return summary;
    }
    let progress = &summary.progress;
    if progress.samples == 0 && progress.events == 0 {
        ui.warning(format_args!(
            "{}: no samples; {}",
            summary.path.display(),
            if progress.pythons == 0 {
                "no Python was seen"
            } else {
                "the program ended too soon, or the options left all of them out"
            }
        ));
        return summary;
    }
    let asked = progress.samples + progress.rejected;
    let lost = if progress.rejected == 0 {
        String::new()
    } else {
        format!(
            ", {} lost ({:.2} %)",
            ui::grouped(progress.rejected),
            progress.rejected as f64 * 100.0 / asked as f64
        )
    };
    let events = match progress.events {
        0 => String::new(),
        events => format!(" and {} events of the program's own", ui::grouped(events)),
    };
    ui.note(format_args!(
        "{}: {} samples{lost}{events} in {:.1} s, {}",
        summary.path.display(),
        ui::grouped(progress.samples),
        summary.span.as_secs_f64(),
        megabytes(progress.bytes)
    ));
    ui.hint(format_args!("sondage view {}", quoted(&summary.path)));
    summary
}

/// A path as a shell wants it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./+=:@%,".contains(c);
    if text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{} kB", bytes.div_ceil(1000))
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rates_and_labels() {
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        for bad in ["", "s", "-1", "0", "1d", "1e30", "nan"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        for bad in ["0", "-5", "x", "1e9", "nan"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_label("k=v=w"), Ok(("k".into(), "v=w".into())));
        assert!(parse_label("k").is_err() && parse_label("=v").is_err());
    }

    #[test]
    fn figures_for_people() {
        assert_eq!(megabytes(1), "1 kB");
        assert_eq!(megabytes(2_500_000), "2.5 MB");
        assert_eq!(quoted(Path::new("a b's")), "'a b'\\''s'");
        assert_eq!(quoted(Path::new("/x/a-1.sondage")), "/x/a-1.sondage");
    }
}
