//! What the tests of views share: recordings from pictures, and views as text.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fmt::Write as _;
use std::sync::Arc;

use sondage_analyze::{Analyzer, Direction, Filter, FunctionQuery, MergeBy, picture};
use sondage_model::{FunctionId, MemoryRecording, Time, TimeRange};

pub fn analyze(recording: MemoryRecording) -> Analyzer {
    Analyzer::new(Arc::new(recording.seal())).expect("a sound recording")
}

pub fn of(text: &str) -> Analyzer {
    analyze(picture::record(text))
}

pub fn ms(weight: u64) -> f64 {
    weight as f64 / 1e6
}

pub fn range(from_ms: u64, to_ms: u64) -> Option<TimeRange> {
    Some(TimeRange::new(
        Time(from_ms * 1_000_000),
        Time(to_ms * 1_000_000),
    ))
}

pub fn function(analyzer: &Analyzer, name: &str) -> FunctionId {
    let dict = analyzer.dictionary();
    let position = (0..dict.functions().len() as u32)
        .map(FunctionId)
        .find(|id| dict.text(dict.functions()[id.index()].qualified_name) == name);
    position.unwrap_or_else(|| panic!("no function {name}"))
}

/// The function table as `label self/total`, a row each.
pub fn table(analyzer: &Analyzer, filter: &Filter) -> String {
    let table = analyzer
        .functions(filter, &FunctionQuery::default())
        .expect("readable");
    let mut text = format!("of {} ms\n", ms(table.total.weight));
    for row in table.rows {
        let label = analyzer.names().label(analyzer.dictionary(), row.function);
        let _ = writeln!(text, "{label} {}/{}", ms(row.own.weight), ms(row.total));
    }
    if let Some(empty) = table.empty {
        let _ = writeln!(text, "{empty}");
    }
    text
}

/// A whole tree, indented, as `label self/total`.
pub fn tree(analyzer: &Analyzer, filter: &Filter, direction: Direction, by: MergeBy) -> String {
    let tree = analyzer.call_tree(filter, direction, by).expect("readable");
    draw(&tree)
}

pub fn draw(tree: &sondage_analyze::Tree<'_>) -> String {
    let mut text = String::new();
    let mut waiting: Vec<_> = tree
        .children(None, 0)
        .nodes
        .into_iter()
        .map(|n| (n, 0))
        .collect();
    waiting.reverse();
    while let Some((node, depth)) = waiting.pop() {
        let label = tree.name(&node).label;
        let (own, total) = (ms(node.own()), ms(node.total()));
        let _ = writeln!(
            text,
            "{:indent$}{label} {own}/{total}",
            "",
            indent = 2 * depth
        );
        let children = tree.children(Some(&node), 0).nodes;
        waiting.extend(children.into_iter().rev().map(|n| (n, depth + 1)));
    }
    text
}
