// SPDX-License-Identifier: MIT OR Apache-2.0

//! A tree as a spec file, with which `rpmbuild` makes the same package of the files in a folder.

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::spec::Spec;
use crate::manifest::octal;
use crate::model::PackageVersion;
use crate::plan::{Plan, package_name};
use crate::render::Renderer;
use crate::tree::{Content, Entry, Host, HostPath, Role};

/// Where the spec file of a host goes, below the folder with its tree.
pub fn path(host: Host) -> String {
    format!("rpmspec/{}.spec", package_name(host))
}

/// A line of `%files`.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    /// rpm's word for it, or `file`.
    kind: &'static str,
    /// Of a link.
    target: &'static str,
    mode: String,
    user: &'static str,
    group: &'static str,
}

impl<'a> Line<'a> {
    fn new(path: &'a HostPath, entry: &Entry) -> Self {
        let (kind, target) = match &entry.content {
            Content::Directory => ("dir", ""),
            Content::Ghost(target) => ("ghost", *target),
            Content::File(_, Role::Plain) => ("file", ""),
            Content::File(_, Role::Config) => ("config", ""),
            Content::File(_, Role::Doc) => ("doc", ""),
            Content::File(_, Role::License) => ("license", ""),
        };
        Line {
            path: path.as_str(),
            kind,
            target,
            mode: octal(entry.mode.into()),
            user: entry.user,
            group: entry.group,
        }
    }
}

/// The spec file of a host's package.
pub fn text(host: Host, plan: &Plan, version: &PackageVersion) -> String {
    let spec = Spec::of(host);
    let requires: Vec<_> = spec
        .requires
        .iter()
        .map(String::as_str)
        .chain(plan.requires(host).iter().copied())
        .collect();
    let entries: Vec<_> = plan
        .tree(host)
        .iter()
        .map(|(path, entry)| Line::new(path, entry))
        .collect();
    let context = context! {
        name => package_name(host),
        host => host.name(),
        version => version.version.as_str(),
        release => version.release.number(),
        spec => Serde(&spec),
        requires => Serde(&requires),
        entries => Serde(&entries),
    };
    Renderer::new().render("rpmspec/package.spec", context)
}
