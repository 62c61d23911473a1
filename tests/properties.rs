// SPDX-License-Identifier: MIT OR Apache-2.0

//! What holds for any input: nothing panics, and what is accepted stays in its place in every
//! generated file.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use openclaw_formula::config::{self, Input, Outcome};
use openclaw_formula::diagnostic;
use openclaw_formula::manifest::{FILE_NAME, Manifest};
use openclaw_formula::plan::Plan;
use openclaw_formula::sink::{directory::Staging, rpm};
use openclaw_formula::tree::Host;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{from_setup, repository, stdout};

/// Any time that is not in the future.
const TIME: u32 = 1_700_000_000;

fn read(text: &str) -> Outcome {
    let outcome = config::read(&Input {
        file: Some(("openclaw.toml".to_owned(), text.to_owned())),
        ..Input::default()
    });
    // What is refused is shown, wherever the places are.
    let shown = diagnostic::render(&outcome.sources, &outcome.diagnostics, true);
    assert_eq!(shown.is_empty(), outcome.diagnostics.is_empty());
    assert!(
        outcome.deployment.is_some() || !shown.is_empty(),
        "refused without a word"
    );
    outcome
}

/// Everything that follows an accepted input.
fn generate(text: &str) {
    if let Some(deployment) = read(text).deployment {
        let plan = Plan::new(&deployment);
        assert_eq!(plan, Plan::new(&deployment));
        for host in Host::ALL {
            let build = || rpm::build(host, &plan, &deployment.package, TIME, None).unwrap();
            assert_eq!(build(), build());
        }
    }
}

/// Runs a property. The cases are the same on every run.
fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
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
        "expose-proxy",
        "provider",
        "model",
        "ports",
        "clients",
        "client-tag",
        "tags",
        "inter-qube",
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
            "\"none\"",
            "\"ollama\"",
            "[\"cursor\", \"ollama\"]",
            "{ gateway = 1 }",
            "{ gateway.bind = \"lan\", channels.telegram.allowFrom = [\"*\", 1, {}] }",
            "{ ui.\"a.b\" = nan, x = 1, mcp.servers.\"\".command = 1979-05-27 }",
            "[\"gateway.bind\"]",
            "\"192.168.1.9\"",
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

/// A name that is allowed, words that YAML or a shell could take for something else included.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "no", "Yes", "on", "Off", "null", "true", "NaN", "e1", "y", "files", "dom0x", "create",
            "if", "init", "work", "openclaw", "O-_-o",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z][a-zA-Z0-9_-]{0,25}",
    ]
}

/// Text as TOML has it, with every character that is not plain escaped.
fn toml_string(text: &str) -> String {
    let escaped = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '{' | '}' | '%' | '#' | ':' | '-' => {
            c.to_string()
        }
        _ => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// Settings of OpenClaw's own: any text, numbers that YAML and JSON write otherwise than TOML, and
/// what Jinja and YAML take for their own.
fn extra() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>(),
        "[{}%# a:-]{0,12}",
        prop::sample::select(vec![
            "no",
            "1e3",
            "0x1",
            "1_0",
            "null",
            "~",
            "{{ grains.id }}",
            "\u{85}\u{2028}\u{feff}"
        ])
        .prop_map(str::to_owned),
    ];
    let key = prop_oneof![any::<String>(), "[a-z]{1,4}", "[{%#:-]{1,4}"];
    let value = prop_oneof![
        text.clone().prop_map(|text| toml_string(&text)),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|boolean| boolean.to_string()),
        prop::collection::vec(text, 0..3).prop_map(|texts| {
            let texts: Vec<_> = texts.iter().map(|text| toml_string(text)).collect();
            format!("[[], {{}}, [{}], {{ a = {{ b = 1 }} }}]", texts.join(", "))
        }),
    ];
    prop::collection::vec((key, value), 0..4).prop_map(|entries| {
        let line = |(key, value): &(String, String)| format!("{} = {value}\n", toml_string(key));
        let lines: Vec<_> = entries.iter().map(line).collect();
        format!("[server.openclaw.ui]\n{}", lines.concat())
    })
}

/// A configuration that is accepted.
fn valid() -> impl Strategy<Value = String> {
    let tag = "[a-zA-Z0-9_][a-zA-Z0-9_-]{0,15}";
    let model = prop_oneof![
        Just(None),
        "[a-z0-9][a-zA-Z0-9._:/@+-]{0,20}".prop_map(Some)
    ];
    // The proxy knows no others.
    let cursors = prop::sample::select(openclaw_formula::models::of("cursor").names.clone());
    let providers =
        prop::sample::subsequence(vec!["cursor", "openai", "anthropic", "ollama"], 1..=4)
            .prop_shuffle();
    let server = (
        name(),
        any::<bool>(),
        prop::sample::select(vec!["red", "orange", "gray", "black"]),
        any::<bool>(),
        any::<bool>(),
        providers,
        model,
        prop::collection::btree_set(tag, 0..3),
        prop::collection::btree_set(name(), 0..3),
        (400_u32..4000, 12_000_u32..1_000_000, any::<bool>()),
        (cursors, extra()),
    );
    prop::collection::vec(server, 1..4).prop_filter_map("names clash", |servers| {
        let names: BTreeSet<_> = servers.iter().map(|server| server.0.clone()).collect();
        if names.len() < servers.len() {
            return None;
        }
        let mut text = String::new();
        for (i, server) in servers.into_iter().enumerate() {
            let (name, app, label, network, ask, providers, model, tags, clients, memory, more) =
                server;
            let (cursors, extra) = more;
            text += &format!("[[server]]\nname = \"{name}\"\nlabel = \"{label}\"\n");
            if app {
                text += "class = \"app\"\n";
            }
            if network {
                text += "mode = \"network\"\n";
                text += &format!("ip = \"192.168.7.{}\"\n", i + 1);
            }
            if ask {
                text += "inter-qube = \"ask\"\n";
            }
            text += &format!("provider = {providers:?}\n");
            if let Some(model) = model {
                let model = if providers[0] == "cursor" {
                    cursors
                } else {
                    model
                };
                text += &format!("model = \"{}/{model}\"\n", providers[0]);
            }
            text += &format!("tags = {:?}\n", tags.iter().collect::<Vec<_>>());
            let clients: Vec<_> = clients
                .iter()
                .filter(|name| !names.contains(*name))
                .collect();
            text += &format!("clients = {clients:?}\n");
            let (initial, max, autostart) = memory;
            text += &format!("memory = {initial}\nmax-memory = {max}\nautostart = {autostart}\n");
            text += &format!(
                "ports = {{ proxy = {}, gateway = {} }}\n",
                2000 + i,
                3000 + i
            );
            text += &extra;
        }
        // Some names that the strategy makes are refused: they are the other property's.
        read(&text).deployment.is_some().then_some(text)
    })
}

#[test]
fn what_is_accepted_stays_in_its_place() {
    let Some(python) = from_setup("salt-3007/bin/python") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    check(64, valid(), |text| {
        let deployment = read(&text).deployment.unwrap();
        let plan = Plan::new(&deployment);
        let target = folder.path().join(count.get().to_string());
        let staging = Staging::new(&target, TIME).unwrap();
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
        "! grep -rhvE '^(#.*|QUBE_[0-9]+=[A-Za-z][A-Za-z0-9_-]*)?$' {}/*/dom0/srv/formulas/base/\
         openclaw-formula/openclaw/dom0/files/etc/qubes/openclaw.conf",
        folder.path().display()
    );
    stdout(Command::new("sh").args(["-c", &conf]));
}
