//! Columns of the model's types as JSON arrays of numbers, without copies in between.

use serde::{Serialize, Serializer};
use sondage_model::{Nanos, StateKind};

/// Serialises what an iterator gives as an array.
pub(crate) struct Seq<I>(pub(crate) I);

impl<I> Serialize for Seq<I>
where
    I: Iterator + Clone,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A figure for each state, under its name.
#[derive(Serialize)]
pub(crate) struct ByState<T> {
    cpu: T,
    runnable: T,
    #[serde(rename = "gil-wait")]
    gil_wait: T,
    blocked: T,
    disk: T,
    unknown: T,
}

impl<T> ByState<T> {
    /// The figures of the states, one after the other.
    pub(crate) fn new(mut figure: impl FnMut(StateKind) -> T) -> ByState<T> {
        ByState {
            cpu: figure(StateKind::OnCpu),
            runnable: figure(StateKind::Runnable),
            gil_wait: figure(StateKind::GilWait),
            blocked: figure(StateKind::Blocked),
            disk: figure(StateKind::Disk),
            unknown: figure(StateKind::Unknown),
        }
    }
}

/// The nanoseconds of one state's figures.
pub(crate) fn nanos_by_state(figures: &[Nanos; StateKind::COUNT]) -> ByState<u64> {
    ByState::new(|kind| figures[kind.index()].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_the_names_of_the_states() {
        let json = serde_json::to_value(ByState::new(StateKind::index)).expect("plain numbers");
        let object = json.as_object().expect("an object");
        assert_eq!(object.len(), StateKind::COUNT);
        for kind in StateKind::ALL {
            assert_eq!(object[kind.name()], kind.index());
        }
    }
}
