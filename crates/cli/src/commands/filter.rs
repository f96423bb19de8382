//! The options that say which part of a recording is meant; `report` and `export` share them.

use sondage_analyze::{Filter, Search, StateSet};
use sondage_model::{Dictionary, Nanos, ProcessId, StateKind, ThreadId, Time, TimeRange};

use crate::error::CliError;

/// Which part of the recording.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "Filter")]
pub struct FilterArgs {
    /// Only from this time on: `1.5s`, `200ms`, `2m` since the recording began.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<Time>,
    /// Only up to this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<Time>,
    /// Only threads with this name or kernel number; may be repeated.
    #[arg(long, value_name = "NAME|TID")]
    pub thread: Vec<String>,
    /// Only processes with this name or number; may be repeated.
    #[arg(long, value_name = "NAME|PID")]
    pub process: Vec<String>,
    /// Only these states, separated by commas; `all` for every one. Without it all but `blocked`.
    #[arg(long, value_name = "STATES", value_delimiter = ',', value_parser = parse_states)]
    pub state: Vec<States>,
    /// Only while the thread held the GIL.
    #[arg(long)]
    pub gil: bool,
    /// Only stacks with a frame whose `name (file)` matches this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub search: Option<String>,
}

/// One word of `--state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum States {
    /// Every state.
    All,
    /// This one.
    One(StateKind),
}

impl FilterArgs {
    /// As analysis takes it.
    pub fn to_filter(&self, dict: &Dictionary) -> Result<Filter, CliError> {
        let start = self.from.unwrap_or(Time::ZERO);
        let end = self.to.unwrap_or(Time::MAX);
        if end < start {
            return Err(CliError::usage("`--to` is before `--from`"));
        }
        let is_range = self.from.is_some() || self.to.is_some();
        let search = self.search.as_deref().map(Search::new).transpose();
        Ok(Filter {
            range: is_range.then_some(TimeRange::new(start, end)),
            processes: self.processes(dict)?,
            threads: self.threads(dict)?,
            states: self.states(),
            gil_only: self.gil,
            function: None,
            inside: None,
            search: search.map_err(|error| {
                CliError::usage(format!("`--search` is no regular expression: {error}"))
            })?,
        })
    }

    fn states(&self) -> StateSet {
        if self.state.is_empty() {
            return StateSet::ACTIVE;
        }
        self.state
            .iter()
            .fold(StateSet::NONE, |set, states| match states {
                States::All => StateSet::ALL,
                States::One(kind) => set.with(*kind),
            })
    }

    /// The threads meant by name or number.
    fn threads(&self, dict: &Dictionary) -> Result<Vec<ThreadId>, CliError> {
        let known: Vec<(i32, &str)> = dict
            .threads()
            .iter()
            .map(|row| (row.tid.0, dict.text(row.name)))
            .collect();
        let places = find("thread", &self.thread, &known)?;
        Ok(places.into_iter().map(ThreadId).collect())
    }

    /// The processes meant by name or number.
    fn processes(&self, dict: &Dictionary) -> Result<Vec<ProcessId>, CliError> {
        let known: Vec<(i32, &str)> = dict
            .processes()
            .iter()
            .map(|row| (row.pid.0, dict.text(row.name)))
            .collect();
        let places = find("process", &self.process, &known)?;
        Ok(places.into_iter().map(ProcessId).collect())
    }
}

/// The positions of what was asked for: by number, by name, else by a part of the name.
fn find(what: &str, asked: &[String], known: &[(i32, &str)]) -> Result<Vec<u32>, CliError> {
    let mut places = Vec::new();
    for text in asked {
        let number: Option<i32> = text.parse().ok();
        let lower = text.to_lowercase();
        let by = |fits: &dyn Fn(i32, &str) -> bool| -> Vec<u32> {
            let hits = (0..).zip(known).filter(|(_, (tid, name))| fits(*tid, name));
            hits.map(|(place, _)| place).collect()
        };
        let found = [
            by(&|id, _| Some(id) == number),
            by(&|_, name| name == text),
            by(&|_, name| name.to_lowercase().contains(&lower)),
        ]
        .into_iter()
        .find(|places| !places.is_empty());
        let Some(found) = found else {
            return Err(CliError::usage(format!(
                "no {what} of the recording has the name or number `{text}`"
            ))
            .hint(listing(known)));
        };
        places.extend(found);
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn listing(known: &[(i32, &str)]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> = known
        .iter()
        .take(SHOWN)
        .map(|(id, name)| format!("{name} ({id})"))
        .collect();
    if known.len() > SHOWN {
        names.push(format!("and {} more", known.len() - SHOWN));
    }
    format!("there are: {}", names.join(", "))
}

fn parse_time(text: &str) -> Result<Time, String> {
    let hint = "a time is a number and a unit, as 1.5s, 200ms, 30us or 2m";
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_nanos = match unit.trim() {
        "" | "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "ms" => 1e6,
        "us" | "µs" => 1e3,
        "ns" => 1.0,
        _ => return Err(hint.into()),
    };
    let number: f64 = number.parse().map_err(|_| hint.to_owned())?;
    let nanos = number * unit_nanos;
    if !nanos.is_finite() || nanos >= u64::MAX as f64 {
        return Err("this time is too large".into());
    }
    Ok(Time::ZERO + Nanos(nanos.round() as u64))
}

fn parse_states(text: &str) -> Result<States, String> {
    if text == "all" {
        return Ok(States::All);
    }
    StateKind::from_name(text).map(States::One).ok_or_else(|| {
        let names: Vec<&str> = StateKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("states are: all, {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("1.5s", Some(1_500_000_000)),
            ("2", Some(2_000_000_000)),
            ("200ms", Some(200_000_000)),
            ("2m", Some(120_000_000_000)),
            ("30us", Some(30_000)),
            ("30 µs", Some(30_000)),
            ("1h", Some(3_600_000_000_000)),
            ("7ns", Some(7)),
            ("", None),
            ("-1s", None),
            ("NaN", None),
            ("inf", None),
            ("1e400", None),
            ("1.2.3s", None),
            ("99999999999999999999h", None),
            ("5 parsecs", None),
        ] {
            let time = parse_time(text).ok().map(|time| time.0);
            assert_eq!(time, expected, "{text}");
        }
    }

    #[test]
    fn a_number_goes_before_a_name_and_a_name_before_a_part_of_it() {
        let known = [
            (7, "Main"),
            (42, "worker-7"),
            (43, "worker"),
            (44, "Worker-8"),
        ];
        for (asked, expected) in [
            ("7", vec![0]),
            ("worker", vec![2]),
            ("work", vec![1, 2, 3]),
            ("-8", vec![3]),
        ] {
            assert_eq!(
                find("thread", &[asked.into()], &known).ok(),
                Some(expected),
                "{asked}"
            );
        }
        let error = find("thread", &["x".into()], &known).expect_err("no such thread");
        assert_eq!(error.status(), ExitStatus::USAGE);
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.contains("Main (7)"))
        );
    }

    use crate::error::ExitStatus;
}
