//! Figures in words a person reads: durations, shares, counts.

use crate::Unit;

/// A duration with three digits, in the unit that fits: `1.23 s`, `12.3 ms`, `2 min 3 s`.
#[must_use]
pub fn duration(nanos: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let seconds = (nanos as f64 / 1e9).round() as u64;
    if seconds >= 3600 {
        return format!("{} h {} min", seconds / 3600, seconds % 3600 / 60);
    }
    if seconds >= 100 {
        return format!("{} min {} s", seconds / 60, seconds % 60);
    }
    let value = nanos as f64;
    if nanos < 1000 {
        return format!("{nanos} ns");
    }
    // The first unit in which three digits do not round up to the next unit.
    let (name, scale) = UNITS
        .into_iter()
        .find(|(_, scale)| value / scale < 999.5)
        .unwrap_or(UNITS[3]);
    let value = value / scale;
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {name}")
}

/// A weight in the unit of its recording.
#[must_use]
pub fn weight(unit: Unit, weight: u64) -> String {
    match unit {
        Unit::Nanos => duration(weight),
        Unit::Samples => count(weight),
    }
}

/// A share in percent: `12.3 %`, `<0.1 %`; `–` of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        p if part > 0 && p < 0.05 => "<0.1 %".to_owned(),
        p if part < whole && p > 99.95 => "99.9 %".to_owned(),
        p if p >= 99.95 => format!("{p:.0} %"),
        p => format!("{p:.1} %"),
    }
}

/// A number with commas between thousands: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 thread`, `2 threads`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (nanos, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (1_234_567_890, "1.23 s"),
            (99_400_000_000, "99.4 s"),
            (99_600_000_000, "1 min 40 s"),
            (3_600_000_000_000, "1 h 0 min"),
        ] {
            assert_eq!(duration(nanos), expected, "{nanos}");
        }
    }

    #[test]
    fn shares_and_counts() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 3), "0.0 %");
        assert_eq!(share(1, 100_000), "<0.1 %");
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(3, 3), "100 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "thread"), "1 thread");
    }
}
