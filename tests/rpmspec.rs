// SPDX-License-Identifier: MIT OR Apache-2.0

//! The spec files: what the real rpmbuild makes of them is the package that the program writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{self, Built, examples, repository, stdout};

/// All that a package says, but for where and when it was built.
fn said(package: &Path) -> String {
    // What rpm itself must be able to do depends on the rpm that packs, and is no package.
    let lines = |format: &str| -> String {
        let text = stdout(
            Command::new("rpm")
                .args(["-qp", "--qf", format])
                .arg(package),
        );
        let mut lines: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("rpmlib("))
            .collect();
        lines.sort_unstable();
        lines.join("\n") + "\n\n"
    };
    let header = "%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE} %{GROUP}\n%{SUMMARY}\n\
                  %{VENDOR}\n%{PACKAGER}\n%{DESCRIPTION}\n";
    let files = "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME} \
                 %{FILEFLAGS:fflags} %{FILESIZES} %{FILEDIGESTS} %{FILELINKTOS}\n]";
    [
        header,
        files,
        "[%{REQUIRENAME} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}\n]",
        "[%{PROVIDENAME} %{PROVIDEFLAGS:depflags} %{PROVIDEVERSION}\n]",
        "post %{POSTINPROG}: %{POSTIN}\npreun %{PREUNPROG}: %{PREUN}\n\
         pre %{PREIN}\npostun %{POSTUN}\n[trigger %{TRIGGERSCRIPTS}\n]",
        "[%{CHANGELOGTIME} %{CHANGELOGNAME} %{CHANGELOGTEXT}\n]",
    ]
    .map(lines)
    .concat()
}

#[track_caller]
fn assert_same(theirs: &Path, ours: &Path) {
    let (theirs, ours) = (said(theirs), said(ours));
    let only = |here: &str, there: &str| -> Vec<String> {
        let there: Vec<_> = there.lines().collect();
        here.lines()
            .filter(|line| !there.contains(line))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(only(&theirs, &ours), only(&ours, &theirs));
    assert_eq!(theirs, ours);
}

fn rpmbuild(top: &Path) -> Command {
    let mut command = Command::new("rpmbuild");
    command
        .args(["--nodeps", "--define"])
        .arg(format!("_topdir {}", top.display()));
    command
}

fn made(top: &Path, host: &str) -> PathBuf {
    top.join(format!(
        "RPMS/noarch/openclaw-formula-{host}-0.1.0-1.noarch.rpm"
    ))
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn rpmbuild_makes_the_same_packages() {
    for example in examples() {
        let covered = [
            "several-servers",
            "ollama-network-app",
            "anthropic-tunnel-standalone",
        ];
        if !covered.iter().any(|name| example.starts_with(name)) {
            continue;
        }
        let built = Built::example(&example);
        let top = tempfile::tempdir().unwrap();
        for (host, ours) in [("dom0", &built.dom0), ("template", &built.template)] {
            stdout(
                rpmbuild(top.path())
                    .current_dir(&built.output)
                    .args(["-bb", "--build-in-place"])
                    .arg(format!("rpmspec/openclaw-formula-{host}.spec")),
            );
            assert_same(&made(top.path(), host), ours);
        }
        // Nothing is left in the folder.
        let mut verify = support::tool();
        stdout(verify.arg("verify").arg(&built.output));
    }
}

/// As Qubes' builder does it: an archive of a repository, a source package of that, and a package
/// of that one.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_source_package_makes_the_same_package() {
    let built = Built::example("cursor-tunnel-standalone.toml");
    let top = tempfile::tempdir().unwrap();
    let sources = top.path().join("SOURCES");
    fs::create_dir(&sources).unwrap();
    stdout(
        Command::new("tar")
            .arg("--create")
            .arg("--gzip")
            .arg("--file")
            .arg(sources.join("openclaw-formula-dom0-0.1.0.tar.gz"))
            .arg("--transform=s,^,openclaw-formula-dom0-0.1.0/,")
            .arg("--directory")
            .arg(&built.output)
            .args(["dom0", "rpmspec"]),
    );
    let spec = built.output.join("rpmspec/openclaw-formula-dom0.spec");
    stdout(rpmbuild(top.path()).arg("-bs").arg(spec));
    let source = top
        .path()
        .join("SRPMS/openclaw-formula-dom0-0.1.0-1.src.rpm");
    stdout(rpmbuild(top.path()).arg("--rebuild").arg(source));
    assert_same(&made(top.path(), "dom0"), &built.dom0);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn rpmlint_finds_nothing_in_the_spec_files() {
    let built = Built::example("several-servers.toml");
    let output = Command::new("rpmlint")
        .arg("--config")
        .arg(repository().join("tests/rpmlint.toml"))
        .arg(built.output.join("rpmspec"))
        .output()
        .unwrap();
    let said = support::said(&output);
    assert!(said.contains("0 errors, 0 warnings"), "{said}");
}
