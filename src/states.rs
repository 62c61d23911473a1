// SPDX-License-Identifier: MIT OR Apache-2.0

//! The parts of the formula, each a state file with a top of its own, and the names that they take.

/// A part of the formula.
#[derive(Debug)]
pub struct Part {
    /// Its name, which is that of its file, `NAME.sls`, and of its top; the ids of its states begin
    /// with `openclaw-NAME`.
    pub name: &'static str,
    /// Where it applies.
    pub hosts: Hosts,
}

/// Where a part applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// In dom0.
    Dom0,
    /// In each server, which has its own file of the part.
    Servers(&'static str),
    /// In each client, which has its own file of the part.
    Clients(&'static str),
    /// In dom0 and all qubes, of which each has its own file of the part.
    Everyone(&'static str),
}

const fn part(name: &'static str, hosts: Hosts) -> Part {
    Part { name, hosts }
}

/// The parts, in the order in which they are applied, and what undoes them.
pub const PARTS: [Part; 8] = [
    part("create", Hosts::Dom0),
    part("policy", Hosts::Dom0),
    part("tunnel", Hosts::Dom0),
    part("network", Hosts::Dom0),
    part("install", Hosts::Servers("the programs, in each server.")),
    part(
        "configure",
        Hosts::Servers("the configuration and the services, in each server."),
    ),
    part(
        "client",
        Hosts::Clients("the ports that lead to the servers, in each client."),
    ),
    part("clean", Hosts::Everyone("undoes the rest, on each host.")),
];

/// The part that includes the others on the hosts that they are for.
pub const WHOLE: &str = "init";

/// The folder of the files that are the same in every server, beside the folders of the hosts.
pub const FILES: &str = "files";

/// Whether a name could be the id of a state of the formula.
pub fn is_id(name: &str) -> bool {
    let parts = PARTS.iter().map(|part| part.name).chain([WHOLE]);
    name.strip_prefix("openclaw-").is_some_and(|rest| {
        parts
            .filter_map(|part| rest.strip_prefix(part))
            .any(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}
