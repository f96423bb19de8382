//! A file has one subject and about five hundred lines.

use super::Finding;
use crate::tree::Tree;

/// "About five hundred", with a fifth more for what will not part.
const LIMIT: usize = 600;
const ALLOWED: &str = "xtask/allow-long.txt";
const CODE: &[&str] = &["rs", "ts", "tsx", "css", "py", "sh", "mjs", "js"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let allowed = allow_list(tree.text(ALLOWED).unwrap_or(""), &mut findings);
    let too_long = |path: &str| tree.text(path).is_some_and(|t| t.lines().count() > LIMIT);
    for (path, text) in tree.texts() {
        let extension = path.rsplit('.').next().unwrap_or("");
        if CODE.contains(&extension) && too_long(path) && !allowed.iter().any(|(p, _)| p == path) {
            let what = format!(
                "{} lines, more than {LIMIT}: split it by subject, or give a reason in {ALLOWED}",
                text.lines().count()
            );
            findings.push(Finding::file(path, what));
        }
    }
    for (path, line) in &allowed {
        if !too_long(path) {
            let what = format!("{path} is not longer than {LIMIT} lines: take it off this list");
            findings.push(Finding::at(ALLOWED, *line, what));
        }
    }
    findings
}

fn allow_list(text: &str, findings: &mut Vec<Finding>) -> Vec<(String, usize)> {
    let mut allowed = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once("  ") {
            Some((path, reason)) if reason.trim().len() >= 12 => {
                allowed.push((path.to_owned(), at + 1));
            }
            _ => findings.push(Finding::at(ALLOWED, at + 1, "expected 'path  reason'")),
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: usize, allow: &str) -> Vec<Finding> {
        check(&Tree::of(&[
            ("a.rs", &"x\n".repeat(lines)),
            (ALLOWED, allow),
        ]))
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        assert!(found(LIMIT, "").is_empty());
        assert_eq!(found(LIMIT + 1, "").len(), 1);
        assert!(found(LIMIT + 1, "# list\na.rs  one table of offsets\n").is_empty());
    }

    #[test]
    fn a_reason_no_longer_needed_and_one_not_given_are_found() {
        assert_eq!(found(3, "a.rs  one table of offsets\n").len(), 1);
        assert_eq!(found(3, "gone.rs  one table of offsets\n").len(), 1);
        assert_eq!(found(LIMIT + 1, "a.rs\n").len(), 2);
    }
}
