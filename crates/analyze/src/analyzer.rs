//! A recording with what is worked out about it once, and the figures of the last filters.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sondage_model::{Dictionary, FileId, FunctionId, Source, TaskId, ThreadId};

use crate::counters::Series;
use crate::lines::LineIndex;
use crate::names::Names;
use crate::scan::{Admit, Piece, Sink, Unit, check, scan, unit_of};
use crate::tree::{CallTree, MergeBy, NodeWeights};
use crate::weights::StackSums;
use crate::zones::ZoneIndex;
use crate::{AnalyzeError, Empty, Filter, Search, Totals, Weights};

/// Answers questions about one recording.
///
/// Holds what does not depend on the filter (names, merged trees) and, within a bound of bytes,
/// the sums of the filters that were asked for last. Every method may be called from several
/// threads; the same question always has the same answer.
pub struct Analyzer {
    source: Arc<dyn Source>,
    names: Names,
    unit: Unit,
    by_function: OnceLock<CallTree>,
    by_line: OnceLock<CallTree>,
    outermost_functions: OnceLock<Vec<bool>>,
    outermost_files: OnceLock<Vec<bool>>,
    lines: OnceLock<LineIndex>,
    zones: ZoneIndex,
    /// `None` inside when they are too many to keep.
    pub(crate) kept_counters: OnceLock<Option<Series>>,
    selections: Mutex<Vec<Arc<Selection>>>,
    cache_bytes: usize,
}

/// The sums of one filter.
pub struct Selection {
    filter: Filter,
    weights: Weights,
    threads: Vec<Totals>,
    /// Those that ran, in the order of their ids.
    tasks: Vec<(TaskId, Totals)>,
    by_function: OnceLock<NodeWeights>,
    by_line: OnceLock<NodeWeights>,
}

impl Selection {
    /// The filter.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The samples by stack.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The sums over everything.
    #[must_use]
    pub fn total(&self) -> &Totals {
        self.weights.total()
    }

    /// The sums by thread id.
    #[must_use]
    pub fn threads(&self) -> &[Totals] {
        &self.threads
    }

    /// The sums of each asyncio task that ran, in the order of their ids.
    pub(crate) fn tasks(&self) -> &[(TaskId, Totals)] {
        &self.tasks
    }

    /// The thread with the most weight, the first of equals; `None` where none has any.
    #[must_use]
    pub fn busiest_thread(&self) -> Option<ThreadId> {
        (0..self.threads.len())
            .filter(|&i| self.threads[i].weight > 0)
            .max_by_key(|&i| (self.threads[i].weight, std::cmp::Reverse(i)))
            .map(|i| ThreadId(i as u32))
    }

    fn bytes(&self) -> usize {
        let nodes = |weights: &OnceLock<NodeWeights>| weights.get().map_or(0, NodeWeights::bytes);
        self.weights.bytes()
            + size_of_val(&self.threads[..])
            + size_of_val(&self.tasks[..])
            + nodes(&self.by_function)
            + nodes(&self.by_line)
    }
}

/// Bytes of sums that an [`Analyzer`] keeps unless told otherwise.
const DEFAULT_CACHE_BYTES: usize = 32 << 20;

impl Analyzer {
    /// Makes a recording ready for questions.
    ///
    /// # Errors
    /// When its tables contradict each other, or it cannot be read.
    pub fn new(source: Arc<dyn Source>) -> Result<Analyzer, AnalyzeError> {
        Analyzer::with_cache(source, DEFAULT_CACHE_BYTES)
    }

    /// The same, keeping at most about `cache_bytes` of sums, and half as much of counters.
    ///
    /// # Errors
    /// When its tables contradict each other, or it cannot be read.
    pub fn with_cache(
        source: Arc<dyn Source>,
        cache_bytes: usize,
    ) -> Result<Analyzer, AnalyzeError> {
        check(source.dictionary())?;
        Ok(Analyzer {
            names: Names::new(source.dictionary()),
            unit: unit_of(&*source)?,
            zones: ZoneIndex::new(source.zone_blocks()),
            source,
            by_function: OnceLock::new(),
            by_line: OnceLock::new(),
            outermost_functions: OnceLock::new(),
            outermost_files: OnceLock::new(),
            lines: OnceLock::new(),
            kept_counters: OnceLock::new(),
            selections: Mutex::default(),
            cache_bytes,
        })
    }

    /// The recording.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// What its samples refer to.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        self.source.dictionary()
    }

    /// What its functions and files are called.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What its weights are measured in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The sums of the samples that the filter admits.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn select(&self, filter: &Filter) -> Result<Arc<Selection>, AnalyzeError> {
        let filter = filter.normal();
        let selections = || {
            self.selections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        {
            let mut kept = selections();
            if let Some(at) = kept.iter().position(|kept| kept.filter == filter) {
                let found = kept.remove(at);
                kept.push(Arc::clone(&found));
                return Ok(found);
            }
        }
        let admit = self.admit(&filter)?;
        let dict = self.dictionary();
        // The first one is none: where there is no other, nothing is added up.
        let tasks = Some(dict.tasks().len()).filter(|tasks| *tasks > 1);
        let sums = scan(&*self.source, &admit, || SelectionSums {
            stacks: StackSums::new(dict.stacks().len()),
            threads: vec![Totals::default(); dict.threads().len()],
            tasks: vec![Totals::default(); tasks.unwrap_or(0)],
        })?;
        let tasks = (0..).map(TaskId).zip(sums.tasks).skip(1);
        let selection = Arc::new(Selection {
            filter,
            weights: sums.stacks.finish(),
            threads: sums.threads,
            tasks: tasks.filter(|(_, totals)| totals.count > 0).collect(),
            by_function: OnceLock::new(),
            by_line: OnceLock::new(),
        });
        let mut kept = selections();
        // Another thread may have been asked the same in the meantime.
        kept.retain(|kept| kept.filter != selection.filter);
        kept.push(Arc::clone(&selection));
        while kept.len() > 1 && kept.iter().map(|s| s.bytes()).sum::<usize>() > self.cache_bytes {
            kept.remove(0);
        }
        Ok(selection)
    }

    /// Why the filter leaves nothing; `None` when it leaves something.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn empty(&self, filter: &Filter) -> Result<Option<Empty>, AnalyzeError> {
        if self.select(filter)?.total().weight > 0 {
            return Ok(None);
        }
        Empty::find(self, filter).map(Some)
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    pub(crate) fn admit(&self, filter: &Filter) -> Result<Admit, AnalyzeError> {
        let matching = |search: &Search| self.names.matching(self.dictionary(), search);
        let admit = Admit::new(&*self.source, matching, filter, self.unit);
        Ok(match filter.inside {
            Some(inside) => admit.inside_of(self.stretches(inside)?),
            None => admit,
        })
    }

    pub(crate) fn zone_index(&self) -> &ZoneIndex {
        &self.zones
    }

    pub(crate) fn tree(&self, by: MergeBy) -> &CallTree {
        let tree = match by {
            MergeBy::Function => &self.by_function,
            MergeBy::Line => &self.by_line,
        };
        tree.get_or_init(|| CallTree::new(self.dictionary(), by))
    }

    pub(crate) fn node_weights<'a>(
        &self,
        selection: &'a Selection,
        by: MergeBy,
    ) -> &'a NodeWeights {
        let weights = match by {
            MergeBy::Function => &selection.by_function,
            MergeBy::Line => &selection.by_line,
        };
        weights.get_or_init(|| self.tree(by).weigh(&selection.weights))
    }

    /// By node of the tree by function: whether it is the outermost one of its function.
    pub(crate) fn outermost_functions(&self) -> &[bool] {
        self.outermost_functions.get_or_init(|| {
            self.tree(MergeBy::Function)
                .outermost(self.dictionary().functions().len(), |key| key as usize)
        })
    }

    /// By node of the tree by function: whether it is the outermost one of its file.
    pub(crate) fn outermost_files(&self) -> &[bool] {
        self.outermost_files.get_or_init(|| {
            let functions = self.dictionary().functions();
            self.tree(MergeBy::Function)
                .outermost(self.dictionary().files().len(), |key| {
                    functions[key as usize].file.index()
                })
        })
    }

    pub(crate) fn lines(&self) -> &LineIndex {
        self.lines
            .get_or_init(|| LineIndex::new(self.dictionary(), self.tree(MergeBy::Line)))
    }

    pub(crate) fn check_file(&self, file: FileId) -> Result<(), AnalyzeError> {
        if file.index() < self.dictionary().files().len() {
            return Ok(());
        }
        Err(AnalyzeError::NoSuch {
            what: "file",
            id: file.0,
        })
    }

    pub(crate) fn check_function(&self, function: FunctionId) -> Result<(), AnalyzeError> {
        if function.index() < self.dictionary().functions().len() {
            return Ok(());
        }
        Err(AnalyzeError::NoSuch {
            what: "function",
            id: function.0,
        })
    }

    /// Memory it holds now, besides the recording's own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let trees: usize = [&self.by_function, &self.by_line]
            .into_iter()
            .filter_map(|tree| tree.get())
            .map(CallTree::bytes)
            .sum();
        let marks: usize = [&self.outermost_functions, &self.outermost_files]
            .into_iter()
            .filter_map(|marks| marks.get())
            .map(Vec::len)
            .sum();
        let kept = self
            .selections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let sums: usize = kept.iter().map(|selection| selection.bytes()).sum();
        let counters = self.kept_counters.get().and_then(Option::as_ref);
        let counters: usize = counters
            .into_iter()
            .flatten()
            .map(|p| size_of_val(&p[..]))
            .sum();
        trees
            + marks
            + sums
            + self.zones.bytes()
            + counters
            + self.lines.get().map_or(0, LineIndex::bytes)
    }
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer")
            .field("command", &self.source.info().command)
            .field("unit", &self.unit)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Sums by stack, by thread and by task.
struct SelectionSums {
    stacks: StackSums,
    threads: Vec<Totals>,
    tasks: Vec<Totals>,
}

impl Sink for SelectionSums {
    fn add(&mut self, piece: Piece) {
        self.stacks.add(piece);
        if let Some(thread) = self.threads.get_mut(piece.thread.index()) {
            thread.add(&piece);
        }
        if let Some(task) = self.tasks.get_mut(piece.task.index()) {
            task.add(&piece);
        }
    }

    fn merge(&mut self, other: SelectionSums) {
        self.stacks.merge(other.stacks);
        let threads = self.threads.iter_mut().zip(&other.threads);
        for (sum, part) in threads.chain(self.tasks.iter_mut().zip(&other.tasks)) {
            sum.add_all(part);
        }
    }
}
