//! Why a view has nothing to show, and what to change.

use std::fmt;

use crate::{AnalyzeError, Analyzer, Filter, StateSet, human};

/// Why a filter leaves nothing. As text, a sentence that says what to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Empty {
    /// The recording has no samples at all.
    NoSamples {
        /// Observations that were tried and lost.
        lost: u64,
    },
    /// There are no samples in the time range.
    Range,
    /// The chosen threads have no samples in the range.
    Threads,
    /// All samples are of sleeping threads.
    Asleep,
    /// No sample has one of the chosen states.
    States,
    /// No sample held the GIL.
    Gil,
    /// No stack contains the chosen function.
    Function {
        /// Its label.
        label: String,
    },
    /// No stack matches the search.
    Search {
        /// The expression.
        pattern: String,
    },
    /// Samples there are, but the threads ran no Python in them.
    NoStacks,
    /// No sample lies in the chosen zones.
    Inside,
    /// The program has no zones.
    NoZones,
    /// No zone begins in the time range.
    ZonesOfRange,
    /// The chosen threads have no zones.
    ZonesOfThreads,
    /// The program logged nothing.
    NoLogs,
    /// Nothing was logged in the time range, or by the chosen threads.
    LogsOfRange,
    /// No line is as serious as asked for.
    LogsOfLevel,
}

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Empty::NoSamples { lost: 0 } => f.write_str(
                "The recording has no samples: the program ended before the first one. \
                 Record for longer, or at a higher rate.",
            ),
            Empty::NoSamples { lost } => write!(
                f,
                "The recording has no samples: all {} were lost. The messages say why.",
                human::plural(*lost, "observation")
            ),
            Empty::Range => f.write_str("There are no samples in this time range. Widen it."),
            Empty::Threads => {
                f.write_str("The chosen threads have no samples in this time range. Choose others.")
            }
            Empty::Asleep => f.write_str(
                "All samples in this range are of sleeping threads. Include the state “asleep”.",
            ),
            Empty::States => {
                f.write_str("No sample in this range has one of the chosen states. Choose more.")
            }
            Empty::Gil => f.write_str(
                "No sample in this range held the GIL. Show samples without the GIL too.",
            ),
            Empty::Function { label } => {
                write!(
                    f,
                    "{label} is in no stack of this range. Clear the function."
                )
            }
            Empty::Search { pattern } => {
                write!(
                    f,
                    "Nothing in this range matches “{pattern}”. Change the search."
                )
            }
            Empty::NoStacks => {
                f.write_str("The threads ran no Python code in this range. Choose another one.")
            }
            Empty::Inside => f.write_str(
                "No sample lies inside this zone: it is shorter than the time between two samples. \
                 Take all zones of its place, or record at a higher rate.",
            ),
            Empty::NoZones => f.write_str(
                "The program has no zones. Name stretches of its work with \
                 `with profiler.span(\"name\"):` in Python or `zone!(\"name\")` in Rust, \
                 and record again.",
            ),
            Empty::ZonesOfRange => f.write_str("No zone begins in this time range. Widen it."),
            Empty::ZonesOfThreads => {
                f.write_str("The chosen threads have no zones. Choose others.")
            }
            Empty::NoLogs => f.write_str(
                "The program sent no log lines. Send them with `sondage.message(\"text\")`, or \
                 add `sondage.LogHandler()` to its `logging`, and record again.",
            ),
            Empty::LogsOfRange => f.write_str(
                "Nothing was logged in this time range by the chosen threads. Widen it.",
            ),
            Empty::LogsOfLevel => {
                f.write_str("No line is as serious as this. Choose a lower level.")
            }
        }
    }
}

impl Empty {
    /// Adds the parts of the filter back one by one until nothing is left: that part is why.
    pub(crate) fn find(analyzer: &Analyzer, filter: &Filter) -> Result<Empty, AnalyzeError> {
        let nothing = |filter: &Filter| -> Result<bool, AnalyzeError> {
            Ok(analyzer.select(filter)?.total().weight == 0)
        };
        let mut wider = Filter::everything();
        if nothing(&wider)? {
            let lost = analyzer.source().losses().iter().map(|row| row.count).sum();
            return Ok(Empty::NoSamples { lost });
        }
        wider.range = filter.range;
        if nothing(&wider)? {
            return Ok(Empty::Range);
        }
        wider.processes.clone_from(&filter.processes);
        wider.threads.clone_from(&filter.threads);
        if nothing(&wider)? {
            return Ok(Empty::Threads);
        }
        wider.states = filter.states;
        if nothing(&wider)? {
            wider.states = StateSet::ACTIVE;
            return Ok(if nothing(&wider)? {
                Empty::Asleep
            } else {
                Empty::States
            });
        }
        wider.gil_only = filter.gil_only;
        if nothing(&wider)? {
            return Ok(Empty::Gil);
        }
        wider.inside = filter.inside;
        if nothing(&wider)? {
            return Ok(Empty::Inside);
        }
        wider.function = filter.function;
        if nothing(&wider)? {
            let dict = analyzer.dictionary();
            let label = match filter.function {
                Some(id) if id.index() < dict.functions().len() => analyzer.names().label(dict, id),
                _ => "That function".to_owned(),
            };
            return Ok(Empty::Function { label });
        }
        let pattern = filter.search.as_ref().map_or("", |search| search.pattern());
        Ok(Empty::Search {
            pattern: pattern.to_owned(),
        })
    }
}
