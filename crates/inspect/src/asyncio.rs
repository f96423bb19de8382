//! The asyncio task that a thread runs, and what it is called.
//!
//! From 3.14 on, `_asyncio` tells where it keeps things (section `.AsyncioDebug`: 13 words, no
//! version, the same in 3.14 and 3.15), and each thread state names the task it runs. The section
//! is in the interpreter's own binary or in an extension module that is loaded with `asyncio`.

use crate::elf;
use crate::error::ReadError;
use crate::memory::{Memory, field, read_u64, word};
use crate::objects;
use crate::process;
use crate::target::{Target, load_bias};
use sondage_model::RemoteAddr;

/// What a task says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskInfo {
    /// Its name: `Task-1`, or as set.
    pub name: String,
    /// Qualified name of the coroutine function it runs; empty when it cannot be told.
    pub coroutine: String,
}

/// What is known of `asyncio` in a target.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asyncio {
    offsets: Option<Offsets>,
    /// How many modules there were when it was looked for.
    modules: u64,
}

#[derive(Clone, Copy, Debug)]
struct Offsets {
    task_name: usize,
    task_coro: usize,
    running_task: usize,
}

/// Words of the section.
const WORDS: usize = 13;
/// Longest name kept, in characters.
const MAX_NAME: usize = 200;

impl Asyncio {
    /// Where the thread state keeps the task it runs.
    pub fn running_task(&self) -> Option<usize> {
        self.offsets.map(|offsets| offsets.running_task)
    }
}

impl<M: Memory> Target<M> {
    /// Takes over the offsets at this address, if they make sense.
    pub(crate) fn learn_asyncio(&mut self, at: u64) {
        self.asyncio.offsets = self.read_offsets(at);
    }

    fn read_offsets(&self, at: u64) -> Option<Offsets> {
        if self.layout.version.minor < 14 {
            return None;
        }
        let mut bytes = [0; WORDS * 8];
        self.memory.read(RemoteAddr(at), &mut bytes).ok()?;
        let inside = |index: usize, size: u64| {
            let value = word(&bytes, index * 8)?;
            (value >= 16 && value.checked_add(8)? <= size && size <= 1 << 16)
                .then_some(value as usize)
        };
        let task_size = word(&bytes, 0)?;
        let thread_size = word(&bytes, 9 * 8)?;
        Some(Offsets {
            task_name: inside(1, task_size)?,
            task_coro: inside(5, task_size)?,
            running_task: inside(11, thread_size)?,
        })
    }

    /// Looks for a `_asyncio` extension module, whenever modules were imported since the last look.
    pub(crate) fn look_for_asyncio(&mut self, interpreter_state: u64) {
        if self.asyncio.offsets.is_some() || self.layout.version.minor < 14 {
            return;
        }
        let modules = field(interpreter_state, self.layout.interpreter.modules);
        let count = read_u64(&self.memory, modules)
            .and_then(|dict| read_u64(&self.memory, dict.wrapping_add(16)))
            .unwrap_or(0);
        if count == self.asyncio.modules {
            return;
        }
        self.asyncio.modules = count;
        let Ok(maps) = process::mappings(self.pid()) else {
            return;
        };
        let library = maps.iter().find(|map| {
            map.path
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("_asyncio"))
        });
        let found = library.and_then(|map| {
            let marks = elf::landmarks(&process::mapped_file(self.pid(), map).ok()?)?;
            let (_, bias) = load_bias(&maps, &map.path, &marks)?;
            Some(marks.asyncio?.wrapping_add(bias))
        });
        if let Some(at) = found {
            self.learn_asyncio(at);
        }
    }

    /// What the task at this address is called and runs. Addresses are in
    /// [`StackSnapshot::task`](crate::StackSnapshot), and are reused when a task is gone.
    ///
    /// # Errors
    /// [`ReadError::Torn`] when there is no task (any more).
    pub fn task_info(&self, task: RemoteAddr) -> Result<TaskInfo, ReadError> {
        let offsets = self.asyncio.offsets.ok_or(ReadError::Torn)?;
        let (memory, layout) = (&self.memory, &self.layout);
        let name_at = read_u64(memory, field(task.0, offsets.task_name))?;
        let coro_at = read_u64(memory, field(task.0, offsets.task_coro))?;
        // Until it is asked for, a default name is only its number.
        let name = match objects::type_name(memory, layout, name_at).as_deref() {
            Some("int") => objects::integer(memory, layout, name_at).map(|n| format!("Task-{n}")),
            Some(_) => objects::string(memory, layout, name_at, MAX_NAME),
            None => None,
        };
        let coroutine = match objects::type_name(memory, layout, coro_at).as_deref() {
            Some("coroutine" | "generator" | "async_generator") => {
                let at = field(coro_at, layout.object.generator_qualname);
                objects::string(memory, layout, read_u64(memory, at)?, MAX_NAME)
            }
            _ => None,
        };
        Ok(TaskInfo {
            name: name.ok_or(ReadError::Torn)?,
            coroutine: coroutine.unwrap_or_default(),
        })
    }
}
