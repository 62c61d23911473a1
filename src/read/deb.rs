// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads a Debian package (deb(5)) of the form that this program writes: an ar archive of three
//! parts, of which two are tar archives in gzip.

use std::collections::BTreeSet;
use std::io::Read;

use super::gunzip::Gunzip;
use super::{Contents, Entry, Kind, LONGEST_PATH, MOST_PATHS};
use crate::manifest::{Header, Role};
use crate::tree::sha256_of;

/// With what a Debian package begins.
pub const MAGIC: &[u8] = b"!<arch>\n";

/// The parts of a package, in their order.
pub const PARTS: [&str; 3] = ["debian-binary", "control.tar.gz", "data.tar.gz"];

/// The largest file among those that control a package.
const MOST_CONTROL: u64 = 1 << 20;

/// What a tar archive is made of.
const BLOCK: usize = 512;

/// The fields that this program writes (deb-control(5)).
const FIELDS: [&str; 9] = [
    "Package",
    "Version",
    "Architecture",
    "Maintainer",
    "Installed-Size",
    "Depends",
    "Section",
    "Priority",
    "Description",
];

/// Reads a package.
///
/// # Errors
/// If it is of another form; with the reason.
pub fn read(bytes: &[u8]) -> Result<Contents, String> {
    let [version, control, data] = parts(bytes)?;
    if version != b"2.0\n" {
        return Err("it is not of version 2.0".to_owned());
    }
    let mut oddities = Vec::new();
    let mut texts: [Option<String>; 2] = [None, None];
    unpack(control, |entry, contents| {
        if entry.kind == Kind::Directory {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let read = contents.take(MOST_CONTROL + 1).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MOST_CONTROL {
            return Err(format!("{:?} is too long", entry.path));
        }
        let slot = match entry.path.as_str() {
            "/control" => &mut texts[0],
            "/conffiles" => &mut texts[1],
            // dpkg only shows by it what was changed since.
            "/md5sums" => return Ok(()),
            other => {
                oddities.push(format!("it has a script or a table {:?}", &other[1..]));
                return Ok(());
            }
        };
        let text = String::from_utf8(bytes).map_err(|_| format!("{:?} is no text", entry.path))?;
        *slot = Some(text);
        Ok(())
    })?;
    let [control, conffiles] = texts;
    let header = fields(&control.ok_or("it has no control file")?, &mut oddities)?;

    let mut config: BTreeSet<String> = conffiles
        .iter()
        .flat_map(|text| text.lines().map(str::to_owned))
        .collect();
    let mut entries: Vec<Entry> = Vec::new();
    let (mut paths, mut length) = (BTreeSet::new(), 0);
    unpack(data, |mut entry, contents| {
        length += entry.path.len();
        if length > MOST_PATHS {
            return Err("its paths are too long".to_owned());
        }
        if !paths.insert(entry.path.clone()) {
            return Err(format!("{:?} is in it twice", entry.path));
        }
        if let Kind::File { sha256 } = &mut entry.kind {
            (*sha256, _) = sha256_of(contents).map_err(|error| error.to_string())?;
        }
        entry.role = config.remove(&entry.path).then_some(Role::Config);
        entries.push(entry);
        Ok(())
    })?;
    oddities.extend(config.iter().map(|path| format!("{path} is no file of it")));
    Ok(Contents {
        header,
        has_parents: true,
        entries,
        oddities,
    })
}

/// What the control file says.
fn fields(text: &str, oddities: &mut Vec<String>) -> Result<Header, String> {
    let mut values = [const { None }; FIELDS.len()];
    for line in text.lines().filter(|line| !line.starts_with([' ', '\t'])) {
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| format!("its control file has the line {line:?}"))?;
        let Some(known) = FIELDS.iter().position(|field| *field == name) else {
            oddities.push(format!("its control file has a field {name:?}"));
            continue;
        };
        if values[known].replace(value).is_some() {
            return Err(format!("its control file has the field {name:?} twice"));
        }
    }
    let value = |name: &str| {
        let position = FIELDS.iter().position(|field| *field == name);
        position
            .and_then(|position| values[position])
            .unwrap_or_default()
    };
    if value("Package").is_empty() {
        return Err("it has no name".to_owned());
    }
    let (version, release) = value("Version").rsplit_once('-').unwrap_or_default();
    let mut requires: Vec<_> = value("Depends").split(", ").map(str::to_owned).collect();
    requires.retain(|name| !name.is_empty());
    requires.sort_unstable();
    Ok(Header {
        name: value("Package").to_owned(),
        version: version.to_owned(),
        release: release.to_owned(),
        arch: value("Architecture").to_owned(),
        requires,
        provides: Vec::new(),
        scripts: Vec::new(),
    })
}

/// The parts, in their order, and nothing else.
fn parts(bytes: &[u8]) -> Result<[&[u8]; 3], String> {
    let mut rest = bytes
        .strip_prefix(MAGIC)
        .ok_or("it does not begin as one")?;
    let mut found = [&[][..]; 3];
    for (part, wanted) in found.iter_mut().zip(PARTS) {
        let missing = || format!("there is no {wanted} in its place");
        let (head, after) = rest.split_at_checked(60).ok_or_else(missing)?;
        let text = std::str::from_utf8(head).map_err(|_| missing())?;
        let is_plain = text.is_ascii() && text[..16].trim_end_matches([' ', '/']) == wanted;
        if !is_plain || !text.ends_with("`\n") {
            return Err(missing());
        }
        let digits = text[48..58].trim_end();
        let size = digits
            .parse::<usize>()
            .ok()
            .filter(|_| !digits.starts_with('+'));
        let size = size.ok_or_else(|| format!("{wanted} has no size"))?;
        let (contents, after) = after
            .split_at_checked(size)
            .ok_or_else(|| format!("{wanted} ends too early"))?;
        *part = contents;
        rest = match (size % 2, after) {
            (0, after) => after,
            // Each part begins at an even place.
            (_, [b'\n', after @ ..]) => after,
            (_, []) => &[],
            _ => return Err(format!("there is something after {wanted}")),
        };
    }
    if rest.is_empty() {
        Ok(found)
    } else {
        Err(format!("there is more than {}", PARTS.join(", ")))
    }
}

/// Reads a tar archive in gzip: gives each entry, with its contents to be read.
fn unpack(
    compressed: &[u8],
    mut each: impl FnMut(Entry, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    let mut archive = Gunzip::new(compressed);
    let mut long_name = None;
    loop {
        let mut head = [0; BLOCK];
        archive
            .read_exact(&mut head)
            .map_err(|error| format!("an archive in it ends too early: {error}"))?;
        if head.iter().all(|byte| *byte == 0) {
            return archive.finish();
        }
        let sum: u64 = head[..148]
            .iter()
            .chain(&head[156..])
            .map(|b| u64::from(*b))
            .sum();
        if octal(&head[148..156])? != sum + 8 * u64::from(b' ') || &head[257..262] != b"ustar" {
            return Err("an archive in it has an entry of an unknown form".to_owned());
        }
        let size = octal(&head[124..136])?;
        let kind = match head[156] {
            b'0' => Kind::File {
                sha256: String::new(),
            },
            b'5' if size == 0 => Kind::Directory,
            // GNU's form of a path that is too long for its place: the next entry's.
            b'L' if size <= LONGEST_PATH as u64 && long_name.is_none() => {
                let mut name = vec![0; size as usize];
                archive
                    .read_exact(&mut name)
                    .map_err(|error| error.to_string())?;
                fill(&mut archive, size)?;
                if name.pop() != Some(0) {
                    return Err("an archive in it has a path without an end".to_owned());
                }
                long_name = Some(name);
                continue;
            }
            _ => return Err("an archive in it has neither a file nor a folder".to_owned()),
        };
        let name = match long_name.take() {
            Some(name) => name,
            None if head[345..500].iter().any(|byte| *byte != 0) && head[262] == 0 => {
                [text(&head[345..500]), b"/", text(&head[..100])].concat()
            }
            None => text(&head[..100]).to_vec(),
        };
        let entry = Entry {
            path: path(&name)?,
            kind,
            mode: u32::try_from(octal(&head[100..108])?)
                .ok()
                .filter(|mode| *mode <= 0o7777)
                .ok_or("an archive in it has a mode that is none")?,
            user: String::from_utf8_lossy(text(&head[265..297])).into_owned(),
            group: String::from_utf8_lossy(text(&head[297..329])).into_owned(),
            role: None,
        };
        if octal(&head[108..116])? != 0 || octal(&head[116..124])? != 0 {
            return Err(format!("{:?} is not root's", entry.path));
        }
        let mut contents = (&mut archive).take(size);
        each(entry, &mut contents)?;
        let rest = std::io::copy(&mut contents, &mut std::io::sink());
        rest.map_err(|error| error.to_string())?;
        if contents.limit() != 0 {
            return Err("an archive in it ends too early".to_owned());
        }
        fill(&mut archive, size)?;
    }
}

/// The absolute path that a name in an archive means.
fn path(name: &[u8]) -> Result<String, String> {
    let name = std::str::from_utf8(name).map_err(|_| "a path in it is not UTF-8")?;
    let inner = name.strip_prefix("./").unwrap_or(name);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    if !inner.is_empty() && !inner.split('/').all(plain) || name.is_empty() {
        return Err(format!("the path {name:?} leads elsewhere"));
    }
    Ok(format!("/{inner}"))
}

/// A text up to its end.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, with a blank or a zero byte at its end.
fn octal(field: &[u8]) -> Result<u64, String> {
    let digits = field
        .trim_ascii()
        .split(|byte| matches!(byte, 0 | b' '))
        .next();
    let digits = digits.unwrap_or_default();
    let digit = |byte: &u8| matches!(byte, b'0'..=b'7').then(|| u64::from(byte - b'0'));
    digits
        .iter()
        .try_fold(0, |number, byte| Some(number << 3 | digit(byte)?))
        .ok_or_else(|| "an archive in it has a number that is none".to_owned())
}

/// Zeros up to a whole block.
fn fill(archive: &mut Gunzip<'_>, size: u64) -> Result<(), String> {
    let length = (size.next_multiple_of(BLOCK as u64) - size) as usize;
    let mut zeros = [0; BLOCK];
    let zeros = &mut zeros[..length];
    archive
        .read_exact(zeros)
        .map_err(|error| format!("an archive in it ends too early: {error}"))?;
    if zeros.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err("an archive in it has something between its entries".to_owned())
    }
}
