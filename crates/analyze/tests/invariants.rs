//! What holds for every recording and every filter.

use std::sync::Arc;

use proptest::prelude::*;
use sondage_analyze::{
    Analyzer, Direction, Filter, FunctionQuery, MergeBy, SortBy, StateSet, TimeWindow, Weights,
    aggregate,
};
use sondage_model::tiles::{TileBuilder, summarize};
use sondage_model::{
    BlockSpan, ClockRow, CounterRow, Dictionary, FileId, FunctionId, FunctionKind, LossRow,
    MessageRow, Nanos, ProcessRow, RecordingInfo, SampleColumns, SampleRow, Source, SourceError,
    StackId, State, SummaryRow, ThreadId, ThreadRow, TileRow, Time, TimeRange,
};

const FUNCTIONS: u32 = 5;
const THREADS: u32 = 3;

/// A recording with as many blocks as wanted, and tiles if wanted.
#[derive(Clone, Debug)]
struct Cut {
    info: RecordingInfo,
    dictionary: Dictionary,
    blocks: Vec<BlockSpan>,
    samples: Vec<Arc<SampleColumns>>,
    tile_widths: Vec<Nanos>,
    range: TimeRange,
}

impl Cut {
    fn rows(&self) -> impl Iterator<Item = SampleRow> + '_ {
        self.samples.iter().flat_map(|block| block.rows())
    }

    fn again(&self, rows_of_block: usize) -> Cut {
        let rows: Vec<SampleRow> = self.rows().collect();
        Cut::new(self.dictionary.clone(), &rows, rows_of_block)
    }

    fn new(dictionary: Dictionary, rows: &[SampleRow], rows_of_block: usize) -> Cut {
        let mut cut = Cut {
            info: RecordingInfo {
                interval: Nanos(10),
                ..RecordingInfo::default()
            },
            dictionary,
            blocks: Vec::new(),
            samples: Vec::new(),
            tile_widths: Vec::new(),
            range: TimeRange::new(Time(0), Time(0)),
        };
        for part in rows.chunks(rows_of_block) {
            let mut columns = SampleColumns::default();
            part.iter().for_each(|row| columns.push(*row));
            let start = part.iter().map(|row| row.range().start).min();
            let end = part.iter().map(|row| row.time).max();
            let range = TimeRange::new(start.unwrap_or_default(), end.unwrap_or_default());
            cut.range.end = cut.range.end.max(range.end);
            cut.blocks.push(BlockSpan {
                range,
                rows: part.len() as u64,
                count: part.iter().map(|row| u64::from(row.count)).sum(),
            });
            cut.samples.push(Arc::new(columns));
        }
        cut
    }
}

impl Source for Cut {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }
    fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }
    fn range(&self) -> TimeRange {
        self.range
    }
    fn blocks(&self) -> &[BlockSpan] {
        &self.blocks
    }
    fn samples(&self, block: usize) -> Result<Arc<SampleColumns>, SourceError> {
        Ok(Arc::clone(&self.samples[block]))
    }
    fn summary(&self, block: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        Ok(summarize(&self.samples[block]).into())
    }
    fn tile_widths(&self) -> &[Nanos] {
        &self.tile_widths
    }
    fn tiles(&self, width: Nanos, range: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        let mut builder = TileBuilder::new(width);
        self.rows().for_each(|row| builder.push(row));
        let mut tiles = builder.finish();
        tiles.retain(|tile| {
            let span = TimeRange::new(tile.start, tile.start + width);
            span.intersect(range).is_some()
        });
        tiles.sort_unstable_by_key(|tile| (tile.thread, tile.start));
        Ok(tiles)
    }
    fn counters(&self, _: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        Ok(Vec::new())
    }
    fn messages(&self) -> &[MessageRow] {
        &[]
    }
    fn losses(&self) -> &[LossRow] {
        &[]
    }
    fn clock(&self) -> &[ClockRow] {
        &[]
    }
    fn source_text(&self, _: FileId) -> Result<Option<Arc<str>>, SourceError> {
        Ok(None)
    }
}

/// One sample: thread, gap before it, weight, count, state, stack as functions and lines.
type Drawn = (u32, u64, u64, u32, u8, Vec<(u32, u32)>);

fn recordings() -> impl Strategy<Value = Cut> {
    let frames = prop::collection::vec((0..FUNCTIONS, 1..4_u32), 0..7);
    let state = (0..6_u8, any::<bool>()).prop_map(|(kind, gil)| kind | u8::from(gil) << 4);
    let sample = (0..THREADS, 0..6_u64, 0..40_u64, 1..5_u32, state, frames);
    (prop::collection::vec(sample, 0..60), 1..20_usize).prop_map(|(drawn, size)| {
        let (dictionary, rows) = build(drawn);
        Cut::new(dictionary, &rows, size)
    })
}

fn build(drawn: Vec<Drawn>) -> (Dictionary, Vec<SampleRow>) {
    let mut dict = Dictionary::default();
    let process = dict.add_process(ProcessRow::default());
    for _ in 0..THREADS {
        dict.add_thread(ThreadRow {
            process,
            ..ThreadRow::default()
        });
    }
    // Two functions share a file, two a name.
    let functions: Vec<FunctionId> = (0..FUNCTIONS)
        .map(|i| {
            let (name, file) = (format!("f{}", i / 2), format!("/a/m{}.py", i % 3));
            dict.function(&name, &name, &file, i, FunctionKind::Python)
        })
        .collect();
    let mut ends = [0; THREADS as usize];
    let rows = drawn
        .into_iter()
        .map(|(thread, gap, weight, count, state, frames)| {
            let end = &mut ends[thread as usize];
            *end += gap + weight;
            let stack = frames
                .into_iter()
                .fold(StackId::EMPTY, |parent, (f, line)| {
                    let frame = dict.frame(functions[f as usize], line);
                    dict.stack(parent, frame)
                });
            SampleRow {
                time: Time(*end),
                weight: Nanos(weight),
                count,
                thread: ThreadId(thread),
                stack,
                state: State::from_code(state),
                ..SampleRow::default()
            }
        })
        .collect();
    (dict, rows)
}

fn filters() -> impl Strategy<Value = Filter> {
    let states = prop_oneof![
        Just(StateSet::ALL),
        Just(StateSet::ACTIVE),
        prop::sample::subsequence(sondage_model::StateKind::ALL.to_vec(), 1..6)
            .prop_map(StateSet::from_iter),
    ];
    (
        prop::option::of((0..300_u64, 0..300_u64)),
        prop::collection::vec((0..THREADS).prop_map(ThreadId), 0..3),
        states,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.3, (0..FUNCTIONS).prop_map(FunctionId)),
    )
        .prop_map(|(range, threads, states, gil_only, function)| Filter {
            range: range.map(|(a, b)| TimeRange::new(Time(a.min(b)), Time(a.max(b)))),
            threads,
            states,
            gil_only,
            function,
            ..Filter::default()
        })
}

fn analyze(cut: &Cut) -> Analyzer {
    Analyzer::new(Arc::new(cut.clone())).expect("a sound recording")
}

fn all_rows(analyzer: &Analyzer, filter: &Filter) -> Vec<sondage_analyze::FunctionFigures> {
    let query = FunctionQuery {
        sort: SortBy::Name,
        limit: usize::MAX,
        ..FunctionQuery::default()
    };
    analyzer.functions(filter, &query).expect("readable").rows
}

/// What the samples say, one by one and without any of the code under test.
fn expected(cut: &Cut, filter: &Filter, functions: &[Option<FunctionId>]) -> Vec<u64> {
    let dict = &cut.dictionary;
    let contains = |stack, function| {
        dict.frames_inward(stack)
            .any(|frame| dict.function_of(frame) == function)
    };
    let mut sums = vec![0; functions.len()];
    for row in cut.rows() {
        let part = match filter.range {
            Some(range) => row.range().intersect(range).map_or(0, |part| part.span().0),
            None => row.weight.0,
        };
        let threads = &filter.threads;
        let admitted = (threads.is_empty() || threads.contains(&row.thread))
            && filter.states.contains(row.state.kind())
            && (!filter.gil_only || row.state.holds_gil())
            && filter.function.is_none_or(|f| contains(row.stack, f));
        if admitted {
            for (sum, function) in sums.iter_mut().zip(functions) {
                if function.is_none_or(|f| contains(row.stack, f)) {
                    *sum += part;
                }
            }
        }
    }
    sums
}

proptest! {
    #[test]
    fn totals_are_what_the_samples_say(cut in recordings(), filter in filters()) {
        let analyzer = analyze(&cut);
        let total = analyzer.select(&filter).expect("readable").total().weight;
        prop_assert_eq!(total, expected(&cut, &filter, &[None])[0]);
        let rows = all_rows(&analyzer, &filter);
        let ids: Vec<Option<FunctionId>> = rows.iter().map(|row| Some(row.function)).collect();
        let sums = expected(&cut, &filter, &ids);
        for (row, sum) in rows.iter().zip(sums) {
            prop_assert_eq!(row.total, sum);
            prop_assert!(row.own.weight <= row.total && row.total <= total);
        }
        let own: u64 = rows.iter().map(|row| row.own.weight).sum();
        let without = analyzer.select(&filter).expect("readable").weights().without_stack();
        prop_assert_eq!(own + without, total);
    }

    #[test]
    fn blocks_make_no_difference(cut in recordings(), filter in filters(), size in 1..70_usize) {
        let other = cut.again(size);
        let sum = |cut: &Cut| aggregate(cut, &filter).expect("readable");
        prop_assert_eq!(sum(&cut), sum(&other));
    }

    #[test]
    fn two_adjoining_ranges_are_one(
        cut in recordings(),
        filter in filters(),
        mut at in [0..300_u64, 0..300, 0..300],
    ) {
        at.sort_unstable();
        let sum = |from: u64, to: u64| {
            let range = Some(TimeRange::new(Time(from), Time(to)));
            aggregate(&cut, &Filter { range, ..filter.clone() }).expect("readable")
        };
        let (left, right, both) = (sum(at[0], at[1]), sum(at[1], at[2]), sum(at[0], at[2]));
        let mut sums = vec![(0, 0); cut.dictionary.stacks().len()];
        let add = |sums: &mut Vec<(u64, u64)>, weights: &Weights| {
            for (stack, totals) in weights.iter() {
                sums[stack.index()].0 += totals.weight;
                sums[stack.index()].1 += totals.count;
            }
        };
        add(&mut sums, &left);
        add(&mut sums, &right);
        let mut expected = vec![(0, 0); sums.len()];
        add(&mut expected, &both);
        // An empty range that ends at the end of the recording still holds its last instant.
        if at[1] > at[0] && at[2] > at[1] && at[1] < cut.range.end.0 {
            prop_assert_eq!(sums, expected);
        }
    }

    #[test]
    fn children_fit_into_their_parents(cut in recordings(), filter in filters()) {
        let analyzer = analyze(&cut);
        for direction in [Direction::Callees, Direction::Callers] {
            for by in [MergeBy::Function, MergeBy::Line] {
                let tree = analyzer.call_tree(&filter, direction, by).expect("readable");
                let roots = tree.children(None, 0).nodes;
                let without = tree.selection().weights().without_stack();
                let sum: u64 = roots.iter().map(|node| node.total()).sum();
                prop_assert_eq!(sum + without, tree.total());
                let mut own = 0;
                let mut waiting = roots;
                while let Some(node) = waiting.pop() {
                    own += node.own();
                    let below = tree.children(Some(&node), 0).nodes;
                    let sum: u64 = below.iter().map(|node| node.total()).sum();
                    match direction {
                        Direction::Callees => prop_assert_eq!(sum + node.own(), node.total()),
                        Direction::Callers => prop_assert!(sum <= node.total()),
                    }
                    prop_assert!(below.is_sorted_by(|a, b| a.total() >= b.total()));
                    waiting.extend(below);
                }
                prop_assert_eq!(own + without, tree.total());
            }
        }
    }

    #[test]
    fn sandwiches_agree_with_the_table(cut in recordings(), filter in filters()) {
        let analyzer = analyze(&cut);
        for row in all_rows(&analyzer, &filter) {
            let sandwich = analyzer.sandwich(&filter, row.function).expect("there");
            prop_assert_eq!((sandwich.own, sandwich.total), (row.own.weight, row.total));
            for tree in [&sandwich.callers, &sandwich.callees] {
                let root = &tree.children(None, 0).nodes[0];
                prop_assert_eq!(root.total(), row.total);
                let below = tree.children(Some(root), 0).nodes;
                prop_assert!(below.iter().map(|node| node.total()).sum::<u64>() <= row.total);
            }
        }
    }

    #[test]
    fn lines_and_files_add_up(cut in recordings(), filter in filters()) {
        let analyzer = analyze(&cut);
        let selection = analyzer.select(&filter).expect("readable");
        let total = selection.total().weight;
        let mut own = 0;
        for file in analyzer.files(&filter).expect("readable") {
            let lines = analyzer.file_lines(&filter, file.file).expect("there").lines;
            let sum: u64 = lines.iter().map(|row| row.own).sum();
            prop_assert_eq!(sum, file.own);
            own += sum;
            prop_assert!(file.total <= total);
            for line in lines {
                prop_assert!(line.own <= line.total && line.total <= file.total);
            }
        }
        prop_assert_eq!(own + selection.weights().without_stack(), total);
    }

    #[test]
    fn tiles_and_samples_make_the_same_timeline(
        cut in recordings(),
        range in (0..300_u64, 1..300_u64),
        px in 1..40_u32,
    ) {
        let range = TimeRange::new(Time(range.0), Time(range.0 + range.1));
        let filter = Filter { range: Some(range), ..Filter::default() };
        let mut tiled = cut.clone();
        tiled.tile_widths = vec![Nanos(8), Nanos(32)];
        let from_tiles = analyze(&tiled).timeline(&filter, px).expect("readable");
        let buckets = range.span().0.div_ceil(from_tiles.width.0) as usize + 1;
        prop_assert!(buckets <= 2 * px as usize + 2);
        for track in &from_tiles.threads {
            prop_assert!(track.start.len() <= buckets);
        }
        // The same buckets from the samples: a range that has them by itself.
        let width = from_tiles.width.0;
        let start = range.start.0 / width * width;
        let end = range.end.0.div_ceil(width) * width;
        let aligned = Filter {
            range: Some(TimeRange::new(Time(start), Time(end))),
            ..Filter::default()
        };
        let px = ((end - start) / width) as u32;
        let from_samples = analyze(&cut).timeline(&aligned, px).expect("readable");
        prop_assert_eq!(from_samples.width.0, width);
        prop_assert_eq!(from_tiles.threads.len(), from_samples.threads.len());
        for (a, b) in from_tiles.threads.iter().zip(&from_samples.threads) {
            prop_assert_eq!(&a.start, &b.start);
            prop_assert_eq!(&a.by_state, &b.by_state);
            prop_assert_eq!(&a.gil, &b.gil);
        }
    }

    #[test]
    fn a_timeline_holds_what_the_table_holds(cut in recordings(), px in 1..50_u32) {
        let analyzer = analyze(&cut);
        let timeline = analyzer.timeline(&Filter::default(), px).expect("readable");
        let overview = analyzer.overview().expect("readable");
        for track in &timeline.threads {
            let sum: u64 = track.by_state.iter().flatten().sum();
            prop_assert_eq!(sum, overview.thread(track.thread).weight);
        }
    }

    #[test]
    fn segments_do_not_overlap_and_lie_in_the_window(
        cut in recordings(),
        filter in filters(),
        px in 1..200_u32,
        tiles in any::<bool>(),
    ) {
        let mut cut = cut;
        if tiles {
            cut.tile_widths = vec![Nanos(8), Nanos(32)];
        }
        let window = TimeWindow { x0: None, x1: None, px };
        let analyzer = analyze(&cut);
        let order = analyzer.time_order(&filter, MergeBy::Function, window).expect("readable");
        let mut last = 0;
        for segment in order.segments() {
            prop_assert!(last <= segment.start && segment.start < segment.end);
            prop_assert!(segment.end <= order.total());
            prop_assert!(segment.shared <= segment.depth && segment.depth > 0);
            last = segment.end;
        }
        prop_assert_eq!(last == 0, order.segments().is_empty());
    }
}

#[test]
fn one_thread_and_two_give_the_same() {
    // More rows than one thread is given, of a stack each, so that both halves have their own.
    let mut dict = Dictionary::default();
    let process = dict.add_process(ProcessRow::default());
    let thread = dict.add_thread(ThreadRow {
        process,
        ..ThreadRow::default()
    });
    let functions: Vec<FunctionId> = (0..100)
        .map(|i| {
            dict.function(
                &format!("f{i}"),
                &format!("f{i}"),
                "a.py",
                i,
                FunctionKind::Python,
            )
        })
        .collect();
    let rows: Vec<SampleRow> = (0..300_000_u32)
        .map(|i| {
            let stack = (0..3).fold(StackId::EMPTY, |parent, level| {
                let function = functions[(i / 7_u32.pow(level) % 100) as usize];
                let frame = dict.frame(function, i % 3);
                dict.stack(parent, frame)
            });
            SampleRow {
                time: Time(u64::from(i + 1) * 10),
                weight: Nanos(10),
                count: 1,
                thread,
                stack,
                state: State::from_code((i % 5) as u8),
                ..SampleRow::default()
            }
        })
        .collect();
    let whole = Cut::new(dict.clone(), &rows, usize::MAX);
    let many = Cut::new(dict, &rows, 10_000);
    for filter in [
        Filter::default(),
        Filter {
            range: Some(TimeRange::new(Time(12_345), Time(2_345_678))),
            ..Filter::everything()
        },
    ] {
        let sum = |cut: &Cut| aggregate(cut, &filter).expect("readable");
        assert_eq!(sum(&whole), sum(&many));
    }
}
