//! Writes a recording of a made-up program that says what it does, for the page's journeys and for
//! benchmarks: `talk FILE [zones=20000] [rows=40]`.
//!
//! A web service: threads serve requests (a request has a query, which may wait for the lock of a
//! cache, and renders `rows` rows), the main thread draws frames and runs asyncio tasks whose
//! spans overlap, and a second process does a job for some requests. Samples at 1 kHz say the same
//! as the zones.
#![allow(clippy::print_stdout, reason = "a program, not a library")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;

use sondage_model::*;
use sondage_recording::Writer;

const US: u64 = 1000;
const MS: u64 = 1_000_000;
/// Spans of tasks that overlap, each in a lane of its own.
const TASKS: u64 = 3;

type Failure = Box<dyn Error>;

/// A generator of numbers that look random (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// Around `usual`, now and then ten times as much.
    fn about(&mut self, usual: u64) -> u64 {
        let part = usual / 2 + self.below(usual);
        match self.below(40) {
            0 => part * 6,
            1 => part * 3,
            _ => part,
        }
    }
}

fn main() -> Result<(), Failure> {
    let (mut file, mut zones, mut rows) = (None, 20_000, 40);
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            None => file = Some(argument),
            Some(("zones", value)) => zones = value.parse()?,
            Some(("rows", value)) => rows = value.parse()?,
            Some((name, _)) => return Err(format!("no option is called {name}").into()),
        }
    }
    let file = file.ok_or("usage: talk FILE [zones=N] [rows=N]")?;
    let mut service = Service::new(&file, rows)?;
    while service.count < zones {
        service.step()?;
    }
    let (bytes, end) = (service.writer.bytes_written(), service.end());
    service.writer.finish(end)?;
    println!(
        "{} zones, {bytes} bytes, {:.1} s of a program",
        service.count,
        end.0 as f64 / 1e9
    );
    Ok(())
}

/// A place of zones with the stack that samples inside it have.
#[derive(Clone, Copy)]
struct Place {
    site: SiteId,
    stack: StackId,
}

struct Service {
    writer: Writer<BufWriter<File>>,
    numbers: Numbers,
    /// What each thread's clock says: main, three workers, the other process's main.
    clocks: [u64; 5],
    sampled: [u64; 5],
    /// When the lock is free again, and who had it last.
    free: (u64, ThreadId),
    count: u64,
    spans: u64,
    frames: u64,
    /// When the last span of each task ended.
    last: [u64; TASKS as usize],
    rows: u64,
    places: [Place; 8],
    /// What each thread's stack is while it has nothing to do.
    idle: [StackId; 5],
    lock: LockId,
    queue: CounterId,
    probes: [CounterId; 2],
}

const REQUEST: usize = 0;
const PARSE: usize = 1;
const QUERY: usize = 2;
const RENDER: usize = 3;
const ROW: usize = 4;
const TASK: usize = 5;
const DRAW: usize = 6;
const JOB: usize = 7;

impl Service {
    fn new(path: &str, rows: u64) -> Result<Service, Failure> {
        let info = RecordingInfo {
            command: vec!["shop.py".into(), "--port".into(), "8000".into()],
            engine: "outside".into(),
            writer: env!("CARGO_PKG_VERSION").into(),
            unix_start_nanos: 1_790_000_000_000_000_000,
            interval: Nanos(MS),
            host: "box".into(),
            system: "Linux 6.18 x86_64".into(),
            cpus: 4,
            ..RecordingInfo::default()
        };
        let mut writer = Writer::create(BufWriter::new(File::create(path)?), &info)?;
        let dict = writer.dictionary_mut();
        for (pid, name) in [(100, "shop.py"), (101, "jobs.py")] {
            let row = ProcessRow {
                pid: Pid(pid),
                parent: (pid == 101).then_some(ProcessId(0)),
                name: dict.string(name),
                command: dict.string(&format!("python {name}")),
                runtime: dict.string("CPython 3.14.2"),
                end: Time::MAX,
                ..ProcessRow::default()
            };
            dict.add_process(row);
        }
        for (at, (process, name)) in [
            (0, "MainThread"),
            (0, "worker-0"),
            (0, "worker-1"),
            (0, "worker-2"),
            (1, "MainThread"),
        ]
        .into_iter()
        .enumerate()
        {
            let row = ThreadRow {
                process: ProcessId(process),
                tid: Tid(100 + at as i32),
                name: dict.string(name),
                is_main: name == "MainThread",
                end: Time::MAX,
                ..ThreadRow::default()
            };
            dict.add_thread(row);
        }
        let (places, idle) = (places(dict), idle(dict));
        let (name, place) = (dict.string("cache"), dict.string("cache.py:12"));
        let lock = dict.add_lock(LockRow {
            process: ProcessId(0),
            name,
            place,
        });
        let mut counter = |name, unit, kind| {
            let (name, unit) = (dict.string(name), dict.string(unit));
            dict.add_counter(CounterSeriesRow {
                process: ProcessId(0),
                name,
                unit,
                kind,
            })
        };
        let queue = counter("queue", "", CounterKind::Gauge);
        let probes = [
            counter("sondage.probes", "", CounterKind::Total),
            counter("sondage.probe_cost", "ns", CounterKind::Total),
        ];
        Ok(Service {
            writer,
            numbers: Numbers(7),
            clocks: [0, MS, 2 * MS, 3 * MS, 5 * MS],
            sampled: [0; 5],
            free: (0, ThreadId(0)),
            count: 0,
            spans: 0,
            frames: 0,
            last: [0; TASKS as usize],
            rows,
            places,
            idle,
            lock,
            queue,
            probes,
        })
    }

    fn end(&self) -> Time {
        Time(self.clocks.into_iter().max().unwrap_or(0))
    }

    /// Lets the thread that is furthest behind do one thing.
    fn step(&mut self) -> Result<(), Failure> {
        let thread = (0..4)
            .min_by_key(|&thread| self.clocks[thread])
            .unwrap_or(0);
        if thread == 0 {
            self.frame()?;
        } else {
            self.request(thread)?;
        }
        Ok(())
    }

    fn zone(&mut self, thread: usize, place: usize, depth: u16, start: u64, end: u64) -> ZoneRow {
        self.count += 1;
        ZoneRow {
            start: Time(start),
            duration: Nanos(end - start),
            busy: Nanos(end - start),
            thread: ThreadId(thread as u32),
            site: self.places[place].site,
            depth,
            ..ZoneRow::default()
        }
    }

    /// Samples of a thread up to here, all in this place.
    fn sample(&mut self, thread: usize, place: Option<usize>, until: u64) -> Result<(), Failure> {
        while self.sampled[thread] + MS <= until {
            self.sampled[thread] += MS;
            let state = match place {
                Some(QUERY) | None => State::new(StateKind::Blocked, false),
                _ => State::new(StateKind::OnCpu, true),
            };
            self.writer.push_sample(SampleRow {
                time: Time(self.sampled[thread]),
                weight: Nanos(MS),
                count: 1,
                thread: ThreadId(thread as u32),
                stack: place.map_or(self.idle[thread], |place| self.places[place].stack),
                task: TaskId::NONE,
                state,
            })?;
        }
        Ok(())
    }

    fn request(&mut self, thread: usize) -> Result<(), Failure> {
        let begin = self.clocks[thread];
        self.sample(thread, None, begin)?;
        self.spans += 1;
        let span = SpanId(0x5011_0000 + self.spans);
        let parsed = begin + self.numbers.about(300 * US);
        let row = self.zone(thread, PARSE, 1, begin + 20 * US, parsed);
        self.writer.push_zone(row, None)?;
        self.sample(thread, Some(PARSE), parsed)?;
        let asked = parsed + 10 * US;
        let wait = self.free.0.saturating_sub(asked);
        let hold = self.numbers.about(400 * US);
        if wait < 20 * MS {
            self.writer.push_wait(WaitRow {
                start: Time(asked),
                wait: Nanos(wait),
                hold: Nanos(hold),
                thread: ThreadId(thread as u32),
                lock: self.lock,
                holder: (wait > 0).then_some(self.free.1),
                kind: WaitKind::Exclusive,
            });
            self.free = (asked + wait + hold, ThreadId(thread as u32));
        }
        let queried = asked + wait.min(20 * MS) + hold + self.numbers.about(2 * MS);
        let row = self.zone(thread, QUERY, 1, parsed + 5 * US, queried);
        let arguments = format!(
            r#"{{"sql":"SELECT * FROM cart WHERE user = ?","user":{}}}"#,
            self.spans % 97
        );
        let detail = ZoneDetail {
            arguments,
            ..ZoneDetail::default()
        };
        self.writer
            .push_zone(row, self.spans.is_multiple_of(4).then_some(detail))?;
        self.sample(thread, Some(QUERY), queried)?;
        let mut at = queried + 10 * US;
        let render = at;
        for _ in 0..self.rows {
            let end = at + self.numbers.about(40 * US);
            let row = self.zone(thread, ROW, 2, at, end);
            self.writer.push_zone(row, None)?;
            at = end + 2 * US;
        }
        let row = self.zone(thread, RENDER, 1, render, at);
        self.writer.push_zone(row, None)?;
        self.sample(thread, Some(RENDER), at)?;
        let end = at + 30 * US;
        let failed = self.spans.is_multiple_of(50);
        let flags = if failed {
            ZoneFlags::FAILED
        } else {
            ZoneFlags::NONE
        };
        let row = ZoneRow {
            flags: flags.with(ZoneFlags::SPAN),
            span,
            ..self.zone(thread, REQUEST, 0, begin, end)
        };
        let detail = ZoneDetail {
            arguments: format!(r#"{{"method":"GET","path":"/cart/{}"}}"#, self.spans % 97),
            trace: u128::from(self.spans) << 64 | 0xfeed,
            ..ZoneDetail::default()
        };
        self.writer
            .push_zone(row, self.spans.is_multiple_of(4).then_some(detail))?;
        if failed {
            self.writer.push_log(LogRow {
                time: Time(end - US),
                thread: ThreadId(thread as u32),
                level: 4,
                text: format!(
                    "cart {} could not be rendered: KeyError('price')",
                    self.spans % 97
                ),
                ..LogRow::default()
            });
        }
        if self.spans.is_multiple_of(6) {
            self.job(span, end)?;
        }
        self.clocks[thread] = end + self.numbers.about(3 * MS);
        Ok(())
    }

    /// A job that the other process does for a request.
    fn job(&mut self, parent: SpanId, asked: u64) -> Result<(), Failure> {
        let begin = self.clocks[4].max(asked + 50 * US);
        let end = begin + self.numbers.about(4 * MS);
        self.sample(4, None, begin)?;
        self.spans += 1;
        let row = ZoneRow {
            flags: ZoneFlags::SPAN.with(ZoneFlags::REMOTE),
            span: SpanId(0x5011_0000 + self.spans),
            parent,
            ..self.zone(4, JOB, 0, begin, end)
        };
        self.writer.push_zone(row, None)?;
        self.sample(4, Some(JOB), end)?;
        self.clocks[4] = end;
        Ok(())
    }

    /// A frame of the main thread: it draws, and runs each task a little.
    fn frame(&mut self) -> Result<(), Failure> {
        let begin = self.clocks[0];
        self.frames += 1;
        self.writer.push_frame_mark(FrameMarkRow {
            time: Time(begin),
            ..FrameMarkRow::default()
        });
        let drawn = begin + self.numbers.about(5 * MS);
        let row = self.zone(0, DRAW, 0, begin + 10 * US, drawn);
        self.writer.push_zone(row, None)?;
        self.sample(0, Some(DRAW), drawn)?;
        let mut at = drawn + 50 * US;
        // Each task's span is four frames long and begins one frame after the other's.
        for task in 0..TASKS {
            let phase = (self.frames + task) % 4;
            let span = SpanId(0x7a5c_0000 + (self.frames + task) / 4 * TASKS + task);
            let end = at + self.numbers.about(600 * US);
            let row = ZoneRow {
                flags: ZoneFlags::POLL,
                span,
                ..self.zone(0, TASK, 0, at, end)
            };
            self.writer.push_zone(row, None)?;
            self.sample(0, Some(TASK), end)?;
            if phase == 3 {
                let start = at.saturating_sub(3 * 16 * MS);
                let row = ZoneRow {
                    flags: ZoneFlags::SPAN.with(ZoneFlags::SUSPENDED),
                    span,
                    lane: task as u16 + 1,
                    busy: Nanos(4 * 600 * US),
                    ..self.zone(0, TASK, 0, start.max(self.last[task as usize]), end)
                };
                self.last[task as usize] = end;
                let detail = ZoneDetail {
                    arguments: format!(r#"{{"feed":"prices-{task}"}}"#),
                    ..ZoneDetail::default()
                };
                self.writer.push_zone(row, Some(detail))?;
            }
            at = end + 20 * US;
        }
        for (counter, value) in [
            (self.queue, self.numbers.below(12)),
            (self.probes[0], self.count),
            (self.probes[1], self.count * 45),
        ] {
            self.writer.push_counter(CounterRow {
                counter,
                time: Time(begin),
                value: value as f64,
            });
        }
        if self.frames.is_multiple_of(30) {
            self.writer.push_log(LogRow {
                time: Time(at),
                level: if self.frames.is_multiple_of(90) { 3 } else { 2 },
                text: format!("{} requests served", self.spans),
                ..LogRow::default()
            });
        }
        self.clocks[0] = at.max(begin + 16 * MS);
        self.sample(0, None, self.clocks[0])?;
        Ok(())
    }
}

/// Function, file and line, from the outermost on.
type Path = Vec<(&'static str, &'static str, u32)>;

/// Stacks of threads that wait for work: main, three workers, the other process's main.
fn idle(dict: &mut Dictionary) -> [StackId; 5] {
    const SELECTORS: &str = "/usr/lib/python3.14/selectors.py";
    const QUEUE: &str = "/usr/lib/python3.14/queue.py";
    let mut stack = |path: &[(&str, &str, u32)]| {
        path.iter()
            .fold(StackId::EMPTY, |parent, (name, file, line)| {
                let function = dict.function(name, name, file, *line, FunctionKind::Python);
                let frame = dict.frame(function, *line);
                dict.stack(parent, frame)
            })
    };
    let main = stack(&[
        ("main", "/home/me/shop/shop.py", 87),
        ("select", SELECTORS, 452),
    ]);
    let worker = stack(&[
        ("serve", "/home/me/shop/shop.py", 17),
        ("Queue.get", QUEUE, 199),
    ]);
    let jobs = stack(&[
        ("work", "/home/me/shop/jobs.py", 3),
        ("Queue.get", QUEUE, 199),
    ]);
    [main, worker, worker, worker, jobs]
}

/// The places of zones, with the stacks of samples inside them.
fn places(dict: &mut Dictionary) -> [Place; 8] {
    let site =
        |dict: &mut Dictionary, name: &str, function: &str, file: &str, line: u32, colour| {
            let row = SiteRow {
                name: dict.string(name),
                function: dict.string(function),
                file: dict.file(file),
                line,
                colour,
            };
            dict.site(row)
        };
    let stack = |dict: &mut Dictionary, path: &[(&str, &str, u32)]| {
        path.iter()
            .fold(StackId::EMPTY, |parent, (name, file, line)| {
                let first = line.saturating_sub(3).max(1);
                let function = dict.function(name, name, file, first, FunctionKind::Python);
                let frame = dict.frame(function, *line);
                dict.stack(parent, frame)
            })
    };
    const SHOP: &str = "/home/me/shop/shop.py";
    const DB: &str = "/home/me/shop/db.py";
    const PAGE: &str = "/home/me/shop/page.py";
    const JOBS: &str = "/home/me/shop/jobs.py";
    const THREADING: &str = "/usr/lib/python3.14/threading.py";
    let worker = [("Thread.run", THREADING, 1010), ("serve", SHOP, 20)];
    let with = |more: &[(&'static str, &'static str, u32)]| [&worker[..], more].concat();
    let main = ("main", SHOP, 90);
    let paths: [(&str, &str, &str, u32, u32, Path); 8] = [
        (
            "request",
            "serve",
            SHOP,
            21,
            0,
            with(&[("handle", SHOP, 30)]),
        ),
        (
            "parse",
            "handle",
            SHOP,
            31,
            0,
            with(&[("handle", SHOP, 31), ("parse", SHOP, 44)]),
        ),
        (
            "query",
            "fetch",
            DB,
            12,
            0x00c8_5a1e,
            with(&[("handle", SHOP, 33), ("fetch", DB, 14)]),
        ),
        (
            "render",
            "handle",
            SHOP,
            35,
            0,
            with(&[
                ("handle", SHOP, 35),
                ("render", PAGE, 8),
                ("cell", PAGE, 21),
            ]),
        ),
        (
            "row",
            "render",
            PAGE,
            10,
            0,
            with(&[("handle", SHOP, 35), ("render", PAGE, 10)]),
        ),
        (
            "refresh prices",
            "refresh",
            SHOP,
            70,
            0,
            vec![main, ("refresh", SHOP, 72)],
        ),
        ("draw", "draw", SHOP, 60, 0, vec![main, ("draw", SHOP, 62)]),
        (
            "job",
            "work",
            JOBS,
            5,
            0,
            vec![("work", JOBS, 6), ("compress", JOBS, 15)],
        ),
    ];
    paths.map(|(name, function, file, line, colour, path)| Place {
        site: site(dict, name, function, file, line, colour),
        stack: stack(dict, &path),
    })
}
