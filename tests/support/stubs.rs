// SPDX-License-Identifier: MIT OR Apache-2.0

//! Empty packages in the place of those that Fedora and Qubes bring, whose repositories a test
//! cannot reach: name, version and what they provide are real.

use std::path::{Path, PathBuf};

/// What dom0 and a template bring: name, version, and further names that it provides.
const STUBS: [(&str, &str, &[&str]); 13] = [
    ("bash", "5.2.32", &["/bin/sh"]),
    ("curl", "8.9.1", &[]),
    ("golang", "1.24.3", &[]),
    ("nftables", "1.1.1", &[]),
    ("nodejs-npm", "10.9.2", &["/usr/bin/npm"]),
    ("python3", "3.13.3", &[]),
    ("qubes-core-agent", "4.3.30", &[]),
    ("qubes-core-qrexec-dom0", "4.3.12", &[]),
    ("qubes-mgmt-salt", "4.2.3", &[]),
    ("qubes-mgmt-salt-admin-tools", "4.2.3", &[]),
    ("qubes-mgmt-salt-dom0", "4.2.3", &[]),
    ("socat", "1.8.0.0", &[]),
    ("zstd", "1.5.6", &[]),
];

/// The package without which network mode is refused.
pub const NETWORK_ADDON: &str = "qubes-core-admin-addon-network-server";

/// The unit of the other one, in the netvm.
pub const ROUTING_MANAGER: &str = "qubes-routing-manager.service";

/// Writes all of them into a folder.
pub fn write_all(folder: &Path) -> Vec<PathBuf> {
    STUBS
        .iter()
        .map(|(name, version, provides)| write(folder, name, version, provides))
        .collect()
}

/// Writes one.
pub fn write(folder: &Path, name: &str, version: &str, provides: &[&str]) -> PathBuf {
    let config = rpm::BuildConfig::v4().compression(rpm::CompressionType::None);
    let mut builder = rpm::PackageBuilder::new(name, version, "MIT", "noarch", "A stub");
    builder.using_config(config).release("1");
    for path in provides {
        builder.provides(rpm::Dependency::any(*path));
    }
    let path = folder.join(format!("{name}.rpm"));
    builder.build().unwrap().write_file(&path).unwrap();
    path
}
