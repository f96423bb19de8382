//! The calls of a program: believed only on evidence.

use super::walk::RawFrame;
use crate::code::CodeId;
use rustc_hash::{FxHashMap, FxHashSet};

/// A call seen: who called, from which instruction, whom.
type Edge = (u32, i32, u32);

/// The caller of outermost frames.
const ROOT: u32 = u32::MAX;
/// Most edges remembered; a program with more forgets all and learns again.
const MAX_EDGES: usize = 1 << 21;

/// The calls that are believed, and those on trial.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    known: FxHashSet<Edge>,
    suspects: FxHashMap<Edge, Suspect>,
    /// How often the caller of a suspect was seen at that instruction, whomever it called.
    callers: FxHashMap<(u32, i32), u32>,
    copies: u64,
    samples: u64,
}

/// A call that was seen but is not believed yet.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    /// The copy it was last seen in, and in how many before that without a gap.
    copy: u64,
    row: u32,
    /// The sample it was last seen in.
    sample: u64,
    /// In how many samples it was seen.
    seen: u32,
}

/// A call that was seen in this copy for the first time, or on trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    edge: Edge,
    /// Address of the caller's instruction; 0 when the call went through C, which any instruction
    /// can do.
    site: u64,
    /// Caller and callee lie apart in memory, and were copied at different times.
    apart: bool,
}

/// How often a call must have been seen to be believed: in how many copies in a row, or in how
/// many samples and in what part of those in which its caller stood at that instruction.
#[derive(Clone, Copy)]
struct Evidence {
    row: u32,
    seen: u32,
    of: u32,
}

/// For frames that lie next to each other. Where the two cores pass the cache line between them to and
/// fro, one copy in ten of a tight loop shows a caller and the callee of a moment later, and two in a
/// row do so often enough to be believed.
const TOGETHER: Evidence = Evidence {
    row: 4,
    seen: 16,
    of: 4,
};
/// For frames that lie apart: a wrong pair is likelier.
const APART: Evidence = Evidence {
    row: 5,
    seen: 16,
    of: 3,
};
/// For a caller whose instruction, as read, calls nothing (as in code that the JIT compiled, which
/// keeps it up to date only now and then).
const UNLIKELY: Evidence = Evidence {
    row: u32::MAX,
    seen: 8,
    of: 2,
};

impl Edges {
    /// Another sample begins.
    pub(super) fn next_sample(&mut self) {
        self.samples += 1;
    }

    /// Another copy is made.
    pub(super) fn next_copy(&mut self) {
        self.copies += 1;
    }

    /// Collects the calls of a stack (outermost first, of which the first `same` frames are as in
    /// the last snapshot) that are not known yet.
    pub(super) fn collect(&mut self, stack: &[RawFrame], same: usize, fresh: &mut Vec<Fresh>) {
        fresh.clear();
        let (known, changed) = stack.split_at(same);
        let mut caller = known.iter().rev().find(|frame| frame.shown);
        // Whether a frame that is not shown stands between.
        let mut indirect = known.last().is_some_and(|frame| !frame.shown);
        if let Some(caller) = caller {
            self.count_caller(caller.code.0, caller.offset);
        }
        for frame in changed {
            if !frame.shown {
                indirect = true;
                continue;
            }
            let edge = caller.map_or((ROOT, 0, frame.code.0), |caller| {
                (caller.code.0, caller.offset, frame.code.0)
            });
            if !self.known.contains(&edge) {
                fresh.push(Fresh {
                    edge,
                    site: match caller {
                        Some(caller) if !indirect && !frame.entry => caller.instruction,
                        _ => 0,
                    },
                    apart: frame.generator || caller.is_some_and(|caller| caller.generator),
                });
            }
            indirect = false;
            caller = Some(frame);
            self.count_caller(frame.code.0, frame.offset);
        }
    }

    /// These calls were seen in a thread that stood still: they are true.
    pub(super) fn trust(&mut self, fresh: &mut Vec<Fresh>) {
        self.known.extend(fresh.drain(..).map(|fresh| fresh.edge));
    }

    /// Whether all of these calls, seen in the current copy, can be believed. An accident of
    /// copying is as likely to happen twice in a row as twice anywhere; what really happens, and
    /// was met once, goes on or comes again.
    pub(super) fn believe(
        &mut self,
        fresh: &mut Vec<Fresh>,
        can_call: impl Fn(u64) -> bool,
    ) -> bool {
        if self.known.len() + self.suspects.len() > MAX_EDGES {
            self.known.clear();
            self.suspects.clear();
            self.callers.clear();
        }
        let mut all = true;
        for Fresh { edge, site, apart } in fresh.drain(..) {
            // A recursive stack holds the same edge many times.
            if self.known.contains(&edge) {
                continue;
            }
            let of = *self.callers.entry((edge.0, edge.1)).or_insert(1);
            let suspect = self.suspects.entry(edge).or_insert(Suspect {
                copy: 0,
                row: 0,
                sample: u64::MAX,
                seen: 0,
            });
            if suspect.copy == self.copies {
                all = false;
                continue;
            }
            suspect.row = if suspect.copy + 1 == self.copies {
                suspect.row + 1
            } else {
                1
            };
            suspect.copy = self.copies;
            if suspect.sample != self.samples {
                suspect.sample = self.samples;
                suspect.seen += 1;
            }
            let need = if site != 0 && !can_call(site) {
                UNLIKELY
            } else if apart {
                APART
            } else {
                TOGETHER
            };
            if suspect.row >= need.row
                || (suspect.seen >= need.seen && suspect.seen.saturating_mul(need.of) >= of)
            {
                self.suspects.remove(&edge);
                self.known.insert(edge);
            } else {
                all = false;
            }
        }
        all
    }

    /// Whether this call is believed.
    #[inline]
    pub(super) fn knows(&self, caller: CodeId, offset: i32, callee: CodeId) -> bool {
        self.known.contains(&(caller.0, offset, callee.0))
    }

    /// Counts a caller seen at an instruction, if one of its calls is on trial.
    #[inline]
    fn count_caller(&mut self, code: u32, offset: i32) {
        if self.callers.is_empty() {
            return;
        }
        if let Some(of) = self.callers.get_mut(&(code, offset)) {
            *of = of.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(code: u32, offset: i32) -> RawFrame {
        RawFrame {
            at: 0,
            executable: 0,
            instruction: 0x1000,
            running: false,
            entry: false,
            generator: false,
            shown: true,
            code: CodeId(code),
            offset,
        }
    }

    fn seen(edges: &mut Edges, stack: &[RawFrame], can_call: bool) -> bool {
        let mut fresh = Vec::new();
        edges.next_copy();
        edges.collect(stack, 0, &mut fresh);
        fresh.is_empty() || edges.believe(&mut fresh, |_| can_call)
    }

    #[test]
    fn four_copies_in_a_row_are_believed() {
        let mut edges = Edges::default();
        let stack = [frame(1, 10), frame(2, 20)];
        edges.next_sample();
        for _ in 0..3 {
            assert!(!seen(&mut edges, &stack, true));
        }
        assert!(seen(&mut edges, &stack, true));
        assert!(edges.knows(CodeId(1), 10, CodeId(2)));
    }

    #[test]
    fn an_accident_now_and_then_is_not_believed() {
        let mut edges = Edges::default();
        let (usual, odd) = ([frame(1, 10), frame(2, 20)], [frame(1, 10), frame(3, 4)]);
        for turn in 0..10_000 {
            edges.next_sample();
            let stack = if turn % 100 == 50 { &odd } else { &usual };
            seen(&mut edges, stack, true);
        }
        assert!(edges.knows(CodeId(1), 10, CodeId(2)));
        assert!(!edges.knows(CodeId(1), 10, CodeId(3)));
    }

    #[test]
    fn a_short_call_that_comes_often_is_believed() {
        let mut edges = Edges::default();
        let (short, other) = ([frame(1, 10), frame(3, 4)], [frame(1, 10), frame(2, 20)]);
        let between = [frame(4, 2)];
        for turn in 0..256 {
            edges.next_sample();
            let stack: &[RawFrame] = match turn % 8 {
                0 => &short,
                3 => &other,
                _ => &between,
            };
            seen(&mut edges, stack, true);
        }
        assert!(edges.knows(CodeId(1), 10, CodeId(3)));
    }

    #[test]
    fn an_instruction_that_calls_nothing_needs_more() {
        let mut edges = Edges::default();
        let stack = [frame(1, 10), frame(2, 20)];
        for turn in 0..8 {
            edges.next_sample();
            assert!(!seen(&mut edges, &stack, false) || turn == 7);
        }
        assert!(edges.knows(CodeId(1), 10, CodeId(2)));
    }

    #[test]
    fn recursion_in_one_copy_counts_once() {
        let mut edges = Edges::default();
        edges.next_sample();
        let stack = [frame(1, 10), frame(1, 10), frame(1, 10)];
        assert!(!seen(&mut edges, &stack, true));
        assert!(!edges.knows(CodeId(1), 10, CodeId(1)));
    }
}
