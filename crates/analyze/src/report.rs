//! The summary of a recording that a person or a model can act on. The command line writes it as
//! text, the server as JSON.

use std::cmp::Reverse;
use std::fmt;

use sondage_model::{ClockRow, FileId, LossKind, Nanos, ProcessId, StateKind, ThreadId, TimeRange};

use crate::analyzer::Selection;
use crate::functions::SortBy;
use crate::{
    AnalyzeError, Analyzer, Empty, Filter, FrameName, FunctionQuery, Overview, Program, StateSet,
    TaskTimes, Totals, Unit, human,
};

/// What goes into a [`Report`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportOptions {
    /// The recording as it is named on a command line.
    pub recording: String,
    /// Rows of each list.
    pub limit: usize,
    /// Which samples. With the default states, sums by state, process and thread are of every
    /// state, and only the lists leave sleeping threads out.
    pub filter: Filter,
}

impl Default for ReportOptions {
    fn default() -> Self {
        ReportOptions {
            recording: "REC".into(),
            limit: 10,
            filter: Filter::default(),
        }
    }
}

/// The summary of a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// [`ReportOptions::recording`].
    pub recording: String,
    /// The command line that was recorded.
    pub command: Vec<String>,
    /// How it was recorded.
    pub engine: String,
    /// What ran it: `CPython 3.12.1`; of the first process that says.
    pub runtime: String,
    /// From the first sample to the last, of those the filter takes.
    pub range: TimeRange,
    /// From the first sample to the last of all.
    pub recorded: TimeRange,
    /// Time between samples as asked for; zero where there is no fixed rate.
    pub interval: Nanos,
    /// What weights are measured in.
    pub unit: Unit,
    /// Sums over all samples.
    pub total: Totals,
    /// Sums over the samples that the lists of functions, lines and paths are of: those of
    /// threads that were not asleep, or all where every thread slept.
    pub shown: Totals,
    /// Whether [`Report::shown`] has sleeping threads too, because there are no others.
    pub shows_asleep: bool,
    /// Where the time went, by process and thread, heaviest first.
    pub processes: Vec<ProcessTimes>,
    /// The asyncio tasks with the most weight, of the same samples as the lists of functions.
    pub tasks: Vec<TaskTimes>,
    /// How many rows that list would have.
    pub task_count: usize,
    /// The functions with the most self weight.
    pub by_own: Vec<HotFunction>,
    /// The functions with the most total weight.
    pub by_total: Vec<HotFunction>,
    /// The lines with the most self weight.
    pub lines: Vec<HotLine>,
    /// The stacks with the most weight.
    pub paths: Vec<HotPath>,
    /// Weight in which threads ran no Python.
    pub without_stack: u64,
    /// What was lost, by reason, most first.
    pub losses: Vec<(LossKind, u64)>,
    /// Observations lost altogether.
    pub lost: u64,
    /// Observations in all, those that were lost too.
    pub tried: u64,
    /// The profiler's own cost.
    pub overhead: ClockRow,
    /// What the program said of itself.
    pub program: Program,
    /// What stands out, most serious first.
    pub notes: Vec<Note>,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
    /// The command that shows more.
    pub more: String,
}

/// Where the time of a process went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessTimes {
    /// The process.
    pub process: ProcessId,
    /// The operating system's number.
    pub pid: i32,
    /// Its name.
    pub name: String,
    /// What runs in it.
    pub runtime: String,
    /// Sums over its threads.
    pub totals: Totals,
    /// Its threads, heaviest first.
    pub threads: Vec<ThreadTimes>,
}

/// Where the time of a thread went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadTimes {
    /// The thread.
    pub thread: ThreadId,
    /// The operating system's number.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// Sums over its samples.
    pub totals: Totals,
}

/// A function that takes time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotFunction {
    /// The function.
    pub name: FrameName,
    /// Sums over the samples whose innermost frame it is.
    pub own: Totals,
    /// Weight of the samples whose stack contains it.
    pub total: u64,
}

/// A line that takes time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotLine {
    /// The file.
    pub file: FileId,
    /// Its path.
    pub path: String,
    /// Its path to show.
    pub short: String,
    /// The line.
    pub line: u32,
    /// The function it is in.
    pub function: String,
    /// Weight of samples whose innermost frame is on it.
    pub own: u64,
    /// Weight of samples with a frame on it.
    pub total: u64,
    /// What it says, if the source was kept.
    pub text: Option<String>,
}

/// A stack that takes time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotPath {
    /// Its functions, outermost first.
    pub functions: Vec<String>,
    /// Weight of the samples with this stack.
    pub own: u64,
}

/// Something that stands out. As text, a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Observations were lost, so figures are less sure.
    Lost {
        /// How many.
        lost: u64,
        /// Of how many.
        tried: u64,
    },
    /// Threads that wanted to run waited for the GIL.
    GilWait {
        /// For how long.
        weight: u64,
        /// Of how much time that they were not asleep.
        active: u64,
    },
    /// Threads that wanted to run waited for a CPU.
    CpuWait {
        /// For how long.
        weight: u64,
        /// Of how much time that they were not asleep.
        active: u64,
    },
    /// Threads waited for the disk.
    DiskWait {
        /// For how long.
        weight: u64,
        /// Of how much time that they were not asleep.
        active: u64,
    },
    /// The profiler took a noticeable part of a CPU.
    Overhead {
        /// CPU time it took.
        own_cpu: u64,
        /// Length of the recording.
        span: u64,
    },
    /// The program slept nearly all the time: its waits matter more than its work.
    Asleep {
        /// For how long.
        weight: u64,
        /// Of how much time.
        total: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Note::Lost { lost, tried } => write!(
                f,
                "{} of {} observations were lost ({}): the figures are less sure.",
                human::count(lost),
                human::count(tried),
                human::share(lost, tried)
            ),
            Note::GilWait { weight, active } => write!(
                f,
                "Threads waited for the GIL in {} of the time they were not asleep.",
                human::share(weight, active)
            ),
            Note::CpuWait { weight, active } => write!(
                f,
                "Threads waited for a CPU in {} of the time they were not asleep: \
                 the machine was busy.",
                human::share(weight, active)
            ),
            Note::DiskWait { weight, active } => write!(
                f,
                "Threads waited for the disk in {} of the time they were not asleep.",
                human::share(weight, active)
            ),
            Note::Overhead { own_cpu, span } => write!(
                f,
                "The profiler used {} of one CPU. A lower --rate costs less.",
                human::share(own_cpu, span)
            ),
            Note::Asleep { weight, total } => write!(
                f,
                "Threads were asleep {} of the time: what they wait for may matter more than \
                 what they do. Include the state “asleep” to see it.",
                human::share(weight, total)
            ),
        }
    }
}

impl Analyzer {
    /// The summary of the whole recording.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn report(&self, options: &ReportOptions) -> Result<Report, AnalyzeError> {
        let overview = self.overview()?;
        let info = self.source().info();
        let mut filter = options.filter.clone();
        let mut whole = filter.clone();
        if filter.states == StateSet::ACTIVE {
            whole.states = StateSet::ALL;
        }
        let mut empty = self.empty(&filter)?;
        let shows_asleep = empty == Some(Empty::Asleep) && filter.states == StateSet::ACTIVE;
        if shows_asleep {
            filter = whole.clone();
            empty = None;
        }
        let selection = self.select(&filter)?;
        let whole = self.select(&whole)?;
        let range = match filter.range {
            Some(range) => overview.range.intersect(range).unwrap_or(range),
            None => overview.range,
        };
        let processes = self.process_times(whole.threads());
        let runtime = processes
            .iter()
            .map(|process| &process.runtime)
            .find(|runtime| !runtime.is_empty());
        let lost = overview.lost();
        let mut tasks = self.tasks(&filter)?;
        let task_count = tasks.len();
        tasks.truncate(options.limit);
        Ok(Report {
            recording: options.recording.clone(),
            command: info.command.clone(),
            engine: info.engine.clone(),
            runtime: runtime.cloned().unwrap_or_default(),
            range,
            recorded: overview.range,
            interval: info.interval,
            unit: self.unit(),
            total: *whole.total(),
            shown: *selection.total(),
            shows_asleep,
            tasks,
            task_count,
            by_own: self.hot_functions(&filter, SortBy::Own, options.limit)?,
            by_total: self.hot_functions(&filter, SortBy::Total, options.limit)?,
            lines: self.hot_lines(&selection, options.limit)?,
            paths: self.hot_paths(&selection, options.limit.div_ceil(2)),
            without_stack: selection.weights().without_stack(),
            program: self.program(&filter, options.limit)?,
            notes: notes(&overview, whole.total()),
            losses: overview.losses,
            lost,
            tried: overview.total.count + lost,
            overhead: overview.overhead,
            processes,
            empty,
            more: format!("sondage view {}", options.recording),
        })
    }

    fn process_times(&self, threads: &[Totals]) -> Vec<ProcessTimes> {
        let dict = self.dictionary();
        let mut processes: Vec<ProcessTimes> = dict
            .processes()
            .iter()
            .enumerate()
            .map(|(id, row)| ProcessTimes {
                process: ProcessId(id as u32),
                pid: row.pid.0,
                name: dict.text(row.name).to_owned(),
                runtime: dict.text(row.runtime).to_owned(),
                totals: Totals::default(),
                threads: Vec::new(),
            })
            .collect();
        for (id, (row, totals)) in dict.threads().iter().zip(threads).enumerate() {
            let process = &mut processes[row.process.index()];
            process.totals.add_all(totals);
            process.threads.push(ThreadTimes {
                thread: ThreadId(id as u32),
                tid: row.tid.0,
                name: dict.text(row.name).to_owned(),
                totals: *totals,
            });
        }
        let weight = |totals: &Totals| Reverse((totals.active(), totals.weight));
        for process in &mut processes {
            process
                .threads
                .sort_by_key(|t| (weight(&t.totals), t.thread));
        }
        processes.sort_by_key(|p| (weight(&p.totals), p.process));
        processes
    }

    fn hot_functions(
        &self,
        filter: &Filter,
        sort: SortBy,
        limit: usize,
    ) -> Result<Vec<HotFunction>, AnalyzeError> {
        let query = FunctionQuery {
            sort,
            limit,
            ..FunctionQuery::default()
        };
        let table = self.functions(filter, &query)?;
        let rows = table.rows.into_iter();
        Ok(rows
            .filter(|row| sort != SortBy::Own || row.own.weight > 0)
            .map(|row| HotFunction {
                name: self.names().frame(self.dictionary(), row.function, None),
                own: row.own,
                total: row.total,
            })
            .collect())
    }

    fn hot_lines(&self, selection: &Selection, limit: usize) -> Result<Vec<HotLine>, AnalyzeError> {
        let dict = self.dictionary();
        let mut lines = self.line_figures(selection, None);
        lines.retain(|row| row.own > 0 && row.line > 0);
        lines.sort_by_key(|row| {
            let path = dict.file_path(row.file);
            (Reverse((row.own, row.total)), path, row.line)
        });
        lines.truncate(limit);
        lines
            .into_iter()
            .map(|row| {
                let source = self.source().source_text(row.file)?;
                let text = source
                    .as_deref()
                    .and_then(|text| text.lines().nth(row.line as usize - 1))
                    .map(|line| line.trim().to_owned());
                Ok(HotLine {
                    file: row.file,
                    path: dict.file_path(row.file).to_owned(),
                    short: self.names().file(row.file).short.clone(),
                    line: row.line,
                    function: self.names().label(dict, row.function),
                    own: row.own,
                    total: row.total,
                    text,
                })
            })
            .collect()
    }

    fn hot_paths(&self, selection: &Selection, limit: usize) -> Vec<HotPath> {
        let label = |function| self.names().label(self.dictionary(), function);
        self.heaviest_paths(selection, limit)
            .into_iter()
            .map(|(path, own)| HotPath {
                functions: path.into_iter().map(label).collect(),
                own,
            })
            .collect()
    }
}

/// Losses and cost are of the whole recording, waits of what is shown.
fn notes(overview: &Overview, total: &Totals) -> Vec<Note> {
    let mut notes = Vec::new();
    let lost = overview.lost();
    let tried = overview.total.count + lost;
    if lost * 100 > tried {
        notes.push(Note::Lost { lost, tried });
    }
    let active = total.active();
    let waits = |kind: StateKind| {
        let weight = total.state(kind);
        (weight * 10 > active).then_some(weight)
    };
    notes.extend(waits(StateKind::GilWait).map(|weight| Note::GilWait { weight, active }));
    notes.extend(waits(StateKind::Runnable).map(|weight| Note::CpuWait { weight, active }));
    notes.extend(waits(StateKind::Disk).map(|weight| Note::DiskWait { weight, active }));
    let asleep = total.state(StateKind::Blocked);
    if asleep > 0 && asleep * 10 > total.weight * 9 {
        notes.push(Note::Asleep {
            weight: asleep,
            total: total.weight,
        });
    }
    let span = overview.range.span().0;
    let own_cpu = overview.overhead.own_cpu.0;
    if own_cpu * 20 > span && span > 0 {
        notes.push(Note::Overhead { own_cpu, span });
    }
    notes
}
