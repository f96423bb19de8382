//! The rules. Each is a function from the tree to findings; the tests give them small trees.

use std::fmt;

use crate::tree::Tree;

mod direction;
mod docs;
mod lengths;
mod locks;
mod manifest;
mod texts;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 when it is about the whole file.
    pub line: usize,
    pub what: String,
}

impl Finding {
    pub fn file(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            what: what.into(),
        }
    }

    pub fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule, by name.
pub const RULES: &[(&str, Rule)] = &[
    ("imports point to an earlier stage", direction::check),
    (
        "ARCHITECTURE.md names every crate and no ghost",
        docs::architecture,
    ),
    (
        "every crate opens with what it supplies, solves and is not for",
        docs::crate_openings,
    ),
    (
        "every command has a page, every page and decision is listed",
        docs::indexes,
    ),
    ("links in documents lead to files", docs::links),
    ("the change log knows this version", docs::changelog),
    ("files are short", lengths::check),
    ("no notes to self, no code in comments", texts::leftovers),
    ("no host of a package registry", texts::hosts),
    ("lock files hold names and hashes only", locks::check),
];

/// Runs all rules; findings sorted by place.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = RULES.iter().flat_map(|(_, rule)| rule(tree)).collect();
    findings.sort();
    findings
}
