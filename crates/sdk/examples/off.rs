//! One function with every probe and the same without: `scripts/probes.sh` compares what the compiler
//! makes of them when probes are compiled out. It must be the same.

use sondage::{Level, cumulative, enter, frame, frame_mark, message, plot, span, zone};

#[sondage::instrument(args(n))]
fn square(n: u64) -> u64 {
    n * n
}

/// With probes.
#[unsafe(no_mangle)]
pub fn with_probes(values: &[u64]) -> u64 {
    zone!("sum", count = values.len());
    let mut passes = cumulative!("pass");
    let mut sum = 0_u64;
    for value in values {
        let _pass = passes.pass();
        zone!(colour: 0xff0000, "value", value = value);
        let _inner = enter!("inner");
        let _frame = frame!("frame");
        let span = span!("span");
        sum = span.enter(|| sum.wrapping_add(square(*value)));
        plot!("sum", sum);
        message!("sum is {sum}");
        message!(Level::Warning, colour: 1, "sum is {sum}");
    }
    frame_mark!();
    frame_mark!("named");
    sum
}

/// Without.
#[unsafe(no_mangle)]
pub fn without_probes(values: &[u64]) -> u64 {
    let mut sum = 0_u64;
    for value in values {
        sum = sum.wrapping_add(value * value);
    }
    sum
}
