//! Figures by function, and search.

use std::cmp::Reverse;

use sondage_model::FunctionId;

use crate::analyzer::Selection;
use crate::scan::stacks_with_any;
use crate::tree::MergeBy;
use crate::{AnalyzeError, Analyzer, Empty, Filter, Search, Totals};

/// What a function table is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SortBy {
    /// Self weight.
    #[default]
    Own,
    /// Total weight.
    Total,
    /// Label, then file.
    Name,
}

/// Which part of the function table is wanted, and in what order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionQuery {
    /// What it is sorted by; equals by name.
    pub sort: SortBy,
    /// Largest (or last) first.
    pub descending: bool,
    /// Rows to leave out at the beginning.
    pub offset: usize,
    /// Rows to give at most.
    pub limit: usize,
    /// Only functions that match.
    pub only: Option<Search>,
}

impl Default for FunctionQuery {
    fn default() -> Self {
        FunctionQuery {
            sort: SortBy::Own,
            descending: true,
            offset: 0,
            limit: 200,
            only: None,
        }
    }
}

/// The figures of one function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FunctionFigures {
    /// The function.
    pub function: FunctionId,
    /// Sums over the samples whose innermost frame it is.
    pub own: Totals,
    /// Weight of the samples whose stack contains it; one sample counts once.
    pub total: u64,
}

/// A table of functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionTable {
    /// The rows asked for.
    pub rows: Vec<FunctionFigures>,
    /// How many rows there are in all.
    pub row_count: usize,
    /// Sums over everything the filter admits.
    pub total: Totals,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
}

/// How much a search finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The functions that match and occur, by id.
    pub functions: Vec<FunctionId>,
    /// Weight of the stacks they are in.
    pub weight: u64,
    /// Weight of everything the filter admits.
    pub total: u64,
}

impl Analyzer {
    /// Figures by function.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn functions(
        &self,
        filter: &Filter,
        query: &FunctionQuery,
    ) -> Result<FunctionTable, AnalyzeError> {
        let selection = self.select(filter)?;
        let mut rows = self.function_figures(&selection);
        if let Some(search) = &query.only {
            let matching = self.names().matching(self.dictionary(), search);
            rows.retain(|row| matching[row.function.index()]);
        }
        let rank = |row: &FunctionFigures| self.names().rank(row.function);
        match (query.sort, query.descending) {
            (SortBy::Own, true) => {
                rows.sort_unstable_by_key(|r| (Reverse((r.own.weight, r.total)), rank(r)));
            }
            (SortBy::Own, false) => rows.sort_unstable_by_key(|r| (r.own.weight, r.total, rank(r))),
            (SortBy::Total, true) => {
                rows.sort_unstable_by_key(|r| (Reverse((r.total, r.own.weight)), rank(r)));
            }
            (SortBy::Total, false) => {
                rows.sort_unstable_by_key(|r| (r.total, r.own.weight, rank(r)));
            }
            (SortBy::Name, true) => rows.sort_unstable_by_key(|r| Reverse(rank(r))),
            (SortBy::Name, false) => rows.sort_unstable_by_key(rank),
        }
        let row_count = rows.len();
        Ok(FunctionTable {
            rows: rows
                .into_iter()
                .skip(query.offset)
                .take(query.limit)
                .collect(),
            row_count,
            total: *selection.total(),
            empty: self.empty_stacks(filter, &selection)?,
        })
    }

    /// The figures of all functions that occur, by id.
    pub(crate) fn function_figures(&self, selection: &Selection) -> Vec<FunctionFigures> {
        let tree = self.tree(MergeBy::Function);
        let mut figures: Vec<FunctionFigures> = (0..self.dictionary().functions().len() as u32)
            .map(|id| FunctionFigures {
                function: FunctionId(id),
                own: Totals::default(),
                total: 0,
            })
            .collect();
        for (stack, totals) in selection.weights().iter() {
            let node = tree.node(stack) as usize;
            if let Some(row) = figures.get_mut(tree.key[node] as usize) {
                row.own.add_all(&totals);
            }
        }
        let total = &self.node_weights(selection, MergeBy::Function).total;
        let outermost = self.outermost_functions();
        for node in 1..tree.len() {
            if outermost[node] {
                figures[tree.key[node] as usize].total += total[node];
            }
        }
        figures.retain(|row| row.total > 0);
        figures
    }

    /// How many functions match, and how much time is in them.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn search(&self, filter: &Filter, search: &Search) -> Result<Found, AnalyzeError> {
        let dict = self.dictionary();
        let selection = self.select(filter)?;
        let weights = selection.weights();
        let matching = self.names().matching(dict, search);
        let contains = stacks_with_any(dict, &matching);
        let found = weights.stacks().iter().zip(weights.weights());
        let functions = self.function_figures(&selection);
        Ok(Found {
            functions: functions
                .iter()
                .map(|row| row.function)
                .filter(|function| matching[function.index()])
                .collect(),
            weight: found
                .filter(|(stack, _)| contains[stack.index()])
                .map(|(_, weight)| weight)
                .sum(),
            total: selection.total().weight,
        })
    }
}
