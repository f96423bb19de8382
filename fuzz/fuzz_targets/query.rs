//! Any text as a question to the viewer's server: a call, a space, the query of a URL.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sondage_analyze::picture;
use sondage_serve::{ErrorKind, Recording, answer};

static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    let rows = picture::record(
        "
        thread:  Main     Main     Main  Main    Worker    Worker
        state:   cpu+gil  blocked  cpu   cpu+gil gil-wait  cpu+gil
        ms:      1        5        2     1       8         3
                 a        a        b     a       w         w
                 b                 a     b                 a
                 a                                         b
    ",
    );
    let rows = Arc::new(rows.seal());
    vec![Recording::new("app.sondage", rows).expect("a whole recording")]
});

fuzz_target!(|text: &str| {
    let (call, query) = text.split_once(' ').unwrap_or((text, ""));
    match answer(&RECORDINGS, call, query) {
        Ok(json) => assert!(json.starts_with(b"{"), "{call} answers with JSON"),
        Err(error) => assert_ne!(error.kind(), ErrorKind::Internal, "{error}"),
    }
});
