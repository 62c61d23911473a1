// SPDX-License-Identifier: MIT OR Apache-2.0

//! From what a person wrote, a file or options or both, to a validated [`Deployment`].
//!
//! `tree` keeps every value with its place; `decode` turns values into types and names what
//! is unknown; `check` looks at what the values mean together, `extra` at OpenClaw's own
//! settings. All findings of a run come out
//! at once.

mod check;
mod decode;
mod extra;
#[cfg(test)]
mod messages;
pub mod options;
mod tree;

use crate::diagnostic::{Diagnostic, Severity, SourceId, Sources};
use crate::model::Deployment;
use options::Options;

/// What a run is given.
#[derive(Debug, Default)]
pub struct Input {
    /// The configuration file: its name as the user wrote it, and its text.
    pub file: Option<(String, String)>,
    /// The options on the command line, which override the file.
    pub options: Options,
}

/// What came of the input: all its texts, the findings, and a deployment if none is an error.
#[derive(Debug)]
pub struct Outcome {
    /// The texts that the findings point into.
    pub sources: Sources,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The deployment; `None` if there was an error.
    pub deployment: Option<Deployment>,
}

/// Reads the input.
pub fn read(input: &Input) -> Outcome {
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();

    let file = input
        .file
        .as_ref()
        .map(|(name, text)| tree::from_toml(sources.add(name, text), text, &mut diagnostics));
    let mut deployment = None;
    if !has_error(&diagnostics) {
        let (line, option_nodes) = input.options.nodes();
        let line: SourceId = sources.add("<command line>", &line);
        let option_nodes = option_nodes(line);
        let mut draft = decode::decode(file.as_ref(), &option_nodes, line, &mut diagnostics);
        check::check(&mut draft, &mut diagnostics);
        if !has_error(&diagnostics) {
            deployment = draft.finish();
            debug_assert!(deployment.is_some(), "a draft without errors is complete");
        }
    }
    Outcome {
        sources,
        diagnostics,
        deployment,
    }
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
