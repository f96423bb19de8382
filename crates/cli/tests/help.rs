//! What `--help` says, so that a change of it is seen.

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_sondage"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .expect("sondage runs");
    assert!(out.status.success());
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn the_program() {
    let text = help(&["--help"]);
    assert!(text.starts_with("EXAMPLES"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn each_command_of_recording_opens_with_examples() {
    for command in ["run", "attach", "listen", "dump", "top", "doctor"] {
        let text = help(&[command, "--help"]);
        assert!(text.starts_with("EXAMPLES"), "{command}: {text}");
        insta::assert_snapshot!(command, text);
    }
}
