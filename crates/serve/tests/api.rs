//! Each call of the API over a real connection, on a recording small enough to count by hand.

mod common;

use std::sync::Arc;

use common::{Running, serve, small, small_recording, talking};
use sondage_model::*;
use sondage_serve::Recording;

/// Asks, and compares the JSON with the stored one.
fn check(server: &Running, name: &str, path: &str) {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut settings = insta::Settings::clone_current();
    settings.set_description(format!("GET {path}"));
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(name, answer.json()));
}

#[test]
fn every_call_answers_as_stored() {
    let server = Running::new(vec![small_recording()]);
    for (name, path) in [
        ("meta", "api/meta"),
        ("timeline", "api/timeline?px=4"),
        (
            "timeline_range",
            "api/timeline?px=10&from=10000000&to=20000000&threads=0",
        ),
        ("flame", "api/flame?px=1000"),
        (
            "flame_all_states",
            "api/flame?states=cpu,runnable,gil-wait,blocked,disk,unknown",
        ),
        ("flame_inverted", "api/flame?inverted=1&threads=0"),
        ("flame_by_line", "api/flame?by=line&threads=0"),
        ("flame_time", "api/flame?order=time&threads=0&px=1000"),
        (
            "flame_range",
            "api/flame?from=5000000&to=15000000&threads=0",
        ),
        ("flame_search", "api/flame?search=encode"),
        ("flame_empty", "api/flame?gil=1&threads=2"),
        ("functions", "api/functions"),
        (
            "functions_by_name",
            "api/functions?sort=name&desc=0&offset=1&limit=2",
        ),
        ("functions_match", "api/functions?match=%5Ejob"),
        ("tree_roots", "api/tree"),
        ("tree_below", "api/tree?path=0.1"),
        ("tree_inverted", "api/tree?inverted=1"),
        ("sandwich", "api/sandwich?function=2"),
        ("sandwich_through", "api/sandwich?function=0&through=2"),
        ("source", "api/source?file=0"),
        ("source_of_function", "api/source?function=3"),
        ("files", "api/files"),
        ("search", "api/search?q=job"),
        ("search_bad", "api/search?q=job%28"),
        ("report", "api/report"),
    ] {
        check(&server, name, path);
    }
}

#[test]
fn what_the_program_said_is_answered_as_stored() {
    let server = Running::new(vec![serve("app.sondage", talking().seal())]);
    for (name, path) in [
        ("tracks", "api/tracks?px=100"),
        (
            "tracks_range",
            "api/tracks?px=10&from=0&to=3000000&threads=0&depth=1",
        ),
        ("zones", "api/zones"),
        ("zones_match", "api/zones?match=%5Equ&sort=name&desc=0"),
        ("zones_none", "api/zones?threads=2"),
        ("site", "api/site?site=1"),
        (
            "instances",
            "api/instances?site=1&sort=start&desc=0&least=1000&below=9000000",
        ),
        ("zone", "api/zone?zone=2"),
        ("zone_at", "api/zone?threads=0&depth=1&at=13000000"),
        ("trace", "api/trace?zone=2"),
        ("frames", "api/frames"),
        ("logs", "api/logs?match=script&level=3"),
        ("locks", "api/locks"),
        ("functions_in_zone", "api/functions?zone=0"),
        ("flame_in_site", "api/flame?site=1"),
        ("source_in_zone", "api/source?file=0&zone=1"),
        ("report_talking", "api/report?limit=2"),
    ] {
        check(&server, name, path);
    }
    let meta = server.get("api/meta").json();
    let program = &meta["recordings"][0]["program"];
    let expected = serde_json::json!({"zones": 3, "sites": 2, "frames": 2, "logs": 2, "locks": 1,
        "probes": {"events": 9, "cost": 450}});
    assert_eq!(*program, expected);
}

#[test]
fn questions_that_make_no_sense_are_told_why() {
    let server = Running::new(vec![small_recording()]);
    for (path, status, says) in [
        ("api/flame?from=NaN", 400, "`from` cannot be `NaN`"),
        ("api/flame?from=-1", 400, "`from`"),
        ("api/flame?from=5&to=4", 400, "`to`"),
        ("api/flame?px=0", 400, "`px`"),
        ("api/flame?px=wide", 400, "`px`"),
        ("api/flame?states=asleep", 400, "`states`"),
        ("api/flame?order=best", 400, "`order`"),
        ("api/flame?by=colour", 400, "`by`"),
        ("api/flame?inverted=yes", 400, "`inverted`"),
        ("api/flame?threads=1;2", 400, "`threads`"),
        ("api/flame?threads=99", 404, "thread 99"),
        ("api/flame?processes=99", 404, "process 99"),
        ("api/flame?function=99", 404, "function 99"),
        ("api/flame?search=%28", 400, "`search`"),
        ("api/flame?thread=1", 400, "`thread`"),
        ("api/flame?x0=5&x1=1", 400, "`x1`"),
        ("api/flame?depth=deep", 400, "`depth`"),
        ("api/functions?sort=colour", 400, "`sort`"),
        ("api/functions?match=%5B", 400, "`match`"),
        ("api/functions?limit=many", 400, "`limit`"),
        ("api/tree?path=0.x", 400, "`path`"),
        ("api/sandwich", 400, "`function`"),
        ("api/sandwich?function=99", 404, "function 99"),
        ("api/source", 400, "`file`"),
        ("api/source?file=99", 404, "file 99"),
        ("api/search", 400, "`q`"),
        ("api/meta?rec=0&rec=0", 400, "twice"),
        ("api/flame?rec=1", 404, "recording 1"),
        ("api/zone", 400, "`zone`"),
        ("api/zone?zone=0", 404, "zone 0"),
        ("api/zone?at=5", 400, "`threads`"),
        ("api/zone?at=5&threads=0", 404, "no zone at this time"),
        ("api/trace?zone=-1", 400, "`zone`"),
        ("api/site", 400, "`site`"),
        ("api/site?site=7", 404, "place of zones 7"),
        ("api/flame?zone=9", 404, "zone 9"),
        ("api/logs?level=loud", 400, "`level`"),
        ("api/logs?match=%28", 400, "`match`"),
        ("api/nothing", 404, "no such call"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let json = answer.json();
        let error = json["error"].as_str().expect("an error");
        assert!(error.contains(says), "{path}: {error}");
        let hint = json["hint"].as_str().expect("a hint");
        assert!(!hint.is_empty(), "{path}");
    }
}

#[test]
fn no_question_breaks_the_server() {
    let server = Running::new(vec![serve("app.sondage", talking().seal())]);
    let huge = u64::MAX;
    let values = [
        "0".to_owned(),
        "1".into(),
        "18446744073709551615".into(),
        "9007199254740993".into(),
        "-1".into(),
        "NaN".into(),
        "1e300".into(),
        "%00".into(),
        "%ff%fe".into(),
        "..%2f..%2fetc".into(),
        "%28a*%29*b".into(),
        "%28%3F%3Aa%7B1000%7D%29%7B1000%7D".into(),
        "%28%28%28%28".into(),
        "%3Cscript%3E".into(),
        "0,0,0".into(),
        "0.1.2.2.2.2.2".into(),
        "cpu,cpu".into(),
        "x".repeat(3000),
        "0,".repeat(3000),
    ];
    let names = [
        "rec",
        "from",
        "to",
        "processes",
        "threads",
        "states",
        "gil",
        "function",
        "through",
        "search",
        "px",
        "order",
        "inverted",
        "by",
        "x0",
        "x1",
        "depth",
        "sort",
        "desc",
        "offset",
        "limit",
        "match",
        "path",
        "file",
        "q",
        "zone",
        "site",
        "at",
        "lane",
        "least",
        "below",
        "level",
        "percentiles",
    ];
    let calls = [
        "meta",
        "timeline",
        "flame",
        "functions",
        "tree",
        "sandwich",
        "source",
        "files",
        "search",
        "report",
        "tracks",
        "zones",
        "site",
        "instances",
        "zone",
        "trace",
        "frames",
        "logs",
        "locks",
    ];
    for call in calls {
        for name in names {
            for value in &values {
                let path = format!("api/{call}?{name}={value}");
                let answer = server.get(&path);
                assert!(
                    matches!(answer.status, 200 | 400 | 404),
                    "{path}: {}",
                    answer.text()
                );
                answer.json();
            }
        }
        for query in [
            format!("from={huge}&to={huge}"),
            format!("from=0&to={huge}&px=4294967295"),
            format!("from=1&to=2&px=16384&order=time&x0=1&x1={huge}"),
            "from=0&to=0".to_owned(),
            "offset=18446744073709551615&limit=18446744073709551615".to_owned(),
        ] {
            let path = format!("api/{call}?{query}");
            let answer = server.get(&path);
            assert!(
                matches!(answer.status, 200 | 400 | 404),
                "{path}: {}",
                answer.text()
            );
            answer.json();
        }
    }
}

#[test]
fn an_empty_recording_has_answers_that_say_why() {
    let rows = MemoryRecording::new(RecordingInfo::default()).seal();
    let mut empty = serve("empty.sondage", rows);
    empty.recovered = Some("The file ended early; 3 chunks were read.".into());
    let server = Running::new(vec![empty]);
    for call in [
        "flame",
        "flame?order=time",
        "functions",
        "tree",
        "zones",
        "logs",
    ] {
        let answer = server.get(&format!("api/{call}"));
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
        let empty = answer.json()["empty"].clone();
        assert!(
            empty.as_str().is_some_and(|why| !why.is_empty()),
            "{call}: {empty}"
        );
    }
    for call in [
        "timeline",
        "files",
        "report",
        "search?q=x",
        "tracks",
        "frames",
        "locks",
    ] {
        let answer = server.get(&format!("api/{call}"));
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
    }
    let meta = server.get("api/meta").json();
    let recovered = &meta["recordings"][0]["recovered"];
    assert!(
        recovered
            .as_str()
            .is_some_and(|text| text.contains("ended early"))
    );
}

#[test]
fn several_recordings_are_told_apart_by_index() {
    let mut other = small();
    other.info.command = vec!["other.py".into()];
    let other = serve("other.sondage", other.seal());
    let server = Running::new(vec![small_recording(), other]);
    let meta = server.get("api/meta").json();
    assert_eq!(meta["recordings"][1]["index"], 1);
    assert_eq!(meta["recordings"][1]["info"]["command"][0], "other.py");
    assert_eq!(server.get("api/functions?rec=1").status, 200);
    assert_eq!(server.get("api/functions?rec=2").status, 404);
}

#[test]
fn many_at_once_get_the_same_answers_as_one() {
    let server = Running::new(vec![small_recording()]);
    let paths: Vec<String> = (0..40)
        .map(|at| {
            format!(
                "api/flame?from={}&to={}",
                at * 500_000,
                40_000_000 - at * 300_000
            )
        })
        .collect();
    let alone: Vec<Vec<u8>> = paths.iter().map(|path| server.get(path).body).collect();
    std::thread::scope(|scope| {
        for start in 0..8 {
            let (server, paths, alone) = (&server, &paths, &alone);
            scope.spawn(move || {
                for step in 0..paths.len() {
                    let at = (start * 5 + step) % paths.len();
                    assert_eq!(server.get(&paths[at]).body, alone[at], "{}", paths[at]);
                }
            });
        }
    });
}

/// A recording whose samples cannot be had: damaged, or by a bug of ours.
struct Broken<S> {
    inner: S,
    panics: bool,
}

impl<S: Source> Broken<S> {
    fn fail<T>(&self) -> Result<T, SourceError> {
        assert!(!self.panics, "a bug");
        Err(SourceError::Damaged {
            what: "block 0".into(),
            why: "its checksum is wrong".into(),
        })
    }
}

impl<S: Source> Source for Broken<S> {
    fn info(&self) -> &RecordingInfo {
        self.inner.info()
    }
    fn dictionary(&self) -> &Dictionary {
        self.inner.dictionary()
    }
    fn range(&self) -> TimeRange {
        self.inner.range()
    }
    fn blocks(&self) -> &[BlockSpan] {
        self.inner.blocks()
    }
    fn samples(&self, _: usize) -> Result<Arc<SampleColumns>, SourceError> {
        self.fail()
    }
    fn summary(&self, _: usize) -> Result<Arc<[SummaryRow]>, SourceError> {
        self.fail()
    }
    fn tile_widths(&self) -> &[Nanos] {
        self.inner.tile_widths()
    }
    fn tiles(&self, _: Nanos, _: TimeRange) -> Result<Vec<TileRow>, SourceError> {
        self.fail()
    }
    fn counters(&self, range: TimeRange) -> Result<Vec<CounterRow>, SourceError> {
        self.inner.counters(range)
    }
    fn messages(&self) -> &[MessageRow] {
        self.inner.messages()
    }
    fn losses(&self) -> &[LossRow] {
        self.inner.losses()
    }
    fn clock(&self) -> &[ClockRow] {
        self.inner.clock()
    }
    fn source_text(&self, file: FileId) -> Result<Option<Arc<str>>, SourceError> {
        self.inner.source_text(file)
    }
}

fn broken(panics: bool) -> Recording {
    let inner = small().seal();
    serve("broken.sondage", Broken { inner, panics })
}

#[test]
fn damage_and_bugs_are_500_and_the_server_lives() {
    let server = Running::new(vec![broken(false), broken(true), small_recording()]);
    for call in [
        "timeline",
        "flame",
        "flame?order=time",
        "functions",
        "tree",
        "report",
    ] {
        let with = |rec: usize| {
            let separator = if call.contains('?') { '&' } else { '?' };
            server.get(&format!("api/{call}{separator}rec={rec}"))
        };
        let damaged = with(0);
        assert_eq!(damaged.status, 500, "{call}");
        let error = damaged.json()["error"].to_string();
        assert!(error.contains("checksum"), "{call}: {error}");
        let bug = with(1);
        assert_eq!(bug.status, 500, "{call}");
        assert!(bug.json()["hint"].is_string(), "{call}");
        assert!(!bug.text().contains("a bug"), "the inside stays inside");
        assert_eq!(with(2).status, 200, "{call}");
    }
}
