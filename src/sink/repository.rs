// SPDX-License-Identifier: MIT OR Apache-2.0

//! A dnf repository: packages, metadata by createrepo_c, signatures, and what those need who use
//! it. An update appears whole or not at all, and keeps every package that was there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use minijinja::context;

use super::directory::{self, At, Staging};
use super::former::{Former, New};
use super::place::Held;
use crate::model::{Release, Version};
use crate::openpgp::{self, Certificate, Signer};
use crate::plan::package_name;
use crate::read::file::{Folder, MOST_KEY, MOST_PACKAGE};
use crate::read::printable;
use crate::read::rpm::Parts;
use crate::read::walk;
use crate::refusal::Refusal;
use crate::render::Renderer;
use crate::tree::Host;

/// What users put into `/etc/yum.repos.d/`.
pub const REPO_FILE: &str = "openclaw-formula.repo";

/// The public key. Qubes hands keys of such a name on to the qube that downloads for dom0
/// (`qubes-dom0-update`).
pub const KEY_FILE: &str = "RPM-GPG-KEY-openclaw-formula";

/// Where createrepo_c writes.
const METADATA: &str = "repodata";
const INDEX: &str = "repodata/repomd.xml";
const SIGNATURE: &str = "repodata/repomd.xml.asc";

/// Why there is no repository.
#[derive(Debug)]
pub enum Error {
    /// What is there, or was asked for, breaks a rule.
    Refused(Refusal),
    /// It could not be signed.
    Signing(openpgp::Error),
    /// It could not be written.
    Directory(directory::Error),
    /// createrepo_c failed.
    Createrepo(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<directory::Error> for Error {
    fn from(error: directory::Error) -> Self {
        Error::Directory(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(refusal) => refusal.fmt(f),
            Error::Signing(error) => error.fmt(f),
            Error::Directory(error) => error.fmt(f),
            Error::Createrepo(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Refused(refusal) => refusal.source(),
            Error::Signing(error) => error.source(),
            Error::Directory(error) => error.source(),
            Error::Createrepo(_) => None,
        }
    }
}

/// Where a repository is found: an address that means itself in dnf's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// Checks an address.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn new(text: &str) -> Result<Self, Error> {
        let rest = ["https://", "http://", "file:///"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._/@:+-".contains(c);
        match rest {
            Some(rest) if !rest.is_empty() && rest.chars().all(plain) => Ok(Url(text.to_owned())),
            _ => Err(Refusal::new(
                format!("\"{}\" is no address of a repository", text.escape_debug()),
                "the address begins with https://, http:// or file:///, and has letters, digits \
                 and ._/@:+- only",
                "write one as in `--repo-url https://example.org/openclaw`",
            )
            .into()),
        }
    }

    /// The address of a directory on this machine.
    fn of(directory: &Path) -> Result<Self, Error> {
        let absolute = std::path::absolute(directory).at(directory)?;
        Url::new(&format!("file://{}", absolute.display()))
    }
}

/// A repository that is there, or is begun.
pub struct Repository<'a> {
    held: Held,
    /// What signs its metadata, and signed its packages.
    signer: &'a Signer,
    /// The packages that are there, by their file names.
    packages: BTreeMap<String, Vec<u8>>,
}

impl<'a> Repository<'a> {
    /// Reads what is there.
    ///
    /// # Errors
    /// If it is no repository of the key that signs.
    pub fn open(held: Held, signer: &'a Signer) -> Result<Self, Error> {
        Ok(Repository {
            packages: existing(held.place().shown(), signer.certificate())?,
            held,
            signer,
        })
    }

    /// Adds packages, each with its file name, to those that are there, which stay as they are;
    /// none is to clash with one of them ([`Former::clash`]). Others find it at `url`, or where its
    /// `.repo` file says already, or at its path; its metadata carries the time
    /// `source_date_epoch`. What is there stays as it is until the result is published.
    ///
    /// # Errors
    /// If something could not be written.
    pub fn stage(
        self,
        packages: &[(String, Vec<u8>)],
        url: Option<Url>,
        source_date_epoch: u32,
    ) -> Result<Staging, Error> {
        let directory = self.held.place().shown();
        let url = match url {
            Some(url) => url,
            None => match url_of(directory)? {
                Some(url) => url,
                None => Url::of(directory)?,
            },
        };
        let mut all = self.packages;
        for (file, bytes) in packages {
            // gpg's signatures differ each time; the former one is as good.
            all.entry(file.clone()).or_insert_with(|| bytes.clone());
        }

        let staging = Staging::begin(self.held, source_date_epoch)?;
        for (file, bytes) in &all {
            staging.file(file, bytes, 0o644)?;
        }
        createrepo(staging.path(), source_date_epoch)?;
        tidy(&staging.path().join(METADATA), staging.time())?;
        let index = staging.path().join(INDEX);
        let index = fs::read(&index).at(&index)?;
        let signature = self
            .signer
            .sign_text(&index, source_date_epoch)
            .map_err(Error::Signing)?;
        staging.file(SIGNATURE, signature.as_bytes(), 0o644)?;
        let key = self.signer.certificate();
        staging.file(KEY_FILE, key.to_armor().as_bytes(), 0o644)?;
        let template = format!("templates/repo/{REPO_FILE}");
        let text = Renderer::new().render(&template, context! { url => url.0 });
        staging.file(REPO_FILE, text.as_bytes(), 0o644)?;
        Ok(staging)
    }
}

impl Former for Repository<'_> {
    fn latest(&self, version: &Version) -> Option<Release> {
        let release_of = |file: &str| {
            Host::ALL.into_iter().find_map(|host| {
                let prefix = format!("{}-{}-", package_name(host), version.as_str());
                let release = file.strip_prefix(&prefix)?.strip_suffix(".noarch.rpm")?;
                Release::new(release.parse().ok()?).ok()
            })
        };
        self.packages
            .keys()
            .filter_map(|file| release_of(file))
            .max()
    }

    fn clash(&self, new: New) -> Option<PathBuf> {
        let (file, _) = new.rpms.iter().find(|(file, bytes)| {
            let before = self.packages.get(file);
            before.is_some_and(|before| !same_contents(before, bytes))
        })?;
        Some(self.held.place().shown().join(file))
    }
}

fn not_ours(problem: String) -> Error {
    Error::Refused(Refusal::new(
        problem,
        "--repo names a new or empty folder, or a repository of the same key that this program \
         wrote, with nothing else in it: its metadata speaks for each package",
        "name another folder, or sign with the key of this one",
    ))
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// The packages of a repository, by their file names; none if there is no repository yet.
fn existing(directory: &Path, key: &Certificate) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let nodes = match walk::inside(directory) {
        Ok(nodes) => nodes,
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(not_ours(format!("{} is no folder", directory.display())));
        }
        Err(error) => return Err(error).at(directory).map_err(Error::from),
    };
    let mut packages = BTreeMap::new();
    if nodes.is_empty() {
        return Ok(packages);
    }
    let folder = Folder::open(directory).at(directory)?;
    let read = |name: &str, most: u64| {
        folder.read(Path::new(name), most).map_err(|error| {
            let path = directory.join(name);
            not_ours(format!("{}: {error}", shown(&path)))
        })
    };
    key.check_text(&read(SIGNATURE, MOST_KEY)?, &read(INDEX, MOST_KEY)?)
        .map_err(|reason| {
            let path = directory.join(SIGNATURE);
            not_ours(format!("{}: {reason}", path.display()))
        })?;
    for name in nodes.into_keys() {
        let name = name.to_string_lossy().into_owned();
        if [METADATA, KEY_FILE, REPO_FILE].contains(&name.as_str()) {
            continue;
        }
        let path = directory.join(&name);
        if !name.ends_with(".rpm") {
            return Err(not_ours(format!("{}: not ours", shown(&path))));
        }
        let bytes = read(&name, MOST_PACKAGE)?;
        let findings = match Parts::read(&bytes) {
            Ok(parts) => parts.findings(key),
            Err(reason) => vec![reason],
        };
        if let Some(finding) = findings.first() {
            return Err(not_ours(format!("{}: {finding}", shown(&path))));
        }
        packages.insert(name, bytes);
    }
    Ok(packages)
}

/// What the repository's own `.repo` file says, if it is there.
fn url_of(directory: &Path) -> Result<Option<Url>, Error> {
    let path = directory.join(REPO_FILE);
    let folder = match Folder::open(directory) {
        Ok(folder) => folder,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at(directory).map_err(Error::from),
    };
    match folder.read(Path::new(REPO_FILE), MOST_KEY) {
        Ok(text) => String::from_utf8_lossy(&text)
            .lines()
            .find_map(|line| line.strip_prefix("baseurl="))
            .map(Url::new)
            .transpose(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at(&path).map_err(Error::from),
    }
}

/// Whether two packages differ in their signatures at most.
fn same_contents(one: &[u8], other: &[u8]) -> bool {
    match (Parts::read(one), Parts::read(other)) {
        (Ok(one), Ok(other)) => one.signed() == other.signed(),
        _ => false,
    }
}

/// Has the metadata written, for every dnf that Qubes has.
fn createrepo(directory: &Path, time: u32) -> Result<(), Error> {
    const PROGRAM: &str = "createrepo_c";
    let output = Command::new(PROGRAM)
        .args(["--quiet", "--no-database", "--checksum=sha256"])
        .arg("--general-compress-type=gz")
        .arg(format!("--revision={time}"))
        .arg("--set-timestamp-to-revision")
        .arg(directory)
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Createrepo(format!(
                "{PROGRAM} is not there\nhelp: install it: Fedora and Debian have it as \
                 createrepo_c and createrepo-c"
            )),
            _ => Error::Createrepo(format!("{PROGRAM}: {error}")),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Createrepo(format!(
        "{PROGRAM}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    )))
}

/// Gives what another program wrote the modes and the time of everything else.
fn tidy(folder: &Path, time: SystemTime) -> Result<(), Error> {
    let tidy = || -> io::Result<()> {
        for name in walk::inside(folder)?.into_keys() {
            let path = folder.join(name);
            fs::set_permissions(&path, Permissions::from_mode(0o644))?;
            File::open(&path)?.set_modified(time)?;
        }
        fs::set_permissions(folder, Permissions::from_mode(0o755))
    };
    Ok(tidy().at(folder)?)
}
