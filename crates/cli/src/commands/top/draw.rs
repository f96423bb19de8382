//! The picture of `sondage top`. 80×24 is enough for all of it.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Sparkline, Table};
use sondage_model::{Nanos, StateKind};

use super::state::{FunctionLine, Mode, Sort, State, ThreadLine};
use crate::ui::grouped;

const HELP: &str = " sort     s  self % lately     t  total % lately     n  name
          S  self time         T  total time
 show     i  sleeping threads, too
          g  only while the GIL is held
 search   /  a regular expression; Enter keeps, Esc clears
 scroll   arrows, j, k, PageUp, PageDown, Home
 time     Space  pause         r  begin anew
 leave    q, Ctrl-C

 self: the function itself runs; total: it or what it calls.
 lately: the last half second. A thread waiting for the GIL
 or a CPU counts; a sleeping one only with i.";

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let threads = (state.threads.len() as u16 + 1).clamp(3, (area.height / 3).max(3));
    let [head, figures, curves, functions, thread_area, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(if area.height >= 16 { 3 } else { 0 }),
        Constraint::Min(3),
        Constraint::Length(threads),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(frame, head, state);
    draw_figures(frame, figures, state);
    draw_curves(frame, curves, state);
    draw_functions(frame, functions, state);
    draw_threads(frame, thread_area, state);
    draw_foot(frame, foot, state);
    if state.mode == Mode::Help {
        draw_help(frame, area);
    }
}

impl State {
    fn color(&self, color: Color) -> Style {
        if self.colorful {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const HEADER: Style = Style::new().add_modifier(Modifier::REVERSED);

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let mark = if state.is_over() {
        " ENDED "
    } else if state.paused {
        " PAUSED "
    } else {
        ""
    };
    let right = format!("{} Hz  {:.0} s", state.rate, state.elapsed.as_secs_f64());
    let [left, right_area] =
        Layout::horizontal([Constraint::Min(10), Constraint::Length(right.len() as u16)])
            .areas(area);
    let line = Line::from(vec![
        Span::styled("sondage top  ", DIM),
        Span::styled(state.title.clone(), BOLD),
        Span::raw("  "),
        Span::styled(mark, HEADER),
    ]);
    frame.render_widget(line, left);
    frame.render_widget(Line::styled(right, DIM), right_area);
}

fn draw_figures(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let totals = &state.totals;
    let count = |kind: StateKind| state.threads.iter().filter(|t| t.state == kind).count();
    let waiting = count(StateKind::GilWait);
    let mut parts = vec![
        format!("CPU {:.0} %", totals.cpu * 100.0),
        format!("GIL {:.0} %", totals.gil * 100.0),
        format!("{} threads", totals.threads),
    ];
    if waiting > 0 {
        parts.push(format!("{waiting} waiting for the GIL"));
    }
    if totals.processes > 1 {
        parts.push(format!("{} processes", totals.processes));
    }
    parts.push(format!("{} samples", grouped(totals.samples)));
    if totals.rejected > 0 {
        parts.push(format!("{} lost", grouped(totals.rejected)));
    }
    frame.render_widget(Line::raw(parts.join("   ")), area);
}

fn draw_curves(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let [left, _, right] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(2),
        Constraint::Fill(1),
    ])
    .areas(area);
    // The scale is whole CPUs, so that a curve does not jump with its own peak.
    let peak = state.cpu_history.iter().max().copied().unwrap_or(0);
    let scale = peak.div_ceil(100).max(1) * 100;
    let cpu = (&state.cpu_history, scale, state.color(Color::Green));
    let gil = (&state.gil_history, 100, state.color(Color::Yellow));
    for (place, label, (history, scale, style)) in [(left, "CPU", cpu), (right, "GIL", gil)] {
        let axis = format!("{label} {scale} %\n\n{:>1$} %", 0, label.len() + 4);
        let [words, curve] =
            Layout::horizontal([Constraint::Length(10), Constraint::Min(1)]).areas(place);
        frame.render_widget(Paragraph::new(axis).style(DIM), words);
        let width = usize::from(curve.width);
        let shown = history.iter().skip(history.len().saturating_sub(width));
        let bars: Vec<u64> = shown.copied().collect();
        frame.render_widget(
            Sparkline::default().data(bars).max(scale).style(style),
            curve,
        );
    }
}

fn heading(title: &str, sorted: bool) -> Cell<'static> {
    let text = if sorted {
        format!("{title}▼")
    } else {
        title.to_owned()
    };
    Cell::from(Line::from(text).alignment(Alignment::Right))
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).alignment(Alignment::Right))
}

fn draw_functions(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let sort = |sort| state.sort == sort;
    let mut name = String::from("function");
    if sort(Sort::Name) {
        name += "▼";
    }
    if !state.search.is_empty() {
        name += &format!("  /{}/", state.search);
    }
    let header = Row::new(vec![
        heading("self %", sort(Sort::Own)),
        heading("total %", sort(Sort::Total)),
        heading("self", sort(Sort::OwnTime)),
        heading("total", sort(Sort::TotalTime)),
        Cell::from(name),
    ])
    .style(HEADER);
    let visible = usize::from(area.height.saturating_sub(1));
    let scroll = state
        .scroll
        .min(state.functions.len().saturating_sub(visible));
    let rows = state
        .functions
        .iter()
        .skip(scroll)
        .take(visible)
        .map(|line| function_row(line, state));
    if state.functions.is_empty() {
        let why = if !state.search.is_empty() {
            "no function matches the search; Esc clears it"
        } else if state.filter.gil_only {
            "no thread held the GIL so far; g shows all"
        } else if state.elapsed == Nanos::ZERO {
            "waiting for the first samples"
        } else {
            "all threads are asleep; i shows where"
        };
        let [top, below] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
        frame.render_widget(Table::new([] as [Row<'_>; 0], WIDTHS).header(header), top);
        frame.render_widget(Paragraph::new(why).style(DIM).centered(), below);
        return;
    }
    frame.render_widget(Table::new(rows, WIDTHS).header(header), area);
}

const WIDTHS: [Constraint; 5] = [
    Constraint::Length(8),
    Constraint::Length(8),
    Constraint::Length(9),
    Constraint::Length(9),
    Constraint::Min(20),
];

fn function_row(line: &FunctionLine, state: &State) -> Row<'static> {
    let share = |value: f64| right(format!("{:.1}", value * 100.0));
    let seconds = |time: Nanos| right(format!("{:.2} s", time.as_secs_f64()));
    let heat = match line.own {
        own if own >= 0.25 => state.color(Color::Red).patch(BOLD),
        own if own >= 0.05 => state.color(Color::Yellow),
        _ => Style::new(),
    };
    Row::new(vec![
        share(line.own).style(heat),
        share(line.total),
        seconds(line.own_time),
        seconds(line.total_time),
        Cell::from(Line::from(vec![
            Span::raw(line.name.clone()),
            Span::styled(format!("  {}", line.place), DIM),
        ])),
    ])
}

fn draw_threads(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let header = Row::new(vec![
        heading("cpu %", false),
        heading("gil wait", false),
        Cell::from("thread"),
        Cell::from("state"),
        Cell::from("in"),
    ])
    .style(HEADER);
    let visible = usize::from(area.height.saturating_sub(1));
    let hidden = state.threads.len().saturating_sub(visible);
    let shown = if hidden > 0 {
        visible.saturating_sub(1)
    } else {
        visible
    };
    let mut rows: Vec<Row<'_>> = state
        .threads
        .iter()
        .take(shown)
        .map(|line| thread_row(line, state))
        .collect();
    if hidden > 0 {
        rows.push(
            Row::new(vec![
                Cell::from(""),
                Cell::from(""),
                Cell::from(format!("{} more", hidden + 1)),
            ])
            .style(DIM),
        );
    }
    let widths = [
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(22),
        Constraint::Length(22),
        Constraint::Min(10),
    ];
    frame.render_widget(Table::new(rows, widths).header(header), area);
}

fn thread_row(line: &ThreadLine, state: &State) -> Row<'static> {
    let style = match line.state {
        StateKind::OnCpu => state.color(Color::Green),
        StateKind::GilWait | StateKind::Runnable | StateKind::Disk => state.color(Color::Yellow),
        StateKind::Blocked | StateKind::Unknown => DIM,
    };
    let words = if line.holds_gil {
        format!("{}, GIL", line.state.label())
    } else {
        line.state.label().to_owned()
    };
    let name = match &line.process {
        Some(process) => format!("{process}/{} {}", line.name, line.tid),
        None => format!("{} {}", line.name, line.tid),
    };
    Row::new(vec![
        right(format!("{:.0}", line.cpu * 100.0)),
        right(format!("{:.0}", line.gil_wait * 100.0)),
        Cell::from(name),
        Cell::from(words).style(style),
        Cell::from(line.function.clone()),
    ])
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if state.mode == Mode::Search || state.search_error {
        let wrong = if state.search_error {
            "   (no regular expression)"
        } else {
            ""
        };
        let line = Line::from(vec![
            Span::styled("search: ", BOLD),
            Span::raw(state.search.clone()),
            Span::styled("█", DIM),
            Span::styled(wrong, state.color(Color::Red)),
        ]);
        frame.render_widget(line, area);
        return;
    }
    let on = |set: bool| if set { "on" } else { "off" };
    let text = format!(
        "? help  / search  s t S T n sort  i idle {}  g gil {}  Space pause  q quit",
        on(state.filter.idle),
        on(state.filter.gil_only)
    );
    frame.render_widget(Line::styled(text, DIM), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let width = 66.min(area.width);
    let height = (HELP.lines().count() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    frame.render_widget(
        Paragraph::new(HELP).block(Block::bordered().title(" Keys ")),
        place,
    );
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn picture(state: &State, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        format!("{}", terminal.backend())
    }

    fn example() -> State {
        let mut state = State::empty("app.py (4711, CPython 3.12.1)".into(), 100, false);
        let line = |name: &str, place: &str, own: f64, total: f64| FunctionLine {
            own,
            total,
            own_time: Nanos((own * 12e9) as u64),
            total_time: Nanos((total * 12e9) as u64),
            name: name.into(),
            place: place.into(),
        };
        state.functions = vec![
            line("Parser.tokens", "parser.py:120", 0.613, 0.7),
            line("Parser.parse", "parser.py:40", 0.2, 0.95),
            line("main", "app.py:3", 0.0, 1.0),
        ];
        let thread = |tid, name: &str, kind, holds_gil, cpu| ThreadLine {
            tid,
            process: None,
            name: name.into(),
            state: kind,
            holds_gil,
            cpu,
            gil_wait: 0.02,
            function: "Parser.tokens".into(),
        };
        state.threads = vec![
            thread(4711, "MainThread", StateKind::OnCpu, true, 0.98),
            thread(4712, "worker-1", StateKind::GilWait, false, 0.1),
            thread(4713, "worker-2", StateKind::Blocked, false, 0.0),
        ];
        state.totals.cpu = 1.08;
        state.totals.gil = 0.99;
        state.totals.samples = 123_456;
        state.totals.threads = 3;
        state.totals.processes = 1;
        state.elapsed = Nanos(12_000_000_000);
        state.cpu_history = (0..40).map(|n| n * 5 % 120).collect();
        state.gil_history = (0..40).map(|n| n * 3 % 100).collect();
        state
    }

    #[test]
    fn the_picture_at_80_by_24() {
        insta::assert_snapshot!(picture(&example(), 80, 24));
    }

    #[test]
    fn help_and_search() {
        let mut state = example();
        state.mode = Mode::Help;
        insta::assert_snapshot!(picture(&state, 80, 24));
        state.mode = Mode::Search;
        state.search = "tok(".into();
        state.search_error = true;
        assert!(picture(&state, 80, 24).contains("no regular expression"));
    }

    #[test]
    fn an_empty_picture_says_why_and_no_size_panics() {
        let mut state = State::empty("x".into(), 100, true);
        assert!(picture(&state, 80, 24).contains("waiting for the first samples"));
        state.elapsed = Nanos(1);
        assert!(picture(&state, 80, 24).contains("all threads are asleep"));
        let mut full = example();
        full.mode = Mode::Help;
        for (width, height) in [(1, 1), (20, 5), (40, 12), (300, 80)] {
            picture(&full, width, height);
        }
    }
}
