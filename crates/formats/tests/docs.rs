//! Every format has a page, and the page says what the program says.

use std::path::Path;

use sondage_formats::FORMATS;

/// Text without line breaks, code marks and emphasis.
fn words(text: &str) -> String {
    let plain = text.replace(['`', '*'], "");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_format_has_a_page_that_says_what_it_loses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats");
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let list = read("README.md");
    for format in FORMATS {
        let page = words(&read(&format!("{}.md", format.name)));
        assert!(
            page.contains(&format!(".{}", format.extension)),
            "{}: extension",
            format.name
        );
        assert!(
            list.contains(&format!("({}.md)", format.name)),
            "{} is not in the list",
            format.name
        );
        if format.export.is_some() {
            let loses = words(&format!("Not in it: {}.", format.loses));
            assert!(
                page.contains(&loses),
                "{}: its page does not say: {loses}",
                format.name
            );
        }
        if let Some(import) = format.import {
            let head = words("Not carried over:");
            assert!(page.contains(&head), "{}: {head}", format.name);
            let loses = words(import.loses);
            let end = loses.rsplit(',').next().unwrap_or(&loses);
            assert!(
                page.contains(end),
                "{}: its page does not say: {loses}",
                format.name
            );
        }
    }
}

#[test]
fn names_and_extensions_are_unique() {
    for (index, a) in FORMATS.iter().enumerate() {
        for b in &FORMATS[index + 1..] {
            assert_ne!(a.name, b.name);
            assert_ne!(a.extension, b.extension);
        }
        let found = sondage_formats::for_file_name(&format!("some.thing.{}", a.extension));
        assert_eq!(found.map(|format| format.name), Some(a.name));
    }
    assert!(sondage_formats::for_file_name("json").is_none());
}
