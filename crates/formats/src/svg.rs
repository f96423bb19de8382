//! A flame graph as one SVG file, drawn by the `inferno` crate.

use std::io::Write;

use inferno::flamegraph::color::{MultiPalette, Palette};
use inferno::flamegraph::{Options, from_lines};
use rustc_hash::FxHashMap;
use sondage_model::Source;

use crate::calltree::{CallTree, Key};
use crate::collapsed::{fold, frame_text, node_text};
use crate::names::Names;
use crate::select::Selection;
use crate::{Detail, ExportOptions, Format, FormatError, Measure};

pub(crate) const FORMAT: Format = Format {
    name: "svg",
    description: "flame graph as one SVG file, for any browser: zoom and search inside",
    extension: "svg",
    loses: "when things happened, thread states, and threads unless asked for; frames narrower \
            than a hundredth of a percent are not drawn. Times are rounded to microseconds",
    text: true,
    export: Some(write),
    import: None,
};

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let selection = Selection::new(source, &options.filter)?;
    let tree = CallTree::new(&selection, options)?;
    let measure = selection.measure(options.measure);
    let texts = short_texts(Names::new(source.dictionary()), &tree, options.detail);
    let mut lines = Vec::new();
    fold(
        &tree,
        measure,
        |key| texts[&key].clone(),
        |line| {
            lines.push(line.to_owned());
            Ok(())
        },
    )?;
    let command = source.info().command.join(" ");
    let total = match measure {
        Measure::Time => tree.total.weight.0,
        Measure::Samples => tree.total.count,
    };
    if lines.is_empty() || total == 0 {
        return Ok(empty(out, &command)?);
    }
    let mut settings = Options::default();
    settings.title = frame_text(if command.is_empty() {
        "sondage"
    } else {
        &command
    });
    settings.subtitle = Some(match measure {
        Measure::Time => format!(
            "{:.3} s in {} samples, recorded by sondage",
            tree.total.weight.as_secs_f64(),
            tree.total.count
        ),
        Measure::Samples => format!("{} samples, recorded by sondage", tree.total.count),
    });
    settings.colors = Palette::Multi(MultiPalette::Python);
    // Without it colours are drawn at random and two exports differ.
    settings.deterministic = true;
    (settings.count_name, settings.factor) = match measure {
        Measure::Time => ("µs".into(), 1e-3),
        Measure::Samples => ("samples".into(), 1.0),
    };
    lines.sort_unstable();
    settings.no_sort = true;
    from_lines(&mut settings, lines.iter().map(String::as_str), out)?;
    Ok(())
}

/// Texts with only the file's name, but for those that would then be the same as another's.
fn short_texts(names: Names<'_>, tree: &CallTree, detail: Detail) -> FxHashMap<Key, String> {
    let short = |key: Key| match (key, detail) {
        (Key::Thread(_), _) => node_text(names, key, detail),
        (Key::Function(function, _), Detail::Function) => {
            frame_text(&names.located_short(function, names.first_line(function)))
        }
        (Key::Function(function, line), Detail::Line) => {
            frame_text(&names.located_short(function, line))
        }
    };
    let mut users: FxHashMap<String, Option<Key>> = FxHashMap::default();
    for node in &tree.nodes {
        users
            .entry(short(node.key))
            .and_modify(|user| *user = user.filter(|user| *user == node.key))
            .or_insert(Some(node.key));
    }
    tree.nodes
        .iter()
        .map(|node| {
            let text = short(node.key);
            let alone = users.get(&text).is_some_and(Option::is_some);
            let text = if alone {
                text
            } else {
                node_text(names, node.key, detail)
            };
            (node.key, only_xml(&text))
        })
        .collect()
}

/// Without the two code points that XML 1.0 cannot hold and [`frame_text`] lets through.
fn only_xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// inferno fails when there is nothing to draw.
fn empty(out: &mut dyn Write, command: &str) -> std::io::Result<()> {
    let mut title = String::new();
    for c in only_xml(&frame_text(command)).chars() {
        match c {
            '<' => title.push_str("&lt;"),
            '>' => title.push_str("&gt;"),
            '&' => title.push_str("&amp;"),
            c => title.push(c),
        }
    }
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"80\" \
         font-family=\"monospace\" font-size=\"14\"><text x=\"20\" y=\"30\">{title}</text>\
         <text x=\"20\" y=\"55\">No samples pass the filter: the recording is empty, or its threads \
         were asleep.</text></svg>"
    )
}
