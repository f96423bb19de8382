//! Callers made by hand: two arenas in a process, and calls that make no sense.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketType, connect, recv, sendmsg, socket,
};
use sondage_collect::{ADDRESS_VARIABLE, Listener};
use sondage_wire::hello::{Hello, MEMORY_NAME, Welcome};
use sondage_wire::{Arena, ClockKind, Definition, Mode, Producer, Size};

use super::{launch, options, session};

/// Shared memory for an arena, as a program makes it.
fn arena() -> (Arena<'static>, OwnedFd, u64) {
    let size = Size {
        chunks: 8,
        name_words: 4096,
    };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(MEMORY_NAME, flags).unwrap();
    ftruncate(&file, size.bytes() as u64).unwrap();
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, which is never taken away, of zeroed memory of that length.
    let arena = unsafe {
        let start = mmap(
            std::ptr::null_mut(),
            size.bytes(),
            access,
            MapFlags::SHARED,
            &file,
            0,
        );
        let kind = ClockKind::MonotonicNanos;
        let now = now();
        Arena::create(
            start.unwrap().cast(),
            size,
            std::process::id(),
            kind,
            (now, now),
        )
    };
    (arena, file, size.bytes() as u64)
}

fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Says something at an address; returns the line.
fn say(address: &str, bytes: &[u8], files: &[&OwnedFd]) -> OwnedFd {
    let line = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    let name = SocketAddrUnix::new_abstract_name(&address.as_bytes()[1..]).unwrap();
    connect(&line, &name).unwrap();
    let files: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    }
    sendmsg(
        &line,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    )
    .unwrap();
    line
}

/// Whether the collector took it; `None` when it hung up without a word.
fn answer(line: &OwnedFd) -> Option<bool> {
    let mut bytes = [0; 64];
    let (got, _) = recv(line, &mut bytes, RecvFlags::empty()).ok()?;
    Welcome::decode(&bytes[..got]).map(|welcome| welcome.accepted)
}

#[test]
fn two_arenas_of_a_process_are_one_process_and_each_threads_lanes() {
    let listener = Listener::offer().unwrap();
    let address = listener.address().to_owned();
    let run = session(None, Some(listener), options());
    let tid = rustix::thread::gettid().as_raw_pid() as u32;
    let seen = run(&mut |_| {
        let mut lines = Vec::new();
        for name in ["rust", "python"] {
            let (arena, file, bytes) = arena();
            arena.define(&Definition::site(1, name, "", "", 0, 0));
            let mut thread = Producer::new();
            thread.attach(arena.define_thread(tid, "main"));
            let line = say(&address, &Hello { bytes }.encode(), &[&file]);
            assert_eq!(answer(&line), Some(true));
            assert_eq!(arena.mode(), Mode::Collected);
            assert!(thread.refill(arena, || 0));
            for at in 0..10 {
                assert!(thread.zone_begin(now() + at, 1) && thread.zone_end(now() + at));
            }
            // A second collector is told that it is one too many.
            let again = say(&address, &Hello { bytes }.encode(), &[&file]);
            assert_eq!(answer(&again), Some(false));
            lines.push((line, file));
        }
    });
    assert_eq!(
        (seen.count("rust"), seen.count("python")),
        (vec![10], vec![10])
    );
    let zones = seen.zones();
    assert!(zones.iter().all(|(row, _)| row.thread == zones[0].0.thread));
    assert_eq!(seen.summary.progress.programs, 1);
    assert!(
        seen.messages
            .iter()
            .all(|text| text.contains("another sondage"))
    );
}

#[test]
fn who_calls_with_nonsense_harms_nobody() {
    let listener = Listener::offer().unwrap();
    let address = listener.address().to_owned();
    let run = session(None, Some(listener), options());
    let seen = run(&mut |_| {
        let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let (arena, file, bytes) = arena();
        let hello = Hello { bytes }.encode();
        let silent = say(&address, b"", &[]);
        for (bytes, files, expected) in [
            (&b"GET / HTTP/1.1"[..], &[][..], None),
            (&[0; 4000], &[&file], None),
            (&hello, &[], None),
            (&hello, &[&null], Some(false)),
            (&Hello { bytes: 5 }.encode(), &[&file], Some(false)),
        ] {
            assert_eq!(answer(&say(&address, bytes, files)), expected);
        }
        // More files than one: the call is not understood, and no file stays open.
        let many = [&null, &null, &null, &null, &null, &null, &null, &file];
        assert!(answer(&say(&address, &hello, &many)) != Some(true));
        // An arena that says anything about itself.
        let line = say(&address, &hello, &[&file]);
        assert_eq!(answer(&line), Some(true));
        let words = arena_words(&file, bytes);
        let mut random = 88_172_645_463_325_252_u64;
        for round in 0..200_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = random as usize % words.len();
            let value = if round % 3 == 0 { random >> 40 } else { random };
            words[at].store(value, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(100));
        // Somebody else is served all the same.
        launch("ten", &[(ADDRESS_VARIABLE, &address)]).wait();
        drop((silent, arena));
    });
    assert!(seen.count("step").contains(&10));
}

/// The words of an arena behind its magic number, which are anybody's.
fn arena_words(file: &OwnedFd, bytes: u64) -> &'static [AtomicU64] {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let length = bytes as usize;
    // SAFETY: a mapping of its own that stays, of memory of that length; atomics allow all bytes.
    unsafe {
        let start = mmap(
            std::ptr::null_mut(),
            length,
            access,
            MapFlags::SHARED,
            file,
            0,
        )
        .unwrap();
        std::slice::from_raw_parts(start.cast::<AtomicU64>().add(4), length / 8 - 4)
    }
}

#[test]
fn the_address_of_a_listener_is_taken_once() {
    let one = Arc::new(Listener::offer().unwrap());
    let error = Listener::at(one.address()).unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = Listener::at(path.to_str().unwrap()).unwrap();
    assert!(path.exists());
    drop(listener);
    assert!(!path.exists());
}
