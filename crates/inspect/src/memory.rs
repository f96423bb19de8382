//! Reading bytes of a process: ours, another's, or a stored image.

use sondage_model::{Pid, RemoteAddr};

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MemoryError {
    /// The kernel does not let us read that process.
    #[error("no permission to read the memory of the process")]
    NoPermission,
    /// The process has ended.
    #[error("the process has ended")]
    Gone,
    /// Nothing is mapped at the address.
    #[error("nothing is mapped at {0}")]
    Unmapped(RemoteAddr),
    /// Any other error of the system call, by number.
    #[error("reading the memory of the process failed with error {0}")]
    Other(i32),
}

/// One piece of a batched read.
#[derive(Debug)]
pub struct ReadPart<'a> {
    /// Where it begins in the process being read.
    pub at: RemoteAddr,
    /// Where the bytes go; its length says how many.
    pub into: &'a mut [u8],
}

/// Bytes of one process. Addresses are that process's.
pub trait Memory {
    /// Fills `into` from `at`, or fails as a whole.
    ///
    /// # Errors
    /// See [`MemoryError`]; what `into` holds then is unspecified.
    fn read(&self, at: RemoteAddr, into: &mut [u8]) -> Result<(), MemoryError>;

    /// Fills every part, one after the other in the order given, with as few system calls as the
    /// system allows (one up to 1,024 parts on Linux).
    ///
    /// # Errors
    /// The error of the first part that could not be read; later parts are then unspecified.
    fn read_many(&self, parts: &mut [ReadPart<'_>]) -> Result<(), MemoryError> {
        for part in parts {
            self.read(part.at, part.into)?;
        }
        Ok(())
    }

    /// A copy of `spans` (address and length), put one after the other into `into`: what
    /// [`read_many`](Self::read_many) does, without a slice for each part.
    ///
    /// # Errors
    /// The index of the first span that could not be read, and why.
    fn gather(&self, spans: &[Span], into: &mut [u8]) -> Result<(), (usize, MemoryError)> {
        let mut rest = into;
        for (index, span) in spans.iter().enumerate() {
            let Some((part, tail)) = rest.split_at_mut_checked(span.len) else {
                return Err((index, MemoryError::Other(libc::EINVAL)));
            };
            self.read(RemoteAddr(span.at), part)
                .map_err(|error| (index, error))?;
            rest = tail;
        }
        Ok(())
    }
}

/// A range of the memory being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Span {
    /// First address.
    pub at: u64,
    /// Length in bytes.
    pub len: usize,
}

// `Span` is handed to the kernel as `struct iovec`.
const _: () = assert!(
    size_of::<Span>() == size_of::<libc::iovec>()
        && align_of::<Span>() == align_of::<libc::iovec>()
);

/// The most parts the kernel takes in one call (`UIO_MAXIOV`).
const PARTS_A_CALL: usize = 1024;

/// Another process's memory, read with `process_vm_readv`: the process is neither stopped nor
/// changed, and we need the right to trace it (same user, or `CAP_SYS_PTRACE`).
#[derive(Clone, Copy, Debug)]
pub struct RemoteMemory {
    pid: Pid,
}

impl RemoteMemory {
    /// The memory of `pid`. Does not check that it exists: the first read does.
    #[must_use]
    pub fn new(pid: Pid) -> RemoteMemory {
        RemoteMemory { pid }
    }

    fn call(&self, local: &[libc::iovec], remote: &[libc::iovec]) -> Result<usize, MemoryError> {
        // SAFETY: `local` describes memory that the callers own mutably for this call; the kernel
        // checks the remote addresses and writes at most the lengths given.
        let got = unsafe {
            libc::process_vm_readv(
                self.pid.0,
                local.as_ptr(),
                local.len() as libc::c_ulong,
                remote.as_ptr(),
                remote.len() as libc::c_ulong,
                0,
            )
        };
        if got >= 0 {
            return Ok(got as usize);
        }
        let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Err(match code {
            libc::EPERM | libc::EACCES => MemoryError::NoPermission,
            libc::ESRCH => MemoryError::Gone,
            libc::EFAULT => MemoryError::Unmapped(RemoteAddr(
                remote.first().map_or(0, |part| part.iov_base as u64),
            )),
            code => MemoryError::Other(code),
        })
    }
}

impl Memory for RemoteMemory {
    fn read(&self, at: RemoteAddr, into: &mut [u8]) -> Result<(), MemoryError> {
        let span = Span {
            at: at.0,
            len: into.len(),
        };
        self.gather(&[span], into).map_err(|(_, error)| error)
    }

    fn read_many(&self, parts: &mut [ReadPart<'_>]) -> Result<(), MemoryError> {
        let mut local = Vec::with_capacity(parts.len());
        let mut remote = Vec::with_capacity(parts.len());
        for part in parts.iter_mut() {
            local.push(libc::iovec {
                iov_base: part.into.as_mut_ptr().cast(),
                iov_len: part.into.len(),
            });
            remote.push(libc::iovec {
                iov_base: part.at.0 as *mut libc::c_void,
                iov_len: part.into.len(),
            });
        }
        for (local, remote) in local.chunks(PARTS_A_CALL).zip(remote.chunks(PARTS_A_CALL)) {
            let mut got = self.call(local, remote)?;
            for part in remote {
                if got < part.iov_len {
                    return Err(MemoryError::Unmapped(RemoteAddr(part.iov_base as u64)));
                }
                got -= part.iov_len;
            }
        }
        Ok(())
    }

    fn gather(&self, spans: &[Span], into: &mut [u8]) -> Result<(), (usize, MemoryError)> {
        let mut done = 0;
        for (chunk_index, chunk) in spans.chunks(PARTS_A_CALL).enumerate() {
            let first = chunk_index * PARTS_A_CALL;
            let want: usize = chunk.iter().map(|span| span.len).sum();
            let Some(part) = into.get_mut(done..done + want) else {
                return Err((first, MemoryError::Other(libc::EINVAL)));
            };
            let local = libc::iovec {
                iov_base: part.as_mut_ptr().cast(),
                iov_len: want,
            };
            // SAFETY: `Span` has the size, alignment and fields of `iovec` (checked above), and
            // every bit pattern of an address is a valid raw pointer.
            let remote = unsafe {
                std::slice::from_raw_parts(chunk.as_ptr().cast::<libc::iovec>(), chunk.len())
            };
            let mut got = self
                .call(std::slice::from_ref(&local), remote)
                .map_err(|error| (first, error))?;
            if got < want {
                for (index, span) in chunk.iter().enumerate() {
                    if got < span.len {
                        let at = MemoryError::Unmapped(RemoteAddr(span.at));
                        return Err((first + index, at));
                    }
                    got -= span.len;
                }
            }
            done += want;
        }
        Ok(())
    }
}

/// The address of a field. Wraps, as everything that is read may be garbage.
#[inline]
pub(crate) fn field(base: u64, offset: usize) -> u64 {
    base.wrapping_add(offset as u64)
}

/// Small typed reads, for the slow paths.
pub(crate) fn read_u64(memory: &dyn Memory, at: u64) -> Result<u64, MemoryError> {
    let mut bytes = [0; 8];
    memory.read(RemoteAddr(at), &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

pub(crate) fn read_u32(memory: &dyn Memory, at: u64) -> Result<u32, MemoryError> {
    let mut bytes = [0; 4];
    memory.read(RemoteAddr(at), &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The little-endian word at `at` in a local copy; `None` past its end.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(part.try_into().ok()?))
}

pub(crate) fn half(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(part.try_into().ok()?))
}
