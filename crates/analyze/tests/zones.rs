//! What the program says of itself: known answers, and every figure against a naive count.

use std::sync::Arc;

use proptest::prelude::*;
use sondage_analyze::{
    Analyzer, Empty, Filter, FunctionQuery, Inside, InstanceQuery, LogQuery, MergeBy, ProbeCost,
    Search, TimeWindow, ZoneId, ZoneQuery, ZoneSort, picture,
};
use sondage_model::zone_tiles::{ZoneSums, ZoneTileBuilder};
use sondage_model::*;

const MS: u64 = 1_000_000;

/// A recording whose zones are cut into blocks, with tiles if wanted.
struct Cut {
    rest: Box<dyn Source>,
    blocks: Vec<BlockSpan>,
    zones: Vec<Arc<ZoneColumns>>,
    summaries: Vec<Arc<[ZoneSummaryRow]>>,
    tile_widths: Vec<Nanos>,
}

impl Cut {
    fn new(mut rows: MemoryRecording, rows_of_block: usize, tile_widths: Vec<Nanos>) -> Cut {
        let all = rows.zones.clone();
        let mut cut = Cut {
            blocks: Vec::new(),
            zones: Vec::new(),
            summaries: Vec::new(),
            tile_widths,
            rest: {
                rows.info.interval = Nanos(MS);
                Box::new(rows.seal())
            },
        };
        let mut sums = ZoneSums::default();
        let all: Vec<(ZoneRow, Option<ZoneDetail>)> = all
            .rows()
            .map(|row| (row, all.detail(&row).cloned()))
            .collect();
        for part in all.chunks(rows_of_block.max(1)) {
            let mut columns = ZoneColumns::default();
            for (row, detail) in part {
                columns.push(*row, detail.clone());
                sums.push(row);
            }
            let start = part.iter().map(|(row, _)| row.start).min();
            let end = part.iter().map(|(row, _)| row.range().end).max();
            cut.blocks.push(BlockSpan {
                range: TimeRange::new(start.unwrap_or_default(), end.unwrap_or_default()),
                rows: part.len() as u64,
                count: part.len() as u64,
            });
            cut.zones.push(Arc::new(columns));
            cut.summaries.push(sums.take().into());
        }
        cut
    }
}

impl Source for Cut {
    fn info(&self) -> &RecordingInfo {
        self.rest.info()
    }
    fn dictionary(&self) -> &Dictionary {
        self.rest.dictionary()
    }
    fn range(&self) -> TimeRange {
        self.rest.range()
    }
    fn blocks(&self) -> &[BlockSpan] {
        self.rest.blocks()
    }
    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError> {
        self.rest.samples(block)
    }
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        self.rest.summary(block)
    }
    fn tile_widths(&self) -> &[Nanos] {
        &[]
    }
    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        self.rest.tiles(width, range)
    }
    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        self.rest.counters(range)
    }
    fn zone_blocks(&self) -> &[BlockSpan] {
        &self.blocks
    }
    fn zones(&self, block: usize) -> Result<Arc<ZoneColumns>, SourceError> {
        Ok(Arc::clone(&self.zones[block]))
    }
    fn zone_summary(&self, block: usize) -> Result<Arc<[ZoneSummaryRow]>, SourceError> {
        Ok(Arc::clone(&self.summaries[block]))
    }
    fn zone_tile_widths(&self) -> &[Nanos] {
        &self.tile_widths
    }
    fn zone_tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<ZoneTileRow>, SourceError> {
        let mut builder = ZoneTileBuilder::new(width);
        self.zones
            .iter()
            .flat_map(|zones| zones.rows())
            .for_each(|row| builder.push(&row));
        let mut tiles = builder.finish();
        tiles.retain(|tile| {
            let span = TimeRange::new(tile.start, tile.start + width);
            span.intersect(range).is_some()
        });
        tiles.sort_unstable_by_key(|tile| (tile.thread, tile.lane, tile.depth, tile.start));
        Ok(tiles)
    }
    fn messages(&self) -> &[MessageRow] {
        self.rest.messages()
    }
    fn losses(&self) -> &[LossRow] {
        self.rest.losses()
    }
    fn clock(&self) -> &[ClockRow] {
        self.rest.clock()
    }
    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError> {
        self.rest.source_text(file)
    }
}

fn site(recording: &mut MemoryRecording, name: &str, line: u32) -> SiteId {
    let dict = &mut recording.dictionary;
    let row = SiteRow {
        name: dict.string(name),
        function: dict.string("handle"),
        file: dict.file("/work/app.py"),
        line,
        colour: 0,
    };
    dict.site(row)
}

fn zone(thread: u32, site: SiteId, depth: u16, start: u64, duration: u64) -> ZoneRow {
    ZoneRow {
        start: Time(start * MS),
        duration: Nanos(duration * MS),
        busy: Nanos(duration * MS),
        thread: ThreadId(thread),
        site,
        depth,
        ..ZoneRow::default()
    }
}

/// Ten samples of the main thread, one of a second; `request` from 0 to 10 ms with two `query`
/// inside, and a span that was suspended and ran from 1 to 2 and from 5 to 7 ms.
fn small() -> MemoryRecording {
    let mut recording = picture::record(
        "
        thread:  Main Main Main Main Main Main Main Main Main Main Worker
                 main main main main main main main main main main run
                 a    b    c    c    d    e    f    g    g    g
        ",
    );
    let (request, query) = (
        site(&mut recording, "request", 3),
        site(&mut recording, "query", 9),
    );
    let task = site(&mut recording, "task", 20);
    let span = SpanId(77);
    let poll = |depth, start, duration| ZoneRow {
        flags: ZoneFlags::POLL,
        span,
        ..zone(0, task, depth, start, duration)
    };
    let detail = ZoneDetail {
        arguments: r#"{"user": 7}"#.into(),
        trace: 0xabc,
        ..ZoneDetail::default()
    };
    recording.zones.push(poll(1, 1, 1), None);
    recording.zones.push(zone(0, query, 1, 2, 2), None);
    recording.zones.push(poll(1, 5, 2), None);
    recording.zones.push(
        ZoneRow {
            lane: 1,
            busy: Nanos(3 * MS),
            flags: ZoneFlags::SPAN.with(ZoneFlags::SUSPENDED),
            span,
            parent: SpanId(5),
            ..zone(0, task, 0, 1, 6)
        },
        Some(detail.clone()),
    );
    recording.zones.push(zone(0, query, 1, 7, 3), None);
    recording.zones.push(
        ZoneRow {
            flags: ZoneFlags::SPAN.with(ZoneFlags::FAILED),
            span: SpanId(5),
            ..zone(0, request, 0, 0, 10)
        },
        Some(detail),
    );
    recording
}

fn analyzer(recording: MemoryRecording) -> Analyzer {
    Analyzer::new(Arc::new(recording.seal())).expect("a sound recording")
}

#[test]
fn the_table_counts_whole_zones_and_leaves_stretches_out() {
    let analyzer = analyzer(small());
    let table = analyzer
        .zones(&Filter::default(), &ZoneQuery::default())
        .expect("readable");
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| {
            let name = analyzer.site_name(row.site).label;
            let times = [row.total, row.own, row.min, row.max, row.mean()].map(|t| t.0 / 1000);
            (name, row.count, times)
        })
        .collect();
    let expected = [
        // Inside the request are 3 ms of the task's stretches and 5 ms of queries.
        ("request", 1, [10_000, 2_000, 10_000, 10_000, 10_000]),
        ("task", 1, [6_000, 6_000, 6_000, 6_000, 6_000]),
        ("query", 2, [5_000, 5_000, 2_000, 3_000, 2_500]),
    ];
    assert_eq!(
        rows,
        expected.map(|(name, n, times)| (name.to_owned(), n, times))
    );
    assert_eq!((table.zone_count, table.row_count), (4, 3));
    let query = ZoneQuery {
        only: Some(Search::new("^QUE").expect("an expression")),
        ..ZoneQuery::default()
    };
    let found = analyzer
        .zones(&Filter::default(), &query)
        .expect("readable");
    assert_eq!((found.row_count, found.zone_count), (1, 2));
    let query = ZoneQuery {
        only: Some(Search::new("nothing").expect("an expression")),
        sort: ZoneSort::Name,
        ..ZoneQuery::default()
    };
    let found = analyzer
        .zones(&Filter::default(), &query)
        .expect("readable");
    assert!(matches!(found.empty, Some(Empty::Search { .. })));
}

#[test]
fn an_empty_table_says_what_to_do() {
    let plain = analyzer(picture::record("main"));
    let query = ZoneQuery::default();
    let empty = |analyzer: &Analyzer, filter: &Filter| {
        let table = analyzer.zones(filter, &query).expect("readable");
        table.empty.expect("a reason").to_string()
    };
    assert!(empty(&plain, &Filter::default()).contains("profiler.span("));
    let small = analyzer(small());
    let range = Some(TimeRange::new(Time(8 * MS), Time(9 * MS)));
    assert!(
        empty(
            &small,
            &Filter {
                range,
                ..Filter::default()
            }
        )
        .contains("Widen it")
    );
    let threads = vec![ThreadId(1)];
    assert!(
        empty(
            &small,
            &Filter {
                threads,
                ..Filter::default()
            }
        )
        .contains("chosen threads")
    );
}

/// Own weight in ms by function, of the samples inside.
fn inside(analyzer: &Analyzer, filter: &Filter) -> Vec<(String, f64)> {
    let query = FunctionQuery {
        sort: sondage_analyze::SortBy::Name,
        descending: false,
        ..FunctionQuery::default()
    };
    let table = analyzer.functions(filter, &query).expect("readable");
    let label = |id| analyzer.names().label(analyzer.dictionary(), id);
    let rows = table.rows.into_iter().filter(|row| row.own.weight > 0);
    rows.map(|row| (label(row.function), row.own.weight as f64 / MS as f64))
        .collect()
}

#[test]
fn samples_inside_a_zone_all_zones_of_a_place_and_the_stretches_of_a_span() {
    let analyzer = analyzer(small());
    let of = |inside| Filter {
        inside: Some(inside),
        ..Filter::default()
    };
    let named = |rows: &[(&str, f64)]| -> Vec<(String, f64)> {
        rows.iter()
            .map(|(name, ms)| ((*name).to_owned(), *ms))
            .collect()
    };
    // The first query, from 2 to 4 ms; then both; then the span, from 1 to 2 and from 5 to 7.
    let query = analyzer.zone(ZoneId(1)).expect("there");
    let one = of(Inside::Zone(query.id));
    assert_eq!(inside(&analyzer, &one), named(&[("c", 2.0)]));
    let all = of(Inside::Site(query.row.site));
    assert_eq!(inside(&analyzer, &all), named(&[("c", 2.0), ("g", 3.0)]));
    let span = analyzer.zone(ZoneId(3)).expect("there");
    let stretches = named(&[("b", 1.0), ("e", 1.0), ("f", 1.0)]);
    assert_eq!(inside(&analyzer, &of(Inside::Zone(span.id))), stretches);
    assert_eq!(
        inside(&analyzer, &of(Inside::Site(span.row.site))),
        stretches
    );
    // A time range cuts on.
    let range = Some(TimeRange::new(Time(3_500_000), Time(8_000_000)));
    let both = Filter {
        range,
        ..all.clone()
    };
    assert_eq!(inside(&analyzer, &both), named(&[("c", 0.5), ("g", 1.0)]));
    // In the order of time there are only those stretches.
    let window = TimeWindow {
        x0: None,
        x1: None,
        px: 1000,
    };
    let order = analyzer
        .time_order(&all, MergeBy::Function, window)
        .expect("readable");
    let segments: Vec<(u64, u64)> = order
        .segments()
        .iter()
        .map(|s| (s.start / MS, s.end / MS))
        .collect();
    assert_eq!(segments, [(2, 4), (7, 10)]);
    // Of a thread without zones nothing is left, and it says why.
    let other = Filter {
        threads: vec![ThreadId(1)],
        ..all
    };
    assert_eq!(
        analyzer.empty(&other).expect("readable"),
        Some(Empty::Inside)
    );
    let nowhere = of(Inside::Zone(ZoneId(99)));
    assert!(analyzer.select(&nowhere).is_err());
    assert!(analyzer.select(&of(Inside::Site(SiteId(99)))).is_err());
}

#[test]
fn a_card_tells_what_is_around_inside_before_and_after() {
    let analyzer = analyzer(small());
    let ids = |zones: &[sondage_analyze::Zone]| zones.iter().map(|z| z.id.0).collect::<Vec<_>>();
    let request = analyzer.zone_card(ZoneId(5)).expect("there");
    assert_eq!(ids(&request.inside), [3, 1, 4]);
    assert_eq!(
        (request.inside_count, request.own),
        (Some(3), Some(Nanos(5 * MS - 3 * MS)))
    );
    assert_eq!(
        request.detail.expect("it has one").arguments,
        r#"{"user": 7}"#
    );
    assert_eq!((request.before, request.after), (None, None));
    let query = analyzer.zone_card(ZoneId(1)).expect("there");
    assert_eq!(ids(&query.around), [5]);
    assert_eq!(query.after.map(|zone| zone.id), Some(ZoneId(4)));
    // The span's parent is known by its number, not by its lane.
    let span = analyzer.zone_card(ZoneId(3)).expect("there");
    assert_eq!(ids(&span.around), [5]);
    let tree = analyzer.trace_of(ZoneId(3)).expect("readable");
    let spans: Vec<_> = tree
        .spans
        .iter()
        .map(|s| (s.zone.id.0, s.level, s.parent))
        .collect();
    assert_eq!(
        (tree.trace, spans),
        (0xabc, vec![(5, 0, None), (3, 1, Some(0))])
    );
    let statistics = analyzer
        .site_statistics(&Filter::default(), query.zone.row.site)
        .expect("there");
    assert_eq!((statistics.figures.count, statistics.failed), (2, 0));
    assert_eq!(statistics.longest.map(|zone| zone.id), Some(ZoneId(4)));
    let filled = statistics
        .histogram
        .buckets
        .iter()
        .filter(|bucket| bucket.count > 0);
    let filled: Vec<_> = filled
        .map(|b| (b.from.0 / 1000, b.to.0 / 1000, b.count))
        .collect();
    assert_eq!(filled, [(2000, 2500, 1), (2500, 3150, 1)]);
    let at = |depth, ms: u64| {
        analyzer
            .zone_at(ThreadId(0), 0, depth, Time(ms * MS))
            .expect("readable")
    };
    assert_eq!(at(1, 8).map(|zone| zone.id), Some(ZoneId(4)));
    assert_eq!(at(0, 8).map(|zone| zone.id), Some(ZoneId(5)));
    assert_eq!(at(2, 8), None);
    assert!(analyzer.zone_card(ZoneId(6)).is_err());
}

#[test]
fn frames_locks_logs_and_the_cost_of_probes() {
    let mut recording = small();
    let dict = &mut recording.dictionary;
    let name = dict.string("load");
    let cache = dict.string("cache");
    let lock = dict.add_lock(LockRow {
        name: cache,
        ..LockRow::default()
    });
    for (at, kind, name) in [
        (0, FrameMarkKind::Mark, StringId::EMPTY),
        (10, FrameMarkKind::Mark, StringId::EMPTY),
        (12, FrameMarkKind::Begin, name),
        (40, FrameMarkKind::Mark, StringId::EMPTY),
        (41, FrameMarkKind::End, name),
        (50, FrameMarkKind::Mark, StringId::EMPTY),
    ] {
        recording.frame_marks.push(FrameMarkRow {
            time: Time(at * MS),
            thread: ThreadId(0),
            name,
            kind,
        });
    }
    for (start, thread, wait, holder) in [(1, 0, 4, 1), (2, 1, 0, 0), (9, 0, 2, 1)] {
        recording.waits.push(WaitRow {
            start: Time(start * MS),
            wait: Nanos(wait * MS),
            hold: Nanos(MS),
            thread: ThreadId(thread),
            lock,
            holder: (wait > 0).then_some(ThreadId(holder)),
            kind: WaitKind::Exclusive,
        });
    }
    for (at, level, text) in [
        (1, 2, "started"),
        (3, 4, "lost the disk"),
        (3, 2, "went on"),
    ] {
        recording.logs.push(LogRow {
            time: Time(at * MS),
            level,
            text: text.into(),
            ..LogRow::default()
        });
    }
    for (series, unit, value) in [
        ("sondage.probes", "", 200.0),
        ("sondage.probe_cost", "ns", 5000.0),
    ] {
        let row = CounterSeriesRow {
            process: ProcessId(0),
            name: recording.dictionary.string(series),
            unit: recording.dictionary.string(unit),
            kind: CounterKind::Total,
        };
        let counter = recording.dictionary.add_counter(row);
        for (at, share) in [(1, 0.5), (2, 1.0)] {
            let (time, value) = (Time(at * MS), value * share);
            recording.counters.push(CounterRow {
                counter,
                time,
                value,
            });
        }
    }
    let analyzer = analyzer(recording);
    let all = Filter::default();
    let frames = analyzer.frames(&all, 2).expect("readable");
    let seen: Vec<_> = frames
        .iter()
        .map(|f| {
            let worst: Vec<u64> = f.worst.iter().map(|frame| frame.duration.0 / MS).collect();
            (
                f.name.as_str(),
                f.count,
                f.max.0 / MS,
                f.percentiles.p50.0 / MS,
                worst,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [("", 3, 30, 10, vec![30, 10]), ("load", 1, 29, 29, vec![29])]
    );
    assert!((frames[0].per_second() - 60.0).abs() < 1e-9);
    let tracks = analyzer.frame_tracks(&all, 2).expect("readable");
    let numbers: Vec<Vec<u64>> = tracks
        .iter()
        .map(|set| set.frames.iter().map(|frame| frame.number).collect())
        .collect();
    // Of the two that begin on the first pixel only the longer one is drawn.
    assert_eq!(numbers, [vec![1, 2], vec![0]]);
    let locks = analyzer.locks(&all).expect("readable");
    let figures = &locks[0];
    assert_eq!(
        (figures.name.as_str(), figures.count, figures.waits),
        ("cache", 3, 2)
    );
    assert_eq!(
        (
            figures.wait.0 / MS,
            figures.max_wait.0 / MS,
            figures.hold.0 / MS
        ),
        (6, 4, 3)
    );
    let pairs: Vec<_> = figures
        .pairs
        .iter()
        .map(|p| (p.waiter.0, p.holder, p.count))
        .collect();
    assert_eq!(pairs, [(0, Some(ThreadId(1)), 2)]);
    assert_eq!(analyzer.wait_pieces(&all, 1000).expect("readable").len(), 2);
    let query = LogQuery {
        least_level: 3,
        limit: 10,
        ..LogQuery::default()
    };
    let logs = analyzer.logs(&all, &query).expect("readable");
    assert_eq!(
        (logs.count, logs.rows[0].text.as_str()),
        (1, "lost the disk")
    );
    let marks = analyzer.log_marks(&all, 5).expect("readable");
    let marks: Vec<_> = marks
        .iter()
        .map(|mark| (mark.count, mark.row.level))
        .collect();
    assert_eq!(marks, [(3, 4)]);
    let report = analyzer
        .report(&sondage_analyze::ReportOptions::default())
        .expect("readable");
    let expected = ProbeCost {
        events: 200,
        cost: Nanos(5000),
    };
    assert_eq!(report.program.probes, Some(expected));
    assert_eq!(
        (report.program.zone_count, report.program.log_count),
        (4, 3)
    );
}

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
            let total = analyzer.select(&filter).expect("readable").total().weight;
            prop_assert_eq!(total, expected as u64);
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
