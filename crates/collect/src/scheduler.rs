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
    delay: DelayDebt,
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
            delay: DelayDebt::default(),
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
    /// CPU from one that waits for it.
    ///
    /// The kernel counts the waits of each thread exactly, though only when a wait ends. A thread
    /// seen ready to run is said to have waited as long as that time is not yet used up, so that the
    /// sums over time agree with the kernel's.
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
        self.delay
            .add(now.run_delay.saturating_sub(self.last.run_delay));
        self.last = now;
        self.asleep = proved && kind != StateKind::OnCpu;
        if kind == StateKind::OnCpu && self.delay.pay(weight) {
            StateKind::Runnable
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

/// Time a thread has waited for a CPU that no sample stands for yet, in nanoseconds. Negative
/// when the last sample that stood for it was longer than the wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct DelayDebt(i64);

impl DelayDebt {
    /// The thread has waited so much longer.
    pub fn add(&mut self, waited: Nanos) {
        self.0 = self.0.saturating_add(signed(waited));
    }

    /// Whether a sample of this weight shall stand for waiting, which is then paid.
    pub fn pay(&mut self, weight: Nanos) -> bool {
        let weight = signed(weight);
        if weight == 0 || self.0 < weight / 2 {
            return false;
        }
        self.0 -= weight;
        true
    }
}

fn signed(time: Nanos) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs;

    #[test]
    fn waiting_for_a_cpu_adds_up_to_the_kernels_figure() {
        // 1,000 samples of 1 ms; the kernel reports waits of 7 ms after each 20 ms.
        let mut debt = DelayDebt::default();
        let (mut runnable, mut reported) = (0, 0);
        for tick in 0..1000u64 {
            if tick % 20 == 19 {
                debt.add(Nanos(7_000_000));
                reported += 7;
            }
            if debt.pay(Nanos(1_000_000)) {
                runnable += 1;
            }
        }
        assert!(i64::abs(runnable - reported) <= 7, "{runnable} {reported}");
    }

    #[test]
    fn short_waits_are_neither_lost_nor_doubled() {
        let mut debt = DelayDebt::default();
        let mut runnable = 0;
        for _ in 0..10_000 {
            debt.add(Nanos(30_000));
            if debt.pay(Nanos(1_000_000)) {
                runnable += 1;
            }
        }
        assert!((299..=301).contains(&runnable), "{runnable}");
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
        let anywhere = [0..u64::MAX];
        assert_eq!(scheduler.kind(&anywhere).unwrap(), StateKind::GilWait);
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
