// SPDX-License-Identifier: MIT OR Apache-2.0

//! From what a person wrote, a file or options or both, to a validated [`Deployment`].
//!
//! `tree` keeps every value with its place, and `options` makes the same of the command line;
//! `keys` says which keys there are, and `setting` how a value of each type is read; `decode` looks
//! keys up, and `draft` has what came of all of them. `check` looks at what the settings of one
//! server mean together, `extra` at OpenClaw's own settings, `between` at several servers. All
//! `findings` of a run come out at once.

mod between;
mod check;
mod decode;
mod draft;
mod extra;
mod findings;
pub(crate) mod keys;
#[cfg(test)]
mod messages;
pub mod options;
#[cfg(test)]
mod page;
mod schema;
mod setting;
mod tree;

use crate::diagnostic::{Diagnostic, Sources};
use crate::model::Deployment;
use findings::{Findings, Reported};
use options::Options;
pub use schema::schema;

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
    let mut findings = Findings::default();
    let deployment = deployment(input, &mut sources, &mut findings);
    Outcome {
        // An error that spoils no value is an error all the same.
        deployment: findings.in_order().and(deployment).ok(),
        sources,
        diagnostics: findings.into_vec(),
    }
}

fn deployment(
    input: &Input,
    sources: &mut Sources,
    findings: &mut Findings,
) -> Result<Deployment, Reported> {
    let file = input.file.as_ref();
    let file = file.map(|(name, text)| tree::from_toml(sources.add(name, text), text, findings));
    findings.in_order()?;
    let options = input.options.tables(sources);
    let draft = draft::read(file.as_ref(), &options, findings);
    let made = draft.servers.iter();
    let made = made.map(|server| check::check(server, findings)).collect();
    between::check(&draft.servers, findings);
    draft.finish(made)
}
