// SPDX-License-Identifier: MIT OR Apache-2.0

//! A tree as an RPM package: v4, noarch, gzip, the same bytes for the same tree.

use std::fmt;

use rpm::{
    BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder, Scriptlet,
    Timestamp,
};

use super::spec::{self, Spec};
use crate::manifest::Header;
use crate::model::PackageVersion;
use crate::openpgp::{self, Signer};
use crate::plan::{Plan, package_name};
use crate::read::rpm::Parts;
use crate::tree::{Content, Entry, Host, HostPath, Role};

/// Why there is no package.
#[derive(Debug)]
pub enum Error {
    /// What the `rpm` crate refuses, which the tests rule out for every plan.
    Rpm(rpm::Error),
    /// It could not be signed.
    Signing(openpgp::Error),
    /// It was signed, and the signature is not in it as it should be.
    Signed(Vec<String>),
}

impl From<rpm::Error> for Error {
    fn from(error: rpm::Error) -> Self {
        Error::Rpm(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Rpm(error) => error.fmt(f),
            Error::Signing(error) => error.fmt(f),
            Error::Signed(findings) => write!(f, "signed in vain: {}", findings.join("; ")),
        }
    }
}

impl std::error::Error for Error {}

/// Builds the package of a host, and signs it if there is something to sign with.
///
/// # Errors
/// If it could not be built, or not be signed: there is never an unsigned package in place of a
/// signed one.
pub fn build(
    host: Host,
    plan: &Plan,
    version: &PackageVersion,
    source_date_epoch: u32,
    signer: Option<&Signer>,
) -> Result<Vec<u8>, Error> {
    let spec = Spec::of(host);
    let config = BuildConfig::v4()
        .source_date(source_date_epoch)
        .compression(CompressionWithLevel::Gzip(9));
    let mut builder = PackageBuilder::new(
        &package_name(host),
        version.version.as_str(),
        "MIT OR Apache-2.0",
        "noarch",
        &spec.summary,
    );
    builder
        .using_config(config)
        .release(version.release.number().to_string())
        .description(spec.description.trim())
        .group(spec.group)
        .vendor("openclaw-formula")
        .packager(&spec.packager)
        .build_host("localhost")
        // The crate would name itself and its version, which say nothing of the contents.
        .cookie(package_name(host));
    for requirement in spec.requires {
        builder.requires(match requirement.split_once(" >= ") {
            Some((name, version)) => Dependency::greater_eq(name, version),
            None => Dependency::any(requirement),
        });
    }
    for name in plan.requires(host) {
        builder.requires(Dependency::any(*name));
    }
    if let Some(script) = spec.post_install {
        builder.post_install_script(shell(&script));
    }
    if let Some(script) = spec.pre_uninstall {
        builder.pre_uninstall_script(shell(&script));
    }
    for change in spec.changelog {
        let by = format!("{} - {}", spec.packager, change.version);
        builder.add_changelog_entry(by, change.text, Timestamp(change.time));
    }
    for (path, entry) in plan.tree(host).iter() {
        add(&mut builder, path, entry, Timestamp(source_date_epoch))?;
    }

    let mut package = builder.build()?;
    let mut bytes = Vec::new();
    let Some(signer) = signer else {
        package.write(&mut bytes)?;
        return Ok(bytes);
    };
    let signature = signer
        .sign(&package.header_bytes()?, source_date_epoch)
        .map_err(Error::Signing)?;
    package.apply_signature(signature)?;
    package.write(&mut bytes)?;
    // The crate has been known to drop a signature without a word.
    let findings = match Parts::read(&bytes) {
        Ok(parts) => parts.findings(signer.certificate()),
        Err(reason) => vec![reason],
    };
    if findings.is_empty() {
        Ok(bytes)
    } else {
        Err(Error::Signed(findings))
    }
}

/// What the package of a host says of itself, for the manifest.
pub fn header(host: Host, plan: &Plan, version: &PackageVersion) -> Header {
    let config = |(_, entry): (_, &Entry)| matches!(entry.content, Content::File(_, Role::Config));
    spec::rpm_header(
        host,
        version.version.as_str(),
        &version.release.number().to_string(),
        plan.requires(host),
        plan.tree(host).iter().any(config),
    )
}

fn shell(script: &str) -> Scriptlet {
    Scriptlet::new(script.trim()).prog(vec![spec::SHELL])
}

fn add(
    builder: &mut PackageBuilder,
    path: &HostPath,
    entry: &Entry,
    time: Timestamp,
) -> Result<(), rpm::Error> {
    let options = match &entry.content {
        Content::Directory => FileOptions::dir(path.as_str()),
        Content::File(..) => FileOptions::new(path.as_str()),
        Content::Ghost(target) => FileOptions::symlink(path.as_str(), *target).ghost(),
    };
    let options = options
        .permissions(entry.mode)
        .user(entry.user)
        .group(entry.group)
        .modified_at(time);
    match &entry.content {
        Content::Directory => builder.with_dir_entry(options)?,
        Content::Ghost(_) => builder.with_symlink(options)?,
        Content::File(bytes, role) => {
            let options = match role {
                Role::Plain => options,
                Role::Config => options.config().noreplace(),
                Role::Doc => options.doc(),
                Role::License => options.license(),
            };
            builder.with_file_contents(bytes.clone(), options)?
        }
    };
    Ok(())
}
