//! Which memory one sample copies: learned, so that one system call is enough.

use super::pace::Size;
use crate::code::Identity;
use crate::layout::{CurrentFrame, Layout};
use crate::memory::{Memory, MemoryError, Span, field, half, word};
use sondage_model::RemoteAddr;

/// A range of memory that frames lie in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub start: u64,
    pub end: u64,
    /// Never read past this: the end of the chunk.
    limit: u64,
    /// Whether it is a chunk of the data stack.
    pub chunk: bool,
    /// Where its copy begins in the buffer.
    at: usize,
    /// Lowest and highest frame address seen since the last trim.
    low: u64,
    high: u64,
}

/// A chunk of a thread's data stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    start: u64,
    end: u64,
}

impl Chunk {
    fn first_frame(&self) -> u64 {
        self.start.saturating_add(CHUNK_HEADER)
    }
}

/// Bytes before a chunk's first frame: `previous`, `size`, `top`.
const CHUNK_HEADER: u64 = 24;
/// Most chunks of a thread.
const MAX_CHUNKS: usize = 4096;
/// Largest chunk believed; CPython makes them of 16 KiB unless a single frame is larger.
const MAX_CHUNK: u64 = 1 << 20;
/// Most regions of a plan, and most bytes.
const MAX_REGIONS: usize = 8192;
const MAX_BYTES: usize = 64 << 20;
/// Bytes copied beyond the innermost frame seen, so that a few calls more do not matter.
const SLACK: u64 = 1024;
/// Regions nearer than this are copied as one: an iovec costs as much as copying 4 KiB.
const NEAR: u64 = 1024;
/// Samples between two trims.
const TRIM_EVERY: u32 = 512;
/// Most code objects whose identity is copied along.
const HOT: usize = 6;

/// The chunks of a thread's data stack, newest first, up to the one that holds `address`; as many
/// as make sense.
pub(super) fn chunks(
    memory: &dyn Memory,
    layout: &Layout,
    thread: u64,
    address: u64,
) -> Vec<Chunk> {
    let mut found: Vec<Chunk> = Vec::new();
    let mut header = [0; 16];
    let first = field(thread, layout.thread.datastack_chunk);
    let Ok(mut at) = crate::memory::read_u64(memory, first) else {
        return found;
    };
    while at != 0 && found.len() < MAX_CHUNKS {
        if memory.read(RemoteAddr(at), &mut header).is_err() {
            break;
        }
        let size = word(&header, 8).unwrap_or(0);
        if !(CHUNK_HEADER..=MAX_CHUNK).contains(&size) || found.iter().any(|c| c.start == at) {
            break;
        }
        found.push(Chunk {
            start: at,
            end: at.saturating_add(size),
        });
        if (at..at.saturating_add(size)).contains(&address) {
            break;
        }
        at = word(&header, 0).unwrap_or(0);
    }
    found
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    spans: Vec<Span>,
    buffer: Vec<u8>,
    regions: Vec<Region>,
    /// Code objects whose identity is to be copied with each sample, and those whose is.
    hot: Vec<u64>,
    hot_copied: Vec<u64>,
    thread: u64,
    thread_size: usize,
    interpreter: u64,
    gil: u64,
    cframe: u64,
    identity_size: usize,
    /// Offset of the running asyncio task in the thread state.
    task_at: Option<usize>,
    /// Offsets in the buffer.
    cframe_at: usize,
    gil_at: usize,
    generation_at: usize,
    hot_at: usize,
    again_at: usize,
    /// Index of the first region's span.
    first_region: usize,
    /// Addresses of frames that are to be copied a second time, and of those that are.
    again: Vec<u64>,
    again_copied: Vec<u64>,
    frame_size: usize,
    /// The asyncio task that is to be copied with each sample, and the one that is.
    task: Option<TaskSpans>,
    task_copied: Option<TaskSpans>,
    task_bytes_at: usize,
    /// Index of its first span.
    task_span: usize,
    stale: bool,
    since_trim: u32,
}

/// Where a task and its name lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TaskSpans {
    /// The task's words.
    pub words: Span,
    /// The first bytes of its name.
    pub name: Span,
}

impl Plan {
    pub fn is_new(&self) -> bool {
        self.thread == 0
    }

    pub fn begin(
        &mut self,
        layout: &Layout,
        place: CurrentFrame,
        thread: u64,
        interpreter: u64,
        gil: u64,
        task_at: Option<usize>,
    ) {
        let fields = &layout.thread;
        let mut end = fields
            .interp
            .max(fields.native_thread_id)
            .max(fields.thread_id)
            + 8;
        end = end.max(match place {
            CurrentFrame::Direct { at } => at + 8,
            CurrentFrame::ThroughCFrame { cframe, .. } => cframe + 8,
        });
        if let Some(at) = fields.base_frame {
            end = end.max(at + 8);
        }
        if let crate::layout::HoldsGil::InThread { at, .. } = fields.holds_gil {
            end = end.max(at + 4);
        }
        if let Some(at) = task_at {
            end = end.max(at + 8);
        }
        self.task_at = task_at;
        self.thread = thread;
        self.thread_size = end;
        self.interpreter = interpreter;
        self.gil = gil;
        self.identity_size = Identity::size(layout);
        self.frame_size = layout.frame.size;
        self.stale = true;
        self.generation_at = usize::MAX;
        self.rebuild(layout);
    }

    pub fn set_cframe(&mut self, cframe: u64) {
        self.cframe = cframe;
        self.stale = true;
    }

    fn rebuild(&mut self, layout: &Layout) {
        self.spans.clear();
        let mut at = 0;
        let mut push = |spans: &mut Vec<Span>, address: u64, len: usize| {
            spans.push(Span { at: address, len });
            let start = at;
            at += len;
            start
        };
        push(&mut self.spans, self.thread, self.thread_size);
        if let CurrentFrame::ThroughCFrame { current_frame, .. } = layout.thread.frame {
            // Until it is known, something readable stands in for it.
            let address = if self.cframe == 0 {
                self.thread
            } else {
                self.cframe
            };
            self.cframe_at = push(&mut self.spans, address, current_frame + 8);
        }
        self.first_region = self.spans.len();
        for region in &mut self.regions {
            let len = (region.end - region.start) as usize;
            region.at = push(&mut self.spans, region.start, len);
        }
        self.again_copied.clone_from(&self.again);
        for (index, address) in self.again.iter().enumerate() {
            let start = push(&mut self.spans, *address, self.frame_size);
            if index == 0 {
                self.again_at = start;
            }
        }
        if self.gil != 0 {
            self.gil_at = push(&mut self.spans, self.gil, layout.gil.locked + 4);
        }
        if let Some(offset) = layout.interpreter.code_generation {
            self.generation_at = push(&mut self.spans, field(self.interpreter, offset), 8);
        }
        self.hot_copied.clone_from(&self.hot);
        for (index, address) in self.hot.iter().enumerate() {
            let start = push(&mut self.spans, *address, self.identity_size);
            if index == 0 {
                self.hot_at = start;
            }
        }
        self.task_copied = self.task;
        self.task_span = self.spans.len();
        if let Some(task) = self.task {
            self.task_bytes_at = push(&mut self.spans, task.words.at, task.words.len);
            push(&mut self.spans, task.name.at, task.name.len);
        }
        self.buffer.resize(at, 0);
        self.stale = false;
    }

    pub fn read(&mut self, memory: &dyn Memory) -> Result<(), (usize, MemoryError)> {
        memory.gather(&self.spans, &mut self.buffer)
    }

    pub fn refresh(&mut self, layout: &Layout) {
        if self.stale {
            self.rebuild(layout);
        }
    }

    /// Takes the span that could not be read out of the plan; `false` when it cannot do without.
    pub fn drop_span(&mut self, span: usize) -> bool {
        if span == 0 {
            return false;
        }
        self.stale = true;
        if span >= self.task_span {
            self.task = None;
        } else if span < self.first_region {
            self.cframe = 0;
        } else if span - self.first_region < self.regions.len() {
            self.regions.remove(span - self.first_region);
            self.again.clear();
        } else {
            self.again.clear();
            self.hot.clear();
        }
        true
    }

    pub fn task_at(&self) -> Option<usize> {
        self.task_at
    }

    /// Asks for a copy of this task from the next sample on.
    pub fn want_task(&mut self, task: TaskSpans) {
        if self.task != Some(task) {
            self.task = Some(task);
            self.stale = true;
        }
    }

    /// The task that was copied along: where it lies, its words, and the first bytes of its name.
    pub fn task(&self) -> Option<(TaskSpans, &[u8], &[u8])> {
        let task = self.task_copied?;
        let bytes = self.buffer.get(self.task_bytes_at..)?;
        let (words, name) = bytes.split_at_checked(task.words.len)?;
        Some((task, words, name))
    }

    /// How much one copy takes.
    pub fn size(&self) -> Size {
        Size {
            spans: self.spans.len(),
            bytes: self.buffer.len(),
        }
    }

    pub fn cframe(&self) -> (u64, &[u8]) {
        (
            self.cframe,
            self.buffer.get(self.cframe_at..).unwrap_or(&[]),
        )
    }

    pub fn gil_bytes(&self) -> &[u8] {
        self.buffer.get(self.gil_at..).unwrap_or(&[])
    }

    pub fn generation(&self) -> u64 {
        word(&self.buffer, self.generation_at).unwrap_or(0)
    }

    pub fn thread_word(&self, at: usize) -> u64 {
        word(&self.buffer, at).unwrap_or(0)
    }

    pub fn thread_half(&self, at: usize) -> u32 {
        half(&self.buffer, at).unwrap_or(0)
    }

    /// The region that holds a whole frame at `address`; `hint` is tried first.
    #[inline]
    pub fn region_of(&self, address: u64, hint: usize) -> Option<usize> {
        let size = self.frame_size as u64;
        let holds =
            |region: &Region| region.start <= address && address.saturating_add(size) <= region.end;
        if self.regions.get(hint).is_some_and(holds) {
            return Some(hint);
        }
        let after = self
            .regions
            .partition_point(|region| region.start <= address);
        let index = after.checked_sub(1)?;
        holds(&self.regions[index]).then_some(index)
    }

    /// The bytes of the frame at `address` in this region.
    #[inline]
    pub fn frame(&self, region: usize, address: u64) -> &[u8] {
        let region = &self.regions[region];
        let at = region.at + (address - region.start) as usize;
        &self.buffer[at..at + self.frame_size]
    }

    /// Notes that frames from `low` to `high` of this region were used.
    #[inline]
    pub fn used(&mut self, region: usize, low: u64, high: u64) {
        let region = &mut self.regions[region];
        region.low = region.low.min(low);
        region.high = region.high.max(high);
    }

    /// The second copy of the frame at `address`, if there is one.
    pub fn again(&self, address: u64) -> Option<&[u8]> {
        let index = self
            .again_copied
            .iter()
            .position(|known| *known == address)?;
        let at = self.again_at + index * self.frame_size;
        self.buffer.get(at..at + self.frame_size)
    }

    /// Asks for a second copy of the frame at `address` from the next sample on.
    pub fn want_again(&mut self, address: u64) {
        if !self.again.contains(&address) {
            self.again.push(address);
            self.stale = true;
        }
    }

    /// The identity bytes of the code object at `address`, if they were copied along.
    #[inline]
    pub fn identity(&self, address: u64) -> Option<&[u8]> {
        let index = self.hot_copied.iter().position(|known| *known == address)?;
        let at = self.hot_at + index * self.identity_size;
        self.buffer.get(at..at + self.identity_size)
    }

    /// Asks for the identity of this code object from the next sample on.
    pub fn want_identity(&mut self, address: u64) {
        if self.hot.contains(&address) {
            return;
        }
        if self.hot.len() >= HOT {
            self.hot.remove(0);
        }
        self.hot.push(address);
        self.stale = true;
    }

    /// Adds the memory of a frame at `address`.
    pub fn extend(&mut self, layout: &Layout, address: u64, chunks: &[Chunk]) {
        let size = layout.frame.size as u64;
        let mut new = Region {
            start: address,
            end: address.saturating_add(size),
            limit: address.saturating_add(size),
            chunk: false,
            at: 0,
            low: address,
            high: address,
        };
        if let Some(chunk) = chunks
            .iter()
            .find(|chunk| chunk.first_frame() <= address && new.end <= chunk.end)
        {
            new.start = chunk.first_frame();
            new.end = new.end.saturating_add(SLACK).min(chunk.end);
            new.limit = chunk.end;
            new.chunk = true;
        }
        // Regions it touches, or nearly touches, become one with it.
        let mut index = 0;
        while index < self.regions.len() {
            let old = self.regions[index];
            let near = old.chunk == new.chunk
                && old.start <= new.end.saturating_add(NEAR)
                && new.start <= old.end.saturating_add(NEAR);
            let overlap = old.start < new.end && new.start < old.end;
            if near || overlap {
                new.start = new.start.min(old.start);
                new.end = new.end.max(old.end);
                new.limit = new.limit.max(old.limit);
                new.low = new.low.min(old.low);
                new.high = new.high.max(old.high);
                new.chunk |= old.chunk;
                self.regions.remove(index);
            } else {
                index += 1;
            }
        }
        if self.regions.len() >= MAX_REGIONS || self.buffer.len() >= MAX_BYTES {
            self.regions.clear();
            self.again.clear();
        }
        let place = self
            .regions
            .partition_point(|region| region.start < new.start);
        self.regions.insert(place, new);
        self.stale = true;
    }

    /// A snapshot was taken with this plan: from time to time, drop what was not used.
    pub fn accept(&mut self) {
        self.since_trim += 1;
        if self.since_trim >= TRIM_EVERY {
            self.since_trim = 0;
            let size = self.frame_size as u64;
            let before = self.regions.len();
            self.regions.retain(|region| region.low <= region.high);
            self.stale |= self.regions.len() != before;
            for region in &mut self.regions {
                let end = region.high.saturating_add(size);
                let end = if region.chunk {
                    end.saturating_add(SLACK).min(region.limit)
                } else {
                    end
                };
                self.stale |= region.start != region.low || region.end != end;
                region.start = region.low;
                region.end = end;
                region.low = u64::MAX;
                region.high = 0;
            }
            let regions = &self.regions;
            let before = self.again.len();
            self.again.retain(|address| {
                regions
                    .iter()
                    .any(|region| region.start <= *address && *address < region.end)
            });
            self.stale |= self.again.len() != before;
        }
    }
}
