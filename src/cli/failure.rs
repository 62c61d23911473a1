// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why a command did not do what it was asked.

use crate::openpgp;
use crate::refusal::Refusal;
use crate::sink::{directory, repository};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is at fault; the findings are on stderr already.
    Input,
    /// The input is at fault in a way that no place in it shows.
    BadInput(String),
    /// A comparison found differences, which are on stdout already.
    Differs,
    /// The system refused something.
    System(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::BadInput(refusal.to_string())
    }
}

impl From<openpgp::Error> for Failure {
    fn from(error: openpgp::Error) -> Self {
        match error {
            openpgp::Error::Refused(refusal) => refusal.into(),
            openpgp::Error::System(problem) => Failure::System(problem),
        }
    }
}

impl From<directory::Error> for Failure {
    fn from(error: directory::Error) -> Self {
        match error {
            directory::Error::NotOurs { .. } | directory::Error::Refused(_) => {
                Failure::BadInput(error.to_string())
            }
            directory::Error::Io { .. } => Failure::System(error.to_string()),
        }
    }
}

impl From<repository::Error> for Failure {
    fn from(error: repository::Error) -> Self {
        match error {
            repository::Error::Refused(refusal) => refusal.into(),
            repository::Error::Signing(error) => error.into(),
            repository::Error::Directory(error) => error.into(),
            repository::Error::Createrepo(problem) => Failure::System(problem),
        }
    }
}
