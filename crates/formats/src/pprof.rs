//! pprof's `profile.proto`, gzipped: what `go tool pprof` and many services read and write.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use prost::encoding::{bytes as bytes_field, int64, message};
use rustc_hash::FxHashMap;
use sondage_model::{FrameId, FunctionId, Source, StackId, ThreadId};

use crate::names::{NO_FUNCTION, Names};
use crate::numbers::Numbers;
use crate::pprof_proto::{Function, Label, Line, Location, Mapping, Sample, ValueType, field};
use crate::pprof_read;
use crate::select::{Selection, Sum};
use crate::{ExportOptions, Format, FormatError, Import};

pub(crate) const FORMAT: Format = Format {
    name: "pprof",
    description: "pprof profile (gzipped protobuf), for go tool pprof, Grafana and Parca",
    extension: "pb.gz",
    loses: "when things happened, the states other than on or off the CPU, the GIL, tasks, counters \
            and messages. `go tool pprof` joins functions of one name unless told -filefunctions",
    text: false,
    export: Some(write),
    import: Some(Import {
        sniff: pprof_read::sniff,
        read: pprof_read::read,
        loses: "all sample types but the one that pprof shows by default, addresses, mappings, and \
                labels other than process and thread; when things happened, which the file does not \
                say: the stacks of a thread are laid end to end",
    }),
};

/// Labels that carry processes and threads there and back.
pub(crate) const LABEL_PROCESS: &str = "process";
pub(crate) const LABEL_PID: &str = "pid";
pub(crate) const LABEL_THREAD: &str = "thread";
pub(crate) const LABEL_TID: &str = "tid";

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let selection = Selection::new(source, &options.filter)?;
    let mut writer = Writer {
        out: GzEncoder::new(out, Compression::default()),
        buffer: Vec::new(),
        strings: Strings::default(),
        source,
        names: Names::new(source.dictionary()),
        numbers: Numbers::new(source.dictionary()),
        frames: FxHashMap::default(),
        functions: FxHashMap::default(),
    };
    writer.strings.id("");
    writer.head(&selection)?;
    for ((thread, stack), sum) in selection.by_thread_and_stack()? {
        writer.sample(thread, stack, sum, selection.timeless)?;
    }
    writer.tail()
}

struct Writer<'a, W: Write> {
    out: GzEncoder<W>,
    buffer: Vec<u8>,
    strings: Strings,
    source: &'a dyn Source,
    names: Names<'a>,
    numbers: Numbers,
    frames: FxHashMap<Option<FrameId>, u64>,
    functions: FxHashMap<FunctionId, u64>,
}

/// Strings with their positions, in order.
#[derive(Default)]
struct Strings {
    ids: FxHashMap<String, i64>,
    order: Vec<String>,
}

impl Strings {
    fn id(&mut self, text: &str) -> i64 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.order.len() as i64;
        self.ids.insert(text.to_owned(), id);
        self.order.push(text.to_owned());
        id
    }
}

impl<W: Write> Writer<'_, W> {
    fn put(&mut self, tag: u32, value: &impl Message) -> Result<(), FormatError> {
        message::encode(tag, value, &mut self.buffer);
        self.flush()
    }

    fn put_number(&mut self, tag: u32, value: i64) -> Result<(), FormatError> {
        int64::encode(tag, &value, &mut self.buffer);
        self.flush()
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn head(&mut self, selection: &Selection<'_>) -> Result<(), FormatError> {
        let mut kind = |kind: &str, unit: &str| ValueType {
            kind: self.strings.id(kind),
            unit: self.strings.id(unit),
        };
        let mut types = vec![kind("samples", "count")];
        if !selection.timeless {
            types.push(kind("cpu", "nanoseconds"));
            types.push(kind("wall", "nanoseconds"));
        }
        for value in &types {
            self.put(field::SAMPLE_TYPE, value)?;
        }
        let info = self.source.info();
        if let Some(last) = types.last() {
            self.put_number(field::DEFAULT_SAMPLE_TYPE, last.kind)?;
            self.put(field::PERIOD_TYPE, last)?;
        }
        self.put_number(field::PERIOD, info.interval.0 as i64)?;
        self.put_number(field::TIME_NANOS, info.unix_start_nanos as i64)?;
        let span = self.source.range().span().0;
        self.put_number(field::DURATION_NANOS, span as i64)?;
        let command = info.command.join(" ");
        let comment = self
            .strings
            .id(&format!("sondage {}: {command}", env!("CARGO_PKG_VERSION")));
        self.put_number(field::COMMENT, comment)?;
        // Says that there is nothing left to look up in a binary.
        let mapping = Mapping {
            id: 1,
            file: self.strings.id(&command),
            has_functions: true,
            has_files: true,
            has_lines: true,
            has_inlines: true,
            ..Mapping::default()
        };
        self.put(field::MAPPING, &mapping)
    }

    fn sample(
        &mut self,
        thread: ThreadId,
        stack: StackId,
        sum: Sum,
        timeless: bool,
    ) -> Result<(), FormatError> {
        let mut location_ids = Vec::new();
        let source = self.source;
        for frame in source.dictionary().frames_inward(stack) {
            location_ids.push(self.location(Some(frame))?);
        }
        if location_ids.is_empty() {
            location_ids.push(self.location(None)?);
        }
        let mut values = vec![sum.count as i64];
        if !timeless {
            values.push(sum.cpu.0 as i64);
            values.push(sum.weight.0 as i64);
        }
        let labels = self.labels(thread);
        let sample = Sample {
            location_ids,
            values,
            labels,
        };
        self.put(field::SAMPLE, &sample)
    }

    fn labels(&mut self, thread: ThreadId) -> Vec<Label> {
        let process = self.names.process_of(thread);
        let dictionary = self.source.dictionary();
        let name = dictionary
            .threads()
            .get(thread.index())
            .map_or("", |row| dictionary.text(row.name));
        let text = |strings: &mut Strings, key, text| Label {
            key: strings.id(key),
            text: strings.id(text),
            ..Label::default()
        };
        let number = |strings: &mut Strings, key, number| Label {
            key: strings.id(key),
            number,
            ..Label::default()
        };
        let strings = &mut self.strings;
        vec![
            text(strings, LABEL_PROCESS, self.names.process_name(process)),
            number(strings, LABEL_PID, self.numbers.process(process)),
            text(
                strings,
                LABEL_THREAD,
                if name.is_empty() { "thread" } else { name },
            ),
            number(strings, LABEL_TID, self.numbers.thread(thread)),
        ]
    }

    fn location(&mut self, frame: Option<FrameId>) -> Result<u64, FormatError> {
        if let Some(&id) = self.frames.get(&frame) {
            return Ok(id);
        }
        let id = self.frames.len() as u64 + 1;
        self.frames.insert(frame, id);
        let row = frame.and_then(|frame| self.source.dictionary().frames().get(frame.index()));
        let (function, line) = row.map_or((NO_FUNCTION, 0), |row| (row.function, row.line));
        let function = self.function(function)?;
        let location = Location {
            id,
            mapping: 1,
            lines: vec![Line {
                function,
                line: i64::from(line),
                column: 0,
            }],
            ..Location::default()
        };
        self.put(field::LOCATION, &location)?;
        Ok(id)
    }

    fn function(&mut self, function: FunctionId) -> Result<u64, FormatError> {
        if let Some(&id) = self.functions.get(&function) {
            return Ok(id);
        }
        let id = self.functions.len() as u64 + 1;
        self.functions.insert(function, id);
        let name = self.strings.id(self.names.name(function));
        let row = Function {
            id,
            name,
            // Left empty: where both names are equal, pprof takes `<module>` for a C++ template
            // and removes it.
            system_name: 0,
            file: self.strings.id(self.names.file(function)),
            start_line: i64::from(self.names.first_line(function)),
        };
        self.put(field::FUNCTION, &row)?;
        Ok(id)
    }

    fn tail(mut self) -> Result<(), FormatError> {
        for text in std::mem::take(&mut self.strings.order) {
            bytes_field::encode(field::STRING, &text.into_bytes(), &mut self.buffer);
            self.flush()?;
        }
        self.out.finish()?;
        Ok(())
    }
}
