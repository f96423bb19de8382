//! What of a label fits into a width.

use std::borrow::Cow;

/// The longest form of a label that has at most `max_chars` characters: all of it, its last part
/// (`Shape.area` → `area`), or its beginning and an ellipsis. `None` where not even that says
/// anything.
#[must_use]
pub fn fit(label: &str, max_chars: usize) -> Option<Cow<'_, str>> {
    let chars = |text: &str| text.chars().count();
    if chars(label) <= max_chars {
        return Some(Cow::Borrowed(label));
    }
    // Not the dots inside `<module json.decoder>`.
    let last = match label.starts_with('<') {
        true => label,
        false => label.rsplit('.').next().unwrap_or(label),
    };
    if chars(last) <= max_chars && !last.is_empty() {
        return Some(Cow::Borrowed(last));
    }
    if max_chars < 3 {
        return None;
    }
    Some(Cow::Owned(
        last.chars().take(max_chars - 1).chain(['…']).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_shorter_step_by_step() {
        let fits: Vec<Option<String>> = [12, 10, 9, 4, 3, 2]
            .into_iter()
            .map(|max| fit("Shape.area", max).map(Cow::into_owned))
            .collect();
        let expected = ["Shape.area", "Shape.area", "area", "area", "ar…"];
        assert_eq!(fits[..5], expected.map(|text| Some(text.to_owned())));
        assert_eq!(fits[5], None);
        assert_eq!(fit("<module a.b>", 6).as_deref(), Some("<modu…"));
        assert_eq!(fit("é".repeat(5).as_str(), 4).as_deref(), Some("ééé…"));
    }
}
