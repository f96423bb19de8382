//! Starting Tracy, which takes its orders from the environment and says nothing about what came of
//! them.

use super::config::{Config, StartError};
use super::{ADDRESS, IS_HOOKED, LISTENER, ON, STARTING, STATE, WANTS_HOOK, socket, sys};
use crate::{process, raw};
use std::ffi::{CStr, CString, c_char};
use std::net::{SocketAddr, TcpListener};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

unsafe extern "C" {
    /// The environment, as the C library has it.
    static mut environ: *mut *mut c_char;
    /// What Tracy calls the process, where it is not empty.
    #[link_name = "_ZN5tracy27___tracy_magic_process_nameE"]
    static mut TRACY_PROCESS_NAME: [c_char; NAME_BYTES];
}

/// Room for the name of the process, with a zero at its end.
const NAME_BYTES: usize = 64;

/// A busy machine may take its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts Tracy, in a thread made for it. Once in a process, but for failures before Tracy ran.
pub(super) fn start(config: &Config) -> Result<SocketAddr, StartError> {
    take_no_signals();
    let address = free_address(config)?;
    // It makes sure, too, that a fork of this process is noted.
    process::arena();
    let name = name_process(config);
    let environment = Environment::telling(address);
    // SAFETY: once in a process: `STATE` lets one thread come here, and nobody who ran it again.
    unsafe { sys::___tracy_startup_profiler() };
    let listener = socket::listener(address.port(), PATIENCE);
    drop(environment);
    let listener = listener.ok_or(StartError::Deaf)?;
    LISTENER.store(listener, Ordering::Relaxed);
    let address = *ADDRESS.get_or_init(|| address);
    let later = process::with_registry(|registry, _| {
        // From here on what is added to the registry reaches Tracy as well.
        registry.tell_all();
        let _ = STATE.compare_exchange(STARTING, ON, Ordering::Release, Ordering::Relaxed);
        registry.process_name()
    });
    // Told while Tracy started: the name that it shows was fixed by then.
    if let Some(later) = later.filter(|later| *later != name) {
        super::process_name(&later);
    }
    IS_HOOKED.store(WANTS_HOOK.load(Ordering::Relaxed), Ordering::Relaxed);
    raw::turn();
    Ok(address)
}

/// Tracy's threads inherit it: a signal that the program waits for must not end up in one of them.
fn take_no_signals() {
    // SAFETY: the set is filled before it is used; the mask is this thread's own.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, null_mut());
    }
}

/// Tries whether Tracy will be able to listen: it would try another port, or stay silent.
fn free_address(config: &Config) -> Result<SocketAddr, StartError> {
    let ip = config.address;
    let is_loopback = ip == std::net::Ipv4Addr::LOCALHOST || ip == std::net::Ipv6Addr::LOCALHOST;
    if !is_loopback && !ip.is_unspecified() {
        return Err(StartError::Address(ip));
    }
    let address = SocketAddr::from((ip, config.port));
    let tried = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    tried.map_err(|error| StartError::Port { address, error })
}

/// Sets the name that a profiler shows; what the program called itself until now.
fn name_process(config: &Config) -> String {
    let told = process::with_registry(|registry, _| registry.process_name()).unwrap_or_default();
    let name = config.process_name.as_ref().unwrap_or(&told);
    let name = &name.as_bytes()[..name.floor_char_boundary(NAME_BYTES - 1)];
    let mut bytes = [0; NAME_BYTES];
    for (to, byte) in bytes.iter_mut().zip(name) {
        *to = *byte as c_char;
    }
    // SAFETY: only a thread of Tracy's reads it, and none runs yet.
    unsafe { (&raw mut TRACY_PROCESS_NAME).write(bytes) };
    told
}

/// What Tracy is told, in the environment as long as this lives.
///
/// The environment is another table meanwhile, which is never freed: whoever reads it in another
/// thread sees the one or the other, where `setenv` would pull it from under his feet.
struct Environment {
    ours: *mut *mut c_char,
    before: *mut *mut c_char,
}

impl Environment {
    fn telling(address: SocketAddr) -> Environment {
        let table = table();
        let before = table.load(Ordering::Acquire);
        let mut ours: Vec<*mut c_char> = entries(before)
            // SAFETY: entries of the environment are C strings.
            .filter(|entry| !is_for_tracy(unsafe { CStr::from_ptr(*entry) }))
            .collect();
        let mut tell = |line: String| {
            ours.extend(CString::new(line).ok().map(CString::into_raw));
        };
        tell(format!("TRACY_PORT={}", address.port()));
        // Without, it listens on all of them; on IPv6 with IPv4 in it, where there is IPv6.
        tell(format!(
            "TRACY_ONLY_LOCALHOST={}",
            u8::from(address.ip().is_loopback())
        ));
        tell(format!("TRACY_ONLY_IPV4={}", u8::from(address.is_ipv4())));
        ours.push(null_mut());
        let ours = Box::leak(ours.into_boxed_slice()).as_mut_ptr();
        table.store(ours, Ordering::Release);
        Environment { ours, before }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let (ours, before) = (self.ours, self.before);
        // Who set a variable meanwhile has made a table of his own from ours. It stays.
        let _ = table().compare_exchange(ours, before, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The C library's pointer to the environment.
fn table() -> &'static AtomicPtr<*mut c_char> {
    // SAFETY: it is there as long as the process, aligned, and other threads only read it.
    unsafe { AtomicPtr::from_ptr(&raw mut environ) }
}

fn entries(table: *mut *mut c_char) -> impl Iterator<Item = *mut c_char> {
    let mut next: *const *mut c_char = if table.is_null() { null() } else { table };
    std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the table ends with a null, and is not read beyond.
        unsafe {
            let entry = *next;
            next = if entry.is_null() { null() } else { next.add(1) };
            (!entry.is_null()).then_some(entry)
        }
    })
}

fn is_for_tracy(entry: &CStr) -> bool {
    ["TRACY_PORT=", "TRACY_ONLY_LOCALHOST=", "TRACY_ONLY_IPV4="]
        .iter()
        .any(|name| entry.to_bytes().starts_with(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_environment_is_as_before_when_tracy_was_told() {
        let read = || std::env::var("TRACY_PORT").ok();
        let path = std::env::var_os("PATH");
        let before = read();
        let told = Environment::telling((Ipv4Addr::LOCALHOST, 7).into());
        assert_eq!(read().as_deref(), Some("7"));
        assert_eq!(std::env::var("TRACY_ONLY_LOCALHOST").as_deref(), Ok("1"));
        assert_eq!(std::env::var_os("PATH"), path);
        drop(told);
        assert_eq!(read(), before);
    }

    #[test]
    fn a_single_address_that_is_not_loopback_is_refused() {
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        let config = Config {
            address,
            ..Config::default()
        };
        assert!(matches!(free_address(&config), Err(StartError::Address(_))));
    }

    #[test]
    fn a_port_that_is_taken_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let config = Config {
            port,
            ..Config::default()
        };
        let Err(StartError::Port { error, .. }) = free_address(&config) else {
            panic!("{port} is taken");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
