// SPDX-License-Identifier: MIT OR Apache-2.0

//! A detached signature, and which ones dom0 takes.

use std::io::{Cursor, Read};

use pgp::armor::{BlockType, Dearmor};
use pgp::composed::{ArmorOptions, DetachedSignature};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion};
use pgp::types::Fingerprint;

use super::certificate::line;
use super::{now, packet};

/// Why a key that is for something else is not used.
pub(super) const NOT_FOR_SIGNING: &str = "it is not for signing";

/// Reads exactly one signature, in the form that dom0 takes, and nothing after it.
pub(super) fn read(bytes: &[u8]) -> Result<Signature, String> {
    packet::check(bytes)?;
    let mut packets = PacketParser::new(Cursor::new(bytes));
    match (packets.next(), packets.next()) {
        (Some(Ok(Packet::Signature(signature))), None) => Ok(signature),
        (None, _) => Err("it is empty".to_owned()),
        (Some(Ok(Packet::Signature(_))), Some(_)) => Err("there is something after it".to_owned()),
        _ => Err("it is not an OpenPGP signature".to_owned()),
    }
}

/// The bytes of a signature that is in armour, or not.
pub(super) fn without_armor(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(b"-----BEGIN") {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let mut armor = Dearmor::new(bytes.as_slice());
    match armor.read_to_end(&mut plain) {
        Ok(_) if armor.typ == Some(BlockType::Signature) => Ok(plain),
        _ => Err("it is not an OpenPGP signature".to_owned()),
    }
}

/// A signature in armour.
pub(super) fn to_text(bytes: &[u8]) -> Result<String, String> {
    DetachedSignature::new(read(bytes)?)
        .to_armored_string(ArmorOptions::default())
        .map_err(|error| line(&error))
}

/// Checks what dom0's rpm asks of a signature beside its form, and that it fits. Its Sequoia takes
/// no weak hash; a signature from the future is refused by it and by Qubes' updater. Returns when it
/// was made.
pub(super) fn rules(signature: &Signature) -> Result<u32, String> {
    let refuse = |reason: &str| Err(reason.to_owned());
    let Some(config) = signature.config() else {
        return refuse("it is of an unknown version");
    };
    if config.version() != SignatureVersion::V4 {
        return Err(format!("it is of version {}", u8::from(config.version())));
    }
    if config.typ() != SignatureType::Binary {
        return refuse("it is not over bytes");
    }
    match config.hash_alg {
        HashAlgorithm::Sha256 | HashAlgorithm::Sha512 => {}
        other => return Err(format!("its hash is {other}, not SHA-256 or SHA-512")),
    }
    match signature.created() {
        None => refuse("it does not say when it was made"),
        Some(time) if time.as_secs() > now() => {
            refuse("it was made in the future, by the clock of this machine")
        }
        Some(time) => Ok(time.as_secs()),
    }
}

/// Whether a signature says that it is by this key.
pub(super) fn names(signature: &Signature, fingerprint: &Fingerprint) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if !fingerprints.is_empty() {
        return fingerprints.contains(&fingerprint);
    }
    // The id of a key of version 4 is the end of its fingerprint (RFC 9580, 5.5.4.2).
    signature
        .issuer_key_id()
        .iter()
        .any(|id| fingerprint.as_bytes().ends_with(id.as_ref()))
}
