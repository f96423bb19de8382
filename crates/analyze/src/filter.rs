//! Which samples count.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::{Regex, RegexBuilder};
use sondage_model::{Dictionary, FunctionId, ProcessId, StateKind, ThreadId, TimeRange};

use crate::Inside;

/// Which samples a view counts. The default takes all of them but those of sleeping threads.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Filter {
    /// Only this time; samples at its edges count with the part inside. `None` is everything.
    pub range: Option<TimeRange>,
    /// Only threads of these processes, besides those in [`Filter::threads`].
    pub processes: Vec<ProcessId>,
    /// Only these threads, besides those of [`Filter::processes`]. All when both are empty.
    pub threads: Vec<ThreadId>,
    /// Only these states.
    pub states: StateSet,
    /// Only samples whose thread held the GIL.
    pub gil_only: bool,
    /// Only stacks that contain this function.
    pub function: Option<FunctionId>,
    /// Only stacks with a frame that matches.
    pub search: Option<Search>,
    /// Only samples inside these zones, with the part inside.
    pub inside: Option<Inside>,
}

impl Filter {
    /// Every sample, sleeping threads too.
    #[must_use]
    pub fn everything() -> Filter {
        Filter {
            states: StateSet::ALL,
            ..Filter::default()
        }
    }

    /// Whether it takes this thread, by itself or by its process.
    #[must_use]
    pub fn takes_thread(&self, dictionary: &Dictionary, thread: ThreadId) -> bool {
        let row = dictionary.threads().get(thread.index());
        (self.threads.is_empty() && self.processes.is_empty())
            || self.threads.contains(&thread)
            || row.is_some_and(|row| self.processes.contains(&row.process))
    }

    /// The same with lists in order and without repeats, so that equal filters compare equal.
    #[must_use]
    pub(crate) fn normal(&self) -> Filter {
        let mut filter = self.clone();
        filter.processes.sort_unstable();
        filter.processes.dedup();
        filter.threads.sort_unstable();
        filter.threads.dedup();
        filter
    }
}

/// A set of [`StateKind`]s. The default is [`StateSet::ACTIVE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateSet(u8);

impl StateSet {
    /// No state.
    pub const NONE: StateSet = StateSet(0);
    /// Every state.
    pub const ALL: StateSet = StateSet((1 << StateKind::COUNT) - 1);
    /// Every state but [`StateKind::Blocked`].
    pub const ACTIVE: StateSet = StateSet(Self::ALL.0 & !(1 << StateKind::Blocked as u8));

    /// This set and `kind`.
    #[must_use]
    pub fn with(self, kind: StateKind) -> StateSet {
        StateSet(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub fn contains(self, kind: StateKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The kinds in it, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = StateKind> {
        StateKind::ALL
            .into_iter()
            .filter(move |kind| self.contains(*kind))
    }
}

impl Default for StateSet {
    fn default() -> Self {
        StateSet::ACTIVE
    }
}

impl FromIterator<StateKind> for StateSet {
    fn from_iter<I: IntoIterator<Item = StateKind>>(kinds: I) -> StateSet {
        kinds.into_iter().fold(StateSet::NONE, StateSet::with)
    }
}

impl fmt::Debug for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(StateKind::name))
            .finish()
    }
}

/// A regular expression over `name (file)` of functions, upper and lower case alike.
#[derive(Clone)]
pub struct Search {
    pattern: String,
    regex: Regex,
}

/// Why a regular expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// It is not one.
    #[error("{what}, at character {at} of `{pattern}`")]
    Syntax {
        /// The expression.
        pattern: String,
        /// What is wrong.
        what: String,
        /// Where, counted in characters from 1.
        at: usize,
    },
    /// It would take too much memory.
    #[error("`{pattern}` is too big a regular expression")]
    TooBig {
        /// The expression.
        pattern: String,
    },
}

impl Search {
    /// Memory that one compiled expression may take.
    const MAX_BYTES: usize = 1 << 20;

    /// Compiles a regular expression.
    ///
    /// # Errors
    /// When it is not well formed, or too big.
    pub fn new(pattern: &str) -> Result<Search, SearchError> {
        let parsed = regex_syntax::ParserBuilder::new()
            .case_insensitive(true)
            .nest_limit(100)
            .build()
            .parse(pattern);
        let syntax = |what: String, offset: usize| SearchError::Syntax {
            pattern: pattern.to_owned(),
            what,
            at: pattern
                .char_indices()
                .take_while(|(i, _)| *i < offset)
                .count()
                + 1,
        };
        match parsed {
            Ok(_) => {}
            Err(regex_syntax::Error::Parse(error)) => {
                return Err(syntax(error.kind().to_string(), error.span().start.offset));
            }
            Err(regex_syntax::Error::Translate(error)) => {
                return Err(syntax(error.kind().to_string(), error.span().start.offset));
            }
            Err(_) => return Err(syntax("this is not a regular expression".into(), 0)),
        }
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(Self::MAX_BYTES)
            .build()
            .map_err(|_| SearchError::TooBig {
                pattern: pattern.to_owned(),
            })?;
        Ok(Search {
            pattern: pattern.to_owned(),
            regex,
        })
    }

    /// The expression as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it is found in `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Search {
    fn eq(&self, other: &Search) -> bool {
        self.pattern == other.pattern
    }
}
impl Eq for Search {}
impl Hash for Search {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pattern.hash(state);
    }
}
impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/i", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_expression_says_what_and_where() {
        for (pattern, expected) in [
            ("a(b", "unclosed group, at character 2 of `a(b`"),
            (
                "é*{2,1}",
                "invalid repetition count range, the start must be <= the end, at character 3 of `é*{2,1}`",
            ),
            (
                "[z-a]",
                "invalid character class range, the start must be <= the end, at character 2 of `[z-a]`",
            ),
            (
                r"\p{Nonsense}",
                r"Unicode property not found, at character 1 of `\p{Nonsense}`",
            ),
        ] {
            let error = Search::new(pattern).expect_err(pattern);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn an_expression_that_would_eat_the_memory_is_refused() {
        assert!(matches!(
            Search::new(r"(\w{200}){200}"),
            Err(SearchError::TooBig { .. })
        ));
        assert!(Search::new(&"(".repeat(10_000)).is_err());
    }

    #[test]
    fn sets_of_states() {
        assert!(!StateSet::ACTIVE.contains(StateKind::Blocked));
        assert_eq!(StateSet::ACTIVE.with(StateKind::Blocked), StateSet::ALL);
        assert_eq!(StateSet::from_iter(StateKind::ALL), StateSet::ALL);
        assert_eq!(
            format!("{:?}", StateSet::NONE.with(StateKind::Disk)),
            r#"{"disk"}"#
        );
    }
}
