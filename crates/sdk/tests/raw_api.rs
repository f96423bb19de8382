//! Every public item of `sondage::raw`, and those of the crate's root that are written twice, with
//! their types: compiled with probes here and without them by `scripts/probes.sh`, so that what
//! builds with one builds with the other.

use std::path::PathBuf;

use sondage::raw::{self, FrameOp, LockOp, Lost, SpanId, TraceId, Value};
use sondage::{ConnectError, Connection, SaveError};

const THIS: &str = include_str!("raw_api.rs");
const WITH_PROBES: &str = include_str!("../src/raw.rs");

type Name = fn(&str);
type Number = fn(&str) -> u32;

fn numbers() {
    let _: fn(&str, &str, &str, u32, u32) -> u32 = raw::site;
    let _: Number = raw::text;
    let _: fn(&str, &str) -> u32 = raw::lock;
    let _: fn(&str, &str) -> u32 = raw::shared_lock;
    let _: Name = raw::thread_name;
    let _: Name = raw::process_name;
}

fn switch_and_clock() {
    let _: fn() -> bool = raw::is_enabled;
    let _: fn(bool) = raw::set_enabled;
    let _: fn() -> u64 = raw::ticks;
    let _: fn(u64) -> u64 = raw::nanos_of;
    let _: fn() -> u64 = raw::zone_cost_picos;
    let _: fn() -> Lost = raw::lost;
}

fn zones_and_spans() {
    let _: fn(u32) -> bool = raw::zone_begin;
    let _: fn(fn() -> u32) -> bool = raw::zone_begin_at;
    let _: fn() = raw::zone_end;
    let _: fn() -> SpanId = raw::new_span_id;
    let _: fn() -> TraceId = raw::new_trace_id;
    let _: fn() -> SpanId = raw::current_span;
    let _: fn(SpanId) -> SpanId = raw::set_current_span;
    let _: fn(u32, SpanId, SpanId) -> bool = raw::span_begin;
    let _: fn(u32, SpanId, SpanId) -> bool = raw::span_make;
    let _: fn(u32, SpanId, SpanId, TraceId, bool) -> bool = raw::span_root;
    let _: fn(SpanId) -> bool = raw::span_enter;
    let _: fn(SpanId) -> bool = raw::span_exit;
    let _: fn(SpanId, bool) -> bool = raw::span_end;
    let _: fn(u32, SpanId, u64, [u64; 3]) -> bool = raw::cumulative;
}

fn at_a_time() {
    let _: fn(u64, u32) -> bool = raw::at::zone_begin;
    let _: fn(u64) = raw::at::zone_end;
    let _: fn(u64, u32, SpanId, SpanId) -> bool = raw::at::span_begin;
    let _: fn(u64, u32, (SpanId, SpanId), TraceId, bool) -> bool = raw::at::span_root;
    let _: fn(u64, SpanId, bool) -> bool = raw::at::span_end;
}

fn the_rest() {
    let _: fn(SpanId, u32, Value<'_>) -> bool = raw::value;
    let _: fn(SpanId, u32, Value<'_>) -> bool = raw::value_untold;
    let _: fn(u32, FrameOp) -> bool = raw::frame;
    let _: fn(u32, Value<'_>) -> bool = raw::plot;
    let _: fn(u8, u32, &str) -> bool = raw::message;
    let _: fn(u32, LockOp) -> bool = raw::lock_event;
    let _: fn(u32, LockOp) -> bool = raw::lock_wait;
    let _: fn(u64, u64) -> bool = raw::memory;
}

fn collectors_and_files() {
    let _: fn(Option<&str>) -> Result<Connection, ConnectError> = sondage::connect;
    let _: fn() -> Option<Connection> = sondage::connection;
    let _: fn(&'static str) -> Result<PathBuf, SaveError> = sondage::save;
    let _: fn(&'static str) -> Result<(), SaveError> = sondage::save_at_exit;
    let _: fn(&'static str) -> Result<(), SaveError> = sondage::save_on_crash;
    let _: [&str; 2] = [sondage::BUFFER_VARIABLE, sondage::FLIGHT_VARIABLE];
}

#[test]
fn all_of_it_can_be_named() {
    numbers();
    switch_and_clock();
    zones_and_spans();
    at_a_time();
    the_rest();
    collectors_and_files();
    let Lost { events, names } = Lost::default();
    assert_eq!((events, names), (0, 0));
}

/// So that a new item is not left out here, and with it in the build without probes.
#[test]
fn nothing_public_is_missing_above() {
    let mut module = "";
    let mut functions = 0;
    for line in WITH_PROBES.lines() {
        if line.starts_with('}') {
            module = "";
        }
        let Some(item) = line.trim_start().strip_prefix("pub ") else {
            continue;
        };
        let (kind, rest) = item.split_once(' ').expect("a kind and a name");
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        let name = name.expect("a name");
        match kind {
            "mod" => module = name,
            "fn" => {
                functions += 1;
                let path = match module {
                    "" => format!("raw::{name};"),
                    module => format!("raw::{module}::{name};"),
                };
                assert!(THIS.contains(&path), "{path} is not in this file");
            }
            "struct" => assert!(THIS.contains(&format!("{name}::default()")), "{name}"),
            // Fields, and what is passed on from `sondage_wire` in both builds.
            _ => {}
        }
    }
    assert!(functions > 30, "{functions}");
}
