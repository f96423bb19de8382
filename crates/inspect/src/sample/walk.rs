//! From a copy of memory to a stack, and what one moment can hold.

use super::{Retry, Stop, ThreadCursor};
use crate::code::{CodeError, CodeId, CodeSlot, Identity, MAX_CODE, NO_CODE};
use crate::layout::{CurrentFrame, HoldsGil, Layout, Liveness};
use crate::memory::{Memory, field, half, read_u64, word};
use crate::target::Target;

/// A frame as it lies in memory, and what it was found to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RawFrame {
    pub at: u64,
    pub executable: u64,
    pub instruction: u64,
    /// The evaluation loop runs it, or C code that it called (3.11–3.13).
    pub running: bool,
    /// Called by C code.
    pub entry: bool,
    /// Part of a generator, coroutine or asynchronous generator, not of the data stack.
    pub generator: bool,
    /// Filled in when the code is known.
    pub shown: bool,
    pub code: CodeId,
    pub offset: i32,
}

impl RawFrame {
    /// Whether the memory says the same of both.
    fn same_memory(&self, other: &RawFrame) -> bool {
        self.at == other.at
            && self.executable == other.executable
            && self.instruction == other.instruction
            && self.running == other.running
            && self.entry == other.entry
            && self.generator == other.generator
    }
}

/// Why a copy holds no stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A frame lies in memory that was not copied.
    Outside(u64),
    /// The thread's `cframe` is another now.
    CFrameMoved(u64),
    /// No moment can hold it.
    Torn,
    /// This is not the thread's state any more.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    pub holds_gil: bool,
    pub truncated: bool,
    /// The innermost frame did not say that it runs.
    pub weak: bool,
    /// Whether there are frames of generators or coroutines.
    pub generators: bool,
    /// Address of the asyncio task that the thread state names.
    pub task: Option<u64>,
}

/// A frame's words, parsed.
struct Words {
    previous: u64,
    executable: u64,
    instruction: u64,
    owner: u8,
    running: bool,
    is_entry: bool,
}

const OWNED_BY_THREAD: u8 = 0;
const OWNED_BY_GENERATOR: u8 = 1;
/// Most `_PyCFrame`s remembered of a thread.
const MAX_CFRAMES: usize = 32;
/// Most frames that were called between two reads of the same copy.
const MAX_CLIMB: usize = 64;

#[inline]
fn parse(layout: &Layout, bytes: &[u8]) -> Option<Words> {
    let frame = &layout.frame;
    Some(Words {
        previous: word(bytes, frame.previous)?,
        executable: word(bytes, frame.executable)? & !frame.tag_mask,
        instruction: word(bytes, frame.instr_ptr)?,
        owner: *bytes.get(frame.owner)?,
        running: match frame.liveness {
            Liveness::Executing { stacktop } => half(bytes, stacktop)? as i32 == -1,
            Liveness::Cleared => false,
        },
        is_entry: match frame.is_entry {
            Some(at) => *bytes.get(at)? != 0,
            None => false,
        },
    })
}

impl<M: Memory> Target<M> {
    /// Follows the frames of the copy into `cursor.stack`, outermost first.
    pub(super) fn walk(&self, cursor: &mut ThreadCursor) -> Result<Walked, Fault> {
        let layout = &self.layout;
        let plan = &mut cursor.plan;
        cursor.stack.clear();

        // A thread state that is freed, or of the program that an `exec` put in this one's place.
        if plan.thread_word(layout.thread.interp) != cursor.interpreter_state.0
            || plan.thread_word(layout.thread.thread_id) != cursor.ident
        {
            return Err(Fault::Gone);
        }
        let current = match layout.thread.frame {
            _ if cursor.start.is_some() => cursor.start.unwrap_or(0),
            CurrentFrame::Direct { at } => plan.thread_word(at),
            CurrentFrame::ThroughCFrame {
                cframe,
                current_frame,
            } => {
                let now = plan.thread_word(cframe);
                let (known, bytes) = plan.cframe();
                if now != known {
                    return Err(Fault::CFrameMoved(now));
                }
                word(bytes, current_frame).ok_or(Fault::Torn)?
            }
        };
        let base = layout.thread.base_frame.map(|at| plan.thread_word(at));
        let holds_gil = match layout.thread.holds_gil {
            HoldsGil::InThread { at, mask } => plan.thread_half(at) & mask != 0,
            HoldsGil::InGil => {
                let gil = plan.gil_bytes();
                half(gil, layout.gil.locked) == Some(1)
                    && word(gil, layout.gil.last_holder) == Some(cursor.thread.0)
            }
        };
        let mut walked = Walked {
            holds_gil,
            truncated: false,
            weak: false,
            generators: false,
            task: plan
                .task_at()
                .map(|at| plan.thread_word(at))
                .filter(|task| *task != 0),
        };

        let stack = &mut cursor.stack;
        let mut at = current;
        let mut hint = 0;
        let (mut low, mut high) = (u64::MAX, 0);
        let mut steps = 0;
        let most_steps = self.limits.depth * 2 + 64;
        let mut ended_in_shim = false;
        let mut last_region = usize::MAX;
        let mut last_at = 0;
        while at != 0 && Some(at) != base {
            steps += 1;
            if steps > most_steps || !at.is_multiple_of(8) {
                return Err(Fault::Torn);
            }
            let region = plan.region_of(at, hint).ok_or(Fault::Outside(at))?;
            if region != hint {
                if low <= high {
                    plan.used(hint, low, high);
                }
                (low, high) = (u64::MAX, 0);
                hint = region;
            }
            low = low.min(at);
            high = high.max(at);
            let bytes = plan.frame(region, at);
            let words = parse(layout, bytes).ok_or(Fault::Torn)?;
            // Frames that lie apart were copied at different times: one of the two must be the
            // same in a second copy, taken after the other's.
            let apart = last_region != usize::MAX && last_region != region;
            if apart {
                let earlier = if region < last_region { at } else { last_at };
                let first = if region < last_region {
                    bytes
                } else {
                    plan.frame(last_region, last_at)
                };
                match plan.again(earlier) {
                    Some(second) => {
                        let leaf = earlier == current;
                        if !same_frame(layout, first, second, leaf) {
                            return Err(Fault::Torn);
                        }
                    }
                    None => {
                        plan.want_again(earlier);
                        return Err(Fault::Outside(at));
                    }
                }
            }
            last_region = region;
            last_at = at;
            ended_in_shim = words.owner >= layout.frame.shim_owner;
            if ended_in_shim {
                if let Some(callee) = stack.last_mut() {
                    callee.entry = true;
                }
                at = words.previous;
                continue;
            }
            // Before its memory is followed: an instruction lies in its code.
            let offset = offset_in(layout, words.executable, words.instruction);
            let dead = words.executable == 0 && layout.frame.liveness == Liveness::Cleared;
            if words.owner > 2 || !(dead || (-2..MAX_CODE as i64).contains(&offset)) {
                return Err(Fault::Torn);
            }
            if stack.len() >= self.limits.depth {
                walked.truncated = true;
                break;
            }
            let generator = words.owner == OWNED_BY_GENERATOR;
            walked.generators |= generator;
            stack.push(RawFrame {
                at,
                executable: words.executable,
                instruction: words.instruction,
                running: words.running,
                entry: words.is_entry,
                generator,
                shown: false,
                code: NO_CODE,
                offset: 0,
            });
            at = words.previous;
        }
        if low <= high {
            plan.used(hint, low, high);
        }
        if current == 0 || stack.is_empty() {
            return Ok(walked);
        }
        if !walked.truncated {
            // Every chain ends where a thread entered Python: in the thread's sentinel, in a
            // shim, or (3.11) in an entry frame.
            let whole = match (base, layout.frame.is_entry) {
                (Some(base), _) => at == base,
                // A suspended generator's chain ends in itself.
                (None, Some(_)) => stack
                    .last()
                    .is_some_and(|frame| frame.entry && !frame.generator),
                (None, None) => ended_in_shim,
            };
            if !whole {
                return Err(Fault::Torn);
            }
        }
        stack.reverse();
        self.settle_leaf(cursor, &mut walked)?;
        Ok(walked)
    }

    /// Where to begin when the newest `_PyCFrame` leads nowhere, time after time.
    ///
    /// On 3.11 and 3.12 an evaluation loop publishes its `_PyCFrame` some instructions before it
    /// fills it in. A thread that loses its CPU just there stays so for milliseconds; its stack is
    /// still what the `_PyCFrame` before says: the one that its `previous` names, when that is
    /// filled in already, or else (the C stack grows downwards) one above of those that were seen.
    /// `attempt` counts through these; a wrong one leads nowhere, too.
    pub(super) fn outer_frame(&mut self, cursor: &ThreadCursor, attempt: u32) -> Option<u64> {
        let CurrentFrame::ThroughCFrame {
            cframe,
            current_frame,
        } = self.layout.thread.frame
        else {
            return None;
        };
        let read = |at: u64| read_u64(&self.memory, at).ok();
        self.counters.reads += 3;
        let newest = read(field(cursor.thread.0, cframe))?;
        let outer = match attempt.checked_sub(1) {
            None => read(field(newest, current_frame + 8))?,
            Some(above) => {
                let mut seen = cursor.cframes.clone();
                seen.retain(|known| *known > newest);
                seen.sort_unstable();
                *seen.get(above as usize)?
            }
        };
        read(field(outer, current_frame))
    }

    /// Remembers the `_PyCFrame` of a good snapshot.
    pub(super) fn remember_cframe(cursor: &mut ThreadCursor) {
        let (cframe, _) = cursor.plan.cframe();
        if cframe != 0 && cursor.start.is_none() && !cursor.cframes.contains(&cframe) {
            if cursor.cframes.len() >= MAX_CFRAMES {
                cursor.cframes.remove(0);
            }
            cursor.cframes.push(cframe);
        }
    }

    /// The innermost frame of the copy need not be the one the pointer named: the pointer was
    /// read a moment before. The frames themselves tell.
    fn settle_leaf(&self, cursor: &mut ThreadCursor, walked: &mut Walked) -> Result<(), Fault> {
        let stack = &mut cursor.stack;
        match self.layout.frame.liveness {
            Liveness::Cleared => {
                while stack.last().is_some_and(|frame| frame.executable == 0) {
                    stack.pop();
                }
                if stack.is_empty() || stack.iter().any(|frame| frame.executable == 0) {
                    return Err(Fault::Torn);
                }
                self.climb(cursor);
            }
            Liveness::Executing { .. } => {
                // Callers wait in a call; only one that called C code is left running. So what lies
                // above a running frame, and was not called through C, has returned since.
                let returned = stack
                    .windows(2)
                    .position(|pair| pair[0].running && !pair[1].entry);
                if let Some(index) = returned {
                    stack.truncate(index + 1);
                }
                if let [.., caller, leaf] = stack.as_slice()
                    && caller.running
                    && !leaf.running
                {
                    stack.pop();
                }
                self.climb(cursor);
                walked.weak = cursor.stack.last().is_some_and(|frame| !frame.running);
            }
        }
        Ok(())
    }

    /// Adds the frames that the innermost one called since the pointer was read.
    fn climb(&self, cursor: &mut ThreadCursor) {
        let layout = &self.layout;
        let stack = &mut cursor.stack;
        let mut keep = stack.len();
        for _ in 0..MAX_CLIMB {
            let Some(leaf) = stack.last().copied() else {
                break;
            };
            let Some(below) = stack.iter().rev().find(|frame| !frame.generator) else {
                break;
            };
            let Some(slot) = self.codes.at(below.executable) else {
                break;
            };
            let at = below.at.wrapping_add(u64::from(slot.frame_bytes));
            let Some(region) = cursor.plan.region_of(at, 0) else {
                break;
            };
            let Some(words) = parse(layout, cursor.plan.frame(region, at)) else {
                break;
            };
            if words.owner != OWNED_BY_THREAD {
                break;
            }
            let mut entry = words.is_entry;
            if words.previous != leaf.at {
                // Through a shim on the C stack?
                let shim = cursor
                    .plan
                    .region_of(words.previous, region)
                    .and_then(|index| parse(layout, cursor.plan.frame(index, words.previous)));
                match shim {
                    Some(shim)
                        if shim.owner >= layout.frame.shim_owner && shim.previous == leaf.at =>
                    {
                        entry = true;
                    }
                    _ => break,
                }
            }
            if leaf.running && !entry {
                break;
            }
            let Some(caller) = self.codes.at(leaf.executable) else {
                break;
            };
            let Some(callee) = self.codes.at(words.executable) else {
                break;
            };
            let offset = offset_in(layout, words.executable, words.instruction);
            if !(0..i64::from(callee.code_bytes)).contains(&offset)
                || offset < i64::from(callee.first_traceable)
            {
                break;
            }
            // What is copied a moment later may have been called a moment later. That is no
            // matter when this instruction is known to call that function; else it is no witness.
            let site = offset_in(layout, leaf.executable, leaf.instruction);
            if !self.edges.knows(caller.id, site as i32, callee.id) {
                break;
            }
            stack.push(RawFrame {
                at,
                executable: words.executable,
                instruction: words.instruction,
                running: words.running,
                entry,
                generator: false,
                shown: false,
                code: NO_CODE,
                offset: 0,
            });
            if words.running || layout.frame.liveness == Liveness::Cleared {
                keep = stack.len();
            }
        }
        stack.truncate(keep);
    }

    /// Gives the frames of the copy their code, and checks them against it. Returns how many
    /// outermost frames are as in the last snapshot.
    pub(super) fn name(&mut self, cursor: &mut ThreadCursor) -> Result<usize, Stop> {
        let known = if cursor.last_age == self.codes.age() {
            cursor.last.as_slice()
        } else {
            // Some of their functions may be forgotten.
            &[]
        };
        let same = cursor
            .stack
            .iter()
            .zip(known)
            // The same address need not be the same code where code comes and goes.
            .take_while(|(now, before)| {
                now.same_memory(before) && !self.codes.was_reused(now.executable)
            })
            .count();
        cursor.stack[..same].copy_from_slice(&cursor.last[..same]);
        let generation = cursor.plan.generation();
        let mut unknown = false;
        let mut unchecked = false;
        for index in same..cursor.stack.len() {
            let frame = cursor.stack[index];
            let slot = match self.codes.used(frame.executable) {
                Some(slot) => slot,
                None => {
                    self.load_code(frame.executable, generation)?;
                    unknown = true;
                    continue;
                }
            };
            match self.still_there(cursor, frame.executable, &slot, generation) {
                Some(true) => {}
                Some(false) => {
                    self.counters.code_reuses += 1;
                    self.codes.forget(frame.executable);
                    self.load_code(frame.executable, generation)?;
                    unknown = true;
                    continue;
                }
                None => {
                    cursor.plan.want_identity(frame.executable);
                    unchecked = true;
                }
            }
            let offset = offset_in(&self.layout, frame.executable, frame.instruction);
            // Before 3.13 the pointer names the instruction before the next one, so that it may
            // lie just before the first.
            if !(-2..i64::from(slot.code_bytes)).contains(&offset) || offset % 2 != 0 {
                return Err(Stop::Retry(Retry::Torn));
            }
            let frame = &mut cursor.stack[index];
            frame.code = slot.id;
            frame.offset = offset as i32;
            frame.shown = frame.generator || offset >= i64::from(slot.first_traceable);
        }
        if unknown {
            return Err(Stop::Retry(Retry::Unconfirmed));
        }
        if unchecked {
            self.check_identities(cursor, same)?;
        }
        Ok(same)
    }

    fn load_code(&mut self, address: u64, generation: u64) -> Result<CodeSlot, Stop> {
        self.counters.reads += 6;
        self.counters.code_evictions += self.codes.make_room(self.limits.codes) as u64;
        self.codes
            .load(
                &self.memory,
                &self.layout,
                self.code_type,
                address,
                generation,
            )
            .map_err(|error| match error {
                CodeError::Nonsense => Stop::Retry(Retry::Nonsense),
                CodeError::Memory(error) => Stop::of_memory(error, Retry::Nonsense),
            })
    }

    /// Whether the code object at an address is still the one that was read; `None` when this
    /// copy does not tell.
    fn still_there(
        &self,
        cursor: &ThreadCursor,
        address: u64,
        slot: &CodeSlot,
        generation: u64,
    ) -> Option<bool> {
        if self.layout.interpreter.code_generation.is_some() && slot.generation == generation {
            return Some(true);
        }
        let bytes = cursor.plan.identity(address)?;
        Some(Identity::parse(&self.layout, bytes) == Some(slot.identity))
    }

    /// Reads the identities that the copy did not hold, in one more call.
    fn check_identities(&mut self, cursor: &mut ThreadCursor, same: usize) -> Result<(), Stop> {
        let size = Identity::size(&self.layout);
        let generation = cursor.plan.generation();
        let mut addresses: Vec<u64> = cursor.stack[same..]
            .iter()
            .map(|frame| frame.executable)
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        let spans: Vec<_> = addresses
            .iter()
            .map(|at| crate::memory::Span { at: *at, len: size })
            .collect();
        let mut bytes = vec![0; size * spans.len()];
        self.counters.reads += 1;
        self.memory
            .gather(&spans, &mut bytes)
            .map_err(|(_, error)| Stop::of_memory(error, Retry::Unmapped))?;
        let mut reused = false;
        for (address, bytes) in addresses.iter().zip(bytes.chunks_exact(size)) {
            let Some(slot) = self.codes.at(*address).copied() else {
                continue;
            };
            if Identity::parse(&self.layout, bytes) == Some(slot.identity) {
                self.codes.renew(*address, generation);
            } else {
                self.counters.code_reuses += 1;
                self.codes.forget(*address);
                reused = true;
            }
        }
        if reused {
            Err(Stop::Retry(Retry::Unconfirmed))
        } else {
            Ok(())
        }
    }
}

/// Whether two copies of a frame are of the same call. A leaf's instruction pointer moves.
fn same_frame(layout: &Layout, first: &[u8], second: &[u8], leaf: bool) -> bool {
    match (parse(layout, first), parse(layout, second)) {
        (Some(first), Some(second)) => {
            first.previous == second.previous
                && first.executable == second.executable
                && first.owner == second.owner
                && (leaf
                    || (first.instruction == second.instruction && first.running == second.running))
        }
        _ => false,
    }
}

#[inline]
fn offset_in(layout: &Layout, code: u64, instruction: u64) -> i64 {
    instruction.wrapping_sub(field(code, layout.code.code_adaptive)) as i64
}
