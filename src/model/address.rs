// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::Serialize;

use super::Invalid;

/// The fixed address of a qube: IPv4, of a single host, and not one that Qubes or the Internet
/// Protocol gives another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Address(Ipv4Addr);

impl Address {
    /// The same as any address.
    pub fn as_ip(self) -> Ipv4Addr {
        self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const FIX: &str = "write an address such as \"10.137.0.100\"";
        let address: Ipv4Addr = text.parse().map_err(|_| {
            Invalid::new(
                format!("\"{}\" is not an IPv4 address", text.escape_debug()),
                if text.contains('/') {
                    "one address, not a network"
                } else if text.contains(':') {
                    "not IPv4"
                } else {
                    "not an address"
                },
                "an address is four numbers from 0 to 255 separated by dots, without leading \
                 zeros",
                FIX,
            )
        })?;
        // Qubes' networking documentation.
        let dns = [Ipv4Addr::new(10, 139, 1, 1), Ipv4Addr::new(10, 139, 1, 2)];
        let label = if address.octets()[0] == 0 || address.octets()[0] >= 240 {
            "a reserved address"
        } else if address.is_loopback() {
            "a loopback address"
        } else if address.is_multicast() {
            "a multicast address"
        } else if address.is_link_local() {
            "a link-local address"
        } else if dns.contains(&address) {
            "Qubes' address for DNS"
        } else {
            return Ok(Address(address));
        };
        Err(Invalid::new(
            format!("{address} cannot be a qube's address"),
            label,
            "a qube has a unicast address of its own; 10.139.1.1 and 10.139.1.2 are where every qube \
             asks for names",
            FIX,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_qube_can_have() {
        for text in ["10.137.0.100", "192.168.1.50", "1.2.3.4", "223.255.255.255"] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
        for text in [
            "",
            "10.137.0.100/24",
            "::1",
            "010.1.1.1",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "10.139.1.1",
            "10.139.1.2",
            "1.2.3",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
