//! What the writer does with rows of any table: cut them into chunks, write and forget them.

use std::io::{self, Write};

use sondage_model::schema::Table;
use sondage_model::{Dictionary, SampleColumns, Time};

use crate::chunk::Header;
use crate::ipc::Encoded;
use crate::output::Output;

/// Messages in one chunk: as long as they may be, they fit.
const CHUNK_MESSAGES: usize = 256;
/// Bytes of strings in one chunk, about.
const CHUNK_TEXT: usize = 4 << 20;
/// When writing fails, so many rows of each of these tables are kept for the next try.
const MOST_KEPT_EVENTS: usize = 64 << 10;
/// The most rows of a chunk.
pub(crate) const CHUNK_ROWS: usize = 32 << 10;

/// Where a chunk of the table must end that begins at `from`.
pub(crate) fn part_end(dictionary: &Dictionary, table: Table, from: usize, to: usize) -> usize {
    let to = to.min(from + CHUNK_ROWS);
    if table != Table::Strings {
        return to;
    }
    let mut bytes = 0;
    let rows = &dictionary.strings.as_slice()[from..to];
    let fitting = rows.iter().take_while(|text| {
        let fits = bytes < CHUNK_TEXT;
        bytes += text.len();
        fits
    });
    from + fitting.count()
}

/// Writes rows of a table that has no ids, and forgets those that are written.
pub(crate) fn write_events<W: Write, R>(
    out: &mut Output<W>,
    table: Table,
    rows: &mut Vec<R>,
    encode: impl Fn(&[R]) -> Encoded,
    span: impl Fn(&R) -> (Time, Time),
) -> io::Result<()> {
    while !rows.is_empty() {
        let most = if matches!(table, Table::Messages | Table::Logs) {
            CHUNK_MESSAGES
        } else {
            CHUNK_ROWS
        };
        let part = &rows[..rows.len().min(most)];
        let header = Header {
            first: part.iter().map(|row| span(row).0.0).min().unwrap_or(0),
            last: part.iter().map(|row| span(row).1.0).max().unwrap_or(0),
            ..Header::default()
        };
        out.rows(table, &encode(part), header)?;
        let part = part.len();
        rows.drain(..part);
    }
    Ok(())
}

pub(crate) fn keep_last<R>(rows: &mut Vec<R>) {
    let excess = rows.len().saturating_sub(MOST_KEPT_EVENTS);
    rows.drain(..excess);
}

/// Removes the first rows.
pub(crate) fn drop_front(samples: &mut SampleColumns, rows: usize) {
    if rows == samples.len() {
        samples.clear();
        return;
    }
    samples.times.drain(..rows);
    samples.weights.drain(..rows);
    samples.counts.drain(..rows);
    samples.threads.drain(..rows);
    samples.stacks.drain(..rows);
    samples.tasks.drain(..rows);
    samples.states.drain(..rows);
}
