//! Any bytes as a file of the format `collapsed`.
#![no_main]

mod through;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| through::through("collapsed", bytes));
