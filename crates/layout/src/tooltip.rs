//! What to say of a rectangle.

use sondage_analyze::{FrameName, Unit, human};
use sondage_model::FunctionKind;

use crate::Flame;

/// What to say of a rectangle, part by part, so that a panel can set it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tooltip {
    /// The function's qualified name.
    pub title: String,
    /// Where it is: `json/decoder.py:12`, or what kind of code it is.
    pub place: String,
    /// Figures: what, and how much.
    pub figures: Vec<(&'static str, String)>,
}

/// What to say of the rectangle at `index`.
///
/// # Panics
/// When there is no such rectangle.
#[must_use]
pub fn tooltip(flame: &Flame, index: usize, unit: Unit) -> Tooltip {
    let name = flame.name(index);
    let figure = |weight: u64| {
        let share = human::share(weight, flame.total);
        format!("{} ({share})", human::weight(unit, weight))
    };
    let mut figures = vec![("total", figure(flame.w[index]))];
    if flame.own[index] > 0 {
        figures.push(("self", figure(flame.own[index])));
    }
    let parent = flame.parent[index];
    if parent >= 0 {
        let share = human::share(flame.w[index], flame.w[parent as usize]);
        figures.push(("of its caller", share));
    }
    if flame.thread.is_some() {
        figures.insert(0, ("at", human::weight(unit, flame.x[index])));
    }
    Tooltip {
        title: name.qualified.clone(),
        place: place(name),
        figures,
    }
}

fn place(name: &FrameName) -> String {
    match (name.kind, name.short.is_empty(), name.line) {
        (FunctionKind::Kernel, ..) => "kernel".to_owned(),
        (FunctionKind::Meta, ..) => "label of the profiler".to_owned(),
        (FunctionKind::Native, true, _) => "compiled code".to_owned(),
        (_, true, _) => "no source file".to_owned(),
        (_, false, 0) => name.short.clone(),
        (_, false, line) => format!("{}:{line}", name.short),
    }
}
