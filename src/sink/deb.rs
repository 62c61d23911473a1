// SPDX-License-Identifier: MIT OR Apache-2.0

//! The template's tree as a Debian package: format 2.0, for all architectures, gzip, the same
//! bytes for the same tree. It runs nothing when it is installed or removed.

use std::collections::BTreeSet;
use std::io;

use flate2::{Compression, GzBuilder};

use super::spec::{self, Spec};
use crate::manifest::Header;
use crate::model::PackageVersion;
use crate::plan::{Plan, package_name};
use crate::read::deb::PARTS;
use crate::tree::{Content, Entry, FileTree, Host, HostPath, Role};

/// Builds the package of the template.
///
/// # Errors
/// What the crates for the formats refuse, which the tests rule out for every plan.
pub fn build(plan: &Plan, version: &PackageVersion, source_date_epoch: u32) -> io::Result<Vec<u8>> {
    let tree = plan.tree(Host::Template);
    let mut control = Archive::new(source_date_epoch);
    let config = config_files(tree);
    control.file("control", control_text(plan, version).as_bytes(), 0o644)?;
    if !config.is_empty() {
        control.file("conffiles", config.as_bytes(), 0o644)?;
    }
    let mut data = Archive::new(source_date_epoch);
    for folder in parents(tree) {
        data.folder(folder, 0o755)?;
    }
    for (path, entry) in tree.iter() {
        data.entry(path, entry)?;
    }

    let contents = [b"2.0\n".to_vec(), control.finish()?, data.finish()?];
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in PARTS.iter().zip(contents) {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(source_date_epoch.into());
        package.append(&header, bytes.as_slice())?;
    }
    package.into_inner()
}

/// What the package says of itself, for the manifest.
pub fn header(plan: &Plan, version: &PackageVersion) -> Header {
    let release = version.release.number().to_string();
    spec::deb_header(version.version.as_str(), &release, plan.depends())
}

/// The fields of deb-control(5).
fn control_text(plan: &Plan, version: &PackageVersion) -> String {
    let spec = Spec::of(Host::Template);
    let depends: Vec<_> = spec
        .requires
        .iter()
        .map(String::as_str)
        .chain(plan.depends().iter().copied())
        .collect();
    // A line of an extended description begins with a space.
    let description: Vec<_> = spec.description.trim().lines().collect();
    format!(
        "Package: {}\nVersion: {version}\nArchitecture: all\nMaintainer: {}\nInstalled-Size: {}\n\
         Depends: {}\nSection: admin\nPriority: optional\nDescription: {}\n {}\n",
        package_name(Host::Template),
        spec.packager,
        installed_size(plan.tree(Host::Template)),
        depends.join(", "),
        spec.summary,
        description.join("\n "),
    )
}

/// KiB, as `dpkg-gencontrol` counts them: each file rounded up, anything else one.
fn installed_size(tree: &FileTree) -> u64 {
    tree.iter()
        .map(|(_, entry)| {
            entry
                .bytes()
                .map_or(1, |bytes| (bytes.len() as u64).div_ceil(1024))
        })
        .sum()
}

fn config_files(tree: &FileTree) -> String {
    tree.iter()
        .filter(|(_, entry)| matches!(entry.content, Content::File(_, Role::Config)))
        .map(|(path, _)| format!("{path}\n"))
        .collect()
}

/// The folders that lead to what the package owns: dpkg makes none that is not in the package.
fn parents(tree: &FileTree) -> BTreeSet<&str> {
    tree.iter()
        .flat_map(|(path, _)| {
            let path = path.relative();
            path.match_indices('/').map(move |(end, _)| &path[..end])
        })
        .filter(|folder| tree.get(&format!("/{folder}")).is_none())
        .collect()
}

/// A compressed archive in which all belongs to root.
struct Archive {
    tar: tar::Builder<flate2::write::GzEncoder<Vec<u8>>>,
    time: u32,
}

impl Archive {
    fn new(time: u32) -> Self {
        let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        Archive {
            tar: tar::Builder::new(gzip),
            time,
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8], mode: u16) -> io::Result<()> {
        self.append(path, bytes, mode, tar::EntryType::Regular)
    }

    fn folder(&mut self, path: &str, mode: u16) -> io::Result<()> {
        self.append(&format!("{path}/"), &[], mode, tar::EntryType::Directory)
    }

    fn entry(&mut self, path: &HostPath, entry: &Entry) -> io::Result<()> {
        assert_eq!((entry.user, entry.group), ("root", "root"), "{path}");
        let relative = path.relative();
        match &entry.content {
            Content::Directory => self.folder(relative, entry.mode),
            Content::File(bytes, _) => self.file(relative, bytes, entry.mode),
            Content::Ghost(_) => Err(io::Error::other(format!(
                "{path}: dpkg knows no path that a package owns and does not bring"
            ))),
        }
    }

    fn append(
        &mut self,
        path: &str,
        bytes: &[u8],
        mode: u16,
        kind: tar::EntryType,
    ) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode.into());
        header.set_mtime(self.time.into());
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        self.tar.append_data(&mut header, path, bytes)
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        self.tar.into_inner()?.finish()
    }
}
