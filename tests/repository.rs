// SPDX-License-Identifier: MIT OR Apache-2.0

//! Repositories that `package --repo` writes, with the real createrepo_c, gpg and dnf.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::gnupg::Gnupg;
use crate::support::root::{Root, TOP_LINK};
use crate::support::{said, stdout, stubs, tool};
use tempfile::TempDir;

const KEY: &str = "RPM-GPG-KEY-openclaw-formula";
const REPO: &str = "openclaw-formula.repo";

/// A folder with a key, and repositories.
struct Bench {
    gnupg: Gnupg,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench {
            gnupg: Gnupg::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        bench.key("packages");
        bench
    }

    fn key(&self, name: &str) {
        self.gnupg.key(name, "ed25519", "sign", "");
        self.gnupg.secret(name, "", self.folder.path());
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Adds packages to `repo`, signed with the key from its file.
    fn add(&self, arguments: &[&str]) -> Command {
        let mut command = tool();
        command
            .current_dir(self.folder.path())
            .env("GNUPGHOME", self.gnupg.home())
            .args(["package", "--repo", "repo", "--sign", "packages.key"])
            .args(arguments);
        command
    }

    /// What it says to input that it refuses; nothing has changed then.
    #[track_caller]
    fn refused(&self, command: &mut Command) -> String {
        let before = contents(self.folder.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(contents(self.folder.path()) == before, "{command:?}");
        said(&output)
    }
}

/// Every file below a folder, but gpg's: the bytes of a regular file, and where a link leads. Of a
/// pipe there is only the name, for who reads one waits.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = if kind.is_file() {
                fs::read(&path).unwrap()
            } else if kind.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_vec()
            } else {
                Vec::new()
            };
            found.insert(path, bytes);
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn an_update_keeps_what_was_published() {
    let bench = Bench::new();
    let first = stdout(&mut bench.add(&["--repo-url", "https://example.org/openclaw"]));
    assert_eq!(
        first,
        "repo/openclaw-formula-dom0-0.1.0-1.noarch.rpm\n\
         repo/openclaw-formula-template-0.1.0-1.noarch.rpm\n"
    );
    let repo = bench.at("repo");
    let before = contents(&repo);
    stdout(&mut bench.add(&[]));
    assert!(contents(&repo) == before, "the same again changes nothing");
    stdout(&mut bench.add(&["--release", "2", "--provider", "openai"]));
    assert_eq!(
        names(&repo),
        [
            KEY,
            "openclaw-formula-dom0-0.1.0-1.noarch.rpm",
            "openclaw-formula-dom0-0.1.0-2.noarch.rpm",
            "openclaw-formula-template-0.1.0-1.noarch.rpm",
            "openclaw-formula-template-0.1.0-2.noarch.rpm",
            REPO,
            "repodata",
        ]
    );
    let after = contents(&repo);
    for (path, bytes) in &before {
        let kept = !path.starts_with(repo.join("repodata"));
        assert!(!kept || after[path] == *bytes, "{}", path.display());
    }
    // dom0 and the qube that downloads for it look for the key there; the address stays.
    insta::assert_snapshot!(
        "repository_file",
        fs::read_to_string(repo.join(REPO)).unwrap()
    );
    let index = repo.join("repodata/repomd.xml");
    let mut check = bench.gnupg.gpg();
    check.arg("--verify").arg(index.with_extension("xml.asc"));
    stdout(check.arg(&index));
    // What gpg signs differs each time; the former is kept.
    let mut by_gpg = tool();
    by_gpg
        .current_dir(bench.folder.path())
        .env("GNUPGHOME", bench.gnupg.home());
    stdout(by_gpg.args(["package", "--repo", "repo", "--sign-gpg", "packages"]));
    let package = repo.join("openclaw-formula-dom0-0.1.0-1.noarch.rpm");
    assert!(fs::read(&package).unwrap() == before[&package]);

    // From nothing, in another folder, it comes to the same.
    let update = |release: &str, provider: &str| {
        let mut command = bench.add(&["--release", release, "--provider", provider]);
        command.args(["--repo-url", "https://example.org/openclaw"]);
        stdout(&mut command);
    };
    fs::remove_dir_all(&repo).unwrap();
    update("2", "openai");
    update("1", "cursor");
    assert!(contents(&repo) == after, "the order shows");
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn two_that_publish_at_once_both_do() {
    let bench = Bench::new();
    // The first of them begin the repository, and the later ones find it.
    for round in 0..2 {
        let runs: Vec<_> = (1..=4)
            .map(|run| {
                let release = (4 * round + run).to_string();
                let mut add = bench.add(&["--release", &release]);
                add.stdout(Stdio::piped()).stderr(Stdio::piped());
                add.spawn().unwrap()
            })
            .collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
        let packages = names(&bench.at("repo"));
        let packages = packages.iter().filter(|name| name.ends_with(".rpm"));
        assert_eq!(packages.count(), 8 * (round + 1));
    }
    // The metadata has them all, and nothing is left beside.
    let index = stdout(Command::new("sh").arg("-c").arg(format!(
        "zcat {}/repodata/*-primary.xml.gz",
        bench.at("repo").display()
    )));
    assert!(index.contains("packages=\"16\""), "{index}");
    assert_eq!(names(bench.folder.path()), ["packages.key", "repo"]);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let bench = Bench::new();
    stdout(&mut bench.add(&[]));
    let before = contents(&bench.at("repo"));
    let programs = tempfile::tempdir().unwrap();
    let program = programs.path().join("createrepo_c");
    fs::write(&program, "#!/bin/sh\nkill -KILL $PPID\n").unwrap();
    stdout(Command::new("chmod").arg("755").arg(program));
    let mut killed = bench.add(&["--release", "2"]);
    let output = killed.env("PATH", programs.path()).output().unwrap();
    assert_eq!(output.status.code(), None, "{}", said(&output));
    assert!(contents(&bench.at("repo")) == before);
    let left = names(bench.folder.path());
    assert!(left[0].starts_with(".openclaw-formula-"), "{left:?}");
    let mut build = tool();
    build.current_dir(bench.folder.path());
    stdout(build.args(["generate", "--output", "out"]));
    assert_eq!(names(bench.folder.path()), ["out", "packages.key", "repo"]);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_link_to_a_repository_stays_one() {
    let bench = Bench::new();
    stdout(&mut bench.add(&[]));
    fs::rename(bench.at("repo"), bench.at("published")).unwrap();
    std::os::unix::fs::symlink("published", bench.at("repo")).unwrap();
    stdout(&mut bench.add(&["--release", "2"]));
    assert_eq!(
        fs::read_link(bench.at("repo")).unwrap(),
        Path::new("published")
    );
    let packages = names(&bench.at("published"));
    assert_eq!(packages.iter().filter(|it| it.ends_with(".rpm")).count(), 4);
    // One folder under two names is one folder.
    let text = bench.refused(&mut bench.add(&["--output", "published"]));
    assert!(text.contains("are one folder, or one is in"), "{text}");
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_folder_beside_it_has_all_packages() {
    let bench = Bench::new();
    let debian = ["--class", "app", "--template", "debian-13-xfce"];
    let output = bench.add(&debian).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let deb = "openclaw-formula-template_0.1.0-1_all.deb";
    assert!(said(&output).contains(&format!("{deb} is not for dnf: --output writes it")));
    let file = "file://".to_owned() + bench.at("repo").to_str().unwrap();
    let text = fs::read_to_string(bench.at("repo").join(REPO)).unwrap();
    assert!(text.contains(&format!("\nbaseurl={file}\n")), "{text}");
    let printed = stdout(bench.add(&debian).args(["--output", "out"]));
    assert_eq!(printed.lines().count(), 5, "{printed}");
    stdout(tool().arg("verify").arg(bench.at("out")));
    assert!(bench.at("out").join(deb).exists());
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_is_no_repository_of_this_key_stays_as_it_is() {
    let bench = Bench::new();
    let refused = |command: &mut Command, reason: &str| {
        let text = bench.refused(command);
        let text = text.replace(bench.folder.path().to_str().unwrap(), "DIR");
        assert!(text.contains(reason), "{text}");
        assert!(text.contains("\nhelp: "), "{text}");
    };
    refused(
        &mut bench.add(&["--repo-url", "ftp://example.org"]),
        "\"ftp://example.org\" is no address of a repository",
    );
    refused(
        &mut bench.add(&["--repo-url", "https://example.org/a b"]),
        "\"https://example.org/a b\" is no address of a repository",
    );
    refused(
        &mut bench.add(&["--output", "repo"]),
        "--output repo and --repo repo are one folder",
    );
    let mut unsigned = tool();
    let text = bench.refused(
        unsigned
            .current_dir(bench.folder.path())
            .args(["package", "--repo", "repo"]),
    );
    assert!(text.contains("--sign <FILE>|--sign-gpg <KEYID>"), "{text}");

    fs::write(bench.at("repo"), "").unwrap();
    refused(&mut bench.add(&[]), "repo is no folder");
    fs::remove_file(bench.at("repo")).unwrap();
    fs::create_dir(bench.at("repo")).unwrap();
    fs::write(bench.at("repo/letter"), "").unwrap();
    refused(
        &mut bench.add(&[]),
        "repo/repodata/repomd.xml.asc: No such file",
    );
    fs::remove_file(bench.at("repo/letter")).unwrap();

    stdout(&mut bench.add(&[]));
    refused(
        &mut bench.add(&["--provider", "openai"]),
        "repo/openclaw-formula-dom0-0.1.0-1.noarch.rpm: there is another package of that version \
         and release",
    );
    // Nor in a folder beside it, whose release counts as well.
    let ahead = [
        "--output",
        "ahead",
        "--provider",
        "openai",
        "--release",
        "4",
    ];
    let mut package = tool();
    stdout(
        package
            .current_dir(bench.folder.path())
            .arg("package")
            .args(ahead),
    );
    refused(
        &mut bench.add(&["--provider", "openai", "--output", "ahead"]),
        "help: write `release = 5` under [package]",
    );
    let both = ["--bump", "--provider", "openai", "--output", "ahead"];
    let printed = stdout(&mut bench.add(&both));
    assert!(
        printed.contains("repo/openclaw-formula-dom0-0.1.0-4."),
        "{printed}"
    );
    assert!(
        printed.contains("ahead/openclaw-formula-dom0-0.1.0-4."),
        "{printed}"
    );
    let printed = stdout(&mut bench.add(&["--bump"]));
    assert!(
        printed.contains("repo/openclaw-formula-dom0-0.1.0-5."),
        "{printed}"
    );
    // Nothing of it is written if one place is refused.
    fs::create_dir(bench.at("out")).unwrap();
    fs::write(bench.at("out/letter"), "").unwrap();
    let both = ["--release", "6", "--output", "out"];
    let text = bench.refused(&mut bench.add(&both));
    assert!(text.contains("out is there, and is not replaced"), "{text}");

    bench.key("other");
    let mut other = tool();
    other.current_dir(bench.folder.path());
    other.args(["package", "--repo", "repo", "--sign", "other.key"]);
    refused(
        &mut other,
        "repo/repodata/repomd.xml.asc: it is by another key",
    );
    fs::write(bench.at("repo/letter"), "").unwrap();
    refused(&mut bench.add(&[]), "repo/letter: not ours");
    fs::remove_file(bench.at("repo/letter")).unwrap();
    // Nobody waits for a package, and none is taken from elsewhere.
    let package = bench.at("repo/more-1-1.noarch.rpm");
    stdout(Command::new("mkfifo").arg(&package));
    refused(
        &mut bench.add(&[]),
        "more-1-1.noarch.rpm: it is a pipe, not a regular file",
    );
    fs::remove_file(&package).unwrap();
    let elsewhere = "openclaw-formula-dom0-0.1.0-1.noarch.rpm";
    std::os::unix::fs::symlink(elsewhere, &package).unwrap();
    refused(
        &mut bench.add(&[]),
        "more-1-1.noarch.rpm: it is a link, not a regular file",
    );
    fs::remove_file(&package).unwrap();
    let strange = stubs::write(&bench.at("repo"), "strange", "1", &[]);
    refused(&mut bench.add(&[]), "repo/strange.rpm: ");
    fs::remove_file(strange).unwrap();
    let index = bench.at("repo/repodata/repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text + "\n").unwrap();
    refused(
        &mut bench.add(&[]),
        "repo/repodata/repomd.xml.asc: it does not fit what it signs",
    );

    // Without createrepo_c, or with one that fails.
    fs::remove_dir_all(bench.at("repo")).unwrap();
    for (path, what) in [
        ("", "createrepo_c is not there"),
        ("#!/bin/sh\nexit 1\n", "createrepo_c: exit"),
    ] {
        let programs = tempfile::tempdir().unwrap();
        if !path.is_empty() {
            let program = programs.path().join("createrepo_c");
            fs::write(&program, path).unwrap();
            stdout(Command::new("chmod").arg("755").arg(program));
        }
        let mut command = bench.add(&[]);
        let output = command.env("PATH", programs.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
        assert!(!bench.at("repo").exists());
    }
}

/// A machine that gets its packages from repositories: ours, and one of stubs.
struct Machine {
    root: Root,
    repos: TempDir,
}

impl Machine {
    fn new(bench: &Bench) -> Self {
        let machine = Machine {
            root: Root::new(),
            repos: tempfile::tempdir().unwrap(),
        };
        let stubs = machine.repos.path().join("stubs");
        fs::create_dir(&stubs).unwrap();
        stubs::write_all(&stubs);
        stdout(Command::new("createrepo_c").arg("--quiet").arg(&stubs));
        machine.use_repository(&bench.at("repo"));
        machine
    }

    /// Puts the `.repo` file where dnf looks, and says where the key is on this machine.
    fn use_repository(&self, repository: &Path) {
        let text = fs::read_to_string(repository.join(REPO)).unwrap();
        let (at, key) = (repository.display(), repository.join(KEY));
        let moved = text
            .replace("file:///etc/pki/rpm-gpg/", &format!("file://{at}/"))
            .lines()
            .map(|line| match line.strip_prefix("baseurl=") {
                Some(_) => format!("baseurl=file://{at}\n"),
                None => format!("{line}\n"),
            })
            .collect::<String>();
        assert!(moved.contains(key.to_str().unwrap()));
        fs::write(self.repos.path().join(REPO), moved).unwrap();
    }

    fn try_dnf(&self, arguments: &[&str]) -> Output {
        let repos = self.repos.path();
        self.root
            .dnf()
            .arg(format!("--setopt=reposdir={}", repos.display()))
            .arg(format!(
                "--repofrompath=stubs,file://{}/stubs",
                repos.display()
            ))
            .args([
                "--setopt=stubs.gpgcheck=0",
                "--setopt=stubs.repo_gpgcheck=0",
            ])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Does something with packages, and expects nothing changed in them.
    #[track_caller]
    fn dnf(&self, arguments: &[&str], installed: &[&str]) {
        let output = self.try_dnf(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        assert_eq!(self.root.installed(), installed, "{arguments:?}");
        for package in installed {
            assert_eq!(self.root.verify(package), "", "{arguments:?}");
        }
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn dnf_installs_upgrades_downgrades_and_removes() {
    let bench = Bench::new();
    stdout(&mut bench.add(&["--repo-url", "https://example.org/openclaw"]));
    let machine = Machine::new(&bench);
    let (dom0, template) = ("openclaw-formula-dom0", "openclaw-formula-template");
    let one = [
        "openclaw-formula-dom0-0.1.0-1",
        "openclaw-formula-template-0.1.0-1",
    ];
    let two = [
        "openclaw-formula-dom0-0.1.0-2",
        "openclaw-formula-template-0.1.0-2",
    ];
    let root = &machine.root;
    root.write_qubesctl("");
    let before = root.files();
    machine.dnf(&["install", dom0, template], &one);
    assert!(root.has(TOP_LINK));
    // What they require came with them.
    let qubes = "qubes-core-qrexec-dom0";
    stdout(
        root.rpm()
            .args(["-q", qubes, "qubes-core-agent", "python3"]),
    );
    machine.dnf(&["upgrade"], &one);

    stdout(&mut bench.add(&["--release", "2", "--provider", "openai"]));
    machine.use_repository(&bench.at("repo"));
    machine.dnf(&["upgrade"], &two);
    machine.dnf(&["downgrade", dom0, template], &one);
    machine.dnf(&["reinstall", dom0, template], &one);
    machine.dnf(
        &["install", "openclaw-formula-dom0-0.1.0-2"],
        &[two[0], one[1]],
    );
    machine.dnf(&["remove", dom0, template], &[]);
    assert_eq!(root.files(), before);

    // dnf takes nothing that was changed on the way, and nothing by somebody else.
    let forged = bench.at("forged");
    let forge = |change: &dyn Fn(&Path)| {
        let _ = fs::remove_dir_all(&forged);
        let (from, to) = (bench.at("repo"), &forged);
        stdout(Command::new("cp").arg("--archive").args([&from, to]));
        change(&forged);
        machine.use_repository(&forged);
        let refused = machine.try_dnf(&["install", dom0]);
        assert!(!refused.status.success(), "{}", said(&refused));
        assert_eq!(root.installed(), [""; 0]);
        said(&refused)
    };
    let text = forge(&|repo| {
        let index = repo.join("repodata/repomd.xml");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace("<revision>1", "<revision>2")).unwrap();
    });
    assert!(text.contains("Bad GPG signature"), "{text}");
    let text = forge(&|repo| {
        let package = repo.join("openclaw-formula-dom0-0.1.0-2.noarch.rpm");
        let mut bytes = fs::read(&package).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(package, bytes).unwrap();
    });
    assert!(text.contains("incorrect checksum"), "{text}");
    // The metadata is signed anew, the package is somebody else's.
    bench.key("other");
    let mut other = tool();
    other.current_dir(bench.folder.path());
    other.args([
        "package",
        "--release",
        "3",
        "--output",
        "other",
        "--sign",
        "other.key",
    ]);
    stdout(&mut other);
    let text = forge(&|repo| {
        let package = "openclaw-formula-dom0-0.1.0-3.noarch.rpm";
        fs::copy(bench.at("other").join(package), repo.join(package)).unwrap();
        stdout(Command::new("createrepo_c").arg("--quiet").arg(repo));
        let mut sign = bench.gnupg.gpg();
        sign.args(["--local-user", "packages", "--armor", "--detach-sign"]);
        stdout(sign.arg(repo.join("repodata/repomd.xml")));
    });
    assert!(text.contains("GPG check FAILED"), "{text}");
}
