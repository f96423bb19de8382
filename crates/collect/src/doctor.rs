//! What this machine permits: each ability is tried, not guessed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use sondage_inspect::{Memory, OpenError, RemoteMemory, Target};
use sondage_model::{Pid, RemoteAddr, Tid};

use crate::launch::{Child, Inherited};
use crate::procfs;

/// How well something works.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It works.
    Good,
    /// It works with less, or only for some.
    Limited,
    /// It does not work.
    Bad,
}

/// One ability and what came of trying it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// A short name that does not change: `read-child`.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// How well it works.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// The command that enables it.
    pub fix: Option<String>,
}

/// A Python found on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundPython {
    /// Its program.
    pub path: PathBuf,
    /// `CPython 3.12.1`, or why it cannot be read.
    pub runtime: Result<String, OpenError>,
}

/// What this machine permits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnosis {
    /// Kernel and architecture.
    pub system: String,
    /// Logical CPUs.
    pub cpus: u32,
    /// `docker`, `podman`, … when this is a container.
    pub container: Option<String>,
    /// The abilities, the most important first.
    pub checks: Vec<Check>,
    /// The Pythons found.
    pub pythons: Vec<FoundPython>,
}

impl Diagnosis {
    /// The one command that enables the most important thing that is missing.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        let worst = |verdict| {
            self.checks
                .iter()
                .filter(move |check| check.verdict == verdict)
                .find_map(|check| check.fix.as_deref())
        };
        worst(Verdict::Bad).or_else(|| worst(Verdict::Limited))
    }
}

/// What the kernel and the container say about rights, as found in files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Rights {
    /// `/proc/sys/kernel/yama/ptrace_scope`; absent without Yama.
    ptrace_scope: Option<u32>,
    may_trace_all: bool,
    seccomp: bool,
    container: Option<String>,
}

/// `CAP_SYS_PTRACE`, a bit of `CapEff`.
const MAY_TRACE: u64 = 1 << 19;

impl Rights {
    fn look() -> Rights {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Rights {
            ptrace_scope: std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
                .ok()
                .and_then(|text| text.trim().parse().ok()),
            may_trace_all: field(&status, "CapEff:")
                .and_then(|hex| u64::from_str_radix(hex, 16).ok())
                .is_some_and(|bits| bits & MAY_TRACE != 0),
            seccomp: field(&status, "Seccomp:").is_some_and(|mode| mode != "0"),
            container: container(),
        }
    }

    /// What to do when a process of ours cannot be read.
    fn fix_child(&self) -> String {
        match (&self.container, self.ptrace_scope) {
            (Some(name), _) => format!(
                "{} run --cap-add=SYS_PTRACE …",
                if name == "podman" { "podman" } else { "docker" }
            ),
            (None, Some(scope)) if scope >= 2 => FIX_YAMA.into(),
            (None, _) => "sudo sondage run …".into(),
        }
    }

    /// Whether any process of the same user can be read.
    fn attach(&self) -> (Verdict, String, Option<String>) {
        match self.ptrace_scope {
            _ if self.may_trace_all => (
                Verdict::Good,
                "every process: we have CAP_SYS_PTRACE".into(),
                None,
            ),
            None | Some(0) => (Verdict::Good, "processes of the same user".into(), None),
            Some(1) => (
                Verdict::Limited,
                "only programs started by `sondage run` (kernel.yama.ptrace_scope is 1)".into(),
                Some(FIX_YAMA.into()),
            ),
            Some(scope) => (
                Verdict::Bad,
                format!("none but root's (kernel.yama.ptrace_scope is {scope})"),
                Some(FIX_YAMA.into()),
            ),
        }
    }
}

const FIX_YAMA: &str = "sudo sysctl kernel.yama.ptrace_scope=0";

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn container() -> Option<String> {
    if Path::new("/.dockerenv").exists() {
        return Some("docker".into());
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".into());
    }
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Some("kubernetes".into());
    }
    None
}

/// Tries everything. `inherited` is for the programs it starts; `pythons` are those to try.
#[must_use]
pub fn diagnose(inherited: &Inherited, pythons: &[PathBuf]) -> Diagnosis {
    let rights = Rights::look();
    let info = crate::machine::recording_info(sondage_model::Nanos::ZERO);
    let mut checks = Vec::new();
    let sleeper = ["sleep", "60"].map(OsString::from);
    match Child::launch(&sleeper, inherited) {
        Ok(mut child) => {
            checks.push(read_child(child.pid(), &rights));
            checks.push(attach_others(&rights));
            checks.push(system_calls(child.pid(), &rights));
            checks.push(scheduler_figures(child.pid()));
            checks.push(children_lists());
            child.signal(libc::SIGKILL);
            child.wait();
        }
        Err(error) => checks.push(Check {
            name: "start",
            purpose: "start programs",
            verdict: Verdict::Bad,
            detail: error.to_string(),
            fix: None,
        }),
    }
    checks.push(perf_events());
    if rights.seccomp {
        checks.push(Check {
            name: "seccomp",
            purpose: "system calls allowed",
            verdict: Verdict::Good,
            detail: "a seccomp filter is on; the checks above ran under it".into(),
            fix: None,
        });
    }
    Diagnosis {
        system: info.system,
        cpus: info.cpus,
        container: rights.container,
        checks,
        pythons: pythons
            .iter()
            .map(|path| try_python(path, inherited))
            .collect(),
    }
}

fn read_child(pid: Pid, rights: &Rights) -> Check {
    let first = sondage_inspect::process::mappings(pid)
        .ok()
        .and_then(|maps| maps.first().map(|map| map.start));
    let mut bytes = [0; 4];
    let read = match first {
        Some(at) => RemoteMemory::new(pid)
            .read(RemoteAddr(at), &mut bytes)
            .map_err(|error| error.to_string()),
        None => Err("its memory map cannot be read".into()),
    };
    // The first mapping is the program file, and that is ELF.
    let (verdict, detail, fix) = match read {
        Ok(()) if bytes == *b"\x7fELF" => (Verdict::Good, "memory was read".to_owned(), None),
        Ok(()) => (
            Verdict::Bad,
            "memory was read, but wrongly".to_owned(),
            None,
        ),
        Err(error) => (Verdict::Bad, error, Some(rights.fix_child())),
    };
    Check {
        name: "read-child",
        purpose: "`sondage run`: read a program we started",
        verdict,
        detail,
        fix,
    }
}

fn attach_others(rights: &Rights) -> Check {
    let (verdict, detail, fix) = rights.attach();
    Check {
        name: "read-others",
        purpose: "`sondage attach`, `dump`, `top`: read a running program",
        verdict,
        detail,
        fix,
    }
}

fn system_calls(pid: Pid, rights: &Rights) -> Check {
    let read = procfs::read_process(pid, &format!("task/{}/syscall", pid.0));
    let (verdict, detail, fix) = match read {
        Ok(_) => (Verdict::Good, "GIL waits are told exactly".to_owned(), None),
        Err(Errno::NOENT) => (
            Verdict::Limited,
            "not in this kernel: waits for the GIL count as asleep".to_owned(),
            None,
        ),
        Err(errno) => (
            Verdict::Limited,
            format!("{errno}: waits for the GIL count as asleep"),
            Some(rights.fix_child()),
        ),
    };
    Check {
        name: "syscall-file",
        purpose: "tell waiting for the GIL from sleeping",
        verdict,
        detail,
        fix,
    }
}

fn scheduler_figures(pid: Pid) -> Check {
    let path = format!("task/{}/schedstat", pid.0);
    let figures = procfs::read_process(pid, &path)
        .ok()
        .and_then(|bytes| procfs::parse_sched_stat(&bytes));
    let (verdict, detail) = match figures {
        Some(figures) if figures.switches > 0 => (Verdict::Good, "the scheduler counts".to_owned()),
        Some(_) => (
            Verdict::Limited,
            "the kernel does not count (CONFIG_SCHED_INFO): a sleeper that runs for less than a \
             sample can be missed"
                .to_owned(),
        ),
        None => (
            Verdict::Bad,
            format!("/proc/{}/{path} cannot be read", pid.0),
        ),
    };
    Check {
        name: "schedstat-file",
        purpose: "tell running from waiting for a CPU, skip sleepers cheaply",
        verdict,
        detail,
        fix: None,
    }
}

fn children_lists() -> Check {
    let us = Pid(std::process::id() as i32);
    let read = procfs::children(us, Tid(us.0));
    let (verdict, detail) = match read {
        Ok(_) => (Verdict::Good, "the kernel lists them".to_owned()),
        Err(_) => (
            Verdict::Limited,
            "the kernel does not list them (CONFIG_PROC_CHILDREN): /proc is searched".to_owned(),
        ),
    };
    Check {
        name: "children-file",
        purpose: "follow processes that a program starts",
        verdict,
        detail,
        fix: None,
    }
}

fn perf_events() -> Check {
    let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok());
    let detail = match level {
        Some(level) if level <= 2 => {
            format!("own programs (kernel.perf_event_paranoid is {level}); not used yet")
        }
        Some(level) => format!("none (kernel.perf_event_paranoid is {level}); not used yet"),
        None => "not in this kernel; not used yet".into(),
    };
    Check {
        name: "perf-events",
        purpose: "native stacks, in a later version",
        verdict: Verdict::Good,
        detail,
        fix: None,
    }
}

/// Starts a Python and tries to read it.
fn try_python(path: &Path, inherited: &Inherited) -> FoundPython {
    const LONGEST: Duration = Duration::from_secs(1);
    let command: Vec<OsString> = [
        path.as_os_str(),
        "-S".as_ref(),
        "-c".as_ref(),
        "import time; time.sleep(30)".as_ref(),
    ]
    .iter()
    .map(OsString::from)
    .collect();
    let gone = || OpenError::Gone { pid: Pid(0) };
    let Ok(mut child) = Child::launch(&command, inherited) else {
        return FoundPython {
            path: path.to_owned(),
            runtime: Err(gone()),
        };
    };
    let began = Instant::now();
    let runtime = loop {
        let opened = Target::open(child.pid());
        let wait = matches!(
            opened,
            Err(OpenError::NotReady { .. } | OpenError::NotPython { .. })
        );
        if !wait || began.elapsed() > LONGEST || child.try_wait().is_some() {
            break opened.map(|target| target.runtime().implementation.clone());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    child.signal(libc::SIGKILL);
    child.wait();
    FoundPython {
        path: path.to_owned(),
        runtime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_and_remedies() {
        let of = |scope, may_trace_all, container: Option<&str>| Rights {
            ptrace_scope: scope,
            may_trace_all,
            seccomp: false,
            container: container.map(str::to_owned),
        };
        let verdict = |rights: &Rights| rights.attach().0;
        assert_eq!(verdict(&of(None, false, None)), Verdict::Good);
        assert_eq!(verdict(&of(Some(0), false, None)), Verdict::Good);
        assert_eq!(verdict(&of(Some(1), false, None)), Verdict::Limited);
        assert_eq!(verdict(&of(Some(3), false, None)), Verdict::Bad);
        assert_eq!(verdict(&of(Some(3), true, None)), Verdict::Good);
        assert_eq!(
            of(Some(1), false, None).attach().2.as_deref(),
            Some(FIX_YAMA)
        );
        let fix = of(None, false, Some("podman")).fix_child();
        assert!(fix.starts_with("podman run --cap-add=SYS_PTRACE"), "{fix}");
    }

    #[test]
    fn the_worst_is_mended_first() {
        let check = |verdict, fix: Option<&str>| Check {
            name: "x",
            purpose: "x",
            verdict,
            detail: String::new(),
            fix: fix.map(str::to_owned),
        };
        let mut diagnosis = Diagnosis {
            system: String::new(),
            cpus: 1,
            container: None,
            checks: vec![
                check(Verdict::Good, None),
                check(Verdict::Limited, Some("b")),
                check(Verdict::Bad, Some("a")),
            ],
            pythons: Vec::new(),
        };
        assert_eq!(diagnosis.fix(), Some("a"));
        diagnosis.checks.pop();
        assert_eq!(diagnosis.fix(), Some("b"));
        diagnosis.checks.truncate(1);
        assert_eq!(diagnosis.fix(), None);
    }
}
