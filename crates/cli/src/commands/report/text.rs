//! The report as text for a terminal: as wide as it is, legible without colour.

use sondage_analyze::human::{count, duration, plural, share, weight};
use sondage_analyze::{HotFunction, Report, Totals, Unit};
use sondage_model::StateKind;

use super::table::{Align, Cell, Table, end_cut, middle_cut};
use crate::ui::Paint;

/// Threads shown of each process, and processes shown in all.
const MAX_THREADS: usize = 12;
const MAX_PROCESSES: usize = 12;
/// A process or thread with less than a part in this many of the time is summed up with others:
/// shells that start the program are many and say nothing.
const MIN_PART: u64 = 200;
/// Columns of the bar that shows a share.
const BAR: usize = 30;
/// From this width on there is room for what a function's self time is.
const WIDE: usize = 110;

/// How to write.
pub struct Style<'a> {
    /// Columns of the terminal.
    pub width: usize,
    /// Paints text, where there is colour.
    pub paint: &'a dyn Fn(Paint, &str) -> String,
}

/// The whole report.
pub fn render(report: &Report, style: &Style<'_>) -> String {
    let mut writer = Writer {
        report,
        style,
        out: String::new(),
    };
    writer.head();
    writer.notes();
    writer.states();
    writer.threads();
    writer.tasks();
    let of = if report.shows_asleep {
        "of all time: every thread was asleep"
    } else if report.shown == report.total {
        "of this time"
    } else {
        "of the time threads were not asleep"
    };
    let by_own: Vec<&HotFunction> = report.by_own.iter().collect();
    writer.functions(&format!("Hot functions, {of}"), &by_own);
    // One that calls nothing is in the list above.
    let callers = report.by_total.iter();
    let callers: Vec<&HotFunction> = callers.filter(|row| row.total > row.own.weight).collect();
    writer.functions("Functions by total time, with what they call", &callers);
    writer.lines();
    writer.paths();
    writer.program(&report.program);
    writer.cost();
    writer.more();
    writer.out
}

pub(super) struct Writer<'a> {
    report: &'a Report,
    style: &'a Style<'a>,
    out: String,
}

impl Writer<'_> {
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    pub(super) fn title(&mut self, text: &str) {
        let painted = (self.style.paint)(Paint::Bold, &end_cut(text, self.style.width));
        self.line("");
        self.line(&painted);
    }

    pub(super) fn table(&mut self, table: &Table) {
        table.write(&mut self.out, self.style.width, self.style.paint);
    }

    /// Parts with dots between, in as many lines as they need.
    fn wrapped(&mut self, parts: &[String]) {
        let mut line = String::new();
        for part in parts {
            let length = line.chars().count() + 3 + part.chars().count();
            if !line.is_empty() && length > self.style.width {
                self.line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push_str(" · ");
            }
            line.push_str(&end_cut(part, self.style.width));
        }
        self.line(&line);
    }

    fn head(&mut self) {
        let report = self.report;
        let command = match report.command.join(" ") {
            command if command.is_empty() => report.recording.clone(),
            command => command,
        };
        let command = middle_cut(&command, self.style.width);
        self.line(&(self.style.paint)(Paint::Bold, &command));
        let threads: usize = report.processes.iter().map(|p| p.threads.len()).sum();
        let mut parts = Vec::new();
        if !report.runtime.is_empty() {
            parts.push(report.runtime.clone());
        }
        if report.unit == Unit::Nanos {
            parts.push(duration(report.range.span().0));
        }
        let samples = plural(report.total.count, "sample");
        parts.push(match report.interval.0 {
            0 => samples,
            interval => format!("{samples}, one every {}", duration(interval)),
        });
        parts.push(match report.processes.len() {
            1 => "1 process".to_owned(),
            n => format!("{} processes", count(n as u64)),
        });
        parts.push(plural(threads as u64, "thread"));
        self.wrapped(&parts);
    }

    fn notes(&mut self) {
        let notes = self.report.notes.iter().map(ToString::to_string);
        let empty = self.report.empty.iter().map(ToString::to_string);
        let notes: Vec<String> = notes.chain(empty).collect();
        if !notes.is_empty() {
            self.line("");
        }
        for note in notes {
            let mark = (self.style.paint)(Paint::Yellow, "!");
            for (at, line) in fold(&note, self.style.width - 2).into_iter().enumerate() {
                let mark = if at == 0 { mark.as_str() } else { " " };
                self.line(&format!("{mark} {line}"));
            }
        }
    }

    fn states(&mut self) {
        let report = self.report;
        let total = &report.total;
        if total.weight == 0 {
            return;
        }
        self.title("Where the time went");
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Left]);
        for kind in StateKind::ALL {
            let part = total.state(kind);
            if part > 0 {
                table.row([
                    Cell::new(kind.label()),
                    Cell::new(weight(report.unit, part)),
                    Cell::new(share(part, total.weight)),
                    Cell::painted(color(kind), bar(part, total.weight)),
                ]);
            }
        }
        if total.gil > 0 {
            table.row([
                Cell::new("holding the GIL"),
                Cell::new(weight(report.unit, total.gil)),
                Cell::new(share(total.gil, total.weight)),
                Cell::painted(Paint::Dim, bar(total.gil, total.weight)),
            ]);
        }
        self.table(&table);
    }

    fn threads(&mut self) {
        let report = self.report;
        let count: usize = report.processes.iter().map(|p| p.threads.len()).sum();
        if count < 2 || report.total.weight == 0 {
            return;
        }
        let states: Vec<StateKind> = StateKind::ALL
            .into_iter()
            .filter(|kind| report.total.state(*kind) > 0)
            .collect();
        let mut columns = vec![Align::Left, Align::Right];
        columns.extend(states.iter().map(|_| Align::Right));
        let mut table = Table::new(&columns);
        let head = ["", "time"]
            .into_iter()
            .chain(states.iter().map(|kind| short(*kind)));
        table.row(head.map(|text| Cell::painted(Paint::Dim, text)));
        let row = |name: String, totals: &Totals| {
            let parts = states.iter().map(|kind| match totals.state(*kind) {
                0 => Cell::painted(Paint::Dim, "·"),
                part => Cell::new(share(part, totals.weight)),
            });
            let time = weight(report.unit, totals.weight);
            let head = [Cell::new(name), Cell::new(time)];
            head.into_iter().chain(parts).collect::<Vec<_>>()
        };
        let is_shown =
            |totals: &Totals| totals.weight.saturating_mul(MIN_PART) >= report.total.weight;
        let processes = report.processes.iter();
        let (shown, hidden): (Vec<_>, Vec<_>) = processes.partition(|p| is_shown(&p.totals));
        for process in shown.iter().take(MAX_PROCESSES) {
            // A process of one thread is one row.
            let [thread] = &process.threads[..] else {
                let name = format!("{} [{}]", process.name, process.pid);
                table.row(row(name, &process.totals));
                let threads = process.threads.iter();
                let (shown, hidden): (Vec<_>, Vec<_>) =
                    threads.partition(|thread| is_shown(&thread.totals));
                for thread in shown.iter().take(MAX_THREADS) {
                    let name = format!("  {} [{}]", thread.name, thread.tid);
                    table.row(row(name, &thread.totals));
                }
                let rest = shown.iter().skip(MAX_THREADS).chain(&hidden);
                table.rest(
                    "  ",
                    "thread",
                    report.unit,
                    rest.map(|thread| &thread.totals),
                );
                continue;
            };
            let name = format!("{} [{}] {}", process.name, process.pid, thread.name);
            table.row(row(name, &thread.totals));
        }
        let rest = shown.iter().skip(MAX_PROCESSES).chain(&hidden);
        table.rest(
            "",
            "process",
            report.unit,
            rest.map(|process| &process.totals),
        );
        self.title("Threads");
        self.table(&table);
    }

    fn tasks(&mut self) {
        let report = self.report;
        if report.tasks.is_empty() {
            return;
        }
        let mut table = Table::new(&[Align::Right, Align::Right, Align::Left, Align::Left]);
        let head = ["time", "", "task", "coroutine"];
        table.row(head.map(|text| Cell::painted(Paint::Dim, text)));
        for task in &report.tasks {
            let name = match task.tasks {
                1 => task.name.clone(),
                tasks => format!("{} ×{}", task.name, count(tasks)),
            };
            table.row([
                Cell::new(weight(report.unit, task.totals.weight)),
                Cell::new(share(task.totals.weight, report.shown.weight)),
                Cell::new(name),
                Cell::painted(Paint::Dim, task.coroutine.clone()),
            ]);
        }
        self.title("asyncio tasks");
        self.table(&table);
        self.omitted(report.task_count - report.tasks.len(), "more task");
    }

    /// How many of a list are not shown.
    pub(super) fn omitted(&mut self, more: usize, what: &str) {
        if more > 0 {
            let text = format!("  and {}", plural(more as u64, what));
            let painted = (self.style.paint)(Paint::Dim, &text);
            self.line(&painted);
        }
    }

    fn functions(&mut self, title: &str, functions: &[&HotFunction]) {
        if functions.is_empty() {
            return;
        }
        let report = self.report;
        let is_wide = self.style.width >= WIDE;
        let texts = if is_wide { 3 } else { 2 };
        let mut columns = vec![Align::Right; 4];
        columns.resize(4 + texts, Align::Left);
        let mut table = Table::new(&columns);
        let head = ["self", "", "total", "", "function", "where", "self time is"];
        table.row(
            head.iter()
                .take(columns.len())
                .map(|text| Cell::painted(Paint::Dim, *text)),
        );
        let figures = |part: u64| match part {
            0 => [Cell::painted(Paint::Dim, "·"), Cell::default()],
            part => [
                Cell::new(weight(report.unit, part)),
                Cell::new(share(part, report.shown.weight)),
            ],
        };
        for row in functions {
            let place = match row.name.line {
                0 => row.name.short.clone(),
                line => format!("{}:{line}", row.name.short),
            };
            let texts = [
                Cell::painted(Paint::Bold, row.name.label.clone()),
                Cell::painted(Paint::Cyan, place),
                Cell::painted(Paint::Dim, main_state(&row.own)),
            ];
            let cells = figures(row.own.weight).into_iter();
            let cells = cells.chain(figures(row.total)).chain(texts);
            table.row(cells.take(columns.len()));
        }
        self.title(title);
        self.table(&table);
    }

    fn lines(&mut self) {
        let report = self.report;
        if report.lines.is_empty() {
            return;
        }
        let columns = [Align::Right, Align::Right, Align::Left, Align::Left];
        let mut table = Table::new(&columns);
        for row in &report.lines {
            let text = row.text.as_deref().unwrap_or(&row.function);
            table.row([
                Cell::new(weight(report.unit, row.own)),
                Cell::new(share(row.own, report.shown.weight)),
                Cell::painted(Paint::Cyan, format!("{}:{}", row.short, row.line)),
                Cell::new(end_cut(text, self.style.width / 2)),
            ]);
        }
        self.title("Hot lines");
        self.table(&table);
    }

    fn paths(&mut self) {
        let report = self.report;
        if report.paths.is_empty() {
            return;
        }
        self.title("Hottest paths");
        let figures = |own: u64| {
            let (time, part) = (weight(report.unit, own), share(own, report.shown.weight));
            format!("  {time:>8}  {part:>6}  ")
        };
        let room = self.style.width - figures(0).chars().count();
        for path in &report.paths {
            let line = figures(path.own) + &fitted_path(&path.functions, room);
            self.line(&line);
        }
        if report.without_stack > 0 {
            let line = figures(report.without_stack) + "(no Python code on the stack)";
            self.line(&end_cut(&line, self.style.width));
        }
    }

    fn cost(&mut self) {
        let report = self.report;
        self.title("Losses and cost");
        let lost = match report.lost {
            0 => "nothing was lost".to_owned(),
            lost => format!(
                "lost {} of {} ({})",
                count(lost),
                plural(report.tried, "observation"),
                share(lost, report.tried)
            ),
        };
        self.line(&format!("  {lost}"));
        for (kind, number) in &report.losses {
            let line = format!("    {} × {}", count(*number), kind.label());
            self.line(&end_cut(&line, self.style.width));
        }
        let overhead = &report.overhead;
        if overhead.own_cpu.0 > 0 {
            let line = format!(
                "  the profiler used {} of CPU time ({} of one CPU), {}, {}",
                duration(overhead.own_cpu.0),
                share(overhead.own_cpu.0, report.recorded.span().0),
                plural(overhead.reads, "read"),
                plural(overhead.stops, "stop")
            );
            self.folded(&line);
        }
        let span = report.recorded.span().0;
        if let Some(line) = self.probe_cost(&report.program, span) {
            self.folded(&format!("  {line}"));
        }
    }

    /// A sentence in as many lines as it needs.
    fn folded(&mut self, line: &str) {
        for (at, line) in fold(line, self.style.width - 2).iter().enumerate() {
            let indent = if at == 0 { "  " } else { "    " };
            self.line(&format!("{indent}{line}"));
        }
    }

    fn more(&mut self) {
        let command = (self.style.paint)(Paint::Cyan, &self.report.more);
        self.line("");
        self.line(&format!("To see more: {command}"));
    }
}

impl Table {
    /// A row for what is not shown one by one.
    fn rest<'a>(
        &mut self,
        indent: &str,
        what: &str,
        unit: Unit,
        rest: impl Iterator<Item = &'a Totals>,
    ) {
        let weights: Vec<u64> = rest.map(|totals| totals.weight).collect();
        let plural = match (weights.len(), what) {
            (0, _) => return,
            (1, what) => what.to_owned(),
            (_, "process") => "processes".to_owned(),
            (_, what) => format!("{what}s"),
        };
        let name = format!("{indent}and {} more {plural}", weights.len());
        let time = weight(unit, weights.iter().sum());
        self.row([
            Cell::painted(Paint::Dim, name),
            Cell::painted(Paint::Dim, time),
        ]);
    }
}

/// Words in lines of at most `width` columns; a longer word has a line of its own.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A bar whose length is the share, to an eighth of a column.
fn bar(part: u64, whole: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part as f64 / whole as f64 * (BAR * 8) as f64).round() as usize;
    // What is there is seen.
    let eighths = eighths.max(1);
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

fn color(kind: StateKind) -> Paint {
    match kind {
        StateKind::OnCpu => Paint::Green,
        StateKind::Runnable | StateKind::GilWait => Paint::Yellow,
        StateKind::Disk => Paint::Red,
        StateKind::Blocked | StateKind::Unknown => Paint::Dim,
    }
}

/// A state in the head of a column.
fn short(kind: StateKind) -> &'static str {
    match kind {
        StateKind::OnCpu => "on CPU",
        StateKind::Runnable => "CPU wait",
        StateKind::GilWait => "GIL wait",
        StateKind::Blocked => "asleep",
        StateKind::Disk => "disk",
        StateKind::Unknown => "unknown",
    }
}

/// The state that most of a function's self time is, and its share unless it is nearly all.
fn main_state(own: &Totals) -> String {
    let most = StateKind::ALL
        .into_iter()
        .filter(|kind| own.state(*kind) > 0)
        .max_by_key(|kind| (own.state(*kind), std::cmp::Reverse(*kind)));
    match most {
        None => String::new(),
        Some(kind) if own.state(kind) * 100 >= own.weight * 99 => kind.label().to_owned(),
        Some(kind) => format!("{} {}", share(own.state(kind), own.weight), kind.label()),
    }
}

/// Functions with arrows between, as many as fit: those inside first, then the outermost ones.
///
/// A function that calls itself is written once, with how often.
fn fitted_path(functions: &[String], width: usize) -> String {
    const ARROW: &str = " › ";
    let functions: Vec<String> = functions
        .chunk_by(|a, b| a == b)
        .map(|same| match same.len() {
            1 => same[0].clone(),
            times => format!("{} ×{times}", same[0]),
        })
        .collect();
    let join = |outer: usize, inner: usize| {
        let hidden = functions.len() - outer - inner;
        let mut parts: Vec<String> = functions[..outer].to_vec();
        if hidden > 0 {
            parts.push(format!("… {hidden} more"));
        }
        parts.extend_from_slice(&functions[functions.len() - inner..]);
        parts.join(ARROW)
    };
    let fits = |text: &str| text.chars().count() <= width;
    let whole = join(functions.len(), 0);
    if fits(&whole) {
        return whole;
    }
    let (mut outer, mut inner) = (0, 1);
    let mut best = join(outer, inner);
    // Two from the inside for each from the outside.
    for step in 0.. {
        let (more_outer, more_inner) = match step % 3 {
            2 => (outer + 1, inner),
            _ => (outer, inner + 1),
        };
        if more_outer + more_inner >= functions.len() {
            break;
        }
        let next = join(more_outer, more_inner);
        if !fits(&next) {
            break;
        }
        (outer, inner, best) = (more_outer, more_inner, next);
    }
    middle_cut(&best, width)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
