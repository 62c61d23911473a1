// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys: those to sign with, and those to check signatures with.

use std::path::Path;

use super::Failure;
use super::args::Signing;
use super::epoch::not_in_the_future;
use crate::openpgp::{Gpg, Passphrase, SecretKey, Signer};
use crate::read::file;

/// The bytes of a key file.
pub(super) fn read_key(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let shown = path.display().to_string();
    match file::read(path, file::MOST_KEY) {
        Ok(bytes) => Ok((shown, bytes)),
        Err(error) => Err(Failure::BadInput(format!(
            "{shown}: {error}\nhelp: name a key file that can be read"
        ))),
    }
}

/// What to sign packages of this time with, if anything.
pub(super) fn signer(signing: &Signing, epoch: u32) -> Result<Option<Signer>, Failure> {
    not_in_the_future(epoch)?;
    if let Some(path) = &signing.sign {
        let (shown, bytes) = read_key(path)?;
        let passphrase = match signing.passphrase_fd {
            Some(number) => Passphrase::Descriptor(number),
            None => Passphrase::Terminal,
        };
        let key = SecretKey::read(&shown, &bytes, &passphrase)?;
        return Ok(Some(Signer::Key(Box::new(key))));
    }
    let Some(key) = &signing.sign_gpg else {
        return Ok(None);
    };
    let program = signing.gpg_program.as_deref().unwrap_or(Path::new("gpg"));
    Ok(Some(Signer::Gpg(Box::new(Gpg::new(program, key)?))))
}
