//! A process's own figures as the kernel counts them: CPU, memory, switches, faults, I/O.

use rustc_hash::FxHashMap;
use sondage_model::{
    CounterId, CounterKind, CounterRow, CounterSeriesRow, Dictionary, Nanos, Pid, ProcessId, Tid,
    Time,
};

use crate::procfs::{
    ProcFile, Stat, Statm, Switches, parse_io, parse_stat, parse_statm, parse_switches,
};
use crate::{clock, machine};

/// The most threads whose switch counts are read in one round: `status` costs 2.5 µs a thread.
const SWITCHES_A_ROUND: usize = 16;

/// The series of one process.
#[derive(Debug)]
struct Series {
    user: CounterId,
    system: CounterId,
    rss: CounterId,
    threads: CounterId,
    voluntary: CounterId,
    involuntary: CounterId,
    minor_faults: CounterId,
    major_faults: CounterId,
    read: CounterId,
    written: CounterId,
}

/// Reads the figures of one process again and again.
#[derive(Debug)]
pub struct Metrics {
    pid: Pid,
    series: Series,
    stat: ProcFile,
    statm: Option<ProcFile>,
    io: Option<ProcFile>,
    switches: SwitchCounts,
    user: Nanos,
    system: Nanos,
}

/// Context switches of all threads, the ended ones too.
#[derive(Debug, Default)]
struct SwitchCounts {
    total: Switches,
    /// By thread: the scheduler's count when `status` was last read, and what it said.
    seen: FxHashMap<Tid, (u64, Switches)>,
}

impl Metrics {
    /// Adds the series of a process to the dictionary. `None` when the process is gone.
    pub fn open(pid: Pid, process: ProcessId, dictionary: &mut Dictionary) -> Option<Metrics> {
        let file = |name: &str| ProcFile::open(format!("/proc/{}/{name}", pid.0)).ok();
        let stat = file("stat")?;
        let mut add = |name: &str, unit: &str, kind| {
            let row = CounterSeriesRow {
                process,
                name: dictionary.string(name),
                unit: dictionary.string(unit),
                kind,
            };
            dictionary.add_counter(row)
        };
        let series = Series {
            user: add("cpu.user", "ns", CounterKind::Total),
            system: add("cpu.system", "ns", CounterKind::Total),
            rss: add("rss", "bytes", CounterKind::Gauge),
            threads: add("threads", "", CounterKind::Gauge),
            voluntary: add("switches.voluntary", "", CounterKind::Total),
            involuntary: add("switches.involuntary", "", CounterKind::Total),
            minor_faults: add("faults.minor", "", CounterKind::Total),
            major_faults: add("faults.major", "", CounterKind::Total),
            read: add("io.read", "bytes", CounterKind::Total),
            written: add("io.write", "bytes", CounterKind::Total),
        };
        Some(Metrics {
            pid,
            series,
            stat,
            statm: file("statm"),
            io: file("io"),
            switches: SwitchCounts::default(),
            user: Nanos::ZERO,
            system: Nanos::ZERO,
        })
    }

    /// Reads everything once. `threads` are the process's threads with the scheduler's count of
    /// how often each was put on a CPU. Returns the kernel's figures, `None` when it is gone.
    pub fn read(
        &mut self,
        time: Time,
        threads: impl Iterator<Item = (Tid, u64)>,
        rows: &mut Vec<CounterRow>,
    ) -> Option<Stat> {
        let mut buf = [0; 2048];
        let stat = parse_stat(self.stat.read(&mut buf).ok()?)?;
        let mut push = |counter, value: u64| {
            rows.push(CounterRow {
                counter,
                time,
                value: value as f64,
            });
        };
        // The kernel splits CPU time into user and system only to its clock tick; the sum is exact.
        let tick = 1_000_000_000 / machine::ticks_per_second().max(1);
        let split = Nanos((stat.user_ticks + stat.system_ticks) * tick);
        let total = clock::process_cpu(self.pid).unwrap_or(split);
        self.system = self.system.max(Nanos(stat.system_ticks * tick)).min(total);
        self.user = self.user.max(total - self.system);
        push(self.series.user, self.user.0);
        push(self.series.system, self.system.0);
        push(self.series.threads, stat.threads);
        push(self.series.minor_faults, stat.minor_faults);
        push(self.series.major_faults, stat.major_faults);
        if let Some(Statm { resident_pages, .. }) = self
            .statm
            .as_ref()
            .and_then(|file| parse_statm(file.read(&mut buf).ok()?))
        {
            push(self.series.rss, resident_pages * machine::page_size());
        }
        if let Some(io) = self
            .io
            .as_ref()
            .and_then(|file| parse_io(file.read(&mut buf).ok()?))
        {
            push(self.series.read, io.read);
            push(self.series.written, io.written);
        }
        let switches = self.switches.update(threads, |tid| {
            let path = format!("/proc/{}/task/{}/status", self.pid.0, tid.0);
            parse_switches(&ProcFile::open(path).ok()?.read_all().ok()?)
        });
        push(self.series.voluntary, switches.voluntary);
        push(self.series.involuntary, switches.involuntary);
        Some(stat)
    }
}

impl SwitchCounts {
    /// Brings the totals up to date. Only threads that ran since are read, and of these no more
    /// than [`SWITCHES_A_ROUND`], those furthest behind first; the others follow in later rounds.
    fn update(
        &mut self,
        threads: impl Iterator<Item = (Tid, u64)>,
        read: impl Fn(Tid) -> Option<Switches>,
    ) -> Switches {
        let mut behind: Vec<(u64, Tid, u64)> = threads
            .filter_map(|(tid, count)| {
                let seen = self.seen.get(&tid).map_or(0, |seen| seen.0);
                (count != seen).then(|| (count.abs_diff(seen), tid, count))
            })
            .collect();
        behind.sort_unstable_by_key(|&(lag, tid, _)| (std::cmp::Reverse(lag), tid));
        for (_, tid, count) in behind.into_iter().take(SWITCHES_A_ROUND) {
            let Some(now) = read(tid) else { continue };
            let (_, before) = self.seen.insert(tid, (count, now)).unwrap_or_default();
            // A number used again by a new thread starts from zero again.
            let since = |now: u64, before: u64| if now >= before { now - before } else { now };
            self.total.voluntary += since(now.voluntary, before.voluntary);
            self.total.involuntary += since(now.involuntary, before.involuntary);
        }
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(n: u64) -> Switches {
        Switches {
            voluntary: n,
            involuntary: n,
        }
    }

    #[test]
    fn switches_of_ended_threads_stay_and_reused_numbers_start_again() {
        let mut counts = SwitchCounts::default();
        let threads = [(Tid(1), 5), (Tid(2), 7)];
        let total = counts.update(threads.into_iter(), |tid| Some(both(tid.0 as u64 * 10)));
        assert_eq!(total, both(30));
        // Thread 2 ended; 1 did not run and is not read.
        let total = counts.update([(Tid(1), 5)].into_iter(), |_| panic!("nothing moved"));
        assert_eq!(total, both(30));
        let total = counts.update([(Tid(2), 1)].into_iter(), |_| Some(both(3)));
        assert_eq!(total, both(33));
    }

    #[test]
    fn many_threads_are_read_over_several_rounds() {
        let mut counts = SwitchCounts::default();
        let threads: Vec<_> = (1..=40).map(|n| (Tid(n), 1)).collect();
        let sums: Vec<u64> = (0..3)
            .map(|_| {
                counts
                    .update(threads.iter().copied(), |_| Some(both(1)))
                    .voluntary
            })
            .collect();
        assert_eq!(sums, vec![16, 32, 40]);
    }

    #[test]
    fn our_own_process() {
        let pid = Pid(std::process::id() as i32);
        let mut dictionary = Dictionary::default();
        let mut metrics = Metrics::open(pid, ProcessId(0), &mut dictionary).unwrap();
        let mut rows = Vec::new();
        let stat = metrics
            .read(Time(5), [(Tid(pid.0), 1)].into_iter(), &mut rows)
            .unwrap();
        assert!(stat.threads >= 1);
        assert_eq!(rows.len(), dictionary.counter_series().len());
        let value = |name: &str| {
            let at = dictionary
                .counter_series()
                .iter()
                .position(|row| dictionary.text(row.name) == name)
                .unwrap();
            rows.iter()
                .find(|row| row.counter == CounterId(at as u32))
                .unwrap()
                .value
        };
        assert!(value("cpu.user") + value("cpu.system") > 0.0);
        assert!(value("rss") > 1e6);
        assert!(value("io.read") > 0.0);
        let mut dictionary = Dictionary::default();
        assert!(Metrics::open(Pid(i32::MAX), ProcessId(0), &mut dictionary).is_none());
    }
}
