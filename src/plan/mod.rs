// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which files a deployment means, host by host. Pure: nothing is read or written.

mod distribution;
mod formula;
mod policy;
pub mod reach;
mod view;

pub use distribution::possible_needs;

use crate::model::{Deployment, Os, PackageVersion};
use crate::openclaw;
use crate::provider;
use crate::render::{Renderer, embedded};
use crate::tree::{FileTree, Host, Role};

/// The formula's name, which is that of its states, its top and its folder.
pub const FORMULA: &str = "openclaw";

/// Where the formula lands in dom0, as Qubes' own formulas do.
const FORMULA_ROOT: &str = "/srv/formulas/base/openclaw-formula";

/// The link by which `qubesctl top.enable openclaw` enables the formula's top, and what it leads
/// to (qubes-mgmt-salt-base-topd).
const TOP_LINK: &str = "/srv/salt/_tops/base/openclaw.top";
const TOP: &str = "/srv/formulas/base/openclaw-formula/openclaw/init.top";

/// The name of a host's package.
pub fn package_name(host: Host) -> String {
    format!("openclaw-formula-{}", host.name())
}

/// The file name of the template's Debian package.
pub fn debian_package_file(version: &PackageVersion) -> String {
    format!("{}_{version}_all.deb", package_name(Host::Template))
}

/// The file name of a host's RPM, which dom0's updater accepts: letters, digits and
/// `._+^~-`, at most 255 of them (`qubes-receive-updates`).
pub fn package_file(host: Host, version: &PackageVersion) -> String {
    format!("{}-{version}.noarch.rpm", package_name(host))
}

/// The trees of both hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the dom0 package brings.
    pub dom0: FileTree,
    /// What the template package brings.
    pub template: FileTree,
    /// What a Fedora template needs: names of packages, and paths.
    fedora_needs: Vec<&'static str>,
    /// The packages that a Debian template needs, where an app qube has one.
    debian_needs: Vec<&'static str>,
}

impl Plan {
    /// The plan of a deployment.
    pub fn new(deployment: &Deployment) -> Self {
        let renderer = Renderer::new();
        let examples = openclaw::examples(provider::known(deployment).map(|(it, _)| it));

        let mut dom0 = FileTree::default();
        formula::add(&mut dom0, &renderer, deployment, &examples);
        dom0.own_directories(FORMULA_ROOT, 0o750);
        dom0.file(
            "/etc/salt/minion.d/formula-openclaw.conf",
            formula::with_origin(embedded(
                "templates/dom0/etc/salt/minion.d/formula-openclaw.conf",
            )),
            0o644,
            Role::Config,
        );
        dom0.ghost(TOP_LINK, TOP);
        documents(&mut dom0, Host::Dom0);

        let mut template = FileTree::default();
        for (name, text) in &examples {
            let path = format!("{}/examples/{name}", doc_root(Host::Template));
            template.file(&path, text.as_str(), 0o644, Role::Doc);
        }
        documents(&mut template, Host::Template);

        Plan {
            dom0,
            template,
            fedora_needs: distribution::template_needs(deployment, Os::Fedora),
            debian_needs: distribution::template_needs(deployment, Os::Debian),
        }
    }

    /// What a host's RPM requires beyond what its file in `rpmspec/` names: names of packages,
    /// and paths.
    pub fn requires(&self, host: Host) -> &[&'static str] {
        match host {
            Host::Dom0 => &[],
            Host::Template => &self.fedora_needs,
        }
    }

    /// The packages that the template's Debian package depends on beyond what its file in
    /// `rpmspec/` names. None if no app qube has a Debian template: there is no such package then.
    pub fn depends(&self) -> &[&'static str] {
        &self.debian_needs
    }

    /// The tree of a host.
    pub fn tree(&self, host: Host) -> &FileTree {
        match host {
            Host::Dom0 => &self.dom0,
            Host::Template => &self.template,
        }
    }
}

fn doc_root(host: Host) -> String {
    format!("/usr/share/doc/{}", package_name(host))
}

/// The documentation and licences that every package has.
fn documents(tree: &mut FileTree, host: Host) {
    let doc = doc_root(host);
    let readme = embedded(match host {
        Host::Dom0 => "templates/doc/dom0.md",
        Host::Template => "templates/doc/template.md",
    });
    tree.file(&format!("{doc}/README.md"), readme, 0o644, Role::Doc);
    let changelog = include_str!("../../CHANGELOG.md");
    tree.file(&format!("{doc}/CHANGELOG.md"), changelog, 0o644, Role::Doc);
    tree.own_directories(&doc, 0o755);

    let licenses = format!("/usr/share/licenses/{}", package_name(host));
    for (name, text) in [
        ("LICENSE-APACHE", include_str!("../../LICENSE-APACHE")),
        ("LICENSE-MIT", include_str!("../../LICENSE-MIT")),
    ] {
        tree.file(&format!("{licenses}/{name}"), text, 0o644, Role::License);
    }
    tree.own_directories(&licenses, 0o755);
}
