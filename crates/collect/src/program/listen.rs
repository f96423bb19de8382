//! The socket at which programs call.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind,
    listen, recvmsg, sendmsg, socket_with,
};
use sondage_model::{MonoTime, Pid};
use sondage_wire::hello::{Hello, Welcome};

/// Callers that have not said yet what they want.
const MOST_CALLERS: usize = 256;
/// How long one may take to say it.
const PATIENCE: u64 = 2_000_000_000;

/// Why nobody can call.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("another sondage listens at {0} already")]
    Taken(String),
    /// The kernel refused.
    #[error("no socket could be made at {address}: {errno}")]
    System {
        /// The address.
        address: String,
        /// Why.
        errno: Errno,
    },
}

/// A socket at which programs of this user call.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    address: String,
    /// The socket's file, where it has one.
    path: Option<PathBuf>,
    callers: Vec<(Caller, MonoTime)>,
}

/// A process at the other end of a socket.
#[derive(Debug)]
pub struct Caller {
    /// The line.
    pub line: OwnedFd,
    /// Its process, in our pid namespace.
    pub pid: Pid,
    /// Its user.
    pub uid: u32,
}

/// A process that hands its arena over.
#[derive(Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// The arena's memory.
    pub file: OwnedFd,
    /// Its length, as told.
    pub bytes: u64,
}

impl Listener {
    /// Listens at an address that nobody can guess.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn offer() -> Result<Listener, ListenError> {
        let random = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        Listener::at(&format!("@sondage-{}-{random:016x}", std::process::id()))
    }

    /// Listens at an address: `@name` in the abstract namespace, or a path.
    ///
    /// # Errors
    /// When somebody does so already, or the kernel gives no socket.
    pub fn at(address: &str) -> Result<Listener, ListenError> {
        let system = |errno| match errno {
            Errno::ADDRINUSE => ListenError::Taken(address.to_owned()),
            errno => ListenError::System {
                address: address.to_owned(),
                errno,
            },
        };
        let (name, path) = match address.strip_prefix('@') {
            Some(name) => (SocketAddrUnix::new_abstract_name(name.as_bytes()), None),
            None => (SocketAddrUnix::new(address), Some(PathBuf::from(address))),
        };
        let name = name.map_err(system)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, flags, None).map_err(system)?;
        bind(&socket, &name).map_err(system)?;
        listen(&socket, 128).map_err(system)?;
        Ok(Listener {
            socket,
            address: address.to_owned(),
            path,
            callers: Vec::new(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What becomes readable when somebody calls or says something.
    pub fn files(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let callers = self.callers.iter().map(|(caller, _)| caller.line.as_fd());
        std::iter::once(self.socket.as_fd()).chain(callers)
    }

    /// Those who have handed over an arena since the last call.
    pub fn calls(&mut self, now: MonoTime) -> Vec<Call> {
        for _ in 0..MOST_CALLERS {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match accept_with(&self.socket, flags) {
                Ok(line) => {
                    // One who is gone so soon that nobody knows who it was is nobody.
                    let Ok(peer) = socket_peercred(&line) else {
                        continue;
                    };
                    let caller = Caller {
                        line,
                        pid: Pid(peer.pid.as_raw_nonzero().get()),
                        uid: peer.uid.as_raw(),
                    };
                    // Who keeps silent longest makes room.
                    if self.callers.len() >= MOST_CALLERS {
                        self.callers.remove(0);
                    }
                    self.callers.push((caller, now));
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => break,
            }
        }
        let mut calls = Vec::new();
        let mut later = Vec::new();
        for (caller, since) in self.callers.drain(..) {
            match hear(&caller.line) {
                Heard::Hello(hello, file) => calls.push(Call {
                    caller,
                    file,
                    bytes: hello.bytes,
                }),
                Heard::Nothing if now.0.saturating_sub(since.0) < PATIENCE => {
                    later.push((caller, since));
                }
                Heard::Nothing | Heard::Nonsense => {}
            }
        }
        self.callers = later;
        calls
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What cannot be removed is in nobody's way but the next listener's, who says so.
            let _ = std::fs::remove_file(path);
        }
    }
}

enum Heard {
    Hello(Hello, OwnedFd),
    Nothing,
    Nonsense,
}

/// Takes the one message that a caller sends.
fn hear(line: &OwnedFd) -> Heard {
    let mut bytes = [0; Hello::LEN + 1];
    // Room for one descriptor: the kernel closes the others.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = recvmsg(
        line,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        flags,
    );
    let got = match got {
        Ok(got) => got,
        Err(Errno::AGAIN | Errno::INTR) => return Heard::Nothing,
        Err(_) => return Heard::Nonsense,
    };
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            file = files.last();
        }
    }
    let hello = Hello::decode(&bytes[..got.bytes.min(bytes.len())]);
    match (hello, file) {
        (Some(hello), Some(file)) if !got.flags.contains(ReturnFlags::TRUNC) => {
            Heard::Hello(hello, file)
        }
        _ => Heard::Nonsense,
    }
}

impl Caller {
    /// Answers. One who does not listen any more has all the same been heard.
    pub fn answer(&self, accepted: bool) {
        let bytes = Welcome { accepted }.encode();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut nothing = SendAncillaryBuffer::default();
        let _ = sendmsg(&self.line, &[IoSlice::new(&bytes)], &mut nothing, flags);
    }
}
