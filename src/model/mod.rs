// SPDX-License-Identifier: MIT OR Apache-2.0

//! The validated deployment: which servers exist, in which mode, for whom.
//!
//! Nothing here knows of paths, templates or the command line. A value of one of these types
//! obeys its rule because it exists: each type is made by [`std::str::FromStr`] or a checked
//! constructor, which answers with an [`Invalid`] that names the rule and the fix.

mod address;
mod extra;
mod label;
mod memory;
mod name;
mod network;
mod package;
mod port;
mod provider;
mod selection;
mod text;

use serde::Serialize;

pub use address::Address;
pub use extra::ExtraSettings;
pub use label::Label;
pub use memory::{InitialMemory, MaxMemory, Memory};
pub use name::{ManagedQube, QubeName, Tag};
pub use network::{Covered, Network, NotSources, Sources};
pub use package::{PackageVersion, Release, Version};
pub use port::{Port, Ports};
pub use provider::{Models, Others, PROVIDERS, Provider, find};
pub use selection::{ModelRef, ProviderRef, ProviderSet};
pub use text::Invalid;
pub(crate) use text::{choice, nearest, pick, row};
pub use token::FixedToken;

mod token;

/// How a qube's root file system comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A StandaloneVM: a full copy of its template, everything is installed in it.
    Standalone,
    /// An AppVM: its root is its template's at each start; `/home`, `/usr/local` and `/rw` stay.
    App,
}

impl Class {
    /// The name that `qvm-create --class` takes.
    pub fn qubes_name(self) -> &'static str {
        match self {
            Class::Standalone => "StandaloneVM",
            Class::App => "AppVM",
        }
    }

    /// The template that the tool proposes: the ones that R4.3 installs by default.
    pub fn default_template(self) -> QubeName {
        QubeName::known(match self {
            Class::Standalone => "debian-13-xfce",
            Class::App => "fedora-42-xfce",
        })
    }
}

choice!(Class, "a class", {
    "standalone" => Class::Standalone,
    "app" => Class::App,
});

/// The family of the distribution in the template, which decides package names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Debian and what is made from it.
    Debian,
    /// Fedora and what is made from it.
    Fedora,
}

impl Os {
    /// Reads the family off a template's name, where the name follows Qubes' habit.
    pub fn of_template(template: &QubeName) -> Option<Os> {
        let name = template.as_str();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if starts(&["debian-", "kicksecure-", "whonix-"]) {
            Some(Os::Debian)
        } else if starts(&["fedora-"]) {
            Some(Os::Fedora)
        } else {
            None
        }
    }
}

/// The first number in a template's name, which by Qubes' habit is the release of what is in it.
pub fn release_of(template: &QubeName) -> Option<u32> {
    template
        .as_str()
        .split('-')
        .find_map(|part| part.parse().ok())
}

choice!(Os, "a distribution family", {
    "debian" => Os::Debian,
    "fedora" => Os::Fedora,
});

/// Which of the two ways a server is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeName {
    /// [`Mode::Tunnel`].
    Tunnel,
    /// [`Mode::Network`].
    Network,
}

choice!(ModeName, "a mode", {
    "tunnel" => ModeName::Tunnel,
    "network" => ModeName::Network,
});

impl ModeName {
    /// The qube that gives a server network in this mode when nothing is said.
    pub fn default_netvm(self) -> QubeName {
        QubeName::known(match self {
            ModeName::Tunnel => "sys-firewall",
            ModeName::Network => "sys-net",
        })
    }
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Over qrexec only: from dom0 through tunnels, from client qubes through `qubes.ConnectTCP`.
    Tunnel {
        /// A fixed address; `None` for the one that Qubes assigns.
        address: Option<Address>,
        /// Whether a connection to a tunnel starts the qube if it is off.
        start_on_connect: bool,
    },
    /// From the local network as well, at the qube's own address.
    Network {
        /// The address that the gateway listens on.
        address: Address,
        /// From where it takes connections.
        allow_from: Sources,
        /// Whether the gateway speaks TLS, with a certificate made in the qube.
        tls: bool,
    },
}

impl Mode {
    /// Whether dom0 has tunnels to a server in this mode.
    pub fn is_tunnel(&self) -> bool {
        self.name() == ModeName::Tunnel
    }

    /// Which of the two it is.
    pub fn name(&self) -> ModeName {
        match self {
            Mode::Tunnel { .. } => ModeName::Tunnel,
            Mode::Network { .. } => ModeName::Network,
        }
    }

    /// The qube's fixed address; `None` for the one that Qubes assigns.
    pub fn address(&self) -> Option<Address> {
        match self {
            Mode::Tunnel { address, .. } => *address,
            Mode::Network { address, .. } => Some(*address),
        }
    }

    /// Whether a connection to one of dom0's tunnels starts the qube.
    pub fn starts_on_connect(&self) -> bool {
        matches!(
            self,
            Mode::Tunnel {
                start_on_connect: true,
                ..
            }
        )
    }

    /// Whether the gateway speaks TLS.
    pub fn has_tls(&self) -> bool {
        matches!(self, Mode::Network { tls: true, .. })
    }

    /// How the gateway's URLs begin.
    pub fn scheme(&self) -> &'static str {
        if self.has_tls() { "https" } else { "http" }
    }
}

/// Whether one qube may have a shell or a command in another, or copy files to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InterQube {
    /// No shell and no command; files as Qubes' own policy has it.
    Off,
    /// Each time, after the user has agreed in dom0's dialog.
    Ask,
    /// Without a question.
    Allow,
}

choice!(InterQube, "an inter-qube setting", {
    "off" => InterQube::Off,
    "ask" => InterQube::Ask,
    "allow" => InterQube::Allow,
});

/// Who reaches the cursor proxy beside the server's own qube and dom0. The proxy asks for no
/// password, and does not look at where a request comes from, so that a web page in any browser
/// that reaches its port can command it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExposeProxy {
    /// Nobody.
    Off,
    /// The server's clients.
    Clients,
    /// The server's clients, and in network mode who may reach the gateway there.
    Network,
}

choice!(ExposeProxy, "a setting of who reaches the proxy", {
    "off" => ExposeProxy::Off,
    "clients" => ExposeProxy::Clients,
    "network" => ExposeProxy::Network,
});

/// One qube that runs OpenClaw.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    /// The qube's name, which is also its Salt minion id.
    pub name: ManagedQube,
    /// Its class.
    pub class: Class,
    /// The template it is made from.
    pub template: QubeName,
    /// What that template is.
    pub os: Os,
    /// The colour of its windows.
    pub label: Label,
    /// The qube that gives it network; `None` for none.
    pub netvm: Option<QubeName>,
    /// Whether it starts with the machine.
    pub autostart: bool,
    /// Its memory.
    pub memory: Memory,
    /// How it is reached.
    pub mode: Mode,
    /// The model providers that it is set up for, the first being the default one.
    pub providers: ProviderSet,
    /// The model that the agent uses.
    pub model: ModelRef,
    /// Where its services listen.
    pub ports: Ports,
    /// Who reaches the cursor proxy.
    pub expose_proxy: ExposeProxy,
    /// The qubes that may use it.
    pub clients: Vec<ManagedQube>,
    /// The tag that makes a qube a client of this server.
    pub client_tag: Tag,
    /// Further tags for the server itself.
    pub tags: Vec<Tag>,
    /// What its clients may do in it.
    pub inter_qube: InterQube,
    /// What it may do in the qubes named as its clients.
    pub inter_qube_to_clients: InterQube,
    /// A gateway token that the user fixed; `None` for a random one, made inside the qube.
    pub token: Option<FixedToken>,
    /// Settings of OpenClaw's own beside those that follow from the rest.
    pub openclaw: ExtraSettings,
    /// The paths of those of them that are refused unless a person insists.
    pub override_safety: Vec<String>,
}

impl Server {
    /// The tag that every server carries.
    pub const TAG: &'static str = "openclaw-server";

    /// The tag that a server without a netvm carries beside it. Rules by tag hold its disposables.
    pub const NO_NETWORK_TAG: &'static str = "openclaw-no-network";

    /// The server that the seed describes, with these providers.
    pub fn standard(providers: ProviderSet) -> Self {
        let class = Class::Standalone;
        let template = class.default_template();
        Server {
            name: ManagedQube::proposed(),
            class,
            os: Os::of_template(&template).expect("the proposed template has a telling name"),
            template,
            label: Label::Orange,
            netvm: Some(ModeName::Tunnel.default_netvm()),
            autostart: true,
            memory: providers.memory(),
            mode: Mode::Tunnel {
                address: None,
                start_on_connect: false,
            },
            model: ModelRef::default_of(providers.primary()),
            providers,
            ports: Ports::default(),
            expose_proxy: ExposeProxy::Off,
            clients: Vec::new(),
            client_tag: Tag::client(),
            tags: Vec::new(),
            inter_qube: InterQube::Off,
            inter_qube_to_clients: InterQube::Off,
            token: None,
            openclaw: ExtraSettings::default(),
            override_safety: Vec::new(),
        }
    }

    /// The ports of its services, which dom0 reaches, ascending.
    pub fn service_ports(&self) -> Vec<Port> {
        self.ports_with_proxy(true)
    }

    /// The ports that its clients reach, ascending.
    pub fn client_ports(&self) -> Vec<Port> {
        self.ports_with_proxy(self.expose_proxy >= ExposeProxy::Clients)
    }

    /// The ports that the network reaches in network mode, ascending.
    pub fn network_ports(&self) -> Vec<Port> {
        self.ports_with_proxy(self.expose_proxy == ExposeProxy::Network)
    }

    fn ports_with_proxy(&self, with_proxy: bool) -> Vec<Port> {
        let mut ports = vec![self.ports.gateway];
        if with_proxy && self.has_proxy() {
            ports.push(self.ports.proxy);
        }
        ports.sort();
        ports
    }

    /// Whether the cursor proxy runs in the qube.
    pub fn has_proxy(&self) -> bool {
        self.providers.iter().any(|provider| provider.proxied)
    }
}

/// Everything that one run of the tool is about.
#[derive(Clone, Debug, Serialize)]
pub struct Deployment {
    /// The version and release of the packages.
    pub package: PackageVersion,
    /// The servers, in the order in which they were written.
    pub servers: Vec<Server>,
}

impl Deployment {
    /// The servers that dom0 has tunnels to.
    pub fn tunnelled(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.mode.is_tunnel())
    }

    /// Every client qube once, in order of name, with the servers that it may use.
    pub fn clients(&self) -> Vec<(&ManagedQube, Vec<&Server>)> {
        let mut clients = std::collections::BTreeMap::<_, Vec<_>>::new();
        for server in &self.servers {
            for client in &server.clients {
                clients.entry(client).or_default().push(server);
            }
        }
        clients.into_iter().collect()
    }
}
