//! The thread that empties arenas.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Pid as RawPid, PidfdFlags, pidfd_open};
use sondage_model::{MessageLevel, MessageRow, MonoTime, Pid, Time};
use sondage_wire::{Mode, Take};

use super::clock::Moment;
use super::feed::{Found, Program};
use super::find;
use super::listen::{Call, Listener};
use super::mapping::{Identity, MappingError, Tap, identity};
use super::rows::{Def, ProgramBatch, Rows, Tables};
use crate::life::{ImageKey, Life};
use crate::procfs::{self, parse_ns_ids};

/// How often arenas are emptied.
const PERIOD: u64 = 20_000_000;
/// Not oftener than this, however fast they fill.
const SHORTEST: u64 = 1_000_000;
/// Emptied oftener when more than one part in this many was filled since the last time.
const FILL_SHARE: u64 = 16;
/// How long to sleep while there is no arena.
const IDLE: u64 = 100_000_000;
/// How often rows are handed on, unless there are many.
const HAND_OVER: u64 = 100_000_000;
/// Rows that are handed on at once.
const MANY_ROWS: usize = 1 << 15;
/// Arenas that are emptied at a time.
const MOST_ARENAS: usize = 1024;
/// First wait before a process is searched again for an arena, and the longest.
const SEARCH_FIRST: u64 = 50_000_000;
const SEARCH_LATEST: u64 = 5_000_000_000;
/// How often it is checked that a process still runs the same program.
const CHECK_EVERY: u64 = 500_000_000;
/// Polls of an arena whose program has ended: each finds what the one before had to leave.
const MOST_LAST_POLLS: usize = 64;

/// Whose events are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// This process alone.
    One(Pid),
    /// This process and all that it started.
    Family(Pid),
    /// Every process of this user that calls.
    Anyone,
}

/// What the thread shares with the others.
#[derive(Debug)]
pub struct DrainShared {
    /// Set to end it.
    stop: AtomicBool,
    /// Wakes it.
    wake: OwnedFd,
    /// The processes that are being recorded.
    pids: Mutex<Vec<Pid>>,
    /// Events taken so far.
    pub events: AtomicU64,
    /// Programs that were connected so far.
    pub programs: AtomicU64,
}

impl DrainShared {
    /// For a thread that is about to start.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn new() -> Result<DrainShared, rustix::io::Errno> {
        Ok(DrainShared {
            stop: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            pids: Mutex::default(),
            events: AtomicU64::new(0),
            programs: AtomicU64::new(0),
        })
    }

    /// Ends the thread: it takes what there is, and goes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        // A counter that is full wakes, too.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Says which processes are being recorded.
    pub fn set_pids(&self, pids: impl Iterator<Item = Pid>) {
        let mut known = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        known.extend(pids);
    }

    fn pids(&self) -> Vec<Pid> {
        let known = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// The thread's state.
pub struct Drain {
    listener: Option<Listener>,
    scope: Scope,
    /// Start of the recording.
    origin: MonoTime,
    shared: Arc<DrainShared>,
    out: SyncSender<ProgramBatch>,
    tables: Tables,
    rows: Rows,
    /// What could not be handed on yet.
    stuck: Option<ProgramBatch>,
    handed_over: u64,
    sources: Vec<Source>,
    searches: FxHashMap<Pid, Search>,
    /// Both clocks when it began.
    began: Moment,
    /// How long to wait for the next round.
    wait: u64,
}

/// When a process is searched for arenas.
#[derive(Clone, Copy, Debug)]
struct Search {
    at: u64,
    wait: u64,
}

/// A process whose events are taken.
struct Source {
    pid: Pid,
    key: Option<ImageKey>,
    /// Readable when it has ended; `None` when it had before we looked.
    pidfd: Option<OwnedFd>,
    program: Program,
    taps: Vec<(Tap, Line)>,
    checked_at: u64,
    has_ended: bool,
}

/// The line to a program.
enum Line {
    /// It did not call.
    None,
    Open(OwnedFd),
    /// It has hung up: it has ended, runs another program, or has closed all it had open.
    HungUp,
}

impl Drain {
    /// For a recording that began at `origin`.
    pub fn new(
        listener: Option<Listener>,
        scope: Scope,
        origin: MonoTime,
        shared: Arc<DrainShared>,
        out: SyncSender<ProgramBatch>,
    ) -> Drain {
        Drain {
            listener,
            scope,
            origin,
            shared,
            out,
            tables: Tables::default(),
            rows: Rows::default(),
            stuck: None,
            handed_over: origin.0,
            sources: Vec::new(),
            searches: FxHashMap::default(),
            began: Moment::now(),
            wait: 0,
        }
    }

    /// Takes events until it is told to stop.
    pub fn run(mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.sleep();
            self.round();
        }
        self.finish();
    }

    /// Waits for the next round, or until somebody calls or ends.
    fn sleep(&mut self) {
        let mut files: Vec<BorrowedFd<'_>> = vec![self.shared.wake.as_fd()];
        files.extend(self.listener.iter().flat_map(Listener::files));
        for source in &self.sources {
            files.extend(source.pidfd.as_ref().map(AsFd::as_fd));
        }
        let mut polled: Vec<PollFd<'_>> = files
            .into_iter()
            .map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN))
            .collect();
        for source in &self.sources {
            for (_, line) in &source.taps {
                if let Line::Open(line) = line {
                    polled.push(PollFd::from_borrowed_fd(line.as_fd(), PollFlags::RDHUP));
                }
            }
        }
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: self.wait as i64,
        };
        // Interrupted or not: everything is looked at.
        let _ = poll(&mut polled, Some(&wait));
    }

    fn round(&mut self) {
        let now = Moment::now();
        self.take_calls(now);
        self.search(now);
        self.check_lives(now);
        self.hand_over(now.mono_nanos, false);
        if self.stuck.is_some() {
            // Nobody takes the rows: let the programs drop and count, but know that we are here.
            for (tap, _) in self.sources.iter().flat_map(|source| &source.taps) {
                tap.arena().visit(now.mono_nanos);
            }
            self.wait = PERIOD;
            return;
        }
        let share = self.poll_all(now);
        self.hand_over(now.mono_nanos, false);
        self.wait = match self.sources.is_empty() {
            true => IDLE,
            // As long as fills the share that is meant, at the speed of the last time.
            false => (PERIOD as f64 / (share * FILL_SHARE as f64).max(1.0)) as u64,
        }
        .max(SHORTEST);
    }

    /// Empties all arenas. Returns which part of the fullest was filled.
    fn poll_all(&mut self, now: Moment) -> f64 {
        let mut share: f64 = 0.0;
        let Drain {
            sources,
            tables,
            rows,
            shared,
            ..
        } = self;
        for source in sources.iter_mut() {
            let mut events = 0;
            for (tap, _) in &mut source.taps {
                let found = poll_tap(tap, now, &mut source.program, tables, rows);
                // An event has 16 bytes or so.
                share = share.max(found.events as f64 * 16.0 / tap.bytes() as f64);
                events += found.events;
            }
            shared.events.fetch_add(events, Ordering::Relaxed);
            source.program.settle(now.mono_nanos, tables, rows);
        }
        share
    }

    // ---- who is there ----

    fn take_calls(&mut self, now: Moment) {
        let Some(listener) = &mut self.listener else {
            return;
        };
        for call in listener.calls(MonoTime(now.mono_nanos)) {
            let Call {
                caller,
                file,
                bytes,
            } = call;
            let admitted = self.admits(caller.pid, caller.uid);
            let accepted = admitted && self.connect(caller.pid, file, Some(bytes), now);
            caller.answer(accepted);
            if accepted {
                self.keep_line(caller.pid, caller.line);
            }
        }
    }

    /// Whether a process may put its events into this recording.
    fn admits(&self, pid: Pid, uid: u32) -> bool {
        let own = rustix::process::geteuid();
        let is_family = |root: Pid, with_children: bool| {
            pid == root || with_children && is_descendant(pid, root)
        };
        match self.scope {
            Scope::Anyone => uid == own.as_raw(),
            // Of another user only with root's rights, and if we started it.
            Scope::One(root) => (uid == own.as_raw() || own.is_root()) && is_family(root, false),
            Scope::Family(root) => uid == own.as_raw() || own.is_root() && is_family(root, true),
        }
    }

    /// Begins to take the events of an arena.
    fn connect(&mut self, pid: Pid, file: OwnedFd, told: Option<u64>, now: Moment) -> bool {
        let taps: usize = self.sources.iter().map(|source| source.taps.len()).sum();
        if taps >= MOST_ARENAS {
            return false;
        }
        match Tap::open(file, told) {
            Ok(tap) => {
                self.add_tap(pid, tap, now);
                true
            }
            Err(error) => {
                self.tell_refusal(pid, &error, now);
                false
            }
        }
    }

    fn add_tap(&mut self, pid: Pid, mut tap: Tap, now: Moment) {
        tap.feed.add_moment(self.began);
        tap.arena().visit(now.mono_nanos);
        tap.arena().set_mode(Mode::Collected);
        let raw = RawPid::from_raw(pid.0);
        let pidfd = raw.and_then(|raw| pidfd_open(raw, PidfdFlags::empty()).ok());
        let key = ImageKey::of(pid);
        let known = self.sources.iter_mut().find(|source| {
            source.pid == pid && !source.has_ended && (source.key == key || key.is_none())
        });
        if let Some(source) = known {
            source.taps.push((tap, Line::None));
            return;
        }
        self.shared.programs.fetch_add(1, Ordering::Relaxed);
        let number = self.tables.add(Def::Process {
            pid,
            key: key.clone(),
            seen: MonoTime(now.mono_nanos),
        });
        self.sources.push(Source {
            pid,
            key,
            pidfd,
            program: Program::new(number, self.origin.0),
            taps: vec![(tap, Line::None)],
            checked_at: now.mono_nanos,
            has_ended: false,
        });
    }

    fn keep_line(&mut self, pid: Pid, line: OwnedFd) {
        let source = self
            .sources
            .iter_mut()
            .rev()
            .find(|source| source.pid == pid);
        if let Some((_, place)) = source.and_then(|source| source.taps.last_mut()) {
            *place = Line::Open(line);
        }
    }

    fn tell_refusal(&mut self, pid: Pid, error: &MappingError, now: Moment) {
        let time = Time(now.mono_nanos.saturating_sub(self.origin.0));
        self.rows.messages.push(MessageRow {
            time,
            level: MessageLevel::Warning,
            process: None,
            text: format!("process {}: {error}", pid.0),
        });
    }

    /// Looks for arenas of processes that did not call.
    fn search(&mut self, now: Moment) {
        let mut pids = self.shared.pids();
        if let Scope::One(root) | Scope::Family(root) = self.scope
            && !pids.contains(&root)
        {
            pids.push(root);
        }
        let mono = now.mono_nanos;
        self.searches.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            let search = self.searches.entry(pid).or_insert(Search {
                at: mono,
                wait: SEARCH_FIRST,
            });
            if mono < search.at {
                continue;
            }
            search.at = mono + search.wait;
            search.wait = (search.wait * 2).min(SEARCH_LATEST);
            self.search_one(pid, now);
        }
    }

    fn search_one(&mut self, pid: Pid, now: Moment) {
        let known: Vec<Identity> = self
            .sources
            .iter()
            .flat_map(|source| source.taps.iter().map(|(tap, _)| tap.identity))
            .collect();
        for file in find::arenas(pid) {
            if identity(&file).is_none_or(|identity| known.contains(&identity)) {
                continue;
            }
            match Tap::open(file, None) {
                // A forked child has its parent's arena open.
                Ok(tap) if is_number_of(tap.arena().pid(), pid) => self.add_tap(pid, tap, now),
                // Another's, or one that is being made: it is seen again next time.
                Ok(_) | Err(_) => {}
            }
        }
    }

    // ---- who has gone ----

    fn check_lives(&mut self, now: Moment) {
        for at in (0..self.sources.len()).rev() {
            if self.has_ended(at, now.mono_nanos) {
                let mut source = self.sources.swap_remove(at);
                self.end(&mut source);
            }
        }
    }

    /// Whether a process has ended, or runs another program.
    fn has_ended(&mut self, at: usize, now: u64) -> bool {
        let source = &mut self.sources[at];
        let Some(pidfd) = &source.pidfd else {
            return true;
        };
        if is_ready(pidfd, PollFlags::IN) {
            return true;
        }
        let mut hung_up = false;
        for (_, line) in &mut source.taps {
            if let Line::Open(open) = line
                && is_ready(open, PollFlags::RDHUP)
            {
                *line = Line::HungUp;
                hung_up = true;
            }
        }
        if !hung_up && now.saturating_sub(source.checked_at) < CHECK_EVERY {
            return false;
        }
        source.checked_at = now;
        let life = Life::of(source.pid);
        // Of a process whose first thread has ended, the others may live on: the descriptor knows.
        let key = source.key.as_ref().filter(|_| life != Life::Ended);
        key.is_some_and(|key| life.has_left(key))
    }

    /// Takes the last events of a process.
    fn end(&mut self, source: &mut Source) {
        source.has_ended = true;
        let now = Moment::now();
        let Drain {
            tables,
            rows,
            shared,
            ..
        } = self;
        for (tap, _) in &mut source.taps {
            for _ in 0..MOST_LAST_POLLS {
                let found = poll_tap(tap, now, &mut source.program, tables, rows);
                shared.events.fetch_add(found.events, Ordering::Relaxed);
                if found == Found::default() {
                    break;
                }
            }
            tap.feed.end(now.mono_nanos, &source.program, rows);
        }
        source.program.finish(now.mono_nanos, tables, rows);
    }

    /// The recording ends: the programs are on their own again.
    fn finish(mut self) {
        let now = Moment::now();
        // Who has called just now is heard, and who ended just now is emptied.
        self.take_calls(now);
        self.search(now);
        for mut source in std::mem::take(&mut self.sources) {
            self.end(&mut source);
            for (tap, _) in &source.taps {
                tap.arena().set_mode(Mode::Flight);
            }
        }
        self.hand_over(now.mono_nanos, true);
    }

    // ---- handing on ----

    /// Hands the rows on. At the end it waits until they are taken.
    fn hand_over(&mut self, now: u64, is_last: bool) {
        let is_due = self.rows.len() >= MANY_ROWS
            || now.saturating_sub(self.handed_over) >= HAND_OVER
            || self.tables.has_new();
        if is_last {
            // A sampler that is gone has no use for them.
            if let Some(batch) = self.stuck.take() {
                let _ = self.out.send(batch);
            }
            let last = self.take_batch();
            let _ = self.out.send(last);
            return;
        }
        if self.stuck.is_none() && is_due && (self.rows.len() > 0 || self.tables.has_new()) {
            self.handed_over = now;
            self.stuck = Some(self.take_batch());
        }
        if let Some(batch) = self.stuck.take() {
            match self.out.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch)) => self.stuck = Some(batch),
                Err(TrySendError::Disconnected(_)) => self.shared.stop(),
            }
        }
    }

    fn take_batch(&mut self) -> ProgramBatch {
        ProgramBatch {
            defs: self.tables.take(),
            rows: std::mem::take(&mut self.rows),
        }
    }
}

fn poll_tap(
    tap: &mut Tap,
    now: Moment,
    program: &mut Program,
    tables: &mut Tables,
    rows: &mut Rows,
) -> Found {
    let arena = tap.arena();
    arena.visit(now.mono_nanos);
    // After we were away for long, the program has given us up.
    if arena.mode() != Mode::Collected {
        arena.set_mode(Mode::Collected);
    }
    tap.feed.poll(Take::Collect, now, program, tables, rows)
}

/// Whether a descriptor has one of these, or its other end is gone.
fn is_ready(file: &OwnedFd, flags: PollFlags) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(file.as_fd(), flags)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// Whether `root` is among a process's ancestors.
fn is_descendant(pid: Pid, root: Pid) -> bool {
    let mut at = pid;
    for _ in 0..64 {
        match procfs::stat(at) {
            Some(stat) if stat.parent == root => return true,
            Some(stat) if stat.parent.0 > 1 => at = stat.parent,
            _ => return false,
        }
    }
    false
}

/// Whether a process calls itself by this number, in whichever namespace it is.
fn is_number_of(number: u32, pid: Pid) -> bool {
    let number = number as i32;
    if number == pid.0 {
        return true;
    }
    let status = procfs::read_process(pid, "status").unwrap_or_default();
    parse_ns_ids(&status, "NSpid").last() == Some(&number)
}
