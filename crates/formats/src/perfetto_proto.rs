//! The messages of Perfetto's traces that we write, by hand: field numbers and types are the
//! format's. A trace is a run of packets, each field 1 of the whole.

/// One step of a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Packet {
    #[prost(uint64, optional, tag = "8")]
    pub timestamp: Option<u64>,
    #[prost(uint32, tag = "10")]
    pub sequence: u32,
    #[prost(message, optional, tag = "11")]
    pub event: Option<Event>,
    #[prost(message, optional, tag = "12")]
    pub interned: Option<Interned>,
    #[prost(uint32, tag = "13")]
    pub sequence_flags: u32,
    #[prost(message, optional, tag = "60")]
    pub track: Option<Track>,
    #[prost(message, optional, tag = "66")]
    pub sample: Option<PerfSample>,
}

/// The sequence begins: nothing is interned yet. And: it needs what was interned before.
pub(crate) const CLEARED: u32 = 1;
pub(crate) const NEEDS_STATE: u32 = 2;

/// A track: of a process, a thread, a counter, or of its own below another.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Track {
    #[prost(uint64, tag = "1")]
    pub uuid: u64,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub process: Option<Process>,
    #[prost(message, optional, tag = "4")]
    pub thread: Option<Thread>,
    #[prost(uint64, optional, tag = "5")]
    pub parent: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub counter: Option<Counter>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Process {
    #[prost(int32, tag = "1")]
    pub pid: i32,
    #[prost(string, repeated, tag = "2")]
    pub command: Vec<String>,
    #[prost(string, tag = "6")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Thread {
    #[prost(int32, tag = "1")]
    pub pid: i32,
    #[prost(int32, tag = "2")]
    pub tid: i32,
    #[prost(string, tag = "5")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Counter {
    #[prost(string, tag = "6")]
    pub unit: String,
}

/// Something on a track.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(message, repeated, tag = "4")]
    pub annotations: Vec<Annotation>,
    #[prost(int32, tag = "9")]
    pub kind: i32,
    #[prost(uint64, tag = "11")]
    pub track: u64,
    #[prost(string, repeated, tag = "22")]
    pub categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "33")]
    pub place: Option<Place>,
    #[prost(double, optional, tag = "44")]
    pub value: Option<f64>,
}

/// [`Event::kind`].
pub(crate) const SLICE_BEGIN: i32 = 1;
pub(crate) const SLICE_END: i32 = 2;
pub(crate) const INSTANT: i32 = 3;
pub(crate) const COUNTER: i32 = 4;

/// Where in the source.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Place {
    #[prost(string, tag = "2")]
    pub file: String,
    #[prost(string, tag = "3")]
    pub function: String,
    #[prost(uint32, tag = "4")]
    pub line: u32,
}

/// An argument.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Annotation {
    #[prost(string, tag = "10")]
    pub name: String,
    #[prost(oneof = "Value", tags = "2, 4, 5, 6")]
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Value {
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "4")]
    Int(i64),
    #[prost(double, tag = "5")]
    Double(f64),
    #[prost(string, tag = "6")]
    Text(String),
}

/// One sample of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct PerfSample {
    #[prost(uint32, tag = "2")]
    pub pid: u32,
    #[prost(uint32, tag = "3")]
    pub tid: u32,
    #[prost(uint64, optional, tag = "4")]
    pub stack: Option<u64>,
    #[prost(int32, tag = "5")]
    pub mode: i32,
}

/// [`PerfSample::mode`]: user code.
pub(crate) const MODE_USER: i32 = 2;

/// Texts, frames and stacks that samples refer to by number, from 1.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Interned {
    #[prost(message, repeated, tag = "5")]
    pub function_names: Vec<Text>,
    #[prost(message, repeated, tag = "6")]
    pub frames: Vec<Frame>,
    #[prost(message, repeated, tag = "7")]
    pub stacks: Vec<Stack>,
    #[prost(message, repeated, tag = "16")]
    pub build_ids: Vec<Text>,
    #[prost(message, repeated, tag = "17")]
    pub paths: Vec<Text>,
    #[prost(message, repeated, tag = "19")]
    pub mappings: Vec<Mapping>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Frame {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint64, tag = "2")]
    pub name: u64,
    #[prost(uint64, tag = "3")]
    pub mapping: u64,
    #[prost(uint64, tag = "4")]
    pub address: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stack {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Outermost first.
    #[prost(uint64, repeated, packed = "false", tag = "2")]
    pub frames: Vec<u64>,
}

/// A file that frames are of.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint64, tag = "2")]
    pub build_id: u64,
    #[prost(uint64, tag = "4")]
    pub start: u64,
    #[prost(uint64, tag = "5")]
    pub end: u64,
    #[prost(uint64, repeated, packed = "false", tag = "7")]
    pub path: Vec<u64>,
}
