// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads how an RPM file is put together, byte by byte, and checks its digests and signatures.
//!
//! The [`rpm`] crate writes packages; what checks them reads the bytes anew, so that a fault on one
//! side shows on the other. A digest or a signature is over bytes as they are in the file, never
//! over something parsed and written again. The form is that of
//! [RPM v4](https://rpm-software-management.github.io/rpm/manual/format_v4.html).

use pgp::crypto::hash::HashAlgorithm;

use crate::openpgp::Certificate;

/// The tags that are read here, by their numbers in rpm's `rpmtag.h`.
mod tag {
    pub const SIGNATURES_REGION: u32 = 62;
    pub const HEADER_REGION: u32 = 63;
    /// Lower ones are rpm's own.
    pub const FIRST: u32 = 100;
    pub const DSA_HEADER: u32 = 267;
    pub const RSA_HEADER: u32 = 268;
    pub const SHA1_HEADER: u32 = 269;
    pub const SHA256_HEADER: u32 = 273;
    pub const PGP: u32 = 1002;
    pub const MD5: u32 = 1004;
    pub const GPG: u32 = 1005;
    pub const PAYLOAD_DIGEST: u32 = 5092;
    pub const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
    pub const RPM_FORMAT: u32 = 5114;
}

/// The lead: 96 bytes of which rpm reads the first few.
const LEAD: usize = 96;

/// How a header begins: its magic number, its version, and four bytes kept free.
const HEADER_MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// The most that rpm reads: `hdrchkTags` and `hdrchkData` of its `header.c`.
const MOST_ENTRIES: usize = 0xffff;
const MOST_DATA: usize = 0x0fff_ffff;

/// An RPM file, taken apart.
#[derive(Debug)]
pub struct Parts<'a> {
    signatures: Header<'a>,
    header: Header<'a>,
    payload: &'a [u8],
    /// Header and payload together.
    signed: &'a [u8],
}

/// A header: an index of typed values.
#[derive(Debug)]
struct Header<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry>,
    data: &'a [u8],
}

/// An entry of the index.
#[derive(Debug)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

impl<'a> Parts<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// If it is not an RPM package, or ends too early; with the reason.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        let lead = file.get(..LEAD).ok_or("it is too short")?;
        if lead[..4] != [0xed, 0xab, 0xee, 0xdb] || lead[78..80] != [0, 5] {
            return Err("it does not begin as one".to_owned());
        }
        let signatures = Header::read(&file[LEAD..], tag::SIGNATURES_REGION)?;
        // The signatures are filled up to a multiple of eight.
        let end = LEAD + signatures.bytes.len().next_multiple_of(8);
        let signed = file.get(end..).ok_or("it is too short")?;
        let header = Header::read(signed, tag::HEADER_REGION)?;
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
        let mut findings = Vec::new();
        if self.header.entry(tag::RPM_FORMAT).is_some() {
            findings.push("it is of RPM version 6, whose signature dom0 does not see".to_owned());
        }
        let digests = [
            (
                "the header",
                tag::SHA256_HEADER,
                HashAlgorithm::Sha256,
                self.header.bytes,
            ),
            (
                "the header",
                tag::SHA1_HEADER,
                HashAlgorithm::Sha1,
                self.header.bytes,
            ),
            ("the package", tag::MD5, HashAlgorithm::Md5, self.signed),
        ];
        for (what, tag, algorithm, bytes) in digests {
            let listed = match self.signatures.digest(tag) {
                Ok(listed) => listed,
                Err(()) => {
                    findings.push(format!("{what} has no readable {algorithm} digest"));
                    continue;
                }
            };
            match listed {
                Some(listed) if algorithm.digest(bytes).ok().as_ref() != Some(&listed) => {
                    findings.push(format!("{what} does not fit its {algorithm} digest"));
                }
                None if tag == tag::SHA256_HEADER => {
                    findings.push(format!("{what} has no {algorithm} digest"));
                }
                _ => {}
            }
        }
        match self.payload_digest() {
            Some((algorithm, listed)) => {
                if algorithm.digest(self.payload).ok() != Some(listed) {
                    findings.push(format!("the payload does not fit its {algorithm} digest"));
                }
            }
            None => findings.push("the payload has no digest that dom0 takes".to_owned()),
        }
        let mut signed = false;
        for (tag, what, over) in [
            (tag::RSA_HEADER, "the header's", self.header.bytes),
            (tag::DSA_HEADER, "the header's", self.header.bytes),
            (tag::PGP, "the package's", self.signed),
            (tag::GPG, "the package's", self.signed),
        ] {
            let Some(entry) = self.signatures.entry(tag) else {
                continue;
            };
            let checked = match self.signatures.binary(entry) {
                Some(signature) => key.check(signature, over),
                None => Err("it is not one".to_owned()),
            };
            match checked {
                Ok(()) => {}
                Err(reason) => findings.push(format!("{what} signature: {reason}")),
            }
            signed |= matches!(tag, tag::RSA_HEADER | tag::DSA_HEADER);
        }
        if !signed {
            findings.push("the header is not signed".to_owned());
        }
        findings
    }

    /// The digest of the payload, of a kind that dom0 takes.
    fn payload_digest(&self) -> Option<(HashAlgorithm, Vec<u8>)> {
        let algorithm = self.header.number(tag::PAYLOAD_DIGEST_ALGORITHM)?;
        let algorithm = match HashAlgorithm::from(u8::try_from(algorithm).ok()?) {
            strong @ (HashAlgorithm::Sha256 | HashAlgorithm::Sha512) => strong,
            _ => return None,
        };
        let digest = self.header.digest(tag::PAYLOAD_DIGEST).ok()??;
        Some((algorithm, digest))
    }
}

impl<'a> Header<'a> {
    /// Reads a header whose entries all are in this region. What is outside of it no signature
    /// is over.
    fn read(bytes: &'a [u8], region: u32) -> Result<Self, String> {
        let short = || "it is too short".to_owned();
        let start = bytes.get(..16).ok_or_else(short)?;
        if start[..8] != HEADER_MAGIC {
            return Err("a header does not begin as one".to_owned());
        }
        let (count, size) = (number(&start[8..]), number(&start[12..]));
        if count > MOST_ENTRIES || size > MOST_DATA {
            return Err("a header is too long".to_owned());
        }
        let index = bytes.get(16..16 + 16 * count).ok_or_else(short)?;
        let end = 16 + 16 * count + size;
        let data = bytes.get(16 + 16 * count..end).ok_or_else(short)?;
        let entries: Vec<_> = index
            .as_chunks::<16>()
            .0
            .iter()
            .map(|entry| Entry {
                tag: number(entry) as u32,
                kind: number(&entry[4..]) as u32,
                offset: number(&entry[8..]),
                count: number(&entry[12..]),
            })
            .collect();
        let mut tags: Vec<_> = entries.iter().map(|entry| entry.tag).collect();
        tags.sort_unstable();
        // Which one would count?
        if let Some(twice) = tags.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("a header has the tag {} twice", twice[0]));
        }
        let header = Header {
            bytes: &bytes[..end],
            entries,
            data,
        };
        header.is_one_region(region)?;
        header.is_well_formed()?;
        Ok(header)
    }

    /// The first entry is the region; its value, the trailer, comes last and says again how long
    /// the index is, as a negative offset.
    fn is_one_region(&self, region: u32) -> Result<(), String> {
        let trailer = self
            .entries
            .first()
            .filter(|entry| entry.tag == region && entry.kind == 7 && entry.count == 16)
            .and_then(|entry| self.data.get(entry.offset..))
            .and_then(|rest| rest.first_chunk::<16>());
        let fits = trailer.is_some_and(|trailer| {
            let back = (number(&trailer[8..]) as u32).wrapping_neg() as usize;
            number(trailer) == region as usize
                && number(&trailer[4..]) == 7
                && back == 16 * self.entries.len()
                && number(&trailer[12..]) == 16
        });
        if fits {
            Ok(())
        } else {
            Err("a header has no region over all of it".to_owned())
        }
    }

    /// What rpm checks of each entry (`hdrblobVerifyInfo` of its `header.c`): values in their
    /// order, aligned, not empty, and none beyond the end.
    fn is_well_formed(&self) -> Result<(), String> {
        let mut free = 0;
        for entry in self.entries.iter().skip(1) {
            let length = (entry.tag >= tag::FIRST && entry.offset >= free)
                .then(|| self.length(entry))
                .flatten()
                .filter(|length| *length > 0)
                .ok_or_else(|| format!("a header has a bad entry for the tag {}", entry.tag))?;
            free = entry.offset + length;
        }
        Ok(())
    }

    /// How many bytes a value takes, if they are there.
    fn length(&self, entry: &Entry) -> Option<usize> {
        let rest = self.data.get(entry.offset..)?;
        let size = match entry.kind {
            // A character, a byte, bytes.
            1 | 2 | 7 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            // A text, several, and several of which each is for a language.
            6 if entry.count != 1 => return None,
            6 | 8 | 9 => {
                let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == 0);
                return Some(ends.nth(entry.count.checked_sub(1)?)?.0 + 1);
            }
            _ => return None,
        };
        let length = entry.count.checked_mul(size)?;
        (entry.offset.is_multiple_of(size) && length <= rest.len()).then_some(length)
    }

    fn entry(&self, tag: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// Bytes, of type 7.
    fn binary(&self, entry: &Entry) -> Option<&'a [u8]> {
        let end = entry.offset.checked_add(entry.count)?;
        (entry.kind == 7).then(|| self.data.get(entry.offset..end))?
    }

    /// One number, of type 4.
    fn number(&self, tag: u32) -> Option<usize> {
        let entry = self.entry(tag)?;
        let bytes = self.data.get(entry.offset..)?.get(..4)?;
        (entry.kind == 4 && entry.count == 1).then(|| number(bytes))
    }

    /// A digest: bytes, or one text of lower-case hexadecimal digits (types 6 and 8).
    fn digest(&self, tag: u32) -> Result<Option<Vec<u8>>, ()> {
        let Some(entry) = self.entry(tag) else {
            return Ok(None);
        };
        if entry.kind == 7 {
            return self
                .binary(entry)
                .map(|bytes| Some(bytes.to_vec()))
                .ok_or(());
        }
        if !matches!(entry.kind, 6 | 8) || entry.count != 1 {
            return Err(());
        }
        let rest = self.data.get(entry.offset..).ok_or(())?;
        let text = rest.split(|byte| *byte == 0).next().ok_or(())?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(()),
        };
        if text.len() % 2 == 1 {
            return Err(());
        }
        text.chunks(2)
            .map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?))
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

/// A number of four bytes, the highest first.
fn number(bytes: &[u8]) -> usize {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}
