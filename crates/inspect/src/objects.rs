//! Built-in objects in the memory of a process: strings, bytes, ints, dicts, instances.
//!
//! Everything read may be garbage: lengths are limited, pointers may lead nowhere, and text that
//! is no Unicode becomes U+FFFD. Nothing here panics or allocates more than its limit.

use crate::layout::Layout;
use crate::memory::{Memory, half, word};
use sondage_model::RemoteAddr;

/// The text of a `str`, at most `limit` characters of it.
pub(crate) fn string(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    limit: usize,
) -> Option<String> {
    let object = &layout.object;
    if address == 0 || address % 8 != 0 {
        return None;
    }
    let mut head = [0_u8; 96];
    let head = head.get_mut(..object.compact_size + 8)?;
    memory.read(RemoteAddr(address), head).ok()?;
    let length = word(head, object.unicode_length)?;
    let state = half(head, object.unicode_state)?;
    // interned:2, kind:3, compact:1, ascii:1.
    let kind = (state >> 2) & 7;
    let compact = state >> 5 & 1 == 1;
    let ascii = state >> 6 & 1 == 1;
    if !matches!(kind, 1 | 2 | 4) || length > 1 << 40 {
        return None;
    }
    let kept = length.min(limit as u64) as usize;
    let at = match (compact, ascii) {
        (true, true) => address.checked_add(object.ascii_size as u64)?,
        (true, false) => address.checked_add(object.compact_size as u64)?,
        // A `str` of a subclass: the characters lie elsewhere.
        (false, _) => word(head, object.compact_size)?,
    };
    let mut raw = vec![0; kept.checked_mul(kind as usize)?];
    memory.read(RemoteAddr(at), &mut raw).ok()?;
    let replace = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(match kind {
        1 => raw.iter().map(|byte| char::from(*byte)).collect(),
        // Not UTF-16: each unit is a code point, and lone surrogates are allowed.
        2 => raw
            .chunks_exact(2)
            .map(|unit| replace(u32::from(u16::from_le_bytes([unit[0], unit[1]]))))
            .collect(),
        _ => raw
            .chunks_exact(4)
            .map(|unit| replace(u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]])))
            .collect(),
    })
}

/// The content of a `bytes`; `None` when it is longer than `limit`.
pub(crate) fn bytes(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    limit: usize,
) -> Option<Vec<u8>> {
    if address == 0 || address % 8 != 0 {
        return None;
    }
    let mut head = [0_u8; 32];
    memory.read(RemoteAddr(address), &mut head).ok()?;
    let size = usize::try_from(word(&head, layout.object.ob_size)?).ok()?;
    if size > limit {
        return None;
    }
    let mut content = vec![0; size];
    let at = address.checked_add(layout.object.bytes_sval as u64)?;
    memory.read(RemoteAddr(at), &mut content).ok()?;
    Some(content)
}
