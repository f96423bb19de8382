//! What a user can choose about an export or import.

use sondage_analyze::Filter;
use sondage_model::Nanos;

/// What tells two frames apart in formats that have only one name for a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// The function: all its lines are one.
    #[default]
    Function,
    /// The function and the line that runs.
    Line,
}

/// What the figures of an export measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Measure {
    /// Wall time: what each sample stands for. A recording that knows no time counts samples.
    #[default]
    Time,
    /// Number of samples.
    Samples,
}

/// Choices for an export. The default is what `sondage report` shows: every thread, all the time
/// it was not asleep.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Which samples.
    pub filter: Filter,
    /// Collapsed, SVG, JSON tree, speedscope and Chrome trace: what is one frame. The other
    /// formats carry functions and lines side by side.
    pub detail: Detail,
    /// Collapsed and SVG only: what is counted. The other formats carry time, or both.
    pub measure: Measure,
    /// Collapsed, SVG and JSON tree only: each thread under a root frame of its own.
    pub by_thread: bool,
}

/// What one count of an imported file stands for, where the file does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ImportUnit {
    /// Samples, of no known time: the recording counts samples and has no time at all.
    #[default]
    Samples,
    /// Samples that stand for this time each.
    Sample(Nanos),
    /// Time, in units of this many nanoseconds.
    Time(Nanos),
}

/// Choices for an import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// What a count stands for. Used only where the file does not say.
    pub unit: ImportUnit,
    /// What the file was called; becomes the name of the imported process.
    pub name: String,
}
