// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every generated file, read by the strictest reader there is for its language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Built, examples, files, from_setup, repository, said, stdout};

fn with_suffix(folder: &Path, suffixes: &[&str]) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| suffixes.contains(&extension))
    });
    assert!(!found.is_empty());
    found
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn salt_lint_finds_nothing() {
    let salt_lint = from_setup("lint/bin/salt-lint");
    for example in examples() {
        let built = Built::example(&example);
        let output = Command::new(&salt_lint)
            .arg("-c")
            .arg(repository().join("tests/salt-lint.yaml"))
            .args(with_suffix(&built.output, &["sls", "top"]))
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{}",
            said(&output)
        );
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn states_and_json_parse_strictly() {
    let python = from_setup("lint/bin/python");
    for example in examples() {
        let built = Built::example(&example);
        let mut parser = Command::new(&python);
        parser
            .arg(repository().join("tests/support/strict_parse.py"))
            .arg(&built.output);
        let said = stdout(&mut parser);
        let count: usize = said.split(' ').next().unwrap().parse().unwrap();
        assert!(count > 30, "{said}");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn shellcheck_finds_nothing() {
    for example in examples() {
        let built = Built::example(&example);
        let mut count = 0;
        for path in files(&built.output.join("dom0")) {
            if fs::read(&path).unwrap().starts_with(b"#!/bin/sh\n") {
                stdout(Command::new("dash").arg("-n").arg(&path));
                stdout(Command::new("shellcheck").arg("--norc").arg(&path));
                count += 1;
            }
        }
        assert!(count >= 2, "{example}");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn pyflakes_finds_nothing() {
    let pyflakes = from_setup("lint/bin/pyflakes");
    let built = Built::example("several-servers.toml");
    let mut programs = files(&built.output.join("dom0"));
    programs.retain(|path| {
        fs::read(path)
            .unwrap()
            .starts_with(b"#!/usr/bin/python3 -I\n")
    });
    // dom0's, and that of each client.
    assert_eq!(programs.len(), 3);
    stdout(Command::new(pyflakes).args(programs));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn desktop_entries_are_valid() {
    let built = Built::example("several-servers.toml");
    let entries = with_suffix(&built.output, &["desktop"]);
    let said = stdout(Command::new("desktop-file-validate").args(entries));
    assert_eq!(said, "");
}

/// Every text file of the product says under which licence it is, and where it is from, where its
/// language has comments.
#[test]
fn generated_files_carry_their_licence_and_their_origin() {
    let built = Built::example("several-servers.toml");
    for path in files(&built.output.join("dom0/srv"))
        .into_iter()
        .chain(files(&built.output.join("dom0/etc")))
    {
        let text = fs::read_to_string(&path).unwrap();
        let commented = path.extension().is_none_or(|extension| extension != "json");
        if commented {
            let head: Vec<_> = text.lines().take(3).collect();
            let licence = head
                .iter()
                .position(|line| line.ends_with("SPDX-License-Identifier: MIT OR Apache-2.0"));
            let origin = licence.and_then(|number| head.get(number + 1));
            assert!(
                origin.is_some_and(|line| line.contains("Written by openclaw-formula from")),
                "{}",
                path.display()
            );
            assert!(
                !text.contains("<{") && !text.contains("<%"),
                "{}",
                path.display()
            );
        }
        let spaced = text.lines().any(|line| line.ends_with([' ', '\t']));
        assert!(!spaced && text.ends_with('\n'), "{}", path.display());
        // Python has two empty lines between functions.
        let python = text.starts_with("#!/usr/bin/python3");
        assert!(python || !text.contains("\n\n\n"), "{}", path.display());
    }
}

/// One malformed policy file denies every call on the machine: names and comments have rules.
#[test]
fn policy_files_obey_the_traps_of_their_format() {
    for example in examples() {
        let built = Built::example(&example);
        let folder = built
            .output
            .join("dom0/srv/formulas/base/openclaw-formula/openclaw/dom0/files/etc/qubes/policy.d");
        for path in files(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let allowed =
                |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || "_.-".contains(c);
            assert!(name.chars().all(allowed) && name.ends_with(".policy"));
            for line in fs::read_to_string(&path).unwrap().lines() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                assert!(!line.contains('#'), "a comment after a rule: {line}");
                let words: Vec<_> = line.split_whitespace().collect();
                let [service, argument, source, target, action, options @ ..] = words.as_slice()
                else {
                    panic!("not a rule: {line}");
                };
                // A rule for every service is about dom0, and a denial.
                let of_all = *service == "*" && *target == "@adminvm" && *action == "deny";
                let is_qubes = ["qubes.", "qvc."]
                    .iter()
                    .any(|prefix| service.starts_with(prefix));
                assert!(is_qubes || of_all, "{line}");
                assert!(*argument == "*" || argument.starts_with('+'), "{line}");
                for dom0 in ["dom0", "@adminvm"] {
                    assert!(*source != dom0, "a dead rule: {line}");
                }
                assert_ne!(*target, "dom0", "{line}");
                match *action {
                    "deny" => assert!(options.is_empty(), "{line}"),
                    // What dom0 answers is opened by name, to agents' qubes alone.
                    "allow" if *target == "@adminvm" => {
                        assert_eq!(*source, "@tag:openclaw-server", "{line}");
                        assert_eq!(name, "50-openclaw.policy", "{line}");
                        assert_ne!(*service, "qubes.ConnectTCP", "{line}");
                    }
                    "allow" => assert!(!target.contains('@') && *target != "*", "{line}"),
                    "ask" => assert_eq!(
                        options,
                        [
                            format!("target={target}"),
                            format!("default_target={target}")
                        ]
                    ),
                    _ => panic!("no such action: {line}"),
                }
            }
        }
    }
}
