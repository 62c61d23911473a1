// SPDX-License-Identifier: MIT OR Apache-2.0

//! One header of an RPM file: an index of typed values, and the values.
//!
//! What is refused is what dom0's checker, rpmcanon, refuses: there is one way to write a header,
//! and no byte in it that nobody reads.

use super::tags::{self, kind};

/// How a header begins: its magic number, its version, and four bytes kept free.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// The most that rpm reads: `hdrchkTags` and `hdrchkData` of its `header.c`.
const MOST_ENTRIES: usize = 0xffff;
const MOST_DATA: usize = 0x0fff_ffff;

/// The length of an entry of the index, and of the region's trailer.
const ENTRY: usize = 16;

/// A header.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// All of it, as digests and signatures are over it.
    pub bytes: &'a [u8],
    entries: Vec<Entry>,
    values: &'a [u8],
}

/// An entry of the index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
    /// How many bytes its value takes.
    length: usize,
}

/// Which of the two headers of a file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one with signatures, which none is over.
    Signatures,
    /// The one that says what the package is.
    Package,
}

impl<'a> Header<'a> {
    /// Reads the header with which `bytes` begins.
    pub fn read(bytes: &'a [u8], which: Which) -> Result<Self, String> {
        let short = || "it is too short".to_owned();
        let start = bytes.get(..ENTRY).ok_or_else(short)?;
        if start[..8] != MAGIC {
            return Err("a header does not begin as one".to_owned());
        }
        let (count, size) = (number(&start[8..]), number(&start[12..]));
        if !(2..=MOST_ENTRIES).contains(&count) || !(ENTRY..=MOST_DATA).contains(&size) {
            return Err("a header is too long, or too short".to_owned());
        }
        let end = ENTRY + ENTRY * count + size;
        let bytes = bytes.get(..end).ok_or_else(short)?;
        let (index, data) = bytes[ENTRY..].split_at(ENTRY * count);
        let index = index.as_chunks::<ENTRY>().0;
        let (values, trailer) = data.split_at(size - ENTRY);
        is_one_region(&index[0], trailer, count, values.len(), which)?;
        let mut header = Header {
            bytes,
            entries: Vec::with_capacity(count - 1),
            values,
        };
        let mut free = 0;
        for raw in &index[1..] {
            let entry = header.checked(raw, free, which)?;
            free = entry.offset + entry.length;
            header.entries.push(entry);
        }
        if free != values.len() {
            return Err("a header has something after its last value".to_owned());
        }
        Ok(header)
    }

    /// Reads an entry whose value begins at `free`, or after as few zeros as align it.
    fn checked(&self, raw: &[u8; ENTRY], free: usize, which: Which) -> Result<Entry, String> {
        let mut entry = Entry {
            tag: number(raw) as u32,
            kind: number(&raw[4..]) as u32,
            offset: number(&raw[8..]),
            count: number(&raw[12..]),
            length: 0,
        };
        let tag = entry.tag;
        let bad = |what: &str| format!("a header has {what} for the tag {tag}");
        // Each tag once, in one order: which of two would count?
        if self.entries.last().is_some_and(|last| tag <= last.tag) {
            return Err(bad("no place in its order"));
        }
        match which {
            Which::Signatures => is_known(tag).map_err(bad)?,
            Which::Package if tag != tags::LANGUAGES && !(1000..=0x7fff).contains(&tag) => {
                return Err(bad("no use"));
            }
            Which::Package => {}
        }
        let align = match entry.kind {
            kind::INT16 => 2,
            kind::INT32 => 4,
            kind::INT64 => 8,
            _ => 1,
        };
        let padding = free.next_multiple_of(align);
        if entry.offset != padding {
            return Err(bad("a value that is not where it should be"));
        }
        let rest = self.values.get(padding..).ok_or_else(|| bad("no value"))?;
        if self.values[free..padding].iter().any(|byte| *byte != 0) {
            return Err(bad("something before the value"));
        }
        entry.length = length(&entry, align, rest)
            .filter(|length| *length > 0)
            .ok_or_else(|| bad("a value that is empty, too long or of no type"))?;
        let value = &rest[..entry.length];
        match which {
            Which::Signatures => is_signature_value(&entry, value),
            Which::Package => self.is_package_value(&entry, value),
        }
        .map_err(bad)?;
        Ok(entry)
    }

    /// What rpm and rpmcanon ask of a value of the package's header.
    fn is_package_value(&self, entry: &Entry, value: &[u8]) -> Result<(), &'static str> {
        let is_text = |kind| matches!(kind, kind::STRING | kind::STRINGS | kind::TRANSLATED);
        let right = match (entry.tag, tags::type_of(entry.tag)) {
            // rpm 4.20 takes payload digests as a list only.
            (tags::LANGUAGES | tags::PAYLOAD_DIGEST | tags::PAYLOAD_DIGEST_UNPACKED, _) => {
                entry.kind == kind::STRINGS
            }
            (_, None) => true,
            (_, Some(wanted)) => entry.kind == wanted || (is_text(entry.kind) && is_text(wanted)),
        };
        if !right {
            return Err("a value of the wrong type");
        }
        // rpmcanon takes an epoch of one number that is not negative.
        if entry.tag == tags::EPOCH && (entry.count != 1 || value[0] >= 0x80) {
            return Err("an epoch that is none");
        }
        if is_text(entry.kind) && std::str::from_utf8(value).is_err() {
            return Err("a text that is not UTF-8");
        }
        if entry.kind == kind::TRANSLATED {
            let languages = self
                .find(tags::LANGUAGES)
                .map_or(usize::MAX, |entry| entry.count);
            if entry.count > languages {
                return Err("more translations than there are languages");
            }
        }
        Ok(())
    }

    fn find(&self, tag: u32) -> Option<&Entry> {
        let found = self.entries.binary_search_by_key(&tag, |entry| entry.tag);
        found.ok().map(|position| &self.entries[position])
    }

    fn value(&self, entry: &Entry) -> &'a [u8] {
        &self.values[entry.offset..][..entry.length]
    }

    /// Whether it has a tag.
    pub fn has(&self, tag: u32) -> bool {
        self.find(tag).is_some()
    }

    /// Every tag, ascending.
    pub fn tags(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.tag)
    }

    /// Bytes.
    pub fn binary(&self, tag: u32) -> Option<&'a [u8]> {
        let entry = self.find(tag)?;
        (entry.kind == kind::BINARY).then(|| self.value(entry))
    }

    /// The texts of a tag; none if it has none.
    pub fn texts(&self, tag: u32) -> Vec<&'a str> {
        let is_text = |kind| matches!(kind, kind::STRING | kind::STRINGS | kind::TRANSLATED);
        let Some(entry) = self.find(tag).filter(|entry| is_text(entry.kind)) else {
            return Vec::new();
        };
        let value = std::str::from_utf8(self.value(entry)).unwrap_or_default();
        value.split_terminator('\0').collect()
    }

    /// The one text of a tag.
    pub fn text(&self, tag: u32) -> Option<&'a str> {
        match self.texts(tag).as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// The numbers of a tag, of 16 or 32 bits; none if it has none.
    pub fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some(entry) = self.find(tag) else {
            return Vec::new();
        };
        let value = self.value(entry);
        match entry.kind {
            kind::INT16 => {
                let numbers = value.as_chunks::<2>().0.iter();
                numbers
                    .map(|pair| u16::from_be_bytes(*pair).into())
                    .collect()
            }
            kind::INT32 => {
                let numbers = value.as_chunks::<4>().0.iter();
                numbers.map(|four| u32::from_be_bytes(*four)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A digest as lower-case hexadecimal digits; an error if it is not one.
    pub fn digest(&self, tag: u32) -> Result<Option<Vec<u8>>, ()> {
        if !self.has(tag) {
            return Ok(None);
        }
        let text = self.text(tag).ok_or(())?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(()),
        };
        if text.len() % 2 == 1 {
            return Err(());
        }
        let pairs = text.as_bytes().as_chunks::<2>().0.iter();
        pairs
            .map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?))
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

/// The first entry is the region. Its value, the trailer, comes last and says again how long the
/// index is, as a negative offset. What is outside of the region no signature is over.
fn is_one_region(
    entry: &[u8; ENTRY],
    trailer: &[u8],
    count: usize,
    at: usize,
    which: Which,
) -> Result<(), String> {
    let region = match which {
        Which::Signatures => tags::signature::REGION,
        Which::Package => tags::HEADER_REGION,
    };
    let words = |bytes: &[u8]| [0, 4, 8, 12].map(|start| number(&bytes[start..]) as u32);
    let back = ((ENTRY * count) as u32).wrapping_neg();
    let wanted = |offset: u32| [region, kind::BINARY, offset, ENTRY as u32];
    if words(entry) == wanted(at as u32) && words(trailer) == wanted(back) {
        Ok(())
    } else {
        Err("a header has no region over all of it".to_owned())
    }
}

/// How many bytes a value takes, if they are there.
fn length(entry: &Entry, size: usize, rest: &[u8]) -> Option<usize> {
    let length = match entry.kind {
        // A character, a byte, bytes, and numbers.
        1..=5 | kind::BINARY => entry.count.checked_mul(size)?,
        kind::STRING if entry.count != 1 => return None,
        kind::STRING | kind::STRINGS | kind::TRANSLATED => {
            let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == 0);
            ends.nth(entry.count.checked_sub(1)?)?.0 + 1
        }
        _ => return None,
    };
    (length <= rest.len()).then_some(length)
}

fn is_known(tag: u32) -> Result<(), &'static str> {
    let known = tags::signature::ALL
        .iter()
        .any(|(known, _, _)| *known == tag);
    known.then_some(()).ok_or("no use among signatures")
}

/// Whether a byte is of a plain text, or ends one.
fn is_text(byte: &u8) -> bool {
    matches!(byte, 0 | b' '..=b'~')
}

/// What rpmcanon asks of a value beside the signatures.
fn is_signature_value(entry: &Entry, value: &[u8]) -> Result<(), &'static str> {
    let known = tags::signature::ALL
        .iter()
        .find(|(tag, _, _)| *tag == entry.tag);
    match known {
        Some((_, kind, _)) if *kind != entry.kind => Err("a value of the wrong type"),
        Some((_, _, Some(length))) if *length != entry.length => Err("a value of another length"),
        Some((tags::signature::RESERVED, _, _)) if value.iter().any(|byte| *byte != 0) => {
            Err("reserved bytes that are not zero")
        }
        Some((_, kind::STRING | kind::STRINGS, _)) if !value.iter().all(is_text) => {
            Err("a text that is not plain")
        }
        _ => Ok(()),
    }
}

/// A number of four bytes, the highest first.
fn number(bytes: &[u8]) -> usize {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

#[cfg(test)]
mod tests {
    use super::{Header, Which, kind, tags};

    /// A header with these values of a tag, a kind, a count and bytes.
    fn written(values: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let words = |words: [u32; 4]| words.map(u32::to_be_bytes).concat();
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in values {
            index.extend(words([*tag, *kind, data.len() as u32, *count]));
            data.extend(*bytes);
        }
        let count = values.len() as u32 + 1;
        let region = [tags::HEADER_REGION, kind::BINARY, data.len() as u32, 16];
        data.extend(words([
            tags::HEADER_REGION,
            kind::BINARY,
            (16 * count).wrapping_neg(),
            16,
        ]));
        let start = [0x8ead_e801, 0, count, data.len() as u32];
        [words(start), words(region), index, data].concat()
    }

    fn refused(values: &[(u32, u32, u32, &[u8])]) -> String {
        Header::read(&written(values), Which::Package).unwrap_err()
    }

    const NAME: (u32, u32, u32, &[u8]) = (tags::NAME, kind::STRING, 1, b"name\0");

    #[test]
    fn values_are_read_by_their_types() {
        let bytes = written(&[
            NAME,
            (1027, kind::STRINGS, 2, b"one\0two\0\0\0"[..8].into()),
            (1028, kind::INT32, 2, &[0, 0, 0, 1, 0xff, 0, 0, 0]),
        ]);
        // The first has five bytes, and what follows it is not aligned.
        assert!(Header::read(&bytes, Which::Package).is_err());
        let bytes = written(&[
            (tags::NAME, kind::STRING, 1, b"abc\0"),
            (1027, kind::STRINGS, 2, b"one\0two\0"),
            (1028, kind::INT32, 2, &[0, 0, 0, 1, 0xff, 0, 0, 0]),
            (1030, kind::INT16, 1, &[1, 2]),
        ]);
        let header = Header::read(&bytes, Which::Package).unwrap();
        assert_eq!(header.bytes, bytes);
        assert_eq!(header.text(tags::NAME), Some("abc"));
        assert_eq!(header.texts(1027), ["one", "two"]);
        assert_eq!(header.text(1027), None, "two are not one");
        assert_eq!(header.numbers(1028), [1, 0xff00_0000]);
        assert_eq!(header.numbers(1030), [0x0102]);
        assert!(header.numbers(tags::NAME).is_empty());
        assert_eq!(header.binary(tags::NAME), None);
        assert!(!header.has(1029));
    }

    #[test]
    fn what_follows_is_not_of_the_header() {
        let bytes = written(&[NAME]);
        let longer = [&*bytes, b"more"].concat();
        assert_eq!(Header::read(&longer, Which::Package).unwrap().bytes, bytes);
        for end in 0..bytes.len() {
            let short = Header::read(&bytes[..end], Which::Package);
            assert!(short.is_err(), "{end} bytes of {}", bytes.len());
        }
    }

    #[test]
    fn there_is_one_way_to_write_it() {
        let version = (tags::VERSION, kind::STRING, 1, &b"1\0"[..]);
        for (values, what) in [
            (&[NAME, NAME][..], "no place in its order"),
            (&[version, NAME], "no place in its order"),
            (&[(7, kind::INT32, 1, &[0; 4])], "no use"),
            (&[(tags::NAME, kind::STRING, 2, b"a\0b\0")], "no type"),
            (&[(tags::NAME, kind::STRING, 1, b"")], "no type"),
            (&[(tags::NAME, 10, 1, b"x")], "no type"),
            (&[(tags::NAME, kind::BINARY, 1, b"x")], "the wrong type"),
            (&[(tags::NAME, kind::STRING, 1, b"\xff\0")], "not UTF-8"),
            (
                &[(tags::EPOCH, kind::INT32, 1, &[0x80, 0, 0, 0])],
                "an epoch that is none",
            ),
            (
                &[(tags::NAME, kind::STRING, 1, b"a\0more\0")],
                "something after its last value",
            ),
        ] {
            assert!(
                refused(values).contains(what),
                "{what}: {}",
                refused(values)
            );
        }
        // Every bit of it counts, but those of a text.
        let bytes = written(&[(tags::NAME, kind::STRING, 1, b"a\0")]);
        let text = bytes.len() - 18;
        for at in (0..bytes.len()).filter(|at| *at != text) {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let read = Header::read(&changed, Which::Package);
                let tag = (16 + 16..16 + 20).contains(&at);
                assert!(read.is_err() || tag, "bit {bit} of byte {at}: {read:?}");
            }
        }
    }

    #[test]
    fn a_digest_is_pairs_of_lower_case_digits() {
        for (text, digest) in [
            (&b"00ff\0"[..], Ok(Some(vec![0, 255]))),
            (b"0\0", Err(())),
            (b"0F\0", Err(())),
            (b"0g\0", Err(())),
        ] {
            let bytes = written(&[(1100, kind::STRING, 1, text)]);
            let header = Header::read(&bytes, Which::Package).unwrap();
            assert_eq!(header.digest(1100), digest, "{text:?}");
        }
    }
}
