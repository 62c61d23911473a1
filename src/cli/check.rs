// SPDX-License-Identifier: MIT OR Apache-2.0

//! `check`: checks a configuration, and writes nothing.

use super::args::Input;
use super::{Failure, input, print_status};
use crate::model::Server;

pub(super) fn run(args: &Input) -> Result<(), Failure> {
    let deployment = input::read(args)?;
    for server in &deployment.servers {
        print_status(&summary(server));
    }
    Ok(())
}

/// A server in one line.
pub(super) fn summary(server: &Server) -> String {
    let ports: Vec<_> = server
        .service_ports()
        .iter()
        .map(ToString::to_string)
        .collect();
    format!(
        "{}: {} from {}, {} mode, {}, {} {}",
        server.name,
        server.class.qubes_name(),
        server.template,
        server.mode.name().word(),
        server.providers,
        if ports.len() == 1 { "port" } else { "ports" },
        ports.join(" and "),
    )
}
