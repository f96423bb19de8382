//! Asks a recording for everything that a viewer asks for.

use sondage_model::{FileId, Source, TimeRange};
use sondage_recording::Recording;

/// Reads all there is. Errors are fine; panics, endless loops and memory without bound are not.
pub fn walk(recording: &Recording) {
    let dict = recording.dictionary();
    for block in 0..recording.blocks().len() {
        if let Ok(samples) = recording.samples(block) {
            for row in samples.rows() {
                let _ = &dict.threads()[row.thread.index()];
                for frame in dict.frames_inward(row.stack) {
                    let function = dict.functions()[dict.function_of(frame).index()];
                    let _ = (dict.text(function.name), dict.file_path(function.file));
                }
            }
        }
        let _ = recording.summary(block);
    }
    let _ = recording.totals();
    for &width in recording.tile_widths() {
        let _ = recording.tiles(width, recording.range());
    }
    let _ = recording.counters(TimeRange::ALL);
    for block in 0..recording.zone_blocks().len() {
        let _ = recording.zones(block);
        let _ = recording.zone_summary(block);
    }
    for &width in recording.zone_tile_widths() {
        let _ = recording.zone_tiles(width, recording.range());
    }
    let _ = recording.frame_marks();
    let _ = recording.logs(TimeRange::ALL);
    let _ = recording.waits(TimeRange::ALL);
    for file in 0..dict.files().len() as u32 {
        let _ = recording.source_text(FileId(file));
    }
}
