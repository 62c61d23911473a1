// SPDX-License-Identifier: MIT OR Apache-2.0

//! The archive in an RPM: cpio in its "new ASCII" form (cpio(5)).

use std::io::{self, Read};

use super::LONGEST_PATH;
use crate::tree::sha256_of;

/// One entry.
pub(super) struct Entry {
    pub name: String,
    pub mode: u32,
    pub links: u32,
    pub size: u32,
    /// SHA-256 of the contents, in hexadecimal.
    pub sha256: String,
}

/// The name of the last entry.
const END: &str = "TRAILER!!!";

/// Reads the next entry with its contents; `None` at the end of the archive.
pub(super) fn next(archive: &mut impl Read) -> Result<Option<Entry>, String> {
    let mut head = [0; 110];
    exactly(archive, &mut head)?;
    if &head[..6] != b"070701" {
        return Err("its archive is not cpio in the new ASCII form".to_owned());
    }
    let field = |number: usize| {
        let digits = &head[6 + 8 * number..][..8];
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| is_hex);
        text.and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or("its archive has a number that is none")
    };
    let (mode, links, size, length) = (field(1)?, field(4)?, field(6)?, field(11)?);
    let length = length as usize;
    if !(2..=LONGEST_PATH).contains(&length) {
        return Err("its archive has a path that is too long, or empty".to_owned());
    }
    let mut name = vec![0; length];
    exactly(archive, &mut name)?;
    fill(archive, head.len() + length)?;
    if name.pop() != Some(0) || name.contains(&0) {
        return Err("its archive has a path without an end".to_owned());
    }
    let name = String::from_utf8(name).map_err(|_| "its archive has a path that is not UTF-8")?;
    let contents = archive.take(size.into());
    let (sha256, read) = sha256_of(contents).map_err(|error| error.to_string())?;
    if read != u64::from(size) {
        return Err(SHORT.to_owned());
    }
    fill(archive, size as usize)?;
    if name == END {
        return Ok(None);
    }
    Ok(Some(Entry {
        name,
        mode,
        links,
        size,
        sha256,
    }))
}

const SHORT: &str = "its archive ends too early";

fn exactly(archive: &mut impl Read, into: &mut [u8]) -> Result<(), String> {
    archive
        .read_exact(into)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SHORT.to_owned(),
            _ => error.to_string(),
        })
}

/// Zeros up to a multiple of four.
fn fill(archive: &mut impl Read, length: usize) -> Result<(), String> {
    let mut zeros = [0; 3];
    let zeros = &mut zeros[..length.next_multiple_of(4) - length];
    exactly(archive, zeros)?;
    if zeros.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err("its archive has something between its entries".to_owned())
    }
}
