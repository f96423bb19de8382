//! The profiler's side of Tracy's protocol, of which `tracy-capture` knows more: it connects, asks
//! what names mean, and counts events. Numbers, lengths and places of fields are read from the
//! headers of the Tracy that is built in, so that another version is told and not guessed.
#![allow(dead_code, reason = "each test uses its part")]

mod header;
pub mod program;

pub use header::Header;

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a profiler knows of an event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its kind, as the header calls it, without the length of its time.
    pub kind: String,
    /// The thread that it is of, where its kind has one.
    pub thread: u64,
    pub fields: HashMap<String, u64>,
    /// The text that was sent with it.
    pub text: String,
}

impl Event {
    pub fn field(&self, name: &str) -> u64 {
        let value = self.fields.get(name);
        *value.unwrap_or_else(|| panic!("{} has no {name}", self.kind))
    }
}

/// A place in the source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    pub name: String,
    pub function: String,
    pub file: String,
    pub line: u64,
    pub colour: u64,
}

/// A profiler.
pub struct Profiler {
    header: Header,
    stream: TcpStream,
    /// What was unpacked last: what follows may repeat it.
    before: Vec<u8>,
    thread: u64,
    text: Option<String>,
    /// Places asked for, whose answers come in this order, and those known.
    asked: std::collections::VecDeque<u64>,
    places: HashMap<u64, [u64; 5]>,
    /// Texts by kind of query and address; `None` when they were asked for.
    texts: HashMap<(&'static str, u64), Option<String>>,
    pub events: Vec<Event>,
    pub program: String,
    pub is_on_demand: bool,
    /// The program has said that it ends.
    pub is_over: bool,
}

/// How names of addresses are asked for, and how the answers are called.
const QUERIES: [(&str, &str); 4] = [
    ("ServerQueryString", "StringData"),
    ("ServerQueryThreadString", "ThreadName"),
    ("ServerQueryPlotName", "PlotName"),
    ("ServerQueryFrameName", "FrameName"),
];

impl Profiler {
    /// Connects as a profiler does.
    pub fn connect(address: SocketAddr) -> Profiler {
        let header = Header::read();
        let mut stream = TcpStream::connect(address).expect("Tracy listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(header.shibboleth.as_bytes()).unwrap();
        stream.write_all(&header.version.to_le_bytes()).unwrap();
        let mut status = [0];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(status[0], header.status("HandshakeWelcome"));

        let mut welcome = vec![0; header.size("WelcomeMessage")];
        stream.read_exact(&mut welcome).unwrap();
        let welcome = header.fields("WelcomeMessage", &welcome);
        let is_on_demand = welcome.number("flags") & header.flag("OnDemand") != 0;
        if is_on_demand {
            let mut payload = vec![0; header.size("OnDemandPayloadMessage")];
            stream.read_exact(&mut payload).unwrap();
        }
        Profiler {
            program: welcome.text("programName"),
            header,
            stream,
            before: Vec::new(),
            thread: 0,
            text: None,
            asked: Default::default(),
            places: HashMap::new(),
            texts: HashMap::new(),
            events: Vec::new(),
            is_on_demand,
            is_over: false,
        }
    }

    /// Reads until it is so and all names are known.
    pub fn read_until(&mut self, what: &str, is_so: impl Fn(&Profiler) -> bool) {
        while !(is_so(self) && self.knows_all()) {
            assert!(self.read(), "the program was gone before: {what}");
        }
    }

    /// Reads to the end of the connection.
    pub fn read_to_end(&mut self) {
        while self.read() {}
    }

    /// Ends the session, as a profiler does that is closed.
    pub fn disconnect(mut self) {
        self.ask("ServerQueryDisconnect", 0);
        self.read_to_end();
    }

    fn knows_all(&self) -> bool {
        self.asked.is_empty() && self.texts.values().all(Option::is_some)
    }

    fn ask(&mut self, query: &str, address: u64) {
        let mut packet = vec![self.header.query(query)];
        packet.extend(address.to_le_bytes());
        packet.extend(0_u32.to_le_bytes());
        assert_eq!(packet.len(), self.header.size("ServerQueryPacket"));
        match self.stream.write_all(&packet) {
            Ok(()) => {}
            // It has ended meanwhile; what it sent before can still be read.
            Err(error) if is_end(&error) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn learn(&mut self, query: &'static str, address: u64) {
        if address != 0 && !self.texts.contains_key(&(query, address)) {
            self.texts.insert((query, address), None);
            self.ask(query, address);
        }
    }

    fn learn_place(&mut self, address: u64) {
        if !self.places.contains_key(&address) && !self.asked.contains(&address) {
            self.asked.push_back(address);
            self.ask("ServerQuerySourceLocation", address);
        }
    }

    /// Reads one packed block; false at the end.
    fn read(&mut self) -> bool {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return false,
            Err(error) => panic!("{error}"),
        }
        let mut packed = vec![0; u32::from_le_bytes(length) as usize];
        match self.stream.read_exact(&mut packed) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return false,
            Err(error) => panic!("{error}"),
        }
        let mut block = vec![0; self.header.frame_bytes];
        let length = lz4_flex::block::decompress_into_with_dict(&packed, &mut block, &self.before)
            .expect("a block");
        block.truncate(length);
        self.before.extend(&block);
        let old = self.before.len().saturating_sub(64 << 10);
        self.before.drain(..old);
        let mut rest = &block[..];
        while !rest.is_empty() {
            rest = self.item(rest);
        }
        true
    }

    /// Takes one item; what follows it.
    fn item<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let kind = self.header.kinds[bytes[0] as usize].clone();
        let (of, length) = self.header.layouts[bytes[0] as usize].clone();
        let (fixed, mut rest) = bytes.split_at(1 + length);
        let fields = self.header.fields(&of, &fixed[1..]).numbers();
        let mut cut = |length_bytes: usize, more: usize| {
            let mut length = [0; 8];
            length[..length_bytes].copy_from_slice(&rest[..length_bytes]);
            let end = length_bytes + u64::from_le_bytes(length) as usize + more;
            let text = String::from_utf8_lossy(&rest[length_bytes..end]).into_owned();
            rest = &rest[end..];
            text
        };
        match kind.as_str() {
            "SingleStringData8" => self.text = Some(cut(1, 0)),
            // A shorter one is sent as the kind above: the length begins there.
            "SingleStringData" => self.text = Some(cut(2, 256)),
            "ThreadContext" => self.thread = fields["thread"],
            "SourceLocation" => {
                let asked = self.asked.pop_front().expect("a place was asked for");
                let colour = ["r", "g", "b"].map(|part| fields[part]);
                let colour = colour[0] << 16 | colour[1] << 8 | colour[2];
                let place = ["name", "function", "file", "line"].map(|part| fields[part]);
                self.places
                    .insert(asked, [place[0], place[1], place[2], place[3], colour]);
                for text in &place[..3] {
                    self.learn("ServerQueryString", *text);
                }
            }
            "Terminate" => {
                self.is_over = true;
                self.ask("ServerQueryTerminate", 0);
            }
            "KeepAlive" | "SysTimeReport" | "AckServerQueryNoop" => {}
            _ if of == "QueueStringTransfer" => {
                let text = cut(2, 0);
                let query = QUERIES.iter().find(|(_, answer)| *answer == kind);
                let (query, _) = query.unwrap_or_else(|| panic!("nobody asked for a {kind}"));
                let known = (*query, fields["ptr"]);
                self.texts.insert(known, Some(text));
            }
            _ => self.event(&kind, fields),
        }
        rest
    }

    fn event(&mut self, kind: &str, fields: HashMap<String, u64>) {
        let kind = kind.trim_end_matches("16").trim_end_matches("32");
        let thread = fields.get("thread").copied().unwrap_or(self.thread);
        for place in ["srcloc", "lckloc"] {
            if let Some(address) = fields.get(place) {
                self.learn_place(*address);
            }
        }
        match kind {
            kind if kind.starts_with("FrameMark") => {
                self.learn("ServerQueryFrameName", fields["name"]);
            }
            kind if kind.starts_with("PlotData") => {
                self.learn("ServerQueryPlotName", fields["name"]);
            }
            "ZoneBegin" => self.learn("ServerQueryThreadString", thread),
            _ => {}
        }
        self.events.push(Event {
            kind: kind.to_owned(),
            thread,
            fields,
            text: self.text.take().unwrap_or_default(),
        });
    }

    /// Events of a kind.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.kind == kind)
    }

    fn text(&self, query: &'static str, address: u64) -> String {
        let known = self.texts.get(&(query, address)).cloned().flatten();
        known.unwrap_or_default()
    }

    /// The place at an address.
    pub fn place(&self, address: u64) -> Place {
        let text = |address| self.text("ServerQueryString", address);
        let Some([name, function, file, line, colour]) = self.places.get(&address) else {
            return Place::default();
        };
        Place {
            name: text(*name),
            function: text(*function),
            file: text(*file),
            line: *line,
            colour: *colour,
        }
    }

    pub fn thread_name(&self, thread: u64) -> String {
        self.text("ServerQueryThreadString", thread)
    }

    /// Zones, and what was noted in each: the path of their names, from the outermost, and their
    /// thread. Each begin has its end, and nothing else ends.
    pub fn zones(&self) -> Vec<(String, String, Vec<String>)> {
        let mut zones: Vec<(String, String, Vec<String>)> = Vec::new();
        let mut open: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for event in &self.events {
            let open = open.entry(event.thread).or_default();
            match event.kind.as_str() {
                "ZoneBegin" => {
                    let outer = open.last().map(|at| format!("{}/", zones[*at].1));
                    let name = self.place(event.field("srcloc")).name;
                    let path = outer.unwrap_or_default() + &name;
                    zones.push((self.thread_name(event.thread), path, Vec::new()));
                    open.push(zones.len() - 1);
                }
                "ZoneText" => {
                    let innermost = open.last().expect("a text is of an open zone");
                    zones[*innermost].2.push(event.text.clone());
                }
                "ZoneEnd" => {
                    open.pop().expect("a zone ends that has begun");
                }
                _ => {}
            }
        }
        let open: Vec<_> = open.values().flatten().map(|at| &zones[*at].1).collect();
        assert!(open.is_empty(), "{open:?} never ended");
        zones
    }

    /// How often each path of zones was there.
    pub fn zone_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, path, _) in self.zones() {
            *counts.entry(path).or_default() += 1;
        }
        counts
    }

    /// Frame marks: kind and name.
    pub fn frames(&self) -> BTreeMap<(String, String), usize> {
        let mut frames = BTreeMap::new();
        for event in &self.events {
            if let Some(kind) = event.kind.strip_prefix("FrameMarkMsg") {
                let name = self.text("ServerQueryFrameName", event.field("name"));
                *frames.entry((kind.to_owned(), name)).or_default() += 1;
            }
        }
        frames
    }

    /// Points of plots: name and value.
    pub fn plots(&self) -> Vec<(String, f64)> {
        self.events
            .iter()
            .filter(|event| event.kind.starts_with("PlotData"))
            .map(|event| {
                let name = self.text("ServerQueryPlotName", event.field("name"));
                let value = event.field("val");
                let value = match event.kind.as_str() {
                    "PlotDataInt" => value as i64 as f64,
                    "PlotDataDouble" => f64::from_bits(value),
                    other => panic!("sondage sends no {other}"),
                };
                (name, value)
            })
            .collect()
    }

    /// What happened to the lock with this name, in words.
    pub fn lock(&self, name: &str) -> Vec<String> {
        let announced = self
            .all("LockAnnounce")
            .find(|event| self.place(event.field("lckloc")).function == name);
        let Some(id) = announced.map(|event| event.field("id")) else {
            return Vec::new();
        };
        self.events
            .iter()
            .filter_map(|event| Some((event.kind.strip_prefix("Lock")?, event)))
            .filter(|(kind, event)| *kind != "Announce" && event.fields.get("id") == Some(&id))
            .map(|(kind, _)| kind.to_owned())
            .collect()
    }
}

/// The program is gone.
fn is_end(error: &std::io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind())
}
