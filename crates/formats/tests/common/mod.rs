//! The recordings that tests and the `convert` example export, and their true figures.
#![allow(dead_code, missing_docs, reason = "each test uses a part")]

mod says;

use std::collections::{BTreeMap, BTreeSet};

use sondage_model::{
    CounterKind, CounterRow, CounterSeriesRow, Dictionary, FrameId, FunctionKind, Label,
    MemoryRecording, MessageLevel, MessageRow, MonoTime, Nanos, Pid, ProcessId, ProcessRow,
    RecordingInfo, SampleRow, Source, StackId, State, StateKind, TaskId, ThreadId, ThreadRow, Tid,
    Time,
};

pub use says::says;

pub const MS: u64 = 1_000_000;

/// Names of the recordings that [`recording`] makes.
pub const RECORDINGS: &[&str] = &[
    "small", "busy", "nasty", "deep", "empty", "asleep", "bare", "says",
];

/// The recording of this name.
pub fn recording(name: &str) -> Option<MemoryRecording> {
    Some(match name {
        "small" => small(),
        "busy" => busy(),
        "nasty" => nasty(),
        "deep" => deep(10_000),
        "empty" => MemoryRecording::new(info("empty.py")),
        "asleep" => asleep(),
        "bare" => bare(),
        "says" => says(),
        _ => return None,
    })
}

fn info(command: &str) -> RecordingInfo {
    RecordingInfo {
        command: vec![command.into(), "--fast".into()],
        engine: "outside".into(),
        writer: "0.1.0".into(),
        unix_start_nanos: 1_790_000_000_000_000_000,
        mono_start: MonoTime(77),
        interval: Nanos(MS),
        host: "box".into(),
        system: "Linux 6.18 x86_64".into(),
        cpus: 2,
        boot_id: "b".into(),
        labels: vec![Label {
            key: "k".into(),
            value: "v".into(),
        }],
    }
}

pub fn process(d: &mut Dictionary, pid: i32, parent: Option<ProcessId>, name: &str) -> ProcessId {
    let (name, command) = (d.string(name), d.string(&format!("python {name}")));
    let runtime = d.string("CPython 3.12.1");
    d.add_process(ProcessRow {
        pid: Pid(pid),
        parent,
        name,
        command,
        runtime,
        start: Time::ZERO,
        end: Time::MAX,
    })
}

pub fn thread(d: &mut Dictionary, process: ProcessId, tid: i32, name: &str) -> ThreadId {
    let pid = d.processes()[process.index()].pid.0;
    let name = d.string(name);
    d.add_thread(ThreadRow {
        process,
        tid: Tid(tid),
        name,
        is_main: pid == tid,
        start: Time::ZERO,
        end: Time::MAX,
    })
}

fn python(d: &mut Dictionary, name: &str, file: &str, first_line: u32, line: u32) -> FrameId {
    let short = name.rsplit('.').next().unwrap_or(name);
    let function = d.function(short, name, file, first_line, FunctionKind::Python);
    d.frame(function, line)
}

fn sample(thread: ThreadId, end_us: u64, us: u64, stack: StackId, state: State) -> SampleRow {
    SampleRow {
        time: Time(end_us * 1000),
        weight: Nanos(us * 1000),
        count: 1,
        thread,
        stack,
        task: TaskId::NONE,
        state,
    }
}

/// Two processes, three threads, recursion, every state, gaps, counters and a message.
pub fn small() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("app.py"));
    let d = &mut r.dictionary;
    let app = process(d, 42, None, "app.py");
    let worker = process(d, 43, Some(app), "worker.py");
    let main = thread(d, app, 42, "MainThread");
    let pool = thread(d, app, 44, "pool-1");
    let child = thread(d, worker, 43, "MainThread");
    let module = python(d, "<module>", "/home/me/app.py", 1, 20);
    let run3 = python(d, "App.run", "/home/me/app.py", 3, 4);
    let run5 = python(d, "App.run", "/home/me/app.py", 3, 5);
    let fib = python(d, "fib", "/home/me/app.py", 9, 10);
    let dumps = python(d, "dumps", "/usr/lib/python3.12/json/__init__.py", 183, 231);
    let c = d.function(
        "libc_memcpy",
        "memcpy",
        "/lib/libc.so.6",
        0,
        FunctionKind::Native,
    );
    let memcpy = d.frame(c, 0);
    let s = |d: &mut Dictionary, path: &[FrameId]| {
        path.iter()
            .fold(StackId::EMPTY, |at, frame| d.stack(at, *frame))
    };
    let run = s(d, &[module, run3]);
    let fib1 = s(d, &[module, run3, fib]);
    let fib3 = s(d, &[module, run3, fib, fib, fib]);
    let json = s(d, &[module, run5, dumps]);
    let copy = s(d, &[module, run5, dumps, memcpy]);
    let top = s(d, &[module]);
    let cpu = State::new(StateKind::OnCpu, true);
    let bare_cpu = State::new(StateKind::OnCpu, false);
    let wait = State::new(StateKind::GilWait, false);
    let asleep = State::new(StateKind::Blocked, false);
    let ready = State::new(StateKind::Runnable, true);
    let disk = State::new(StateKind::Disk, false);
    for row in [
        sample(main, 1000, 1000, top, cpu),
        sample(main, 2000, 1000, run, cpu),
        sample(pool, 2100, 1000, json, wait),
        sample(main, 3001, 1001, fib1, cpu),
        sample(child, 3500, 999, json, disk),
        sample(main, 4001, 1000, fib3, cpu),
        sample(pool, 3100, 1000, json, cpu),
        sample(main, 5001, 1000, fib3, ready),
        sample(pool, 4100, 1000, copy, bare_cpu),
        // Asleep for 20 ms, looked at 20 times.
        SampleRow {
            count: 20,
            ..sample(main, 25_001, 20_000, run, asleep)
        },
        sample(main, 26_001, 1000, json, cpu),
        // 4 ms of which nothing is known.
        sample(main, 31_001, 1000, copy, bare_cpu),
        sample(child, 31_500, 1500, fib3, cpu),
    ] {
        r.samples.push(row);
    }
    let (rss, bytes) = (d.string("rss"), d.string("bytes"));
    let counter = d.add_counter(CounterSeriesRow {
        process: app,
        name: rss,
        unit: bytes,
        kind: CounterKind::Gauge,
    });
    for (ms, value) in [(0, 1_048_576.0), (10, 2_097_152.0), (20, 1_500_000.0)] {
        r.counters.push(CounterRow {
            counter,
            time: Time(ms * MS),
            value,
        });
    }
    r.messages.push(MessageRow {
        time: Time(5 * MS),
        level: MessageLevel::Warning,
        process: Some(app),
        text: "something \"odd\"".into(),
    });
    r
}

/// 20,000 samples of 7 threads in 3 processes: 40 functions, stacks up to 25 deep, recursion,
/// uneven weights, gaps, all states. The same on every run.
pub fn busy() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("busy.py"));
    let d = &mut r.dictionary;
    let mut threads = Vec::new();
    for p in 0..3 {
        let id = process(d, 100 + p, None, &format!("busy-{p}.py"));
        for t in 0..=(p + 1) {
            let name = if t == 0 {
                "MainThread".into()
            } else {
                format!("worker-{t}")
            };
            threads.push(thread(d, id, 100 + p + 10 * t, &name));
        }
    }
    let mut random = Random(12345);
    let mut clocks = vec![0u64; threads.len()];
    let mut depths: Vec<Vec<u32>> = vec![vec![0]; threads.len()];
    for _ in 0..20_000 {
        let t = random.below(threads.len() as u32) as usize;
        let path = &mut depths[t];
        path.truncate(1 + random.below(path.len() as u32) as usize);
        while path.len() < 25 && random.below(4) > 0 {
            path.push(random.below(40));
        }
        let mut stack = StackId::EMPTY;
        for (depth, &f) in path.iter().enumerate() {
            let file = format!("/srv/busy/mod{}.py", f % 5);
            let line = f * 10 + 1 + (f + depth as u32) % 7;
            let frame = python(d, &format!("work{f}"), &file, f * 10 + 1, line);
            stack = d.stack(stack, frame);
        }
        let weight = 900_000 + u64::from(random.below(200_001));
        let gap = if random.below(10) == 0 {
            u64::from(random.below(3_000_000))
        } else {
            0
        };
        clocks[t] += gap + weight;
        let kind = StateKind::ALL[[0, 0, 0, 0, 0, 1, 2, 2, 3, 4][random.below(10) as usize]];
        r.samples.push(SampleRow {
            time: Time(clocks[t]),
            weight: Nanos(weight),
            count: 1,
            thread: threads[t],
            stack,
            task: TaskId::NONE,
            state: State::new(kind, kind == StateKind::OnCpu),
        });
    }
    r
}

/// Names that break careless writers. Every function has a self time of its own.
pub fn nasty() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("na\"sty\\.py"));
    let d = &mut r.dictionary;
    let process = process(d, 7, None, "sp ace;semi\"quote\"<&>\n.py");
    let main = thread(d, process, 7, "T\t;\u{1}\"");
    let names = [
        "plain",
        "a;b",
        "two words",
        "trailing 12",
        "line\nbreak",
        "tab\there",
        "\"quoted\" \\back\\slash",
        "<lambda>&amp;",
        "nul\u{0}and\u{7f}",
        "日本語.関数",
        "emoji 🦀 ; 3",
        "# comment 5",
        "(paren) (x.py:3)",
        "kernel_[k]",
        "{\"json\": [1]}",
        "cfn=(3) x",
        "\u{2028}separator",
        "fn=evil",
        " leading and trailing ",
        "replaced \u{fffd} bytes",
        "",
    ];
    for (index, name) in names.iter().enumerate() {
        let file = format!("/tmp/dir with space;{index}/\"f\".py");
        let name = if name.is_empty() { " " } else { name };
        let root = python(d, "<module>", "/tmp/root.py", 1, 1);
        let frame = python(d, name, &file, 3, 4 + index as u32);
        let root = d.stack(StackId::EMPTY, root);
        let stack = d.stack(root, frame);
        let time = (index as u64 + 1) * MS;
        r.samples.push(SampleRow {
            time: Time(time),
            weight: Nanos(MS),
            count: 1,
            thread: main,
            stack,
            task: TaskId::NONE,
            state: State::new(StateKind::OnCpu, true),
        });
    }
    r
}

/// One stack this deep, of 100 different functions.
pub fn deep(depth: u32) -> MemoryRecording {
    let mut r = MemoryRecording::new(info("deep.py"));
    let d = &mut r.dictionary;
    let process = process(d, 9, None, "deep.py");
    let main = thread(d, process, 9, "MainThread");
    let mut at = StackId::EMPTY;
    for level in 0..depth {
        let f = level % 100;
        let frame = python(d, &format!("down{f}"), "/srv/deep.py", f * 3 + 1, f * 3 + 2);
        at = d.stack(at, frame);
    }
    for n in 1..=3 {
        r.samples.push(sample(
            main,
            n * 1000,
            1000,
            at,
            State::new(StateKind::OnCpu, true),
        ));
    }
    r
}

/// One thread that only sleeps.
fn asleep() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("asleep.py"));
    let d = &mut r.dictionary;
    let process = process(d, 5, None, "asleep.py");
    let main = thread(d, process, 5, "MainThread");
    let frame = python(d, "<module>", "asleep.py", 1, 2);
    let stack = d.stack(StackId::EMPTY, frame);
    r.samples.push(sample(
        main,
        9000,
        9000,
        stack,
        State::new(StateKind::Blocked, false),
    ));
    r
}

/// Samples without a Python frame beside some with one, and a file that is not known.
fn bare() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("bare.py"));
    let d = &mut r.dictionary;
    let process = process(d, 6, None, "bare.py");
    let main = thread(d, process, 6, "MainThread");
    let frame = python(d, "known", "", 0, 0);
    let stack = d.stack(StackId::EMPTY, frame);
    let cpu = State::new(StateKind::OnCpu, false);
    r.samples
        .push(sample(main, 1000, 1000, StackId::EMPTY, cpu));
    r.samples.push(sample(main, 2500, 1500, stack, cpu));
    r
}

/// A small generator of numbers, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) as u32) % limit
    }
}

/// What a function's samples add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    pub self_nanos: u64,
    pub total_nanos: u64,
    pub self_count: u64,
    pub total_count: u64,
}

/// The true figures of the samples that were not asleep, added up here sample by sample, without
/// any of the code under test. Functions are named `name`, file, first line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Truth {
    pub nanos: u64,
    pub count: u64,
    pub by_function: BTreeMap<(String, String, u32), Figures>,
    /// By process and thread number: weight, and the part of it on a CPU.
    pub by_thread: BTreeMap<(i32, i32), (u64, u64)>,
    /// Of samples without frames.
    pub bare_nanos: u64,
}

pub fn truth(source: &dyn Source) -> Truth {
    let mut truth = Truth::default();
    let d = source.dictionary();
    for block in 0..source.blocks().len() {
        for row in source.samples(block).expect("memory").rows() {
            if row.state.kind() == StateKind::Blocked {
                continue;
            }
            truth.nanos += row.weight.0;
            truth.count += u64::from(row.count);
            let thread = &d.threads()[row.thread.index()];
            let pid = d.processes()[thread.process.index()].pid.0;
            let sums = truth.by_thread.entry((pid, thread.tid.0)).or_default();
            sums.0 += row.weight.0;
            if row.state.kind() == StateKind::OnCpu {
                sums.1 += row.weight.0;
            }
            if row.stack == StackId::EMPTY {
                truth.bare_nanos += row.weight.0;
            }
            let key = |frame: FrameId| {
                let f = &d.functions()[d.function_of(frame).index()];
                let name = d.text(f.qualified_name).to_owned();
                (name, d.file_path(f.file).to_owned(), f.first_line)
            };
            let path: Vec<_> = d.path(row.stack).into_iter().map(key).collect();
            if let Some(leaf) = path.last() {
                let figures = truth.by_function.entry(leaf.clone()).or_default();
                figures.self_nanos += row.weight.0;
                figures.self_count += u64::from(row.count);
            }
            for function in path.into_iter().collect::<BTreeSet<_>>() {
                let figures = truth.by_function.entry(function).or_default();
                figures.total_nanos += row.weight.0;
                figures.total_count += u64::from(row.count);
            }
        }
    }
    truth
}

/// An SVG without what inferno brings along: style and script.
pub fn without_script(text: &str) -> String {
    match (text.find("<style"), text.rfind("</script>")) {
        (Some(from), Some(to)) => format!("{}…{}", &text[..from], &text[to..]),
        _ => text.to_owned(),
    }
}
