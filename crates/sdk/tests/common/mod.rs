//! What the tests read events with: a saved file, or a collector of a few lines.
#![allow(dead_code, reason = "each test file uses its part")]

use sondage_wire::hello::{Hello, Welcome};
use sondage_wire::{
    Arena, Definition, Definitions, Event, Gap, Memory, Mode, OwnedValue, Reader, Take,
};
use std::collections::{BTreeMap, HashMap};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

/// Names by number.
#[derive(Default, Clone, Debug)]
pub struct Names {
    pub sites: HashMap<u32, (String, String)>,
    pub texts: HashMap<u32, String>,
    pub locks: HashMap<u32, (String, String)>,
    pub threads: BTreeMap<u32, String>,
    pub process: String,
}

impl Names {
    pub fn add(&mut self, definition: Definition) {
        match definition {
            Definition::Site {
                id, name, function, ..
            } => {
                self.sites.insert(id, (name, function));
            }
            Definition::Text { id, text } => {
                self.texts.insert(id, text);
            }
            Definition::Lock { id, name, place } => {
                self.locks.insert(id, (name, place));
            }
            Definition::Thread { number, name, .. } => {
                self.threads.insert(number, name);
            }
            Definition::Process { name } => self.process = name,
        }
    }

    fn site(&self, id: u32) -> &str {
        self.sites.get(&id).map_or("?", |(name, _)| name)
    }

    fn text(&self, id: u32) -> &str {
        self.texts.get(&id).map_or("?", |text| text)
    }

    fn value(value: &OwnedValue) -> String {
        match value {
            OwnedValue::Int(value) => value.to_string(),
            OwnedValue::Uint(value) => value.to_string(),
            OwnedValue::Float(value) => format!("{value:?}"),
            OwnedValue::Bool(value) => value.to_string(),
            OwnedValue::Text(text) => format!("{text:?}"),
        }
    }

    /// An event in words, without times and numbers that differ from run to run. Spans are
    /// numbered as they appear.
    pub fn tell(&self, event: &Event, spans: &mut Vec<u64>) -> String {
        let mut span = |id: sondage::SpanId| match id.0 {
            0 => "0".to_owned(),
            id => {
                let known = spans.iter().position(|one| *one == id);
                let at = known.unwrap_or_else(|| {
                    spans.push(id);
                    spans.len() - 1
                });
                format!("#{}", at + 1)
            }
        };
        match event {
            Event::ZoneBegin { site, depth, .. } => {
                format!("zone {} depth {depth}", self.site(*site))
            }
            Event::ZoneEnd { .. } => "end".to_owned(),
            Event::Value {
                span: id,
                key,
                value,
            } => format!(
                "value {} {} = {}",
                span(*id),
                self.text(*key),
                Names::value(value)
            ),
            Event::Frame { name, op, .. } => format!(
                "frame {} {op:?}",
                if *name == 0 { "" } else { self.text(*name) }
            ),
            Event::Plot { name, value, .. } => {
                format!("plot {} {}", self.text(*name), Names::value(value))
            }
            Event::Message {
                level,
                colour,
                text,
                ..
            } => format!("message {level} {colour:x} {text}"),
            Event::SpanBegin {
                site,
                span: id,
                parent,
                remote,
                ..
            } => format!(
                "span {} {} in {}{}",
                span(*id),
                self.site(*site),
                span(*parent),
                if *remote { " remote" } else { "" }
            ),
            Event::SpanEnd {
                span: id, failed, ..
            } => format!("end {}{}", span(*id), if *failed { " failed" } else { "" }),
            Event::SpanEnter { span: id, .. } => format!("enter {}", span(*id)),
            Event::SpanExit { span: id, .. } => format!("exit {}", span(*id)),
            Event::Lock { lock, op, .. } => {
                let name = self.locks.get(lock).map_or("?", |(name, _)| name);
                format!("lock {name} {op:?}")
            }
            Event::Memory { bytes, .. } => format!("memory {bytes}"),
            Event::Cumulative {
                site,
                parent,
                count,
                ..
            } => format!(
                "cumulative {} {} times in {}",
                self.site(*site),
                count,
                span(*parent)
            ),
        }
    }
}

/// What was read of an arena so far.
#[derive(Default, Debug)]
pub struct Story {
    pub names: Names,
    /// Each thread's events.
    pub threads: BTreeMap<u32, Vec<Event>>,
    pub gaps: Vec<(u32, Gap)>,
    definitions: Definitions,
}

impl Story {
    pub fn read(&mut self, reader: &mut Reader<'_>, arena: Arena<'_>, take: Take) {
        reader.poll(take, |batch| {
            if let Some(gap) = batch.gap {
                self.gaps.push((batch.thread, gap));
            }
            let events = self.threads.entry(batch.thread).or_default();
            events.extend(batch.events().map(|event| event.expect("an event")));
        });
        self.definitions
            .poll(arena, |definition| self.names.add(definition));
    }

    pub fn of_file(path: &std::path::Path) -> Story {
        let memory = Memory::load(&std::fs::read(path).expect("a file")).expect("an arena");
        let arena = memory.arena();
        assert!(arena.saved().is_some());
        let mut story = Story::default();
        story.read(&mut Reader::new(arena), arena, Take::Copy);
        story
    }

    /// The events of the thread that is named so, in words.
    pub fn of_thread(&self, name: &str) -> Vec<String> {
        let mut spans = Vec::new();
        let of_name = |number: &u32| self.names.threads.get(number).is_some_and(|n| n == name);
        self.threads
            .iter()
            .filter(|(number, _)| of_name(number))
            .flat_map(|(_, events)| events)
            .map(|event| self.names.tell(event, &mut spans))
            .collect()
    }

    pub fn events(&self) -> usize {
        self.threads.values().map(Vec::len).sum()
    }

    pub fn lost(&self) -> u64 {
        self.gaps.iter().map(|(_, gap)| gap.lost).sum()
    }
}

/// A socket that programs call.
pub struct Collector {
    socket: OwnedFd,
    pub address: String,
}

impl Collector {
    /// Listens at a name of its own.
    pub fn new() -> Collector {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("sondage-sdk-test-{}-{count}", std::process::id());
        Collector::at(&name)
    }

    pub fn at(name: &str) -> Collector {
        // SAFETY: plain system calls on memory of this function.
        unsafe {
            let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
            let socket = libc::socket(libc::AF_UNIX, kind, 0);
            let mut address: libc::sockaddr_un = zeroed();
            address.sun_family = libc::AF_UNIX as u16;
            for (to, byte) in address.sun_path[1..].iter_mut().zip(name.bytes()) {
                *to = byte as libc::c_char;
            }
            let length = 2 + 1 + name.len();
            let bound = libc::bind(socket, (&raw const address).cast(), length as u32);
            assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
            assert_eq!(libc::listen(socket, 64), 0);
            Collector {
                socket: OwnedFd::from_raw_fd(socket),
                address: format!("@{name}"),
            }
        }
    }

    /// Takes the next call, and maps what the program brings.
    pub fn accept(&self) -> Mapped {
        // SAFETY: plain system calls on memory of this function.
        unsafe {
            let socket = libc::accept4(
                self.socket.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                0,
            );
            assert!(socket >= 0);
            let socket = OwnedFd::from_raw_fd(socket);
            let mut bytes = [0_u8; Hello::LEN];
            let mut beside = [0_u64; 8];
            let mut part = libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: bytes.len(),
            };
            let mut header: libc::msghdr = zeroed();
            header.msg_iov = &raw mut part;
            header.msg_iovlen = 1;
            header.msg_control = beside.as_mut_ptr().cast();
            header.msg_controllen = 64;
            let read = libc::recvmsg(socket.as_raw_fd(), &mut header, 0);
            assert_eq!(read, Hello::LEN as isize);
            let control = libc::CMSG_FIRSTHDR(&header);
            assert!(!control.is_null(), "a file came with it");
            let file = libc::CMSG_DATA(control).cast::<i32>().read_unaligned();
            let hello = Hello::decode(&bytes).expect("a hello");
            let mapped = Mapped::new(OwnedFd::from_raw_fd(file), hello.bytes as usize, socket);
            mapped.arena().visit(now());
            mapped.arena().set_mode(Mode::Collected);
            let welcome = Welcome { accepted: true }.encode();
            libc::send(
                mapped.socket.as_raw_fd(),
                welcome.as_ptr().cast(),
                welcome.len(),
                libc::MSG_NOSIGNAL,
            );
            mapped
        }
    }
}

/// A program's arena.
pub struct Mapped {
    start: *mut u8,
    pub bytes: usize,
    pub file: OwnedFd,
    socket: OwnedFd,
}

// SAFETY: the memory is shared between processes; threads are no worse.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(file: OwnedFd, bytes: usize, socket: OwnedFd) -> Mapped {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of a file whose size is sealed.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                access,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        Mapped {
            start: start.cast(),
            bytes,
            file,
            socket,
        }
    }

    pub fn arena(&self) -> Arena<'_> {
        // SAFETY: it is mapped as long as this lives.
        unsafe { Arena::open(self.start, self.bytes) }.expect("an arena")
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: nobody uses it any more.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    // SAFETY: zeros are a time.
    let mut now: libc::timespec = unsafe { zeroed() };
    // SAFETY: `now` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the running test program is to play, when a test started it.
pub fn role() -> Option<String> {
    std::env::var("SONDAGE_TEST_ROLE").ok()
}

/// This test program again, to run one test in a role.
pub fn program(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SONDAGE_TEST_ROLE", role)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command
}

/// Waits until it is so, for a time after which it will not be.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
