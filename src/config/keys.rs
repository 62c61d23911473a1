// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every key of a configuration, one entry each: its names, its option, its type, and its
//! documentation. The decoder, the options and `--help`, the file that `init` writes, the tables of
//! docs/configuration.md and the JSON Schema all follow from here.

use std::fmt::Display;
use std::marker::PhantomData;

use super::setting::{Kind, List, Netvm, OpenClawTable, PortTable, Setting, SettingPath, Text};
use crate::model::{
    Address, Class, Deployment, ExposeProxy, FixedToken, InitialMemory, InterQube, Label,
    ManagedQube, MaxMemory, Mode, ModeName, ModelRef, Network, Os, PackageVersion, Port, Ports,
    ProviderSet, QubeName, Release, Server, Sources, Tag, Version,
};

/// A key whose value is a `T`.
#[derive(Debug)]
pub(super) struct Key<T> {
    /// What it is called, and what is said of it.
    pub entry: Entry,
    value: PhantomData<fn() -> T>,
}

impl<T: Setting> Key<T> {
    /// A key.
    pub const fn new(entry: Entry) -> Self {
        Key {
            entry,
            value: PhantomData,
        }
    }

    /// The same, without the type of its value.
    pub const fn any(&'static self) -> AnyKey {
        AnyKey {
            entry: &self.entry,
            kind: T::KIND,
        }
    }
}

/// A key of any type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyKey {
    /// What it is called, and what is said of it.
    pub entry: &'static Entry,
    /// What kind of value it takes.
    pub kind: Kind,
}

/// What a key is called, and what is said of it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Which section of the documentation it is in, and so which table of a configuration.
    pub section: Section,
    /// Its name.
    pub name: &'static str,
    /// The names that it had before. They are taken, with a warning.
    pub former: &'static [&'static str],
    /// Its option, if it has one.
    pub option: Option<Opt>,
    /// Its default, in Markdown.
    pub default: &'static str,
    /// What it means and which values it takes, in Markdown.
    pub rule: &'static str,
    /// What `init` writes above it, a line each.
    pub comment: &'static str,
    /// What `init` writes of it, if it does: a line that is as valid without the `#`.
    pub line: fn(&Shown) -> Option<Line>,
}

impl Entry {
    /// An entry without a name, to be filled in.
    pub const fn new(section: Section) -> Self {
        Entry {
            section,
            name: "",
            former: &[],
            option: None,
            default: "",
            rule: "",
            comment: "",
            line: |_| None,
        }
    }

    /// Whether this is its name, or was.
    pub fn has_name(&self, name: &str) -> bool {
        self.name == name || self.former.contains(&name)
    }
}

/// The option of a key. A former name of the key is also a former name of the option.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Its name, without the dashes.
    pub flag: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// Its line in the help, which ends with the default.
    pub help: &'static str,
}

/// A section of docs/configuration.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Keys of `[package]`.
    Package,
    /// Keys of `[[server]]` that are about its qube.
    Qube,
    /// Those that are about who reaches it.
    Reaching,
    /// Those that are about its model.
    Model,
    /// Keys of `ports`.
    Ports,
}

impl Section {
    /// The table that its keys are in.
    pub fn table(self) -> InTable {
        match self {
            Section::Package => InTable::Package,
            Section::Qube | Section::Reaching | Section::Model => InTable::Server,
            Section::Ports => InTable::Ports,
        }
    }
}

/// A table of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InTable {
    /// `[package]`.
    Package,
    /// `[[server]]`.
    Server,
    /// The table `ports` of a server.
    Ports,
}

impl InTable {
    /// Its keys.
    pub fn keys(self) -> impl Iterator<Item = &'static AnyKey> {
        ALL.iter()
            .filter(move |key| key.entry.section.table() == self)
    }
}

/// What `init` writes of a key.
#[derive(Debug)]
pub(crate) struct Line {
    /// The value, in TOML.
    pub value: String,
    /// Whether it is the default, which stands in a comment.
    pub is_default: bool,
}

impl Line {
    fn of(value: impl Display, is_default: bool) -> Option<Self> {
        Some(Line {
            value: value.to_string(),
            is_default,
        })
    }

    /// A value that is written even where it is the default.
    fn written(value: impl Display) -> Option<Self> {
        Line::of(value, false)
    }
}

/// What `init` shows: a deployment of one server.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// Its server.
    pub server: &'a Server,
    /// The server of a configuration that says nothing.
    pub plain: &'a Server,
}

impl Shown<'_> {
    fn has_usual_memory(&self) -> bool {
        self.server.memory == self.server.providers.memory()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<_> = items.map(quoted).collect();
    format!("[{}]", items.join(", "))
}

/// Declares the keys, and lists them.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $entry:expr;)+) => {
        $($(#[$doc])* pub(super) static $name: Key<$type> = Key::new($entry);)+

        /// Every key, in the order in which `init` writes them.
        pub(crate) static ALL: &[AnyKey] = &[$($name.any()),+];
    };
}

keys! {
    /// The packages' version.
    VERSION: Version = Entry {
        name: "version",
        option: Some(Opt {
            flag: "package-version",
            value: "VERSION",
            help: "The packages' version [default: this tool's]",
        }),
        default: "this tool's version",
        rule: "one to four numbers, separated by dots, without leading zeros",
        line: |it| {
            let version = quoted(it.deployment.package.version.as_str());
            Line::of(version, it.deployment.package == PackageVersion::default())
        },
        ..Entry::new(Section::Package)
    };
    /// The packages' release.
    RELEASE: Release = Entry {
        name: "release",
        option: Some(Opt {
            flag: "release",
            value: "NUMBER",
            help: "The packages' release; raise it with each change [default: 1]",
        }),
        default: "`1`",
        rule: "1 to 999999; raise it with each change, so that rpm and dnf see a newer package; \
               `--bump` goes on from the one that is [there already](formula.md#releases)",
        comment: "Raise it with each change, so that dnf sees a newer package.",
        line: |it| Line::written(it.deployment.package.release.number()),
        ..Entry::new(Section::Package)
    };
    /// The qube's name.
    NAME: ManagedQube = Entry {
        name: "name",
        option: Some(Opt {
            flag: "vm",
            value: "NAME",
            help: "The qube that runs OpenClaw [default: openclaw-vm]",
        }),
        default: "`\"openclaw-vm\"`",
        rule: "a letter, then letters, digits, `_` and `-`, 31 at most; no dot, no name that Qubes \
               keeps for itself (`dom0`, `none`, `default`, ...), not ending in `-dm`, not `disp` \
               and a number",
        line: |it| Line::written(quoted(it.server.name.as_str())),
        ..Entry::new(Section::Qube)
    };
    /// The qube's class.
    CLASS: Class = Entry {
        name: "class",
        option: Some(Opt {
            flag: "class",
            value: "CLASS",
            help: "standalone or app [default: standalone]",
        }),
        default: "`\"standalone\"`",
        rule: "`\"standalone\"` is a StandaloneVM: everything is installed in it. `\"app\"` is an \
               AppVM: programs of the distribution come from its template through the template \
               package",
        comment: "\"standalone\": everything is installed in the qube itself.\n\
                  \"app\": its template carries the template package.",
        line: |it| {
            let word = quoted(it.server.class.word());
            Line::of(word, it.server.class == it.plain.class)
        },
        ..Entry::new(Section::Qube)
    };
    /// Its template.
    TEMPLATE: QubeName = Entry {
        name: "template",
        option: Some(Opt {
            flag: "template",
            value: "NAME",
            help: "The template [default: debian-13-xfce; fedora-42-xfce for an app qube]",
        }),
        default: "`\"debian-13-xfce\"`; app: `\"fedora-42-xfce\"`",
        rule: "a qube's name",
        line: |it| Line::written(quoted(it.server.template.as_str())),
        ..Entry::new(Section::Qube)
    };
    /// What that template is.
    OS: Os = Entry {
        name: "os",
        option: Some(Opt {
            flag: "os",
            value: "FAMILY",
            help: "debian or fedora [default: read off the template's name]",
        }),
        default: "read off the template's name",
        rule: "`\"debian\"` or `\"fedora\"`; needed where the template's name does not begin with \
               `debian-`, `kicksecure-`, `whonix-` or `fedora-`",
        comment: "\"debian\" or \"fedora\", where the template's name does not tell.",
        line: |it| {
            let told = Os::of_template(&it.server.template).is_some();
            Line::of(quoted(it.server.os.word()), told)
        },
        ..Entry::new(Section::Qube)
    };
    /// The colour of its windows.
    LABEL: Label = Entry {
        name: "label",
        option: Some(Opt {
            flag: "label",
            value: "COLOUR",
            help: "The label [default: orange]",
        }),
        default: "`\"orange\"`",
        rule: "`red`, `orange`, `yellow`, `green`, `gray`, `blue`, `purple` or `black`",
        line: |it| {
            let word = quoted(it.server.label.word());
            Line::of(word, it.server.label == it.plain.label)
        },
        ..Entry::new(Section::Qube)
    };
    /// The qube that gives it network.
    NETVM: Netvm = Entry {
        name: "netvm",
        option: Some(Opt {
            flag: "netvm",
            value: "NAME",
            help: "The qube that gives it network, or none [default: sys-firewall; sys-net in \
                   network mode]",
        }),
        default: "`\"sys-firewall\"`; network mode: `\"sys-net\"`",
        rule: "a qube's name, or `\"none\"`. Without a netvm only the ollama provider works, and \
               nothing can be fetched: apply once with a netvm. The server then has the tag \
               `openclaw-no-network`, by which policy lets it, and disposables made from it, open \
               no links or files in other qubes and disposables, which may have a network",
        comment: "The qube that gives it network, or \"none\".",
        line: |it| {
            let netvm = it.server.netvm.as_ref();
            Line::written(quoted(netvm.map_or("none", |netvm| netvm.as_str())))
        },
        ..Entry::new(Section::Qube)
    };
    /// Its fixed address.
    IP: Address = Entry {
        name: "ip",
        option: Some(Opt {
            flag: "ip",
            value: "ADDRESS",
            help: "A fixed IPv4 address, needed in network mode",
        }),
        default: "Qubes assigns one",
        rule: "one IPv4 address for a single host; not Qubes' DNS addresses 10.139.1.1 and \
               10.139.1.2",
        comment: "A fixed address; without it, Qubes assigns one.",
        line: |it| match it.server.mode.address() {
            Some(address) => Line::written(quoted(&address.to_string())),
            None => Line::of(quoted("10.137.0.100"), true),
        },
        ..Entry::new(Section::Qube)
    };
    /// Whether it starts with the machine.
    AUTOSTART: bool = Entry {
        name: "autostart",
        option: Some(Opt {
            flag: "autostart",
            value: "BOOLEAN",
            help: "true or false: whether it starts with the machine [default: true]",
        }),
        default: "`true`",
        rule: "start with the machine. Each apply also starts it, and leaves it running; with \
               `false` a qube that was off is shut down again after an apply",
        comment: "Whether it starts with the machine.",
        line: |it| Line::of(it.server.autostart, it.server.autostart),
        ..Entry::new(Section::Qube)
    };
    /// Its memory at start.
    MEMORY: InitialMemory = Entry {
        name: "memory",
        option: Some(Opt {
            flag: "memory",
            value: "MIB",
            help: "MiB of memory at start [default: 2000; 4000 with ollama]",
        }),
        default: "`2000`; with ollama `4000`",
        rule: "MiB at start, 400 or more, not above `max-memory`",
        comment: "MiB at start, and at most.",
        line: |it| Line::of(it.server.memory.initial(), it.has_usual_memory()),
        ..Entry::new(Section::Qube)
    };
    /// Its memory at most.
    MAX_MEMORY: MaxMemory = Entry {
        name: "max-memory",
        option: Some(Opt {
            flag: "max-memory",
            value: "MIB",
            help: "MiB of memory at most [default: 4000; 12000 with ollama]",
        }),
        default: "`4000`; with ollama `12000`",
        rule: "MiB at most, 4000 or more: the gateway alone peaks at 1.1 GiB while idle. Less than \
               a provider's default draws a warning",
        line: |it| Line::of(it.server.memory.max(), it.has_usual_memory()),
        ..Entry::new(Section::Qube)
    };
    /// How it is reached.
    MODE: ModeName = Entry {
        name: "mode",
        option: Some(Opt {
            flag: "mode",
            value: "MODE",
            help: "tunnel or network [default: tunnel]",
        }),
        default: "`\"tunnel\"`",
        rule: "`\"tunnel\"`: over qrexec only, from dom0 and from clients. `\"network\"`: over \
               qrexec from clients, and from `allow-from` at `ip`; needs `ip`, and a netvm that \
               holds the network device (not `sys-firewall`, `sys-whonix`, `sys-vpn`)",
        comment: "\"tunnel\": reachable over qrexec only, from dom0 and from clients.\n\
                  \"network\": from the local network too; needs `ip`, and the network server of \
                  Qubes.",
        line: |it| {
            let word = quoted(it.server.mode.name().word());
            Line::of(word, it.server.mode.is_tunnel())
        },
        ..Entry::new(Section::Reaching)
    };
    /// Whether a connection starts it.
    START_ON_CONNECT: bool = Entry {
        name: "start-on-connect",
        option: Some(Opt {
            flag: "start-on-connect",
            value: "BOOLEAN",
            help: "true or false: whether a connection to dom0's tunnel starts the qube [default: \
                   false]",
        }),
        default: "`false`",
        rule: "tunnel mode only: a connection to a tunnel of dom0 starts the qube if it is off, \
               and waits for that. Whoever reaches dom0's loopback can start the qube then",
        comment: "In tunnel mode: whether a connection in dom0 starts the qube if it is off.",
        line: |it| {
            let starts = it.server.mode.starts_on_connect();
            Line::of(starts, !starts)
        },
        ..Entry::new(Section::Reaching)
    };
    /// From where network mode takes connections.
    ALLOW_FROM: List<Network> = Entry {
        name: "allow-from",
        option: Some(Opt {
            flag: "allow-from",
            value: "RANGE",
            help: "A range of addresses that network mode opens the ports to; repeat it, or \
                   separate by commas, for several [default: private ones]",
        }),
        default: "the private range that `ip` is in (`10.0.0.0/8`, `172.16.0.0/12`, \
                  `192.168.0.0/16` or `100.64.0.0/10`), and qubes (`10.137.0.0/16`, \
                  `10.138.0.0/16`)",
        rule: "network mode only: a list of IPv4 ranges such as `\"192.168.1.0/24\"`, without host \
               bits, or of single addresses; none in another. A range of the Internet draws a \
               warning; with a public `ip` the key is needed. Another qube behind the same netvm \
               comes from its own address, one behind sys-firewall from that of sys-firewall",
        comment: "In network mode: from where. By default the private range around `ip`, and other \
                  qubes.",
        line: |it| {
            let Mode::Network {
                allow_from,
                address,
                ..
            } = &it.server.mode
            else {
                return None;
            };
            let ranges: Vec<_> = allow_from.iter().map(|range| range.to_string()).collect();
            let is_usual = Sources::around(*address).as_ref() == Some(allow_from);
            Line::of(list(ranges.iter().map(String::as_str)), is_usual)
        },
        ..Entry::new(Section::Reaching)
    };
    /// Who reaches the cursor proxy.
    EXPOSE_PROXY: ExposeProxy = Entry {
        name: "expose-proxy",
        option: Some(Opt {
            flag: "expose-proxy",
            value: "SETTING",
            help: "off, clients or network: who reaches the cursor proxy, which obeys any web page \
                   [default: off]",
        }),
        default: "`\"off\"`",
        rule: "with cursor only: who reaches the proxy's port. `\"off\"`: the server's qube, and \
               dom0 through its tunnel. `\"clients\"`: the server's clients too, named or tagged. \
               `\"network\"`, in network mode: clients and `allow-from`. `true` means \
               `\"network\"`, `false` means `\"off\"`. The proxy has no password, and obeys any web \
               page in a browser that reaches it, so each but `\"off\"` draws a warning",
        comment: "\"off\", \"clients\" or \"network\": who reaches the cursor proxy. It asks for no \
                  password, and\nobeys any web page that is open in a browser there.",
        line: |it| {
            let word = quoted(it.server.expose_proxy.word());
            Line::of(word, it.server.expose_proxy == it.plain.expose_proxy)
        },
        ..Entry::new(Section::Reaching)
    };
    /// Whether network mode serves https.
    TLS: bool = Entry {
        name: "tls",
        option: Some(Opt {
            flag: "tls",
            value: "BOOLEAN",
            help: "true or false: whether network mode serves https, with a certificate made in \
                   the qube [default: false]",
        }),
        default: "`false`",
        rule: "network mode only: the gateway serves https, with a certificate made in the qube, \
               see [below](#tls)",
        comment: "In network mode: whether the gateway serves https, with a certificate made in \
                  the qube.",
        line: |it| Line::of(it.server.mode.has_tls(), !it.server.mode.has_tls()),
        ..Entry::new(Section::Reaching)
    };
    /// The model providers.
    PROVIDER: ProviderSet = Entry {
        name: "provider",
        option: Some(Opt {
            flag: "provider",
            value: "NAME",
            help: "A model provider; repeat it, or separate by commas, for several [default: \
                   cursor]",
        }),
        default: "`\"cursor\"`",
        rule: "the name of a [provider](#providers), or a list of names, each once, the default \
               one first",
        comment: "A provider, or a list, the default one first; `openclaw-formula providers` lists \
                  them.",
        line: |it| {
            let names: Vec<_> = it.server.providers.iter().map(|provider| provider.name).collect();
            Line::written(match names.as_slice() {
                [one] => quoted(one),
                _ => list(names.into_iter()),
            })
        },
        ..Entry::new(Section::Model)
    };
    /// The agent's model.
    MODEL: Text = Entry {
        name: "model",
        option: Some(Opt {
            flag: "model",
            value: "MODEL",
            help: "The model, as MODEL or PROVIDER/MODEL [default: the provider's]",
        }),
        default: "the default provider's",
        rule: "`\"MODEL\"` or `\"PROVIDER/MODEL\"`, of one of the server's providers; the default \
               models of its other providers become fallbacks. `openclaw-formula providers` lists \
               the defaults, with `--json` all. For Cursor, one that its proxy knows; for OpenAI \
               and Anthropic, one that is not in the list of [its file](../src/providers/) draws a \
               warning",
        comment: "The agent's model.",
        line: |it| {
            let usual = ModelRef::default_of(it.server.providers.primary());
            let model = quoted(&it.server.model.to_string());
            Line::of(model, it.server.model == usual)
        },
        ..Entry::new(Section::Model)
    };
    /// Where its services listen.
    PORTS: PortTable = Entry {
        name: "ports",
        default: "`{ proxy = 32125, gateway = 18789 }`",
        rule: "1024 to 65535, and different; not 8082, the updates proxy's, nor 11434 with ollama. \
               `proxy` counts only with cursor",
        comment: "Where its services listen, in the qube and in dom0.",
        line: |it| {
            let Ports { proxy, gateway } = it.server.ports;
            let table = format!("{{ proxy = {proxy}, gateway = {gateway} }}");
            Line::of(table, it.server.ports == it.plain.ports)
        },
        ..Entry::new(Section::Reaching)
    };
    /// Where the cursor proxy listens.
    PROXY_PORT: Port = Entry {
        name: "proxy",
        option: Some(Opt {
            flag: "proxy-port",
            value: "PORT",
            help: "The cursor proxy's port [default: 32125]",
        }),
        default: "`32125`",
        ..Entry::new(Section::Ports)
    };
    /// Where the gateway listens.
    GATEWAY_PORT: Port = Entry {
        name: "gateway",
        option: Some(Opt {
            flag: "gateway-port",
            value: "PORT",
            help: "The gateway's port [default: 18789]",
        }),
        default: "`18789`",
        ..Entry::new(Section::Ports)
    };
    /// The qubes that may use it.
    CLIENTS: List<ManagedQube> = Entry {
        name: "clients",
        option: Some(Opt {
            flag: "client",
            value: "NAME",
            help: "A qube that may use the server; repeat it, or separate by commas, for several",
        }),
        default: "`[]`",
        rule: "qubes that may use the server. They must exist; dom0 tags them, and their ports on \
               loopback lead to the server. Not a server, nor the server's own template or netvm",
        comment: "The qubes that may use it.",
        line: |it| {
            let clients = &it.server.clients;
            Line::of(list(clients.iter().map(ManagedQube::as_str)), clients.is_empty())
        },
        ..Entry::new(Section::Reaching)
    };
    /// The tag of its clients.
    CLIENT_TAG: Tag = Entry {
        name: "client-tag",
        option: Some(Opt {
            flag: "client-tag",
            value: "TAG",
            help: "The tag that makes a qube a client [default: openclaw-client]",
        }),
        default: "`\"openclaw-client\"`; with several servers `\"openclaw-client-NAME\"`",
        rule: "the tag that policy asks for; not `openclaw-server`, `openclaw-no-network`, and not \
               one of the server's `tags`",
        comment: "The tag that makes a qube a client.",
        line: |it| {
            let tag = quoted(it.server.client_tag.as_str());
            Line::of(tag, it.server.client_tag == it.plain.client_tag)
        },
        ..Entry::new(Section::Reaching)
    };
    /// Its further tags.
    TAGS: List<Tag> = Entry {
        name: "tags",
        option: Some(Opt {
            flag: "tag",
            value: "TAG",
            help: "One more tag for the server; repeat it, or separate by commas, for several",
        }),
        default: "`[]`",
        rule: "further tags for the server, which always has `openclaw-server`; letters, digits, \
               `_` and `-`, 64 at most; not one of those that Qubes sets (`created-by-*`, ...), \
               nor `openclaw-no-network`",
        comment: "More tags for the server.",
        line: |it| {
            let tags = &it.server.tags;
            Line::of(list(tags.iter().map(Tag::as_str)), tags.is_empty())
        },
        ..Entry::new(Section::Qube)
    };
    /// What its clients may do in it.
    INTER_QUBE: InterQube = Entry {
        name: "inter-qube",
        option: Some(Opt {
            flag: "inter-qube",
            value: "SETTING",
            help: "off, ask or allow: shells, commands and files from clients in the server \
                   [default: off]",
        }),
        default: "`\"off\"`",
        rule: "what clients may do in the server beside its ports, see [below](#between-qubes)",
        comment: "\"off\", \"ask\" or \"allow\": shells, commands and files from clients in it.",
        line: |it| {
            let word = quoted(it.server.inter_qube.word());
            Line::of(word, it.server.inter_qube == it.plain.inter_qube)
        },
        ..Entry::new(Section::Reaching)
    };
    /// What it may do in its clients.
    INTER_QUBE_TO_CLIENTS: InterQube = Entry {
        name: "inter-qube-to-clients",
        option: Some(Opt {
            flag: "inter-qube-to-clients",
            value: "SETTING",
            help: "off, ask or allow: the same from the server in its clients; dangerous [default: \
                   off]",
        }),
        default: "`\"off\"`",
        rule: "what the server may do in its clients, see [below](#between-qubes)",
        comment: "The same from it in its clients. More than \"off\" gives the agent a way out of \
                  its qube.",
        line: |it| {
            let word = quoted(it.server.inter_qube_to_clients.word());
            let is_usual = it.server.inter_qube_to_clients == it.plain.inter_qube_to_clients;
            Line::of(word, is_usual)
        },
        ..Entry::new(Section::Reaching)
    };
    /// A fixed gateway token.
    TOKEN: FixedToken = Entry {
        name: "token",
        default: "made in the qube, 32 random bytes",
        rule: "a fixed gateway token, 8 to 128 letters, digits, `_` and `-`. It stands in dom0, in \
               the dom0 package, and in what Salt sends to every managed qube: it draws a warning, \
               and is refused in network mode",
        ..Entry::new(Section::Reaching)
    };
    /// OpenClaw's own settings.
    OPENCLAW: OpenClawTable = Entry {
        name: "openclaw",
        default: "`{}`",
        rule: "OpenClaw's own settings, see [below](#openclaws-own-settings)",
        ..Entry::new(Section::Model)
    };
    /// Which of them to take although they are refused.
    OVERRIDE_SAFETY: List<SettingPath> = Entry {
        name: "override-safety",
        default: "`[]`",
        rule: "which of them to take although they are refused",
        ..Entry::new(Section::Model)
    };
}
