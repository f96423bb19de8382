//! Arguments of a zone, as one JSON object.

use std::fmt::Write;

use sondage_wire::OwnedValue;

/// Bytes of all arguments of a zone; what comes after is left out.
const MOST_BYTES: usize = 16 << 10;
/// Arguments of a zone; what comes after is left out.
const MOST_VALUES: usize = 64;

/// The arguments so far. A later value of the same key takes the place of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Key and value, both as JSON.
    values: Vec<(Box<str>, Box<str>)>,
    bytes: usize,
    is_cut: bool,
}

impl Arguments {
    /// Adds a value.
    pub fn set(&mut self, key: &str, value: &OwnedValue) {
        let (mut name, mut json) = (String::new(), String::new());
        write_text(&mut name, key);
        write_value(&mut json, value);
        let old = self.values.iter().position(|(key, _)| **key == *name);
        let before = old.map_or(0, |at| self.values[at].1.len());
        let is_new = old.is_none();
        let more = json.len() + if is_new { name.len() + 2 } else { 0 };
        if self.bytes + more > MOST_BYTES + before || (is_new && self.values.len() >= MOST_VALUES) {
            self.is_cut = true;
            return;
        }
        self.bytes = self.bytes + more - before;
        match old {
            Some(at) => self.values[at].1 = json.into(),
            None => self.values.push((name.into(), json.into())),
        }
    }

    /// The object. `"…": true` says that there were more.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.bytes + 16);
        for (key, value) in &self.values {
            json.push(if json.is_empty() { '{' } else { ',' });
            json.push_str(key);
            json.push(':');
            json.push_str(value);
        }
        if self.is_cut {
            json.push_str(if json.is_empty() { "{" } else { "," });
            json.push_str("\"…\":true");
        }
        if !json.is_empty() {
            json.push('}');
        }
        json
    }
}

fn write_value(out: &mut String, value: &OwnedValue) {
    // Writing to a string cannot fail.
    let _ = match value {
        OwnedValue::Int(value) => write!(out, "{value}"),
        OwnedValue::Uint(value) => write!(out, "{value}"),
        OwnedValue::Bool(value) => write!(out, "{value}"),
        // `{:?}` writes an exponent where there would be hundreds of digits.
        OwnedValue::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        // JSON has no number for these.
        OwnedValue::Float(value) if value.is_nan() => write!(out, "\"NaN\""),
        OwnedValue::Float(value) if *value > 0.0 => write!(out, "\"Infinity\""),
        OwnedValue::Float(_) => write!(out, "\"-Infinity\""),
        OwnedValue::Text(text) => {
            write_text(out, text);
            Ok(())
        }
    };
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value() {
        let mut arguments = Arguments::default();
        assert_eq!(arguments.to_json(), "");
        let values = [
            OwnedValue::Int(-5),
            OwnedValue::Uint(u64::MAX),
            OwnedValue::Float(0.5),
            OwnedValue::Float(1e300),
            OwnedValue::Float(f64::NAN),
            OwnedValue::Float(f64::NEG_INFINITY),
            OwnedValue::Bool(true),
            OwnedValue::Text("a \"b\"\\\n\u{1}é".into()),
        ];
        for (number, value) in values.iter().enumerate() {
            arguments.set(&format!("k{number}"), value);
        }
        arguments.set("k0", &OwnedValue::Bool(false));
        assert_eq!(
            arguments.to_json(),
            r#"{"k0":false,"k1":18446744073709551615,"k2":0.5,"k3":1e300,"k4":"NaN","k5":"-Infinity","k6":true,"k7":"a \"b\"\\\n\u0001é"}"#
        );
    }

    #[test]
    fn too_much_is_cut_and_says_so() {
        let mut many = Arguments::default();
        let mut long = Arguments::default();
        for number in 0..100 {
            many.set(&format!("k{number}"), &OwnedValue::Int(1));
            long.set(&format!("k{number}"), &OwnedValue::Text("x".repeat(8000)));
        }
        for arguments in [many, long] {
            let json = arguments.to_json();
            assert!(json.len() < MOST_BYTES + 2 * MOST_VALUES + 100);
            assert!(json.ends_with(",\"…\":true}"), "{}", json.len());
        }
    }

    proptest! {
        #[test]
        fn it_is_json_and_says_what_was_said(
            values in prop::collection::btree_map(".{0,20}", ".{0,200}", 0..40),
        ) {
            let mut arguments = Arguments::default();
            for (key, value) in &values {
                arguments.set(key, &OwnedValue::Text("earlier".into()));
                arguments.set(key, &OwnedValue::Text(value.clone()));
            }
            let json = arguments.to_json();
            if values.is_empty() {
                prop_assert_eq!(json, "");
            } else {
                let read: std::collections::BTreeMap<String, String> =
                    serde_json::from_str(&json).unwrap();
                prop_assert_eq!(read, values);
            }
        }
    }
}
