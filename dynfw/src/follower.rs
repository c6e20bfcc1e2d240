//! The list as a client knows it, kept up to date by serial numbers. Pure: no I/O, no clock.
//!
//! The next delta has the serial after the last. A delta that is further on is applied as well, and the skipped ones are noted as missing.
//! A missing delta that comes late is applied unless a later one was about the same address.
//!
//! The list is asked for again in these cases, while deltas go on being applied to the known list:
//!
//! - more than [`MOST_MISSING`] deltas are missing;
//! - a delta has not come after [`PATIENCE`] more;
//! - a serial is lower than the last and was neither missing nor a repetition (the publisher restarted);
//! - the version of a list goes back.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::{Change, Delta, List as Sent, MOST_ADDRESSES};

/// The most serials that may be missing before the list is asked for again.
const MOST_MISSING: usize = 10;

/// How many further deltas a missing one is waited for. As many are remembered, to know repetitions.
const PATIENCE: u64 = 100;

/// The list as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The version that the publisher gave it.
    pub version: u64,
    /// The highest serial that was applied.
    pub serial: u64,
    /// The time when the last applied list or delta was sent, in seconds since 1970, UTC.
    pub ts: u64,
    /// The addresses, sorted.
    pub addresses: BTreeSet<IpAddr>,
}

/// The reason why the list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none yet.
    First,
    /// Too many deltas are missing, or one for too long.
    Gap,
    /// Serials began again: the publisher restarted.
    Restart,
    /// The version of the list went back.
    VersionBack,
    /// The connection was lost, and deltas with it.
    Reconnect,
    /// The list grew past its limit.
    Overfull,
}

impl Why {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::First, Self::Gap, Self::Restart, Self::VersionBack, Self::Reconnect, Self::Overfull];

    /// Returns the name of the reason.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Gap => "gap",
            Self::Restart => "restart",
            Self::VersionBack => "version_back",
            Self::Reconnect => "reconnect",
            Self::Overfull => "overfull",
        }
    }
}

/// The result of following a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It was applied.
    Applied,
    /// It was not: it is a repetition, is overtaken by a later one, or there is no list to apply it to.
    Ignored,
}

/// Follows a list.
#[derive(Debug)]
pub struct Follower {
    list: Option<List>,
    /// Serials that were passed over, lowest first; at most [`MOST_MISSING`].
    missing: BTreeSet<u64>,
    /// The last deltas that were taken, at most [`PATIENCE`].
    recent: VecDeque<Delta>,
    wants: Option<Why>,
    asked: [u64; Why::ALL.len()],
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            list: None,
            missing: BTreeSet::new(),
            recent: VecDeque::new(),
            wants: Some(Why::First),
            asked: [0; Why::ALL.len()],
        }
    }
}

impl Follower {
    /// The list, when one came.
    #[must_use]
    pub fn list(&self) -> Option<&List> {
        self.list.as_ref()
    }

    /// Returns the reason why the list must be asked for; `None` when the known list is right.
    #[must_use]
    pub fn wants_list(&self) -> Option<Why> {
        self.wants
    }

    /// How often the list was asked for again, by reason; the first time is not counted.
    #[must_use]
    pub fn asked_again(&self, why: Why) -> u64 {
        self.asked[why as usize]
    }

    /// Takes a list, whatever was known before: it is the publisher's word. When its version goes back it is taken too, and the next
    /// one is waited for, since it may come from before.
    pub fn take_list(&mut self, sent: Sent) {
        let back = self.list.as_ref().is_some_and(|known| sent.version < known.version);
        self.missing.clear();
        self.recent.clear();
        self.wants = None;
        if back {
            self.ask(Why::VersionBack);
        }
        let addresses = sent.addresses.into_iter().collect();
        self.list = Some(List { version: sent.version, serial: sent.serial, ts: sent.ts, addresses });
    }

    /// Takes a delta.
    pub fn take_delta(&mut self, delta: Delta) -> Followed {
        let Some(last) = self.list.as_ref().map(|list| list.serial) else { return Followed::Ignored };
        if delta.serial > last {
            self.pass_over(last, delta.serial);
        } else if self.missing.remove(&delta.serial) {
            // It came late: a later delta about the same address counts.
            if self.recent.iter().any(|later| later.serial > delta.serial && later.ip == delta.ip) {
                self.remember(delta);
                return Followed::Ignored;
            }
        } else if self.recent.contains(&delta) {
            return Followed::Ignored;
        } else {
            self.ask(Why::Restart);
            self.missing.clear();
            self.recent.clear();
            if let Some(list) = &mut self.list {
                list.serial = delta.serial;
            }
        }
        self.apply(delta);
        Followed::Applied
    }

    /// Says that deltas may have been lost unseen, with the connection.
    pub fn reconnected(&mut self) {
        if self.list.is_some() {
            self.ask(Why::Reconnect);
        }
    }

    /// Notes the missing serials between the last one and a later one.
    fn pass_over(&mut self, last: u64, next: u64) {
        let gap = next - last - 1;
        if gap > (MOST_MISSING - self.missing.len().min(MOST_MISSING)) as u64 {
            self.missing.clear();
            self.ask(Why::Gap);
        } else if self.wants.is_none() {
            self.missing.extend(last + 1..next);
        }
        if self.missing.first().is_some_and(|oldest| next - oldest > PATIENCE) {
            self.missing.clear();
            self.ask(Why::Gap);
        }
    }

    fn apply(&mut self, delta: Delta) {
        let Some(list) = &mut self.list else { return };
        list.serial = list.serial.max(delta.serial);
        list.ts = delta.ts;
        match delta.change {
            Change::Removed => drop(list.addresses.remove(&delta.ip)),
            Change::Added if list.addresses.len() < MOST_ADDRESSES => drop(list.addresses.insert(delta.ip)),
            Change::Added => self.ask(Why::Overfull),
        }
        self.remember(delta);
    }

    fn remember(&mut self, delta: Delta) {
        if self.recent.len() >= PATIENCE as usize {
            self.recent.pop_front();
        }
        self.recent.push_back(delta);
    }

    fn ask(&mut self, why: Why) {
        if self.wants.is_none() {
            self.wants = Some(why);
            self.asked[why as usize] += 1;
        }
    }
}
