//! Times what a viewer does first with a recording: `open FILE`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program, not a library"
)]

use std::error::Error;
use std::time::Instant;

use sondage_model::*;
use sondage_recording::Recording;

/// Resident memory and its peak, in MiB, as the kernel tells them.
fn memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> f64 {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
            .unwrap_or(f64::NAN)
            / 1024.0
    };
    Ok(format!(
        "resident {:.0} MiB, peak {:.0} MiB",
        field("VmRSS:"),
        field("VmHWM:")
    ))
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> Result<T, Box<dyn Error>> {
    let started = Instant::now();
    let result = run();
    let millis = started.elapsed().as_secs_f64() * 1e3;
    println!("{what:<44} {millis:>9.2} ms   {}", memory()?);
    Ok(result)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: open FILE")?;
    let recording = timed("open", || Recording::open(&path))??;
    let rows: u64 = recording.blocks().iter().map(|block| block.rows).sum();
    println!(
        "{rows} rows in {} blocks, {} stacks, {} bytes ({:.2} a row)",
        recording.blocks().len(),
        recording.dictionary().stacks().len(),
        recording.length(),
        recording.length() as f64 / rows as f64,
    );
    if let Some(sentence) = recording.recovered() {
        println!("{sentence}");
    }
    let totals = timed("all summaries added up", || recording.totals())??;
    // A flame graph needs the weight of each node: own rows up the tree, children before parents.
    let weights = timed("flame graph: weight of every stack node", || {
        let nodes = recording.dictionary().stacks();
        let mut weights = vec![0u64; nodes.len()];
        for row in totals.iter() {
            weights[row.stack.index()] += row.weight.0;
        }
        for (id, node) in nodes.iter().enumerate().skip(1).rev() {
            weights[node.parent.index()] += weights[id];
        }
        weights
    })?;
    println!("{} summed rows, root {} ns", totals.len(), weights[0]);
    let span = recording.range();
    for &width in recording.tile_widths() {
        let name = format!("tiles of {} ms, whole range", width.0 / 1_000_000);
        let tiles = timed(&name, || recording.tiles(width, TimeRange::ALL))??;
        println!("{} tiles", tiles.len());
        timed(&format!("{name}, again"), || {
            recording.tiles(width, TimeRange::ALL)
        })??;
    }
    let middle = Time((span.start.0 + span.end.0) / 2);
    let second = TimeRange::new(middle, middle + Nanos(1_000_000_000));
    let narrow = recording.tile_widths()[0];
    timed("narrow tiles of one second", || {
        recording.tiles(narrow, second)
    })??;
    timed("samples of one block", || {
        recording.samples(recording.blocks().len() / 2)
    })??;
    timed("counters", || recording.counters(TimeRange::ALL))??;
    let count = timed("all samples, block by block", || {
        (0..recording.blocks().len())
            .map(|block| recording.samples(block).map(|samples| samples.len()))
            .sum::<Result<usize, _>>()
    })??;
    println!("{count} rows");
    Ok(())
}
