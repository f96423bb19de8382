//! CPython 3.13 and later describe themselves: `_PyRuntime` begins with `_Py_DebugOffsets`.
//!
//! The structure grows with every minor version, so that each has its own list of fields here;
//! within a minor version it is frozen, and every patch release fills in its own offsets. What it
//! does not tell (the size of a frame in the data stack, the GIL's own fields) is derived from
//! fields that it does tell, or is the same in all known versions.

use super::{
    CodeLayout, CurrentFrame, FrameLayout, FrameSize, GilLayout, GilPlace, HoldsGil,
    InterpreterLayout, Layout, Liveness, Machine, ObjectLayout, RuntimeLayout, ThreadLayout,
    Version, frozen::OBJECTS,
};
use crate::memory::word;

/// Why a `_Py_DebugOffsets` was not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DebugOffsetsError {
    /// The bytes do not begin with `xdebugpy`.
    #[error("no debug offsets where they should be")]
    NoCookie,
    /// A minor version that this sondage does not know.
    #[error("CPython {0} is not known to this version of sondage")]
    UnknownVersion(Version),
    /// An alpha, beta or candidate, whose structures may differ from the final release's.
    #[error("CPython {0} is a pre-release, whose structures still change")]
    PreRelease(Version),
    /// A build without the GIL.
    #[error("CPython {0} is a free-threaded build, which cannot be read yet")]
    FreeThreaded(Version),
    /// A field has a value that no build can have.
    #[error("CPython {version}: debug offset {field} is {value}, which makes no sense")]
    Insane {
        /// The version.
        version: Version,
        /// Which field.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// Fewer bytes than the structure has.
    #[error("CPython {0}: the debug offsets are cut off")]
    Short(Version),
}

/// Bytes that hold the debug offsets of every known version.
pub(crate) const DEBUG_OFFSETS_SIZE: usize = 1024;

/// Fields of the structure, in order, after cookie, version and `free_threaded`.
const FIELDS_3_13: &str = "runtime.size runtime.finalizing runtime.interpreters_head \
    interpreter.size interpreter.id interpreter.next interpreter.threads_head interpreter.gc \
    interpreter.modules interpreter.sysdict interpreter.builtins interpreter.ceval_gil \
    interpreter.gil interpreter.gil_enabled interpreter.gil_locked interpreter.gil_holder \
    thread.size thread.prev thread.next thread.interp thread.current_frame thread.thread_id \
    thread.native_thread_id thread.datastack_chunk thread.status \
    frame.size frame.previous frame.executable frame.instr_ptr frame.localsplus frame.owner \
    code.size code.filename code.name code.qualname code.linetable code.firstlineno \
    code.argcount code.localsplusnames code.localspluskinds code.code_adaptive \
    object.size object.type type.size type.name type.repr type.flags \
    tuple.size tuple.item tuple.ob_size list.size list.item list.ob_size \
    dict.size dict.keys dict.values float.size float.fval long.size long.tag long.digit \
    bytes.size bytes.ob_size bytes.sval \
    unicode.size unicode.state unicode.length unicode.ascii_size gc.size gc.collecting";

const FIELDS_3_14: &str = "runtime.size runtime.finalizing runtime.interpreters_head \
    interpreter.size interpreter.id interpreter.next interpreter.threads_head \
    interpreter.threads_main interpreter.gc interpreter.modules interpreter.sysdict \
    interpreter.builtins interpreter.ceval_gil interpreter.gil interpreter.gil_enabled \
    interpreter.gil_locked interpreter.gil_holder interpreter.code_generation \
    interpreter.tlbc_generation \
    thread.size thread.prev thread.next thread.interp thread.current_frame thread.thread_id \
    thread.native_thread_id thread.datastack_chunk thread.status \
    frame.size frame.previous frame.executable frame.instr_ptr frame.localsplus frame.owner \
    frame.stackpointer frame.tlbc_index \
    code.size code.filename code.name code.qualname code.linetable code.firstlineno \
    code.argcount code.localsplusnames code.localspluskinds code.code_adaptive code.tlbc \
    object.size object.type type.size type.name type.repr type.flags \
    tuple.size tuple.item tuple.ob_size list.size list.item list.ob_size \
    set.size set.used set.table set.mask \
    dict.size dict.keys dict.values float.size float.fval long.size long.tag long.digit \
    bytes.size bytes.ob_size bytes.sval \
    unicode.size unicode.state unicode.length unicode.ascii_size gc.size gc.collecting \
    generator.size generator.name generator.frame generator.frame_state";

const FIELDS_3_15: &str = "runtime.size runtime.finalizing runtime.interpreters_head \
    interpreter.size interpreter.id interpreter.next interpreter.threads_head \
    interpreter.threads_main interpreter.gc interpreter.modules interpreter.sysdict \
    interpreter.builtins interpreter.ceval_gil interpreter.gil interpreter.gil_enabled \
    interpreter.gil_locked interpreter.gil_holder interpreter.code_generation \
    interpreter.tlbc_generation \
    thread.size thread.prev thread.next thread.interp thread.current_frame thread.base_frame \
    thread.last_profiled_frame thread.last_profiled_frame_seq thread.thread_id \
    thread.native_thread_id thread.datastack_chunk thread.status thread.holds_gil \
    thread.gil_requested thread.current_exception thread.exc_state err_stackitem.exc_value \
    frame.size frame.previous frame.executable frame.instr_ptr frame.localsplus frame.owner \
    frame.stackpointer frame.tlbc_index \
    code.size code.filename code.name code.qualname code.linetable code.firstlineno \
    code.argcount code.localsplusnames code.localspluskinds code.code_adaptive code.tlbc \
    object.size object.type type.size type.name type.repr type.flags type.basicsize \
    type.dictoffset heap_type.size heap_type.cached_keys \
    tuple.size tuple.item tuple.ob_size list.size list.item list.ob_size \
    set.size set.used set.table set.mask \
    dict.size dict.keys dict.values float.size float.fval long.size long.tag long.digit \
    bytes.size bytes.ob_size bytes.sval \
    unicode.size unicode.state unicode.length unicode.ascii_size unicode.compact_size \
    gc.size gc.collecting gc.frame gc.generation_stats_size gc.generation_stats \
    generator.size generator.name generator.frame generator.frame_state";

/// Opcodes of 3.14 that push a frame, base, specialised and instrumented forms: `CALL`,
/// `CALL_FUNCTION_EX`, `CALL_KW`, `FOR_ITER`, `SEND`, and those made of the micro-operation
/// `_PUSH_FRAME` (`pycore_opcode_metadata.h`); and `ENTER_EXECUTOR`.
const CALLS_3_14: &[u8] = &[
    4, 52, 55, 70, 106, 136, 143, 144, 145, 151, 153, 161, 162, 171, 179, 187, 197, 237, 238, 250,
    251, 252, 254, 255,
];

/// The same of 3.15.
const CALLS_3_15: &[u8] = &[
    4, 50, 53, 68, 105, 136, 144, 145, 146, 152, 154, 156, 164, 165, 174, 185, 193, 202, 203, 236,
    237, 249, 250, 251, 253, 254,
];

/// Most bytes into a structure that a field may lie: the interpreter state of 3.15 has some
/// hundred thousand.
const MAX_OFFSET: u64 = 1 << 24;

/// The layout told by the bytes at the start of `_PyRuntime` of an interpreter for this machine.
///
/// # Errors
/// See [`DebugOffsetsError`]. Unknown versions, pre-releases and free-threaded builds are refused,
/// not guessed.
pub fn parse_debug_offsets(bytes: &[u8], machine: Machine) -> Result<Layout, DebugOffsetsError> {
    if bytes.get(..8) != Some(b"xdebugpy".as_slice()) {
        return Err(DebugOffsetsError::NoCookie);
    }
    let version = Version::from_hex(word(bytes, 8).unwrap_or(0) as u32);
    let fields = match (version.major, version.minor) {
        (3, 13) => FIELDS_3_13,
        (3, 14) => FIELDS_3_14,
        (3, 15) => FIELDS_3_15,
        _ => return Err(DebugOffsetsError::UnknownVersion(version)),
    };
    if !version.is_final() {
        return Err(DebugOffsetsError::PreRelease(version));
    }
    if word(bytes, 16) != Some(0) {
        return Err(DebugOffsetsError::FreeThreaded(version));
    }
    Offsets {
        bytes,
        version,
        fields,
        machine,
    }
    .layout()
}

struct Offsets<'a> {
    bytes: &'a [u8],
    version: Version,
    fields: &'static str,
    machine: Machine,
}

impl Offsets<'_> {
    fn has(&self, field: &str) -> bool {
        self.fields
            .split_ascii_whitespace()
            .any(|name| name == field)
    }

    fn get(&self, field: &'static str) -> Result<usize, DebugOffsetsError> {
        let position = self
            .fields
            .split_ascii_whitespace()
            .position(|name| name == field)
            .ok_or(DebugOffsetsError::Insane {
                version: self.version,
                field,
                value: 0,
            })?;
        let value =
            word(self.bytes, 24 + 8 * position).ok_or(DebugOffsetsError::Short(self.version))?;
        if value >= MAX_OFFSET {
            return Err(DebugOffsetsError::Insane {
                version: self.version,
                field,
                value,
            });
        }
        Ok(value as usize)
    }

    /// A field of a structure whose size is told too: it must lie inside.
    fn inside(
        &self,
        field: &'static str,
        size: &'static str,
        width: usize,
    ) -> Result<usize, DebugOffsetsError> {
        let (at, size) = (self.get(field)?, self.get(size)?);
        self.check(field, at, at + width <= size)?;
        Ok(at)
    }

    fn check(
        &self,
        field: &'static str,
        value: usize,
        sane: bool,
    ) -> Result<(), DebugOffsetsError> {
        if sane {
            Ok(())
        } else {
            Err(DebugOffsetsError::Insane {
                version: self.version,
                field,
                value: value as u64,
            })
        }
    }

    fn layout(&self) -> Result<Layout, DebugOffsetsError> {
        let minor = self.version.minor;
        let finalizing = self.inside("runtime.finalizing", "runtime.size", 8)?;
        let known_gil = GilLayout::of(self.machine);
        let gil = self.inside("interpreter.gil", "interpreter.size", known_gil.size)?;
        let gil_field = |field| {
            let at = self.inside(field, "interpreter.size", 8)?;
            self.check(field, at, at >= gil && at - gil < known_gil.size)?;
            Ok(at - gil)
        };
        let status = self.inside("thread.status", "thread.size", 4)?;
        let instr_ptr = self.inside("frame.instr_ptr", "frame.size", 8)?;
        let localsplus = self.inside("frame.localsplus", "frame.size", 8)?;
        let owner = self.inside("frame.owner", "frame.size", 1)?;
        self.check("frame.owner", owner, owner < localsplus)?;
        self.check("frame.localsplus", localsplus, localsplus <= 256)?;
        let code_adaptive = self.inside("code.code_adaptive", "code.size", 1)?;
        let firstlineno = self.inside("code.firstlineno", "code.size", 4)?;
        self.check("code.code_adaptive", code_adaptive, code_adaptive >= 64)?;
        let ascii_size = self.get("unicode.ascii_size")?;

        Ok(Layout {
            version: self.version,
            runtime: RuntimeLayout {
                // `_finalizing` follows `int initialized`, aligned to 8.
                initialized: finalizing.saturating_sub(8),
                finalizing,
                interpreters_head: self.inside("runtime.interpreters_head", "runtime.size", 8)?,
            },
            interpreter: InterpreterLayout {
                id: self.inside("interpreter.id", "interpreter.size", 8)?,
                next: self.inside("interpreter.next", "interpreter.size", 8)?,
                threads_head: self.inside("interpreter.threads_head", "interpreter.size", 8)?,
                modules: self.inside("interpreter.modules", "interpreter.size", 8)?,
                gil: GilPlace::Pointer {
                    at: self.inside("interpreter.ceval_gil", "interpreter.size", 8)?,
                },
                code_generation: if self.has("interpreter.code_generation") {
                    Some(self.inside("interpreter.code_generation", "interpreter.size", 8)?)
                } else {
                    None
                },
            },
            gil: GilLayout {
                size: known_gil.size,
                last_holder: gil_field("interpreter.gil_holder")?,
                locked: gil_field("interpreter.gil_locked")?,
            },
            thread: ThreadLayout {
                next: self.inside("thread.next", "thread.size", 8)?,
                interp: self.inside("thread.interp", "thread.size", 8)?,
                thread_id: self.inside("thread.thread_id", "thread.size", 8)?,
                native_thread_id: self.inside("thread.native_thread_id", "thread.size", 8)?,
                frame: CurrentFrame::Direct {
                    at: self.inside("thread.current_frame", "thread.size", 8)?,
                },
                datastack_chunk: self.inside("thread.datastack_chunk", "thread.size", 8)?,
                base_frame: if self.has("thread.base_frame") {
                    Some(self.inside("thread.base_frame", "thread.size", 8)?)
                } else {
                    None
                },
                holds_gil: match minor {
                    13 => HoldsGil::InThread {
                        at: status,
                        mask: 1 << 5,
                    },
                    // `int holds_gil` follows the 32 bits of `_status`.
                    14 => HoldsGil::InThread {
                        at: status + 4,
                        mask: u32::MAX,
                    },
                    _ => HoldsGil::InThread {
                        at: self.inside("thread.holds_gil", "thread.size", 4)?,
                        mask: u32::MAX,
                    },
                },
            },
            frame: FrameLayout {
                size: localsplus,
                previous: self.inside("frame.previous", "frame.size", 8)?,
                executable: self.inside("frame.executable", "frame.size", 8)?,
                tag_mask: if minor >= 14 { 3 } else { 0 },
                instr_ptr,
                owner,
                shim_owner: 3,
                is_entry: None,
                liveness: if minor >= 14 {
                    Liveness::Cleared
                } else {
                    // `int stacktop` follows `instr_ptr`.
                    Liveness::Executing {
                        stacktop: instr_ptr + 8,
                    }
                },
            },
            code: CodeLayout {
                // `co_flags` is the first field after the object head of 24 bytes, behind four
                // pointers' worth of constants and names.
                flags: 48,
                firstlineno,
                filename: self.inside("code.filename", "code.size", 8)?,
                name: self.inside("code.name", "code.size", 8)?,
                qualname: self.inside("code.qualname", "code.size", 8)?,
                linetable: self.inside("code.linetable", "code.size", 8)?,
                // `_co_firsttraceable`, `co_extra`, then the code.
                firsttraceable: code_adaptive - 16,
                code_adaptive,
                // `co_firstlineno`, `co_nlocalsplus`, `co_framesize`.
                frame_size: FrameSize::Stored {
                    at: firstlineno + 8,
                },
                calls: match minor {
                    14 => CALLS_3_14,
                    15 => CALLS_3_15,
                    _ => &[],
                },
            },
            object: ObjectLayout {
                ob_type: self.inside("object.type", "object.size", 8)?,
                ob_size: self.inside("bytes.ob_size", "bytes.size", 8)?,
                unicode_length: self.inside("unicode.length", "unicode.size", 8)?,
                unicode_state: self.inside("unicode.state", "unicode.size", 4)?,
                ascii_size,
                compact_size: if self.has("unicode.compact_size") {
                    self.get("unicode.compact_size")?
                } else {
                    ascii_size + 16
                },
                bytes_sval: self.inside("bytes.sval", "bytes.size", 1)?,
                dict_keys: self.inside("dict.keys", "dict.size", 8)?,
                dict_values: self.inside("dict.values", "dict.size", 8)?,
                values_first: 8,
                long_digit: self.get("long.digit")?,
                type_name: self.get("type.name")?,
                type_flags: self.get("type.flags")?,
                type_basicsize: if self.has("type.basicsize") {
                    self.get("type.basicsize")?
                } else {
                    OBJECTS.type_basicsize
                },
                heap_type_cached_keys: if self.has("heap_type.cached_keys") {
                    self.get("heap_type.cached_keys")?
                } else {
                    OBJECTS.heap_type_cached_keys
                },
                generator_frame: if self.has("generator.frame") {
                    self.get("generator.frame")?
                } else {
                    OBJECTS.generator_frame
                },
                generator_qualname: OBJECTS.generator_qualname,
            },
        })
    }
}
