//! The sockets that Tracy makes: it tells nobody about them, so they are looked for among the files
//! of the process.

use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// The socket that listens on `port`, as soon as there is one. It is closed in programs that this
/// one becomes: they would keep the port.
pub(super) fn listener(port: u16, patience: Duration) -> Option<RawFd> {
    let begun = Instant::now();
    loop {
        if let Some(file) = find(|file| is_listening(file) && local_port(file) == Some(port)) {
            close_in_programs(file);
            return Some(file);
        }
        if begun.elapsed() >= patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The socket that a profiler is connected to by `port`.
pub(super) fn connection(port: u16) -> Option<RawFd> {
    let file = find(|file| local_port(file) == Some(port) && !is_listening(file))?;
    close_in_programs(file);
    Some(file)
}

/// Closes a file if it still is a socket of `port`. Calls only what a forked child may call.
pub(super) fn close(file: RawFd, port: u16) {
    if local_port(file) == Some(port) {
        // SAFETY: Tracy's threads are not in this process: nobody else uses its sockets.
        unsafe { libc::close(file) };
    }
}

fn find(is_it: impl Fn(RawFd) -> bool) -> Option<RawFd> {
    /// Where the system does not list them.
    const USUAL_FILES: RawFd = 1024;
    match std::fs::read_dir("/proc/self/fd") {
        Ok(files) => files
            .flatten()
            .filter_map(|file| file.file_name().to_str()?.parse().ok())
            .find(|file| is_it(*file)),
        Err(_) => (0..USUAL_FILES).find(|file| is_it(*file)),
    }
}

fn close_in_programs(file: RawFd) {
    // SAFETY: the call touches no memory.
    unsafe { libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC) };
}

fn is_listening(file: RawFd) -> bool {
    let mut listens: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is a number of this size.
    let asked = unsafe {
        libc::getsockopt(
            file,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listens).cast(),
            &mut length,
        )
    };
    asked == 0 && listens != 0
}

/// The port at this end of a socket; `None` for any other file.
fn local_port(file: RawFd) -> Option<u16> {
    // SAFETY: zeros are a valid address.
    let mut address: libc::sockaddr_storage = unsafe { zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: there is room for `length` bytes.
    let asked = unsafe { libc::getsockname(file, (&raw mut address).cast(), &mut length) };
    let is_internet = [libc::AF_INET, libc::AF_INET6].contains(&address.ss_family.into());
    if asked != 0 || !is_internet {
        return None;
    }
    // The port lies at the same place in both kinds of address.
    const {
        assert!(
            offset_of!(libc::sockaddr_in, sin_port) == offset_of!(libc::sockaddr_in6, sin6_port)
        )
    };
    // SAFETY: the address is of one of these kinds.
    let port = unsafe { (*(&raw const address).cast::<libc::sockaddr_in>()).sin_port };
    Some(u16::from_be(port))
}

/// What went over a connection.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    /// Bytes sent that the other end has not taken yet.
    pub waiting: i32,
    /// Bytes that it has.
    pub acknowledged: u64,
    /// Bytes that came from it.
    pub received: u64,
}

/// What went over a connection so far; `None` when the system does not say.
pub(super) fn traffic(connection: RawFd) -> Option<Traffic> {
    /// Words of the kernel's `tcp_info` before the counts, in its layout since Linux 4.1.
    const COUNTS_AT: usize = 15;
    let mut info = [0_u64; COUNTS_AT + 2];
    let mut length = size_of_val(&info) as libc::socklen_t;
    let mut waiting: libc::c_int = 0;
    // SAFETY: both calls write no more than they are told there is room for.
    let is_known = unsafe {
        libc::getsockopt(
            connection,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        ) == 0
            && libc::ioctl(connection, libc::TIOCOUTQ, &raw mut waiting) == 0
    };
    let is_whole = length as usize >= size_of_val(&info);
    (is_known && is_whole).then(|| Traffic {
        waiting,
        acknowledged: info[COUNTS_AT],
        received: info[COUNTS_AT + 1],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn sockets_are_found_by_their_port_and_counted() {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        let soon = Duration::from_millis(1);
        assert_eq!(listener(port, soon), Some(listening.as_raw_fd()));
        assert_eq!(connection(port), None);

        let mut profiler = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut ours, _) = listening.accept().unwrap();
        assert_eq!(connection(port), Some(ours.as_raw_fd()));

        ours.write_all(b"seven b").unwrap();
        profiler.read_exact(&mut [0; 7]).unwrap();
        profiler.write_all(b"abc").unwrap();
        ours.read_exact(&mut [0; 3]).unwrap();
        let traffic = traffic(ours.as_raw_fd()).unwrap();
        assert_eq!(traffic.received, 3);

        assert_eq!(local_port(0).filter(|zero| *zero == port), None);
        assert_eq!(listener(port.wrapping_add(1), soon), None);
    }
}
