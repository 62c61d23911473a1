// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and folders, opened so that nothing in them can make a reader wait, follow a link out of
//! the folder, or take more than it has room for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};

use super::invalid;
use super::walk::{self, Node};
use crate::tree::sha256_of;

/// The largest configuration.
pub const MOST_CONFIGURATION: u64 = 1 << 20;
/// The largest key file, or signature beside a file.
pub const MOST_KEY: u64 = 1 << 20;
/// The largest manifest.
pub const MOST_MANIFEST: u64 = 16 << 20;
/// The largest package.
pub const MOST_PACKAGE: u64 = 64 << 20;
/// The most bytes of all files of a folder together.
const MOST_BYTES: u64 = 512 << 20;

/// Opens without waiting for the other end of a FIFO, and makes no terminal ours.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Reads a file that the user named, which may be a link to one.
///
/// # Errors
/// If it is no regular file, is larger than `most` bytes, or cannot be read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Opening a device can do something already.
    regular(kind_of(fs::metadata(path)?.file_type()))?;
    let file = openat(CWD, path, READ, Mode::empty())?;
    contents(file.into(), most)
}

fn contents(file: File, most: u64) -> io::Result<Vec<u8>> {
    let file = checked(file, most)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// What was opened may be something else than what was looked at before.
fn checked(file: File, most: u64) -> io::Result<File> {
    let metadata = file.metadata()?;
    regular(kind_of(metadata.file_type()))?;
    if metadata.len() > most {
        return Err(too_large(most));
    }
    Ok(file)
}

fn kind_of(kind: fs::FileType) -> FileType {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_file() {
        FileType::RegularFile
    } else if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else if kind.is_fifo() {
        FileType::Fifo
    } else if kind.is_socket() {
        FileType::Socket
    } else if kind.is_char_device() {
        FileType::CharacterDevice
    } else {
        FileType::BlockDevice
    }
}

fn regular(kind: FileType) -> io::Result<()> {
    let what = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(invalid(format!("it is {what}, not a regular file")))
}

fn too_large(most: u64) -> io::Error {
    invalid(format!("it is larger than {most} bytes"))
}

/// A folder, and what is below it. No link in it is followed.
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder that the user named.
    ///
    /// # Errors
    /// If it is none, or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = READ | OFlags::DIRECTORY;
        Ok(Folder(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Everything below it, by the path from it, sorted.
    ///
    /// # Errors
    /// If it cannot be read, or there is more in it than any program's output has.
    pub fn walk(&self) -> io::Result<BTreeMap<PathBuf, Node>> {
        // It, and not what may be at its path by now. Below it, a folder that turns into a link
        // meanwhile can have the names of others listed, but nothing there be read.
        let opened = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let nodes = walk::below(Path::new(&opened))?;
        let bytes = nodes
            .values()
            .filter(|node| node.kind == FileType::RegularFile)
            .fold(0, |bytes: u64, node| bytes.saturating_add(node.size));
        if bytes > MOST_BYTES {
            return Err(invalid(format!("more than {MOST_BYTES} bytes are in it")));
        }
        Ok(nodes)
    }

    /// Reads a file of it.
    ///
    /// # Errors
    /// If it is no regular file, a link leads to it, or it is larger than `most` bytes.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        contents(self.file(path)?, most)
    }

    /// The SHA-256 of a file of it, in hexadecimal.
    ///
    /// # Errors
    /// As for [`Folder::read`].
    pub fn sha256(&self, path: &Path) -> io::Result<String> {
        let file = checked(self.file(path)?, MOST_BYTES)?;
        // A file that grows meanwhile is not read to no end.
        Ok(sha256_of(file.take(MOST_BYTES))?.0)
    }

    /// The first bytes of a file of it, by which its kind is known.
    ///
    /// # Errors
    /// As for [`Folder::read`].
    pub fn start(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        self.file(path)?.take(4).read_to_end(&mut start)?;
        Ok(start)
    }

    fn file(&self, path: &Path) -> io::Result<File> {
        let folder = self.parent(path)?;
        let name = Path::new(path.file_name().unwrap_or_default());
        let stat = statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?;
        regular(FileType::from_raw_mode(stat.st_mode))?;
        let file: File =
            openat(folder.as_fd(), name, READ | OFlags::NOFOLLOW, Mode::empty())?.into();
        regular(kind_of(file.metadata()?.file_type()))?;
        Ok(file)
    }

    /// The folder in which a path of this one is, reached without a link.
    fn parent(&self, path: &Path) -> io::Result<Parent<'_>> {
        let mut folder = Parent::Borrowed(self.0.as_fd());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parts: Vec<_> = path.components().collect();
        for (position, part) in parts.iter().enumerate() {
            let Component::Normal(part) = part else {
                return Err(invalid("it is no path in a folder".to_owned()));
            };
            if position + 1 < parts.len() {
                folder = Parent::Owned(openat(folder.as_fd(), *part, flags, Mode::empty())?);
            }
        }
        Ok(folder)
    }
}

enum Parent<'a> {
    Borrowed(BorrowedFd<'a>),
    Owned(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Borrowed(fd) => *fd,
            Parent::Owned(fd) => fd.as_fd(),
        }
    }
}
