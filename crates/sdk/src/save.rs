//! Events into a file: when asked, at the end of the process, on a crash.

use crate::clock;
use crate::process::{self, close};
use sondage_wire::Image;
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::mem::zeroed;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// What stands for the process's number in a path.
const PID: &[u8] = b"{pid}";
/// What a path ends with until its file is complete.
const UNFINISHED: &[u8] = b".unfinished";

/// Why events could not be saved.
#[derive(Debug)]
pub struct SaveError {
    /// Where to.
    pub path: PathBuf,
    /// What was tried.
    pub step: &'static str,
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{} {path} to save events: {}", self.step, self.error)
    }
}

impl std::error::Error for SaveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Where to save, and which process was told to. A forked child would write over its parent's
/// file, and does not unless its own number is in the path.
struct Target {
    pid: u32,
    /// Absolute, and free of zeros.
    template: Vec<u8>,
}

impl Target {
    fn new(path: &Path) -> Result<Target, SaveError> {
        let failed = |error| SaveError {
            path: path.to_owned(),
            step: "looking for",
            error,
        };
        let absolute = std::path::absolute(path).map_err(failed)?;
        let template = absolute.as_os_str().as_bytes().to_vec();
        if template.contains(&0) || template.len() + 64 > PATH_BYTES {
            return Err(failed(io::Error::from_raw_os_error(libc::ENAMETOOLONG)));
        }
        Ok(Target {
            pid: std::process::id(),
            template,
        })
    }

    /// Whether this process should.
    fn is_ours(&self, pid: u32) -> bool {
        self.pid == pid || find(&self.template, PID).is_some()
    }
}

/// Room for a path with its zero.
const PATH_BYTES: usize = libc::PATH_MAX as usize;

/// A path for the system.
struct SystemPath([u8; PATH_BYTES]);

impl SystemPath {
    /// Makes it the template with the process's number, and `end` behind it. What is too long is
    /// cut.
    fn fill(&mut self, template: &[u8], pid: u32, end: &[u8]) {
        let path = &mut self.0;
        path.fill(0);
        let mut length = 0;
        let mut add = |bytes: &[u8]| {
            for byte in bytes {
                if length < PATH_BYTES - 1 {
                    path[length] = *byte;
                    length += 1;
                }
            }
        };
        let mut digits = [0; 10];
        let digits = decimal(pid, &mut digits);
        let mut rest = template;
        while let Some(at) = find(rest, PID) {
            add(&rest[..at]);
            add(digits);
            rest = &rest[at + PID.len()..];
        }
        add(rest);
        add(end);
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }

    fn to_path(&self) -> PathBuf {
        let length = self.0.iter().position(|byte| *byte == 0);
        let bytes = &self.0[..length.unwrap_or(PATH_BYTES)];
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
}

/// The paths that one file has while and after it is written. Large: a handler's stack has no room
/// for them.
struct Paths {
    unfinished: SystemPath,
    path: SystemPath,
}

impl Paths {
    fn new() -> Box<Paths> {
        Box::new(Paths {
            unfinished: SystemPath([0; PATH_BYTES]),
            path: SystemPath([0; PATH_BYTES]),
        })
    }

    fn fill(&mut self, template: &[u8], pid: u32) {
        self.unfinished.fill(template, pid, UNFINISHED);
        self.path.fill(template, pid, b"");
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// Writes what this process's arena holds into a file, which `sondage` opens, and returns the
/// file. `{pid}` in the path stands for the process's number. Events go on meanwhile; those that
/// are written while it works may be missing. The file is complete or not there.
///
/// # Errors
/// When it cannot be written, or there is no memory for events.
pub fn save(path: impl AsRef<Path>) -> Result<PathBuf, SaveError> {
    save_as(&Target::new(path.as_ref())?)
}

fn save_as(target: &Target) -> Result<PathBuf, SaveError> {
    let pid = std::process::id();
    let mut paths = Paths::new();
    paths.fill(&target.template, pid);
    let failed = |(step, error)| SaveError {
        path: paths.path.to_path(),
        step,
        error,
    };
    let no_memory = || {
        (
            "setting memory aside for",
            io::Error::from(io::ErrorKind::OutOfMemory),
        )
    };
    let arena = process::arena().ok_or_else(no_memory).map_err(failed)?;
    let now = clock::both();
    let copy = arena.copy(now);
    write_file(&paths, &copy.arena().image(now)).map_err(failed)?;
    Ok(paths.path.to_path())
}

/// Saves as [`save`] does when the process ends in order: by `exit`, or by `main` returning. The
/// last call counts.
///
/// # Errors
/// When the path is none.
pub fn save_at_exit(path: impl AsRef<Path>) -> Result<(), SaveError> {
    let target = Box::new(Target::new(path.as_ref())?);
    // The end of a process is noticed from its arena's making on.
    process::arena();
    // What was there before is not freed: the end of the process may be reading it.
    AT_EXIT.store(Box::into_raw(target), Ordering::Release);
    Ok(())
}

static AT_EXIT: AtomicPtr<Target> = AtomicPtr::new(null_mut());

/// The process ends.
pub(crate) fn at_exit() {
    // SAFETY: null, or a leaked box.
    let target = unsafe { AT_EXIT.load(Ordering::Acquire).as_ref() };
    if let Some(target) = target
        && target.is_ours(std::process::id())
    {
        // Nobody is left to be told.
        let _ = save_as(target);
    }
}

/// Signals by which a program dies of its own doing.
const CRASHES: [c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// What the handler needs, set aside before it does.
struct Crash {
    target: Target,
    paths: UnsafeCell<Box<Paths>>,
}

static ON_CRASH: AtomicPtr<Crash> = AtomicPtr::new(null_mut());

/// What the signals did before. Written before the handler is there.
static BEFORE: [AtomicPtr<libc::sigaction>; CRASHES.len()] =
    [const { AtomicPtr::new(null_mut()) }; CRASHES.len()];

/// Saves when a signal kills the process that tells of its own doing: `SIGSEGV`, `SIGBUS`,
/// `SIGILL`, `SIGFPE`, `SIGABRT`, `SIGTRAP`, `SIGSYS`. Whatever handled them before still does,
/// afterwards. A full stack is saved too where the thread has a stack for signals, as those of Rust
/// have. The last call counts.
///
/// # Errors
/// When the path is none, or there is no memory for events.
pub fn save_on_crash(path: impl AsRef<Path>) -> Result<(), SaveError> {
    let target = Target::new(path.as_ref())?;
    if process::arena().is_none() {
        return Err(SaveError {
            path: path.as_ref().to_owned(),
            step: "setting memory aside for",
            error: io::Error::from(io::ErrorKind::OutOfMemory),
        });
    }
    // Found now: the handler must not open files for it.
    let _ = clock::kind();
    let crash = Box::new(Crash {
        target,
        paths: UnsafeCell::new(Paths::new()),
    });
    let first = ON_CRASH
        .swap(Box::into_raw(crash), Ordering::AcqRel)
        .is_null();
    if first {
        CRASHES.iter().zip(&BEFORE).for_each(|(signal, before)| {
            // SAFETY: zeros are a valid action.
            let mut action: libc::sigaction = unsafe { zeroed() };
            action.sa_sigaction = on_crash as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: both actions are ours; the handler does only what a handler may.
            unsafe {
                let mut old = Box::new(zeroed::<libc::sigaction>());
                libc::sigaction(*signal, std::ptr::null(), &mut *old);
                before.store(Box::into_raw(old), Ordering::Release);
                libc::sigaction(*signal, &action, null_mut());
            }
        });
    }
    Ok(())
}

/// Calls only what a signal handler may: memory, atomics, and the system.
extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    static DONE: AtomicBool = AtomicBool::new(false);
    // SAFETY: null, or a leaked box.
    let crash = unsafe { ON_CRASH.load(Ordering::Acquire).as_ref() };
    // SAFETY: the call has no preconditions.
    let pid = unsafe { libc::getpid() } as u32;
    if let Some(crash) = crash
        && crash.target.is_ours(pid)
        && !DONE.swap(true, Ordering::AcqRel)
        && let Some(arena) = process::existing()
    {
        let image = arena.image((clock::ticks(), clock::mono_nanos()));
        // SAFETY: only who found it not done comes here, once in the process.
        let paths = unsafe { &mut *crash.paths.get() };
        paths.fill(&crash.target.template, pid);
        let _ = write_file(paths, &image);
    }
    let known = CRASHES.iter().position(|one| *one == signal);
    let before = known.map_or(null_mut(), |at| BEFORE[at].load(Ordering::Acquire));
    // SAFETY: the old action is complete, the default one is all zeros; `info` is the system's.
    unsafe {
        let default: libc::sigaction = zeroed();
        let action = if before.is_null() {
            &raw const default
        } else {
            before
        };
        libc::sigaction(signal, action, null_mut());
        // A fault comes again when the instruction is tried again, and finds what was there before.
        // What somebody sent does not.
        if (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

/// Writes a file under another name and then gives it its own.
fn write_file(paths: &Paths, image: &Image<'_>) -> Result<(), (&'static str, io::Error)> {
    let Paths { unfinished, path } = paths;
    let fail = |step| Err((step, io::Error::last_os_error()));
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let open = || unsafe { libc::open(unfinished.as_ptr(), flags, 0o600) };
    let mut file = open();
    if file < 0 && has_no_file_left() {
        process::give_up_file();
        file = open();
    }
    if file < 0 {
        return fail("opening");
    }
    let written = image
        .parts()
        .iter()
        .all(|part| write_all(file, part.start, part.bytes));
    if !written {
        let failed = fail("writing");
        close(file);
        // SAFETY: the path is a C string.
        unsafe { libc::unlink(unfinished.as_ptr()) };
        return failed;
    }
    close(file);
    // SAFETY: both paths are C strings.
    if unsafe { libc::rename(unfinished.as_ptr(), path.as_ptr()) } != 0 {
        return fail("renaming");
    }
    Ok(())
}

fn has_no_file_left() -> bool {
    matches!(
        io::Error::last_os_error().raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE)
    )
}

/// Writes so many bytes; false on an error, which the system's number of tells.
fn write_all(file: RawFd, mut start: *const u8, mut bytes: usize) -> bool {
    while bytes > 0 {
        // SAFETY: the bytes are mapped; that others write to them meanwhile is the system's to
        // copy.
        let written = unsafe { libc::write(file, start.cast(), bytes) };
        match usize::try_from(written) {
            Ok(0) => return false,
            Ok(written) => {
                // SAFETY: no more was written than there is.
                start = unsafe { start.add(written) };
                bytes -= written;
            }
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_the_process_number_wherever_it_is_asked_for() {
        let path = |template: &str, end: &str| {
            let mut path = SystemPath([1; PATH_BYTES]);
            path.fill(template.as_bytes(), 4711, end.as_bytes());
            path.to_path()
        };
        assert_eq!(path("/a/b", ""), Path::new("/a/b"));
        assert_eq!(path("/{pid}/b{pid}", ".x"), Path::new("/4711/b4711.x"));
        assert_eq!(path("/{pid", ""), Path::new("/{pid"));
    }

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 7, 10, 4711, u32::MAX] {
            let mut digits = [0; 10];
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }
}
