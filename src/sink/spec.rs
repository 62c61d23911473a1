// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a package says of itself, whatever its format.

use serde::{Deserialize, Serialize};

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
