// SPDX-License-Identifier: MIT OR Apache-2.0

//! The files that one host gets: path, contents, mode, owner, kind.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

/// Which machine a tree, and so a package, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Qubes' administrative domain.
    Dom0,
    /// The template of an app qube.
    Template,
}

impl Host {
    /// Both, in order.
    pub const ALL: [Host; 2] = [Host::Dom0, Host::Template];

    /// The word for it in paths and package names.
    pub fn name(self) -> &'static str {
        match self {
            Host::Dom0 => "dom0",
            Host::Template => "template",
        }
    }
}

/// An absolute path on a host: no `.` or `..`, no empty part, no character that a reader could
/// not see or a program could take for something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPath(String);

impl HostPath {
    /// Checks a path.
    ///
    /// # Errors
    /// The path itself, if it is not of that form.
    pub fn new(path: impl Into<String>) -> Result<Self, String> {
        let path = path.into();
        let part = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-@+".contains(&b))
        };
        match path.strip_prefix('/') {
            Some(rest) if rest.split('/').all(part) => Ok(HostPath(path)),
            _ => Err(path),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its leading slash, to be put below another folder.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a package manager is told of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing in particular.
    Plain,
    /// Configuration that an upgrade leaves as the user changed it.
    Config,
    /// Documentation.
    Doc,
    /// A licence.
    License,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Directory,
    /// A file with these bytes.
    File(Vec<u8>, Role),
    /// A link that the package does not bring, but owns: it is removed with the package. With
    /// what it leads to.
    Ghost(&'static str),
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is there.
    pub content: Content,
    /// Permission bits.
    pub mode: u16,
    /// The owner. On the disk of whoever generates, entries belong to that user.
    pub user: &'static str,
    /// The owning group.
    pub group: &'static str,
}

impl Entry {
    /// The bytes, of a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::File(bytes, _) => Some(bytes),
            Content::Directory | Content::Ghost(_) => None,
        }
    }
}

/// Entries by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    entries: BTreeMap<HostPath, Entry>,
}

impl FileTree {
    /// Puts an entry of root's at a path.
    ///
    /// # Panics
    /// If the path is not a [`HostPath`] or is taken: both are faults of the plan, not of input.
    fn put(&mut self, path: &str, content: Content, mode: u16) {
        let path = HostPath::new(path).unwrap_or_else(|path| panic!("not a path: {path:?}"));
        let entry = Entry {
            content,
            mode,
            user: "root",
            group: "root",
        };
        if let Some(taken) = self.entries.insert(path.clone(), entry) {
            panic!("{path} is there twice, first as {taken:?}");
        }
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, bytes: impl Into<Vec<u8>>, mode: u16, role: Role) {
        self.put(path, Content::File(bytes.into(), role), mode);
    }

    /// Adds a link that the package owns without bringing it.
    pub(crate) fn ghost(&mut self, path: &str, target: &'static str) {
        self.put(path, Content::Ghost(target), 0o777);
    }

    /// Adds the directories that lead to the entries below `root`, and `root` itself: the ones
    /// that the package owns.
    pub(crate) fn own_directories(&mut self, root: &str, mode: u16) {
        let mut directories = std::collections::BTreeSet::from([root.to_owned()]);
        for path in self.entries.keys() {
            let Some(below) = path
                .as_str()
                .strip_prefix(root)
                .filter(|p| p.starts_with('/'))
            else {
                continue;
            };
            for (end, _) in below.match_indices('/').skip(1) {
                directories.insert(format!("{root}{}", &below[..end]));
            }
        }
        for directory in directories {
            self.put(&directory, Content::Directory, mode);
        }
    }

    /// The entries in order of path, so that a directory comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&HostPath, &Entry)> {
        self.entries.iter()
    }

    /// The entry at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let path = HostPath::new(path).ok()?;
        self.entries.get(&path)
    }
}

/// The SHA-256 of `bytes`, in lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The same of all that can be read, and how many bytes that was.
pub(crate) fn sha256_of(mut from: impl std::io::Read) -> std::io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let mut block = [0; 8192];
    let mut all = 0;
    loop {
        match from.read(&mut block)? {
            0 => return Ok((hex(&digest.finalize()), all)),
            length => {
                digest.update(&block[..length]);
                all += length as u64;
            }
        }
    }
}

/// Bytes in lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
