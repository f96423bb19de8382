//! Taking one stack of a running thread, without stopping it.
//!
//! One sample is one copy of the thread's state and of the memory its frames lie in (the *plan*,
//! learned from the samples before), taken with one system call, and walked here. A copy of a
//! moving stack can be wrong in two ways, and each has its own guard:
//!
//! 1. *The copy mixes two moments.* Frames that follow each other in the data stack are copied a
//!    few nanoseconds apart, less than one call takes. Frames say in their own memory whether they
//!    live ([`Liveness`](crate::layout::Liveness)), and the walk accepts only what one moment can
//!    hold: every caller waits in a call, the innermost frame runs, and instruction pointers lie
//!    in their code. Frames that lie apart (generators, C callbacks, chunk ends) are copied twice,
//!    before and after their neighbours, and must be the same.
//! 2. *What is rare can still slip through*: cache lines arrive out of order, and the copying itself
//!    is interrupted. A copy that took too long is thrown away, and no call edge (caller, its
//!    instruction, callee) is believed until it was seen in several copies in a row, or in many of those
//!    that could show it. A program has few edges and runs them often; an accident does not repeat
//!    itself.
//!
//! What is not accepted is read again at once; a sample is given up only after
//! [`Limits::tries`] copies.

mod edges;
mod pace;
mod plan;
mod task;
mod walk;

use crate::asyncio::TaskKey;
use crate::code::{CodeId, MAX_CODES};
use crate::error::Reject;
use crate::memory::{Memory, MemoryError};
use crate::target::{PythonThread, Target};
pub(crate) use edges::Edges;
use edges::Fresh;
use pace::Pace;
use plan::Plan;
use sondage_model::{RemoteAddr, Tid};
use task::{MAX_TASK_TRIES, TaskLook};
use walk::{Fault, RawFrame};

/// Bounds of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most frames of a stack; deeper ones lose their outermost frames and are marked.
    pub depth: usize,
    /// Most copies for one sample before it is given up.
    pub tries: u32,
    /// Most code objects remembered; of a program that makes more, those are forgotten that were
    /// not seen of late.
    pub codes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 2048,
            tries: 64,
            codes: MAX_CODES,
        }
    }
}

/// What reading cost so far, and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Samples asked for.
    pub samples: u64,
    /// Reads of the target's memory, as system calls.
    pub reads: u64,
    /// Copies that were thrown away and read again, for whatever reason.
    pub rereads: u64,
    /// Of these: because a call edge was new and had to be seen twice.
    pub unconfirmed: u64,
    /// Of these: because the copying took so long that it must have been interrupted.
    pub interrupted: u64,
    /// Of these: because the stack lay outside the memory that was copied.
    pub outside: u64,
    /// Samples given up: the stack changed under every read.
    pub torn: u64,
    /// Samples given up: a pointer led nowhere.
    pub bad_reads: u64,
    /// Samples given up: a frame or code object made no sense.
    pub invalid: u64,
    /// Samples given up: the thread was gone.
    pub gone: u64,
    /// Samples cut at the depth limit; they count as good.
    pub truncated: u64,
    /// Times a code object was found replaced by another at the same address.
    pub code_reuses: u64,
    /// Functions forgotten because there were too many.
    pub code_evictions: u64,
    /// Samples of coroutines whose task, if they had one, could not be proved.
    pub unproved_tasks: u64,
    /// Times a thread was stopped.
    pub stops: u64,
}

impl Counters {
    /// Samples given up.
    #[must_use]
    pub fn rejects(&self) -> u64 {
        self.torn + self.bad_reads + self.invalid + self.gone
    }
}

/// A Python frame: a function and where in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// The function's code; see [`Target::resolve`].
    pub code: CodeId,
    /// Offset in bytes of the instruction being run, or of the call that waits; negative before
    /// the first.
    pub offset: i32,
    /// Whether C code called it: an evaluation loop of its own begins here.
    pub entry: bool,
}

/// A thread's Python stack at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StackSnapshot {
    /// Its frames, innermost first; empty while the thread runs no Python.
    pub frames: Vec<Frame>,
    /// How many of the outermost frames (the end of `frames`) are the same, instruction included,
    /// as in the last snapshot taken with the same cursor.
    pub same_prefix_as_last: usize,
    /// Whether the thread held the GIL of its interpreter.
    pub holds_gil: bool,
    /// Whether outermost frames were cut at the depth limit.
    pub truncated: bool,
    /// The asyncio task that the thread ran, where that is proved; see [`Target::task`].
    pub task: Option<TaskKey>,
}

/// What is remembered of one thread from sample to sample. Make one for each thread, and drop it
/// when the thread ends.
#[derive(Debug)]
pub struct ThreadCursor {
    tid: Tid,
    thread: RemoteAddr,
    interpreter_state: RemoteAddr,
    ident: u64,
    plan: Plan,
    pace: Pace,
    /// Frames of this copy, outermost first.
    stack: Vec<RawFrame>,
    /// Frames of the last snapshot, outermost first, and the age of the table that their code was
    /// looked up in.
    last: Vec<RawFrame>,
    last_age: u64,
    /// Edges of this copy that are not known yet.
    fresh: Vec<Fresh>,
    /// Begin at this frame, not at the one that the thread state names.
    start: Option<u64>,
    /// Addresses of `_PyCFrame`s seen (3.11 and 3.12).
    cframes: Vec<u64>,
    /// A copy whose innermost frame did not say that it runs, and in how many copies in a row it
    /// was the same.
    weak: Vec<RawFrame>,
    still: u32,
    /// The task that was found with the copy before, in this sample, its coroutine, and the one that the
    /// stack began with.
    task_seen: Option<(u64, u64, u64)>,
    /// Copies of this sample that were made again to find the task.
    task_tries: u32,
}

/// Why a copy was thrown away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Retry {
    /// It held no possible stack.
    Torn,
    /// It took too long, and was not looked at.
    Late,
    /// Something in it was seen for the first time.
    Unconfirmed,
    /// The plan lacked memory, and was extended.
    Extended,
    /// Memory of the plan was not there any more.
    Unmapped,
    /// A code object made no sense.
    Nonsense,
    /// The stack is good, but whose task it is was not proved.
    Task,
}

impl ThreadCursor {
    /// A cursor for this thread.
    #[must_use]
    pub fn new(thread: &PythonThread) -> ThreadCursor {
        ThreadCursor {
            tid: thread.tid,
            thread: thread.state,
            interpreter_state: thread.interpreter_state,
            ident: thread.ident,
            plan: Plan::default(),
            pace: Pace::default(),
            stack: Vec::new(),
            last: Vec::new(),
            last_age: 0,
            fresh: Vec::new(),
            start: None,
            cframes: Vec::new(),
            weak: Vec::new(),
            still: 0,
            task_seen: None,
            task_tries: 0,
        }
    }

    /// The kernel's number of the thread.
    #[must_use]
    pub fn tid(&self) -> Tid {
        self.tid
    }

    /// Its thread state.
    #[must_use]
    pub fn state(&self) -> RemoteAddr {
        self.thread
    }
}

/// Copies of one sample that may take too long before they count as tries.
const MAX_LATE: u32 = 64;
/// Failed copies before another way into the stack is tried.
const PATIENCE: u32 = 5;
/// In how many copies in a row a stack that does not say that it runs must be the same.
const STILL: u32 = 6;

impl<M: Memory> Target<M> {
    /// Reads the stack of a thread as it is now, into `out`. Allocates only while it learns, and
    /// to read the name of a task.
    ///
    /// # Errors
    /// The [`Reject`] after every try failed; `out` is then empty, and the next snapshot with the
    /// same cursor counts its `same_prefix_as_last` from the last good one.
    pub fn sample(
        &mut self,
        cursor: &mut ThreadCursor,
        out: &mut StackSnapshot,
    ) -> Result<(), Reject> {
        self.take(cursor, out, false)
    }

    /// The same of a thread that stands still: what its memory says is true.
    pub(crate) fn sample_still(
        &mut self,
        cursor: &mut ThreadCursor,
        out: &mut StackSnapshot,
    ) -> Result<(), Reject> {
        self.take(cursor, out, true)
    }

    fn take(
        &mut self,
        cursor: &mut ThreadCursor,
        out: &mut StackSnapshot,
        still: bool,
    ) -> Result<(), Reject> {
        self.counters.samples += 1;
        let mut tries = 0;
        let mut extensions = 0;
        let mut late = 0;
        // Copies that led nowhere. Those that only wait to be confirmed are no reason to look for
        // another way into the stack.
        let mut lost = 0_u32;
        let mut reject = Reject::Torn;
        cursor.still = 0;
        cursor.task_seen = None;
        cursor.task_tries = 0;
        self.edges.next_sample();
        while tries < self.limits.tries {
            cursor.start = match lost.checked_sub(PATIENCE) {
                Some(turn) if turn.is_multiple_of(2) => self.outer_frame(cursor, turn / 2),
                _ => None,
            };
            match self.attempt(cursor, out, still) {
                Ok(()) => {
                    self.counters.truncated += u64::from(out.truncated);
                    return Ok(());
                }
                Err(Stop::Reject(fatal)) => {
                    reject = fatal;
                    break;
                }
                Err(Stop::Retry(retry)) => {
                    self.counters.rereads += 1;
                    if retry != Retry::Task {
                        cursor.task_seen = None;
                    }
                    match retry {
                        Retry::Extended => {
                            self.counters.outside += 1;
                            extensions += 1;
                            // A stack that spreads while we look is torn, not merely large.
                            tries += u32::from(extensions > self.limits.depth / 4 + 64);
                        }
                        Retry::Unconfirmed => {
                            self.counters.unconfirmed += 1;
                            tries += 1;
                            reject = Reject::Torn;
                            fall_out_of_step(self.counters.reads);
                        }
                        Retry::Torn => {
                            tries += 1;
                            lost += 1;
                            reject = Reject::Torn;
                        }
                        Retry::Late => {
                            late += 1;
                            tries += u32::from(late > MAX_LATE);
                        }
                        // Counted by itself: a stack is not given up for its task.
                        Retry::Task => {}
                        Retry::Unmapped => {
                            tries += 1;
                            lost += 1;
                            reject = Reject::BadRead;
                        }
                        Retry::Nonsense => {
                            tries += 1;
                            lost += 1;
                            reject = Reject::Invalid;
                        }
                    }
                }
            }
        }
        out.frames.clear();
        out.same_prefix_as_last = 0;
        match reject {
            Reject::Torn => self.counters.torn += 1,
            Reject::BadRead => self.counters.bad_reads += 1,
            Reject::Invalid => self.counters.invalid += 1,
            Reject::Gone => self.counters.gone += 1,
        }
        Err(reject)
    }

    /// One copy: read, walk, check, accept.
    fn attempt(
        &mut self,
        cursor: &mut ThreadCursor,
        out: &mut StackSnapshot,
        still: bool,
    ) -> Result<(), Stop> {
        self.copy(cursor)?;
        let outcome = self.walk(cursor);
        let walked = match outcome {
            Ok(walked) => walked,
            Err(Fault::Outside(address)) => {
                self.extend(cursor, address)?;
                return Err(Stop::Retry(Retry::Extended));
            }
            Err(Fault::CFrameMoved(address)) => {
                cursor.plan.set_cframe(address);
                return Err(Stop::Retry(Retry::Extended));
            }
            Err(Fault::Torn) => return Err(Stop::Retry(Retry::Torn)),
            Err(Fault::Gone) => return Err(Stop::Reject(Reject::Gone)),
        };
        let same = self.name(cursor)?;
        self.edges.collect(&cursor.stack, same, &mut cursor.fresh);
        if still {
            self.edges.trust(&mut cursor.fresh);
        }
        if !cursor.fresh.is_empty() {
            if walked.weak {
                // A frame that does not say that it runs may be left over from an earlier call. It
                // bears no witness to a call, and is believed itself only if it stays.
                if cursor.still >= STILL {
                    cursor.fresh.clear();
                } else {
                    cursor.still = if cursor.weak == cursor.stack {
                        cursor.still + 1
                    } else {
                        1
                    };
                    cursor.weak.clone_from(&cursor.stack);
                    return Err(Stop::Retry(Retry::Unconfirmed));
                }
            }
            let (memory, calls) = (&self.memory, self.layout.code.calls);
            let believed = self.edges.believe(&mut cursor.fresh, |site| {
                let mut opcode = [0];
                calls.is_empty()
                    || memory.read(RemoteAddr(site), &mut opcode).is_err()
                    || calls.contains(&opcode[0])
            });
            if !believed {
                return Err(Stop::Retry(Retry::Unconfirmed));
            }
        }
        // PERF: a program without coroutines does not come past this.
        let task = if walked.generators || walked.task.is_some() {
            self.prove_task(cursor, walked.task, still)?
        } else {
            None
        };
        cursor.plan.accept();
        Self::remember_cframe(cursor);
        out.holds_gil = walked.holds_gil;
        out.truncated = walked.truncated;
        out.task = task;
        out.frames.clear();
        out.frames.extend(
            cursor
                .stack
                .iter()
                .rev()
                .filter(|frame| frame.shown)
                .map(|frame| Frame {
                    code: frame.code,
                    offset: frame.offset,
                    entry: frame.entry,
                }),
        );
        out.same_prefix_as_last = cursor.stack[..same]
            .iter()
            .filter(|frame| frame.shown)
            .count();
        std::mem::swap(&mut cursor.stack, &mut cursor.last);
        cursor.last_age = self.codes.age();
        Ok(())
    }

    /// The task of a good stack.
    fn prove_task(
        &mut self,
        cursor: &mut ThreadCursor,
        running: Option<u64>,
        still: bool,
    ) -> Result<Option<TaskKey>, Stop> {
        match self.task_of(cursor, running, still) {
            TaskLook::None => Ok(None),
            TaskLook::Task(key) => Ok(Some(key)),
            TaskLook::Unproved if cursor.task_tries < MAX_TASK_TRIES => {
                cursor.task_tries += 1;
                Err(Stop::Retry(Retry::Task))
            }
            TaskLook::Unproved => {
                self.counters.unproved_tasks += 1;
                Ok(None)
            }
        }
    }

    /// Fills the plan's buffer.
    fn copy(&mut self, cursor: &mut ThreadCursor) -> Result<(), Stop> {
        let task_at = self.asyncio.running_task();
        if cursor.plan.is_new() || cursor.plan.task_at() != task_at {
            let gil = match self.layout.thread.holds_gil {
                crate::layout::HoldsGil::InGil => self
                    .gil_address(cursor.interpreter_state)
                    .map_err(|error| Stop::of_memory(error, Retry::Unmapped))?,
                crate::layout::HoldsGil::InThread { .. } => 0,
            };
            let place = self.current_frame_place();
            cursor.plan.begin(
                &self.layout,
                place,
                cursor.thread.0,
                cursor.interpreter_state.0,
                gil,
                task_at,
            );
        }
        self.edges.next_copy();
        self.counters.reads += 1;
        cursor.plan.refresh(&self.layout);
        let begin = std::time::Instant::now();
        let outcome = cursor.plan.read(&self.memory);
        match outcome {
            Ok(())
                if cursor
                    .pace
                    .too_long(begin.elapsed().as_nanos() as u64, cursor.plan.size()) =>
            {
                self.counters.interrupted += 1;
                Err(Stop::Retry(Retry::Late))
            }
            Ok(()) => Ok(()),
            Err((_, MemoryError::Gone)) => Err(Stop::Reject(Reject::Gone)),
            Err((_, MemoryError::NoPermission)) => Err(Stop::Reject(Reject::Gone)),
            Err((span, _)) => {
                if cursor.plan.drop_span(span) {
                    Err(Stop::Retry(Retry::Unmapped))
                } else {
                    Err(Stop::Reject(Reject::Gone))
                }
            }
        }
    }

    /// Adds the memory around `address` to the plan.
    fn extend(&mut self, cursor: &mut ThreadCursor, address: u64) -> Result<(), Stop> {
        let chunks = plan::chunks(&self.memory, &self.layout, cursor.thread.0, address);
        self.counters.reads += 1 + chunks.len() as u64;
        cursor.plan.extend(&self.layout, address, &chunks);
        Ok(())
    }
}

/// Waits for up to 4 µs, each time for as long as `number` says in a way that looks random.
///
/// A loop of the target's may take as long as a copy does. Copies in a row then meet it at the same
/// point, and what was torn once is torn again and looks like evidence.
fn fall_out_of_step(number: u64) {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let wait = std::time::Duration::from_nanos(mixed >> 52);
    let begin = std::time::Instant::now();
    while begin.elapsed() < wait {
        std::hint::spin_loop();
    }
}

/// Why an attempt ended without a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Retry(Retry),
    Reject(Reject),
}

impl Stop {
    fn of_memory(error: MemoryError, retry: Retry) -> Stop {
        match error {
            MemoryError::Gone | MemoryError::NoPermission => Stop::Reject(Reject::Gone),
            MemoryError::Unmapped(_) | MemoryError::Other(_) => Stop::Retry(retry),
        }
    }
}
