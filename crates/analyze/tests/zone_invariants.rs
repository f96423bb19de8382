//! What the program says of itself: every figure against a naive count.

#[path = "common/zones.rs"]
mod zones;

use std::sync::Arc;

use proptest::prelude::*;
use sondage_analyze::{
    Analyzer, Filter, Inside, InstanceQuery, Pass, ZoneId, ZoneQuery, aggregate,
};
use sondage_model::*;
use zones::{Cut, site};

/// A zone that was drawn, with what it was drawn inside.
#[derive(Clone, Debug)]
struct Drawn {
    row: ZoneRow,
    around: Option<usize>,
}

/// Zones that nest, in the order they were written, and which is in which.
fn drawn(steps: &[(u8, u8, u8, u8)]) -> Vec<Drawn> {
    let mut now = 0;
    // By lane the zones that are open, each with those inside it.
    let mut open: Vec<Vec<(ZoneRow, Vec<usize>)>> = vec![Vec::new(); 4];
    let mut out: Vec<Drawn> = Vec::new();
    let mut close = |lane: &mut Vec<(ZoneRow, Vec<usize>)>, now: u64| {
        let Some((mut row, inside)) = lane.pop() else {
            return;
        };
        row.duration = Nanos(now - row.start.0);
        let at = out.len();
        inside
            .into_iter()
            .for_each(|child| out[child].around = Some(at));
        out.push(Drawn { row, around: None });
        if let Some((_, inside)) = lane.last_mut() {
            inside.push(at);
        }
    };
    for &(lane, gap, begins, site) in steps {
        now += u64::from(gap) + 1;
        let stack = &mut open[usize::from(lane % 4)];
        if begins % 2 == 0 && stack.len() < 5 {
            let row = ZoneRow {
                start: Time(now),
                thread: ThreadId(u32::from(lane % 2)),
                lane: u16::from(lane % 4 / 2),
                depth: stack.len() as u16,
                site: SiteId(u32::from(site % 3)),
                ..ZoneRow::default()
            };
            stack.push((row, Vec::new()));
        } else {
            close(stack, now);
        }
    }
    for lane in &mut open {
        while !lane.is_empty() {
            now += 1;
            close(lane, now);
        }
    }
    out
}

fn recording_of(zones: &[Drawn], samples: &[(u8, u8)]) -> MemoryRecording {
    let mut recording = MemoryRecording::new(RecordingInfo::default());
    let process = recording.dictionary.add_process(ProcessRow::default());
    for _ in 0..2 {
        let row = ThreadRow {
            process,
            ..ThreadRow::default()
        };
        recording.dictionary.add_thread(row);
    }
    for i in 0..3 {
        site(&mut recording, &format!("site {i}"), i);
    }
    for drawn in zones {
        recording.zones.push(drawn.row, None);
    }
    let mut ends = [0, 0];
    for &(thread, weight) in samples {
        let end = &mut ends[usize::from(thread % 2)];
        *end += u64::from(weight) + 1;
        recording.samples.push(SampleRow {
            time: Time(*end),
            weight: Nanos(u64::from(weight) + 1),
            count: 3,
            thread: ThreadId(u32::from(thread % 2)),
            ..SampleRow::default()
        });
    }
    recording
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8, u8, u8)>> {
    prop::collection::vec((0..4_u8, 0..9_u8, any::<u8>(), any::<u8>()), 0..80)
}

fn sound(recording: MemoryRecording, rows: usize, tiles: &[u64]) -> Analyzer {
    let widths = tiles.iter().map(|width| Nanos(*width)).collect();
    Analyzer::new(Arc::new(Cut::new(recording, rows, widths))).expect("a sound recording")
}

proptest! {
    #[test]
    fn the_table_is_what_the_zones_say(
        steps in steps(),
        rows in 1..30_usize,
        range in prop::option::of((0..200_u64, 0..200_u64)),
        thread in prop::option::of(0..2_u32),
    ) {
        let zones = drawn(&steps);
        let analyzer = sound(recording_of(&zones, &[]), rows, &[]);
        let whole = analyzer.source().range();
        let range = range.map(|(from, span)| TimeRange::new(Time(from), Time(from + span)));
        let filter = Filter {
            range,
            threads: thread.map(ThreadId).into_iter().collect(),
            ..Filter::default()
        };
        let counts = |row: &ZoneRow| {
            let last = |range: TimeRange| range.end >= whole.end && row.start >= range.start;
            range.is_none_or(|range| range.contains(row.start) || last(range))
                && thread.is_none_or(|thread| row.thread == ThreadId(thread))
        };
        for percentiles in [false, true] {
            let query = ZoneQuery { percentiles, ..ZoneQuery::default() };
            let table = analyzer.zones(&filter, &query).expect("readable");
            prop_assert!(table.rows.is_sorted_by(|a, b| a.total >= b.total));
            for site in (0..3).map(SiteId) {
                let mine: Vec<usize> = (0..zones.len())
                    .filter(|&i| zones[i].row.site == site && counts(&zones[i].row))
                    .collect();
                let found = table.rows.iter().find(|row| row.site == site);
                prop_assert_eq!(found.is_some(), !mine.is_empty());
                let Some(found) = found else { continue };
                let duration = |i: usize| zones[i].row.duration.0;
                let inside = |i: usize| -> u64 {
                    let inside = (0..zones.len()).filter(|&child| zones[child].around == Some(i));
                    inside.map(duration).sum()
                };
                let mut durations: Vec<u64> = mine.iter().map(|&i| duration(i)).collect();
                durations.sort_unstable();
                prop_assert_eq!(found.count, mine.len() as u64);
                prop_assert_eq!(found.total.0, durations.iter().sum::<u64>());
                prop_assert_eq!(found.own.0, mine.iter().map(|&i| duration(i) - inside(i)).sum::<u64>());
                prop_assert_eq!((found.min.0, found.max.0), (durations[0], durations[durations.len() - 1]));
                let statistics = analyzer.site_statistics(&filter, site).expect("there");
                prop_assert_eq!(statistics.figures.own, found.own);
                prop_assert_eq!(statistics.figures.count, found.count);
                let p95 = durations[(durations.len() * 95).div_ceil(100) - 1];
                prop_assert_eq!(statistics.figures.percentiles.expect("always").p95.0, p95);
                let buckets = &statistics.histogram.buckets;
                prop_assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), found.count);
                for bucket in buckets {
                    for example in &bucket.examples {
                        let row = analyzer.zone(*example).expect("there").row;
                        prop_assert!(row.site == site && bucket.from <= row.duration && row.duration < bucket.to);
                    }
                }
                let query = InstanceQuery { limit: 5, offset: 1, ..InstanceQuery::default() };
                let page = analyzer.zone_instances(&filter, site, &query).expect("there");
                prop_assert_eq!(page.count, found.count);
                let page: Vec<u64> = page.rows.iter().map(|zone| zone.row.duration.0).collect();
                durations.reverse();
                prop_assert_eq!(page, durations.iter().skip(1).take(5).copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn every_zone_that_can_be_seen_has_its_own_piece(
        steps in steps(),
        rows in 1..30_usize,
        range in (0..200_u64, 1..300_u64),
        px in 1..60_u32,
    ) {
        let zones = drawn(&steps);
        let analyzer = sound(recording_of(&zones, &[]), rows, &[]);
        let range = TimeRange::new(Time(range.0), Time(range.0 + range.1));
        let filter = Filter { range: Some(range), ..Filter::default() };
        let tracks = analyzer.zone_tracks(&filter, px, 9).expect("readable");
        let touches = |row: &ZoneRow| row.range().intersect(range).is_some();
        let seen = zones.iter().enumerate().filter(|(_, zone)| touches(&zone.row));
        for (id, zone) in seen.clone() {
            let own = tracks.pieces.iter().filter(|piece| piece.zone == Some(ZoneId(id as u64)));
            let own = own.count();
            prop_assert!(own == 1 || (own == 0 && zone.row.duration < tracks.width));
        }
        let pieces = tracks.pieces.iter().filter(|piece| {
            TimeRange::new(piece.start, piece.end).intersect(range).is_some()
        });
        let count: u64 = pieces.map(|piece| piece.count).sum();
        // One that ends where the range begins may be drawn with its neighbours.
        prop_assert!(count >= seen.count() as u64);
        for pair in tracks.pieces.windows(2) {
            let row = |piece: &sondage_analyze::ZonePiece| (piece.thread, piece.lane, piece.depth);
            prop_assert!(row(&pair[0]) < row(&pair[1]) || pair[0].end <= pair[1].start);
        }
        let lanes = analyzer.zone_lanes().expect("readable");
        for zone in &zones {
            let row = &zone.row;
            let lane = lanes.iter().find(|lane| (lane.thread, lane.lane) == (row.thread, row.lane));
            prop_assert!(lane.is_some_and(|lane| lane.depths > row.depth));
        }
    }

    #[test]
    fn a_card_knows_its_place(steps in steps(), rows in 1..30_usize) {
        let zones = drawn(&steps);
        let analyzer = sound(recording_of(&zones, &[]), rows, &[]);
        for (id, zone) in zones.iter().enumerate() {
            let card = analyzer.zone_card(ZoneId(id as u64)).expect("there");
            let mut around = Vec::new();
            let mut at = zone.around;
            while let Some(up) = at {
                around.insert(0, up as u64);
                at = zones[up].around;
            }
            prop_assert_eq!(card.around.iter().map(|z| z.id.0).collect::<Vec<_>>(), around);
            let inside: Vec<u64> = (0..zones.len() as u64)
                .filter(|&child| zones[child as usize].around == Some(id))
                .collect();
            prop_assert_eq!(card.inside.iter().map(|z| z.id.0).collect::<Vec<_>>(), inside);
            let mut same: Vec<(Time, u64)> = (0..zones.len())
                .filter(|&i| zones[i].row.site == zone.row.site)
                .map(|i| (zones[i].row.start, i as u64))
                .collect();
            same.sort_unstable();
            let here = same.binary_search(&(zone.row.start, id as u64)).expect("itself");
            let before = here.checked_sub(1).map(|i| same[i].1);
            prop_assert_eq!(card.before.map(|z| z.id.0), before);
            prop_assert_eq!(card.after.map(|z| z.id.0), same.get(here + 1).map(|(_, id)| *id));
        }
    }

    #[test]
    fn samples_inside_are_the_parts_of_samples_inside(
        steps in steps(),
        samples in prop::collection::vec((0..2_u8, 0..12_u8), 0..60),
        rows in 1..30_usize,
        range in prop::option::of((0..200_u64, 0..200_u64)),
        pick in any::<prop::sample::Index>(),
    ) {
        let zones = drawn(&steps);
        prop_assume!(!zones.is_empty());
        let recording = recording_of(&zones, &samples);
        let sampled: Vec<SampleRow> = recording.samples.rows().collect();
        let analyzer = sound(recording, rows, &[]);
        let id = pick.index(zones.len());
        let range = range.map(|(from, span)| TimeRange::new(Time(from), Time(from + span)));
        let site = zones[id].row.site;
        for choice in [Inside::Zone(ZoneId(id as u64)), Inside::Site(site)] {
            let mine = |at: usize| match choice {
                Inside::Zone(_) => at == id,
                Inside::Site(_) => zones[at].row.site == site,
            };
            let covered = |thread: ThreadId, time: u64| {
                range.is_none_or(|range| range.contains(Time(time)))
                    && (0..zones.len()).any(|at| {
                        mine(at) && zones[at].row.thread == thread
                            && zones[at].row.range().contains(Time(time))
                    })
            };
            let expected: usize = sampled
                .iter()
                .map(|row| {
                    let span = row.range();
                    (span.start.0..span.end.0).filter(|&at| covered(row.thread, at)).count()
                })
                .sum();
            let filter = Filter { range, inside: Some(choice), ..Filter::everything() };
            let total = *analyzer.select(&filter).expect("readable").total();
            prop_assert_eq!(total.weight, expected as u64);
            let alone = aggregate(analyzer.source(), &filter).expect("readable");
            prop_assert_eq!(*alone.total(), total);
            // One by one: no part reaches out of the zones, and together they are the same.
            let pass = Pass::new(analyzer.source(), &filter).expect("readable");
            let (mut weight, mut count, mut outside) = (0, 0, 0);
            pass.for_each(|row, observations| {
                let span = row.range();
                outside += (span.start.0..span.end.0).filter(|&at| !covered(row.thread, at)).count();
                weight += row.weight.0;
                count += observations;
            })
            .expect("readable");
            prop_assert_eq!((weight, count, outside), (total.weight, total.count, 0));
        }
    }
}

#[test]
fn from_afar_a_long_zone_still_has_its_own_piece() {
    // More zones than are read one by one: a million short ones inside a hundred long ones.
    let mut recording = recording_of(&[], &[]);
    let mut now = 0;
    for _ in 0..100 {
        let start = now;
        for i in 0..2000 {
            now += 5;
            let row = ZoneRow {
                start: Time(now),
                duration: Nanos(3),
                depth: 1,
                site: SiteId(i % 2),
                ..ZoneRow::default()
            };
            recording.zones.push(row, None);
        }
        now += 10;
        let row = ZoneRow {
            start: Time(start),
            duration: Nanos(now - start),
            site: SiteId(2),
            ..ZoneRow::default()
        };
        recording.zones.push(row, None);
        now += 1000;
    }
    let zones = recording.zones.len() as u64;
    let analyzer = sound(recording, 10_000, &[16, 256, 4096]);
    let tracks = analyzer
        .zone_tracks(&Filter::default(), 1200, 9)
        .expect("readable");
    assert!(!tracks.exact);
    let long: Vec<_> = tracks
        .pieces
        .iter()
        .filter(|piece| piece.depth == 0)
        .collect();
    assert_eq!(long.len(), 100);
    for (i, piece) in (0..).zip(long) {
        let (start, end) = (i * 11_010_u64, i * 11_010 + 10_010);
        assert_eq!((piece.site, piece.count), (SiteId(2), 1));
        assert!(piece.start.0.abs_diff(start) <= 1024 && piece.end.0.abs_diff(end) <= 1024);
    }
    let short = tracks.pieces.iter().filter(|piece| piece.depth == 1);
    assert_eq!(short.map(|piece| piece.count).sum::<u64>(), zones - 100);
    assert!(tracks.pieces.len() < 12_000);
    let near = Filter {
        range: Some(TimeRange::new(Time(5000), Time(5100))),
        ..Filter::default()
    };
    let tracks = analyzer.zone_tracks(&near, 1200, 9).expect("readable");
    assert!(tracks.exact && tracks.pieces.iter().all(|piece| piece.zone.is_some()));
}
