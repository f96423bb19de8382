//! What to record, and how.

use sondage_model::Nanos;

/// What to record, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time between two observations of a thread.
    pub interval: Nanos,
    /// Look at threads. Without, only what programs say of themselves is recorded, and the figures
    /// of their processes.
    pub samples: bool,
    /// Follow processes that the first one starts.
    pub children: bool,
    /// Only the first thread of each process.
    pub main_thread_only: bool,
    /// Keep observations of threads that are asleep.
    pub idle: bool,
    /// Keep only observations of threads that hold the GIL.
    pub gil_only: bool,
    /// Keep the text of source files.
    pub source_text: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            interval: Nanos(1_000_000),
            samples: true,
            children: true,
            main_thread_only: false,
            idle: true,
            gil_only: false,
            source_text: true,
        }
    }
}

impl Options {
    /// Whether an observation in this state is to be kept.
    #[must_use]
    pub(crate) fn keeps(&self, state: sondage_model::State) -> bool {
        (!self.gil_only || state.holds_gil()) && (self.idle || state.kind().is_active())
    }
}
