//! An address on the list, and why it is there.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DECIMALS, History, Points, THRESHOLD};
use crate::report::words;
use crate::{Action, Trap, UnknownWord};
use std::{fmt, str::FromStr};

words! {
    /// The kind of traps that an address is listed for: the tags of the published list, in alphabetical order as it has them.
    Tag, "tag" {
        /// The FTP minipot.
        Ftp = "ftp",
        /// An SSH honeypot.
        Haas = "haas",
        /// The HTTP minipot.
        Http = "http",
        /// The firewall's log.
        PortScan = "port_scan",
        /// The SMTP minipot.
        Smtp = "smtp",
        /// The Telnet minipot.
        Telnet = "telnet",
    }
}

impl From<Trap> for Tag {
    fn from(trap: Trap) -> Self {
        match trap {
            Trap::Haas => Self::Haas,
            Trap::Telnet => Self::Telnet,
            Trap::Ftp => Self::Ftp,
            Trap::Smtp => Self::Smtp,
            Trap::Http => Self::Http,
            Trap::Fwlogs => Self::PortScan,
        }
    }
}

/// An address' activity at one trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The trap that caught it.
    pub trap: Trap,
    /// The attacker's action.
    pub action: Action,
    /// The time of the first report, UTC: to the hour in the last days, to the day before ([`super::RECENT`]).
    pub first: DateTime<Utc>,
    /// The time of the last report, as exact as `first`.
    pub last: DateTime<Utc>,
    /// The number of reports.
    pub count: u64,
}

/// An address that is listed. All times UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The listed address.
    pub ip: IpAddr,
    /// Its score, rounded down to [`DECIMALS`].
    pub score: Points,
    /// The time of the first report, as far back as reports count: to the hour in the last days, to the day before.
    pub first_seen: DateTime<Utc>,
    /// The time of the last report, as exact as `first_seen`.
    pub last_seen: DateTime<Utc>,
    /// The time when it leaves the list if nothing more is reported, to the second.
    pub expires: DateTime<Utc>,
    /// The kinds of traps, in the order of [`Tag`].
    pub tags: Vec<Tag>,
    /// How many probes reported it.
    pub probes: u64,
    /// The reasons, the heaviest first.
    pub evidence: Vec<Evidence>,
}

impl Entry {
    /// The entry of an address with this history, as of `now`; `None` where its score is too low to be listed.
    #[must_use]
    pub fn of(ip: IpAddr, history: &History, now: DateTime<Utc>) -> Option<Self> {
        let score = history.score(now);
        if score < THRESHOLD {
            return None;
        }
        let scale = Points::from(10_u32.pow(DECIMALS));
        Some(Self {
            ip: ip.to_canonical(),
            score: (score * scale).floor() / scale,
            first_seen: history.evidence.iter().map(|e| e.first).min()?,
            last_seen: history.evidence.iter().map(|e| e.last).max()?,
            expires: history.expires(now),
            tags: tags(&history.evidence),
            probes: history.probes,
            evidence: history.evidence.clone(),
        })
    }
}

fn tags(evidence: &[Evidence]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = evidence.iter().map(|e| e.trap.into()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Tags as the published list writes them, in the order given: `haas,telnet`.
#[must_use]
pub fn as_text(tags: &[Tag]) -> String {
    tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",")
}
