// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who can reach what. Worked out from the model alone, not from the policy and the firewall that
//! are generated for it: the tests hold one against the other.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Deployment, ExposeProxy, InterQube, Mode, Network, Port, Server};

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It succeeds, without a question.
    Allow,
    /// dom0 asks each time.
    Ask,
    /// It fails.
    Deny,
    /// The formula says nothing: Qubes' own policy decides, and the user's.
    Qubes,
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Ask => "ask",
            Decision::Deny => "deny",
            Decision::Qubes => "qubes",
        }
    }
}

/// What somebody wants of a qube.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A connection to the gateway.
    Gateway,
    /// A connection to the cursor proxy.
    Proxy,
    /// A connection to another port.
    OtherPorts,
    /// A connection to any port.
    AnyPort,
    /// A shell or a command as the qube's user.
    Shell,
    /// A shell or a command as root.
    RootShell,
    /// The start of a program from its menu.
    Programs,
    /// A copy of files into it.
    Files,
}

impl What {
    /// What one may want of a server, beside its ports, and a server of others.
    const OTHERS: [What; 4] = [What::Shell, What::RootShell, What::Programs, What::Files];

    /// The qrexec services that give it.
    pub fn services(self) -> &'static [&'static str] {
        match self {
            What::Gateway | What::Proxy | What::OtherPorts | What::AnyPort => &["qubes.ConnectTCP"],
            What::Shell => &["qubes.VMShell", "qubes.VMExec", "qubes.VMExecGUI"],
            What::RootShell => &["qubes.VMRootShell", "qubes.VMRootExec"],
            What::Programs => &["qubes.StartApp"],
            What::Files => &["qubes.Filecopy"],
        }
    }

    fn heading(self, server: &Server) -> String {
        match self {
            What::Gateway => format!("gateway {}", server.ports.gateway),
            What::Proxy => format!("proxy {}", server.ports.proxy),
            What::OtherPorts => "other ports".to_owned(),
            What::AnyPort => "any port".to_owned(),
            What::Shell => "shell".to_owned(),
            What::RootShell => "root shell".to_owned(),
            What::Programs => "programs".to_owned(),
            What::Files => "files".to_owned(),
        }
    }
}

/// The other side of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "who", rename_all = "kebab-case")]
pub enum Who<'a> {
    /// The administrative domain.
    Dom0,
    /// A qube that the configuration names as a client.
    Client {
        /// The qube.
        name: &'a str,
    },
    /// A qube that carries the client tag without being named.
    Tagged {
        /// The tag.
        name: &'a str,
    },
    /// Another server, or a disposable made from a server.
    Agents,
    /// Any other qube, and any disposable.
    Others,
    /// Who connects to the server's own address from a range that is allowed.
    Addresses {
        /// The range.
        name: Network,
        /// What of it are addresses of qubes and disposables of the same machine.
        qubes: Vec<Network>,
    },
    /// Who connects to the server's own address from anywhere else.
    Network,
}

impl Who<'_> {
    fn title(&self) -> String {
        match self {
            Who::Dom0 => "dom0".to_owned(),
            Who::Client { name } => format!("client {name}"),
            Who::Tagged { name } => format!("others tagged {name}"),
            Who::Agents => "other agents' qubes".to_owned(),
            Who::Others => "any other qube".to_owned(),
            Who::Addresses { name, qubes } if qubes.is_empty() => name.to_string(),
            Who::Addresses { name, qubes } if *qubes == [*name] => format!("{name}, qubes"),
            Who::Addresses { name, .. } => format!("{name}, qubes among them"),
            Who::Network => "any other address".to_owned(),
        }
    }
}

/// What one other side may do. What has no entry cannot even be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row<'a> {
    /// Whose row it is.
    #[serde(flatten)]
    pub who: Who<'a>,
    /// What becomes of each attempt.
    pub decisions: BTreeMap<What, Decision>,
}

/// A host whose loopback ports lead to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loopback<'a> {
    /// dom0, or a client.
    pub host: &'a str,
    /// The ports, there and in the server.
    pub ports: Vec<u16>,
}

/// All about one server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReach<'a> {
    /// The server's name.
    pub name: &'a str,
    /// The ports of its services.
    pub ports: Vec<u16>,
    /// Where ports on loopback lead to the same ports of the server.
    pub on_loopback: Vec<Loopback<'a>>,
    /// Who may do what in it.
    pub to: Vec<Row<'a>>,
    /// What it may do elsewhere.
    pub from: Vec<Row<'a>>,
    #[serde(skip)]
    server: &'a Server,
}

/// Who can reach what, server by server.
#[derive(Clone, Debug, Serialize)]
pub struct Reach<'a> {
    /// The servers, in the configuration's order.
    pub servers: Vec<ServerReach<'a>>,
    /// The services behind the words.
    pub services: BTreeMap<What, &'static [&'static str]>,
}

/// What a setting means for a shell, where nothing means no.
fn shell(setting: InterQube) -> Decision {
    match setting {
        InterQube::Off => Decision::Deny,
        InterQube::Ask => Decision::Ask,
        InterQube::Allow => Decision::Allow,
    }
}

/// What a setting means for files, which Qubes has rules for.
fn files(setting: InterQube) -> Decision {
    match setting {
        InterQube::Off => Decision::Qubes,
        _ => shell(setting),
    }
}

/// What becomes of a connection to the proxy by those that this setting opens it to.
fn proxy(server: &Server, opened_by: ExposeProxy) -> Decision {
    if server.expose_proxy >= opened_by {
        Decision::Allow
    } else {
        Decision::Deny
    }
}

/// The ports of a server, as columns.
fn ports(server: &Server) -> Vec<What> {
    if server.has_proxy() {
        vec![What::Gateway, What::Proxy, What::OtherPorts]
    } else {
        vec![What::Gateway, What::OtherPorts]
    }
}

/// Rows in which each column is decided by itself.
fn row<'a>(who: Who<'a>, columns: &[What], decide: impl Fn(What) -> Decision) -> Row<'a> {
    Row {
        who,
        decisions: columns.iter().map(|what| (*what, decide(*what))).collect(),
    }
}

/// Who may do what in a server.
fn to(server: &Server) -> Vec<Row<'_>> {
    let ports = ports(server);
    let columns: Vec<_> = ports.iter().copied().chain(What::OTHERS).collect();
    let client = |setting: InterQube| {
        move |what| match what {
            What::Gateway => Decision::Allow,
            What::Proxy => proxy(server, ExposeProxy::Clients),
            What::Shell => shell(setting),
            What::Programs => Decision::Qubes,
            What::Files => files(setting),
            What::OtherPorts | What::AnyPort | What::RootShell => Decision::Deny,
        }
    };
    // Nobody named these: they are asked.
    let tagged = match server.inter_qube {
        InterQube::Off => InterQube::Off,
        InterQube::Ask | InterQube::Allow => InterQube::Ask,
    };
    let mut rows = vec![row(Who::Dom0, &columns, |_| Decision::Allow)];
    for name in &server.clients {
        let who = Who::Client {
            name: name.as_str(),
        };
        rows.push(row(who, &columns, client(server.inter_qube)));
    }
    let who = Who::Tagged {
        name: server.client_tag.as_str(),
    };
    rows.push(row(who, &columns, client(tagged)));
    rows.push(row(Who::Agents, &columns, |what| match what {
        What::Files => Decision::Qubes,
        _ => Decision::Deny,
    }));
    rows.push(row(Who::Others, &columns, |what| match what {
        What::Programs | What::Files => Decision::Qubes,
        _ => Decision::Deny,
    }));
    if let Mode::Network { allow_from, .. } = &server.mode {
        for range in allow_from.iter() {
            let who = Who::Addresses {
                name: range,
                qubes: range.of_qubes(),
            };
            rows.push(row(who, &ports, |what| match what {
                What::Gateway => Decision::Allow,
                What::Proxy => proxy(server, ExposeProxy::Network),
                _ => Decision::Deny,
            }));
        }
    }
    rows.push(row(Who::Network, &ports, |_| Decision::Deny));
    rows
}

/// What a server may do elsewhere.
fn from(server: &Server) -> Vec<Row<'_>> {
    let columns: Vec<_> = std::iter::once(What::AnyPort).chain(What::OTHERS).collect();
    let nothing = |what| match what {
        What::Files => Decision::Qubes,
        _ => Decision::Deny,
    };
    let mut rows = vec![row(Who::Dom0, &columns, |_| Decision::Deny)];
    for name in &server.clients {
        let who = Who::Client {
            name: name.as_str(),
        };
        rows.push(row(who, &columns, |what| match what {
            What::Shell => shell(server.inter_qube_to_clients),
            What::Files => files(server.inter_qube_to_clients),
            _ => Decision::Deny,
        }));
    }
    rows.push(row(Who::Agents, &columns, nothing));
    rows.push(row(Who::Others, &columns, nothing));
    rows
}

impl<'a> ServerReach<'a> {
    fn new(server: &'a Server) -> Self {
        let numbers =
            |ports: Vec<Port>| -> Vec<u16> { ports.iter().map(|port| port.number()).collect() };
        let dom0 = server.mode.is_tunnel().then(|| Loopback {
            host: "dom0",
            ports: numbers(server.service_ports()),
        });
        let clients = server.clients.iter().map(|client| Loopback {
            host: client.as_str(),
            ports: numbers(server.client_ports()),
        });
        ServerReach {
            name: server.name.as_str(),
            ports: numbers(server.service_ports()),
            on_loopback: dom0.into_iter().chain(clients).collect(),
            to: to(server),
            from: from(server),
            server,
        }
    }

    fn table(&self, title: String, rows: &[Row]) -> String {
        let columns: Vec<_> = rows[0].decisions.keys().copied().collect();
        let mut lines = vec![
            std::iter::once(title)
                .chain(columns.iter().map(|what| what.heading(self.server)))
                .collect::<Vec<_>>(),
        ];
        for row in rows {
            let cells = columns
                .iter()
                .map(|what| row.decisions.get(what).map_or("-", |found| found.word()))
                .map(str::to_owned);
            lines.push(std::iter::once(row.who.title()).chain(cells).collect());
        }
        let widths: Vec<_> = (0..=columns.len())
            .map(|i| lines.iter().map(|line| line[i].len()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for line in lines {
            let padded: Vec<_> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            text.push_str(padded.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

impl<'a> Reach<'a> {
    /// What a deployment means.
    pub fn new(deployment: &'a Deployment) -> Self {
        let servers: Vec<_> = deployment.servers.iter().map(ServerReach::new).collect();
        let services = servers
            .iter()
            .flat_map(|server| server.to.iter().chain(&server.from))
            .flat_map(|row| row.decisions.keys())
            .map(|what| (*what, what.services()))
            .collect();
        Reach { servers, services }
    }

    /// The tables, to be read by a person.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for server in &self.servers {
            let name = server.name;
            text += &server.table(format!("To {name} from"), &server.to);
            text.push('\n');
            text += &server.table(format!("From {name} to"), &server.from);
            text.push('\n');
            // One line for all hosts that have the same ports.
            for same in server
                .on_loopback
                .chunk_by(|one, other| one.ports == other.ports)
            {
                let addresses: Vec<_> = same[0]
                    .ports
                    .iter()
                    .map(|port| format!("127.0.0.1:{port}"))
                    .collect();
                let hosts: Vec<_> = same.iter().map(|loopback| loopback.host).collect();
                text += &format!(
                    "To {name} leads {} in {}\n\n",
                    addresses.join(" and "),
                    hosts.join(", "),
                );
            }
        }
        text + LEGEND
    }
}

/// What the words mean.
const LEGEND: &str = "\
allow   it works, and nobody is asked
ask     dom0 asks each time, for this qube alone
deny    it does not work
qubes   the formula says nothing: Qubes' own policy decides, or yours; without one of yours,
        files and programs are asked for
-       cannot be tried

shell: qubes.VMShell, qubes.VMExec, qubes.VMExecGUI; root shell: qubes.VMRootShell,
qubes.VMRootExec; programs: qubes.StartApp; files: qubes.Filecopy; ports: qubes.ConnectTCP.
docs/services.md has every other service. Beside what is here, a server may tell dom0 of its updates,
menu and icons. A disposable made from a server is one of the agents' qubes. Rows of qubes are about
qrexec, rows of addresses about connections to the server's own address: those of a qube too, which
come from its own address or from that of the firewall qube before it. Qubes asks no policy for calls
from dom0. A rule of yours in 30-user.policy, or in another file before 31-openclaw-inter-vm.policy,
wins.
";
