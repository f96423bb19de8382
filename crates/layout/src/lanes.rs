//! Processes and threads as lanes of a timeline, from top to bottom.

use sondage_analyze::Overview;
use sondage_model::{CounterId, Dictionary, ProcessId, ThreadId};

/// What a lane shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LaneKind {
    /// The name of a process, above its lanes.
    Process(ProcessId),
    /// A counter's curve.
    Counter(CounterId),
    /// A thread's states.
    Thread(ThreadId),
}

/// A row of a timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lane {
    /// What it shows.
    pub kind: LaneKind,
    /// What is written on it.
    pub label: String,
    /// How far it is indented: threads and counters one step further than their process, child
    /// processes one step further than their parent.
    pub indent: u32,
}

/// All lanes in the order they are shown: a process, its counters, its threads (the main thread
/// first, then the busiest), then its children.
#[must_use]
pub fn lanes(dict: &Dictionary, overview: &Overview) -> Vec<Lane> {
    let processes = dict.processes();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); processes.len()];
    let mut waiting: Vec<(usize, u32)> = Vec::new();
    for (id, row) in processes.iter().enumerate() {
        // A parent that does not come first is no parent: so there are no cycles.
        match row.parent {
            Some(parent) if parent.index() < id => children[parent.index()].push(id),
            _ => waiting.push((id, 0)),
        }
    }
    waiting.reverse();
    let mut lanes = Vec::new();
    while let Some((id, indent)) = waiting.pop() {
        let row = &processes[id];
        let process = ProcessId(id as u32);
        lanes.push(Lane {
            kind: LaneKind::Process(process),
            label: format!("{} [{}]", dict.text(row.name), row.pid.0),
            indent,
        });
        let series = dict.counter_series().iter().enumerate();
        lanes.extend(
            series
                .filter(|(_, row)| row.process == process)
                .map(|(id, row)| Lane {
                    kind: LaneKind::Counter(CounterId(id as u32)),
                    label: dict.text(row.name).to_owned(),
                    indent: indent + 1,
                }),
        );
        let rows = dict.threads().iter().enumerate();
        let mut threads: Vec<_> = rows.filter(|(_, row)| row.process == process).collect();
        threads.sort_by_key(|(id, row)| {
            let active = overview.thread(ThreadId(*id as u32)).active();
            (!row.is_main, std::cmp::Reverse(active), *id)
        });
        lanes.extend(threads.into_iter().map(|(id, row)| Lane {
            kind: LaneKind::Thread(ThreadId(id as u32)),
            label: match dict.text(row.name) {
                "" => format!("thread {}", row.tid.0),
                name => name.to_owned(),
            },
            indent: indent + 1,
        }));
        waiting.extend(children[id].iter().rev().map(|&child| (child, indent + 1)));
    }
    lanes
}
