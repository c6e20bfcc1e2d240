//! How much a single client may have computed, and who is a client.

use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;

/// Settings of the limit on computations. What is precached is never limited; each web process counts by itself.
#[derive(Clone, Debug, Args)]
pub struct LimitSettings {
    /// How many values that are not precached a client may have computed in a minute (0: any number)
    #[arg(
        long,
        env = "SVIEW_RLIMIT_MAX_HITS",
        global = true,
        default_value_t = 30,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub rlimit_max_hits: u32,
    /// For how many seconds a client that asks for more is refused further computations
    #[arg(long, env = "SVIEW_RLIMIT_BAN_TIME", global = true, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 3600), help_heading = "Settings")]
    pub rlimit_ban_time: u32,
    /// How many prefixes of passwords' hashes a client may ask for in a minute (0: any number)
    #[arg(
        long,
        env = "SVIEW_RLIMIT_PASSWORD_HITS",
        global = true,
        default_value_t = 600,
        value_name = "N",
        help_heading = "Settings"
    )]
    pub rlimit_password_hits: u32,
    /// Proxies whose X-Forwarded-For is believed: networks like 10.0.0.0/8,fd00::/8  [default: none; a client is who connects]
    #[arg(
        long,
        env = "SVIEW_TRUSTED_PROXIES",
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORKS",
        help_heading = "Settings"
    )]
    pub trusted_proxies: TrustedProxies,
}

/// The networks of proxies that are believed when they say for whom they ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Whether the address is that of a trusted proxy. An IPv4 address in IPv6 clothes is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(ip))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Networks separated by commas; none in an empty text.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= self.bits,
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network; write it like 10.0.0.0/8, fd00::/8 or 192.0.2.1");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(text: &str, ip: &str) -> bool {
        text.parse::<TrustedProxies>().unwrap().contains(ip.parse().unwrap())
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
        ] {
            assert!(trusted(networks, within) && !trusted(networks, without), "{networks}");
        }
        assert!(!trusted("", "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0/33", "proxy.example", "10.0.0.0/x", "::/129", "10.0.0.0/-1", "10.0.0.0/8 fd00::/8"] {
            assert!(text.parse::<TrustedProxies>().unwrap_err().contains("like 10.0.0.0/8"), "{text}");
        }
    }
}
