// SPDX-License-Identifier: MIT OR Apache-2.0

//! Strict readers of what others give: files, folders, RPM and Debian packages.
//!
//! Nothing here trusts what it reads. Each reader says how much it takes at most, allocates no more
//! than that, and refuses every form that it does not know. No crate parses a package: the `rpm`
//! crate only writes them, so that a fault on one side shows on the other.

mod cpio;
pub mod deb;
pub mod file;
mod gunzip;
mod header;
pub mod output;
pub mod rpm;
mod tags;
pub mod walk;

use std::fmt::Write;
use std::io;

use crate::manifest::{Header, Role};

/// The most that an archive in a package may unpack to. A thousand servers take less than half.
const MOST_UNPACKED: u64 = 128 << 20;

/// The most bytes of all paths of a package together.
const MOST_PATHS: usize = 16 << 20;

/// The longest path, as the system has it.
const LONGEST_PATH: usize = 4096;

/// A package as it is read back, whatever its format.
#[derive(Debug)]
pub struct Contents {
    /// What it says of itself, beside its files.
    pub header: Header,
    /// Whether it lists the folders that lead to what it brings, as Debian's packages do.
    pub has_parents: bool,
    /// What it brings.
    pub entries: Vec<Entry>,
    /// What no package of this program has, such as a trigger: each is one line.
    pub oddities: Vec<String>,
}

/// One path of a package.
#[derive(Debug)]
pub struct Entry {
    /// The absolute path.
    pub path: String,
    /// What is there.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// The owner.
    pub user: String,
    /// The owning group.
    pub group: String,
    /// What the package manager is told of it; Debian's is told of configuration only.
    pub role: Option<Role>,
}

/// What is at a path of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// SHA-256 in hexadecimal.
        sha256: String,
    },
    /// A link that the package owns and does not bring.
    Ghost {
        /// What it leads to.
        target: String,
    },
}

/// A text from elsewhere as it may be shown on a terminal, on one line: what a terminal obeys, or
/// shows as nothing or in another order, is written as an escape.
pub fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, c| {
        if matches!(c, '"' | '\'' | '\\') {
            shown.push(c);
        } else {
            let _ = write!(shown, "{}", c.escape_debug());
        }
        shown
    })
}

/// What is there and can be read, and is not taken.
fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(printable("/a b/ü\"'\\"), "/a b/ü\"'\\");
        assert_eq!(
            printable("\u{1b}[2J\n\t\u{9b}\u{202e}\u{200b}\0"),
            "\\u{1b}[2J\\n\\t\\u{9b}\\u{202e}\\u{200b}\\0"
        );
    }
}
