// SPDX-License-Identifier: MIT OR Apache-2.0

//! The Debian package of the template, with the real dpkg and lintian.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Built, said, stdout, tool};
use tempfile::TempDir;

const NAME: &str = "openclaw-formula-template";

/// An app qube of each distribution, with different needs.
const BOTH: &str = "[[server]]\nname = \"one\"\nclass = \"app\"\ntemplate = \"debian-13-xfce\"\n\
                    [[server]]\nname = \"two\"\nclass = \"app\"\ntemplate = \"fedora-43-xfce\"\n\
                    provider = \"ollama\"\nports = { gateway = 18790 }\n";

fn debian_package(built: &Built) -> PathBuf {
    built.output.join(format!("{NAME}_0.1.0-1_all.deb"))
}

/// An empty machine of Debian's, on which these packages are said to be installed.
fn machine(installed: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(state.join(folder)).unwrap();
    }
    let status: String = installed
        .iter()
        .map(|name| {
            format!(
                "Package: {name}\nStatus: install ok installed\nMaintainer: none\n\
                 Architecture: all\nVersion: 1\nDescription: a stub\n\n"
            )
        })
        .collect();
    fs::write(state.join("status"), status).unwrap();
    root
}

fn dpkg(root: &Path) -> Command {
    let mut command = Command::new("dpkg");
    command
        .arg(format!("--root={}", root.display()))
        .arg(format!("--log={}", root.join("log").display()));
    command
}

/// Every path below a folder, with the contents of files.
fn files(root: &Path, folder: &str) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root.join(folder.trim_start_matches('/')))
        .into_iter()
        .flatten()
    {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(root, &path));
            all.insert(path, None);
        } else {
            all.insert(path, Some(fs::read(entry.path()).unwrap()));
        }
    }
    all
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn it_depends_on_what_its_own_app_qubes_need() {
    let built = Built::config(BOTH);
    let fields = stdout(
        Command::new("dpkg-deb")
            .arg("--field")
            .arg(debian_package(&built)),
    );
    let (before, rest) = fields.split_once("Installed-Size: ").unwrap();
    let (size, after) = rest.split_once('\n').unwrap();
    assert!(
        (20..100).contains(&size.parse::<u32>().unwrap()),
        "{size} KiB"
    );
    assert_eq!(
        format!("{before}{after}"),
        "Package: openclaw-formula-template\n\
         Version: 0.1.0-1\n\
         Architecture: all\n\
         Maintainer: openclaw-formula <openclaw-formula@example.org>\n\
         Depends: qubes-core-agent, curl, golang-go, nftables, npm, socat\n\
         Section: admin\n\
         Priority: optional\n\
         Description: What an OpenClaw app qube needs from its template\n \
         An app qube keeps only its home, /usr/local and /rw. This package draws into\n \
         its template the programs that OpenClaw's installation and services need, and\n \
         brings examples of its configuration. It starts nothing.\n"
    );
    let parts = tempfile::tempdir().unwrap();
    stdout(
        Command::new("dpkg-deb")
            .arg("--control")
            .arg(debian_package(&built))
            .arg(parts.path()),
    );
    // No script: it runs nothing.
    assert_eq!(
        files(parts.path(), "").keys().collect::<Vec<_>>(),
        ["/control"]
    );
    let requires = stdout(Command::new("rpm").args(["-qpR"]).arg(&built.template));
    assert!(requires.contains("zstd") && !requires.contains("golang"));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn without_a_debian_app_qube_there_is_none() {
    for arguments in [&[][..], &["--class", "app"]] {
        let built = Built::from_args(arguments);
        assert!(!debian_package(&built).exists());
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn dpkg_installs_it_and_removes_it_whole() {
    let built = Built::config(BOTH);
    let package = debian_package(&built);
    let needs = [
        "qubes-core-agent",
        "curl",
        "golang-go",
        "nftables",
        "npm",
        "socat",
    ];

    for missing in needs {
        let others: Vec<_> = needs.into_iter().filter(|need| *need != missing).collect();
        let root = machine(&others);
        let output = dpkg(root.path())
            .arg("--install")
            .arg(&package)
            .output()
            .unwrap();
        assert!(
            !output.status.success() && said(&output).contains(missing),
            "{missing}"
        );
    }

    let root = machine(&needs);
    let before = files(root.path(), "usr");
    stdout(dpkg(root.path()).arg("--install").arg(&package));
    stdout(dpkg(root.path()).arg("--install").arg(&package));
    assert_eq!(stdout(dpkg(root.path()).args(["--verify", NAME])), "");
    let installed = files(root.path(), "usr");
    for listed in built.manifest()["template"].as_array().unwrap() {
        let path = listed["path"].as_str().unwrap();
        let there = installed
            .get(&path[1..])
            .unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(there.is_some(), listed["kind"] == "file", "{path}");
        let generated = fs::read(built.output.join("template").join(&path[1..])).ok();
        assert_eq!(*there, generated, "{path}");
    }
    stdout(dpkg(root.path()).args(["--purge", NAME]));
    assert_eq!(files(root.path(), "usr"), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn verify_reads_it() {
    let built = Built::config(BOTH);
    let verify = |package: &Path| {
        tool()
            .arg("verify")
            .arg(package)
            .args([
                "--manifest".as_ref(),
                built.output.join("MANIFEST.json").as_os_str(),
            ])
            .output()
            .unwrap()
    };
    let output = verify(&debian_package(&built));
    assert!(output.status.success(), "{}", said(&output));

    let later = Built::config(&format!("[package]\nversion = \"0.1.0\"\n{BOTH}"));
    assert_eq!(
        fs::read(debian_package(&built)).unwrap(),
        fs::read(debian_package(&later)).unwrap(),
        "the same input gives the same bytes"
    );

    // Made by dpkg-deb, of the same tree with one file changed and one more.
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    stdout(
        Command::new("dpkg-deb")
            .arg("--raw-extract")
            .arg(debian_package(&built))
            .arg(&tree),
    );
    let doc = tree.join("usr/share/doc").join(NAME);
    fs::write(doc.join("README.md"), "changed").unwrap();
    fs::write(doc.join("more"), "").unwrap();
    fs::remove_file(doc.join("CHANGELOG.md")).unwrap();
    let other = folder
        .path()
        .join(debian_package(&built).file_name().unwrap());
    stdout(
        Command::new("dpkg-deb")
            .args(["-Zgzip", "--root-owner-group", "--build"])
            .args([&tree, &other]),
    );
    let output = verify(&other);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(&other.display().to_string(), "DEB");
    assert_eq!(
        text,
        "DEB: changed\n\
         DEB: /usr/share/doc/openclaw-formula-template/README.md: changed\n\
         DEB: /usr/share/doc/openclaw-formula-template/more: not in the manifest\n\
         DEB: /usr/share/doc/openclaw-formula-template/CHANGELOG.md: missing\n"
    );

    fs::write(&other, "!<arch>\n").unwrap();
    let output = verify(&other);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("is not a Debian package: there is no debian-binary"));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn lintian_finds_only_what_is_accounted_for() {
    let built = Built::config(BOTH);
    let output = Command::new("lintian")
        .args([
            "--allow-root",
            "--no-user-dirs",
            "--fail-on=error,warning",
            "--suppress-tags",
        ])
        .arg(
            // The files are those of the RPM, where Fedora has changelog and licences.
            "no-changelog,no-copyright-file,wrong-name-for-upstream-changelog",
        )
        .arg(debian_package(&built))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
}
