//! The call tree as views walk it: from the roots, level by level, heaviest first.

use std::cmp::Reverse;
use std::sync::Arc;

use sondage_model::{FrameId, FunctionId};

use crate::analyzer::Selection;
use crate::tree::{CallTree, MergeBy, NodeWeights, ROOT};
use crate::{AnalyzeError, Analyzer, Empty, Filter, FrameName};

/// Which way a [`Tree`] grows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// From the outermost functions to those they call.
    #[default]
    Callees,
    /// From the innermost functions to those that call them.
    Callers,
}

/// A tree of merged stacks with the weights of one filter.
///
/// Nothing is worked out before it is asked for: [`Tree::children`] of a node costs about as much
/// as there are stacks through it.
pub struct Tree<'a> {
    analyzer: &'a Analyzer,
    tree: &'a CallTree,
    selection: Arc<Selection>,
    by: MergeBy,
    direction: Direction,
    /// `None`: every outermost (or innermost) function is a root.
    root: Option<Node>,
}

/// A node of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The function's id, or the frame's where they are told apart by line.
    key: u32,
    /// The nodes of the merged tree that are one here, and the weight each brings.
    members: Vec<(u32, u64)>,
    total: u64,
    own: u64,
}

impl Node {
    /// Weight of the stacks through it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Self weight: that of the stacks whose innermost frame it is. In a tree of callers only
    /// roots have any.
    #[must_use]
    pub fn own(&self) -> u64 {
        self.own
    }
}

/// The children of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Children {
    /// Heaviest first; equals by name.
    pub nodes: Vec<Node>,
    /// How many were lighter than asked for and are left out.
    pub omitted: usize,
}

/// A function in the middle, what it calls below, who calls it above.
pub struct Sandwich<'a> {
    /// The function.
    pub name: FrameName,
    /// Weight of stacks that end in it.
    pub own: u64,
    /// Weight of stacks that contain it.
    pub total: u64,
    /// From it to its callers: the innermost occurrence counts.
    pub callers: Tree<'a>,
    /// From it to what it calls: the outermost occurrence counts.
    pub callees: Tree<'a>,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
}

/// A node of the call tree in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The function.
    pub name: FrameName,
    /// [`Node::own`].
    pub own: u64,
    /// [`Node::total`].
    pub total: u64,
    /// Whether it has children.
    pub has_children: bool,
}

/// The children of one node of the call tree, as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRows {
    /// Weight of everything the filter admits.
    pub total: u64,
    /// Heaviest first.
    pub rows: Vec<TreeRow>,
    /// Why there is nothing at all, if there is nothing.
    pub empty: Option<Empty>,
}

impl Analyzer {
    /// The tree of all stacks that the filter admits.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn call_tree(
        &self,
        filter: &Filter,
        direction: Direction,
        by: MergeBy,
    ) -> Result<Tree<'_>, AnalyzeError> {
        Ok(Tree {
            analyzer: self,
            tree: self.tree(by),
            selection: self.select(filter)?,
            by,
            direction,
            root: None,
        })
    }

    /// The children of the node that these functions lead to from the root; the roots where the
    /// path is empty.
    ///
    /// # Errors
    /// When there is no such node, or the recording cannot be read.
    pub fn tree_rows(
        &self,
        filter: &Filter,
        direction: Direction,
        path: &[FunctionId],
    ) -> Result<TreeRows, AnalyzeError> {
        let tree = self.call_tree(filter, direction, MergeBy::Function)?;
        let mut at: Option<Node> = None;
        for function in path {
            let children = tree.children(at.as_ref(), 0);
            let next = children.nodes.into_iter().find(|n| n.key == function.0);
            at = Some(next.ok_or(AnalyzeError::NoSuch {
                what: "node of the call tree that ends in function",
                id: function.0,
            })?);
        }
        let rows = tree.children(at.as_ref(), 0).nodes;
        Ok(TreeRows {
            total: tree.total(),
            rows: rows
                .iter()
                .map(|node| TreeRow {
                    name: tree.name(node),
                    own: node.own,
                    total: node.total,
                    has_children: tree.has_children(node),
                })
                .collect(),
            empty: self.empty_stacks(filter, tree.selection())?,
        })
    }

    /// What calls a function and what it calls.
    ///
    /// # Errors
    /// When there is no such function, or the recording cannot be read.
    pub fn sandwich(
        &self,
        filter: &Filter,
        function: FunctionId,
    ) -> Result<Sandwich<'_>, AnalyzeError> {
        self.check_function(function)?;
        let selection = self.select(filter)?;
        let tree = self.tree(MergeBy::Function);
        let NodeWeights { own, total } = self.node_weights(&selection, MergeBy::Function);
        let outermost = self.outermost_functions();
        // Weight that no occurrence further inside has claimed.
        let mut unclaimed = own.clone();
        let mut below = Vec::new();
        let mut above = Vec::new();
        let mut own_sum = 0;
        for node in (1..tree.len() as u32).rev() {
            let i = node as usize;
            if tree.key[i] != function.0 {
                unclaimed[tree.parent[i] as usize] += unclaimed[i];
                continue;
            }
            own_sum += own[i];
            if unclaimed[i] > 0 {
                above.push((node, unclaimed[i]));
            }
            if outermost[i] && total[i] > 0 {
                below.push((node, total[i]));
            }
        }
        above.reverse();
        below.reverse();
        let whole = below.iter().map(|(_, weight)| weight).sum();
        let part = |direction, members| Tree {
            analyzer: self,
            tree,
            selection: Arc::clone(&selection),
            by: MergeBy::Function,
            direction,
            root: Some(Node {
                key: function.0,
                members,
                total: whole,
                own: own_sum,
            }),
        };
        let empty = match self.empty(filter)? {
            None if whole == 0 => Some(Empty::Function {
                label: self.names().label(self.dictionary(), function),
            }),
            other => other,
        };
        Ok(Sandwich {
            name: self.names().frame(self.dictionary(), function, None),
            own: own_sum,
            total: whole,
            callers: part(Direction::Callers, above),
            callees: part(Direction::Callees, below),
            empty,
        })
    }

    /// [`Analyzer::empty`] for views of stacks: samples without frames show nothing either.
    pub(crate) fn empty_stacks(
        &self,
        filter: &Filter,
        selection: &Selection,
    ) -> Result<Option<Empty>, AnalyzeError> {
        let weights = selection.weights();
        let total = weights.total().weight;
        if total > 0 && total == weights.without_stack() {
            return Ok(Some(Empty::NoStacks));
        }
        self.empty(filter)
    }
}

impl<'a> Tree<'a> {
    /// Weight of everything in the tree, stacks without frames included.
    #[must_use]
    pub fn total(&self) -> u64 {
        match &self.root {
            Some(root) => root.total,
            None => self.selection.total().weight,
        }
    }

    /// The recording it is of.
    #[must_use]
    pub fn analyzer(&self) -> &'a Analyzer {
        self.analyzer
    }

    /// The sums it shows.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Why it is empty; `None` when it is not.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn empty(&self) -> Result<Option<Empty>, AnalyzeError> {
        self.analyzer
            .empty_stacks(self.selection.filter(), &self.selection)
    }

    /// What a node is called.
    #[must_use]
    pub fn name(&self, node: &Node) -> FrameName {
        self.name_of(node.key)
    }

    /// A number that equal nodes share: the id of the function, or of the frame.
    #[must_use]
    pub fn key(&self, node: &Node) -> u32 {
        node.key
    }

    /// What the nodes with this key are called.
    ///
    /// # Panics
    /// When the key is of no node.
    #[must_use]
    pub fn name_of(&self, key: u32) -> FrameName {
        name_of(self.analyzer, self.by, key)
    }

    /// The children of a node, or the roots, that weigh at least `at_least`.
    #[must_use]
    pub fn children(&self, parent: Option<&Node>, at_least: u64) -> Children {
        let at_least = at_least.max(1);
        let mut children = match (parent, &self.root, self.direction) {
            (None, Some(root), _) => Children {
                nodes: vec![root.clone()],
                omitted: 0,
            },
            (None, None, Direction::Callees) => self.callees(&[(ROOT, 0)], at_least),
            (Some(parent), _, Direction::Callees) => self.callees(&parent.members, at_least),
            (None, None, Direction::Callers) => self.innermost(at_least),
            (Some(parent), _, Direction::Callers) => self.callers(&parent.members, at_least),
        };
        children.nodes.retain(|node| node.total > 0);
        children
            .nodes
            .sort_by_cached_key(|node| (Reverse(node.total), self.rank(node.key)));
        children
    }

    fn has_children(&self, node: &Node) -> bool {
        match self.direction {
            Direction::Callees => {
                let total = &self.weights().total;
                node.members.iter().any(|(member, _)| {
                    let children = self.tree.children(*member);
                    children.iter().any(|&child| total[child as usize] > 0)
                })
            }
            Direction::Callers => node
                .members
                .iter()
                .any(|(member, _)| self.tree.parent[*member as usize] != ROOT),
        }
    }

    fn weights(&self) -> &NodeWeights {
        self.analyzer.node_weights(&self.selection, self.by)
    }

    /// Decides between nodes of equal weight: the order of names, then of lines.
    fn rank(&self, key: u32) -> (u32, u32, u32) {
        rank(self.analyzer, self.by, key)
    }

    fn callees(&self, members: &[(u32, u64)], at_least: u64) -> Children {
        let NodeWeights { own, total } = self.weights();
        let below = members
            .iter()
            .flat_map(|(member, _)| self.tree.children(*member))
            .filter(|&&child| total[child as usize] > 0)
            .map(|&child| (self.tree.key[child as usize], child, total[child as usize]));
        let mut children = Children::default();
        if members.len() == 1 {
            // Siblings in a merged tree have different keys: there is nothing to merge.
            for (key, child, weight) in below {
                if weight < at_least {
                    children.omitted += 1;
                    continue;
                }
                children.nodes.push(Node {
                    key,
                    members: vec![(child, weight)],
                    total: weight,
                    own: own[child as usize],
                });
            }
            return children;
        }
        group(below.collect(), at_least, &mut children);
        for node in &mut children.nodes {
            node.own = node.members.iter().map(|(m, _)| own[*m as usize]).sum();
        }
        children
    }

    /// The roots of a tree of callers: all functions with self weight.
    fn innermost(&self, at_least: u64) -> Children {
        let own = &self.weights().own;
        let mut by_key = vec![0_u64; self.keys()];
        for node in 1..self.tree.len() {
            by_key[self.tree.key[node] as usize] += own[node];
        }
        let heavy =
            |node: &usize| own[*node] > 0 && by_key[self.tree.key[*node] as usize] >= at_least;
        let entries = (1..self.tree.len())
            .filter(heavy)
            .map(|node| (self.tree.key[node], node as u32, own[node]))
            .collect();
        let mut children = Children::default();
        group(entries, at_least, &mut children);
        children.omitted = by_key
            .iter()
            .filter(|sum| (1..at_least).contains(*sum))
            .count();
        for node in &mut children.nodes {
            node.own = node.total;
        }
        children
    }

    fn callers(&self, members: &[(u32, u64)], at_least: u64) -> Children {
        let entries = members
            .iter()
            .map(|(member, weight)| (self.tree.parent[*member as usize], *weight))
            .filter(|(parent, _)| *parent != ROOT)
            .map(|(parent, weight)| (self.tree.key[parent as usize], parent, weight))
            .collect();
        let mut children = Children::default();
        group(entries, at_least, &mut children);
        children
    }

    fn keys(&self) -> usize {
        match self.by {
            MergeBy::Function => self.analyzer.dictionary().functions().len(),
            MergeBy::Line => self.analyzer.dictionary().frames().len(),
        }
    }
}

/// What the nodes with this key are called.
pub(crate) fn name_of(analyzer: &Analyzer, by: MergeBy, key: u32) -> FrameName {
    let dict = analyzer.dictionary();
    match by {
        MergeBy::Function => analyzer.names().frame(dict, FunctionId(key), None),
        MergeBy::Line => {
            let row = dict.frames()[FrameId(key).index()];
            analyzer.names().frame(dict, row.function, Some(row.line))
        }
    }
}

fn rank(analyzer: &Analyzer, by: MergeBy, key: u32) -> (u32, u32, u32) {
    match by {
        MergeBy::Function => (analyzer.names().rank(FunctionId(key)), 0, key),
        MergeBy::Line => {
            let row = analyzer.dictionary().frames()[key as usize];
            (analyzer.names().rank(row.function), row.line, key)
        }
    }
}

/// Makes one node of all entries (key, member, weight) with the same key, and one member of all
/// with the same member.
fn group(mut entries: Vec<(u32, u32, u64)>, at_least: u64, children: &mut Children) {
    entries.sort_unstable();
    for same in entries.chunk_by(|a, b| a.0 == b.0) {
        let total: u64 = same.iter().map(|(_, _, weight)| weight).sum();
        if total < at_least {
            children.omitted += 1;
            continue;
        }
        children.nodes.push(Node {
            key: same[0].0,
            members: same
                .chunk_by(|a, b| a.1 == b.1)
                .map(|member| (member[0].1, member.iter().map(|(_, _, w)| w).sum()))
                .collect(),
            total,
            own: 0,
        });
    }
}
