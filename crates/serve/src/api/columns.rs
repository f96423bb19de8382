//! What answers share: columns as JSON arrays without copies in between, names, states.

use serde::{Serialize, Serializer};
use sondage_analyze::FrameName;
use sondage_model::StateKind;

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

/// The weights of figures by state.
pub(crate) fn by_state(weights: &[u64; StateKind::COUNT]) -> ByState<u64> {
    ByState::new(|kind| weights[kind.index()])
}

/// A function, or a line of one, as it is shown.
#[derive(Serialize)]
pub(crate) struct NameJson<'a> {
    function: u32,
    label: &'a str,
    qualified: &'a str,
    file: &'a str,
    short: &'a str,
    line: u32,
    kind: &'static str,
    package: &'a str,
    own: bool,
}

impl<'a> NameJson<'a> {
    pub(crate) fn new(name: &'a FrameName) -> NameJson<'a> {
        NameJson {
            function: name.function.0,
            label: &name.label,
            qualified: &name.qualified,
            file: &name.file,
            short: &name.short,
            line: name.line,
            kind: name.kind.name(),
            package: &name.package,
            own: name.own,
        }
    }
}

/// An array of what a function makes of each of these.
pub(crate) fn column<'a, T, U: Serialize>(
    items: &'a [T],
    value: impl Fn(&'a T) -> U + Clone + 'a,
) -> impl Serialize + 'a {
    Seq(items.iter().map(value))
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
