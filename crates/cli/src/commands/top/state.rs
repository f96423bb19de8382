//! What is shown, and what keys do to it. Draws nothing.

use std::collections::VecDeque;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use regex::{Regex, RegexBuilder};
use sondage_collect::live::{Live, LiveFilter, Sums};
use sondage_model::{Dictionary, FunctionId, Nanos, StateKind, Time};

/// Points of the curves.
const HISTORY: usize = 240;

/// What the functions are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Share as the innermost function, lately.
    Own,
    /// Share anywhere on the stack, lately.
    Total,
    /// Time as the innermost function, since the beginning.
    OwnTime,
    /// Time anywhere on the stack, since the beginning.
    TotalTime,
    /// Name.
    Name,
}

/// A line of the table of functions.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionLine {
    /// Share of lately counted time, innermost.
    pub own: f64,
    /// Share of lately counted time, anywhere.
    pub total: f64,
    /// Since the beginning, innermost.
    pub own_time: Nanos,
    /// Since the beginning, anywhere.
    pub total_time: Nanos,
    /// `Class.method`.
    pub name: String,
    /// `file.py:12`.
    pub place: String,
}

/// A line of the table of threads.
#[derive(Clone, PartialEq, Debug)]
pub struct ThreadLine {
    /// The kernel's number.
    pub tid: i32,
    /// Its process, where there are several.
    pub process: Option<String>,
    /// Its name.
    pub name: String,
    /// What it did last.
    pub state: StateKind,
    /// Whether it held the GIL then.
    pub holds_gil: bool,
    /// Share of lately passed time on a CPU.
    pub cpu: f64,
    /// … waiting for the GIL.
    pub gil_wait: f64,
    /// The innermost function it was in last.
    pub function: String,
}

/// Figures above the tables.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Totals {
    /// CPUs' worth of time on a CPU, lately.
    pub cpu: f64,
    /// Share of time with the GIL taken, lately.
    pub gil: f64,
    /// Observations so far.
    pub samples: u64,
    /// Rejected ones.
    pub rejected: u64,
    /// Living threads.
    pub threads: usize,
    /// Living processes.
    pub processes: usize,
}

/// Where keys go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// To the tables.
    Tables,
    /// Into the search.
    Search,
    /// Any key closes the help.
    Help,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Go on.
    Stay,
    /// The user has enough.
    Quit,
}

/// Everything that is shown.
pub struct State {
    live: Option<Live>,
    /// The process.
    pub title: String,
    /// Samples a second.
    pub rate: u32,
    /// Whether to use colour.
    pub colorful: bool,
    /// What functions are sorted by.
    pub sort: Sort,
    /// Where keys go.
    pub mode: Mode,
    /// Whether the picture stands still.
    pub paused: bool,
    /// What is searched for.
    pub search: String,
    /// Whether the search makes no sense.
    pub search_error: bool,
    /// Which samples count.
    pub filter: LiveFilter,
    /// First line of functions shown.
    pub scroll: usize,
    /// The functions that match, sorted.
    pub functions: Vec<FunctionLine>,
    /// The threads, the busiest first.
    pub threads: Vec<ThreadLine>,
    /// Figures above the tables.
    pub totals: Totals,
    /// CPU in percent of one, over time.
    pub cpu_history: VecDeque<u64>,
    /// GIL in percent, over time.
    pub gil_history: VecDeque<u64>,
    /// How long it has been watched.
    pub elapsed: Nanos,
    recent: Sums,
    recent_span: Nanos,
    seen_upto: Time,
    over: bool,
}

impl State {
    /// The first picture, without figures.
    pub fn new(live: Live, title: String, rate: u32, colorful: bool) -> State {
        State {
            live: Some(live),
            ..State::empty(title, rate, colorful)
        }
    }

    /// A picture of nothing.
    pub fn empty(title: String, rate: u32, colorful: bool) -> State {
        State {
            live: None,
            title,
            rate,
            colorful,
            sort: Sort::Own,
            mode: Mode::Tables,
            paused: false,
            search: String::new(),
            search_error: false,
            filter: LiveFilter::default(),
            scroll: 0,
            functions: Vec::new(),
            threads: Vec::new(),
            totals: Totals::default(),
            cpu_history: VecDeque::new(),
            gil_history: VecDeque::new(),
            elapsed: Nanos::ZERO,
            recent: Sums::default(),
            recent_span: Nanos::ZERO,
            seen_upto: Time::ZERO,
            over: false,
        }
    }

    /// Whether the process has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Takes over what was sampled since the last call.
    pub fn refresh(&mut self) {
        let Some(live) = &mut self.live else { return };
        live.update(!self.paused);
        self.over = live.is_finished();
        self.elapsed = live.now().since(Time::ZERO);
        if self.paused {
            self.seen_upto = live.now();
            return;
        }
        let span = live.now().since(self.seen_upto);
        if span.0 > 0 {
            self.seen_upto = live.now();
            self.recent = live.take_recent();
            self.recent_span = span;
            let share = |time: Nanos| time.0 as f64 / span.0 as f64;
            self.totals.cpu = share(self.recent.cpu);
            self.totals.gil = share(self.recent.gil);
            remember(&mut self.cpu_history, self.totals.cpu);
            remember(&mut self.gil_history, self.totals.gil);
        }
        let dictionary = live.dictionary();
        self.totals.rejected = live.rejected();
        self.totals.samples = live.all.samples;
        let alive = |end: Time| end == Time::MAX;
        self.totals.threads = dictionary.threads().iter().filter(|t| alive(t.end)).count();
        self.totals.processes = dictionary
            .processes()
            .iter()
            .filter(|p| alive(p.end))
            .count();
        self.threads = thread_lines(dictionary, &self.recent, &live.all, self.recent_span);
        self.list_functions();
    }

    fn list_functions(&mut self) {
        let Some(live) = &self.live else { return };
        self.functions = function_lines(live.dictionary(), &self.recent, &live.all);
        self.arrange();
    }

    /// Applies search and sort.
    pub fn arrange(&mut self) {
        let search = matcher(&self.search);
        self.search_error = search.is_none();
        if let Some(search) = search {
            self.functions
                .retain(|line| search.is_match(&format!("{} {}", line.name, line.place)));
        }
        sort_functions(&mut self.functions, self.sort);
        self.scroll = self.scroll.min(self.functions.len().saturating_sub(1));
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) -> Flow {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Flow::Quit;
        }
        match self.mode {
            Mode::Help => self.mode = Mode::Tables,
            Mode::Search => self.search_key(key.code),
            Mode::Tables => return self.table_key(key.code),
        }
        Flow::Stay
    }

    fn search_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Esc => {
                self.search.clear();
                self.mode = Mode::Tables;
            }
            KeyCode::Enter => self.mode = Mode::Tables,
            KeyCode::Backspace => {
                self.search.pop();
            }
            KeyCode::Char(letter) => self.search.push(letter),
            _ => {}
        }
        self.scroll = 0;
        self.list_functions();
    }

    fn table_key(&mut self, code: KeyCode) -> Flow {
        const PAGE: usize = 10;
        match code {
            KeyCode::Char('q') | KeyCode::Esc if self.search.is_empty() => return Flow::Quit,
            KeyCode::Char('q') => return Flow::Quit,
            KeyCode::Esc => self.search.clear(),
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Search,
            KeyCode::Char(' ' | 'p') => self.paused = !self.paused,
            KeyCode::Char('1' | 's') => self.sort = Sort::Own,
            KeyCode::Char('2' | 't') => self.sort = Sort::Total,
            KeyCode::Char('3' | 'S') => self.sort = Sort::OwnTime,
            KeyCode::Char('4' | 'T') => self.sort = Sort::TotalTime,
            KeyCode::Char('5' | 'n') => self.sort = Sort::Name,
            KeyCode::Char('i') => self.change_filter(|filter| filter.idle = !filter.idle),
            KeyCode::Char('g') => self.change_filter(|filter| filter.gil_only = !filter.gil_only),
            KeyCode::Char('r') => {
                if let Some(live) = &mut self.live {
                    live.reset();
                }
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll += PAGE,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        self.list_functions();
        Flow::Stay
    }

    fn change_filter(&mut self, change: impl FnOnce(&mut LiveFilter)) {
        change(&mut self.filter);
        if let Some(live) = &mut self.live {
            live.set_filter(self.filter);
        }
        self.recent = Sums::default();
    }
}

fn remember(history: &mut VecDeque<u64>, share: f64) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back((share * 100.0).round() as u64);
}

/// The search as an expression, without regard to case; `None` when it makes no sense.
fn matcher(search: &str) -> Option<Regex> {
    RegexBuilder::new(search)
        .case_insensitive(true)
        .build()
        .ok()
}

/// Sorts, the heaviest first; equals by name, so that lines do not dance.
pub fn sort_functions(lines: &mut [FunctionLine], sort: Sort) {
    lines.sort_by(|a, b| {
        let order = match sort {
            Sort::Own => b.own.total_cmp(&a.own),
            Sort::Total => b.total.total_cmp(&a.total),
            Sort::OwnTime => b.own_time.cmp(&a.own_time),
            Sort::TotalTime => b.total_time.cmp(&a.total_time),
            Sort::Name => std::cmp::Ordering::Equal,
        };
        // What is equal lately is told apart by all the time before.
        order
            .then_with(|| match sort {
                Sort::Own => b.own_time.cmp(&a.own_time),
                Sort::Total => b.total_time.cmp(&a.total_time),
                Sort::OwnTime | Sort::TotalTime | Sort::Name => std::cmp::Ordering::Equal,
            })
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.place.cmp(&b.place))
    });
}

fn function_lines(dictionary: &Dictionary, recent: &Sums, all: &Sums) -> Vec<FunctionLine> {
    let whole = recent.counted.0.max(1) as f64;
    all.functions
        .iter()
        .map(|(id, time)| {
            let lately = recent.functions.get(id).copied().unwrap_or_default();
            let (name, place) = name_and_place(dictionary, *id);
            FunctionLine {
                own: lately.own.0 as f64 / whole,
                total: lately.total.0 as f64 / whole,
                own_time: time.own,
                total_time: time.total,
                name,
                place,
            }
        })
        .collect()
}

fn name_and_place(dictionary: &Dictionary, id: FunctionId) -> (String, String) {
    let row = dictionary.functions()[id.index()];
    let path = dictionary.file_path(row.file);
    let file = path.rsplit('/').next().unwrap_or(path);
    let place = if file.is_empty() {
        String::new()
    } else {
        format!("{file}:{}", row.first_line)
    };
    (dictionary.text(row.qualified_name).to_owned(), place)
}

fn thread_lines(
    dictionary: &Dictionary,
    recent: &Sums,
    all: &Sums,
    span: Nanos,
) -> Vec<ThreadLine> {
    let several = dictionary
        .processes()
        .iter()
        .filter(|p| p.end == Time::MAX)
        .count()
        > 1;
    let mut lines: Vec<ThreadLine> = dictionary
        .threads()
        .iter()
        .enumerate()
        .filter(|(_, row)| row.end == Time::MAX)
        .map(|(index, row)| {
            let id = sondage_model::ThreadId(index as u32);
            let lately = recent.threads.get(&id).copied().unwrap_or_default();
            let last = lately
                .last
                .or_else(|| all.threads.get(&id).and_then(|thread| thread.last));
            let share =
                |kind: StateKind| lately.by_state[kind.index()].0 as f64 / span.0.max(1) as f64;
            let function = last
                .and_then(|(stack, _)| dictionary.frames_inward(stack).next())
                .map(|frame| dictionary.functions()[dictionary.function_of(frame).index()].name)
                .map(|name| dictionary.text(name).to_owned())
                .unwrap_or_default();
            let process = &dictionary.processes()[row.process.index()];
            ThreadLine {
                tid: row.tid.0,
                process: several.then(|| dictionary.text(process.name).to_owned()),
                name: dictionary.text(row.name).to_owned(),
                state: last.map_or(StateKind::Unknown, |(_, state)| state.kind()),
                holds_gil: last.is_some_and(|(_, state)| state.holds_gil()),
                cpu: share(StateKind::OnCpu),
                gil_wait: share(StateKind::GilWait),
                function,
            }
        })
        .collect();
    lines.sort_by(|a, b| {
        (b.cpu + b.gil_wait)
            .total_cmp(&(a.cpu + a.gil_wait))
            .then_with(|| a.tid.cmp(&b.tid))
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, own: f64, own_time: u64) -> FunctionLine {
        FunctionLine {
            own,
            total: 1.0 - own,
            own_time: Nanos(own_time),
            total_time: Nanos(0),
            name: name.into(),
            place: "a.py:1".into(),
        }
    }

    fn press(state: &mut State, keys: &str) -> Flow {
        keys.chars().fold(Flow::Stay, |_, c| {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                c => KeyCode::Char(c),
            };
            state.key(KeyEvent::new(code, KeyModifiers::NONE))
        })
    }

    #[test]
    fn sorting() {
        let lines = [
            line("b", 0.2, 5),
            line("a", 0.2, 5),
            line("c", 0.5, 1),
            line("d", 0.2, 9),
        ];
        let names = |sort| {
            let mut sorted = lines.to_vec();
            sort_functions(&mut sorted, sort);
            sorted.iter().map(|l| l.name.clone()).collect::<String>()
        };
        assert_eq!(names(Sort::Own), "cdab");
        assert_eq!(names(Sort::Total), "abdc");
        assert_eq!(names(Sort::OwnTime), "dabc");
        assert_eq!(names(Sort::Name), "abcd");
    }

    #[test]
    fn keys() {
        let mut state = State::empty("x".into(), 100, false);
        assert_eq!(press(&mut state, "t"), Flow::Stay);
        assert_eq!(state.sort, Sort::Total);
        press(&mut state, "/qu\n");
        // Letters went into the search, not to the commands.
        assert_eq!((state.search.as_str(), state.mode), ("qu", Mode::Tables));
        press(&mut state, "\x1b");
        assert_eq!(state.search, "");
        press(&mut state, " ");
        assert!(state.paused);
        press(&mut state, "?");
        assert_eq!(state.mode, Mode::Help);
        // Any key closes the help, `q` too.
        assert_eq!(press(&mut state, "q"), Flow::Stay);
        assert_eq!(press(&mut state, "q"), Flow::Quit);
    }

    #[test]
    fn a_search_is_a_regular_expression_or_an_error() {
        let mut state = State::empty("x".into(), 100, false);
        state.functions = vec![
            line("load", 0.1, 1),
            line("save", 0.2, 1),
            line("Load", 0.3, 1),
        ];
        state.search = "^LO".into();
        state.arrange();
        let names: Vec<_> = state.functions.iter().map(|l| l.name.as_str()).collect();
        assert_eq!((names, state.search_error), (vec!["Load", "load"], false));
        state.search = "(".into();
        state.arrange();
        assert!(state.search_error && state.functions.len() == 2);
    }
}
