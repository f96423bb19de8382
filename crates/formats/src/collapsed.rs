//! Collapsed ("folded") stacks: one line a stack, frames outermost first with `;` between, a space
//! and a count. The format of the original flame graph scripts, read by almost everything.

use std::io::Write;

use sondage_model::{FunctionId, FunctionKind, MemoryRecording, Source, StackId};

use crate::calltree::{CallTree, Key};
use crate::importing::{Builder, Frame};
use crate::names::{NO_FRAME, Names};
use crate::select::{Selection, Sum};
use crate::{
    Confidence, Detail, ExportOptions, Format, FormatError, Import, ImportOptions, Measure,
};

pub(crate) const FORMAT: Format = Format {
    name: "collapsed",
    description: "collapsed stacks, for flamegraph.pl, inferno, speedscope and others",
    extension: "collapsed",
    loses: "when things happened, thread states, and processes and threads unless asked for; one \
            line a frame at most; `;` and control characters in names are replaced. Counts are \
            nanoseconds: a consumer that repeats a stack once a count (the Firefox Profiler) needs \
            `samples`",
    text: true,
    export: Some(write),
    import: Some(Import {
        sniff,
        read,
        loses: "when and in which thread things happened, which the file does not say. Without \
                `--unit` or `--interval` the recording counts samples and knows no time; with \
                them the stacks are laid end to end",
    }),
};

/// Text of a frame that does not break a line of the format.
pub(crate) fn frame_text(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| match c {
            ';' => ':',
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
            c => c,
        })
        .collect();
    match clean.trim() {
        "" => "(unknown)".into(),
        // Readers would take a number at the end for a first of two counts.
        text => match text.rsplit_once(' ') {
            Some((name, last)) if is_number(last) => format!("{}_{last}", name.trim_end()),
            _ => text.into(),
        },
    }
}

/// Whether readers would take a line that begins with this frame for a comment.
fn looks_like_a_comment(frame: &str) -> bool {
    let rest = frame.strip_prefix('#');
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The text of a node, unique to its function: `name (path:first line)`.
pub(crate) fn node_text(names: Names<'_>, key: Key, detail: Detail) -> String {
    frame_text(&match key {
        Key::Thread(thread) => {
            let process = names.process(names.process_of(thread));
            format!("{process} {}", names.thread(thread))
        }
        Key::Function(function, line) => located(names, function, line, detail),
    })
}

fn located(names: Names<'_>, function: FunctionId, line: u32, detail: Detail) -> String {
    match detail {
        Detail::Function => names.located(function, names.first_line(function)),
        Detail::Line => names.located(function, line),
    }
}

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let names = Names::new(source.dictionary());
    let selection = Selection::new(source, &options.filter)?;
    let tree = CallTree::new(&selection, options)?;
    fold(
        &tree,
        selection.measure(options.measure),
        |key| node_text(names, key, options.detail),
        |line| {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
            Ok(())
        },
    )
}

/// Calls `each` with the lines of a tree, without newlines, in the order of the tree.
pub(crate) fn fold(
    tree: &CallTree,
    measure: Measure,
    text: impl Fn(Key) -> String,
    mut each: impl FnMut(&str) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let value = |sum: Sum| match measure {
        Measure::Time => sum.weight.0,
        Measure::Samples => sum.count,
    };
    let bare = value(tree.bare);
    if bare > 0 {
        each(&format!("{NO_FRAME} {bare}"))?;
    }
    let mut texts = rustc_hash::FxHashMap::default();
    let mut line = String::new();
    // Each entry: the node, and how long the line was before it.
    let mut open: Vec<(u32, usize)> = tree.roots.iter().rev().map(|&root| (root, 0)).collect();
    while let Some((index, before)) = open.pop() {
        let node = &tree.nodes[index as usize];
        line.truncate(before);
        if before > 0 {
            line.push(';');
        }
        let text = texts.entry(node.key).or_insert_with(|| text(node.key));
        if before == 0 && looks_like_a_comment(text) {
            line.push('_');
        }
        line.push_str(text);
        let after = line.len();
        let own = value(node.own);
        if own > 0 {
            line.push_str(&format!(" {own}"));
            each(&line)?;
        }
        open.extend(node.children.iter().rev().map(|&child| (child, after)));
    }
    Ok(())
}

fn sniff(bytes: &[u8]) -> Confidence {
    if bytes.contains(&0) {
        return Confidence::No("it has zero bytes, so it is not text".into());
    }
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        match stack_and_count(&line) {
            _ if line.trim().is_empty() => continue,
            Some(("", _)) => continue,
            Some((stack, _)) if !stack.starts_with(['{', '[']) => return Confidence::Likely,
            _ => {}
        }
        if !line.starts_with('#') {
            return Confidence::No(format!(
                "line {} does not end in a space and a count",
                index + 1
            ));
        }
    }
    Confidence::No("it has no lines".into())
}

/// Splits `a;b;c 12.5` at its last space. The count is digits, with a fraction if any. py-spy
/// writes a sample without frames as a space and the count.
fn stack_and_count(line: &str) -> Option<(&str, &str)> {
    let (stack, count) = line.trim_end().rsplit_once([' ', '\t'])?;
    is_number(count).then_some((stack.trim(), count))
}

/// Digits, with a point and more digits if any.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !whole.is_empty() && digits(whole) && digits(fraction)
}

fn read(bytes: &[u8], options: &ImportOptions) -> Result<MemoryRecording, FormatError> {
    let mut builder = Builder::new(FORMAT.name, options);
    let mut ignored = 0u64;
    let mut first_ignored = 0;
    let mut replaced = false;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        replaced |= matches!(line, std::borrow::Cow::Owned(_));
        if line.trim().is_empty() {
            continue;
        }
        let Some((stack, count)) = stack_and_count(&line) else {
            if !line.starts_with('#') {
                ignored += 1;
                first_ignored = if ignored == 1 {
                    index + 1
                } else {
                    first_ignored
                };
            }
            continue;
        };
        let at = || format!("line {}", index + 1);
        let mut id = StackId::EMPTY;
        for text in stack.split(';').filter(|_| !stack.is_empty()) {
            let frame = builder.frame(frame(text));
            id = builder.push_frame(id, frame, at)?;
        }
        builder.written(id, count, at)?;
    }
    if builder.is_empty() && ignored > 0 {
        return Err(FormatError::Malformed {
            format: FORMAT.name,
            at: format!("line {first_ignored}"),
            why: "no line ends in a space and a count".into(),
        });
    }
    if ignored > 0 {
        builder.warn(format!(
            "{ignored} lines do not end in a space and a count and were left out, the first is line {first_ignored}"
        ));
    }
    if replaced {
        builder.warn("bytes that are not UTF-8 were replaced".into());
    }
    Ok(builder.finish())
}

/// Reads a frame as the writers of this format spell it: `name`, `name (file:12)`, `name (file)`,
/// `name_[k]`.
fn frame(text: &str) -> Frame<'_> {
    let text = text.trim();
    let (text, kind) = match text {
        _ if text.len() <= 4 => (text, None),
        _ => match text.as_bytes()[text.len() - 4..] {
            [b'_', b'[', b'k', b']'] => (&text[..text.len() - 4], Some(FunctionKind::Kernel)),
            [b'_', b'[', b'i' | b'j', b']'] => {
                (&text[..text.len() - 4], Some(FunctionKind::Native))
            }
            _ => (text, None),
        },
    };
    let (name, file, line) = place(text).unwrap_or((text, "", 0));
    let name = if name.is_empty() { "(unknown)" } else { name };
    Frame {
        name,
        qualified_name: name,
        file,
        first_line: 0,
        line,
        kind: kind.unwrap_or_else(|| crate::importing::kind_of_file(file)),
    }
}

/// Splits `name (file:12)` and `name (file)`; a file has a dot, a slash or a `<`.
fn place(text: &str) -> Option<(&str, &str, u32)> {
    let inside = text.strip_suffix(')')?;
    let open = matching_parenthesis(inside)?;
    let open = inside[..open].strip_suffix(' ')?.len();
    let (name, place) = (inside[..open].trim_end(), &inside[open + 2..]);
    let (file, line) = match place.rsplit_once(':') {
        Some((file, line)) if !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()) => {
            (file, line.parse().ok()?)
        }
        _ => (place, 0),
    };
    let is_file = !file.is_empty() && file.contains(['.', '/', '\\', '<']);
    (is_file && !name.is_empty()).then_some((name, file, line))
}

/// Where the parenthesis opens that is still open at the end of `text`.
fn matching_parenthesis(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.bytes().enumerate().rev().find_map(|(at, byte)| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_as_tools_write_them() {
        let seen = |text| {
            let f = frame(text);
            (f.name, f.file, f.line, f.kind)
        };
        use FunctionKind::{Kernel, Native, Python};
        assert_eq!(seen("work (app.py:12)"), ("work", "app.py", 12, Python));
        assert_eq!(
            seen("_find (<frozen importlib._bootstrap>:1176)"),
            ("_find", "<frozen importlib._bootstrap>", 1176, Python)
        );
        assert_eq!(
            seen("<module> (/a b/x (1).py:3)"),
            ("<module>", "/a b/x (1).py", 3, Python)
        );
        assert_eq!(seen("sum (libm.so.6)"), ("sum", "libm.so.6", 0, Native));
        assert_eq!(seen("do_syscall_64_[k]"), ("do_syscall_64", "", 0, Kernel));
        assert_eq!(seen("f_[j]"), ("f", "", 0, Native));
        assert_eq!(seen("operator()(int)"), ("operator()(int)", "", 0, Native));
        assert_eq!(seen("thread (0x7F00)"), ("thread (0x7F00)", "", 0, Native));
        assert_eq!(
            seen("f (app.py:99999999999)"),
            ("f (app.py:99999999999)", "", 0, Native)
        );
        assert_eq!(seen(""), ("(unknown)", "", 0, Native));
        assert_eq!(seen("é_[k"), ("é_[k", "", 0, Native));
    }

    #[test]
    fn the_last_space_separates_the_count() {
        assert_eq!(stack_and_count("a b;c d 3"), Some(("a b;c d", "3")));
        assert_eq!(stack_and_count("a 3.5"), Some(("a", "3.5")));
        assert_eq!(stack_and_count("a 3."), Some(("a", "3.")));
        assert_eq!(stack_and_count(" 4\r"), Some(("", "4")));
        for bad in ["a", "a x", "3", "a -3", "a .5", "a 1e9"] {
            assert_eq!(stack_and_count(bad), None, "{bad}");
        }
    }
}
