// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message of every bad configuration, tested without linking another program. The program
//! itself is held to the same snapshots by `tests/bad_input.rs`, which also renews them.

#[path = "../../tests/support/bad_configurations.rs"]
mod bad_configurations;

use bad_configurations::{REFUSED, WARNED};

use super::{Input, read};
use crate::diagnostic;

/// The findings of a configuration as the program shows them, and whether it is refused.
fn findings(config: &str) -> (String, bool) {
    let outcome = read(&Input {
        file: Some(("openclaw.toml".to_owned(), config.to_owned())),
        ..Input::default()
    });
    let shown = diagnostic::render(&outcome.sources, &outcome.diagnostics, false);
    (shown.trim_end().to_owned(), outcome.deployment.is_none())
}

/// What a snapshot says of a configuration.
fn expected(name: &str, config: &str) -> String {
    let path = format!(
        "{}/tests/snapshots/quick__bad_input__{name}.snap",
        env!("CARGO_MANIFEST_DIR")
    );
    let snapshot = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}; run cargo test --test quick bad_input::"));
    let head = format!("\n---\n{config}\n----\n");
    let (_, message) = snapshot
        .split_once(&head)
        .unwrap_or_else(|| panic!("{path} is of another configuration"));
    message.trim_end().to_owned()
}

#[test]
fn every_bad_configuration_has_its_message() {
    for (name, config) in REFUSED {
        let (shown, refused) = findings(config);
        assert!(refused, "{name} is taken");
        assert_eq!(shown, expected(name, config), "{name}");
    }
}

#[test]
fn every_warning_has_its_message() {
    for (name, config) in WARNED {
        let (shown, refused) = findings(config);
        assert!(!refused, "{name} is refused: {shown}");
        // What the program says next is a summary of the server.
        let expected = expected(name, config);
        assert!(expected.starts_with(&shown), "{name}: {shown}\n{expected}");
    }
}
