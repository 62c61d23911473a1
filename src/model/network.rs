// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ranges of addresses, and from which of them a server takes connections.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Address, Invalid};

/// A range of IPv4 addresses, written `192.168.1.0/24`, or one address. The bits that tell the
/// addresses of a range apart are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: Ipv4Addr,
    prefix: u8,
}

/// The ranges that are not routed on the Internet (RFC 1918, and RFC 6598 for the networks of
/// providers).
const PRIVATE: [Network; 4] = [
    Network::known([10, 0, 0, 0], 8),
    Network::known([100, 64, 0, 0], 10),
    Network::known([172, 16, 0, 0], 12),
    Network::known([192, 168, 0, 0], 16),
];

/// The range that a machine gives itself where nobody gives it an address (RFC 3927).
const LINK_LOCAL: Network = Network::known([169, 254, 0, 0], 16);

/// Where Qubes puts qubes and disposables (`qubes/vm/mix/net.py` in qubes-core-admin).
const QUBES: [Network; 2] = [
    Network::known([10, 137, 0, 0], 16),
    Network::known([10, 138, 0, 0], 16),
];

/// Ranges from which no connection comes: this host's own, and what is no host's.
const NOBODY: [(Network, &str); 3] = [
    (Network::known([127, 0, 0, 0], 8), "loopback addresses"),
    (Network::known([224, 0, 0, 0], 4), "multicast addresses"),
    (Network::known([240, 0, 0, 0], 4), "reserved addresses"),
];

impl Network {
    const fn known(first: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = first;
        Network {
            first: Ipv4Addr::new(a, b, c, d),
            prefix,
        }
    }

    fn mask(prefix: u8) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(prefix))
            .unwrap_or_default()
    }

    /// Whether an address is in the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & Self::mask(self.prefix) == self.first.to_bits()
    }

    /// Whether another range is in this one.
    pub fn covers(self, other: Network) -> bool {
        self.prefix <= other.prefix && self.contains(other.first)
    }

    /// What of it Qubes gives to qubes and disposables. Of two ranges that share addresses, one is
    /// in the other.
    pub fn of_qubes(self) -> Vec<Network> {
        let shared = QUBES.into_iter().filter_map(|range| {
            if self.covers(range) {
                Some(range)
            } else {
                range.covers(self).then_some(self)
            }
        });
        shared.collect()
    }

    /// Whether it has addresses of the Internet.
    pub fn is_public(self) -> bool {
        !PRIVATE
            .iter()
            .chain([&LINK_LOCAL])
            .any(|range| range.covers(self))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            32 => self.first.fmt(f),
            prefix => write!(f, "{}/{prefix}", self.first),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |label: &str, fix: String| {
            Invalid::new(
                format!("\"{}\" is not a range of addresses", text.escape_debug()),
                label,
                "a range is an IPv4 address, `/` and the number of bits that its addresses have in \
                 common, 0 to 32; or one address alone",
                fix,
            )
        };
        const EXAMPLE: &str = "write a range such as \"192.168.1.0/24\"";
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| {
            invalid(
                if text.contains(':') {
                    "not IPv4, where the gateway listens"
                } else {
                    "not an address"
                },
                EXAMPLE.to_owned(),
            )
        })?;
        let prefix = bits
            .parse()
            .ok()
            .filter(|prefix: &u8| *prefix <= 32 && prefix.to_string() == bits)
            .ok_or_else(|| invalid("not 0 to 32 bits", EXAMPLE.to_owned()))?;
        let network = Network {
            first: Ipv4Addr::from_bits(address.to_bits() & Self::mask(prefix)),
            prefix,
        };
        if network.first != address {
            return Err(invalid(
                "an address within a range",
                format!("write \"{network}\", or \"{address}\" for that address alone"),
            ));
        }
        for (range, what) in NOBODY {
            if range.covers(network) {
                return Err(Invalid::new(
                    format!("nothing connects from {network}"),
                    what,
                    "connections come from addresses of hosts",
                    EXAMPLE,
                ));
            }
        }
        Ok(network)
    }
}

/// From where a server in network mode takes connections: ranges of which none is in another, one
/// at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sources(Vec<Network>);

/// Why ranges are no [`Sources`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSources {
    /// There is none.
    Empty,
    /// These are in others: the first, and the rest.
    Covered(Covered, Vec<Covered>),
}

/// A range that is in another one, each by its number in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The one that is in the other.
    pub inner: usize,
    /// The other. Of two that are the same it is the first.
    pub outer: usize,
}

impl Sources {
    /// Ranges that a person named.
    ///
    /// # Errors
    /// If there is none, or some are in others.
    pub fn new(ranges: Vec<Network>) -> Result<Self, NotSources> {
        if ranges.is_empty() {
            return Err(NotSources::Empty);
        }
        let outer = |inner: usize| {
            let covers = |outer: &usize| {
                let (outer, it) = (*outer, ranges[inner]);
                outer != inner && ranges[outer].covers(it) && (ranges[outer] != it || outer < inner)
            };
            (0..ranges.len()).find(covers)
        };
        let mut covered = (0..ranges.len()).filter_map(|inner| {
            let outer = outer(inner)?;
            Some(Covered { inner, outer })
        });
        match covered.next() {
            Some(first) => Err(NotSources::Covered(first, covered.collect())),
            None => Ok(Sources(ranges)),
        }
    }

    /// What is allowed when nothing is said: the private range that the server's own address is
    /// in, in which its local network is, and other qubes. `None` if that address is public: its
    /// network could be any part of the Internet.
    pub fn around(address: Address) -> Option<Self> {
        let own = PRIVATE
            .into_iter()
            .find(|range| range.contains(address.as_ip()))?;
        let qubes = QUBES.into_iter().filter(|range| !own.covers(*range));
        Some(Sources(std::iter::once(own).chain(qubes).collect()))
    }

    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = Network> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "192.168.1.128/25", "10.137.0.23"] {
            assert_eq!(range(text).to_string(), text);
        }
        assert_eq!(range("10.137.0.23/32").to_string(), "10.137.0.23");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/",
            "/24",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0/8",
            "010.0.0.0/8",
            "192.168.1.5/24",
            "fd00::/8",
            "work",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "10.0.0.0/8 ",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_range_ends_where_it_ends() {
        let half = range("192.168.1.128/25");
        for (address, is_in) in [
            ([192, 168, 1, 127], false),
            ([192, 168, 1, 128], true),
            ([192, 168, 1, 255], true),
            ([192, 168, 2, 0], false),
        ] {
            assert_eq!(half.contains(Ipv4Addr::from(address)), is_in);
        }
        assert!(range("0.0.0.0/0").covers(half) && !half.covers(range("0.0.0.0/0")));
        assert!(half.covers(range("192.168.1.200")) && half.covers(half));
    }

    #[test]
    fn the_internet_is_known() {
        for text in [
            "0.0.0.0/0",
            "8.8.8.8",
            "10.0.0.0/7",
            "172.32.0.0/16",
            "128.0.0.0/1",
        ] {
            assert!(range(text).is_public(), "{text}");
        }
        for text in [
            "10.0.0.0/8",
            "172.31.0.0/16",
            "169.254.3.0/24",
            "100.127.0.0/16",
        ] {
            assert!(!range(text).is_public(), "{text}");
        }
    }

    #[test]
    fn addresses_of_qubes_are_known() {
        for (text, qubes) in [
            ("192.168.1.0/24", ""),
            ("10.136.0.0/16", ""),
            ("10.137.0.0/16", "10.137.0.0/16"),
            ("10.138.7.0/24", "10.138.7.0/24"),
            ("10.137.0.23", "10.137.0.23"),
            ("10.0.0.0/8", "10.137.0.0/16 10.138.0.0/16"),
            ("0.0.0.0/0", "10.137.0.0/16 10.138.0.0/16"),
        ] {
            let found: Vec<_> = range(text)
                .of_qubes()
                .iter()
                .map(Network::to_string)
                .collect();
            assert_eq!(found.join(" "), qubes, "{text}");
        }
    }

    #[test]
    fn by_default_it_is_the_local_network_and_qubes() {
        let around = |address: &str| {
            Sources::around(address.parse().unwrap()).map(|sources| {
                let ranges: Vec<_> = sources.iter().map(|range| range.to_string()).collect();
                ranges.join(" ")
            })
        };
        assert_eq!(
            around("192.168.1.100").unwrap(),
            "192.168.0.0/16 10.137.0.0/16 10.138.0.0/16"
        );
        assert_eq!(around("10.137.0.100").unwrap(), "10.0.0.0/8");
        assert_eq!(around("203.0.113.7"), None);
    }

    #[test]
    fn sources_are_apart() {
        let sources = |texts: &[&str]| Sources::new(texts.iter().map(|text| range(text)).collect());
        let covered = |pairs: &[(usize, usize)]| {
            let mut pairs = pairs.iter().map(|&(inner, outer)| Covered { inner, outer });
            let first = pairs.next().unwrap();
            Err(NotSources::Covered(first, pairs.collect()))
        };
        assert!(sources(&["192.168.1.0/24", "10.137.0.23"]).is_ok());
        assert_eq!(sources(&[]), Err(NotSources::Empty));
        assert_eq!(sources(&["10.0.0.0/8", "10.0.0.0/8"]), covered(&[(1, 0)]));
        assert_eq!(
            sources(&["10.137.0.23", "10.137.0.0/16", "10.0.0.0/8"]),
            covered(&[(0, 1), (1, 2)])
        );
    }
}
