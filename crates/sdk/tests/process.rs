//! What happens to the process: collectors that come and go, `kill -9`, fork, exec, threads that
//! end, memory that is full. Programs are this one again, in a role.
#![cfg(feature = "enabled")]

mod common;

use common::{Collector, Mapped, Story, now, program, role, wait_until};
use sondage::{ConnectError, raw, zone};
use sondage_wire::hello::ADDRESS_VARIABLE;
use sondage_wire::{Event, Mode, Reader, Take};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};

fn start(mut command: Command, collector: &Collector) -> (Child, Mapped) {
    let child = command.env(ADDRESS_VARIABLE, &collector.address).spawn();
    (child.expect("a program"), collector.accept())
}

/// Everything in an arena, as a collector reads it.
fn read(mapped: &Mapped) -> Story {
    let mut story = Story::default();
    let arena = mapped.arena();
    story.read(&mut Reader::new(arena), arena, Take::Collect);
    story
}

/// A number that outlives the program that counts.
struct Counter(*mut u8);

impl Counter {
    fn at(path: &std::path::Path) -> Counter {
        use std::os::fd::AsRawFd;
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path).unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: a new mapping of a page that the file has.
        let page = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let file = file.as_raw_fd();
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                access,
                libc::MAP_SHARED,
                file,
                0,
            )
        };
        assert_ne!(page, libc::MAP_FAILED);
        Counter(page.cast())
    }

    fn number(&self) -> &AtomicU64 {
        // SAFETY: the page stays mapped, is aligned, and any bytes are a number.
        unsafe { &*self.0.cast::<AtomicU64>() }
    }
}

#[test]
fn a_killed_program_has_lost_nothing_that_it_wrote() {
    if role().is_some() {
        let path = std::env::var("SONDAGE_TEST_COUNTER").unwrap();
        let counter = Counter::at(path.as_ref());
        for n in 0_u64.. {
            {
                zone!("spin", n = n);
            }
            counter.number().store(n + 1, Ordering::Release);
        }
    }
    let collector = Collector::new();
    let folder = tempfile::tempdir().unwrap();
    let tries: usize = std::env::var("SONDAGE_KILLS").map_or(100, |n| n.parse().unwrap());
    for attempt in 0..tries {
        let path = folder.path().join(attempt.to_string());
        let counter = Counter::at(&path);
        let mut command = program("a_killed_program_has_lost_nothing_that_it_wrote", "spin");
        // So large that nothing is lost while this machine does something else.
        command
            .env("SONDAGE_BUFFER", "1G")
            .env("SONDAGE_TEST_COUNTER", &path);
        let (mut child, mapped) = start(command, &collector);
        let (arena, mut story) = (mapped.arena(), Story::default());
        let mut reader = Reader::new(arena);
        wait_until("busy", || {
            arena.visit(now());
            // Chunks are taken and given back while it runs.
            story.read(&mut reader, arena, Take::Collect);
            story.events() > 1000 * (1 + attempt % 7)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        story.read(&mut reader, arena, Take::Collect);
        assert_eq!((arena.lost(), story.lost()), (0, 0));
        let done = counter.number().load(Ordering::Acquire);
        assert_is_counted_through(&story, done);
    }
}

/// Each zone's number follows the one before, to the last that the program knows of.
fn assert_is_counted_through(story: &Story, done: u64) {
    let spins: Vec<&Vec<Event>> = story.threads.values().collect();
    assert_eq!(spins.len(), 1);
    let mut told = spins[0].iter();
    for n in 0..done {
        assert!(
            matches!(told.next(), Some(Event::ZoneBegin { depth: 0, .. })),
            "{n} of {done}"
        );
        let Some(Event::Value { value, .. }) = told.next() else {
            panic!("{n} of {done}");
        };
        assert_eq!(*value, sondage_wire::OwnedValue::Uint(n), "of {done}");
        assert!(
            matches!(told.next(), Some(Event::ZoneEnd { .. })),
            "{n} of {done}"
        );
    }
    // It was killed in the next one, or before it had counted it.
    assert!(told.len() <= 3, "{told:?}");
}

#[test]
fn a_forked_child_has_an_arena_of_its_own() {
    if role().is_some() {
        sondage::thread_name("forks");
        {
            zone!("parent before");
        }
        let open = sondage::enter!("across");
        // SAFETY: the child runs nothing but probes and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            {
                zone!("child");
            }
            drop(open);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) };
        }
        {
            zone!("parent after");
        }
        drop(open);
        let mut status = 0;
        // SAFETY: `status` is ours.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(status, 0);
        return;
    }
    let collector = Collector::new();
    let command = program("a_forked_child_has_an_arena_of_its_own", "fork");
    let (mut child, parents) = start(command, &collector);
    let childs = collector.accept();
    assert!(child.wait().unwrap().success());
    let parent = read(&parents);
    assert_eq!(
        parent.of_thread("forks"),
        [
            "zone parent before depth 0",
            "end",
            "zone across depth 0",
            "zone parent after depth 1",
            "end",
            "end"
        ]
    );
    let (child, arena) = (read(&childs), childs.arena());
    assert_ne!(arena.pid(), parents.arena().pid());
    let told: Vec<String> = child
        .threads
        .values()
        .flatten()
        .map(|event| child.names.tell(event, &mut Vec::new()))
        .collect();
    assert_eq!(told, ["zone child depth 1", "end", "end"], "names too");
    assert_eq!(child.gaps.len(), 1, "one zone was brought along");
    assert_eq!(child.gaps[0].1.depth, 1);
}

#[test]
fn threads_that_end_leave_complete_chunks() {
    if role().is_some() {
        let threads: Vec<_> = (0..500_u32)
            .map(|n| {
                std::thread::spawn(move || {
                    for _ in 0..20 {
                        zone!("work", n = n);
                    }
                    thread_local!(static LATE: Late = const { Late });
                    struct Late;
                    impl Drop for Late {
                        fn drop(&mut self) {
                            zone!("late");
                        }
                    }
                    LATE.with(|_| ());
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        return;
    }
    let collector = Collector::new();
    let command = program("threads_that_end_leave_complete_chunks", "threads");
    let (mut child, mapped) = start(command, &collector);
    assert!(child.wait().unwrap().success());
    let story = read(&mapped);
    assert!(mapped.arena().is_closed());
    assert_eq!(mapped.arena().lost(), 0);
    let workers: Vec<&Vec<Event>> = story.threads.values().collect();
    assert_eq!(workers.len(), 500);
    for events in workers {
        assert_eq!(
            events.len(),
            20 * 3 + 2,
            "with what thread-locals did at the end"
        );
    }
    // Read to their end, all chunks are free again: their threads said that they were done.
    let mut again = Story::default();
    again.read(&mut Reader::new(mapped.arena()), mapped.arena(), Take::Copy);
    assert_eq!(again.events(), 0);
}

#[test]
fn a_full_arena_loses_and_counts() {
    const ZONES: u64 = 200_000;
    if role().is_some() {
        {
            zone!("first");
        }
        for n in 0..ZONES {
            zone!("work", n = n);
        }
        return;
    }
    let collector = Collector::new();
    let mut command = program("a_full_arena_loses_and_counts", "fill");
    command.env("SONDAGE_BUFFER", "1M");
    let (mut child, mapped) = start(command, &collector);
    // Visits say that somebody is there, who is only slow.
    wait_until("at its end", || {
        mapped.arena().visit(now());
        child.try_wait().unwrap().is_some()
    });
    let story = read(&mapped);
    let arena = mapped.arena();
    assert_eq!(arena.mode(), Mode::Collected);
    // A zone that is not begun has neither argument nor end.
    let events = story.events() as u64 - 2;
    let whole = events / 3;
    assert!(whole < ZONES && whole > 10_000, "{whole}");
    let lost = arena.lost();
    assert!(
        (ZONES - whole - 1..=ZONES - whole + 2).contains(&lost),
        "{lost} lost, {whole} of {ZONES} there"
    );
}

#[test]
fn a_collector_goes_and_another_comes() {
    if role().is_some() {
        let mut n = 0_u64;
        while std::env::var("SONDAGE_TEST_ROLE").is_ok() {
            zone!("work", n = n);
            n += 1;
            if n.is_multiple_of(1000) {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        return;
    }
    let name = format!("sondage-sdk-test-returns-{}", std::process::id());
    let collector = Collector::at(&name);
    let mut command = program("a_collector_goes_and_another_comes", "work");
    command.env("SONDAGE_BUFFER", "2M");
    let (mut child, mapped) = start(command, &collector);
    let pid = mapped.arena().pid();
    drop((mapped, collector));
    let collector = Collector::at(&name);
    let mapped = collector.accept();
    assert_eq!(mapped.arena().pid(), pid, "it called again");
    let (arena, mut story) = (mapped.arena(), Story::default());
    let mut reader = Reader::new(arena);
    wait_until("collected again", || {
        arena.visit(now());
        story.read(&mut reader, arena, Take::Collect);
        story.events() > 10_000
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_collector_that_fell_silent_is_done_without() {
    if role().is_some() {
        for n in 0_u64.. {
            zone!("work", n = n);
            if n.is_multiple_of(1000) {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
    let collector = Collector::new();
    let mut command = program("a_collector_that_fell_silent_is_done_without", "work");
    command.env("SONDAGE_BUFFER", "1M");
    let (mut child, mapped) = start(command, &collector);
    // The line stays open, but nobody visits.
    wait_until("in flight", || mapped.arena().mode() == Mode::Flight);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_came_before_the_collector_is_given_too() {
    if role().is_some() {
        sondage::thread_name("early");
        {
            zone!("before");
        }
        let address = std::env::var("SONDAGE_TEST_ROLE").unwrap();
        let found = sondage::connect(Some(&address)).expect("a collector");
        assert_eq!(found.address, address);
        assert_eq!(sondage::connection(), Some(found.clone()));
        assert_eq!(sondage::connect(None).expect("the same"), found);
        {
            zone!("after");
        }
        return;
    }
    let collector = Collector::new();
    let test = "what_came_before_the_collector_is_given_too";
    let mut child = program(test, &collector.address).spawn().unwrap();
    let mapped = collector.accept();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        read(&mapped).of_thread("early"),
        ["zone before depth 0", "end", "zone after depth 0", "end"]
    );
}

#[test]
fn nobody_there_is_an_error_that_says_so() {
    let error = sondage::connect(Some("@sondage-nobody-is-there")).unwrap_err();
    assert!(
        matches!(error, ConnectError::NoCollector { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "no collector listens at @sondage-nobody-is-there"
    );
    let long = format!("@{}", "x".repeat(200));
    assert!(sondage::connect(Some(&long)).is_err());
    assert!(sondage::connect(Some("")).is_err());
    assert!(raw::lost().events == 0);
}

#[test]
fn a_collector_of_another_user_gets_nothing() {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    // Who listens is who called `listen`: a thread may be somebody else.
    let collector = std::thread::spawn(|| {
        // SAFETY: of this thread only, which ends with it.
        unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        Collector::new()
    })
    .join()
    .unwrap();
    // Root trusts itself and nobody else; others trust root.
    let error = sondage::connect(Some(&collector.address)).unwrap_err();
    assert!(
        matches!(error, ConnectError::WrongUser { uid: 65534, .. }),
        "{error:?}"
    );
}

#[test]
fn the_arena_cannot_change_its_size() {
    if role().is_some() {
        zone!("work");
        return;
    }
    let collector = Collector::new();
    let (mut child, mapped) = start(program("the_arena_cannot_change_its_size", "x"), &collector);
    child.wait().unwrap();
    use std::os::fd::AsRawFd;
    for bytes in [0, mapped.bytes as i64 * 2] {
        // SAFETY: touches no memory.
        let changed = unsafe { libc::ftruncate(mapped.file.as_raw_fd(), bytes) };
        assert_eq!(changed, -1);
    }
    // SAFETY: touches no memory.
    let seals = unsafe { libc::fcntl(mapped.file.as_raw_fd(), libc::F_GET_SEALS) };
    let wanted = libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    assert_eq!(seals & wanted, wanted);
}

#[test]
fn a_program_that_execs_begins_anew() {
    match role().as_deref() {
        Some("exec") => {
            zone!("before");
            use std::os::unix::process::CommandExt;
            let error = program("a_program_that_execs_begins_anew", "after").exec();
            panic!("{error}");
        }
        Some(_) => {
            zone!("after");
            return;
        }
        None => {}
    }
    let collector = Collector::new();
    let (mut child, before) = start(
        program("a_program_that_execs_begins_anew", "exec"),
        &collector,
    );
    let after = collector.accept();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        before.arena().pid(),
        after.arena().pid(),
        "the same process"
    );
    let names = |mapped: &Mapped| {
        let story = read(mapped);
        story
            .names
            .sites
            .into_values()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&before), ["before"]);
    assert_eq!(names(&after), ["after"]);
}
