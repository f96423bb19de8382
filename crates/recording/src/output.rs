//! Chunks out: compression, headers, and what has been written where.

use std::io::{self, Write};

use sondage_model::schema::Table;
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer};

use crate::chunk::{self, ChunkRef, FLAG_PLANES, FLAG_ZSTD, Header, Kind};
use crate::codec_index;
use crate::ipc::{self, Encoded};

/// Compression level of rows: they are small and many.
const LEVEL_ROWS: i32 = 1;
/// Compression level of source texts: few, large and of text.
const LEVEL_TEXT: i32 = 6;

/// A writer of chunks that knows where it is.
pub(crate) struct Output<W> {
    writer: W,
    /// Bytes written so far, those of torn chunks included.
    pub offset: u64,
    index: Vec<ChunkRef>,
    schemas: u64,
    sequence: u32,
    compressor: CCtx<'static>,
}

impl<W: Write> Output<W> {
    pub fn new(writer: W) -> Output<W> {
        Output {
            writer,
            offset: 0,
            index: Vec::new(),
            schemas: 0,
            sequence: 0,
            compressor: CCtx::create(),
        }
    }

    pub fn into_inner(self) -> W {
        self.writer
    }

    /// Writes bytes through to the system: nothing is kept back, so that what was flushed
    /// survives our own end.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.writer.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.offset += written as u64;
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()
    }

    /// Writes a chunk of rows, after the schema of its table if that is the first.
    pub fn rows(&mut self, table: Table, encoded: &Encoded, more: Header) -> io::Result<()> {
        let bit = 1 << (table as u16);
        if self.schemas & bit == 0 {
            let schema = Encoded {
                bytes: ipc::schema_message(table),
                cuts: Vec::new(),
                rows: 0,
            };
            self.chunk(table, Kind::Schema, &schema, Header::default())?;
            self.schemas |= bit;
        }
        let flags = more.flags | FLAG_PLANES;
        self.chunk(table, Kind::Rows, encoded, Header { flags, ..more })
    }

    fn chunk(
        &mut self,
        table: Table,
        kind: Kind,
        encoded: &Encoded,
        more: Header,
    ) -> io::Result<()> {
        let level = if table == Table::SourceTexts {
            LEVEL_TEXT
        } else {
            LEVEL_ROWS
        };
        let compressed = compress(&mut self.compressor, encoded, level)?;
        let smaller = compressed.len() < encoded.bytes.len();
        let payload = if smaller { &compressed } else { &encoded.bytes };
        let header = Header {
            table: table as u16,
            kind: kind as u8,
            flags: more.flags | if smaller { FLAG_ZSTD } else { 0 },
            payload_length: payload.len() as u32,
            raw_length: encoded.bytes.len() as u32,
            rows: encoded.rows as u32,
            payload_crc: crc32fast::hash(payload),
            sequence: self.sequence,
            ..more
        };
        header
            .check()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut bytes = Vec::with_capacity(chunk::HEADER_LENGTH + payload.len());
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(payload);
        let offset = self.offset;
        self.write(&bytes)?;
        self.sequence += 1;
        self.index.push(ChunkRef { offset, header });
        Ok(())
    }

    /// Writes the footer and the trailer.
    pub fn footer(&mut self) -> io::Result<()> {
        let parts: Vec<&[ChunkRef]> = self.index.chunks(chunk::MAX_ROWS as usize / 4).collect();
        let parts: Vec<Encoded> = parts.into_iter().map(codec_index::encode).collect();
        // The footer is the run of chunks from here to the trailer: the schema, then the rows.
        let offset = self.offset;
        self.schemas &= !(1 << (Table::Index as u16));
        for part in parts {
            self.rows(Table::Index, &part, Header::default())?;
        }
        self.write(&chunk::trailer(offset))
    }
}

/// One zstd frame in which every byte plane of a column is a block of its own.
///
/// PERF: planes differ in their statistics. Whole columns as blocks took 4.82 bytes a sample, planes
/// take 4.40 (`synth` of this crate, three threads at 1 kHz); on a real program the samples alone went
/// from 5.8 to 4.9.
fn compress(context: &mut CCtx<'_>, encoded: &Encoded, level: i32) -> io::Result<Vec<u8>> {
    let failed = |code| io::Error::other(zstd_safe::get_error_name(code));
    context
        .reset(zstd_safe::ResetDirective::SessionAndParameters)
        .map_err(failed)?;
    context
        .set_parameter(CParameter::CompressionLevel(level))
        .map_err(failed)?;
    context
        .set_pledged_src_size(Some(encoded.bytes.len() as u64))
        .map_err(failed)?;
    // Room for the worst case, so that each step takes all its input.
    let bound = zstd_safe::compress_bound(encoded.bytes.len()) + 32 * (encoded.cuts.len() + 1);
    let mut out = Vec::with_capacity(bound);
    let mut start = 0;
    for &end in &encoded.cuts {
        let part = &encoded.bytes[start..end];
        step(context, part, &mut out, ZSTD_EndDirective::ZSTD_e_flush).map_err(failed)?;
        start = end;
    }
    let rest = &encoded.bytes[start..];
    step(context, rest, &mut out, ZSTD_EndDirective::ZSTD_e_end).map_err(failed)?;
    Ok(out)
}

/// Compresses all of `part`, then ends the block or the frame.
fn step(
    context: &mut CCtx<'_>,
    part: &[u8],
    out: &mut Vec<u8>,
    end: ZSTD_EndDirective,
) -> Result<(), usize> {
    let mut input = InBuffer::around(part);
    let position = out.len();
    let mut output = OutBuffer::around_pos(out, position);
    loop {
        let left = context.compress_stream2(&mut output, &mut input, end)?;
        if left == 0 && input.pos() == part.len() {
            return Ok(());
        }
    }
}
