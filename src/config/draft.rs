// SPDX-License-Identifier: MIT OR Apache-2.0

//! The configuration as far as it could be read: every setting with its place and its default. A
//! server is made of it once, by value, after all checks.

use super::decode::{Field, Scope, refuse_unknown};
use super::findings::{Findings, Reported};
use super::keys::{self, InTable};
use super::options::OptionTables;
use super::setting::{Item, List, Netvm, OpenClawTable, SettingPath, Text, wrong_kind};
use super::tree::{Node, Table, Value};
use crate::diagnostic::Place;
use crate::model::{
    Address, Class, Deployment, ExposeProxy, ExtraSettings, FixedToken, InitialMemory, InterQube,
    Invalid, Label, ManagedQube, MaxMemory, Memory, Mode, ModeName, ModelRef, Network, Os,
    PackageVersion, Port, Ports, ProviderSet, QubeName, Server, Tag, pick,
};

/// One server as far as it could be read.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub name: Field<ManagedQube>,
    pub class: Field<Class>,
    pub template: Field<QubeName>,
    pub os: Field<Option<Os>>,
    pub label: Field<Label>,
    pub netvm: Field<Netvm>,
    pub ip: Field<Option<Address>>,
    pub autostart: Field<bool>,
    pub memory: Field<InitialMemory>,
    pub max_memory: Field<MaxMemory>,
    pub mode: Field<ModeName>,
    pub start_on_connect: Field<bool>,
    pub allow_from: Field<Option<List<Network>>>,
    pub expose_proxy: Field<ExposeProxy>,
    pub tls: Field<bool>,
    pub providers: Field<ProviderSet>,
    /// The model's text: what it means depends on the providers.
    pub model: Field<Option<Text>>,
    pub proxy_port: Field<Port>,
    pub gateway_port: Field<Port>,
    pub clients: Field<List<ManagedQube>>,
    pub client_tag: Field<Tag>,
    pub tags: Field<List<Tag>>,
    pub inter_qube: Field<InterQube>,
    pub inter_qube_to_clients: Field<InterQube>,
    pub token: Field<Option<FixedToken>>,
    /// The table of OpenClaw's own settings.
    pub openclaw: Field<OpenClawTable>,
    pub override_safety: Field<List<SettingPath>>,
}

/// The items of a list that could be read.
fn items<T>(field: &Field<List<T>>) -> &[Item<T>] {
    field.value.as_ref().map_or(&[], |list| &list.items)
}

impl ServerDraft {
    /// The clients that could be read.
    pub fn clients(&self) -> &[Item<ManagedQube>] {
        items(&self.clients)
    }

    /// Whether any client was written, readable or not.
    pub fn names_clients(&self) -> bool {
        self.clients
            .value
            .as_ref()
            .map_or(true, |list| list.has_any)
    }

    /// The tags that could be read.
    pub fn tags(&self) -> &[Item<Tag>] {
        items(&self.tags)
    }

    /// The overridden settings that could be read.
    pub fn overrides(&self) -> &[Item<SettingPath>] {
        items(&self.override_safety)
    }

    /// The table of OpenClaw's own settings, if it is one.
    pub fn openclaw(&self) -> Option<&Table> {
        self.openclaw.value.as_ref().ok().map(|table| &table.0)
    }

    /// Whether the server is in this mode, as far as is known.
    pub fn is_in(&self, mode: ModeName) -> bool {
        self.mode.value == Ok(mode)
    }

    /// Whether the cursor proxy runs in the qube, as far as is known.
    pub fn is_proxied(&self) -> bool {
        self.providers.value.as_ref().is_ok_and(is_proxied)
    }

    /// The ports of the services, which dom0 reaches, with the places of the settings.
    pub fn service_ports(&self) -> Vec<(Port, Place)> {
        self.ports_with_proxy(true)
    }

    /// The ports that clients reach, with the places of the settings.
    pub fn client_ports(&self) -> Vec<(Port, Place)> {
        let exposed = self.expose_proxy.value;
        self.ports_with_proxy(exposed.is_ok_and(|exposed| exposed >= ExposeProxy::Clients))
    }

    fn ports_with_proxy(&self, with_proxy: bool) -> Vec<(Port, Place)> {
        [
            Some(&self.gateway_port),
            (with_proxy && self.is_proxied()).then_some(&self.proxy_port),
        ]
        .into_iter()
        .flatten()
        .filter_map(|field| field.known().map(|(port, place)| (*port, place.clone())))
        .collect()
    }

    /// Where its services listen.
    pub fn ports(&self) -> Result<Ports, Reported> {
        Ok(Ports {
            proxy: self.proxy_port.value?,
            gateway: self.gateway_port.value?,
        })
    }

    /// The server, of which the checks have made what follows from several settings.
    pub fn finish(self, made: Made) -> Result<Server, Reported> {
        Ok(Server {
            ports: self.ports()?,
            name: self.name.value?,
            class: self.class.value?,
            template: self.template.value?,
            os: made.os?,
            label: self.label.value?,
            netvm: self.netvm.value?.0,
            autostart: self.autostart.value?,
            memory: made.memory?,
            mode: made.mode?,
            providers: self.providers.value?,
            model: made.model?,
            expose_proxy: self.expose_proxy.value?,
            clients: self.clients.value?.into_values()?,
            client_tag: self.client_tag.value?,
            tags: self.tags.value?.into_values()?,
            inter_qube: self.inter_qube.value?,
            inter_qube_to_clients: self.inter_qube_to_clients.value?,
            token: self.token.value?,
            openclaw: made.extra?,
            override_safety: {
                let paths = self.override_safety.value?.into_values()?;
                paths.into_iter().map(|path| path.0).collect()
            },
        })
    }
}

/// What follows from several settings of one server.
#[derive(Debug)]
pub(super) struct Made {
    pub os: Result<Os, Reported>,
    pub memory: Result<Memory, Reported>,
    pub mode: Result<Mode, Reported>,
    pub model: Result<ModelRef, Reported>,
    pub extra: Result<ExtraSettings, Reported>,
}

/// Whether the cursor proxy is among what these providers run.
pub(super) fn is_proxied(providers: &ProviderSet) -> bool {
    providers.iter().any(|provider| provider.proxied)
}

/// The whole configuration as far as it could be read.
#[derive(Debug)]
pub(super) struct Draft {
    pub package: Result<PackageVersion, Reported>,
    pub servers: Vec<ServerDraft>,
}

impl Draft {
    /// The deployment, where `made` is what the checks made of each server.
    pub fn finish(self, made: Vec<Made>) -> Result<Deployment, Reported> {
        Ok(Deployment {
            package: self.package?,
            servers: self
                .servers
                .into_iter()
                .zip(made)
                .map(|(server, made)| server.finish(made))
                .collect::<Result<_, _>>()?,
        })
    }
}

const TOP_KEYS: [&str; 2] = ["package", "server"];

const SERVER_FORM: (&str, &str) = (
    "each server is a table that begins with [[server]]",
    "write [[server]] above the server's settings",
);

/// Reads the file and the options.
pub(super) fn read(file: Option<&Table>, options: &OptionTables, findings: &mut Findings) -> Draft {
    let empty = Table::default();
    let root = file.unwrap_or(&empty);
    for (key, _) in &root.entries {
        if !TOP_KEYS.contains(&key.name.as_str()) {
            let what = Invalid::new(
                format!("the file has no key \"{}\"", key.name.escape_debug()),
                "unknown key",
                format!("the keys are {}", TOP_KEYS.join(", ")),
                pick(&key.name, &TOP_KEYS),
            );
            findings.error(&key.place, what);
        }
    }
    let start = Place {
        source: options.line,
        span: 0..0,
    };
    let package = package(root.get("package"), &options.package, &start, findings);

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
                    _ => {
                        wrong_kind(findings, "server", item, SERVER_FORM);
                    }
                }
            }
            if items.is_empty() {
                heads.push((&empty, place.clone()));
            }
        }
        Some(node) => {
            wrong_kind(findings, "server", node, SERVER_FORM);
        }
    }
    if heads.is_empty() {
        heads.push((&empty, start));
    }

    let several = heads.len() > 1;
    let mut overrides = (&options.server, &options.ports);
    let first = options.server.entries.first();
    if several && let Some((key, _)) = first.or(options.ports.entries.first()) {
        let count = heads.len();
        let what = Invalid::new(
            format!("an option for one server, and {count} servers in the file"),
            "which server is meant?",
            "options override the file's server where it has only one",
            "leave the option out, and edit the file",
        );
        findings.error(&key.place, what);
        overrides = (&empty, &empty);
    }
    let servers = heads.into_iter().map(|(table, head)| {
        let (options, ports) = overrides;
        let scope = Scope {
            table,
            options,
            head,
        };
        server(&scope, ports, several, findings)
    });
    Draft {
        package,
        servers: servers.collect(),
    }
}

fn server(
    scope: &Scope,
    port_options: &Table,
    several: bool,
    findings: &mut Findings,
) -> ServerDraft {
    let it = findings;
    refuse_unknown(scope.table, InTable::Server.keys(), "a server", it);
    let port_table = scope
        .get(&keys::PORTS, it)
        .or_else(|| Ok(Default::default()));
    let empty = Table::default();
    let ports = Scope {
        table: port_table.value.as_ref().map_or(&empty, |table| &table.0),
        options: port_options,
        head: scope.head.clone(),
    };
    refuse_unknown(ports.table, InTable::Ports.keys(), "`ports`", it);
    let openclaw = scope.get(&keys::OPENCLAW, it).or(OpenClawTable::default());

    let name = scope.get(&keys::NAME, it).or_else(|| {
        if !several {
            return Ok(ManagedQube::proposed());
        }
        let what = Invalid::new(
            "a server without a name",
            "no `name`",
            "where there are several servers, each has a name",
            "add name = \"…\" to this server",
        );
        Err(it.error(&scope.head, what))
    });
    let class = scope.get(&keys::CLASS, it).or(Class::Standalone);
    let template = scope.get(&keys::TEMPLATE, it);
    let template = template.or_else(|| class.value.map(Class::default_template));
    let mode = scope.get(&keys::MODE, it).or(ModeName::Tunnel);
    let netvm = scope.get(&keys::NETVM, it);
    let netvm = netvm.or_else(|| mode.value.map(|mode| Netvm(Some(mode.default_netvm()))));
    let providers = scope
        .get(&keys::PROVIDER, it)
        .or_else(|| Ok(ProviderSet::default()));
    let max = scope.get(&keys::MAX_MEMORY, it);
    let initial = scope.get(&keys::MEMORY, it);
    let usual = providers.value.as_ref().map(ProviderSet::memory);
    let (usual_initial, usual_max) = usual
        .unwrap_or(Memory::DEFAULT)
        .fit(initial.readable().copied(), max.readable().copied());
    let client_tag = scope.get(&keys::CLIENT_TAG, it);
    let client_tag = client_tag.or_else(|| {
        Ok(match &name.value {
            Ok(name) if several => Tag::client_of(name),
            _ => Tag::client(),
        })
    });
    ServerDraft {
        class,
        os: scope.get(&keys::OS, it).optional(),
        template,
        label: scope.get(&keys::LABEL, it).or(Label::Orange),
        netvm,
        ip: scope.get(&keys::IP, it).optional(),
        autostart: scope.get(&keys::AUTOSTART, it).or(true),
        memory: initial.or(usual_initial),
        max_memory: max.or(usual_max),
        mode,
        start_on_connect: scope.get(&keys::START_ON_CONNECT, it).or(false),
        allow_from: scope.get(&keys::ALLOW_FROM, it).optional(),
        expose_proxy: scope.get(&keys::EXPOSE_PROXY, it).or(ExposeProxy::Off),
        tls: scope.get(&keys::TLS, it).or(false),
        providers,
        model: scope.get(&keys::MODEL, it).optional(),
        proxy_port: ports.get(&keys::PROXY_PORT, it).or(Ports::default().proxy),
        gateway_port: ports
            .get(&keys::GATEWAY_PORT, it)
            .or(Ports::default().gateway),
        clients: scope.get(&keys::CLIENTS, it).or(List::default()),
        client_tag,
        tags: scope.get(&keys::TAGS, it).or(List::default()),
        inter_qube: scope.get(&keys::INTER_QUBE, it).or(InterQube::Off),
        inter_qube_to_clients: scope
            .get(&keys::INTER_QUBE_TO_CLIENTS, it)
            .or(InterQube::Off),
        token: scope.get(&keys::TOKEN, it).optional(),
        openclaw,
        override_safety: scope.get(&keys::OVERRIDE_SAFETY, it).or(List::default()),
        name,
    }
}

fn package(
    node: Option<&Node>,
    options: &Table,
    start: &Place,
    findings: &mut Findings,
) -> Result<PackageVersion, Reported> {
    let empty = Table::default();
    let mut is_table = Ok(());
    let table = match node {
        None => &empty,
        Some(Node {
            value: Value::Table(table),
            ..
        }) => table,
        Some(node) => {
            let form = (
                "`package` is a table",
                "write [package] above `version` and `release`",
            );
            is_table = Err(wrong_kind(findings, "package", node, form));
            &empty
        }
    };
    refuse_unknown(table, InTable::Package.keys(), "`package`", findings);
    let scope = Scope {
        table,
        options,
        head: node.map_or_else(|| start.clone(), |node| node.place.clone()),
    };
    let default = PackageVersion::default();
    let version = scope.get(&keys::VERSION, findings).or(default.version);
    let release = scope.get(&keys::RELEASE, findings).or(default.release);
    is_table?;
    Ok(PackageVersion {
        version: version.value?,
        release: release.value?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::options::Options;
    use super::super::tree;
    use super::*;
    use crate::diagnostic::Sources;

    /// What is read of a file, and what is said of it: problem and label.
    fn draft(text: &str) -> (Draft, Vec<(String, String)>) {
        let (mut sources, mut findings) = (Sources::default(), Findings::default());
        let file = tree::from_toml(sources.add("openclaw.toml", text), text, &mut findings);
        let options = Options::default().tables(&mut sources);
        let draft = read(Some(&file), &options, &mut findings);
        let said = findings
            .into_vec()
            .into_iter()
            .map(|it| (it.what.problem, it.what.label));
        (draft, said.collect())
    }

    #[test]
    fn an_empty_file_is_one_server_with_defaults() {
        let (draft, said) = draft("");
        assert_eq!(said, []);
        let [server] = draft.servers.as_slice() else {
            panic!("{draft:?}");
        };
        assert!(!server.name.given);
        assert_eq!(server.mode.value, Ok(ModeName::Tunnel));
        assert_eq!(server.autostart.value, Ok(true));
        assert!(server.ip.written().is_none() && !server.names_clients());
        assert_eq!(
            server.name.value.as_ref().unwrap().to_string(),
            "openclaw-vm"
        );
    }

    #[test]
    fn what_cannot_be_read_leaves_its_field_empty_and_the_others_full() {
        let (draft, said) = draft("[[server]]\nname = \"a b\"\nmode = 7\nlabel = \"red\"\n");
        assert_eq!(said.len(), 2, "{said:?}");
        let server = &draft.servers[0];
        assert!(server.name.value.is_err() && server.name.given);
        assert!(server.mode.value.is_err() && server.mode.given);
        // The netvm follows from the mode.
        assert!(server.netvm.value.is_err() && !server.netvm.given);
        assert_eq!(server.label.value, Ok(Label::Red));
    }

    #[test]
    fn a_setting_stands_where_it_was_written() {
        let text = "[[server]]\nlabel = \"red\"\n";
        let (draft, _) = draft(text);
        let server = &draft.servers[0];
        assert_eq!(&text[server.label.place.span.clone()], "\"red\"");
        // One that is missing stands at the head of its server.
        assert_eq!(server.netvm.place.span, 0..text.find('\n').unwrap());
    }

    #[test]
    fn each_server_is_read() {
        let (draft, said) = draft("[[server]]\nname = \"a\"\n[[server]]\nname = \"b\"\n");
        assert_eq!(said, []);
        let names = draft
            .servers
            .iter()
            .map(|it| it.name.value.as_ref().unwrap().to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    }
}
