// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads a configuration, and shows what was found in it.

use super::args::Input;
use super::{Failure, colour, print_status};
use crate::config;
use crate::diagnostic;
use crate::model::Deployment;
use crate::read::file;
use crate::refusal::Refusal;

/// Reads and checks the input; findings go to stderr.
pub(super) fn read(input: &Input) -> Result<Deployment, Failure> {
    let file = match &input.config {
        None => None,
        Some(path) => {
            let shown = path.display().to_string();
            let bytes = file::read(path, file::MOST_CONFIGURATION).map_err(|error| {
                Failure::BadInput(format!(
                    "{shown}: {error}\nhelp: name a configuration that can be read, or let \
                     `openclaw-formula init` write one"
                ))
            })?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let valid = error.utf8_error().valid_up_to();
                let before = &error.as_bytes()[..valid];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let column = 1 + valid
                    - before
                        .iter()
                        .rposition(|byte| *byte == b'\n')
                        .map_or(0, |at| at + 1);
                let byte = error.as_bytes()[valid];
                Refusal::new(
                    format!("{shown}:{line}:{column}: the byte {byte:#04x} is not UTF-8"),
                    "a configuration is a TOML file, which is text in UTF-8",
                    "save the file as UTF-8",
                )
                .because(error.utf8_error())
            })?;
            Some((shown, text))
        }
    };
    let outcome = config::read(&config::Input {
        file,
        options: input.options.clone(),
    });
    report(&outcome);
    outcome.deployment.ok_or(Failure::Input)
}

/// Writes findings to stderr.
pub(super) fn report(outcome: &config::Outcome) {
    let text = diagnostic::render(&outcome.sources, &outcome.diagnostics, colour());
    if !text.is_empty() {
        print_status(text.trim_end());
    }
}
