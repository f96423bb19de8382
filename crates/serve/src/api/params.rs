//! The parameters of a question: text from a URL, checked before anything is computed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use crate::error::ApiError;

/// Every parameter that some call reads. Others are refused, so that a misspelt filter does not
/// pass for an answer; one that this call does not read is ignored, so that a page can send its
/// whole filter everywhere.
const KNOWN: [&str; 33] = [
    "at",
    "below",
    "by",
    "depth",
    "desc",
    "file",
    "from",
    "function",
    "gil",
    "inverted",
    "lane",
    "least",
    "level",
    "limit",
    "match",
    "offset",
    "order",
    "path",
    "percentiles",
    "processes",
    "px",
    "q",
    "rec",
    "search",
    "site",
    "sort",
    "states",
    "threads",
    "through",
    "to",
    "x0",
    "x1",
    "zone",
];

/// Longest list of ids, longest call-tree path.
const MAX_IDS: usize = 100_000;

/// Parameters by name. Those given without a value count as not given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Takes the query of a URL apart.
    pub(crate) fn parse(query: &str) -> Result<Params, ApiError> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !KNOWN.contains(&&*name) {
                return Err(ApiError::bad(
                    format!("there is no parameter `{}`", shortened(&name)),
                    format!("known are: {}", KNOWN.join(", ")),
                ));
            }
            if value.is_empty() {
                continue;
            }
            if params
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(ApiError::bad(
                    format!("`{name}` is given twice"),
                    "give it once; lists are separated by commas",
                ));
            }
        }
        Ok(Params(params))
    }

    /// The same text for the same parameters, in whatever order they came.
    pub(crate) fn key(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(KNOWN.contains(&name), "{name} is in KNOWN");
        self.0.get(name).map(String::as_str)
    }

    /// A whole number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let hint = format!("`{name}` is a whole number from 0 on");
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(wrong(name, text, hint)),
        }
    }

    /// A yes or no, written `1` or `0`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("0") => Ok(Some(false)),
            Some("1") => Ok(Some(true)),
            Some(text) => Err(wrong(name, text, format!("`{name}` is 0 or 1"))),
        }
    }

    /// One of these words; the first is meant when there is none.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(choices[0].1);
        };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                let hint = format!("`{name}` is one of: {}", words.join(", "));
                Err(wrong(name, text, hint))
            }
        }
    }

    /// Ids between separators, in the order given.
    pub(crate) fn ids(&self, name: &str, separator: char) -> Result<Vec<u32>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(Vec::new());
        };
        let hint = format!("`{name}` is a list of ids, as 1{separator}2{separator}3");
        let ids: Result<Vec<u32>, _> = text
            .split(separator)
            .take(MAX_IDS + 1)
            .map(str::parse)
            .collect();
        match ids {
            Ok(ids) if ids.len() <= MAX_IDS => Ok(ids),
            _ => Err(wrong(name, text, hint)),
        }
    }

    /// Words between commas.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.text(name)
            .map_or(Vec::new(), |text| text.split(',').collect())
    }
}

/// The error for a value that cannot be meant.
pub(crate) fn wrong(name: &str, value: impl Display, hint: impl Into<String>) -> ApiError {
    let value = value.to_string();
    ApiError::bad(format!("`{name}` cannot be `{}`", shortened(&value)), hint)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(57).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Params {
        Params::parse(query).expect("a good query")
    }

    #[test]
    fn order_and_empty_values_make_no_difference() {
        assert_eq!(
            parse("to=5&from=1&search=").key(),
            parse("from=1&to=5").key()
        );
        assert_ne!(parse("from=1").key(), parse("from=2").key());
        assert_ne!(
            parse("search=a%26from%3D1").key(),
            parse("search=a&from=1").key()
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_hint() {
        for query in ["thread=1", "from=1&from=2", "%FF=1"] {
            let error = Params::parse(query).expect_err(query);
            assert!(!error.hint().is_empty(), "{query}");
        }
        for text in [
            "NaN",
            "-1",
            "1e9",
            "1.5",
            "0x10",
            "18446744073709551616",
            "١",
        ] {
            let params = parse(&format!("from={text}"));
            assert!(params.number::<u64>("from").is_err(), "{text}");
        }
        assert!(parse("gil=2").flag("gil").is_err());
        assert!(parse("threads=1,,2").ids("threads", ',').is_err());
        assert!(parse("threads=1,4294967296").ids("threads", ',').is_err());
        assert!(parse("sort=colour").choice("sort", &[("self", 1)]).is_err());
    }

    #[test]
    fn an_error_does_not_repeat_a_long_value() {
        let error = parse(&format!("from={}", "9".repeat(5000)))
            .number::<u64>("from")
            .expect_err("too big");
        assert!(error.to_string().len() < 120, "{error}");
    }
}
