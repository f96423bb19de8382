//! CPython 3.11 and 3.12: branches that get security fixes only, so their tables are frozen.
//! Source: the headers of 3.11.7 and 3.12.1 (`offsetof`), 64-bit, GIL builds. No field used lies
//! behind one whose size depends on the machine: those of the GIL come after them.

use super::{
    CodeLayout, CurrentFrame, FrameLayout, FrameSize, GilLayout, GilPlace, HoldsGil,
    InterpreterLayout, Layout, Liveness, Machine, ObjectLayout, RuntimeLayout, ThreadLayout,
    Version,
};

pub(super) fn layout(version: Version, machine: Machine) -> Option<Layout> {
    match (version.major, version.minor) {
        (3, 11) => Some(v3_11(version, machine)),
        (3, 12) => Some(v3_12(version, machine)),
        _ => None,
    }
}

fn v3_11(version: Version, machine: Machine) -> Layout {
    Layout {
        version,
        runtime: RuntimeLayout {
            initialized: 16,
            finalizing: 24,
            interpreters_head: 40,
        },
        interpreter: InterpreterLayout {
            id: 48,
            next: 0,
            threads_head: 16,
            modules: 888,
            gil: GilPlace::InRuntime { at: 360 },
            code_generation: None,
        },
        gil: GilLayout::of(machine),
        thread: ThreadLayout {
            next: 8,
            interp: 16,
            thread_id: 152,
            native_thread_id: 160,
            frame: CurrentFrame::ThroughCFrame {
                cframe: 56,
                current_frame: 8,
            },
            datastack_chunk: 296,
            base_frame: None,
            holds_gil: HoldsGil::InGil,
        },
        frame: FrameLayout {
            size: 72,
            previous: 48,
            executable: 32,
            tag_mask: 0,
            instr_ptr: 56,
            owner: 69,
            shim_owner: u8::MAX,
            is_entry: Some(68),
            liveness: Liveness::Executing { stacktop: 64 },
        },
        code: CodeLayout {
            flags: 48,
            firstlineno: 72,
            filename: 112,
            name: 120,
            qualname: 128,
            linetable: 136,
            firsttraceable: 168,
            code_adaptive: 184,
            frame_size: FrameSize::Summed {
                nlocalsplus: 76,
                stacksize: 68,
                specials: 9,
            },
            calls: &[],
        },
        object: ObjectLayout {
            ascii_size: 48,
            compact_size: 72,
            heap_type_cached_keys: 872,
            generator_frame: 80,
            generator_qualname: 40,
            ..OBJECTS
        },
    }
}

fn v3_12(version: Version, machine: Machine) -> Layout {
    Layout {
        version,
        runtime: RuntimeLayout {
            initialized: 16,
            finalizing: 24,
            interpreters_head: 40,
        },
        interpreter: InterpreterLayout {
            id: 8,
            next: 0,
            threads_head: 72,
            modules: 944,
            gil: GilPlace::Pointer { at: 384 },
            code_generation: None,
        },
        gil: GilLayout::of(machine),
        thread: ThreadLayout {
            next: 8,
            interp: 16,
            thread_id: 136,
            native_thread_id: 144,
            frame: CurrentFrame::ThroughCFrame {
                cframe: 56,
                current_frame: 0,
            },
            datastack_chunk: 232,
            base_frame: None,
            holds_gil: HoldsGil::InGil,
        },
        frame: FrameLayout {
            size: 72,
            previous: 8,
            executable: 0,
            tag_mask: 0,
            instr_ptr: 56,
            owner: 70,
            shim_owner: 3,
            is_entry: None,
            liveness: Liveness::Executing { stacktop: 64 },
        },
        code: CodeLayout {
            flags: 48,
            firstlineno: 68,
            filename: 112,
            name: 120,
            qualname: 128,
            linetable: 136,
            firsttraceable: 176,
            code_adaptive: 192,
            frame_size: FrameSize::Stored { at: 76 },
            calls: &[],
        },
        object: OBJECTS,
    }
}

/// As of 3.12.
pub(super) const OBJECTS: ObjectLayout = ObjectLayout {
    ob_type: 8,
    ob_size: 16,
    unicode_length: 16,
    unicode_state: 32,
    ascii_size: 40,
    compact_size: 56,
    bytes_sval: 32,
    dict_keys: 32,
    dict_values: 40,
    values_first: 0,
    long_digit: 24,
    type_name: 24,
    type_flags: 168,
    type_basicsize: 32,
    heap_type_cached_keys: 880,
    generator_frame: 72,
    generator_qualname: 32,
};
