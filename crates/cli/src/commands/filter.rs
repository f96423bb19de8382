//! The options that say which part of a recording is meant; `report` and `export` share them.

use sondage_analyze::{Filter, Inside, Search, StateSet};
use sondage_model::{
    Dictionary, Nanos, ProcessId, SiteId, SiteRow, StateKind, ThreadId, Time, TimeRange,
};

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
    /// Only inside zones of this name, or of this place (`app.py:12`), with the part inside.
    #[arg(long, value_name = "ZONE")]
    pub inside: Option<String>,
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
            inside: self.inside(dict)?,
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

    /// The place of zones that is meant.
    fn inside(&self, dict: &Dictionary) -> Result<Option<Inside>, CliError> {
        let Some(asked) = &self.inside else {
            return Ok(None);
        };
        let known: Vec<(&str, String)> = dict.sites().iter().map(|row| named(dict, row)).collect();
        let site = find_place(asked, &known)?;
        Ok(Some(Inside::Site(SiteId(site))))
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

/// What a place of zones is called, and where it is: `path:line`.
fn named<'a>(dict: &'a Dictionary, row: &SiteRow) -> (&'a str, String) {
    let name = match dict.text(row.name) {
        "" => dict.text(row.function),
        name => name,
    };
    (name, format!("{}:{}", dict.file_path(row.file), row.line))
}

/// The position of the one place of zones with this name, or at this place.
fn find_place(asked: &str, known: &[(&str, String)]) -> Result<u32, CliError> {
    let by = |fits: &dyn Fn(&str, &str) -> bool| -> Vec<u32> {
        let hits = (0..)
            .zip(known)
            .filter(|(_, (name, place))| fits(name, place));
        hits.map(|(at, _)| at).collect()
    };
    let is_end_of = |place: &str| {
        let before = place.strip_suffix(asked);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    let found = [
        by(&|name, _| name == asked),
        by(&|_, place| is_end_of(place)),
    ]
    .into_iter()
    .find(|places| !places.is_empty());
    match found.as_deref() {
        Some([one]) => Ok(*one),
        None => {
            let names = known.iter().map(|(name, _)| (*name).to_owned());
            let error = format!("no zone of the recording has the name or place `{asked}`");
            Err(CliError::usage(error).hint(list(names)))
        }
        Some(several) => {
            let places = several.iter().map(|at| known[*at as usize].1.clone());
            let error = format!("zones of the name `{asked}` are made at several places");
            Err(CliError::usage(error).hint(list(places)))
        }
    }
}

fn listing(known: &[(i32, &str)]) -> String {
    list(known.iter().map(|(id, name)| format!("{name} ({id})")))
}

fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let more = all.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = all.take(SHOWN).collect();
    if shown.is_empty() {
        return "there are none".into();
    }
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    format!("there are: {}", shown.join(", "))
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

    #[test]
    fn zones_go_by_name_or_place() {
        let known = [
            ("request", "/srv/app.py:12".to_owned()),
            ("query", "/srv/db.py:3".to_owned()),
            ("query", "/srv/db.py:30".to_owned()),
        ];
        for (asked, expected) in [
            ("request", Ok(0)),
            ("app.py:12", Ok(0)),
            ("db.py:3", Ok(1)),
            ("/srv/db.py:30", Ok(2)),
            ("query", Err("/srv/db.py:3, /srv/db.py:30")),
            ("b.py:30", Err("request, query")),
            ("", Err("request")),
        ] {
            match (find_place(asked, &known), expected) {
                (Ok(found), expected) => assert_eq!(Ok(found), expected, "{asked}"),
                (Err(error), expected) => {
                    assert_eq!(error.status(), ExitStatus::USAGE);
                    let hint = error.hint_text().unwrap_or_default();
                    assert!(hint.contains(expected.expect_err(hint)), "{asked}: {hint}");
                }
            }
        }
        let error = find_place("x", &[]).expect_err("there is none");
        assert_eq!(error.hint_text(), Some("there are none"));
    }

    use crate::error::ExitStatus;
}
