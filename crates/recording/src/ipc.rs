//! Arrow IPC messages of flat tables without nulls: the payloads of chunks.
//!
//! Messages are written and read through Arrow's own flatbuffer types; the columns' bytes we
//! handle ourselves, because every length in a file is a claim to be checked before it is used,
//! and Arrow's reader asserts where we must return an error.

use std::borrow::Cow;

use arrow_ipc::{
    Buffer, FieldNode, Message, MessageArgs, MessageHeader, MetadataVersion, Precision,
    RecordBatch, RecordBatchArgs, Type,
};
use arrow_schema::DataType;
use flatbuffers::FlatBufferBuilder;
use sondage_model::schema::Table;

use crate::error::ChunkError;

/// Marks an encapsulated message; its length follows.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// With fewer rows columns are too short to be compressed apart.
const LEAST_ROWS_TO_CUT: usize = 64;
/// Buffers begin at multiples of this.
const ALIGNMENT: usize = 8;

/// The column types in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ColumnType {
    U8,
    U16,
    U32,
    I32,
    U64,
    I64,
    F64,
    Utf8,
}

impl ColumnType {
    pub fn of(data_type: &DataType) -> Option<ColumnType> {
        Some(match data_type {
            DataType::UInt8 => ColumnType::U8,
            DataType::UInt16 => ColumnType::U16,
            DataType::UInt32 => ColumnType::U32,
            DataType::Int32 => ColumnType::I32,
            DataType::UInt64 => ColumnType::U64,
            DataType::Int64 => ColumnType::I64,
            DataType::Float64 => ColumnType::F64,
            DataType::Utf8 => ColumnType::Utf8,
            _ => return None,
        })
    }

    /// Bytes a value; of strings, bytes an offset.
    fn width(self) -> usize {
        match self {
            ColumnType::U8 => 1,
            ColumnType::U16 => 2,
            ColumnType::U32 | ColumnType::I32 | ColumnType::Utf8 => 4,
            ColumnType::U64 | ColumnType::I64 | ColumnType::F64 => 8,
        }
    }
}

/// The columns of a stored table: names and types, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout(Vec<(String, ColumnType)>);

impl Layout {
    /// As this version writes it.
    pub fn of(table: Table) -> Layout {
        Layout(
            table
                .schema()
                .fields()
                .iter()
                .filter_map(|field| {
                    Some((field.name().clone(), ColumnType::of(field.data_type())?))
                })
                .collect(),
        )
    }

    /// From a schema message. Columns from the first one of an unknown type on are left out:
    /// where their buffers lie cannot be known, and columns are only ever added at the end.
    pub fn parse(bytes: &[u8]) -> Result<Layout, ChunkError> {
        let (message, _) = message(bytes)?;
        let schema = message
            .header_as_schema()
            .ok_or(ChunkError::Message("it is no schema"))?;
        let fields = schema
            .fields()
            .ok_or(ChunkError::Message("it has no fields"))?;
        let mut columns = Vec::new();
        for field in fields {
            let column_type =
                match field.type_type() {
                    Type::Int => field.type_as_int().and_then(|int| {
                        match (int.bitWidth(), int.is_signed()) {
                            (8, false) => Some(ColumnType::U8),
                            (16, false) => Some(ColumnType::U16),
                            (32, false) => Some(ColumnType::U32),
                            (32, true) => Some(ColumnType::I32),
                            (64, false) => Some(ColumnType::U64),
                            (64, true) => Some(ColumnType::I64),
                            _ => None,
                        }
                    }),
                    Type::FloatingPoint => field
                        .type_as_floating_point()
                        .filter(|float| float.precision() == Precision::DOUBLE)
                        .map(|_| ColumnType::F64),
                    Type::Utf8 => Some(ColumnType::Utf8),
                    _ => None,
                };
            let plain =
                field.dictionary().is_none() && field.children().is_none_or(|c| c.is_empty());
            match (field.name(), column_type) {
                (Some(name), Some(column_type)) if plain => {
                    columns.push((name.to_owned(), column_type));
                }
                _ => break,
            }
        }
        Ok(Layout(columns))
    }
}

/// The schema message of a table.
pub(crate) fn schema_message(table: Table) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let schema = table.schema();
    let schema = arrow_ipc::convert::IpcSchemaEncoder::new()
        .schema_to_fb_offset(&mut fbb, &schema)
        .as_union_value();
    let message = Message::create(
        &mut fbb,
        &MessageArgs {
            version: MetadataVersion::V5,
            header_type: MessageHeader::Schema,
            header: Some(schema),
            bodyLength: 0,
            custom_metadata: None,
        },
    );
    fbb.finish(message, None);
    encapsulate(fbb.finished_data(), Vec::new())
}

/// Puts the length before a message's metadata and its body after it.
fn encapsulate(metadata: &[u8], mut body: Vec<u8>) -> Vec<u8> {
    let length = metadata.len().next_multiple_of(ALIGNMENT);
    let mut out = Vec::with_capacity(8 + length + body.len());
    out.extend_from_slice(&CONTINUATION);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(metadata);
    out.resize(8 + length, 0);
    out.append(&mut body);
    out
}

/// Builds a record batch message column by column.
pub(crate) struct BatchEncoder {
    table: Table,
    rows: usize,
    body: Vec<u8>,
    types: Vec<ColumnType>,
    buffers: Vec<Buffer>,
    cuts: Vec<usize>,
    /// Whether the last plane has one and the same byte throughout.
    constant: bool,
}

/// A message, and where its parts with different statistics begin: a compressor does well to
/// start anew there.
pub(crate) struct Encoded {
    pub bytes: Vec<u8>,
    pub cuts: Vec<usize>,
    pub rows: usize,
}

macro_rules! fixed_columns {
    ($($name:ident $variant:ident $type:ty;)*) => {$(
        pub fn $name(&mut self, values: impl Iterator<Item = $type>) {
            let values: Vec<_> = values.map(<$type>::to_le_bytes).collect();
            let start = self.body.len();
            for plane in 0..size_of::<$type>() {
                let plane_start = self.body.len();
                self.body.extend(values.iter().map(|value| value[plane]));
                self.cut_before(plane_start);
            }
            self.types.push(ColumnType::$variant);
            self.buffers.push(Buffer::new(start as i64, 0));
            self.close_buffer(start);
        }
    )*};
}

impl BatchEncoder {
    pub fn new(table: Table, rows: usize) -> BatchEncoder {
        BatchEncoder {
            table,
            rows,
            body: Vec::new(),
            types: Vec::new(),
            buffers: Vec::new(),
            cuts: vec![0],
            constant: false,
        }
    }

    /// Marks the start of the plane that was just written as a good place for a new block, unless
    /// it is as dull as the plane before it: a block costs some bytes.
    fn cut_before(&mut self, start: usize) {
        let plane = &self.body[start..];
        let constant = plane.iter().all(|byte| *byte == plane[0]);
        if !(constant && self.constant) && self.rows >= LEAST_ROWS_TO_CUT {
            self.cuts.push(start);
        }
        self.constant = constant;
    }

    fixed_columns! {
        u8 U8 u8;
        u16 U16 u16;
        u32 U32 u32;
        i32 I32 i32;
        u64 U64 u64;
        i64 I64 i64;
        f64 F64 f64;
    }

    pub fn utf8<'a>(&mut self, values: impl Iterator<Item = &'a str> + Clone) {
        let start = self.body.len();
        let mut end = 0u32;
        self.body.extend_from_slice(&end.to_le_bytes());
        for text in values.clone() {
            end += text.len() as u32;
            self.body.extend_from_slice(&end.to_le_bytes());
        }
        self.types.push(ColumnType::Utf8);
        self.buffers.push(Buffer::new(start as i64, 0));
        self.cut_before(start);
        self.close_buffer(start);
        let start = self.body.len();
        for text in values {
            self.body.extend_from_slice(text.as_bytes());
        }
        self.cut_before(start);
        self.close_buffer(start);
    }

    fn close_buffer(&mut self, start: usize) {
        let length = self.body.len() - start;
        self.buffers.push(Buffer::new(start as i64, length as i64));
        self.body
            .resize(self.body.len().next_multiple_of(ALIGNMENT), 0);
    }

    pub fn finish(self) -> Encoded {
        debug_assert_eq!(
            Layout::of(self.table)
                .0
                .iter()
                .map(|c| c.1)
                .collect::<Vec<_>>(),
            self.types,
            "the columns of {} are those of its schema",
            self.table.name()
        );
        let mut fbb = FlatBufferBuilder::with_capacity(1024);
        let nodes = vec![FieldNode::new(self.rows as i64, 0); self.types.len()];
        let nodes = fbb.create_vector(&nodes);
        let buffers = fbb.create_vector(&self.buffers);
        let batch = RecordBatch::create(
            &mut fbb,
            &RecordBatchArgs {
                length: self.rows as i64,
                nodes: Some(nodes),
                buffers: Some(buffers),
                ..RecordBatchArgs::default()
            },
        );
        let message = Message::create(
            &mut fbb,
            &MessageArgs {
                version: MetadataVersion::V5,
                header_type: MessageHeader::RecordBatch,
                header: Some(batch.as_union_value()),
                bodyLength: self.body.len() as i64,
                custom_metadata: None,
            },
        );
        fbb.finish(message, None);
        let body_length = self.body.len();
        let bytes = encapsulate(fbb.finished_data(), self.body);
        let body_start = bytes.len() - body_length;
        let cuts = self.cuts.iter().map(|cut| body_start + cut).collect();
        Encoded {
            bytes,
            cuts,
            rows: self.rows,
        }
    }
}

/// The verified message at the start of `bytes`, and its body.
fn message(bytes: &[u8]) -> Result<(Message<'_>, &[u8]), ChunkError> {
    let rest = bytes
        .strip_prefix(&CONTINUATION)
        .ok_or(ChunkError::Message("it does not begin as one"))?;
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or(ChunkError::Message("it has no length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (metadata, body) = rest
        .split_at_checked(length)
        .ok_or(ChunkError::Message("its metadata is cut"))?;
    let message = arrow_ipc::root_as_message(metadata)
        .map_err(|_| ChunkError::Message("its metadata is no valid flatbuffer"))?;
    Ok((message, body))
}

/// The bytes of one column.
#[derive(Clone, Copy, Debug)]
enum Column<'a> {
    /// Numbers.
    Fixed(ColumnType, &'a [u8]),
    /// Offsets into the text, one more than rows.
    Utf8(&'a [u8], &'a [u8]),
}

/// A record batch whose columns are known to lie within its bytes.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub rows: usize,
    planes: bool,
    columns: Vec<(String, Column<'a>)>,
}

macro_rules! fixed_getters {
    ($($name:ident $variant:ident $bits:ty, $convert:expr;)*) => {$(
        pub fn $name(&self, name: &'static str) -> Result<impl ExactSizeIterator<Item = $name> + use<>, ChunkError> {
            let Some(Column::Fixed(ColumnType::$variant, bytes)) = self.column(name) else {
                return Err(ChunkError::Column(name));
            };
            let mut values: Vec<$bits> = Vec::new();
            if self.planes && self.rows > 0 {
                values.resize(self.rows, 0);
                for (number, plane) in bytes.chunks_exact(self.rows).enumerate() {
                    // PERF: most planes are all zeros, and the loop below is one that compilers
                    // make wide; the other way round, value by value, it is not.
                    if plane.iter().all(|byte| *byte == 0) {
                        continue;
                    }
                    for (value, byte) in values.iter_mut().zip(plane) {
                        *value |= <$bits>::from(*byte) << (8 * number);
                    }
                }
            } else {
                let (plain, _) = bytes.as_chunks::<{ size_of::<$bits>() }>();
                values.extend(plain.iter().map(|value| <$bits>::from_le_bytes(*value)));
            }
            Ok(values.into_iter().map($convert))
        }
    )*};
}

impl<'a> Batch<'a> {
    /// Reads a record batch message whose columns are those of `layout`, and whose numbers are
    /// stored as planes or as they are.
    pub fn parse(bytes: &'a [u8], layout: &Layout, planes: bool) -> Result<Batch<'a>, ChunkError> {
        let (message, body) = message(bytes)?;
        let batch = message
            .header_as_record_batch()
            .ok_or(ChunkError::Message("it is no record batch"))?;
        if batch.compression().is_some() {
            return Err(ChunkError::Message("its buffers are compressed"));
        }
        let rows = usize::try_from(batch.length())
            .ok()
            .filter(|rows| *rows <= crate::chunk::MAX_ROWS as usize)
            .ok_or(ChunkError::Message("it has too many rows"))?;
        let buffers = batch
            .buffers()
            .ok_or(ChunkError::Message("it has no buffers"))?;
        let nodes = batch
            .nodes()
            .ok_or(ChunkError::Message("it has no nodes"))?;
        let buffer = |index: usize, least: usize| -> Result<&'a [u8], ChunkError> {
            if index >= buffers.len() {
                return Err(ChunkError::Message("it has too few buffers"));
            }
            let buffer = buffers.get(index);
            let start = usize::try_from(buffer.offset()).ok();
            let length = usize::try_from(buffer.length()).ok();
            start
                .zip(length)
                .and_then(|(start, length)| body.get(start..start.checked_add(length)?))
                .and_then(|bytes| bytes.get(..least))
                .ok_or(ChunkError::Message("a buffer lies outside it"))
        };
        let mut at = 0;
        let mut columns = Vec::with_capacity(layout.0.len());
        for (index, (name, column_type)) in layout.0.iter().enumerate() {
            if index >= nodes.len() {
                return Err(ChunkError::Message("it has too few columns"));
            }
            let node = nodes.get(index);
            if node.null_count() != 0 || node.length() != batch.length() {
                return Err(ChunkError::Message("a column has nulls or another length"));
            }
            let column = match column_type {
                ColumnType::Utf8 => {
                    let offsets = buffer(at + 1, (rows + 1) * 4)?;
                    let (offsets_checked, _) = offsets.as_chunks::<4>();
                    let mut before = 0;
                    for offset in offsets_checked {
                        let offset = u32::from_le_bytes(*offset);
                        if offset < before {
                            return Err(ChunkError::Message("its offsets go back"));
                        }
                        before = offset;
                    }
                    let text = buffer(at + 2, before as usize)?;
                    at += 3;
                    Column::Utf8(offsets, text)
                }
                fixed => {
                    let bytes = buffer(at + 1, rows * fixed.width())?;
                    at += 2;
                    Column::Fixed(*fixed, bytes)
                }
            };
            columns.push((name.clone(), column));
        }
        Ok(Batch {
            rows,
            planes,
            columns,
        })
    }

    fn column(&self, name: &str) -> Option<Column<'a>> {
        self.columns
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, column)| *column)
    }

    fixed_getters! {
        u8 U8 u8, |bits| bits;
        u16 U16 u16, |bits| bits;
        u32 U32 u32, |bits| bits;
        i32 I32 u32, |bits| bits as i32;
        u64 U64 u64, |bits| bits;
        i64 I64 u64, |bits| bits as i64;
        f64 F64 u64, f64::from_bits;
    }

    /// The texts of a column; bytes that are not UTF-8 are replaced.
    pub fn utf8(
        &self,
        name: &'static str,
    ) -> Result<impl Iterator<Item = Cow<'a, str>> + '_, ChunkError> {
        let Some(Column::Utf8(offsets, text)) = self.column(name) else {
            return Err(ChunkError::Column(name));
        };
        let (offsets, _) = offsets.as_chunks::<4>();
        let offset = |index: usize| u32::from_le_bytes(offsets[index]) as usize;
        Ok((0..self.rows)
            .map(move |row| String::from_utf8_lossy(&text[offset(row)..offset(row + 1)])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{UInt8Type, UInt64Type};

    fn messages() -> Encoded {
        let texts = ["", "grüße", "x"];
        let mut batch = BatchEncoder::new(Table::Messages, 3);
        batch.u64([1u64, 2, u64::MAX].into_iter());
        batch.u8([0u8, 1, 2].into_iter());
        batch.u32([7u32, 8, 9].into_iter());
        batch.utf8(texts.into_iter());
        batch.finish()
    }

    /// A schema, a batch and the end mark are a stream that Arrow itself reads.
    #[test]
    fn arrow_reads_what_we_write() {
        let mut stream = schema_message(Table::Messages);
        stream.extend(messages().bytes);
        stream.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        let batches: Result<Vec<_>, _> =
            arrow_ipc::reader::StreamReader::try_new(stream.as_slice(), None)
                .and_then(|reader| reader.collect());
        let batches = batches.unwrap_or_default();
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(*batch.schema(), Table::Messages.schema());
        // Numbers are there as planes: all lowest bytes, then all next ones, …
        let times: Vec<u8> = batch
            .column(0)
            .as_primitive::<UInt64Type>()
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(times[..6], [1, 2, 255, 0, 0, 255]);
        let levels = batch.column(1).as_primitive::<UInt8Type>();
        assert_eq!(levels.values(), &[0, 1, 2]);
        let texts: Vec<_> = batch
            .column(3)
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect();
        assert_eq!(texts, ["", "grüße", "x"]);
    }

    #[test]
    fn schemas_come_back_and_name_the_columns() {
        for table in Table::WRITTEN {
            assert_eq!(
                Layout::parse(&schema_message(table)),
                Ok(Layout::of(table)),
                "{}",
                table.name()
            );
        }
        let encoded = messages();
        // The stored schema says which column is which.
        let mut layout = Layout::of(Table::Messages);
        layout.0[0].0 = "when".into();
        let batch = Batch::parse(&encoded.bytes, &layout, true).ok();
        let names: Vec<_> = batch
            .iter()
            .flat_map(|batch| ["when", "time"].map(|name| batch.u64(name).is_ok()))
            .collect();
        assert_eq!(names, [true, false]);
        let times: Vec<u64> = batch
            .iter()
            .flat_map(|batch| batch.u64("when"))
            .flatten()
            .collect();
        assert_eq!(times, [1, 2, u64::MAX]);
    }
}
