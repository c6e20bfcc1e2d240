//! What viewers are told, in the JSON of the original's back end.

use std::net::IpAddr;

use axum::body::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sview_dynfw::{Delta, Event, FollowedList};
use sview_model::CountryCode;

/// A message: one text frame.
#[derive(Serialize)]
struct Told<P> {
    msgtype: &'static str,
    payload: P,
}

#[derive(Serialize)]
struct Info<'a> {
    msg: &'a str,
    /// Whether the publisher is connected; ours, where the original has nothing.
    publisher: bool,
    /// Since when it is, or is not, in RFC 3339; null before that is known. Ours as well.
    since: Option<String>,
}

#[derive(Serialize)]
struct List {
    version: u64,
    serial: u64,
    list: Vec<IpAddr>,
    ts: u64,
}

#[derive(Serialize)]
struct Changed {
    serial: u64,
    delta: &'static str,
    ip: IpAddr,
    ts: u64,
}

#[derive(Serialize)]
struct Happened<'a> {
    event: &'a str,
    ip: IpAddr,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<String>,
}

fn bytes<P: Serialize>(msgtype: &'static str, payload: P) -> Bytes {
    // Structs of strings, numbers and addresses are always JSON.
    serde_json::to_vec(&Told { msgtype, payload }).unwrap_or_default().into()
}

/// Something about the connection.
pub(super) fn info(msg: &str, publisher: bool, since: Option<DateTime<Utc>>) -> Bytes {
    let since = since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
    bytes("info", Info { msg, publisher, since })
}

/// The whole list.
pub(super) fn list(list: &FollowedList) -> Bytes {
    let addresses = list.addresses.iter().copied().collect();
    bytes("dynfw list", List { version: list.version, serial: list.serial, list: addresses, ts: list.ts })
}

/// A change of the list.
pub(super) fn delta(delta: &Delta) -> Bytes {
    let changed = Changed { serial: delta.serial, delta: delta.change.as_str(), ip: delta.ip, ts: delta.ts };
    bytes("dynfw delta", changed)
}

/// What an address did, and where that is.
pub(super) fn event(event: &Event, geo: Option<CountryCode>) -> Bytes {
    let geo = geo.map(|code| code.to_string());
    bytes("dynfw event", Happened { event: event.name.as_str(), ip: event.ip, ts: event.ts, geo })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_script_can_read_it() {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let ip = "192.0.2.1".parse().unwrap();
        let told = event(&Event { name: "telnet_login".parse().unwrap(), ip, ts: 5 }, "CZ".parse().ok());
        let expected =
            r#"{"msgtype":"dynfw event","payload":{"event":"telnet_login","ip":"192.0.2.1","ts":5,"geo":"CZ"}}"#;
        assert_eq!(text(told), expected);
        let told = list(&FollowedList { version: 3, serial: 2, ts: 1, addresses: [ip].into() });
        let expected = r#"{"msgtype":"dynfw list","payload":{"version":3,"serial":2,"list":["192.0.2.1"],"ts":1}}"#;
        assert_eq!(text(told), expected);
        assert!(text(info("Connected", true, None)).starts_with(r#"{"msgtype":"info","payload":{"msg":"Connected""#));
    }
}
