//! Which asyncio task a stack belongs to: named only when it is proved.
//!
//! The frame of a coroutine is part of the coroutine object, and a task keeps its coroutine for as
//! long as it lives. So a task whose coroutine's frame is in the stack is that stack's task. Which
//! tasks to ask is told by the thread state that was copied with the stack (3.14 and later), or by
//! the dict of current tasks, which is read after it. A task that was found so is no proof yet: within
//! 4 µs it can have ended, and another been made of the same memory. It is copied along with the next
//! stacks, and named when such a copy holds both.

use super::ThreadCursor;
use super::plan::TaskSpans;
use super::walk::RawFrame;
use crate::asyncio::{TaskKey, TaskWords, Window};
use crate::code::CodeId;
use crate::memory::{Memory, Span, word};
use crate::objects;
use crate::target::Target;

/// Copies made again for want of a proof.
pub(super) const MAX_TASK_TRIES: u32 = 3;
/// Samples in a row without a current task after which a coroutine is taken to be another
/// library's, and no copy is made again for it.
const IDLE: u32 = 8;
/// Bytes of a name that are read with the task. Names of 50 to 80 characters fit.
const NAME_BYTES: usize = 128;
/// Most entries looked at in the dict of current tasks, which has one for each running loop.
const MAX_CURRENT: usize = 64;
/// Largest table of keys that is read with the dict.
const MAX_KEYS: u64 = 4096;
/// Bytes of a dict that hold what is read of it.
const DICT_BYTES: usize = 48;
/// `co_flags` of a coroutine, and of a generator that may be awaited.
const COROUTINE: u32 = 0x80 | 0x100;

/// What came of the search for a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TaskLook {
    /// The thread ran no task that can be named.
    None,
    /// It ran this one.
    Task(TaskKey),
    /// There may be one, but this copy does not prove it.
    Unproved,
}

/// A task that may be the one, and the first bytes of its name, if they were copied.
struct Candidate {
    at: u64,
    words: TaskWords,
    name: Vec<u8>,
    /// Whether it was copied with the stack.
    together: bool,
}

impl<M: Memory> Target<M> {
    /// The task of the stack in `cursor`. `running` is what the thread state says that it runs;
    /// `still`, whether the thread stands still.
    pub(super) fn task_of(
        &mut self,
        cursor: &mut ThreadCursor,
        running: Option<u64>,
        still: bool,
    ) -> TaskLook {
        let root = self.root_coroutine(&cursor.stack);
        if running.is_none() && (root.is_none() || self.asyncio.running_task().is_some()) {
            return TaskLook::None;
        }
        let interpreter = cursor.interpreter_state.0;
        let Some(module) = self.asyncio_module(interpreter) else {
            return TaskLook::None;
        };
        let object_at = self.layout.object.generator_frame as u64;
        let root = root.map(|index| cursor.stack[index].at.wrapping_sub(object_at));
        let planned = self.planned(cursor).filter(|task| match running {
            Some(at) => task.at == at,
            None => Some(task.words.coro) == root,
        });
        let found = match (planned, running) {
            (Some(found), _) => Some(found),
            (None, Some(at)) => self.candidate(at),
            // Offsets were learned just now: the next copy tells.
            (None, None) if module.current == 0 => return TaskLook::Unproved,
            (None, None) => match self.current_task(cursor, interpreter, root) {
                Ok(found) => found,
                Err(look) => return look,
            },
        };
        let Some(found) = found else {
            return TaskLook::Unproved;
        };
        if !self.is_task_type(found.words.class) {
            return TaskLook::None;
        }
        if !self.belongs(cursor, &found, root, running) {
            return TaskLook::Unproved;
        }
        if !(found.together || still) {
            self.copy_along(cursor, &found);
            return TaskLook::Unproved;
        }
        match self.task_name(found.words.name, &found.name) {
            Some(name) => TaskLook::Task(self.task_key(cursor, &found, name)),
            None => TaskLook::Unproved,
        }
    }

    /// Has the task copied with each stack from the next copy on.
    fn copy_along(&self, cursor: &mut ThreadCursor, found: &Candidate) {
        if let Some(offsets) = self.asyncio.offsets() {
            let span = |at, len| Span { at, len };
            let name = found.words.name;
            // Not past the end of its page, where nothing need be.
            let page_left = 0x1000 - (name & 0xfff) as usize;
            cursor.plan.want_task(TaskSpans {
                words: span(found.at, offsets.bytes()),
                name: span(name, page_left.min(NAME_BYTES)),
            });
        }
    }

    /// Whether the stack is that of this task.
    fn belongs(
        &self,
        cursor: &mut ThreadCursor,
        found: &Candidate,
        root: Option<u64>,
        running: Option<u64>,
    ) -> bool {
        let coro = found.words.coro;
        let seen = root.map(|root| (found.at, coro, root));
        let before = std::mem::replace(&mut cursor.task_seen, seen);
        match root {
            // Just before its first instruction or after its last.
            None => running.is_some(),
            Some(root) if root == coro => true,
            // The task's coroutine is there, but drives another one by hand; or (3.12 and later) the
            // step of a task that it makes runs inside of its own and began while the copy was made. That
            // one would be current in the next copy, or over.
            Some(_) => {
                self.frame_of(cursor, coro).is_some()
                    && (self.layout.version.minor < 12 || before == seen)
            }
        }
    }

    /// The frame of the innermost coroutine that was not called by another one.
    fn root_coroutine(&self, stack: &[RawFrame]) -> Option<usize> {
        (0..stack.len()).rev().find(|index| {
            let frame = &stack[*index];
            frame.generator
                && frame.entry
                && (*index == 0 || !stack[index - 1].generator)
                && self
                    .codes
                    .info(frame.code)
                    .is_some_and(|code| code.flags & COROUTINE != 0)
        })
    }

    /// Reads `spans` one after the other, in one call; `None` when any of it is not there.
    fn gather(&mut self, spans: &[Span]) -> Option<Vec<u8>> {
        self.counters.reads += 1;
        let mut bytes = vec![0; spans.iter().map(|span| span.len).sum()];
        self.memory.gather(spans, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The task that was copied with the stack, if it and its name are where they were.
    fn planned(&self, cursor: &ThreadCursor) -> Option<Candidate> {
        let (spans, words, name) = cursor.plan.task()?;
        let words = self.asyncio.offsets()?.parse(&self.layout, words)?;
        (words.name == spans.name.at).then(|| Candidate {
            at: spans.words.at,
            words,
            name: name.to_vec(),
            together: true,
        })
    }

    /// The task at this address.
    fn candidate(&mut self, at: u64) -> Option<Candidate> {
        let offsets = self.asyncio.offsets()?;
        let len = offsets.bytes();
        let bytes = self.gather(&[Span { at, len }])?;
        let words = offsets.parse(&self.layout, &bytes)?;
        Some(Candidate {
            at,
            words,
            name: Vec::new(),
            together: false,
        })
    }

    /// The task of this thread in the dict of current tasks: the one whose coroutine is `root`, or
    /// else one whose coroutine is in the stack. `Ok(None)` when there is no such task.
    fn current_task(
        &mut self,
        cursor: &mut ThreadCursor,
        interpreter: u64,
        root: Option<u64>,
    ) -> Result<Option<Candidate>, TaskLook> {
        // A task that was seen with this coroutine before need not be current any more: steps can
        // be shorter than our look.
        if let Some(at) = root.and_then(|coro| self.asyncio.task_with(coro))
            && let Some(found) = self.candidate(at)
            && Some(found.words.coro) == root
        {
            return Ok(Some(found));
        }
        let tasks = self.current_tasks(interpreter).ok_or(TaskLook::Unproved)?;
        let module = self.asyncio.module_mut(interpreter);
        if tasks.is_empty() {
            module.idle = module.idle.saturating_add(1);
            let look = if module.idle > IDLE {
                TaskLook::None
            } else {
                TaskLook::Unproved
            };
            return Err(look);
        }
        module.idle = 0;
        let Some(offsets) = self.asyncio.offsets() else {
            return Err(TaskLook::None);
        };
        let len = offsets.bytes();
        let spans: Vec<Span> = tasks.iter().map(|at| Span { at: *at, len }).collect();
        let bytes = self.gather(&spans).ok_or(TaskLook::Unproved)?;
        let mut within = None;
        for (at, bytes) in tasks.iter().zip(bytes.chunks_exact(len)) {
            let coro = offsets.parse(&self.layout, bytes).map(|words| words.coro);
            if coro == root {
                return Ok(self.candidate(*at));
            }
            if coro.is_some_and(|coro| self.frame_of(cursor, coro).is_some()) {
                within = Some(*at);
            }
        }
        Ok(within.and_then(|at| self.candidate(at)))
    }

    /// The tasks in the dict; `None` when it changed while it was read.
    fn current_tasks(&mut self, interpreter: u64) -> Option<Vec<u64>> {
        let module = *self.asyncio.module_mut(interpreter);
        let dict = Span {
            at: module.current,
            len: DICT_BYTES,
        };
        let together = module
            .keys
            .and_then(|keys| Some((keys, self.gather(&[dict, keys])?)));
        let (keys, mut bytes) = match together {
            Some((keys, bytes)) => (Some(keys), bytes),
            None => (None, self.gather(&[dict])?),
        };
        let table = bytes.split_off(DICT_BYTES);
        let at = word(&bytes, self.layout.object.dict_keys)?;
        if word(&bytes, self.layout.object.dict_values)? != 0 {
            return None;
        }
        let (at, table) = match keys {
            Some(keys) if keys.at == at => (at, table),
            _ => {
                let len = objects::keys_size(&self.memory, at).filter(|len| *len <= MAX_KEYS)?;
                let span = Span {
                    at,
                    len: len as usize,
                };
                self.counters.reads += 1;
                self.asyncio.module_mut(interpreter).keys = Some(span);
                (at, self.gather(&[span])?)
            }
        };
        let window = Window::new(at, &table, &self.memory);
        let items = objects::key_items(&window, at, MAX_CURRENT)?;
        let live = items
            .into_iter()
            .filter(|(event_loop, task)| *event_loop != 0 && *task != 0);
        Some(live.map(|(_, task)| task).collect())
    }

    /// The frame of this coroutine object, if it is in the stack.
    fn frame_of<'a>(&self, cursor: &'a ThreadCursor, coro: u64) -> Option<&'a RawFrame> {
        let at = coro.wrapping_add(self.layout.object.generator_frame as u64);
        cursor
            .stack
            .iter()
            .find(|frame| frame.generator && frame.at == at)
    }

    fn task_key(&mut self, cursor: &ThreadCursor, found: &Candidate, name: String) -> TaskKey {
        let code: Option<CodeId> = self.frame_of(cursor, found.words.coro).map(|f| f.code);
        let in_stack = code
            .and_then(|code| self.codes.info(code))
            .map(|code| code.qualified_name.clone());
        let mut asyncio = std::mem::take(&mut self.asyncio);
        asyncio.remember(found.words.coro, found.at);
        let key = asyncio.key(found.at, name, |before| match (in_stack, before) {
            (Some(name), _) => name,
            // Before its first step, or after its last.
            (None, Some(before)) => before.to_owned(),
            (None, None) => self.coroutine_name(found.words.coro),
        });
        self.asyncio = asyncio;
        key
    }
}
