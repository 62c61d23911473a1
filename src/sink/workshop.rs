// SPDX-License-Identifier: MIT OR Apache-2.0

//! A folder beside a place, in which one run at a time writes what will be there.
//!
//! Whoever holds the lock in it owns what is in it. The system lets go of the lock when a run ends,
//! however it ends: what is there without one was left by a run that was killed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::directory::{At, Error};
use crate::read::printable;
use crate::refusal::Refusal;
use crate::tree::sha256;

/// What the names of these folders begin with; a part of a hash follows.
const PREFIX: &str = ".openclaw-formula-";
const HASH: usize = 16;
/// The file that is locked.
const LOCK: &str = "lock";
/// What is written; after it has changed places with what was there before, that.
const NEW: &str = "new";

/// The folder of this run. Dropped, it is gone, with what is in it.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    lock: File,
}

impl Workshop {
    /// Opens the one of a place, and tells `waiting` if another run has it. What runs that were
    /// killed left for any place of that folder is removed.
    pub(super) fn open(
        parent: &Path,
        name: &std::ffi::OsStr,
        waiting: impl FnOnce(),
    ) -> Result<Self, Error> {
        tidy(parent);
        let mut waiting = Some(waiting);
        let hash = sha256(name.as_encoded_bytes());
        let folder = parent.join(format!("{PREFIX}{}", &hash[..HASH]));
        loop {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(error).at(parent);
                }
                _ => {}
            }
            match is_ours(&folder) {
                Ok(true) => {}
                Ok(false) => return Err(not_ours(&folder).into()),
                // Who had it is done with it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).at(&folder),
            }
            let lock = match lock_file(&folder, true) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                lock => lock.at(&folder)?,
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    lock.lock().at(&folder)?;
                }
                Err(TryLockError::Error(error)) => return Err(error).at(&folder),
            }
            let Some(workshop) = Workshop::entered(folder.clone(), lock) else {
                continue;
            };
            workshop.clear().at(&folder)?;
            return Ok(workshop);
        }
    }

    /// Whether a lock that is held is still the one that the next run would find.
    fn entered(folder: PathBuf, lock: File) -> Option<Self> {
        let same = |one: fs::Metadata, other: fs::Metadata| {
            (one.dev(), one.ino()) == (other.dev(), other.ino())
        };
        let there = fs::symlink_metadata(folder.join(LOCK)).ok()?;
        if same(there, lock.metadata().ok()?) {
            Some(Workshop { folder, lock })
        } else {
            None
        }
    }

    /// Where to write.
    pub(super) fn new_directory(&self) -> PathBuf {
        self.folder.join(NEW)
    }

    /// Removes what was written.
    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.new_directory()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // The lock goes last of what only its holder touches. Then the folder may be another run's,
        // and is removed only if it is empty.
        if self.clear().is_ok() {
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
        let _ = self.lock.unlock();
    }
}

/// Removes what runs that were killed left in a folder. What cannot be removed harms nobody.
fn tidy(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !is_name(entry.file_name().as_encoded_bytes()) {
            continue;
        }
        let folder = entry.path();
        if !is_ours(&folder).unwrap_or(false) {
            continue;
        }
        match lock_file(&folder, false) {
            // Killed between two steps; if it holds anything, nothing happens.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let _ = fs::remove_dir(&folder);
            }
            Err(_) => {}
            Ok(lock) => {
                if lock.try_lock().is_ok() {
                    drop(Workshop::entered(folder, lock));
                }
            }
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX.as_bytes()).is_some_and(|hash| {
        hash.len() == HASH && hash.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether it is a folder that nobody else could have put there, or put anything in.
fn is_ours(folder: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(folder)?;
    let private = metadata.mode() & 0o022 == 0;
    Ok(metadata.is_dir() && private && metadata.uid() == geteuid().as_raw())
}

fn lock_file(folder: &Path, create: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(folder.join(LOCK))
}

fn not_ours(folder: &Path) -> Refusal {
    Refusal::new(
        format!(
            "{} may be written to by another user",
            printable(&folder.to_string_lossy())
        ),
        "what is written takes shape in that folder, which its user alone may write to",
        "remove it if no openclaw-formula of that user runs, or name a directory elsewhere",
    )
}
