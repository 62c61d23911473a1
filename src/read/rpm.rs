// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads an RPM file byte by byte: its digests and signatures, and what it installs.
//!
//! A digest or a signature is over bytes as they are in the file, never over something parsed and
//! written again. The form is that of
//! [RPM v4](https://rpm-software-management.github.io/rpm/manual/format_v4.html), as strict as
//! dom0 reads it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgp::crypto::hash::HashAlgorithm;

use super::gunzip::Gunzip;
use super::header::{Header, Which};
use super::tags::{self, signature};
use super::{Contents, Entry, Kind, LONGEST_PATH, MOST_PATHS, cpio};
use crate::manifest::{self, Role, Script};
use crate::openpgp::Certificate;

/// With what an RPM file begins.
pub const MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// The lead: 96 bytes that old programs read.
const LEAD: usize = 96;

/// An RPM file, taken apart.
#[derive(Debug)]
pub struct Parts<'a> {
    signatures: Header<'a>,
    header: Header<'a>,
    payload: &'a [u8],
    /// Header and payload together.
    signed: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// If it is not an RPM package, or ends too early; with the reason.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        let lead = file.get(..LEAD).ok_or("it is too short")?;
        let called = called(lead)?;
        let signatures = Header::read(&file[LEAD..], Which::Signatures)?;
        // The signatures are filled up to a multiple of eight.
        let (length, filled) = (
            LEAD + signatures.bytes.len(),
            LEAD + signatures.bytes.len().next_multiple_of(8),
        );
        let signed = file.get(filled..).ok_or("it is too short")?;
        if file[length..filled].iter().any(|byte| *byte != 0) {
            return Err("there is something after the signatures".to_owned());
        }
        let header = Header::read(signed, Which::Package)?;
        for tag in [
            tags::NAME,
            tags::VERSION,
            tags::RELEASE,
            tags::OS,
            tags::ARCH,
        ] {
            if header.text(tag).is_none() {
                return Err(format!("its header has no tag {tag}"));
            }
        }
        let text = |tag| header.text(tag).unwrap_or_default();
        let name = text(tags::NAME);
        let full = format!("{name}-{}-{}", text(tags::VERSION), text(tags::RELEASE));
        // rpmbuild writes the full name, as far as there is room.
        if called != name.as_bytes() && called != &full.as_bytes()[..full.len().min(65)] {
            return Err("its lead has another name than its header".to_owned());
        }
        Ok(Parts {
            payload: &signed[header.bytes.len()..],
            signatures,
            header,
            signed,
        })
    }

    /// Header and payload: all but the signatures.
    pub fn signed(&self) -> &'a [u8] {
        self.signed
    }

    /// What speaks against this package, for one who trusts this key: what dom0 would refuse it
    /// for. Nothing if it is in order.
    pub fn findings(&self, key: &Certificate) -> Vec<String> {
        let mut findings = self.digest_findings();
        let mut signed = false;
        for (twins, what, over) in [
            (
                [signature::DSA_HEADER, signature::RSA_HEADER],
                "the header",
                self.header.bytes,
            ),
            ([signature::PGP, signature::GPG], "the package", self.signed),
        ] {
            let there: Vec<_> = twins
                .map(|tag| self.signatures.binary(tag))
                .into_iter()
                .flatten()
                .collect();
            if there.len() > 1 {
                findings.push(format!("{what} has two signatures"));
            }
            for signature in &there {
                if let Err(reason) = key.check(signature, over) {
                    findings.push(format!("{what}'s signature: {reason}"));
                }
            }
            signed |= !there.is_empty() && twins[0] == signature::DSA_HEADER;
        }
        if !signed {
            findings.push("the header is not signed".to_owned());
        }
        // rpm before version 6 does not read it, so it must say the same.
        let header_signature = [signature::DSA_HEADER, signature::RSA_HEADER]
            .into_iter()
            .find_map(|tag| self.signatures.binary(tag))
            .map(|signature| STANDARD.encode(signature));
        let repeated = self.signatures.texts(signature::OPENPGP);
        if repeated
            .iter()
            .any(|text| Some(*text) != header_signature.as_deref())
        {
            findings.push("the header has another signature, for RPM version 6".to_owned());
        }
        findings
    }

    fn digest_findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        if self.header.has(tags::RPM_FORMAT) {
            findings.push("it is of RPM version 6, whose signature dom0 does not see".to_owned());
        }
        for (tag, algorithm) in [
            (signature::SHA256_HEADER, HashAlgorithm::Sha256),
            (signature::SHA1_HEADER, HashAlgorithm::Sha1),
        ] {
            match self.signatures.digest(tag) {
                Err(()) => findings.push(format!("the header has no readable {algorithm} digest")),
                Ok(None) if algorithm == HashAlgorithm::Sha256 => {
                    findings.push(format!("the header has no {algorithm} digest"));
                }
                Ok(Some(listed)) if !fits(algorithm, self.header.bytes, &listed) => {
                    findings.push(format!("the header does not fit its {algorithm} digest"));
                }
                Ok(_) => {}
            }
        }
        if let Some(listed) = self.signatures.binary(signature::MD5)
            && !fits(HashAlgorithm::Md5, self.signed, listed)
        {
            findings.push("the package does not fit its MD5 digest".to_owned());
        }
        match self.payload_digest() {
            None => findings.push("the payload has no digest that dom0 takes".to_owned()),
            Some(listed) if !fits(HashAlgorithm::Sha256, self.payload, &listed) => {
                findings.push("the payload does not fit its SHA256 digest".to_owned());
            }
            Some(_) => {}
        }
        findings
    }

    /// The digest of the payload, of the one kind that dom0's rpm takes.
    fn payload_digest(&self) -> Option<Vec<u8>> {
        let sha256 = u32::from(u8::from(HashAlgorithm::Sha256));
        let algorithm = self.header.numbers(tags::PAYLOAD_DIGEST_ALGORITHM);
        // One that is there and not readable makes rpmcanon refuse the package.
        self.header.digest(tags::PAYLOAD_DIGEST_UNPACKED).ok()?;
        let digest = self.header.digest(tags::PAYLOAD_DIGEST).ok()??;
        (algorithm == [sha256] && digest.len() == 32).then_some(digest)
    }

    /// What it says of itself and installs. Neither digests nor signatures are looked at.
    ///
    /// # Errors
    /// If header and payload do not fit together, or are of a form that this program does not
    /// write; with the reason.
    pub fn contents(&self) -> Result<Contents, String> {
        let header = &self.header;
        let mut oddities = Vec::new();
        for tag in header.tags().filter(|tag| !tags::OURS.contains(tag)) {
            oddities.push(format!("its header has {} (tag {tag})", tags::purpose(tag)));
        }
        let text = |tag| header.text(tag).unwrap_or_default();
        if (text(tags::PAYLOAD_FORMAT), text(tags::PAYLOAD_COMPRESSOR)) != ("cpio", "gzip") {
            return Err("its payload is not cpio in gzip".to_owned());
        }
        let mut entries = self.listed(&mut oddities)?;
        self.unpack(&mut entries)?;
        let says = manifest::Header {
            name: text(tags::NAME).to_owned(),
            version: text(tags::VERSION).to_owned(),
            release: text(tags::RELEASE).to_owned(),
            arch: text(tags::ARCH).to_owned(),
            requires: self.dependencies(
                [
                    tags::REQUIRE_NAMES,
                    tags::REQUIRE_FLAGS,
                    tags::REQUIRE_VERSIONS,
                ],
                &mut oddities,
            )?,
            provides: self.dependencies(
                [
                    tags::PROVIDE_NAMES,
                    tags::PROVIDE_FLAGS,
                    tags::PROVIDE_VERSIONS,
                ],
                &mut oddities,
            )?,
            scripts: self.scripts()?,
        };
        Ok(Contents {
            header: says,
            has_parents: false,
            entries: entries.into_iter().map(|listed| listed.entry).collect(),
            oddities,
        })
    }

    fn scripts(&self) -> Result<Vec<Script>, String> {
        let mut scripts = Vec::new();
        for (when, script, program) in [
            (
                "post-install",
                tags::POST_INSTALL,
                tags::POST_INSTALL_PROGRAM,
            ),
            (
                "pre-uninstall",
                tags::PRE_UNINSTALL,
                tags::PRE_UNINSTALL_PROGRAM,
            ),
        ] {
            // A program alone is run as well.
            if self.header.has(script) || self.header.has(program) {
                scripts.push(Script {
                    when: when.to_owned(),
                    program: self.header.texts(program).join(" "),
                    text: self.header.texts(script).concat(),
                });
            }
        }
        Ok(scripts)
    }

    fn dependencies(
        &self,
        [names, flags, versions]: [u32; 3],
        oddities: &mut Vec<String>,
    ) -> Result<Vec<String>, String> {
        let (names, versions) = (self.header.texts(names), self.header.texts(versions));
        let flags = self.header.numbers(flags);
        if names.len() != flags.len() || names.len() != versions.len() {
            return Err("its dependencies have not as many names as versions".to_owned());
        }
        let mut all = Vec::new();
        for ((name, version), flags) in names.iter().zip(versions).zip(flags) {
            let compared = match flags & 0xf {
                0 if version.is_empty() => String::new(),
                2 => format!(" < {version}"),
                4 => format!(" > {version}"),
                8 => format!(" = {version}"),
                10 => format!(" <= {version}"),
                12 => format!(" >= {version}"),
                _ => return Err(format!("its dependency {name:?} compares nothing")),
            };
            // That it is rpm's own, a script's interpreter, or of configuration, says nothing new.
            const HARMLESS: u32 = 0xf | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 24 | 1 << 28;
            if flags & !HARMLESS != 0 {
                oddities.push(format!("its dependency {name} has the flags {flags:#x}"));
            }
            all.push(format!("{name}{compared}"));
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The files that the header lists.
    fn listed(&self, oddities: &mut Vec<String>) -> Result<Vec<Listed>, String> {
        let header = &self.header;
        let names = header.texts(tags::BASE_NAMES);
        let folders = header.texts(tags::FOLDER_NAMES);
        let numbers = |tag| {
            let numbers = header.numbers(tag);
            let as_many = numbers.len() == names.len();
            as_many.then_some(numbers).ok_or_else(|| uneven(tag))
        };
        let texts = |tag| {
            let texts = header.texts(tag);
            let as_many = texts.len() == names.len();
            as_many.then_some(texts).ok_or_else(|| uneven(tag))
        };
        let (modes, flags) = (numbers(tags::FILE_MODES)?, numbers(tags::FILE_FLAGS)?);
        let (sizes, at) = (numbers(tags::FILE_SIZES)?, numbers(tags::FILE_FOLDERS)?);
        let (users, groups) = (texts(tags::FILE_USERS)?, texts(tags::FILE_GROUPS)?);
        let (digests, links) = (texts(tags::FILE_DIGESTS)?, texts(tags::FILE_LINKS)?);
        if header.numbers(tags::FILE_DIGEST_ALGORITHM) != [8] {
            return Err("the digests of its files are not SHA-256".to_owned());
        }
        // What rpm would check less of, or take for the same file as another.
        let inodes = numbers(tags::FILE_INODES)?;
        if inodes.iter().collect::<BTreeSet<_>>().len() != inodes.len() {
            oddities.push("its header makes one file of several".to_owned());
        }
        let verified = numbers(tags::FILE_VERIFY_FLAGS)?;
        let lax = |(verified, flags): (&u32, &u32)| *verified != u32::MAX && flags & GHOST == 0;
        if verified.iter().zip(&flags).any(lax) {
            oddities.push("its header lets `rpm --verify` pass over changes".to_owned());
        }
        if numbers(tags::FILE_RDEVS)?.iter().any(|device| *device != 0) {
            oddities.push("its header has a device".to_owned());
        }
        if texts(tags::FILE_LANGUAGES)?
            .iter()
            .any(|language| !language.is_empty())
        {
            oddities.push("its header has a file for one language".to_owned());
        }

        let mut bytes = 0;
        let mut all = Vec::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            let folder = folders.get(at[i] as usize).ok_or("a file has no folder")?;
            let length = folder.len() + name.len();
            bytes += length;
            if length > LONGEST_PATH || bytes > MOST_PATHS {
                return Err("its paths are too long".to_owned());
            }
            let path = format!("{folder}{name}");
            let kind = match (modes[i] & 0o170_000, flags[i] & GHOST != 0) {
                (0o040_000, false) => Kind::Directory,
                (0o100_000, false) => Kind::File {
                    sha256: digests[i].to_owned(),
                },
                (0o120_000, true) => Kind::Ghost {
                    target: links[i].to_owned(),
                },
                _ => {
                    return Err(format!(
                        "{path:?} is neither a file nor a folder, nor a link that it does not bring"
                    ));
                }
            };
            let role = match flags[i] {
                0 | GHOST => None,
                CONFIG => Some(Role::Config),
                DOC => Some(Role::Doc),
                LICENSE => Some(Role::License),
                other => {
                    oddities.push(format!("{path}: flags {other:#x}"));
                    None
                }
            };
            all.push(Listed {
                size: sizes[i],
                raw_mode: modes[i],
                entry: Entry {
                    path,
                    kind,
                    mode: modes[i] & 0o7777,
                    user: users[i].to_owned(),
                    group: groups[i].to_owned(),
                    role,
                },
            });
        }
        Ok(all)
    }

    /// Checks that the payload holds exactly the files that the header lists.
    fn unpack(&self, entries: &mut [Listed]) -> Result<(), String> {
        let mut wanted = BTreeMap::new();
        for listed in entries.iter() {
            let taken = wanted.insert(format!(".{}", listed.entry.path), listed);
            if taken.is_some() {
                return Err(format!("{:?} is in it twice", listed.entry.path));
            }
        }
        wanted.retain(|_, listed| !matches!(listed.entry.kind, Kind::Ghost { .. }));
        let mut archive = Gunzip::new(self.payload);
        while let Some(found) = cpio::next(&mut archive)? {
            let odd = |what: &str| Err(format!("its payload has {:?} {what}", found.name));
            let Some(listed) = wanted.remove(&found.name) else {
                return odd("which its header does not list");
            };
            if (found.mode, found.links) != (listed.raw_mode, 1) {
                return odd("of another mode than its header says");
            }
            match &listed.entry.kind {
                Kind::File { sha256 } if *sha256 == found.sha256 && found.size == listed.size => {}
                Kind::Directory if found.size == 0 => {}
                _ => return odd("with other contents than its header says"),
            }
        }
        archive.finish()?;
        match wanted.keys().next() {
            Some(missing) => Err(format!("its payload lacks {missing:?}")),
            None => Ok(()),
        }
    }
}

/// A file as the header lists it.
struct Listed {
    size: u32,
    /// With the kind of file.
    raw_mode: u32,
    entry: Entry,
}

// Flags of files (`rpmfiles.h`): configuration that an upgrade leaves alone, documentation, and
// what is owned and not brought.
const CONFIG: u32 = 1 | 1 << 4;
const DOC: u32 = 1 << 1;
const GHOST: u32 = 1 << 6;
const LICENSE: u32 = 1 << 7;

fn uneven(tag: u32) -> String {
    format!("its header has not as many values as files for the tag {tag}")
}

fn fits(algorithm: HashAlgorithm, bytes: &[u8], listed: &[u8]) -> bool {
    algorithm.digest(bytes).is_ok_and(|digest| digest == listed)
}

/// The name in a lead of which rpmcanon takes the form, and which says no more than others do.
fn called(lead: &[u8]) -> Result<&[u8], String> {
    if lead[..4] != MAGIC {
        return Err("it does not begin as one".to_owned());
    }
    // Version 3.0, a binary package, for Linux, and signatures in a header.
    if lead[4..8] != [3, 0, 0, 0] || lead[76..80] != [0, 1, 0, 5] {
        return Err("its lead is of an unknown form".to_owned());
    }
    let name = &lead[10..76];
    let length = name.iter().position(|byte| *byte == 0);
    let (name, rest) = name.split_at(length.ok_or("the name in its lead has no end")?);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_+~^:".contains(byte);
    if !name.iter().all(plain) {
        return Err("the name in its lead is none".to_owned());
    }
    if rest.iter().chain(&lead[80..]).any(|byte| *byte != 0) {
        return Err("its lead has something in its reserved bytes".to_owned());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::{LEAD, MAGIC, Parts, called};

    /// The lead of a package with this name.
    fn lead(name: &[u8]) -> [u8; LEAD] {
        let mut lead = [0; LEAD];
        lead[..4].copy_from_slice(&MAGIC);
        lead[4] = 3;
        lead[10..10 + name.len()].copy_from_slice(name);
        (lead[77], lead[79]) = (1, 5);
        lead
    }

    #[test]
    fn the_lead_has_one_form() {
        assert_eq!(called(&lead(b"name-1-1")), Ok(&b"name-1-1"[..]));
        assert_eq!(called(&lead(b"")), Ok(&b""[..]));
        assert!(called(&lead(&[b'a'; 66])).is_err(), "without an end");
        assert!(called(&lead(b"a b")).is_err());
        assert!(called(&lead(b"a\0b")).is_err(), "behind its end");
        let good = lead(b"name");
        for at in (0..LEAD).filter(|at| !(10..14).contains(at)) {
            let mut changed = good;
            changed[at] ^= 1;
            // The architecture's number, at 8 and 9, is nobody's any more.
            let free = (8..10).contains(&at);
            assert_eq!(called(&changed).is_ok(), free, "byte {at}");
        }
    }

    #[test]
    fn what_ends_too_early_is_no_package() {
        let good = lead(b"name");
        for end in 0..=LEAD {
            assert!(Parts::read(&good[..end]).is_err(), "{end} bytes");
        }
        let reason = Parts::read(b"\x7fELF").unwrap_err();
        assert_eq!(reason, "it is too short");
    }
}
