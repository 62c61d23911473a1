// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who connects, from where, to which port of a server: the generated rules in real nftables, over
//! those of Qubes, and real connections between network namespaces. What is to come of each is told
//! from the configuration alone.

mod support;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use openclaw_formula::config::{self, Input};
use openclaw_formula::plan::Plan;
use openclaw_formula::plan::reach::{Decision, Reach, Row, ServerReach, What, Who};
use openclaw_formula::tree::Host;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::{examples, has_program, repository};

/// A program that has nothing to do with OpenClaw, on every address.
const SSH: u16 = 22;
/// Ollama, on loopback.
const OLLAMA: u16 = 11434;
/// Where the cursor proxy listens when it does not know better.
const PROXY: u16 = 32125;

/// A range of addresses: the first one, and how many bits they have in common.
type Range = (Ipv4Addr, u32);

/// What a configuration says of who may reach a server.
#[derive(Clone, Debug)]
struct Meaning {
    name: String,
    app: bool,
    cursor: bool,
    gateway: u16,
    proxy: u16,
    address: Ipv4Addr,
    /// In network mode: the sources that are allowed, and whether the proxy is exposed.
    network: Option<(Option<Vec<Range>>, bool)>,
}

fn bits(address: Ipv4Addr) -> u64 {
    u64::from(u32::from(address))
}

/// The first and the last address.
fn ends((first, prefix): Range) -> (u64, u64) {
    (bits(first), bits(first) + (1 << (32 - prefix)) - 1)
}

fn is_in(address: Ipv4Addr, range: Range) -> bool {
    let (first, last) = ends(range);
    (first..=last).contains(&bits(address))
}

fn range_of(text: &str) -> Range {
    let (first, prefix) = text.split_once('/').unwrap();
    (first.parse().unwrap(), prefix.parse().unwrap())
}

impl Meaning {
    /// The ranges of those who may reach it: by default the private one around its own address, and
    /// those of qubes and of disposables.
    fn sources(&self) -> Vec<Range> {
        let private = [
            (Ipv4Addr::new(10, 0, 0, 0), 8),
            (Ipv4Addr::new(172, 16, 0, 0), 12),
            (Ipv4Addr::new(192, 168, 0, 0), 16),
            (Ipv4Addr::new(100, 64, 0, 0), 10),
        ];
        match &self.network {
            None => Vec::new(),
            Some((Some(ranges), _)) => ranges.clone(),
            Some((None, _)) => private
                .into_iter()
                .filter(|range| is_in(self.address, *range))
                .chain([
                    (Ipv4Addr::new(10, 137, 0, 0), 16),
                    (Ipv4Addr::new(10, 138, 0, 0), 16),
                ])
                .collect(),
        }
    }

    /// The ports that are open to them.
    fn open(&self) -> Vec<u16> {
        match self.network {
            None => Vec::new(),
            Some((_, true)) => vec![self.gateway, self.proxy],
            Some((_, false)) => vec![self.gateway],
        }
    }

    /// Where programs listen in the qube: the gateway as OpenClaw's `custom` does, or on loopback.
    fn listeners(&self) -> Vec<(String, u16)> {
        let mut listeners = vec![
            ("127.0.0.1".to_owned(), self.gateway),
            ("127.0.0.1".to_owned(), OLLAMA),
            ("::".to_owned(), SSH),
        ];
        if self.network.is_some() {
            listeners.push((self.address.to_string(), self.gateway));
        }
        if self.cursor {
            listeners.push(("::".to_owned(), self.proxy));
            if self.proxy != PROXY && self.gateway != PROXY {
                listeners.push(("::".to_owned(), PROXY));
            }
        }
        listeners
    }

    /// What is to come of a connection.
    fn expected(&self, source: &str, port: u16) -> &'static str {
        let listens = |at: &str| {
            let listeners = self.listeners();
            let found = listeners.iter().any(|(address, listening)| {
                *listening == port && (address == at || address == "::")
            });
            if found { "connected" } else { "refused" }
        };
        let address = self.address.to_string();
        if source == "127.0.0.1" || source == address {
            return listens(source);
        }
        let allowed = source
            .parse()
            .is_ok_and(|source: Ipv4Addr| self.sources().iter().any(|range| is_in(source, *range)));
        if allowed && self.open().contains(&port) {
            listens(&address)
        } else {
            "dropped"
        }
    }

    /// What `plan --who-can-reach` says of that, where it does.
    fn told(&self, reach: &ServerReach, source: &str, port: u16) -> Option<Decision> {
        if source == "127.0.0.1" || source == self.address.to_string() {
            return None;
        }
        let what = if port == self.gateway {
            What::Gateway
        } else if port == self.proxy && self.cursor {
            What::Proxy
        } else {
            What::OtherPorts
        };
        let source = source.parse();
        let row = |row: &&Row| match row.who {
            Who::Addresses(range) => source.as_ref().is_ok_and(|source| range.contains(*source)),
            Who::OtherAddresses => true,
            _ => false,
        };
        Some(reach.to.iter().find(row).unwrap().decisions[&what])
    }

    /// Who tries: the namespace, and the address.
    fn callers(&self) -> Vec<(&'static str, String)> {
        let mut addresses: Vec<Ipv4Addr> = [
            [192, 168, 1, 9],
            [192, 168, 77, 9],
            [172, 16, 5, 5],
            [10, 9, 9, 9],
            [100, 64, 0, 9],
            [203, 0, 113, 7],
            [10, 137, 0, 23],
            [10, 138, 1, 2],
        ]
        .map(Ipv4Addr::from)
        .to_vec();
        // The edges of what is allowed, from both sides.
        for range in self.sources() {
            let (first, last) = ends(range);
            let edges = [first.wrapping_sub(1), first, last, last + 1];
            addresses.extend(
                edges
                    .into_iter()
                    .filter_map(|bits| u32::try_from(bits).ok())
                    .map(Ipv4Addr::from),
            );
        }
        let usable = |address: &Ipv4Addr| {
            let first = address.octets()[0];
            let netvm = Ipv4Addr::new(10, 137, 0, 5);
            (1..224).contains(&first)
                && first != 127
                && *address != self.address
                && *address != netvm
        };
        addresses.retain(usable);
        addresses.sort();
        addresses.dedup();
        addresses
            .into_iter()
            .map(|address| {
                let space = match address.octets() {
                    [10, 137 | 138, ..] => "qube",
                    _ => "lan",
                };
                (space, address.to_string())
            })
            .chain([
                ("netvm", "10.137.0.5".to_owned()),
                ("lan", "fd00:2::9".to_owned()),
                ("server", "127.0.0.1".to_owned()),
                ("server", self.address.to_string()),
            ])
            .collect()
    }

    fn ports(&self) -> Vec<u16> {
        let mut ports = vec![self.gateway, self.proxy, PROXY, SSH, OLLAMA];
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The configuration that means this.
    fn to_toml(&self) -> String {
        let mut text = format!(
            "[[server]]\nname = \"{}\"\nip = \"{}\"\nports = {{ gateway = {}, proxy = {} }}\n",
            self.name, self.address, self.gateway, self.proxy
        );
        if self.app {
            text += "class = \"app\"\n";
        }
        if !self.cursor {
            text += "provider = [\"ollama\", \"openai\"]\n";
        }
        if let Some((ranges, exposed)) = &self.network {
            writeln!(text, "mode = \"network\"\nexpose-proxy = {exposed}").unwrap();
            if let Some(ranges) = ranges {
                let ranges: Vec<_> = ranges
                    .iter()
                    .map(|(first, prefix)| format!("{first}/{prefix}"))
                    .collect();
                writeln!(text, "allow-from = {ranges:?}").unwrap();
            }
        }
        text
    }

    /// What the servers of a configuration mean.
    fn of_toml(text: &str) -> Vec<Meaning> {
        let table: toml::Table = text.parse().unwrap();
        let servers = table["server"].as_array().unwrap();
        servers
            .iter()
            .map(|server| {
                let text = |key: &str| server.get(key).and_then(toml::Value::as_str);
                let port = |key: &str, default: u16| {
                    let port = server.get("ports").and_then(|ports| ports.get(key));
                    port.map_or(default, |port| port.as_integer().unwrap() as u16)
                };
                let providers = server.get("provider");
                let exposed = server.get("expose-proxy").and_then(toml::Value::as_bool);
                let ranges = server.get("allow-from").map(|ranges| {
                    let ranges = ranges.as_array().unwrap().iter();
                    ranges
                        .map(|range| range_of(range.as_str().unwrap()))
                        .collect()
                });
                Meaning {
                    name: text("name").unwrap_or("openclaw-vm").to_owned(),
                    app: text("class") == Some("app"),
                    cursor: providers.is_none_or(|providers| {
                        let listed = providers.as_array();
                        providers.as_str() == Some("cursor")
                            || listed.is_some_and(|list| {
                                list.iter().any(|item| item.as_str() == Some("cursor"))
                            })
                    }),
                    gateway: port("gateway", 18789),
                    proxy: port("proxy", PROXY),
                    address: text("ip").unwrap_or("10.137.0.77").parse().unwrap(),
                    network: (text("mode") == Some("network"))
                        .then(|| (ranges, exposed.unwrap_or_default())),
                }
            })
            .collect()
    }
}

/// The namespaces, in a process of their own.
struct World {
    /// Cases that were tried already.
    tried: HashSet<String>,
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl World {
    /// Makes them; `None` if that cannot be.
    fn new() -> Option<World> {
        if !rustix::process::geteuid().is_root() {
            assert!(
                std::env::var_os("CI").is_none(),
                "network namespaces need root"
            );
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        if !has_program("nft") || !has_program("ip") {
            return None;
        }
        let base = "tests/standin/root/qube/usr/lib/qubes/qubes-standin.nft";
        let mut process = Command::new("/usr/bin/python3")
            .arg(repository().join("tests/support/packets.py"))
            .arg(repository().join(base))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(World {
            tried: HashSet::new(),
            orders: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        })
    }

    /// What comes of every probe of a server, whose script is at this path.
    fn results(&mut self, meaning: &Meaning, script: Option<&Path>) -> Vec<(String, u16, String)> {
        let probes: Vec<_> = meaning
            .callers()
            .into_iter()
            .flat_map(|(space, source)| {
                let ports = meaning.ports();
                ports
                    .into_iter()
                    .map(move |port| (space, source.clone(), port))
            })
            .collect();
        let case = json!({
            "script": script,
            "address": meaning.address,
            "listen": meaning.listeners(),
            "probes": probes,
        });
        writeln!(self.orders, "{case}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let results: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the namespaces failed for {meaning:?}"));
        let results = results.as_array().unwrap();
        assert_eq!(results.len(), probes.len());
        probes
            .into_iter()
            .zip(results)
            .map(|((_, source, port), result)| (source, port, result.as_str().unwrap().to_owned()))
            .collect()
    }

    /// Fails unless the generated rules of a configuration do what it means; how many probes.
    fn check(&mut self, text: &str, meanings: &[Meaning]) -> usize {
        let outcome = config::read(&Input {
            file: Some(("openclaw.toml".to_owned(), text.to_owned())),
            ..Input::default()
        });
        let deployment = outcome
            .deployment
            .unwrap_or_else(|| panic!("refused: {text}"));
        let (plan, reach) = (Plan::new(&deployment), Reach::new(&deployment));
        let folder = tempfile::tempdir().unwrap();
        let mut count = 0;
        for meaning in meanings {
            let end = format!(
                "openclaw/{}/files/rw/config/rc.local.d/50-openclaw.rc",
                meaning.name
            );
            let generated = plan
                .tree(Host::Dom0)
                .iter()
                .find(|(path, _)| path.as_str().ends_with(&end));
            let script = generated.map(|(_, entry)| {
                let path = folder.path().join(&meaning.name);
                std::fs::write(&path, entry.bytes().unwrap()).unwrap();
                path
            });
            let text_of_script = script.as_ref().map(std::fs::read_to_string);
            if !self.tried.insert(format!("{meaning:?} {text_of_script:?}")) {
                continue;
            }
            let servers = &reach.servers;
            let told = servers.iter().find(|server| server.name == meaning.name);
            for (source, port, result) in self.results(meaning, script.as_deref()) {
                if let Some(decision) = meaning.told(told.unwrap(), &source, port) {
                    let opened = if result == "dropped" {
                        Decision::Deny
                    } else {
                        Decision::Allow
                    };
                    assert_eq!(decision, opened, "from {source} to port {port}:\n{text}");
                }
                assert_eq!(
                    result,
                    meaning.expected(&source, port),
                    "from {source} to port {port}:\n{text}"
                );
                count += 1;
            }
        }
        count
    }
}

#[test]
fn every_example_opens_what_it_says() {
    let Some(mut world) = World::new() else {
        return;
    };
    let mut count = 0;
    for example in examples() {
        let text = std::fs::read_to_string(repository().join("examples").join(&example)).unwrap();
        count += world.check(&text, &Meaning::of_toml(&text));
    }
    eprintln!("{count} connections");
    assert!(count > 400);
}

/// A range that is some host's, and not loopback.
fn range() -> impl Strategy<Value = Range> {
    let first = prop_oneof![
        Just([192, 168, 1, 0]),
        Just([10, 137, 0, 0]),
        any::<[u8; 4]>(),
    ];
    (first, 1_u32..=32)
        .prop_map(|(first, prefix)| {
            let mask = u32::MAX << (32 - prefix);
            (Ipv4Addr::from(u32::from_be_bytes(first) & mask), prefix)
        })
        .prop_filter("nobody's", |range| {
            let (first, last) = ends(*range);
            let loopback = (127 << 24)..(128 << 24);
            last < 224 << 24 && !loopback.contains(&first)
        })
}

fn meaning() -> impl Strategy<Value = Meaning> {
    let address = prop::sample::select(vec![
        Ipv4Addr::new(192, 168, 1, 100),
        Ipv4Addr::new(10, 137, 0, 100),
        Ipv4Addr::new(172, 20, 3, 4),
        Ipv4Addr::new(100, 100, 1, 1),
    ]);
    let ranges = prop::collection::vec(range(), 1..4).prop_filter("one in another", |ranges| {
        ranges.iter().enumerate().all(|(i, range)| {
            let mut others = ranges.iter().enumerate();
            others.all(|(j, other)| i == j || !is_in(range.0, *other) || range.1 < other.1)
        })
    });
    let network =
        prop::option::weighted(0.85, (prop::option::weighted(0.8, ranges), any::<bool>()));
    let ports = prop_oneof![
        Just((18789, PROXY)),
        (1024_u16..8000, 12000_u16..32000),
        // Each on the other's usual port.
        Just((PROXY, 18789)),
    ];
    (address, any::<bool>(), any::<bool>(), ports, network).prop_map(
        |(address, app, cursor, (gateway, proxy), network)| Meaning {
            name: "claw".to_owned(),
            app,
            cursor,
            gateway,
            proxy,
            address,
            network: network.map(|(ranges, exposed)| (ranges, exposed && cursor)),
        },
    )
}

#[test]
fn random_configurations_open_what_they_say() {
    let Some(mut world) = World::new() else {
        return;
    };
    // The cases are the same on every run.
    let mut runner = TestRunner::deterministic();
    let mut count = 0;
    for _ in 0..30 {
        let meaning = meaning().new_tree(&mut runner).unwrap().current();
        count += world.check(&meaning.to_toml(), &[meaning]);
    }
    eprintln!("{count} connections");
    assert!(count > 2000);
}
