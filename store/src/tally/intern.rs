//! Texts and addresses as small numbers, for the time of one computation.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Texts as numbers from 0.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // A computation cannot hold 2^32 texts in memory; were it to, the last number would stand for all the rest.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |t| t)
    }
}

/// An address as a number: an IPv4 address is itself; IPv6 addresses are numbered from 2^32 on.
pub(super) type Address = u64;

/// IPv6 addresses as numbers.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    numbers: HashMap<u128, u64>,
    list: Vec<u128>,
}

/// The first number of an IPv6 address.
const FIRST: u64 = 1 << 32;

impl Addresses {
    /// An IPv4-mapped IPv6 address, as other programs may write it, is the IPv4 address.
    pub(super) fn number(&mut self, ip: IpAddr) -> Address {
        match ip.to_canonical() {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => *self.numbers.entry(v6.to_bits()).or_insert_with(|| {
                self.list.push(v6.to_bits());
                FIRST + self.list.len() as u64 - 1
            }),
        }
    }

    pub(super) fn ip(&self, number: Address) -> IpAddr {
        match u32::try_from(number) {
            Ok(v4) => Ipv4Addr::from_bits(v4).into(),
            Err(_) => {
                let index = usize::try_from(number - FIRST).ok();
                let bits = index.and_then(|i| self.list.get(i)).copied().unwrap_or_default();
                Ipv6Addr::from_bits(bits).into()
            }
        }
    }

    /// The bits of an IPv6 address; `None` for an IPv4 address.
    pub(super) fn v6(&self, number: Address) -> Option<u128> {
        usize::try_from(number.checked_sub(FIRST)?).ok().and_then(|i| self.list.get(i)).copied()
    }
}
