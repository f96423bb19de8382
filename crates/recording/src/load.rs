//! What of a recording is kept in memory: its info, dictionary and small tables.

use rustc_hash::FxHashMap;
use sondage_model::schema::Table;
use sondage_model::{ClockRow, FileId, LossRow, MessageRow, Nanos, RecordingInfo};

use crate::chunk::{ChunkRef, Kind};
use crate::codec;
use crate::dictionary_loader::DictionaryLoader;
use crate::error::ChunkError;
use crate::index::{self, Index};
use crate::recovery::Recovery;
use crate::store::Store;

/// Where the program's own rows are, as positions in the index; zones are in blocks.
#[derive(Default)]
pub(crate) struct ProgramChunks {
    pub frame_marks: Vec<usize>,
    pub logs: Vec<usize>,
    pub waits: Vec<usize>,
}

/// Reads what is kept in memory.
pub(crate) struct Loader<'a> {
    store: &'a dyn Store,
    index: &'a Index,
    pub info: RecordingInfo,
    pub tile_widths: Vec<Nanos>,
    pub dictionary: DictionaryLoader,
    pub messages: Vec<MessageRow>,
    pub losses: Vec<LossRow>,
    pub clock: Vec<ClockRow>,
    pub counters: Vec<usize>,
    pub texts: FxHashMap<FileId, usize>,
    pub program: ProgramChunks,
    pub recovery: Recovery,
}

impl<'a> Loader<'a> {
    pub fn new(store: &'a dyn Store, index: &'a Index) -> Loader<'a> {
        Loader {
            store,
            index,
            info: RecordingInfo::default(),
            tile_widths: Vec::new(),
            dictionary: DictionaryLoader::new(),
            messages: Vec::new(),
            losses: Vec::new(),
            clock: Vec::new(),
            counters: Vec::new(),
            texts: FxHashMap::default(),
            program: ProgramChunks::default(),
            recovery: Recovery::new(index),
        }
    }

    pub fn load(&mut self) -> Result<(), (Table, ChunkError)> {
        let mut bytes_left = index::raw_budget(self.store.length());
        for (at, chunk) in self.index.chunks.iter().enumerate() {
            let header = &chunk.header;
            if header.kind != Kind::Rows as u8 {
                continue;
            }
            let Some(table) = Table::from_code(header.table) else {
                continue;
            };
            match table {
                Table::Samples
                | Table::Summaries
                | Table::Tiles
                | Table::Index
                | Table::Zones
                | Table::ZoneDetails
                | Table::ZoneSummaries
                | Table::ZoneTiles => continue,
                Table::FrameMarks => {
                    self.program.frame_marks.push(at);
                    continue;
                }
                Table::Logs => {
                    self.program.logs.push(at);
                    continue;
                }
                Table::Waits => {
                    self.program.waits.push(at);
                    continue;
                }
                Table::Counters => {
                    self.counters.push(at);
                    continue;
                }
                Table::SourceTexts => {
                    if let Ok(file) = u32::try_from(header.detail) {
                        self.texts.insert(FileId(file), at);
                    }
                    continue;
                }
                _ => {}
            }
            bytes_left = bytes_left
                .checked_sub(u64::from(header.raw_length))
                .ok_or((table, ChunkError::TooLarge(u64::from(header.raw_length))))?;
            match self.load_chunk(table, chunk) {
                Ok(()) => {}
                // The file is not as its footer says: a part of it was changed.
                Err(ChunkError::Checksum | ChunkError::Cut | ChunkError::Io(_)) => {
                    self.recovery.bad_chunks += 1;
                }
                Err(error) => return Err((table, error)),
            }
        }
        Ok(())
    }

    fn load_chunk(&mut self, table: Table, chunk: &ChunkRef) -> Result<(), ChunkError> {
        let Loader {
            store,
            index,
            info,
            tile_widths,
            dictionary,
            messages,
            losses,
            clock,
            ..
        } = self;
        index.rows(*store, chunk, |batch, header| {
            match table {
                Table::Info => codec::decode_info(batch, info, tile_widths)?,
                Table::Messages => messages.extend(codec::decode_messages(batch)?),
                Table::Losses => losses.extend(codec::decode_losses(batch)?),
                Table::Clock => clock.extend(codec::decode_clock(batch)?),
                table => dictionary.add(table, header.detail, batch)?,
            }
            Ok(())
        })
    }
}
