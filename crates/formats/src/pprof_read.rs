//! Reading pprof profiles, gzipped or plain, from anyone.
//!
//! The message is not decoded as a whole: a few hostile bytes could ask for gigabytes. A first
//! pass takes the small tables, a second one the samples, one at a time.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use rustc_hash::FxHashMap;
use sondage_model::{
    FrameId, FunctionKind, MemoryRecording, MessageLevel, Nanos, StackId, StateKind,
};

use crate::importing::{Builder, Frame, Owner, kind_of_file};
use crate::pprof::{FORMAT, LABEL_PID, LABEL_PROCESS, LABEL_THREAD, LABEL_TID};
use crate::pprof_proto::{Function, Label, Location, Mapping, Sample, ValueType, field};
use crate::{Confidence, FormatError, ImportOptions};

/// Bytes that a gzipped profile may unpack to.
const MAX_UNPACKED: u64 = 512 << 20;
/// Functions, locations and mappings that a profile may have, together.
const MAX_ROWS: usize = 10_000_000;

const GZIP: &[u8] = &[0x1f, 0x8b];

pub(crate) fn sniff(bytes: &[u8]) -> Confidence {
    if !bytes.starts_with(GZIP) {
        return sniff_plain(bytes);
    }
    let mut head = Vec::new();
    // An error after the first bytes is for the reader to tell.
    let _ = MultiGzDecoder::new(bytes)
        .take(1 << 16)
        .read_to_end(&mut head);
    match sniff_plain(&head) {
        Confidence::No(why) => Confidence::No(format!("gzipped, but inside: {why}")),
        other => other,
    }
}

/// The fields of a profile, of their types, and among them a sample type.
fn sniff_plain(bytes: &[u8]) -> Confidence {
    let fields = Fields {
        rest: bytes,
        size: bytes.len(),
    };
    let mut known = 0u32;
    for item in fields {
        match item {
            Ok((field::SAMPLE_TYPE, Value::Bytes(value))) => {
                return match ValueType::decode(value) {
                    Ok(kind) if kind.kind >= 0 && kind.unit >= 0 => Confidence::Sure,
                    _ => Confidence::No("its sample type is none".into()),
                };
            }
            // Lists of numbers may be packed.
            Ok((2..=6 | field::PERIOD_TYPE | field::COMMENT, Value::Bytes(_)))
            | Ok((7..=10 | 12..=15, Value::Number(_))) => known += 1,
            Ok((tag, _)) => {
                return Confidence::No(format!("its field {tag} is not one of a profile"));
            }
            // The head ends somewhere in a field.
            Err(_) if known > 1 => return Confidence::Likely,
            Err(FormatError::Malformed { why, .. }) => {
                return Confidence::No(format!("it is no protobuf message: {why}"));
            }
            Err(error) => return Confidence::No(error.to_string()),
        }
    }
    Confidence::No(match known {
        0 => "it is empty".into(),
        _ => "it has no sample types".into(),
    })
}

pub(crate) fn read(bytes: &[u8], options: &ImportOptions) -> Result<MemoryRecording, FormatError> {
    if !bytes.starts_with(GZIP) {
        return read_plain(bytes, options);
    }
    let mut plain = Vec::new();
    let mut unpack = MultiGzDecoder::new(bytes).take(MAX_UNPACKED + 1);
    unpack
        .read_to_end(&mut plain)
        .map_err(|error| FormatError::Malformed {
            format: FORMAT.name,
            at: format!("byte {} unpacked", plain.len()),
            why: format!("gzip: {error}"),
        })?;
    if plain.len() as u64 > MAX_UNPACKED {
        return Err(FormatError::TooLarge {
            format: FORMAT.name,
            what: "the unpacked size".into(),
            limit: format!("{} MiB", MAX_UNPACKED >> 20),
        });
    }
    read_plain(&plain, options)
}

/// One field of a message.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of a message in order, without copying.
struct Fields<'a> {
    rest: &'a [u8],
    size: usize,
}

impl Fields<'_> {
    fn malformed(&self, why: impl Into<String>) -> FormatError {
        FormatError::Malformed {
            format: FORMAT.name,
            at: format!("byte {}", self.size - self.rest.len()),
            why: why.into(),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut next = || -> Result<(u32, Value<'a>), FormatError> {
            let (tag, wire) =
                decode_key(&mut self.rest).map_err(|error| self.malformed(error.to_string()))?;
            let length = match wire {
                WireType::Varint => {
                    let number = decode_varint(&mut self.rest)
                        .map_err(|error| self.malformed(error.to_string()))?;
                    return Ok((tag, Value::Number(number)));
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => decode_varint(&mut self.rest)
                    .map_err(|error| self.malformed(error.to_string()))?,
                WireType::StartGroup | WireType::EndGroup => {
                    return Err(self.malformed("a group, which the format does not have"));
                }
            };
            if length > self.rest.len() as u64 {
                return Err(self.malformed(format!(
                    "field {tag} is {length} bytes long, but {} are left",
                    self.rest.len()
                )));
            }
            let (value, rest) = self.rest.split_at(length as usize);
            self.rest = rest;
            Ok((
                tag,
                match wire {
                    WireType::LengthDelimited => Value::Bytes(value),
                    _ => Value::Fixed,
                },
            ))
        };
        let item = next();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// The tables of a profile.
#[derive(Default)]
struct Tables<'a> {
    strings: Vec<&'a [u8]>,
    types: Vec<ValueType>,
    functions: FxHashMap<u64, Function>,
    locations: FxHashMap<u64, Location>,
    mappings: FxHashMap<u64, Mapping>,
    default_type: i64,
    period: i64,
    period_type: ValueType,
    time_nanos: i64,
    comments: Vec<i64>,
}

impl<'a> Tables<'a> {
    fn read(bytes: &'a [u8]) -> Result<Tables<'a>, FormatError> {
        let mut tables = Tables::default();
        let mut fields = Fields {
            rest: bytes,
            size: bytes.len(),
        };
        while let Some(item) = fields.next() {
            let rows = tables.functions.len()
                + tables.locations.len()
                + tables.mappings.len()
                + tables.types.len()
                + tables.comments.len();
            if rows > MAX_ROWS {
                return Err(FormatError::TooLarge {
                    format: FORMAT.name,
                    what: "the number of functions and locations".into(),
                    limit: format!("{MAX_ROWS}"),
                });
            }
            let bad = |error: prost::DecodeError| fields.malformed(error.to_string());
            match item? {
                (field::SAMPLE_TYPE, Value::Bytes(value)) => {
                    tables.types.push(ValueType::decode(value).map_err(bad)?);
                }
                (field::MAPPING, Value::Bytes(value)) => {
                    let row = Mapping::decode(value).map_err(bad)?;
                    tables.mappings.insert(row.id, row);
                }
                (field::LOCATION, Value::Bytes(value)) => {
                    let row = Location::decode(value).map_err(bad)?;
                    tables.locations.insert(row.id, row);
                }
                (field::FUNCTION, Value::Bytes(value)) => {
                    let row = Function::decode(value).map_err(bad)?;
                    tables.functions.insert(row.id, row);
                }
                (field::STRING, Value::Bytes(value)) => tables.strings.push(value),
                (field::TIME_NANOS, Value::Number(value)) => tables.time_nanos = value as i64,
                (field::PERIOD_TYPE, Value::Bytes(value)) => {
                    tables.period_type = ValueType::decode(value).map_err(bad)?;
                }
                (field::PERIOD, Value::Number(value)) => tables.period = value as i64,
                (field::DEFAULT_SAMPLE_TYPE, Value::Number(value)) => {
                    tables.default_type = value as i64;
                }
                (field::COMMENT, Value::Number(value)) => tables.comments.push(value as i64),
                (_, _) => {}
            }
        }
        if tables.types.is_empty() {
            return Err(fields.malformed("it has no sample types"));
        }
        Ok(tables)
    }

    fn text(&self, id: i64) -> std::borrow::Cow<'a, str> {
        let bytes = usize::try_from(id).ok().and_then(|id| self.strings.get(id));
        String::from_utf8_lossy(bytes.copied().unwrap_or_default())
    }

    /// Which value of a sample to take, as `go tool pprof` does: the default one, else the last.
    fn chosen(&self) -> usize {
        let default = self.text(self.default_type);
        let named = |kind: &ValueType| !default.is_empty() && self.text(kind.kind) == default;
        self.types
            .iter()
            .position(named)
            .unwrap_or(self.types.len().saturating_sub(1))
    }

    /// Nanoseconds in one of a unit of time.
    fn nanos_of(&self, kind: &ValueType) -> Option<u64> {
        Some(match &*self.text(kind.unit) {
            "nanoseconds" | "nanosecond" | "ns" => 1,
            "microseconds" | "microsecond" | "us" | "µs" => 1_000,
            "milliseconds" | "millisecond" | "ms" => 1_000_000,
            "seconds" | "second" | "s" => 1_000_000_000,
            _ => return None,
        })
    }
}

/// How values become weights and counts.
struct Measured {
    /// Position of the value to take.
    value: usize,
    /// Nanoseconds in one of it; `None` when it is a number of samples.
    unit: Option<u64>,
    /// Position of the number of samples.
    count: Option<usize>,
    on_cpu: bool,
}

impl Measured {
    fn new(tables: &Tables<'_>) -> Result<Measured, FormatError> {
        let value = tables.chosen();
        let kind = &tables.types[value];
        let unit = tables.nanos_of(kind);
        let is_count = |kind: &ValueType| tables.text(kind.unit) == "count";
        if unit.is_none() && !is_count(kind) {
            return Err(FormatError::Malformed {
                format: FORMAT.name,
                at: "its sample types".into(),
                why: format!(
                    "it measures {} in {}, not time or samples",
                    tables.text(kind.kind),
                    tables.text(kind.unit)
                ),
            });
        }
        Ok(Measured {
            value,
            unit,
            count: tables
                .types
                .iter()
                .position(|kind| is_count(kind) && tables.text(kind.kind).starts_with("sample")),
            on_cpu: tables.text(kind.kind) == "cpu",
        })
    }
}

fn read_plain(bytes: &[u8], options: &ImportOptions) -> Result<MemoryRecording, FormatError> {
    let tables = Tables::read(bytes)?;
    let measured = Measured::new(&tables)?;
    let mut builder = Builder::new(FORMAT.name, options);
    describe(&mut builder, &tables, &measured);
    let mut frames: FxHashMap<u64, Vec<FrameId>> = FxHashMap::default();
    let mut negative = 0u64;
    let mut fields = Fields {
        rest: bytes,
        size: bytes.len(),
    };
    while let Some(item) = fields.next() {
        let (field::SAMPLE, Value::Bytes(value)) = item? else {
            continue;
        };
        let sample = Sample::decode(value).map_err(|error| fields.malformed(error.to_string()))?;
        let at = || format!("byte {}", bytes.len() - fields.rest.len());
        let number = |index: usize| sample.values.get(index).copied().unwrap_or(0);
        let Ok(value) = u64::try_from(number(measured.value)) else {
            negative += 1;
            continue;
        };
        let owner = owner(&tables, &sample.labels);
        let mut stack = StackId::EMPTY;
        for &id in sample.location_ids.iter().rev() {
            let path = frames
                .entry(id)
                .or_insert_with(|| location(&mut builder, &tables, id));
            for &frame in path.iter() {
                stack = builder.push_frame(stack, frame, at)?;
            }
        }
        let count = measured
            .count
            .map_or(0, |index| u64::try_from(number(index)).unwrap_or(0));
        let state = if measured.on_cpu {
            StateKind::OnCpu
        } else {
            StateKind::Unknown
        };
        match measured.unit {
            Some(unit) => {
                let weight = value
                    .checked_mul(unit)
                    .ok_or_else(|| builder.too_long(at))?;
                if weight > 0 {
                    builder.timed(&owner, stack, Nanos(weight), count.max(1), state, at)?;
                }
            }
            None => builder.counted(&owner, stack, value, state, at)?,
        }
    }
    if negative > 0 {
        builder.warn(format!(
            "{negative} samples have negative values, as in a difference of two profiles, and were left out"
        ));
    }
    Ok(builder.finish())
}

/// What the file says of itself, and what of it is not taken over.
fn describe(builder: &mut Builder, tables: &Tables<'_>, measured: &Measured) {
    let name = |kind: &ValueType| format!("{}/{}", tables.text(kind.kind), tables.text(kind.unit));
    let chosen = &tables.types[measured.value];
    let others: Vec<String> = tables
        .types
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != measured.value && Some(*index) != measured.count)
        .map(|(_, kind)| name(kind))
        .collect();
    if !others.is_empty() {
        builder.message(
            MessageLevel::Info,
            format!("taken: {}; not taken: {}", name(chosen), others.join(", ")),
        );
    }
    let comments: Vec<_> = tables.comments.iter().map(|id| tables.text(*id)).collect();
    let interval = tables
        .nanos_of(&tables.period_type)
        .filter(|_| measured.unit.is_some())
        .and_then(|unit| u64::try_from(tables.period).ok()?.checked_mul(unit));
    let info = builder.info();
    info.unix_start_nanos = u64::try_from(tables.time_nanos).unwrap_or(0);
    if let Some(interval) = interval {
        info.interval = Nanos(interval);
    }
    for comment in comments {
        info.labels.push(sondage_model::Label {
            key: "comment".into(),
            value: comment.into_owned(),
        });
    }
}

/// The frames of a location, outermost first.
fn location(builder: &mut Builder, tables: &Tables<'_>, id: u64) -> Vec<FrameId> {
    let Some(location) = tables.locations.get(&id) else {
        return vec![builder.frame(unknown(&format!("(location {id} is missing)")))];
    };
    let path = location.lines.iter().rev().map(|line| {
        let function = tables
            .functions
            .get(&line.function)
            .copied()
            .unwrap_or_default();
        let (name, system) = (
            tables.text(function.name),
            tables.text(function.system_name),
        );
        let name = if name.is_empty() { system } else { name };
        let file = tables.text(function.file);
        let number = |value: i64| u32::try_from(value).unwrap_or(0);
        builder.frame(Frame {
            name: name
                .rsplit('.')
                .next()
                .filter(|_| file.ends_with(".py"))
                .unwrap_or(&name),
            qualified_name: if name.is_empty() { "(unknown)" } else { &name },
            file: &file,
            first_line: number(function.start_line),
            line: number(line.line),
            kind: kind_of_file(&file),
        })
    });
    let path: Vec<FrameId> = path.collect();
    if !path.is_empty() {
        return path;
    }
    let mapping = tables
        .mappings
        .get(&location.mapping)
        .copied()
        .unwrap_or_default();
    let binary = tables.text(mapping.file);
    let binary = binary.rsplit('/').next().unwrap_or_default();
    let name = match binary {
        "" => format!("{:#x}", location.address),
        binary => format!("{:#x} ({binary})", location.address),
    };
    vec![builder.frame(unknown(&name))]
}

fn unknown(name: &str) -> Frame<'_> {
    Frame {
        name,
        qualified_name: name,
        file: "",
        first_line: 0,
        line: 0,
        kind: FunctionKind::Native,
    }
}

/// The process and thread that labels name, as sondage and other Python profilers spell them.
fn owner(tables: &Tables<'_>, labels: &[Label]) -> Owner {
    let mut owner = Owner::default();
    for label in labels {
        let number = || {
            let text = tables.text(label.text);
            text.parse()
                .unwrap_or(i32::try_from(label.number).unwrap_or(0))
        };
        match &*tables.text(label.key) {
            LABEL_PROCESS | "process_name" => owner.process = tables.text(label.text).into_owned(),
            LABEL_PID | "process_id" | "process id" => owner.pid = number(),
            LABEL_THREAD | "thread_name" | "thread name" => {
                owner.thread = tables.text(label.text).into_owned();
            }
            LABEL_TID | "thread_id" | "thread id" | "native thread id" => owner.tid = number(),
            _ => {}
        }
    }
    owner
}
