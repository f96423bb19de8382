//! What must not stand in any file: notes to self, code in comments, hosts of registries.

use super::Finding;
use crate::tree::Tree;

/// Written in two halves, so that this file does not break its own rule.
fn marks() -> [String; 4] {
    [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|halves| halves.concat())
}

pub fn leftovers(tree: &Tree) -> Vec<Finding> {
    let marks = marks();
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| !generated(path)) {
        for (at, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| has_word(line, mark)) {
                findings.push(Finding::at(
                    path,
                    at + 1,
                    format!("{mark}: do it, or file an issue"),
                ));
            }
            if code_in_comment(path, line) {
                findings.push(Finding::at(path, at + 1, "code in a comment: delete it"));
            }
        }
    }
    findings
}

fn generated(path: &str) -> bool {
    [".lock", "package-lock.json", ".svg", ".snap"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && !joins(after)
    })
}

/// A line comment that reads like a statement. Doc comments may hold code.
fn code_in_comment(path: &str, line: &str) -> bool {
    let line = line.trim();
    let rest = match path.rsplit('.').next() {
        Some("rs" | "ts" | "tsx" | "js" | "mjs") => line.strip_prefix("//"),
        Some("py" | "sh") => line.strip_prefix('#'),
        _ => None,
    };
    let Some(rest) = rest else { return false };
    if rest.starts_with(['/', '!']) {
        return false;
    }
    let rest = rest.trim();
    let starts = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    if path.ends_with(".py") {
        return (starts(&["def ", "class ", "if ", "for ", "while ", "with "])
            && rest.ends_with("):"))
            || (starts(&["import "]) && rest.split(' ').count() == 2)
            || (starts(&["print(", "return ", "assert "]) && rest.ends_with(')'));
    }
    if path.ends_with(".sh") {
        return false;
    }
    (starts(&[
        "let ", "const ", "use ", "import ", "return ", "pub ", "assert",
    ]) && rest.ends_with(';'))
        || (starts(&["fn ", "pub fn ", "if ", "for ", "match ", "function "])
            && rest.ends_with('{'))
        || (rest.ends_with(");") && !rest.contains(' '))
}

/// Hosts of package registries, halved like the marks. A project that names one breaks behind
/// another mirror; the clients know where to ask.
fn registry_hosts() -> Vec<String> {
    [
        ["registry.npmjs", ".org"],
        ["npmjs", ".com"],
        ["pypi", ".org"],
        ["pythonhosted", ".org"],
        ["crates", ".io/"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["deb.debian", ".org"],
        ["security.debian", ".org"],
        ["snapshot.debian", ".org"],
        ["archive.ubuntu", ".com"],
        ["proxy.golang", ".org"],
        ["static.rust-lang", ".org"],
        ["nodejs", ".org/dist"],
    ]
    .iter()
    .map(|halves| halves.concat())
    .collect()
}

pub fn hosts(tree: &Tree) -> Vec<Finding> {
    let hosts = registry_hosts();
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (at, line) in text.lines().enumerate() {
            if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
                let what = format!("names the registry host {host}: name the package only");
                findings.push(Finding::at(path, at + 1, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_to_self_are_found_as_words() {
        let [note, ..] = marks();
        let tree = Tree::of(&[
            ("a.rs", &format!("// {note}: later\nlet {note}S = 1;")),
            ("Cargo.lock", &note),
        ]);
        let lines: Vec<_> = leftovers(&tree).iter().map(|f| f.line).collect();
        assert_eq!(lines, [1]);
    }

    #[test]
    fn code_in_comments_is_told_from_prose() {
        let code = [
            ("a.rs", "    // let x = 1;"),
            ("a.rs", "// if ready {"),
            ("a.ts", "// return rows;"),
            ("a.ts", "//draw(canvas);"),
            ("a.py", "# import json"),
            ("a.py", "    # print(total)"),
            ("a.py", "# if ready(now):"),
        ];
        for (path, line) in code {
            assert!(code_in_comment(path, line), "{path}: {line}");
        }
        let prose = [
            ("a.rs", "// if the thread sleeps, its stack cannot move;"),
            ("a.rs", "/// let x = 1;"),
            ("a.rs", "//! use sondage_model::*;"),
            ("a.rs", "// return early: the rest is empty"),
            ("a.py", "# import order matters here"),
            ("a.py", "# for the viewer (and the report):the same"),
            ("a.md", "# return the rows;"),
        ];
        for (path, line) in prose {
            assert!(!code_in_comment(path, line), "{path}: {line}");
        }
    }

    #[test]
    fn a_registry_host_is_found_anywhere() {
        for host in registry_hosts() {
            let tree = Tree::of(&[("Makefile", &format!("\tget https://{host}/simple\n"))]);
            assert_eq!(hosts(&tree).len(), 1, "{host}");
        }
        let name = "installed from crates.io, PyPI and npm by package name";
        assert!(hosts(&Tree::of(&[("README.md", name)])).is_empty());
    }
}
