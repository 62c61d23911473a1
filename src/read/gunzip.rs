// SPDX-License-Identifier: MIT OR Apache-2.0

//! gzip, unpacked as a stream, up to a limit.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

use super::MOST_UNPACKED;

/// What a compressed archive unpacks to.
pub(super) struct Gunzip<'a> {
    inner: GzDecoder<&'a [u8]>,
    left: u64,
}

impl<'a> Gunzip<'a> {
    pub(super) fn new(compressed: &'a [u8]) -> Self {
        Gunzip {
            inner: GzDecoder::new(compressed),
            left: MOST_UNPACKED,
        }
    }

    /// Checks that the rest is zeros, as fill archives up, and that nothing follows.
    pub(super) fn finish(mut self) -> Result<(), String> {
        let mut block = [0; 4096];
        loop {
            match self.read(&mut block).map_err(|error| error.to_string())? {
                0 => break,
                length if block[..length].iter().all(|byte| *byte == 0) => {}
                _ => return Err("there is something after the end of its archive".to_owned()),
            }
        }
        if self.inner.get_ref().is_empty() {
            Ok(())
        } else {
            Err("there is something after its compressed archive".to_owned())
        }
    }
}

impl Read for Gunzip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it unpacks to more than {MOST_UNPACKED} bytes"),
            )
        })?;
        Ok(length)
    }
}
