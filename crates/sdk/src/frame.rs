//! Frames, plots, messages.

use crate::raw::{self, FrameOp};
use crate::site::{AsValue, Text};
use std::fmt::{self, Write};

/// A frame that does not follow the one before at once, from its making to its end. Made by
/// [`frame!`](crate::frame).
#[derive(Debug)]
#[must_use = "the frame ends when this is dropped"]
pub struct Frame {
    name: Option<&'static Text>,
}

impl Frame {
    /// Begins a frame.
    pub fn begin(name: &'static Text) -> Frame {
        let begun = raw::is_enabled() && raw::frame(name.id(), FrameOp::Begin);
        Frame {
            name: begun.then_some(name),
        }
    }

    /// A frame that is not recorded.
    pub const fn none() -> Frame {
        Frame { name: None }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            raw::frame(name.id(), FrameOp::End);
        }
    }
}

/// What [`frame_mark!`](crate::frame_mark) does.
#[inline]
pub fn mark_frame(name: Option<&Text>) {
    if raw::is_enabled() {
        raw::frame(name.map_or(0, Text::id), FrameOp::Mark);
    }
}

/// What [`plot!`](crate::plot) does.
#[inline]
pub fn plot_value(name: &Text, value: impl AsValue) {
    raw::plot(name.id(), value.as_value());
}

/// How much a message matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug = 1,
    /// As it should be.
    #[default]
    Info = 2,
    /// Something may be wrong.
    Warning = 3,
    /// Something is wrong.
    Error = 4,
    /// The program cannot go on.
    Critical = 5,
}

/// A text of this length is formatted without setting memory aside.
const SHORT_BYTES: usize = 512;

/// Text on the stack, which notes when it was too much.
struct Short {
    bytes: [u8; SHORT_BYTES],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// What [`message!`](crate::message) does.
pub fn write_message(level: Level, colour: u32, text: fmt::Arguments<'_>) {
    if let Some(text) = text.as_str() {
        raw::message(level as u8, colour, text);
        return;
    }
    let mut short = Short {
        bytes: [0; SHORT_BYTES],
        length: 0,
    };
    let is_short = short.write_fmt(text).is_ok();
    match std::str::from_utf8(&short.bytes[..short.length]) {
        Ok(text) if is_short => raw::message(level as u8, colour, text),
        _ => raw::message(level as u8, colour, &text.to_string()),
    };
}
