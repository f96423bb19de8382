//! Any bytes as a file of the format `pprof`.
#![no_main]

mod through;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| through::through("pprof", bytes));
