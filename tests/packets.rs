// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who connects, from where, to which port of a server: the generated rules in real nftables, over
//! those of Qubes, and real connections between network namespaces. What is to come of each is told
//! from the configuration alone.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::configurations::{Range, check, ends, valid};
use crate::support::{examples, repository, stdout, tool};
use openclaw_formula::config::{self, Input};
use openclaw_formula::plan::Plan;
use openclaw_formula::tree::Host;
use serde_json::{Value, json};

/// A program that has nothing to do with OpenClaw, on every address.
const SSH: u16 = 22;
/// Ollama, on loopback.
const OLLAMA: u16 = 11434;
/// Where the cursor proxy listens when it does not know better.
const PROXY: u16 = 32125;

/// What a configuration says of who may reach a server.
#[derive(Clone, Debug)]
struct Meaning {
    name: String,
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

fn is_in(address: Ipv4Addr, range: Range) -> bool {
    let (first, last) = ends(range);
    (first..=last).contains(&bits(address))
}

fn range_of(text: &str) -> Range {
    let (first, prefix) = text.split_once('/').unwrap_or((text, "32"));
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
                let exposed = server.get("expose-proxy").is_some_and(|exposed| {
                    exposed.as_bool() == Some(true) || exposed.as_str() == Some("network")
                });
                let ranges = server.get("allow-from").map(|ranges| {
                    let ranges = ranges.as_array().unwrap().iter();
                    ranges
                        .map(|range| range_of(range.as_str().unwrap()))
                        .collect()
                });
                Meaning {
                    name: text("name").unwrap_or("openclaw-vm").to_owned(),
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
                    network: (text("mode") == Some("network")).then_some((ranges, exposed)),
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
    /// Makes them, which needs root.
    fn new() -> World {
        let base = "tests/standin/root/qube/usr/lib/qubes/qubes-standin.nft";
        let mut process = Command::new("/usr/bin/python3")
            .arg(repository().join("tests/support/packets.py"))
            .arg(repository().join(base))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        World {
            tried: HashSet::new(),
            orders: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
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
        let plan = Plan::new(
            &outcome
                .deployment
                .unwrap_or_else(|| panic!("refused: {text}")),
        );
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("openclaw.toml");
        std::fs::write(&config, text).unwrap();
        let mut plan_printed = tool();
        plan_printed.args(["plan", "--who-can-reach", "--json"]);
        let printed: Value = serde_json::from_str(&stdout(plan_printed.arg(&config))).unwrap();
        let mut count = 0;
        for (number, meaning) in meanings.iter().enumerate() {
            let rows = printed["servers"][number]["to"].as_array().unwrap();
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
            for (source, port, result) in self.results(meaning, script.as_deref()) {
                assert_eq!(
                    result,
                    meaning.expected(&source, port),
                    "from {source} to port {port}:\n{text}"
                );
                let comes = source != "127.0.0.1" && source != meaning.address.to_string();
                assert!(
                    !comes || word_for(rows, meaning, &source, port) == word_of(&result),
                    "from {source} to port {port}, {result}, is printed otherwise:\n{text}"
                );
                count += 1;
            }
        }
        count
    }
}

/// What `plan --who-can-reach` prints for a connection from an address.
fn word_for<'a>(rows: &'a [Value], meaning: &Meaning, source: &str, port: u16) -> &'a str {
    let is_there = |row: &&Value| {
        let range = row["name"].as_str().filter(|_| row["who"] == "addresses");
        let source = source.parse();
        range.is_some_and(|range| source.is_ok_and(|source| is_in(source, range_of(range))))
    };
    let others = || rows.iter().find(|row| row["who"] == "network");
    let row = rows.iter().find(is_there).or_else(others).unwrap();
    // Which of the addresses are qubes' is told too.
    let is_qubes = |address: Ipv4Addr| matches!(address.octets(), [10, 137 | 138, ..]);
    if let (Some(qubes), Ok(source)) = (row["qubes"].as_array(), source.parse()) {
        let mut ranges = qubes.iter().map(|range| range_of(range.as_str().unwrap()));
        assert_eq!(ranges.any(|range| is_in(source, range)), is_qubes(source));
    }
    let column = if port == meaning.gateway {
        "gateway"
    } else if meaning.cursor && port == meaning.proxy {
        "proxy"
    } else {
        "other-ports"
    };
    row["decisions"][column].as_str().unwrap()
}

/// The word for what came of a connection. What is allowed is answered.
fn word_of(result: &str) -> &str {
    match result {
        "connected" => "allow",
        "dropped" => "deny",
        other => other,
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn every_example_opens_what_it_says() {
    let mut world = World::new();
    let mut count = 0;
    for example in examples() {
        let text = std::fs::read_to_string(repository().join("examples").join(&example)).unwrap();
        count += world.check(&text, &Meaning::of_toml(&text));
    }
    eprintln!("{count} connections");
    assert!(count > 400);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn random_configurations_open_what_they_say() {
    let world = World::new();
    let world = std::cell::RefCell::new(world);
    let count = std::cell::Cell::new(0);
    check(20, valid(), |text| {
        let connections = world.borrow_mut().check(&text, &Meaning::of_toml(&text));
        count.set(count.get() + connections);
    });
    eprintln!("{} connections", count.get());
    assert!(count.get() > 2000);
}
