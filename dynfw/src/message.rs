//! The messages: lists, deltas, events.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rmp::encode::{RmpWrite, write_array_len, write_map_len, write_str, write_uint};

/// Topic of the whole list.
pub(crate) const LIST: &str = "dynfw/list";
/// Topic of a change of the list.
pub(crate) const DELTA: &str = "dynfw/delta";
/// The topic of incident events.
pub(crate) const EVENT: &str = "dynfw/event";

/// A message of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The whole list.
    List(List),
    /// A change of it.
    Delta(Delta),
    /// An incident event of an address.
    Event(Event),
}

/// The whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Grows whenever the list is made from scratch; some publishers take a time stamp, and some begin again at 0.
    pub version: u64,
    /// The serial number of the last delta that is in it.
    pub serial: u64,
    /// The addresses, in canonical form.
    pub addresses: Vec<IpAddr>,
    /// The time when it was sent, in seconds since 1970, UTC.
    pub ts: u64,
}

/// A change of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// One more than that of the change before.
    pub serial: u64,
    /// The change of the address.
    pub change: Change,
    /// The address, in canonical form.
    pub ip: IpAddr,
    /// The time when it was sent, in seconds since 1970, UTC.
    pub ts: u64,
}

/// The change of an address on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was added: `positive`.
    Added,
    /// It was removed: `negative`.
    Removed,
}

impl Change {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "positive",
            Self::Removed => "negative",
        }
    }
}

/// An incident event of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name of the event.
    pub name: EventName,
    /// The address, in canonical form.
    pub ip: IpAddr,
    /// The time when it was seen, in seconds since 1970, UTC.
    pub ts: u64,
}

/// The name of an event, like `telnet_connect`: 1 to 64 of the characters `a-z0-9_`. New names may come at any time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(Box<str>);

impl EventName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = crate::Fault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if good { Ok(Self(text.into())) } else { Err(crate::Fault::Malformed("event is no name of an event")) }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Message {
    /// The topic that it is sent under.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        match self {
            Self::List(_) => LIST,
            Self::Delta(_) => DELTA,
            Self::Event(_) => EVENT,
        }
    }

    /// Its payload in MessagePack.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        match self {
            Self::List(list) => encode_list(list.version, list.serial, &list.addresses, list.ts),
            Self::Delta(delta) => written(|out| {
                write_map_len(out, 4)?;
                number(out, "serial", delta.serial)?;
                text(out, "delta", delta.change.as_str())?;
                text(out, "ip", &delta.ip.to_string())?;
                number(out, "ts", delta.ts)
            }),
            Self::Event(event) => written(|out| {
                write_map_len(out, 3)?;
                text(out, "event", event.name.as_str())?;
                text(out, "ip", &event.ip.to_string())?;
                number(out, "ts", event.ts)
            }),
        }
    }
}

/// The payload of a list that need not be owned.
pub(crate) fn encode_list(version: u64, serial: u64, addresses: &[IpAddr], ts: u64) -> Vec<u8> {
    written(|out| {
        write_map_len(out, 4)?;
        number(out, "version", version)?;
        number(out, "serial", serial)?;
        write_str(out, "list")?;
        write_array_len(out, u32::try_from(addresses.len()).unwrap_or(u32::MAX))?;
        for ip in addresses {
            write_str(out, &ip.to_string())?;
        }
        number(out, "ts", ts)
    })
}

type Written = Result<(), rmp::encode::ValueWriteError<std::io::Error>>;

fn written(write: impl FnOnce(&mut Vec<u8>) -> Written) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    // Writing to a vector cannot fail.
    let done = write(&mut out);
    debug_assert!(done.is_ok());
    out
}

fn number<W: RmpWrite<Error = std::io::Error>>(out: &mut W, key: &str, value: u64) -> Written {
    write_str(out, key)?;
    write_uint(out, value).map(drop)
}

fn text<W: RmpWrite<Error = std::io::Error>>(out: &mut W, key: &str, value: &str) -> Written {
    write_str(out, key)?;
    write_str(out, value)
}
