// SPDX-License-Identifier: MIT OR Apache-2.0

//! The release procedure of docs/release.md, as far as it can be gone without publishing anything.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::gnupg::{Gnupg, Keyring};
use crate::support::{repository, said, stdout, tool};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const NEXT: &str = "98.7.6";

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails unless every place says that this is the newest version, of one day.
#[track_caller]
fn assert_version(root: &Path, version: &str) {
    let line = format!("\nversion = \"{version}\"\n");
    assert!(read(root, "Cargo.toml").contains(&line));
    for lock in ["Cargo.lock", "tests/fuzz/Cargo.lock"] {
        let entry = format!("name = \"openclaw-formula\"{line}");
        assert!(read(root, lock).contains(&entry), "{lock}");
    }
    let changelog = read(root, "CHANGELOG.md");
    let heading = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .find(|heading| *heading != "Unreleased")
        .unwrap();
    let (newest, day) = heading.split_once(" - ").unwrap();
    assert_eq!(newest, version);
    let seconds = |format: &str, day: &str| {
        stdout(Command::new("date").args(["--utc", format, "--date", day]))
    };
    let midnight: u32 = seconds("+%s", day).trim().parse().unwrap();
    for host in ["dom0", "template"] {
        let spec: toml::Table =
            toml::from_str(&read(root, &format!("rpmspec/{host}.toml"))).unwrap();
        let change = &spec["changelog"][0];
        assert_eq!(change["version"].as_str(), Some(version), "{host}");
        assert_eq!(
            change["time"].as_integer(),
            Some(i64::from(midnight) + 43_200),
            "{host}"
        );
        let day = stdout(Command::new("date").env("LC_ALL", "C").args([
            "--utc",
            "+%a %b %d %Y",
            "--date",
            day,
        ]));
        assert_eq!(change["day"].as_str(), Some(day.trim()), "{host}");
    }
    let epoch = read(root, "src/cli/epoch.rs");
    let constant = epoch.split("\nconst VERSION_DATE: u32 = ").nth(1).unwrap();
    let constant = constant.split(';').next().unwrap().replace('_', "");
    assert_eq!(constant, midnight.to_string());
    assert!(epoch.contains(&format!("\n/// {day}, in seconds since 1970.\n")));
}

#[test]
fn the_version_is_the_same_everywhere() {
    assert_version(repository(), VERSION);
}

/// A copy of what Git knows of the repository, with something to release.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut list = Command::new("git");
    list.current_dir(repository());
    let listed = stdout(list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]));
    for name in listed.split_terminator('\0') {
        let from = repository().join(name);
        if from.is_file() {
            let to = folder.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    let path = folder.path().join("CHANGELOG.md");
    let changelog = fs::read_to_string(&path).unwrap();
    if !changelog.contains("\n## Unreleased\n") {
        let first = changelog.find("\n## ").unwrap();
        let (before, after) = changelog.split_at(first);
        fs::write(
            path,
            format!("{before}\n## Unreleased\n\n- Something.\n{after}"),
        )
        .unwrap();
    }
    stdout(
        Command::new("git")
            .args(["init", "--quiet"])
            .arg(folder.path()),
    );
    let mut add = Command::new("git");
    stdout(add.current_dir(folder.path()).args(["add", "--all"]));
    folder
}

fn release(root: &Path, arguments: [&str; 3]) -> Output {
    Command::new(root.join("tests/release"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_next_version_is_written_everywhere() {
    let folder = copy();
    let root = folder.path();
    let status = || {
        let mut status = Command::new("git");
        status.current_dir(root);
        stdout(status.args(["diff", "--name-only"]))
    };
    for (arguments, problem) in [
        ([VERSION, "2026-12-01", "More."], "is not higher than"),
        (["next", "2026-12-01", "More."], "is not three numbers"),
        ([NEXT, "1 December", "More."], "is no day"),
        (
            [NEXT, "2026-12-01", "Two\nlines."],
            "the summary is one line",
        ),
    ] {
        let output = release(root, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains(problem), "{}", said(&output));
        assert_eq!(status(), "", "{arguments:?}");
    }

    let output = release(root, [NEXT, "2028-02-29", "More than before."]);
    assert!(output.status.success(), "{}", said(&output));
    assert_version(root, NEXT);
    // Cargo agrees; and of the former version, only changelogs speak.
    let mut metadata = Command::new(env!("CARGO"));
    metadata.current_dir(root);
    metadata.args(["metadata", "--locked", "--offline", "--no-deps"]);
    let metadata = stdout(metadata.args(["--format-version", "1"]));
    assert!(
        metadata.contains(&format!("openclaw-formula@{NEXT}")),
        "{metadata}"
    );
    let mut left = Command::new("git");
    left.current_dir(root);
    let left = stdout(
        left.args(["grep", "--files-with-matches", "--fixed-strings"])
            .args([
                VERSION,
                "--",
                "*.md",
                "rpmspec",
                "src",
                "tests/*.rs",
                "tests/snapshots",
            ]),
    );
    let expected = ["CHANGELOG.md", "rpmspec/dom0.toml", "rpmspec/template.toml"];
    assert_eq!(left.lines().collect::<Vec<_>>(), expected);
    // Again it is refused: nothing is new.
    let output = release(root, ["98.7.7", "2028-03-01", "Nothing."]);
    assert!(
        said(&output).contains("has nothing under \"Unreleased\""),
        "{}",
        said(&output)
    );
}

/// From the build on; the key is thrown away.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_is_built_is_verified_and_fit_to_be_published() {
    let folder = tempfile::tempdir().unwrap();
    let gnupg = Gnupg::new();
    gnupg.key("release", "ed25519", "sign", "");
    let key = gnupg.public("release", folder.path());
    let example = repository().join("examples/several-servers.toml");
    let run = |command: &str, rest: &[&str]| {
        let mut tool = tool();
        tool.current_dir(folder.path())
            .env("GNUPGHOME", gnupg.home())
            .arg(command);
        if command != "verify" && command != "sbom" {
            tool.arg(&example);
        }
        stdout(tool.args(rest))
    };
    let packages = run("build", &["--output", "out", "--sign-gpg", "release"]);
    run("verify", &["--key", key.to_str().unwrap(), "out"]);
    let keyring = Keyring::new(&key);
    for package in packages.lines() {
        assert!(package.contains(VERSION), "{package}");
        let checked = keyring.check(&folder.path().join(package));
        assert!(checked.status.success(), "{}", said(&checked));
    }
    let bill: serde_json::Value = serde_json::from_str(&run("sbom", &["out"])).unwrap();
    assert_eq!(bill["metadata"]["component"]["version"], VERSION);

    // Whoever builds it without the key gets the same files.
    run("build", &["--output", "theirs"]);
    let files = |output: &str| {
        let text = fs::read(folder.path().join(output).join("MANIFEST.json")).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        manifest["packages"] = serde_json::Value::Null;
        manifest
    };
    assert_eq!(files("out"), files("theirs"));

    run("package", &["--repo", "repo", "--sign-gpg", "release"]);
    assert!(folder.path().join("repo/repodata/repomd.xml.asc").exists());
    let mut list = Command::new(env!("CARGO"));
    list.current_dir(repository());
    let crate_files = stdout(list.args(["package", "--list", "--locked", "--allow-dirty"]));
    for needed in [
        "Cargo.lock",
        "build.rs",
        "rpmspec/package.spec",
        "salt/openclaw/init.sls",
    ] {
        assert!(crate_files.lines().any(|file| file == needed), "{needed}");
    }
    assert!(
        !crate_files.contains(".cache/"),
        "what tests made is published"
    );
}
