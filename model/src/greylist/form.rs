//! The forms in which the list is published. Pure text from entries: two of the same list are the same bytes.

use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use super::{Entry, MOST, as_text};
use crate::UnknownWord;
use crate::report::words;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// A form of the list.
    Form, "form" {
        /// The published format: one comment line, the header `Address,Tags`, an address a line.
        Csv = "csv",
        /// An address a line, and nothing else.
        Text = "txt",
        /// The IPv4 addresses, one a line: many tools misread IPv6 addresses.
        Ipv4 = "ipv4",
        /// The IPv6 addresses, one a line.
        Ipv6 = "ipv6",
        /// A JSON object a line, with score, times and tags.
        JsonLines = "jsonl",
        /// Input of `ipset restore`: sets of IPv4 and of IPv6 addresses whose entries time out.
        Ipset = "ipset",
        /// Input of `nft -f`: the same for nftables.
        Nft = "nft",
    }
}

/// The file of the terms of use, beside the lists.
pub const LICENSE: &str = "LICENSE.txt";

/// The statements of a list about itself.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The time that the list is for, UTC. Times to live count from here.
    pub as_of: DateTime<Utc>,
    /// The location of the terms of use: the address of [`LICENSE`]. One line.
    pub license: String,
}

/// The content of [`LICENSE`]: the terms, without control characters.
#[must_use]
pub fn license(terms: &str) -> String {
    terms.lines().map(|line| format!("{}\n", printable(line))).collect()
}

fn printable(line: &str) -> String {
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    line.trim_end().to_owned()
}

/// The longest time to live that ipset takes, in seconds.
const LONGEST: i64 = 2_147_483;

/// How many elements nftables is given in one line.
const ELEMENTS: usize = 500;

impl Form {
    /// The forms of the archive, whose rows hold an address and its tags and nothing more.
    pub const ARCHIVED: [Self; 3] = [Self::Csv, Self::Ipv4, Self::Ipv6];

    /// The file of the latest list.
    #[must_use]
    pub fn file(self) -> String {
        self.named("latest")
    }

    /// The file of a day's list.
    #[must_use]
    pub fn day_file(self, day: NaiveDate) -> String {
        self.named(&day.to_string())
    }

    fn named(self, which: &str) -> String {
        match self {
            Self::Ipv4 | Self::Ipv6 => format!("greylist-{which}-{self}.txt"),
            _ => format!("greylist-{which}.{self}"),
        }
    }

    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
            Self::Text | Self::Ipv4 | Self::Ipv6 | Self::Ipset | Self::Nft => "text/plain; charset=utf-8",
        }
    }

    /// The list in this form.
    #[must_use]
    pub fn write(self, stamp: &Stamp, entries: &[Entry]) -> String {
        let lines = |fits: fn(&IpAddr) -> bool| {
            entries.iter().filter(|e| fits(&e.ip)).map(|e| format!("{}\n", e.ip)).collect::<String>()
        };
        match self {
            Self::Csv => csv(stamp, &csv_rows(entries)),
            Self::Text => lines(|_| true),
            Self::Ipv4 => lines(IpAddr::is_ipv4),
            Self::Ipv6 => lines(IpAddr::is_ipv6),
            Self::JsonLines => entries.iter().map(json_line).collect(),
            Self::Ipset => ipset(stamp, entries),
            Self::Nft => nft(stamp, entries),
        }
    }

    /// A day's list in this form, from its [`csv_rows`]; `None` for a form that the archive does not have.
    #[must_use]
    pub fn write_day(self, stamp: &Stamp, rows: &str) -> Option<String> {
        let addresses = rows.lines().filter_map(|row| row.split(',').next()).filter(|address| !address.is_empty());
        let lines = |v4: bool| addresses.filter(|a| a.contains(':') != v4).map(|a| format!("{a}\n")).collect();
        match self {
            Self::Csv => Some(csv(stamp, rows)),
            Self::Ipv4 => Some(lines(true)),
            Self::Ipv6 => Some(lines(false)),
            _ => None,
        }
    }
}

fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The one comment line of the published format, as scripts of the original network expect it: they skip exactly one.
fn terms(stamp: &Stamp) -> String {
    format!("# For the terms of use see {}\n", printable(&stamp.license))
}

fn csv(stamp: &Stamp, rows: &str) -> String {
    format!("{}Address,Tags\n{rows}", terms(stamp))
}

/// Comment lines for programs that read any number of them.
fn comments(stamp: &Stamp) -> String {
    format!("# Greylist of Sentinel View, as of {}\n{}", iso(stamp.as_of), terms(stamp))
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

/// The two families: the digit in names, ipset's word and nftables' type.
const FAMILIES: [(u8, &str, &str, bool); 2] = [(4, "inet", "ipv4_addr", true), (6, "inet6", "ipv6_addr", false)];

/// Rules match on `sview-greylist`, a set of the two sets of addresses, because a set that rules match on cannot be replaced.
///
/// The load replaces existing sets of these names, whatever their options, and a whole list is in force at every moment. The new addresses
/// take effect in a set of another name, both families at once, before the old sets go. A load that ended halfway hinders no later one.
fn ipset(stamp: &Stamp, entries: &[Entry]) -> String {
    let mut text = comments(stamp);
    let options = |family: &str| format!("hash:ip family {family} maxelem {} timeout 0", MOST.next_power_of_two());
    text.push_str(
        "create sview-greylist list:set -exist\ncreate sview-greylist-new list:set -exist\nflush sview-greylist-new\n",
    );
    for (n, family, _, v4) in FAMILIES {
        let (set, options) = (format!("sview-greylist{n}"), options(family));
        let _ = writeln!(text, "destroy {set}-new -exist\ncreate {set}-new {options}");
        for (ip, seconds) in lives(stamp, entries, v4) {
            let _ = writeln!(text, "add {set}-new {ip} timeout {seconds}");
        }
        // An earlier load that ended halfway may have left this one in force: it is swapped, not emptied.
        let _ = writeln!(text, "create {set}-next {options} -exist\nswap {set}-new {set}-next\ndestroy {set}-new");
        let _ = writeln!(text, "add sview-greylist-new {set}-next");
    }
    text.push_str("swap sview-greylist-new sview-greylist\ndestroy sview-greylist-new\n");
    for (n, family, ..) in FAMILIES {
        let (set, options) = (format!("sview-greylist{n}"), options(family));
        let _ = writeln!(text, "destroy {set} -exist\ncreate {set} {options}\nadd sview-greylist {set}");
        let _ = writeln!(text, "swap {set}-next {set}\ndel sview-greylist {set}-next\ndestroy {set}-next");
    }
    text
}

/// nftables executes a file as one transaction. The file replaces the whole table, whatever it held. A set cannot be changed while rules
/// match on it, so rules are loaded together with it.
fn nft(stamp: &Stamp, entries: &[Entry]) -> String {
    let mut text = comments(stamp);
    text.push_str("# This makes the table inet sview anew, with all that is in it: load rules of yours after it, by the same nft -f.\n");
    // A table that is not there cannot be deleted, so it is added first.
    text.push_str("add table inet sview\ndelete table inet sview\nadd table inet sview\n");
    for (n, _, kind, v4) in FAMILIES {
        let _ = writeln!(text, "add set inet sview greylist{n} {{ type {kind}; flags timeout; }}");
        let elements: Vec<String> =
            lives(stamp, entries, v4).map(|(ip, seconds)| format!("{ip} timeout {seconds}s")).collect();
        for elements in elements.chunks(ELEMENTS) {
            let _ = writeln!(text, "add element inet sview greylist{n} {{ {} }}", elements.join(", "));
        }
    }
    text
}
