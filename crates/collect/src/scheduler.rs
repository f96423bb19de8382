//! What the kernel's scheduler says about one thread.
//!
//! A thread's state comes from two files. `schedstat` counts how often the thread was put on a CPU:
//! while a sleeper's count stands still it sleeps on, and nothing else needs to be read. `syscall`
//! says whether the thread runs or in which call it sleeps; a `futex` whose word lies inside the
//! interpreter's GIL structure is a wait for the GIL, exactly.

use std::ops::Range;

use rustix::io::Errno;
use sondage_model::{Nanos, Pid, StateKind, Tid};

use crate::procfs::{
    ProcFile, SchedStat, SyscallLine, parse_sched_stat, parse_stat, parse_syscall,
};

/// The thread is gone, or its files cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the kernel's files about the thread cannot be read: {0}")]
pub struct ThreadGone(pub Errno);

/// The files of one thread, and what they said last.
#[derive(Debug)]
pub struct ThreadScheduler {
    pid: Pid,
    tid: Tid,
    sched: ProcFile,
    /// Absent where the kernel does not show it to us.
    syscall: Option<ProcFile>,
    stat: Option<ProcFile>,
    last: SchedStat,
    /// Whether it was asleep when `last` was read.
    asleep: bool,
    ledger: Ledger,
}

impl ThreadScheduler {
    /// Opens a thread's files.
    pub fn open(pid: Pid, tid: Tid) -> Result<ThreadScheduler, ThreadGone> {
        let file = |name: &str| {
            ProcFile::open(format!("/proc/{}/task/{}/{name}", pid.0, tid.0)).map_err(ThreadGone)
        };
        let mut scheduler = ThreadScheduler {
            pid,
            tid,
            sched: file("schedstat")?,
            syscall: file("syscall").ok(),
            stat: None,
            last: SchedStat::default(),
            asleep: false,
            ledger: Ledger::default(),
        };
        scheduler.last = scheduler.read()?;
        Ok(scheduler)
    }

    /// The figures of the last [`accept`](Self::accept), or at the opening.
    #[must_use]
    pub fn last(&self) -> SchedStat {
        self.last
    }

    /// The figures now. Changes nothing.
    pub fn read(&self) -> Result<SchedStat, ThreadGone> {
        let mut buf = [0; 64];
        let bytes = self.sched.read(&mut buf).map_err(ThreadGone)?;
        parse_sched_stat(bytes).ok_or(ThreadGone(Errno::INVAL))
    }

    /// Whether the thread was asleep at the last look.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// Whether the thread was asleep at the last look and has not run since.
    #[must_use]
    pub fn slept_on(&self, now: SchedStat) -> bool {
        self.asleep && now.switches == self.last.switches && now.run == self.last.run
    }

    /// What the thread is doing. [`StateKind::OnCpu`] stands for "ready to run" here: the kernel
    /// shows a thread on a CPU and one waiting for it alike; see [`accept`](Self::accept).
    ///
    /// `gil` are the addresses of the GIL structures of the process.
    pub fn kind(&mut self, gil: &[Range<u64>]) -> Result<StateKind, ThreadGone> {
        let line = match &self.syscall {
            Some(file) => {
                let mut buf = [0; 256];
                match file.read(&mut buf) {
                    Ok(bytes) => parse_syscall(bytes),
                    Err(Errno::SRCH) => return Err(ThreadGone(Errno::SRCH)),
                    Err(_) => {
                        // No permission, or not in this kernel: it will not get better.
                        self.syscall = None;
                        None
                    }
                }
            }
            None => None,
        };
        match line {
            Some(SyscallLine::Running) => Ok(StateKind::OnCpu),
            Some(SyscallLine::Blocked { number, argument }) => {
                if number == libc::SYS_futex && gil.iter().any(|range| range.contains(&argument)) {
                    Ok(StateKind::GilWait)
                } else if sleeps_interruptibly(number) {
                    Ok(StateKind::Blocked)
                } else {
                    self.letter()
                }
            }
            Some(SyscallLine::Outside) | None => self.letter(),
        }
    }

    /// Takes over the figures read around a sample that stands for `weight`, and tells a thread on a
    /// CPU from one that waits for it, so that the sums over time agree with the kernel's: see
    /// [`Ledger`].
    ///
    /// `proved` says that a sleeper did not run while it was looked at; only then can it be
    /// [`slept_on`](Self::slept_on) later.
    pub fn accept(
        &mut self,
        now: SchedStat,
        kind: StateKind,
        weight: Nanos,
        proved: bool,
    ) -> StateKind {
        let ran = now.run.saturating_sub(self.last.run);
        let waited = now.run_delay.saturating_sub(self.last.run_delay);
        self.ledger.add(ran, waited);
        self.last = now;
        self.asleep = proved && kind != StateKind::OnCpu;
        if kind == StateKind::OnCpu {
            self.ledger.pay(weight)
        } else {
            kind
        }
    }

    /// The state's letter, for what `syscall` does not tell.
    fn letter(&mut self) -> Result<StateKind, ThreadGone> {
        if self.stat.is_none() {
            let path = format!("/proc/{}/task/{}/stat", self.pid.0, self.tid.0);
            self.stat = Some(ProcFile::open(path).map_err(ThreadGone)?);
        }
        let Some(file) = &self.stat else {
            return Ok(StateKind::Unknown);
        };
        let mut buf = [0; 1024];
        let bytes = file.read(&mut buf).map_err(ThreadGone)?;
        let stat = parse_stat(bytes).ok_or(ThreadGone(Errno::INVAL))?;
        match stat.state {
            b'R' => Ok(StateKind::OnCpu),
            b'S' | b'I' | b'T' | b't' | b'P' | b'K' | b'W' => Ok(StateKind::Blocked),
            b'D' => Ok(StateKind::Disk),
            b'Z' | b'X' | b'x' => Err(ThreadGone(Errno::SRCH)),
            _ => Ok(StateKind::Unknown),
        }
    }
}

/// Calls that never wait for a disk: a thread asleep in one needs no second look.
fn sleeps_interruptibly(number: i64) -> bool {
    const CALLS: &[i64] = &[
        libc::SYS_futex,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_epoll_pwait,
        libc::SYS_pselect6,
        libc::SYS_ppoll,
        libc::SYS_wait4,
        libc::SYS_waitid,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_connect,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_rt_sigtimedwait,
        libc::SYS_rt_sigsuspend,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_pause,
    ];
    CALLS.contains(&number)
}

/// Time on a CPU and waiting for one that the kernel has reported and no sample stands for yet.
///
/// The kernel shows a thread on a CPU and one waiting for it alike, but counts both times exactly:
/// the first at each timer tick, the second when a wait ends. A sample of a thread that is ready to
/// run is put where the kernel has reported more than the samples tell, time on a CPU first. Either
/// side goes below zero while the kernel's report is still to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    on_cpu: i64,
    waiting: i64,
    /// Time that samples stood for since the kernel last reported any time on a CPU.
    silent: i64,
}

/// A running thread's time on a CPU is reported at least this often: the timer tick is 10 ms at
/// most, and a sample may fall just before it.
const LONGEST_TICK: i64 = 12_000_000;

impl Ledger {
    /// The kernel reports that the thread has run and waited so much longer.
    pub fn add(&mut self, ran: Nanos, waited: Nanos) {
        self.on_cpu = self.on_cpu.saturating_add(signed(ran));
        self.waiting = self.waiting.saturating_add(signed(waited));
        if ran > Nanos::ZERO {
            self.silent = 0;
        }
    }

    /// What a sample of this weight stands for: [`StateKind::OnCpu`] or [`StateKind::Runnable`].
    pub fn pay(&mut self, weight: Nanos) -> StateKind {
        let weight = signed(weight);
        let enough = (weight / 2).max(1);
        let on_cpu = self.on_cpu >= enough
            || self.waiting < enough && self.silent.saturating_add(weight) <= LONGEST_TICK;
        self.silent = self.silent.saturating_add(weight);
        if on_cpu {
            self.on_cpu = self.on_cpu.saturating_sub(weight);
            StateKind::OnCpu
        } else {
            self.waiting = self.waiting.saturating_sub(weight);
            StateKind::Runnable
        }
    }
}

fn signed(time: Nanos) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs;

    const MS: u64 = 1_000_000;

    /// Samples each millisecond of a thread that runs and waits in turn, as the kernel reports it:
    /// time on a CPU at each tick of 4 ms and when the thread is taken off, waits at their end.
    fn sampled(turns: &[(u64, u64)]) -> (u64, u64) {
        let mut ledger = Ledger::default();
        let (mut on_cpu, mut waiting) = (0, 0);
        let mut count = |kind| match kind {
            StateKind::OnCpu => on_cpu += 1,
            _ => waiting += 1,
        };
        for &(run, wait) in turns {
            for ms in 1..=run {
                let reported = if ms % 4 == 0 {
                    4
                } else if ms == run {
                    run % 4
                } else {
                    0
                };
                ledger.add(Nanos(reported * MS), Nanos::ZERO);
                count(ledger.pay(Nanos(MS)));
            }
            for ms in 1..=wait {
                count(ledger.pay(Nanos(MS)));
                if ms == wait {
                    ledger.add(Nanos::ZERO, Nanos(wait * MS));
                }
            }
        }
        (on_cpu, waiting)
    }

    #[test]
    fn a_thread_that_only_runs_never_waits() {
        assert_eq!(sampled(&[(1000, 0)]), (1000, 0));
    }

    #[test]
    fn sums_agree_with_the_kernels() {
        for turn in [(13, 7), (3, 20), (40, 5), (1, 1), (100, 300)] {
            let turns = vec![turn; 50];
            let (on_cpu, waiting) = sampled(&turns);
            let (ran, waited) = (50 * turn.0, 50 * turn.1);
            let off = i64::abs(on_cpu as i64 - ran as i64);
            assert!(
                off <= 16,
                "{turn:?}: {on_cpu} of {ran}, {waiting} of {waited}"
            );
        }
    }

    #[test]
    fn a_long_wait_is_seen_before_it_ends() {
        let mut ledger = Ledger::default();
        ledger.add(Nanos(4 * MS), Nanos::ZERO);
        let kinds: Vec<_> = (0..40).map(|_| ledger.pay(Nanos(MS))).collect();
        assert!(kinds[20..].iter().all(|&kind| kind == StateKind::Runnable));
    }

    #[test]
    fn waits_between_the_samples_do_not_eat_the_time_on_a_cpu() {
        // Every other millisecond asleep, with a wait for a CPU that no sample fell into.
        let mut ledger = Ledger::default();
        let mut on_cpu = 0;
        for _ in 0..1000 {
            ledger.add(Nanos(MS), Nanos(MS));
            if ledger.pay(Nanos(MS)) == StateKind::OnCpu {
                on_cpu += 1;
            }
        }
        assert_eq!(on_cpu, 1000);
    }

    #[test]
    fn our_own_threads() {
        let pid = Pid(std::process::id() as i32);
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let sleeper = std::thread::spawn(move || {
            tell.send(Tid(rustix::thread::gettid().as_raw_pid()))
                .unwrap();
            let _ = receive.recv();
        });
        let tid = told.recv().unwrap();
        let mut scheduler = ThreadScheduler::open(pid, tid).unwrap();
        // It goes to sleep soon; wait until the kernel says so.
        while scheduler.kind(&[]).unwrap() != StateKind::Blocked {
            std::thread::yield_now();
        }
        let seen = scheduler.read().unwrap();
        assert_eq!(
            scheduler.accept(seen, StateKind::Blocked, Nanos(1), true),
            StateKind::Blocked
        );
        assert!(scheduler.slept_on(scheduler.read().unwrap()));
        // Everything counts as the GIL: a futex wait then is a wait for it.
        let anywhere = std::slice::from_ref(&(0..u64::MAX));
        assert_eq!(scheduler.kind(anywhere).unwrap(), StateKind::GilWait);
        drop(send);
        sleeper.join().unwrap();
        while procfs::threads(pid).unwrap().contains(&tid) {
            std::thread::yield_now();
        }
        assert_eq!(scheduler.read(), Err(ThreadGone(Errno::SRCH)));

        let us = Tid(rustix::thread::gettid().as_raw_pid());
        let mut ours = ThreadScheduler::open(pid, us).unwrap();
        assert_eq!(ours.kind(&[]).unwrap(), StateKind::OnCpu);
    }
}
