// SPDX-License-Identifier: MIT OR Apache-2.0

//! The model as templates see it: words, numbers and lists, already decided.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{debian_package_file, distribution, package_file};
use crate::model::Provider;
use crate::model::{
    Class, Deployment, ExposeProxy, InterQube, ManagedQube, Mode, Os, Port, Ports, Server,
};
use crate::openclaw;
use crate::provider::{self, OtherKey, Pin, Setup};
use crate::tree::Host;

/// The gateway's unit.
const GATEWAY_UNIT: &str = "openclaw-gateway.service";

/// A tunnel of dom0.
#[derive(Debug, Serialize)]
pub(super) struct Tunnel<'a> {
    port: u16,
    qube: &'a str,
    /// Whether a connection starts the qube.
    start: bool,
}

impl<'a> Tunnel<'a> {
    fn new(server: &'a Server, port: u16) -> Self {
        Tunnel {
            port,
            qube: server.name.as_str(),
            start: server.mode.starts_on_connect(),
        }
    }
}

/// A file of a server, below the home of its user.
#[derive(Debug, Serialize)]
pub(super) struct HomeFile {
    /// What tells its state from the others.
    pub id: &'static str,
    /// Its path below `/home/user`.
    pub path: &'static str,
    /// Its mode, as Salt takes it.
    pub mode: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ServerView<'a> {
    pub name: &'a str,
    class: &'static str,
    template: &'a str,
    os: Os,
    label: String,
    pub netvm: Option<&'a str>,
    ip: Option<String>,
    autostart: bool,
    memory: u32,
    max_memory: u32,
    mode: &'static str,
    providers: String,
    tags: Vec<&'a str>,
    /// Those that its clients reach.
    client_ports: Vec<u16>,
    gateway_port: u16,
    /// How the gateway's URLs begin.
    scheme: &'static str,
    /// The gateway's certificate, if it speaks TLS.
    certificate: Option<Certificate>,
    proxy_port: u16,
    client_tag: &'a str,
    clients: Vec<&'a str>,
    inter_qube: &'static str,
    to_clients: &'static str,
    packages: Vec<&'static str>,
    programs: Vec<&'static str>,
    rpc_dir: &'static str,
    installs: Vec<&'static str>,
    pub files: Vec<HomeFile>,
    units: Vec<&'static str>,
    services: Vec<Service>,
    other_units: Vec<&'static str>,
    all_units: Vec<&'static str>,
    fence: Vec<u16>,
    opening: Option<Opening>,
    pub boot_script: bool,
    /// A token that the user fixed.
    pub token: Option<&'a str>,
    openclaw_json: serde_json::Value,
    /// The key without which the gateway waits.
    key: Option<KeyView>,
}

/// What a server's firewall lets in.
#[derive(Debug, Serialize)]
struct Opening {
    sources: Vec<String>,
    ports: Vec<u16>,
}

/// Where the gateway's certificate is.
#[derive(Debug, Serialize)]
struct Certificate {
    file: &'static str,
    key: &'static str,
}

/// A unit of a server, and the URL that answers when it serves.
#[derive(Debug, Serialize)]
struct Service {
    unit: &'static str,
    url: String,
    /// The certificate that it must show there.
    certificate: Option<&'static str>,
}

impl<'a> ServerView<'a> {
    pub fn new(server: &'a Server) -> Self {
        let setups: Vec<_> = server
            .providers
            .iter()
            .map(|it| provider::setup(it.get()))
            .collect();
        let home_file = |path: &'static str, mode| HomeFile {
            id: path.rsplit('/').next().unwrap_or(path),
            path,
            mode: format!("{mode:04o}"),
        };
        let units: Vec<_> = setups
            .iter()
            .flat_map(|setup| &setup.units)
            .map(|unit| unit.name.as_str())
            .chain([GATEWAY_UNIT])
            .collect();
        let all_units: Vec<_> = provider::all()
            .flat_map(|(_, setup)| &setup.units)
            .map(|unit| unit.name.as_str())
            .chain([GATEWAY_UNIT])
            .collect();
        let opening = match &server.mode {
            Mode::Tunnel { .. } => None,
            Mode::Network { allow_from, .. } => Some(Opening {
                sources: allow_from.iter().map(|range| range.to_string()).collect(),
                ports: numbers(&server.network_ports()),
            }),
        };
        let fence = if server.has_proxy() && server.expose_proxy != ExposeProxy::Network {
            fence(&server.ports)
        } else {
            Vec::new()
        };
        let boot_script = !fence.is_empty() || opening.is_some() || server.class == Class::App;
        ServerView {
            name: server.name.as_str(),
            class: server.class.qubes_name(),
            template: server.template.as_str(),
            os: server.os,
            label: server.label.to_string(),
            netvm: server.netvm.as_ref().map(|netvm| netvm.as_str()),
            ip: server.mode.address().map(|ip| ip.to_string()),
            autostart: server.autostart,
            memory: server.memory.initial(),
            max_memory: server.memory.max(),
            mode: server.mode.name().word(),
            providers: server.providers.to_string(),
            tags: std::iter::once(Server::TAG)
                .chain(server.netvm.is_none().then_some(Server::NO_NETWORK_TAG))
                .chain(server.tags.iter().map(|tag| tag.as_str()))
                .collect(),
            client_ports: numbers(&server.client_ports()),
            gateway_port: server.ports.gateway.number(),
            scheme: server.mode.scheme(),
            certificate: server.mode.has_tls().then_some(Certificate {
                file: openclaw::CERTIFICATE,
                key: openclaw::CERTIFICATE_KEY,
            }),
            proxy_port: server.ports.proxy.number(),
            client_tag: server.client_tag.as_str(),
            clients: server
                .clients
                .iter()
                .map(|client| client.as_str())
                .collect(),
            inter_qube: server.inter_qube.word(),
            to_clients: server.inter_qube_to_clients.word(),
            packages: distribution::packages(server),
            programs: distribution::programs(server),
            rpc_dir: match server.class {
                Class::Standalone => "/etc/qubes-rpc",
                // What is in /etc is gone at the next start.
                Class::App => "/usr/local/etc/qubes-rpc",
            },
            installs: setups
                .iter()
                .filter_map(|setup| setup.install.as_ref())
                .map(|install| install.states.as_str())
                .collect(),
            files: std::iter::once(home_file(
                ".config/systemd/user/openclaw-gateway.service",
                0o644,
            ))
            .chain(
                setups
                    .iter()
                    .flat_map(|setup| &setup.files)
                    .map(|file| home_file(&file.path, file.mode)),
            )
            .collect(),
            other_units: all_units
                .iter()
                .copied()
                .filter(|unit| !units.contains(unit))
                .collect(),
            units,
            services: setups
                .iter()
                .flat_map(|setup| &setup.units)
                .map(|unit| Service {
                    unit: &unit.name,
                    url: unit.answers(server.ports.proxy),
                    certificate: None,
                })
                .chain([Service {
                    unit: GATEWAY_UNIT,
                    url: format!(
                        "{}://127.0.0.1:{}/readyz",
                        server.mode.scheme(),
                        server.ports.gateway
                    ),
                    certificate: server.mode.has_tls().then_some(openclaw::CERTIFICATE),
                }])
                .collect(),
            all_units,
            fence,
            opening,
            boot_script,
            token: server.token.as_ref().map(|token| token.reveal()),
            openclaw_json: openclaw::config(server),
            key: KeyView::of(server.model.provider().get()),
        }
    }
}

/// The ports on which nobody outside the qube may reach the cursor proxy: its own, and the default
/// one, where it listens when it cannot read its settings, unless that is the gateway's.
fn fence(ports: &Ports) -> Vec<u16> {
    let default = Ports::default().proxy;
    let mut fence = vec![ports.proxy.number()];
    if default != ports.proxy && default != ports.gateway {
        fence.push(default.number());
    }
    fence
}

fn numbers(ports: &[Port]) -> Vec<u16> {
    ports.iter().map(|port| port.number()).collect()
}

/// A port of a client that leads to a server.
#[derive(Debug, Serialize)]
pub(super) struct Forward<'a> {
    pub port: u16,
    pub server: &'a str,
    /// Whether the server's dashboard is there.
    pub dashboard: bool,
    /// How the dashboard's URL begins.
    scheme: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct ClientView<'a> {
    pub name: &'a str,
    tags: Vec<&'a str>,
    server_names: String,
    pub forwards: Vec<Forward<'a>>,
    sockets: Vec<String>,
}

impl<'a> ClientView<'a> {
    fn new(name: &'a ManagedQube, servers: &[&'a Server]) -> Self {
        let forwards: Vec<_> = servers
            .iter()
            .flat_map(|server| {
                numbers(&server.client_ports())
                    .into_iter()
                    .map(|port| Forward {
                        port,
                        server: server.name.as_str(),
                        dashboard: port == server.ports.gateway.number(),
                        scheme: server.mode.scheme(),
                    })
            })
            .collect();
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        let sockets: Vec<_> = forwards
            .iter()
            .map(|forward| format!("openclaw-client-{}.socket", forward.port))
            .collect();
        ClientView {
            name: name.as_str(),
            tags: servers
                .iter()
                .map(|server| server.client_tag.as_str())
                .collect(),
            server_names: names.join(", "),
            sockets,
            forwards,
        }
    }
}

/// Everything, for the templates that are about more than one host.
#[derive(Debug, Serialize)]
pub(super) struct DeploymentView<'a> {
    pub servers: Vec<ServerView<'a>>,
    pub clients: Vec<ClientView<'a>>,
    tunnels: Vec<Tunnel<'a>>,
    /// Those of the tunnels that lead to a gateway.
    gateways: Vec<Tunnel<'a>>,
    tunnelled: Vec<&'a str>,
    network: bool,
    /// Whether anything is opened between qubes beside the servers' ports.
    pub inter_qube: bool,
    /// The qubes that `qubesctl --targets` takes.
    targets: String,
}

impl<'a> DeploymentView<'a> {
    pub fn new(deployment: &'a Deployment) -> Self {
        let clients: Vec<_> = deployment
            .clients()
            .into_iter()
            .map(|(name, servers)| ClientView::new(name, &servers))
            .collect();
        let servers: Vec<_> = deployment.servers.iter().map(ServerView::new).collect();
        let names = servers
            .iter()
            .map(|server| server.name)
            .chain(clients.iter().map(|client| client.name));
        DeploymentView {
            tunnels: deployment
                .tunnelled()
                .flat_map(|server| {
                    numbers(&server.service_ports())
                        .into_iter()
                        .map(|port| Tunnel::new(server, port))
                })
                .collect(),
            gateways: deployment
                .tunnelled()
                .map(|server| Tunnel::new(server, server.ports.gateway.number()))
                .collect(),
            tunnelled: deployment
                .tunnelled()
                .map(|server| server.name.as_str())
                .collect(),
            network: deployment
                .servers
                .iter()
                .any(|server| !server.mode.is_tunnel()),
            inter_qube: deployment.servers.iter().any(|server| {
                let settings = [server.inter_qube, server.inter_qube_to_clients];
                settings != [InterQube::Off; 2]
            }),
            targets: names.collect::<Vec<_>>().join(","),
            servers,
            clients,
        }
    }

    pub fn has_tunnels(&self) -> bool {
        !self.tunnels.is_empty()
    }
}

/// A provider's key.
#[derive(Clone, Debug, Serialize)]
struct KeyView {
    provider: &'static str,
    title: &'static str,
    variable: &'static str,
    prefixes: &'static [String],
}

impl KeyView {
    fn of(provider: &'static Provider) -> Option<Self> {
        let key = provider::setup(provider).key.as_ref()?;
        Some(KeyView {
            provider: provider.name,
            title: &provider.title,
            variable: &key.variable,
            prefixes: &key.prefixes,
        })
    }
}

/// What the tools of a qube say of a provider.
#[derive(Clone, Debug, Serialize)]
struct ToolView {
    name: &'static str,
    title: &'static str,
    /// The command by which its user logs in.
    login: Option<&'static str>,
    /// Whether it needs a key.
    key: bool,
    /// The file that is there when its tooling is installed.
    done: Option<&'static str>,
}

impl ToolView {
    fn of((provider, setup): (&'static Provider, &'static Setup)) -> Self {
        ToolView {
            name: provider.name,
            title: &provider.title,
            login: setup.login.as_deref(),
            key: setup.key.is_some(),
            done: setup.install.as_ref().map(|install| install.done.as_str()),
        }
    }
}

/// What `openclaw.clean` removes in a server beside units: what is installed for any provider, and
/// what every server has.
fn removed() -> Vec<String> {
    const OF_ALL: [&str; 5] = [
        "/rw/config/rc.local.d/50-openclaw.rc",
        "/usr/local/bin/openclaw-dashboard",
        "/usr/local/lib/openclaw",
        "/usr/local/share/openclaw",
        "/var/cache/openclaw-npm",
    ];
    let commands = provider::all().flat_map(|(_, setup)| &setup.commands);
    let commands = super::formula::COMMANDS
        .into_iter()
        .chain(commands.map(String::as_str))
        .map(|command| format!("/usr/local/bin/{command}"));
    let installs = provider::all().filter_map(|(_, setup)| setup.install.as_ref());
    let leaves = installs.flat_map(|install| install.leaves.iter().cloned());
    let mut all: Vec<_> = OF_ALL
        .map(str::to_owned)
        .into_iter()
        .chain(commands)
        .chain(leaves)
        .collect();
    all.sort();
    all
}

/// What does not depend on the deployment, but for the packages' version.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Common<'a> {
    openclaw: &'static str,
    node: &'static str,
    node_bin: String,
    openclaw_cli: String,
    openclaw_gateway: String,
    /// The template package's file name, by distribution.
    template_packages: BTreeMap<&'static str, String>,
    examples: Vec<&'a str>,
    /// The providers that need a key.
    keys: Vec<KeyView>,
    /// What is known of other services' keys.
    other_keys: Vec<OtherKey>,
    /// What the commands of a server share.
    modules: &'static [&'static str],
    /// The providers that the tools know.
    providers: Vec<ToolView>,
    /// What `openclaw.clean` removes in a server.
    removed: Vec<String>,
    /// Each provider's pins, under its name.
    #[serde(flatten)]
    pins: BTreeMap<&'static str, BTreeMap<&'static str, &'static Pin>>,
}

impl<'a> Common<'a> {
    pub fn new(deployment: &Deployment, examples: &'a [(String, String)]) -> Self {
        Common {
            openclaw: openclaw::VERSION,
            node: openclaw::NODE_VERSION,
            node_bin: openclaw::node_bin(),
            openclaw_cli: openclaw::cli(),
            openclaw_gateway: openclaw::gateway(),
            template_packages: BTreeMap::from([
                ("debian", debian_package_file(&deployment.package)),
                ("fedora", package_file(Host::Template, &deployment.package)),
            ]),
            examples: examples.iter().map(|(name, _)| name.as_str()).collect(),
            keys: provider::known(deployment)
                .filter_map(|(provider, _)| KeyView::of(provider))
                .collect(),
            other_keys: provider::other_keys(provider::known(deployment)),
            modules: &super::formula::MODULES,
            providers: provider::known(deployment).map(ToolView::of).collect(),
            removed: removed(),
            pins: provider::all()
                .map(|(provider, setup)| {
                    let pins = setup.install.iter().flat_map(|install| &install.pins);
                    (
                        provider.name,
                        pins.map(|pin| (pin.name.as_str(), pin)).collect(),
                    )
                })
                .collect(),
        }
    }
}
