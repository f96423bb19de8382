//! What is written is read back.

mod common;

use common::{rich, rows_of, zones_of};
use sondage_model::tiles::{TileBuilder, summarize};
use sondage_model::*;
use sondage_recording::{Recording, Writer};

#[test]
fn everything_comes_back() {
    let memory = rich(20_000);
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    *writer.dictionary_mut() = memory.dictionary.clone();
    for (index, row) in memory.samples.rows().enumerate() {
        writer.push_sample(row).unwrap();
        if index % 997 == 0 {
            writer.flush(row.time).unwrap();
        }
    }
    for row in &memory.counters {
        writer.push_counter(*row);
    }
    for (index, row) in memory.zones.rows().enumerate() {
        let detail = memory.zones.detail(&row).cloned();
        writer.push_zone(row, detail).unwrap();
        if index % 499 == 0 {
            writer.flush(row.range().end).unwrap();
        }
    }
    for row in &memory.frame_marks {
        writer.push_frame_mark(*row);
    }
    for row in &memory.logs {
        writer.push_log(row.clone());
    }
    for row in &memory.waits {
        writer.push_wait(*row);
    }
    for row in &memory.messages {
        writer.push_message(row.clone());
    }
    for row in &memory.losses {
        writer.push_loss(*row);
    }
    for row in &memory.clock {
        writer.push_clock(*row);
    }
    for (file, text) in &memory.sources {
        writer.add_source_text(*file, text);
    }
    let written = writer.finish(Time(u64::MAX)).unwrap();
    assert_eq!((written.rows, written.lost), (20_000, 0));
    let recording = Recording::from_bytes(writer.into_inner()).unwrap();

    assert_eq!(recording.recovered(), None);
    assert_eq!(recording.length(), written.bytes);
    assert_eq!(recording.info(), &memory.info);
    assert_eq!(rows_of(&recording), memory.samples);
    let (ours, theirs) = (recording.dictionary(), &memory.dictionary);
    assert_eq!(ours.mark(), theirs.mark());
    assert_eq!(ours.strings.as_slice(), theirs.strings.as_slice());
    assert_eq!(ours.files(), theirs.files());
    assert_eq!(ours.functions(), theirs.functions());
    assert_eq!(ours.frames(), theirs.frames());
    assert_eq!(ours.stacks(), theirs.stacks());
    assert_eq!(ours.processes(), theirs.processes());
    assert_eq!(ours.threads(), theirs.threads());
    assert_eq!(ours.tasks(), theirs.tasks());
    assert_eq!(ours.modules(), theirs.modules());
    assert_eq!(ours.counter_series(), theirs.counter_series());
    assert_eq!(ours.sites(), theirs.sites());
    assert_eq!(ours.locks(), theirs.locks());
    assert_eq!(zones_of(&recording), memory.zones);
    let marks = recording.frame_marks().unwrap();
    assert_eq!(*marks, memory.frame_marks[..]);
    assert_eq!(recording.logs(TimeRange::ALL).unwrap(), memory.logs);
    assert_eq!(recording.waits(TimeRange::ALL).unwrap(), memory.waits);
    assert_eq!(recording.counters(TimeRange::ALL).unwrap(), memory.counters);
    assert_eq!(recording.messages(), memory.messages);
    assert_eq!(recording.losses(), memory.losses);
    assert_eq!(recording.clock(), memory.clock);
    for (file, text) in &memory.sources {
        assert_eq!(recording.source_text(*file).unwrap().as_ref(), Some(text));
    }
    assert_eq!(recording.source_text(FileId(999)).unwrap(), None);
}

#[test]
fn level_of_detail_is_that_of_the_samples() {
    let memory = rich(50_000);
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    writer.copy_from(&memory.clone().seal()).unwrap();
    writer.finish(Time::MAX).unwrap();
    let recording = Recording::from_bytes(writer.into_inner()).unwrap();
    assert!(recording.blocks().len() > 1);
    for block in 0..recording.blocks().len() {
        let samples = recording.samples(block).unwrap();
        assert_eq!(
            &*recording.summary(block).unwrap(),
            &summarize(&samples)[..]
        );
        let span = recording.blocks()[block];
        assert_eq!(span.rows, samples.len() as u64);
        for row in samples.rows() {
            assert!(span.range.start <= row.range().start && row.time <= span.range.end);
            assert!(recording.block_may_have(block, row.thread));
        }
    }
    assert_eq!(
        &*recording.totals().unwrap(),
        &summarize(&memory.samples)[..]
    );
    assert_eq!(recording.tile_widths().len(), 3);
    for &width in recording.tile_widths() {
        let mut builder = TileBuilder::new(width);
        memory.samples.rows().for_each(|row| builder.push(row));
        let mut expected = builder.finish();
        expected.sort_unstable_by_key(|tile| (tile.thread, tile.start));
        let tiles = recording.tiles(width, TimeRange::ALL).unwrap();
        let figures = |tiles: &[TileRow]| -> Vec<_> {
            tiles
                .iter()
                .map(|t| (t.thread, t.start, t.width, t.by_state, t.gil))
                .collect()
        };
        assert_eq!(figures(&tiles), figures(&expected));
        // A part of the time gives the tiles that overlap it, whole.
        let span = recording.range();
        let middle = Time((span.start.0 + span.end.0) / 2);
        let range = TimeRange::new(middle, middle + width);
        expected.retain(|t| {
            TimeRange::new(t.start, t.start + t.width)
                .intersect(range)
                .is_some()
        });
        let part = recording.tiles(width, range).unwrap();
        assert!(!part.is_empty());
        assert_eq!(figures(&part), figures(&expected));
    }
}

#[test]
fn level_of_detail_of_zones_is_that_of_the_zones() {
    let memory = rich(100_000);
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    writer.copy_from(&memory.clone().seal()).unwrap();
    writer.finish(Time::MAX).unwrap();
    let recording = Recording::from_bytes(writer.into_inner()).unwrap();
    let source = memory.clone().seal();
    assert!(recording.zone_blocks().len() > 1);
    let mut sums: Vec<ZoneSummaryRow> = Vec::new();
    for block in 0..recording.zone_blocks().len() {
        let zones = recording.zones(block).unwrap();
        let span = recording.zone_blocks()[block];
        assert_eq!(span.rows, zones.len() as u64);
        for row in zones.rows() {
            assert!(span.range.start <= row.start && row.range().end <= span.range.end);
        }
        for row in recording.zone_summary(block).unwrap().iter() {
            match sums
                .iter_mut()
                .find(|sum| (sum.site, sum.thread) == (row.site, row.thread))
            {
                Some(sum) => {
                    sum.count += row.count;
                    sum.total += row.total;
                    sum.own += row.own;
                    sum.min = sum.min.min(row.min);
                    sum.max = sum.max.max(row.max);
                }
                None => sums.push(*row),
            }
        }
    }
    sums.sort_unstable_by_key(|row| (row.site, row.thread));
    assert_eq!(sums[..], *source.zone_summary(0).unwrap());
    for &width in recording.zone_tile_widths() {
        let span = recording.range();
        let middle = Time((span.start.0 + span.end.0) / 2);
        for range in [TimeRange::ALL, TimeRange::new(middle, middle + width)] {
            let tiles = recording.zone_tiles(width, range).unwrap();
            let expected = source.zone_tiles(width, range).unwrap();
            // The site with most time in a tile may be another where a tile lies in two blocks.
            let figures = |tiles: &[ZoneTileRow]| -> Vec<_> {
                tiles
                    .iter()
                    .map(|t| (t.thread, t.lane, t.depth, t.start, t.busy, t.count))
                    .collect()
            };
            assert!(!tiles.is_empty());
            assert_eq!(figures(&tiles), figures(&expected), "{width:?} {range:?}");
        }
    }
}

#[test]
fn a_long_zone_is_one_row_of_each_width() {
    let mut memory = MemoryRecording::default();
    let site = memory.dictionary.site(SiteRow::default());
    memory.dictionary.file("");
    let process = memory.dictionary.add_process(ProcessRow::default());
    let thread = memory.dictionary.add_thread(ThreadRow {
        process,
        ..ThreadRow::default()
    });
    let hour = 3_600_000_000_000;
    let row = ZoneRow {
        start: Time(1 << 32),
        duration: Nanos(hour),
        busy: Nanos(hour),
        thread,
        site,
        ..ZoneRow::default()
    };
    memory.zones.push(row, None);
    let mut writer = Writer::create(Vec::new(), &memory.info).unwrap();
    writer.copy_from(&memory.seal()).unwrap();
    let written = writer.finish(Time::MAX).unwrap();
    assert!(written.bytes < 5000, "{}", written.bytes);
    let recording = Recording::from_bytes(writer.into_inner()).unwrap();
    for &width in recording.zone_tile_widths() {
        let tiles = recording.zone_tiles(width, TimeRange::ALL).unwrap();
        assert_eq!(tiles.len() as u64, hour.div_ceil(width.0));
        assert_eq!(tiles.iter().map(|tile| tile.busy.0).sum::<u64>(), hour);
        assert_eq!(tiles.iter().map(|tile| tile.count).sum::<u32>(), 1);
    }
}
