// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a setting of OpenClaw is.

use std::fmt;

use serde_json::Value;

/// One step from `openclaw.json` into a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a table, by the name of an entry.
    Key(String),
    /// Into an array, by position.
    Item(usize),
}

/// Where a setting is: `gateway.auth.mode`, as TOML writes dotted keys. What does not stand as it
/// is in TOML is quoted; items of arrays are counted from 0, `hooks.mappings[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The name at this depth; none for an array's item, or beyond the end.
    pub(super) fn key(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The name of the innermost table entry.
    pub(super) fn name(&self) -> &str {
        let keys = self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        });
        keys.unwrap_or_default()
    }

    /// Whether it leads into an array.
    pub fn is_in_array(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Item(_)))
    }

    /// Whether it leads through a table entry of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|step| matches!(step, Step::Key(key) if key == name))
    }

    /// The first steps of it.
    pub(super) fn first(&self, steps: usize) -> Path {
        Path(self.0[..steps.min(self.0.len())].to_vec())
    }

    /// How well words with dots between them name it: `*` is any name, `[]` an item of an array,
    /// `**` whatever follows. `None` if they do not; the more words are literal, the better.
    pub(super) fn fits(&self, words: &str) -> Option<usize> {
        let mut literal = 0;
        let mut words = words.split('.');
        for step in &self.0 {
            match (words.next(), step) {
                (Some("**"), _) => return Some(literal),
                (Some("*"), Step::Key(_)) | (Some("[]"), Step::Item(_)) => {}
                (Some(word), Step::Key(key)) if word == key => literal += 1,
                _ => return None,
            }
        }
        words.next().is_none().then_some(literal + 1)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Key(key) => {
                    let dot = if number == 0 { "" } else { "." };
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.chars().all(bare) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{}", Value::from(key.as_str()))?;
                    }
                }
            }
        }
        Ok(())
    }
}
