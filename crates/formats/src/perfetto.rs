//! Perfetto's own trace format (protobuf): zones as slices of their threads, samples with their
//! stacks, counters, frame marks and the log.

use std::io::Write;

use rustc_hash::{FxHashMap, FxHashSet};
use sondage_model::{FunctionId, ProcessId, Source, StackId, ThreadId, Time, TimeRange};

use crate::names::{LEFT_OUT, NO_FUNCTION, Names, shorten};
use crate::numbers::Numbers;
use crate::perfetto_proto as proto;
use crate::select::Selection;
use crate::zones::{self, Edge, Moment, Zone};
use crate::{ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "perfetto",
    description: "Perfetto trace (protobuf), for its UI and its SQL: zones, samples, counters over time",
    extension: "perfetto-trace",
    loses: "thread states, the GIL, tasks, lines of samples, locks and the ids of spans; a sample is one moment, \
            whatever time it stands for. Of stacks with more than 500 frames the middle is left out",
    text: false,
    export: Some(write),
    import: None,
};

/// Deepest stack that is written.
const MAX_DEPTH: usize = 500;
/// Field of a trace that holds a packet.
const PACKET: u32 = 1;
/// The one sequence of packets that we write.
const SEQUENCE: u32 = 1;

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let mut trace = Trace {
        source,
        numbers: Numbers::new(source.dictionary()),
        out,
        begun: false,
        described: FxHashSet::default(),
        interner: Interner::default(),
    };
    let selection = Selection::new(source, &options.filter)?;
    selection.per_thread(|thread, slices| {
        trace.thread(thread)?;
        for slice in slices {
            trace.sample(thread, slice.end(), slice.stack)?;
        }
        Ok(())
    })?;
    zones::per_thread(&selection, |thread, all| {
        trace.thread(thread)?;
        zones::lanes(all).try_for_each(|lane| trace.lane(thread, lane))
    })?;
    zones::moments(&selection, |moment| trace.moment(&moment))?;
    trace.counters(selection.range())
}

struct Trace<'a> {
    source: &'a dyn Source,
    numbers: Numbers,
    out: &'a mut dyn Write,
    begun: bool,
    /// Tracks that are told of.
    described: FxHashSet<u64>,
    interner: Interner,
}

/// Numbers of tracks: by kind, then by the row.
fn track(kind: u64, number: u64) -> u64 {
    kind << 56 | number
}
const PROCESS: u64 = 1;
const THREAD: u64 = 2;
const LANE: u64 = 3;
const SERIES: u64 = 4;

impl Trace<'_> {
    fn packet(&mut self, mut packet: proto::Packet) -> Result<(), FormatError> {
        packet.sequence = SEQUENCE;
        packet.sequence_flags = if std::mem::replace(&mut self.begun, true) {
            proto::NEEDS_STATE
        } else {
            proto::CLEARED
        };
        let mut bytes = Vec::new();
        prost::encoding::message::encode(PACKET, &packet, &mut bytes);
        self.out.write_all(&bytes)?;
        Ok(())
    }

    fn track(&mut self, track: proto::Track) -> Result<(), FormatError> {
        if !self.described.insert(track.uuid) {
            return Ok(());
        }
        self.packet(proto::Packet {
            track: Some(track),
            ..proto::Packet::default()
        })
    }

    /// Tells of a process; returns its number.
    fn process(&mut self, process: ProcessId) -> Result<i32, FormatError> {
        let dictionary = self.source.dictionary();
        let pid = self.numbers.process(process) as i32;
        let command = dictionary.processes().get(process.index());
        let command = command.map_or("", |row| dictionary.text(row.command));
        self.track(proto::Track {
            uuid: track(PROCESS, u64::from(process.0)),
            process: Some(proto::Process {
                pid,
                command: vec![command.to_owned()],
                name: Names::new(dictionary).process_name(process).to_owned(),
            }),
            ..proto::Track::default()
        })?;
        Ok(pid)
    }

    /// Tells of a thread and its process; returns their numbers.
    fn thread(&mut self, thread: ThreadId) -> Result<(i32, i32), FormatError> {
        let dictionary = self.source.dictionary();
        let process = Names::new(dictionary).process_of(thread);
        let pid = self.process(process)?;
        let tid = self.numbers.thread(thread) as i32;
        let row = dictionary.threads().get(thread.index());
        let name = row.map_or("", |row| dictionary.text(row.name)).to_owned();
        self.track(proto::Track {
            uuid: track(THREAD, u64::from(thread.0)),
            parent: Some(track(PROCESS, u64::from(process.0))),
            thread: Some(proto::Thread { pid, tid, name }),
            ..proto::Track::default()
        })?;
        Ok((pid, tid))
    }

    fn event(&mut self, at: Time, event: proto::Event) -> Result<(), FormatError> {
        self.packet(proto::Packet {
            timestamp: Some(at.0),
            event: Some(event),
            ..proto::Packet::default()
        })
    }

    /// The zones of one lane: lane 0 on the thread's own track, others on tracks below it.
    fn lane(&mut self, thread: ThreadId, zones: &[Zone]) -> Result<(), FormatError> {
        let own = track(THREAD, u64::from(thread.0));
        let uuid = match zones[0].row.lane {
            0 => own,
            lane => {
                let uuid = track(LANE, u64::from(thread.0) << 16 | u64::from(lane));
                self.track(proto::Track {
                    uuid,
                    name: Some(format!("zones {}", u32::from(lane) + 1)),
                    parent: Some(own),
                    ..proto::Track::default()
                })?;
                uuid
            }
        };
        zones::edges(zones, |edge, zone, at| {
            let event = match edge {
                Edge::Begin => self.begin(uuid, zone),
                Edge::End => proto::Event {
                    kind: proto::SLICE_END,
                    track: uuid,
                    ..proto::Event::default()
                },
            };
            self.event(at, event)
        })
    }

    fn begin(&self, track: u64, zone: &Zone) -> proto::Event {
        let place = zones::place(self.source.dictionary(), zone.row.site);
        proto::Event {
            kind: proto::SLICE_BEGIN,
            track,
            categories: vec!["zone".into()],
            name: Some(on_a_line(place.name)),
            place: (!place.file.is_empty()).then(|| proto::Place {
                file: place.file.to_owned(),
                function: place.function.to_owned(),
                line: place.line,
            }),
            annotations: zone.arguments().into_iter().map(annotation).collect(),
            value: None,
        }
    }

    /// A frame mark or a log line, of a thread that is told of.
    fn moment(&mut self, moment: &Moment<'_>) -> Result<(), FormatError> {
        let track = track(THREAD, u64::from(moment.thread.0));
        if !self.described.contains(&track) {
            return Ok(());
        }
        let event = proto::Event {
            kind: proto::INSTANT,
            track,
            categories: vec![moment.kind.name().into()],
            name: Some(moment.text.to_string()),
            ..proto::Event::default()
        };
        self.event(moment.time, event)
    }

    /// Counters as they are: gauges and growing totals.
    fn counters(&mut self, range: TimeRange) -> Result<(), FormatError> {
        let dictionary = self.source.dictionary();
        for row in self.source.counters(range)? {
            let Some(series) = dictionary.counter_series().get(row.counter.index()) else {
                continue;
            };
            let parent = track(PROCESS, u64::from(series.process.0));
            if !self.described.contains(&parent) {
                continue;
            }
            let uuid = track(SERIES, u64::from(row.counter.0));
            self.track(proto::Track {
                uuid,
                name: Some(dictionary.text(series.name).to_owned()),
                parent: Some(parent),
                counter: Some(proto::Counter {
                    unit: dictionary.text(series.unit).to_owned(),
                }),
                ..proto::Track::default()
            })?;
            let event = proto::Event {
                kind: proto::COUNTER,
                track: uuid,
                value: Some(row.value),
                ..proto::Event::default()
            };
            self.event(row.time, event)?;
        }
        Ok(())
    }

    fn sample(&mut self, thread: ThreadId, at: Time, stack: StackId) -> Result<(), FormatError> {
        let process = Names::new(self.source.dictionary()).process_of(thread);
        let (number, interned) = self.interner.stack(self.source, stack);
        self.packet(proto::Packet {
            timestamp: Some(at.0),
            interned,
            sample: Some(proto::PerfSample {
                pid: self.numbers.process(process) as u32,
                tid: self.numbers.thread(thread) as u32,
                stack: Some(number),
                mode: proto::MODE_USER,
            }),
            ..proto::Packet::default()
        })
    }
}

/// A name on one line: Perfetto ends a name at a zero character.
fn on_a_line(name: &str) -> String {
    name.replace(|c: char| c.is_control(), " ")
}

fn annotation((name, value): (String, serde_json::Value)) -> proto::Annotation {
    use proto::Value;
    proto::Annotation {
        name,
        value: Some(zones::value(
            value,
            Value::Bool,
            Value::Int,
            Value::Double,
            Value::Text,
        )),
    }
}

/// Numbers stacks, functions and files as they are met. Each function is a frame of its own.
#[derive(Default)]
struct Interner {
    stacks: FxHashMap<StackId, u64>,
    functions: FxHashMap<FunctionId, u64>,
    files: FxHashMap<String, u64>,
}

impl Interner {
    /// The number of a stack, and what must be told before it is used.
    fn stack(&mut self, source: &dyn Source, stack: StackId) -> (u64, Option<proto::Interned>) {
        if let Some(&number) = self.stacks.get(&stack) {
            return (number, None);
        }
        let dictionary = source.dictionary();
        let mut path: Vec<FunctionId> = dictionary
            .frames_inward(stack)
            .map(|frame| {
                let row = dictionary.frames().get(frame.index());
                row.map_or(NO_FUNCTION, |row| row.function)
            })
            .collect();
        path.reverse();
        shorten(&mut path, MAX_DEPTH, LEFT_OUT);
        if path.is_empty() {
            path.push(NO_FUNCTION);
        }
        let mut interned = proto::Interned::default();
        let frames = path
            .into_iter()
            .map(|function| self.function(Names::new(dictionary), function, &mut interned))
            .collect();
        let id = self.stacks.len() as u64 + 1;
        self.stacks.insert(stack, id);
        interned.stacks.push(proto::Stack { id, frames });
        (id, Some(interned))
    }

    fn function(
        &mut self,
        names: Names<'_>,
        function: FunctionId,
        interned: &mut proto::Interned,
    ) -> u64 {
        if let Some(&id) = self.functions.get(&function) {
            return id;
        }
        let mapping = self.file(names.file(function), interned);
        let id = self.functions.len() as u64 + 1;
        self.functions.insert(function, id);
        interned.function_names.push(proto::Text {
            id,
            text: on_a_line(names.name(function)).into_bytes(),
        });
        interned.frames.push(proto::Frame {
            id,
            name: id,
            mapping,
            // There are no addresses: numbers that differ keep functions apart.
            address: id,
        });
        id
    }

    fn file(&mut self, file: &str, interned: &mut proto::Interned) -> u64 {
        if let Some(&id) = self.files.get(file) {
            return id;
        }
        let id = self.files.len() as u64 + 1;
        self.files.insert(file.to_owned(), id);
        interned.paths.push(proto::Text {
            id,
            text: file.as_bytes().to_vec(),
        });
        interned.build_ids.push(proto::Text {
            id,
            text: id.to_be_bytes().to_vec(),
        });
        interned.mappings.push(proto::Mapping {
            id,
            build_id: id,
            start: id << 32,
            end: (id + 1) << 32,
            path: vec![id],
        });
        id
    }
}
