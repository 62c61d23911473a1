// SPDX-License-Identifier: MIT OR Apache-2.0

//! The services of the policy's rules, as its templates see them.

use serde::Serialize;

use super::view::DeploymentView;
use crate::model::Server;
use crate::services::{From, Into, Kind, SERVICES, Service};

/// How wide the first column of a policy file is.
const WIDTH: usize = 28;

/// Services that are denied together.
#[derive(Debug, Serialize)]
struct Group {
    title: &'static str,
    services: Vec<String>,
}

/// The services, each filled up to the width of its column.
#[derive(Debug, Serialize)]
pub(super) struct PolicyView {
    connecting: String,
    denied_from: Vec<Group>,
    denied_offline: Vec<String>,
    denied_in_disposables: Vec<String>,
    denied_into: Vec<String>,
    in_dom0: Vec<String>,
    /// Whether a server has no netvm.
    offline: bool,
    /// Whether a server has one.
    online: bool,
    no_network_tag: &'static str,
}

impl PolicyView {
    pub fn new(all: &DeploymentView) -> Self {
        let kind = |service: &Service| match service.from {
            From::Denied(kind) => Some(kind),
            _ => None,
        };
        let mut kinds: Vec<Kind> = SERVICES.iter().filter_map(kind).collect();
        kinds.dedup();
        PolicyView {
            connecting: column("qubes.ConnectTCP"),
            denied_from: kinds
                .into_iter()
                .map(|group| Group {
                    title: group.title(),
                    services: those(|service| kind(service) == Some(group)),
                })
                .collect(),
            denied_offline: those(|service| {
                matches!(
                    service.from,
                    From::DeniedOffline | From::DeniedInDisposables
                )
            }),
            denied_in_disposables: those(|service| service.from == From::DeniedInDisposables),
            denied_into: those(|service| matches!(service.into, Into::Ports | Into::Denied)),
            in_dom0: those(|service| service.from == From::InDom0),
            offline: all.servers.iter().any(|server| server.netvm.is_none()),
            online: all.servers.iter().any(|server| server.netvm.is_some()),
            no_network_tag: Server::NO_NETWORK_TAG,
        }
    }
}

fn those(which: impl Fn(&Service) -> bool) -> Vec<String> {
    let chosen = SERVICES.iter().filter(|service| which(service));
    chosen.map(|service| column(service.name)).collect()
}

fn column(name: &str) -> String {
    format!("{name:<WIDTH$}")
}
