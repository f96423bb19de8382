//! The bytes of an event, and the shared memory that carries it out of the program.
//!
//! **Supplies** the [`Arena`] (a piece of memory that a program and a collector both map), the
//! [`Producer`] with which one thread writes events into it, the [`Reader`] that takes them out on
//! the other side, the [`Event`]s themselves, the [`Definition`]s that they refer to by number,
//! and the [`hello`] with which the two sides meet.
//!
//! **Solves** that a probe must cost two clock reads and 24 bytes of stores, must never wait,
//! allocate or make a system call, and that what it has written must be there after `kill -9`.
//! The arena is cut into chunks. A thread owns a chunk while it writes, and an event is committed
//! by the release store of its first word, which is never zero: there is no index to update.
//! A full chunk goes to the collector, which clears it and gives it back. When there is no free
//! chunk, events are dropped and counted, and the next chunk tells how many. Without a collector a
//! thread writes over its own oldest chunk: a flight recorder.
//!
//! **Not for** profiles: it knows events and no spans, trees or files. It makes no memory map, reads
//! no clock and opens no socket: the program's side (`sondage`) and the collector's
//! (`sondage-collect`) do. Nor does the reader trust the writer: whatever the bytes, it does not
//! panic, and reads only inside the arena.
//!
//! ```
//! use sondage_wire::*;
//! let memory = Memory::new(Size { chunks: 4, name_words: 1024 });
//! let arena = memory.arena();
//! arena.define(&Definition::site(7, "parse", "app::parse", "src/app.rs", 12, 0));
//!
//! let mut thread = Producer::new();
//! thread.attach(arena.define_thread(4711, "main"));
//! assert!(thread.refill(arena, || 0));
//! thread.zone_begin(100, 7);
//! thread.zone_end(250);
//!
//! let mut seen = Vec::new();
//! Reader::new(arena).poll(Take::Collect, |batch| {
//!     for event in batch.events() {
//!         seen.push(event.unwrap());
//!     }
//! });
//! assert_eq!(seen, [
//!     Event::ZoneBegin { ticks: 100, site: 7, depth: 0 },
//!     Event::ZoneEnd { ticks: 250 },
//! ]);
//! ```

mod arena;
mod decode;
mod definition;
pub mod encode;
mod event;
pub mod hello;
mod image;
mod memory;
mod producer;
mod reader;
mod sync;

pub use arena::{Arena, ArenaError, CHUNK_WORDS, ClockKind, Mode, Size};
pub use definition::{Definition, Definitions};
pub use event::{
    BadEvent, Event, FrameOp, LockOp, MAX_TEXT_BYTES, OwnedValue, SpanId, TASK_KEY, TraceId, Value,
    ValueKind,
};
pub use image::{Image, Part};
pub use memory::Memory;
pub use producer::Producer;
pub use reader::{Batch, Gap, Reader, Take};
