//! `--inside`: the report and the export count the same samples of a recording with zones.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

use sondage_model::*;
use sondage_recording::Writer;

const MS: u64 = 1_000_000;

/// 100 ms of one thread, `busy` and `idle` in turns of 10 ms; `request` covers 5 to 25 ms and 65 to
/// 85 ms, and `query`, of two places, 10 to 12 ms and 70 to 73 ms.
fn write(path: &Path) {
    let mut r = MemoryRecording::new(RecordingInfo {
        interval: Nanos(MS),
        ..RecordingInfo::default()
    });
    let d = &mut r.dictionary;
    let process = d.add_process(ProcessRow::default());
    let name = d.string("MainThread");
    let thread = d.add_thread(ThreadRow {
        process,
        name,
        ..ThreadRow::default()
    });
    let stacks = ["busy", "idle"].map(|name| {
        let function = d.function(name, name, "/srv/app.py", 1, FunctionKind::Python);
        let frame = d.frame(function, 1);
        d.stack(StackId::EMPTY, frame)
    });
    let [request, first, second] =
        [("request", 3), ("query", 9), ("query", 90)].map(|(name, line)| {
            let row = SiteRow {
                name: d.string(name),
                file: d.file("/srv/app.py"),
                line,
                ..SiteRow::default()
            };
            d.site(row)
        });
    for ms in 1..=100 {
        r.samples.push(SampleRow {
            time: Time(ms * MS),
            weight: Nanos(MS),
            count: 1,
            thread,
            stack: stacks[((ms - 1) / 10 % 2) as usize],
            state: State::new(StateKind::OnCpu, true),
            ..SampleRow::default()
        });
    }
    for (site, depth, start, ms) in [
        (first, 1, 10, 2),
        (request, 0, 5, 20),
        (second, 1, 70, 3),
        (request, 0, 65, 20),
    ] {
        let row = ZoneRow {
            start: Time(start * MS),
            duration: Nanos(ms * MS),
            busy: Nanos(ms * MS),
            thread,
            site,
            depth,
            ..ZoneRow::default()
        };
        r.zones.push(row, None);
    }
    let mut writer = Writer::create(File::create(path).expect("a file"), &r.info).expect("begun");
    writer.copy_from(&r.seal()).expect("written");
    writer.finish(Time(100 * MS)).expect("finished");
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sondage"));
    command.args(args).current_dir(folder);
    command.output().expect("sondage runs")
}

/// What it prints; it must succeed.
fn stdout(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_report_and_the_export_count_what_is_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(&folder.join("app.sondage"));
    for (filter, busy, idle) in [
        (&["--inside", "request"][..], 5 + 5 + 5 + 5, 10 + 10),
        (&["--inside", "app.py:9"], 0, 2),
        (&["--inside", "/srv/app.py:90"], 0, 3),
        (&["--inside", "request", "--to", "22ms"], 5 + 2, 10),
    ] {
        let report = [&["report", "app.sondage", "--json"], filter].concat();
        let report: serde_json::Value =
            serde_json::from_str(&stdout(folder, &report)).expect("JSON");
        assert_eq!(report["shown"]["weight"], (busy + idle) * MS, "{filter:?}");
        let export = ["export", "app.sondage", "-f", "collapsed", "-o", "-"];
        let stacks = stdout(folder, &[&export[..], filter].concat());
        let sum_of = |name: &str| -> u64 {
            let lines = stacks.lines().filter(|line| line.contains(name));
            let weights = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            weights.sum()
        };
        let sums = (sum_of("busy"), sum_of("idle"));
        assert_eq!(sums, (busy * MS, idle * MS), "{filter:?}\n{stacks}");
    }
}

#[test]
fn a_zone_that_is_none_or_several_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(&folder.join("app.sondage"));
    for (zone, hint) in [
        ("query", "there are: /srv/app.py:9, /srv/app.py:90"),
        ("nothing", "there are: request, query, query"),
    ] {
        for command in [&["report"][..], &["export", "-f", "pprof"]] {
            let args = [command, &["app.sondage", "--inside", zone]].concat();
            let output = run(folder, &args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(hint), "{said}");
        }
    }
}
