//! Code objects: what is read of one once, and how we notice that its address was reused.

use crate::layout::{FrameSize, Layout};
use crate::lines;
use crate::memory::{Memory, MemoryError, half, word};
use crate::objects;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use sondage_model::RemoteAddr;
use std::hash::Hasher;

/// A function's code, as one target knows it. Two code objects with the same name, file, first
/// line and line table (the same source executed again) have the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CodeId(pub u32);

impl CodeId {
    /// As a position in the table.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

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

/// Every code object seen in one process image.
#[derive(Debug, Default)]
pub(crate) struct CodeTable {
    by_address: FxHashMap<u64, CodeSlot>,
    by_content: FxHashMap<u64, Vec<CodeId>>,
    infos: Vec<CodeInfo>,
    /// Addresses at which one code object took another's place: they will do so again.
    reused: FxHashSet<u64>,
}

impl CodeTable {
    #[inline]
    pub fn at(&self, address: u64) -> Option<&CodeSlot> {
        self.by_address.get(&address)
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
        !self.reused.is_empty() && self.reused.contains(&address)
    }

    pub fn info(&self, id: CodeId) -> Option<&CodeInfo> {
        self.infos.get(id.index())
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
            if self.infos[id.index()] == info {
                return *id;
            }
        }
        let id = CodeId(self.infos.len() as u32);
        self.infos.push(info);
        same.push(id);
        id
    }
}
