//! The parser of messages, on what is right and on anything else.
//!
//! Properties are tried on 2,000 cases; `SVIEW_LONG=1` tries a million.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::Index;
use sview_dynfw::{Change, Delta, Event, Fault, LARGEST_PART, List, MOST_ADDRESSES, Message};

fn cases() -> ProptestConfig {
    let cases = if std::env::var_os("SVIEW_LONG").is_some() { 1_000_000 } else { 2_000 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into()).to_canonical()),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    0..=253_402_300_799_u64
}

fn message() -> impl Strategy<Value = Message> {
    let change = prop_oneof![Just(Change::Added), Just(Change::Removed)];
    prop_oneof![
        (any::<u64>(), any::<u64>(), proptest::collection::vec(address(), 0..40), time())
            .prop_map(|(version, serial, addresses, ts)| Message::List(List { version, serial, addresses, ts })),
        (any::<u64>(), change, address(), time()).prop_map(|(serial, change, ip, ts)| Message::Delta(Delta {
            serial,
            change,
            ip,
            ts
        })),
        ("[a-z0-9_]{1,64}", address(), time()).prop_map(|(name, ip, ts)| Message::Event(Event {
            name: name.parse().unwrap(),
            ip,
            ts
        })),
    ]
}

fn parse(topic: &str, payload: &[u8]) -> Result<Message, Fault> {
    Message::parse([topic.as_bytes(), payload])
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_sent_is_what_is_read(message in message()) {
        prop_assert_eq!(parse(message.topic(), &message.payload()), Ok(message));
    }

    /// A damaged message is refused, or is another whole message. The parser never panics and never runs away.
    #[test]
    fn damage_does_no_harm(message in message(), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut payload = message.payload();
        let at = at.index(payload.len());
        if cut {
            payload.truncate(at);
            prop_assert!(matches!(parse(message.topic(), &payload), Err(Fault::Malformed(_))));
        } else {
            payload[at] = byte;
            if let Ok(read) = parse(message.topic(), &payload) {
                prop_assert_eq!(parse(read.topic(), &read.payload()), Ok(read.clone()));
            }
        }
    }

    #[test]
    fn anything_at_all_does_no_harm(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4),
        topic in prop_oneof![Just("dynfw/list"), Just("dynfw/delta"), Just("dynfw/event")],
    ) {
        let read = Message::parse(parts.iter().map(Vec::as_slice));
        prop_assert!(read.is_err());
        let payload = parts.first().map(Vec::as_slice).unwrap_or_default();
        if let Ok(read) = parse(topic, payload) {
            prop_assert_eq!(parse(read.topic(), &read.payload()), Ok(read.clone()));
        }
    }
}

/// MessagePack by hand, so that what is wrong can be written.
fn map(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x80 | pairs.len() as u8];
    for (key, value) in pairs {
        bytes.extend(text(key));
        bytes.extend_from_slice(value);
    }
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&[0xd9, text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn what_clients_of_the_original_send_is_read() {
    let ip = text("::ffff:192.0.2.1");
    let delta = map(&[("serial", &[5]), ("delta", &text("negative")), ("ip", &ip), ("ts", &[0xcd, 1, 0])]);
    let expected = Delta { serial: 5, change: Change::Removed, ip: [192, 0, 2, 1].into(), ts: 256 };
    assert_eq!(parse("dynfw/delta", &delta), Ok(Message::Delta(expected)));
    let more = map(&[
        ("extra", &[0x92, 0xc0, 0x81, 0xa1, b'k', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("serial", &[0xcf, 0, 0, 0, 0, 0, 0, 0, 5]),
        ("delta", &text("negative")),
        ("ip", &ip),
        ("ts", &[0xd2, 0, 0, 1, 0]),
    ]);
    assert_eq!(parse("dynfw/delta", &more), Ok(Message::Delta(expected)), "keys of tomorrow are passed over");
}

#[test]
fn what_is_wrong_is_told_apart() {
    let ip = text("192.0.2.1");
    let event = |name: &str, ip: &[u8], ts: &[u8]| map(&[("event", &text(name)), ("ip", ip), ("ts", ts)]);
    let good = event("telnet_login", &ip, &[1]);
    assert!(parse("dynfw/event", &good).is_ok());
    let malformed = [
        event("", &ip, &[1]),
        event("Telnet", &ip, &[1]),
        event("<script>", &ip, &[1]),
        event(&"x".repeat(65), &ip, &[1]),
        event("x", &text("192.0.2.1/24"), &[1]),
        event("x", &text(" 192.0.2.1"), &[1]),
        event("x", &[0xc4, 1, b'1'], &[1]),
        event("x", &ip, &[0xff]),
        event("x", &ip, &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0]),
        event(
            "x",
            &ip,
            &u64::MAX.to_be_bytes().iter().fold(vec![0xcf], |mut v, b| {
                v.push(*b);
                v
            }),
        ),
        map(&[("event", &text("x")), ("ip", &ip)]),
        map(&[("event", &text("x")), ("ip", &ip), ("ts", &[1]), ("ts", &[1])]),
        vec![0x81, 1, 1],
        vec![0x93, 1, 2, 3],
        [&good[..], &[0]].concat(),
        [&[0x84], &good[1..], &text("deep"), &[0x91; 5000], &[0xc0]].concat(),
        [&[0xdf, 0xff, 0xff, 0xff, 0xff], &good[1..]].concat(),
    ];
    for payload in malformed {
        assert!(matches!(parse("dynfw/event", &payload), Err(Fault::Malformed(_))), "{payload:?}");
    }
    for topic in ["dynfw/other", "dynfw", "x", "dynfw/event/more"] {
        assert_eq!(parse(topic, &good), Err(Fault::UnknownTopic), "{topic}");
    }
    for topic in ["", "dynfw/", "/", "dynfw//event", "DynFW/event", "dynfw/event\n"] {
        assert!(matches!(parse(topic, &good), Err(Fault::Malformed(_))), "{topic}");
    }
    assert_eq!(parse("dynfw/event", &vec![0x80; LARGEST_PART + 1]), Err(Fault::Oversized));
    assert!(matches!(Message::parse([&b"dynfw/event"[..], &good, &good]), Err(Fault::Malformed(_))));
    assert!(matches!(Message::parse([&b"dynfw/event"[..]]), Err(Fault::Malformed(_))));
    assert!(matches!(Message::parse([]), Err(Fault::Malformed(_))));
}

#[test]
fn a_list_has_a_limit() {
    let list = |n: usize| {
        let addresses = (0..n as u32).map(|i| IpAddr::V4((0x0a00_0000 + i).into())).collect();
        Message::List(List { version: 1, serial: 1, addresses, ts: 1 }).payload()
    };
    assert!(parse("dynfw/list", &list(MOST_ADDRESSES)).is_ok());
    assert_eq!(parse("dynfw/list", &list(MOST_ADDRESSES + 1)), Err(Fault::Oversized));
    let claims = map(&[("list", &[0xdd, 0xff, 0xff, 0xff, 0xff]), ("version", &[1]), ("serial", &[1]), ("ts", &[1])]);
    assert!(matches!(parse("dynfw/list", &claims), Err(Fault::Malformed(_))));
}
