//! Lock files: from the public registries, with hashes, and of this version.

use serde_json::Value;

use super::Finding;
use crate::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = cargo(tree);
    let locks = tree
        .texts()
        .filter(|(path, _)| path.ends_with("package-lock.json"));
    for (path, text) in locks {
        findings.extend(npm(tree, path, text));
    }
    findings
}

fn cargo(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text("Cargo.lock") else {
        return vec![Finding::file(
            "Cargo.lock",
            "missing: commit the versions we test with",
        )];
    };
    let mut findings = Vec::new();
    let index = "registry+https://github.com/rust-lang/crates.io-index";
    let mut source = None;
    for (at, line) in text.lines().enumerate() {
        if line == "[[package]]" {
            source = None;
        } else if let Some(value) = line.strip_prefix("source = ") {
            let value = value.trim_matches('"');
            source = Some(at + 1);
            if value != index {
                findings.push(Finding::at(
                    "Cargo.lock",
                    at + 1,
                    format!("not a registry: {value}"),
                ));
            }
        } else if line.starts_with("checksum = ") {
            source = None;
        } else if line.is_empty()
            && let Some(line) = source.take()
        {
            findings.push(Finding::at(
                "Cargo.lock",
                line,
                "a package without a checksum",
            ));
        }
    }
    findings
}

fn npm(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let manifest_path = path.replace("package-lock.json", "package.json");
    let parsed = serde_json::from_str::<Value>(text).ok();
    let manifest = tree
        .text(&manifest_path)
        .and_then(|t| serde_json::from_str::<Value>(t).ok());
    let (Some(lock), Some(manifest)) = (parsed, manifest) else {
        return vec![Finding::file(
            path,
            "the lock or its package.json is not JSON",
        )];
    };
    let mut findings = Vec::new();
    if lock["lockfileVersion"] != 3 {
        findings.push(Finding::file(path, "expected lockfileVersion 3"));
    }
    let empty = serde_json::Map::new();
    let packages = lock["packages"].as_object().unwrap_or(&empty);
    let root = &lock["packages"][""];
    for field in ["version", "dependencies", "devDependencies"] {
        if root[field] != manifest[field] {
            let what = format!("{field} differs from {manifest_path}: run npm install");
            findings.push(Finding::file(path, what));
        }
    }
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        if package.get("resolved").is_some() {
            let what = format!(
                "{name} names where it came from: npm install --omit-lockfile-registry-resolved"
            );
            findings.push(Finding::file(path, what));
        }
        if package.get("integrity").is_none() && package["link"] != true {
            findings.push(Finding::file(path, format!("{name} has no hash")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[package]]\nname = \"a\"\nversion = \"1\"\n\
        source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n\n\
        [[package]]\nname = \"ours\"\nversion = \"1\"\n\n";

    #[test]
    fn cargo_sources_are_registries_with_checksums() {
        assert!(cargo(&Tree::of(&[("Cargo.lock", GOOD)])).is_empty());
        assert_eq!(cargo(&Tree::of(&[])).len(), 1);
        let git = GOOD.replace("registry+https", "git+https");
        assert_eq!(cargo(&Tree::of(&[("Cargo.lock", &git)])).len(), 1);
        let bare = GOOD.replace("checksum = \"00\"\n", "");
        assert_eq!(cargo(&Tree::of(&[("Cargo.lock", &bare)])).len(), 1);
    }

    fn npm_findings(lock: &str) -> usize {
        let manifest = r#"{"version": "1", "dependencies": {"a": "1"}}"#;
        let files = [
            ("web/package.json", manifest),
            ("web/package-lock.json", lock),
        ];
        npm(&Tree::of(&files), "web/package-lock.json", lock).len()
    }

    #[test]
    fn npm_lock_matches_its_manifest_and_names_no_place() {
        let good = r#"{"lockfileVersion": 3, "packages": {
            "": {"version": "1", "dependencies": {"a": "1"}},
            "node_modules/a": {"version": "1", "integrity": "sha512-x"}}}"#;
        assert_eq!(npm_findings(good), 0);
        assert_eq!(
            npm_findings(&good.replace("{\"a\": \"1\"}", "{\"a\": \"2\"}")),
            1
        );
        assert_eq!(
            npm_findings(&good.replace("\"integrity\"", "\"resolved\"")),
            2
        );
        assert_eq!(npm_findings("no json"), 1);
    }
}
