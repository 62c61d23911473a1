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

/// Words in a row, as a sentence has them: "`off`, `ask` or `allow`".
pub(crate) fn row(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Gives a type that is a choice of words these words: `WORDS`, `word` and `FromStr`.
macro_rules! choice {
    ($type:ty, $what:literal, { $($word:literal => $value:path),+ $(,)? }) => {
        impl $type {
            /// The words for it in a configuration.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word for it in a configuration.
            pub fn word(self) -> &'static str {
                match self {
                    $($value => $word,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::model::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err($crate::model::Invalid::new(
                        format!(concat!("\"{}\" is not ", $what), text.escape_debug()),
                        concat!("not ", $what),
                        format!("it is {}", $crate::model::row(Self::WORDS)),
                        $crate::model::pick(text, Self::WORDS),
                    )),
                }
            }
        }
    };
}
pub(crate) use choice;
