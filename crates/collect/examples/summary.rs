//! Prints what a recording holds: `cargo run -p sondage-collect --example summary -- out.sondage`

use std::collections::BTreeMap;
use std::error::Error;

use sondage_model::{Source, StackId, StateKind};
use sondage_recording::Recording;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("give a file")?;
    let recording = Recording::open(std::path::Path::new(&path))?;
    let dictionary = recording.dictionary();
    let mut lines = vec![format!(
        "{:?} {:?} recovered {:?}",
        recording.info().command,
        recording.range(),
        recording.recovered()
    )];
    for row in dictionary.processes() {
        lines.push(format!(
            "process {} parent {:?} {} [{}] {} {:?}..{:?}",
            row.pid.0,
            row.parent,
            dictionary.text(row.name),
            dictionary.text(row.command),
            dictionary.text(row.runtime),
            row.start,
            row.end
        ));
    }
    let mut states: BTreeMap<(u32, &str), (u64, u64)> = BTreeMap::new();
    let mut functions: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut rows, mut gil) = (0, 0);
    for block in 0..recording.blocks().len() {
        for row in recording.samples(block)?.rows() {
            rows += 1;
            let sum = states
                .entry((row.thread.0, row.state.kind().name()))
                .or_default();
            sum.0 += row.weight.0;
            sum.1 += u64::from(row.count);
            gil += if row.state.holds_gil() {
                row.weight.0
            } else {
                0
            };
            if row.stack == StackId::EMPTY || row.state.kind() == StateKind::Blocked {
                continue;
            }
            if let Some(frame) = dictionary.frames_inward(row.stack).next() {
                let function = dictionary.functions()[dictionary.function_of(frame).index()];
                let name = dictionary.text(function.qualified_name).to_owned();
                let sum = functions.entry(name).or_default();
                sum.0 += row.weight.0;
                sum.1 += u64::from(row.count);
            }
        }
    }
    for (index, row) in dictionary.threads().iter().enumerate() {
        lines.push(format!(
            "thread {} {} main {} {:?}..{:?}",
            row.tid.0,
            dictionary.text(row.name),
            row.is_main,
            row.start,
            row.end
        ));
        for ((thread, state), (weight, count)) in &states {
            if *thread == index as u32 {
                lines.push(format!("  {state}: {:.3} s, {count}", *weight as f64 / 1e9));
            }
        }
    }
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.0));
    for (name, (weight, count)) in functions.iter().take(12) {
        lines.push(format!("  {:8.3} s {count:7} {name}", *weight as f64 / 1e9));
    }
    lines.push(format!("{rows} rows, GIL {:.3} s", gil as f64 / 1e9));
    for loss in recording.losses() {
        lines.push(format!(
            "loss {} {} at {:?}",
            loss.kind.name(),
            loss.count,
            loss.time
        ));
    }
    for message in recording.messages() {
        lines.push(format!("message {}", message.text));
    }
    lines.extend(recording.clock().last().map(|row| format!("{row:?}")));
    std::io::Write::write_all(&mut std::io::stdout(), (lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
