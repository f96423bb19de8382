//! Figures by source line and by file.

use std::cmp::Reverse;

use sondage_model::{Dictionary, FileId, FrameId, FunctionId, StackId};

use crate::analyzer::Selection;
use crate::tree::{CallTree, MergeBy};
use crate::{AnalyzeError, Analyzer, Empty, Filter};

/// The lines that frames are on. A line that several functions share (a lambda and the function
/// around it) is one line.
pub(crate) struct LineIndex {
    /// File and line by line number here, in that order.
    pub lines: Vec<(FileId, u32)>,
    /// By frame: the number of its line.
    line_of_frame: Vec<u32>,
    /// By stack: whether no frame further out is on the same line.
    outermost: Vec<bool>,
}

impl LineIndex {
    pub(crate) fn new(dict: &Dictionary, stacks: &CallTree) -> LineIndex {
        let line = |frame: &sondage_model::FrameRow| {
            (dict.functions()[frame.function.index()].file, frame.line)
        };
        let mut lines: Vec<(FileId, u32)> = dict.frames().iter().map(line).collect();
        lines.sort_unstable();
        lines.dedup();
        let line_of_frame: Vec<u32> = dict
            .frames()
            .iter()
            .map(|frame| lines.partition_point(|other| *other < line(frame)) as u32)
            .collect();
        let outermost = stacks.outermost(lines.len(), |key| line_of_frame[key as usize] as usize);
        LineIndex {
            lines,
            line_of_frame,
            outermost,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        8 * self.lines.len() + 4 * self.line_of_frame.len() + self.outermost.len()
    }
}

/// The figures of one source line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineFigures {
    /// The file.
    pub file: FileId,
    /// The line, from 1; 0 where unknown.
    pub line: u32,
    /// Weight of samples whose innermost frame is on this line.
    pub own: u64,
    /// Weight of samples with a frame on this line; one sample counts once.
    pub total: u64,
    /// The function that has most of it.
    pub function: FunctionId,
}

/// The figures of the lines of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileLines {
    /// Lines with figures, from the top.
    pub lines: Vec<LineFigures>,
    /// The file's functions that occur, from the top.
    pub functions: Vec<FunctionId>,
    /// Weight of everything the filter admits.
    pub total: u64,
    /// Why there is nothing at all, if there is nothing.
    pub empty: Option<Empty>,
}

/// The figures of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileFigures {
    /// The file.
    pub file: FileId,
    /// Weight of samples whose innermost frame is in it.
    pub own: u64,
    /// Weight of samples with a frame in it; one sample counts once.
    pub total: u64,
}

impl Analyzer {
    /// Figures by line of one file.
    ///
    /// # Errors
    /// When there is no such file, or the recording cannot be read.
    pub fn file_lines(&self, filter: &Filter, file: FileId) -> Result<FileLines, AnalyzeError> {
        self.check_file(file)?;
        let selection = self.select(filter)?;
        let lines = self.line_figures(&selection, Some(file));
        let dict = self.dictionary();
        let mut functions: Vec<FunctionId> = self
            .function_figures(&selection)
            .iter()
            .map(|row| row.function)
            .filter(|function| dict.functions()[function.index()].file == file)
            .collect();
        functions.sort_by_key(|function| {
            let line = dict.functions()[function.index()].first_line;
            (line, self.names().rank(*function))
        });
        Ok(FileLines {
            lines,
            functions,
            total: selection.total().weight,
            empty: self.empty_stacks(filter, &selection)?,
        })
    }

    /// The figures of all lines that occur, or of those of one file, by file and line.
    pub(crate) fn line_figures(
        &self,
        selection: &Selection,
        only: Option<FileId>,
    ) -> Vec<LineFigures> {
        let dict = self.dictionary();
        let index = self.lines();
        let stacks = self.tree(MergeBy::Line);
        let weights = self.node_weights(selection, MergeBy::Line);
        let mut figures: Vec<LineFigures> = index
            .lines
            .iter()
            .map(|&(file, line)| LineFigures {
                file,
                line,
                own: 0,
                total: 0,
                function: FunctionId(u32::MAX),
            })
            .collect();
        let mut by_frame = vec![0_u64; dict.frames().len()];
        for node in 1..stacks.len() {
            let frame = stacks.key[node] as usize;
            let row = &mut figures[index.line_of_frame[frame] as usize];
            row.own += weights.own[node];
            if index.outermost[node] {
                row.total += weights.total[node];
            }
            by_frame[frame] += weights.total[node];
        }
        // The function of a line is that of its heaviest frame.
        let mut frames: Vec<u32> = (0..dict.frames().len() as u32)
            .filter(|&frame| by_frame[frame as usize] > 0)
            .collect();
        frames.sort_unstable_by_key(|&frame| {
            let function = dict.function_of(FrameId(frame));
            (
                Reverse(by_frame[frame as usize]),
                self.names().rank(function),
            )
        });
        for frame in frames {
            let row = &mut figures[index.line_of_frame[frame as usize] as usize];
            if row.function == FunctionId(u32::MAX) {
                row.function = dict.function_of(FrameId(frame));
            }
        }
        figures.retain(|row| row.total > 0 && only.is_none_or(|file| row.file == file));
        figures
    }

    /// Figures by file: heaviest self weight first, equals by path.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn files(&self, filter: &Filter) -> Result<Vec<FileFigures>, AnalyzeError> {
        let dict = self.dictionary();
        let selection = self.select(filter)?;
        let tree = self.tree(MergeBy::Function);
        let weights = self.node_weights(&selection, MergeBy::Function);
        let outermost = self.outermost_files();
        let mut files: Vec<FileFigures> = (0..dict.files().len() as u32)
            .map(|id| FileFigures {
                file: FileId(id),
                own: 0,
                total: 0,
            })
            .collect();
        for (node, outermost) in outermost.iter().enumerate().skip(1) {
            let function = &dict.functions()[tree.key[node] as usize];
            let row = &mut files[function.file.index()];
            row.own += weights.own[node];
            if *outermost {
                row.total += weights.total[node];
            }
        }
        files.retain(|row| row.total > 0);
        files.sort_by_key(|row| (Reverse((row.own, row.total)), dict.file_path(row.file)));
        Ok(files)
    }

    /// The stacks with the most weight of their own once equal functions are one: a function path
    /// and its weight each.
    pub(crate) fn heaviest_paths(
        &self,
        selection: &Selection,
        limit: usize,
    ) -> Vec<(Vec<FunctionId>, u64)> {
        let tree = self.tree(MergeBy::Function);
        let own = &self.node_weights(selection, MergeBy::Function).own;
        let mut nodes: Vec<u32> = (1..tree.len() as u32)
            .filter(|&node| own[node as usize] > 0)
            .collect();
        // Equals by how they read, so that ids do not matter.
        let by_weight = |node: &u32| Reverse(own[*node as usize]);
        nodes.sort_by_key(by_weight);
        let last = nodes
            .get(limit.saturating_sub(1))
            .map_or(0, |n| own[*n as usize]);
        nodes.truncate(nodes.partition_point(|node| own[*node as usize] >= last));
        let path = |node: u32| -> Vec<FunctionId> {
            tree.path(node).into_iter().map(FunctionId).collect()
        };
        let mut paths: Vec<(Vec<FunctionId>, u64)> = nodes
            .into_iter()
            .take(limit.saturating_mul(20))
            .map(|node| (path(node), own[node as usize]))
            .collect();
        paths.sort_by_cached_key(|(path, weight)| {
            let ranks: Vec<u32> = path.iter().map(|f| self.names().rank(*f)).collect();
            (Reverse(*weight), ranks)
        });
        paths.truncate(limit);
        paths
    }

    /// The innermost function of a stack; `None` for the empty one.
    #[must_use]
    pub fn innermost(&self, stack: StackId) -> Option<FunctionId> {
        let dict = self.dictionary();
        let row = dict.stacks().get(stack.index())?;
        (stack != StackId::EMPTY).then(|| dict.function_of(row.frame))
    }
}
