//! The meaning of the keys of tallies.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use sview_model::long_text as long;

use super::intern::{Address, Addresses, Texts};

/// Texts and addresses by number, and how keys are put together. Valid for one computation.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: Texts,
    addresses: Addresses,
}

/// Addresses take the low 33 bits of an attacker's key; above them is the country, 0 for unknown.
const ADDRESS_BITS: u32 = 33;

impl Interner {
    /// The number of a text of a row.
    pub(super) fn text(&mut self, text: &str) -> u64 {
        self.texts.number(&long::held(text)).into()
    }

    /// The number of a text of a written tally.
    pub(super) fn held_text(&mut self, text: &str) -> u64 {
        self.texts.number(&long::held_already(text)).into()
    }

    pub(super) fn pair(&mut self, first: &str, second: &str) -> u64 {
        self.text(first) << 32 | self.text(second)
    }

    pub(super) fn attacker(&mut self, country: Option<&str>, ip: IpAddr) -> u64 {
        let country = country.map(|c| self.text(c));
        let address = self.addresses.number(ip);
        self.attacker_key(country, address)
    }

    pub(super) fn attacker_key(&self, country: Option<u64>, address: Address) -> u64 {
        country.map_or(0, |c| c + 1) << ADDRESS_BITS | address
    }

    pub(super) fn v6(&mut self, bits: u128) -> Address {
        self.addresses.number(Ipv6Addr::from_bits(bits).into())
    }

    pub(super) fn text_of(&self, number: u64) -> &str {
        self.texts.text(u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(super) fn address_of(&self, key: u64) -> Address {
        key & ((1 << ADDRESS_BITS) - 1)
    }

    pub(super) fn v6_of(&self, key: u64) -> Option<u128> {
        self.addresses.v6(self.address_of(key))
    }

    /// The number of the text of an attacker's country.
    pub(super) fn country_of(&self, key: u64) -> Option<u64> {
        (key >> ADDRESS_BITS).checked_sub(1)
    }

    /// The key of an address, as [`Interner::address`] gives it.
    pub(crate) fn address_key(&mut self, ip: IpAddr) -> u64 {
        self.addresses.number(ip)
    }

    /// Returns the key of a text, as [`Interner::first`] and [`Interner::second`] give it. The displayed form of a long text gives the same
    /// key.
    pub(crate) fn word_key(&mut self, text: &str) -> u64 {
        self.texts.number(&long::meant(text)).into()
    }

    /// An attacker's country as a key: 0 is unknown.
    pub(crate) fn country(key: u64) -> u64 {
        key >> ADDRESS_BITS
    }

    /// An attacker's address as a key.
    pub(crate) fn address(key: u64) -> u64 {
        key & ((1 << ADDRESS_BITS) - 1)
    }

    /// The first of a pair as a key.
    pub(crate) fn first(key: u64) -> u64 {
        key >> 32
    }

    /// The second of a pair as a key.
    pub(crate) fn second(key: u64) -> u64 {
        key & 0xffff_ffff
    }

    /// The text of a key of [`Interner::country`]; `None` is unknown.
    pub(crate) fn country_text(&self, key: u64) -> Option<String> {
        key.checked_sub(1).map(|number| self.text_of(number).to_owned())
    }

    /// Returns the text of a key of [`Interner::first`] or [`Interner::second`]: all of it, or the beginning of a long one.
    pub(crate) fn word(&self, key: u64) -> Cow<'_, str> {
        long::shown(self.text_of(key))
    }

    /// The address of a key of [`Interner::address`].
    pub(crate) fn ip(&self, key: u64) -> IpAddr {
        self.addresses.ip(key)
    }
}
