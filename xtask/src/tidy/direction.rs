//! An import points only to an earlier stage, and weight stays where it belongs.

use super::Finding;
use super::manifest::Manifest;
use crate::tree::Tree;

/// The stages in order, each with the crates of ours that it may import. What is missing here is
/// the architecture: `collect` does not know `analyze`, `layout` does not know a file.
const STAGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &[]),
    ("sdk-macros", &[]),
    ("sdk", &["wire", "sdk-macros"]),
    ("c", &["sdk"]),
    ("inspect", &["model"]),
    ("recording", &["model"]),
    ("collect", &["model", "wire", "inspect", "recording"]),
    ("analyze", &["model"]),
    ("layout", &["model", "analyze"]),
    ("formats", &["model", "recording", "analyze", "layout"]),
    (
        "serve",
        &["model", "recording", "analyze", "layout", "formats"],
    ),
    (
        "python",
        &[
            "model",
            "wire",
            "sdk",
            "recording",
            "analyze",
            "layout",
            "formats",
            "serve",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "inspect",
            "recording",
            "collect",
            "analyze",
            "layout",
            "formats",
            "serve",
        ],
    ),
];

/// Crates of others that only these of ours may depend on outside tests, and why.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("clap", &["cli"], "only the program has arguments"),
    ("ratatui", &["cli"], "only the program draws a terminal"),
    ("pyo3", &["python"], "only the module speaks Python's C API"),
    ("axum", &["serve"], "only the server speaks HTTP"),
    (
        "tokio",
        &["serve", "cli"],
        "the cores take bytes and time as arguments and do not wait",
    ),
    ("rust-embed", &["serve"], "only the server carries the page"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        let Some(folder) = crate_folder(path) else {
            continue;
        };
        let manifest = Manifest::parse(text);
        check_one(path, folder, &manifest, &mut findings);
    }
    findings
}

/// `model` for `crates/model/Cargo.toml`.
pub fn crate_folder(path: &str) -> Option<&str> {
    let folder = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    (!folder.contains('/')).then_some(folder)
}

/// What the crate in `crates/FOLDER` is called. The one that programs link has our own name.
pub fn crate_name(folder: &str) -> String {
    match folder {
        "sdk" => "sondage".to_owned(),
        _ => format!("sondage-{folder}"),
    }
}

/// The folder of one of our crates, from its name.
fn folder_of(name: &str) -> Option<&str> {
    match name {
        "sondage" => Some("sdk"),
        _ => name.strip_prefix("sondage-"),
    }
}

fn check_one(path: &str, folder: &str, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let Some(rank) = STAGES.iter().position(|(name, _)| *name == folder) else {
        let what = "this crate has no stage: give it one in xtask/src/tidy/direction.rs";
        findings.push(Finding::file(path, what));
        return;
    };
    let name = crate_name(folder);
    if manifest.name != name {
        let what = format!("the crate in crates/{folder} is called {name}");
        findings.push(Finding::file(path, what));
    }
    if !manifest.inherits_lints {
        findings.push(Finding::file(path, "no `[lints] workspace = true`"));
    }
    let allowed = STAGES[rank].1;
    for (name, line) in manifest.normal.iter().chain(&manifest.build) {
        if let Some(ours) = folder_of(name) {
            if !allowed.contains(&ours) {
                let what = format!("{folder} must not know {ours} (allowed: {})", list(allowed));
                findings.push(Finding::at(path, *line, what));
            }
        } else if let Some((_, owners, why)) = CONFINED.iter().find(|(n, _, _)| n == name)
            && !owners.contains(&folder)
        {
            let what = format!("{name} belongs to {} only: {why}", list(owners));
            findings.push(Finding::at(path, *line, what));
        }
    }
    for (name, line) in &manifest.dev {
        let stage =
            folder_of(name).and_then(|ours| STAGES.iter().position(|(stage, _)| *stage == ours));
        if stage.is_some_and(|stage| stage >= rank) {
            let what = format!("tests of {folder} must not use the later stage {name}");
            findings.push(Finding::at(path, *line, what));
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "nothing of ours".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(folder: &str, dependencies: &str) -> Vec<String> {
        let text = format!(
            "[package]\nname = \"sondage-{folder}\"\n[lints]\nworkspace = true\n{dependencies}"
        );
        let path = format!("crates/{folder}/Cargo.toml");
        check(&Tree::of(&[(&path, &text)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn an_earlier_stage_may_be_imported() {
        assert!(findings("collect", "[dependencies]\nsondage-inspect = \"0\"\n").is_empty());
    }

    #[test]
    fn a_later_stage_or_a_neighbour_may_not() {
        let found = findings("analyze", "[dependencies]\nsondage-recording = \"0\"\n");
        assert_eq!(
            found,
            ["crates/analyze/Cargo.toml:6: analyze must not know recording (allowed: model)"]
        );
        assert_eq!(
            findings("model", "[dependencies]\nsondage-serve = \"0\"\n").len(),
            1
        );
        assert_eq!(
            findings("model", "[build-dependencies]\nsondage-serve = \"0\"\n").len(),
            1
        );
    }

    #[test]
    fn tests_may_use_any_earlier_stage() {
        assert!(findings("analyze", "[dev-dependencies]\nsondage-recording = \"0\"\n").is_empty());
        assert_eq!(
            findings("analyze", "[dev-dependencies]\nsondage-serve = \"0\"\n").len(),
            1
        );
    }

    #[test]
    fn weight_stays_where_it_belongs() {
        assert_eq!(
            findings("analyze", "[dependencies]\ntokio = \"1\"\n").len(),
            1
        );
        assert!(findings("serve", "[dependencies]\ntokio = \"1\"\n").is_empty());
    }

    #[test]
    fn an_unknown_crate_a_wrong_name_and_missing_lints_are_found() {
        assert_eq!(findings("lake", "").len(), 1);
        let tree = Tree::of(&[("crates/model/Cargo.toml", "[package]\nname = \"words\"\n")]);
        assert_eq!(check(&tree).len(), 2);
    }
}
