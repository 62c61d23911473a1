// SPDX-License-Identifier: MIT OR Apache-2.0

//! OpenPGP as far as packages need it: which keys and signatures dom0 takes, how a signature is
//! made, and how one is read.
//!
//! The rules are those of dom0's updater, which asks rpm, which asks Sequoia, and of
//! [RFC 9580](https://www.rfc-editor.org/rfc/rfc9580.html). A key that breaks one is refused
//! before anything is signed with it, because dom0 would say so only at the end of a long way.

mod certificate;
mod gpg;
mod packet;
mod passphrase;
mod secret;
mod signature;

use std::fmt;
use std::time::SystemTime;

pub use certificate::Certificate;
pub use gpg::Gpg;
pub use passphrase::Passphrase;
pub use secret::SecretKey;

use crate::refusal::Refusal;

/// Why a key or a signature cannot be used.
#[derive(Debug)]
pub enum Error {
    /// What the user named breaks a rule.
    Refused(Refusal),
    /// The system, or another program, did not do what it was asked.
    System(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(refusal) => refusal.fmt(f),
            Error::System(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Refused(refusal) => refusal.source(),
            Error::System(_) => None,
        }
    }
}

/// What makes signatures.
#[derive(Debug)]
pub enum Signer {
    /// A secret key from a file.
    Key(Box<SecretKey>),
    /// The user's gpg.
    Gpg(Box<Gpg>),
}

impl Signer {
    /// The public key that the signatures are checked with.
    pub fn certificate(&self) -> &Certificate {
        match self {
            Signer::Key(key) => key.certificate(),
            Signer::Gpg(gpg) => gpg.certificate(),
        }
    }

    /// Signs `data`, and checks the signature: what this returns, dom0 takes.
    ///
    /// A key from a file signs at `time`, or as soon after as it is valid, so that the same
    /// input gives the same signature. gpg signs at the present time.
    ///
    /// # Errors
    /// If no signature could be made, or dom0 would refuse it.
    pub fn sign(&self, data: &[u8], time: u32) -> Result<Vec<u8>, Error> {
        let signature = match self {
            Signer::Key(key) => key.sign(data, time)?,
            Signer::Gpg(gpg) => gpg.sign(data)?,
        };
        self.certificate()
            .check(&signature, data)
            .map_err(|reason| {
                Error::System(format!(
                    "the signature by {} is of no use: {reason}\nrule: dom0 takes a signature of \
                     a package that says who made it and when, and nothing else{}",
                    self.certificate(),
                    if reason.contains("gpg.conf") {
                        "\nhelp: take that line out of the gpg.conf beside the key, or sign with \
                         --sign"
                    } else {
                        ""
                    }
                ))
            })?;
        Ok(signature)
    }

    /// The same as text, for a file beside the signed one.
    ///
    /// # Errors
    /// As for [`Signer::sign`].
    pub fn sign_text(&self, data: &[u8], time: u32) -> Result<String, Error> {
        signature::to_text(&self.sign(data, time)?).map_err(Error::System)
    }
}

/// The present time, in seconds since 1970.
fn now() -> u32 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
        })
}
