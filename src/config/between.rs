// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the settings of several servers mean together. Each check is one function, and looks only
//! at settings that could be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::draft::ServerDraft;
use super::findings::Findings;
use super::setting::Item;
use crate::diagnostic::{Diagnostic, Place};
use crate::model::{Invalid, ManagedQube, ModeName, Port, QubeName};

/// Runs every check.
pub(super) fn check(servers: &[ServerDraft], findings: &mut Findings) {
    distinct_names(servers, findings);
    distinct_addresses(servers, findings);
    distinct_dom0_ports(servers, findings);
    distinct_client_ports(servers, findings);
    distinct_client_tags(servers, findings);
    tags_of_other_clients(servers, findings);
    clients_and_servers(servers, findings);
}

fn distinct_names(servers: &[ServerDraft], findings: &mut Findings) {
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

fn distinct_addresses(servers: &[ServerDraft], findings: &mut Findings) {
    clashes(
        servers.iter().filter_map(|server| {
            let (address, at) = server.ip.written()?;
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

fn distinct_dom0_ports(servers: &[ServerDraft], findings: &mut Findings) {
    clashes_between(
        servers
            .iter()
            .filter(|server| server.is_in(ModeName::Tunnel))
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

fn distinct_client_ports(servers: &[ServerDraft], findings: &mut Findings) {
    // Two tunnelled servers on one port have clashed in dom0 already.
    let tunnelled = |server: &ServerDraft| server.is_in(ModeName::Tunnel);
    let mut holders: HashMap<(&ManagedQube, Port), (&ServerDraft, Place)> = HashMap::new();
    for server in servers {
        let ports = server.client_ports();
        for (client, _) in server.clients() {
            for (port, at) in &ports {
                match holders.entry((client, *port)) {
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

fn distinct_client_tags(servers: &[ServerDraft], findings: &mut Findings) {
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
fn tags_of_other_clients(servers: &[ServerDraft], findings: &mut Findings) {
    for (number, server) in servers.iter().enumerate() {
        for (tag, at) in server.tags() {
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

fn clients_and_servers(servers: &[ServerDraft], findings: &mut Findings) {
    let names: HashMap<&QubeName, (usize, &Place)> = servers
        .iter()
        .enumerate()
        .filter_map(|(number, server)| {
            let (name, at) = server.name.known()?;
            Some((name.as_qube(), (number, at)))
        })
        .collect();
    for server in servers {
        for (client, at) in server.clients() {
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
    findings: &mut Findings,
) {
    clashes_between(items.map(|item| [item]), what, findings);
}

/// The same, where only items of different groups can clash.
fn clashes_between<T: Eq + Hash, G: IntoIterator<Item = Item<T>>>(
    groups: impl Iterator<Item = G>,
    what: impl Fn(&T) -> Invalid,
    findings: &mut Findings,
) {
    let mut seen: HashMap<T, (usize, Place)> = HashMap::new();
    for (number, group) in groups.enumerate() {
        for (value, at) in group {
            match seen.entry(value) {
                Entry::Vacant(free) => {
                    free.insert((number, at));
                }
                Entry::Occupied(first) if first.get().0 != number => findings.push(
                    Diagnostic::error(at, what(first.key()))
                        .related(first.get().1.clone(), "the first one"),
                ),
                Entry::Occupied(_) => {}
            }
        }
    }
}
