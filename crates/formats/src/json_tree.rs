//! A call tree as nested JSON, for scripts.

use std::io::Write;

use sondage_model::{FunctionKind, Source};

use crate::calltree::{CallTree, Key, Node};
use crate::json::{Millis, Quoted, array};
use crate::names::Names;
use crate::select::Selection;
use crate::{ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "json",
    description: "call tree as nested JSON, for scripts",
    extension: "tree.json",
    loses: "when things happened, thread states, tasks, counters and messages, and threads unless \
            asked for. It nests as deep as the stacks: some JSON readers stop at 1,000 levels",
    text: true,
    export: Some(write),
    import: None,
};

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let tree = CallTree::new(&Selection::new(source, &options.filter)?, options)?;
    let mut keys: Vec<Key> = tree.nodes.iter().map(|node| node.key).collect();
    keys.sort_unstable();
    keys.dedup();
    write!(
        out,
        "{{\"format\":\"sondage call tree 1\",\"command\":{},\"total_time_ms\":{},\
         \"self_time_ms\":{},\"call_count\":{},\"call_count_is\":\"samples\",\"frames\":",
        Quoted(&source.info().command.join(" ")),
        Millis(tree.total.weight),
        Millis(tree.bare.weight),
        tree.total.count,
    )?;
    array(out, keys.iter().enumerate(), |out, (id, key)| {
        frame(out, source, id, *key)
    })?;
    out.write_all(b",\"children\":[")?;
    nodes(out, &tree, &keys)?;
    out.write_all(b"]}\n")?;
    Ok(())
}

fn frame(out: &mut dyn Write, source: &dyn Source, id: usize, key: Key) -> std::io::Result<()> {
    let names = Names::new(source.dictionary());
    write!(out, "{{\"frame_id\":{id},")?;
    match key {
        Key::Thread(thread) => {
            let process = names.process(names.process_of(thread));
            let name = format!("{process} {}", names.thread(thread));
            write!(out, "\"name\":{},\"kind\":\"thread\"}}", Quoted(&name))
        }
        Key::Function(function, line) => {
            let rows = source.dictionary().functions();
            let kind = rows
                .get(function.index())
                .map_or(FunctionKind::Meta, |row| row.kind);
            write!(
                out,
                "\"name\":{},\"file\":{},\"first_line\":{},\"line\":{line},\"kind\":\"{}\"}}",
                Quoted(names.name(function)),
                Quoted(names.file(function)),
                names.first_line(function),
                kind.name(),
            )
        }
    }
}

/// Writes the nodes without recursion: a stack may be deeper than our own.
fn nodes(out: &mut dyn Write, tree: &CallTree, keys: &[Key]) -> std::io::Result<()> {
    enum Step {
        Open(u32),
        Comma,
        Close,
    }
    let open = |steps: &mut Vec<Step>, ids: &[u32]| {
        for (index, &id) in ids.iter().enumerate().rev() {
            steps.push(Step::Open(id));
            if index > 0 {
                steps.push(Step::Comma);
            }
        }
    };
    let mut steps = Vec::new();
    open(&mut steps, &tree.roots);
    while let Some(step) = steps.pop() {
        match step {
            Step::Comma => out.write_all(b",")?,
            Step::Close => out.write_all(b"]}")?,
            Step::Open(id) => {
                let node: &Node = &tree.nodes[id as usize];
                write!(
                    out,
                    "{{\"frame_id\":{},\"total_time_ms\":{},\"self_time_ms\":{},\
                     \"call_count\":{},\"children\":[",
                    keys.binary_search(&node.key).unwrap_or(0),
                    Millis(node.total.weight),
                    Millis(node.own.weight),
                    node.total.count,
                )?;
                steps.push(Step::Close);
                open(&mut steps, &node.children);
            }
        }
    }
    Ok(())
}
