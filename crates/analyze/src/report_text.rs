//! [`Report`] as plain text, about 100 columns wide, legible without colour.

use std::fmt::{self, Display, Write as _};

use sondage_model::StateKind;

use crate::human::{count, duration, plural, share, weight};
use crate::report::{HotFunction, HotLine, HotPath};
use crate::{Report, Totals, Unit};

/// Threads shown of each process, processes shown in all.
const MAX_THREADS: usize = 12;
const MAX_PROCESSES: usize = 12;
/// Functions shown at the outer and the inner end of a long path.
const PATH_OUTER: usize = 3;
const PATH_INNER: usize = 5;
/// Characters of a source line or a label.
const MAX_TEXT: usize = 60;

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        for note in &self.notes {
            writeln!(f, "! {note}")?;
        }
        if let Some(empty) = &self.empty {
            writeln!(f, "\n{empty}")?;
        }
        self.times(f)?;
        let of = if self.shows_asleep {
            "of all time: every thread was asleep"
        } else {
            "of the time threads were not asleep"
        };
        self.functions(f, &format!("Functions by self time, {of}"), &self.by_own)?;
        self.functions(f, "Functions by total time", &self.by_total)?;
        self.lines(f)?;
        self.paths(f)?;
        self.cost(f)?;
        writeln!(f, "\nMore: {}", self.more)
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self.command.join(" ") {
            command if command.is_empty() => self.recording.clone(),
            command => command,
        };
        let threads: usize = self.processes.iter().map(|p| p.threads.len()).sum();
        let mut parts = vec![cut(&command, MAX_TEXT)];
        if !self.runtime.is_empty() {
            parts.push(self.runtime.clone());
        }
        if self.unit == Unit::Nanos {
            parts.push(duration(self.range.span().0));
        }
        let samples = plural(self.total.count, "sample");
        parts.push(match self.interval.0 {
            0 => samples,
            interval => format!("{samples}, one every {}", duration(interval)),
        });
        parts.push(format!(
            "{}, {}",
            match self.processes.len() {
                1 => "1 process".to_owned(),
                n => format!("{} processes", count(n as u64)),
            },
            plural(threads as u64, "thread")
        ));
        writeln!(f, "{}", parts.join(" · "))
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total.weight == 0 {
            return Ok(());
        }
        let states: Vec<StateKind> = StateKind::ALL
            .into_iter()
            .filter(|kind| self.total.state(*kind) > 0)
            .collect();
        let mut table = Table::default();
        let mut head = vec![String::new(), "total".into()];
        head.extend(states.iter().map(|kind| kind.label().to_owned()));
        head.push("with the GIL".into());
        table.row(head);
        let row = |name: String, totals: &Totals| {
            let cell = |part: u64| match part {
                0 => "–".to_owned(),
                part => format!(
                    "{} {:>6}",
                    weight(self.unit, part),
                    share(part, totals.weight)
                ),
            };
            let mut row = vec![name, weight(self.unit, totals.weight)];
            row.extend(states.iter().map(|kind| cell(totals.state(*kind))));
            row.push(cell(totals.gil));
            row
        };
        for process in self.processes.iter().take(MAX_PROCESSES) {
            let name = format!("{} [{}]", cut(&process.name, 30), process.pid);
            table.row(row(name, &process.totals));
            for thread in process.threads.iter().take(MAX_THREADS) {
                let name = format!("  {} [{}]", cut(&thread.name, 28), thread.tid);
                table.row(row(name, &thread.totals));
            }
            let more = process.threads.len().saturating_sub(MAX_THREADS);
            if more > 0 {
                table.row(vec![format!("  … and {}", plural(more as u64, "thread"))]);
            }
        }
        let more = self.processes.len().saturating_sub(MAX_PROCESSES);
        if more > 0 {
            table.row(vec![format!("… and {more} more processes")]);
        }
        writeln!(f, "\nWhere the time went")?;
        table.write(f)
    }

    fn functions(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        functions: &[HotFunction],
    ) -> fmt::Result {
        if functions.is_empty() {
            return Ok(());
        }
        let mut table = Table::default();
        let head = ["self", "", "total", "", "function", "where", "self time is"];
        table.row(head.map(str::to_owned).to_vec());
        table.left = 4;
        for row in functions {
            let place = match row.name.line {
                0 => row.name.short.clone(),
                line => format!("{}:{line}", row.name.short),
            };
            table.row(vec![
                weight(self.unit, row.own.weight),
                share(row.own.weight, self.shown.weight),
                weight(self.unit, row.total),
                share(row.total, self.shown.weight),
                cut(&row.name.label, MAX_TEXT),
                place,
                main_state(&row.own),
            ]);
        }
        writeln!(f, "\n{title}")?;
        table.write(f)
    }

    fn lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut table = Table {
            left: 2,
            ..Table::default()
        };
        for HotLine {
            short,
            line,
            function,
            own,
            text,
            ..
        } in &self.lines
        {
            let text = text.as_deref().unwrap_or(function);
            table.row(vec![
                weight(self.unit, *own),
                share(*own, self.shown.weight),
                format!("{short}:{line}"),
                cut(text, MAX_TEXT),
            ]);
        }
        writeln!(f, "\nLines by self time")?;
        table.write(f)
    }

    fn paths(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.paths.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nHottest paths")?;
        for HotPath { functions, own } in &self.paths {
            let figures = format!(
                "{:>9} {:>7}",
                weight(self.unit, *own),
                share(*own, self.shown.weight)
            );
            writeln!(f, "  {figures}  {}", shortened_path(functions))?;
        }
        if self.without_stack > 0 {
            writeln!(
                f,
                "  {:>9} {:>7}  (no Python code on the stack)",
                weight(self.unit, self.without_stack),
                share(self.without_stack, self.shown.weight)
            )?;
        }
        Ok(())
    }

    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tried > 0 {
            let share = share(self.lost, self.tried);
            let (lost, tried) = (count(self.lost), count(self.tried));
            writeln!(f, "\nLost: {lost} of {tried} observations ({share})")?;
        }
        for (kind, number) in &self.losses {
            writeln!(f, "  {} × {}", count(*number), kind.label())?;
        }
        if self.overhead.own_cpu.0 > 0 {
            writeln!(
                f,
                "Profiler: {} of CPU time ({} of one CPU), {}, {}",
                duration(self.overhead.own_cpu.0),
                share(self.overhead.own_cpu.0, self.recorded.span().0),
                plural(self.overhead.reads, "read"),
                plural(self.overhead.stops, "stop")
            )?;
        }
        Ok(())
    }
}

/// The state that most of a function's self time is, and its share unless it is nearly all.
fn main_state(own: &Totals) -> String {
    let Some(kind) = StateKind::ALL
        .into_iter()
        .filter(|kind| own.state(*kind) > 0)
        .max_by_key(|kind| (own.state(*kind), std::cmp::Reverse(*kind)))
    else {
        return String::new();
    };
    let part = own.state(kind);
    if part * 100 >= own.weight * 99 {
        kind.label().to_owned()
    } else {
        format!("{} {}", share(part, own.weight), kind.label())
    }
}

fn shortened_path(functions: &[String]) -> String {
    let mut text = String::new();
    let long = functions.len() > PATH_OUTER + PATH_INNER + 1;
    for (i, function) in functions.iter().enumerate() {
        if long && i >= PATH_OUTER && i < functions.len() - PATH_INNER {
            if i == PATH_OUTER {
                let hidden = functions.len() - PATH_OUTER - PATH_INNER;
                let _ = write!(text, " › … {hidden} more");
            }
            continue;
        }
        if i > 0 {
            text.push_str(" › ");
        }
        text.push_str(&cut(function, MAX_TEXT));
    }
    text
}

fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars - 1).chain(['…']).collect()
}

/// Columns as wide as their widest cell; the first is of names.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    /// From this column on cells stand left; those before it right. 0: only the first stands left.
    left: usize,
}

impl Table {
    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let stands_left = match self.left {
                    0 => column == 0,
                    left => column >= left,
                };
                let width = widths[column];
                let _ = if stands_left {
                    write!(line, "  {cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
