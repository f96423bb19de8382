//! `asyncio` in a target: where its tasks say what they are called and which of them run.
//!
//! From 3.14 on, `_asyncio` tells where it keeps things (section `.AsyncioDebug`: 13 words, no
//! version, the same in 3.14 and 3.15), and each thread state names the task it runs. The section
//! is in the interpreter's own binary or in an extension module that is loaded with `asyncio`.
//! Before, the module `_asyncio` has a dict `_current_tasks` from event loops to the tasks that they
//! run at the moment, and its type `Task` has the same structure in every release of a branch.

use crate::elf;
use crate::layout::Layout;
use crate::memory::{Memory, MemoryError, Span, field, read_u64, word};
use crate::objects;
use crate::process;
use crate::target::{Target, load_bias};
use rustc_hash::FxHashMap;
use sondage_model::RemoteAddr;

/// A task, as one target knows it: one address, one name, one coroutine function. A later task at
/// the same address with another name has another key. Keys are never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskKey(pub u32);

/// What a task says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskInfo {
    /// Its name: `Task-1`, or as set.
    pub name: String,
    /// Qualified name of the coroutine function it runs; empty when it cannot be told.
    pub coroutine: String,
}

/// What is known of `asyncio` in a target.
#[derive(Debug, Default)]
pub(crate) struct Asyncio {
    offsets: Option<Offsets>,
    /// Where they were read.
    section: Option<RemoteAddr>,
    /// By interpreter state.
    modules: FxHashMap<u64, Module>,
    /// Whether a type is `_asyncio.Task` or made of it.
    task_types: FxHashMap<u64, bool>,
    /// Which objects names are, by their type.
    name_types: FxHashMap<u64, NameKind>,
    /// The task last seen with a coroutine.
    by_coroutine: FxHashMap<u64, u64>,
    /// The task last seen at an address.
    known: FxHashMap<u64, TaskKey>,
    infos: FxHashMap<TaskKey, TaskInfo>,
    next_key: u32,
}

/// Where a task keeps what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offsets {
    size: usize,
    name: usize,
    coro: usize,
    /// In the thread state, where there is such: the task it runs.
    running_task: Option<usize>,
}

/// The module `_asyncio` of one interpreter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Module {
    /// Address of its type `Task`; 0 while the module is not known.
    task_type: u64,
    /// Address of its dict of current tasks; 0 where thread states tell.
    pub current: u64,
    /// The dict's table of keys when last read.
    pub keys: Option<Span>,
    /// Samples in a row in which the dict was empty though a coroutine ran: another library's.
    pub idle: u32,
    /// How many modules there were when it was looked for.
    looked_at: u64,
    /// Samples until it is looked for again, and how many that were last time.
    wait: u32,
    waited: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NameKind {
    /// A `str`.
    Text,
    /// Until it is asked for, a default name is only its number (3.12 and later).
    Number,
    /// Nothing that a name can be.
    Neither,
}

/// The words of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TaskWords {
    pub class: u64,
    pub coro: u64,
    pub name: u64,
}

/// Words of the section.
const WORDS: usize = 13;
/// Longest name kept, in characters.
const MAX_NAME: usize = 200;
/// Most tasks remembered; a program with more forgets all and learns again.
const MAX_TASKS: usize = 1 << 16;
/// Most types remembered.
const MAX_TYPES: usize = 1 << 10;
/// Most base classes followed.
const MAX_BASES: usize = 32;
/// Most samples in coroutines between two looks for the module.
const MAX_WAIT: u32 = 1024;
/// Offset of `md_dict` in a module object.
const MODULE_DICT: u64 = 16;
/// Offset of `ma_used` in a dict.
const DICT_USED: u64 = 16;
/// Offset of `tp_base` in a type, the same in all versions.
const TYPE_BASE: u64 = 256;

impl Offsets {
    /// Those of a version that does not tell. Source: `TaskObj` in `_asynciomodule.c` of these
    /// branches; looked up in living objects of 3.11.7, 3.12.1, 3.13.0 and 3.13.18.
    pub fn frozen(minor: u8) -> Option<Offsets> {
        let (size, coro, name) = match minor {
            11 | 12 => (176, 136, 144),
            13 => (144, 120, 128),
            _ => return None,
        };
        Some(Offsets {
            size,
            name,
            coro,
            running_task: None,
        })
    }

    /// How many bytes from the start of a task hold all that is read of it.
    pub fn bytes(&self) -> usize {
        self.name.max(self.coro) + 8
    }

    pub fn parse(&self, layout: &Layout, bytes: &[u8]) -> Option<TaskWords> {
        Some(TaskWords {
            class: word(bytes, layout.object.ob_type)?,
            coro: word(bytes, self.coro)?,
            name: word(bytes, self.name)?,
        })
    }
}

impl Asyncio {
    /// For an interpreter of this version.
    pub fn new(minor: u8) -> Asyncio {
        Asyncio {
            offsets: Offsets::frozen(minor),
            ..Asyncio::default()
        }
    }

    /// Where the thread state keeps the task it runs.
    pub fn running_task(&self) -> Option<usize> {
        self.offsets.and_then(|offsets| offsets.running_task)
    }

    pub fn offsets(&self) -> Option<Offsets> {
        self.offsets
    }

    pub fn info(&self, key: TaskKey) -> Option<&TaskInfo> {
        self.infos.get(&key)
    }

    pub fn module_mut(&mut self, interpreter_state: u64) -> &mut Module {
        self.modules.entry(interpreter_state).or_default()
    }

    /// The task last seen with this coroutine.
    pub fn task_with(&self, coroutine: u64) -> Option<u64> {
        self.by_coroutine.get(&coroutine).copied()
    }

    /// Remembers whose coroutine this is.
    pub fn remember(&mut self, coroutine: u64, task: u64) {
        if self.by_coroutine.len() >= MAX_TASKS {
            self.by_coroutine.clear();
        }
        self.by_coroutine.insert(coroutine, task);
    }

    /// The key of the task at an address, when it has this name; its coroutine's name is asked for
    /// when nothing else tells them apart.
    pub fn key(
        &mut self,
        task: u64,
        name: String,
        coroutine: impl FnOnce(Option<&str>) -> String,
    ) -> TaskKey {
        let before = self.known.get(&task).copied();
        let info = before.and_then(|key| self.infos.get(&key));
        let same_name = info.filter(|info| info.name == name);
        let coroutine = coroutine(same_name.map(|info| info.coroutine.as_str()));
        if let (Some(key), Some(info)) = (before, same_name)
            && info.coroutine == coroutine
        {
            return key;
        }
        if self.known.len().max(self.infos.len()) >= MAX_TASKS {
            self.known.clear();
            self.infos.clear();
        }
        let key = TaskKey(self.next_key);
        self.next_key = self.next_key.wrapping_add(1);
        self.known.insert(task, key);
        self.infos.insert(key, TaskInfo { name, coroutine });
        key
    }
}

impl<M: Memory> Target<M> {
    /// What the task with this key is called and runs. Keys come from
    /// [`StackSnapshot::task`](crate::StackSnapshot); `None` when so many tasks were seen since
    /// that it was forgotten.
    #[must_use]
    pub fn task(&self, key: TaskKey) -> Option<&TaskInfo> {
        self.asyncio.info(key)
    }

    /// Where `asyncio` tells where it keeps things: as in [`RuntimePlace`](crate::RuntimePlace), or
    /// in an extension module that was found since. `None` where there is no such thing.
    #[must_use]
    pub fn asyncio_section(&self) -> Option<RemoteAddr> {
        self.asyncio.section
    }

    /// Takes over the offsets at this address, if they make sense.
    pub(crate) fn learn_asyncio(&mut self, at: u64) {
        if self.layout.version.minor >= 14 {
            self.asyncio.offsets = self.read_offsets(at);
            self.asyncio.section = self.asyncio.offsets.map(|_| RemoteAddr(at));
        }
    }

    fn read_offsets(&self, at: u64) -> Option<Offsets> {
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
            size: task_size as usize,
            name: inside(1, task_size)?,
            coro: inside(5, task_size)?,
            running_task: Some(inside(11, thread_size)?),
        })
    }

    /// The module of this interpreter, if it is loaded. It is looked for when coroutines are seen,
    /// and not at every sample: they may be another library's.
    pub(crate) fn asyncio_module(&mut self, interpreter_state: u64) -> Option<Module> {
        let module = self.asyncio.module_mut(interpreter_state);
        if module.task_type != 0 {
            return Some(*module);
        }
        if module.wait > 0 {
            module.wait -= 1;
            return None;
        }
        let mut module = *module;
        module.waited = (module.waited * 2 + 1).min(MAX_WAIT);
        module.wait = module.waited;
        let found = self.look_for_asyncio(interpreter_state, &mut module);
        *self.asyncio.module_mut(interpreter_state) = module;
        found.map(|()| module)
    }

    fn look_for_asyncio(&mut self, interpreter_state: u64, module: &mut Module) -> Option<()> {
        let (memory, layout) = (&self.memory, &self.layout);
        self.counters.reads += 2;
        let modules =
            read_u64(memory, field(interpreter_state, layout.interpreter.modules)).ok()?;
        let count = read_u64(memory, modules.checked_add(DICT_USED)?).ok()?;
        if count == module.looked_at {
            return None;
        }
        module.looked_at = count;
        let at = objects::dict_get(memory, layout, modules, "_asyncio")?;
        // From here on it is there, if half imported: look again whatever the count.
        module.looked_at = 0;
        let space = read_u64(memory, at.checked_add(MODULE_DICT)?).ok()?;
        let task_type = objects::dict_get(memory, layout, space, "Task")?;
        if self.asyncio.offsets.is_none() {
            self.look_for_section();
        }
        let (memory, layout) = (&self.memory, &self.layout);
        let offsets = self.asyncio.offsets?;
        let size = read_u64(
            memory,
            task_type.checked_add(layout.object.type_basicsize as u64)?,
        );
        if size != Ok(offsets.size as u64) {
            return None;
        }
        if offsets.running_task.is_none() {
            module.current = objects::dict_get(memory, layout, space, "_current_tasks")?;
        }
        module.task_type = task_type;
        self.asyncio.task_types.insert(task_type, true);
        Some(())
    }

    /// Looks for the offsets in an extension module `_asyncio`.
    fn look_for_section(&mut self) {
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

    /// Whether objects of this type are tasks written in C: what is known of their structure is
    /// not true of others.
    pub(crate) fn is_task_type(&mut self, class: u64) -> bool {
        if let Some(known) = self.asyncio.task_types.get(&class) {
            return *known;
        }
        let mut is_task = false;
        let mut at = class;
        for _ in 0..MAX_BASES {
            self.counters.reads += 1;
            let Ok(base) = read_u64(&self.memory, at.wrapping_add(TYPE_BASE)) else {
                // Perhaps it was no type that we read: nothing to remember.
                return false;
            };
            if base == 0 {
                break;
            }
            if self
                .asyncio
                .modules
                .values()
                .any(|module| module.task_type == base)
            {
                is_task = true;
                break;
            }
            at = base;
        }
        if self.asyncio.task_types.len() >= MAX_TYPES {
            self.asyncio.task_types.clear();
            for module in self.asyncio.modules.values() {
                self.asyncio.task_types.insert(module.task_type, true);
            }
        }
        self.asyncio.task_types.insert(class, is_task);
        is_task
    }

    /// The name in an object at `at`, of which `copy` may hold the first bytes.
    pub(crate) fn task_name(&mut self, at: u64, copy: &[u8]) -> Option<String> {
        let class_at = field(at, self.layout.object.ob_type);
        let class = read_u64(&Window::new(at, copy, &self.memory), class_at).ok()?;
        let kind = match self.asyncio.name_types.get(&class) {
            Some(kind) => *kind,
            None => {
                let kind = self.name_kind(class)?;
                if self.asyncio.name_types.len() >= MAX_TYPES {
                    self.asyncio.name_types.clear();
                }
                self.asyncio.name_types.insert(class, kind);
                kind
            }
        };
        let window = Window::new(at, copy, &self.memory);
        match kind {
            NameKind::Text => objects::string(&window, &self.layout, at, MAX_NAME),
            NameKind::Number => {
                objects::integer(&window, &self.layout, at).map(|number| format!("Task-{number}"))
            }
            NameKind::Neither => None,
        }
    }

    fn name_kind(&mut self, class: u64) -> Option<NameKind> {
        const LONG: u64 = 1 << 24;
        const UNICODE: u64 = 1 << 28;
        self.counters.reads += 1;
        let at = class.checked_add(self.layout.object.type_flags as u64)?;
        let flags = read_u64(&self.memory, at).ok()?;
        Some(if flags & UNICODE != 0 {
            NameKind::Text
        } else if flags & LONG != 0 {
            NameKind::Number
        } else {
            NameKind::Neither
        })
    }

    /// The qualified name that a coroutine object tells of itself; empty when it is none of
    /// CPython's own types.
    pub(crate) fn coroutine_name(&self, at: u64) -> String {
        let (memory, layout) = (&self.memory, &self.layout);
        let read = || match objects::type_name(memory, layout, at).as_deref() {
            Some("coroutine" | "generator" | "async_generator") => {
                let name = read_u64(memory, field(at, layout.object.generator_qualname)).ok()?;
                objects::string(memory, layout, name, MAX_NAME)
            }
            _ => None,
        };
        read().unwrap_or_default()
    }
}

/// Memory of which a part was copied before.
pub(crate) struct Window<'a> {
    at: u64,
    bytes: &'a [u8],
    rest: &'a dyn Memory,
}

impl<'a> Window<'a> {
    /// `bytes` were copied from `at`; other addresses are read from `rest`.
    pub fn new(at: u64, bytes: &'a [u8], rest: &'a dyn Memory) -> Window<'a> {
        Window { at, bytes, rest }
    }
}

impl Memory for Window<'_> {
    fn read(&self, at: RemoteAddr, into: &mut [u8]) -> Result<(), MemoryError> {
        let inside = at.0.checked_sub(self.at).and_then(|from| {
            let from = usize::try_from(from).ok()?;
            self.bytes.get(from..from.checked_add(into.len())?)
        });
        match inside {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            None => self.rest.read(at, into),
        }
    }
}
