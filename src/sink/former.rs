// SPDX-License-Identifier: MIT OR Apache-2.0

//! What earlier runs wrote to a place. A version and release has one content: rpm and dnf take no
//! other for new.

use std::path::PathBuf;

use crate::manifest::Manifest;
use crate::model::{PackageVersion, Release, Version};

/// What is about to be written, under one version and release.
#[derive(Clone, Copy)]
pub struct New<'a> {
    /// The version and release.
    pub version: &'a PackageVersion,
    /// The files, and what their packages say of themselves.
    pub manifest: &'a Manifest,
    /// The RPM packages, each with its file name.
    pub rpms: &'a [(String, Vec<u8>)],
}

/// Packages that may be installed somewhere.
pub trait Former {
    /// The highest release of a version.
    fn latest(&self, version: &Version) -> Option<Release>;

    /// A package under the same version and release that has other contents.
    fn clash(&self, new: New) -> Option<PathBuf>;
}
