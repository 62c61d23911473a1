// SPDX-License-Identifier: MIT OR Apache-2.0

//! From values to types. What cannot be read is a finding, and leaves its field empty.

use std::str::FromStr;

use super::options::OptionNodes;
use super::tree::{Node, Table, Value};
use crate::diagnostic::{Diagnostic, Place, SourceId};
use crate::model::{
    Address, Class, Deployment, ExposeProxy, ExtraSettings, FixedToken, InterQube, Invalid, Label,
    ManagedQube, Memory, Mode, ModelRef, Network, Os, PackageVersion, Port, Ports, ProviderRef,
    ProviderSet, QubeName, Release, Server, Sources, Tag, Version, pick,
};

/// A setting: its value, where it stands, and whether a person wrote it. A setting that is
/// missing stands at the head of its server.
#[derive(Clone, Debug)]
pub(super) struct Field<T> {
    /// `None`: written, but not readable, or missing and without a default.
    pub value: Option<T>,
    pub place: Place,
    pub given: bool,
}

impl<T> Field<T> {
    /// The value and its place, if there is one.
    pub fn known(&self) -> Option<(&T, &Place)> {
        self.value.as_ref().map(|value| (value, &self.place))
    }

    /// Fills in a default where nothing was written.
    fn or(mut self, default: T) -> Self {
        if !self.given {
            self.value = Some(default);
        }
        self
    }
}

/// One item of a list, with its place.
pub(super) type Item<T> = (T, Place);

/// What the word for the mode says; what else the mode needs stands in other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModeWord {
    Tunnel,
    Network,
}

crate::model::choice!(ModeWord, "a mode", "`tunnel` or `network`", {
    "tunnel" => ModeWord::Tunnel,
    "network" => ModeWord::Network,
});

/// The qube that gives network, or none.
#[derive(Clone, Debug)]
pub(super) struct Netvm(pub Option<QubeName>);

impl FromStr for Netvm {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "" | "none" => Ok(Netvm(None)),
            name => Ok(Netvm(Some(name.parse()?))),
        }
    }
}

/// The path of one of OpenClaw's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SettingPath(pub String);

impl FromStr for SettingPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(SettingPath(text.to_owned()))
    }
}

/// One server as far as it could be read.
#[derive(Clone, Debug)]
pub(super) struct ServerDraft {
    pub name: Field<ManagedQube>,
    pub class: Field<Class>,
    pub template: Field<QubeName>,
    pub os: Field<Os>,
    pub label: Field<Label>,
    pub netvm: Field<Netvm>,
    pub ip: Field<Address>,
    pub autostart: Field<bool>,
    pub memory: Field<u32>,
    pub max_memory: Field<u32>,
    pub mode: Field<ModeWord>,
    pub start_on_connect: Field<bool>,
    pub allow_from: Field<Vec<Item<Network>>>,
    pub expose_proxy: Field<ExposeProxy>,
    pub tls: Field<bool>,
    pub providers: Field<ProviderSet>,
    /// The model's text: what it means depends on the providers.
    pub model: Field<String>,
    pub proxy_port: Field<Port>,
    pub gateway_port: Field<Port>,
    pub clients: Vec<Item<ManagedQube>>,
    /// Whether any client was written, readable or not.
    pub names_clients: bool,
    pub client_tag: Field<Tag>,
    pub tags: Vec<Item<Tag>>,
    pub inter_qube: Field<InterQube>,
    pub inter_qube_to_clients: Field<InterQube>,
    pub token: Field<FixedToken>,
    /// The table of OpenClaw's own settings.
    pub openclaw: Option<Table>,
    /// What is in it, once it is checked.
    pub extra: ExtraSettings,
    pub override_safety: Vec<Item<SettingPath>>,
}

impl ServerDraft {
    /// The ports of the services, which dom0 reaches, with the places of the settings.
    pub fn service_ports(&self) -> Vec<(Port, Place)> {
        self.ports_with_proxy(true)
    }

    /// The ports that clients reach, with the places of the settings.
    pub fn client_ports(&self) -> Vec<(Port, Place)> {
        let exposed = self.expose_proxy.value;
        self.ports_with_proxy(exposed.is_some_and(|exposed| exposed >= ExposeProxy::Clients))
    }

    fn ports_with_proxy(&self, with_proxy: bool) -> Vec<(Port, Place)> {
        let proxied = self.providers.value.as_ref().is_some_and(is_proxied);
        [
            Some(&self.gateway_port),
            (with_proxy && proxied).then_some(&self.proxy_port),
        ]
        .into_iter()
        .flatten()
        .filter_map(|field| field.known().map(|(port, place)| (*port, place.clone())))
        .collect()
    }

    /// The server; `None` if a field is empty, which means that there was an error.
    pub fn finish(self) -> Option<Server> {
        let providers = self.providers.value?;
        let model = match &self.model.value {
            Some(text) => ModelRef::parse(text, &providers).ok()?,
            None => ModelRef::default_of(providers.primary()),
        };
        let address = self.ip.value;
        Some(Server {
            name: self.name.value?,
            class: self.class.value?,
            template: self.template.value?,
            os: self.os.value?,
            label: self.label.value?,
            netvm: self.netvm.value?.0,
            autostart: self.autostart.value?,
            memory: Memory::new(self.memory.value?, self.max_memory.value?).ok()?,
            mode: match self.mode.value? {
                ModeWord::Tunnel => Mode::Tunnel {
                    address,
                    start_on_connect: self.start_on_connect.value?,
                },
                ModeWord::Network => Mode::Network {
                    address: address?,
                    allow_from: match self.allow_from.value {
                        Some(ranges) => {
                            Sources::new(ranges.into_iter().map(|(range, _)| range).collect())
                        }
                        None => Sources::around(address?),
                    }?,
                    tls: self.tls.value?,
                },
            },
            providers,
            model,
            ports: Ports {
                proxy: self.proxy_port.value?,
                gateway: self.gateway_port.value?,
            },
            expose_proxy: self.expose_proxy.value?,
            clients: self.clients.into_iter().map(|(client, _)| client).collect(),
            client_tag: self.client_tag.value?,
            tags: self.tags.into_iter().map(|(tag, _)| tag).collect(),
            inter_qube: self.inter_qube.value?,
            inter_qube_to_clients: self.inter_qube_to_clients.value?,
            token: self.token.value,
            openclaw: self.extra,
            override_safety: self
                .override_safety
                .into_iter()
                .map(|(path, _)| path.0)
                .collect(),
        })
    }
}

/// Whether the cursor proxy is among what these providers run.
pub(super) fn is_proxied(providers: &ProviderSet) -> bool {
    providers.iter().any(|provider| provider.proxied)
}

/// The whole configuration as far as it could be read.
#[derive(Debug)]
pub(super) struct Draft {
    pub package: PackageVersion,
    pub servers: Vec<ServerDraft>,
}

impl Draft {
    /// The deployment; `None` if a field is empty, which means that there was an error.
    pub fn finish(self) -> Option<Deployment> {
        Some(Deployment {
            package: self.package,
            servers: self
                .servers
                .into_iter()
                .map(ServerDraft::finish)
                .collect::<Option<_>>()?,
        })
    }
}

const TOP_KEYS: [&str; 2] = ["package", "server"];
const PACKAGE_KEYS: [&str; 2] = ["version", "release"];
const PORT_KEYS: [&str; 2] = ["proxy", "gateway"];
const SERVER_KEYS: [&str; 26] = [
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
    "start-on-connect",
    "allow-from",
    "expose-proxy",
    "tls",
    "provider",
    "model",
    "ports",
    "clients",
    "client-tag",
    "tags",
    "inter-qube",
    "inter-qube-to-clients",
    "token",
    "openclaw",
    "override-safety",
];

/// Reads the tables. `line` is the command line's source.
pub(super) fn decode(
    file: Option<&Table>,
    options: &OptionNodes,
    line: SourceId,
    diagnostics: &mut Vec<Diagnostic>,
) -> Draft {
    let mut decoder = Decoder { diagnostics };
    let empty = Table::default();
    let root = file.unwrap_or(&empty);
    decoder.refuse_unknown(root, &TOP_KEYS, "the file");

    let package = decoder.package(root.get("package"), &options.package);

    let mut heads = Vec::new();
    match root.get("server") {
        None => {}
        Some(Node {
            value: Value::Array(items),
            place,
        }) => {
            for item in items {
                match &item.value {
                    Value::Table(table) => heads.push((table, item.place.clone())),
                    other => decoder.kind_error("server", other, &item.place, SERVER_FORM),
                }
            }
            if items.is_empty() {
                heads.push((&empty, place.clone()));
            }
        }
        Some(node) => decoder.kind_error("server", &node.value, &node.place, SERVER_FORM),
    }
    if heads.is_empty() {
        heads.push((
            &empty,
            Place {
                source: line,
                span: 0..0,
            },
        ));
    }

    let none = OptionNodes::default();
    let overrides = match (
        heads.len(),
        options
            .server
            .entries
            .first()
            .or(options.ports.entries.first()),
    ) {
        (1, _) | (_, None) => options,
        (count, Some((key, _))) => {
            decoder.diagnostics.push(Diagnostic::error(
                key.place.clone(),
                Invalid::new(
                    format!("an option for one server, and {count} servers in the file"),
                    "which server is meant?",
                    "options override the file's server where it has only one",
                    "leave the option out, and edit the file",
                ),
            ));
            &none
        }
    };
    let several = heads.len() > 1;
    let servers = heads
        .into_iter()
        .map(|(table, head)| decoder.server(table, overrides, head, several))
        .collect();
    Draft { package, servers }
}

const SERVER_FORM: (&str, &str) = (
    "each server is a table that begins with [[server]]",
    "write [[server]] above the server's settings",
);

struct Decoder<'d> {
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Decoder<'_> {
    fn server(
        &mut self,
        table: &Table,
        options: &OptionNodes,
        head: Place,
        several: bool,
    ) -> ServerDraft {
        self.refuse_unknown(table, &SERVER_KEYS, "a server");
        let empty = Table::default();
        let ports = match table.get("ports") {
            None => &empty,
            Some(Node {
                value: Value::Table(ports),
                ..
            }) => ports,
            Some(node) => {
                self.kind_error("ports", &node.value, &node.place, PORTS_FORM);
                &empty
            }
        };
        self.refuse_unknown(ports, &PORT_KEYS, "`ports`");
        let openclaw = match table.get("openclaw") {
            None => None,
            Some(Node {
                value: Value::Table(settings),
                ..
            }) => Some(settings.clone()),
            Some(node) => {
                self.kind_error("openclaw", &node.value, &node.place, OPENCLAW_FORM);
                None
            }
        };

        let find = |key: &str| options.server.get(key).or_else(|| table.get(key));
        let find_port = |key: &str| options.ports.get(key).or_else(|| ports.get(key));

        let name = self.text(find("name"), "name", &head);
        let name = if several {
            if !name.given {
                self.diagnostics.push(Diagnostic::error(
                    head.clone(),
                    Invalid::new(
                        "a server without a name",
                        "no `name`",
                        "where there are several servers, each has a name",
                        "add name = \"…\" to this server",
                    ),
                ));
            }
            name
        } else {
            name.or(ManagedQube::proposed())
        };
        let class = self
            .text(find("class"), "class", &head)
            .or(Class::Standalone);
        let template: Field<QubeName> = self.text(find("template"), "template", &head);
        let template = match class.value {
            Some(class) => template.or(class.default_template()),
            None => template,
        };
        let mode = self.text(find("mode"), "mode", &head).or(ModeWord::Tunnel);
        let netvm = self.text(find("netvm"), "netvm", &head);
        let netvm = match mode.value {
            Some(ModeWord::Tunnel) => netvm.or(Netvm(Some(QubeName::known("sys-firewall")))),
            Some(ModeWord::Network) => netvm.or(Netvm(Some(QubeName::known("sys-net")))),
            None => netvm,
        };
        let providers = self.providers(find("provider"), &head);
        let memory = providers
            .value
            .as_ref()
            .map_or(Memory::DEFAULT, ProviderSet::memory);
        let given_max = self.integer(find("max-memory"), "max-memory", &head, Memory::check_max);
        let initial = match given_max.value {
            Some(max) => memory.initial().min(max),
            None => memory.initial(),
        };
        let given_initial = self.integer(find("memory"), "memory", &head, Memory::check_initial);
        let max = memory.max().max(given_initial.value.unwrap_or(0));
        let client_tag = self.text(find("client-tag"), "client-tag", &head);
        let client_tag = match &name.value {
            Some(name) if several => client_tag.or(Tag::client_of(name)),
            _ => client_tag.or(Tag::client()),
        };
        ServerDraft {
            class,
            os: self.text(find("os"), "os", &head),
            template,
            label: self.text(find("label"), "label", &head).or(Label::Orange),
            netvm,
            ip: self.text(find("ip"), "ip", &head),
            autostart: self.boolean(find("autostart"), "autostart", &head).or(true),
            memory: given_initial.or(initial),
            max_memory: given_max.or(max),
            mode,
            start_on_connect: self
                .boolean(find("start-on-connect"), "start-on-connect", &head)
                .or(false),
            allow_from: self.field(find("allow-from"), &head, |decoder, node| {
                decoder.filled_list(node, "allow-from", ALLOW_FROM_EMPTY)
            }),
            expose_proxy: self
                .expose_proxy(find("expose-proxy"), &head)
                .or(ExposeProxy::Off),
            tls: self.boolean(find("tls"), "tls", &head).or(false),
            providers,
            model: self.string(find("model"), "model", &head),
            proxy_port: self
                .integer(find_port("proxy"), "proxy", &head, Port::new)
                .or(Ports::default().proxy),
            gateway_port: self
                .integer(find_port("gateway"), "gateway", &head, Port::new)
                .or(Ports::default().gateway),
            names_clients: find("clients").is_some_and(
                |node| !matches!(&node.value, Value::Array(items) if items.is_empty()),
            ),
            clients: self.list(find("clients"), "clients"),
            client_tag,
            tags: self.list(find("tags"), "tags"),
            inter_qube: self
                .text(find("inter-qube"), "inter-qube", &head)
                .or(InterQube::Off),
            inter_qube_to_clients: self
                .text(
                    find("inter-qube-to-clients"),
                    "inter-qube-to-clients",
                    &head,
                )
                .or(InterQube::Off),
            token: self.text(find("token"), "token", &head),
            openclaw,
            extra: ExtraSettings::default(),
            override_safety: self.list(find("override-safety"), "override-safety"),
            name,
        }
    }

    fn package(&mut self, node: Option<&Node>, options: &Table) -> PackageVersion {
        let empty = Table::default();
        let table = match node {
            None => &empty,
            Some(Node {
                value: Value::Table(table),
                ..
            }) => table,
            Some(node) => {
                self.kind_error(
                    "package",
                    &node.value,
                    &node.place,
                    (
                        "`package` is a table",
                        "write [package] above `version` and `release`",
                    ),
                );
                &empty
            }
        };
        self.refuse_unknown(table, &PACKAGE_KEYS, "`package`");
        let find = |key: &str| options.get(key).or_else(|| table.get(key));
        let default = PackageVersion::default();
        // The place of a package's setting is only used where the setting is there.
        let nowhere = Place {
            source: self.anywhere(node, options),
            span: 0..0,
        };
        let version: Field<Version> = self.text(find("version"), "version", &nowhere);
        let release = self.integer(find("release"), "release", &nowhere, Release::new);
        PackageVersion {
            version: version.value.unwrap_or(default.version),
            release: release.value.unwrap_or(default.release),
        }
    }

    fn anywhere(&self, node: Option<&Node>, options: &Table) -> SourceId {
        let option = options.entries.first().map(|(key, _)| key.place.source);
        node.map(|node| node.place.source)
            .or(option)
            .unwrap_or_default()
    }

    fn refuse_unknown(&mut self, table: &Table, known: &[&str], of: &str) {
        for (key, _) in &table.entries {
            if !known.contains(&key.name.as_str()) {
                self.diagnostics.push(Diagnostic::error(
                    key.place.clone(),
                    Invalid::new(
                        format!("{of} has no key \"{}\"", key.name.escape_debug()),
                        "unknown key",
                        format!("the keys are {}", known.join(", ")),
                        pick(&key.name, known),
                    ),
                ));
            }
        }
    }

    fn kind_error(&mut self, key: &str, found: &Value, place: &Place, form: (&str, &str)) {
        self.diagnostics.push(Diagnostic::error(
            place.clone(),
            Invalid::new(
                format!("`{key}` is {}", found.kind()),
                format!("found {}", found.kind()),
                form.0,
                form.1,
            ),
        ));
    }

    /// A field whose node is read by `read`; absent if there is no node.
    fn field<T>(
        &mut self,
        node: Option<&Node>,
        head: &Place,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Field<T> {
        match node {
            None => Field {
                value: None,
                place: head.clone(),
                given: false,
            },
            Some(node) => Field {
                value: read(self, node),
                place: node.place.clone(),
                given: true,
            },
        }
    }

    fn string(&mut self, node: Option<&Node>, key: &str, head: &Place) -> Field<String> {
        self.field(node, head, |decoder, node| decoder.as_text(node, key))
    }

    fn text<T: FromStr<Err = Invalid>>(
        &mut self,
        node: Option<&Node>,
        key: &str,
        head: &Place,
    ) -> Field<T> {
        self.field(node, head, |decoder, node| decoder.parse(node, key))
    }

    fn parse<T: FromStr<Err = Invalid>>(&mut self, node: &Node, key: &str) -> Option<T> {
        let text = self.as_text(node, key)?;
        self.accept(text.parse(), &node.place)
    }

    fn accept<T>(&mut self, result: Result<T, Invalid>, place: &Place) -> Option<T> {
        result
            .map_err(|what| {
                self.diagnostics
                    .push(Diagnostic::error(place.clone(), what));
            })
            .ok()
    }

    fn as_text(&mut self, node: &Node, key: &str) -> Option<String> {
        if let Value::Text(text) = &node.value {
            return Some(text.clone());
        }
        self.kind_error(
            key,
            &node.value,
            &node.place,
            (
                &format!("`{key}` is a string"),
                "write it in quotes, such as \"…\"",
            ),
        );
        None
    }

    fn integer<T>(
        &mut self,
        node: Option<&Node>,
        key: &str,
        head: &Place,
        check: fn(i64) -> Result<T, Invalid>,
    ) -> Field<T> {
        self.field(node, head, |decoder, node| match &node.value {
            Value::Integer(number) => {
                let checked = number.ok_or_else(|| {
                    Invalid::new(
                        format!("`{key}` is beyond all bounds"),
                        "too large a number",
                        "a number has 64 bits at most",
                        "write a smaller number",
                    )
                });
                decoder.accept(checked.and_then(check), &node.place)
            }
            other => {
                decoder.kind_error(
                    key,
                    other,
                    &node.place,
                    (
                        &format!("`{key}` is an integer"),
                        "write a whole number, without quotes",
                    ),
                );
                None
            }
        })
    }

    fn boolean(&mut self, node: Option<&Node>, key: &str, head: &Place) -> Field<bool> {
        self.field(node, head, |decoder, node| match &node.value {
            Value::Boolean(boolean) => Some(*boolean),
            other => {
                decoder.kind_error(
                    key,
                    other,
                    &node.place,
                    (
                        &format!("`{key}` is true or false"),
                        "write true or false, without quotes",
                    ),
                );
                None
            }
        })
    }

    /// A word, or what earlier versions took: true for the network, and false.
    fn expose_proxy(&mut self, node: Option<&Node>, head: &Place) -> Field<ExposeProxy> {
        self.field(node, head, |decoder, node| match node.value {
            Value::Boolean(true) => Some(ExposeProxy::Network),
            Value::Boolean(false) => Some(ExposeProxy::Off),
            _ => decoder.parse(node, "expose-proxy"),
        })
    }

    fn list<T: FromStr<Err = Invalid> + PartialEq>(
        &mut self,
        node: Option<&Node>,
        key: &str,
    ) -> Vec<Item<T>> {
        let Some(node) = node else {
            return Vec::new();
        };
        let Value::Array(items) = &node.value else {
            self.kind_error(
                key,
                &node.value,
                &node.place,
                (
                    &format!("`{key}` is a list of strings"),
                    "write it in brackets, such as [\"…\", \"…\"]",
                ),
            );
            return Vec::new();
        };
        let mut list: Vec<Item<T>> = Vec::new();
        for item in items {
            let Some(value) = self.parse::<T>(item, key) else {
                continue;
            };
            if let Some((_, first)) = list.iter().find(|(earlier, _)| *earlier == value) {
                let finding = twice(key, item, first);
                self.diagnostics.push(finding);
            } else {
                list.push((value, item.place.clone()));
            }
        }
        list
    }

    /// A list with something in it, whose items can all be read; `empty` is what to say of one
    /// without: the problem, the rule and the fix.
    fn filled_list<T: FromStr<Err = Invalid> + PartialEq>(
        &mut self,
        node: &Node,
        key: &str,
        (problem, rule, fix): (&str, &str, &str),
    ) -> Option<Vec<Item<T>>> {
        let before = self.diagnostics.len();
        let list = self.list(Some(node), key);
        if list.is_empty() && self.diagnostics.len() == before {
            self.diagnostics.push(Diagnostic::error(
                node.place.clone(),
                Invalid::new(problem, "empty", rule, fix),
            ));
        }
        (self.diagnostics.len() == before).then_some(list)
    }

    fn providers(&mut self, node: Option<&Node>, head: &Place) -> Field<ProviderSet> {
        self.field(node, head, |decoder, node| {
            if let Value::Text(_) = node.value {
                return decoder.parse(node, "provider").map(ProviderSet::one);
            }
            let list = decoder.filled_list::<ProviderRef>(node, "provider", PROVIDER_EMPTY)?;
            ProviderSet::new(list.into_iter().map(|(provider, _)| provider).collect())
        })
        .or(ProviderSet::default())
    }
}

const PROVIDER_EMPTY: (&str, &str, &str) = (
    "a server without a provider",
    "a server has at least one provider; the first is the default one",
    "write provider = \"cursor\", or leave it out",
);

const ALLOW_FROM_EMPTY: (&str, &str, &str) = (
    "a server that nobody on the network may reach",
    "in network mode somebody on the network may reach the server",
    "write allow-from = [\"192.168.1.0/24\"] with your network, leave it out, or write \
     mode = \"tunnel\"",
);

const PORTS_FORM: (&str, &str) = (
    "`ports` is a table",
    "write ports = { proxy = 32125, gateway = 18789 }",
);

const OPENCLAW_FORM: (&str, &str) = (
    "`openclaw` is a table",
    "write [server.openclaw] above OpenClaw's settings",
);

fn twice(key: &str, item: &Node, first: &Place) -> Diagnostic {
    let shown = match &item.value {
        Value::Text(text) => text.as_str(),
        _ => "an item",
    };
    Diagnostic::error(
        item.place.clone(),
        Invalid::new(
            format!("\"{shown}\" is in `{key}` twice"),
            "again",
            format!("each item of `{key}` is there once"),
            "leave one of them out",
        ),
    )
    .related(first.clone(), "first here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    /// What is read of a file, and what is said of it: problem and label.
    fn read(text: &str) -> (Draft, Vec<(String, String)>) {
        let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
        let file = super::super::tree::from_toml(
            sources.add("openclaw.toml", text),
            text,
            &mut diagnostics,
        );
        let line = sources.add("<command line>", "");
        let draft = decode(Some(&file), &OptionNodes::default(), line, &mut diagnostics);
        let said = diagnostics
            .into_iter()
            .map(|it| (it.what.problem, it.what.label));
        (draft, said.collect())
    }

    #[test]
    fn an_empty_file_is_one_server_with_defaults() {
        let (draft, said) = read("");
        assert_eq!(said, []);
        let [server] = draft.servers.as_slice() else {
            panic!("{draft:?}");
        };
        assert!(!server.name.given);
        assert_eq!(server.mode.value, Some(ModeWord::Tunnel));
        assert_eq!(server.autostart.value, Some(true));
        assert!(server.ip.value.is_none() && !server.names_clients);
        assert_eq!(
            server.name.value.as_ref().unwrap().to_string(),
            "openclaw-vm"
        );
    }

    #[test]
    fn what_cannot_be_read_leaves_its_field_empty_and_the_others_full() {
        let (draft, said) = read("[[server]]\nname = \"a b\"\nmode = 7\nlabel = \"red\"\n");
        assert_eq!(said.len(), 2, "{said:?}");
        let server = &draft.servers[0];
        assert!(server.name.value.is_none() && server.name.given);
        assert!(server.mode.value.is_none() && server.mode.given);
        assert_eq!(server.label.value, Some("red".parse().unwrap()));
        assert!(draft.finish().is_none());
    }

    #[test]
    fn a_setting_stands_where_it_was_written() {
        let text = "[[server]]\nlabel = \"red\"\n";
        let (draft, _) = read(text);
        let server = &draft.servers[0];
        assert_eq!(&text[server.label.place.span.clone()], "\"red\"");
        // One that is missing stands at the head of its server.
        assert_eq!(server.netvm.place.span, 0..text.find('\n').unwrap());
    }

    #[test]
    fn each_server_is_read() {
        let (draft, said) = read("[[server]]\nname = \"a\"\n[[server]]\nname = \"b\"\n");
        assert_eq!(said, []);
        let names = draft
            .servers
            .iter()
            .map(|it| it.name.value.as_ref().unwrap().to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn no_netvm_is_a_netvm() {
        assert!("none".parse::<Netvm>().unwrap().0.is_none());
        assert!("".parse::<Netvm>().unwrap().0.is_none());
        assert!("sys-net".parse::<Netvm>().unwrap().0.is_some());
        // Qubes keeps this one for itself.
        assert!("None".parse::<Netvm>().is_err());
        assert!("-".parse::<Netvm>().is_err());
    }
}
