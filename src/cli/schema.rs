// SPDX-License-Identifier: MIT OR Apache-2.0

//! `schema`: prints the JSON Schema of configurations.

use super::{Failure, print_output};
use crate::config;

pub(super) fn run() -> Result<(), Failure> {
    print_output(&schema_text())
}

/// The JSON Schema of configurations, as the text of a file.
pub(super) fn schema_text() -> String {
    let text = serde_json::to_string_pretty(&config::schema());
    text.expect("a JSON value can be written") + "\n"
}
