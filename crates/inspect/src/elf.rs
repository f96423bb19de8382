//! What a CPython binary or library says of itself.

use crate::layout::Architecture;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadRef};

/// Addresses of interest in a binary, as linked (not yet relocated).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Landmarks {
    /// `_PyRuntime`, by symbol or by its section.
    pub runtime: Option<u64>,
    /// `Py_Version`, a `const unsigned long` with the version in hex (3.11 and later).
    pub version: Option<u64>,
    /// The section `.AsyncioDebug` (3.14 and later).
    pub asyncio: Option<u64>,
    /// Address of the first loaded byte.
    pub base: u64,
    /// File offset of the first loaded byte.
    pub base_offset: u64,
    /// What it was built for; `None` for one that we cannot read.
    pub architecture: Option<Architecture>,
}

/// Reads the landmarks out of an ELF file; `None` when it is none.
#[must_use]
pub fn landmarks<'data>(data: impl ReadRef<'data>) -> Option<Landmarks> {
    let file = object::File::parse(data).ok()?;
    let mut found = Landmarks::default();
    let first = file.segments().min_by_key(ObjectSegment::address)?;
    // Loaders map whole pages.
    found.base = first.address() & !0xfff;
    found.base_offset = first.file_range().0 & !0xfff;
    found.architecture = match file.architecture() {
        object::Architecture::X86_64 => Some(Architecture::X86_64),
        object::Architecture::Aarch64 => Some(Architecture::Aarch64),
        _ => None,
    };
    for section in file.sections() {
        match section.name() {
            Ok(".PyRuntime") => found.runtime = Some(section.address()),
            Ok(".AsyncioDebug") => found.asyncio = Some(section.address()),
            _ => {}
        }
    }
    for symbol in file.dynamic_symbols().chain(file.symbols()) {
        if symbol.is_undefined() {
            continue;
        }
        match symbol.name() {
            Ok("_PyRuntime") => found.runtime = Some(symbol.address()),
            Ok("Py_Version") => found.version = Some(symbol.address()),
            Ok("_AsyncioDebug") if found.asyncio.is_none() => {
                found.asyncio = Some(symbol.address());
            }
            _ => {}
        }
        if found.runtime.is_some() && found.version.is_some() {
            break;
        }
    }
    Some(found)
}
