//! Writing JSON piece by piece, so that a large export never is one string.

use std::fmt;
use std::io::{self, Write};

use sondage_model::Nanos;

/// A text as a JSON string.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        f.write_str("\"")?;
        while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\') || (c as u32) < 0x20) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            let mut chars = special.chars();
            match chars.next() {
                Some('"') => f.write_str("\\\"")?,
                Some('\\') => f.write_str("\\\\")?,
                Some('\n') => f.write_str("\\n")?,
                Some('\t') => f.write_str("\\t")?,
                Some(c) => write!(f, "\\u{:04x}", c as u32)?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)?;
        f.write_str("\"")
    }
}

/// A time in milliseconds with all its nanoseconds: `1.5`, `0.000001`.
pub(crate) struct Millis(pub Nanos);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0.0, 6)
    }
}

/// A time in microseconds with all its nanoseconds.
pub(crate) struct Micros(pub Nanos);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0.0, 3)
    }
}

/// As [`Micros`], and right too for a reader that multiplies by 1000 and cuts off the rest.
///
/// Tracy's importer is one: 1.001 µs becomes 1000 ns, as the nearest `f64` is a little less, and
/// zones that touch overlap. Three tenths of a nanosecond more are right for all readers.
pub(crate) struct WholeMicros(pub Nanos);

impl fmt::Display for WholeMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.0;
        if (nanos as f64 / 1000.0 * 1000.0) as u64 == nanos {
            return decimal(f, nanos, 3);
        }
        write!(f, "{}.{:03}3", nanos / 1000, nanos % 1000)
    }
}

fn decimal(f: &mut fmt::Formatter<'_>, value: u64, places: u32) -> fmt::Result {
    let unit = 10u64.pow(places);
    let (whole, mut part) = (value / unit, value % unit);
    if part == 0 {
        return write!(f, "{whole}");
    }
    let mut width = places as usize;
    while part % 10 == 0 {
        part /= 10;
        width -= 1;
    }
    write!(f, "{whole}.{part:0width$}")
}

/// Writes the items of a JSON array, one `write` call each, with commas between.
pub(crate) fn array<T>(
    out: &mut dyn Write,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut dyn Write, T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write(out, item)?;
    }
    out.write_all(b"]")
}

/// Writes `"key":[…]` of things that print as JSON.
pub(crate) fn column<T: fmt::Display>(
    out: &mut dyn Write,
    key: &str,
    items: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    write!(out, "{}:", Quoted(key))?;
    array(out, items, |out, item| write!(out, "{item}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_keep_every_nanosecond() {
        let shown = |n| (Millis(Nanos(n)).to_string(), Micros(Nanos(n)).to_string());
        assert_eq!(shown(0), ("0".into(), "0".into()));
        assert_eq!(shown(1), ("0.000001".into(), "0.001".into()));
        assert_eq!(shown(1_500_000), ("1.5".into(), "1500".into()));
        assert_eq!(
            shown(u64::MAX),
            (
                "18446744073709.551615".into(),
                "18446744073709551.615".into()
            )
        );
    }

    proptest! {
        /// As long as a recording of two weeks.
        #[test]
        fn microseconds_are_right_rounded_and_cut_off(nanos in 0..1u64 << 50) {
            let text = WholeMicros(Nanos(nanos)).to_string();
            let micros: f64 = text.parse().unwrap();
            prop_assert_eq!((micros * 1000.0) as u64, nanos, "{}", &text);
            prop_assert_eq!((micros * 1000.0).round() as u64, nanos, "{}", &text);
        }

        #[test]
        fn any_text_is_read_back(text in any::<String>()) {
            let json = Quoted(&text).to_string();
            let has_control = json.contains(|c: char| (c as u32) < 0x20);
            prop_assert!(!has_control);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
