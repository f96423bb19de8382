//! Files that are cut, torn, or changed: they open, say so, and never make the reader panic.

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use common::{Numbers, rich, rows_of};
use proptest::prelude::*;
use sondage_model::*;
use sondage_recording::{OpenError, Recording, Writer};

/// A file of `rows` samples, flushed every `flush` rows, and its length after each flush.
fn written(rows: usize, flush: usize, finish: bool) -> (Vec<u8>, Vec<(u64, usize)>) {
    let memory = rich(rows);
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    *writer.dictionary_mut() = memory.dictionary.clone();
    let mut flushes = vec![(writer.bytes_written(), 0)];
    for (index, row) in memory.samples.rows().enumerate() {
        if index % 50 == 0 {
            writer.push_counter(CounterRow {
                time: row.time,
                ..CounterRow::default()
            });
        }
        writer.push_sample(row).unwrap();
        if (index + 1) % flush == 0 {
            writer.flush(row.time).unwrap();
            flushes.push((writer.bytes_written(), index + 1));
        }
    }
    for (file, text) in &memory.sources {
        writer.add_source_text(*file, text);
    }
    if finish {
        writer.finish(Time(rows as u64 * 1_000_000)).unwrap();
    }
    (writer.into_inner(), flushes)
}

/// Asks for everything, as a viewer would; ids must lead somewhere. What is damaged may be an
/// error, nothing may panic.
fn read_all(recording: &Recording) -> u64 {
    let dict = recording.dictionary();
    let known = |thread: ThreadId, stack: StackId| {
        assert!(dict.threads().get(thread.index()).is_some());
        for frame in dict.frames_inward(stack) {
            let function = dict.functions()[dict.function_of(frame).index()];
            let _ = (dict.text(function.name), dict.file_path(function.file));
        }
        assert!(stack.index() < dict.stacks().len());
    };
    for thread in dict.threads() {
        assert!(thread.process.index() < dict.processes().len());
    }
    let mut rows = 0;
    for block in 0..recording.blocks().len() {
        if let Ok(samples) = recording.samples(block) {
            rows += samples.len() as u64;
            samples.rows().for_each(|row| known(row.thread, row.stack));
        }
        if let Ok(summary) = recording.summary(block) {
            summary.iter().for_each(|row| known(row.thread, row.stack));
        }
    }
    let _ = recording.totals();
    for &width in recording.tile_widths() {
        for tile in recording
            .tiles(width, recording.range())
            .unwrap_or_default()
        {
            known(tile.thread, tile.stack);
            known(tile.thread, tile.active_stack);
        }
    }
    read_program(recording);
    for row in recording.counters(TimeRange::ALL).unwrap_or_default() {
        assert!(row.counter.index() < dict.counter_series().len());
    }
    for file in 0..dict.files().len() as u32 {
        let _ = recording.source_text(FileId(file));
    }
    for row in recording.messages() {
        assert!(
            row.process
                .is_none_or(|id| id.index() < dict.processes().len())
        );
    }
    rows
}

/// The same of what the program said.
fn read_program(recording: &Recording) {
    let dict = recording.dictionary();
    let known = |thread: ThreadId| assert!(thread.index() < dict.threads().len());
    for site in dict.sites() {
        let _ = (dict.text(site.name), dict.file_path(site.file));
    }
    for lock in dict.locks() {
        assert!(lock.process.index() < dict.processes().len());
    }
    for block in 0..recording.zone_blocks().len() {
        if let Ok(zones) = recording.zones(block) {
            for row in zones.rows() {
                known(row.thread);
                assert!(row.site.index() < dict.sites().len());
                assert!(row.detail == 0 || zones.detail(&row).is_some());
            }
        }
        if let Ok(summary) = recording.zone_summary(block) {
            for row in summary.iter() {
                known(row.thread);
                assert!(row.site.index() < dict.sites().len());
            }
        }
    }
    for &width in recording.zone_tile_widths() {
        let range = recording.range();
        for tile in recording.zone_tiles(width, range).unwrap_or_default() {
            known(tile.thread);
        }
    }
    if let Ok(marks) = recording.frame_marks() {
        marks.iter().for_each(|row| known(row.thread));
    }
    for row in recording.logs(TimeRange::ALL).unwrap_or_default() {
        known(row.thread);
    }
    for row in recording.waits(TimeRange::ALL).unwrap_or_default() {
        known(row.thread);
        assert!(row.lock.index() < dict.locks().len());
    }
}

#[test]
fn cut_anywhere_it_opens_with_what_was_flushed() {
    let (bytes, flushes) = written(120, 30, true);
    let memory = rich(120);
    for length in 0..bytes.len() {
        let result = Recording::from_bytes(&bytes[..length]);
        if length < 16 {
            let error = result.unwrap_err();
            assert!(matches!(
                error,
                OpenError::Empty { .. } | OpenError::CutHead { .. }
            ));
            assert!(!error.hint().is_empty());
            continue;
        }
        let recording = result.unwrap();
        assert!(recording.recovered().is_some(), "cut at {length}");
        let rows = rows_of(&recording);
        let least = flushes
            .iter()
            .filter(|(end, _)| *end <= length as u64)
            .map(|(_, rows)| *rows)
            .max()
            .unwrap_or(0);
        assert!(
            rows.len() >= least,
            "cut at {length}: {} of {least}",
            rows.len()
        );
        for (index, row) in rows.rows().enumerate() {
            assert_eq!(row, memory.samples.row(index), "cut at {length}");
        }
        if length % 13 == 0 {
            assert_eq!(read_all(&recording), rows.len() as u64);
        }
    }
    assert_eq!(Recording::from_bytes(bytes).unwrap().recovered(), None);
}

#[test]
fn an_unfinished_recording_says_so_and_has_its_level_of_detail() {
    let (bytes, _) = written(9_000, 500, false);
    let recording = Recording::from_bytes(bytes).unwrap();
    insta::assert_snapshot!(
        recording.recovered().unwrap(),
        @"The recording is not whole: it was not finished, so its parts were found by reading it through."
    );
    assert!(!recording.recovery().is_lossy());
    let memory = rich(9_000);
    assert_eq!(
        &*recording.totals().unwrap(),
        &tiles::summarize(&memory.samples)[..]
    );
    let width = recording.tile_widths()[0];
    let total: u64 = recording
        .tiles(width, TimeRange::ALL)
        .unwrap()
        .iter()
        .map(|tile| tiles::tile_total(tile).0)
        .sum();
    assert_eq!(
        total,
        memory.samples.weights.iter().map(|w| w.0).sum::<u64>()
    );
}

#[test]
fn what_is_no_recording_is_refused_with_a_hint() {
    let message = |bytes: &[u8]| {
        let error = Recording::from_bytes(bytes).unwrap_err();
        format!("{error}\nhint: {}", error.hint())
    };
    let (bytes, _) = written(3, 3, true);
    let mut newer = bytes.clone();
    newer[8] = 9;
    let crc = crc32fast::hash(&newer[..12]);
    newer[12..16].copy_from_slice(&crc.to_le_bytes());
    let messages = [b"".as_slice(), b"{\"profile\": 1}", &bytes[..9], &newer].map(message);
    insta::assert_snapshot!(messages.join("\n\n"), @r#"
    the recording is empty: it was created, but nothing was written
    hint: record again; if the disk was full, make room first

    the recording is not a sondage recording: it begins with {\"profile\": 1}
    hint: profiles of other tools are read with: sondage import FILE

    the recording was cut in its first 16 bytes: only 9 are there
    hint: record again; if the disk was full, make room first

    the recording has format version 9; this sondage reads versions up to 2
    hint: upgrade sondage: pip install -U sondage
    "#);
    let error = Recording::open("/nowhere/x.sondage").unwrap_err();
    insta::assert_snapshot!(format!("{error}\nhint: {}", error.hint()), @"
    /nowhere/x.sondage cannot be read: No such file or directory (os error 2)
    hint: check the name, or make a recording: sondage run -o FILE script.py
    ");
}

#[test]
fn a_damaged_head_does_not_keep_it_shut() {
    let (mut bytes, _) = written(100, 50, true);
    bytes[9] ^= 0x40;
    let recording = Recording::from_bytes(bytes).unwrap();
    assert!(recording.recovered().unwrap().contains("first bytes"));
    assert_eq!(rows_of(&recording), rich(100).samples);
}

#[test]
fn a_lost_chunk_costs_its_rows_only() {
    let (bytes, _) = written(400, 100, true);
    let chunks: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| &bytes[*at..at + 4] == b"\xf5SCK")
        .collect();
    assert!(chunks.len() > 25);
    for (number, &at) in chunks.iter().enumerate() {
        // The payload's first byte, and for a good measure the footer: found by scan, and by
        // index.
        for with_footer in [true, false] {
            let mut damaged = bytes.clone();
            damaged[at + 80] ^= 1;
            if !with_footer {
                damaged.truncate(damaged.len() - 1);
            }
            let recording = Recording::from_bytes(damaged).unwrap();
            let rows = read_all(&recording);
            assert!(rows >= 300, "chunk {number} at {at}: {rows} rows");
        }
    }
}

/// Takes so many bytes, then fails; can be let go on.
#[derive(Clone)]
struct FullDisk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Arc<Mutex<usize>>,
}

impl Write for FullDisk {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        if *room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = part.len().min(*room).min(100);
        *room -= taken;
        self.bytes.lock().unwrap().extend_from_slice(&part[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_loses_nothing_that_waits_and_damages_nothing_that_is_written() {
    let memory = rich(3_000);
    let (whole, _) = written(3_000, 300, true);
    for room in (100..whole.len()).step_by(whole.len() / 60) {
        let disk = FullDisk {
            bytes: Arc::default(),
            room: Arc::new(Mutex::new(room)),
        };
        let Ok(mut writer) = Writer::create(disk.clone(), &memory.info) else {
            // Not even the head had room.
            assert!(room < 1000, "{room}");
            continue;
        };
        *writer.dictionary_mut() = memory.dictionary.clone();
        let mut failures = 0;
        for (index, row) in memory.samples.rows().enumerate() {
            writer.push_sample(row).unwrap();
            if index % 300 == 299 {
                if let Err(error) = writer.flush(row.time) {
                    failures += 1;
                    assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
                    assert_eq!(error.lost, 0);
                    assert_eq!(error.offset, disk.bytes.lock().unwrap().len() as u64);
                    assert!(error.hint().contains("make room"));
                }
                // At any moment what is there can be read.
                let now = disk.bytes.lock().unwrap().clone();
                let recording = Recording::from_bytes(now).unwrap();
                let rows = rows_of(&recording);
                let all = rows.rows().zip(memory.samples.rows());
                assert!(all.into_iter().all(|(a, b)| a == b));
            }
            if failures == 2 {
                *disk.room.lock().unwrap() = usize::MAX;
            }
        }
        *disk.room.lock().unwrap() = usize::MAX;
        let done = writer.finish(Time(u64::MAX)).unwrap();
        assert_eq!((done.rows, done.lost), (3_000, 0));
        let bytes = disk.bytes.lock().unwrap().clone();
        let recording = Recording::from_bytes(bytes).unwrap();
        assert_eq!(rows_of(&recording), memory.samples, "room {room}");
        assert_eq!(recording.recovered(), None);
        // Nor is anything missing for one who must scan it past the torn parts.
        let mut bytes = disk.bytes.lock().unwrap().clone();
        bytes.pop();
        let recording = Recording::from_bytes(bytes).unwrap();
        assert_eq!(rows_of(&recording), memory.samples);
        assert!(!recording.recovery().is_lossy());
    }
}

#[test]
fn a_disk_that_stays_full_does_not_fill_the_memory() {
    let memory = rich(10);
    let disk = FullDisk {
        bytes: Arc::default(),
        room: Arc::new(Mutex::new(1_000)),
    };
    let mut writer = Writer::create(disk.clone(), &memory.info).unwrap();
    let mut lost = 0;
    let rows = 700_000u64;
    for index in 0..rows {
        let row = SampleRow {
            time: Time(index),
            count: 1,
            ..memory.samples.row(0)
        };
        if index == 0 {
            *writer.dictionary_mut() = memory.dictionary.clone();
        }
        if let Err(error) = writer.push_sample(row) {
            assert!(error.waiting <= 256 << 10);
            lost = error.lost;
        }
    }
    assert!(lost > 0);
    *disk.room.lock().unwrap() = usize::MAX;
    let written = writer.finish(Time(rows)).unwrap();
    assert_eq!(written.rows + written.lost, rows);
    let recording = Recording::from_bytes(disk.bytes.lock().unwrap().clone()).unwrap();
    // What was lost is told in the recording itself.
    let losses: Vec<_> = recording
        .losses()
        .iter()
        .map(|l| (l.kind, l.count))
        .collect();
    assert_eq!(losses, vec![(LossKind::Write, written.lost)]);
}

/// Repairs the checksums of a changed file, so that the changes are seen as if they were meant.
fn with_right_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 16;
    while at + 80 <= bytes.len() && &bytes[at..at + 4] == b"\xf5SCK" {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let end = (at + 80).saturating_add(length);
        if end > bytes.len() {
            break;
        }
        let crc = crc32fast::hash(&bytes[at + 80..end]);
        bytes[at + 20..at + 24].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[at..at + 76]);
        bytes[at + 76..at + 80].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
    bytes
}

/// Stores every chunk of a file without compression, so that changes reach what is inside.
fn uncompressed(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes[..16].to_vec();
    let mut at = 16;
    while at + 80 <= bytes.len() && &bytes[at..at + 4] == b"\xf5SCK" {
        let number = |from: usize| {
            u32::from_le_bytes(bytes[at + from..at + from + 4].try_into().unwrap()) as usize
        };
        let (length, raw_length) = (number(8), number(12));
        let payload = &bytes[at + 80..at + 80 + length];
        let mut header = bytes[at..at + 80].to_vec();
        let payload = if header[7] & 1 == 1 {
            header[7] &= !1;
            zstd::bulk::decompress(payload, raw_length).unwrap()
        } else {
            payload.to_vec()
        };
        header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend(header);
        out.extend(payload);
        at += 80 + length;
    }
    with_right_checksums(out)
}

#[test]
fn bytes_with_right_checksums_that_make_no_sense_do_not_panic() {
    let (bytes, _) = written(60, 30, true);
    let plain = uncompressed(&bytes);
    assert_eq!(
        rows_of(&Recording::from_bytes(plain.clone()).unwrap()),
        rich(60).samples
    );
    // Every byte of the file, header fields and Arrow metadata included, becomes one of the values
    // that most often go wrong; which one, goes round.
    for at in 16..plain.len() {
        let values = [
            0,
            0xff,
            0x7f,
            0x80,
            plain[at] ^ 1,
            plain[at].wrapping_add(8),
        ];
        let mut changed = plain.clone();
        changed[at] = values[at % values.len()];
        if let Ok(recording) = Recording::from_bytes(with_right_checksums(changed)) {
            read_all(&recording);
        }
    }
}

/// What to do to a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, u16),
    /// A part of it goes elsewhere.
    Copy(prop::sample::Index, prop::sample::Index, u16),
    Number(prop::sample::Index, u32),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        index().prop_map(Change::Cut),
        (index(), prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(at, b)| Change::Insert(at, b)),
        (index(), any::<u16>()).prop_map(|(at, length)| Change::Remove(at, length)),
        (index(), index(), any::<u16>()).prop_map(|(from, to, n)| Change::Copy(from, to, n)),
        (
            index(),
            prop_oneof![Just(u32::MAX), Just(1 << 31), Just(1 << 26), any::<u32>()]
        )
            .prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let length = bytes.len() + 1;
    let part = |from: usize, size: u16| from..(from + usize::from(size)).min(length - 1);
    match change {
        Change::Flip(at, bits) => {
            if let Some(byte) = bytes.get_mut(at.index(length)) {
                *byte ^= bits;
            }
        }
        Change::Cut(at) => bytes.truncate(at.index(length)),
        Change::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Remove(at, size) => {
            bytes.drain(part(at.index(length), *size));
        }
        Change::Copy(from, to, size) => {
            let copied = bytes[part(from.index(length), *size)].to_vec();
            let to = to.index(length);
            bytes.splice(to..to, copied);
        }
        Change::Number(at, number) => {
            let at = at.index(length);
            for (byte, new) in bytes.iter_mut().skip(at).zip(number.to_le_bytes()) {
                *byte = new;
            }
        }
    }
}

proptest! {
    #![proptest_config(common::cases(400))]

    #[test]
    fn changed_files_never_panic(
        changes in prop::collection::vec(change(), 1..6),
        repair in any::<bool>(),
        plain in any::<bool>(),
    ) {
        let (bytes, _) = written(120, 30, true);
        let mut bytes = if plain { uncompressed(&bytes) } else { bytes };
        for change in &changes {
            apply(&mut bytes, change);
        }
        if repair {
            bytes = with_right_checksums(bytes);
        }
        if let Ok(recording) = Recording::from_bytes(bytes) {
            read_all(&recording);
        }
    }

    #[test]
    fn any_bytes_after_a_head_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000), magics in 0u8..8) {
        let (head, _) = written(1, 1, false);
        let mut file = head[..16].to_vec();
        file.extend(&bytes);
        let mut numbers = Numbers(u64::from(magics) + 1);
        for _ in 0..magics {
            let at = 16 + numbers.below(bytes.len() as u64 + 1) as usize;
            file.splice(at..at, *b"\xf5SCK");
        }
        if let Ok(recording) = Recording::from_bytes(file) {
            prop_assert_eq!(read_all(&recording), 0);
        }
    }
}

/// Splices of two valid files: chunks of the one among those of the other.
#[test]
fn chunks_of_another_recording_do_not_panic() {
    let chunks = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut at = 16;
        while at + 80 <= bytes.len() && &bytes[at..at + 4] == b"\xf5SCK" {
            let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
            out.push(bytes[at..at + 80 + length].to_vec());
            at += 80 + length;
        }
        out
    };
    let (a, _) = written(200, 50, true);
    let (b, _) = written(90, 20, false);
    let (a_chunks, b_chunks) = (chunks(&a), chunks(&b));
    let mut numbers = Numbers(7);
    for _ in 0..500 {
        let mut file = a[..16].to_vec();
        for _ in 0..numbers.below(40) {
            let from = if numbers.below(2) == 0 {
                &a_chunks
            } else {
                &b_chunks
            };
            file.extend(&from[numbers.below(from.len() as u64) as usize]);
        }
        if let Ok(recording) = Recording::from_bytes(file) {
            read_all(&recording);
        }
    }
}
