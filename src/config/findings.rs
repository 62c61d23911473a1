// SPDX-License-Identifier: MIT OR Apache-2.0

//! The findings of a run, and the proof that one of them is an error.

use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::model::Invalid;

/// Proof that an error was reported. Only [`Findings`] makes one, so that what is missing for an
/// error is never missing without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported(());

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Diagnostic>,
    reported: Option<Reported>,
}

impl Findings {
    /// Reports an error at a place.
    pub fn error(&mut self, place: &Place, what: Invalid) -> Reported {
        self.error_beside(place, what, [])
    }

    /// Reports an error at a place, with another place that has to do with it.
    pub fn error_beside<'p>(
        &mut self,
        place: &Place,
        what: Invalid,
        related: impl IntoIterator<Item = (&'p Place, &'p str)>,
    ) -> Reported {
        let mut diagnostic = Diagnostic::error(place.clone(), what);
        for (place, label) in related {
            diagnostic = diagnostic.related(place.clone(), label);
        }
        self.list.push(diagnostic);
        *self.reported.insert(Reported(()))
    }

    /// Reports a finding of either severity.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.reported = Some(Reported(()));
        }
        self.list.push(diagnostic);
    }

    /// Whether no error was reported.
    pub fn in_order(&self) -> Result<(), Reported> {
        self.reported.map_or(Ok(()), Err)
    }

    /// All of them, in the order in which they were reported.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.list
    }
}
