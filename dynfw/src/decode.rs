//! Parses messages, strictly. A missing, doubled or surplus part, or one of another type or out of bounds, makes the whole malformed.
//! Unknown keys are skipped, since publishers may add some.
//!
//! Nothing is allocated before it is known to be there: a list that claims a million addresses in ten bytes costs nothing.

use std::net::IpAddr;

use rmp::Marker;
use rmp::decode::{read_array_len, read_int, read_map_len, read_marker, read_str_len};

use crate::message::{DELTA, EVENT, LIST};
use crate::{Change, Delta, Event, Fault, LARGEST_PART, List, MOST_ADDRESSES, Message};

/// The longest topic, in bytes.
const LONGEST_TOPIC: usize = 64;

/// The most keys of a payload.
const MOST_KEYS: u32 = 32;

/// How deep values may be nested that are passed over.
const DEEPEST: u8 = 8;

/// The last second of the year 9999: a later number is no time stamp in seconds.
const LATEST: u64 = 253_402_300_799;

impl Message {
    /// Parses the parts of a message.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Fault> {
        let mut parts = parts.into_iter();
        let topic = parts.next().ok_or(Fault::Malformed("a message without parts"))?;
        if topic.len() > LARGEST_PART {
            return Err(Fault::Oversized);
        }
        if !is_topic(topic) {
            return Err(Fault::Malformed("the first part is no topic"));
        }
        let payload = parts.next().ok_or(Fault::Malformed("a message without payload"))?;
        if payload.len() > LARGEST_PART {
            return Err(Fault::Oversized);
        }
        if parts.next().is_some() {
            return Err(Fault::Malformed("a message of more than two parts"));
        }
        match topic {
            t if t == LIST.as_bytes() => Fields::read(payload)?.list().map(Self::List),
            t if t == DELTA.as_bytes() => Fields::read(payload)?.delta().map(Self::Delta),
            t if t == EVENT.as_bytes() => Fields::read(payload)?.event().map(Self::Event),
            _ => Err(Fault::UnknownTopic),
        }
    }
}

/// Words of `a-z0-9_`, joined by `/`.
fn is_topic(topic: &[u8]) -> bool {
    let word = |w: &[u8]| !w.is_empty() && w.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
    topic.len() <= LONGEST_TOPIC && topic.split(|b| *b == b'/').all(word)
}

/// The values of a payload's known keys, where they are in it.
#[derive(Default)]
struct Fields<'a> {
    version: Option<&'a [u8]>,
    serial: Option<&'a [u8]>,
    list: Option<&'a [u8]>,
    delta: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    ip: Option<&'a [u8]>,
    ts: Option<&'a [u8]>,
}

const CUT: Fault = Fault::Malformed("the payload is no complete MessagePack");

impl<'a> Fields<'a> {
    fn read(mut rest: &'a [u8]) -> Result<Self, Fault> {
        let keys = read_map_len(&mut rest).map_err(|_| Fault::Malformed("the payload is no map"))?;
        if keys > MOST_KEYS {
            return Err(Fault::Malformed("the payload has too many keys"));
        }
        let mut fields = Self::default();
        for _ in 0..keys {
            let key = text(&mut rest).map_err(|_| Fault::Malformed("a key is no text"))?;
            let value = skip(&mut rest, DEEPEST)?;
            let field = match key {
                "version" => &mut fields.version,
                "serial" => &mut fields.serial,
                "list" => &mut fields.list,
                "delta" => &mut fields.delta,
                "event" => &mut fields.event,
                "ip" => &mut fields.ip,
                "ts" => &mut fields.ts,
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(Fault::Malformed("a key is there twice"));
            }
        }
        if rest.is_empty() { Ok(fields) } else { Err(Fault::Malformed("the payload goes on after its end")) }
    }

    fn list(&self) -> Result<List, Fault> {
        let wrong = Fault::Malformed("list is no array of addresses");
        let mut rest = self.list.ok_or(wrong)?;
        let length = read_array_len(&mut rest).map_err(|_| wrong)? as usize;
        if length > MOST_ADDRESSES {
            return Err(Fault::Oversized);
        }
        // The array was passed over, so it has as many values as it says.
        let addresses = (0..length).map(|_| address(&mut rest).ok_or(wrong)).collect::<Result<_, _>>()?;
        Ok(List {
            version: number(self.version).ok_or(Fault::Malformed("version is no number"))?,
            serial: self.serial()?,
            addresses,
            ts: self.ts()?,
        })
    }

    fn delta(&self) -> Result<Delta, Fault> {
        let change = match self.delta.and_then(|mut value| text(&mut value).ok()) {
            Some("positive") => Change::Added,
            Some("negative") => Change::Removed,
            _ => return Err(Fault::Malformed("delta is neither positive nor negative")),
        };
        Ok(Delta { serial: self.serial()?, change, ip: self.ip()?, ts: self.ts()? })
    }

    fn event(&self) -> Result<Event, Fault> {
        let name = self.event.and_then(|mut value| text(&mut value).ok());
        let name = name.ok_or(Fault::Malformed("event is no text"))?.parse()?;
        Ok(Event { name, ip: self.ip()?, ts: self.ts()? })
    }

    fn serial(&self) -> Result<u64, Fault> {
        number(self.serial).ok_or(Fault::Malformed("serial is no number"))
    }

    fn ip(&self) -> Result<IpAddr, Fault> {
        self.ip.and_then(|mut value| address(&mut value)).ok_or(Fault::Malformed("ip is no address"))
    }

    fn ts(&self) -> Result<u64, Fault> {
        number(self.ts).filter(|ts| *ts <= LATEST).ok_or(Fault::Malformed("ts is no time"))
    }
}

fn number(value: Option<&[u8]>) -> Option<u64> {
    read_int(&mut value?).ok()
}

fn address(rest: &mut &[u8]) -> Option<IpAddr> {
    text(rest).ok()?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Fault> {
    let length = read_str_len(rest).map_err(|_| CUT)?;
    std::str::from_utf8(take(rest, length)?).map_err(|_| CUT)
}

fn take<'a>(rest: &mut &'a [u8], length: u32) -> Result<&'a [u8], Fault> {
    let (taken, left) = rest.split_at_checked(length as usize).ok_or(CUT)?;
    *rest = left;
    Ok(taken)
}

/// Passes over one value, and gives the bytes that it takes.
fn skip<'a>(rest: &mut &'a [u8], deepest: u8) -> Result<&'a [u8], Fault> {
    let begin = *rest;
    let marker = read_marker(rest).map_err(|_| CUT)?;
    let (bytes, values) = match marker {
        Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => (0, 0),
        Marker::U8 | Marker::I8 => (1, 0),
        Marker::U16 | Marker::I16 => (2, 0),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
        Marker::FixStr(n) => (n.into(), 0),
        Marker::Str8 | Marker::Bin8 => (length(rest, 1)?, 0),
        Marker::Str16 | Marker::Bin16 => (length(rest, 2)?, 0),
        Marker::Str32 | Marker::Bin32 => (length(rest, 4)?, 0),
        Marker::FixArray(n) => (0, n.into()),
        Marker::Array16 => (0, length(rest, 2)?.into()),
        Marker::Array32 => (0, length(rest, 4)?.into()),
        Marker::FixMap(n) => (0, 2 * u64::from(n)),
        Marker::Map16 => (0, 2 * u64::from(length(rest, 2)?)),
        Marker::Map32 => (0, 2 * u64::from(length(rest, 4)?)),
        Marker::FixExt1 => (2, 0),
        Marker::FixExt2 => (3, 0),
        Marker::FixExt4 => (5, 0),
        Marker::FixExt8 => (9, 0),
        Marker::FixExt16 => (17, 0),
        Marker::Ext8 => (length(rest, 1)?.checked_add(1).ok_or(CUT)?, 0),
        Marker::Ext16 => (length(rest, 2)?.checked_add(1).ok_or(CUT)?, 0),
        Marker::Ext32 => (length(rest, 4)?.checked_add(1).ok_or(CUT)?, 0),
        Marker::Reserved => return Err(CUT),
    };
    take(rest, bytes)?;
    if values > 0 {
        let deeper = deepest.checked_sub(1).ok_or(Fault::Malformed("the payload is nested too deeply"))?;
        for _ in 0..values {
            skip(rest, deeper)?;
        }
    }
    Ok(&begin[..begin.len() - rest.len()])
}

/// A length of so many bytes, the highest first.
fn length(rest: &mut &[u8], bytes: u32) -> Result<u32, Fault> {
    Ok(take(rest, bytes)?.iter().fold(0, |length, byte| length << 8 | u32::from(*byte)))
}
