// SPDX-License-Identifier: MIT OR Apache-2.0

//! RPM packages as an attacker would change them: taken apart, changed, and put together again with
//! digests that fit.

use std::path::Path;
use std::process::{Command, Stdio};

/// How a header begins.
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];

/// One value of a header.
#[derive(Clone, Debug)]
pub struct Value {
    pub tag: u32,
    pub kind: u32,
    pub count: u32,
    pub bytes: Vec<u8>,
}

impl Value {
    pub fn text(tag: u32, text: &str) -> Self {
        Value {
            tag,
            kind: 6,
            count: 1,
            bytes: [text.as_bytes(), b"\0"].concat(),
        }
    }

    pub fn texts(tag: u32, texts: &[&str]) -> Self {
        Value {
            tag,
            kind: 8,
            count: texts.len() as u32,
            bytes: texts
                .iter()
                .flat_map(|text| [text.as_bytes(), b"\0"].concat())
                .collect(),
        }
    }

    pub fn numbers(tag: u32, numbers: &[u32]) -> Self {
        Value {
            tag,
            kind: 4,
            count: numbers.len() as u32,
            bytes: numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect(),
        }
    }

    pub fn binary(tag: u32, bytes: &[u8]) -> Self {
        Value {
            tag,
            kind: 7,
            count: bytes.len() as u32,
            bytes: bytes.to_vec(),
        }
    }
}

/// What of a header is not its values.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Four bytes that are kept free.
    pub reserved: [u8; 4],
    /// After the last value, before the region's trailer.
    pub before_trailer: Vec<u8>,
    /// After the region's trailer.
    pub after_trailer: Vec<u8>,
}

/// A package, taken apart.
#[derive(Clone, Debug)]
pub struct Package {
    pub lead: Vec<u8>,
    pub header: Vec<Value>,
    pub form: Form,
    pub signature_form: Form,
    /// Further values among the signatures.
    pub signatures: Vec<Value>,
    pub payload: Vec<u8>,
}

fn number(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize
}

/// How long the header is with which some bytes begin.
pub fn header_length(bytes: &[u8]) -> usize {
    16 + 16 * number(&bytes[8..]) + number(&bytes[12..])
}

/// Where the package's own header begins: behind the lead and the signatures.
pub fn header_start(package: &[u8]) -> usize {
    96 + header_length(&package[96..]).next_multiple_of(8)
}

fn values(bytes: &[u8]) -> Vec<Value> {
    let count = number(&bytes[8..]);
    let data = &bytes[16 + 16 * count..];
    let entries = bytes[32..16 + 16 * count].as_chunks::<16>().0;
    entries
        .iter()
        .map(|entry| {
            let [tag, kind, offset, count] = [0, 4, 8, 12].map(|at| number(&entry[at..]));
            let rest = &data[offset..];
            let length = match kind {
                3 => 2 * count,
                4 => 4 * count,
                5 => 8 * count,
                6 | 8 | 9 => {
                    let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == 0);
                    ends.nth(count - 1).unwrap().0 + 1
                }
                _ => count,
            };
            Value {
                tag: tag as u32,
                kind: kind as u32,
                count: count as u32,
                bytes: rest[..length].to_vec(),
            }
        })
        .collect()
}

fn written(values: &[Value], region: u32, form: &Form) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for value in values {
        let align = match value.kind {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => 1,
        };
        data.resize(data.len().next_multiple_of(align), 0);
        for word in [value.tag, value.kind, data.len() as u32, value.count] {
            index.extend(word.to_be_bytes());
        }
        data.extend(&value.bytes);
    }
    data.extend(&form.before_trailer);
    let count = values.len() as u32 + 1;
    let words = |words: [u32; 4]| words.map(u32::to_be_bytes).concat();
    let trailer = words([region, 7, (16 * count).wrapping_neg(), 16]);
    let first = words([region, 7, data.len() as u32, 16]);
    let size = (data.len() + trailer.len() + form.after_trailer.len()) as u32;
    [
        &MAGIC[..],
        &form.reserved,
        &count.to_be_bytes(),
        &size.to_be_bytes(),
        &first,
        &index,
        &data,
        &trailer,
        &form.after_trailer,
    ]
    .concat()
}

impl Package {
    /// Takes a package apart.
    pub fn read(bytes: &[u8]) -> Self {
        let start = header_start(bytes);
        let end = start + header_length(&bytes[start..]);
        Package {
            lead: bytes[..96].to_vec(),
            header: values(&bytes[start..]),
            form: Form::default(),
            signature_form: Form::default(),
            signatures: Vec::new(),
            payload: bytes[end..].to_vec(),
        }
    }

    /// A value of the header.
    pub fn value(&mut self, tag: u32) -> &mut Value {
        self.header
            .iter_mut()
            .find(|value| value.tag == tag)
            .unwrap()
    }

    /// Puts a value in its place in the header, instead of one that is there.
    pub fn put(&mut self, value: Value) {
        self.header.retain(|other| other.tag != value.tag);
        self.header.push(value);
        self.header.sort_by_key(|value| value.tag);
    }

    /// The payload, unpacked.
    pub fn archive(&self) -> Vec<u8> {
        use std::io::Read;
        let mut archive = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(self.payload.as_slice());
        unpacked.read_to_end(&mut archive).unwrap();
        archive
    }

    /// Packs another payload, with a digest that fits.
    pub fn pack(&mut self, archive: &[u8]) {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(archive).unwrap();
        self.payload = packed.finish().unwrap();
        let digest = openclaw_formula::tree::sha256(&self.payload);
        self.put(Value::texts(5092, &[&digest]));
    }

    /// The bytes of the header, which signatures are over.
    pub fn header_bytes(&self) -> Vec<u8> {
        written(&self.header, 63, &self.form)
    }

    /// Puts it together, with digests that fit, and with a signature of the header if there is one.
    pub fn bytes(&self, signature: Option<&[u8]>) -> Vec<u8> {
        let header = self.header_bytes();
        let mut signatures = vec![
            Value::text(273, &openclaw_formula::tree::sha256(&header)),
            Value::numbers(1000, &[(header.len() + self.payload.len()) as u32]),
        ];
        signatures.extend(signature.map(|signature| Value::binary(267, signature)));
        for value in &self.signatures {
            signatures.retain(|other| other.tag != value.tag);
            signatures.push(value.clone());
        }
        signatures.sort_by_key(|value| value.tag);
        let mut signatures = written(&signatures, 62, &self.signature_form);
        signatures.resize(signatures.len().next_multiple_of(8), 0);
        [self.lead.as_slice(), &signatures, &header, &self.payload].concat()
    }
}

/// A signature of some bytes by a key of gpg's.
pub fn sign(mut gpg: Command, key: &str, data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    gpg.args([
        "--digest-algo",
        "SHA256",
        "--local-user",
        key,
        "--detach-sign",
    ]);
    let mut child = gpg
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(data).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Puts a changed package in the place of another, and has the manifest beside it say so: sums say
/// nothing of who wrote both.
pub fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_file_name("MANIFEST.json");
    let before = openclaw_formula::tree::sha256(&std::fs::read(path).unwrap());
    let text = std::fs::read_to_string(&beside).unwrap();
    assert!(text.contains(&before));
    let text = text.replace(&before, &openclaw_formula::tree::sha256(bytes));
    std::fs::write(beside, text).unwrap();
    std::fs::write(path, bytes).unwrap();
}
