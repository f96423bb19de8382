//! Against real interpreters that run programs whose stacks are known.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod pythons;

use pythons::{all, each_minor, words};
use sondage_inspect::{OpenError, Reject, StackSnapshot, Target, ThreadCursor, process};
use sondage_model::{Pid, RemoteAddr, Tid};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn the_whole_stack_is_read_with_names_and_lines() {
    let expected = [
        "pause:16",
        "in_coroutine:20",
        "Étage.méthode:26",
        "generator.<locals>.<lambda>:30",
        "generator:30",
        "by_sort:34",
        "\u{1f40d}:2",
        "lone\u{fffd}:42",
        "outer.<locals>.inner:48",
        "outer:50",
        "<module>:60",
    ];
    for python in all() {
        let program = python.start("asleep.py", &[]).ready();
        let mut target = program.open();
        assert_eq!(target.runtime().version.minor, python.minor);
        assert!(target.runtime().implementation.starts_with("CPython 3."));
        let threads = target.threads().expect("threads");
        let mut names: Vec<_> = threads.iter().map(|t| t.name.as_deref()).collect();
        names.sort_unstable();
        let wanted = [Some("MainThread"), Some("second thread"), Some("третий")];
        assert_eq!(names, wanted, "{}", python.label);
        let main = threads
            .iter()
            .find(|thread| thread.tid == Tid(program.pid().0))
            .expect("the main thread");
        let mut cursor = ThreadCursor::new(main);
        let mut out = StackSnapshot::default();
        target.sample(&mut cursor, &mut out).expect("a stack");
        // It may not have come from `print` to `sleep` yet.
        let end = Instant::now() + Duration::from_secs(20);
        while (words(&target, &out)[0] != expected[0] || out.holds_gil) && Instant::now() < end {
            cursor = ThreadCursor::new(main);
            target.sample(&mut cursor, &mut out).expect("a stack");
        }
        assert_eq!(words(&target, &out), expected, "{}", python.label);
        assert!(!out.holds_gil, "{}: asleep with the GIL", python.label);
        assert!(out.frames.last().expect("a frame").entry);
        assert_eq!(out.same_prefix_as_last, 0);
        target.sample(&mut cursor, &mut out).expect("a stack");
        assert_eq!(out.same_prefix_as_last, expected.len(), "{}", python.label);
        assert_eq!(target.counters().rejects(), 0, "{}", python.label);
    }
}

const SPIN: &str = "
import threading
def spin():
    while True:
        pass
def deep(n):
    if n:
        return deep(n - 1)
    print('ready', flush=True)
    spin()
import sys
sys.setrecursionlimit(100000)
threading.stack_size(512 << 20)
thread = threading.Thread(target=deep, args=(5000,), name='deep')
thread.start()
thread.join()
";

/// Looks until the stack is as wanted: a program that said it is ready has a few steps to go. Gives
/// the last stack seen, wanted or not.
fn until(wanted: impl Fn(&[String]) -> bool, mut look: impl FnMut() -> Vec<String>) -> Vec<String> {
    for _ in 0..2000 {
        let lines = look();
        if wanted(&lines) {
            return lines;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    look()
}

#[test]
fn recursion_of_5000_frames() {
    for python in each_minor() {
        let program = python.run("spin.py", SPIN, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let deep = threads
            .iter()
            .find(|thread| thread.name.as_deref() == Some("deep"))
            .expect("the thread");
        let mut cursor = ThreadCursor::new(deep);
        let mut out = StackSnapshot::default();
        target.sample(&mut cursor, &mut out).expect("a stack");
        assert!(out.truncated);
        assert_eq!(out.frames.len(), 2048);
        assert_eq!(target.counters().truncated, 1);
        target.limits_mut().depth = 10_000;
        let mut cursor = ThreadCursor::new(deep);
        let lines = until(
            |lines| lines[0].starts_with("spin:"),
            || {
                target.sample(&mut cursor, &mut out).expect("a stack");
                words(&target, &out)
            },
        );
        assert!(!out.truncated, "{}", python.label);
        assert!(lines.len() >= 5000, "{}: {}", python.label, lines.len());
        assert!(lines[0].starts_with("spin:"), "{}", lines[0]);
        assert!(
            ["deep:9", "deep:10"].contains(&lines[1].as_str()),
            "{}",
            lines[1]
        );
        assert!(lines[2..5002].iter().all(|line| line == "deep:8"));
    }
}

const MANY: &str = "
import threading
ready = threading.Barrier(501)
def waits():
    ready.wait()
    threading.Event().wait()
for number in range(500):
    threading.Thread(target=waits, name=f'worker {number}', daemon=True).start()
ready.wait()
print('ready', flush=True)
threading.Event().wait()
";

#[test]
fn five_hundred_threads() {
    for python in each_minor() {
        let program = python.run("many.py", MANY, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        assert_eq!(threads.len(), 501, "{}", python.label);
        let named = threads
            .iter()
            .filter(|thread| {
                thread
                    .name
                    .as_ref()
                    .is_some_and(|n| n.starts_with("worker "))
            })
            .count();
        assert_eq!(named, 500, "{}", python.label);
        let mut out = StackSnapshot::default();
        let read = threads
            .iter()
            .filter(|thread| {
                let mut cursor = ThreadCursor::new(thread);
                target.sample(&mut cursor, &mut out).is_ok() && !out.frames.is_empty()
            })
            .count();
        assert_eq!(read, 501, "{}", python.label);
    }
}

#[test]
fn a_target_that_dies_is_gone() {
    for python in each_minor() {
        let mut program = python.start("oracle.py", &["{dir}/law", "recursion"]);
        program.file("law");
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let mut cursor = ThreadCursor::new(&threads[0]);
        let mut out = StackSnapshot::default();
        let begin = Instant::now();
        let mut killed = false;
        let last = loop {
            let result = target.sample(&mut cursor, &mut out);
            if !killed && begin.elapsed() > Duration::from_millis(50) {
                program.child.kill().expect("killed");
                killed = true;
            }
            match result {
                Err(Reject::Gone) => break Reject::Gone,
                _ => assert!(begin.elapsed() < Duration::from_secs(20), "never gone"),
            }
        };
        assert!(killed);
        assert_eq!(last, Reject::Gone);
        drop(program.child.wait());
        assert!(matches!(
            Target::open(program.pid()),
            Err(OpenError::Gone { .. })
        ));
    }
}

#[test]
fn an_exec_into_another_program_is_noticed() {
    for python in each_minor() {
        let source = "import os, sys, time\nprint('ready', flush=True)\nos.read(0, 1)\ntime.sleep(0.2)\nos.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(100)'])";
        let program = python.run("exec.py", source, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let mut cursor = ThreadCursor::new(&threads[0]);
        let mut out = StackSnapshot::default();
        let end = Instant::now() + Duration::from_secs(20);
        let failed = loop {
            if target.sample(&mut cursor, &mut out).is_err() {
                break true;
            }
            if Instant::now() > end {
                break false;
            }
        };
        assert!(failed, "{}: the old image was read for ever", python.label);
        let mut target = program.open();
        assert!(!target.threads().expect("threads").is_empty());
    }
}

#[test]
fn what_is_no_python_is_refused_with_reason_and_hint() {
    let mut sleep = Command::new("sleep").arg("100").spawn().expect("sleep");
    // Until it has replaced us, the child is this program.
    let end = Instant::now() + Duration::from_secs(10);
    let error = loop {
        let error = Target::open(Pid(sleep.id() as i32)).expect_err("no Python");
        if matches!(&error, OpenError::NotPython { exe, .. } if exe.ends_with("sleep")) {
            break error;
        }
        assert!(Instant::now() < end, "{error}");
    };
    assert!(error.to_string().contains("sleep has no CPython in it"));
    assert!(error.hint().contains("sondage run"));
    sleep.kill().expect("killed");
    drop(sleep.wait());
    let gone = Target::open(Pid(i32::MAX)).expect_err("no process");
    assert!(matches!(gone, OpenError::Gone { .. }));
}

#[test]
fn another_users_process_is_refused() {
    const ASKED: &str = "SONDAGE_TEST_OPEN";
    if let Ok(pid) = std::env::var(ASKED) {
        let pid = Pid(pid.parse().expect("a number"));
        let error = Target::open(pid).expect_err("not ours");
        assert!(matches!(error, OpenError::NoPermission { .. }), "{error}");
        assert!(error.hint().contains("root"));
        return;
    }
    // SAFETY: geteuid has no conditions.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let python = &each_minor()[0];
    let program = python.start("asleep.py", &[]).ready();
    // Another user may not reach our build folder.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("test");
    std::fs::copy(std::env::current_exe().expect("exe"), &copy).expect("a copy");
    let open_up = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open_up).expect("rights");
    let status = std::os::unix::process::CommandExt::uid(&mut Command::new(&copy), 65534)
        .args(["--exact", "another_users_process_is_refused"])
        .env(ASKED, program.pid().0.to_string())
        .current_dir("/")
        .status()
        .expect("the copy runs");
    assert!(status.success());
}

#[test]
fn an_interpreter_whose_file_is_gone_is_found() {
    for python in each_minor() {
        // A copy of the program that is deleted while it runs. Not all of it need be in one file:
        // what matters is that the path in the maps leads nowhere.
        let source = "
import os, shutil, sys, time
if len(sys.argv) > 1:
    os.unlink(sys.argv[1])
    print('ready', flush=True)
    while True:
        time.sleep(1000)
copy = os.path.join(os.path.dirname(__file__), 'python-copy')
shutil.copy(os.path.realpath(sys.executable), copy)
os.environ['PYTHONHOME'] = sys.base_prefix
os.execv(copy, [copy, __file__, copy])
";
        let program = python.run("gone.py", source, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let mut out = StackSnapshot::default();
        let lines = until(
            |lines| lines == ["<module>:7"],
            || {
                target
                    .sample(&mut ThreadCursor::new(&threads[0]), &mut out)
                    .expect("a stack");
                words(&target, &out)
            },
        );
        assert_eq!(lines, ["<module>:7"], "{}", python.label);
    }
}

const SUBINTERPRETER: &str = "
import sys, threading, textwrap
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
run = getattr(interpreters, 'exec', None) or interpreters.run_string
inner = interpreters.create()
source = textwrap.dedent('''
    import time
    def inside():
        print(\"ready\", flush=True)
        while True:
            time.sleep(1000)
    inside()
''')
run(inner, source)
";

#[test]
fn subinterpreters_are_read_too() {
    for python in each_minor() {
        let program = python.run("sub.py", SUBINTERPRETER, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let inner: Vec<_> = threads.iter().filter(|t| t.interpreter != 0).collect();
        assert!(!inner.is_empty(), "{}: no subinterpreter", python.label);
        let mut out = StackSnapshot::default();
        // It has said that it is ready, and may still be on its way into its sleep.
        let end = Instant::now() + Duration::from_secs(10);
        let mut seen = false;
        while !seen && Instant::now() < end {
            seen = inner.iter().any(|thread| {
                let mut cursor = ThreadCursor::new(thread);
                target.sample(&mut cursor, &mut out).is_ok()
                    && words(&target, &out)
                        .iter()
                        .any(|line| line.starts_with("inside:"))
            });
        }
        assert!(seen, "{}: inside() was not seen", python.label);
        let gils = target.gils().expect("GILs");
        assert_eq!(gils.len(), if python.minor >= 12 { gils.len() } else { 1 });
        assert!(!gils.is_empty());
    }
}

#[test]
fn a_program_that_makes_ever_more_functions_is_read_with_bounded_memory() {
    const MOST: usize = 200;
    for python in each_minor() {
        let program = python.run("new_code.py", NEW_CODE, &[]).ready();
        let mut target = program.open();
        target.limits_mut().codes = MOST;
        let threads = target.threads().expect("threads");
        let mut cursor = ThreadCursor::new(&threads[0]);
        let mut out = StackSnapshot::default();
        let (mut seen, mut newest) = (0, 0);
        let end = Instant::now() + Duration::from_secs(60);
        while (seen < 3000 || target.counters().code_evictions < 2 * MOST as u64)
            && Instant::now() < end
        {
            if target.sample(&mut cursor, &mut out).is_err() {
                continue;
            }
            assert!(target.code_count() <= MOST, "{}", python.label);
            let functions: Vec<_> = out
                .frames
                .iter()
                .map(|frame| (target.resolve(frame.code).expect("its code"), frame.offset))
                .collect();
            for (code, offset) in &functions {
                let Some(number) = code.name.strip_prefix(['f', 'g']) else {
                    continue;
                };
                let Ok(number) = number.parse::<u32>() else {
                    continue;
                };
                seen += 1;
                newest = newest.max(number);
                assert_eq!(code.filename, format!("<{number}>"), "{}", python.label);
                let first = number % 1000 + if code.name.starts_with('f') { 1 } else { 4 };
                assert_eq!(code.first_line, first, "{}", python.label);
                assert!((first..first + 3).contains(&code.line(*offset)));
            }
            if let [(inner, _), (outer, _), ..] = functions.as_slice()
                && let Some(number) = inner.name.strip_prefix('f')
                && number.parse::<u32>().is_ok()
            {
                assert_eq!(outer.name, format!("g{number}"), "{}", python.label);
            }
        }
        let counters = target.counters();
        println!("{}: {seen} of {newest}: {counters:?}", python.label);
        assert!(seen > 100, "{}: saw {seen} only", python.label);
        assert!(
            counters.code_evictions >= 2 * MOST as u64,
            "{}",
            python.label
        );
    }
}

const CONTEND: &str = "
import threading
def spin():
    while True:
        pass
for number in range(2):
    threading.Thread(target=spin, daemon=True).start()
print('ready', flush=True)
spin()
";

/// The address a thread waits for in a futex call, if it does.
fn futex(pid: Pid, tid: Tid) -> Option<RemoteAddr> {
    let path = format!("/proc/{}/task/{}/syscall", pid.0, tid.0);
    let text = std::fs::read_to_string(path).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let number: i64 = fields.next()?.parse().ok()?;
    let address = fields.next()?.strip_prefix("0x")?;
    (number == libc::SYS_futex)
        .then(|| u64::from_str_radix(address, 16).ok().map(RemoteAddr))
        .flatten()
}

#[test]
fn who_holds_and_who_waits_for_the_gil() {
    for python in each_minor() {
        let program = python.run("contend.py", CONTEND, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        assert_eq!(threads.len(), 3);
        let gil = target.gils().expect("GILs")[0];
        let mut cursors: Vec<_> = threads.iter().map(ThreadCursor::new).collect();
        let mut out = StackSnapshot::default();
        let end = Instant::now() + Duration::from_secs(20);
        let (mut waits, mut holds, mut several) = (0, 0, 0);
        let mut turns = 0;
        while (waits < 20 || holds < 20) && Instant::now() < end {
            let mut holders = 0;
            for cursor in &mut cursors {
                waits += u32::from(
                    futex(program.pid(), cursor.tid()).is_some_and(|at| gil.contains(at)),
                );
                if target.sample(cursor, &mut out).is_ok() && out.holds_gil {
                    holders += 1;
                }
            }
            turns += 1;
            holds += u32::from(holders == 1);
            several += u32::from(holders > 1);
        }
        assert!(waits >= 20, "{}: {waits} waits seen", python.label);
        assert!(holds >= 20, "{}: {holds} holders seen", python.label);
        assert!(
            several * 5 <= turns,
            "{}: two holders at once in {several} of {turns} looks",
            python.label
        );
        let holder = target.gils().expect("GILs")[0].last_holder;
        assert!(threads.iter().any(|thread| thread.state == holder));
    }
}

const INTERRUPTIBLE: &str = "
import select, sys
def spin():
    for _ in range(10_000_000):
        pass
print('ready', flush=True)
for _ in range(1000):
    spin()
";

#[test]
fn a_stopped_thread_gives_its_stack_and_runs_on() {
    for python in each_minor() {
        let mut program = python.run("spin.py", INTERRUPTIBLE, &[]).ready();
        let mut target = program.open();
        let threads = target.threads().expect("threads");
        let mut cursor = ThreadCursor::new(&threads[0]);
        let mut out = StackSnapshot::default();
        for _ in 0..50 {
            target
                .stop_and_sample(&mut cursor, &mut out)
                .expect("a stack");
            let lines = words(&target, &out);
            let root = lines.last().map_or("", String::as_str);
            assert!(
                ["<module>:6", "<module>:7", "<module>:8"].contains(&root),
                "{root}"
            );
        }
        assert!(target.counters().stops > 25, "{}", python.label);
        assert!(program.child.try_wait().expect("a state").is_none());
        assert!(process::is_alive(program.pid()));
        // It still gets on.
        let cpu = || {
            let path = format!("/proc/{}/schedstat", program.pid().0);
            let text = std::fs::read_to_string(path).expect("schedstat");
            let first = text.split(' ').next().expect("a field").to_owned();
            first.parse::<u64>().expect("a number")
        };
        let before = cpu();
        let end = Instant::now() + Duration::from_secs(20);
        while cpu() < before + 10_000_000 {
            assert!(Instant::now() < end, "{}: stands still", python.label);
        }
    }
}

const NEW_CODE: &str = "
import itertools
def made(number):
    text = '\\n' * (number % 1000)
    text += f'def f{number}():\\n    for _ in range(400):\\n        pass\\n'
    text += f'def g{number}():\\n    f{number}()\\n'
    space = {}
    exec(compile(text, f'<{number}>', 'exec'), space)
    return space[f'g{number}']
print('ready', flush=True)
keep = []
for number in itertools.count():
    function = made(number)
    function()
    # So that not every one takes the place of the one before.
    keep.append(function)
    if len(keep) > 50 + number % 50:
        keep.clear()
";
