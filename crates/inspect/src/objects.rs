//! Built-in objects in the memory of a process: strings, bytes, ints, dicts, instances.
//!
//! Everything read may be garbage: lengths are limited, pointers may lead nowhere, and text that
//! is no Unicode becomes U+FFFD. Nothing here panics or allocates more than its limit.

use crate::layout::Layout;
use crate::memory::{Memory, field, half, word};
use sondage_model::RemoteAddr;

/// The text of a `str`, at most `limit` characters of it.
pub(crate) fn string(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    limit: usize,
) -> Option<String> {
    let object = &layout.object;
    if address == 0 || !address.is_multiple_of(8) {
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
    if address == 0 || !address.is_multiple_of(8) {
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

/// The value of a non-negative `int` below 2⁶⁴.
pub(crate) fn integer(memory: &dyn Memory, layout: &Layout, address: u64) -> Option<u64> {
    if address == 0 || !address.is_multiple_of(8) {
        return None;
    }
    let digits_at = layout.object.long_digit;
    let mut head = [0_u8; 40];
    memory.read(RemoteAddr(address), &mut head).ok()?;
    let tag = word(&head, layout.object.ob_size)?;
    // 3.11 keeps the number of digits, negated for negative numbers; later versions keep it
    // shifted by 3, and the sign in the low bits.
    let digits = if layout.version.minor >= 12 {
        if tag & 3 == 2 {
            return None;
        }
        tag >> 3
    } else {
        tag
    };
    if digits > 3 {
        return None;
    }
    let mut value = 0_u128;
    for index in 0..digits as usize {
        let digit = half(&head, digits_at + 4 * index)?;
        value |= u128::from(digit) << (30 * index);
    }
    u64::try_from(value).ok()
}

/// The keys and values of a `dict`, as addresses, in order of insertion; at most `limit` entries.
pub(crate) fn dict_items(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    limit: usize,
) -> Option<Vec<(u64, u64)>> {
    if address == 0 || !address.is_multiple_of(8) {
        return None;
    }
    let mut head = [0_u8; 48];
    memory.read(RemoteAddr(address), &mut head).ok()?;
    let keys = word(&head, layout.object.dict_keys)?;
    let values = word(&head, layout.object.dict_values)?;
    let mut items = key_items(memory, keys, limit)?;
    if values != 0 {
        let first = values.checked_add(layout.object.values_first as u64)?;
        fill_values(memory, first, &mut items)?;
    }
    items.retain(|(key, value)| *key != 0 && *value != 0);
    Some(items)
}

/// How many bytes a keys object has that hold its entries.
pub(crate) fn keys_size(memory: &dyn Memory, keys: u64) -> Option<u64> {
    let mut head = [0_u8; 16];
    if keys == 0 || !keys.is_multiple_of(8) {
        return None;
    }
    memory.read(RemoteAddr(keys), &mut head).ok()?;
    let (log2_size, log2_index_bytes, kind) = (head[8], head[9], head[10]);
    if log2_size > 32 || log2_index_bytes > 40 || kind > 2 {
        return None;
    }
    let entries = (1_u64 << log2_size) * 2 / 3;
    let width = if kind == 0 { 24 } else { 16 };
    Some(32 + (1 << log2_index_bytes) + entries * width)
}

/// The entries of a keys object; the values are 0 where the dicts that share it keep their own.
pub(crate) fn key_items(memory: &dyn Memory, keys: u64, limit: usize) -> Option<Vec<(u64, u64)>> {
    let mut head = [0_u8; 32];
    if keys == 0 || !keys.is_multiple_of(8) {
        return None;
    }
    memory.read(RemoteAddr(keys), &mut head).ok()?;
    let log2_index_bytes = head[9];
    let kind = head[10];
    let count = usize::try_from(word(&head, 24)?).ok()?;
    if log2_index_bytes > 40 || kind > 2 || count > 1 << 32 {
        return None;
    }
    // Entries with a hash come first in general dicts; those with only `str` keys leave it out.
    let (width, key_at) = if kind == 0 { (24, 8) } else { (16, 0) };
    let mut raw = vec![0; count.min(limit) * width];
    let at = keys.checked_add(32)?.checked_add(1 << log2_index_bytes)?;
    memory.read(RemoteAddr(at), &mut raw).ok()?;
    raw.chunks_exact(width)
        .map(|entry| Some((word(entry, key_at)?, word(entry, key_at + 8)?)))
        .collect()
}

fn fill_values(memory: &dyn Memory, first: u64, items: &mut [(u64, u64)]) -> Option<()> {
    let mut raw = vec![0; items.len() * 8];
    memory.read(RemoteAddr(first), &mut raw).ok()?;
    for (item, value) in items.iter_mut().zip(raw.chunks_exact(8)) {
        item.1 = word(value, 0)?;
    }
    Some(())
}

/// Most names looked through in a namespace.
const MAX_NAMES: usize = 100_000;

/// The value of a `str` key in a dict.
pub(crate) fn dict_get(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    name: &str,
) -> Option<u64> {
    let items = dict_items(memory, layout, address, MAX_NAMES)?;
    find(memory, layout, &items, name)
}

fn find(memory: &dyn Memory, layout: &Layout, items: &[(u64, u64)], name: &str) -> Option<u64> {
    let mut head = [0_u8; 40];
    let found = items.iter().find(|(key, _)| {
        // The length is cheaper to read than the text.
        memory.read(RemoteAddr(*key), &mut head).is_ok()
            && word(&head, layout.object.unicode_length) == Some(name.len() as u64)
            && string(memory, layout, *key, name.len()).as_deref() == Some(name)
    })?;
    (found.1 != 0).then_some(found.1)
}

/// An instance's own attribute, wherever its version keeps such.
pub(crate) fn attribute(
    memory: &dyn Memory,
    layout: &Layout,
    address: u64,
    name: &str,
) -> Option<u64> {
    const MANAGED_DICT: u64 = 1 << 4;
    const INLINE_VALUES: u64 = 1 << 2;
    let read = |at: u64| crate::memory::read_u64(memory, at).ok();
    let object = &layout.object;
    if address < 64 || !address.is_multiple_of(8) {
        return None;
    }
    let class = read(field(address, object.ob_type))?;
    let flags = read(class.checked_add(object.type_flags as u64)?)?;
    if flags & MANAGED_DICT == 0 {
        return None;
    }
    let dict = read(address - 24)?;
    let (values, dict) = match layout.version.minor {
        11 => (read(address - 32)?, dict),
        12 if dict & 1 == 1 => (dict.wrapping_add(1), 0),
        12 => (0, dict),
        _ if dict == 0 && flags & INLINE_VALUES != 0 => {
            let size = read(class.checked_add(object.type_basicsize as u64)?)?;
            (
                address
                    .checked_add(size)?
                    .checked_add(object.values_first as u64)?,
                0,
            )
        }
        _ => (0, dict),
    };
    if values == 0 {
        return dict_get(memory, layout, dict, name);
    }
    let keys = read(class.checked_add(object.heap_type_cached_keys as u64)?)?;
    let mut items = key_items(memory, keys, 256)?;
    fill_values(memory, values, &mut items)?;
    find(memory, layout, &items, name)
}

/// The name of an object's type, as `str` or `coroutine`.
pub(crate) fn type_name(memory: &dyn Memory, layout: &Layout, address: u64) -> Option<String> {
    if address == 0 || !address.is_multiple_of(8) {
        return None;
    }
    let read = |at: u64| crate::memory::read_u64(memory, at).ok();
    let class = read(address.checked_add(layout.object.ob_type as u64)?)?;
    let at = read(class.checked_add(layout.object.type_name as u64)?)?;
    let mut text = [0_u8; 64];
    // A name may lie just before unmapped memory; what can be read of it is enough.
    let kept = (0x1000 - (at & 0xfff)).min(64) as usize;
    memory.read(RemoteAddr(at), &mut text[..kept]).ok()?;
    let end = text.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&text[..end]).into_owned())
}
