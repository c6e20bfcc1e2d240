//! The messages to viewers, in the JSON of the original's back end.

use std::net::IpAddr;

use axum::body::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sview_dynfw::{Delta, Event, FollowedList};
use sview_model::CountryCode;
use utoipa::ToSchema;

/// A message: one text frame. Times are seconds since 1970.
#[derive(Serialize, ToSchema)]
#[serde(tag = "msgtype", content = "payload")]
pub(crate) enum LiveMessage<'a> {
    /// Something about the connection to the publisher.
    #[serde(rename = "info")]
    Info {
        msg: &'a str,
        /// Whether the publisher is connected; ours, where the original has nothing.
        publisher: bool,
        /// Since when it is, or is not, in RFC 3339; null before that is known. Ours as well.
        since: Option<String>,
    },
    /// The whole list, which takes the place of what was known.
    #[serde(rename = "dynfw list")]
    List {
        version: u64,
        serial: u64,
        #[schema(value_type = Vec<String>)]
        list: Vec<IpAddr>,
        ts: u64,
    },
    /// An address was added to the list (positive) or removed (negative).
    #[serde(rename = "dynfw delta")]
    Delta {
        serial: u64,
        delta: &'static str,
        #[schema(value_type = String)]
        ip: IpAddr,
        ts: u64,
    },
    /// An address did something.
    #[serde(rename = "dynfw event")]
    Event {
        event: &'a str,
        #[schema(value_type = String)]
        ip: IpAddr,
        ts: u64,
        /// Its country, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        geo: Option<String>,
    },
}

impl LiveMessage<'_> {
    fn bytes(&self) -> Bytes {
        // Strings, numbers and addresses are always JSON.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// Something about the connection.
pub(super) fn info(msg: &str, publisher: bool, since: Option<DateTime<Utc>>) -> Bytes {
    let since = since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
    LiveMessage::Info { msg, publisher, since }.bytes()
}

/// The whole list.
pub(super) fn list(list: &FollowedList) -> Bytes {
    let addresses = list.addresses.iter().copied().collect();
    LiveMessage::List { version: list.version, serial: list.serial, list: addresses, ts: list.ts }.bytes()
}

/// A change of the list.
pub(super) fn delta(delta: &Delta) -> Bytes {
    LiveMessage::Delta { serial: delta.serial, delta: delta.change.as_str(), ip: delta.ip, ts: delta.ts }.bytes()
}

/// An incident event: an address, its action, and its country.
pub(super) fn event(event: &Event, geo: Option<CountryCode>) -> Bytes {
    let geo = geo.map(|code| code.to_string());
    LiveMessage::Event { event: event.name.as_str(), ip: event.ip, ts: event.ts, geo }.bytes()
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
