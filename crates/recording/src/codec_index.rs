//! The footer: one row for each chunk before it.

use sondage_model::schema::Table;

use crate::chunk::{ChunkRef, Header};
use crate::error::ChunkError;
use crate::ipc::{Batch, BatchEncoder, Encoded};

pub(crate) fn encode(chunks: &[ChunkRef]) -> Encoded {
    let headers = || chunks.iter().map(|chunk| chunk.header);
    let mut batch = BatchEncoder::new(Table::Index, chunks.len());
    batch.u64(chunks.iter().map(|chunk| chunk.offset));
    batch.u16(headers().map(|h| h.table));
    batch.u8(headers().map(|h| h.kind));
    batch.u8(headers().map(|h| h.flags));
    batch.u32(headers().map(|h| h.payload_length));
    batch.u32(headers().map(|h| h.raw_length));
    batch.u32(headers().map(|h| h.rows));
    batch.u32(headers().map(|h| h.payload_crc));
    batch.u32(headers().map(|h| h.sequence));
    batch.u32(headers().map(|h| h.block));
    batch.u64(headers().map(|h| h.first));
    batch.u64(headers().map(|h| h.last));
    batch.u64(headers().map(|h| h.detail));
    batch.u64(headers().map(|h| h.count));
    batch.u64(headers().map(|h| h.threads));
    batch.finish()
}

/// Appends the chunks that a footer tells of.
pub(crate) fn decode(batch: &Batch<'_>, chunks: &mut Vec<ChunkRef>) -> Result<(), ChunkError> {
    let start = chunks.len();
    chunks.extend(batch.u64("offset")?.map(|offset| ChunkRef {
        offset,
        header: Header::default(),
    }));
    macro_rules! fill {
        ($($field:ident $type:ident;)*) => {$(
            for (chunk, value) in chunks[start..].iter_mut().zip(batch.$type(stringify!($field))?) {
                chunk.header.$field = value;
            }
        )*};
    }
    fill! {
        table u16; kind u8; flags u8; payload_length u32; raw_length u32; rows u32;
        payload_crc u32; sequence u32; block u32; first u64; last u64; detail u64; count u64;
        threads u64;
    }
    chunks[start..]
        .iter()
        .try_for_each(|chunk| chunk.header.check())
}
