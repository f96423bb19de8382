//! Meeting a collector: over a unix socket, whose address the environment tells.

use crate::clock::mono_nanos;
use crate::process::{self, close};
use sondage_wire::Mode;
use sondage_wire::hello::{ADDRESS_VARIABLE, Hello, Welcome, default_address};
use std::fmt;
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// How long [`connect`] waits for a collector's answer.
const PATIENCE_MICROS: i64 = 1_000_000;
/// How long a program's first probe waits for it. Events are kept meanwhile, in a small buffer.
const FIRST_PATIENCE_MICROS: i64 = 250_000;
/// How often a collector that went, or was not there yet, is looked for.
const LOOK_EVERY_NANOS: u64 = 1_000_000_000;

/// A collector that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Where it listens: `@name` in the abstract namespace, or a path.
    pub address: String,
    /// Its process.
    pub pid: u32,
}

/// Why there is no collector.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens there.
    NoCollector {
        /// The address.
        address: String,
    },
    /// Somebody listens there, but not this user and not root: they get nothing to read.
    WrongUser {
        /// The address.
        address: String,
        /// Who listens.
        uid: u32,
    },
    /// The collector does not collect this process.
    Refused {
        /// The address.
        address: String,
    },
    /// The collector took the call and did not answer.
    Silent {
        /// The address.
        address: String,
    },
    /// This process's events are in memory that cannot be shared: `memfd_create` is forbidden.
    NotShared,
    /// The probes are compiled out, or there is no memory for events.
    Off,
    /// The system refused a step.
    System {
        /// The address.
        address: String,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::NoCollector { address } => {
                write!(f, "no collector listens at {address}")
            }
            ConnectError::WrongUser { address, uid } => write!(
                f,
                "the collector at {address} is of user {uid}, not this one: it gets nothing"
            ),
            ConnectError::Refused { address } => {
                write!(f, "the collector at {address} does not take this process")
            }
            ConnectError::Silent { address } => {
                write!(f, "the collector at {address} does not answer")
            }
            ConnectError::NotShared => f.write_str(
                "this process may not make shared memory (memfd_create): a collector cannot read it",
            ),
            ConnectError::Off => f.write_str("there is no memory for events in this process"),
            ConnectError::System {
                address,
                step,
                error,
            } => write!(f, "{step} {address}: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConnectError::System { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The socket to the collector, and where to look for one that went.
#[derive(Default)]
pub(crate) struct Link {
    socket: Option<Socket>,
    address: Option<String>,
    connection: Option<Connection>,
}

static LINK: Mutex<Link> = Mutex::new(Link {
    socket: None,
    address: None,
    connection: None,
});

/// When to look next, on `CLOCK_MONOTONIC`: 0 at once, `u64::MAX` never.
static LOOK_AT: AtomicU64 = AtomicU64::new(0);

/// A socket that is ours.
struct Socket(RawFd);

impl Drop for Socket {
    fn drop(&mut self) {
        close(self.0);
    }
}

pub(crate) fn link() -> MutexGuard<'static, Link> {
    LINK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// The socket is the parent's; the child calls for itself, where the parent did.
    pub fn forked(&mut self) {
        (self.socket, self.connection) = (None, None);
        LOOK_AT.store(0, Ordering::Relaxed);
    }

    /// The collector, if it is still there.
    fn live(&mut self) -> Option<&Connection> {
        if self.socket.as_ref().is_some_and(Socket::has_hung_up) {
            (self.socket, self.connection) = (None, None);
            if let Some(arena) = process::existing() {
                arena.set_mode(Mode::Flight);
            }
        }
        self.connection.as_ref()
    }

    /// Calls at `address` and keeps the line. Without an answer in time the line stays open all
    /// the same if `is_patient`: a collector that is busy finds the arena on it.
    fn call(
        &mut self,
        address: &str,
        micros: i64,
        is_patient: bool,
    ) -> Result<Connection, ConnectError> {
        let arena = process::arena().ok_or(ConnectError::Off)?;
        debug_assert_eq!(arena.pid(), std::process::id());
        let shared = process::shared().ok_or(ConnectError::Off)?;
        let file = shared.file();
        if file < 0 {
            return Err(ConnectError::NotShared);
        }
        let socket = Socket::open(address, micros)?;
        let (pid, uid) = socket.peer(address)?;
        // SAFETY: the call has no preconditions.
        let own_uid = unsafe { libc::geteuid() };
        if uid != own_uid && uid != 0 {
            let address = address.to_owned();
            return Err(ConnectError::WrongUser { address, uid });
        }
        let hello = Hello {
            bytes: shared.bytes as u64,
        };
        socket.send(address, &hello.encode(), file)?;
        match socket.answer(address) {
            Ok(()) => {}
            Err(ConnectError::Silent { .. }) if is_patient => {}
            Err(error) => return Err(error),
        }
        let address = address.to_owned();
        let connection = Connection { address, pid };
        self.socket = Some(socket);
        self.connection = Some(connection.clone());
        Ok(connection)
    }
}

/// Finds a collector and gives it this process's events, those that are kept from before first.
///
/// It listens at `address`, else where the environment variable `SONDAGE_COLLECTOR` says, else
/// where a collector of this user does (`@sondage-UID`). Does nothing while one is there already.
/// Waits a second at most. From then on a collector that goes is looked for again once a second,
/// from probes.
///
/// # Errors
/// When nobody listens, or not with this user's rights.
pub fn connect(address: Option<&str>) -> Result<Connection, ConnectError> {
    let mut link = link();
    if let Some(connection) = link.live()
        && address.is_none_or(|address| address == connection.address)
    {
        return Ok(connection.clone());
    }
    let address = address.map_or_else(usual_address, str::to_owned);
    let connection = link.call(&address, PATIENCE_MICROS, false)?;
    link.address = Some(address);
    LOOK_AT.store(mono_nanos() + LOOK_EVERY_NANOS, Ordering::Relaxed);
    Ok(connection)
}

/// The collector that this process's events go to, if there is one now.
pub fn connection() -> Option<Connection> {
    link().live().cloned()
}

/// Where to look when nobody said.
fn usual_address() -> String {
    let told = std::env::var(ADDRESS_VARIABLE).ok();
    told.filter(|address| !address.is_empty())
        // SAFETY: the call has no preconditions.
        .unwrap_or_else(|| default_address(unsafe { libc::geteuid() }))
}

/// Now and then, from a probe that found no room: looks whether the collector is still there, and
/// calls one that was announced. Waits only the first time.
pub(crate) fn look() {
    let look_at = LOOK_AT.load(Ordering::Relaxed);
    if look_at == u64::MAX {
        return;
    }
    let now = mono_nanos();
    if now < look_at {
        return;
    }
    // Another thread does it, or this one is inside `connect`.
    let mut link = match LINK.try_lock() {
        Ok(link) => link,
        Err(TryLockError::Poisoned(link)) => link.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if link.live().is_none() {
        if link.address.is_none() {
            let told = std::env::var(ADDRESS_VARIABLE).ok();
            link.address = told.filter(|address| !address.is_empty());
        }
        let Some(address) = link.address.clone() else {
            LOOK_AT.store(u64::MAX, Ordering::Relaxed);
            return;
        };
        let micros = if look_at == 0 {
            FIRST_PATIENCE_MICROS
        } else {
            1
        };
        // Nobody there is no error: the events are kept, and the next look comes.
        let _ = link.call(&address, micros, true);
    }
    LOOK_AT.store(mono_nanos() + LOOK_EVERY_NANOS, Ordering::Relaxed);
}

impl Socket {
    /// A socket that is connected to `address`, and waits no longer than this for anything.
    fn open(address: &str, micros: i64) -> Result<Socket, ConnectError> {
        let system = |step| ConnectError::System {
            address: address.to_owned(),
            step,
            error: io::Error::last_os_error(),
        };
        let (name, length) = name_of(address)?;
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: the call touches no memory.
        let socket = Socket(unsafe { libc::socket(libc::AF_UNIX, kind, 0) });
        if socket.0 < 0 {
            return Err(system("making a socket for"));
        }
        let patience = libc::timeval {
            tv_sec: micros / 1_000_000,
            tv_usec: micros % 1_000_000,
        };
        for option in [libc::SO_SNDTIMEO, libc::SO_RCVTIMEO] {
            // SAFETY: the option's value is a `timeval` of this size.
            unsafe {
                libc::setsockopt(
                    socket.0,
                    libc::SOL_SOCKET,
                    option,
                    (&raw const patience).cast(),
                    size_of::<libc::timeval>() as libc::socklen_t,
                );
            }
        }
        // SAFETY: the name is `length` bytes of a `sockaddr_un`.
        let connected = unsafe { libc::connect(socket.0, (&raw const name).cast(), length) };
        if connected == 0 {
            return Ok(socket);
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ECONNREFUSED | libc::ENOENT) => Err(ConnectError::NoCollector {
                address: address.to_owned(),
            }),
            Some(libc::EAGAIN) => Err(ConnectError::Silent {
                address: address.to_owned(),
            }),
            _ => Err(system("connecting to")),
        }
    }

    /// Process and user at the other end.
    fn peer(&self, address: &str) -> Result<(u32, u32), ConnectError> {
        let mut peer = libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        };
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the option's value is a `ucred` of this size.
        let known = unsafe {
            libc::getsockopt(
                self.0,
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &mut length,
            )
        };
        if known != 0 {
            return Err(ConnectError::System {
                address: address.to_owned(),
                step: "asking who listens at",
                error: io::Error::last_os_error(),
            });
        }
        Ok((peer.pid as u32, peer.uid))
    }

    /// Sends a message with a file beside it.
    fn send(&self, address: &str, message: &[u8], file: RawFd) -> Result<(), ConnectError> {
        /// Aligned as a `cmsghdr` must be, and long enough for one with a file in it.
        #[repr(C, align(8))]
        struct Beside([u8; 64]);
        let mut beside = Beside([0; 64]);
        let mut part = libc::iovec {
            iov_base: message.as_ptr().cast_mut().cast(),
            iov_len: message.len(),
        };
        let length = size_of::<RawFd>() as u32;
        // SAFETY: all parts of the message live until the call returns; the control message is
        // written where the macros say, inside `beside`.
        let sent = unsafe {
            let mut header: libc::msghdr = zeroed();
            header.msg_iov = &raw mut part;
            header.msg_iovlen = 1;
            header.msg_control = beside.0.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(length) as usize;
            let control = libc::CMSG_FIRSTHDR(&header);
            (*control).cmsg_level = libc::SOL_SOCKET;
            (*control).cmsg_type = libc::SCM_RIGHTS;
            (*control).cmsg_len = libc::CMSG_LEN(length) as usize;
            libc::CMSG_DATA(control)
                .cast::<RawFd>()
                .write_unaligned(file);
            libc::sendmsg(self.0, &header, libc::MSG_NOSIGNAL)
        };
        if sent == message.len() as isize {
            return Ok(());
        }
        Err(ConnectError::System {
            address: address.to_owned(),
            step: "sending to",
            error: io::Error::last_os_error(),
        })
    }

    /// Waits for the answer.
    fn answer(&self, address: &str) -> Result<(), ConnectError> {
        let mut answer = [0; Welcome::LEN];
        // SAFETY: the buffer is as long as said.
        let read = unsafe { libc::recv(self.0, answer.as_mut_ptr().cast(), answer.len(), 0) };
        let address = address.to_owned();
        match usize::try_from(read) {
            Ok(read) => match Welcome::decode(&answer[..read]) {
                Some(Welcome { accepted: true }) => Ok(()),
                _ => Err(ConnectError::Refused { address }),
            },
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => {
                    Err(ConnectError::Silent { address })
                }
                error => Err(ConnectError::System {
                    address,
                    step: "waiting for",
                    error,
                }),
            },
        }
    }

    /// Whether the other end is gone.
    fn has_hung_up(&self) -> bool {
        let mut byte = 0_u8;
        let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
        // SAFETY: the buffer is one byte long.
        let read = unsafe { libc::recv(self.0, (&raw mut byte).cast(), 1, flags) };
        match read {
            0 => true,
            1.. => false,
            _ => io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// `@name` or a path as the system wants it, and how many bytes of it count.
fn name_of(address: &str) -> Result<(libc::sockaddr_un, libc::socklen_t), ConnectError> {
    // SAFETY: zeros are a valid name.
    let mut name: libc::sockaddr_un = unsafe { zeroed() };
    name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // A name in the abstract namespace begins with a zero byte and has none at its end.
    let (from, text, end) = match address.strip_prefix('@') {
        Some(text) => (1, text, 0),
        None => (0, address, 1),
    };
    let length = from + text.len() + end;
    if text.is_empty() || length > name.sun_path.len() || text.contains('\0') {
        return Err(ConnectError::System {
            address: address.to_owned(),
            step: "naming",
            error: io::Error::from_raw_os_error(libc::ENAMETOOLONG),
        });
    }
    for (to, byte) in name.sun_path[from..].iter_mut().zip(text.bytes()) {
        *to = byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + length;
    Ok((name, length as libc::socklen_t))
}
