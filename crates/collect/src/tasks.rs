//! From the addresses of asyncio tasks to the recording's task ids.

use rustc_hash::FxHashMap;
use sondage_inspect::Target;
use sondage_model::{Dictionary, MonoTime, ProcessId, RemoteAddr, TaskId, TaskRow};

/// For so long a task's address is taken to be still that task's: reading its name costs about 5 µs.
const TRUST: u64 = 5_000_000;

/// The tasks of one process image that are in the dictionary already.
#[derive(Debug, Default)]
pub struct TaskCache {
    known: FxHashMap<RemoteAddr, KnownTask>,
}

#[derive(Debug)]
struct KnownTask {
    id: TaskId,
    name: String,
    coroutine: String,
    checked: MonoTime,
}

impl TaskCache {
    /// The id of the task at this address. Addresses are used again by later tasks; a task of the
    /// same name that runs the same function counts as the same.
    pub fn id(
        &mut self,
        at: RemoteAddr,
        now: MonoTime,
        target: &Target,
        process: ProcessId,
        dictionary: &mut Dictionary,
    ) -> TaskId {
        if let Some(known) = self.known.get(&at)
            && now.0.saturating_sub(known.checked.0) < TRUST
        {
            return known.id;
        }
        // A task that ends while we look is none.
        let Ok(info) = target.task_info(at) else {
            return TaskId::NONE;
        };
        if let Some(known) = self.known.get_mut(&at)
            && known.name == info.name
            && known.coroutine == info.coroutine
        {
            known.checked = now;
            return known.id;
        }
        let row = TaskRow {
            process,
            name: dictionary.string(&info.name),
            coroutine: dictionary.string(&info.coroutine),
            parent: TaskId::NONE,
        };
        let id = dictionary.add_task(row);
        self.known.insert(
            at,
            KnownTask {
                id,
                name: info.name,
                coroutine: info.coroutine,
                checked: now,
            },
        );
        id
    }
}
