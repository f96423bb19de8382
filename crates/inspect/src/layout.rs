//! Where CPython keeps what: one table per minor version.

mod frozen;
mod self_described;

pub(crate) use self_described::DEBUG_OFFSETS_SIZE;
pub use self_described::{DebugOffsetsError, parse_debug_offsets};

/// A CPython version, as in `sys.hexversion`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// 3.
    pub major: u8,
    /// 12 in 3.12.1.
    pub minor: u8,
    /// 1 in 3.12.1.
    pub micro: u8,
    /// 0xA alpha, 0xB beta, 0xC candidate, 0xF final.
    pub level: u8,
    /// 2 in `3.15.0b2`.
    pub serial: u8,
}

impl Version {
    /// From `PY_VERSION_HEX`.
    #[must_use]
    pub fn from_hex(hex: u32) -> Version {
        Version {
            major: (hex >> 24) as u8,
            minor: (hex >> 16) as u8,
            micro: (hex >> 8) as u8,
            level: (hex >> 4) as u8 & 0xf,
            serial: hex as u8 & 0xf,
        }
    }

    /// Whether this is a final release, not an alpha, beta or candidate.
    #[must_use]
    pub fn is_final(self) -> bool {
        self.level == 0xf
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)?;
        match self.level {
            0xa => write!(f, "a{}", self.serial),
            0xb => write!(f, "b{}", self.serial),
            0xc => write!(f, "rc{}", self.serial),
            _ => Ok(()),
        }
    }
}

/// The machine that an interpreter was built for, as far as its structures tell. Pointers have 64
/// bits and the low byte comes first on all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Architecture {
    /// Intel's and AMD's.
    X86_64,
    /// Arm's, 64-bit.
    Aarch64,
}

/// The C library that an interpreter runs with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CLibrary {
    /// GNU's.
    Glibc,
    /// That of Alpine Linux.
    Musl,
}

/// What decides how large the C library's own structures are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Machine {
    /// The processor.
    pub architecture: Architecture,
    /// The C library.
    pub library: CLibrary,
}

impl Machine {
    /// `sizeof(pthread_mutex_t)`.
    #[must_use]
    pub fn mutex_size(self) -> usize {
        match (self.architecture, self.library) {
            (Architecture::Aarch64, CLibrary::Glibc) => 48,
            (Architecture::X86_64, CLibrary::Glibc) | (_, CLibrary::Musl) => 40,
        }
    }

    /// `sizeof(pthread_cond_t)`.
    #[must_use]
    pub fn condition_size(self) -> usize {
        48
    }
}

/// How a frame shows in its own memory whether it lives. It lets one copy of a stack be checked
/// against itself, however fast the thread runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Liveness {
    /// 3.11–3.13: an `int stacktop` at this offset is −1 while, and only while, the evaluation
    /// loop runs the frame (or C code called from it).
    Executing {
        /// Offset of `stacktop`.
        stacktop: usize,
    },
    /// 3.14 and later: the code pointer is cleared when the frame is popped.
    Cleared,
}

/// Where a thread state keeps its current frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CurrentFrame {
    /// `tstate->current_frame`.
    Direct {
        /// Offset in the thread state.
        at: usize,
    },
    /// `tstate->cframe->current_frame`, 3.11 and 3.12.
    ThroughCFrame {
        /// Offset of `cframe` in the thread state.
        cframe: usize,
        /// Offset of `current_frame` in the `_PyCFrame`; `previous` is the word after it.
        current_frame: usize,
    },
}

/// Where a thread says that it holds the GIL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldsGil {
    /// A bit or a flag in the thread state.
    InThread {
        /// Offset of the 32-bit word.
        at: usize,
        /// Bits of it that mean "holds the GIL".
        mask: u32,
    },
    /// Only the GIL knows: `locked` and `last_holder`.
    InGil,
}

/// Where an interpreter's GIL is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GilPlace {
    /// One for all, inside `_PyRuntime` (3.11).
    InRuntime {
        /// Offset in `_PyRuntime`.
        at: usize,
    },
    /// Behind a pointer in the interpreter state (3.12 and later).
    Pointer {
        /// Offset of `ceval.gil` in the interpreter state.
        at: usize,
    },
}

/// `_PyRuntime`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct RuntimeLayout {
    /// `int initialized`: 1 once `Py_Initialize` is done.
    pub initialized: usize,
    pub finalizing: usize,
    pub interpreters_head: usize,
}

/// `PyInterpreterState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct InterpreterLayout {
    pub id: usize,
    pub next: usize,
    pub threads_head: usize,
    pub modules: usize,
    pub gil: GilPlace,
    /// Counts code objects destroyed; 3.14 and later.
    pub code_generation: Option<usize>,
}

/// `struct _gil_runtime_state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct GilLayout {
    pub size: usize,
    pub last_holder: usize,
    pub locked: usize,
}

/// `PyThreadState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct ThreadLayout {
    pub next: usize,
    pub interp: usize,
    pub thread_id: usize,
    pub native_thread_id: usize,
    pub frame: CurrentFrame,
    /// The newest chunk of the data stack: `{previous, size in bytes, top, data…}`.
    pub datastack_chunk: usize,
    /// Pointer to the sentinel that ends the chain of frames (3.15).
    pub base_frame: Option<usize>,
    pub holds_gil: HoldsGil,
}

/// `_PyInterpreterFrame`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct FrameLayout {
    /// Bytes that hold every field below.
    pub size: usize,
    pub previous: usize,
    pub executable: usize,
    /// Bits of `executable` that are a tag, not part of the pointer.
    pub tag_mask: u64,
    pub instr_ptr: usize,
    pub owner: usize,
    /// Lowest `owner` that is no Python frame; `u8::MAX` where there are none.
    pub shim_owner: u8,
    /// `bool is_entry` (3.11).
    pub is_entry: Option<usize>,
    pub liveness: Liveness,
}

/// Size of a frame in the data stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameSize {
    /// `int co_framesize` at this offset, in words.
    Stored {
        /// Offset in the code object.
        at: usize,
    },
    /// `co_nlocalsplus + co_stacksize` plus the frame's own words (3.11).
    Summed {
        /// Offset of `co_nlocalsplus`.
        nlocalsplus: usize,
        /// Offset of `co_stacksize`.
        stacksize: usize,
        /// Words of a frame before its locals.
        specials: usize,
    },
}

/// `PyCodeObject`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct CodeLayout {
    pub flags: usize,
    pub firstlineno: usize,
    pub filename: usize,
    pub name: usize,
    pub qualname: usize,
    pub linetable: usize,
    pub firsttraceable: usize,
    pub code_adaptive: usize,
    pub frame_size: FrameSize,
    /// Opcodes that can call a Python function without C in between; empty where frames tell by
    /// themselves that they wait in a call.
    pub calls: &'static [u8],
}

/// Objects of built-in types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields are CPython's, by CPython's names")]
pub struct ObjectLayout {
    pub ob_type: usize,
    pub ob_size: usize,
    pub unicode_length: usize,
    pub unicode_state: usize,
    /// `sizeof(PyASCIIObject)`: where the characters of an ASCII string begin.
    pub ascii_size: usize,
    /// `sizeof(PyCompactUnicodeObject)`: where those of other compact strings begin.
    pub compact_size: usize,
    pub bytes_sval: usize,
    pub dict_keys: usize,
    pub dict_values: usize,
    /// Offset of the first value in a `PyDictValues`.
    pub values_first: usize,
    pub long_digit: usize,
    pub type_name: usize,
    pub type_flags: usize,
    pub type_basicsize: usize,
    pub heap_type_cached_keys: usize,
    /// Offset of the frame in a generator, coroutine or asynchronous generator.
    pub generator_frame: usize,
    pub generator_qualname: usize,
}

/// Everything that is known of one build of CPython.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "one field for each structure")]
pub struct Layout {
    pub version: Version,
    pub runtime: RuntimeLayout,
    pub interpreter: InterpreterLayout,
    pub gil: GilLayout,
    pub thread: ThreadLayout,
    pub frame: FrameLayout,
    pub code: CodeLayout,
    pub object: ObjectLayout,
}

impl GilLayout {
    /// The structure's size and fields, the same since 3.11 but for the C library's part of it:
    /// two condition variables and two mutexes, after four words.
    #[must_use]
    pub fn of(machine: Machine) -> GilLayout {
        GilLayout {
            size: 32 + 2 * (machine.condition_size() + machine.mutex_size()),
            last_holder: 8,
            locked: 16,
        }
    }
}

impl Layout {
    /// The table of a version that does not describe itself: 3.11 and 3.12, whose structures no
    /// release of their branch has changed.
    #[must_use]
    pub fn frozen(version: Version, machine: Machine) -> Option<Layout> {
        frozen::layout(version, machine)
    }
}
