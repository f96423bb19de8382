//! Writes a recording of a made-up program, for benchmarks: `synth FILE [rows=10000000]
//! [threads=3] [stacks=300] [tasks=0] [rate=1000] [flush_ms=500]`.
//!
//! The program goes through phases; in each a few dozen of its stacks are hot. Threads are read one
//! after the other at each tick, ticks come with ±50 µs of jitter, and a row stands for the time
//! since the thread's row before. Of asyncio tasks sixteen at a time take turns. Counters come at 10 Hz, the profiler's own cost at each flush.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program, not a library"
)]

use std::error::Error;
use std::time::Instant;

use sondage_model::*;
use sondage_recording::Writer;

/// A generator of numbers that look random (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Small numbers more often than large ones.
    fn skewed(&mut self, bound: u64) -> u64 {
        let unit = self.next() as f64 / u64::MAX as f64;
        (unit * unit * unit * bound as f64) as u64
    }
}

struct Options {
    file: String,
    rows: u64,
    threads: u64,
    stacks: u64,
    tasks: u64,
    rate: u64,
    flush_ms: u64,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        file: String::new(),
        rows: 10_000_000,
        threads: 3,
        stacks: 300,
        tasks: 0,
        rate: 1000,
        flush_ms: 500,
    };
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            None => options.file = argument,
            Some(("rows", value)) => options.rows = value.parse()?,
            Some(("threads", value)) => options.threads = value.parse()?,
            Some(("stacks", value)) => options.stacks = value.parse()?,
            Some(("tasks", value)) => options.tasks = value.parse()?,
            Some(("rate", value)) => options.rate = value.parse()?,
            Some(("flush_ms", value)) => options.flush_ms = value.parse()?,
            Some((name, _)) => return Err(format!("no option is called {name}").into()),
        }
    }
    if options.file.is_empty() {
        return Err(
            "usage: synth FILE [rows=N] [threads=N] [stacks=N] [tasks=N] [rate=HZ] [flush_ms=N]"
                .into(),
        );
    }
    Ok(options)
}

/// Fills the dictionary; the threads and the stacks that are sampled.
fn program(
    dictionary: &mut Dictionary,
    options: &Options,
    numbers: &mut Numbers,
) -> (ProcessId, Vec<ThreadId>, Vec<StackId>) {
    let name = dictionary.string("synth.py");
    let command = dictionary.string("python synth.py --rounds 1000");
    let runtime = dictionary.string("CPython 3.12.1");
    let process = dictionary.add_process(ProcessRow {
        pid: Pid(4242),
        name,
        command,
        runtime,
        end: Time::MAX,
        ..ProcessRow::default()
    });
    let threads = (0..options.threads)
        .map(|index| {
            let name = dictionary.string(&format!("worker-{index}"));
            dictionary.add_thread(ThreadRow {
                process,
                tid: Tid(4242 + index as i32),
                name,
                is_main: index == 0,
                end: Time::MAX,
                ..ThreadRow::default()
            })
        })
        .collect();
    let functions: Vec<FunctionId> = (0..options.stacks)
        .map(|index| {
            let module = index % 37;
            dictionary.function(
                &format!("step_{index}"),
                &format!("Stage{module}.step_{index}"),
                &format!("/usr/lib/python3/dist-packages/synth/stage_{module}.py"),
                (index * 13 % 900 + 1) as u32,
                FunctionKind::Python,
            )
        })
        .collect();
    // A tree 10 to 40 deep: each stack goes on from a part of an earlier one.
    let mut stacks: Vec<StackId> = Vec::new();
    while (stacks.len() as u64) < options.stacks {
        let (mut stack, depth) = match stacks.len() {
            0 => (StackId::EMPTY, 0),
            known => {
                let other = stacks[numbers.below(known as u64) as usize];
                let path = dictionary.path(other);
                let keep = numbers.below(path.len() as u64) as usize;
                let kept = path[..keep].iter().fold(StackId::EMPTY, |stack, &frame| {
                    dictionary.stack(stack, frame)
                });
                (kept, keep as u64)
            }
        };
        for _ in depth..10 + numbers.below(30) {
            let function = functions[numbers.skewed(functions.len() as u64) as usize];
            let frame = dictionary.frame(function, 1 + numbers.below(40) as u32);
            stack = dictionary.stack(stack, frame);
        }
        if stack != StackId::EMPTY {
            stacks.push(stack);
        }
    }
    (process, threads, stacks)
}

/// One of sixteen tasks; they end and others begin, so that all had their turn at the end.
fn task(options: &Options, row: u64, numbers: &mut Numbers) -> TaskId {
    match options.tasks {
        0 => TaskId::NONE,
        tasks => {
            let oldest = row * tasks / options.rows.max(1);
            TaskId(1 + (oldest + numbers.below(16)).min(tasks - 1) as u32)
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let mut numbers = Numbers(1);
    let interval = 1_000_000_000 / options.rate;
    let info = RecordingInfo {
        command: vec!["synth.py".into()],
        engine: "synth".into(),
        interval: Nanos(interval),
        cpus: 2,
        ..RecordingInfo::default()
    };
    let mut writer = Writer::create_file(&options.file, &info)?;
    let (process, threads, stacks) = program(writer.dictionary_mut(), &options, &mut numbers);
    for number in 0..options.tasks {
        let dictionary = writer.dictionary_mut();
        let row = TaskRow {
            process,
            name: dictionary.string(&format!("Task-{}", number + 1)),
            coroutine: dictionary.string(&format!("handle_{}", number % 10)),
            parent: TaskId::NONE,
        };
        dictionary.add_task(row);
    }
    let series: Vec<CounterId> = [
        "cpu.user",
        "cpu.system",
        "rss",
        "threads",
        "faults.minor",
        "io.read",
    ]
    .iter()
    .map(|name| {
        let name = writer.dictionary_mut().string(name);
        writer.dictionary_mut().add_counter(CounterSeriesRow {
            process,
            name,
            ..CounterSeriesRow::default()
        })
    })
    .collect();

    let jitter = interval / 10;
    let mut last = vec![0u64; threads.len()];
    let mut phase = vec![0u64; threads.len()];
    let mut current = vec![stacks[0]; threads.len()];
    let (mut rows, mut tick, mut flushed, mut counted) = (0, 0u64, 0, 0);
    // Filling is timed with writing: only the difference to an empty loop is the writer's.
    let started = Instant::now();
    while rows < options.rows {
        tick += 1;
        let mut time = tick * interval + numbers.below(jitter);
        for (index, &thread) in threads.iter().enumerate() {
            if numbers.below(200) == 0 {
                phase[index] = numbers.below(stacks.len() as u64);
            }
            // A stack lasts over a sample now and then.
            if numbers.below(4) != 0 {
                let near = phase[index] + numbers.skewed(60);
                current[index] = stacks[(near % stacks.len() as u64) as usize];
            }
            let kind = match (index, numbers.below(20)) {
                (0, 0) => StateKind::Runnable,
                (0, _) => StateKind::OnCpu,
                (_, 0..=4) => StateKind::OnCpu,
                _ => StateKind::GilWait,
            };
            writer.push_sample(SampleRow {
                time: Time(time),
                weight: Nanos(time - last[index]),
                count: 1,
                thread,
                stack: current[index],
                task: task(&options, rows, &mut numbers),
                state: State::new(kind, kind == StateKind::OnCpu),
            })?;
            last[index] = time;
            time += (2_000 + numbers.below(3_000)).min(interval / 10);
            rows += 1;
        }
        if time - counted >= 100_000_000 {
            counted = time;
            for (index, &counter) in series.iter().enumerate() {
                let value = match index {
                    0 | 1 => (time / (index as u64 + 1)) as f64,
                    2 => (50_000_000 + numbers.below(100) * 4096) as f64,
                    3 => threads.len() as f64,
                    _ => (tick * 3) as f64,
                };
                writer.push_counter(CounterRow {
                    counter,
                    time: Time(time),
                    value,
                });
            }
        }
        if time - flushed >= options.flush_ms * 1_000_000 {
            flushed = time;
            writer.push_clock(ClockRow {
                time: Time(time),
                unix_nanos: 1_790_000_000_000_000_000 + time,
                own_cpu: Nanos(time / 100),
                ticks: tick,
                reads: tick * 2,
                stops: 0,
            });
            writer.flush(Time(time))?;
        }
    }
    let written = writer.finish(Time(tick * interval))?;
    let took = started.elapsed().as_secs_f64();
    println!(
        "{} rows, {} bytes: {:.2} bytes a sample; {:.2} s with making them up, {:.1} million rows a second",
        written.rows,
        written.bytes,
        written.bytes as f64 / written.rows as f64,
        took,
        written.rows as f64 / took / 1e6,
    );
    Ok(())
}
