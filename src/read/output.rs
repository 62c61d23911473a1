// SPDX-License-Identifier: MIT OR Apache-2.0

//! A folder with its manifest, as this program writes them: `verify` compares the two, and the sink
//! replaces no folder that differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::file::{self, Folder, MOST_MANIFEST, MOST_PACKAGE};
use super::printable;
use super::walk::Node;
use crate::manifest::{FILE_NAME, Kind, Listed, Manifest, Package, octal};
use crate::tree::Host;

/// Why there is nothing to compare.
#[derive(Debug)]
pub enum Error {
    /// A file or folder could not be read.
    Io(PathBuf, io::Error),
    /// The manifest is not one, for this reason.
    Manifest(PathBuf, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| printable(&path.to_string_lossy());
        match self {
            Error::Io(path, error) => write!(f, "{}: {error}", shown(path)),
            Error::Manifest(path, reason) => {
                write!(f, "{} is not a manifest: {reason}", shown(path))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(_, error) => Some(error),
            Error::Manifest(..) => None,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Report {
    /// Each difference is one line. None means that all is as it was written.
    pub findings: Vec<String>,
    /// What the reader should know all the same.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds a difference at a path.
    pub fn find(&mut self, path: &Path, what: impl fmt::Display) {
        let line = format!("{}: {what}", path.display());
        self.findings.push(printable(&line));
    }

    /// Adds a note, unless it is there already.
    pub fn note(&mut self, line: String) {
        if !self.notes.contains(&line) {
            self.notes.push(line);
        }
    }
}

/// Reads a manifest.
///
/// # Errors
/// If it cannot be read, or is not of the form that this version writes.
pub fn manifest(path: &Path) -> Result<Manifest, Error> {
    let text = file::read(path, MOST_MANIFEST);
    parse(
        path,
        &text.map_err(|error| Error::Io(path.to_owned(), error))?,
    )
}

fn parse(path: &Path, text: &[u8]) -> Result<Manifest, Error> {
    Manifest::parse(text).map_err(|reason| Error::Manifest(path.to_owned(), reason))
}

/// A folder with the manifest that it is compared with.
pub struct Output<'a> {
    path: &'a Path,
    folder: Folder,
    nodes: BTreeMap<PathBuf, Node>,
    manifest: Manifest,
}

impl<'a> Output<'a> {
    /// Opens a folder, with its own manifest or another one.
    ///
    /// # Errors
    /// If the manifest or the folder cannot be read.
    pub fn open(path: &'a Path, manifest_path: Option<&Path>) -> Result<Self, Error> {
        let io = |error| Error::Io(path.to_owned(), error);
        let folder = Folder::open(path).map_err(io)?;
        let manifest = match manifest_path {
            Some(path) => manifest(path)?,
            None => {
                let own = path.join(FILE_NAME);
                let text = folder.read(Path::new(FILE_NAME), MOST_MANIFEST);
                parse(&own, &text.map_err(|error| Error::Io(own.clone(), error))?)?
            }
        };
        Ok(Output {
            nodes: folder.walk().map_err(io)?,
            path,
            folder,
            manifest,
        })
    }

    /// What it is compared with.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `package` writes packages without trees.
    fn has_trees(&self) -> bool {
        self.manifest.packages.is_empty()
            || Host::ALL
                .iter()
                .any(|host| self.nodes.contains_key(Path::new(host.name())))
    }

    /// Compares kinds, modes and sums, and names what is there and not listed. Returns the packages
    /// that are what the manifest lists.
    pub fn compare(&self, report: &mut Report) -> Vec<&Package> {
        let mut expected = BTreeSet::from([PathBuf::from(FILE_NAME)]);
        let mut right = Vec::new();
        if self.has_trees() {
            for host in Host::ALL {
                for listed in self.manifest.listed(host) {
                    if listed.kind != Kind::Ghost {
                        let inside = Path::new(host.name()).join(&listed.path[1..]);
                        self.compare_listed(&inside, listed, report);
                        expected.insert(inside);
                    }
                }
            }
            for spec in &self.manifest.specs {
                self.has_sum(spec, report);
                expected.insert(PathBuf::from(&spec.file));
            }
        }
        for package in &self.manifest.packages {
            if self.has_sum(package, report) {
                right.push(package);
            }
            expected.insert(PathBuf::from(&package.file));
        }
        self.strangers(&expected, report);
        right
    }

    fn compare_listed(&self, inside: &Path, listed: &Listed, report: &mut Report) {
        let path = self.path.join(inside);
        let Some(node) = self.nodes.get(inside) else {
            return report.find(&path, "missing");
        };
        let (kind, name) = match listed.kind {
            Kind::Directory => (FileType::Directory, "directory"),
            Kind::File | Kind::Ghost => (FileType::RegularFile, "file"),
        };
        if node.kind != kind {
            return report.find(&path, format_args!("not a {name}"));
        }
        let mode = octal(node.mode);
        if mode != listed.mode {
            report.find(&path, format_args!("mode {mode}, not {}", listed.mode));
        }
        if let Some(wanted) = &listed.sha256 {
            match self.folder.sha256(inside) {
                Ok(sum) if sum == *wanted => {}
                Ok(_) => report.find(&path, "changed"),
                Err(error) => report.find(&path, error),
            }
        }
    }

    fn has_sum(&self, package: &Package, report: &mut Report) -> bool {
        let path = self.path.join(&package.file);
        match self.folder.sha256(Path::new(&package.file)) {
            Ok(sum) if sum == package.sha256 => return true,
            Ok(_) => report.find(&path, "changed"),
            Err(error) => report.find(&path, error),
        }
        false
    }

    /// Names what is there and not expected: neither a listed path nor a folder that leads to one.
    fn strangers(&self, expected: &BTreeSet<PathBuf>, report: &mut Report) {
        let folders: BTreeSet<_> = expected
            .iter()
            .flat_map(|path| path.ancestors().skip(1))
            .collect();
        let mut stranger: Option<&Path> = None;
        for (inside, node) in &self.nodes {
            let leads = node.kind == FileType::Directory && folders.contains(inside.as_path());
            // What is in a strange folder is as strange.
            let known = stranger.is_some_and(|folder| inside.starts_with(folder));
            if !leads && !known && !expected.contains(inside) {
                report.find(&self.path.join(inside), "not in the manifest");
                stranger = Some(inside);
            }
        }
    }

    /// Reads a package of it.
    ///
    /// # Errors
    /// If it cannot be read, with the reason.
    pub fn read(&self, inside: &Path) -> Result<Vec<u8>, String> {
        let bytes = self.folder.read(inside, MOST_PACKAGE);
        bytes.map_err(|error| error.to_string())
    }
}

/// The manifest of a folder, and whether that is as it says, by kinds, modes and sums.
///
/// # Errors
/// If the manifest or the folder cannot be read.
pub fn sums(path: &Path) -> Result<(Manifest, Report), Error> {
    let mut report = Report::default();
    let output = Output::open(path, None)?;
    output.compare(&mut report);
    Ok((output.manifest, report))
}
