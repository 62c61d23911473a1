// SPDX-License-Identifier: MIT OR Apache-2.0

//! One server, described by options. Each option stands for one key of the file; its text is
//! checked by the same code, and findings point into the command line.

use clap::Args;

use super::tree::{Key, Node, Table, Value};
use crate::diagnostic::{Place, SourceId};

/// The options that describe a server, by the names of the words in the seed's commands.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server (each option overrides its key in the file)")]
pub struct Options {
    /// The qube that runs OpenClaw [default: openclaw-vm]
    #[arg(long, value_name = "NAME")]
    pub vm: Option<String>,
    /// standalone or app [default: standalone]
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// The template [default: debian-13-xfce; fedora-42-xfce for an app qube]
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// debian or fedora [default: read off the template's name]
    #[arg(long, value_name = "FAMILY")]
    pub os: Option<String>,
    /// The label [default: orange]
    #[arg(long, value_name = "COLOUR")]
    pub label: Option<String>,
    /// The qube that gives it network, or none [default: sys-firewall; sys-net in network mode]
    #[arg(long, value_name = "NAME")]
    pub netvm: Option<String>,
    /// A fixed IPv4 address, needed in network mode
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<String>,
    /// true or false: whether it starts with the machine [default: true]
    #[arg(long, value_name = "BOOLEAN")]
    pub autostart: Option<String>,
    /// MiB of memory at start [default: 2000; 4000 with ollama]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<String>,
    /// MiB of memory at most [default: 4000; 12000 with ollama]
    #[arg(long, value_name = "MIB")]
    pub max_memory: Option<String>,
    /// tunnel or network [default: tunnel]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// A model provider; repeat it, or separate by commas, for several [default: cursor]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// The model, as MODEL or PROVIDER/MODEL [default: the provider's]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The cursor proxy's port [default: 32125]
    #[arg(long, value_name = "PORT")]
    pub proxy_port: Option<String>,
    /// The gateway's port [default: 18789]
    #[arg(long, value_name = "PORT")]
    pub gateway_port: Option<String>,
    /// A qube that may use the server; repeat it, or separate by commas, for several
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub client: Vec<String>,
    /// The tag that makes a qube a client [default: openclaw-client]
    #[arg(long, value_name = "TAG")]
    pub client_tag: Option<String>,
    /// One more tag for the server; repeat it, or separate by commas, for several
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub tag: Vec<String>,
    /// off, ask or allow: shells, commands and files from clients in the server [default: off]
    #[arg(long, value_name = "SETTING")]
    pub inter_qube: Option<String>,
    /// off, ask or allow: the same from the server in its clients; dangerous [default: off]
    #[arg(long, value_name = "SETTING")]
    pub inter_qube_to_clients: Option<String>,
    /// true or false: whether a connection to dom0's tunnel starts the qube [default: false]
    #[arg(long, value_name = "BOOLEAN")]
    pub start_on_connect: Option<String>,
    /// A range of addresses that network mode opens the ports to; repeat it, or separate by commas,
    /// for several [default: private ones]
    #[arg(long, value_name = "RANGE", value_delimiter = ',')]
    pub allow_from: Vec<String>,
    /// off, clients or network: who reaches the cursor proxy, which obeys any web page [default: off]
    #[arg(long, value_name = "SETTING")]
    pub expose_proxy: Option<String>,
    /// true or false: whether network mode serves https, with a certificate made in the qube
    /// [default: false]
    #[arg(long, value_name = "BOOLEAN")]
    pub tls: Option<String>,
    /// The packages' version [default: this tool's]
    #[arg(long, value_name = "VERSION", help_heading = "Packages")]
    pub package_version: Option<String>,
    /// The packages' release; raise it with each change [default: 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Packages")]
    pub release: Option<String>,
}

/// Options as the tables that they stand for.
#[derive(Debug, Default)]
pub(super) struct OptionNodes {
    pub server: Table,
    pub ports: Table,
    pub package: Table,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
    BooleanOrText,
    List,
}

impl Options {
    /// The command line that these options stand for, and what makes their nodes once the line
    /// has its id.
    pub(super) fn nodes(&self) -> (String, impl FnOnce(SourceId) -> OptionNodes) {
        use Kind::{Boolean, BooleanOrText, Integer, List, Text};
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let server = [
            ("name", "--vm", Text, one(&self.vm)),
            ("class", "--class", Text, one(&self.class)),
            ("template", "--template", Text, one(&self.template)),
            ("os", "--os", Text, one(&self.os)),
            ("label", "--label", Text, one(&self.label)),
            ("netvm", "--netvm", Text, one(&self.netvm)),
            ("ip", "--ip", Text, one(&self.ip)),
            ("autostart", "--autostart", Boolean, one(&self.autostart)),
            ("memory", "--memory", Integer, one(&self.memory)),
            ("max-memory", "--max-memory", Integer, one(&self.max_memory)),
            ("mode", "--mode", Text, one(&self.mode)),
            ("provider", "--provider", List, self.provider.clone()),
            ("model", "--model", Text, one(&self.model)),
            ("clients", "--client", List, self.client.clone()),
            ("client-tag", "--client-tag", Text, one(&self.client_tag)),
            ("tags", "--tag", List, self.tag.clone()),
            ("inter-qube", "--inter-qube", Text, one(&self.inter_qube)),
            (
                "inter-qube-to-clients",
                "--inter-qube-to-clients",
                Text,
                one(&self.inter_qube_to_clients),
            ),
            (
                "start-on-connect",
                "--start-on-connect",
                Boolean,
                one(&self.start_on_connect),
            ),
            ("allow-from", "--allow-from", List, self.allow_from.clone()),
            (
                "expose-proxy",
                "--expose-proxy",
                BooleanOrText,
                one(&self.expose_proxy),
            ),
            ("tls", "--tls", Boolean, one(&self.tls)),
        ];
        let ports = [
            ("proxy", "--proxy-port", Integer, one(&self.proxy_port)),
            (
                "gateway",
                "--gateway-port",
                Integer,
                one(&self.gateway_port),
            ),
        ];
        let package = [
            (
                "version",
                "--package-version",
                Text,
                one(&self.package_version),
            ),
            ("release", "--release", Integer, one(&self.release)),
        ];

        let mut line = String::new();
        let mut write = |options: &[(&'static str, &'static str, Kind, Vec<String>)]| {
            let mut written = Vec::new();
            for (key, flag, kind, values) in options {
                let mut items = Vec::new();
                let from = line.len() + usize::from(!line.is_empty());
                for value in values {
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(flag);
                    line.push(' ');
                    let start = line.len();
                    line.push_str(value);
                    items.push((value.clone(), start..line.len()));
                }
                if !items.is_empty() {
                    written.push((*key, *kind, from..line.len(), items));
                }
            }
            written
        };
        let (server, ports, package) = (write(&server), write(&ports), write(&package));

        let nodes = move |source: SourceId| {
            let table = |written: Vec<(&str, Kind, _, Vec<(String, _)>)>| Table {
                entries: written
                    .into_iter()
                    .map(|(key, kind, whole, mut items)| {
                        let at = |span| Place { source, span };
                        let key = Key {
                            name: key.to_owned(),
                            place: at(whole),
                        };
                        let node = if let Kind::List = kind {
                            Node {
                                place: key.place.clone(),
                                value: Value::Array(
                                    items
                                        .into_iter()
                                        .map(|(text, span)| Node {
                                            value: Value::Text(text),
                                            place: at(span),
                                        })
                                        .collect(),
                                ),
                            }
                        } else {
                            let (text, span) = items.swap_remove(0);
                            Node {
                                value: scalar(kind, text),
                                place: at(span),
                            }
                        };
                        (key, node)
                    })
                    .collect(),
            };
            OptionNodes {
                server: table(server),
                ports: table(ports),
                package: table(package),
            }
        };
        (line, nodes)
    }
}

/// An option's text as the kind of value that its key takes; where it is none, the text stays
/// text, which the decoder refuses at its place.
fn scalar(kind: Kind, text: String) -> Value {
    match kind {
        Kind::Integer => match text.parse::<i64>() {
            Ok(number) => Value::Integer(Some(number)),
            Err(_) => Value::Text(text),
        },
        Kind::Boolean | Kind::BooleanOrText => match text.as_str() {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => Value::Text(text),
        },
        Kind::Text | Kind::List => Value::Text(text),
    }
}
