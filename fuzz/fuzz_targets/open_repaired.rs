//! Any bytes as a recording whose checksums are right, so that the fuzzer gets behind them.
#![no_main]

mod walk;

use libfuzzer_sys::fuzz_target;
use sondage_recording::Recording;

const HEAD: [u8; 12] = *b"\x89SONDAGE\x01\0\0\0";
const CHUNK: [u8; 4] = *b"\xf5SCK";
const HEADER: usize = 80;

fuzz_target!(|bytes: &[u8]| {
    // The input is a list of chunks: 72 bytes of header, less magic and checksum, and a payload as
    // long as the header says.
    let mut file = HEAD.to_vec();
    file.extend(crc32fast::hash(&HEAD).to_le_bytes());
    let mut rest = bytes;
    while let Some((fields, after)) = rest.split_at_checked(HEADER - 8) {
        let mut header = CHUNK.to_vec();
        header.extend(fields);
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let payload;
        (payload, rest) = after.split_at(length.min(after.len()));
        header[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[20..24].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        let crc = crc32fast::hash(&header);
        file.extend(header);
        file.extend(crc.to_le_bytes());
        file.extend(payload);
    }
    if let Ok(recording) = Recording::from_bytes(file) {
        walk::walk(&recording);
    }
});
