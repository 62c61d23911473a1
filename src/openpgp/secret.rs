// SPDX-License-Identifier: MIT OR Apache-2.0

//! A secret key from a file.

use pgp::composed::{Deserializable, SignedPublicKey, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PacketTrait, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{
    Fingerprint, KeyDetails, Password, S2kParams, SecretParams, SigningKey, StringToKey, Timestamp,
};

use super::certificate::{Usable, line, several_blocks};
use super::{Certificate, Error, Passphrase, now};
use crate::refusal::Refusal;

/// What a file of a secret key is.
const FILE: &str =
    "a file for --sign holds one OpenPGP secret key, as `gpg --export-secret-keys` writes it";

/// How to get one.
const EXPORT: &str =
    "write one with `gpg --armor --export-secret-keys FINGERPRINT > KEY`, or sign with --sign-gpg";

/// A secret key that signs, unlocked.
pub struct SecretKey {
    key: SignedSecretKey,
    certificate: Certificate,
    signs: Usable,
    password: Password,
}

/// Shows nothing secret.
impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretKey").field(&self.signs).finish()
    }
}

impl SecretKey {
    /// Reads a file with one secret key, with or without armour, and opens it with a passphrase
    /// if it is locked. `shown` is what to call it.
    ///
    /// # Errors
    /// If it is something else, no key of it can sign for dom0, or the passphrase is wrong.
    pub fn read(shown: &str, bytes: &[u8], passphrase: &Passphrase) -> Result<Self, Error> {
        let key = parse(shown, bytes)?;
        let certificate = Certificate::new(shown, key.to_public_key());
        let signs = certificate.for_signing(|fingerprint| has_secret(&key, fingerprint))?;
        let locked =
            secret_params(&key, &signs.fingerprint).is_some_and(SecretParams::is_encrypted);
        let password = if locked {
            passphrase.read(&certificate)?
        } else {
            Password::empty()
        };
        let key = SecretKey {
            key,
            certificate,
            signs,
            password,
        };
        // Better now than after everything is built.
        key.sign(b"", 0).map_err(|error| match error {
            Error::System(reason) if locked => Refusal::new(
                format!(
                    "{}: the passphrase does not open it: {reason}",
                    key.certificate
                ),
                "a locked key is opened with its passphrase, the first line of what is typed or \
                 read",
                "give the passphrase of this key",
            )
            .into(),
            error => error,
        })?;
        Ok(key)
    }

    /// The public part.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs, at `time` or as soon after as the key is valid.
    pub(super) fn sign(&self, data: &[u8], time: u32) -> Result<Vec<u8>, Error> {
        let time = time.max(self.signs.since);
        if time > now() {
            return Err(Refusal::new(
                format!(
                    "{}: the time to sign with, {time}, is in the future: the clock says {}",
                    self.certificate,
                    now()
                ),
                "packages are signed at SOURCE_DATE_EPOCH or when the key was made, whichever is \
                 later, and dom0 refuses signatures from the future",
                "set the clock, or write an earlier SOURCE_DATE_EPOCH",
            )
            .into());
        }
        let subkey = self
            .key
            .secret_subkeys
            .iter()
            .find(|subkey| subkey.key.fingerprint() == self.signs.fingerprint);
        match subkey {
            Some(subkey) => signature(&subkey.key, &self.password, data, time),
            None => signature(&self.key.primary_key, &self.password, data, time),
        }
        .map_err(|error| Error::System(line(&error)))
    }
}

fn parse(shown: &str, bytes: &[u8]) -> Result<SignedSecretKey, Refusal> {
    if several_blocks(bytes) {
        let problem = format!("{shown} holds several keys");
        return Err(Refusal::new(problem, FILE, EXPORT));
    }
    let keys = SignedSecretKey::from_reader_many(bytes)
        .and_then(|(keys, _)| keys.collect::<Result<Vec<_>, _>>());
    match keys {
        Ok(mut keys) if keys.len() == 1 => Ok(keys.remove(0)),
        Ok(keys) if keys.len() > 1 => Err(Refusal::new(
            format!("{shown} holds {} secret keys", keys.len()),
            FILE,
            EXPORT,
        )),
        other => {
            let public = SignedPublicKey::from_reader_single(bytes).is_ok();
            let refused = |problem| Refusal::new(problem, FILE, EXPORT);
            Err(match other {
                _ if public => refused(format!("{shown} holds a public key, not a secret one")),
                Err(error) => refused(format!(
                    "{shown} is not an OpenPGP secret key: {}",
                    line(&error)
                ))
                .because(error),
                Ok(_) => refused(format!("{shown} holds no OpenPGP secret key")),
            })
        }
    }
}

fn secret_params<'a>(
    key: &'a SignedSecretKey,
    fingerprint: &Fingerprint,
) -> Option<&'a SecretParams> {
    if key.primary_key.fingerprint() == *fingerprint {
        return Some(key.primary_key.secret_params());
    }
    key.secret_subkeys
        .iter()
        .find(|subkey| subkey.key.fingerprint() == *fingerprint)
        .map(|subkey| subkey.key.secret_params())
}

/// Whether the file has the secret part of a key: gpg leaves a stub where it is on a card, or was
/// left out.
fn has_secret(key: &SignedSecretKey, fingerprint: &Fingerprint) -> Result<(), String> {
    let stub = match secret_params(key, fingerprint) {
        None => true,
        Some(SecretParams::Plain(_)) => false,
        Some(SecretParams::Encrypted(locked)) => matches!(
            locked.string_to_key_params(),
            S2kParams::Cfb {
                s2k: StringToKey::Private { .. },
                ..
            } | S2kParams::MalleableCfb {
                s2k: StringToKey::Private { .. },
                ..
            }
        ),
    };
    if stub {
        Err(
            "the file does not have its secret part: write one with `gpg --export-secret-keys`, \
             or sign with --sign-gpg"
                .to_owned(),
        )
    } else {
        Ok(())
    }
}

/// A signature of version 4 with no more in it than who signed and when: dom0 refuses what has
/// notations, and a name says nothing that the key does not.
fn signature(
    key: &impl SigningKey,
    password: &Password,
    data: &[u8],
    time: u32,
) -> pgp::errors::Result<Vec<u8>> {
    let mut config = SignatureConfig::v4(
        SignatureType::Binary,
        key.algorithm(),
        HashAlgorithm::Sha256,
    );
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(
            time,
        )))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    // Old versions of rpm find the key by it.
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        key.legacy_key_id(),
    ))?];
    let mut bytes = Vec::new();
    config
        .sign(key, password, data)?
        .to_writer_with_header(&mut bytes)?;
    Ok(bytes)
}
