//! The forms in which the list is published. Pure text from entries: two of the same list are the same bytes.

use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Entry, MOST, as_text};
use crate::UnknownWord;
use crate::report::words;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// A form of the list; the word is the ending of its file.
    Form, "form" {
        /// The published format: comments, the header `Address,Tags`, an address a line.
        Csv = "csv",
        /// An address a line, and nothing else.
        Text = "txt",
        /// A JSON object a line, with score, times and tags.
        JsonLines = "jsonl",
        /// Input of `ipset restore`: sets of IPv4 and of IPv6 addresses whose entries time out.
        Ipset = "ipset",
        /// Input of `nft -f`: the same for nftables.
        Nft = "nft",
    }
}

/// What a list says of itself.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// As of when it was made, UTC. Times to live count from here.
    pub as_of: DateTime<Utc>,
    /// Under which terms it may be used, for comments.
    pub terms: String,
}

/// The longest time to live that ipset takes, in seconds.
const LONGEST: i64 = 2_147_483;

/// How many elements nftables is given in one line.
const ELEMENTS: usize = 500;

impl Form {
    /// The file of the latest list.
    #[must_use]
    pub fn file(self) -> String {
        format!("greylist-latest.{self}")
    }

    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
            Self::Text | Self::Ipset | Self::Nft => "text/plain; charset=utf-8",
        }
    }

    /// The list in this form.
    #[must_use]
    pub fn write(self, stamp: &Stamp, entries: &[Entry]) -> String {
        match self {
            Self::Csv => csv_of(stamp, &csv_rows(entries)),
            Self::Text => entries.iter().map(|e| format!("{}\n", e.ip)).collect(),
            Self::JsonLines => entries.iter().map(json_line).collect(),
            Self::Ipset => ipset(stamp, entries),
            Self::Nft => nft(stamp, entries),
        }
    }
}

fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Comment lines: what it is, as of when, and the terms.
fn comments(stamp: &Stamp) -> String {
    let mut text = format!("# Greylist of Sentinel View, as of {}\n", iso(stamp.as_of));
    for line in stamp.terms.lines() {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "# {}", line.trim_end());
    }
    text
}

/// The published format of these rows.
#[must_use]
pub fn csv_of(stamp: &Stamp, rows: &str) -> String {
    format!("{}Address,Tags\n{rows}", comments(stamp))
}

/// Entries as rows of the published format: an address and its tags a line.
#[must_use]
pub fn csv_rows(entries: &[Entry]) -> String {
    let mut text = String::with_capacity(entries.len() * 24);
    for entry in entries {
        let tags = as_text(&entry.tags);
        let _ = match entry.tags.len() {
            0 | 1 => writeln!(text, "{},{tags}", entry.ip),
            _ => writeln!(text, "{},\"{tags}\"", entry.ip),
        };
    }
    text
}

fn json_line(entry: &Entry) -> String {
    let Entry { ip, score, first_seen, last_seen, expires, tags, probes, .. } = entry;
    let tags: Vec<&str> = tags.iter().map(|tag| tag.as_str()).collect();
    let line = serde_json::json!({
        "ip": ip, "score": score, "first_seen": iso(*first_seen), "last_seen": iso(*last_seen), "expires": iso(*expires),
        "probes": probes, "tags": tags,
    });
    format!("{line}\n")
}

/// The entries of a family, each with the seconds that it has to live.
fn lives<'a>(stamp: &Stamp, entries: &'a [Entry], v4: bool) -> impl Iterator<Item = (IpAddr, i64)> + use<'a> {
    let as_of = stamp.as_of;
    let family = entries.iter().filter(move |entry| entry.ip.is_ipv4() == v4);
    family.map(move |entry| (entry.ip, (entry.expires - as_of).num_seconds().clamp(1, LONGEST)))
}

/// Sets are filled under another name and swapped, so that there is no moment without a list.
fn ipset(stamp: &Stamp, entries: &[Entry]) -> String {
    let mut text = comments(stamp);
    let room = MOST.next_power_of_two();
    for (set, family, v4) in [("sview-greylist4", "inet", true), ("sview-greylist6", "inet6", false)] {
        for name in [set.to_owned(), format!("{set}-new")] {
            let _ = writeln!(text, "create {name} hash:ip family {family} maxelem {room} timeout 0 -exist");
        }
        let _ = writeln!(text, "flush {set}-new");
        for (ip, seconds) in lives(stamp, entries, v4) {
            let _ = writeln!(text, "add {set}-new {ip} timeout {seconds} -exist");
        }
        let _ = writeln!(text, "swap {set}-new {set}\ndestroy {set}-new");
    }
    text
}

/// nftables carries a file out as one transaction: sets are emptied and filled at once.
fn nft(stamp: &Stamp, entries: &[Entry]) -> String {
    let mut text = comments(stamp);
    text.push_str("add table inet sview\n");
    for (set, family, v4) in [("greylist4", "ipv4_addr", true), ("greylist6", "ipv6_addr", false)] {
        let _ =
            writeln!(text, "add set inet sview {set} {{ type {family}; flags timeout; }}\nflush set inet sview {set}");
        let elements: Vec<String> =
            lives(stamp, entries, v4).map(|(ip, seconds)| format!("{ip} timeout {seconds}s")).collect();
        for elements in elements.chunks(ELEMENTS) {
            let _ = writeln!(text, "add element inet sview {set} {{ {} }}", elements.join(", "));
        }
    }
    text
}
