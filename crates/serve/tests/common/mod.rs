//! A server on a small recording, and a client that sends exactly the bytes it is given.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sondage_model::*;
use sondage_serve::{Options, Recording, Server};

/// A running server; it stops when this is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub token: String,
    /// The path that leads to the page once.
    pub launch_path: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn new(recordings: Vec<Recording>) -> Running {
        let server = Server::bind(recordings, Options::default()).expect("a free port");
        let url = server.url();
        let launch = server.launch_url().expect("randomness");
        let rest = url.strip_prefix("http://").expect("an http address");
        let (address, path) = rest.split_once('/').expect("a path");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let stop = async {
                let _ = stopped.await;
            };
            server.run(stop).expect("the server runs");
        });
        Running {
            address: address.parse().expect("an address"),
            token: path.trim_end_matches('/').to_owned(),
            launch_path: launch[launch.find("/open").expect("the path")..].to_owned(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Sends these bytes and reads one answer, until the other side closes.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        stream.write_all(request).expect("the server reads");
        let mut bytes = Vec::new();
        // A server that refuses may close before it read all, which the client sees as a reset.
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    /// `METHOD target` as a browser on this page would send it.
    pub fn send(&self, method: &str, target: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        self.raw(head.as_bytes())
    }

    /// GETs a path below the token, as `api/meta`.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/{}/{path}", self.token))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no HTTP answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        Answer {
            status: status.and_then(|code| code.parse().ok()).expect("a status"),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

const MS: u64 = 1_000_000;

/// Two processes, three threads, 40 ms: `main` calls `work`, which recurses into `step`; a worker
/// waits for the GIL; a child process sleeps. Every number in the snapshots can be counted here.
pub fn small() -> MemoryRecording {
    let mut recording = MemoryRecording::new(RecordingInfo {
        command: vec!["app.py".into(), "--fast".into()],
        engine: "outside".into(),
        writer: "0.1.0".into(),
        unix_start_nanos: 1_790_000_000_000_000_000,
        mono_start: MonoTime(5),
        interval: Nanos(MS),
        host: "box".into(),
        system: "Linux 6.18 x86_64".into(),
        cpus: 2,
        boot_id: "boot".into(),
        labels: vec![Label {
            key: "k".into(),
            value: "v".into(),
        }],
    });
    let dict = &mut recording.dictionary;
    let process_names = [
        ("app.py", "python app.py --fast", 42),
        ("child", "python -c pass", 43),
    ];
    for (name, command, pid) in process_names {
        let row = ProcessRow {
            pid: Pid(pid),
            parent: (pid == 43).then_some(ProcessId(0)),
            name: dict.string(name),
            command: dict.string(command),
            runtime: dict.string("CPython 3.12.1"),
            start: Time(if pid == 43 { 10 * MS } else { 0 }),
            end: if pid == 43 { Time(40 * MS) } else { Time::MAX },
        };
        dict.add_process(row);
    }
    for (process, name, is_main) in [
        (0, "MainThread", true),
        (0, "worker \"1\" <b>", false),
        (1, "MainThread", true),
    ] {
        let tid = 42 + dict.threads().len() as i32;
        let row = ThreadRow {
            process: ProcessId(process),
            tid: Tid(tid),
            name: dict.string(name),
            is_main,
            start: Time::ZERO,
            end: Time::MAX,
        };
        dict.add_thread(row);
    }
    let python = FunctionKind::Python;
    let app = "/home/me/proj/app.py";
    let json = "/usr/lib/python3.12/json/encoder.py";
    let main = dict.function("main", "main", app, 1, python);
    let work = dict.function("work", "Job.work", app, 5, python);
    let step = dict.function("step", "Job.step", app, 12, python);
    let encode = dict.function("encode", "JSONEncoder.encode", json, 182, python);
    let sleep = dict.function("sleep", "sleep", "", 0, FunctionKind::Native);
    let frames: Vec<FrameId> = [
        (main, 3),
        (work, 7),
        (step, 13),
        (step, 14),
        (encode, 200),
        (sleep, 0),
    ]
    .map(|(function, line)| dict.frame(function, line))
    .into();
    let mut stack = |path: &[usize]| {
        path.iter()
            .fold(StackId::EMPTY, |parent, &at| dict.stack(parent, frames[at]))
    };
    let stacks = [
        stack(&[0, 1]),
        stack(&[0, 1, 2]),
        stack(&[0, 1, 2, 3]),
        stack(&[0, 4]),
        stack(&[1]),
        stack(&[5]),
    ];
    let on_cpu = State::new(StateKind::OnCpu, true);
    let gil_wait = State::new(StateKind::GilWait, false);
    let blocked = State::new(StateKind::Blocked, false);
    // (end in ms, length in ms, observations, thread, stack, state)
    for (end, length, count, thread, stack, state) in [
        (4, 4, 4, 0, 0, on_cpu),
        (10, 6, 6, 0, 1, on_cpu),
        (12, 12, 12, 1, 4, gil_wait),
        (20, 10, 10, 0, 2, on_cpu),
        (22, 2, 2, 0, 3, on_cpu),
        (30, 8, 8, 0, 1, on_cpu),
        (40, 10, 10, 0, 5, blocked),
        (40, 30, 30, 2, 5, blocked),
    ] {
        recording.samples.push(SampleRow {
            time: Time(end * MS),
            weight: Nanos(length * MS),
            count,
            thread: ThreadId(thread),
            stack: stacks[stack],
            task: TaskId::NONE,
            state,
        });
    }
    add_counters(&mut recording);
    recording.messages.push(MessageRow {
        time: Time(5),
        level: MessageLevel::Warning,
        process: Some(ProcessId(0)),
        text: "a <script>alert(1)</script>".into(),
    });
    recording.losses.push(LossRow {
        time: Time(20 * MS),
        process: Some(ProcessId(0)),
        kind: LossKind::Torn,
        count: 3,
    });
    recording.clock.push(ClockRow {
        time: Time(40 * MS),
        unix_nanos: 1_790_000_000_040_000_000,
        own_cpu: Nanos(400_000),
        ticks: 82,
        reads: 85,
        stops: 0,
    });
    let text = "def main():\n    job = Job()\n    job.work()\n";
    recording.sources.insert(FileId(0), Arc::from(text));
    recording
}

fn add_counters(recording: &mut MemoryRecording) {
    let dict = &mut recording.dictionary;
    let (rss, bytes) = (dict.string("rss"), dict.string("bytes"));
    let (user, ns) = (dict.string("cpu.user"), dict.string("ns"));
    let rss = dict.add_counter(CounterSeriesRow {
        process: ProcessId(0),
        name: rss,
        unit: bytes,
        kind: CounterKind::Gauge,
    });
    let user = dict.add_counter(CounterSeriesRow {
        process: ProcessId(0),
        name: user,
        unit: ns,
        kind: CounterKind::Total,
    });
    for tick in 0..=4_u64 {
        for (counter, value) in [(rss, (1 << 20) + tick * 4096), (user, tick * 8 * MS)] {
            recording.counters.push(CounterRow {
                counter,
                time: Time(tick * 10 * MS),
                value: value as f64,
            });
        }
    }
}

/// The small recording of a program that says what it does: a request of 20 ms with a query of
/// 5 ms twice, a frame of 16 ms and one of 20, a lock waited for, two log lines, probes that cost.
pub fn talking() -> MemoryRecording {
    let mut recording = small();
    let dict = &mut recording.dictionary;
    let app = dict.file("/home/me/proj/app.py");
    let names = ["request", "query", "handle", "cache", "worker.py:3"];
    let [request, query, handle, cache, place] = names.map(|name| dict.string(name));
    let mut site = |name, line, colour| {
        dict.site(SiteRow {
            name,
            function: handle,
            file: app,
            line,
            colour,
        })
    };
    let (request, query) = (site(request, 5, 0), site(query, 12, 0x00ff_8800));
    let lock = dict.add_lock(LockRow {
        process: ProcessId(0),
        name: cache,
        place,
    });
    let zone = |site, depth, start, length| ZoneRow {
        start: Time(start * MS),
        duration: Nanos(length * MS),
        busy: Nanos(length * MS),
        site,
        depth,
        ..ZoneRow::default()
    };
    recording.zones.push(zone(query, 1, 4, 5), None);
    recording.zones.push(zone(query, 1, 12, 5), None);
    let span = ZoneRow {
        flags: ZoneFlags::SPAN.with(ZoneFlags::FAILED),
        span: SpanId(0xfeed),
        ..zone(request, 0, 2, 20)
    };
    let task = TaskRow {
        name: recording.dictionary.string("worker-<1>"),
        ..TaskRow::default()
    };
    let detail = ZoneDetail {
        arguments: r#"{"user":"<b>7"}"#.into(),
        trace: 0xabc,
        task: recording.dictionary.add_task(task),
        ..ZoneDetail::default()
    };
    recording.zones.push(span, Some(detail));
    for at in [2, 18, 38] {
        recording.frame_marks.push(FrameMarkRow {
            time: Time(at * MS),
            ..FrameMarkRow::default()
        });
    }
    for (at, level, text) in [(3, 2, "user 7 came"), (21, 4, "<script>went</script> away")] {
        recording.logs.push(LogRow {
            time: Time(at * MS),
            level,
            text: text.into(),
            ..LogRow::default()
        });
    }
    recording.waits.push(WaitRow {
        start: Time(6 * MS),
        wait: Nanos(2 * MS),
        hold: Nanos(MS),
        thread: ThreadId(0),
        lock,
        holder: Some(ThreadId(1)),
        kind: WaitKind::Exclusive,
    });
    for (name, unit, value) in [
        ("sondage.probes", "", 9.0),
        ("sondage.probe_cost", "ns", 450.0),
    ] {
        let row = CounterSeriesRow {
            process: ProcessId(0),
            name: recording.dictionary.string(name),
            unit: recording.dictionary.string(unit),
            kind: CounterKind::Total,
        };
        let counter = recording.dictionary.add_counter(row);
        let time = Time(40 * MS);
        recording.counters.push(CounterRow {
            counter,
            time,
            value,
        });
    }
    recording
}

/// These rows, ready to serve.
pub fn serve(name: &str, source: impl Source + 'static) -> Recording {
    Recording::new(name, Arc::new(source)).expect("its tables fit")
}

/// The small recording, ready to serve.
pub fn small_recording() -> Recording {
    let mut recording = serve("app.sondage", small().seal());
    recording.path = Some("/home/me/app.sondage".into());
    recording
}
