// SPDX-License-Identifier: MIT OR Apache-2.0

//! A dnf repository: packages, metadata by createrepo_c, signatures, and what those need who use
//! it. An update appears whole or not at all, and keeps every package that was there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use minijinja::context;

use super::directory::{self, At, Staging};
use super::place::Held;
use crate::openpgp::{self, Certificate, Signer};
use crate::read::file::{Folder, MOST_KEY, MOST_PACKAGE};
use crate::read::printable;
use crate::read::rpm::Parts;
use crate::read::walk;
use crate::refusal::Refusal;
use crate::render::Renderer;

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

/// A repository to be written.
pub struct Repository<'a> {
    /// Where it is.
    pub held: Held,
    /// Where others find it; what its `.repo` file says already, or its path, if not given.
    pub url: Option<Url>,
    /// What signs its metadata, and signed its packages.
    pub signer: &'a Signer,
    /// The time that its metadata carries.
    pub source_date_epoch: u32,
}

impl Repository<'_> {
    /// Adds packages, each with its file name, to those that are there, or begins with them. What
    /// is there stays as it is until the result is published.
    ///
    /// # Errors
    /// If what is there is no repository of this key, a package is there in another form, or
    /// something could not be written.
    pub fn stage(self, packages: &[(String, Vec<u8>)]) -> Result<Staging, Error> {
        let key = self.signer.certificate();
        let directory = self.held.place().shown().to_owned();
        let mut all = existing(&directory, key)?;
        let url = match self.url {
            Some(url) => url,
            None => match url_of(&directory)? {
                Some(url) => url,
                None => Url::of(&directory)?,
            },
        };
        for (file, bytes) in packages {
            match all.get(file) {
                None => {
                    all.insert(file.clone(), bytes.clone());
                }
                // gpg's signatures differ each time; the former one is as good.
                Some(before) if same_contents(before, bytes) => {}
                Some(_) => {
                    return Err(Refusal::new(
                        format!(
                            "{}: there is another package of that version and release",
                            directory.join(file).display()
                        ),
                        "a version and release is published once: who has it would never be \
                         offered the other",
                        "raise `release` in the configuration",
                    )
                    .into());
                }
            }
        }

        let staging = Staging::beside(self.held, self.source_date_epoch)?;
        for (file, bytes) in &all {
            staging.file(file, bytes, 0o644)?;
        }
        createrepo(staging.path(), self.source_date_epoch)?;
        tidy(&staging.path().join(METADATA), staging.time())?;
        let index = staging.path().join(INDEX);
        let index = fs::read(&index).at(&index)?;
        let signature = self
            .signer
            .sign_text(&index, self.source_date_epoch)
            .map_err(Error::Signing)?;
        staging.file(SIGNATURE, signature.as_bytes(), 0o644)?;
        staging.file(KEY_FILE, key.to_armor().as_bytes(), 0o644)?;
        let template = format!("templates/repo/{REPO_FILE}");
        let text = Renderer::new().render(&template, context! { url => url.0 });
        staging.file(REPO_FILE, text.as_bytes(), 0o644)?;
        Ok(staging)
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
