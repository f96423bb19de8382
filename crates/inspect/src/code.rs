//! Code objects: what is read of one once, and how we notice that its address was reused.

use crate::layout::{FrameSize, Layout};
use crate::lines;
use crate::memory::{Memory, MemoryError, half, word};
use crate::objects;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use sondage_model::RemoteAddr;
use std::hash::Hasher;

/// A function's code, as one target knows it. Two code objects with the same name, file, first
/// line and line table (the same source executed again) have the same id. An id may be forgotten
/// when a program makes very many functions; no other function gets it then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CodeId(pub u32);

/// Stands for code that is not known yet.
pub(crate) const NO_CODE: CodeId = CodeId(u32::MAX);

/// What a code object says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeInfo {
    /// Name as written in the source: `area`, `<lambda>`, `<module>`.
    pub name: String,
    /// Qualified name: `Shape.area`, `outer.<locals>.inner`.
    pub qualified_name: String,
    /// File as the compiler was told.
    pub filename: String,
    /// Line of `def`, 1-based.
    pub first_line: u32,
    /// `co_flags`.
    pub flags: u32,
    line_table: Vec<u8>,
}

impl CodeInfo {
    /// Bytes that it takes, nearly.
    fn size(&self) -> usize {
        let texts = self.name.len() + self.qualified_name.len() + self.filename.len();
        size_of::<CodeInfo>() + texts + self.line_table.len()
    }

    /// The line of the instruction `offset` bytes into the code, 1-based; 0 where the compiler
    /// gave it none. An offset before the first instruction is at the `def`.
    #[must_use]
    pub fn line(&self, offset: i32) -> u32 {
        if offset < 0 {
            return self.first_line;
        }
        lines::line(&self.line_table, self.first_line, offset as u32)
    }

    /// Whether calling it makes a generator, coroutine or asynchronous generator.
    #[must_use]
    pub fn is_generator(&self) -> bool {
        self.flags & (0x20 | 0x80 | 0x100 | 0x200) != 0
    }
}

/// The words of a code object that tell whether it still is the one we read: every field up to
/// the line table. They are constant for the life of the object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Identity {
    pub ob_size: u64,
    pub first_line: u32,
    pub filename: u64,
    pub name: u64,
    pub qualname: u64,
    pub linetable: u64,
}

impl Identity {
    /// How many bytes from the start of a code object hold them.
    pub fn size(layout: &Layout) -> usize {
        let code = &layout.code;
        [code.filename, code.name, code.qualname, code.linetable]
            .into_iter()
            .max()
            .unwrap_or(0)
            + 8
    }

    pub fn parse(layout: &Layout, head: &[u8]) -> Option<Identity> {
        let code = &layout.code;
        Some(Identity {
            ob_size: word(head, layout.object.ob_size)?,
            first_line: half(head, code.firstlineno)?,
            filename: word(head, code.filename)?,
            name: word(head, code.name)?,
            qualname: word(head, code.qualname)?,
            linetable: word(head, code.linetable)?,
        })
    }
}

/// A code object at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodeSlot {
    pub id: CodeId,
    pub identity: Identity,
    /// `code_generation` when it was read; 0 where there is none.
    pub generation: u64,
    /// Bytes of instructions.
    pub code_bytes: u32,
    /// Offset in bytes of the first instruction that counts as running.
    pub first_traceable: u32,
    /// Bytes of a frame of it in the data stack.
    pub frame_bytes: u32,
    /// The age of the table in which it was last used.
    age: u64,
}

/// Why a code object could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum CodeError {
    #[error("the code object made no sense")]
    Nonsense,
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Longest name or path kept, in characters; longer ones are cut.
const MAX_NAME: usize = 4096;
/// Longest line table read, in bytes.
const MAX_LINE_TABLE: usize = 8 << 20;
/// Most instructions of a code object, in bytes.
pub(crate) const MAX_CODE: u64 = 64 << 20;

/// Most code objects remembered of a target, unless [`Limits`](crate::Limits) says otherwise.
pub(crate) const MAX_CODES: usize = 1 << 16;
/// Most bytes that are remembered of them.
const MAX_BYTES: usize = 64 << 20;
/// Addresses of a [`Reused`] generation.
const MAX_REUSED: usize = 1 << 15;

/// The code objects seen in one process image; of a program that makes ever more of them, those
/// that were seen of late.
#[derive(Debug, Default)]
pub(crate) struct CodeTable {
    by_address: FxHashMap<u64, CodeSlot>,
    by_content: FxHashMap<u64, Vec<CodeId>>,
    infos: FxHashMap<CodeId, CodeInfo>,
    next_id: u32,
    bytes: usize,
    /// Grows with the number of code objects read.
    age: u64,
    /// Code objects read in this age.
    loads: usize,
    reused: Reused,
}

/// Addresses at which one code object took another's place: they will do so again. Two
/// generations, of which the older is forgotten when the newer is full.
#[derive(Debug, Default)]
struct Reused {
    newer: FxHashSet<u64>,
    older: FxHashSet<u64>,
}

impl Reused {
    fn insert(&mut self, address: u64) {
        if self.newer.len() >= MAX_REUSED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(address);
    }

    #[inline]
    fn contains(&self, address: u64) -> bool {
        let is_in = |set: &FxHashSet<u64>| !set.is_empty() && set.contains(&address);
        is_in(&self.newer) || is_in(&self.older)
    }
}

impl CodeTable {
    #[inline]
    pub fn at(&self, address: u64) -> Option<&CodeSlot> {
        self.by_address.get(&address)
    }

    /// The same, and it will not be among the first to be forgotten.
    #[inline]
    pub fn used(&mut self, address: u64) -> Option<CodeSlot> {
        let slot = self.by_address.get_mut(&address)?;
        slot.age = self.age;
        Some(*slot)
    }

    /// Changes now and then, and always when ids are forgotten: then each thread's frames are to be
    /// looked up again, even those that are as before, to tell which are in use.
    pub fn age(&self) -> u64 {
        self.age
    }

    /// Another code object was found at `address`.
    pub fn forget(&mut self, address: u64) {
        self.by_address.remove(&address);
        self.reused.insert(address);
    }

    /// The code object at `address` was seen to be the same in this generation.
    pub fn renew(&mut self, address: u64, generation: u64) {
        if let Some(slot) = self.by_address.get_mut(&address) {
            slot.generation = generation;
        }
    }

    /// Whether code objects took each other's place at this address.
    #[inline]
    pub fn was_reused(&self, address: u64) -> bool {
        self.reused.contains(address)
    }

    /// Makes room for one more of at most `most` code objects, by forgetting those that were not
    /// used of late; if that is not enough, all. Returns how many functions were forgotten.
    pub fn make_room(&mut self, most: usize) -> usize {
        self.loads += 1;
        if self.loads > most / 4 {
            self.grow_older();
        }
        if self.by_address.len().max(self.infos.len()) < most && self.bytes < MAX_BYTES {
            return 0;
        }
        let before = self.infos.len();
        for ages in [2, 1, 0] {
            let oldest = self.age.saturating_sub(ages);
            self.by_address.retain(|_, slot| slot.age > oldest);
            let kept: FxHashSet<CodeId> = self.by_address.values().map(|slot| slot.id).collect();
            self.infos.retain(|id, _| kept.contains(id));
            self.bytes = self.infos.values().map(CodeInfo::size).sum();
            let len = self.by_address.len().max(self.infos.len());
            if len <= most / 2 && self.bytes <= MAX_BYTES / 2 {
                break;
            }
        }
        self.grow_older();
        let infos = &self.infos;
        self.by_content.retain(|_, ids| {
            ids.retain(|id| infos.contains_key(id));
            !ids.is_empty()
        });
        before - self.infos.len()
    }

    fn grow_older(&mut self) {
        self.loads = 0;
        self.age += 1;
    }

    pub fn info(&self, id: CodeId) -> Option<&CodeInfo> {
        self.infos.get(&id)
    }

    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Reads the code object at `address`. The identity is read before and after the strings, so
    /// that they belong together.
    pub fn load(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        code_type: u64,
        address: u64,
        generation: u64,
    ) -> Result<CodeSlot, CodeError> {
        let code = &layout.code;
        if address == 0 || !address.is_multiple_of(8) {
            return Err(CodeError::Nonsense);
        }
        let mut head = vec![0; code.code_adaptive];
        memory.read(RemoteAddr(address), &mut head)?;
        let identity = Identity::parse(layout, &head).ok_or(CodeError::Nonsense)?;
        if code_type != 0 && word(&head, layout.object.ob_type) != Some(code_type) {
            return Err(CodeError::Nonsense);
        }
        let code_bytes = identity.ob_size.saturating_mul(2);
        if identity.first_line > i32::MAX as u32 || code_bytes == 0 || code_bytes > MAX_CODE {
            return Err(CodeError::Nonsense);
        }
        let text = |at| objects::string(memory, layout, at, MAX_NAME);
        let info = CodeInfo {
            name: text(identity.name).ok_or(CodeError::Nonsense)?,
            qualified_name: text(identity.qualname).ok_or(CodeError::Nonsense)?,
            filename: text(identity.filename).ok_or(CodeError::Nonsense)?,
            first_line: identity.first_line,
            flags: half(&head, code.flags).unwrap_or(0),
            line_table: objects::bytes(memory, layout, identity.linetable, MAX_LINE_TABLE)
                .ok_or(CodeError::Nonsense)?,
        };
        let mut again = vec![0; Identity::size(layout)];
        memory.read(RemoteAddr(address), &mut again)?;
        if Identity::parse(layout, &again) != Some(identity) {
            return Err(CodeError::Nonsense);
        }
        let number = |at| half(&head, at).unwrap_or(0);
        let frame_words = match code.frame_size {
            FrameSize::Stored { at } => number(at),
            FrameSize::Summed {
                nlocalsplus,
                stacksize,
                specials,
            } => number(nlocalsplus)
                .saturating_add(number(stacksize))
                .saturating_add(specials as u32),
        };
        let slot = CodeSlot {
            id: self.intern(info),
            identity,
            generation,
            code_bytes: code_bytes as u32,
            first_traceable: number(code.firsttraceable).saturating_mul(2),
            frame_bytes: frame_words.saturating_mul(8),
            age: self.age,
        };
        self.by_address.insert(address, slot);
        Ok(slot)
    }

    fn intern(&mut self, info: CodeInfo) -> CodeId {
        let mut hasher = FxHasher::default();
        hasher.write(info.name.as_bytes());
        hasher.write(info.qualified_name.as_bytes());
        hasher.write(info.filename.as_bytes());
        hasher.write_u32(info.first_line);
        hasher.write(&info.line_table);
        let same = self.by_content.entry(hasher.finish()).or_default();
        for id in same.iter() {
            if self.infos.get(id) == Some(&info) {
                return *id;
            }
        }
        // After four billion functions the numbers begin again.
        let mut id = CodeId(self.next_id);
        while id == NO_CODE || self.infos.contains_key(&id) {
            id = CodeId(id.0.wrapping_add(1));
        }
        self.next_id = id.0.wrapping_add(1);
        self.bytes += info.size();
        self.infos.insert(id, info);
        same.push(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::{CodeId, CodeInfo, CodeSlot, CodeTable, Identity, MAX_REUSED, NO_CODE};

    fn function(number: usize) -> CodeInfo {
        CodeInfo {
            name: format!("f{number}"),
            qualified_name: format!("f{number}"),
            filename: "f.py".to_owned(),
            first_line: 1,
            flags: 0,
            line_table: vec![0; 100],
        }
    }

    fn add(table: &mut CodeTable, number: usize) -> CodeId {
        let id = table.intern(function(number));
        let identity = Identity {
            ob_size: 1,
            first_line: 1,
            filename: 0,
            name: 0,
            qualname: 0,
            linetable: 0,
        };
        let slot = CodeSlot {
            id,
            identity,
            generation: 0,
            code_bytes: 2,
            first_traceable: 0,
            frame_bytes: 80,
            age: table.age,
        };
        table.by_address.insert(number as u64 * 64, slot);
        id
    }

    #[test]
    fn functions_in_use_are_kept_and_the_rest_is_bounded() {
        let mut table = CodeTable::default();
        let hot = add(&mut table, 0);
        let mut forgotten = 0;
        for number in 1..10_000 {
            forgotten += table.make_room(100);
            assert_eq!(table.used(0).map(|slot| slot.id), Some(hot));
            let id = add(&mut table, number);
            assert_eq!(table.info(id), Some(&function(number)));
            assert!(table.len() <= 100 && table.by_address.len() <= 100);
            assert!(table.by_content.len() <= 100 && table.bytes < 100 * 400);
        }
        assert_eq!(table.info(hot), Some(&function(0)));
        assert_eq!(forgotten + table.len(), 10_000);
    }

    #[test]
    fn numbers_that_begin_again_are_nobody_elses() {
        let mut table = CodeTable::default();
        let first = add(&mut table, 0);
        table.next_id = u32::MAX - 1;
        let ids: Vec<CodeId> = (1..4).map(|number| add(&mut table, number)).collect();
        assert_eq!(ids, [CodeId(u32::MAX - 1), CodeId(1), CodeId(2)]);
        assert_ne!(ids[0], NO_CODE);
        assert_eq!(table.info(first), Some(&function(0)));
    }

    #[test]
    fn reused_addresses_are_remembered_for_long_but_not_for_ever() {
        let mut table = CodeTable::default();
        for address in 0..4 * MAX_REUSED as u64 {
            table.forget(address);
            assert!(table.was_reused(address));
            assert!(table.was_reused(address.saturating_sub(MAX_REUSED as u64 - 1)));
        }
        assert!(!table.was_reused(0));
        assert!(table.reused.newer.len() + table.reused.older.len() <= 2 * MAX_REUSED);
    }
}
