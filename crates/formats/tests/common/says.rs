//! A program that says what it does: zones, spans, frames, a log, locks.

use sondage_model::{
    CounterKind, CounterRow, CounterSeriesRow, FrameMarkKind, FrameMarkRow, LockRow, LogRow,
    MemoryRecording, Nanos, SiteRow, SpanId, StackId, State, StateKind, TaskId, ThreadId, Time,
    WaitKind, WaitRow, ZoneDetail, ZoneFlags, ZoneRow,
};

use super::{MS, info, process, sample, thread};

/// Two threads and a worker; a request whose span is suspended and whose child runs in the worker.
pub fn says() -> MemoryRecording {
    let mut r = MemoryRecording::new(info("game.py"));
    let d = &mut r.dictionary;
    let app = process(d, 42, None, "game.py");
    let worker = process(d, 43, Some(app), "worker.py");
    let main = thread(d, app, 42, "MainThread");
    let pool = thread(d, app, 44, "pool \"1\"");
    let far = thread(d, worker, 43, "MainThread");
    let mut site = |name: &str, line: u32| {
        let (name, function) = (d.string(name), d.string("Game.run"));
        let file = d.file("/home/me/game.py");
        d.site(SiteRow {
            name,
            function,
            file,
            line,
            colour: 0x33_66_99,
        })
    };
    let [frame, physics, draw] =
        [("frame", 10), ("physics", 12), ("draw \"é\"\n", 20)].map(|(name, line)| site(name, line));
    let [request, query, loops] =
        [("request", 40), ("query", 50), ("loop", 60)].map(|(name, line)| site(name, line));
    let name = d.string("players");
    let unit = d.string("");
    let players = d.add_counter(CounterSeriesRow {
        process: app,
        name,
        unit,
        kind: CounterKind::Gauge,
    });
    let (lock_name, place) = (d.string("world"), d.string("game.py:3"));
    let lock = d.add_lock(LockRow {
        process: app,
        name: lock_name,
        place,
    });
    let zone = |thread: ThreadId, site, depth, start_us: u64, us: u64| ZoneRow {
        start: Time(start_us * 1000),
        duration: Nanos(us * 1000),
        busy: Nanos(us * 1000),
        thread,
        site,
        depth,
        ..ZoneRow::default()
    };
    let arguments = |text: &str| ZoneDetail {
        arguments: text.into(),
        ..ZoneDetail::default()
    };
    for turn in 0..3u64 {
        let at = turn * 16_000;
        let detail = arguments(&format!("{{\"bodies\":{turn},\"mode\":\"a \\\"b\\\"\"}}"));
        r.zones
            .push(zone(main, physics, 1, at + 1000, 5000), Some(detail));
        r.zones.push(zone(main, draw, 1, at + 6000, 8000), None);
        r.zones.push(zone(main, frame, 0, at + 500, 15_000), None);
        r.frame_marks.push(FrameMarkRow {
            time: Time((at + 15_500) * 1000),
            thread: main,
            name: unit,
            kind: FrameMarkKind::Mark,
        });
    }
    let trace = 0x1234_5678_9abc_def0_0fed_cba9_8765_4321;
    let (outer, inner) = (SpanId(0xa000_0001), SpanId(0xa000_0002));
    // Stretches of the request on two threads; they are no zones of their own.
    for (on, start, us) in [(pool, 2000, 1000), (main, 49_000, 500)] {
        let stretch = ZoneRow {
            flags: ZoneFlags::SPAN.with(ZoneFlags::POLL),
            span: outer,
            ..zone(on, request, 0, start, us)
        };
        r.zones.push(stretch, None);
    }
    let served = ZoneRow {
        flags: ZoneFlags::SPAN
            .with(ZoneFlags::REMOTE)
            .with(ZoneFlags::FAILED),
        span: inner,
        parent: outer,
        ..zone(far, query, 0, 10_000, 20_000)
    };
    r.zones.push(
        served,
        Some(arguments("{\"rows\":12,\"slow\":true,\"ratio\":0.5}")),
    );
    let asked = ZoneRow {
        flags: ZoneFlags::SPAN.with(ZoneFlags::SUSPENDED),
        span: outer,
        busy: Nanos(1_500_000),
        lane: 1,
        ..zone(pool, request, 0, 2000, 47_500)
    };
    let detail = ZoneDetail {
        trace,
        ..arguments("{\"path\":\"/\"}")
    };
    r.zones.push(asked, Some(detail));
    let many = ZoneRow {
        flags: ZoneFlags::CUMULATIVE,
        ..zone(pool, loops, 0, 50_000, 4000)
    };
    let detail = ZoneDetail {
        count: 1000,
        min: Nanos(1000),
        max: Nanos(9000),
        total: Nanos(3_000_000),
        ..ZoneDetail::default()
    };
    r.zones.push(many, Some(detail));
    for (time, level, text) in [(3 * MS, 2, "loaded"), (20 * MS, 4, "no \"file\"\n!")] {
        r.logs.push(LogRow {
            time: Time(time),
            thread: main,
            level,
            colour: 0,
            text: text.into(),
        });
    }
    for value in [1.0, 2.5] {
        r.counters.push(CounterRow {
            counter: players,
            time: Time(value as u64 * MS),
            value,
        });
    }
    r.waits.push(WaitRow {
        start: Time(5 * MS),
        wait: Nanos(MS),
        hold: Nanos(2 * MS),
        thread: pool,
        lock,
        holder: Some(main),
        kind: WaitKind::Exclusive,
    });
    let on_cpu = State::new(StateKind::OnCpu, true);
    for row in 1..=5u64 {
        let mut row = sample(main, row * 1000, 1000, StackId::EMPTY, on_cpu);
        row.task = TaskId::NONE;
        r.samples.push(row);
    }
    r
}
