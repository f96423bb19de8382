//! The law that a program of `tests/programs` writes down: which stacks it can have.
//!
//! A line of the file is one of these, its fields split by tabs:
//! `file PATH` (functions of these files obey the law, all others are free), `line FUNCTION LINE`
//! (the function has code on that line), `edge CALLER LINE CALLEE` (that line may call it; line 0
//! stands for every line) and `root FUNCTION` (foreign code may call it). A function is its
//! qualified name.

#![allow(
    dead_code,
    reason = "shared by tests and examples that use parts of it"
)]

use std::collections::HashSet;
use std::path::Path;

/// A frame, resolved.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    pub function: String,
    pub file: String,
    pub line: u32,
}

/// What the program can do.
#[derive(Debug, Default)]
pub struct Law {
    files: HashSet<String>,
    roots: HashSet<String>,
    edges: HashSet<(String, u32, String)>,
    lines: HashSet<(String, u32)>,
}

impl Law {
    /// Reads a law file.
    ///
    /// # Errors
    /// As reading the file fails.
    pub fn read(path: &Path) -> std::io::Result<Law> {
        Ok(Law::parse(&std::fs::read_to_string(path)?))
    }

    /// Parses the text of one.
    pub fn parse(text: &str) -> Law {
        let mut law = Law::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["file", file] => {
                    law.files.insert((*file).to_owned());
                }
                ["root", function] => {
                    law.roots.insert((*function).to_owned());
                }
                ["edge", caller, line, callee] => {
                    let line = line.parse().expect("a line number");
                    law.edges
                        .insert(((*caller).to_owned(), line, (*callee).to_owned()));
                }
                ["line", function, line] => {
                    let line = line.parse().expect("a line number");
                    law.lines.insert(((*function).to_owned(), line));
                }
                other => panic!("no law: {other:?}"),
            }
        }
        assert!(!law.edges.is_empty(), "a law without edges allows nothing");
        law
    }

    /// Whether the program can have this stack, innermost frame first; why not, if not.
    ///
    /// # Errors
    /// The first thing that is impossible.
    pub fn check(&self, stack: &[Place]) -> Result<(), String> {
        let ours = |place: &Place| self.files.contains(&place.file);
        for place in stack.iter().filter(|place| ours(place)) {
            let known = (place.function.clone(), place.line);
            if !self.lines.contains(&known) {
                return Err(format!("{} has no line {}", place.function, place.line));
            }
        }
        for pair in stack.windows(2) {
            let [callee, caller] = pair else { continue };
            if !ours(callee) {
                continue;
            }
            if !ours(caller) {
                self.check_root(callee)?;
                continue;
            }
            let edge = |line| {
                self.edges
                    .contains(&(caller.function.clone(), line, callee.function.clone()))
            };
            if !edge(caller.line) && !edge(0) {
                return Err(format!(
                    "{} at line {} does not call {}",
                    caller.function, caller.line, callee.function
                ));
            }
        }
        stack
            .last()
            .filter(|place| ours(place))
            .map_or(Ok(()), |place| self.check_root(place))
    }

    fn check_root(&self, place: &Place) -> Result<(), String> {
        if self.roots.contains(&place.function) {
            Ok(())
        } else {
            Err(format!("{} is not called by foreign code", place.function))
        }
    }
}
