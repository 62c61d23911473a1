// SPDX-License-Identifier: MIT OR Apache-2.0

//! A directory that appears whole or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, RenameFlags, rename, renameat_with, syncfs};
use rustix::io::Errno;

use super::former::{Former, New};
use super::place::{Held, Place, irreplaceable};
use crate::manifest::{FILE_NAME, Header, Manifest};
use crate::model::{Release, Version};
use crate::plan::package_name;
use crate::read::{output, walk};
use crate::refusal::Refusal;
use crate::tree::{Content, FileTree, Host};

/// Why a directory could not be written.
#[derive(Debug)]
pub enum Error {
    /// There is something there that this program did not write, or that was changed since.
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What speaks against replacing it.
        reasons: Vec<String>,
    },
    /// No directory can be written there.
    Refused(Refusal),
    /// The system refused something.
    Io {
        /// On which path.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotOurs { path, reasons } => {
                writeln!(f, "{} is there, and is not replaced:", path.display())?;
                for reason in reasons {
                    writeln!(f, "  {reason}")?;
                }
                write!(f, "name another directory, or remove this one")
            }
            Error::Refused(refusal) => refusal.fmt(f),
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::NotOurs { .. } => None,
            Error::Refused(refusal) => refusal.source(),
            Error::Io { source, .. } => Some(source),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

/// Names the path of a failed operation.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }
}

/// A directory that is being written beside the place where it will be. Dropped before
/// [`Staging::publish`], it leaves nothing; killed, it leaves what the next run removes.
pub struct Staging {
    held: Held,
    path: PathBuf,
    time: SystemTime,
}

impl Staging {
    /// Begins a directory, whose caller knows whether what is there may be replaced; every entry
    /// will carry the time `source_date_epoch`.
    ///
    /// # Errors
    /// If the folder around it cannot be written to.
    pub(super) fn begin(held: Held, source_date_epoch: u32) -> Result<Self, Error> {
        let path = held.new_directory();
        fs::create_dir(&path).at(&path)?;
        Ok(Staging {
            held,
            path,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(source_date_epoch.into()),
        })
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The time that every entry carries.
    pub(super) fn time(&self) -> SystemTime {
        self.time
    }

    /// Writes one file.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn file(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let path = self.path.join(name);
        if let Some((folder, _)) = name.rsplit_once('/') {
            self.folder(folder)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .at(&path)?;
        file.write_all(bytes).at(&path)?;
        // Not subject to the umask, as the mode at creation is.
        file.set_permissions(Permissions::from_mode(mode))
            .at(&path)?;
        file.set_modified(self.time).at(&path)
    }

    /// Makes a folder and those that lead to it, with a mode that does not depend on the umask.
    fn folder(&self, name: &str) -> Result<(), Error> {
        let mut path = self.path.to_owned();
        for part in name.split('/') {
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755)).at(&path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).at(&path),
            }
        }
        Ok(())
    }

    /// Writes a tree below a folder of the directory.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn tree(&self, folder: &str, tree: &FileTree) -> Result<(), Error> {
        for (path, entry) in tree.iter() {
            let name = format!("{folder}/{}", path.relative());
            match &entry.content {
                Content::File(bytes, _) => self.file(&name, bytes, entry.mode.into())?,
                Content::Directory => self.folder(&name)?,
                Content::Ghost(_) => {}
            }
        }
        // Modes last: a directory without write permission could not be filled.
        for (path, entry) in tree.iter() {
            if entry.content == Content::Directory {
                let path = self.path.join(folder).join(path.relative());
                fs::set_permissions(&path, Permissions::from_mode(entry.mode.into())).at(&path)?;
            }
        }
        Ok(())
    }

    /// Puts the directory in its place, in one step, and ends when the disk has it: a machine that
    /// loses its power has the old one or the new one.
    ///
    /// # Errors
    /// What the system refuses; then what was there before is there still, unless the disk failed.
    pub fn publish(self) -> Result<(), Error> {
        let path = self.path();
        finish(path, self.time).at(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755)).at(path)?;
        // The whole file system in one call: to wait for each of some hundred files takes a hundred
        // times as long on a disk that nobody else writes to, and twice as long on one that is busy.
        let opened = File::open(path).at(path)?;
        let sync = || syncfs(&opened).map_err(io::Error::from).at(path);
        sync()?;
        let place = self.held.place();
        let target = place.path();
        match exchange(path, &target) {
            // What was there is where the new one was now, and goes with that.
            Ok(()) => sync(),
            Err(problem @ (Errno::XDEV | Errno::BUSY | Errno::INVAL)) => {
                Err(irreplaceable(place.shown(), problem).into())
            }
            Err(problem) => Err(io::Error::from(problem)).at(place.shown()),
        }
    }
}

/// Puts a directory in a place, and what is there in its place.
fn exchange(new: &Path, target: &Path) -> rustix::io::Result<()> {
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // A directory is renamed to what is not there, or is an empty one, and to nothing else; so
        // can file systems that know no exchange, and an overlay with what is in its lower layer.
        Err(problem @ (Errno::NOENT | Errno::INVAL | Errno::XDEV)) => match rename(new, target) {
            Err(Errno::NOTEMPTY | Errno::EXIST) if problem != Errno::NOENT => Err(problem),
            renamed => renamed,
        },
        Err(problem) => Err(problem),
    }
}

/// Gives every directory the time of its files.
fn finish(directory: &Path, time: SystemTime) -> io::Result<()> {
    for (inside, node) in walk::below(directory)? {
        if node.kind == FileType::Directory {
            File::open(directory.join(inside))?.set_modified(time)?;
        }
    }
    File::open(directory)?.set_modified(time)
}

/// A place for a directory with its manifest. Nothing is there, or what this program left.
pub struct Directory {
    held: Held,
    /// Of what is there.
    before: Option<Manifest>,
}

impl Directory {
    /// Looks at what is there.
    ///
    /// # Errors
    /// If that may not be replaced, or not be read.
    pub fn open(held: Held) -> Result<Self, Error> {
        let before = replaceable(held.place())?;
        Ok(Directory { held, before })
    }

    /// Begins what will be there; every entry will carry the time `source_date_epoch`.
    ///
    /// # Errors
    /// If the folder around it cannot be written to.
    pub fn stage(self, source_date_epoch: u32) -> Result<Staging, Error> {
        Staging::begin(self.held, source_date_epoch)
    }

    /// What the packages there say of themselves.
    fn headers(&self) -> impl Iterator<Item = (&str, &Header)> {
        let packages = self.before.iter().flat_map(|before| &before.packages);
        packages.filter_map(|package| Some((package.file.as_str(), package.header.as_ref()?)))
    }
}

impl Former for Directory {
    fn latest(&self, version: &Version) -> Option<Release> {
        self.headers()
            .filter(|(_, header)| header.version == version.as_str())
            .filter_map(|(_, header)| Release::new(header.release.parse().ok()?).ok())
            .max()
    }

    fn clash(&self, new: New) -> Option<PathBuf> {
        let release = new.version.release.number().to_string();
        let before = self.before.as_ref()?;
        let differs = |file: &str, header: &Header| {
            let now = new.manifest.packages.iter().find(|it| it.file == file);
            let now = now.and_then(|package| package.header.as_ref());
            now.is_some_and(|now| now != header)
                || Host::ALL.into_iter().any(|host| {
                    header.name == package_name(host)
                        && before.listed(host) != new.manifest.listed(host)
                })
        };
        self.headers()
            .filter(|(_, header)| header.version == new.version.version.as_str())
            .filter(|(_, header)| header.release == release)
            .find(|(file, header)| differs(file, header))
            .map(|(file, _)| self.held.place().shown().join(file))
    }
}

/// Whether a place is free, empty, or as this program left it: then with its manifest.
fn replaceable(place: &Place) -> Result<Option<Manifest>, Error> {
    let target = place.shown();
    let refuse = |reasons| {
        Err(Error::NotOurs {
            path: target.to_owned(),
            reasons,
        })
    };
    match fs::metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at(target),
        Ok(metadata) if !metadata.is_dir() => return refuse(vec!["it is no directory".to_owned()]),
        Ok(_) => {}
    }
    if walk::is_empty(target).at(target)? {
        return Ok(None);
    }
    // What its packages hold is no reason to keep them.
    match output::sums(target) {
        Ok((manifest, report)) if report.findings.is_empty() => Ok(Some(manifest)),
        Ok((_, report)) => refuse(report.findings),
        Err(_) => refuse(vec![format!("it has no {FILE_NAME} of openclaw-formula")]),
    }
}
