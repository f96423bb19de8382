//! The samples of a filter, added up by stack: what every other figure is derived from.

use sondage_model::{Source, StackId, StateKind};

use crate::scan::{Admit, ByState, Piece, Sink, scan};
use crate::{AnalyzeError, Filter};

/// Counts and weights by stack, of the samples a [`Filter`] admits.
///
/// Weights are in the unit of the recording ([`Unit`](crate::Unit)). Flat columns over the stacks that occur,
/// in the order of their ids; a state that does not occur takes no memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weights {
    stacks: Vec<StackId>,
    counts: Vec<u64>,
    weights: Vec<u64>,
    gil: Vec<u64>,
    by_state: [Vec<u64>; StateKind::COUNT],
    total: Totals,
}

/// Sums over many samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Number of observations.
    pub count: u64,
    /// Sum of the weights.
    pub weight: u64,
    /// Sum of the weights of samples that held the GIL.
    pub gil: u64,
    /// The weight by [`StateKind::index`].
    pub by_state: [u64; StateKind::COUNT],
}

impl Totals {
    pub(crate) fn add(&mut self, piece: &Piece) {
        self.count += piece.count;
        self.weight += piece.weight;
        if piece.state.holds_gil() {
            self.gil += piece.weight;
        }
        self.by_state[piece.state.kind().index()] += piece.weight;
    }

    pub(crate) fn add_all(&mut self, other: &Totals) {
        self.count += other.count;
        self.weight += other.weight;
        self.gil += other.gil;
        for (sum, part) in self.by_state.iter_mut().zip(other.by_state) {
            *sum += part;
        }
    }

    /// The weight of one state.
    #[must_use]
    pub fn state(&self, kind: StateKind) -> u64 {
        self.by_state[kind.index()]
    }

    /// The weight of states that [are active](StateKind::is_active).
    #[must_use]
    pub fn active(&self) -> u64 {
        StateKind::ALL
            .into_iter()
            .filter(|kind| kind.is_active())
            .map(|kind| self.state(kind))
            .sum()
    }
}

impl Weights {
    /// Sums over all stacks.
    #[must_use]
    pub fn total(&self) -> &Totals {
        &self.total
    }

    /// The stacks that occur, in the order of their ids.
    #[must_use]
    pub fn stacks(&self) -> &[StackId] {
        &self.stacks
    }

    /// The weights of [`Weights::stacks`], in the same order.
    #[must_use]
    pub fn weights(&self) -> &[u64] {
        &self.weights
    }

    /// The stacks that occur with their figures, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StackId, Totals)> + '_ {
        (0..self.stacks.len()).map(|i| (self.stacks[i], self.at(i)))
    }

    fn at(&self, i: usize) -> Totals {
        Totals {
            count: self.counts[i],
            weight: self.weights[i],
            gil: self.gil[i],
            by_state: std::array::from_fn(|kind| self.by_state[kind].get(i).copied().unwrap_or(0)),
        }
    }

    /// The weight of samples without any frame: threads that ran no Python.
    #[must_use]
    pub fn without_stack(&self) -> u64 {
        match self.stacks.first() {
            Some(&StackId::EMPTY) => self.weights[0],
            _ => 0,
        }
    }

    /// Memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let by_state: usize = self.by_state.iter().map(Vec::len).sum();
        8 * (self.counts.len() + self.weights.len() + self.gil.len() + by_state)
            + 4 * self.stacks.len()
    }
}

/// The samples a filter admits, added up by stack.
///
/// For one sum; an [`Analyzer`](crate::Analyzer) keeps what several have in common.
///
/// # Errors
/// When the recording's tables contradict each other, the filter names a zone that it does not
/// have, or it cannot be read.
pub fn aggregate(source: &dyn Source, filter: &Filter) -> Result<Weights, AnalyzeError> {
    let admit = Admit::of(source, filter)?;
    let stacks = source.dictionary().stacks().len();
    Ok(scan(source, &admit, || StackSums::new(stacks))?.finish())
}

/// The figures that are added to for one piece, next to each other in memory.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    gil: u64,
    by_state: ByState,
}

/// Sums by stack while they grow. `slots` says where the sums of a stack are.
pub(crate) struct StackSums {
    slots: Vec<u32>,
    sums: Vec<Sums>,
}

const NO_SLOT: u32 = u32::MAX;

impl StackSums {
    pub(crate) fn new(stacks: usize) -> StackSums {
        StackSums {
            slots: vec![NO_SLOT; stacks],
            sums: Vec::new(),
        }
    }

    fn slot(&mut self, stack: usize) -> &mut Sums {
        let slot = &mut self.slots[stack];
        if *slot == NO_SLOT {
            *slot = self.sums.len() as u32;
            self.sums.push(Sums::default());
        }
        &mut self.sums[*slot as usize]
    }

    pub(crate) fn finish(self) -> Weights {
        let occurs: Vec<(StackId, &Sums)> = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| **slot != NO_SLOT)
            .map(|(stack, slot)| (StackId(stack as u32), &self.sums[*slot as usize]))
            .collect();
        let mut total = Totals::default();
        for (_, sums) in &occurs {
            total.add_all(&Totals {
                count: sums.count,
                weight: sums.by_state.iter().sum(),
                gil: sums.gil,
                by_state: sums.by_state,
            });
        }
        let column = |of: &dyn Fn(&Sums) -> u64| -> Vec<u64> {
            occurs.iter().map(|(_, sums)| of(sums)).collect()
        };
        Weights {
            stacks: occurs.iter().map(|(stack, _)| *stack).collect(),
            counts: column(&|sums| sums.count),
            weights: column(&|sums| sums.by_state.iter().sum()),
            gil: column(&|sums| sums.gil),
            by_state: std::array::from_fn(|kind| {
                if total.by_state[kind] == 0 {
                    Vec::new()
                } else {
                    column(&|sums| sums.by_state[kind])
                }
            }),
            total,
        }
    }
}

impl Sink for StackSums {
    fn add(&mut self, piece: Piece) {
        let sums = self.slot(piece.stack.index());
        sums.count += piece.count;
        sums.by_state[piece.state.kind().index()] += piece.weight;
        if piece.state.holds_gil() {
            sums.gil += piece.weight;
        }
    }

    fn merge(&mut self, other: StackSums) {
        for (stack, &slot) in other.slots.iter().enumerate() {
            if slot == NO_SLOT {
                continue;
            }
            let from = other.sums[slot as usize];
            let into = self.slot(stack);
            into.count += from.count;
            into.gil += from.gil;
            for (sum, part) in into.by_state.iter_mut().zip(from.by_state) {
                *sum += part;
            }
        }
    }
}
