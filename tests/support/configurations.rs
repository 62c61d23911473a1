// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random configurations, and properties of them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use openclaw_formula::config::{self, Input, Outcome};
use openclaw_formula::diagnostic;
use openclaw_formula::model::{PROVIDERS, find};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One with everything that can be opened between qubes.
pub const OPEN: &str = r#"[[server]]
name = "one"
clients = ["work", "personal"]
expose-proxy = "clients"
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
        // What is free of form is refused unless somebody insists.
        format!(
            "override-safety = [\"agents.defaults.params.x\"]\n\
             [server.openclaw.agents.defaults.params.x]\n{}a = 1\n",
            lines.concat()
        )
    })
}

/// A range of addresses: the first one, and how many bits they have in common.
pub type Range = (Ipv4Addr, u32);

/// The first and the last address, as numbers.
pub fn ends((first, prefix): Range) -> (u64, u64) {
    let first = u64::from(u32::from(first));
    (first, first + (1 << (32 - prefix)) - 1)
}

/// Ranges of which none is in another, each of some hosts that are not loopback.
fn ranges() -> impl Strategy<Value = Vec<String>> {
    let first = prop_oneof![
        Just([192, 168, 1, 0]),
        Just([10, 137, 0, 0]),
        any::<[u8; 4]>(),
    ];
    let range = (first, 1_u32..=32)
        .prop_map(|(first, prefix)| {
            let mask = u32::MAX << (32 - prefix);
            (Ipv4Addr::from(u32::from_be_bytes(first) & mask), prefix)
        })
        .prop_filter("nobody's", |range| {
            let (first, last) = ends(*range);
            let loopback = (127 << 24)..(128 << 24);
            last < 224 << 24 && !loopback.contains(&first)
        });
    prop::collection::vec(range, 1..4)
        .prop_filter("one in another", |ranges| {
            ranges.iter().enumerate().all(|(i, range)| {
                let (first, last) = ends(*range);
                let mut others = ranges
                    .iter()
                    .enumerate()
                    .map(|(j, other)| (j, ends(*other)));
                others.all(|(j, other)| i == j || other.0 > first || other.1 < last)
            })
        })
        .prop_map(|ranges| {
            let text = |(first, prefix)| format!("{first}/{prefix}");
            ranges.into_iter().map(text).collect()
        })
}

/// How a server is reached, as far as it is told in each mode.
fn mode() -> impl Strategy<Value = Reached> {
    let address = prop::sample::select(vec!["192.168.7", "10.137.0", "172.20.3", "100.100.1"]);
    let network = (
        address,
        prop::option::weighted(0.7, ranges()),
        exposed(&["true", "\"network\"", "\"clients\"", "\"off\"", "false"]),
        prop::option::of(any::<bool>()),
    );
    prop_oneof![
        (
            prop::option::of(any::<bool>()),
            exposed(&["\"off\"", "\"clients\"", "false"])
        )
            .prop_map(|(starts, proxy)| Reached::Tunnel { starts, proxy }),
        network.prop_map(|(subnet, sources, proxy, tls)| Reached::Network {
            subnet,
            sources,
            proxy,
            tls,
        }),
    ]
}

/// Who reaches the cursor proxy, as it may be written.
fn exposed(words: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(words))
}

#[derive(Clone, Debug)]
enum Reached {
    Tunnel {
        starts: Option<bool>,
        proxy: Option<&'static str>,
    },
    Network {
        subnet: &'static str,
        sources: Option<Vec<String>>,
        proxy: Option<&'static str>,
        tls: Option<bool>,
    },
}

impl Reached {
    /// The keys for it, of the server with this number.
    fn to_toml(&self, number: usize, cursor: bool) -> String {
        let key = |name: &str, value: Option<bool>| {
            value.map_or(String::new(), |value| format!("{name} = {value}\n"))
        };
        let exposed = |proxy: Option<&str>| {
            // Without the proxy, nothing can be opened.
            let proxy = proxy.filter(|proxy| cursor || ["\"off\"", "false"].contains(proxy));
            proxy.map_or(String::new(), |proxy| format!("expose-proxy = {proxy}\n"))
        };
        match self {
            Reached::Tunnel { starts, proxy } => {
                key("start-on-connect", *starts) + &exposed(*proxy)
            }
            Reached::Network {
                subnet,
                sources,
                proxy,
                tls,
            } => {
                let sources = sources.as_ref().map_or(String::new(), |sources| {
                    format!("allow-from = {sources:?}\n")
                });
                format!(
                    "mode = \"network\"\nip = \"{subnet}.{}\"\n{sources}{}{}",
                    number + 100,
                    exposed(*proxy),
                    key("tls", *tls),
                )
            }
        }
    }
}

/// A configuration that is accepted.
pub fn valid() -> impl Strategy<Value = String> {
    let tag = "[a-zA-Z0-9_][a-zA-Z0-9_-]{0,15}";
    let model = prop_oneof![
        Just(None),
        "[a-z0-9][a-zA-Z0-9._:/@+-]{0,20}".prop_map(Some)
    ];
    // The proxy knows no others.
    let cursors = prop::sample::select(find("cursor").unwrap().models.names.clone());
    let providers = prop::sample::subsequence(
        PROVIDERS.iter().map(|it| it.name).collect::<Vec<_>>(),
        1..=4,
    )
    .prop_shuffle();
    let inter_qube = || prop::sample::select(vec!["off", "ask", "allow"]);
    let ports = prop_oneof![
        2 => Just(None),
        1 => Just(Some((18789, 32125))),
        // Each on the other's usual port.
        1 => Just(Some((32125, 18789))),
    ];
    let server = (
        name(),
        any::<bool>(),
        prop::sample::select(vec!["red", "orange", "gray", "black"]),
        mode(),
        (inter_qube(), inter_qube()),
        providers,
        model,
        prop::collection::btree_set(tag, 0..3),
        prop::collection::btree_set(name(), 0..3),
        (400_u32..4000, 12_000_u32..1_000_000, any::<bool>()),
        (cursors, extra(), ports),
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
                reached,
                inter_qube,
                providers,
                model,
                tags,
                clients,
                memory,
                more,
            ) = server;
            let (cursors, extra, ports) = more;
            text += &format!("[[server]]\nname = \"{name}\"\nlabel = \"{label}\"\n");
            if app {
                text += "class = \"app\"\n";
            }
            text += &reached.to_toml(i, providers.contains(&"cursor"));
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
            // The one provider that answers without a network.
            if providers == ["ollama"] && matches!(reached, Reached::Tunnel { .. }) && !autostart {
                text += "netvm = \"none\"\n";
            }
            text += &format!("memory = {initial}\nmax-memory = {max}\nautostart = {autostart}\n");
            // No two servers have a port in common.
            let (gateway, proxy) = ports.filter(|_| i == 0).unwrap_or((3000 + i, 2000 + i));
            text += &format!("ports = {{ proxy = {proxy}, gateway = {gateway} }}\n");
            text += &extra;
        }
        // Some names that the strategy makes are refused: they are the other property's.
        read(&text).deployment.is_some().then_some(text)
    })
}
