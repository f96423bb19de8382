//! Every thread's stack, once, now.

use std::ops::Range;
use std::time::Duration;

use sondage_inspect::{OpenError, PythonThread, Reject, StackSnapshot, Target, ThreadCursor};
use sondage_model::{Pid, State, StateKind, Tid};

use crate::names::process_name;
use crate::procfs;
use crate::scheduler::ThreadScheduler;

/// How often a thread is looked at again when its stack could not be read, or when it ran while it
/// was said to sleep.
const TRIES: u32 = 50;

/// A process and its threads at a moment.
#[derive(Clone, Debug)]
pub struct ProcessDump {
    /// The process.
    pub pid: Pid,
    /// The process that started it, if that is in the dump too.
    pub parent: Option<Pid>,
    /// Short name: script, module or program.
    pub name: String,
    /// Full command line.
    pub command: Vec<String>,
    /// `CPython 3.12.1`, or why there is none.
    pub runtime: Result<String, OpenError>,
    /// Its threads, the first one first.
    pub threads: Vec<ThreadDump>,
}

/// A thread at a moment.
#[derive(Clone, Debug)]
pub struct ThreadDump {
    /// The kernel's number of it.
    pub tid: Tid,
    /// Its name: Python's where known, else the kernel's.
    pub name: String,
    /// Whether it is the process's first thread.
    pub is_main: bool,
    /// What it was doing. "On CPU" includes waiting for one: a single look cannot tell.
    pub state: State,
    /// Its Python frames, innermost first. `Ok` and empty where it runs no Python; `None` for a
    /// thread that the interpreter does not know.
    pub frames: Option<Result<Vec<DumpFrame>, Reject>>,
    /// Whether outermost frames were cut off.
    pub truncated: bool,
}

/// A frame of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpFrame {
    /// Name as written in the source.
    pub name: String,
    /// Qualified name.
    pub qualified_name: String,
    /// Its file.
    pub file: String,
    /// The line being run, 1-based; 0 where unknown.
    pub line: u32,
}

/// Looks at a process, and with `children` at those it started.
///
/// # Errors
/// When the process is gone or is not ours to read. That a child cannot be read is told in its
/// [`ProcessDump::runtime`].
pub fn dump(root: Pid, children: bool) -> Result<Vec<ProcessDump>, OpenError> {
    let first = dump_process(root, None).ok_or(OpenError::Gone { pid: root })?;
    if let Err(error @ (OpenError::Gone { .. } | OpenError::NoPermission { .. })) = &first.runtime {
        return Err(error.clone());
    }
    let mut found = vec![first];
    let mut next = 0;
    while children && next < found.len() {
        let (pid, tids): (Pid, Vec<Tid>) = (
            found[next].pid,
            found[next]
                .threads
                .iter()
                .map(|thread| thread.tid)
                .collect(),
        );
        next += 1;
        for tid in tids {
            for child in procfs::children(pid, tid).unwrap_or_default() {
                if found.iter().all(|known| known.pid != child) {
                    found.extend(dump_process(child, Some(pid)));
                }
            }
        }
    }
    Ok(found)
}

fn dump_process(pid: Pid, parent: Option<Pid>) -> Option<ProcessDump> {
    let mut tids = procfs::threads(pid).ok()?;
    tids.sort_unstable_by_key(|tid| (tid.0 != pid.0, *tid));
    let command = procfs::command_line(pid);
    let mut target = Target::open(pid);
    let mut listed = Vec::new();
    let mut gils = Vec::new();
    if let Ok(target) = &mut target {
        listed = target.threads().unwrap_or_default();
        gils = target
            .gils()
            .unwrap_or_default()
            .iter()
            .map(|gil| gil.start.0..gil.end.0)
            .collect();
    }
    let threads = tids
        .into_iter()
        .filter_map(|tid| dump_thread(pid, tid, target.as_mut().ok(), &listed, &gils))
        .collect();
    Some(ProcessDump {
        pid,
        parent,
        name: process_name(&command),
        command,
        runtime: target.map(|target| target.runtime().implementation.clone()),
        threads,
    })
}

fn dump_thread(
    pid: Pid,
    tid: Tid,
    target: Option<&mut Target>,
    listed: &[PythonThread],
    gils: &[Range<u64>],
) -> Option<ThreadDump> {
    let mut scheduler = ThreadScheduler::open(pid, tid).ok()?;
    let inner = procfs::read_process(pid, &format!("task/{}/status", tid.0))
        .ok()
        .and_then(|bytes| procfs::parse_ns_ids(&bytes, "NSpid").last().copied())
        .map_or(tid, Tid);
    let is_main = tid.0 == pid.0;
    let python = listed
        .iter()
        .filter(|thread| thread.tid == inner)
        .min_by_key(|thread| thread.interpreter);
    let name = match python {
        Some(PythonThread {
            name: Some(name), ..
        }) => name.clone(),
        Some(_) if is_main => "MainThread".into(),
        _ => procfs::thread_name(pid, tid)?,
    };
    let mut thread = ThreadDump {
        tid,
        name,
        is_main,
        state: State::new(StateKind::Unknown, false),
        frames: None,
        truncated: false,
    };
    let (Some(python), Some(target)) = (python, target) else {
        thread.state = State::new(scheduler.kind(gils).ok()?, false);
        return Some(thread);
    };
    let mut cursor = ThreadCursor::new(python);
    let mut snapshot = StackSnapshot::default();
    for attempt in 1..=TRIES {
        let before = scheduler.read().ok()?;
        let kind = scheduler.kind(gils).ok()?;
        let read = target.sample(&mut cursor, &mut snapshot);
        let after = scheduler.read().ok()?;
        thread.state = State::new(kind, read.is_ok() && snapshot.holds_gil);
        thread.truncated = snapshot.truncated;
        thread.frames = Some(read.map(|()| frames(target, &snapshot)));
        let consistent = kind == StateKind::OnCpu || before.switches == after.switches;
        if read_ok(&thread) && consistent {
            break;
        }
        std::thread::sleep(Duration::from_micros(u64::from(attempt) * 20));
    }
    Some(thread)
}

fn read_ok(thread: &ThreadDump) -> bool {
    matches!(thread.frames, Some(Ok(_)))
}

fn frames(target: &Target, snapshot: &StackSnapshot) -> Vec<DumpFrame> {
    snapshot
        .frames
        .iter()
        .filter_map(|frame| {
            let code = target.resolve(frame.code)?;
            Some(DumpFrame {
                name: code.name.clone(),
                qualified_name: code.qualified_name.clone(),
                file: code.filename.clone(),
                line: code.line(frame.offset),
            })
        })
        .collect()
}
