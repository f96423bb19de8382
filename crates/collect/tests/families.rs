//! Children, wrappers, and programs that are not what they were.

mod common;

use common::{any_python, at_rate, pythons, record};
use sondage_collect::Options;
use sondage_collect::launch::Ended;
use sondage_model::{MessageLevel, Source, Time};

#[test]
fn children_started_in_every_way() {
    for python in pythons() {
        for (how, workers) in [
            ("os.fork", 1),
            ("fork", 2),
            ("spawn", 2),
            ("subprocess", 1),
            ("shell", 1),
            ("exec", 1),
        ] {
            if python.is_in_chroot() && matches!(how, "fork" | "spawn") {
                continue;
            }
            let recorded = record(&python.command("family.py", &[how, "0.5"]), at_rate(1000));
            let label = format!("{} {how}", python.label);
            assert_eq!(recorded.ended, Ended::Exited(0), "{label}");
            let working = recorded.processes_in("work");
            assert_eq!(working.len(), workers, "{label}: {working:?}");
            let late = recorded.late();
            for seconds in working.values() {
                assert!(
                    (0.4 - late..0.9 + late).contains(seconds),
                    "{label}: {working:?}, {late} s late"
                );
            }
            let dictionary = recorded.recording.dictionary();
            for id in working.keys() {
                let row = &dictionary.processes()[id.index()];
                assert!(
                    dictionary.text(row.runtime).starts_with("CPython 3."),
                    "{label}"
                );
                let name = dictionary.text(row.name);
                assert!(
                    name == "family.py" || name.starts_with("multiprocessing."),
                    "{label}: {name}"
                );
                assert_eq!(row.parent.is_some(), how != "exec", "{label}");
                assert!(row.end < Time::MAX, "{label}: {row:?}");
            }
            // `multiprocessing` has a helper that outlives its parent a little.
            let first = &dictionary.processes()[0];
            assert!(first.end < Time::MAX, "{label}: {first:?}");
            let messages = recorded.recording.messages();
            assert!(messages.is_empty(), "{label}: {messages:?}");
        }
    }
}

#[test]
fn without_children_they_are_left_out() {
    let options = Options {
        children: false,
        ..at_rate(1000)
    };
    let recorded = record(
        &any_python().command("family.py", &["os.fork", "0.3"]),
        options,
    );
    assert!(recorded.processes_in("work").is_empty());
    assert_eq!(recorded.recording.dictionary().processes().len(), 1);
}

#[test]
fn a_wrapper_is_not_silent_and_its_python_is_found() {
    let python = any_python();
    let mut command: Vec<std::ffi::OsString> = ["sh", "-c", "\"$@\"; sleep 0.2", "sh"]
        .map(Into::into)
        .into();
    command.extend(python.command("family.py", &["work", "0.4"]));
    let recorded = record(&command, at_rate(1000));
    let times = recorded.self_times();
    let late = recorded.late();
    assert!(times["work"] > 0.3 - late, "{times:?}, {late} s late");
    assert!(
        times.keys().any(|name| name.starts_with("<native ")),
        "{times:?}"
    );
    let dictionary = recorded.recording.dictionary();
    let names: Vec<&str> = dictionary
        .processes()
        .iter()
        .map(|row| dictionary.text(row.name))
        .collect();
    assert!(
        names.contains(&"sh") && names.contains(&"family.py"),
        "{names:?}"
    );
    assert_eq!(dictionary.processes()[0].parent, None);
}

#[test]
fn a_program_without_python_has_metrics_and_states() {
    let command = ["sleep", "0.6"].map(Into::into);
    let recorded = record(&command, at_rate(1000));
    let dictionary = recorded.recording.dictionary();
    assert_eq!(dictionary.text(dictionary.processes()[0].runtime), "");
    let states = recorded.states("sleep");
    let late = recorded.late();
    assert!(states["blocked"] > 0.5 - late, "{states:?}, {late} s late");
    let series: Vec<&str> = dictionary
        .counter_series()
        .iter()
        .map(|row| dictionary.text(row.name))
        .collect();
    assert!(
        series.contains(&"rss") && series.contains(&"cpu.user"),
        "{series:?}"
    );
    let counters = recorded
        .recording
        .counters(sondage_model::TimeRange::ALL)
        .expect("counters");
    // Ten times a second, and at the end.
    let rounds = ((0.6 - late) * 10.0 - 2.0).max(1.0) as usize;
    assert!(
        counters.len() >= rounds * series.len(),
        "{} of {rounds} rounds",
        counters.len()
    );
}

#[test]
fn an_old_python_is_told_by_its_version_and_others_go_on() {
    let home = std::env::var("HOME").unwrap_or_default();
    let old = std::fs::read_dir(format!("{home}/.pyenv/versions"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("3.9."))
        });
    let Some(old) = old else {
        eprintln_skip();
        return;
    };
    let new = any_python();
    let mut command: Vec<std::ffi::OsString> = ["sh", "-c"].map(Into::into).into();
    let script = format!(
        "'{}/bin/python3' -c 'import time; time.sleep(0.4)' & \"$@\"; wait",
        old.display()
    );
    command.push(script.into());
    command.push("sh".into());
    command.extend(new.command("family.py", &["work", "0.4"]));
    let recorded = record(&command, at_rate(1000));
    assert!(recorded.self_times()["work"] > 0.3 - recorded.late());
    let messages = recorded.recording.messages();
    assert!(
        messages
            .iter()
            .any(|row| row.level == MessageLevel::Warning && row.text.contains("older than 3.11")),
        "{messages:?}"
    );
    assert!(recorded.notices.iter().any(|notice| notice.hint.is_some()));
}

#[allow(clippy::print_stderr, reason = "a test says what it left out")]
fn eprintln_skip() {
    eprintln!("skipped: there is no Python 3.9 here");
}

#[test]
fn a_process_that_gives_back_much_memory_is_still_the_same() {
    for how in ["os.fork", "work"] {
        let command = any_python().command("family.py", &[how, "0.2", "600"]);
        let recorded = record(&command, at_rate(1000));
        let dictionary = recorded.recording.dictionary();
        let rows = dictionary.processes();
        let mut pids: Vec<_> = rows.iter().map(|row| row.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        let names: Vec<&str> = rows.iter().map(|row| dictionary.text(row.name)).collect();
        assert_eq!(pids.len(), rows.len(), "{how}: {names:?}");
        assert!(
            names.iter().all(|name| *name == "family.py"),
            "{how}: {names:?}"
        );
        for row in rows {
            assert!(row.end < Time::MAX, "{how}: {row:?}");
        }
        let messages = recorded.recording.messages();
        assert!(messages.is_empty(), "{how}: {messages:?}");
    }
}
