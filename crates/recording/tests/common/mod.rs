//! Recordings to test with.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;

use sondage_model::*;

/// So many cases, unless `PROPTEST_CASES` asks for another number.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => proptest::test_runner::Config::default(),
        None => proptest::test_runner::Config::with_cases(cases),
    }
}

/// Numbers that look random and are the same every time (xorshift).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A recording with rows in every table, and with `rows` samples of three threads that interleave.
pub fn rich(rows: usize) -> MemoryRecording {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut memory = MemoryRecording::new(RecordingInfo {
        command: vec!["app.py".into(), "--fast".into()],
        engine: "outside".into(),
        writer: "0.1.0".into(),
        unix_start_nanos: 1_790_000_000_000_000_000,
        mono_start: MonoTime(123),
        interval: Nanos(1_000_000),
        host: "box".into(),
        system: "Linux 6.18 x86_64".into(),
        cpus: 2,
        boot_id: "b".into(),
        labels: vec![Label {
            key: "k".into(),
            value: "v".into(),
        }],
    });
    let dict = &mut memory.dictionary;
    let name = dict.string("app.py");
    let process = dict.add_process(ProcessRow {
        pid: Pid(42),
        name,
        end: Time::MAX,
        ..ProcessRow::default()
    });
    let child = dict.add_process(ProcessRow {
        pid: Pid(43),
        parent: Some(process),
        name,
        start: Time(7),
        end: Time(9),
        ..ProcessRow::default()
    });
    let threads: Vec<ThreadId> = (0..3)
        .map(|index| {
            let name = dict.string(&format!("thread {index}"));
            dict.add_thread(ThreadRow {
                process: if index < 2 { process } else { child },
                tid: Tid(42 + index),
                name,
                is_main: index != 1,
                start: Time::ZERO,
                end: Time::MAX,
            })
        })
        .collect();
    let name = dict.string("Task-1");
    let task = dict.add_task(TaskRow {
        process,
        name,
        coroutine: name,
        parent: TaskId::NONE,
    });
    dict.add_module(ModuleRow {
        process,
        path: name,
        build_id: name,
        start: 0x4000,
        size: Bytes(4096),
    });
    let counter = dict.add_counter(CounterSeriesRow {
        process,
        name,
        unit: name,
        kind: CounterKind::Total,
    });
    let mut stacks = vec![StackId::EMPTY];
    for index in 0..200u32 {
        let function = dict.function(
            &format!("f{}", index % 40),
            &format!("C.f{}", index % 40),
            &format!("m{}.py", index % 7),
            index % 40 + 1,
            FunctionKind::Python,
        );
        let frame = dict.frame(function, index % 40 + index % 3);
        let parent = stacks[numbers.below(stacks.len() as u64) as usize];
        stacks.push(dict.stack(parent, frame));
    }
    let mut last = [0u64; 3];
    let mut stack = stacks[1];
    for index in 0..rows {
        let thread = index % 3;
        let time = (index / 3 + 1) as u64 * 1_000_000 + numbers.below(100_000);
        let slept = numbers.below(500) == 0;
        if numbers.below(3) == 0 {
            stack = stacks[numbers.below(stacks.len() as u64) as usize];
        }
        // Now and then a row does not reach back to the one before.
        let weight = if slept { 500_000 } else { time - last[thread] };
        memory.samples.push(SampleRow {
            time: Time(time),
            weight: Nanos(weight),
            count: 1 + numbers.below(2) as u32,
            thread: threads[thread],
            stack,
            task: if thread == 0 { task } else { TaskId::NONE },
            state: State::new(
                if slept {
                    StateKind::Blocked
                } else {
                    StateKind::OnCpu
                },
                thread == 0,
            ),
        });
        last[thread] = time;
    }
    for index in 0..30 {
        memory.counters.push(CounterRow {
            counter,
            time: Time(index * 100_000_000),
            value: index as f64 * 1.5,
        });
    }
    memory.messages.push(MessageRow {
        time: Time(5),
        level: MessageLevel::Warning,
        process: Some(process),
        text: "naïve text".into(),
    });
    memory.losses.push(LossRow {
        time: Time(6),
        process: None,
        kind: LossKind::Torn,
        count: 3,
    });
    memory.clock.push(ClockRow {
        time: Time(7),
        unix_nanos: 1_790_000_000_000_000_007,
        own_cpu: Nanos(5),
        ticks: 1,
        reads: 2,
        stops: 3,
    });
    memory
        .sources
        .insert(FileId(1), Arc::from("def f():\n    return 1\n"));
    talk(&mut memory, rows);
    memory
}

/// Lets the program of a recording say things: about `zones` zones in three threads, nested, some
/// of them spans with arguments; frame marks, a log, locks.
fn talk(memory: &mut MemoryRecording, zones: usize) {
    let mut numbers = Numbers(0x0123_4567_89ab_cdef);
    let dict = &mut memory.dictionary;
    let file = dict.file("m1.py");
    let function = dict.string("main");
    let sites: Vec<SiteId> = (0..20u32)
        .map(|line| {
            let name = dict.string(&format!("zone {line}"));
            dict.site(SiteRow {
                name,
                function,
                file,
                line,
                colour: line * 1000,
            })
        })
        .collect();
    let place = dict.string("m1.py:7");
    let process = ProcessId(0);
    let lock = dict.add_lock(LockRow {
        process,
        name: function,
        place,
    });
    let mut now = [0u64; 3];
    let mut left = zones;
    while left > 0 {
        let thread = numbers.below(3) as usize;
        let begun = now[thread];
        // The innermost comes first: zones are told at their ends.
        let depth = numbers.below(4).min(left as u64 - 1) as u16;
        let mut ends = begun + u64::from(depth) + 1;
        for level in (0..=depth).rev() {
            ends += numbers.below(3_000_000);
            let start = Time(begun + u64::from(level));
            let duration = Nanos(ends - start.0);
            let is_span = numbers.below(4) == 0;
            let span = SpanId(if is_span { 7 << 32 | left as u64 } else { 0 });
            let detail = (numbers.below(10) == 0).then(|| ZoneDetail {
                arguments: format!("{{\"n\":{left},\"é\":\"naïve\"}}"),
                trace: u128::from(numbers.next()) << 64 | u128::from(numbers.next()),
                task: TaskId(u32::from(thread == 0)),
                count: left as u64,
                min: Nanos(1),
                max: Nanos(3),
                total: Nanos(6),
            });
            let idle = Nanos(if is_span { duration.0 / 2 } else { 0 });
            memory.zones.push(
                ZoneRow {
                    start,
                    duration,
                    busy: duration.saturating_sub(idle),
                    thread: ThreadId(thread as u32),
                    site: sites[numbers.below(20) as usize],
                    lane: 0,
                    depth: level,
                    flags: if is_span {
                        ZoneFlags::SPAN
                    } else {
                        ZoneFlags::NONE
                    },
                    span,
                    parent: SpanId(span.0 / 2),
                    detail: 0,
                },
                detail,
            );
            left -= 1;
        }
        now[thread] = ends + numbers.below(100_000);
    }
    for index in 0..(zones as u64).min(50) {
        let time = Time(index * 16_666_667);
        memory.frame_marks.push(FrameMarkRow {
            time,
            thread: ThreadId(1),
            name: if index % 2 == 0 {
                StringId::EMPTY
            } else {
                function
            },
            kind: FrameMarkKind::Mark,
        });
        memory.logs.push(LogRow {
            time,
            thread: ThreadId(2),
            level: (index % 6) as u8,
            colour: 0xff_00_00,
            text: format!("line {index}"),
        });
        memory.waits.push(WaitRow {
            start: time,
            wait: Nanos(index),
            hold: Nanos(1000),
            thread: ThreadId((index % 3) as u32),
            lock,
            holder: (index % 2 == 0).then_some(ThreadId(2)),
            kind: WaitKind::Shared,
        });
    }
}

/// All zones of a source, in order, with their details.
pub fn zones_of(source: &dyn Source) -> ZoneColumns {
    let mut all = ZoneColumns::default();
    for block in 0..source.zone_blocks().len() {
        let zones = source.zones(block).unwrap();
        for row in zones.rows() {
            all.push(row, zones.detail(&row).cloned());
        }
    }
    all
}

/// All samples of a source, in order.
pub fn rows_of(source: &dyn Source) -> SampleColumns {
    let mut all = SampleColumns::default();
    for block in 0..source.blocks().len() {
        for row in source.samples(block).unwrap().rows() {
            all.push(row);
        }
    }
    all
}
