// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests share: the program, what it builds, and where the set-up puts things.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod bad_configurations;
pub mod bed;
pub mod browser;
pub mod configurations;
pub mod gnupg;
pub mod home;
pub mod npm;
pub mod package;
pub mod qubes_box;
pub mod root;
pub mod schema;
pub mod stubs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below what `tests/setup` made. A test that needs it is ignored unless asked for.
///
/// # Panics
/// If it is not there.
#[track_caller]
pub fn from_setup(path: &str) -> PathBuf {
    // Containers see it where it really is, and it may be a link.
    let cache = repository().join("tests/.cache");
    let found = cache.canonicalize().unwrap_or(cache).join(path);
    assert!(
        found.exists(),
        "{} is missing: run tests/setup",
        found.display()
    );
    found
}

/// Whether every combination is asked for, also those whose parts other combinations have:
/// `WHOLE=1 tests/run`.
pub fn whole() -> bool {
    std::env::var_os("WHOLE").is_some()
}

/// The program.
pub fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw-formula"));
    command.env_remove("SOURCE_DATE_EPOCH").env("NO_COLOR", "1");
    command
}

/// Standard output as text, of a command that must succeed.
#[track_caller]
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Everything that a command said.
pub fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `build` made.
pub struct Built {
    _folder: TempDir,
    /// The output directory.
    pub output: PathBuf,
    /// The dom0 package.
    pub dom0: PathBuf,
    /// The template package.
    pub template: PathBuf,
}

impl Built {
    /// Builds an example, by its path below `examples/`.
    pub fn example(name: &str) -> Self {
        Built::from_args(&[repository().join("examples").join(name).to_str().unwrap()])
    }

    /// Builds a configuration.
    pub fn config(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openclaw.toml");
        std::fs::write(&path, text).unwrap();
        Built::from_args(&[path.to_str().unwrap()])
    }

    /// Builds from arguments.
    #[track_caller]
    pub fn from_args(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let printed = stdout(tool().arg("build").args(args).arg("--output").arg(&output));
        let packages: Vec<_> = printed.lines().map(PathBuf::from).collect();
        // And a Debian package, where an app qube needs one.
        let [dom0, template, ..] = packages.as_slice() else {
            panic!("not two packages: {printed}");
        };
        Built {
            output,
            dom0: dom0.clone(),
            template: template.clone(),
            _folder: folder,
        }
    }

    /// The manifest.
    pub fn manifest(&self) -> serde_json::Value {
        let text = std::fs::read(self.output.join("MANIFEST.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The servers of the input, as the manifest records them.
    pub fn servers(&self) -> Vec<serde_json::Value> {
        self.manifest()["input"]["servers"]
            .as_array()
            .unwrap()
            .clone()
    }
}

/// The configurations in `examples/`, sorted.
pub fn examples() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(repository().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
