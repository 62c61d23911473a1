// SPDX-License-Identifier: MIT OR Apache-2.0

//! What holds for any input: nothing panics, and what is accepted stays in its place in every
//! generated file.

use std::process::Command;

use crate::support::configurations::{check, read, valid};
use crate::support::{self, from_setup, repository, stdout};
use openclaw_formula::manifest::{FILE_NAME, Manifest};
use openclaw_formula::plan::Plan;
use openclaw_formula::plan::reach::Reach;
use openclaw_formula::sink::{directory::Directory, place::Place, rpm};
use openclaw_formula::tree::Host;
use proptest::prelude::*;

/// Any time that is not in the future.
const TIME: u32 = 1_700_000_000;

/// Everything that follows an accepted input.
fn generate(text: &str) {
    if let Some(deployment) = read(text).deployment {
        let plan = Plan::new(&deployment);
        assert_eq!(plan, Plan::new(&deployment));
        assert!(!Reach::new(&deployment).to_text().is_empty());
        for host in Host::ALL {
            let build = || rpm::build(host, &plan, &deployment.package, TIME, None).unwrap();
            assert_eq!(build(), build());
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    check(2000, any::<String>(), |text| generate(&text));
}

/// Text that looks like a configuration: real keys, and values that may be anything.
fn noise() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "class",
        "template",
        "os",
        "label",
        "netvm",
        "ip",
        "autostart",
        "memory",
        "max-memory",
        "mode",
        "start-on-connect",
        "allow-from",
        "expose-proxy",
        "tls",
        "provider",
        "model",
        "ports",
        "clients",
        "client-tag",
        "tags",
        "inter-qube",
        "inter-qube-to-clients",
        "token",
        "openclaw",
        "override-safety",
        "colour",
    ]);
    let value = prop_oneof![
        any::<String>().prop_map(|text| format!("{text:?}")),
        "[a-z.-]{0,12}".prop_map(|text| format!("\"{text}\"")),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|boolean| boolean.to_string()),
        prop::sample::select(vec![
            "[]",
            "{}",
            "1.5",
            "1979-05-27",
            "[\"a\", 1]",
            "\"app\"",
            "\"network\"",
            "\"clients\"",
            "\"none\"",
            "\"ollama\"",
            "[\"cursor\", \"ollama\"]",
            "{ gateway = 1 }",
            "{ gateway.bind = \"lan\", channels.telegram.allowFrom = [\"*\", 1, {}] }",
            "{ ui.\"a.b\" = nan, x = 1, mcp.servers.\"\".command = 1979-05-27 }",
            "[\"gateway.bind\"]",
            "\"192.168.1.9\"",
            "[\"10.0.0.0/8\", \"192.168.1.0/24\"]",
            "[\"0.0.0.0/0\"]",
            "'",
            "99999999999999999999",
        ])
        .prop_map(str::to_owned),
    ];
    let line = (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"));
    let table = prop::collection::vec(line, 0..6)
        .prop_map(|lines| format!("[[server]]\n{}", lines.concat()));
    prop::collection::vec(table, 0..4).prop_map(|tables| tables.concat())
}

#[test]
fn no_configuration_makes_it_panic() {
    check(600, noise(), |text| generate(&text));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_is_accepted_stays_in_its_place() {
    let python = from_setup("lint/bin/python");
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    check(64, valid(), |text| {
        let deployment = read(&text).deployment.unwrap();
        let plan = Plan::new(&deployment);
        let target = folder.path().join(count.get().to_string());
        let held = Place::of(&target).unwrap().hold(|_| ()).unwrap();
        let staging = Directory::open(held).unwrap().stage(TIME).unwrap();
        staging.tree("dom0", plan.tree(Host::Dom0)).unwrap();
        let manifest = Manifest::new(&deployment, TIME, &plan, Vec::new(), Vec::new());
        staging
            .file(FILE_NAME, manifest.to_text().as_bytes(), 0o644)
            .unwrap();
        staging.publish().unwrap();
        std::fs::write(target.join("openclaw.toml"), text).unwrap();
        count.set(count.get() + 1);
    });
    let folders = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut parser = Command::new(python);
    parser
        .arg(repository().join("tests/support/strict_parse.py"))
        .args(folders);
    assert_eq!(stdout(&mut parser).lines().count(), count.get());

    // Every shell script of every configuration, and every line of openclaw.conf.
    let mut seen = std::collections::BTreeSet::new();
    for path in support::files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.starts_with(b"#!/bin/sh") && seen.insert(bytes) {
            stdout(Command::new("dash").arg("-n").arg(&path));
        }
    }
    assert!(seen.len() > 10);
    let conf = format!(
        "! grep -rhvE '^(#.*|QUBE_[0-9]+=[A-Za-z][A-Za-z0-9_-]*|START_[0-9]+=(yes|no))?$' {}/*/dom0/srv/formulas/base/\
         openclaw-formula/openclaw/dom0/files/etc/qubes/openclaw.conf",
        folder.path().display()
    );
    stdout(Command::new("sh").args(["-c", &conf]));
}
