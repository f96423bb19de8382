//! The tree that all stacks of a recording form once equal functions (or equal frames) are one.
//!
//! It does not depend on the filter, so it is built once. Nodes are numbered so that a parent
//! comes before its children; node 0 is the root, above all outermost frames.

use rustc_hash::FxHashMap;
use sondage_model::{Dictionary, StackId};

use crate::Weights;

/// What makes two frames one in a merged tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MergeBy {
    /// The function.
    #[default]
    Function,
    /// The function and the line.
    Line,
}

/// The root of a [`CallTree`].
pub(crate) const ROOT: u32 = 0;

/// A merged tree. A key is a function's or a frame's id.
pub(crate) struct CallTree {
    pub parent: Vec<u32>,
    pub key: Vec<u32>,
    depth: Vec<u32>,
    child_start: Vec<u32>,
    children: Vec<u32>,
    /// `None` where nodes are stacks.
    node_of_stack: Option<Vec<u32>>,
}

/// Weights of a [`CallTree`]'s nodes.
#[derive(Debug)]
pub(crate) struct NodeWeights {
    /// Weight of stacks that end here, by node.
    pub own: Vec<u64>,
    /// Weight of stacks that pass or end here, by node.
    pub total: Vec<u64>,
}

impl NodeWeights {
    pub(crate) fn bytes(&self) -> usize {
        8 * (self.own.len() + self.total.len())
    }
}

impl CallTree {
    pub(crate) fn new(dict: &Dictionary, by: MergeBy) -> CallTree {
        let (parent, key, node_of_stack) = match by {
            MergeBy::Function => {
                let (parent, key, nodes) = merge_by_function(dict);
                (parent, key, Some(nodes))
            }
            MergeBy::Line => {
                let rows = dict.stacks();
                let parent = rows.iter().map(|row| row.parent.0).collect();
                let key = rows.iter().map(|row| row.frame.0).collect();
                (parent, key, None)
            }
        };
        let mut depth = vec![0; parent.len()];
        let mut child_start = vec![0; parent.len() + 1];
        for node in 1..parent.len() {
            depth[node] = depth[parent[node] as usize] + 1;
            child_start[parent[node] as usize + 1] += 1;
        }
        for node in 0..parent.len() {
            child_start[node + 1] += child_start[node];
        }
        let mut next = child_start.clone();
        let mut children = vec![0; parent.len() - 1];
        for node in 1..parent.len() {
            let slot = &mut next[parent[node] as usize];
            children[*slot as usize] = node as u32;
            *slot += 1;
        }
        CallTree {
            parent,
            key,
            depth,
            child_start,
            children,
            node_of_stack,
        }
    }

    /// Number of nodes, the root included.
    pub(crate) fn len(&self) -> usize {
        self.parent.len()
    }

    pub(crate) fn node(&self, stack: StackId) -> u32 {
        match &self.node_of_stack {
            Some(nodes) => nodes.get(stack.index()).copied().unwrap_or(ROOT),
            None if stack.index() < self.len() => stack.0,
            None => ROOT,
        }
    }

    pub(crate) fn children(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.children[self.child_start[node] as usize..self.child_start[node + 1] as usize]
    }

    /// Number of frames from the root to this node.
    pub(crate) fn depth(&self, node: u32) -> u32 {
        self.depth[node as usize]
    }

    /// The node on the way to `node` that is `depth` frames deep.
    pub(crate) fn ancestor(&self, mut node: u32, depth: u32) -> u32 {
        while self.depth(node) > depth {
            node = self.parent[node as usize];
        }
        node
    }

    /// How many outermost frames the stacks of two nodes share.
    pub(crate) fn shared_depth(&self, a: u32, b: u32) -> u32 {
        let depth = self.depth(a).min(self.depth(b));
        let (mut a, mut b) = (self.ancestor(a, depth), self.ancestor(b, depth));
        while a != b {
            a = self.parent[a as usize];
            b = self.parent[b as usize];
        }
        self.depth(a)
    }

    /// The keys from the outermost frame to this node.
    pub(crate) fn path(&self, mut node: u32) -> Vec<u32> {
        let mut path = Vec::with_capacity(self.depth(node) as usize);
        while node != ROOT {
            path.push(self.key[node as usize]);
            node = self.parent[node as usize];
        }
        path.reverse();
        path
    }

    /// Adds weights up along the tree.
    pub(crate) fn weigh(&self, weights: &Weights) -> NodeWeights {
        let mut own = vec![0; self.len()];
        for (&stack, &weight) in weights.stacks().iter().zip(weights.weights()) {
            own[self.node(stack) as usize] += weight;
        }
        let mut total = own.clone();
        for node in (1..self.len()).rev() {
            total[self.parent[node] as usize] += total[node];
        }
        NodeWeights { own, total }
    }

    /// For each node whether no node above it is of the same group. `group` maps keys to groups,
    /// numbered below `groups`.
    ///
    /// A function's total is the sum over these nodes: so each sample counts once, however often
    /// the function calls itself.
    pub(crate) fn outermost(&self, groups: usize, group: impl Fn(u32) -> usize) -> Vec<bool> {
        let mut outermost = vec![false; self.len()];
        let mut on_path = vec![0_u32; groups];
        // Each entry is a node and how many of its children are done.
        let mut stack: Vec<(u32, usize)> = vec![(ROOT, 0)];
        while let Some((node, done)) = stack.last_mut() {
            if let Some(&child) = self.children(*node).get(*done) {
                *done += 1;
                let count = &mut on_path[group(self.key[child as usize])];
                outermost[child as usize] = *count == 0;
                *count += 1;
                stack.push((child, 0));
            } else {
                if *node != ROOT {
                    on_path[group(self.key[*node as usize])] -= 1;
                }
                stack.pop();
            }
        }
        outermost
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let nodes = self.node_of_stack.as_ref().map_or(0, Vec::len);
        4 * (4 * self.parent.len() + self.children.len() + nodes)
    }
}

fn merge_by_function(dict: &Dictionary) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let frames = dict.frames();
    let mut parent = vec![ROOT];
    let mut key = vec![u32::MAX];
    let mut nodes = Vec::with_capacity(dict.stacks().len());
    nodes.push(ROOT);
    let mut ids: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for row in dict.stacks().iter().skip(1) {
        let above = nodes[row.parent.index()];
        let function = frames[row.frame.index()].function.0;
        let node = *ids.entry((above, function)).or_insert_with(|| {
            parent.push(above);
            key.push(function);
            parent.len() as u32 - 1
        });
        nodes.push(node);
    }
    (parent, key, nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture;

    #[test]
    fn functions_merge_over_lines_and_frames_do_not() {
        let recording = picture::record(
            "
            main:1  main:2  main:2
            f:5     f:5     g:9
            ",
        );
        let by_function = CallTree::new(&recording.dictionary, MergeBy::Function);
        let by_line = CallTree::new(&recording.dictionary, MergeBy::Line);
        assert_eq!(by_function.len(), 1 + 1 + 2);
        assert_eq!(by_line.len(), 1 + 2 + 3);
        assert_eq!(by_function.shared_depth(2, 3), 1);
        assert_eq!(by_function.path(3), vec![0, 2]);
    }

    #[test]
    fn only_the_outermost_of_a_recursion_is_outermost() {
        let recording = picture::record(
            "
            f
            g
            f
            g
            h
            ",
        );
        let tree = CallTree::new(&recording.dictionary, MergeBy::Function);
        let outermost = tree.outermost(3, |key| key as usize);
        assert_eq!(outermost[1..], [true, true, false, false, true]);
    }
}
