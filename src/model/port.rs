// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use serde::Serialize;

use super::Invalid;

/// A TCP port that an ordinary user may listen on: 1024 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(u16);

impl Port {
    /// The lowest: below are those of the system.
    pub const LEAST: u16 = 1024;
    /// The highest.
    pub const MOST: u16 = u16::MAX;
    /// The port of the updates proxy that Qubes keeps on loopback in qubes and templates.
    pub const UPDATES_PROXY: Port = Port(8082);

    /// Checks a number.
    pub fn new(value: i64) -> Result<Self, Invalid> {
        u16::try_from(value)
            .ok()
            .filter(|port| *port >= Self::LEAST)
            .map(Port)
            .ok_or_else(|| {
                Invalid::new(
                    format!("{value} is not a port for a user's service"),
                    "out of range",
                    "OpenClaw runs as an ordinary user, who may listen on ports 1024 to 65535",
                    "write a port such as 18789",
                )
            })
    }

    /// The number.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a server's services listen, in the qube and, in tunnel mode, in dom0 alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// The cursor proxy.
    pub proxy: Port,
    /// The gateway and its dashboard.
    pub gateway: Port,
}

impl Default for Ports {
    fn default() -> Self {
        Ports {
            proxy: Port(32125),
            gateway: Port(18789),
        }
    }
}
