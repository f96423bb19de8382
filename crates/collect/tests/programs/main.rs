//! Programs that say what they are doing, recorded for real.

mod callers;
mod roles;

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Duration;

use roles::{COUNT, ROLE, shared_count};
use sondage_collect::launch::{Child, Inherited};
use sondage_collect::{ADDRESS_VARIABLE, About, Listener, NewRecording, Options, Session, Summary};
use sondage_model::{
    CounterRow, LogRow, LossKind, Pid, Source, TimeRange, WaitKind, ZoneDetail, ZoneFlags, ZoneRow,
};
use sondage_recording::Recording;

/// Not a test by itself: the child processes of the others are this same program, told by a
/// variable.
#[test]
fn child() {
    roles::play();
}

struct Recorded {
    recording: Recording,
    summary: Summary,
    messages: Vec<String>,
    _folder: tempfile::TempDir,
}

fn options() -> Options {
    Options {
        samples: false,
        source_text: false,
        ..Options::default()
    }
}

fn launch(role: &str, variables: &[(&str, &str)]) -> Child {
    let program: OsString = std::env::current_exe().unwrap().into();
    let words = [program, "child".into(), "--exact".into()];
    let mut all = vec![(ROLE, role)];
    all.extend(variables);
    Child::launch_with(&words, &Inherited::capture(), &all).unwrap()
}

/// A session that records into a file of its own, and what ends it.
fn session(
    root: Option<Pid>,
    listener: Option<Listener>,
    options: Options,
) -> impl FnOnce(&mut dyn FnMut(&Session)) -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sondage");
    let file = NewRecording::create(&path, false).unwrap();
    let session = Session::start_with(root, listener, file, About::default(), options).unwrap();
    move |during| {
        during(&session);
        let mut notices: Vec<_> = session.notices().collect();
        let (summary, last) = session.stop();
        notices.extend(last);
        assert_eq!(summary.error, None);
        Recorded {
            recording: Recording::open(&path).unwrap(),
            summary,
            messages: notices.into_iter().map(|notice| notice.text).collect(),
            _folder: folder,
        }
    }
}

/// Records a child from its start to its end.
fn record(role: &str, options: Options) -> Recorded {
    let listener = Listener::offer().unwrap();
    let address = listener.address().to_owned();
    let mut child = launch(role, &[(ADDRESS_VARIABLE, &address)]);
    let run = session(Some(child.pid()), Some(listener), options);
    run(&mut |_| {
        child.wait();
    })
}

impl Recorded {
    fn zones(&self) -> Vec<(ZoneRow, Option<ZoneDetail>)> {
        let mut all = Vec::new();
        for block in 0..self.recording.zone_blocks().len() {
            let zones = self.recording.zones(block).unwrap();
            all.extend(zones.rows().map(|row| (row, zones.detail(&row).cloned())));
        }
        all
    }

    fn text(&self, id: sondage_model::StringId) -> &str {
        self.recording.dictionary().text(id)
    }

    fn site(&self, row: &ZoneRow) -> &str {
        self.text(self.recording.dictionary().sites()[row.site.index()].name)
    }

    fn pid(&self, row: &ZoneRow) -> i32 {
        let dictionary = self.recording.dictionary();
        let process = dictionary.threads()[row.thread.index()].process;
        dictionary.processes()[process.index()].pid.0
    }

    /// Zones of this name that have ended, by process in order of their ids.
    fn count(&self, name: &str) -> Vec<u64> {
        let dictionary = self.recording.dictionary();
        let mut counts = vec![0; dictionary.processes().len()];
        for (row, _) in self.zones() {
            if self.site(&row) == name && !row.flags.has(ZoneFlags::OPEN) {
                counts[dictionary.threads()[row.thread.index()].process.index()] += 1;
            }
        }
        counts.retain(|count| *count > 0);
        counts
    }

    fn lost(&self) -> u64 {
        let losses = self.recording.losses().iter();
        let events = losses.filter(|row| row.kind == LossKind::Event);
        events.map(|row| row.count).sum()
    }

    fn counter(&self, name: &str) -> Vec<f64> {
        let dictionary = self.recording.dictionary();
        let rows: Vec<CounterRow> = self.recording.counters(TimeRange::ALL).unwrap();
        let of = |row: &&CounterRow| {
            self.text(dictionary.counter_series()[row.counter.index()].name) == name
        };
        rows.iter().filter(of).map(|row| row.value).collect()
    }
}

#[test]
fn all_that_a_program_says_is_in_the_recording() {
    let seen = record("everything", Options::default());
    let zones = seen.zones();
    let dictionary = seen.recording.dictionary();
    let whole = zones
        .iter()
        .find(|(row, _)| seen.site(row) == "request" && row.flags.has(ZoneFlags::SPAN));
    let (span, detail) = whole.expect("the span");
    assert!(span.flags.has(ZoneFlags::SUSPENDED.with(ZoneFlags::FAILED)));
    assert!(span.busy < span.duration);
    let detail = detail.as_ref().expect("its arguments");
    assert_eq!(detail.arguments, r#"{"path":"/a\"b"}"#);
    assert_eq!(detail.trace, 77);
    let polls: Vec<_> = zones
        .iter()
        .filter(|(row, _)| row.flags.has(ZoneFlags::POLL))
        .collect();
    assert_eq!(polls.len(), 2);
    assert_ne!(polls[0].0.thread, polls[1].0.thread);
    assert_eq!(seen.count("step"), [3]);
    let passes = zones
        .iter()
        .find(|(row, _)| row.flags.has(ZoneFlags::CUMULATIVE));
    let (passes, sums) = passes.expect("the cumulative zone");
    assert_eq!(passes.parent, span.span);
    assert_eq!(
        sums.as_ref().map(|sums| (sums.count, sums.total.0)),
        Some((3, 30))
    );
    let thread = &dictionary.threads()[span.thread.index()];
    assert_eq!(seen.text(thread.name), "worker 1");
    let process = &dictionary.processes()[thread.process.index()];
    assert_eq!(seen.text(process.name), "chatty");
    // The sampler and the program mean the same threads.
    let mut tids: Vec<_> = dictionary
        .threads()
        .iter()
        .map(|row| (row.process, row.tid))
        .collect();
    tids.sort_unstable();
    let all = tids.len();
    tids.dedup();
    assert_eq!(tids.len(), all);
    assert_eq!(seen.counter("queue"), [5.0]);
    assert_eq!(seen.counter("memory.live"), [4096.0]);
    assert!(
        seen.counter("sondage.probes")
            .last()
            .is_some_and(|probes| *probes >= 15.0)
    );
    let logs = seen.recording.logs(TimeRange::ALL).unwrap();
    let log: Vec<_> = logs
        .iter()
        .map(|LogRow { level, text, .. }| (*level, text.as_str()))
        .collect();
    assert_eq!(log, [(3, "careful")]);
    let frames = seen.recording.frame_marks().unwrap();
    let frames: Vec<_> = frames.iter().map(|row| seen.text(row.name)).collect();
    assert_eq!(frames, ["", "net"]);
    let waits = seen.recording.waits(TimeRange::ALL).unwrap();
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0].kind, WaitKind::Exclusive);
    assert_eq!(
        seen.text(dictionary.locks()[waits[0].lock.index()].name),
        "jobs"
    );
    assert_eq!((seen.lost(), seen.summary.progress.programs), (0, 1));
    assert!(seen.messages.is_empty(), "{:?}", seen.messages);
}

#[test]
fn nothing_that_was_committed_is_lost_by_kill_9() {
    for round in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("count");
        std::fs::write(&path, [0; 4096]).unwrap();
        let listener = Listener::offer().unwrap();
        let address = listener.address().to_owned();
        let variables = [
            (ADDRESS_VARIABLE, address.as_str()),
            (COUNT, path.to_str().unwrap()),
            ("SONDAGE_BUFFER", "256M"),
        ];
        let mut child = launch("tight", &variables);
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let count = shared_count(&file);
        let run = session(Some(child.pid()), Some(listener), options());
        let seen = run(&mut |_| {
            while count.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(round * 97 % 4000));
            child.signal(libc::SIGKILL);
            child.wait();
        });
        let committed = count.load(Ordering::Relaxed);
        let recorded: u64 = seen.count("tight").iter().sum();
        // The last zone may have been committed and not counted.
        assert_eq!(seen.lost(), 0, "round {round}");
        assert!(
            (committed..=committed + 1).contains(&recorded),
            "round {round}: {recorded} of {committed}"
        );
    }
}

#[test]
fn a_program_that_closes_all_it_has_open_is_recorded_on() {
    let seen = record("closes", options());
    assert_eq!(seen.count("step"), [20]);
}

#[test]
fn a_fork_and_its_parent_have_their_own() {
    let seen = record("forks", options());
    let mut counts = seen.count("step");
    counts.sort_unstable();
    assert_eq!(counts, [7, 20]);
}

#[test]
fn what_was_said_before_exec_is_the_old_programs() {
    let seen = record("execs", options());
    let pids: std::collections::BTreeSet<i32> =
        seen.zones().iter().map(|(row, _)| seen.pid(row)).collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(seen.count("step").iter().sum::<u64>(), 15);
}

#[test]
fn five_hundred_threads() {
    let seen = record("threads", options());
    assert_eq!(seen.count("step").iter().sum::<u64>(), 500 * 20);
    let threads: std::collections::BTreeSet<_> =
        seen.zones().iter().map(|(row, _)| row.thread).collect();
    // A number can be given to a later thread.
    assert!(threads.len() > 1);
    assert_eq!(seen.lost(), 0);
}

#[test]
fn a_program_that_did_not_call_is_found_and_goes_on_alone() {
    let mut child = launch(
        "steady",
        &[(ADDRESS_VARIABLE, "@sondage-nobody-listens-here")],
    );
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..2 {
        // One collector after the other.
        let run = session(Some(child.pid()), None, options());
        let seen = run(&mut |session| {
            // What it kept of the time before the recording comes first, and is left out.
            let mut kept = None;
            while kept.is_none_or(|kept| session.progress().events < kept + 20) {
                kept = kept.or(Some(session.progress().events).filter(|events| *events > 0));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let zones = seen.count("step").iter().sum::<u64>();
        assert!(zones >= 5, "{zones}");
        assert!(
            seen.zones()
                .iter()
                .all(|(row, _)| !row.flags.has(ZoneFlags::CUT))
        );
    }
    child.signal(libc::SIGKILL);
    child.wait();
}

#[test]
fn programs_that_call_a_listener_are_recorded_and_sampled() {
    let listener = Listener::offer().unwrap();
    let address = listener.address().to_owned();
    let run = session(None, Some(listener), Options::default());
    let seen = run(&mut |session| {
        for _ in 0..2 {
            launch("ten", &[(ADDRESS_VARIABLE, &address)]).wait();
        }
        let mut steady = launch("steady", &[(ADDRESS_VARIABLE, &address)]);
        while session.progress().samples < 20 {
            std::thread::sleep(Duration::from_millis(10));
        }
        steady.signal(libc::SIGKILL);
        steady.wait();
    });
    let counts = seen.count("step");
    assert_eq!(counts[..2], [10, 10]);
    assert_eq!(counts.len(), 3);
    assert_eq!(seen.summary.progress.programs, 3);
}
