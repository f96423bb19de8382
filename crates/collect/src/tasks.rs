//! From the tasks of a target to the recording's task ids.

use rustc_hash::FxHashMap;
use sondage_inspect::{Target, TaskKey};
use sondage_model::{Dictionary, ProcessId, StringId, TaskId, TaskRow};

/// Most tasks remembered; their keys are never used again, so that old ones may be forgotten.
const MAX_TASKS: usize = 1 << 16;

/// The tasks of one process image that are in the dictionary already.
#[derive(Debug, Default)]
pub struct TaskCache {
    ids: FxHashMap<TaskKey, TaskId>,
    /// The newest task of each name, and whether it was seen in the target.
    names: FxHashMap<StringId, (TaskId, bool)>,
}

impl TaskCache {
    /// The id of the task with this key, which was in the target's last snapshot.
    pub fn id(
        &mut self,
        key: TaskKey,
        target: &Target,
        process: ProcessId,
        dictionary: &mut Dictionary,
    ) -> TaskId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let Some(info) = target.task(key) else {
            return TaskId::NONE;
        };
        let id = self.seen(&info.name, &info.coroutine, process, dictionary);
        if self.ids.len() >= MAX_TASKS {
            self.ids.clear();
        }
        self.ids.insert(key, id);
        id
    }

    /// The id of a task that is seen for the first time: one that the program named before, or new.
    fn seen(
        &mut self,
        name: &str,
        coroutine: &str,
        process: ProcessId,
        dictionary: &mut Dictionary,
    ) -> TaskId {
        let (name, coroutine) = (dictionary.string(name), dictionary.string(coroutine));
        if let Some((id, is_seen @ false)) = self.names.get_mut(&name) {
            *is_seen = true;
            dictionary.update_task(*id, |row| row.coroutine = coroutine);
            return *id;
        }
        let row = TaskRow {
            process,
            name,
            coroutine,
            parent: TaskId::NONE,
        };
        let id = dictionary.add_task(row);
        self.keep(name, id, true);
        id
    }

    /// The id of the task that the program names.
    pub fn named(&mut self, name: &str, process: ProcessId, dictionary: &mut Dictionary) -> TaskId {
        let name = dictionary.string(name);
        if let Some((id, _)) = self.names.get(&name) {
            return *id;
        }
        let row = TaskRow {
            process,
            name,
            ..TaskRow::default()
        };
        let id = dictionary.add_task(row);
        self.keep(name, id, false);
        id
    }

    fn keep(&mut self, name: StringId, id: TaskId, is_seen: bool) {
        if self.names.len() >= MAX_TASKS {
            self.names.clear();
        }
        self.names.insert(name, (id, is_seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_named_and_seen_is_one() {
        let mut dictionary = Dictionary::default();
        let mut cache = TaskCache::default();
        let process = ProcessId(0);
        let named = cache.named("worker", process, &mut dictionary);
        assert_eq!(cache.named("worker", process, &mut dictionary), named);
        assert_eq!(
            cache.seen("worker", "work", process, &mut dictionary),
            named
        );
        let row = &dictionary.tasks()[named.index()];
        assert_eq!(dictionary.text(row.coroutine), "work");
        // Another of the same name, and what is said of it then.
        let other = cache.seen("worker", "work", process, &mut dictionary);
        assert_ne!(other, named);
        assert_eq!(cache.named("worker", process, &mut dictionary), other);
        assert_ne!(cache.named("Task-1", process, &mut dictionary), other);
        // And the one that stands for none.
        assert_eq!(dictionary.tasks().len(), 4);
    }
}
