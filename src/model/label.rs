// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use serde::Serialize;

use super::choice;

/// One of the eight labels that every Qubes has (`qubes/config.py` of qubes-core-admin).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Label {
    Red,
    Orange,
    Yellow,
    Green,
    Gray,
    Blue,
    Purple,
    Black,
}

choice!(
    Label, "a label",
    {
        "red" => Label::Red,
        "orange" => Label::Orange,
        "yellow" => Label::Yellow,
        "green" => Label::Green,
        "gray" => Label::Gray,
        "blue" => Label::Blue,
        "purple" => Label::Purple,
        "black" => Label::Black,
    }
);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
