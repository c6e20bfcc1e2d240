//! The addresses that are never listed, whatever was reported.

use std::net::IpAddr;
use std::sync::LazyLock;

use super::well_known::WELL_KNOWN;
use crate::{Network, Networks};

/// The reason why an address is never listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    /// The operator's allow-list names its network.
    Allowed,
    /// It is of a network that is not on the public Internet. The word is its use: `private`, `documentation`.
    Reserved(&'static str),
    /// It is a well-known resolver, root name server or time server. The word is its name: `Quad9`.
    WellKnown(&'static str),
}

impl Never {
    /// Returns the reason, for visitors. It does not show the networks that the operator named.
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Allowed => "the operator of this site lets its network never be listed".to_owned(),
            Self::Reserved(what) => format!("its network is no part of the public Internet ({what})"),
            Self::WellKnown(what) => {
                format!(
                    "it is a well-known service ({what}), and others forge its address in packets that look like scans"
                )
            }
        }
    }
}

/// The operator's rules for the list.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Networks that are never listed.
    pub allow: Networks,
    /// Whether addresses that are nobody's may be listed (documentation, benchmarking, class E): for simulated reports.
    pub nobodys: bool,
    /// Whether well-known resolvers, root name servers and time servers may be listed: see [`Never::WellKnown`].
    pub well_known: bool,
}

/// Networks that are in use, but not on the public Internet: RFC 6890 and the registries that it founded.
const LOCAL: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("2001::/23", "protocol assignments"),
    ("2002::/16", "6to4"),
];

/// Networks in which nobody is.
const NOBODYS: &[(&str, &str)] = &[
    ("192.0.2.0/24", "documentation"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("240.0.0.0/4", "reserved"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
];

/// The range of public IPv6 addresses; all others are local, multicast or not assigned.
const PUBLIC_V6: &str = "2000::/3";

struct Reserved {
    local: Vec<(Network, &'static str)>,
    nobodys: Vec<(Network, &'static str)>,
    public_v6: Option<Network>,
    well_known: Vec<(Network, &'static str)>,
}

static RESERVED: LazyLock<Reserved> = LazyLock::new(|| {
    let read = |list: &[(&str, &'static str)]| {
        list.iter().filter_map(|(network, what)| Some((network.parse().ok()?, *what))).collect()
    };
    let well_known: Vec<_> =
        WELL_KNOWN.iter().flat_map(|(what, networks)| networks.iter().map(|network| (*network, *what))).collect();
    Reserved {
        local: read(LOCAL),
        nobodys: read(NOBODYS),
        public_v6: PUBLIC_V6.parse().ok(),
        well_known: read(&well_known),
    }
});

impl Rules {
    /// Returns the reason why the address is never listed; `None` if it may be.
    #[must_use]
    pub fn never(&self, ip: IpAddr) -> Option<Never> {
        let ip = ip.to_canonical();
        if self.allow.contains(ip) {
            return Some(Never::Allowed);
        }
        let find = |list: &[(Network, &'static str)]| list.iter().find(|(n, _)| n.contains(ip)).map(|(_, what)| *what);
        let unassigned = ip.is_ipv6() && RESERVED.public_v6.is_some_and(|public| !public.contains(ip));
        if let Some(what) = find(&RESERVED.local).or(unassigned.then_some("not assigned, or local")) {
            return Some(Never::Reserved(what));
        }
        let nobodys = || find(&RESERVED.nobodys).filter(|_| !self.nobodys).map(Never::Reserved);
        let well_known = || find(&RESERVED.well_known).filter(|_| !self.well_known).map(Never::WellKnown);
        nobodys().or_else(well_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(rules: &Rules, ip: &str) -> Option<Never> {
        rules.never(ip.parse().unwrap())
    }

    #[test]
    fn every_network_in_the_tables_can_be_read() {
        assert_eq!((RESERVED.local.len(), RESERVED.nobodys.len()), (LOCAL.len(), NOBODYS.len()));
        assert!(RESERVED.public_v6.is_some());
        let well_known: usize = WELL_KNOWN.iter().map(|(_, networks)| networks.len()).sum();
        assert_eq!(RESERVED.well_known.len(), well_known);
        // A range that is too wide would hide attackers.
        for (_, networks) in WELL_KNOWN {
            for network in *networks {
                let bits: u32 = network.split_once('/').map_or(128, |(_, bits)| bits.parse().unwrap());
                assert!(bits >= if network.contains(':') { 64 } else { 16 }, "{network}");
            }
        }
    }

    #[test]
    fn what_is_not_on_the_public_internet_is_never_listed() {
        let rules = Rules::default();
        for ip in [
            "0.1.2.3",
            "10.1.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::1",
            "100::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(matches!(never(&rules, ip), Some(Never::Reserved(_))), "{ip}");
        }
        for ip in [
            "1.1.1.7",
            "9.9.9.8",
            "100.63.255.255",
            "172.32.0.1",
            "223.255.255.255",
            "2a00::1",
            "2400:cb00::1",
            "::ffff:1.1.1.7",
        ] {
            assert_eq!(never(&rules, ip), None, "{ip}");
        }
    }

    #[test]
    fn well_known_services_are_listed_only_where_they_may_be() {
        for ip in [
            "8.8.8.8",
            "1.1.1.1",
            "9.9.9.9",
            "2001:4860:4860::8888",
            "2620:fe::fe",
            "::ffff:8.8.8.8",
            "198.41.0.4",
            "2001:7fd::1",
            "162.159.200.123",
            "132.163.96.1",
        ] {
            let why = never(&Rules::default(), ip);
            assert!(matches!(why, Some(Never::WellKnown(_))), "{ip}: {why:?}");
            assert_eq!(never(&Rules { well_known: true, ..Rules::default() }, ip), None, "{ip}");
        }
        let Some(why) = never(&Rules::default(), "9.9.9.9") else { panic!("Quad9 is well known") };
        assert!(why.reason().contains("Quad9"), "{}", why.reason());
    }

    #[test]
    fn the_allow_list_counts_first_and_simulated_addresses_only_where_they_may() {
        let rules = Rules { allow: "1.1.1.0/24, 2a00::/16".parse().unwrap(), nobodys: true, well_known: false };
        for ip in ["1.1.1.7", "2a00::7", "::ffff:1.1.1.7"] {
            assert_eq!(never(&rules, ip), Some(Never::Allowed), "{ip}");
        }
        for ip in ["240.0.0.1", "198.18.0.1", "2001:db8::7", "1.1.2.7"] {
            assert_eq!(never(&rules, ip), None, "{ip}");
        }
        for ip in ["10.0.0.1", "127.0.0.1", "255.255.255.255", "fe80::1"] {
            assert!(matches!(never(&rules, ip), Some(Never::Reserved(_))), "{ip}");
        }
    }
}
