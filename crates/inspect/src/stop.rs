//! Stopping one running thread for the time of one sample: the last resort for a thread whose
//! stack cannot be read otherwise.
//!
//! Only a thread that is on a CPU is stopped. One that sleeps holds still by itself, and waking it
//! could make its system call fail with `EINTR` (`epoll_wait` and others do not restart).

use crate::error::Reject;
use crate::memory::RemoteMemory;
use crate::sample::{StackSnapshot, ThreadCursor};
use crate::target::Target;
use sondage_model::{Pid, Tid};

impl Target<RemoteMemory> {
    /// Like [`sample`](Target::sample), but a thread that runs is stopped meanwhile, as a rule for
    /// some tens of microseconds. Counted in [`Counters::stops`](crate::Counters). No other thread
    /// is touched.
    ///
    /// # Errors
    /// As [`sample`](Target::sample).
    pub fn stop_and_sample(
        &mut self,
        cursor: &mut ThreadCursor,
        out: &mut StackSnapshot,
    ) -> Result<(), Reject> {
        if !is_running(self.pid(), cursor.tid()) {
            return self.sample(cursor, out);
        }
        let Some(_stopped) = Stopped::stop(cursor.tid()) else {
            return self.sample(cursor, out);
        };
        self.counters.stops += 1;
        self.sample_still(cursor, out)
    }
}

/// Whether the thread is in user code, not in a system call.
fn is_running(pid: Pid, tid: Tid) -> bool {
    std::fs::read(format!("/proc/{}/task/{}/syscall", pid.0, tid.0))
        .is_ok_and(|text| text.starts_with(b"running"))
}

/// A thread that is stopped, until this is dropped.
struct Stopped {
    tid: libc::pid_t,
    /// A signal that was on its way to the thread when we stopped it.
    signal: libc::c_int,
}

impl Stopped {
    fn stop(tid: Tid) -> Option<Stopped> {
        let tid = tid.0;
        // SAFETY: PTRACE_SEIZE takes no address and no data; it fails without effect when we may
        // not trace the thread or it is gone.
        if unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, 0, 0) } != 0 {
            return None;
        }
        // SAFETY: the thread is our tracee now; PTRACE_INTERRUPT takes no address and no data.
        unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, tid, 0, 0) };
        let mut status = 0;
        loop {
            // SAFETY: `status` is a valid place for the answer. A tracee answers PTRACE_INTERRUPT
            // with a stop, or dies, which ends the wait too.
            let got = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) };
            if got == tid {
                break;
            }
            if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return None;
            }
        }
        if !libc::WIFSTOPPED(status) {
            return None;
        }
        // The stop we asked for says so in the upper bits; any other is a signal to be delivered,
        // which we hand on when we let go.
        let asked_for = status >> 16 == libc::PTRACE_EVENT_STOP;
        Some(Stopped {
            tid,
            signal: if asked_for { 0 } else { libc::WSTOPSIG(status) },
        })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // SAFETY: the thread is our tracee and stopped; PTRACE_DETACH takes the signal to deliver
        // as its data and lets the thread run on.
        unsafe {
            libc::ptrace(
                libc::PTRACE_DETACH,
                self.tid,
                0,
                libc::c_long::from(self.signal),
            );
        }
    }
}
