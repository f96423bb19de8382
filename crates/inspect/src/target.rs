//! One Python process, open for reading.

use crate::asyncio::Asyncio;
use crate::code::{CodeId, CodeInfo, CodeTable};
use crate::elf::{self, Landmarks};
use crate::error::{OpenError, ReadError};
use crate::layout::{
    Architecture, CLibrary, CurrentFrame, DebugOffsetsError, GilPlace, Layout, Machine, Version,
    parse_debug_offsets,
};
use crate::memory::{Memory, MemoryError, RemoteMemory, field, read_u32, read_u64};
use crate::names::ThreadNames;
use crate::process::{self, Mapping};
use crate::sample::{Counters, Edges, Limits};
use rustc_hash::FxHashMap;
use sondage_model::{Pid, RemoteAddr, Tid};
use std::collections::HashSet;

/// What was found when a process was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuntimeInfo {
    /// Its version.
    pub version: Version,
    /// Words for it: `CPython 3.12.1`.
    pub implementation: String,
    /// Whether it is a build without the GIL. Such builds are refused today, so: `false`.
    pub free_threaded: bool,
    /// The binary or library that holds the interpreter, as the process sees it.
    pub binary: String,
    /// Where that file is loaded.
    pub base: RemoteAddr,
    /// Address of `_PyRuntime`.
    pub runtime: RemoteAddr,
    /// Whether the interpreter had begun to shut down.
    pub finalizing: bool,
}

/// A thread that the interpreter knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PythonThread {
    /// The kernel's number; 0 while the thread has not run yet.
    pub tid: Tid,
    /// Its `PyThreadState`.
    pub state: RemoteAddr,
    /// Id of its interpreter: 0 is the main one.
    pub interpreter: i64,
    /// Address of its interpreter's state.
    pub interpreter_state: RemoteAddr,
    /// `threading.get_ident()`: the key in `threading._active`.
    pub ident: u64,
    /// Its name in `threading`, if it is known there.
    pub name: Option<String>,
}

/// A GIL: who has it, and where it lies, so that a wait on an address inside can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gil {
    /// First address of its structure, that holds its condition variable and mutex.
    pub start: RemoteAddr,
    /// First address after it.
    pub end: RemoteAddr,
    /// Thread state of the thread that has it, or had it last.
    pub last_holder: RemoteAddr,
    /// Whether it is taken.
    pub locked: bool,
}

impl Gil {
    /// Whether `address` lies inside: a thread that waits there waits for this GIL.
    #[must_use]
    pub fn contains(&self, address: RemoteAddr) -> bool {
        self.start <= address && address < self.end
    }

    /// The thread that has it now.
    #[must_use]
    pub fn holder(&self) -> Option<RemoteAddr> {
        (self.locked && !self.last_holder.is_null()).then_some(self.last_holder)
    }
}

/// One Python process image. After an `exec` the old `Target` reads garbage or nothing: open a
/// new one.
#[derive(Debug)]
pub struct Target<M: Memory = RemoteMemory> {
    pub(crate) memory: M,
    pub(crate) layout: Layout,
    pub(crate) codes: CodeTable,
    pub(crate) code_type: u64,
    pub(crate) counters: Counters,
    pub(crate) limits: Limits,
    pub(crate) edges: Edges,
    pub(crate) thread_names: FxHashMap<u64, ThreadNames>,
    pub(crate) asyncio: Asyncio,
    pid: Pid,
    info: RuntimeInfo,
}

/// Most interpreters of a process, and most threads of one, that are listed.
const MAX_INTERPRETERS: usize = 10_000;
const MAX_THREADS: usize = 200_000;
/// Most bytes of a mapping searched for a runtime.
const MAX_SEARCH: usize = 64 << 20;
/// How often a list is read again when it changed meanwhile.
const LIST_TRIES: usize = 5;

impl Target<RemoteMemory> {
    /// Looks for a CPython in process `pid`.
    ///
    /// # Errors
    /// See [`OpenError`]; its [`hint`](OpenError::hint) says what to do.
    pub fn open(pid: Pid) -> Result<Target, OpenError> {
        let place = Target::locate(pid)?;
        Target::with_memory(RemoteMemory::new(pid), pid, place)
    }

    /// Finds the interpreter in process `pid` without looking into it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn locate(pid: Pid) -> Result<RuntimePlace, OpenError> {
        let maps = process::mappings(pid).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => OpenError::NoPermission { pid },
            _ => OpenError::Gone { pid },
        })?;
        let exe = process::executable(pid);
        if maps.is_empty() {
            return Err(if process::is_alive(pid) {
                OpenError::NotReady { pid }
            } else {
                OpenError::Gone { pid }
            });
        }
        match find_runtime(pid, &maps, &exe)? {
            // While a binary is being loaded, all of it is mapped as its beginning is, and only
            // then its data: until then something else lies where the runtime will be.
            Some(place) if !is_writable(&maps, place.runtime) => Err(OpenError::NotReady { pid }),
            Some(place) => Ok(place),
            None if loading(&maps) => Err(OpenError::NotReady { pid }),
            None => Err(OpenError::NotPython { pid, exe }),
        }
    }
}

/// Where a runtime was found, before it was looked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuntimePlace {
    /// The binary or library, as the process sees it.
    pub binary: String,
    /// Where that file is loaded.
    pub base: RemoteAddr,
    /// Address of `_PyRuntime`.
    pub runtime: RemoteAddr,
    /// Address of `Py_Version`, where the symbol exists.
    pub version: Option<RemoteAddr>,
    /// Address of the offsets that `asyncio` tells of itself, when they are in this binary.
    pub asyncio: Option<RemoteAddr>,
    /// What the binary was built for.
    pub machine: Machine,
}

impl<M: Memory> Target<M> {
    /// Opens a process through any [`Memory`], as a stored image in tests.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn with_memory(memory: M, pid: Pid, place: RuntimePlace) -> Result<Target<M>, OpenError> {
        let layout = read_layout(&memory, pid, &place)?;
        let runtime = place.runtime.0;
        let fault = |error| OpenError::of_memory(error, pid);
        let initialized =
            read_u32(&memory, field(runtime, layout.runtime.initialized)).map_err(fault)?;
        let finalizing =
            read_u64(&memory, field(runtime, layout.runtime.finalizing)).map_err(fault)?;
        if initialized == 0 {
            return Err(OpenError::NotReady { pid });
        }
        let info = RuntimeInfo {
            version: layout.version,
            implementation: format!("CPython {}", layout.version),
            free_threaded: false,
            binary: place.binary,
            base: place.base,
            runtime: place.runtime,
            finalizing: finalizing != 0,
        };
        let mut target = Target {
            memory,
            layout,
            codes: CodeTable::default(),
            code_type: 0,
            counters: Counters::default(),
            limits: Limits::default(),
            edges: Edges::default(),
            thread_names: FxHashMap::default(),
            asyncio: Asyncio::new(layout.version.minor),
            pid,
            info,
        };
        if let Some(at) = place.asyncio {
            target.learn_asyncio(at.0);
        }
        // The tables fit only if the lists they lead to make sense.
        match target.threads() {
            Ok(threads) if !threads.is_empty() => Ok(target),
            Ok(_) | Err(ReadError::Torn) => Err(OpenError::NotReady { pid }),
            Err(ReadError::Gone) => Err(OpenError::Gone { pid }),
            Err(ReadError::NoPermission) => Err(OpenError::NoPermission { pid }),
        }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What was found when it was opened.
    #[must_use]
    pub fn runtime(&self) -> &RuntimeInfo {
        &self.info
    }

    /// The tables used to read it.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Counts of reads, re-reads, rejects and stops so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Limits of sampling: depth and re-reads.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// The code with this id; ids come from samples of this target. `None` when so many functions
    /// were seen since that it was forgotten ([`Limits::codes`]): look up a snapshot's before the
    /// next is taken, those of the frames that it has in common with the one before are the same.
    #[must_use]
    pub fn resolve(&self, code: CodeId) -> Option<&CodeInfo> {
        self.codes.info(code)
    }

    /// How many different functions are remembered.
    #[must_use]
    pub fn code_count(&self) -> usize {
        self.codes.len()
    }

    /// Whether the interpreter has begun to shut down.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn is_finalizing(&self) -> Result<bool, ReadError> {
        let at = field(self.info.runtime.0, self.layout.runtime.finalizing);
        Ok(read_u64(&self.memory, at)? != 0)
    }

    /// The threads of every interpreter, newest first as CPython lists them.
    ///
    /// # Errors
    /// [`ReadError::Torn`] when the lists changed under every read.
    pub fn threads(&mut self) -> Result<Vec<PythonThread>, ReadError> {
        let mut result = Err(ReadError::Torn);
        for _ in 0..LIST_TRIES {
            result = self.read_threads();
            if !matches!(result, Err(ReadError::Torn)) {
                break;
            }
        }
        result
    }

    fn read_threads(&mut self) -> Result<Vec<PythonThread>, ReadError> {
        let mut threads = Vec::new();
        for (interpreter_state, interpreter) in self.interpreters()? {
            let names = self.thread_names(interpreter_state);
            let thread = &self.layout.thread;
            let mut seen = HashSet::new();
            let head = field(interpreter_state, self.layout.interpreter.threads_head);
            let mut at = read_u64(&self.memory, head)?;
            let size = [
                thread.next,
                thread.interp,
                thread.thread_id,
                thread.native_thread_id,
            ]
            .into_iter()
            .max()
            .unwrap_or(0)
                + 8;
            let mut bytes = vec![0; size];
            while at != 0 {
                if seen.len() >= MAX_THREADS || !seen.insert(at) || !at.is_multiple_of(8) {
                    return Err(ReadError::Torn);
                }
                self.memory.read(RemoteAddr(at), &mut bytes)?;
                let word = |offset| crate::memory::word(&bytes, offset).unwrap_or(0);
                if word(thread.interp) != interpreter_state {
                    return Err(ReadError::Torn);
                }
                let ident = word(thread.thread_id);
                threads.push(PythonThread {
                    tid: Tid(i32::try_from(word(thread.native_thread_id)).unwrap_or(0)),
                    state: RemoteAddr(at),
                    interpreter,
                    interpreter_state: RemoteAddr(interpreter_state),
                    ident,
                    name: names.get(&ident).cloned(),
                });
                at = word(thread.next);
            }
        }
        Ok(threads)
    }

    /// Addresses and ids of the interpreters.
    fn interpreters(&self) -> Result<Vec<(u64, i64)>, ReadError> {
        let layout = &self.layout.interpreter;
        let mut found: Vec<(u64, i64)> = Vec::new();
        let head = field(self.info.runtime.0, self.layout.runtime.interpreters_head);
        let mut at = read_u64(&self.memory, head)?;
        while at != 0 {
            if found.len() >= MAX_INTERPRETERS
                || found.iter().any(|(address, _)| *address == at)
                || !at.is_multiple_of(8)
            {
                return Err(ReadError::Torn);
            }
            let id = read_u64(&self.memory, field(at, layout.id))? as i64;
            if !(0..1 << 40).contains(&id) {
                return Err(ReadError::Torn);
            }
            found.push((at, id));
            at = read_u64(&self.memory, field(at, layout.next))?;
        }
        Ok(found)
    }

    /// Address of the GIL that threads of this interpreter take.
    pub(crate) fn gil_address(&self, interpreter_state: RemoteAddr) -> Result<u64, MemoryError> {
        match self.layout.interpreter.gil {
            GilPlace::InRuntime { at } => Ok(field(self.info.runtime.0, at)),
            GilPlace::Pointer { at } => read_u64(&self.memory, field(interpreter_state.0, at)),
        }
    }

    /// The GIL of this interpreter now.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn gil(&self, interpreter_state: RemoteAddr) -> Result<Gil, ReadError> {
        let at = self.gil_address(interpreter_state)?;
        let layout = &self.layout.gil;
        Ok(Gil {
            start: RemoteAddr(at),
            end: RemoteAddr(field(at, layout.size)),
            last_holder: RemoteAddr(read_u64(&self.memory, field(at, layout.last_holder))?),
            locked: read_u32(&self.memory, field(at, layout.locked))? as i32 == 1,
        })
    }

    /// Every GIL of the process, each once.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn gils(&self) -> Result<Vec<Gil>, ReadError> {
        let mut gils: Vec<Gil> = Vec::new();
        for (interpreter_state, _) in self.interpreters()? {
            let gil = self.gil(RemoteAddr(interpreter_state))?;
            if !gil.start.is_null() && gils.iter().all(|known| known.start != gil.start) {
                gils.push(gil);
            }
        }
        Ok(gils)
    }

    /// Where the current frame's pointer is kept for a thread: its address, after following the
    /// `cframe` of 3.11 and 3.12.
    pub(crate) fn current_frame_place(&self) -> CurrentFrame {
        self.layout.thread.frame
    }
}

/// Whether the dynamic loader is still at work: a program is mapped, but no C library yet.
fn loading(maps: &[Mapping]) -> bool {
    let has = |part: &str| {
        maps.iter().any(|map| {
            map.path
                .rsplit('/')
                .next()
                .is_some_and(|name| name.contains(part))
        })
    };
    has("ld-linux") && !has("libc.so") && !has("libc-")
}

fn is_writable(maps: &[Mapping], at: RemoteAddr) -> bool {
    maps.iter()
        .any(|map| map.writable && (map.start..map.end).contains(&at.0))
}

fn find_runtime(pid: Pid, maps: &[Mapping], exe: &str) -> Result<Option<RuntimePlace>, OpenError> {
    let exe = exe.strip_suffix(" (deleted)").unwrap_or(exe);
    let is_called = |path: &str, start: &str| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with(start))
    };
    let is_python_library = |path: &str| is_called(path, "libpython");
    let is_python = |path: &str| is_called(path, "python3");
    let mut tried = HashSet::new();
    // The library first: the small program that loads it has an undefined `_PyRuntime` only. A
    // program run by the dynamic loader or by an emulator is mapped, but is not the executable.
    let candidates = maps
        .iter()
        .filter(|map| is_python_library(&map.path))
        .chain(maps.iter().filter(|map| map.path == exe))
        .chain(maps.iter().filter(|map| is_python(&map.path)));
    let mut old = None;
    for map in candidates {
        if map.path.is_empty() || !tried.insert(map.path.clone()) {
            continue;
        }
        let place = match process::mapped_file(pid, map) {
            Ok(bytes) => elf::landmarks(&bytes).and_then(|marks| place(maps, &map.path, &marks)),
            // Deleted, or in a file system that we do not see.
            Err(_) => search(&RemoteMemory::new(pid), maps, &map.path),
        };
        let Some(place) = place else { continue };
        if place.version.is_none() && old.is_none() && !self_described(pid, &place) {
            old = Some(place);
            continue;
        }
        return Ok(Some(place));
    }
    match old {
        Some(place) => Err(OpenError::Unsupported {
            pid,
            version: None,
            what: format!("a Python older than 3.11 ({})", place.binary),
            why: "its structures are not known".to_owned(),
        }),
        None => Ok(None),
    }
}

/// Looks for a runtime that describes itself (3.13 and later) in the memory of a binary whose file
/// cannot be read.
fn search(memory: &dyn Memory, maps: &[Mapping], path: &str) -> Option<RuntimePlace> {
    let of_file = || maps.iter().filter(|map| map.path == path);
    let base = of_file().map(|map| map.start).min()?;
    let machine = machine(maps, None);
    for map in of_file().filter(|map| map.writable) {
        let size = usize::try_from(map.end.saturating_sub(map.start)).ok()?;
        let mut bytes = vec![0; size.min(MAX_SEARCH)];
        if memory.read(RemoteAddr(map.start), &mut bytes).is_err() {
            continue;
        }
        let found = (0..bytes.len().saturating_sub(8)).step_by(8).find(|at| {
            bytes[*at..].starts_with(b"xdebugpy")
                && parse_debug_offsets(&bytes[*at..], machine).is_ok()
        });
        if let Some(at) = found {
            return Some(RuntimePlace {
                binary: path.to_owned(),
                base: RemoteAddr(base),
                runtime: RemoteAddr(map.start + at as u64),
                version: None,
                asyncio: None,
                machine,
            });
        }
    }
    None
}

fn self_described(pid: Pid, place: &RuntimePlace) -> bool {
    let mut cookie = [0; 8];
    let memory = RemoteMemory::new(pid);
    memory.read(place.runtime, &mut cookie).is_ok() && cookie == *b"xdebugpy"
}

/// Where a file is mapped, and what to add to its addresses.
pub(crate) fn load_bias(maps: &[Mapping], path: &str, marks: &Landmarks) -> Option<(u64, u64)> {
    let first = maps
        .iter()
        .filter(|map| map.path == path && map.file_offset == marks.base_offset)
        .min_by_key(|map| map.start)?;
    Some((first.start, first.start.wrapping_sub(marks.base)))
}

/// The addresses of a file's landmarks in the process that has it mapped.
fn place(maps: &[Mapping], path: &str, marks: &Landmarks) -> Option<RuntimePlace> {
    let (base, bias) = load_bias(maps, path, marks)?;
    Some(RuntimePlace {
        binary: path.to_owned(),
        base: RemoteAddr(base),
        runtime: RemoteAddr(marks.runtime?.wrapping_add(bias)),
        version: marks
            .version
            .map(|address| RemoteAddr(address.wrapping_add(bias))),
        asyncio: marks
            .asyncio
            .map(|address| RemoteAddr(address.wrapping_add(bias))),
        machine: machine(maps, marks.architecture),
    })
}

/// The machine of a process with these mappings, whose interpreter was built for `architecture`:
/// ours, if that is not known.
fn machine(maps: &[Mapping], architecture: Option<Architecture>) -> Machine {
    let ours = if cfg!(target_arch = "aarch64") {
        Architecture::Aarch64
    } else {
        Architecture::X86_64
    };
    let is_musl = |map: &Mapping| {
        let name = map.path.rsplit('/').next().unwrap_or_default();
        name.starts_with("ld-musl") || name.starts_with("libc.musl")
    };
    Machine {
        architecture: architecture.unwrap_or(ours),
        library: if maps.iter().any(is_musl) {
            CLibrary::Musl
        } else {
            CLibrary::Glibc
        },
    }
}

fn read_layout(memory: &dyn Memory, pid: Pid, place: &RuntimePlace) -> Result<Layout, OpenError> {
    let fault = |error| OpenError::of_memory(error, pid);
    let unsupported = |version: Option<Version>, why: String| OpenError::Unsupported {
        pid,
        version,
        what: version.map_or_else(
            || "a Python".to_owned(),
            |version| format!("CPython {version}"),
        ),
        why,
    };
    let mut bytes = vec![0; crate::layout::DEBUG_OFFSETS_SIZE];
    memory.read(place.runtime, &mut bytes).map_err(fault)?;
    match parse_debug_offsets(&bytes, place.machine) {
        Ok(layout) => return Ok(layout),
        Err(DebugOffsetsError::NoCookie) => {}
        Err(error) => {
            let version = match &error {
                DebugOffsetsError::UnknownVersion(version)
                | DebugOffsetsError::PreRelease(version)
                | DebugOffsetsError::FreeThreaded(version)
                | DebugOffsetsError::Short(version)
                | DebugOffsetsError::Insane { version, .. } => Some(*version),
                DebugOffsetsError::NoCookie => None,
            };
            return Err(unsupported(version, error.to_string()));
        }
    }
    let Some(at) = place.version else {
        return Err(unsupported(None, "it is older than 3.11".to_owned()));
    };
    let hex = read_u64(memory, at.0).map_err(fault)?;
    let version = Version::from_hex(hex as u32);
    Layout::frozen(version, place.machine).ok_or_else(|| {
        unsupported(
            Some(version),
            if (version.major, version.minor) >= (3, 13) {
                "its runtime does not describe itself as it should".to_owned()
            } else {
                "its structures are not known".to_owned()
            },
        )
    })
}
