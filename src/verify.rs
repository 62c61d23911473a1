// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compares what is there with what the manifest says, and packages with what this program writes.
//!
//! All of it may be somebody else's: it is read by [`crate::read`] alone, and sums come first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::manifest::{FILE_NAME, GENERATOR, Header, Kind, Listed, Manifest, Package, octal};
use crate::model::Os;
use crate::openpgp::Certificate;
use crate::plan::{self, package_name};
use crate::read::file::{self, Folder, MOST_PACKAGE};
use crate::read::output::{self, Output, Report};
use crate::read::rpm::Parts;
use crate::read::{self, Contents, deb, printable, rpm};
use crate::sink::spec;
use crate::tree::{Host, sha256};

/// Why a comparison could not be made at all.
#[derive(Debug)]
pub enum Error {
    /// A file could not be read.
    Io(PathBuf, io::Error),
    /// The folder or its manifest could not be read.
    Output(output::Error),
    /// The file is no package, for this reason.
    NoPackage(PathBuf, String),
    /// The folder has no package that could be signed.
    NoPackages(PathBuf),
    /// The package is not one that the manifest lists.
    Unlisted(PathBuf, PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| printable(&path.to_string_lossy());
        match self {
            Error::Io(path, error) => write!(f, "{}: {error}", shown(path)),
            Error::Output(error) => error.fmt(f),
            Error::NoPackage(path, reason) => {
                let kind = if is_debian(path) {
                    "a Debian"
                } else {
                    "an RPM"
                };
                write!(f, "{} is not {kind} package: {reason}", shown(path))
            }
            Error::NoPackages(path) => write!(
                f,
                "{} holds no RPM package\nhelp: leave out --key, or name a folder that `package` \
                 or `build` wrote",
                shown(path)
            ),
            Error::Unlisted(package, manifest) => {
                write!(f, "{} does not list {}", shown(manifest), shown(package))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(_, error) => Some(error),
            Error::Output(error) => error.source(),
            Error::NoPackage(..) | Error::NoPackages(_) | Error::Unlisted(..) => None,
        }
    }
}

impl From<output::Error> for Error {
    fn from(error: output::Error) -> Self {
        Error::Output(error)
    }
}

/// Compares a generated directory with a manifest, by default its own, and the packages in it with
/// the trees, and with what this program writes.
///
/// # Errors
/// If the manifest or the directory cannot be read.
pub fn directory(path: &Path, manifest_path: Option<&Path>) -> Result<Report, Error> {
    let output = Output::open(path, manifest_path)?;
    let mut report = Report::default();
    for listed in output.compare(&mut report) {
        let path = path.join(&listed.file);
        match output
            .read(Path::new(&listed.file))
            .and_then(|bytes| contents(&bytes))
        {
            Ok(contents) => {
                compare_package(&path, &contents, listed, output.manifest(), &mut report)
            }
            Err(reason) => report.find(&path, reason),
        }
    }
    Ok(report)
}

/// Compares a package, its header and every file in it, with a manifest, by default the one
/// beside it.
///
/// # Errors
/// If one of them cannot be read, or the manifest does not list the package.
pub fn package(path: &Path, manifest_path: Option<&Path>) -> Result<Report, Error> {
    // First of all: what is not there has no manifest either, and its own name was what was wrong.
    let bytes =
        file::read(path, MOST_PACKAGE).map_err(|error| Error::Io(path.to_owned(), error))?;
    let beside = path.with_file_name(FILE_NAME);
    let manifest_path = manifest_path.unwrap_or(&beside);
    let manifest = output::manifest(manifest_path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let listed = manifest
        .packages
        .iter()
        .find(|package| Some(package.file.as_str()) == name)
        .ok_or_else(|| Error::Unlisted(path.to_owned(), manifest_path.to_owned()))?;

    let mut report = Report::default();
    if sha256(&bytes) != listed.sha256 {
        report.find(path, "changed");
    }
    let contents = contents(&bytes).map_err(|reason| Error::NoPackage(path.to_owned(), reason))?;
    compare_package(path, &contents, listed, &manifest, &mut report);
    Ok(report)
}

/// Reads a package of either format, whatever it is called.
fn contents(bytes: &[u8]) -> Result<Contents, String> {
    if bytes.starts_with(deb::MAGIC) {
        deb::read(bytes)
    } else {
        Parts::read(bytes)?.contents()
    }
}

/// Compares a package that was read with what the manifest says of it, and of its host.
fn compare_package(
    path: &Path,
    package: &Contents,
    listed: &Package,
    manifest: &Manifest,
    report: &mut Report,
) {
    for oddity in &package.oddities {
        report.find(path, oddity);
    }
    let said = &package.header;
    let version = format!("{}-{}", said.version, said.release);
    let called = if package.has_parents {
        format!("{}_{version}_{}.deb", said.name, said.arch)
    } else {
        format!("{}-{version}.{}.rpm", said.name, said.arch)
    };
    if called != listed.file {
        report.find(path, format_args!("it is {called}"));
    }
    let Some(recorded) = &listed.header else {
        let what = "the manifest does not say what it requires and runs, as manifests of today do: \
                    build it anew";
        return report.find(path, what);
    };
    compare_headers(path, said, recorded, report);
    is_ours(path, recorded, package.has_parents, manifest, report);
    match Host::ALL
        .into_iter()
        .find(|host| package_name(*host) == said.name)
    {
        Some(host) => compare_entries(path, package, manifest.listed(host), report),
        None => report.find(path, format_args!("its name is {}", said.name)),
    }
}

/// Compares what a package says of itself with what the manifest says of it.
fn compare_headers(path: &Path, said: &Header, recorded: &Header, report: &mut Report) {
    for (what, said, recorded) in [
        ("name", &said.name, &recorded.name),
        ("version", &said.version, &recorded.version),
        ("release", &said.release, &recorded.release),
        ("architecture", &said.arch, &recorded.arch),
    ] {
        if said != recorded {
            report.find(path, format_args!("{what} {said}, not {recorded}"));
        }
    }
    for (verb, said, recorded) in [
        ("require", &said.requires, &recorded.requires),
        ("provide", &said.provides, &recorded.provides),
    ] {
        for name in said.iter().filter(|name| !recorded.contains(name)) {
            report.find(path, format_args!("it {verb}s {name}: not in the manifest"));
        }
        for name in recorded.iter().filter(|name| !said.contains(name)) {
            report.find(path, format_args!("it does not {verb} {name}"));
        }
    }
    let by_time = |header: &Header| -> BTreeMap<String, (String, String)> {
        let scripts = header.scripts.iter().cloned();
        scripts
            .map(|script| (script.when, (script.program, script.text)))
            .collect()
    };
    let (mut said, recorded) = (by_time(said), by_time(recorded));
    for (when, script) in recorded {
        match said.remove(&when) {
            None => report.find(path, format_args!("its {when} script is missing")),
            Some(other) if other != script => {
                report.find(path, format_args!("its {when} script is changed"));
            }
            Some(_) => {}
        }
    }
    for when in said.keys() {
        report.find(
            path,
            format_args!("its {when} script is not in the manifest"),
        );
    }
}

/// Whether a package is what this program writes for the input that the manifest records, as far as
/// it can be told without building it anew. What a manifest of another version says can only be
/// read.
fn is_ours(
    path: &Path,
    recorded: &Header,
    is_debian: bool,
    manifest: &Manifest,
    report: &mut Report,
) {
    if manifest.generator != GENERATOR {
        report.note(format!(
            "note: {} wrote this, and this is {GENERATOR}: scripts and dependencies are compared \
             with the manifest alone: read them there",
            manifest.generator
        ));
        return;
    }
    let input = match manifest.input.known() {
        Ok(input) => input,
        Err(reason) => {
            let what =
                format_args!("the manifest's input is not as {GENERATOR} writes it: {reason}");
            return report.find(path, what);
        }
    };
    let version = input.package.version.as_str();
    let release = input.package.release.number().to_string();
    let host = Host::ALL
        .into_iter()
        .find(|host| package_name(*host) == recorded.name);
    // What is drawn in for app qubes is one of few names.
    let os = if is_debian { Os::Debian } else { Os::Fedora };
    let mut more = plan::possible_needs(os);
    more.retain(|name| host == Some(Host::Template) && recorded.requires.iter().any(|r| r == name));
    let ours = match host {
        None => return,
        Some(_) if is_debian => spec::deb_header(version, &release, &more),
        Some(host) => {
            let listed = manifest.listed(host).iter();
            let mut roles = listed.filter_map(|listed| listed.role);
            let has_config = roles.any(|role| role == crate::manifest::Role::Config);
            spec::rpm_header(host, version, &release, &more, has_config)
        }
    };
    if *recorded != ours {
        report.find(
            path,
            format_args!("the manifest has it require or run what {GENERATOR} does not write"),
        );
        let mut differences = Report::default();
        compare_headers(path, recorded, &ours, &mut differences);
        report.findings.extend(differences.findings);
    }
}

/// Compares the files of a package with those that the manifest lists for its host.
fn compare_entries(path: &Path, package: &Contents, all: &[Listed], report: &mut Report) {
    let mut wanted: BTreeMap<_, _> = all
        .iter()
        .map(|listed| (listed.path.as_str(), listed))
        .collect();
    let parents: BTreeSet<&Path> = all
        .iter()
        .flat_map(|listed| Path::new(&listed.path).ancestors().skip(1))
        .collect();
    for entry in &package.entries {
        let inside = &entry.path;
        let Some(listed) = wanted.remove(inside.as_str()) else {
            let is_parent = package.has_parents
                && entry.kind == read::Kind::Directory
                && parents.contains(Path::new(inside));
            if !is_parent {
                report.find(path, format_args!("{inside}: not in the manifest"));
            } else if (entry.mode, &*entry.user, &*entry.group) != (0o755, "root", "root") {
                report.find(path, format_args!("{inside}: not root's, of mode 0755"));
            }
            continue;
        };
        let mode = octal(entry.mode);
        if mode != listed.mode {
            let wanted = &listed.mode;
            report.find(path, format_args!("{inside}: mode {mode}, not {wanted}"));
        }
        if entry.user != listed.user || entry.group != listed.group {
            report.find(
                path,
                format_args!(
                    "{inside}: owner {}:{}, not {}:{}",
                    entry.user, entry.group, listed.user, listed.group
                ),
            );
        }
        let same = match (&entry.kind, listed.kind) {
            (read::Kind::File { sha256 }, Kind::File) => Some(sha256) == listed.sha256.as_ref(),
            (read::Kind::Directory, Kind::Directory) => true,
            (read::Kind::Ghost { target }, Kind::Ghost) => Some(target) == listed.target.as_ref(),
            _ => false,
        };
        if !same {
            report.find(path, format_args!("{inside}: changed"));
        }
        // dpkg knows of configuration alone.
        let config = crate::manifest::Role::Config;
        let listed_role = listed
            .role
            .filter(|role| !package.has_parents || *role == config);
        if entry.role != listed_role {
            report.find(
                path,
                format_args!("{inside}: flags of another kind of file"),
            );
        }
    }
    for missing in wanted.keys() {
        report.find(path, format_args!("{missing}: missing"));
    }
}

/// Checks the digests of every RPM package of a directory, and that this key signed it, as dom0
/// would. What a package is, its name or its first bytes say; no manifest does. A Debian package
/// has no signature of its own.
///
/// # Errors
/// If the directory cannot be read, or has no RPM package.
pub fn signatures(path: &Path, key: &Certificate) -> Result<Report, Error> {
    let io = |error| Error::Io(path.to_owned(), error);
    let folder = Folder::open(path).map_err(io)?;
    let mut report = Report::default();
    let mut signed = 0;
    for (inside, node) in folder.walk().map_err(io)? {
        if node.kind != FileType::RegularFile {
            continue;
        }
        let start = folder.start(&inside).map_err(io)?;
        let path = path.join(&inside);
        if start == rpm::MAGIC || path.extension().is_some_and(|extension| extension == "rpm") {
            signed += 1;
            match folder.read(&inside, MOST_PACKAGE) {
                Ok(bytes) => check(&path, &bytes, key, &mut report),
                Err(error) => report.find(&path, error),
            }
        } else if is_debian(&path) || start == deb::MAGIC[..4] {
            report.note(printable(&format!(
                "note: {}: a Debian package has no signature",
                path.display()
            )));
        }
    }
    if signed == 0 {
        return Err(Error::NoPackages(path.to_owned()));
    }
    Ok(report)
}

/// The same of one RPM package.
///
/// # Errors
/// If it cannot be read.
pub fn signature(path: &Path, key: &Certificate) -> Result<Report, Error> {
    let bytes =
        file::read(path, MOST_PACKAGE).map_err(|error| Error::Io(path.to_owned(), error))?;
    // A file that is no package at all is a wrong argument.
    Parts::read(&bytes).map_err(|reason| Error::NoPackage(path.to_owned(), reason))?;
    let mut report = Report::default();
    check(path, &bytes, key, &mut report);
    Ok(report)
}

fn check(path: &Path, bytes: &[u8], key: &Certificate, report: &mut Report) {
    match Parts::read(bytes) {
        Ok(parts) => {
            for finding in parts.findings(key) {
                report.find(path, finding);
            }
        }
        Err(reason) => report.find(path, format_args!("it is not an RPM package: {reason}")),
    }
}

/// Whether a package is Debian's, by its name.
fn is_debian(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "deb")
}
