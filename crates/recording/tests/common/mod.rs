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
    memory
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
