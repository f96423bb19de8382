//! Any bytes as a file that a program saved, behind its magic and version. A good seed is a file of
//! `sondage::save` without its first twelve bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = b"SONDAGEW\x02\0\0\0".to_vec();
    file.extend_from_slice(bytes);
    file.resize(file.len().max(4096), 0);
    if let Ok(recording) = sondage_collect::flight::load(&file) {
        let _ = recording.seal();
    }
});
