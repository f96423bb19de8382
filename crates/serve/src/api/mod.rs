//! The API as a plain function: a question in, JSON out. See `docs/api.md`.

pub(crate) mod columns;
mod filter;
mod flame;
mod functions;
pub(crate) mod meta;
mod params;
mod report;
pub(crate) mod said;
mod source;
mod timeline;
mod tracks;
mod tree;
mod zone;
pub(crate) mod zones;

use params::Params;
use serde::Serialize;

use crate::Recording;
use crate::error::ApiError;

/// How a call is answered.
type Answer = fn(&[Recording], &Params) -> Result<Vec<u8>, ApiError>;

const CALLS: [(&str, Answer); 19] = [
    ("meta", meta::answer),
    ("timeline", timeline::answer),
    ("flame", flame::flame),
    ("functions", functions::functions),
    ("tree", tree::answer),
    ("sandwich", flame::sandwich),
    ("source", source::answer),
    ("files", functions::files),
    ("search", functions::search),
    ("report", report::answer),
    ("tracks", tracks::answer),
    ("zones", zones::zones),
    ("site", zones::statistics),
    ("instances", zones::instances),
    ("zone", zone::card),
    ("trace", zone::tree),
    ("frames", said::frames),
    ("logs", said::logs),
    ("locks", said::locks),
];

/// A call with its parameters.
#[derive(Clone)]
pub(crate) struct Question {
    name: &'static str,
    answer: Answer,
    params: Params,
}

impl Question {
    /// The question that asks `call` with the query of a URL.
    pub(crate) fn parse(call: &str, query: &str) -> Result<Question, ApiError> {
        let Some(&(name, answer)) = CALLS.iter().find(|(name, _)| *name == call) else {
            let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
            return Err(ApiError::not_found(
                "there is no such call",
                format!("calls are: {}", names.join(", ")),
            ));
        };
        let params = Params::parse(query)?;
        Ok(Question {
            name,
            answer,
            params,
        })
    }

    /// The same text for the same question.
    pub(crate) fn key(&self) -> String {
        format!("{}?{}", self.name, self.params.key())
    }

    /// Answers it.
    pub(crate) fn answer(&self, recordings: &[Recording]) -> Result<Vec<u8>, ApiError> {
        (self.answer)(recordings, &self.params)
    }
}

/// The JSON that `GET api/CALL?QUERY` answers with.
///
/// # Errors
/// When the question makes no sense, asks for what is not there, or meets damage.
pub fn answer(recordings: &[Recording], call: &str, query: &str) -> Result<Vec<u8>, ApiError> {
    Question::parse(call, query)?.answer(recordings)
}

fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(answer).map_err(|error| {
        ApiError::internal(
            format!("the answer cannot be written as JSON: {error}"),
            "please report this",
        )
    })
}
