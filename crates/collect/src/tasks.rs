//! From the tasks of a target to the recording's task ids.

use rustc_hash::FxHashMap;
use sondage_inspect::{Target, TaskKey};
use sondage_model::{Dictionary, ProcessId, TaskId, TaskRow};

/// Most tasks remembered; their keys are never used again, so that old ones may be forgotten.
const MAX_TASKS: usize = 1 << 16;

/// The tasks of one process image that are in the dictionary already.
#[derive(Debug, Default)]
pub struct TaskCache {
    ids: FxHashMap<TaskKey, TaskId>,
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
        let row = TaskRow {
            process,
            name: dictionary.string(&info.name),
            coroutine: dictionary.string(&info.coroutine),
            parent: TaskId::NONE,
        };
        let id = dictionary.add_task(row);
        if self.ids.len() >= MAX_TASKS {
            self.ids.clear();
        }
        self.ids.insert(key, id);
        id
    }
}
