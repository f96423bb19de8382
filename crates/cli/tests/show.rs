//! `import`, `report`, `export` and `view`, end to end: the program itself on real files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const STACKS: &str = "\
main (/srv/shop/app.py:3);parse (/srv/shop/app.py:9) 70
main (/srv/shop/app.py:4);write (/srv/shop/out.py:5) 20
main (/srv/shop/app.py:5) 10
";

fn sondage(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
    command
        .args(args)
        .current_dir(folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("SSH_CONNECTION");
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    sondage(folder, args).output().expect("sondage runs")
}

/// Runs it and gives what it printed; it must succeed.
fn stdout(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same as JSON.
fn json(folder: &Path, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&stdout(folder, args)).expect("JSON")
}

/// Runs it and gives its exit code and what it said; it must fail.
fn failure(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = run(folder, args);
    assert!(output.stdout.is_empty(), "{args:?} printed data");
    let code = output.status.code().expect("an exit code");
    assert_ne!(code, 0, "{args:?}");
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A folder with `shop.collapsed` and the recording made of it.
fn imported() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.collapsed"), STACKS).expect("written");
    stdout(folder.path(), &["import", "shop.collapsed"]);
    folder
}

#[test]
fn an_import_is_reported_with_its_figures() {
    let folder = imported();
    let report = json(folder.path(), &["report", "shop.sondage", "--json"]);
    assert_eq!(report["total"]["count"], 100);
    assert_eq!(report["functionsBySelf"][0]["label"], "parse");
    assert_eq!(report["functionsBySelf"][0]["selfCount"], 70);
    assert_eq!(report["more"], "sondage view shop.sondage");
    let text = stdout(folder.path(), &["report", "shop.sondage"]);
    assert!(text.contains("70.0 %"), "{text}");
    assert!(!text.contains('\x1b'), "no colour into a pipe");
    let direct = json(folder.path(), &["report", "shop.collapsed", "--json"]);
    assert_eq!(
        direct["functionsBySelf"][1]["self"],
        report["functionsBySelf"][1]["self"]
    );
}

#[test]
fn filters_narrow_the_report_and_the_export_alike() {
    let folder = imported();
    let search = ["--search", "^write "];
    let args = [&["report", "shop.sondage", "--json"][..], &search].concat();
    assert_eq!(json(folder.path(), &args)["shown"]["count"], 20);
    let args = [
        "export",
        "shop.sondage",
        "-f",
        "collapsed",
        "-o",
        "-",
        "--samples",
    ];
    let stacks = stdout(folder.path(), &[&args[..], &search].concat());
    assert_eq!(stacks.lines().count(), 1, "{stacks}");
    assert!(stacks.trim_end().ends_with(" 20"), "{stacks}");
}

#[test]
fn an_export_never_costs_a_file_that_nobody_named() {
    let folder = imported();
    let path = folder.path().join("shop.speedscope.json");
    let export = ["export", "shop.sondage", "-f", "speedscope"];
    stdout(folder.path(), &export);
    let first = std::fs::read(&path).expect("the export");
    std::fs::write(&path, "mine").expect("written");
    let (code, said) = failure(folder.path(), &export);
    assert_eq!(code, 1);
    assert!(
        said.contains("already there") && said.contains("hint:"),
        "{said}"
    );
    assert_eq!(std::fs::read(&path).expect("still there"), b"mine");
    stdout(
        folder.path(),
        &["export", "shop.sondage", "-o", "shop.speedscope.json"],
    );
    assert_eq!(std::fs::read(&path).expect("replaced"), first);
    let (_, said) = failure(folder.path(), &["import", "shop.collapsed"]);
    assert!(said.contains("already there"), "{said}");
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let folder = imported();
    std::fs::write(folder.path().join("bad.bin"), [0, 1, 2, 3]).expect("written");
    for (args, code, says) in [
        (vec!["report", "gone.sondage"], 1, "gone.sondage"),
        (vec!["view", "gone.sondage"], 1, "gone.sondage"),
        (vec!["view", "bad.bin"], 1, "cannot be imported"),
        (vec!["import", "bad.bin"], 1, "no importer"),
        (vec!["export", "shop.sondage"], 2, "--format"),
        (vec!["export", "shop.sondage", "-f", "best"], 2, "`best`"),
        (
            vec!["report", "shop.sondage", "--search", "("],
            2,
            "--search",
        ),
        (
            vec!["report", "shop.sondage", "--from", "2s", "--to", "1s"],
            2,
            "--to",
        ),
        (
            vec!["report", "shop.sondage", "--thread", "nobody"],
            2,
            "nobody",
        ),
        (
            vec!["report", "shop.sondage", "--state", "tired"],
            2,
            "gil-wait",
        ),
    ] {
        let (seen, said) = failure(folder.path(), &args);
        assert_eq!(seen, code, "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
}

#[test]
fn a_file_that_was_cut_is_shown_and_said_to_be_cut() {
    let folder = imported();
    let whole = std::fs::read(folder.path().join("shop.sondage")).expect("the recording");
    let cut = &whole[..whole.len() - 9];
    std::fs::write(folder.path().join("cut.sondage"), cut).expect("written");
    let output = run(folder.path(), &["report", "cut.sondage", "--json"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("warning: cut.sondage"), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report["recovered"].is_string());
    assert_eq!(report["total"]["count"], 100);
}

#[test]
fn view_prints_its_address_serves_and_ends_at_ctrl_c() {
    let folder = imported();
    let mut child = sondage(folder.path(), &["view", "shop.sondage", "shop.collapsed"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sondage starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut url = String::new();
    out.read_line(&mut url).expect("a line");
    let (host, path) = url
        .trim()
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("an address");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let request =
        format!("GET /{path}api/meta HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for name in ["shop.sondage", "shop.collapsed"] {
        assert!(answer.contains(name), "{answer}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the end");
    assert_eq!(rest, "", "the address is all there is on standard output");
}
