// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a package says of itself, whatever its format.

use serde::{Deserialize, Serialize};

use crate::manifest::{Header, Script};
use crate::plan::package_name;
use crate::tree::Host;

/// A file of `rpmspec/`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all(deserialize = "kebab-case"))]
pub(super) struct Spec {
    pub summary: String,
    pub description: String,
    pub group: String,
    pub packager: String,
    /// Packages, each alone or with ` >= ` and a version.
    pub requires: Vec<String>,
    pub post_install: Option<String>,
    pub pre_uninstall: Option<String>,
    pub changelog: Vec<Change>,
}

/// One entry of a package's changelog.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    pub version: String,
    /// Its day, as spec files have it.
    pub day: String,
    /// The noon of that day, in seconds since 1970.
    pub time: u32,
    pub text: String,
}

impl Spec {
    pub fn of(host: Host) -> Self {
        let text = match host {
            Host::Dom0 => include_str!("../../rpmspec/dom0.toml"),
            Host::Template => include_str!("../../rpmspec/template.toml"),
        };
        toml::from_str(text).expect("the files in rpmspec/ are in order")
    }
}

/// What an RPM requires of rpm itself: names in two parts, SHA-256 of files, paths with a dot.
const RPM_FEATURES: [&str; 3] = [
    "rpmlib(CompressedFileNames) <= 3.0.4-1",
    "rpmlib(FileDigests) <= 4.6.0-1",
    "rpmlib(PayloadFilesHavePrefix) <= 4.0-1",
];

/// What the RPM of a host says of itself. `more` is what it requires beyond its file in `rpmspec/`.
pub(crate) fn rpm_header(
    host: Host,
    version: &str,
    release: &str,
    more: &[&str],
    has_config: bool,
) -> Header {
    let spec = Spec::of(host);
    let name = package_name(host);
    let itself = format!("{name} = {version}-{release}");
    let config = has_config.then(|| format!("config({name}) = {version}-{release}"));
    let scripts = [
        ("post-install", spec.post_install),
        ("pre-uninstall", spec.pre_uninstall),
    ];
    let scripts: Vec<_> = scripts
        .into_iter()
        .filter_map(|(when, text)| {
            Some(Script {
                when: when.to_owned(),
                program: SHELL.to_owned(),
                text: text?.trim().to_owned(),
            })
        })
        .collect();
    let shell = (!scripts.is_empty()).then(|| SHELL.to_owned());
    let named = more
        .iter()
        .chain(&RPM_FEATURES)
        .map(|name| (*name).to_owned());
    let requires = spec.requires.into_iter().chain(named).chain(shell);
    Header {
        name,
        version: version.to_owned(),
        release: release.to_owned(),
        arch: "noarch".to_owned(),
        requires: sorted(requires.chain(config.clone())),
        provides: sorted(config.into_iter().chain([itself])),
        scripts,
    }
}

/// What runs scripts.
pub(super) const SHELL: &str = "/bin/sh";

/// What the template's Debian package says of itself. `more` is what it depends on beyond its file
/// in `rpmspec/`.
pub(crate) fn deb_header(version: &str, release: &str, more: &[&str]) -> Header {
    let more = more.iter().map(|name| (*name).to_owned());
    Header {
        name: package_name(Host::Template),
        version: version.to_owned(),
        release: release.to_owned(),
        arch: "all".to_owned(),
        requires: sorted(Spec::of(Host::Template).requires.into_iter().chain(more)),
        provides: Vec::new(),
        scripts: Vec::new(),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
