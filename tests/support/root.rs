// SPDX-License-Identifier: MIT OR Apache-2.0

//! The files of a machine, to install packages into with the host's rpm and dnf: those of the
//! containers' image, and what is changed is gone with it. Nothing runs in it but scripts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{Built, from_setup, said, stdout, stubs};

/// Where what the stand-in for qubesctl was called with is written.
const CALLS: &str = "var/log/qubesctl.log";

/// The link of the enabled top.
pub const TOP_LINK: &str = "srv/salt/_tops/base/openclaw.top";

/// What Fedora and Qubes bring, and the image lacks.
const FOLDERS: [&str; 3] = [
    "srv/formulas/base",
    "srv/salt/_tops/base",
    "usr/share/licenses",
];

/// The files of a machine.
pub struct Root {
    image: PathBuf,
    folder: TempDir,
}

impl Drop for Root {
    fn drop(&mut self) {
        for path in [self.path(), self.folder.path().to_owned()] {
            let _ = Command::new("umount").arg("--lazy").arg(path).status();
        }
    }
}

impl Root {
    /// A machine without Qubes' tools, which needs root.
    pub fn new() -> Root {
        let image = from_setup("image");
        let root = Root {
            image: image.clone(),
            folder: tempfile::tempdir().unwrap(),
        };
        let folder = root.folder.path();
        stdout(
            Command::new("mount")
                .args(["-t", "tmpfs", "tmpfs"])
                .arg(folder),
        );
        for part in ["upper", "work", "root"] {
            fs::create_dir(folder.join(part)).unwrap();
        }
        let options = format!(
            "lowerdir={},upperdir={1}/upper,workdir={1}/work",
            image.display(),
            folder.display()
        );
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o", &options]);
        stdout(mount.arg(root.path()));
        for folder in FOLDERS {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        root
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// rpm, over this machine.
    pub fn rpm(&self) -> Command {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(self.path()).stdin(Stdio::null());
        // Debian's own rpm would advise against itself.
        command.arg("--force-debian");
        command
    }

    /// Makes the packages known that Fedora and Qubes bring.
    pub fn install_stubs(&self) {
        let folder = tempfile::tempdir().unwrap();
        let stubs = stubs::write_all(folder.path());
        stdout(self.rpm().arg("--install").args(stubs));
    }

    /// dnf, over this machine.
    pub fn dnf(&self) -> Command {
        let mut command = Command::new("dnf");
        command
            .arg(format!("--installroot={}", self.path().display()))
            .args(["--assumeyes", "--refresh", "--noplugins", "--releasever=41"])
            .stdin(Stdio::null());
        command
    }

    /// Does something with packages, and expects rpm and the packages' scripts to be silent.
    #[track_caller]
    pub fn quietly(&self, arguments: &[&str]) {
        let output = self.rpm().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        assert_eq!(said(&output), "", "{arguments:?}");
    }

    /// What rpm finds changed in a package.
    pub fn verify(&self, package: &str) -> String {
        let output: Output = self.rpm().args(["--verify", package]).output().unwrap();
        said(&output)
    }

    /// The installed packages of ours, with their releases.
    pub fn installed(&self) -> Vec<String> {
        let format = "%{NAME}-%{VERSION}-%{RELEASE}\n";
        let listed = stdout(
            self.rpm()
                .args(["-qa", "--qf", format, "openclaw-formula-*"]),
        );
        let mut listed: Vec<_> = listed.lines().map(str::to_owned).collect();
        listed.sort();
        listed
    }

    /// A stand-in for qubesctl, which does with the top what Qubes' does, then what `more` says.
    pub fn write_qubesctl(&self, more: &str) {
        let path = self.path().join("usr/bin/qubesctl");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>/{CALLS}\ncase $1 in\n\
             top.enable)\n    mkdir -p \"$(dirname /{TOP_LINK})\"\n    \
             ln -sfn /srv/formulas/base/openclaw-formula/openclaw/init.top /{TOP_LINK} ;;\n\
             top.disable) rm -f /{TOP_LINK} ;;\nesac\n\
             echo something for stdout; echo something for stderr >&2\n{more}\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What it was called with since the last time.
    pub fn qubesctl_calls(&self) -> Vec<String> {
        let path = self.path().join(CALLS);
        let calls = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        calls.lines().map(str::to_owned).collect()
    }

    /// Whether a path is there, a dangling link too.
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path().join(path)).is_ok()
    }

    /// Fails unless each file of a package is there as the manifest has it.
    #[track_caller]
    pub fn assert_as_listed(&self, built: &Built, host: &str) {
        for file in built.manifest()[host].as_array().unwrap() {
            let text = |key: &str| file[key].as_str().unwrap();
            let path = self.path().join(&text("path")[1..]);
            if text("kind") == "ghost" {
                continue;
            }
            let metadata = fs::metadata(&path).unwrap_or_else(|_| panic!("{path:?} is missing"));
            let mode = format!("{:04o}", metadata.permissions().mode() & 0o7777);
            assert_eq!(mode, text("mode"), "{path:?}");
            assert_eq!((metadata.uid(), metadata.gid()), (0, 0), "{path:?}");
            if text("kind") == "file" {
                let sum = openclaw_formula::tree::sha256(&fs::read(&path).unwrap());
                assert_eq!(sum, text("sha256"), "{path:?}");
            }
        }
    }

    /// What was added to the image, or is other than in it, but what rpm and dnf keep for
    /// themselves: each path with its contents, or what a link leads to.
    pub fn files(&self) -> BTreeMap<String, String> {
        const KEPT: [&str; 7] = [
            "var/lib/rpm",
            "var/lib/dnf",
            "var/log",
            "var/cache",
            "etc/dnf",
            "root/.rpmdb",
            "run",
        ];
        let upper = self.folder.path().join("upper");
        let mut files = BTreeMap::new();
        let mut folders = vec![upper.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&upper).unwrap().display().to_string();
                if KEPT.contains(&name.as_str()) {
                    continue;
                }
                let metadata = fs::symlink_metadata(&path).unwrap();
                let what = if metadata.is_dir() {
                    let of_image = self.image.join(&name).is_dir();
                    folders.push(path);
                    if of_image {
                        continue;
                    }
                    "a folder".to_owned()
                } else if metadata.is_symlink() {
                    fs::read_link(path).unwrap().display().to_string()
                } else if metadata.is_file() {
                    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
                } else {
                    "removed".to_owned()
                };
                files.insert(name, what);
            }
        }
        files
    }
}
