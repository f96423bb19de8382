//! The tables that all threads of a Firefox profile share.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use sondage_model::{FrameId, FunctionId, FunctionKind, Source, StackId};

use crate::json::{Quoted, column};
use crate::names::{NO_FUNCTION, Names};

/// Position of a kind's category in the profile's list.
fn category(kind: FunctionKind) -> usize {
    match kind {
        FunctionKind::Python => 1,
        FunctionKind::Native => 2,
        FunctionKind::Kernel => 3,
        FunctionKind::Meta => 0,
    }
}

/// The stacks, frames, functions, files and strings that samples use, numbered as they are met.
pub(crate) struct Tables<'a> {
    source: &'a dyn Source,
    stacks: Interned<StackId>,
    prefixes: Vec<Option<usize>>,
    stack_frames: Vec<usize>,
    frames: Interned<Option<FrameId>>,
    frame_functions: Vec<usize>,
    functions: Interned<FunctionId>,
    files: Interned<String>,
    strings: Interned<String>,
}

struct Interned<K> {
    ids: FxHashMap<K, usize>,
    keys: Vec<K>,
}

impl<K> Default for Interned<K> {
    fn default() -> Self {
        Interned {
            ids: FxHashMap::default(),
            keys: Vec::new(),
        }
    }
}

impl<K: Clone + Eq + std::hash::Hash> Interned<K> {
    fn get(&mut self, key: K) -> (usize, bool) {
        if let Some(&id) = self.ids.get(&key) {
            return (id, false);
        }
        self.keys.push(key.clone());
        self.ids.insert(key, self.keys.len() - 1);
        (self.keys.len() - 1, true)
    }
}

impl<'a> Tables<'a> {
    pub fn new(source: &'a dyn Source) -> Tables<'a> {
        Tables {
            source,
            stacks: Interned::default(),
            prefixes: Vec::new(),
            stack_frames: Vec::new(),
            frames: Interned::default(),
            frame_functions: Vec::new(),
            functions: Interned::default(),
            files: Interned::default(),
            strings: Interned::default(),
        }
    }

    /// The number of a text.
    pub fn string(&mut self, text: &str) -> usize {
        self.strings.get(text.to_owned()).0
    }

    /// The number of a stack; the callers it needs get theirs first.
    pub fn stack(&mut self, stack: StackId) -> usize {
        let rows = self.source.dictionary().stacks();
        let mut missing = Vec::new();
        let mut at = stack;
        let mut prefix = loop {
            if let Some(&known) = self.stacks.ids.get(&at) {
                break Some(known);
            }
            match rows.get(at.index()) {
                Some(row) if at != StackId::EMPTY => {
                    missing.push((at, Some(row.frame)));
                    at = row.parent;
                }
                _ => {
                    if missing.is_empty() {
                        // A sample without frames still takes time.
                        missing.push((at, None));
                    }
                    break None;
                }
            }
        };
        // A sample without frames has its own root, which is no prefix of others.
        if prefix.is_some_and(|prefix| self.stacks.keys[prefix] == StackId::EMPTY)
            && !missing.is_empty()
        {
            prefix = None;
        }
        for (stack, frame) in missing.into_iter().rev() {
            let frame = self.frame(frame);
            let (id, _) = self.stacks.get(stack);
            self.prefixes.push(prefix);
            self.stack_frames.push(frame);
            prefix = Some(id);
        }
        prefix.unwrap_or(0)
    }

    fn frame(&mut self, frame: Option<FrameId>) -> usize {
        let (id, new) = self.frames.get(frame);
        if new {
            let function = self.row(frame).0;
            let (function, _) = self.functions.get(function);
            self.frame_functions.push(function);
        }
        id
    }

    fn row(&self, frame: Option<FrameId>) -> (FunctionId, u32) {
        frame
            .and_then(|frame| self.source.dictionary().frames().get(frame.index()))
            .map_or((NO_FUNCTION, 0), |row| (row.function, row.line))
    }

    fn kind(&self, frame: Option<FrameId>) -> FunctionKind {
        let rows = self.source.dictionary().functions();
        rows.get(self.row(frame).0.index())
            .map_or(FunctionKind::Meta, |row| row.kind)
    }

    pub fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let names = Names::new(self.source.dictionary());
        let functions = self.functions.keys.clone();
        let function_names: Vec<usize> = functions
            .iter()
            .map(|&function| self.strings.get(names.name(function).to_owned()).0)
            .collect();
        let function_files: Vec<Option<usize>> = functions
            .iter()
            .map(|&function| match names.file(function) {
                "" => None,
                file => Some(self.files.get(file.to_owned()).0),
            })
            .collect();
        let file_names: Vec<usize> = self
            .files
            .keys
            .clone()
            .into_iter()
            .map(|file| self.strings.get(file).0)
            .collect();

        let frames = &self.frames.keys;
        write!(
            out,
            "{{\"stackTable\":{{\"length\":{},",
            self.prefixes.len()
        )?;
        column(
            out,
            "prefix",
            self.prefixes.iter().map(|prefix| or_null(*prefix)),
        )?;
        out.write_all(b",")?;
        column(out, "frame", &self.stack_frames)?;
        write!(out, "}},\"frameTable\":{{\"length\":{},", frames.len())?;
        column(out, "address", frames.iter().map(|_| -1))?;
        out.write_all(b",")?;
        column(out, "inlineDepth", frames.iter().map(|_| 0))?;
        out.write_all(b",")?;
        column(
            out,
            "category",
            frames.iter().map(|&frame| category(self.kind(frame))),
        )?;
        out.write_all(b",")?;
        column(out, "subcategory", frames.iter().map(|_| 0))?;
        out.write_all(b",")?;
        column(out, "func", &self.frame_functions)?;
        out.write_all(b",")?;
        column(out, "nativeSymbol", frames.iter().map(|_| "null"))?;
        out.write_all(b",")?;
        column(out, "innerWindowID", frames.iter().map(|_| 0))?;
        out.write_all(b",")?;
        let line = |line: u32| or_null((line > 0).then_some(line as usize));
        column(
            out,
            "line",
            frames.iter().map(|&frame| line(self.row(frame).1)),
        )?;
        out.write_all(b",")?;
        column(out, "column", frames.iter().map(|_| "null"))?;
        write!(out, "}},\"funcTable\":{{\"length\":{},", functions.len())?;
        column(out, "name", &function_names)?;
        out.write_all(b",")?;
        column(out, "isJS", functions.iter().map(|_| false))?;
        out.write_all(b",")?;
        column(out, "relevantForJS", functions.iter().map(|_| false))?;
        out.write_all(b",")?;
        column(out, "resource", functions.iter().map(|_| -1))?;
        out.write_all(b",")?;
        column(
            out,
            "source",
            function_files.iter().map(|file| or_null(*file)),
        )?;
        out.write_all(b",")?;
        column(
            out,
            "lineNumber",
            functions
                .iter()
                .map(|&function| line(names.first_line(function))),
        )?;
        out.write_all(b",")?;
        column(out, "columnNumber", functions.iter().map(|_| "null"))?;
        out.write_all(
            b"},\"resourceTable\":{\"length\":0,\"lib\":[],\"name\":[],\"host\":[],\"type\":[]},\
              \"nativeSymbols\":{\"length\":0,\"libIndex\":[],\"address\":[],\"name\":[],\
              \"functionSize\":[]},\"sources\":{",
        )?;
        write!(out, "\"length\":{},", file_names.len())?;
        column(out, "uuid", file_names.iter().map(|_| "null"))?;
        out.write_all(b",")?;
        column(out, "filename", &file_names)?;
        out.write_all(b"},")?;
        column(
            out,
            "stringArray",
            self.strings.keys.iter().map(|text| Quoted(text)),
        )?;
        out.write_all(b"}")
    }
}

fn or_null(number: Option<usize>) -> String {
    number.map_or_else(|| "null".into(), |number| number.to_string())
}
