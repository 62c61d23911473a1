// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compares what is there with what the manifest says.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::manifest::{FILE_NAME, Kind, Listed, Manifest, octal};
use crate::openpgp::Certificate;
use crate::rpmfile::Parts;
use crate::sink::deb;
use crate::tree::{Host, sha256};

/// Why a comparison could not be made at all.
#[derive(Debug)]
pub enum Error {
    /// A file could not be read.
    Io(PathBuf, io::Error),
    /// The manifest is not one.
    Manifest(PathBuf, serde_json::Error),
    /// The package is not one.
    Package(PathBuf, rpm::Error),
    /// The Debian package is not one.
    Deb(PathBuf, io::Error),
    /// The package is not one, for this reason.
    NoPackage(PathBuf, String),
    /// The manifest lists no package.
    NoPackages(PathBuf),
    /// The package is not one that the manifest lists.
    Unlisted(PathBuf, PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Manifest(path, error) => {
                write!(f, "{} is not a manifest: {error}", path.display())
            }
            Error::Package(path, error) => {
                write!(f, "{} is not an RPM package: {error}", path.display())
            }
            Error::Deb(path, error) => {
                write!(f, "{} is not a Debian package: {error}", path.display())
            }
            Error::NoPackage(path, reason) => {
                write!(f, "{} is not an RPM package: {reason}", path.display())
            }
            Error::NoPackages(path) => write!(
                f,
                "{} lists no packages\nhelp: leave out --key, or name a folder that `package` or \
                 `build` wrote",
                path.display()
            ),
            Error::Unlisted(package, manifest) => write!(
                f,
                "{} does not list {}",
                manifest.display(),
                package.display()
            ),
        }
    }
}

impl std::error::Error for Error {}

/// Reads a manifest.
///
/// # Errors
/// If it cannot be read, or is not of the form that this version writes.
pub fn manifest(path: &Path) -> Result<Manifest, Error> {
    let text = fs::read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    serde_json::from_slice(&text).map_err(|error| Error::Manifest(path.to_owned(), error))
}

/// Compares a generated directory with a manifest, by default its own. Each difference is one
/// line; none means that all is as it was written, and nothing else is there.
///
/// # Errors
/// If the manifest or the directory cannot be read.
pub fn directory(path: &Path, manifest_path: Option<&Path>) -> Result<Vec<String>, Error> {
    let own = path.join(FILE_NAME);
    let manifest = manifest(manifest_path.unwrap_or(&own))?;
    let mut findings = Vec::new();
    let mut expected = BTreeSet::from([own.clone()]);
    // `package` writes packages without trees.
    let has_trees = manifest.packages.is_empty()
        || Host::ALL.iter().any(|host| path.join(host.name()).exists());
    for host in Host::ALL {
        let root = path.join(host.name());
        if !has_trees {
            continue;
        }
        for listed in manifest.listed(host) {
            let on_disk = root.join(listed.path.trim_start_matches('/'));
            if listed.kind != Kind::Ghost {
                compare(&on_disk, listed, &mut findings)?;
                expected.insert(on_disk);
            }
        }
    }
    let specs = manifest.specs.iter().filter(|_| has_trees);
    for package in manifest.packages.iter().chain(specs) {
        let on_disk = path.join(&package.file);
        match fs::read(&on_disk) {
            Ok(bytes) if sha256(&bytes) == package.sha256 => {}
            Ok(_) => findings.push(format!("{}: changed", on_disk.display())),
            Err(error) => findings.push(format!("{}: {error}", on_disk.display())),
        }
        expected.insert(on_disk);
    }
    let folders = expected
        .iter()
        .flat_map(|file| file.ancestors().skip(1))
        .map(Path::to_owned)
        .collect();
    strangers(path, &expected, &folders, &mut findings)?;
    Ok(findings)
}

fn compare(on_disk: &Path, listed: &Listed, findings: &mut Vec<String>) -> Result<(), Error> {
    let shown = on_disk.display();
    let metadata = match fs::symlink_metadata(on_disk) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.push(format!("{shown}: missing"));
            return Ok(());
        }
        Err(error) => return Err(Error::Io(on_disk.to_owned(), error)),
    };
    let right_kind = match listed.kind {
        Kind::Directory => metadata.is_dir(),
        Kind::File => metadata.is_file(),
        Kind::Ghost => true,
    };
    if !right_kind {
        findings.push(format!("{shown}: not a {:?}", listed.kind).to_lowercase());
        return Ok(());
    }
    let mode = octal(metadata.permissions().mode());
    if mode != listed.mode {
        findings.push(format!("{shown}: mode {mode}, not {}", listed.mode));
    }
    if let Some(wanted) = &listed.sha256 {
        let bytes = fs::read(on_disk).map_err(|error| Error::Io(on_disk.to_owned(), error))?;
        if sha256(&bytes) != *wanted {
            findings.push(format!("{shown}: changed"));
        }
    }
    Ok(())
}

/// Names what is there and not expected: neither a listed path nor a folder that leads to one.
fn strangers(
    folder: &Path,
    listed: &BTreeSet<PathBuf>,
    folders: &BTreeSet<PathBuf>,
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    let io = |error| Error::Io(folder.to_owned(), error);
    let mut entries = fs::read_dir(folder)
        .map_err(io)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(io)?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(io)?.is_dir() && folders.contains(&path) {
            strangers(&path, listed, folders, findings)?;
        } else if !listed.contains(&path) {
            findings.push(format!("{}: not in the manifest", path.display()));
        }
    }
    Ok(())
}

/// Compares a package, its header and every file in it, with a manifest, by default the one
/// beside it.
///
/// # Errors
/// If one of them cannot be read, or the manifest does not list the package.
pub fn package(path: &Path, manifest_path: Option<&Path>) -> Result<Vec<String>, Error> {
    let beside = path.with_file_name(FILE_NAME);
    let manifest_path = manifest_path.unwrap_or(&beside);
    let manifest = manifest(manifest_path)?;
    let bytes = fs::read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    let package = Unpacked::read(path, &bytes)?;
    let unlisted = || Error::Unlisted(path.to_owned(), manifest_path.to_owned());

    let name = path.file_name().and_then(|name| name.to_str());
    let listed = manifest
        .packages
        .iter()
        .find(|package| Some(package.file.as_str()) == name)
        .ok_or_else(unlisted)?;
    let host = Host::ALL
        .into_iter()
        .find(|host| package.name == crate::plan::package_name(*host))
        .ok_or_else(unlisted)?;

    let shown = path.display();
    let mut findings = Vec::new();
    if sha256(&bytes) != listed.sha256 {
        findings.push(format!("{shown}: changed"));
    }
    let mut wanted: std::collections::BTreeMap<_, _> = manifest
        .listed(host)
        .iter()
        .map(|listed| (listed.path.as_str(), listed))
        .collect();
    let leads = |folder: &str| {
        let below = |path: &str| {
            path.strip_prefix(folder.trim_end_matches('/'))
                .is_some_and(|p| p.starts_with('/'))
        };
        manifest
            .listed(host)
            .iter()
            .any(|listed| below(&listed.path))
    };
    for entry in &package.entries {
        let inside = &entry.path;
        let Some(listed) = wanted.remove(inside.as_str()) else {
            if package.has_parents && entry.sha256.is_none() && leads(inside) {
                continue;
            }
            findings.push(format!("{shown}: {inside}: not in the manifest"));
            continue;
        };
        if listed.kind != Kind::Ghost && entry.mode != listed.mode {
            findings.push(format!(
                "{shown}: {inside}: mode {}, not {}",
                entry.mode, listed.mode
            ));
        }
        if entry.user != listed.user || entry.group != listed.group {
            findings.push(format!(
                "{shown}: {inside}: owner {}:{}, not {}:{}",
                entry.user, entry.group, listed.user, listed.group
            ));
        }
        if listed.sha256.is_some() && listed.sha256 != entry.sha256 {
            findings.push(format!("{shown}: {inside}: changed"));
        }
    }
    for missing in wanted.keys() {
        findings.push(format!("{shown}: {missing}: missing"));
    }
    Ok(findings)
}

/// The RPM packages of a directory that are there, of those that a manifest lists, by default its
/// own. A Debian package has no signature of its own.
///
/// # Errors
/// If the manifest cannot be read, or lists none.
pub fn packages(path: &Path, manifest_path: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    let own = path.join(FILE_NAME);
    let manifest_path = manifest_path.unwrap_or(&own);
    let packages = manifest(manifest_path)?.packages;
    if packages.is_empty() {
        return Err(Error::NoPackages(manifest_path.to_owned()));
    }
    let mut found: Vec<_> = packages
        .into_iter()
        .map(|package| path.join(package.file))
        .filter(|package| !is_debian(package))
        .collect();
    // One that is missing is a difference from the manifest.
    found.retain(|package| package.exists());
    Ok(found)
}

/// Checks a package's digests, and that it is signed by this key, as dom0 would. Each fault is one
/// line.
///
/// # Errors
/// If it cannot be read, or is no package.
pub fn signature(path: &Path, key: &Certificate) -> Result<Vec<String>, Error> {
    let bytes = fs::read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    let parts = Parts::read(&bytes).map_err(|reason| Error::NoPackage(path.to_owned(), reason))?;
    let findings = parts.findings(key).into_iter();
    Ok(findings
        .map(|finding| format!("{}: {finding}", path.display()))
        .collect())
}

/// Whether a package is Debian's, by its name.
fn is_debian(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "deb")
}

/// A package as it is read back.
struct Unpacked {
    name: String,
    /// Whether it lists the folders that lead to what it brings, as Debian's packages do.
    has_parents: bool,
    entries: Vec<UnpackedEntry>,
}

struct UnpackedEntry {
    path: String,
    /// As the manifest has it.
    mode: String,
    user: String,
    group: String,
    /// Of a file.
    sha256: Option<String>,
}

impl Unpacked {
    fn read(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        if is_debian(path) {
            Unpacked::deb(bytes).map_err(|error| Error::Deb(path.to_owned(), error))
        } else {
            Unpacked::rpm(bytes).map_err(|error| Error::Package(path.to_owned(), error))
        }
    }

    fn rpm(mut bytes: &[u8]) -> Result<Self, rpm::Error> {
        let package = rpm::Package::parse(&mut bytes)?;
        let mut digests = std::collections::BTreeMap::new();
        for file in package.files()? {
            let file = file?;
            if let Some(content) = file.content() {
                digests.insert(file.metadata.path().to_owned(), sha256(content));
            }
        }
        let entries = package
            .metadata
            .get_file_entries()?
            .iter()
            .map(|entry| UnpackedEntry {
                path: entry.path().to_string_lossy().into_owned(),
                mode: octal(u32::from(entry.mode().permissions())),
                user: entry.user().to_owned(),
                group: entry.group().to_owned(),
                sha256: digests.remove(&entry.path()),
            })
            .collect();
        Ok(Unpacked {
            name: package.metadata.get_name()?.to_owned(),
            has_parents: false,
            entries,
        })
    }

    fn deb(bytes: &[u8]) -> io::Result<Self> {
        let package = deb::Package::read(bytes)?;
        let entries = package
            .entries
            .into_iter()
            .map(|entry| UnpackedEntry {
                path: entry.path,
                mode: octal(entry.mode),
                user: entry.user,
                group: entry.group,
                sha256: entry.bytes.as_deref().map(sha256),
            })
            .collect();
        Ok(Unpacked {
            name: package.name,
            has_parents: true,
            entries,
        })
    }
}
