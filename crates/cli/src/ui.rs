//! The one place that prints. Data goes to standard output, everything said to a person to
//! standard error. Everything is legible without colour.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::error::CliError;

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that knows it, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A colour of our small palette.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// Headings and names.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Green,
    /// Look here.
    Yellow,
    /// Wrong.
    Red,
    /// Places: files, commands.
    Cyan,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Red => "31",
            Paint::Cyan => "36",
        }
    }
}

/// The terminal, or what stands in for it.
pub struct Ui {
    out_color: bool,
    err_color: bool,
    err_terminal: bool,
    progress_shown: Cell<bool>,
}

impl Ui {
    /// Looks at the terminal.
    pub fn new(choice: ColorChoice) -> Ui {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_none_or(|v| v == "dumb");
        let color = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !plain,
        };
        let err_terminal = io::stderr().is_terminal();
        Ui {
            out_color: color(io::stdout().is_terminal()),
            err_color: color(err_terminal),
            err_terminal,
            progress_shown: Cell::new(false),
        }
    }

    /// Whether standard error is a terminal, so that a progress line makes sense.
    pub fn is_interactive(&self) -> bool {
        self.err_terminal
    }

    /// Whether standard output takes colour.
    pub fn is_colorful(&self) -> bool {
        self.out_color
    }

    /// Columns of the terminal; 100 where there is none.
    pub fn width(&self) -> usize {
        let columns = |size: rustix::io::Result<rustix::termios::Winsize>| {
            size.ok()
                .map(|size| usize::from(size.ws_col))
                .filter(|&columns| columns > 0)
        };
        columns(rustix::termios::tcgetwinsize(io::stdout()))
            .or_else(|| columns(rustix::termios::tcgetwinsize(io::stderr())))
            .unwrap_or(100)
    }

    /// `text` in this colour, if standard output takes colour.
    pub fn paint(&self, paint: Paint, text: impl Display) -> String {
        colored(self.out_color, paint, text)
    }

    /// Writes data to standard output, as it is.
    ///
    /// A reader that went away (`sondage report … | head`) is no failure: the rest is dropped.
    pub fn out(&self, text: impl Display) -> Result<(), CliError> {
        self.clear_progress();
        let mut out = io::stdout().lock();
        match write!(out, "{text}").and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(CliError::new(format!(
                "standard output cannot be written: {error}"
            ))),
        }
    }

    /// Writes a line of data to standard output.
    pub fn line(&self, text: impl Display) -> Result<(), CliError> {
        self.out(format_args!("{text}\n"))
    }

    /// Says something good to know.
    pub fn note(&self, text: impl Display) {
        let name = colored(self.err_color, Paint::Bold, "sondage");
        self.say(format_args!("{name}: {text}"));
    }

    /// Says that something is not as asked.
    pub fn warning(&self, text: impl Display) {
        let word = colored(self.err_color, Paint::Yellow, "warning");
        self.say(format_args!("{word}: {text}"));
    }

    /// Says what to do next.
    pub fn hint(&self, text: impl Display) {
        let word = colored(self.err_color, Paint::Cyan, "hint");
        self.say(format_args!("{word}: {text}"));
    }

    /// Says why a command ends early.
    pub fn error(&self, error: &CliError) {
        let word = colored(self.err_color, Paint::Red, "error");
        self.say(format_args!("{word}: {error}"));
        if let Some(hint) = error.hint_text() {
            self.hint(hint);
        }
    }

    /// Shows a line that the next one replaces. Nothing happens where no terminal is, or while
    /// another program has it.
    pub fn progress(&self, text: &str) {
        if !self.err_terminal || !has_terminal() {
            return;
        }
        let shown: String = text
            .chars()
            .take(self.width().saturating_sub(1).max(20))
            .collect();
        write_err(format_args!("\r\x1b[2K{shown}"));
        self.progress_shown.set(true);
    }

    /// Takes the progress line away.
    pub fn clear_progress(&self) {
        if self.progress_shown.replace(false) {
            write_err(format_args!("\r\x1b[2K"));
        }
    }

    fn say(&self, text: impl Display) {
        self.clear_progress();
        write_err(format_args!("{text}\n"));
    }
}

/// Whether this process is in the foreground of its terminal.
fn has_terminal() -> bool {
    rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn colored(on: bool, paint: Paint, text: impl Display) -> String {
    if on {
        format!("\x1b[{}m{text}\x1b[0m", paint.code())
    } else {
        text.to_string()
    }
}

/// One `write` a message, so that lines of several programs do not mix. A standard error that
/// cannot be written has nowhere to be reported.
fn write_err(text: impl Display) {
    let _ = io::stderr().lock().write_all(text.to_string().as_bytes());
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
