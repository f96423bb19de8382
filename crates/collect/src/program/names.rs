//! What the numbers in an arena's events stand for.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sondage_model::{LockRow, SiteRow, Tid};
use sondage_wire::{Arena, Definition, Definitions};

use super::rows::{Def, Tables};

/// Names of a kind that one arena may bring. Later ones are read as unknown.
const MOST_NAMES: usize = 1 << 20;
/// Numbers below this are looked up in a table.
const DENSE: usize = 1 << 16;

/// What stands for a name that got lost.
pub const LOST_NAME: &str = "(name lost)";

/// Our number for each number of an arena.
#[derive(Debug, Default)]
struct Numbers {
    /// One more than our number; 0 where there is none.
    dense: Vec<u32>,
    sparse: FxHashMap<u32, u32>,
    count: usize,
}

impl Numbers {
    #[inline]
    fn get(&self, theirs: u32) -> Option<u32> {
        match self.dense.get(theirs as usize) {
            Some(0) => None,
            Some(ours) => Some(ours - 1),
            None => self.sparse.get(&theirs).copied(),
        }
    }

    fn is_full(&self) -> bool {
        self.count >= MOST_NAMES
    }

    fn set(&mut self, theirs: u32, ours: u32) {
        self.count += 1;
        let at = theirs as usize;
        if at >= DENSE {
            self.sparse.insert(theirs, ours);
            return;
        }
        if self.dense.len() <= at {
            self.dense.resize(at + 1, 0);
        }
        self.dense[at] = ours + 1;
    }
}

/// A thread as its program defined it.
#[derive(Clone, Debug, Default)]
pub struct ThreadName {
    /// The kernel's number; 0 where unknown.
    pub tid: Tid,
    /// Its name at first.
    pub name: String,
    /// A name that it was given later: the program's own wish.
    pub given: Option<String>,
}

/// The names of one arena.
#[derive(Debug, Default)]
pub struct Names {
    log: Definitions,
    sites: Numbers,
    locks: Numbers,
    frames: Numbers,
    texts: FxHashMap<u32, Arc<str>>,
    threads: FxHashMap<u32, ThreadName>,
    /// Threads that were given a name since the last [`Names::take_renamed`].
    renamed: Vec<u32>,
    process: Option<String>,
    lost_site: Option<u32>,
    lost_lock: Option<u32>,
}

impl Names {
    /// Reads what was defined since the last time; `process` is our number of the process.
    pub fn learn(&mut self, arena: Arena<'_>, process: u32, tables: &mut Tables) {
        let mut log = std::mem::take(&mut self.log);
        log.poll(arena, |definition| self.add(definition, process, tables));
        self.log = log;
    }

    fn add(&mut self, definition: Definition, process: u32, tables: &mut Tables) {
        match definition {
            Definition::Site {
                id,
                name,
                function,
                file,
                line,
                colour,
            } => {
                if !self.sites.is_full() && self.sites.get(id).is_none() {
                    let ours = tables.add(Def::Site(SiteRow {
                        name,
                        function,
                        file,
                        line,
                        colour,
                    }));
                    self.sites.set(id, ours);
                }
            }
            Definition::Text { id, text } => {
                if self.texts.len() < MOST_NAMES {
                    self.texts.entry(id).or_insert_with(|| text.into());
                }
            }
            Definition::Thread { number, tid, name } => {
                if let Some(thread) = self.threads.get_mut(&number) {
                    thread.given = Some(name);
                    self.renamed.push(number);
                } else if self.threads.len() < MOST_NAMES {
                    let thread = ThreadName {
                        tid: Tid(tid as i32),
                        name,
                        given: None,
                    };
                    self.threads.insert(number, thread);
                }
            }
            Definition::Lock { id, name, place } => {
                if !self.locks.is_full() && self.locks.get(id).is_none() {
                    let ours = tables.add(Def::Lock(LockRow {
                        process,
                        name,
                        place,
                    }));
                    self.locks.set(id, ours);
                }
            }
            Definition::Process { name } => self.process = Some(name),
        }
    }

    /// Our number of a site.
    #[inline]
    pub fn site(
        &mut self,
        arena: Arena<'_>,
        theirs: u32,
        process: u32,
        tables: &mut Tables,
    ) -> u32 {
        match self.sites.get(theirs) {
            Some(ours) => ours,
            None => self.late_site(arena, theirs, process, tables),
        }
    }

    /// One that was defined since we looked, or is not defined.
    #[cold]
    fn late_site(
        &mut self,
        arena: Arena<'_>,
        theirs: u32,
        process: u32,
        tables: &mut Tables,
    ) -> u32 {
        self.learn(arena, process, tables);
        self.sites.get(theirs).unwrap_or_else(|| {
            *self.lost_site.get_or_insert_with(|| {
                tables.add(Def::Site(SiteRow {
                    name: LOST_NAME.into(),
                    ..SiteRow::default()
                }))
            })
        })
    }

    /// Our number of a lock.
    pub fn lock(
        &mut self,
        arena: Arena<'_>,
        theirs: u32,
        process: u32,
        tables: &mut Tables,
    ) -> u32 {
        if self.locks.get(theirs).is_none() {
            self.learn(arena, process, tables);
        }
        self.locks.get(theirs).unwrap_or_else(|| {
            *self.lost_lock.get_or_insert_with(|| {
                tables.add(Def::Lock(LockRow {
                    process,
                    name: LOST_NAME.into(),
                    place: String::new(),
                }))
            })
        })
    }

    /// A text.
    pub fn text(
        &mut self,
        arena: Arena<'_>,
        theirs: u32,
        process: u32,
        tables: &mut Tables,
    ) -> Arc<str> {
        if !self.texts.contains_key(&theirs) {
            self.learn(arena, process, tables);
        }
        let text = self.texts.get(&theirs);
        text.map_or_else(|| LOST_NAME.into(), Arc::clone)
    }

    /// Our number of a frame's name; theirs is 0 for the main frame, which has none.
    pub fn frame(
        &mut self,
        arena: Arena<'_>,
        theirs: u32,
        process: u32,
        tables: &mut Tables,
    ) -> u32 {
        if let Some(ours) = self.frames.get(theirs) {
            return ours;
        }
        let name = match theirs {
            0 => Arc::from(""),
            _ => self.text(arena, theirs, process, tables),
        };
        let ours = tables.add(Def::Text(name.to_string()));
        if !self.frames.is_full() {
            self.frames.set(theirs, ours);
        }
        ours
    }

    /// A thread.
    pub fn thread(
        &mut self,
        arena: Arena<'_>,
        number: u32,
        process: u32,
        tables: &mut Tables,
    ) -> ThreadName {
        if !self.threads.contains_key(&number) {
            self.learn(arena, process, tables);
        }
        self.threads.get(&number).cloned().unwrap_or_default()
    }

    /// The threads that were given a name since the last call.
    pub fn take_renamed(&mut self) -> Vec<(u32, String)> {
        let mut renamed = std::mem::take(&mut self.renamed);
        renamed.sort_unstable();
        renamed.dedup();
        let given = |number: u32| Some((number, self.threads.get(&number)?.given.clone()?));
        renamed.into_iter().filter_map(given).collect()
    }

    /// The process's name, if it was given one since the last call.
    pub fn take_process(&mut self) -> Option<String> {
        self.process.take()
    }

    /// Definitions that were begun and are not there.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.log.unfinished()
    }

    /// Whether definitions could not be read to their end.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.log.is_damaged()
    }
}
