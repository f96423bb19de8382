//! What this process has given a number: places, texts, locks. Kept here too, because a forked
//! child has an arena of its own and needs them written anew.

use crate::tell;
#[cfg(feature = "tracy")]
use crate::tracy::{Lock, Name, Place};
use sondage_wire::{Arena, Definition};
use std::collections::HashMap;

/// As many places, texts and locks of each kind get a number. Names made while the program runs
/// (one for each user, say) must not fill the memory.
pub(crate) const MAX_OF_A_KIND: usize = 1 << 16;

/// A place, but for its number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct SiteKey {
    name: String,
    function: String,
    file: String,
    line: u32,
    colour: u32,
}

/// A lock: its name, its place, and whether readers may share it.
struct LockEntry {
    name: String,
    place: String,
    #[cfg_attr(not(feature = "tracy"), expect(dead_code, reason = "Tracy's alone"))]
    is_shared: bool,
}

/// Names and numbers.
#[derive(Default)]
pub(crate) struct Registry {
    sites: HashMap<SiteKey, u32>,
    texts: HashMap<String, u32>,
    /// By number less one: no two locks are the same.
    locks: Vec<LockEntry>,
    process: Option<String>,
    /// Names that got no number.
    pub refused: u64,
}

impl Registry {
    /// The number of a place; 0 when there are too many. Written to the arena when new.
    pub fn site(
        &mut self,
        arena: Option<Arena<'_>>,
        (name, function, file): (&str, &str, &str),
        line: u32,
        colour: u32,
    ) -> u32 {
        let key = SiteKey {
            name: name.to_owned(),
            function: function.to_owned(),
            file: file.to_owned(),
            line,
            colour,
        };
        if let Some(id) = self.sites.get(&key) {
            return *id;
        }
        if self.sites.len() >= MAX_OF_A_KIND {
            self.refused += 1;
            return 0;
        }
        let id = self.sites.len() as u32 + 1;
        if let Some(arena) = arena {
            arena.define(&site_definition(&key, id));
        }
        tell::new_site(id, (name, function, file), line, colour);
        self.sites.insert(key, id);
        id
    }

    /// The number of a text; 0 when there are too many.
    pub fn text(&mut self, arena: Option<Arena<'_>>, text: &str) -> u32 {
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        if self.texts.len() >= MAX_OF_A_KIND {
            self.refused += 1;
            return 0;
        }
        let id = self.texts.len() as u32 + 1;
        if let Some(arena) = arena {
            arena.define(&Definition::text(id, text));
        }
        tell::new_text(id, text);
        self.texts.insert(text.to_owned(), id);
        id
    }

    /// A number for a new lock; 0 when there are too many.
    pub fn lock(
        &mut self,
        arena: Option<Arena<'_>>,
        name: &str,
        place: &str,
        is_shared: bool,
    ) -> u32 {
        if self.locks.len() >= MAX_OF_A_KIND {
            self.refused += 1;
            return 0;
        }
        self.locks.push(LockEntry {
            name: name.to_owned(),
            place: place.to_owned(),
            is_shared,
        });
        let id = self.locks.len() as u32;
        if let Some(arena) = arena {
            arena.define(&lock_definition(id, name, place));
        }
        tell::new_lock(id, name, place, is_shared);
        id
    }

    /// What to call the process.
    pub fn process(&mut self, arena: Option<Arena<'_>>, name: &str) {
        let name = name.to_owned();
        if let Some(arena) = arena {
            arena.define(&Definition::Process { name: name.clone() });
        }
        self.process = Some(name);
    }

    /// Writes everything into a new arena.
    pub fn define_all(&self, arena: Arena<'_>) {
        for (key, id) in &self.sites {
            arena.define(&site_definition(key, *id));
        }
        for (text, id) in &self.texts {
            arena.define(&Definition::text(*id, text));
        }
        for (id, lock) in (1..).zip(&self.locks) {
            arena.define(&lock_definition(id, &lock.name, &lock.place));
        }
        if let Some(name) = self.process.clone() {
            arena.define(&Definition::Process { name });
        }
    }

    /// Tells Tracy, which has just started, everything.
    #[cfg(feature = "tracy")]
    pub fn tell_all(&self) {
        for (key, id) in &self.sites {
            let names = (&*key.name, &*key.function, &*key.file);
            Place::add(*id, names, key.line, key.colour);
        }
        for (text, id) in &self.texts {
            Name::add(*id, text);
        }
        for (id, lock) in (1..).zip(&self.locks) {
            Lock::add(id, &lock.name, &lock.place, lock.is_shared);
        }
    }

    /// What the program calls the process.
    #[cfg(feature = "tracy")]
    pub fn process_name(&self) -> Option<String> {
        self.process.clone()
    }
}

fn site_definition(key: &SiteKey, id: u32) -> Definition {
    let SiteKey {
        name,
        function,
        file,
        line,
        colour,
    } = key;
    Definition::site(id, name, function, file, *line, *colour)
}

fn lock_definition(id: u32, name: &str, place: &str) -> Definition {
    Definition::Lock {
        id,
        name: name.to_owned(),
        place: place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_and_text_have_one_number_and_each_lock_its_own() {
        let mut registry = Registry::default();
        let site = |registry: &mut Registry, line| registry.site(None, ("a", "f", "x.rs"), line, 0);
        let first = site(&mut registry, 1);
        assert_eq!(site(&mut registry, 1), first);
        assert_ne!(site(&mut registry, 2), first);
        assert_eq!(registry.text(None, "a"), registry.text(None, "a"));
        assert_ne!(registry.text(None, "a"), registry.text(None, "b"));
        let lock = |registry: &mut Registry| registry.lock(None, "l", "", false);
        assert_ne!(lock(&mut registry), lock(&mut registry));
    }

    #[test]
    fn names_without_end_do_not_fill_the_memory() {
        let mut registry = Registry::default();
        for n in 0..MAX_OF_A_KIND {
            assert_ne!(registry.text(None, &n.to_string()), 0);
        }
        assert_eq!(registry.text(None, "one more"), 0);
        assert_ne!(registry.text(None, "7"), 0, "known names stay known");
        assert_eq!(registry.refused, 1);
    }
}
