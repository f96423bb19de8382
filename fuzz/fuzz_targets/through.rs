//! Sends an imported recording through all exports.

use sondage_formats::{ExportOptions, FORMATS, FormatError, ImportOptions, export, import_as};

/// Reads `bytes` as `format` and writes what came of it in every format. To refuse the bytes is
/// fine; panics, endless loops, memory without bound and recordings that cannot be exported are
/// not.
pub fn through(format: &str, bytes: &[u8]) {
    let Ok(recording) = import_as(format, bytes, &ImportOptions::default()) else {
        return;
    };
    let source = recording.seal();
    for format in FORMATS.iter().filter(|format| format.export.is_some()) {
        let mut out = std::io::sink();
        match export(format.name, &source, &ExportOptions::default(), &mut out) {
            Ok(()) | Err(FormatError::TooLarge { .. }) => {}
            Err(error) => panic!("{}: {error}", format.name),
        }
    }
}
