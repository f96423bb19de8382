//! Where the time of asyncio tasks went.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sondage_model::{ProcessId, StringId};

use crate::{AnalyzeError, Analyzer, Filter, Totals};

/// The asyncio tasks of a process that have one name and run one coroutine function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskTimes {
    /// The process they ran in.
    pub process: ProcessId,
    /// Their name: `Task-1`, or as set.
    pub name: String,
    /// Qualified name of the coroutine function; empty where it is not known.
    pub coroutine: String,
    /// How many of them were seen.
    pub tasks: u64,
    /// Sums over the samples in which one of them ran.
    pub totals: Totals,
}

impl Analyzer {
    /// The tasks of the samples that the filter admits, those with the most weight first.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn tasks(&self, filter: &Filter) -> Result<Vec<TaskTimes>, AnalyzeError> {
        let dict = self.dictionary();
        let selection = self.select(filter)?;
        let mut sums: BTreeMap<(ProcessId, StringId, StringId), (u64, Totals)> = BTreeMap::new();
        for (task, totals) in selection.tasks() {
            let row = &dict.tasks()[task.index()];
            let key = (row.process, row.name, row.coroutine);
            let sum = sums.entry(key).or_default();
            sum.0 += 1;
            sum.1.add_all(totals);
        }
        let mut tasks: Vec<TaskTimes> = sums
            .into_iter()
            .map(|((process, name, coroutine), (tasks, totals))| TaskTimes {
                process,
                name: dict.text(name).to_owned(),
                coroutine: dict.text(coroutine).to_owned(),
                tasks,
                totals,
            })
            .collect();
        tasks.sort_by(|one, other| {
            let key = |task: &TaskTimes| Reverse((task.totals.active(), task.totals.weight));
            key(one)
                .cmp(&key(other))
                .then_with(|| (&one.name, &one.coroutine).cmp(&(&other.name, &other.coroutine)))
                .then(one.process.cmp(&other.process))
        });
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sondage_model::{TaskId, TaskRow, Time, TimeRange};

    use super::*;
    use crate::{StateSet, picture};

    /// Samples of 1 ms, the last one asleep; two tasks of one name, and one of another.
    fn analyzer() -> Analyzer {
        let mut recording = picture::record(
            "
            thread:  Main  Main  Main  Main  Main  Main
            state:   cpu   cpu   cpu   cpu   cpu   blocked
                     main  main  main  main  main  main
            ",
        );
        let process = ProcessId(0);
        let dict = &mut recording.dictionary;
        let mut task = |name: &str, coroutine: &str| {
            let row = TaskRow {
                process,
                name: dict.string(name),
                coroutine: dict.string(coroutine),
                parent: TaskId::NONE,
            };
            dict.add_task(row)
        };
        let (one, two) = (task("worker", "work"), task("worker", "work"));
        let other = task("Task-1", "main");
        let tasks = [one, two, TaskId::NONE, other, one, other];
        recording.samples.tasks = tasks.to_vec();
        Analyzer::new(Arc::new(recording.seal())).expect("a recording")
    }

    fn times(filter: &Filter) -> Vec<(String, String, u64, u64)> {
        let tasks = analyzer().tasks(filter).expect("tasks");
        let row = |task: TaskTimes| (task.name, task.coroutine, task.tasks, task.totals.weight);
        tasks.into_iter().map(row).collect()
    }

    #[test]
    fn tasks_of_one_name_and_function_are_one_row() {
        let row = |name: &str, coroutine: &str, tasks, ms: u64| {
            (name.to_owned(), coroutine.to_owned(), tasks, ms * 1_000_000)
        };
        let all = Filter {
            states: StateSet::ALL,
            ..Filter::default()
        };
        assert_eq!(
            times(&all),
            [row("worker", "work", 2, 3), row("Task-1", "main", 1, 2)]
        );
        // Without sleepers, as lists are by default.
        assert_eq!(
            times(&Filter::default()),
            [row("worker", "work", 2, 3), row("Task-1", "main", 1, 1)]
        );
        let part = Filter {
            range: Some(TimeRange {
                start: Time(3_500_000),
                end: Time(5_000_000),
            }),
            ..all
        };
        let half = (String::from("Task-1"), String::from("main"), 1, 500_000);
        assert_eq!(times(&part), [row("worker", "work", 1, 1), half]);
    }

    #[test]
    fn a_recording_without_tasks_has_none() {
        let recording = picture::record("main");
        let analyzer = Analyzer::new(Arc::new(recording.seal())).expect("a recording");
        assert_eq!(analyzer.tasks(&Filter::default()).expect("none"), []);
    }
}
