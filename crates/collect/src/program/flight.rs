//! What a program saved that nobody collected: a file with its newest events.

use sondage_model::{
    Dictionary, MemoryRecording, MonoTime, Nanos, Pid, ProcessId, ProcessRow, RecordingInfo,
    ThreadId, ThreadRow, Tid, Time,
};
use sondage_wire::{Arena, ArenaError, Event, Memory, Reader, Take};

use super::clock::{Moment, TickClock};
use super::feed::{Feed, Found, Program};
use super::rows::{Def, IdMap, Known, Resolver, Rows, Tables, append};
use crate::life::ImageKey;

/// What such a file begins with.
const MAGIC: &[u8] = b"SONDAGEW";

/// What is older is left out: a damaged time must not make a recording of a thousand years.
const LONGEST: u64 = 366 * 86_400 * 1_000_000_000;

/// Looks at the arena until nothing is new; each finds what the one before had to leave.
const MOST_POLLS: usize = 64;

/// Why a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlightError {
    /// It is not what a program saves.
    #[error("{0}")]
    Arena(ArenaError),
    /// It does not say when it was saved, so that its clock has no rate.
    #[error("the file does not say when it was saved: it was not written by a program's `save`")]
    NotSaved,
}

/// Whether a file that begins so is one that a program saved.
#[must_use]
pub fn is_saved(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads a file that a program saved. The recording begins with the oldest event in it.
///
/// # Errors
/// When it is none. Damage inside is counted as lost.
pub fn load(bytes: &[u8]) -> Result<MemoryRecording, FlightError> {
    let memory = Memory::load(bytes).map_err(FlightError::Arena)?;
    let arena = memory.arena();
    let (ticks, mono_nanos) = arena.saved().ok_or(FlightError::NotSaved)?;
    let saved = Moment { ticks, mono_nanos };
    let origin = oldest(arena, saved).max(mono_nanos.saturating_sub(LONGEST));
    let mut tables = Tables::default();
    let number = tables.add(Def::Process {
        pid: Pid(arena.pid() as i32),
        key: None,
        seen: MonoTime(origin),
    });
    let mut program = Program::new(number, origin);
    let mut rows = Rows::default();
    let mut feed = Feed::new(arena);
    for _ in 0..MOST_POLLS {
        if feed.poll(Take::Copy, saved, &mut program, &mut tables, &mut rows) == Found::default() {
            break;
        }
    }
    feed.end(saved.mono_nanos, &program, &mut rows);
    program.finish(saved.mono_nanos, &mut tables, &mut rows);
    let mut recording = MemoryRecording::new(RecordingInfo {
        engine: "saved by the program".into(),
        writer: env!("CARGO_PKG_VERSION").into(),
        mono_start: MonoTime(origin),
        interval: Nanos::ZERO,
        ..RecordingInfo::default()
    });
    let mut known = Loaded {
        dictionary: &mut recording.dictionary,
        end: Time(saved.mono_nanos.saturating_sub(origin)),
    };
    let mut ids = IdMap::default();
    ids.extend(Resolver::default().resolve(tables.take(), &mut known));
    ids.apply(&mut rows);
    rows.waits.sort_by_key(|row| row.start);
    append(rows, &mut recording);
    Ok(recording)
}

/// The time of the oldest event.
fn oldest(arena: Arena<'_>, saved: Moment) -> u64 {
    let mut clock = TickClock::new(arena.clock());
    let (ticks, mono_nanos) = arena.start();
    clock.add(Moment { ticks, mono_nanos });
    clock.add(saved);
    let mut oldest = saved.mono_nanos;
    let mut reader = Reader::new(arena);
    for _ in 0..MOST_POLLS {
        let mut is_new = false;
        reader.poll(Take::Copy, |batch| {
            is_new = true;
            for event in batch.events().map_while(Result::ok) {
                if let Some(ticks) = ticks_of(&event) {
                    oldest = oldest.min(clock.mono_nanos(ticks));
                }
            }
        });
        if !is_new {
            break;
        }
    }
    oldest
}

fn ticks_of(event: &Event) -> Option<u64> {
    match *event {
        Event::Value { .. } => None,
        Event::ZoneBegin { ticks, .. }
        | Event::ZoneEnd { ticks }
        | Event::Frame { ticks, .. }
        | Event::Plot { ticks, .. }
        | Event::Message { ticks, .. }
        | Event::SpanBegin { ticks, .. }
        | Event::SpanEnd { ticks, .. }
        | Event::SpanEnter { ticks, .. }
        | Event::SpanExit { ticks, .. }
        | Event::Lock { ticks, .. }
        | Event::Memory { ticks, .. }
        | Event::Cumulative { ticks, .. } => Some(ticks),
    }
}

/// A dictionary in which every process and thread is new.
struct Loaded<'a> {
    dictionary: &'a mut Dictionary,
    end: Time,
}

impl Known for Loaded<'_> {
    fn dictionary(&mut self) -> &mut Dictionary {
        self.dictionary
    }

    fn process(&mut self, pid: Pid, _key: Option<&ImageKey>, _seen: MonoTime) -> ProcessId {
        let row = ProcessRow {
            pid,
            name: self.dictionary.string(&format!("process {}", pid.0)),
            start: Time::ZERO,
            end: self.end,
            ..ProcessRow::default()
        };
        self.dictionary.add_process(row)
    }

    fn thread(&mut self, process: ProcessId, tid: Tid, name: &str) -> ThreadId {
        let pid = self.dictionary.processes()[process.index()].pid;
        let row = ThreadRow {
            process,
            tid,
            name: self.dictionary.string(name),
            is_main: tid.0 == pid.0,
            start: Time::ZERO,
            end: self.end,
        };
        self.dictionary.add_thread(row)
    }

    fn name_thread(&mut self, thread: ThreadId, name: &str) {
        let name = self.dictionary.string(name);
        self.dictionary.update_thread(thread, |row| row.name = name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sondage_model::{LossKind, Source};
    use sondage_wire::{Definition, Image, Producer, Size};

    use super::*;

    fn bytes_of(image: &Image<'_>) -> Vec<u8> {
        let parts = image.parts();
        let bytes = parts.iter().map(|part| {
            // SAFETY: nobody writes to the arena while the test reads it.
            unsafe { std::slice::from_raw_parts(part.start, part.bytes) }
        });
        bytes.collect::<Vec<_>>().concat()
    }

    fn saved() -> Vec<u8> {
        let memory = Memory::new(Size {
            chunks: 4,
            name_words: 1024,
        });
        let arena = memory.arena();
        arena.define(&Definition::site(1, "step", "app::step", "app.rs", 3, 0));
        arena.define(&Definition::Process { name: "app".into() });
        let mut thread = Producer::new();
        thread.attach(arena.define_thread(70, "main"));
        assert!(thread.refill(arena, || 0));
        for at in 0..5 {
            assert!(thread.zone_begin(1_000 + at * 10, 1));
            assert!(thread.zone_end(1_004 + at * 10));
        }
        assert!(thread.zone_begin(1_100, 1));
        bytes_of(&arena.image((1_200, 1_200)))
    }

    #[test]
    fn a_saved_file_is_a_recording() {
        let bytes = saved();
        assert!(is_saved(&bytes));
        let recording = load(&bytes).unwrap();
        let zones: Vec<_> = recording.zones.rows().collect();
        let times: Vec<_> = zones
            .iter()
            .map(|row| (row.start.0, row.duration.0))
            .collect();
        assert_eq!(
            times,
            [(0, 4), (10, 4), (20, 4), (30, 4), (40, 4), (100, 100)]
        );
        let dictionary = &recording.dictionary;
        let name = |id| dictionary.text(id).to_owned();
        assert_eq!(name(dictionary.sites()[zones[0].site.index()].name), "step");
        assert_eq!(
            name(dictionary.threads()[zones[0].thread.index()].name),
            "main"
        );
        assert_eq!(name(dictionary.processes()[0].name), "app");
        assert_eq!(recording.seal().range().end, Time(200));
    }

    #[test]
    fn a_name_that_was_never_finished_is_counted_and_hides_no_other() {
        let mut bytes = saved();
        // The second definition, behind the header, one head and the first, loses its last bit:
        // the one that is written at the end.
        let second = 4096 + 64 + 8 * 10;
        assert_eq!(bytes[second + 7] >> 7, 1);
        bytes[second + 7] &= 0x7f;
        let recording = load(&bytes).unwrap();
        let dictionary = &recording.dictionary;
        assert_eq!(dictionary.text(dictionary.processes()[0].name), "process 0");
        assert_eq!(dictionary.text(dictionary.threads()[0].name), "main");
        let losses = recording.losses.iter().map(|row| (row.kind, row.count));
        assert_eq!(losses.collect::<Vec<_>>(), [(LossKind::Name, 1)]);
    }

    #[test]
    fn other_files_are_none() {
        assert_eq!(
            load(b"SONDAGEW").map(|_| ()),
            Err(FlightError::Arena(ArenaError::NotAnArena))
        );
        let mut newer = saved();
        newer[8] = 99;
        assert_eq!(
            load(&newer).map(|_| ()),
            Err(FlightError::Arena(ArenaError::Version(99)))
        );
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_survived(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
            length in any::<prop::sample::Index>(),
        ) {
            let mut bytes = saved();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = load(&bytes);
            bytes.truncate(length.index(bytes.len()));
            let _ = load(&bytes);
        }
    }
}
