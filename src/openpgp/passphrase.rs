// SPDX-License-Identifier: MIT OR Apache-2.0

//! What opens a locked key: read when it is needed, shown and kept nowhere.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};

use pgp::types::Password;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Certificate, Error};
use crate::refusal::Refusal;

/// The longest passphrase that is read, so that a wrong descriptor is not read to no end.
const LONGEST: u64 = 4096;

/// Where a passphrase comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passphrase {
    /// The terminal, which does not show it.
    Terminal,
    /// An open file descriptor.
    Descriptor(u32),
}

impl Passphrase {
    /// Reads the passphrase of a key: one line, without its end.
    pub(super) fn read(self, key: &Certificate) -> Result<Password, Error> {
        match self {
            Passphrase::Terminal => ask(key),
            Passphrase::Descriptor(number) => {
                let refused = |problem: String| {
                    Refusal::new(
                        problem,
                        "--passphrase-fd names an open file descriptor, whose first line is the \
                         passphrase",
                        "write it as in `--passphrase-fd 3 3< FILE`",
                    )
                };
                let shown = |error: std::io::Error| {
                    refused(format!("--passphrase-fd {number}: {error}")).because(error)
                };
                let file = File::open(format!("/proc/self/fd/{number}")).map_err(shown)?;
                let line = first_line(file).map_err(shown)?;
                if line.is_empty() {
                    return Err(refused(format!("--passphrase-fd {number}: it is empty")).into());
                }
                Ok(line.as_slice().into())
            }
        }
    }
}

fn first_line(file: impl Read) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(LONGEST)).read_until(b'\n', &mut line)?;
    while let Some(b'\n' | b'\r') = line.last() {
        line.pop();
    }
    Ok(line)
}

/// A terminal that does not show what is typed, until it is dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn new(terminal: File) -> std::io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Silent { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn ask(key: &Certificate) -> Result<Password, Error> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let Ok(terminal) = terminal else {
        return Err(Refusal::new(
            format!("{key} is locked, and there is no terminal to ask for its passphrase"),
            "a locked key is opened with its passphrase",
            "give the passphrase with `--passphrase-fd 3 3< FILE`",
        )
        .into());
    };
    let io = |error| Error::System(format!("/dev/tty: {error}"));
    let mut silent = Silent::new(terminal).map_err(io)?;
    write!(silent.terminal, "Passphrase of {key}: ").map_err(io)?;
    let line = first_line(&silent.terminal).map_err(io)?;
    Ok(line.as_slice().into())
}
