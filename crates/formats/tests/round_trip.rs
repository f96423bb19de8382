//! What is exported and imported again keeps its totals, stacks and names; what an export adds up
//! is what `sondage_analyze::aggregate` adds up; hostile bytes fail in order.

mod common;

use std::collections::BTreeMap;

use proptest::prelude::*;
use sondage_analyze::{Filter, StateSet, aggregate};
use sondage_formats::{
    ExportOptions, FORMATS, FormatError, ImportOptions, ImportUnit, Measure, export, import,
    import_as,
};
use sondage_model::{
    FunctionKind, MemoryRecording, Nanos, RecordingInfo, SampleRow, Source, StackId, State,
    StateKind, TaskId, Time, TimeRange,
};

fn exported(format: &str, source: &dyn Source, options: &ExportOptions) -> Vec<u8> {
    let mut out = Vec::new();
    export(format, source, options, &mut out).unwrap_or_else(|error| panic!("{format}: {error}"));
    out
}

/// `(name, file, line)` of each frame, outermost first, with weight and count, summed by stack.
type Stacks = BTreeMap<Vec<(String, String, u32)>, (u64, u64)>;

fn stacks(source: &dyn Source) -> Stacks {
    let d = source.dictionary();
    let mut sums = Stacks::new();
    for block in 0..source.blocks().len() {
        for row in source.samples(block).expect("memory").rows() {
            let frame = |frame: &sondage_model::FrameRow| {
                let f = &d.functions()[frame.function.index()];
                let name = d.text(f.qualified_name).to_owned();
                (name, d.file_path(f.file).to_owned(), frame.line)
            };
            let path = d.path(row.stack);
            let path = path
                .iter()
                .map(|id| frame(&d.frames()[id.index()]))
                .collect();
            let sum = sums.entry(path).or_default();
            sum.0 += row.weight.0;
            sum.1 += u64::from(row.count);
        }
    }
    sums
}

/// A recording of samples, each `(stack of function numbers, weight, state, thread)`.
fn recording(samples: &[(Vec<u8>, u64, u8, u8)], names: &[String]) -> MemoryRecording {
    let mut r = MemoryRecording::new(RecordingInfo {
        interval: Nanos(1),
        ..RecordingInfo::default()
    });
    let d = &mut r.dictionary;
    let process = common::process(d, 1, None, "p");
    let threads: Vec<_> = (0..3)
        .map(|t| common::thread(d, process, 1 + t, "t"))
        .collect();
    let mut clock = [0u64; 3];
    for (path, weight, state, thread) in samples {
        let mut stack = StackId::EMPTY;
        for function in path {
            let index = usize::from(*function) % names.len();
            let name = &names[index];
            let file = format!("/src/file{}.py", index % 2);
            let f = d.function(name, name, &file, index as u32 + 1, FunctionKind::Python);
            let frame = d.frame(f, index as u32 + 5);
            stack = d.stack(stack, frame);
        }
        let thread = usize::from(*thread) % 3;
        clock[thread] += weight;
        r.samples.push(SampleRow {
            time: Time(clock[thread]),
            weight: Nanos(*weight),
            count: 1 + (*weight % 3) as u32,
            thread: threads[thread],
            stack,
            task: TaskId::NONE,
            state: State::new(StateKind::from_code(state % 6), state % 2 == 0),
        });
    }
    r
}

fn samples() -> impl Strategy<Value = Vec<(Vec<u8>, u64, u8, u8)>> {
    let path = prop::collection::vec(any::<u8>(), 1..12);
    prop::collection::vec((path, 1u64..5_000_000, any::<u8>(), any::<u8>()), 0..60)
}

fn names() -> impl Strategy<Value = Vec<String>> {
    // Names as Python allows them: no separators, no spaces.
    prop::collection::vec("[\\w<>.]{1,12}", 1..8)
}

fn everything() -> ExportOptions {
    ExportOptions {
        filter: Filter::everything(),
        ..ExportOptions::default()
    }
}

/// So many cases, unless `PROPTEST_CASES` asks for another number.
fn cases(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn pprof_keeps_stacks_names_lines_counts_and_threads(samples in samples(), names in names()) {
        let source = recording(&samples, &names).seal();
        let bytes = exported("pprof", &source, &everything());
        let (format, back) = import(&bytes, &ImportOptions::default()).unwrap();
        prop_assert_eq!(format.name, "pprof");
        let by_thread = |source: &dyn Source| common::truth(source).by_thread.into_keys().collect::<Vec<_>>();
        let back = back.seal();
        prop_assert_eq!(stacks(&back), stacks(&source));
        let all: std::collections::BTreeSet<_> = samples.iter().map(|s| (1, 1 + i32::from(s.3 % 3))).collect();
        prop_assert_eq!(by_thread(&back), all.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn collapsed_keeps_stacks_and_weights(samples in samples(), names in names()) {
        let source = recording(&samples, &names).seal();
        let options = ExportOptions { detail: sondage_formats::Detail::Line, ..everything() };
        let bytes = exported("collapsed", &source, &options);
        let read = ImportOptions { unit: ImportUnit::Time(Nanos(1)), ..ImportOptions::default() };
        let back = import_as("collapsed", &bytes, &read).unwrap().seal();
        let weights = |stacks: Stacks| {
            stacks.into_iter().map(|(path, (weight, _))| (path, weight)).collect::<Vec<_>>()
        };
        prop_assert_eq!(weights(stacks(&back)), weights(stacks(&source)));
    }

    #[test]
    fn collapsed_keeps_counts(samples in samples(), names in names()) {
        let source = recording(&samples, &names).seal();
        let options = ExportOptions { measure: Measure::Samples, ..everything() };
        let bytes = exported("collapsed", &source, &options);
        let back = import_as("collapsed", &bytes, &ImportOptions::default()).unwrap();
        let counted: u64 = back.samples.counts.iter().map(|&count| u64::from(count)).sum();
        let expected: u64 = stacks(&source).values().map(|(_, count)| count).sum();
        prop_assert_eq!(counted, expected);
    }

    #[test]
    fn exports_add_up_to_what_analysis_says(
        samples in samples(), names in names(),
        start in 0u64..20_000_000, length in 0u64..40_000_000,
        states in any::<u8>(), gil in any::<bool>(), thread in prop::option::of(0u32..3),
        function in prop::option::of(0u32..8), word in prop::option::of("[a-z<]"),
        ranged in any::<bool>(),
    ) {
        let source = recording(&samples, &names).seal();
        let filter = Filter {
            range: ranged.then(|| TimeRange::new(Time(start), Time(start + length))),
            threads: thread.map(sondage_model::ThreadId).into_iter().collect(),
            states: StateKind::ALL.into_iter().filter(|k| states & (1 << k.index()) != 0).collect::<StateSet>(),
            gil_only: gil,
            function: function.map(sondage_model::FunctionId),
            search: word.map(|word| sondage_analyze::Search::new(&word).unwrap()),
            ..Filter::default()
        };
        let truth = *aggregate(&source, &filter).unwrap().total();
        let options = ExportOptions { filter, ..ExportOptions::default() };
        let collapsed = String::from_utf8(exported("collapsed", &source, &options)).unwrap();
        let total: u64 = collapsed.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        prop_assert_eq!(total, truth.weight);
        let speedscope: serde_json::Value =
            serde_json::from_slice(&exported("speedscope", &source, &options)).unwrap();
        let mut total = 0;
        for profile in speedscope["profiles"].as_array().unwrap() {
            let stacks = profile["samples"].as_array().unwrap();
            let weights = profile["weights"].as_array().unwrap();
            prop_assert_eq!(stacks.len(), weights.len());
            for (stack, weight) in stacks.iter().zip(weights) {
                if !stack.as_array().unwrap().is_empty() {
                    total += weight.as_u64().unwrap();
                }
            }
        }
        prop_assert_eq!(total, truth.weight);
        let back = import(&exported("pprof", &source, &options), &ImportOptions::default()).unwrap().1;
        prop_assert_eq!(back.samples.weights.iter().map(|w| w.0).sum::<u64>(), truth.weight);
        let tree: serde_json::Value = serde_json::from_slice(&exported("json", &source, &options)).unwrap();
        prop_assert_eq!(tree["call_count"].as_u64().unwrap(), truth.count);
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = import(&bytes, &ImportOptions::default());
        for format in FORMATS.iter().filter(|f| f.import.is_some()) {
            let _ = import_as(format.name, &bytes, &ImportOptions::default());
        }
    }

    #[test]
    fn a_damaged_profile_never_panics(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in any::<u8>(),
    ) {
        let source = common::small().seal();
        let mut plain = Vec::new();
        let gz = exported("pprof", &source, &everything());
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gz[..]), &mut plain).unwrap();
        for mut bytes in [plain, gz] {
            let index = at.index(bytes.len());
            bytes[index] = with;
            let _ = import_as("pprof", &bytes, &ImportOptions::default());
            bytes.truncate(cut.index(bytes.len()));
            let _ = import_as("pprof", &bytes, &ImportOptions::default());
        }
    }

    #[test]
    fn any_text_is_read_as_collapsed_or_refused(text in "[a-z;() 0-9.\\n#\\[\\]_:é-]{0,300}") {
        if let Ok(recording) = import_as("collapsed", text.as_bytes(), &ImportOptions::default()) {
            let source = recording.seal();
            for format in FORMATS.iter().filter(|f| f.export.is_some()) {
                exported(format.name, &source, &ExportOptions::default());
            }
        }
    }
}

#[test]
fn counts_of_nothing_are_an_empty_picture() {
    let recording = import_as("collapsed", b"a;b 0\n", &ImportOptions::default()).expect("read");
    let source = recording.seal();
    for format in FORMATS.iter().filter(|f| f.export.is_some()) {
        exported(format.name, &source, &ExportOptions::default());
    }
}

#[test]
fn frames_that_look_like_comments_are_counted() {
    for text in ["# 5\n", "# a 5\n", "#;b 5\n", "# 1 5\n"] {
        let recording = import_as("collapsed", text.as_bytes(), &ImportOptions::default());
        let source = recording.expect("read").seal();
        for format in FORMATS.iter().filter(|f| f.export.is_some()) {
            exported(format.name, &source, &ExportOptions::default());
        }
        let collapsed = exported("collapsed", &source, &ExportOptions::default());
        let collapsed = String::from_utf8(collapsed).expect("text");
        assert!(!collapsed.starts_with("# "), "{collapsed}");
        assert!(collapsed.ends_with(" 5\n"), "{collapsed}");
    }
}

#[test]
fn names_that_break_lines_come_back_readable() {
    let source = common::nasty().seal();
    let bytes = exported("collapsed", &source, &ExportOptions::default());
    let back = import(
        &bytes,
        &ImportOptions {
            unit: ImportUnit::Time(Nanos(1)),
            ..ImportOptions::default()
        },
    );
    let back = stacks(&back.unwrap().1.seal());
    assert_eq!(back.len(), 21);
    assert_eq!(back.values().map(|sum| sum.0).sum::<u64>(), 21 * common::MS);
    let names: Vec<&str> = back.keys().map(|path| path[1].0.as_str()).collect();
    for name in [
        "a:b",
        "line break",
        "# comment 5",
        "(paren) (x.py:3)",
        "日本語.関数",
        "(unknown)",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let back = import(
        &exported("pprof", &source, &ExportOptions::default()),
        &ImportOptions::default(),
    );
    let back = stacks(&back.unwrap().1.seal());
    assert!(
        back.keys().any(|path| path[1].0 == "line\nbreak"),
        "pprof carries any text"
    );
}

#[test]
fn a_recording_without_times_counts_samples_everywhere() {
    let text = "main (app.py:1);work (app.py:5) 7\nmain (app.py:2) 3\n";
    let (_, recording) = import(text.as_bytes(), &ImportOptions::default()).unwrap();
    assert!(
        recording
            .samples
            .weights
            .iter()
            .all(|weight| *weight == Nanos::ZERO)
    );
    let source = recording.seal();
    assert_eq!(
        aggregate(&source, &Filter::default())
            .unwrap()
            .total()
            .weight,
        10
    );
    for format in FORMATS.iter().filter(|f| f.export.is_some() && f.text) {
        let text =
            String::from_utf8(exported(format.name, &source, &ExportOptions::default())).unwrap();
        insta::assert_snapshot!(
            format!("timeless_{}", format.name),
            common::without_script(&text)
        );
    }
    let (_, back) = import(
        &exported("pprof", &source, &ExportOptions::default()),
        &ImportOptions::default(),
    )
    .unwrap();
    assert_eq!(stacks(&back.seal()), stacks(&source));
}

#[test]
fn a_line_of_a_count_alone_is_a_sample_without_frames() {
    let text = b" 1\nmain (a.py:1);work (a.py:2) 5\r\n";
    let (format, recording) = import(text, &ImportOptions::default()).unwrap();
    assert_eq!(format.name, "collapsed");
    let source = recording.seal();
    let counts: Vec<(usize, u64)> = stacks(&source)
        .into_iter()
        .map(|(path, (_, count))| (path.len(), count))
        .collect();
    assert_eq!(counts, [(0, 1), (2, 5)]);
    let again = exported("collapsed", &source, &ExportOptions::default());
    let again = String::from_utf8(again).unwrap();
    assert!(again.starts_with("(no Python frame) 1\n"), "{again}");
}

#[test]
fn counts_have_the_unit_the_user_says() {
    let weights = |unit| {
        let options = ImportOptions {
            unit,
            ..ImportOptions::default()
        };
        let r = import_as("collapsed", b"a 2\nb 1.5\nc 0\n# note\n\nd\t3\n", &options).unwrap();
        let row = |row: SampleRow| (row.weight.0, row.count);
        let rows: Vec<_> = r.samples.rows().map(row).collect();
        (rows, r.info.interval.0, r.messages.len())
    };
    assert_eq!(
        weights(ImportUnit::Samples),
        (vec![(0, 2), (0, 2), (0, 3)], 0, 1)
    );
    assert_eq!(
        weights(ImportUnit::Sample(Nanos(10))),
        (vec![(20, 2), (15, 2), (30, 3)], 10, 0)
    );
    assert_eq!(
        weights(ImportUnit::Time(Nanos(1000))),
        (vec![(2000, 1), (1500, 1), (3000, 1)], 0, 0)
    );
}

#[test]
fn absurd_figures_are_refused_and_large_counts_are_not() {
    let read = |text: &str, unit| {
        import_as(
            "collapsed",
            text.as_bytes(),
            &ImportOptions {
                unit,
                ..ImportOptions::default()
            },
        )
    };
    let large = read("a 10000000000\n", ImportUnit::Samples).unwrap();
    assert_eq!(
        large
            .samples
            .counts
            .iter()
            .map(|&c| u64::from(c))
            .sum::<u64>(),
        10_000_000_000
    );
    for (text, unit) in [
        ("a 18446744073709551615\n", ImportUnit::Time(Nanos(1))),
        ("a 99999999999999999999\n", ImportUnit::Samples),
        ("a 18446744073709551615\n", ImportUnit::Samples),
        ("a 9000000000\n", ImportUnit::Sample(Nanos(1))),
    ] {
        assert!(
            matches!(read(text, unit), Err(FormatError::TooLarge { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_file_nobody_knows_is_refused_with_each_reason() {
    let refused = |bytes: &[u8]| {
        let error = import(bytes, &ImportOptions::default()).unwrap_err();
        assert!(error.hint().is_some());
        error.to_string()
    };
    insta::assert_snapshot!(
        [
            &b"{\"some\": \"json\"}"[..],
            b"",
            b"\0\0\0",
            b"\x1f\x8bnot really gzip",
            b"hello\nworld\n"
        ]
        .map(refused)
        .join("\n\n")
    );
}

#[test]
fn formats_only_go_the_ways_they_can() {
    let source = common::small().seal();
    let mut out = Vec::new();
    let unknown = export("jpeg", &source, &ExportOptions::default(), &mut out);
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("speedscope, firefox")
    );
    let error = import_as("svg", b"", &ImportOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "svg files can be exported, not imported");
}

#[test]
fn a_decompression_bomb_is_stopped() {
    use std::io::Write;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // A valid start, then a string of zeros without end.
    gz.write_all(&[0x0a, 4, 8, 1, 16, 1]).unwrap();
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..513 {
        gz.write_all(&zeros).unwrap();
    }
    let bomb = gz.finish().unwrap();
    assert!(bomb.len() < 4 << 20);
    let error = import(&bomb, &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
}
