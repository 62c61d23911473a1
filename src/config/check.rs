// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the settings of one server mean together. Each check is one function, and looks only at settings that
//! could be read.

use super::decode::Field;
use super::draft::{Made, ServerDraft, is_proxied};
use super::extra;
use super::findings::{Findings, Reported};
use crate::diagnostic::{Diagnostic, Place};
use crate::model::{
    Address, Covered, ExposeProxy, InterQube, Invalid, Memory, Mode, ModeName, ModelRef,
    NotSources, Os, Port, ProviderSet, QubeName, Server, Sources, Tag, release_of,
};
use crate::openclaw::Basis;

/// Qubes that stand between a server and the network, by the names that Qubes gives them. The
/// network server needs a qube that holds the network device itself.
const NOT_NETVMS: [&str; 3] = ["sys-firewall", "sys-whonix", "sys-vpn"];

/// Runs every check of one server, and makes what follows from several of its settings.
pub(super) fn check(server: &ServerDraft, findings: &mut Findings) -> Made {
    let os = os(server, findings);
    let memory = memory(server, findings);
    let model = model(server, findings);
    ports(server, findings);
    let mode = mode(server, findings);
    expose_proxy(server, findings);
    offline(server, findings);
    old_go(server, os, findings);
    own_names(server, findings);
    tags(server, findings);
    token(server, findings);
    inter_qube(server, findings);
    // Where one of these is in error, what the formula would set is not known.
    let ports = server.ports();
    let basis = match (&mode, &ports, &server.providers.value, &model) {
        (Ok(mode), Ok(ports), Ok(providers), Ok(model)) => Some(Basis {
            mode,
            ports,
            providers,
            model,
        }),
        _ => None,
    };
    let extra = extra::check(server, basis.as_ref(), findings);
    Made {
        os,
        memory,
        mode,
        model,
        extra,
    }
}

fn os(server: &ServerDraft, findings: &mut Findings) -> Result<Os, Reported> {
    let written = server.os.value?;
    let place = &server.template.place;
    let template = server
        .template
        .value
        .as_ref()
        .map_err(|reported| *reported)?;
    match (Os::of_template(template), written) {
        (Some(of_name), Some(other)) if of_name != other => {
            let name = of_name.word();
            let what = Invalid::new(
                format!("{template} is not a {} template", other.word()),
                "does not fit the template",
                "`os` is for templates whose name does not tell the distribution",
                format!("write os = \"{name}\", or leave it out"),
            );
            Err(findings.error_beside(&server.os.place, what, [(place, "this template")]))
        }
        (Some(os), _) | (None, Some(os)) => Ok(os),
        (None, None) => {
            let what = Invalid::new(
                format!("cannot tell which distribution {template} is"),
                "debian or fedora?",
                "names of packages depend on the distribution, which is read off names that begin \
                 with debian-, kicksecure-, whonix- or fedora-",
                "add os = \"debian\" or os = \"fedora\"",
            );
            Err(findings.error(place, what))
        }
    }
}

fn memory(server: &ServerDraft, findings: &mut Findings) -> Result<Memory, Reported> {
    let (initial, max) = (server.memory.value?, server.max_memory.value?);
    let (at, max_at) = (&server.memory.place, &server.max_memory.place);
    let memory = Memory::new(initial, max).map_err(|what| {
        if server.memory.given {
            findings.error_beside(at, what, [(max_at, "the maximum")])
        } else {
            findings.error(max_at, what)
        }
    });
    let needy = server
        .providers
        .value
        .iter()
        .flat_map(|providers| providers.iter())
        .find(|provider| provider.memory.max() > max.mib());
    if let Some(provider) = needy {
        findings.push(Diagnostic::warning(
            max_at.clone(),
            Invalid::new(
                format!("{} MiB is little for {}", max.mib(), provider.title),
                "small models only",
                format!("with {}: {}", provider.title, provider.requires),
                format!("write max-memory = {} or more", provider.memory.max()),
            ),
        ));
    }
    memory
}

fn model(server: &ServerDraft, findings: &mut Findings) -> Result<ModelRef, Reported> {
    let text = server.model.value.as_ref().map_err(|reported| *reported)?;
    let providers = server.providers.value.as_ref();
    let providers = providers.map_err(|reported| *reported)?;
    let at = &server.model.place;
    let Some(text) = text else {
        return Ok(ModelRef::default_of(providers.primary()));
    };
    let model = ModelRef::parse(&text.0, providers).map_err(|what| findings.error(at, what))?;
    if let Some(what) = model.doubt() {
        findings.push(Diagnostic::warning(at.clone(), what));
    }
    Ok(model)
}

fn ports(server: &ServerDraft, findings: &mut Findings) {
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
    let providers = server.providers.value.iter().flat_map(ProviderSet::iter);
    let holders: Vec<_> = providers
        .filter_map(|provider| Some((provider.port?, provider.get().title.as_str())))
        .chain([(Port::UPDATES_PROXY, "Qubes' updates proxy")])
        .collect();
    for (port, at) in &ports {
        let Some((_, holder)) = holders.iter().find(|(used, _)| used == port) else {
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

/// How the server is reached, and what has no meaning in the other mode.
fn mode(server: &ServerDraft, findings: &mut Findings) -> Result<Mode, Reported> {
    match server.mode.value? {
        ModeName::Tunnel => tunnel_mode(server, findings),
        ModeName::Network => network_mode(server, findings),
    }
}

fn network_mode(server: &ServerDraft, findings: &mut Findings) -> Result<Mode, Reported> {
    let mode_at = &server.mode.place;
    if let Some((true, at)) = server.start_on_connect.known() {
        let what = Invalid::new(
            "`start-on-connect` without tunnel mode",
            "has no meaning here",
            "it is a setting of dom0's tunnels, which network mode has not",
            "leave it out, or write mode = \"tunnel\"",
        );
        findings.error(at, what);
    }
    let address = server.ip.value.and_then(|address| {
        address.ok_or_else(|| {
            let what = Invalid::new(
                "network mode without an address",
                "needs `ip`",
                "in network mode the gateway listens on the qube's own fixed address",
                "add ip = \"…\", an address of your network that is free",
            );
            findings.error(mode_at, what)
        })
    });
    let allow_from = sources(server, address, findings);
    if let Some((netvm, at)) = server.netvm.known() {
        let problem = match &netvm.0 {
            None => Some("network mode without a netvm".to_owned()),
            Some(name) if NOT_NETVMS.contains(&name.as_str()) => {
                Some(format!("network mode behind {name}"))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            let what = Invalid::new(
                problem,
                "not a qube with a network device",
                "qubes-network-server works only for a qube that hangs directly off the qube with \
                 the network device",
                "write netvm = \"sys-net\", or mode = \"tunnel\"",
            );
            findings.error_beside(at, what, [(mode_at, "network mode")]);
        }
    }
    Ok(Mode::Network {
        address: address?,
        allow_from: allow_from?,
        tls: server.tls.value?,
    })
}

/// Who opens the proxy's port is told what that is.
fn expose_proxy(server: &ServerDraft, findings: &mut Findings) {
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
        (ExposeProxy::Network, Ok(ModeName::Tunnel)) => {
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

fn tunnel_mode(server: &ServerDraft, findings: &mut Findings) -> Result<Mode, Reported> {
    let on = |field: &Field<bool>| field.given && field.value == Ok(true);
    for (key, given, at) in [
        ("tls", on(&server.tls), &server.tls.place),
        (
            "allow-from",
            server.allow_from.given,
            &server.allow_from.place,
        ),
    ] {
        if given {
            let what = Invalid::new(
                format!("`{key}` without network mode"),
                "has no meaning here",
                "in tunnel mode nothing is reachable from the network",
                "leave it out, or write mode = \"network\"",
            );
            findings.error(at, what);
        }
    }
    Ok(Mode::Tunnel {
        address: server.ip.value?,
        start_on_connect: server.start_on_connect.value?,
    })
}

/// Who on the network may reach the server.
fn sources(
    server: &ServerDraft,
    address: Result<Address, Reported>,
    findings: &mut Findings,
) -> Result<Sources, Reported> {
    let place = &server.allow_from.place;
    let list = server.allow_from.value.as_ref();
    let Some(list) = list.map_err(|reported| *reported)? else {
        let address = address?;
        return Sources::around(address).ok_or_else(|| {
            let what = Invalid::new(
                format!("the public address {address}, and nothing said of who may reach it"),
                "an address of the Internet",
                "by default the private range around `ip` may reach the server; a public address \
                 has none",
                "add allow-from = [\"…\"] with the range of your network, or write a private address",
            );
            findings.error(&server.ip.place, what)
        });
    };
    let ranges = list.whole()?;
    for (range, at) in ranges {
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
    let sources = Sources::new(ranges.iter().map(|(range, _)| *range).collect());
    sources.map_err(|what| match what {
        NotSources::Empty => {
            let what = Invalid::new(
                "a server that nobody on the network may reach",
                "empty",
                "in network mode somebody on the network may reach the server",
                "write allow-from = [\"192.168.1.0/24\"] with your network, leave it out, or write \
                 mode = \"tunnel\"",
            );
            findings.error(place, what)
        }
        NotSources::Covered(first, others) => {
            let mut report = |Covered { inner, outer }: Covered| {
                let ((range, at), (wider, wider_at)) = (&ranges[inner], &ranges[outer]);
                let what = Invalid::new(
                    format!("{range} is in {wider}"),
                    "allowed already",
                    "no range of `allow-from` is in another",
                    "leave one of them out",
                );
                findings.error_beside(at, what, [(wider_at, "the wider one")])
            };
            others
                .into_iter()
                .fold(report(first), |_, other| report(other))
        }
    })
}

fn offline(server: &ServerDraft, findings: &mut Findings) {
    let (Some((netvm, at)), Some((providers, _))) =
        (server.netvm.known(), server.providers.known())
    else {
        return;
    };
    if netvm.0.is_some() || !server.is_in(ModeName::Tunnel) {
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
fn old_go(server: &ServerDraft, os: Result<Os, Reported>, findings: &mut Findings) {
    let (Some((template, at)), Some((providers, _)), Ok(Os::Debian)) =
        (server.template.known(), server.providers.known(), os)
    else {
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
fn own_names(server: &ServerDraft, findings: &mut Findings) {
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
    for (client, at) in server.clients() {
        let fixed = [
            ("template", server.template.value.as_ref().ok()),
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

fn tags(server: &ServerDraft, findings: &mut Findings) {
    let Some((client_tag, client_at)) = server.client_tag.known() else {
        return;
    };
    let of_formula = std::iter::once((client_tag, client_at))
        .chain(server.tags().iter().map(|(tag, at)| (tag, at)))
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
    for (tag, at) in server.tags() {
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

fn token(server: &ServerDraft, findings: &mut Findings) {
    let Some((_, at)) = server.token.written() else {
        return;
    };
    findings.push(if server.is_in(ModeName::Network) {
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
fn inter_qube(server: &ServerDraft, findings: &mut Findings) {
    if server.names_clients() && server.clients().is_empty() {
        // None of them could be read, which is an error of its own.
        return;
    }
    let clients: Vec<_> = server
        .clients()
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
        findings.push(if server.names_clients() {
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
    findings.push(if server.names_clients() {
        Diagnostic::warning(at.clone(), Invalid::new(problem, label, rule, fix))
    } else {
        without_clients(
            at,
            "`inter-qube-to-clients` without clients",
            "add clients = [\"…\"], or leave it out",
        )
    });
}
