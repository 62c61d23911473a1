// SPDX-License-Identifier: MIT OR Apache-2.0

//! `MANIFEST.json`: what was generated, from what, file by file.

use serde::{Deserialize, Serialize};

use crate::model::Deployment;
use crate::plan::Plan;
use crate::tree::{Content, Entry, Host, HostPath, sha256};

/// The manifest's file name.
pub const FILE_NAME: &str = "MANIFEST.json";

/// The manifest of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form, 1.
    pub format: u32,
    /// The program that wrote it, with its version.
    pub generator: String,
    /// The time that files and packages carry, in seconds since 1970.
    pub source_date_epoch: u32,
    /// The configuration with all its defaults. A fixed token is not shown.
    pub input: serde_json::Value,
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
}

impl Package {
    /// What is said of a package's file.
    pub fn new(file: String, bytes: &[u8]) -> Self {
        Package {
            file,
            size: bytes.len() as u64,
            sha256: sha256(bytes),
        }
    }
}

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
            format: 1,
            generator: concat!("openclaw-formula ", env!("CARGO_PKG_VERSION")).to_owned(),
            source_date_epoch,
            input: serde_json::to_value(deployment).expect("a deployment is representable"),
            dom0: list(Host::Dom0),
            template: list(Host::Template),
            specs,
            packages,
        }
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

/// Permission bits as they are written: four octal digits.
pub fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}
