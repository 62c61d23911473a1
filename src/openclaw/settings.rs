// SPDX-License-Identifier: MIT OR Apache-2.0

//! The settings that OpenClaw [`VERSION`](super::VERSION) has, as far as a configuration may add
//! them by the rules of [`safety`](super::safety).
//!
//! OpenClaw takes many settings of earlier versions for newer ones that they became, so that a
//! rule for the newer name would not hold for the older one. So what is not listed is refused.

use super::safety::{Path, Step};

/// From `openclaw config schema`: words with dots between them, where `*` is any name, `[]` an item
/// of an array, and `**` whatever follows. The tests hold it to the real schema.
static LIST: &str = include_str!("settings.txt");

/// The settings, one by one.
pub fn all() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.starts_with('#'))
}

/// Whether OpenClaw has a setting, or a table around settings, there.
pub fn has(path: &Path) -> bool {
    all().any(|line| matches(line, path))
}

/// What is called like a setting's last word in the table around it.
pub fn around(path: &Path) -> impl Iterator<Item = &'static str> {
    let table = Path(path.0[..path.0.len().saturating_sub(1)].to_vec());
    all()
        .filter_map(|line| line.rsplit_once('.'))
        .filter(move |(before, _)| matches(before, &table))
        .map(|(_, word)| word)
        .filter(|word| !["*", "**", "[]"].contains(word))
}

fn matches(line: &str, path: &Path) -> bool {
    let mut words = line.split('.');
    for step in &path.0 {
        match (words.next(), step) {
            (Some("**"), _) => return true,
            (Some("*"), Step::Key(_)) | (Some("[]"), Step::Item(_)) => {}
            (Some(word), Step::Key(key)) if word == key => {}
            _ => return false,
        }
    }
    words.next().is_none()
}
