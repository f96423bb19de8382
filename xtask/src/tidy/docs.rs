//! Documents say what the tree holds: no crate missing, no ghost, no link into nothing.

use super::Finding;
use super::direction::{crate_folder, crate_name};
use crate::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";
const COMMANDS: &str = "crates/cli/src/commands/mod.rs";
const GUIDE: &str = "docs/guide/";
const DECISIONS: &str = "docs/decisions/";
const CHANGES: &str = "CHANGELOG.md";

pub fn architecture(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MAP) else {
        return vec![Finding::file(MAP, "missing")];
    };
    let mut findings = Vec::new();
    for folder in tree.paths().filter_map(crate_folder) {
        let [place, name] = [
            format!("`crates/{folder}`"),
            format!("`{}`", crate_name(folder)),
        ];
        for word in [place, name] {
            if !text.contains(&word) {
                findings.push(Finding::file(MAP, format!("does not name {word}")));
            }
        }
    }
    for (at, line) in text.lines().enumerate() {
        for word in code_spans(line) {
            let folder = word.trim_end_matches('/');
            let ghost = match word.split('/').next() {
                Some("crates" | "docs" | "xtask" | "scripts" | "bench" | "python" | "web")
                    if word.contains('/') && !word.contains(['*', ' ', '{']) =>
                {
                    !tree.has(word) && !tree.has_folder(folder)
                }
                _ => word.strip_prefix("sondage-").is_some_and(|name| {
                    !name.contains(' ') && !tree.has(&format!("crates/{name}/Cargo.toml"))
                }),
            };
            if ghost {
                findings.push(Finding::at(MAP, at + 1, format!("`{word}` does not exist")));
            }
        }
    }
    findings
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

pub fn crate_openings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in tree.paths().filter_map(crate_folder) {
        let roots = ["lib", "main"].map(|name| format!("crates/{folder}/src/{name}.rs"));
        let Some(root) = roots.into_iter().find(|path| tree.has(path)) else {
            continue;
        };
        let text = tree.text(&root).unwrap_or("");
        let opening: String = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        for word in ["**Supplies**", "**Solves**", "**Not for**"] {
            if !opening.contains(word) {
                findings.push(Finding::file(
                    &root,
                    format!("its documentation lacks {word}"),
                ));
            }
        }
    }
    findings
}

pub fn indexes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (command, line) in commands(tree.text(COMMANDS).unwrap_or("")) {
        let page = format!("{GUIDE}{command}.md");
        if !tree.has(&page) {
            findings.push(Finding::at(
                COMMANDS,
                line,
                format!("{command} has no page {page}"),
            ));
        }
    }
    for folder in [GUIDE, DECISIONS] {
        let index = format!("{folder}README.md");
        let Some(text) = tree.text(&index) else {
            findings.push(Finding::file(&index, "missing"));
            continue;
        };
        for path in tree.paths() {
            let Some(page) = path.strip_prefix(folder) else {
                continue;
            };
            if page.ends_with(".md") && page != "README.md" && !text.contains(&format!("({page})"))
            {
                findings.push(Finding::file(&index, format!("does not list {page}")));
            }
        }
    }
    findings
}

/// The names in `Export(export::Args),`, with their lines.
fn commands(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let (_, name) = line.trim().strip_suffix("::Args),")?.split_once('(')?;
        Some((name, at + 1))
    })
}

pub fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let mut fenced = false;
        for (at, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in targets(line) {
                if let Some(file) = local_file(path, target)
                    && !tree.has(&file)
                    && !tree.has_folder(&file)
                {
                    findings.push(Finding::at(
                        path,
                        at + 1,
                        format!("links to {file}, which is not there"),
                    ));
                }
            }
        }
    }
    findings
}

/// What stands in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// The file a link leads to, from the root; nothing for the web and for anchors.
fn local_file(from: &str, target: &str) -> Option<String> {
    let target = target.split(['#', ' ']).next()?;
    if target.is_empty() || target.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

pub fn changelog(tree: &Tree) -> Vec<Finding> {
    let version = tree
        .text("Cargo.toml")
        .and_then(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("version = "))
        })
        .map(|version| version.trim().trim_matches('"').to_owned());
    let Some(version) = version else {
        return vec![Finding::file("Cargo.toml", "the workspace has no version")];
    };
    let Some(text) = tree.text(CHANGES) else {
        return vec![Finding::file(CHANGES, "missing")];
    };
    let known = text
        .lines()
        .any(|line| line.starts_with("## ") && line.contains(&version));
    if known {
        Vec::new()
    } else {
        vec![Finding::file(CHANGES, format!("no section for {version}"))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_missing_from_the_map_and_a_ghost_in_it() {
        let map = "`crates/model` `sondage-model`\n`crates/old` and `sondage-old`, `docs/a.md`\n";
        let tree = Tree::of(&[
            ("crates/model/Cargo.toml", ""),
            (MAP, map),
            ("docs/a.md", ""),
        ]);
        assert_eq!(
            messages(&architecture(&tree)),
            [
                "ARCHITECTURE.md:2: `crates/old` does not exist",
                "ARCHITECTURE.md:2: `sondage-old` does not exist"
            ]
        );
        let tree = Tree::of(&[("crates/model/Cargo.toml", ""), (MAP, "`crates/model`")]);
        assert_eq!(
            messages(&architecture(&tree)),
            ["ARCHITECTURE.md: does not name `sondage-model`"]
        );
    }

    #[test]
    fn openings() {
        let crates = |doc: &str| {
            crate_openings(&Tree::of(&[
                ("crates/m/Cargo.toml", ""),
                ("crates/m/src/lib.rs", doc),
            ]))
        };
        assert!(crates("//! **Supplies** a **Solves** b\n//! **Not for** c\n").is_empty());
        assert_eq!(
            crates("//! Words.\nconst A: &str = \"**Supplies**\";\n").len(),
            3
        );
    }

    #[test]
    fn every_command_has_a_page_and_every_page_is_listed() {
        let files = [
            (
                COMMANDS,
                "enum Command {\n    Run(run::Args),\n    Top(top::Args),\n}\n",
            ),
            ("docs/guide/README.md", "[run](run.md)"),
            ("docs/guide/run.md", ""),
            ("docs/decisions/README.md", ""),
            ("docs/decisions/0001-a.md", ""),
        ];
        assert_eq!(
            messages(&indexes(&Tree::of(&files))),
            [
                "crates/cli/src/commands/mod.rs:3: top has no page docs/guide/top.md",
                "docs/decisions/README.md: does not list 0001-a.md"
            ]
        );
    }

    #[test]
    fn links_into_nothing() {
        let text = "[a](b.md#part) [b](../x.png) ![c](gone.png) [d](https://e) [e](#f)\n\
                    ```\n[f](gone.md)\n```\n";
        let tree = Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("x.png", "")]);
        assert_eq!(
            messages(&links(&tree)),
            ["docs/a.md:1: links to docs/gone.png, which is not there"]
        );
    }

    #[test]
    fn the_change_log_knows_this_version() {
        let of = |changes: &str| {
            changelog(&Tree::of(&[
                ("Cargo.toml", "version = \"1.2.0\"\n"),
                (CHANGES, changes),
            ]))
            .len()
        };
        assert_eq!(of("## 1.2.0 (unreleased)\n"), 0);
        assert_eq!(of("## 1.1.0\n"), 1);
    }
}
