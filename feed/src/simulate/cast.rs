//! The participants: attackers, and the probes that see them.
//!
//! All addresses are made up and belong to nobody: IPv4 from 240.0.0.0/4 (reserved, never assigned) and 198.18.0.0/15 (benchmarking), IPv6 from
//! 2001:db8::/32 (documentation). A screenshot of the demonstration accuses no one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sview_model::{CountryCode, DeviceToken, Identity};

use super::dice::{Purpose, Weighted, dice};

/// The countries of attackers, with the number of attackers of a thousand.
#[rustfmt::skip]
const COUNTRIES: &[(&str, u32)] = &[
    ("CN", 176), ("US", 128), ("RU", 84), ("BR", 62), ("VN", 58), ("IN", 66), ("KR", 32), ("TW", 30), ("ID", 34), ("DE", 28),
    ("NL", 30), ("IR", 20), ("TR", 20), ("UA", 18), ("FR", 18), ("GB", 20), ("TH", 16), ("IT", 14), ("MX", 14), ("AR", 14),
    ("HK", 16), ("SG", 18), ("JP", 10), ("PL", 10), ("RO", 10), ("BG", 10), ("EG", 10), ("PK", 10), ("BD", 8), ("ZA", 6),
    ("CA", 8), ("ES", 8), ("CZ", 5), ("SK", 3), ("GR", 4), ("VE", 6), ("CO", 6), ("CL", 4), ("PE", 4), ("EC", 4), ("MY", 6),
    ("PH", 6), ("KZ", 5), ("SE", 4), ("LT", 3), ("HU", 3), ("MA", 4), ("TN", 3), ("DZ", 3), ("NG", 3), ("KE", 2), ("SA", 3),
    ("IL", 2), ("AU", 3), ("CH", 2), ("AT", 2), ("PT", 2), ("GE", 2), ("MD", 2), ("XK", 1),
];

/// An attacker's aim. It decides on traps, ports, and whether passwords are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Scanner,
    Telnet,
    Ssh,
    Web,
    Mail,
    Ftp,
}

/// How many of a hundred attackers are of each flavour.
#[rustfmt::skip]
const FLAVOURS: &[(Flavour, u32)] = &[
    (Flavour::Scanner, 34), (Flavour::Telnet, 25), (Flavour::Ssh, 18), (Flavour::Web, 13), (Flavour::Mail, 5), (Flavour::Ftp, 5),
];

/// How many probes there are.
pub(super) const PROBES: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attacker {
    pub(super) ip: IpAddr,
    pub(super) country: Option<CountryCode>,
    pub(super) flavour: Flavour,
}

/// The properties that attackers of one wave share.
#[derive(Clone, Debug, Default)]
pub(super) struct Likeness {
    pub(super) flavour: Option<Flavour>,
    /// Indices into the list of countries; empty for any.
    pub(super) countries: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Cast {
    seed: u64,
    countries: (Vec<Option<CountryCode>>, Weighted),
    flavours: Weighted,
    probes: Vec<Identity>,
    probe_weights: Weighted,
}

impl Cast {
    pub(super) fn new(seed: u64) -> Self {
        let codes = COUNTRIES.iter().map(|(code, _)| code.parse().ok()).collect();
        let weights = Weighted::new(COUNTRIES.iter().map(|(_, weight)| f64::from(*weight)));
        Self {
            seed,
            countries: (codes, weights),
            flavours: Weighted::new(FLAVOURS.iter().map(|(_, weight)| f64::from(*weight))),
            probes: (0..PROBES as u64).filter_map(|i| probe(seed, i)).collect(),
            probe_weights: Weighted::zipf(PROBES, 1.0, 0.7),
        }
    }

    /// Every probe, the busiest first.
    pub(super) fn probes(&self) -> &[Identity] {
        &self.probes
    }

    pub(super) fn probe(&self, dice: &mut ChaCha8Rng) -> Identity {
        self.probes[self.probe_weights.pick(dice)].clone()
    }

    /// The attacker with this number in a group: always the same one.
    pub(super) fn attacker(&self, group: u64, number: u64, likeness: &Likeness) -> Attacker {
        self.stranger(&mut dice(self.seed, Purpose::Attacker, group, number), likeness)
    }

    /// Returns an attacker who comes this once.
    pub(super) fn stranger(&self, dice: &mut ChaCha8Rng, likeness: &Likeness) -> Attacker {
        let flavour = likeness.flavour.unwrap_or_else(|| FLAVOURS[self.flavours.pick(dice)].0);
        if dice.random_bool(0.03) {
            let [a, b, c]: [u8; 3] = dice.random();
            return Attacker { ip: Ipv4Addr::new(198, 18 | (a & 1), b, c).into(), country: None, flavour };
        }
        let country = match likeness.countries.len() {
            0 => self.pick_country(dice),
            n => likeness.countries[dice.random_range(0..n)],
        };
        Attacker { ip: address(country, dice), country: self.countries.0[country], flavour }
    }

    /// A country's index, as common as it is.
    pub(super) fn pick_country(&self, dice: &mut ChaCha8Rng) -> usize {
        self.countries.1.pick(dice)
    }
}

/// An address in one of the blocks that the country has in this world, so that neighbours share a country.
fn address(country: usize, dice: &mut ChaCha8Rng) -> IpAddr {
    if dice.random_bool(0.01) {
        let low: u32 = dice.random();
        return Ipv6Addr::from(
            [0x2001_0db8, 0x0c00_0000 | country as u32, 0, low]
                .iter()
                .fold(0u128, |bits, word| bits << 32 | u128::from(*word)),
        )
        .into();
    }
    // Sixteen blocks of 1,048,576 addresses in each of 240.0.0.0/8 to 254.0.0.0/8, four for a country.
    let block = (country * 4 + dice.random_range(0..4)) % (15 * 16);
    let host = dice.random_range(1..(1u32 << 20) - 1);
    Ipv4Addr::from(0xf000_0000 | (block as u32) << 20 | host).into()
}

/// `None` cannot be: the token is made of 64 letters and digits.
fn probe(seed: u64, index: u64) -> Option<Identity> {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut dice = dice(seed, Purpose::Probes, 0, index);
    let token: String =
        (0..DeviceToken::LENGTH).map(|_| char::from(LETTERS[dice.random_range(0..LETTERS.len())])).collect();
    Some(Identity { sn: format!("0000000D{:08X}", 0x1000 + index * 7), device_token: token.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_nobodys() {
        let cast = Cast::new(1);
        let attackers: Vec<_> = (0..20_000).map(|i| cast.attacker(1, i, &Likeness::default())).collect();
        for attacker in &attackers {
            match attacker.ip {
                IpAddr::V4(ip) => {
                    let reserved = ip.octets()[0] >= 240 && ip.octets()[0] != 255;
                    let benchmarking = ip.octets()[0] == 198 && ip.octets()[1] & 0xfe == 18;
                    assert!(reserved || benchmarking, "{ip}");
                }
                IpAddr::V6(ip) => assert_eq!(ip.segments()[..2], [0x2001, 0xdb8], "{ip}"),
            }
        }
        let v6 = attackers.iter().filter(|a| a.ip.is_ipv6()).count();
        assert!((100..400).contains(&v6), "{v6}");
        assert!(attackers.iter().any(|a| a.country.is_none()));
        assert_eq!(cast.attacker(1, 7, &Likeness::default()), attackers[7]);
    }

    #[test]
    fn the_lists_are_in_order() {
        let cast = Cast::new(1);
        assert!(cast.countries.0.iter().all(Option::is_some));
        assert_eq!(cast.probes().len(), PROBES);
        assert!(cast.probes().iter().all(|p| p.sn.len() == 16));
    }
}
