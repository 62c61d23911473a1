// SPDX-License-Identifier: MIT OR Apache-2.0

//! `MANIFEST.json`: what was generated, from what, file by file.

mod input;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use input::{Input, Record, ServerRecord};

use crate::model::Deployment;
use crate::plan::Plan;
use crate::read::printable;
use crate::tree::{self, Content, Entry, Host, HostPath, sha256};

/// The manifest's file name.
pub const FILE_NAME: &str = "MANIFEST.json";

/// The manifest of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form, which is that of `input` too: [`FORMAT`].
    pub format: u32,
    /// The program that wrote it, with its version.
    pub generator: String,
    /// The time that files and packages carry, in seconds since 1970.
    pub source_date_epoch: u32,
    /// The configuration with all its defaults. A fixed token is not shown.
    pub input: Input,
    /// What the dom0 package brings.
    pub dom0: Vec<Listed>,
    /// What the template package brings.
    pub template: Vec<Listed>,
    /// The spec files beside this manifest, with which rpmbuild makes the same packages.
    #[serde(default)]
    pub specs: Vec<Package>,
    /// The packages beside this manifest.
    pub packages: Vec<Package>,
}

/// The version of the form that this program writes and reads.
pub const FORMAT: u32 = 1;

/// A manifest as far as each of its versions is alike.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

fn other_form(format: u32) -> String {
    format!("its form is {format}, not {FORMAT}")
}

/// The kind of a listed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A path that the package owns and does not bring.
    Ghost,
}

/// What a package manager is told of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Configuration that an upgrade leaves as the user changed it.
    Config,
    /// Documentation.
    Doc,
    /// A licence.
    License,
}

impl Role {
    fn of(role: tree::Role) -> Option<Self> {
        match role {
            tree::Role::Plain => None,
            tree::Role::Config => Some(Role::Config),
            tree::Role::Doc => Some(Role::Doc),
            tree::Role::License => Some(Role::License),
        }
    }
}

/// One path of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The absolute path on the host.
    pub path: String,
    /// What is there.
    pub kind: Kind,
    /// Permission bits, in octal.
    pub mode: String,
    /// The owner.
    pub user: String,
    /// The owning group.
    pub group: String,
    /// Bytes, of a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// SHA-256 in hexadecimal, of a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// What the package manager is told of a file, if anything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// What a ghost leads to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
}

impl Listed {
    fn new(path: &HostPath, entry: &Entry) -> Self {
        Listed {
            path: path.to_string(),
            kind: match entry.content {
                Content::Directory => Kind::Directory,
                Content::File(..) => Kind::File,
                Content::Ghost(_) => Kind::Ghost,
            },
            mode: octal(u32::from(entry.mode)),
            user: entry.user.to_owned(),
            group: entry.group.to_owned(),
            size: entry.bytes().map(|bytes| bytes.len() as u64),
            sha256: entry.bytes().map(sha256),
            role: match entry.content {
                Content::File(_, role) => Role::of(role),
                Content::Directory | Content::Ghost(_) => None,
            },
            target: match entry.content {
                Content::Ghost(target) => Some(target.to_owned()),
                Content::Directory | Content::File(..) => None,
            },
        }
    }
}

/// One package or spec file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its file name.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// What the package says of itself, beside its files; none of a spec file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub header: Option<Header>,
}

/// What a package says of itself and runs. Whatever of this kind is not here, such as a trigger or
/// a conflict, it does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// The architectures that it is for.
    pub arch: String,
    /// What it requires, sorted, as `rpm -qpR` shows it, or Debian's `Depends`.
    pub requires: Vec<String>,
    /// What it provides, sorted.
    pub provides: Vec<String>,
    /// What it runs, and when.
    pub scripts: Vec<Script>,
}

/// A script of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// When it runs: `post-install` or `pre-uninstall`.
    pub when: String,
    /// What runs it.
    pub program: String,
    /// Its text.
    pub text: String,
}

impl Package {
    /// What is said of a spec file.
    pub fn new(file: String, bytes: &[u8]) -> Self {
        Package {
            file,
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            header: None,
        }
    }

    /// What is said of a package.
    pub fn with_header(file: String, bytes: &[u8], header: Header) -> Self {
        Package {
            header: Some(header),
            ..Package::new(file, bytes)
        }
    }
}

/// The program that writes manifests, with its version.
pub const GENERATOR: &str = concat!("openclaw-formula ", env!("CARGO_PKG_VERSION"));

/// The most values that a manifest has, by the commas between them: each takes far more room than
/// it has characters.
const MOST_VALUES: usize = 1_000_000;

impl Manifest {
    /// The manifest of what was planned and packaged.
    pub fn new(
        deployment: &Deployment,
        source_date_epoch: u32,
        plan: &Plan,
        specs: Vec<Package>,
        packages: Vec<Package>,
    ) -> Self {
        let list = |host| {
            plan.tree(host)
                .iter()
                .map(|(path, entry)| Listed::new(path, entry))
                .collect()
        };
        Manifest {
            format: FORMAT,
            generator: GENERATOR.to_owned(),
            source_date_epoch,
            input: Input::of(deployment),
            dom0: list(Host::Dom0),
            template: list(Host::Template),
            specs,
            packages,
        }
    }

    /// Reads the text of a manifest, which may be anybody's.
    ///
    /// # Errors
    /// If it is not of the form that this version writes, or has a name that would lead elsewhere
    /// or does not show; with the reason.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if text.iter().filter(|byte| **byte == b',').count() > MOST_VALUES {
            return Err("it has too many values".to_owned());
        }
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| {
            // Another form is the reason for whatever else is wrong.
            match serde_json::from_slice(text) {
                Ok(Form { format }) if format != FORMAT => other_form(format),
                _ => printable(&error.to_string()),
            }
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(other_form(self.format));
        }
        if !is_line(&self.generator) {
            return Err(format!("{:?} is no name of a program", self.generator));
        }
        for host in Host::ALL {
            let mut paths = BTreeSet::new();
            for listed in self.listed(host) {
                if let Err(what) = listed.check() {
                    return Err(format!("{:?}: {what}", listed.path));
                }
                if !paths.insert(&listed.path) {
                    return Err(format!("{:?} is in it twice", listed.path));
                }
            }
        }
        let mut files = BTreeSet::new();
        for (package, folder) in self
            .specs
            .iter()
            .map(|spec| (spec, "rpmspec/"))
            .chain(self.packages.iter().map(|package| (package, "")))
        {
            let name = package.file.strip_prefix(folder);
            if !name.is_some_and(is_file_name) || !is_sha256(&package.sha256) {
                return Err(format!(
                    "{:?} is no file name with its sum: letters, digits and ._+~^- only",
                    package.file
                ));
            }
            if !files.insert(&package.file) {
                return Err(format!("{:?} is in it twice", package.file));
            }
        }
        Ok(())
    }

    /// What the manifest says of a host.
    pub fn listed(&self, host: Host) -> &[Listed] {
        match host {
            Host::Dom0 => &self.dom0,
            Host::Template => &self.template,
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is representable") + "\n"
    }
}

impl Listed {
    fn check(&self) -> Result<(), &'static str> {
        let is_octal = |byte: u8| matches!(byte, b'0'..=b'7');
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            (1..=32).contains(&name.len()) && name.bytes().all(plain)
        };
        let has_sum = self.sha256.as_deref().is_some_and(is_sha256);
        if HostPath::new(self.path.as_str()).is_err() {
            Err("it is no absolute path of letters, digits and ._-@+")
        } else if self.mode.len() != 4 || !self.mode.bytes().all(is_octal) {
            Err("its mode is not four octal digits")
        } else if !is_name(&self.user) || !is_name(&self.group) {
            Err("its owner is no name")
        } else if has_sum != (self.kind == Kind::File) || self.sha256.is_some() != has_sum {
            Err("a file has a sum, and nothing else has one")
        } else if self.target.is_some() && self.kind != Kind::Ghost {
            Err("only a ghost leads elsewhere")
        } else {
            Ok(())
        }
    }
}

/// A name of a file: nothing that leads elsewhere, and nothing that does not show.
fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~^-".contains(&byte);
    (1..=255).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(plain)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_line(text: &str) -> bool {
    text.len() <= 100 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Permission bits as they are written: four octal digits.
pub fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_form_is_told_from_a_wrong_one() {
        let parse = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err();
        let good = r#"{"format": 1, "generator": "", "source_date_epoch": 0, "input": {},
            "dom0": [], "template": [], "packages": []}"#;
        assert!(Manifest::parse(good.as_bytes()).is_ok());
        let later = good.replace("\"format\": 1", "\"format\": 2");
        assert_eq!(parse(&later), "its form is 2, not 1");
        // Whatever else is new in it.
        let more = later.replace("\"dom0\"", "\"servers\": [], \"dom0\"");
        assert_eq!(parse(&more), "its form is 2, not 1");
        let wrong = more.replace("\"format\": 2", "\"format\": 1");
        assert!(parse(&wrong).starts_with("unknown field `servers`"));
    }
}
