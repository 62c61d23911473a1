// SPDX-License-Identifier: MIT OR Apache-2.0

//! The form of a signature packet, byte by byte, before anything else reads it.
//!
//! dom0's checker, rpmcanon, takes only what it knows: an allow list of subpackets, each once, and
//! numbers in their one form. What it refuses is refused here, with the line of gpg.conf that may
//! have put it there.

/// Checks that `bytes` are exactly one signature packet that rpmcanon takes.
///
/// # Errors
/// The reason why not.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut rest = Bytes(bytes);
    let body = body(&mut rest).ok_or("it is not an OpenPGP signature")?;
    if !rest.0.is_empty() {
        return Err("there is something after it".to_owned());
    }
    let mut body = Bytes(body);
    let cut = || "it ends too early".to_owned();
    match body.take(1).ok_or_else(cut)? {
        [4] => {}
        [version] => return Err(format!("it is of version {version}")),
        _ => return Err(cut()),
    }
    let [kind, algorithm, _hash] = *body.array().ok_or_else(cut)?;
    if kind != 0 {
        return Err("it is not over bytes (`textmode` in gpg.conf)".to_owned());
    }
    let length = body.number::<2>().ok_or_else(cut)?;
    let hashed = body.take(length).ok_or_else(cut)?;
    let said = Said::read(hashed)?;
    let length = body.number::<2>().ok_or_else(cut)?;
    let unhashed = body.take(length).ok_or_else(cut)?;
    let key_id = match (said.issuer, unhashed) {
        (Some(id), []) => id,
        (None, [9, ISSUER, id @ ..]) if id.len() == 8 => id,
        _ => {
            return Err("what it does not vouch for is more than its key's id".to_owned());
        }
    };
    if said
        .fingerprint
        .is_some_and(|fingerprint| !fingerprint.ends_with(key_id))
    {
        return Err("it names two keys".to_owned());
    }
    // The first bits of the digest.
    body.take(2).ok_or_else(cut)?;
    let numbers = match algorithm {
        // RSA.
        1 => 1,
        // EdDSA.
        22 => 2,
        other => return Err(format!("its algorithm is {other}")),
    };
    for _ in 0..numbers {
        let bits = body.number::<2>().ok_or_else(cut)?;
        let number = body.take(bits.div_ceil(8)).ok_or_else(cut)?;
        let first = number.first().copied().unwrap_or_default();
        if bits == 0 || 8 * number.len() - first.leading_zeros() as usize != bits {
            return Err("it has a number that is not in its shortest form".to_owned());
        }
    }
    if body.0.is_empty() {
        Ok(())
    } else {
        Err("there is something after its numbers".to_owned())
    }
}

/// The body of a signature packet whose length is told.
fn body<'a>(rest: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let [tag] = *rest.array::<1>()?;
    let length = match tag {
        // The new form.
        0xc2 => rest.length()?,
        // The old one, with a length of one, two or four bytes.
        0x88 => rest.number::<1>()?,
        0x89 => rest.number::<2>()?,
        0x8a => rest.number::<4>()?,
        _ => return None,
    };
    rest.take(length)
}

const CREATED: u8 = 2;
const ISSUER: u8 = 16;
const USER: u8 = 28;
const FINGERPRINT: u8 = 33;

/// What a signature says of itself and vouches for.
#[derive(Default)]
struct Said<'a> {
    created: bool,
    issuer: Option<&'a [u8]>,
    fingerprint: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    fn read(hashed: &'a [u8]) -> Result<Self, String> {
        let mut said = Said::default();
        let mut rest = Bytes(hashed);
        let broken = || "what it says of itself is broken".to_owned();
        while !rest.0.is_empty() {
            let length = rest.length().ok_or_else(broken)?;
            let (kind, value) = rest
                .take(length)
                .and_then(<[u8]>::split_first)
                .ok_or_else(broken)?;
            // The highest bit says that it is not to be passed over.
            let twice = match (kind & 0x7f, value.len()) {
                (CREATED, 4) => std::mem::replace(&mut said.created, true),
                (ISSUER, 8) => said.issuer.replace(value).is_some(),
                (FINGERPRINT, 21) if value[0] == 4 => {
                    said.fingerprint.replace(&value[1..]).is_some()
                }
                (USER, _) => false,
                (CREATED | ISSUER | FINGERPRINT, _) => return Err(broken()),
                (3, _) => return Err("it expires (`default-sig-expire` in gpg.conf)".to_owned()),
                (other, _) => return Err(format!("it has {}", name(other))),
            };
            if twice {
                return Err("it says something of itself twice".to_owned());
            }
        }
        if said.created {
            Ok(said)
        } else {
            Err("it does not say when it was made".to_owned())
        }
    }
}

/// What dom0 takes nowhere in a signature of a package.
fn name(subpacket: u8) -> String {
    match subpacket {
        20 => "a notation (`sig-notation` or `set-notation` in gpg.conf)".to_owned(),
        24 => "an address of a key server (`sig-keyserver-url` in gpg.conf)".to_owned(),
        26 => "a policy URL (`sig-policy-url` or `set-policy-url` in gpg.conf)".to_owned(),
        38 => "its key in it (`include-key-block` in gpg.conf)".to_owned(),
        other => format!("a subpacket of type {other}, which dom0 refuses"),
    }
}

/// Bytes that are read from their beginning.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of some bytes, the highest first.
    fn number<const N: usize>(&mut self) -> Option<usize> {
        let bytes = self.array::<N>()?;
        let number = bytes
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte));
        Some(number)
    }

    /// A length in the form of RFC 9580, 4.2.1, but none of a part.
    fn length(&mut self) -> Option<usize> {
        match self.number::<1>()? {
            short @ 0..=191 => Some(short),
            first @ 192..=223 => Some(((first - 192) << 8) + self.number::<1>()? + 192),
            255 => self.number::<4>(),
            _ => None,
        }
    }
}
