// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random configurations, and properties of them.

use std::collections::BTreeSet;

use openclaw_formula::config::{self, Input, Outcome};
use openclaw_formula::diagnostic;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One with everything that can be opened between qubes.
pub const OPEN: &str = r#"[[server]]
name = "one"
clients = ["work", "personal"]
inter-qube = "allow"
inter-qube-to-clients = "ask"

[[server]]
name = "two"
mode = "network"
ip = "192.168.1.50"
provider = "openai"
ports = { gateway = 18790 }
clients = ["work"]
inter-qube = "ask"
inter-qube-to-clients = "allow"
"#;

/// Reads a configuration.
pub fn read(text: &str) -> Outcome {
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

/// Runs a property. The cases are the same on every run.
pub fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
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

/// From where network mode may take connections.
const RANGES: [&str; 3] = ["192.168.7.0/24", "10.137.0.9", "0.0.0.0/5"];

/// A configuration that is accepted.
pub fn valid() -> impl Strategy<Value = String> {
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
    let inter_qube = || prop::sample::select(vec!["off", "ask", "allow"]);
    let server = (
        name(),
        any::<bool>(),
        prop::sample::select(vec!["red", "orange", "gray", "black"]),
        any::<bool>(),
        (inter_qube(), inter_qube()),
        providers,
        model,
        prop::collection::btree_set(tag, 0..3),
        prop::collection::btree_set(name(), 0..3),
        (400_u32..4000, 12_000_u32..1_000_000, any::<bool>()),
        (cursors, extra(), any::<bool>(), 0_usize..=RANGES.len()),
    );
    prop::collection::vec(server, 1..4).prop_filter_map("names clash", |servers| {
        let names: BTreeSet<_> = servers.iter().map(|server| server.0.clone()).collect();
        if names.len() < servers.len() {
            return None;
        }
        let mut text = String::new();
        for (i, server) in servers.into_iter().enumerate() {
            let (
                name,
                app,
                label,
                network,
                inter_qube,
                providers,
                model,
                tags,
                clients,
                memory,
                more,
            ) = server;
            let (cursors, extra, opens, ranges) = more;
            text += &format!("[[server]]\nname = \"{name}\"\nlabel = \"{label}\"\n");
            if app {
                text += "class = \"app\"\n";
            }
            if network {
                text += "mode = \"network\"\n";
                text += &format!("ip = \"192.168.7.{}\"\n", i + 1);
                text += &format!(
                    "expose-proxy = {}\n",
                    opens && providers.contains(&"cursor")
                );
                text += &format!("tls = {}\n", memory.2);
                if ranges > 0 {
                    text += &format!("allow-from = {:?}\n", &RANGES[..ranges]);
                }
            } else {
                text += &format!("start-on-connect = {opens}\n");
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
            // What needs clients is refused without them.
            let (into, out) = match inter_qube {
                ("allow", _) if clients.is_empty() => ("ask", "off"),
                (into, _) if clients.is_empty() => (into, "off"),
                both => both,
            };
            text += &format!("inter-qube = {into:?}\ninter-qube-to-clients = {out:?}\n");
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
