//! Which chunks a recording has: from its footer, or by scan.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;

use zstd::zstd_safe::DCtx;

use crate::chunk::{
    self, CHUNK_MAGIC, ChunkRef, FLAG_PLANES, FLAG_ZSTD, HEAD_LENGTH, HEADER_LENGTH, Header, Kind,
    MAGIC, TRAILER_LENGTH, VERSION,
};
use crate::codec_index;
use crate::error::{ChunkError, OpenError};
use crate::ipc::{Batch, Layout};
use crate::store::Store;
use crate::upgrade::{self, NoWay, Upgrade};

/// The chunks of a recording in the order of the file, those of the footer left out, and the
/// columns of their tables.
pub(crate) struct Index {
    pub chunks: Vec<ChunkRef>,
    pub layouts: FxHashMap<u16, Layout>,
    /// How the chunks were found, where not from the footer.
    pub scan: Option<Scan>,
    pub head_damaged: bool,
    /// Chunks that the footer tells of, left out because their checksum is wrong.
    pub bad_chunks: u64,
    upgrades: &'static [Upgrade],
}

/// What the first bytes tell.
struct Head {
    damaged: bool,
    upgrades: &'static [Upgrade],
}

/// What a scan met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scan {
    /// Bytes within the file that belong to no whole chunk.
    pub damaged_bytes: u64,
    /// In how many places.
    pub damaged_places: u64,
    /// Bytes after the last whole chunk.
    pub cut_bytes: u64,
    /// Chunks that were written and are not there, as their numbers tell.
    pub lost_chunks: u64,
    /// Whether the file was finished, and only its footer is damaged.
    pub finished: bool,
}

/// Files up to this length are checked as a whole when they are opened, so that a damaged chunk
/// costs its own rows. In longer ones its block is an error when it is read.
const MOST_VERIFIED: u64 = 64 << 20;

/// The most bytes of a schema message.
const MOST_SCHEMA: u32 = 1 << 16;

/// The most bytes that may come out of small tables when a file of `length` bytes is opened. What
/// is decompressed is bounded by what is there to be decompressed: real ones shrink to a fifth or
/// a tenth.
pub(crate) fn raw_budget(length: u64) -> u64 {
    length.saturating_mul(32).saturating_add(64 << 20)
}

impl Index {
    /// Finds the chunks of a recording called `name`.
    pub fn load(store: &dyn Store, name: &str) -> Result<Index, OpenError> {
        let head = read_head(store, name)?;
        let mut bad_chunks = 0;
        let (chunks, scan) = match from_footer(store) {
            Some(mut chunks) => {
                if store.length() <= MOST_VERIFIED {
                    let all = chunks.len();
                    chunks.retain(|chunk| is_whole(store, chunk));
                    bad_chunks = (all - chunks.len()) as u64;
                }
                (chunks, None)
            }
            None => {
                let (chunks, scan) = scan(store).map_err(|source| OpenError::Io {
                    path: name.to_owned(),
                    source,
                })?;
                (chunks, Some(scan))
            }
        };
        let mut layouts = FxHashMap::default();
        for chunk in &chunks {
            let header = &chunk.header;
            if header.kind != Kind::Schema as u8
                || header.raw_length > MOST_SCHEMA
                || layouts.contains_key(&header.table)
            {
                continue;
            }
            let layout = read_payload(store, chunk)
                .and_then(|bytes| upgrade::apply(head.upgrades, &mut header.clone(), bytes))
                .and_then(|bytes| Layout::parse(&bytes));
            if let Ok(layout) = layout {
                layouts.insert(header.table, layout);
            }
        }
        // Where a schema was lost, the tables are as this version writes them.
        for table in Table::WRITTEN {
            layouts
                .entry(table as u16)
                .or_insert_with(|| Layout::of(table));
        }
        Ok(Index {
            chunks,
            layouts,
            scan,
            head_damaged: head.damaged,
            bad_chunks,
            upgrades: head.upgrades,
        })
    }

    /// The rows of a chunk, given to `read` with its header.
    pub fn rows<T>(
        &self,
        store: &dyn Store,
        chunk: &ChunkRef,
        read: impl FnOnce(&Batch<'_>, &Header) -> Result<T, ChunkError>,
    ) -> Result<T, ChunkError> {
        let mut header = chunk.header;
        let bytes = upgrade::apply(self.upgrades, &mut header, read_payload(store, chunk)?)?;
        let layout = self
            .layouts
            .get(&header.table)
            .ok_or(ChunkError::Message("its table is unknown"))?;
        let batch = Batch::parse(&bytes, layout, header.flags & FLAG_PLANES != 0)?;
        if batch.rows != header.rows as usize {
            return Err(ChunkError::Message(
                "it has not as many rows as its header says",
            ));
        }
        read(&batch, &header)
    }
}

/// Reads the first bytes.
fn read_head(store: &dyn Store, name: &str) -> Result<Head, OpenError> {
    let path = || name.to_owned();
    let length = store.length();
    if length == 0 {
        return Err(OpenError::Empty { path: path() });
    }
    let start = store
        .read(0, length.min(HEAD_LENGTH as u64) as usize)
        .map_err(|source| OpenError::Io {
            path: path(),
            source,
        })?;
    let magic = &start[..start.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(OpenError::NotARecording {
            path: path(),
            found: start.escape_ascii().to_string(),
        });
    }
    if start.len() < HEAD_LENGTH {
        return Err(OpenError::CutHead {
            path: path(),
            length,
            needed: HEAD_LENGTH as u64,
        });
    }
    let mut crc = [0; 4];
    crc.copy_from_slice(&start[12..]);
    if crc32fast::hash(&start[..12]) != u32::from_le_bytes(crc) {
        // Damaged, but recognisable: most likely it is of this version.
        return Ok(Head {
            damaged: true,
            upgrades: &[],
        });
    }
    let version = u16::from_le_bytes([start[8], start[9]]);
    match upgrade::steps_from(version) {
        Ok(upgrades) => Ok(Head {
            damaged: false,
            upgrades,
        }),
        Err(NoWay::Newer) => Err(OpenError::NewerVersion {
            path: path(),
            found: version,
            known: VERSION,
        }),
        Err(NoWay::NeverWas) => Err(OpenError::Inconsistent {
            path: path(),
            what: "version".into(),
            why: format!("there never was a version {version}"),
        }),
    }
}

/// Whether the payload of a chunk is there and as it was written.
fn is_whole(store: &dyn Store, chunk: &ChunkRef) -> bool {
    let header = &chunk.header;
    store
        .read(
            chunk.offset + HEADER_LENGTH as u64,
            header.payload_length as usize,
        )
        .is_ok_and(|payload| crc32fast::hash(&payload) == header.payload_crc)
}

thread_local! {
    /// PERF: making a context takes longer than decompressing a small chunk with it. The widest tiles of
    /// 10 million samples, 417 chunks, took 17.7 ms with one each and 2.5 ms with this (`open` of
    /// crates/recording, 2-core VM).
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// The payload of a chunk: checked, decompressed.
pub(crate) fn read_payload(store: &dyn Store, chunk: &ChunkRef) -> Result<Vec<u8>, ChunkError> {
    let header = &chunk.header;
    header.check()?;
    let payload = store
        .read(
            chunk.offset.saturating_add(HEADER_LENGTH as u64),
            header.payload_length as usize,
        )
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ChunkError::Cut,
            _ => ChunkError::Io(error.to_string()),
        })?;
    if crc32fast::hash(&payload) != header.payload_crc {
        return Err(ChunkError::Checksum);
    }
    if header.flags & FLAG_ZSTD == 0 {
        return Ok(payload);
    }
    // Exactly as much as the header says, which is bounded: more does not fit and is an error.
    let mut raw = vec![0; header.raw_length as usize];
    let length = DECOMPRESSOR.with_borrow_mut(|context| {
        context
            .decompress(&mut raw[..], &payload)
            .map_err(|_| ChunkError::Compression)
    })?;
    if length != raw.len() {
        return Err(ChunkError::Compression);
    }
    Ok(raw)
}

/// The chunks that the footer tells of, if there is a footer and it makes sense.
fn from_footer(store: &dyn Store) -> Option<Vec<ChunkRef>> {
    let end = store
        .length()
        .checked_sub(TRAILER_LENGTH as u64)
        .filter(|end| *end >= HEAD_LENGTH as u64)?;
    let mut trailer = [0; TRAILER_LENGTH];
    store.read_at(end, &mut trailer).ok()?;
    let footer = chunk::footer_offset(&trailer)?;
    let mut chunks = Vec::new();
    let mut layout = None;
    let mut at = footer;
    let most_chunks = store.length() / HEADER_LENGTH as u64;
    let mut bytes_left = raw_budget(store.length());
    while at < end {
        let chunk = ChunkRef {
            offset: at,
            header: Header::decode(&store.read(at, HEADER_LENGTH).ok()?).ok()?,
        };
        if chunk.header.table != Table::Index as u16 || chunk.end() > end {
            return None;
        }
        bytes_left = bytes_left.checked_sub(u64::from(chunk.header.raw_length))?;
        let payload = read_payload(store, &chunk).ok()?;
        if chunk.header.kind == Kind::Schema as u8 {
            layout = Some(Layout::parse(&payload).ok()?);
        } else {
            let planes = chunk.header.flags & FLAG_PLANES != 0;
            let batch = Batch::parse(&payload, layout.as_ref()?, planes).ok()?;
            codec_index::decode(&batch, &mut chunks).ok()?;
            if chunks.len() as u64 > most_chunks {
                return None;
            }
        }
        at = chunk.end();
    }
    // Chunks lie in order, apart, and before the footer.
    let mut before = HEAD_LENGTH as u64;
    for chunk in &chunks {
        if chunk.offset < before || chunk.end() > footer {
            return None;
        }
        before = chunk.end();
    }
    chunks.retain(|chunk| chunk.header.table != Table::Index as u16);
    Some(chunks)
}

/// The most bytes looked at in one step when searching for the next chunk.
const MOST_WINDOW: usize = 1 << 20;

/// Finds the whole chunks of a file without a footer.
fn scan(store: &dyn Store) -> std::io::Result<(Vec<ChunkRef>, Scan)> {
    let length = store.length();
    let mut chunks: Vec<ChunkRef> = Vec::new();
    let mut scan = Scan::default();
    // Chunks that claim long payloads could make us check the same bytes again and again.
    let mut checks_left = length.saturating_mul(4).saturating_add(1 << 26);
    let mut at = HEAD_LENGTH as u64;
    let mut whole_end = at;
    let mut next_sequence = 0;
    while at < length {
        let Some(found) = next_magic(store, at)? else {
            break;
        };
        let header = if found + HEADER_LENGTH as u64 <= length {
            Header::decode(&store.read(found, HEADER_LENGTH)?).ok()
        } else {
            None
        };
        let Some(header) = header else {
            at = found + 1;
            continue;
        };
        let chunk = ChunkRef {
            offset: found,
            header,
        };
        let payload_length = u64::from(header.payload_length);
        let whole = chunk.end() <= length && {
            if checks_left < payload_length {
                // Give up on what lies inside of it, not on what comes after.
                at = chunk.end();
                continue;
            }
            checks_left -= payload_length;
            let payload =
                store.read(found + HEADER_LENGTH as u64, header.payload_length as usize)?;
            crc32fast::hash(&payload) == header.payload_crc
        };
        if !whole {
            // A torn chunk may be followed by whole ones within the length that it claims.
            at = found + 1;
            continue;
        }
        if found > whole_end {
            scan.damaged_bytes += found - whole_end;
            scan.damaged_places += 1;
        }
        scan.lost_chunks += u64::from(header.sequence.saturating_sub(next_sequence));
        next_sequence = header.sequence.saturating_add(1);
        whole_end = chunk.end();
        at = whole_end;
        if header.table == Table::Index as u16 {
            scan.finished = true;
        } else {
            chunks.push(chunk);
        }
    }
    scan.cut_bytes = length - whole_end.min(length);
    Ok((chunks, scan))
}

/// Where the next chunk may begin, from `at` on.
fn next_magic(store: &dyn Store, mut at: u64) -> std::io::Result<Option<u64>> {
    let length = store.length();
    // Mostly it is right here. The window doubles, so that the work is in proportion to the
    // distance even where something that looks like a chunk comes every few bytes.
    let mut window = 64;
    while at + CHUNK_MAGIC.len() as u64 <= length {
        let part = (length - at).min(window as u64) as usize;
        let bytes = store.read(at, part)?;
        let found = bytes
            .windows(CHUNK_MAGIC.len())
            .position(|window| window == CHUNK_MAGIC);
        if let Some(found) = found {
            return Ok(Some(at + found as u64));
        }
        at += (part - (CHUNK_MAGIC.len() - 1)) as u64;
        window = (window * 2).min(MOST_WINDOW);
    }
    Ok(None)
}
