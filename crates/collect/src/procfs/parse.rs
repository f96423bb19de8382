//! Bytes of `/proc` files to figures. No input makes these panic; what cannot be understood is `None`.

use sondage_model::{Nanos, Pid};

/// `/proc/PID/task/TID/schedstat`: totals of a thread since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SchedStat {
    /// Time on a CPU. The kernel brings it up to date at its ticks and when the thread leaves the CPU.
    pub run: Nanos,
    /// Time spent ready to run but kept waiting for a CPU, counted when a wait ends.
    pub run_delay: Nanos,
    /// How many times it was put on a CPU. A thread that was asleep and whose count did not move
    /// has not run since.
    pub switches: u64,
}

/// `/proc/PID/task/TID/syscall`: what the kernel is doing for a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyscallLine {
    /// On a CPU, or ready to be.
    Running,
    /// Asleep in a system call: its number and first argument.
    Blocked {
        /// The architecture's number of the call.
        number: i64,
        /// Its first argument.
        argument: u64,
    },
    /// Asleep, but not in a system call: a page fault, as a rule.
    Outside,
}

/// `/proc/PID/stat`: figures of a process (of its whole thread group, where that makes sense).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// Name of the program file, at most 15 bytes.
    pub name: String,
    /// The scheduler's letter: `R`, `S`, `D`, `Z`, …
    pub state: u8,
    /// Its parent.
    pub parent: Pid,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// CPU time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// CPU time in the kernel, in clock ticks.
    pub system_ticks: u64,
    /// Number of threads.
    pub threads: u64,
    /// When it started, in clock ticks since boot. With the pid, names one life of a process.
    pub start_ticks: u64,
    /// Where its code starts; 1 without the permission to look, 0 while it has no memory: it is
    /// exiting, or inside `exec`.
    pub start_code: u64,
    /// Where its stack starts; 0 without the permission to look. Another one after `exec`.
    pub start_stack: u64,
}

/// `/proc/PID/statm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statm {
    /// Size of the address space, in pages.
    pub size_pages: u64,
    /// Memory in RAM, in pages.
    pub resident_pages: u64,
}

/// `/proc/PID/io`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Io {
    /// Bytes got by `read` and its like, cached or not.
    pub read: u64,
    /// Bytes given to `write` and its like.
    pub written: u64,
}

/// The context switches in `/proc/PID/task/TID/status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Switches {
    /// The thread gave up the CPU.
    pub voluntary: u64,
    /// The CPU was taken from it.
    pub involuntary: u64,
}

/// The last two fields of `/proc/loadavg`: they move when any thread or process is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LastPid {
    /// Threads in the system.
    pub threads: u64,
    /// The number given out last.
    pub last: u64,
}

/// Unsigned decimal numbers, and what lies between them left out.
struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = u64;
    fn next(&mut self) -> Option<u64> {
        let start = self.0.iter().position(u8::is_ascii_digit)?;
        let rest = &self.0[start..];
        let len = rest
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(rest.len());
        let value = decimal(&rest[..len]);
        self.0 = &rest[len..];
        Some(value)
    }
}

/// Wraps on overflow: the kernel prints nothing that does not fit.
fn decimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |n, d| {
        n.wrapping_mul(10).wrapping_add(u64::from(d - b'0'))
    })
}

fn hex(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x")?;
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, d| {
        let digit = char::from(*d).to_digit(16)?;
        Some(n << 4 | u64::from(digit))
    })
}

/// Parses `schedstat`.
pub fn parse_sched_stat(bytes: &[u8]) -> Option<SchedStat> {
    let mut numbers = Numbers(bytes);
    Some(SchedStat {
        run: Nanos(numbers.next()?),
        run_delay: Nanos(numbers.next()?),
        switches: numbers.next()?,
    })
}

/// Parses `syscall`.
pub fn parse_syscall(bytes: &[u8]) -> Option<SyscallLine> {
    if bytes.starts_with(b"running") {
        return Some(SyscallLine::Running);
    }
    let mut words = bytes.split(|b| b.is_ascii_whitespace());
    let number = words.next()?;
    if number.first() == Some(&b'-') {
        return Some(SyscallLine::Outside);
    }
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(SyscallLine::Blocked {
        number: i64::try_from(decimal(number)).ok()?,
        argument: hex(words.next()?)?,
    })
}

/// Parses `/proc/PID/stat` (or a thread's).
pub fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    // The name stands in parentheses and may itself hold spaces and parentheses.
    let open = bytes.iter().position(|&b| b == b'(')?;
    let close = bytes.iter().rposition(|&b| b == b')')?;
    let name = bytes.get(open + 1..close)?;
    let mut words = bytes
        .get(close + 1..)?
        .split(|b| b.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    let state = *words.next()?.first()?;
    // proc_pid_stat(5) counts from 1; the state is field 3.
    let fields: Vec<u64> = words
        .map(|word| {
            if word.iter().all(u8::is_ascii_digit) {
                decimal(word)
            } else {
                0
            }
        })
        .collect();
    let field = |number: usize| fields.get(number - 4).copied();
    Some(Stat {
        name: String::from_utf8_lossy(name).into_owned(),
        state,
        parent: Pid(i32::try_from(field(4)?).ok()?),
        minor_faults: field(10)?,
        major_faults: field(12)?,
        user_ticks: field(14)?,
        system_ticks: field(15)?,
        threads: field(20)?,
        start_ticks: field(22)?,
        start_code: field(26)?,
        start_stack: field(28)?,
    })
}

/// Parses `statm`.
pub fn parse_statm(bytes: &[u8]) -> Option<Statm> {
    let mut numbers = Numbers(bytes);
    Some(Statm {
        size_pages: numbers.next()?,
        resident_pages: numbers.next()?,
    })
}

fn value_of(bytes: &[u8], key: &[u8]) -> Option<u64> {
    let line = bytes
        .split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(key))?;
    Numbers(line).next()
}

/// Parses `io`.
pub fn parse_io(bytes: &[u8]) -> Option<Io> {
    Some(Io {
        read: value_of(bytes, b"rchar:")?,
        written: value_of(bytes, b"wchar:")?,
    })
}

/// Parses the context switches out of `status`.
pub fn parse_switches(bytes: &[u8]) -> Option<Switches> {
    Some(Switches {
        voluntary: value_of(bytes, b"voluntary_ctxt_switches:")?,
        involuntary: value_of(bytes, b"nonvoluntary_ctxt_switches:")?,
    })
}

/// The numbers of a process or thread in `status`, from our pid namespace inwards.
///
/// `key` is `NStgid` or `NSpid`.
pub fn parse_ns_ids(bytes: &[u8], key: &str) -> Vec<i32> {
    bytes
        .split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"))
        .map(|line| {
            Numbers(line)
                .filter_map(|n| i32::try_from(n).ok())
                .collect()
        })
        .unwrap_or_default()
}

/// Parses `children`: pids separated by spaces.
pub fn parse_children(bytes: &[u8]) -> Vec<Pid> {
    Numbers(bytes)
        .filter_map(|n| i32::try_from(n).ok())
        .map(Pid)
        .collect()
}

/// Parses the end of `/proc/loadavg`.
pub fn parse_last_pid(bytes: &[u8]) -> Option<LastPid> {
    let slash = bytes.iter().position(|&b| b == b'/')?;
    let mut numbers = Numbers(&bytes[slash..]);
    Some(LastPid {
        threads: numbers.next()?,
        last: numbers.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_can_have_any_name() {
        let line = b"42 (a) R (b\n) S 7 42 42 0 -1 4194560 11 0 12 0 13 14 0 0 20 0 3 0 \
            99 1000 200 18446744073709551615 4096 8192 123456 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0";
        let stat = parse_stat(line).expect("a whole line");
        assert_eq!(
            stat,
            Stat {
                name: "a) R (b\n".into(),
                state: b'S',
                parent: Pid(7),
                minor_faults: 11,
                major_faults: 12,
                user_ticks: 13,
                system_ticks: 14,
                threads: 3,
                start_ticks: 99,
                start_code: 4096,
                start_stack: 123_456,
            }
        );
    }

    #[test]
    fn what_a_thread_waits_for() {
        assert_eq!(parse_syscall(b"running\n"), Some(SyscallLine::Running));
        assert_eq!(
            parse_syscall(b"-1 0x7ffd 0x7f00\n"),
            Some(SyscallLine::Outside)
        );
        assert_eq!(
            parse_syscall(b"202 0x55d0c0ffee10 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f00\n"),
            Some(SyscallLine::Blocked {
                number: 202,
                argument: 0x55d0_c0ff_ee10
            })
        );
        assert_eq!(parse_syscall(b""), None);
        assert_eq!(parse_syscall(b"202"), None);
        assert_eq!(parse_syscall(b"202 zz"), None);
    }

    #[test]
    fn the_other_files() {
        assert_eq!(
            parse_sched_stat(b"12345 678 9\n"),
            Some(SchedStat {
                run: Nanos(12345),
                run_delay: Nanos(678),
                switches: 9
            })
        );
        assert_eq!(parse_sched_stat(b"12345 678\n"), None);
        assert_eq!(
            parse_io(b"rchar: 5\nwchar: 6\nsyscr: 1\n"),
            Some(Io {
                read: 5,
                written: 6
            })
        );
        let status = b"Name:\tx\nNStgid:\t90\t7\nNSpid:\t91\t8\n\
            voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(parse_ns_ids(status, "NSpid"), vec![91, 8]);
        assert_eq!(
            parse_switches(status),
            Some(Switches {
                voluntary: 3,
                involuntary: 4
            })
        );
        assert_eq!(parse_children(b"12 34 \n"), vec![Pid(12), Pid(34)]);
        assert_eq!(
            parse_last_pid(b"1.02 0.92 0.46 2/101 12021\n"),
            Some(LastPid {
                threads: 101,
                last: 12021
            })
        );
    }

    #[test]
    fn our_own_files_are_understood() {
        let stat = parse_stat(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        assert!(stat.threads >= 1 && stat.start_ticks > 0 && stat.start_stack > 0);
        assert!(
            parse_statm(&std::fs::read("/proc/self/statm").unwrap())
                .unwrap()
                .resident_pages
                > 0
        );
        assert!(parse_sched_stat(&std::fs::read("/proc/thread-self/schedstat").unwrap()).is_some());
        assert!(
            parse_last_pid(&std::fs::read("/proc/loadavg").unwrap())
                .unwrap()
                .last
                > 0
        );
    }

    #[test]
    fn no_bytes_make_them_panic() {
        let seeds: [&[u8]; 6] = [
            b"1 (x) R 1 1",
            b")(",
            b"(",
            b"99999999999999999999999999999999 0xfffffffffffffffff",
            b"NSpid:\xff\xff",
            b"/",
        ];
        for seed in seeds {
            for end in 0..=seed.len() {
                let bytes = &seed[..end];
                parse_stat(bytes);
                parse_syscall(bytes);
                parse_sched_stat(bytes);
                parse_statm(bytes);
                parse_io(bytes);
                parse_switches(bytes);
                parse_ns_ids(bytes, "NSpid");
                parse_children(bytes);
                parse_last_pid(bytes);
            }
        }
    }
}
