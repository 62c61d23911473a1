// SPDX-License-Identifier: MIT OR Apache-2.0

//! The programs that a server needs from its distribution, and the packages that bring them.

use crate::model::{Class, Deployment, Os, Server, release_of};
use crate::provider::{self, Need};

/// What every server needs from the distribution.
static NEEDS: [Need; 4] = [
    Need::of_all("/usr/bin/curl", "curl", "curl", "curl"),
    Need::of_all("/usr/bin/socat", "socat", "socat", "socat"),
    Need::of_all("/usr/bin/npm", "/usr/bin/npm", "npm", "nodejs-npm"),
    Need::of_all("/usr/sbin/nft", "nftables", "nftables", "nftables"),
];

/// What makes the gateway's certificate.
static OPENSSL: Need = Need::of_all("/usr/bin/openssl", "openssl", "openssl", "openssl");

fn is_fedora_44(server: &Server) -> bool {
    release_of(&server.template).is_some_and(|release| release >= 44)
}

/// The packages that a server installs.
pub(super) fn packages(server: &Server) -> Vec<&'static str> {
    needs(server)
        .map(|need| match server.os {
            Os::Debian => &*need.debian,
            // Since Fedora 44 each Node has packages of its own, and a further one brings the
            // command.
            Os::Fedora if need.fedora == "nodejs-npm" && is_fedora_44(server) => "nodejs24-npm-bin",
            Os::Fedora => &*need.fedora,
        })
        .collect()
}

/// The paths of the programs that those packages bring.
pub(super) fn programs(server: &Server) -> Vec<&'static str> {
    needs(server).map(|need| &*need.path).collect()
}

/// What a server needs from the distribution.
fn needs(server: &Server) -> impl Iterator<Item = &'static Need> {
    NEEDS
        .iter()
        .chain(server.mode.has_tls().then_some(&OPENSSL))
        .chain(
            server
                .providers
                .iter()
                .flat_map(|it| &provider::setup(it.get()).needs),
        )
}

/// What the template package of a distribution draws in for the app qubes of a deployment.
pub(super) fn template_needs(deployment: &Deployment, os: Os) -> Vec<&'static str> {
    let mut all: Vec<_> = deployment
        .servers
        .iter()
        .filter(|server| server.class == Class::App && server.os == os)
        .flat_map(needs)
        .map(|need| required(need, os))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// All that the template's package of a distribution may require, whatever the deployment.
pub fn possible_needs(os: Os) -> Vec<&'static str> {
    let provided = provider::all().flat_map(|(_, setup)| &setup.needs);
    let all = NEEDS.iter().chain([&OPENSSL]).chain(provided);
    all.map(|need| required(need, os)).collect()
}

/// What a package of a distribution requires for a program.
fn required(need: &'static Need, os: Os) -> &'static str {
    match os {
        Os::Debian => &need.debian,
        Os::Fedora => &need.requires,
    }
}
