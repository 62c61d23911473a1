// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Invalid;

/// The version and release of the packages. The release is the user's to raise whenever the
/// configuration changed, so that `dnf` sees a newer package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageVersion {
    /// The version, by default this tool's.
    pub version: Version,
    /// The release, by default 1.
    pub release: Release,
}

impl Default for PackageVersion {
    fn default() -> Self {
        PackageVersion {
            version: Version(env!("CARGO_PKG_VERSION").to_owned()),
            release: Release(1),
        }
    }
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.version.0, self.release.0)
    }
}

/// A version as rpm and dom0's updater take it in a file name: numbers separated by dots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let part = |part: &str| {
            (1..=9).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        if text.split('.').count() <= 4 && text.split('.').all(part) {
            return Ok(Version(text.to_owned()));
        }
        Err(Invalid::new(
            format!("\"{}\" is not a package version", text.escape_debug()),
            "not a version",
            "a version is one to four numbers separated by dots, without leading zeros",
            "write a version such as \"1.0.2\", or leave `version` out",
        ))
    }
}

/// The release of a package: 1 to 999999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Release(u32);

impl Release {
    /// The highest.
    pub const MOST: u32 = 999_999;

    /// Checks a number.
    pub fn new(value: i64) -> Result<Self, Invalid> {
        u32::try_from(value)
            .ok()
            .filter(|release| (1..=Self::MOST).contains(release))
            .map(Release)
            .ok_or_else(|| {
                Invalid::new(
                    format!("{value} is not a package release"),
                    "out of range",
                    "a release is a number from 1 to 999999, raised with each change",
                    "write release = 1",
                )
            })
    }

    /// The release after it.
    pub fn next(self) -> Result<Self, Invalid> {
        Release::new(i64::from(self.0) + 1)
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}
