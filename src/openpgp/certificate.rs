// SPDX-License-Identifier: MIT OR Apache-2.0

//! A public key with what it says of itself.

use std::fmt;

use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{Fingerprint, KeyDetails, KeyVersion, PublicParams, Tag, VerifyingKey};
use rsa_size::bits;

use super::{now, signature};
use crate::read::printable;
use crate::refusal::Refusal;

/// Which keys dom0 takes. Its rpm reads no other algorithm, and its Sequoia refuses short RSA keys
/// and what SHA-1 vouches for.
const KEYS: &str = "dom0 takes signatures by OpenPGP keys of version 4, of RSA with 2048 \
     bits or more, or Ed25519 in its older form (EdDSA, algorithm 22), that can sign, and are \
     neither expired nor revoked";

/// How to make a key that dom0 takes.
const MAKE: &str = "sign with another key; `gpg --quick-generate-key NAME ed25519 sign` of GnuPG 2.2 to 2.4 makes \
     one, and so does `rsa4096` instead of `ed25519`";

/// A public key, as dom0 would import it: a primary key and its subkeys.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: SignedPublicKey,
    shown: String,
}

/// A key of a certificate that may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usable {
    /// Which one.
    pub fingerprint: Fingerprint,
    /// When it was made.
    made: u32,
    /// When what is said of it was said last. What signs from then on has somebody to vouch for it;
    /// older signatures stay, as when a key's end was put off.
    pub since: u32,
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:X})", self.shown, self.key.fingerprint())
    }
}

impl Certificate {
    /// Reads a file with one public key, with or without armour. `shown` is what to call it.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read(shown: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        const ONE: &str = "a key file holds one OpenPGP public key, as `gpg --export` writes it";
        let fix = "write one with `gpg --armor --export FINGERPRINT > KEY.asc`";
        if several_blocks(bytes) {
            let problem = format!("{shown} holds several keys");
            return Err(Refusal::new(problem, ONE, fix));
        }
        let keys = SignedPublicKey::from_reader_many(bytes)
            .and_then(|(keys, _)| keys.collect::<Result<Vec<_>, _>>());
        match keys {
            Ok(mut keys) if keys.len() == 1 => Ok(Certificate::new(shown, keys.remove(0))),
            Ok(keys) if keys.is_empty() => Err(Refusal::new(
                format!("{shown} holds no OpenPGP public key"),
                ONE,
                fix,
            )),
            Ok(keys) => Err(Refusal::new(
                format!("{shown} holds {} public keys", keys.len()),
                ONE,
                fix,
            )),
            Err(error) => Err(Refusal::new(
                format!("{shown} is not an OpenPGP public key: {}", line(&error)),
                ONE,
                fix,
            )
            .because(error)),
        }
    }

    pub(super) fn new(shown: &str, key: SignedPublicKey) -> Self {
        Certificate {
            key,
            shown: shown.to_owned(),
        }
    }

    /// The file to import, in armour.
    pub fn to_armor(&self) -> String {
        self.key
            .to_armored_string(pgp::composed::ArmorOptions::default())
            .expect("a key that was read can be written")
    }

    /// Checks that `signature` is over `data`, by this key, and such that dom0 takes it.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self, signature: &[u8], data: &[u8]) -> Result<(), String> {
        let signature = signature::read(signature)?;
        let time = signature::rules(&signature)?;
        let mut reasons = Vec::new();
        for fingerprint in self.fingerprints() {
            if !signature::names(&signature, &fingerprint) {
                continue;
            }
            match self.usable(&fingerprint, time) {
                Err(reason) => reasons.push(reason),
                Ok(usable) if time < usable.made => {
                    reasons.push("it is older than its key".to_owned());
                }
                Ok(_) => match self.verify(&fingerprint, &signature, data) {
                    Ok(()) => return Ok(()),
                    Err(_) => reasons.push("it does not fit what it signs".to_owned()),
                },
            }
        }
        Err(reasons
            .pop()
            .unwrap_or_else(|| "it is by another key".to_owned()))
    }

    /// The same of a signature in armour.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check_text(&self, signature: &[u8], data: &[u8]) -> Result<(), String> {
        self.check(&signature::without_armor(signature.to_owned())?, data)
    }

    fn verify(
        &self,
        fingerprint: &Fingerprint,
        signature: &Signature,
        data: &[u8],
    ) -> pgp::errors::Result<()> {
        match self.subkey(fingerprint) {
            Some(subkey) => signature.verify(&subkey.key, data),
            None => signature.verify(&self.key.primary_key, data),
        }
    }

    fn subkey(&self, fingerprint: &Fingerprint) -> Option<&SignedPublicSubKey> {
        self.key
            .public_subkeys
            .iter()
            .find(|subkey| subkey.key.fingerprint() == *fingerprint)
    }

    fn fingerprints(&self) -> Vec<Fingerprint> {
        let subkeys = self.key.public_subkeys.iter();
        std::iter::once(self.key.primary_key.fingerprint())
            .chain(subkeys.map(|subkey| subkey.key.fingerprint()))
            .collect()
    }

    /// The keys that may sign now, the newest subkey first and the primary key last, as gpg
    /// prefers them; of those that `has_secret` says can be used.
    ///
    /// # Errors
    /// If there is none, with the reason for each.
    pub(super) fn for_signing(
        &self,
        has_secret: impl Fn(&Fingerprint) -> Result<(), String>,
    ) -> Result<Usable, Refusal> {
        let mut subkeys: Vec<_> = self.key.public_subkeys.iter().collect();
        subkeys.sort_by_key(|subkey| std::cmp::Reverse(subkey.key.created_at()));
        let order = subkeys
            .into_iter()
            .map(|subkey| subkey.key.fingerprint())
            .chain([self.key.primary_key.fingerprint()]);
        let mut reasons = Vec::new();
        for fingerprint in order {
            let usable = self
                .usable(&fingerprint, now())
                .and_then(|usable| has_secret(&fingerprint).map(|()| usable));
            match usable {
                Ok(usable) => return Ok(usable),
                // What every subkey says too is said once.
                Err(reason) if reasons.contains(&reason) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        // A subkey for encryption is no news.
        if reasons.len() > 1 {
            reasons.retain(|reason| reason != signature::NOT_FOR_SIGNING);
        }
        Err(Refusal::new(
            format!("{self}: {}", reasons.join("; ")),
            KEYS,
            MAKE,
        ))
    }

    /// Whether a key of this certificate may sign at a time.
    fn usable(&self, fingerprint: &Fingerprint, time: u32) -> Result<Usable, String> {
        let primary = &self.key.primary_key;
        let since = self.primary_since(time)?;
        let Some(subkey) = self.subkey(fingerprint) else {
            if !self.newest_self_signature()?.1 {
                return Err(signature::NOT_FOR_SIGNING.to_owned());
            }
            return Ok(Usable {
                fingerprint: primary.fingerprint(),
                made: made(primary),
                since,
            });
        };
        let valid = |kind| {
            let of_kind = subkey
                .signatures
                .iter()
                .filter(move |signature| signature.typ() == Some(kind));
            of_kind.filter(|signature| {
                signature
                    .verify_subkey_binding(primary, &subkey.key)
                    .is_ok()
            })
        };
        if valid(SignatureType::SubkeyRevocation).next().is_some() {
            return Err("the subkey is revoked".to_owned());
        }
        let binding = newest(valid(SignatureType::SubkeyBinding))
            .ok_or("nothing valid binds the subkey to its key")?;
        if !binding.key_flags().sign() {
            return Err(signature::NOT_FOR_SIGNING.to_owned());
        }
        algorithm(&subkey.key)?;
        strong(binding)?;
        alive(&subkey.key, binding, time)?;
        let bound_back = binding.embedded_signature().is_some_and(|back| {
            back.verify_primary_key_binding(&subkey.key, primary)
                .is_ok()
        });
        if !bound_back {
            return Err("the subkey does not say itself that it belongs to its key".to_owned());
        }
        Ok(Usable {
            fingerprint: subkey.key.fingerprint(),
            made: made(&subkey.key),
            since: since.max(made(&subkey.key)).max(created(binding)),
        })
    }

    /// Whether the primary key is in order at a time, whatever it may do; and since when.
    fn primary_since(&self, time: u32) -> Result<u32, String> {
        let primary = &self.key.primary_key;
        algorithm(primary)?;
        let revoked = self
            .key
            .details
            .revocation_signatures
            .iter()
            .any(|signature| {
                signature.typ() == Some(SignatureType::KeyRevocation)
                    && signature.verify_key(primary).is_ok()
            });
        if revoked {
            return Err("the key is revoked".to_owned());
        }
        let (signature, _) = self.newest_self_signature()?;
        strong(signature)?;
        alive(primary, signature, time)?;
        Ok(made(primary).max(created(signature)))
    }

    /// What the primary key says of itself, and whether it may sign.
    fn newest_self_signature(&self) -> Result<(&Signature, bool), String> {
        let primary = &self.key.primary_key;
        let direct = self.key.details.direct_signatures.iter();
        let direct = direct.filter(|signature| {
            signature.typ() == Some(SignatureType::Key) && signature.verify_key(primary).is_ok()
        });
        let users = self.key.details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|signature| {
                signature.is_certification()
                    && signature
                        .verify_certification(primary, Tag::UserId, &user.id)
                        .is_ok()
            })
        });
        let signature =
            newest(direct.chain(users)).ok_or("nothing valid says what the key may do")?;
        // RFC 9580, 5.2.3.29: without flags, it may do all that it can.
        Ok((
            signature,
            !has_key_flags(signature) || signature.key_flags().sign(),
        ))
    }
}

/// The newest of some signatures, but for those from the future.
fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures
        .filter(|signature| created(signature) <= now())
        .max_by_key(|signature| created(signature))
}

fn created(signature: &Signature) -> u32 {
    signature.created().map_or(u32::MAX, |time| time.as_secs())
}

fn made(key: &impl KeyDetails) -> u32 {
    key.created_at().as_secs()
}

fn has_key_flags(signature: &Signature) -> bool {
    signature.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)))
    })
}

/// Whether such a key is there already, and dom0's rpm reads what it signs.
fn algorithm(key: &(impl VerifyingKey + Serialize)) -> Result<(), String> {
    if made(key) > now() {
        return Err("it was made in the future, by the clock of this machine".to_owned());
    }
    if key.version() != KeyVersion::V4 {
        return Err(format!(
            "it is a key of version {}",
            u8::from(key.version())
        ));
    }
    match (key.algorithm(), key.public_params()) {
        (PublicKeyAlgorithm::RSA, PublicParams::RSA(parameters)) => match bits(parameters) {
            2048.. => Ok(()),
            bits => Err(format!("it is an RSA key of {bits} bits")),
        },
        (PublicKeyAlgorithm::EdDSALegacy, PublicParams::EdDSALegacy(parameters)) => {
            match parameters {
                pgp::types::EddsaLegacyPublicParams::Ed25519 { .. } => Ok(()),
                _ => Err("it is an EdDSA key of another curve than Ed25519".to_owned()),
            }
        }
        (algorithm, _) => Err(format!(
            "its algorithm is {algorithm:?} ({})",
            u8::from(algorithm)
        )),
    }
}

/// Whether a self-signature counts in dom0.
fn strong(signature: &Signature) -> Result<(), String> {
    match signature.hash_alg() {
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => Ok(()),
        Some(other) => Err(format!(
            "the key vouches for itself with {other}, which is too weak"
        )),
        None => Err("the key vouches for itself in an unknown way".to_owned()),
    }
}

/// Whether a key is there at a time, by what a self-signature says of its end.
fn alive(key: &impl KeyDetails, signature: &Signature, time: u32) -> Result<(), String> {
    let made = made(key);
    let ends = |from: u32, after: Option<pgp::types::Duration>| {
        after
            .map(pgp::types::Duration::as_secs)
            .filter(|after| *after > 0)
            .is_some_and(|after| u64::from(from) + u64::from(after) <= u64::from(time))
    };
    if ends(made, signature.key_expiration_time())
        || ends(created(signature), signature.signature_expiration_time())
    {
        return Err("it is expired".to_owned());
    }
    Ok(())
}

/// The size of an RSA key.
mod rsa_size {
    use pgp::ser::Serialize;
    use pgp::types::RsaPublicParams;

    /// The bits of the modulus, from its form as an OpenPGP number, which begins with them
    /// (RFC 9580, 3.2): the type of the `rsa` crate is not ours to name.
    pub(super) fn bits(parameters: &RsaPublicParams) -> u32 {
        let bytes = parameters.to_bytes().unwrap_or_default();
        match bytes.as_slice() {
            [high, low, ..] => u32::from(*high) << 8 | u32::from(*low),
            _ => 0,
        }
    }
}

/// Whether a file has several armoured blocks, of which the `pgp` crate reads the first.
pub(super) fn several_blocks(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    bytes
        .windows(BEGIN.len())
        .filter(|part| *part == BEGIN)
        .count()
        > 1
}

/// What the `pgp` crate says, on one line.
pub(super) fn line(error: &impl fmt::Display) -> String {
    printable(&error.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use pgp::composed::{ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
    use pgp::types::Timestamp;

    use super::*;
    use crate::openpgp::{Passphrase, SecretKey};

    /// A key with one user, made a minute ago.
    fn key(kind: KeyType, can_sign: bool) -> SignedSecretKey {
        SecretKeyParamsBuilder::default()
            .version(KeyVersion::V4)
            .key_type(kind)
            .can_sign(can_sign)
            .can_certify(true)
            .created_at(Timestamp::from_secs(now() - 60))
            .primary_user_id("somebody".to_owned())
            .build()
            .unwrap()
            .generate(rand::thread_rng())
            .unwrap()
    }

    fn certificate(key: &SignedSecretKey) -> Certificate {
        Certificate::new("KEY", key.to_public_key())
    }

    fn signer(key: &SignedSecretKey) -> SecretKey {
        let text = key.to_armored_string(ArmorOptions::default()).unwrap();
        SecretKey::read("KEY", text.as_bytes(), &Passphrase::Terminal).unwrap()
    }

    #[test]
    fn a_signature_is_over_these_bytes_by_this_key() {
        let key = key(KeyType::Ed25519Legacy, true);
        let certificate = certificate(&key);
        let signature = signer(&key).sign(b"bytes", 0).unwrap();
        assert_eq!(certificate.check(&signature, b"bytes"), Ok(()));
        let fits_not = Err("it does not fit what it signs".to_owned());
        assert_eq!(certificate.check(&signature, b"byte"), fits_not);
        let other = super::tests::certificate(&super::tests::key(KeyType::Ed25519Legacy, true));
        let by_another = Err("it is by another key".to_owned());
        assert_eq!(other.check(&signature, b"bytes"), by_another);
        for at in (0..signature.len()).step_by(9) {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(certificate.check(&changed, b"bytes").is_err(), "byte {at}");
            assert!(certificate.check(&signature[..at], b"bytes").is_err());
        }
        let twice = [&*signature, &*signature].concat();
        assert!(certificate.check(&twice, b"bytes").is_err());
    }

    #[test]
    fn a_key_that_dom0_does_not_take_signs_nothing() {
        for (key, reason) in [
            (key(KeyType::Ed25519Legacy, false), "it is not for signing"),
            (key(KeyType::Ed25519, true), "its algorithm is Ed25519 (27)"),
        ] {
            let refused = certificate(&key).for_signing(|_| Ok(())).unwrap_err();
            let said = format!("{refused}");
            assert!(said.contains(reason), "{said}");
        }
    }

    #[test]
    fn a_key_signs_from_when_it_was_made_until_its_end() {
        let key = key(KeyType::Ed25519Legacy, true);
        let certificate = certificate(&key);
        let fingerprint = key.fingerprint();
        let usable = certificate.usable(&fingerprint, now()).unwrap();
        assert_eq!(usable.fingerprint, fingerprint);
        assert!(usable.made <= now() - 60);
        // Earlier than the key is no time to sign at: it signs as soon after as it can.
        let signature = signer(&key).sign(b"bytes", usable.made - 10).unwrap();
        assert_eq!(certificate.check(&signature, b"bytes"), Ok(()));
    }

    #[test]
    fn a_file_holds_one_public_key() {
        let one = certificate(&key(KeyType::Ed25519Legacy, true)).to_armor();
        let read = |bytes: &[u8]| Certificate::read("KEY", bytes);
        assert!(read(one.as_bytes()).is_ok());
        for (bytes, reason) in [
            (b"".to_vec(), "KEY"),
            (b"no key".to_vec(), "KEY"),
            (
                format!("{one}\n{one}").into_bytes(),
                "KEY holds several keys",
            ),
        ] {
            let said = format!("{}", read(&bytes).unwrap_err());
            assert!(said.contains(reason), "{said}");
        }
    }
}
