//! Another process's arena, mapped into ours, after a good look at what was handed over.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{FlockOperation, Mode, OFlags, SealFlags, fcntl_get_seals, flock, fstat, fstatfs};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use sondage_wire::{Arena, ArenaError};

use super::feed::Feed;

/// The largest arena that is mapped.
const MOST_BYTES: u64 = 4 << 30;

/// `TMPFS_MAGIC`: what a memfd lies on. On huge pages, one that the system has not got would end us
/// with SIGBUS.
const TMPFS: i64 = 0x0102_1994;

/// Why memory is not collected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MappingError {
    /// It is not a memfd of plain pages.
    #[error("what the program handed over is no shared memory of plain pages")]
    NotMemory,
    /// Its size could change under our feet.
    #[error("the program's shared memory is not sealed: its size could change")]
    NotSealed,
    /// Its size is not what was said, or beyond what is mapped.
    #[error("the program's shared memory has {bytes} bytes, which is not what it should have")]
    Size {
        /// Its size.
        bytes: u64,
    },
    /// Another collector has it.
    #[error("another sondage collects this program already")]
    Busy,
    /// The kernel refused.
    #[error("the program's shared memory cannot be mapped: {0}")]
    System(#[from] Errno),
    /// It holds no arena.
    #[error("the program's shared memory cannot be read: {0}")]
    Arena(ArenaError),
}

/// Which memory: device and inode.
pub type Identity = (u64, u64);

/// Which memory a descriptor stands for.
pub fn identity(file: impl AsFd) -> Option<Identity> {
    let about = fstat(file).ok()?;
    Some((about.st_dev, about.st_ino))
}

/// A mapping that is taken away when this is dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is of the process, not of a thread.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the very mapping that was made; its only user was dropped before.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// An arena that is being collected. Fields are dropped in order: first what reads the mapping.
#[derive(Debug)]
pub struct Tap {
    /// What reads it.
    pub feed: Feed<'static>,
    arena: TapArena,
    /// Which memory it is.
    pub identity: Identity,
    bytes: usize,
    _mapping: Mapping,
    /// Holds the lock that keeps other collectors away.
    _file: OwnedFd,
}

/// An arena whose mapping the same [`Tap`] holds.
struct TapArena(Arena<'static>);

impl std::fmt::Debug for TapArena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena of process {}", self.0.pid())
    }
}

impl Tap {
    /// Maps the arena in `file`. `told` is its length, where the program told it.
    ///
    /// # Errors
    /// When it is not what it should be, or collected already.
    pub fn open(file: OwnedFd, told: Option<u64>) -> Result<Tap, MappingError> {
        if fstatfs(&file)?.f_type != TMPFS {
            return Err(MappingError::NotMemory);
        }
        let seals = fcntl_get_seals(&file).map_err(|_| MappingError::NotMemory)?;
        if !seals.contains(SealFlags::SHRINK | SealFlags::GROW) {
            return Err(MappingError::NotSealed);
        }
        let about = fstat(&file)?;
        let bytes = u64::try_from(about.st_size).unwrap_or(0);
        if bytes == 0 || bytes > MOST_BYTES || told.is_some_and(|told| told != bytes) {
            return Err(MappingError::Size { bytes });
        }
        // Opened anew: a lock belongs to what was opened, and this one must end with us.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(MappingError::Busy),
            Err(error) => return Err(error.into()),
        }
        let length = usize::try_from(bytes).map_err(|_| MappingError::Size { bytes })?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                access,
                MapFlags::SHARED,
                &file,
                0,
            )?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(MappingError::NotMemory)?;
        let mapping = Mapping {
            start,
            bytes: length,
        };
        // SAFETY: pages are aligned; the mapping is as long as said, and stays so since the file is
        // sealed; it is unmapped after the arena and the feed are gone, which are of this `Tap`
        // alone and leave it for no longer than a call.
        let arena: Arena<'static> = unsafe { Arena::open(mapping.start.as_ptr(), mapping.bytes) }
            .map_err(MappingError::Arena)?;
        Ok(Tap {
            feed: Feed::new(arena),
            arena: TapArena(arena),
            identity: (about.st_dev, about.st_ino),
            bytes: length,
            _mapping: mapping,
            _file: file,
        })
    }

    /// The arena.
    #[must_use]
    pub fn arena(&self) -> Arena<'_> {
        self.arena.0
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};

    use super::*;

    fn memory(bytes: u64, seals: SealFlags) -> OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("sondage-arena", flags).unwrap();
        ftruncate(&file, bytes).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file
    }

    fn refusal(file: OwnedFd, told: Option<u64>) -> MappingError {
        Tap::open(file, told).map(|_| ()).unwrap_err()
    }

    #[test]
    fn what_is_not_an_arena_is_refused() {
        let sealed = SealFlags::SHRINK | SealFlags::GROW;
        let plain = tempfile::tempfile().unwrap();
        plain.set_len(1 << 20).unwrap();
        let error = refusal(plain.into(), None);
        assert_eq!(error, MappingError::NotMemory);
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(refusal(null.into(), None), MappingError::NotMemory);
        let (pipe, _) = rustix::pipe::pipe().unwrap();
        assert_eq!(refusal(pipe, None), MappingError::NotMemory);
        let shrinks = memory(1 << 20, SealFlags::GROW);
        assert_eq!(refusal(shrinks, None), MappingError::NotSealed);
        let bytes = 1 << 20;
        assert_eq!(
            refusal(memory(bytes, sealed), Some(bytes + 1)),
            MappingError::Size { bytes }
        );
        assert_eq!(
            refusal(memory(0, sealed), None),
            MappingError::Size { bytes: 0 }
        );
        let bytes = 1 << 40;
        assert_eq!(
            refusal(memory(bytes, sealed), None),
            MappingError::Size { bytes }
        );
        let not_ours = MappingError::Arena(ArenaError::NotAnArena);
        assert_eq!(refusal(memory(1 << 20, sealed), None), not_ours);
        assert_eq!(refusal(memory(100, sealed), None), not_ours);
        // What we may not write to cannot be emptied.
        let closed = memory(1 << 20, sealed | SealFlags::WRITE);
        assert!(matches!(refusal(closed, None), MappingError::System(_)));
        let header = memory(1 << 20, sealed);
        rustix::io::pwrite(&header, b"SONDAGEW\x02\0\0\0\0\0\0\0\xff\xff\xff\xff", 0).unwrap();
        assert_eq!(refusal(header, None), MappingError::Arena(ArenaError::Size));
    }
}
