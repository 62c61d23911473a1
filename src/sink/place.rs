// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a directory is to be written.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::directory::{At, Error};
use super::workshop::Workshop;
use crate::read::printable;
use crate::refusal::Refusal;

/// A directory that is written as a whole, whether it is there or not: no link leads to it, and the
/// folder that it is in is there. Two names of one directory give the same path.
#[derive(Debug)]
pub struct Place {
    parent: PathBuf,
    name: OsString,
    /// What the user called it.
    shown: PathBuf,
}

impl Place {
    /// Finds the place that a path means: a link means what it leads to.
    ///
    /// # Errors
    /// If a directory there could not be replaced, whatever is in it.
    pub fn of(shown: &Path) -> Result<Self, Error> {
        let real = match fs::symlink_metadata(shown) {
            Ok(metadata) => match fs::canonicalize(shown) {
                Err(error) if error.kind() == ErrorKind::NotFound && metadata.is_symlink() => {
                    return Err(leads_nowhere(shown).because(error).into());
                }
                real => real.at(shown)?,
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(name) = shown.file_name() else {
                    return Err(error).at(shown);
                };
                let parent = match shown.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                };
                fs::create_dir_all(parent).at(parent)?;
                fs::canonicalize(parent).at(parent)?.join(name)
            }
            Err(error) => return Err(error).at(shown),
        };
        if is_mount(&real) {
            return Err(mounted(shown).into());
        }
        if env::current_dir().is_ok_and(|here| here.starts_with(&real)) {
            return Err(around_the_user(shown).into());
        }
        match (real.parent(), real.file_name()) {
            (Some(parent), Some(name)) => Ok(Place {
                parent: parent.to_owned(),
                name: name.to_owned(),
                shown: shown.to_owned(),
            }),
            // The root, where something is always mounted.
            _ => Err(mounted(shown).into()),
        }
    }

    /// What the user called it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Its path without links.
    pub(super) fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Takes it for this run alone, and tells `waiting` if another run has it.
    ///
    /// # Errors
    /// If the folder that it is in cannot be written to.
    pub fn hold(self, waiting: impl FnOnce(&Path)) -> Result<Held, Error> {
        let workshop = Workshop::open(&self.parent, &self.name, || waiting(&self.shown))?;
        Ok(Held {
            place: self,
            workshop,
        })
    }

    /// The order in which places are held.
    pub fn comes_before(&self, other: &Place) -> bool {
        self.path() < other.path()
    }

    /// Whether one is the other, or is in it.
    pub fn overlaps(&self, other: &Place) -> bool {
        let (one, other) = (self.path(), other.path());
        one.starts_with(&other) || other.starts_with(&one)
    }
}

/// A place that no other run writes to meanwhile.
#[derive(Debug)]
pub struct Held {
    place: Place,
    workshop: Workshop,
}

impl Held {
    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where to write what will be there.
    pub(super) fn new_directory(&self) -> PathBuf {
        self.workshop.new_directory()
    }
}

/// Whether something is mounted at a path. A kernel that cannot tell will refuse to rename it.
fn is_mount(path: &Path) -> bool {
    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).is_ok_and(|stat| {
        stat.stx_attributes_mask
            .intersection(stat.stx_attributes)
            .contains(StatxAttributes::MOUNT_ROOT)
    })
}

fn name_of(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

fn leads_nowhere(shown: &Path) -> Refusal {
    Refusal::new(
        format!("{} is a link to nothing", name_of(shown)),
        "the directory that a link leads to is the one that is written",
        "make that directory, or remove the link",
    )
}

fn mounted(shown: &Path) -> Refusal {
    Refusal::new(
        format!("a file system is mounted at {}", name_of(shown)),
        "a directory is replaced as a whole, in one step, and one where something is mounted \
         cannot be replaced",
        format!(
            "name a folder in it, such as {}",
            name_of(&shown.join("openclaw"))
        ),
    )
}

fn around_the_user(shown: &Path) -> Refusal {
    Refusal::new(
        format!(
            "{} is the folder you are in, or one around it",
            name_of(shown)
        ),
        "a directory is replaced as a whole: you would be left in the removed one",
        format!(
            "name a folder in it, such as {}, or change to another folder first",
            name_of(&shown.join("openclaw"))
        ),
    )
}

/// What is said when the system does not put a directory in the place of another.
pub(super) fn irreplaceable(shown: &Path, problem: rustix::io::Errno) -> Refusal {
    Refusal::new(
        format!("{} cannot be replaced: {problem}", name_of(shown)),
        "a directory is replaced as a whole, in one step, which the lower layer of an overlay and \
         some file systems do not take",
        "name another folder; to add to a repository, copy it there first (`cp --archive`)",
    )
    .because(problem)
}
