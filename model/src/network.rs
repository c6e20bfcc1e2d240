//! Networks: addresses that have their leading bits in common.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address and how many of its leading bits count: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// The network around an address that is usually one holder's: its /24, or the /48 of an IPv6 address.
    #[must_use]
    pub fn around(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self { address: IpAddr::V4((v4.to_bits() & !0xff).into()), bits: 24 },
            IpAddr::V6(v6) => Self { address: IpAddr::V6((v6.to_bits() >> 80 << 80).into()), bits: 48 },
        }
    }

    /// Whether the address is of this network. An IPv4-mapped IPv6 address is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= self.bits,
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let wrong = || BadNetwork(text.chars().take(60).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most {
            return Err(wrong());
        }
        // A network of IPv4-mapped IPv6 addresses is one of IPv4 addresses, for addresses are looked up in that form. A shorter prefix
        // holds none of them, so it is a mistake.
        Ok(match address.to_canonical() {
            IpAddr::V4(_) if address.is_ipv6() && bits < 96 => return Err(wrong()),
            canonical @ IpAddr::V4(_) if address.is_ipv6() => Self { address: canonical, bits: bits - 96 },
            _ => Self { address, bits },
        })
    }
}

/// Not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; write it like 10.0.0.0/8, fd00::/8 or 192.0.2.1")]
pub struct BadNetwork(String);

/// A set of networks, as settings name them: separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// The first of the networks that the address is of.
    #[must_use]
    pub fn find(&self, ip: IpAddr) -> Option<&Network> {
        self.0.iter().find(|network| network.contains(ip))
    }

    /// Whether the address is of one of the networks.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.find(ip).is_some()
    }
}

impl fmt::Display for Networks {
    /// The networks as [`FromStr`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Networks {
    type Err = BadNetwork;

    /// Networks separated by commas; none in an empty text.
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, ip: &str) -> bool {
        text.parse::<Networks>().unwrap().contains(ip.parse().unwrap())
    }

    #[test]
    fn the_network_around_an_address_has_its_first_bits() {
        let around = |ip: &str| Network::around(ip.parse().unwrap()).to_string();
        assert_eq!(around("8.8.8.8"), "8.8.8.0/24");
        assert_eq!(around("::ffff:8.8.8.8"), "8.8.8.0/24");
        assert_eq!(around("2001:db8:1:2::7"), "2001:db8:1::/48");
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        for (networks, within, without) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("10.0.0.0/8, fd00::/8", "fdff::1", "fe00::1"),
            ("2001:db8::/64", "2001:db8::ffff", "2001:db8:0:1::1"),
            ("127.0.0.1", "::ffff:127.0.0.1", "::1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::ffff:192.0.2.0/120", "192.0.2.7", "192.0.3.7"),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.7", "192.0.2.6"),
            ("::ffff:0:0/96", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            assert!(holds(networks, within) && !holds(networks, without), "{networks}");
        }
        assert!(!holds("", "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "10.0.0.0/33",
            "::ffff:192.0.2.0/24",
            "proxy.example",
            "10.0.0.0/x",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.0/8 fd00::/8",
        ] {
            assert!(text.parse::<Networks>().unwrap_err().to_string().contains("like 10.0.0.0/8"), "{text}");
        }
    }
}
