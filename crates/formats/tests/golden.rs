//! Every format writes the small recording as it did before, and every recording without failing.

mod common;

use sondage_formats::{ExportOptions, FORMATS, export};
use sondage_model::Source;

fn exported(format: &str, source: &dyn Source, options: &ExportOptions) -> Vec<u8> {
    let mut out = Vec::new();
    export(format, source, options, &mut out).unwrap_or_else(|error| panic!("{format}: {error}"));
    out
}

#[test]
fn the_small_recording_looks_as_before() {
    let source = common::small().seal();
    for format in FORMATS.iter().filter(|f| f.export.is_some() && f.text) {
        let text = exported(format.name, &source, &ExportOptions::default());
        let text = String::from_utf8(text).expect("a text format");
        insta::assert_snapshot!(format.name, common::without_script(&text));
    }
}

#[test]
fn what_a_program_says_looks_as_before() {
    let source = common::says().seal();
    for format in ["chrome", "speedscope", "firefox"] {
        let text = exported(format, &source, &ExportOptions::default());
        let text = String::from_utf8(text).expect("a text format");
        insta::assert_snapshot!(format!("says-{format}"), text);
    }
}

#[test]
fn json_formats_write_valid_json_of_any_recording() {
    for name in common::RECORDINGS {
        let source = common::recording(name).expect("it is listed").seal();
        for format in FORMATS.iter().filter(|f| f.export.is_some()) {
            let bytes = exported(format.name, &source, &ExportOptions::default());
            assert_eq!(
                bytes,
                exported(format.name, &source, &ExportOptions::default()),
                "{name}"
            );
            if format.extension.ends_with("json") {
                let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
                valid.unwrap_or_else(|error| panic!("{} of {name}: {error}", format.name));
            }
        }
    }
}
