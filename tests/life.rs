// SPDX-License-Identifier: MIT OR Apache-2.0

//! The life of a package with the real rpm, in the files of a machine: installed, upgraded,
//! interrupted, erased. Here packages come as files; from repositories, see `repository`.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::root::{Root, TOP_LINK};
use crate::support::{Built, stdout};

const DOM0: &str = "openclaw-formula-dom0";
const CONFIG: &str = "etc/salt/minion.d/formula-openclaw.conf";
const FORMULA: &str = "srv/formulas/base/openclaw-formula/openclaw";

/// Two releases; the second changes, adds and drops files.
fn releases() -> [Built; 2] {
    let built = [
        Built::config("[[server]]\nname = \"ai\"\n"),
        Built::config(
            "[package]\nrelease = 2\n[[server]]\nname = \"ai\"\nprovider = \"openai\"\n\
             clients = [\"work\"]\n",
        ),
    ];
    let [one, two] = [0, 1].map(|index| paths(&built[index]));
    assert!(one.difference(&two).count() > 0, "nothing is dropped");
    assert!(two.difference(&one).count() > 0, "nothing is added");
    built
}

/// The files that dom0's package brings.
fn paths(built: &Built) -> BTreeSet<String> {
    let manifest = built.manifest();
    let files = manifest["dom0"].as_array().unwrap().iter();
    files
        .filter(|file| file["kind"] == "file")
        .map(|file| file["path"].as_str().unwrap()[1..].to_owned())
        .collect()
}

fn file(built: &Built) -> &str {
    built.dom0.to_str().unwrap()
}

/// Fails unless this release, and nothing of another, is there in order.
#[track_caller]
fn assert_is(root: &Root, release: &Built, other: &Built) {
    assert_eq!(root.verify(DOM0), "");
    root.assert_as_listed(release, "dom0");
    for path in paths(other).difference(&paths(release)) {
        assert!(!root.has(path), "{path} is left");
    }
}

/// A machine with what dom0 has.
fn machine() -> Root {
    let root = Root::new();
    root.install_stubs();
    root
}

const ENABLE: &str = "top.enable openclaw -l quiet --out quiet";
const DISABLE: &str = "top.disable openclaw -l quiet --out quiet";

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn each_step_is_quiet_and_leaves_the_package_in_order() {
    let root = machine();
    let [one, two] = releases();
    root.write_qubesctl("");
    let before = root.files();
    for round in 0..2 {
        root.quietly(&["--install", file(&one)]);
        assert_is(&root, &one, &two);
        assert!(root.has(TOP_LINK), "round {round}");
        assert_eq!(root.qubesctl_calls(), [ENABLE]);
        root.quietly(&["--upgrade", "--replacepkgs", file(&one)]);
        assert_is(&root, &one, &two);
        assert_eq!(root.qubesctl_calls(), [ENABLE]);
        root.quietly(&["--upgrade", file(&two)]);
        assert_is(&root, &two, &one);
        root.quietly(&["--upgrade", "--oldpackage", file(&one)]);
        assert_is(&root, &one, &two);
        assert!(root.has(TOP_LINK), "an upgrade disables the top");
        assert_eq!(root.qubesctl_calls(), [ENABLE, ENABLE]);
        root.quietly(&["--erase", DOM0]);
        assert_eq!(root.qubesctl_calls(), [DISABLE]);
        assert_eq!(root.files(), before, "round {round}");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn qubesctl_may_be_missing_or_fail() {
    let root = machine();
    let [one, two] = releases();
    let before = root.files();
    root.quietly(&["--install", file(&one)]);
    assert_is(&root, &one, &two);
    root.quietly(&["--upgrade", file(&two)]);
    assert_is(&root, &two, &one);
    root.quietly(&["--erase", DOM0]);
    assert_eq!(root.files(), before);

    root.write_qubesctl("exit 1");
    root.quietly(&["--install", file(&one)]);
    root.quietly(&["--erase", DOM0]);
    // What enabled the top is gone before the package: the link goes with the package.
    root.write_qubesctl("");
    root.quietly(&["--install", file(&one)]);
    assert!(root.has(TOP_LINK));
    fs::remove_file(root.path().join("usr/bin/qubesctl")).unwrap();
    root.quietly(&["--erase", DOM0]);
    assert!(!root.has(TOP_LINK));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn edited_configuration_is_kept_and_other_edits_are_not() {
    let root = machine();
    let [one, two] = releases();
    root.quietly(&["--install", file(&one)]);
    let config = root.path().join(CONFIG);
    let edited = fs::read_to_string(&config).unwrap() + "# mine\n";
    fs::write(&config, &edited).unwrap();
    fs::write(root.path().join(FORMULA).join("create.sls"), "mine").unwrap();
    let found = root.verify(DOM0);
    assert_eq!(found.lines().count(), 2, "{found}");
    for arguments in [
        &["--upgrade", file(&two)][..],
        &["--upgrade", "--oldpackage", file(&one)],
        &["--upgrade", "--replacepkgs", file(&one)],
    ] {
        root.quietly(arguments);
        let found = root.verify(DOM0);
        assert_eq!(found, format!("S.5....T.  c /{CONFIG}\n"), "{arguments:?}");
        assert_eq!(fs::read_to_string(&config).unwrap(), edited);
        assert!(!root.has(&format!("{CONFIG}.rpmnew")));
    }
    let output = root.rpm().args(["--erase", DOM0]).output().unwrap();
    assert!(output.status.success());
    let saved = root.path().join(format!("{CONFIG}.rpmsave"));
    assert_eq!(fs::read_to_string(saved).unwrap(), edited);
    assert!(!root.has(CONFIG) && !root.has(FORMULA));
}

/// rpm dies when the new files are there, and the old ones not yet gone.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn an_upgrade_that_is_killed_is_completed_by_the_next() {
    let root = machine();
    let [one, two] = releases();
    root.write_qubesctl("");
    root.quietly(&["--install", file(&one)]);
    for (killed, arguments) in [
        (&two, &["--upgrade", "--replacepkgs", file(&two)][..]),
        (
            &one,
            &["--upgrade", "--oldpackage", "--replacepkgs", file(&one)],
        ),
    ] {
        root.write_qubesctl("while [ -e /hold ]; do sleep 0.1; done");
        let hold = root.path().join("hold");
        fs::write(&hold, "").unwrap();
        root.qubesctl_calls();
        let mut rpm = root
            .rpm()
            .args(["--upgrade", "--oldpackage", file(killed)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while root.qubesctl_calls().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no script ran");
            std::thread::sleep(Duration::from_millis(50));
        }
        rpm.kill().unwrap();
        rpm.wait().unwrap();
        fs::remove_file(hold).unwrap();
        assert_eq!(root.installed().len(), 2, "both are known");
        root.write_qubesctl("");

        root.quietly(arguments);
        assert_eq!(root.installed().len(), 1);
        let (release, other) = if file(killed) == file(&one) {
            (&one, &two)
        } else {
            (&two, &one)
        };
        assert_is(&root, release, other);
        assert!(root.has(TOP_LINK));
    }
}

/// Without room, rpm leaves the old package as it is; and when it is told to go on, and fails in
/// the middle, the next upgrade completes it.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn an_upgrade_without_room_is_completed_by_the_next() {
    let root = machine();
    let [one, two] = releases();
    root.write_qubesctl("");
    let small = SmallDisk::at(root.path().join("srv/formulas/base"));
    root.quietly(&["--install", file(&one)]);
    small.fill();
    let fails = |arguments: &[&str]| {
        let output = root.rpm().args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: there was room");
        assert_eq!(root.installed(), ["openclaw-formula-dom0-0.1.0-1"]);
        assert!(root.has(TOP_LINK));
    };
    fails(&["--upgrade", file(&two)]);
    assert_is(&root, &one, &two);
    fails(&["--upgrade", "--ignoresize", file(&two)]);
    small.clear();
    root.quietly(&["--upgrade", file(&two)]);
    assert_is(&root, &two, &one);
}

/// A disk with room for one formula.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        stdout(mount.arg(&path));
        SmallDisk(path)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let written = fs::write(self.filler(), vec![0; 2 << 20]);
        assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull);
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_template_package_lives_likewise() {
    let root = machine();
    const NAME: &str = "openclaw-formula-template";
    let releases = [
        "class = \"app\"\n",
        "class = \"app\"\nprovider = \"ollama\"\n[package]\nrelease = 2\n",
    ]
    .map(|text| Built::config(&format!("[[server]]\n{text}")));
    let [one, two] = [0, 1].map(|index| releases[index].template.to_str().unwrap());
    root.write_qubesctl("");
    let before = root.files();
    for (arguments, release) in [
        (&["--install", one][..], &releases[0]),
        (&["--upgrade", "--replacepkgs", one], &releases[0]),
        (&["--upgrade", two], &releases[1]),
        (&["--upgrade", "--oldpackage", one], &releases[0]),
    ] {
        root.quietly(arguments);
        assert_eq!(root.verify(NAME), "", "{arguments:?}");
        root.assert_as_listed(release, "template");
    }
    root.quietly(&["--erase", NAME]);
    assert_eq!(root.files(), before);
    assert_eq!(root.qubesctl_calls(), [""; 0]);
}
