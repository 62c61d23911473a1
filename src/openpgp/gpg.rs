// SPDX-License-Identifier: MIT OR Apache-2.0

//! The user's gpg, so that a key in gpg-agent, in another qube or on a card can sign.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Certificate, Error, signature};
use crate::refusal::Refusal;

/// A key of gpg's.
#[derive(Debug)]
pub struct Gpg {
    program: PathBuf,
    key: String,
    certificate: Certificate,
}

impl Gpg {
    /// Finds the key in gpg. `key` is what gpg's `--local-user` takes; `program` is `gpg`, or one
    /// that takes the same options, such as Qubes' `qubes-gpg-client-wrapper`.
    ///
    /// # Errors
    /// If gpg has no such key, several, or one that dom0 does not take.
    pub fn new(program: &Path, key: &str) -> Result<Self, Error> {
        let shown = format!("{key:?} of {}", program.display());
        let refused = |problem: String| {
            Refusal::new(
                problem,
                "--sign-gpg names one key of gpg's",
                "write the fingerprint that `gpg --list-secret-keys` shows",
            )
        };
        if key.is_empty() || key.starts_with('-') {
            return Err(refused(format!("{key:?} is no name of a key")).into());
        }
        let exported = run(program, &["--batch", "--export", key], b"")?;
        if exported.is_empty() {
            return Err(refused(format!("{shown}: there is no such key")).into());
        }
        let certificate =
            Certificate::read(&shown, &exported).map_err(|error| refused(error.problem))?;
        certificate.for_signing(|_| Ok(()))?;
        Ok(Gpg {
            program: program.to_owned(),
            key: key.to_owned(),
            certificate,
        })
    }

    /// The public part.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs, now. Only options that Qubes' split-gpg lets through are used; `--no-armor` is not
    /// one.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let arguments = [
            "--batch",
            "--digest-algo",
            "SHA256",
            "--local-user",
            &self.key,
            "--detach-sign",
        ];
        let signature = run(&self.program, &arguments, data)?;
        signature::without_armor(signature)
            .map_err(|reason| Error::System(format!("{}: {reason}", self.program.display())))
    }
}

/// Runs gpg with something to read, and returns what it writes. What it says is shown if it fails.
fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Error> {
    let shown = program.display();
    let system = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Error::System(format!(
            "{shown} is not there\nhelp: install GnuPG, or name another program with --gpg-program"
        )),
        _ => Error::System(format!("{shown}: {error}")),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(system)?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // Both ways at once: neither side waits for the other.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().map_err(system)?;
    let written = writer.join().expect("writing does not panic");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::System(format!(
            "{shown} {}: {}\n{}",
            arguments.join(" "),
            output.status,
            said.trim_end()
        )));
    }
    written.map_err(system)?;
    Ok(output.stdout)
}
