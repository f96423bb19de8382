//! From a target's own frames to the recording's stack ids.

use rustc_hash::FxHashMap;
use sondage_inspect::{CodeId, StackSnapshot, Target};
use sondage_model::{Dictionary, FileId, FrameId, FunctionKind, ProcessId, StackId};

/// Most frames remembered. Their keys are never used again, so that old ones may be forgotten.
const MAX_FRAMES: usize = 1 << 18;

/// The frames of one process image that are in the dictionary already.
#[derive(Debug, Default)]
pub struct FrameCache {
    frames: FxHashMap<(CodeId, i32), FrameId>,
}

/// A source file seen for the first time, and the process it was seen in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewFile {
    /// The file.
    pub file: FileId,
    /// The process whose view of the file system its path belongs to.
    pub process: ProcessId,
}

impl FrameCache {
    /// The frame of this code at this offset into its instructions.
    fn frame(
        &mut self,
        target: &Target,
        (code, offset): (CodeId, i32),
        names: &mut Names<'_>,
    ) -> FrameId {
        if let Some(&frame) = self.frames.get(&(code, offset)) {
            return frame;
        }
        let Names {
            process,
            dictionary,
            new_files,
        } = names;
        let files = dictionary.files().len();
        let frame = match target.resolve(code) {
            Some(info) => {
                let function = dictionary.function(
                    &info.name,
                    &info.qualified_name,
                    &info.filename,
                    info.first_line,
                    FunctionKind::Python,
                );
                dictionary.frame(function, info.line(offset))
            }
            None => meta_frame("<unknown code>", dictionary),
        };
        if dictionary.files().len() > files {
            new_files.push(NewFile {
                file: FileId(files as u32),
                process: *process,
            });
        }
        if self.frames.len() >= MAX_FRAMES {
            self.frames.clear();
        }
        self.frames.insert((code, offset), frame);
        frame
    }

    /// Interns a stack. `path` holds the stack ids of the thread's stack before, outermost first.
    ///
    /// PERF: only frames that changed since the thread's stack before are looked up; a leaf that
    /// loops at depth 150 costs one look-up a sample, not 150.
    pub fn intern(
        &mut self,
        target: &Target,
        snapshot: &StackSnapshot,
        path: &mut Vec<StackId>,
        sink: &mut Names<'_>,
    ) -> StackId {
        let changed = snapshot.frames.len() - snapshot.same_prefix_as_last.min(path.len());
        path.truncate(snapshot.frames.len() - changed);
        let mut stack = path.last().copied().unwrap_or(StackId::EMPTY);
        for frame in snapshot.frames[..changed].iter().rev() {
            let frame = self.frame(target, (frame.code, frame.offset), sink);
            stack = sink.dictionary.stack(stack, frame);
            path.push(stack);
        }
        stack
    }
}

/// Where the names of new frames go.
pub struct Names<'a> {
    /// The process they are seen in.
    pub process: ProcessId,
    /// The recording's dictionary.
    pub dictionary: &'a mut Dictionary,
    /// Source files seen for the first time.
    pub new_files: &'a mut Vec<NewFile>,
}

/// A frame that is no code but says why there is none.
pub fn meta_frame(name: &str, dictionary: &mut Dictionary) -> FrameId {
    let function = dictionary.function(name, name, "", 0, FunctionKind::Meta);
    dictionary.frame(function, 0)
}

/// The stack of one [`meta_frame`].
pub fn meta_stack(name: &str, dictionary: &mut Dictionary) -> StackId {
    let frame = meta_frame(name, dictionary);
    dictionary.stack(StackId::EMPTY, frame)
}
