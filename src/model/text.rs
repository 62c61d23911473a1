// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the types of the model say of a value that they refuse.

use std::fmt;

use crate::refusal::Refused;

/// Why a value is not what its place needs, with a few words to stand under it. It does not know
/// where the value stood: whoever parsed it does.
pub type Invalid = Refused<String>;

impl Invalid {
    /// Collects the four parts.
    pub fn new(
        problem: impl Into<String>,
        label: impl Into<String>,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Refused::labelled(problem, label.into(), rule, fix)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}; {}", self.problem, self.rule, self.fix)
    }
}

/// Of `known`, the word that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&word.to_lowercase(), candidate),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The fix for a word that is none of `known`: the nearest one, or all of them.
pub(crate) fn pick(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("write \"{candidate}\""),
        None => format!(
            "write one of {}",
            known
                .iter()
                .map(|candidate| format!("\"{candidate}\""))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// Implements `FromStr` for a type that is a choice of words.
macro_rules! choice {
    ($type:ty, $what:literal, $words:literal, { $($word:literal => $value:expr),+ $(,)? }) => {
        impl std::str::FromStr for $type {
            type Err = $crate::model::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err($crate::model::Invalid::new(
                        format!(concat!("\"{}\" is not ", $what), text.escape_debug()),
                        concat!("not ", $what),
                        concat!("it is ", $words),
                        $crate::model::pick(text, &[$($word),+]),
                    )),
                }
            }
        }
    };
}
pub(crate) use choice;
