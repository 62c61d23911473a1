// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the settings mean together. Each check is one function, and looks only at settings that
//! could be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::decode::{Draft, Field, Item, ModeWord, ServerDraft, is_proxied};
use super::extra;
use crate::diagnostic::{Diagnostic, Place};
use crate::model::{
    ExposeProxy, InterQube, Invalid, ManagedQube, Memory, ModelRef, Os, Port, QubeName, Server,
    Sources, Tag, release_of,
};

/// Qubes that stand between a server and the network, by the names that Qubes gives them. The
/// network server needs a qube that holds the network device itself.
const NOT_NETVMS: [&str; 3] = ["sys-firewall", "sys-whonix", "sys-vpn"];

/// Runs every check, and fills in what follows from other settings.
pub(super) fn check(draft: &mut Draft, diagnostics: &mut Vec<Diagnostic>) {
    for server in &mut draft.servers {
        os(server, diagnostics);
    }
    for server in &draft.servers {
        memory(server, diagnostics);
        model(server, diagnostics);
        ports(server, diagnostics);
        network_mode(server, diagnostics);
        expose_proxy(server, diagnostics);
        offline(server, diagnostics);
        old_go(server, diagnostics);
        own_names(server, diagnostics);
        tags(server, diagnostics);
        token(server, diagnostics);
        inter_qube(server, diagnostics);
    }
    for server in &mut draft.servers {
        extra::check(server, diagnostics);
    }
    distinct_names(&draft.servers, diagnostics);
    distinct_addresses(&draft.servers, diagnostics);
    distinct_dom0_ports(&draft.servers, diagnostics);
    distinct_client_ports(&draft.servers, diagnostics);
    distinct_client_tags(&draft.servers, diagnostics);
    tags_of_other_clients(&draft.servers, diagnostics);
    clients_and_servers(&draft.servers, diagnostics);
}

type Findings<'a> = &'a mut Vec<Diagnostic>;

fn os(server: &mut ServerDraft, findings: Findings) {
    let Some((template, place)) = server.template.known() else {
        return;
    };
    match (Os::of_template(template), server.os.known()) {
        (Some(of_name), Some((written, at))) if of_name != *written => {
            let (name, other) = match of_name {
                Os::Debian => ("debian", "fedora"),
                Os::Fedora => ("fedora", "debian"),
            };
            findings.push(
                Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        format!("{template} is not a {other} template"),
                        "does not fit the template",
                        "`os` is for templates whose name does not tell the distribution",
                        format!("write os = \"{name}\", or leave it out"),
                    ),
                )
                .related(place.clone(), "this template"),
            );
        }
        (Some(of_name), _) => server.os.value = server.os.value.or(Some(of_name)),
        (None, None) if !server.os.given => findings.push(Diagnostic::error(
            place.clone(),
            Invalid::new(
                format!("cannot tell which distribution {template} is"),
                "debian or fedora?",
                "names of packages depend on the distribution, which is read off names that begin \
                 with debian-, kicksecure-, whonix- or fedora-",
                "add os = \"debian\" or os = \"fedora\"",
            ),
        )),
        (None, _) => {}
    }
}

fn memory(server: &ServerDraft, findings: Findings) {
    let (Some((initial, at)), Some((max, max_at))) =
        (server.memory.known(), server.max_memory.known())
    else {
        return;
    };
    if let Err(what) = Memory::new(*initial, *max) {
        let finding = if server.memory.given {
            Diagnostic::error(at.clone(), what).related(max_at.clone(), "the maximum")
        } else {
            Diagnostic::error(max_at.clone(), what)
        };
        findings.push(finding);
    }
    let needy = server
        .providers
        .value
        .iter()
        .flat_map(|providers| providers.iter())
        .find(|provider| provider.memory.max() > *max);
    if let Some(provider) = needy {
        findings.push(Diagnostic::warning(
            max_at.clone(),
            Invalid::new(
                format!("{max} MiB is little for {}", provider.title),
                "small models only",
                format!("with {}: {}", provider.title, provider.requires),
                format!("write max-memory = {} or more", provider.memory.max()),
            ),
        ));
    }
}

fn model(server: &ServerDraft, findings: Findings) {
    if let (Some((text, at)), Some((providers, _))) =
        (server.model.known(), server.providers.known())
    {
        match ModelRef::parse(text, providers) {
            Err(what) => findings.push(Diagnostic::error(at.clone(), what)),
            Ok(model) => findings.extend(
                model
                    .doubt()
                    .map(|what| Diagnostic::warning(at.clone(), what)),
            ),
        }
    }
}

fn ports(server: &ServerDraft, findings: Findings) {
    let ports = server.service_ports();
    if let [(gateway, gateway_at), (proxy, proxy_at)] = ports.as_slice()
        && gateway == proxy
    {
        let (at, other) = if server.proxy_port.given {
            (proxy_at, gateway_at)
        } else {
            (gateway_at, proxy_at)
        };
        findings.push(
            Diagnostic::error(
                at.clone(),
                Invalid::new(
                    format!("the cursor proxy and the gateway both on port {proxy}"),
                    "the same port",
                    "each service of a qube has a port of its own",
                    "write another port, or leave one of them out: the defaults differ",
                ),
            )
            .related(other.clone(), "the other one"),
        );
    }
    let ollama = server
        .providers
        .value
        .as_ref()
        .is_some_and(|providers| providers.has("ollama"));
    for (port, at) in &ports {
        let holder = if *port == Port::UPDATES_PROXY {
            "Qubes' updates proxy"
        } else if *port == Port::OLLAMA && ollama {
            "Ollama"
        } else {
            continue;
        };
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                format!("port {port} is taken in the qube"),
                format!("{holder} listens there"),
                "each service of a qube has a port of its own",
                "write another port",
            ),
        ));
    }
}

fn network_mode(server: &ServerDraft, findings: Findings) {
    match server.mode.value {
        Some(ModeWord::Network) => {}
        Some(ModeWord::Tunnel) => return tunnel_mode(server, findings),
        None => return,
    }
    let mode_at = &server.mode.place;
    if let Some((true, at)) = server.start_on_connect.known() {
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                "`start-on-connect` without tunnel mode",
                "has no meaning here",
                "it is a setting of dom0's tunnels, which network mode has not",
                "leave it out, or write mode = \"tunnel\"",
            ),
        ));
    }
    sources(server, findings);
    if !server.ip.given {
        findings.push(Diagnostic::error(
            mode_at.clone(),
            Invalid::new(
                "network mode without an address",
                "needs `ip`",
                "in network mode the gateway listens on the qube's own fixed address",
                "add ip = \"…\", an address of your network that is free",
            ),
        ));
    }
    if let Some((netvm, at)) = server.netvm.known() {
        let problem = match &netvm.0 {
            None => Some("network mode without a netvm".to_owned()),
            Some(name) if NOT_NETVMS.contains(&name.as_str()) => {
                Some(format!("network mode behind {name}"))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            findings.push(
                Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        problem,
                        "not a qube with a network device",
                        "qubes-network-server works only for a qube that hangs directly off the \
                         qube with the network device",
                        "write netvm = \"sys-net\", or mode = \"tunnel\"",
                    ),
                )
                .related(mode_at.clone(), "network mode"),
            );
        }
    }
}

/// Who opens the proxy's port is told what that is.
fn expose_proxy(server: &ServerDraft, findings: Findings) {
    let Some((exposed, at)) = server.expose_proxy.known() else {
        return;
    };
    if *exposed == ExposeProxy::Off {
        return;
    }
    if let Some((providers, _)) = server.providers.known()
        && !is_proxied(providers)
    {
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                "`expose-proxy` without the cursor provider",
                "there is no proxy",
                "the proxy serves the cursor provider only",
                "leave it out",
            ),
        ));
        return;
    }
    let (problem, browsers, fix) = match (exposed, server.mode.value) {
        (ExposeProxy::Network, Some(ModeWord::Tunnel)) => {
            findings.push(Diagnostic::error(
                at.clone(),
                Invalid::new(
                    "`expose-proxy` for a network without network mode",
                    "has no meaning here",
                    "in tunnel mode nothing is reachable from the network",
                    "write expose-proxy = \"clients\", leave it out, or write mode = \"network\"",
                ),
            ));
            return;
        }
        (ExposeProxy::Network, _) => (
            "the cursor proxy is open to the network, and to clients",
            "a machine of `allow-from` or of a client",
            "leave it out, unless every one of them may do so",
        ),
        _ => (
            "the cursor proxy is open to clients",
            "a client",
            "leave it out, unless a program in a client needs the proxy itself",
        ),
    };
    findings.push(Diagnostic::warning(
        at.clone(),
        Invalid::new(
            problem,
            "no password there, and any web page passes",
            format!(
                "the proxy checks neither who asks nor from which page: any web page that is open \
                 in a browser of {browsers} commands it, and so your Cursor account and the \
                 server's files"
            ),
            fix,
        ),
    ));
}

/// What only means something in network mode.
fn tunnel_mode(server: &ServerDraft, findings: Findings) {
    let on = |field: &Field<bool>| field.given && field.value == Some(true);
    for (key, given, at) in [
        ("tls", on(&server.tls), &server.tls.place),
        (
            "allow-from",
            server.allow_from.given,
            &server.allow_from.place,
        ),
    ] {
        if given {
            findings.push(Diagnostic::error(
                at.clone(),
                Invalid::new(
                    format!("`{key}` without network mode"),
                    "has no meaning here",
                    "in tunnel mode nothing is reachable from the network",
                    "leave it out, or write mode = \"network\"",
                ),
            ));
        }
    }
}

/// Who on the network may reach the server.
fn sources(server: &ServerDraft, findings: Findings) {
    let Some((ranges, _)) = server.allow_from.known() else {
        if let (false, Some((address, at))) = (server.allow_from.given, server.ip.known())
            && Sources::around(*address).is_none()
        {
            findings.push(Diagnostic::error(
                at.clone(),
                Invalid::new(
                    format!("the public address {address}, and nothing said of who may reach it"),
                    "an address of the Internet",
                    "by default the private range around `ip` may reach the server; a public \
                     address has none",
                    "add allow-from = [\"…\"] with the range of your network, or write a private \
                     address",
                ),
            ));
        }
        return;
    };
    for (range, at) in ranges {
        if let Some((wider, wider_at)) = ranges
            .iter()
            .find(|(other, _)| other != range && other.covers(*range))
        {
            findings.push(
                Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        format!("{range} is in {wider}"),
                        "allowed already",
                        "no range of `allow-from` is in another",
                        "leave one of them out",
                    ),
                )
                .related(wider_at.clone(), "the wider one"),
            );
        }
        if range.is_public() {
            findings.push(Diagnostic::warning(
                at.clone(),
                Invalid::new(
                    format!("{range} has addresses of the Internet"),
                    "not only your network",
                    "what your router lets in from there reaches the gateway, which only its token \
                     and the pairing of browsers protect",
                    "write the range of your network, such as \"192.168.1.0/24\"",
                ),
            ));
        }
    }
}

fn offline(server: &ServerDraft, findings: Findings) {
    let (Some((netvm, at)), Some((providers, _))) =
        (server.netvm.known(), server.providers.known())
    else {
        return;
    };
    if netvm.0.is_some() || server.mode.value != Some(ModeWord::Tunnel) {
        return;
    }
    match providers.iter().find(|provider| provider.online) {
        Some(provider) => findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                format!("{} without a network", provider.title),
                "no netvm",
                format!("{} answers over the Internet", provider.title),
                "write netvm = \"sys-firewall\", or use only the ollama provider",
            ),
        )),
        None => findings.push(Diagnostic::warning(
            at.clone(),
            Invalid::new(
                "a server without a network",
                "no netvm",
                "OpenClaw, Ollama and models come over the network: such a qube can run them, not \
                 fetch them",
                "apply once with a netvm and fetch the models, then apply with netvm = \"none\"",
            ),
        )),
    }
}

/// Debian 12, and what is made from it, has Go 1.19.
fn old_go(server: &ServerDraft, findings: Findings) {
    let (Some((template, at)), Some((providers, _)), Some(Os::Debian)) = (
        server.template.known(),
        server.providers.known(),
        server.os.value,
    ) else {
        return;
    };
    // Kicksecure and Whonix 17 are Debian 12.
    let newest = if template.as_str().starts_with("debian-") {
        12
    } else {
        17
    };
    let is_old = release_of(template).is_some_and(|release| release <= newest);
    if is_old && Os::of_template(template).is_some() && is_proxied(providers) {
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                format!("the cursor provider in {template}"),
                "its Go is too old",
                "Cursor's proxy is built in the qube with Go 1.22 or newer; Debian 12 has 1.19",
                "write template = \"debian-13-xfce\", or another provider",
            ),
        ));
    }
}

/// The names of other qubes that a server's own settings use.
fn own_names(server: &ServerDraft, findings: Findings) {
    let Some((name, _)) = server.name.known() else {
        return;
    };
    let mut same = |role: &str, other: &QubeName, at: &Place| {
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                format!("{other} as its own {role}"),
                "the server itself",
                format!("a qube is not its own {role}"),
                format!("write another {role}, or another name for the server"),
            ),
        ));
    };
    if let Some((template, at)) = server.template.known()
        && template == name.as_qube()
    {
        same("template", template, at);
    }
    let netvm = server
        .netvm
        .known()
        .and_then(|(netvm, at)| netvm.0.as_ref().map(|netvm| (netvm, at)));
    if let Some((netvm, at)) = netvm {
        if netvm == name.as_qube() {
            same("netvm", netvm, at);
        }
        if let Some((template, template_at)) = server.template.known()
            && template == netvm
        {
            findings.push(
                Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        format!("{netvm} as template and netvm"),
                        "also the template",
                        "a template gives no network",
                        "write netvm = \"sys-firewall\"",
                    ),
                )
                .related(template_at.clone(), "the template"),
            );
        }
    }
    for (client, at) in &server.clients {
        let fixed = [
            ("template", server.template.value.as_ref()),
            ("netvm", netvm.map(|(netvm, _)| netvm)),
        ];
        for (role, other) in fixed {
            if other == Some(client.as_qube()) {
                findings.push(Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        format!("{client} as client and {role}"),
                        format!("also the {role}"),
                        format!("a server's {role} is no client of it"),
                        "leave it out, or write another qube",
                    ),
                ));
            }
        }
    }
}

fn tags(server: &ServerDraft, findings: Findings) {
    let Some((client_tag, client_at)) = server.client_tag.known() else {
        return;
    };
    let of_formula = std::iter::once((client_tag, client_at))
        .chain(server.tags.iter().map(|(tag, at)| (tag, at)))
        .filter(|(tag, _)| tag.as_str() == Server::NO_NETWORK_TAG);
    for (tag, at) in of_formula {
        findings.push(Diagnostic::error(
            at.clone(),
            Invalid::new(
                format!("the tag {tag}, which is the formula's own"),
                "set by the formula",
                format!("{tag} is on the servers without a netvm, and on no other qube"),
                "leave it out, or write another tag",
            ),
        ));
    }
    if client_tag.as_str() == Server::TAG {
        findings.push(Diagnostic::error(
            client_at.clone(),
            Invalid::new(
                "the tag of servers as the tag of clients",
                "every server has it",
                format!("every server carries the tag {}", Server::TAG),
                format!("write client-tag = \"{}\"", Tag::client()),
            ),
        ));
    }
    for (tag, at) in &server.tags {
        if tag == client_tag {
            findings.push(Diagnostic::error(
                at.clone(),
                Invalid::new(
                    format!("the client tag {tag} on the server itself"),
                    "the tag of its clients",
                    "a server is not its own client",
                    "leave it out",
                ),
            ));
        }
    }
}

fn token(server: &ServerDraft, findings: Findings) {
    let Some((_, at)) = server.token.known() else {
        return;
    };
    findings.push(if server.mode.value == Some(ModeWord::Network) {
        Diagnostic::error(
            at.clone(),
            Invalid::new(
                "a fixed token in network mode",
                "known to more than the qube",
                "a fixed token stands in dom0 and in the packages; who knows it rules the agent \
                 from anywhere in the network",
                "leave `token` out: a random one is made inside the qube",
            ),
        )
        .related(server.mode.place.clone(), "network mode")
    } else {
        Diagnostic::warning(
            at.clone(),
            Invalid::new(
                "a fixed token",
                "known to more than the qube",
                "a fixed token stands in dom0, in the packages, and in every qube that Salt \
                 manages",
                "leave `token` out: a random one is made inside the qube",
            ),
        )
    });
}

/// Whoever opens more than a question from a client is told what that is.
fn inter_qube(server: &ServerDraft, findings: Findings) {
    if server.names_clients && server.clients.is_empty() {
        // None of them could be read, which is an error of its own.
        return;
    }
    let clients: Vec<_> = server
        .clients
        .iter()
        .map(|(client, _)| client.as_str())
        .collect();
    let (clients, name) = (clients.join(" and "), server.name.known());
    let name = name.map_or("the server", |(name, _)| name.as_str());
    let without_clients = |at: &Place, problem: &str, fix: &str| {
        Diagnostic::error(
            at.clone(),
            Invalid::new(
                problem,
                "no `clients`",
                "it is for the qubes that are named in `clients`; a tag set by hand is not enough",
                fix,
            ),
        )
    };
    if let Some((InterQube::Allow, at)) = server.inter_qube.known() {
        findings.push(if server.names_clients {
            Diagnostic::warning(
                at.clone(),
                Invalid::new(
                    format!("{clients} may do anything in {name}, and dom0 does not ask"),
                    "no question",
                    "a client then runs any command in the server and copies files to it; whoever \
                     is in the client has the agent's keys and files",
                    "write \"ask\", unless a program in the client needs this",
                ),
            )
        } else {
            without_clients(
                at,
                "`inter-qube = \"allow\"` without clients",
                "add clients = [\"…\"], or write inter-qube = \"ask\"",
            )
        });
    }
    let (label, problem, rule, fix) = match server.inter_qube_to_clients.known() {
        None | Some((InterQube::Off, _)) => return,
        Some((InterQube::Ask, _)) => (
            "a way out of the agent's qube",
            format!("the agent in {name} may ask for a shell in {clients}"),
            "dom0's question does not show what a shell will do, and whoever tricks the agent can \
             ask as well: one click gives away everything in the client",
            "leave it out, unless the client holds nothing that the agent must not have",
        ),
        Some((InterQube::Allow, _)) => (
            "nothing keeps the agent in its qube",
            format!("the agent in {name} may do anything in {clients}, and dom0 does not ask"),
            "the agent, and whoever tricks it, then has the client's files, passwords and network",
            "leave it out, or write \"ask\"",
        ),
    };
    let at = &server.inter_qube_to_clients.place;
    findings.push(if server.names_clients {
        Diagnostic::warning(at.clone(), Invalid::new(problem, label, rule, fix))
    } else {
        without_clients(
            at,
            "`inter-qube-to-clients` without clients",
            "add clients = [\"…\"], or leave it out",
        )
    });
}

fn distinct_names(servers: &[ServerDraft], findings: Findings) {
    clashes(
        servers.iter().filter_map(|server| {
            let (name, at) = server.name.known()?;
            Some((name.clone(), at.clone()))
        }),
        |name| {
            Invalid::new(
                format!("two servers named {name}"),
                "the same name",
                "each server is a qube of its own",
                "write another name",
            )
        },
        findings,
    );
}

fn distinct_addresses(servers: &[ServerDraft], findings: Findings) {
    clashes(
        servers.iter().filter_map(|server| {
            let (address, at) = server.ip.known()?;
            Some((*address, at.clone()))
        }),
        |address| {
            Invalid::new(
                format!("two servers at {address}"),
                "the same address",
                "each qube has an address of its own",
                "write another address",
            )
        },
        findings,
    );
}

fn distinct_dom0_ports(servers: &[ServerDraft], findings: Findings) {
    clashes_between(
        servers
            .iter()
            .filter(|server| server.mode.value == Some(ModeWord::Tunnel))
            .map(ServerDraft::service_ports),
        |port: &Port| {
            Invalid::new(
                format!("two servers on dom0's port {port}"),
                "taken in dom0",
                "each tunnel has a port of its own in dom0, the same as in its qube",
                "write another port for one of the servers, such as \
                 ports = { proxy = 32126, gateway = 18790 }",
            )
        },
        findings,
    );
}

fn distinct_client_ports(servers: &[ServerDraft], findings: Findings) {
    // Two tunnelled servers on one port have clashed in dom0 already.
    let tunnelled = |server: &ServerDraft| server.mode.value == Some(ModeWord::Tunnel);
    let mut taken: HashMap<(&ManagedQube, Port), (&ServerDraft, Place)> = HashMap::new();
    for server in servers {
        let ports = server.client_ports();
        for (client, _) in &server.clients {
            for (port, at) in &ports {
                match taken.entry((client, *port)) {
                    Entry::Vacant(free) => {
                        free.insert((server, at.clone()));
                    }
                    Entry::Occupied(first) => {
                        let (other, first_at) = first.get();
                        if std::ptr::eq(*other, server) || tunnelled(other) && tunnelled(server) {
                            continue;
                        }
                        findings.push(
                            Diagnostic::error(
                                at.clone(),
                                Invalid::new(
                                    format!("two servers on port {port} of their client {client}"),
                                    "taken in the client",
                                    "a client reaches each server on a port of its own, the same \
                                     as in the server",
                                    "write another port for one of the servers",
                                ),
                            )
                            .related(first_at.clone(), "the other server"),
                        );
                    }
                }
            }
        }
    }
}

fn distinct_client_tags(servers: &[ServerDraft], findings: Findings) {
    clashes(
        servers.iter().filter_map(|server| {
            let (tag, at) = server.client_tag.known()?;
            Some((tag.clone(), at.clone()))
        }),
        |tag| {
            Invalid::new(
                format!("two servers with the client tag {tag}"),
                "the same tag",
                "each server has clients of its own; a qube may be a client of several",
                "leave `client-tag` out, and name the clients of each server in `clients`",
            )
        },
        findings,
    );
}

/// A server that carries the tag of another's clients would be one of them.
fn tags_of_other_clients(servers: &[ServerDraft], findings: Findings) {
    for (number, server) in servers.iter().enumerate() {
        for (tag, at) in &server.tags {
            let other = servers.iter().enumerate().find_map(|(other, of)| {
                let (client_tag, client_at) = of.client_tag.known()?;
                (other != number && client_tag == tag).then_some(client_at)
            });
            if let Some(client_at) = other {
                findings.push(
                    Diagnostic::error(
                        at.clone(),
                        Invalid::new(
                            format!("the client tag {tag} on a server"),
                            "the tag of another server's clients",
                            "an agent's qube is given no way into another one",
                            "leave it out",
                        ),
                    )
                    .related(client_at.clone(), "the other server"),
                );
            }
        }
    }
}

fn clients_and_servers(servers: &[ServerDraft], findings: Findings) {
    let names: HashMap<&QubeName, (usize, &Place)> = servers
        .iter()
        .enumerate()
        .filter_map(|(number, server)| {
            let (name, at) = server.name.known()?;
            Some((name.as_qube(), (number, at)))
        })
        .collect();
    for server in servers {
        for (client, at) in &server.clients {
            if let Some((_, name_at)) = names.get(client.as_qube()) {
                findings.push(
                    Diagnostic::error(
                        at.clone(),
                        Invalid::new(
                            format!("{client} is a server, and a client"),
                            "a server",
                            "an agent's qube is given no way into another one",
                            "leave it out of `clients`",
                        ),
                    )
                    .related((*name_at).clone(), "the server"),
                );
            }
        }
    }
    let uses = servers.iter().enumerate().flat_map(|(number, server)| {
        let netvm = server
            .netvm
            .known()
            .and_then(|(netvm, at)| Some((netvm.0.as_ref()?, at, "netvm")));
        let template = server
            .template
            .known()
            .map(|(template, at)| (template, at, "template"));
        [netvm, template]
            .into_iter()
            .flatten()
            .map(move |found| (number, found))
    });
    for (number, (used, at, role)) in uses {
        let other = names.get(used).filter(|(other, _)| *other != number);
        if let Some((_, name_at)) = other {
            findings.push(
                Diagnostic::error(
                    at.clone(),
                    Invalid::new(
                        format!("the server {used} as the {role} of another"),
                        "a server",
                        format!("an agent's qube is no {role}"),
                        format!("write another {role}"),
                    ),
                )
                .related((*name_at).clone(), "the server"),
            );
        }
    }
}

/// A finding at each place whose value was there before.
fn clashes<T: Eq + Hash>(
    items: impl Iterator<Item = Item<T>>,
    what: impl Fn(&T) -> Invalid,
    findings: Findings,
) {
    clashes_between(items.map(|item| [item]), what, findings);
}

/// The same, where only items of different groups can clash.
fn clashes_between<T: Eq + Hash, G: IntoIterator<Item = Item<T>>>(
    groups: impl Iterator<Item = G>,
    what: impl Fn(&T) -> Invalid,
    findings: Findings,
) {
    let mut seen: HashMap<T, (usize, Place)> = HashMap::new();
    for (number, group) in groups.enumerate() {
        for (value, at) in group {
            match seen.entry(value) {
                Entry::Vacant(free) => {
                    free.insert((number, at));
                }
                Entry::Occupied(taken) if taken.get().0 != number => findings.push(
                    Diagnostic::error(at, what(taken.key()))
                        .related(taken.get().1.clone(), "the first one"),
                ),
                Entry::Occupied(_) => {}
            }
        }
    }
}
