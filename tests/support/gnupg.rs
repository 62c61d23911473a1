// SPDX-License-Identifier: MIT OR Apache-2.0

//! Throw-away keys by the real gpg, and the real rpm's opinion of what they sign.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::stdout;

/// A home of gpg's, with its agent, which goes with it.
pub struct Gnupg {
    home: TempDir,
}

impl Gnupg {
    /// An empty one.
    pub fn new() -> Self {
        // Not below TMPDIR: the agent's socket has a path of 108 bytes at most.
        let home = tempfile::Builder::new()
            .prefix("gnupg-")
            .tempdir_in("/tmp")
            .unwrap();
        Gnupg { home }
    }

    /// Where it is.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// gpg, which asks nobody.
    pub fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command
            .env("GNUPGHOME", self.home())
            .args(["--batch", "--quiet", "--yes"])
            .args(["--pinentry-mode", "loopback"]);
        command
    }

    /// Makes a key, and returns its fingerprint. `usage` may be empty, for gpg's default.
    pub fn key(&self, name: &str, algorithm: &str, usage: &str, passphrase: &str) -> String {
        self.key_at(name, algorithm, usage, passphrase, &[], "never")
    }

    /// Makes a key with more options, and an end.
    pub fn key_at(
        &self,
        name: &str,
        algorithm: &str,
        usage: &str,
        passphrase: &str,
        options: &[&str],
        expires: &str,
    ) -> String {
        stdout(
            self.gpg()
                .args(options)
                .args(["--passphrase", passphrase, "--quick-generate-key", name])
                .args([algorithm, usage, expires]),
        );
        self.fingerprint(name)
    }

    /// The fingerprint of a primary key.
    pub fn fingerprint(&self, name: &str) -> String {
        let listed = stdout(self.gpg().args(["--with-colons", "--list-keys", name]));
        let line = listed.lines().find(|line| line.starts_with("fpr:"));
        line.unwrap().split(':').nth(9).unwrap().to_owned()
    }

    /// Writes the public key into a folder.
    pub fn public(&self, name: &str, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{name}.asc"));
        let mut export = self.gpg();
        export.arg("--output").arg(&path);
        stdout(export.args(["--armor", "--export", name]));
        path
    }

    /// Writes the secret key into a folder.
    pub fn secret(&self, name: &str, passphrase: &str, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{name}.key"));
        let mut export = self.gpg();
        export.arg("--output").arg(&path);
        export.args(["--passphrase", passphrase, "--armor"]);
        stdout(export.args(["--export-secret-keys", name]));
        path
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home())
            .args(["--kill", "gpg-agent"])
            .status();
    }
}

/// A keyring of rpm's.
pub struct Keyring(TempDir);

impl Keyring {
    /// With one key.
    pub fn new(key: &Path) -> Self {
        let keyring = Keyring(tempfile::tempdir().unwrap());
        stdout(keyring.rpmkeys().arg("--import").arg(key));
        keyring
    }

    fn rpmkeys(&self) -> Command {
        let mut command = Command::new("rpmkeys");
        command.arg("--dbpath").arg(self.0.path());
        command
    }

    /// What rpm says, asked as dom0's updater asks.
    pub fn check(&self, package: &Path) -> Output {
        self.rpmkeys()
            .args(["--define", "_pkgverify_level all"])
            .args(["--define", "_pkgverify_flags 0"])
            .args(["--verbose", "--checksig"])
            .arg(package)
            .output()
            .unwrap()
    }
}
