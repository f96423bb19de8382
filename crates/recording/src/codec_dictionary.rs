//! The dictionary's rows to columns. The way back is in [`crate::dictionary_loader`].

use sondage_model::schema::Table;
use sondage_model::{Dictionary, ProcessId, TaskId, ThreadId};

use crate::codec::process_code;
use crate::ipc::{BatchEncoder, Encoded};

/// A longer string is cut: a chunk must hold it.
const LONGEST_STRING: usize = 1 << 20;

/// `text` cut to `most` bytes at a character.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The rows `from..to` of a table that is stored by position.
pub(crate) fn encode_by_position(
    dictionary: &Dictionary,
    table: Table,
    from: usize,
    to: usize,
) -> Encoded {
    let mut batch = BatchEncoder::new(table, to - from);
    match table {
        Table::Strings => {
            let rows = &dictionary.strings.as_slice()[from..to];
            batch.utf8(rows.iter().map(|text| cut(text, LONGEST_STRING)));
        }
        Table::Files => batch.u32(dictionary.files()[from..to].iter().map(|path| path.0)),
        Table::Functions => {
            let rows = &dictionary.functions()[from..to];
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.qualified_name.0));
            batch.u32(rows.iter().map(|row| row.file.0));
            batch.u32(rows.iter().map(|row| row.first_line));
            batch.u8(rows.iter().map(|row| row.kind as u8));
        }
        Table::Frames => {
            let rows = &dictionary.frames()[from..to];
            batch.u32(rows.iter().map(|row| row.function.0));
            batch.u32(rows.iter().map(|row| row.line));
        }
        Table::Stacks => {
            let rows = &dictionary.stacks()[from..to];
            batch.u32(rows.iter().map(|row| row.parent.0));
            batch.u32(rows.iter().map(|row| row.frame.0));
        }
        Table::Modules => {
            let rows = &dictionary.modules()[from..to];
            batch.u32(rows.iter().map(|row| row.process.0));
            batch.u32(rows.iter().map(|row| row.path.0));
            batch.u32(rows.iter().map(|row| row.build_id.0));
            batch.u64(rows.iter().map(|row| row.start));
            batch.u64(rows.iter().map(|row| row.size.0));
        }
        Table::CounterSeries => {
            let rows = &dictionary.counter_series()[from..to];
            batch.u32(rows.iter().map(|row| row.process.0));
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.unit.0));
            batch.u8(rows.iter().map(|row| row.kind as u8));
        }
        Table::Sites => {
            let rows = &dictionary.sites()[from..to];
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.function.0));
            batch.u32(rows.iter().map(|row| row.file.0));
            batch.u32(rows.iter().map(|row| row.line));
            batch.u32(rows.iter().map(|row| row.colour));
        }
        Table::Locks => {
            let rows = &dictionary.locks()[from..to];
            batch.u32(rows.iter().map(|row| row.process.0));
            batch.u32(rows.iter().map(|row| row.name.0));
            batch.u32(rows.iter().map(|row| row.place.0));
        }
        other => unreachable!("{} is not stored by position", other.name()),
    }
    batch.finish()
}

pub(crate) fn encode_processes(dictionary: &Dictionary, ids: &[ProcessId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.processes()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Processes, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.i32(rows().map(|row| row.pid.0));
    batch.u32(rows().map(|row| process_code(row.parent)));
    batch.u32(rows().map(|row| row.name.0));
    batch.u32(rows().map(|row| row.command.0));
    batch.u32(rows().map(|row| row.runtime.0));
    batch.u64(rows().map(|row| row.start.0));
    batch.u64(rows().map(|row| row.end.0));
    batch.finish()
}

pub(crate) fn encode_threads(dictionary: &Dictionary, ids: &[ThreadId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.threads()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Threads, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.u32(rows().map(|row| row.process.0));
    batch.i32(rows().map(|row| row.tid.0));
    batch.u32(rows().map(|row| row.name.0));
    batch.u8(rows().map(|row| u8::from(row.is_main)));
    batch.u64(rows().map(|row| row.start.0));
    batch.u64(rows().map(|row| row.end.0));
    batch.finish()
}

pub(crate) fn encode_tasks(dictionary: &Dictionary, ids: &[TaskId]) -> Encoded {
    let rows = || ids.iter().map(|id| &dictionary.tasks()[id.index()]);
    let mut batch = BatchEncoder::new(Table::Tasks, ids.len());
    batch.u32(ids.iter().map(|id| id.0));
    batch.u32(rows().map(|row| row.process.0));
    batch.u32(rows().map(|row| row.name.0));
    batch.u32(rows().map(|row| row.coroutine.0));
    batch.u32(rows().map(|row| row.parent.0));
    batch.finish()
}
