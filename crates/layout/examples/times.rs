//! Times the viewer's questions to a recording, with memory: `times FILE`.
//!
//! `cargo run --release -p sondage-recording --example synth` makes a file to ask.
#![allow(clippy::print_stdout, reason = "a program, not a library")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use sondage_analyze::{
    Analyzer, Direction, Filter, FunctionQuery, MergeBy, ReportOptions, Search, TimeWindow,
};
use sondage_layout::{Flame, Viewport, flame, time_flame};
use sondage_model::{FunctionId, Source, Time, TimeRange};
use sondage_recording::Recording;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Resident memory and its peak, as the kernel tells them.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    };
    format!("resident {} MiB, peak {} MiB", mib("VmRSS:"), mib("VmHWM:"))
}

fn timed<T>(what: &str, run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let started = Instant::now();
    let result = run()?;
    let millis = started.elapsed().as_secs_f64() * 1e3;
    println!("{what:<44} {millis:>9.2} ms   {}", memory());
    Ok(result)
}

/// CPU time of this thread in ms: on a busy machine it says more than the clock.
fn cpu_millis() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e6
}

/// Asks again and again, each time something else, and prints how long most and nearly all took.
fn percentiles(
    what: &str,
    times: usize,
    mut ask: impl FnMut(usize) -> Outcome<usize>,
) -> Outcome<()> {
    let (mut wall, mut cpu) = (Vec::with_capacity(times), Vec::with_capacity(times));
    let mut rows = 0;
    for i in 0..times {
        let (started, cpu_started) = (Instant::now(), cpu_millis());
        rows = rows.max(ask(i)?);
        wall.push(started.elapsed().as_secs_f64() * 1e3);
        cpu.push(cpu_millis() - cpu_started);
    }
    wall.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    let at = |millis: &[f64], share: f64| millis[((times - 1) as f64 * share) as usize];
    println!(
        "{what:<42} p50 {:>6.2}  p99 {:>6.2}  max {:>6.2} ms   CPU p50 {:>6.2}  p99 {:>6.2} ms   \
         {rows} rows   {}",
        at(&wall, 0.5),
        at(&wall, 0.99),
        at(&wall, 1.0),
        at(&cpu, 0.5),
        at(&cpu, 0.99),
        memory()
    );
    Ok(())
}

/// The ranges of a person who zooms in, out and along: each other than those before.
fn journey(whole: TimeRange, i: usize) -> TimeRange {
    let span = whole.span().0;
    let zoom = 1 << (i * 7 % 12);
    let width = (span / zoom).max(1_000_000);
    let start = whole.start.0 + (i as u64 * 2_654_435_761 % 1_000) * (span - width) / 1_000;
    TimeRange::new(Time(start), Time(start + width))
}

fn left_heavy(analyzer: &Analyzer, filter: &Filter, direction: Direction) -> Outcome<Flame> {
    let tree = analyzer.call_tree(filter, direction, MergeBy::Function)?;
    Ok(flame(&tree, &Viewport::whole(1200))?)
}

fn main() -> Outcome<()> {
    let path = std::env::args().nth(1).ok_or("usage: times FILE")?;
    let recording = timed("open", || Ok(Recording::open(&path)?))?;
    let source: Arc<dyn Source> = Arc::new(recording);
    let whole = source.range();
    let rows: u64 = source.blocks().iter().map(|block| block.rows).sum();
    let dict = source.dictionary();
    println!(
        "{rows} samples, {} blocks, {} stacks, {} functions, {} threads, {:?}",
        source.blocks().len(),
        dict.stacks().len(),
        dict.functions().len(),
        dict.threads().len(),
        whole.span(),
    );
    let analyzer = timed("analyzer", || Ok(Analyzer::new(Arc::clone(&source))?))?;
    let all = Filter::default();
    timed("overview", || Ok(analyzer.overview()?))?;
    timed("timeline, whole", || Ok(analyzer.timeline(&all, 1200)?))?;
    let first = timed("flame graph, whole, first time", || {
        left_heavy(&analyzer, &all, Direction::Callees)
    })?;
    println!(
        "{} rectangles, {} omitted, {} deep",
        first.len(),
        first.omitted,
        first.max_depth
    );
    timed("flame graph, whole, again", || {
        left_heavy(&analyzer, &all, Direction::Callees)
    })?;
    timed("flame graph of callers, whole", || {
        left_heavy(&analyzer, &all, Direction::Callers)
    })?;
    let table = timed("functions, whole", || {
        Ok(analyzer.functions(&all, &FunctionQuery::default())?)
    })?;
    let hottest = table.rows.first().map_or(FunctionId(0), |row| row.function);
    timed("sandwich of the hottest, whole", || {
        let sandwich = analyzer.sandwich(&all, hottest)?;
        flame(&sandwich.callers, &Viewport::whole(1200))?;
        Ok(flame(&sandwich.callees, &Viewport::whole(1200))?)
    })?;
    let file = dict.functions()[hottest.index()].file;
    timed("lines of its file, first time", || {
        Ok(analyzer.file_lines(&all, file)?)
    })?;
    timed("search, whole", || {
        Ok(analyzer.search(&all, &Search::new("1[0-9]*")?)?)
    })?;
    timed("report", || Ok(analyzer.report(&ReportOptions::default())?))?;

    let ask = |i: usize| Filter {
        range: Some(journey(whole, i)),
        ..Filter::default()
    };
    let in_time = |i: usize| -> Outcome<usize> {
        let window = TimeWindow {
            x0: None,
            x1: None,
            px: 1200,
        };
        let order = analyzer.time_order(&ask(i), MergeBy::Function, window)?;
        Ok(time_flame(&order, &Viewport::whole(1200)).len())
    };
    for round in ["cold", "warm"] {
        let name = |what: &str| format!("{what}, zoom and pan, {round}");
        // Warm ranges differ from cold ones too: only what is decoded is warm.
        let from = if round == "cold" { 0 } else { 301 };
        percentiles(&name("timeline"), 300, |i| {
            Ok(analyzer.timeline(&ask(from + i), 1200)?.threads.len())
        })?;
        percentiles(&name("flame graph"), 300, |i| {
            Ok(left_heavy(&analyzer, &ask(from + i), Direction::Callees)?.len())
        })?;
        percentiles(&name("flame graph of callers"), 300, |i| {
            Ok(left_heavy(&analyzer, &ask(from + i), Direction::Callers)?.len())
        })?;
        percentiles(&name("order of time"), 300, |i| in_time(from + i))?;
        percentiles(&name("functions"), 300, |i| {
            let table = analyzer.functions(&ask(from + i), &FunctionQuery::default())?;
            Ok(table.rows.len())
        })?;
    }
    println!("the analyzer holds {} MiB", analyzer.bytes() >> 20);
    Ok(())
}
