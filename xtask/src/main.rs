//! Checks of the project's own rules: `cargo xtask tidy`.
//!
//! **Supplies** one command that fails, with file, line and reason, where the tree breaks a rule
//! that a compiler or a linter does not know.
//!
//! **Solves** that unenforced maps rot: the import direction, ARCHITECTURE.md, the guide's index
//! and the change log are compared with the code on every run.
//!
//! **Not for** formatting and lints (`make check` runs those), nor for generating code.

use std::process::ExitCode;

mod tidy;
mod tree;

const HELP: &str = "\
cargo xtask COMMAND

  tidy    check the rules of the house: import direction, documents, file lengths, texts, locks
";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => run_tidy(),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        other => {
            let what = other.map_or("no command".to_owned(), |c| format!("no command '{c}'"));
            eprintln!("xtask: {what}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn run_tidy() -> ExitCode {
    let tree = match tree::Tree::from_git(&tree::root()) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("xtask: {error}");
            return ExitCode::FAILURE;
        }
    };
    let findings = tidy::check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!(
            "tidy: {} files, {} rules, nothing found",
            tree.len(),
            tidy::RULES.len()
        );
        ExitCode::SUCCESS
    } else {
        println!("tidy: {} findings", findings.len());
        ExitCode::FAILURE
    }
}
