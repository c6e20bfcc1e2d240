//! Properties of any input.
#![allow(clippy::unwrap_used)] // a panic is the report of a failure, in what the tests share too

use std::io::Cursor;

use chrono::DateTime;
use proptest::prelude::*;
use sview_feed::{Ending, Format, Options, Reader, Summary};
use sview_model::{Action, Batch, Identity, Incident, Password, Port, Protocol, Trap};

fn open(bytes: Vec<u8>, format: Format) -> Option<Reader> {
    let now = "2026-03-15T12:34:56Z".parse().unwrap();
    Reader::open(Cursor::new(bytes), format, Options { now, geoip: None, ending: Ending::File }).ok()
}

/// Totals of all that a reader gives, and the reports themselves.
fn drain(reader: &mut Reader, max_rows: usize) -> (Summary, Batch) {
    let (mut summary, mut all) = (Summary::default(), Batch::default());
    while let Ok(Some(chunk)) = reader.next_batch(max_rows) {
        summary.add(&chunk);
        all.identities.extend(chunk.batch.identities);
        all.incidents.extend(chunk.batch.incidents);
        all.passwords.extend(chunk.batch.passwords);
        all.ports.extend(chunk.batch.ports);
    }
    (summary, all)
}

/// Pieces of which damaged files are made: more telling than random bytes alone.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "time,raw_count,username,password\n",
        "2026-03-15T12:00:00Z,1,root,admin\n",
        "2026-03-15T12:00:00Z,1,\"a\nb\",\"\"\"\"\r\n",
        "{\"time\":\"2026-03-15T12:00:00Z\",\"port\":23,\"protocol\":\"TCP\"}\n",
        "{\"eventid\":\"cowrie.session.connect\",\"session\":\"a\",\"protocol\":\"telnet\",\"src_ip\":\"192.0.2.1\",\
         \"sensor\":\"s\",\"timestamp\":\"2018-05-01T00:00:00Z\"}\n",
        "{\"eventid\":\"cowrie.login.failed\",\"session\":\"a\",\"username\":1,\"password\":\"\\ud800\"}\n",
        "\u{feff}",
        "\"",
        ",",
        "\n",
        "\r\n",
        "{",
        "}",
        "\\",
        "\0",
        "\x1f\u{8b}",
    ])
    .prop_map(|s: &str| s.as_bytes().to_vec());
    let piece = prop_oneof![4 => known, 1 => prop::collection::vec(any::<u8>(), 0..20)];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Texts as attackers type them.
fn hostile() -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        3 => any::<char>(),
        2 => prop::sample::select(vec!['"', ',', '\n', '\r', '\'', '{', '\u{202e}', ' ']),
    ];
    prop::collection::vec(characters, 0..12)
        .prop_map(|c| c.into_iter().map(|c| if c == '\0' { '␀' } else { c }).collect())
}

fn time() -> impl Strategy<Value = DateTime<chrono::Utc>> {
    (946_684_800_000_000i64..1_773_578_096_000_000).prop_map(|t| DateTime::from_timestamp_micros(t).unwrap())
}

fn batch() -> impl Strategy<Value = Batch> {
    let word = |n: usize| 0..n;
    let identity = || {
        ("[0-9A-F]{0,16}", "[a-z0-9]{64}").prop_map(|(sn, token)| Identity { sn, device_token: token.parse().unwrap() })
    };
    let incident = (
        (time(), 1..=i64::from(i32::MAX), identity(), word(Trap::ALL.len()), word(Action::ALL.len())),
        (any::<std::net::IpAddr>(), prop::option::of("[A-W][A-Z]")),
    )
        .prop_map(|((time, raw_count, identity, trap, action), (ip, country))| Incident {
            time,
            raw_count,
            identity,
            trap: Trap::ALL[trap],
            action: Action::ALL[action],
            ip: ip.to_canonical(),
            country: country.map(|c| c.parse().unwrap()),
        });
    let password = (time(), 1..100i64, hostile(), hostile())
        .prop_map(|(time, raw_count, username, password)| Password { time, raw_count, username, password });
    let port = (time(), 1..100i64, any::<u16>(), word(Protocol::ALL.len()))
        .prop_map(|(time, raw_count, port, p)| Port { time, raw_count, port, protocol: Protocol::ALL[p] });
    let some = 0..6;
    (
        prop::collection::vec(identity(), some.clone()),
        prop::collection::vec(incident, some.clone()),
        prop::collection::vec(password, some.clone()),
        prop::collection::vec(port, some),
    )
        .prop_map(|(identities, incidents, passwords, ports)| Batch { identities, incidents, passwords, ports })
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

fn read_back(bytes: Vec<u8>) -> Batch {
    let (summary, batch) = drain(&mut open(bytes, Format::Auto).unwrap(), 4);
    assert_eq!(summary.rejected, 0, "{summary}");
    batch
}

proptest! {
    #[test]
    fn no_bytes_upset_a_reader(bytes in pieces(), format in 0..4usize, max_rows in 1..5usize) {
        let format = Format::ALL[format];
        if let Some(mut reader) = open(bytes.clone(), format) {
            let (summary, _) = drain(&mut reader, max_rows);
            let told = summary.accepted + summary.rejected + summary.ignored;
            if reader.format() == Format::Csv {
                prop_assert!(told <= reader.lines_read());
            } else {
                prop_assert_eq!(told, reader.lines_read());
            }
            if bytes.first() != Some(&0x1f) {
                let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
                let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
                let count = match lines.split_last() {
                    // No line feed after the first line: if there is a CR in it, that ends its lines.
                    Some((last, blank)) if blank.iter().all(|line| line.trim_ascii().is_empty()) && !last.ends_with(b"\n") => {
                        let ends = last.windows(2).any(|pair| pair[0] == b'\r');
                        blank.len() + if ends { last.split_inclusive(|b| *b == b'\r').count() } else { 1 }
                    }
                    _ => lines.len(),
                };
                prop_assert_eq!(reader.lines_read(), count as u64);
            }
        }
    }

    #[test]
    fn what_is_written_as_csv_reads_back_equal(batch in batch()) {
        let identities = table(&["sn", "device_token"], batch.identities.iter().map(|i| {
            vec![i.sn.clone(), i.device_token.as_str().to_owned()]
        }));
        let incidents = table(
            &["time", "raw_count", "device_token", "sn", "trap", "action", "ip", "country"],
            batch.incidents.iter().map(|i| vec![
                i.time.to_rfc3339(), i.raw_count.to_string(), i.identity.device_token.as_str().to_owned(), i.identity.sn.clone(),
                i.trap.to_string(), i.action.to_string(), i.ip.to_string(),
                i.country.map(|c| c.to_string()).unwrap_or_default(),
            ]),
        );
        let passwords = table(&["time", "raw_count", "username", "password"], batch.passwords.iter().map(|p| {
            vec![p.time.to_rfc3339(), p.raw_count.to_string(), p.username.clone(), p.password.clone()]
        }));
        let ports = table(&["time", "raw_count", "port", "protocol"], batch.ports.iter().map(|p| {
            vec![p.time.to_rfc3339(), p.raw_count.to_string(), p.port.to_string(), p.protocol.to_string()]
        }));
        prop_assert_eq!(read_back(identities).identities, batch.identities);
        prop_assert_eq!(read_back(incidents).incidents, batch.incidents);
        prop_assert_eq!(read_back(passwords).passwords, batch.passwords);
        prop_assert_eq!(read_back(ports).ports, batch.ports);
    }
}
