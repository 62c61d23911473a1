// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is in a folder, by the crate `walkdir`: no link is followed, and both the depth and the
//! number of paths are bounded, so that a folder that means harm ends the walk, and not the memory.
//!
//! Errors name no path: the caller knows what the user called the folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;
use walkdir::{DirEntry, WalkDir};

use super::invalid;

/// The most entries of a folder, and of those in it.
const MOST_NODES: usize = 200_000;
/// How deep folders may be in each other.
const DEEPEST: usize = 64;

/// What is at a path of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: FileType,
    /// Permission bits.
    pub mode: u32,
    /// Bytes, of a file.
    pub size: u64,
}

impl From<fs::Metadata> for Node {
    fn from(metadata: fs::Metadata) -> Self {
        Node {
            kind: FileType::from_raw_mode(metadata.mode()),
            mode: metadata.mode() & 0o7777,
            size: metadata.len(),
        }
    }
}

/// Everything below a folder, by the path from it, sorted.
///
/// # Errors
/// If it is no folder, cannot be read, or has more in it than any program's output has.
pub fn below(folder: &Path) -> io::Result<BTreeMap<PathBuf, Node>> {
    // One further, to tell a folder that is too deep from the end.
    nodes(folder, DEEPEST + 1, MOST_NODES)
}

/// What is in a folder, without what its own folders hold, by name, sorted.
///
/// # Errors
/// As for [`below`].
pub fn inside(folder: &Path) -> io::Result<BTreeMap<PathBuf, Node>> {
    nodes(folder, 1, MOST_NODES)
}

/// Whether there is nothing in a folder.
///
/// # Errors
/// If it is no folder, or cannot be read.
pub fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(entries(folder, 1)?.next().transpose()?.is_none())
}

fn nodes(folder: &Path, depth: usize, most: usize) -> io::Result<BTreeMap<PathBuf, Node>> {
    let mut nodes = BTreeMap::new();
    for entry in entries(folder, depth)? {
        let entry = entry?;
        let node = Node::from(entry.metadata().map_err(of_system)?);
        if node.kind == FileType::Directory && entry.depth() > DEEPEST {
            return Err(invalid(format!(
                "more than {DEEPEST} folders are in each other"
            )));
        }
        let path = entry.path().strip_prefix(folder);
        let path = path.expect("what is below a folder begins with its path");
        nodes.insert(path.to_owned(), node);
        if nodes.len() > most {
            return Err(invalid(format!("more than {most} paths are in it")));
        }
    }
    Ok(nodes)
}

/// What is below a folder down to a depth, as the system lists it. Only the folder itself may be a
/// link to one.
fn entries(
    folder: &Path,
    depth: usize,
) -> io::Result<impl Iterator<Item = io::Result<DirEntry>> + use<>> {
    // walkdir takes a file for a folder with nothing in it.
    if !fs::metadata(folder)?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    // Neither may walkdir sort, nor have to close a folder while it is in one of that folder's own:
    // for both it takes the whole of a folder into memory, however many names there are.
    let walk = WalkDir::new(folder)
        .follow_links(false)
        .min_depth(1)
        .max_depth(depth)
        .max_open(depth + 2);
    Ok(walk.into_iter().map(|entry| entry.map_err(of_system)))
}

/// What the system said. Only who follows links can meet a loop.
fn of_system(error: walkdir::Error) -> io::Error {
    error.into_io_error().unwrap_or_else(|| Errno::LOOP.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(nodes: BTreeMap<PathBuf, Node>) -> Vec<String> {
        nodes
            .into_keys()
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn it_is_sorted_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(is_empty(folder.path()).unwrap());
        fs::create_dir_all(at("b/d")).unwrap();
        fs::write(at("b/c"), "four").unwrap();
        fs::write(at("a"), "").unwrap();
        symlink(at("b"), at("e")).unwrap();
        symlink(folder.path(), at("b/d/up")).unwrap();

        let all = below(folder.path()).unwrap();
        assert_eq!(all[Path::new("e")].kind, FileType::Symlink);
        assert_eq!(all[Path::new("b/d")].kind, FileType::Directory);
        assert_eq!(all[Path::new("b/c")].size, 4);
        assert_eq!(names(all), ["a", "b", "b/c", "b/d", "b/d/up", "e"]);
        assert_eq!(names(inside(folder.path()).unwrap()), ["a", "b", "e"]);
        assert!(!is_empty(folder.path()).unwrap());

        // The user may name a link to a folder.
        assert_eq!(names(inside(&at("e")).unwrap()), ["c", "d"]);
    }

    #[test]
    fn what_is_no_folder_is_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for walk in [below, inside] {
            let error = walk(&file).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
            assert_eq!(error.to_string(), "Not a directory (os error 20)");
            let error = walk(&folder.path().join("none")).unwrap_err();
            assert_eq!(error.to_string(), "No such file or directory (os error 2)");
        }
        assert!(is_empty(&file).is_err());
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let deep = |depth: usize| folder.path().join("d/".repeat(depth));
        fs::create_dir_all(deep(DEEPEST)).unwrap();
        fs::write(deep(DEEPEST).join("file"), "").unwrap();
        assert_eq!(below(folder.path()).unwrap().len(), DEEPEST + 1);
        fs::create_dir(deep(DEEPEST + 1)).unwrap();
        let error = below(folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "more than 64 folders are in each other");
        assert_eq!(names(inside(folder.path()).unwrap()), ["d"]);

        assert_eq!(nodes(folder.path(), 2, 2).unwrap().len(), 2);
        let error = nodes(folder.path(), 3, 2).unwrap_err();
        assert_eq!(error.to_string(), "more than 2 paths are in it");
    }
}
