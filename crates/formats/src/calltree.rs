//! A call tree whose nodes are functions, or lines of functions.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use sondage_model::{FrameId, FunctionId, SourceError, StackId, ThreadId};

use crate::names::NO_FUNCTION;
use crate::select::{Selection, Sum};
use crate::{Detail, ExportOptions};

/// What tells two nodes with the same parent apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Key {
    /// A thread, as a root.
    Thread(ThreadId),
    /// A function at a line; line 0 stands for the whole function.
    Function(FunctionId, u32),
}

/// A node of a [`CallTree`].
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its caller; `None` for a root.
    pub parent: Option<u32>,
    pub key: Key,
    /// What was seen in it and not in one it calls.
    pub own: Sum,
    /// What was seen in it and in those it calls.
    pub total: Sum,
    /// What it calls, heaviest first.
    pub children: Vec<u32>,
}

/// The call tree of a selection. A node's index is larger than its parent's.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallTree {
    pub nodes: Vec<Node>,
    /// Nodes without a caller, heaviest first.
    pub roots: Vec<u32>,
    /// Samples without any frame.
    pub bare: Sum,
    /// Everything.
    pub total: Sum,
}

impl CallTree {
    /// Builds the tree of the samples that pass `options`.
    pub fn new(
        selection: &Selection<'_>,
        options: &ExportOptions,
    ) -> Result<CallTree, SourceError> {
        let mut builder = Builder {
            selection,
            detail: options.detail,
            tree: CallTree::default(),
            children: FxHashMap::default(),
            of_stack: FxHashMap::default(),
        };
        if options.by_thread {
            for ((thread, stack), sum) in selection.by_thread_and_stack()? {
                builder.add(Some(thread), stack, sum);
            }
        } else {
            for (stack, sum) in selection.by_stack()? {
                builder.add(None, stack, sum);
            }
        }
        Ok(builder.finish())
    }
}

struct Builder<'a> {
    selection: &'a Selection<'a>,
    detail: Detail,
    tree: CallTree,
    children: FxHashMap<(Option<u32>, Key), u32>,
    of_stack: FxHashMap<(Option<ThreadId>, StackId), Option<u32>>,
}

impl Builder<'_> {
    fn add(&mut self, thread: Option<ThreadId>, stack: StackId, sum: Sum) {
        self.tree.total.add(sum);
        match self.node_of(thread, stack) {
            Some(node) => self.tree.nodes[node as usize].own.add(sum),
            None => self.tree.bare.add(sum),
        }
    }

    /// The node of a stack, made with all its parents where it is not there yet.
    fn node_of(&mut self, thread: Option<ThreadId>, stack: StackId) -> Option<u32> {
        let stacks = self.selection.source.dictionary().stacks();
        let mut missing = Vec::new();
        let mut at = stack;
        let mut node = loop {
            if let Some(&known) = self.of_stack.get(&(thread, at)) {
                break known;
            }
            match stacks.get(at.index()) {
                Some(row) if at != StackId::EMPTY => {
                    missing.push((at, row.frame));
                    at = row.parent;
                }
                _ => {
                    let root = thread.map(|thread| self.child(None, Key::Thread(thread)));
                    self.of_stack.insert((thread, at), root);
                    break root;
                }
            }
        };
        for (stack, frame) in missing.into_iter().rev() {
            node = Some(self.child(node, self.key(frame)));
            self.of_stack.insert((thread, stack), node);
        }
        node
    }

    fn key(&self, frame: FrameId) -> Key {
        match self
            .selection
            .source
            .dictionary()
            .frames()
            .get(frame.index())
        {
            Some(row) if self.detail == Detail::Line => Key::Function(row.function, row.line),
            Some(row) => Key::Function(row.function, 0),
            None => Key::Function(NO_FUNCTION, 0),
        }
    }

    fn child(&mut self, parent: Option<u32>, key: Key) -> u32 {
        let nodes = &mut self.tree.nodes;
        *self.children.entry((parent, key)).or_insert_with(|| {
            nodes.push(Node {
                parent,
                key,
                own: Sum::default(),
                total: Sum::default(),
                children: Vec::new(),
            });
            nodes.len() as u32 - 1
        })
    }

    fn finish(self) -> CallTree {
        let mut tree = self.tree;
        for index in (0..tree.nodes.len()).rev() {
            let node = &mut tree.nodes[index];
            let own = node.own;
            node.total.add(own);
            let (parent, total) = (node.parent, node.total);
            match parent {
                Some(parent) => {
                    let parent = &mut tree.nodes[parent as usize];
                    parent.total.add(total);
                    parent.children.push(index as u32);
                }
                None => tree.roots.push(index as u32),
            }
        }
        let order: Vec<_> = tree
            .nodes
            .iter()
            .map(|node| (Reverse((node.total.weight, node.total.count)), node.key))
            .collect();
        for node in &mut tree.nodes {
            node.children
                .sort_unstable_by_key(|&child| order[child as usize]);
        }
        tree.roots
            .sort_unstable_by_key(|&root| order[root as usize]);
        tree
    }
}
