//! How long the viewer's answers take on a large recording, over HTTP as a browser asks.
//!
//! ```text
//! cargo run --release -p sondage-recording --example synth -- /tmp/10m.sondage rows=10000000
//! cargo run --release -p sondage-serve --example latency -- /tmp/10m.sondage
//! cargo run --release -p sondage-serve --example talk -- /tmp/talk.sondage zones=10000000
//! cargo run --release -p sondage-serve --example latency -- /tmp/talk.sondage
//! ```
//!
//! `latency REC CALL` asks only the questions of pan and zoom whose name has `CALL` in it.
//!
//! Prints the time to the first answers, p50, p99 and the longest of random pan and zoom
//! questions by call, and the resident memory of the process (client included). Beside each time
//! on the wall clock stands the CPU time that the process used meanwhile: on a busy machine the
//! first one measures the other programs.

#![allow(clippy::print_stdout, reason = "an example that measures and prints")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sondage_serve::{Options, Server};

const QUESTIONS: usize = 400;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: latency REC [CALL]")?;
    let only = std::env::args().nth(2).unwrap_or_default();
    sondage_serve::keep_memory_small();
    let start = Instant::now();
    let recording = sondage_serve::open(path.as_ref())?;
    let range = recording.source().range();
    let zones = recording.analyzer().zone_count();
    let server = Server::bind(vec![recording], Options::default())?;
    let url = server.url();
    let ready = start.elapsed();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        server.run(async {
            let _ = stopped.await;
        })
    });
    let mut client = Client::new(&url)?;
    println!("server ready        {}", millis(ready));
    for (what, path) in [
        ("meta", "api/meta"),
        ("whole timeline", "api/timeline?px=1200"),
        ("whole tracks", "api/tracks?px=1200"),
        ("whole flame graph", "api/flame?px=1200"),
        ("whole functions", "api/functions"),
        ("whole report", "api/report"),
    ] {
        first(&mut client, start, what, path)?;
    }
    if zones > 0 {
        println!("zones               {zones}");
        for (what, path) in [
            ("table of zones", "api/zones"),
            ("with percentiles", "api/zones?percentiles=1"),
            ("one place", "api/site?site=4"),
            ("its longest", "api/instances?site=4&limit=100"),
            (
                "a zone in the middle",
                &format!("api/zone?zone={}", zones / 2),
            ),
            (
                "samples in a zone",
                &format!("api/flame?zone={}", zones / 2),
            ),
            ("samples in a place", "api/flame?site=2"),
            ("frames", "api/frames"),
            ("locks", "api/locks"),
        ] {
            first(&mut client, start, what, path)?;
        }
    }
    println!("resident            {} MiB", resident_mib());
    // The same questions each time: a small generator with a fixed seed.
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut all = Vec::new();
    for (what, call) in [
        ("timeline", "api/timeline?px=1200"),
        ("tracks", "api/tracks?px=1200"),
        ("flame", "api/flame?px=1200"),
        ("flame by time", "api/flame?px=1200&order=time"),
        ("functions", "api/functions?limit=100"),
    ] {
        if !what.contains(&only) {
            continue;
        }
        let mut times = Vec::new();
        for _ in 0..QUESTIONS {
            let (from, to) = random.range(range.start.0, range.end.0);
            let cpu = cpu_time();
            let (took, _) = client.time(&format!("{call}&from={from}&to={to}"))?;
            times.push((took, cpu_time() - cpu));
        }
        print(what, &times);
        all.extend(times);
    }
    print("all pan and zoom", &all);
    println!("resident            {} MiB", resident_mib());
    drop(client);
    let _ = stop.send(());
    thread.join().map_err(|_| "the server failed")??;
    Ok(())
}

/// Asks once and says how long it took.
fn first(client: &mut Client, start: Instant, what: &str, path: &str) -> Result<(), Failure> {
    let (took, bytes) = client.time(path)?;
    println!(
        "{what:<20} {}   {bytes} bytes, {} since the start",
        millis(took),
        millis(start.elapsed())
    );
    Ok(())
}

fn print(what: &str, times: &[(Duration, Duration)]) {
    let line = |mut times: Vec<Duration>| {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        let longest = times[times.len() - 1];
        format!(
            "p50 {}  p99 {}  longest {}",
            millis(at(50)),
            millis(at(99)),
            millis(longest)
        )
    };
    println!(
        "{what:<19} {}",
        line(times.iter().map(|(wall, _)| *wall).collect())
    );
    println!(
        "{:>18}: {}",
        "in CPU time",
        line(times.iter().map(|(_, cpu)| *cpu).collect())
    );
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn millis(time: Duration) -> String {
    format!("{:8.2} ms", time.as_secs_f64() * 1e3)
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok())
        .map_or(0, |kib: u64| kib / 1024)
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A view between the whole and a millionth of it, everywhere alike on a logarithmic scale.
    fn range(&mut self, start: u64, end: u64) -> (u64, u64) {
        let zoom = (self.next() % 1_000_000) as f64 / 1e6;
        let width = ((end - start) as f64 * 10_f64.powf(-6.0 * zoom)).max(1.0) as u64;
        let from = start + self.next() % (end - start - width + 1);
        (from, from + width)
    }
}

/// One kept connection, as a browser has it.
struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    folder: String,
}

impl Client {
    fn new(url: &str) -> Result<Client, Failure> {
        let rest = url.strip_prefix("http://").ok_or("no http address")?;
        let (host, folder) = rest.split_once('/').ok_or("no path")?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream: BufReader::with_capacity(1 << 16, stream),
            host: host.into(),
            folder: format!("/{folder}"),
        })
    }

    /// Asks and reads the whole answer: the time it took and its bytes.
    fn time(&mut self, path: &str) -> Result<(Duration, usize), Failure> {
        let request = format!(
            "GET {}{path} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.folder, self.host
        );
        let start = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut length, mut status) = (0, String::new());
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let took = start.elapsed();
        if !status.contains(" 200 ") {
            return Err(format!("{path}: {status}{}", String::from_utf8_lossy(&body)).into());
        }
        Ok((took, length))
    }
}
