//! Any bytes as a recording.
#![no_main]

mod walk;

use libfuzzer_sys::fuzz_target;
use sondage_recording::Recording;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = Recording::from_bytes(bytes) {
        walk::walk(&recording);
    }
});
