//! The numbers of a publisher: what makes its clients' lists right. Pure: no I/O, no clock.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::{Change, Delta, List};

/// The leap of the serial at a start that does not know the list before. Clients that miss more than ten deltas ask for the whole list
/// again.
const LEAP: u64 = 1000;

/// The state that a publisher keeps over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The version that the list had.
    pub version: u64,
    /// The serial of the last delta that was sent.
    pub serial: u64,
    /// The addresses on the list at that serial; `None` when they are not known.
    pub addresses: Option<BTreeSet<IpAddr>>,
}

/// The list of a publisher, with its version and serial.
///
/// Serials never fall: a client would take that for a restart. Where the list at the last serial is known, a start goes on from there
/// with deltas, and clients notice nothing. Where it is not, version and serial leap, and clients ask for the list again.
#[derive(Clone, Debug)]
pub struct Serials {
    version: u64,
    serial: u64,
    addresses: BTreeSet<IpAddr>,
}

impl Serials {
    /// Goes on from the saved state, or begins; `now` is in seconds since 1970, UTC, and makes a new version.
    #[must_use]
    pub fn resume(saved: Option<Saved>, now: u64) -> Self {
        match saved {
            Some(Saved { version, serial, addresses: Some(addresses) }) => Self { version, serial, addresses },
            Some(Saved { version, serial, addresses: None }) => Self {
                version: now.max(version.saturating_add(1)),
                serial: serial.saturating_add(LEAP),
                addresses: BTreeSet::new(),
            },
            None => Self { version: now, serial: 0, addresses: BTreeSet::new() },
        }
    }

    /// Returns the state to keep so that a restart goes unnoticed.
    #[must_use]
    pub fn saved(&self) -> Saved {
        Saved { version: self.version, serial: self.serial, addresses: Some(self.addresses.clone()) }
    }

    /// Returns the deltas that lead to the wanted list: removals first, so that it never grows past both. Send them in this order. If
    /// sending fails, clients see a gap and ask for the list.
    pub fn change(&mut self, wanted: &BTreeSet<IpAddr>, ts: u64) -> Vec<Delta> {
        let removed = self.addresses.difference(wanted).map(|ip| (Change::Removed, *ip));
        let added = wanted.difference(&self.addresses).map(|ip| (Change::Added, *ip));
        let mut serial = self.serial;
        let numbered = removed.chain(added).map(|(change, ip)| {
            serial += 1;
            Delta { serial, change, ip, ts }
        });
        let deltas = numbered.collect();
        self.serial = serial;
        self.addresses.clone_from(wanted);
        deltas
    }

    /// The whole list as it is now, to be sent every now and then.
    #[must_use]
    pub fn list(&self, ts: u64) -> List {
        List { version: self.version, serial: self.serial, addresses: self.addresses.iter().copied().collect(), ts }
    }

    /// The list's version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The serial of the last delta.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The addresses on the list.
    #[must_use]
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Follower;

    fn set(ends: impl IntoIterator<Item = u8>) -> BTreeSet<IpAddr> {
        ends.into_iter().map(|end| IpAddr::from([192, 0, 2, end])).collect()
    }

    fn follow(follower: &mut Follower, serials: &mut Serials, wanted: &BTreeSet<IpAddr>) {
        for delta in serials.change(wanted, 7) {
            follower.take_delta(delta);
        }
        assert_eq!(follower.list().unwrap().addresses, *wanted);
    }

    #[test]
    fn a_follower_has_the_same_list_over_a_known_restart() {
        let mut serials = Serials::resume(None, 1000);
        let mut follower = Follower::default();
        follower.take_list(serials.list(1000));
        follow(&mut follower, &mut serials, &set(1..50));
        follow(&mut follower, &mut serials, &set(20..90));
        let mut serials = Serials::resume(Some(serials.saved()), 2000);
        follow(&mut follower, &mut serials, &set(30..100));
        assert_eq!((follower.wants_list(), serials.version()), (None, 1000));
    }

    #[test]
    fn a_restart_that_knows_nothing_makes_clients_ask() {
        let mut serials = Serials::resume(Some(Saved { version: 1000, serial: 50, addresses: None }), 900);
        let mut follower = Follower::default();
        follower.take_list(List { version: 1000, serial: 50, addresses: vec![], ts: 0 });
        let deltas = serials.change(&set(1..3), 1);
        follower.take_delta(deltas[0]);
        assert!(follower.wants_list().is_some());
        assert_eq!(serials.version(), 1001, "a version never goes back, whatever the clock says");
        follower.take_list(serials.list(1));
        assert_eq!(follower.list().unwrap().addresses, set(1..3));
    }
}
