//! Reading as its callers see it: formats, rejects, chunks, broken sources.
#![allow(clippy::unwrap_used)] // a panic is the report of a failure, in what the tests share too

use std::collections::VecDeque;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use flate2::{Compression, write::GzEncoder};
use sview_feed::{Chunk, Ending, FeedError, Format, MAX_LINE, Notes, Options, Reader, Summary};
use sview_model::{Action, MAX_TEXT, Trap, hex};

fn options() -> Options {
    Options { now: "2026-03-15T12:34:56Z".parse().unwrap(), geoip: None, ending: Ending::File }
}

fn open(bytes: impl Into<Vec<u8>>, format: Format) -> Result<Reader, FeedError> {
    Reader::open(Cursor::new(bytes.into()), format, options())
}

/// Everything in one chunk.
fn read(bytes: impl Into<Vec<u8>>) -> Chunk {
    open(bytes, Format::Auto).unwrap().next_batch(usize::MAX).unwrap().unwrap_or_default()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn rejects(chunk: &Chunk) -> Vec<(u64, &str)> {
    chunk.rejects.iter().map(|r| (r.line, r.reason.as_str())).collect()
}

const PASSWORDS: &str = "time,raw_count,username,password\n";

fn token() -> String {
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqr"[..64].to_owned()
}

#[test]
fn csv_of_every_kind() {
    let token = token();
    let chunk = read(format!("sn,device_token\n00000001,{token}\n"));
    assert_eq!(chunk.batch.identities[0].sn, "00000001");

    let chunk = read(format!(
        "\u{feff}ip,time,device_token,action,trap,sn\r\n::ffff:192.0.2.1,2026-03-15T14:00:00+02:00,{token},login,haas,7\r\n"
    ));
    let incident = &chunk.batch.incidents[0];
    assert_eq!((incident.trap, incident.action, incident.raw_count), (Trap::Haas, Action::Login, 1));
    assert_eq!((incident.ip.to_string(), incident.identity.sn.as_str()), ("192.0.2.1".to_owned(), "7"));
    assert_eq!(incident.time.to_rfc3339(), "2026-03-15T12:00:00+00:00");

    let chunk = read(format!("{PASSWORDS}2026-03-15T12:00:00Z,3,\"a,\"\"b\",\"x\r\ny\"\n"));
    let password = &chunk.batch.passwords[0];
    assert_eq!((password.username.as_str(), password.password.as_str()), ("a,\"b", "x\r\ny"));

    let chunk = read("time,port,protocol\n2026-03-15T12:00:00Z,65535,other");
    assert_eq!((chunk.batch.ports[0].port, chunk.accepted, chunk.lines_read), (65535, 1, 2));
}

#[test]
fn ndjson_kinds_may_be_mixed() {
    let token = token();
    let chunk = read(format!(
        "{{\"time\":\"2026-03-15T12:00:00Z\",\"port\":23,\"protocol\":\"TCP\"}}\n\
         {{\"kind\":\"passwords\",\"time\":\"2026-03-15T12:00:00Z\",\"raw_count\":2,\"username\":\"r\\u0000t\",\"password\":\"\\n\"}}\r\n\
         \n\
         {{\"device_token\":\"{token}\",\"sn\":null}}\n\
         {{\"kind\":\"ports\",\"time\":\"2026-03-15T12:00:00Z\",\"username\":\"x\",\"port\":1,\"protocol\":\"TCP\"}}\n\
         {{\"port\":23,\"<b>\":[1]}}\n\
         {{\"port\":23,\"port\":24}}\n\
         {{\"time\":\"2026-03-15T12:00:00Z\",\"port\":{{}},\"protocol\":\"TCP\"}}\n\
         [1]\n\
         {{}}\n\
         {{\"kind\":\"cats\"}}\n\
         {{\"username\":\"x\"}}\n"
    ));
    assert_eq!((chunk.batch.ports.len(), chunk.batch.passwords.len(), chunk.batch.identities.len()), (1, 1, 1));
    assert_eq!(chunk.batch.passwords[0].username, "r␀t");
    assert_eq!((chunk.accepted, chunk.ignored, chunk.lines_read), (3, 1, 12));
    let json = "expected a JSON object of plain values, as {\"time\":\"2026-03-15T12:34:56Z\",…}";
    assert_eq!(
        rejects(&chunk),
        [
            (5, "field username does not belong to ports"),
            (6, "field \"<b>\" is not one of a report's"),
            (7, "field port is there twice"),
            (8, json),
            (9, json),
            (10, "cannot tell the kind of report: expected the fields of identity, incidents, passwords or ports"),
            (11, "kind must be one of identity, incidents, passwords, ports"),
            (12, "time is missing"),
        ]
    );
}

#[test]
fn a_bad_line_is_told_and_the_rest_is_read() {
    let mut bytes = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,a,\"two\nlines\"\n").into_bytes();
    bytes.extend(b"2026-03-15T12:00:00Z,1,\xff,b\n"); // 4
    bytes.extend(b"yesterday,1,a,b\n"); // 5
    bytes.extend(b"2027-03-15T12:00:00Z,1,a,b\n"); // 6
    bytes.extend(b"2026-03-15T12:00:00Z,0,a,b\n"); // 7
    bytes.extend(b"2026-03-15T12:00:00Z,1,a\n"); // 8
    bytes.extend(b"2026-03-15T12:00:00Z,1,a,\"b\"c\n"); // 9
    bytes.extend(b"2026-03-15T12:00:00Z,1,a,"); // 10
    bytes.extend(vec![b'x'; 3 * MAX_LINE]);
    bytes.extend(b"\n2026-03-15T12:00:00Z,1,good,\n"); // 11
    let chunk = read(bytes);
    assert_eq!(
        rejects(&chunk),
        [
            (4, "the line is not valid UTF-8"),
            (
                5,
                "time must be like 2026-03-15T12:34:56Z or 2026-03-15 12:34:56+00, or the seconds, milli-, micro- or nanoseconds since 1970"
            ),
            (6, "time must lie between 2000-01-01 and a day from now"),
            (7, "raw_count must be a whole number from 1 to 2147483647"),
            (8, "expected 4 fields, not 3"),
            (9, "after a closing quote, a comma or the end of the line is expected"),
            (10, "the line is longer than 1048576 bytes"),
        ]
    );
    assert_eq!(chunk.rejects[1].text, b"yesterday,1,a,b");
    assert_eq!(chunk.rejects[6].text.len(), sview_feed::MAX_REJECT_TEXT);
    assert_eq!((chunk.accepted, chunk.lines_read), (2, 11));
    assert_eq!(chunk.batch.passwords[1].username, "good");
}

#[test]
fn a_quote_that_never_closes_costs_one_line() {
    let mut text = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,a,\"open\n");
    for _ in 0..40_000 {
        text.push_str("2026-03-15T12:00:00Z,1,root,admin\n"); // more than MAX_LINE of them
    }
    let chunk = read(text);
    assert_eq!(rejects(&chunk), [(2, "a quote opens and does not close")]);
    assert_eq!(chunk.batch.passwords.len(), 40_000);

    let quoted_later = format!(
        "{PASSWORDS}2026-03-15T12:00:00Z,1,a,\"open\n2026-03-15T12:00:00Z,1,root,\"quoted\"\n2026-03-15T12:00:00Z,1,x,y\n"
    );
    let chunk = read(quoted_later);
    assert_eq!(rejects(&chunk), [(2, "after a closing quote, a comma or the end of the line is expected")]);
    assert_eq!(chunk.batch.passwords.len(), 2);
}

#[test]
fn a_quote_that_closes_far_away_costs_its_line() {
    let row = "2026-03-15T12:00:00Z,1,root,admin\n";
    let evil = "2026-03-15T12:00:00Z,1,\"x,admin\n";
    // The quote is closed by one of another user name, too soon and too late for the number of fields.
    for (closing, accepted) in
        [("2026-03-15T12:00:00Z,1,y\",a,b,c\n", 1000), ("2026-03-15T12:00:00Z,1,root,y\"\n", 1001)]
    {
        let chunk = read(format!("{PASSWORDS}{evil}{}{closing}{row}", row.repeat(999)));
        assert_eq!(chunk.rejects[0].line, 2);
        assert_eq!(chunk.rejects[0].text, evil.trim_end().as_bytes());
        assert_eq!((chunk.batch.passwords.len(), chunk.lines_read), (accepted, 1003), "{closing}");
    }
}

#[test]
fn a_password_cannot_forge_a_report() {
    // The record is at fault (its time), but it is CSV: the line inside its quotes is no record of its own.
    let chunk = read(format!(
        "{PASSWORDS}1999-01-01T00:00:00Z,1,a,\"\n2026-03-15T12:00:00Z,1000,evil,evil\n\"\n2026-03-15T12:00:00Z,1,b,c\n"
    ));
    assert_eq!(chunk.rejects.len(), 1);
    assert_eq!(chunk.batch.passwords.len(), 1);
    assert_eq!(chunk.batch.passwords[0].username, "b");
}

#[test]
fn an_unknown_column_is_named() {
    let error = open("time,port,protocol,colour\n", Format::Auto).err().unwrap().to_string();
    assert!(error.starts_with("line 1: unknown column \"colour\""), "{error}");
    let error = open("\n\nnothing of the sort\n", Format::Auto).err().unwrap().to_string();
    assert!(error.starts_with("line 3: "), "{error}");
}

#[test]
fn an_empty_source_has_no_reports() {
    for format in Format::ALL {
        assert_eq!(open("", *format).unwrap().next_batch(10).unwrap(), None);
        let blank = open("\n \r\n", *format).unwrap().next_batch(10).unwrap().unwrap();
        assert_eq!((blank.ignored, blank.lines_read), (2, 2));
    }
}

#[test]
fn gzip_of_one_or_more_members() {
    let first = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,a,b\n2026-03-15T12:0");
    let bytes = [gzip(first.as_bytes()), gzip(b"0:00Z,1,c,d\n")].concat();
    let length = bytes.len() as u64;
    let chunk = read(bytes);
    assert_eq!((chunk.batch.passwords.len(), chunk.bytes_read), (2, length));
}

#[test]
fn a_truncated_gzip_file_gives_what_it_has_and_then_an_error() {
    let mut text = PASSWORDS.to_owned();
    for i in 0..20_000 {
        text.push_str(&format!("2026-03-15T12:00:00Z,1,user{i},password{}\n", i * 7919 % 10_007));
    }
    let whole = gzip(text.as_bytes());
    let mut reader = open(&whole[..whole.len() / 2], Format::Auto).unwrap();
    let mut rows = 0;
    let error = loop {
        match reader.next_batch(1000) {
            Ok(Some(chunk)) => {
                assert_eq!(chunk.rejects, [], "half a line is no line");
                rows += chunk.batch.passwords.len();
            }
            Ok(None) => panic!("a truncated file has no good end"),
            Err(e) => break e,
        }
    };
    assert!(rows > 1000, "{rows}");
    assert_eq!(reader.lines_read(), rows as u64 + 1);
    let said = error.to_string();
    assert!(said.contains(&format!("after line {}", rows + 1)) && said.contains("is kept"), "{said}");
    assert!(reader.next_batch(1000).is_err(), "an error stays one");
}

/// One byte at a time, as a slow pipe may give them.
struct Drip<R>(R);

impl<R: Read> Read for Drip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(1);
        self.0.read(&mut into[..length])
    }
}

#[test]
fn a_slow_pipe_reads_alike() {
    let text = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,a,\"b\nc\"\n2026-03-15T12:00:00Z,x,a,b\n");
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let mut reader = Reader::open(Drip(Cursor::new(bytes)), Format::Auto, options()).unwrap();
        let chunk = reader.next_batch(10).unwrap().unwrap();
        assert_eq!((chunk.accepted, chunk.rejects.len(), chunk.lines_read), (1, 1, 4));
    }
}

/// A pipe whose writer is the test. A reader that waits for it fails the test.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<VecDeque<u8>>>);

impl Pipe {
    fn write(&self, text: &str) {
        self.0.lock().unwrap().extend(text.bytes());
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap();
        assert!(!bytes.is_empty(), "it waits for the pipe");
        bytes.read(into)
    }
}

#[test]
fn what_a_pipe_gave_waits_for_nothing() {
    let row = |port: u16| format!("2026-03-15T12:00:00Z,{port},TCP\n");
    let pipe = Pipe::default();
    pipe.write(&format!("time,port,protocol\n{}", row(1)));
    let mut reader = Reader::open(pipe.clone(), Format::Auto, options()).unwrap();
    let mut next = || {
        let chunk = reader.next_available(10).unwrap().unwrap();
        (chunk.batch.ports.iter().map(|p| p.port).collect::<Vec<_>>(), chunk.rejects.len())
    };
    assert_eq!(next(), (vec![1], 0));
    // Neither a record that is open nor a line without an end keeps it back.
    pipe.write(&format!("{}2026-03-15T12:00:00Z,\"3\n", row(2)));
    assert_eq!(next(), (vec![2], 0));
    pipe.write(&format!("\",TCP\n{}{}", row(4), "x".repeat(2 * MAX_LINE)));
    assert_eq!(next(), (vec![4], 1));
    pipe.write(&format!("\n{}", row(5)));
    assert_eq!(next(), (vec![5], 1));
}

/// A source that breaks off, as one does that a signal stops.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("stopped"))
    }
}

#[test]
fn a_pipe_that_breaks_off_within_quotes_gives_the_lines_it_has() {
    let row = "2026-03-15T12:00:00Z,1,root,admin\n";
    let text = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,\"x,admin\n{row}{row}2026-03-15T12:00:00Z,1,root,adm");
    for (ending, expected) in [(Ending::Pipe, (2, 1)), (Ending::File, (0, 0))] {
        let source = Cursor::new(text.clone()).chain(Broken);
        let mut reader = Reader::open(source, Format::Auto, Options { ending, ..options() }).unwrap();
        let (mut rows, mut rejects) = (0, 0);
        let error = loop {
            match reader.next_available(10) {
                Ok(Some(chunk)) => {
                    rows += chunk.batch.passwords.len();
                    rejects += chunk.rejects.len();
                }
                Ok(None) => panic!("it has no good end"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("stopped"), "{error}");
        assert_eq!((rows, rejects), expected, "a file is read again, from the quote on");
    }
}

fn cowrie_fixture() -> &'static [u8] {
    include_bytes!("fixtures/cowrie.ndjson")
}

#[test]
fn cowrie_events_become_incidents_and_passwords() {
    let mut reader = open(cowrie_fixture(), Format::Auto).unwrap();
    assert_eq!(reader.format(), Format::Cowrie);
    let chunk = reader.next_batch(1000).unwrap().unwrap();
    let incidents: Vec<_> = chunk.batch.incidents.iter().map(|i| (i.trap, i.action)).collect();
    assert_eq!(
        incidents,
        [
            (Trap::Haas, Action::Connect),
            (Trap::Telnet, Action::Connect),
            (Trap::Telnet, Action::Login),
            (Trap::Haas, Action::Login),
            (Trap::Haas, Action::Message),
            (Trap::Telnet, Action::Login),
            (Trap::Haas, Action::Login),
            (Trap::Haas, Action::Login),
            (Trap::Haas, Action::Login),
        ]
    );
    let passwords: Vec<_> = chunk.batch.passwords.iter().map(|p| (p.username.as_str(), p.password.as_str())).collect();
    let expected =
        [("root", "xc3511"), ("root", "123456"), ("1", "true"), ("admin", "␀<script>alert(1)</script>"), ("late", "")];
    assert_eq!(passwords, expected);
    let identity = &chunk.batch.incidents[0].identity;
    assert_eq!(identity.sn, "made-up-sensor-ž");
    assert_eq!(
        identity.device_token.as_str(),
        hex(&<sha2::Sha256 as sha2::Digest>::digest("made-up-sensor-žluť".as_bytes()))
    );
    assert_eq!(chunk.batch.incidents[4].ip.to_string(), "192.0.2.1", "the session's, for the line has none");
    assert_eq!((chunk.accepted, chunk.ignored), (9, 3));
    let reasons: Vec<_> = rejects(&chunk);
    assert_eq!(reasons[0], (13, "protocol of the session must be ssh or telnet"));
    assert_eq!(reasons[1].0, 14);
    assert_eq!(reasons[2], (15, "eventid is missing"));
    assert_eq!(reasons.len(), 3);
}

/// A line of Cowrie's log: an event of one session, with these fields besides.
fn event(name: &str, rest: &str) -> String {
    format!(
        r#"{{"eventid":"{name}","src_ip":"192.0.2.1","session":"s","sensor":"x","timestamp":"2026-03-15T12:00:00Z"{rest}}}"#
    )
}

#[test]
fn no_credential_hides_its_incident() {
    let (long, endless) = ("p".repeat(MAX_TEXT + 1), r"\u0001".repeat(2 * MAX_LINE));
    let credentials = [
        (r#""root""#.to_owned(), format!("\"{long}\"")),
        (format!("\"{long}\""), r#""admin""#.to_owned()),
        (format!("\"{endless}\""), format!("\"{endless}\"")),
        (r#""a\ud800""#.to_owned(), r#""\udc00b""#.to_owned()),
        (r#""\u0000""#.to_owned(), "1".repeat(400)),
        ("1e999".to_owned(), r#""\ud83d\ude00""#.to_owned()),
    ];
    let mut log = vec![event("cowrie.session.connect", r#","protocol":"telnet""#)];
    for (username, password) in &credentials {
        log.push(event(
            "cowrie.login.failed",
            &format!(r#","username":{username},"message":{password},"password":{password}"#),
        ));
    }
    log.push(event("cowrie.command.input", &format!(r#","input":"{endless}""#)));
    let mut log = log.join("\n").into_bytes();
    log.extend(b"\n{\"eventid\":\"cowrie.login.failed\",\"src_ip\":\"192.0.2.1\",\"session\":\"s\",\"sensor\":\"x\",");
    log.extend(b"\"timestamp\":\"2026-03-15T12:00:00Z\",\"username\":\"\xff\",\"password\":\"\xed\xa0\x80\"}\n");
    let chunk = read(log);
    assert_eq!(rejects(&chunk), []);
    assert_eq!((chunk.batch.incidents.len(), chunk.accepted, chunk.lines_read), (9, 9, 9));
    assert!(chunk.batch.incidents.iter().all(|i| i.trap == Trap::Telnet));
    assert_eq!(chunk.notes, Notes { long_credentials: 3, ..Notes::default() });
    let passwords: Vec<_> = chunk.batch.passwords.iter().map(|p| (p.username.as_str(), p.password.as_str())).collect();
    let ones = "1".repeat(400);
    let expected =
        [("a\u{fffd}", "\u{fffd}b"), ("␀", &ones), ("1e999", "😀"), ("\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}")];
    assert_eq!(passwords, expected);
    let mut summary = Summary::default();
    summary.add(&chunk);
    let told = summary.to_string();
    assert!(told.contains("3 log-ins counted without credentials: longer than 65,536 bytes"), "{told}");
}

#[test]
fn a_long_event_that_is_still_written_is_read_again() {
    let whole = event("cowrie.login.failed", &format!(r#","username":"a","password":"{}""#, "p".repeat(2 * MAX_LINE)));
    for (length, done) in [(whole.len() - 1, 0), (whole.len(), 1)] {
        let mut reader = open(&whole[..length], Format::Cowrie).unwrap();
        let chunk = reader.next_batch(10).unwrap().unwrap();
        assert_eq!((chunk.batch.incidents.len() as u64, reader.lines_read(), reader.lines_done()), (done, 1, done));
    }
}

#[test]
fn times_without_a_zone_are_utc_and_told() {
    let csv = format!("{PASSWORDS}2026-03-15 12:00:00+00,1,a,b\n2026-03-15 12:00:00,1,a,b\n1773576000,1,a,b\n");
    let json = "{\"time\":1773576000000,\"username\":\"a\",\"password\":\"b\"}\n\
                {\"time\":1773576000.0,\"username\":\"a\",\"password\":\"b\"}\n\
                {\"time\":\"2026-03-15T12:00:00.000000\",\"raw_count\":1.0,\"username\":\"a\",\"password\":\"b\"}\n\
                {\"time\":\"2026-03-15 12:00:00\",\"raw_count\":0,\"username\":\"a\",\"password\":\"b\"}\n";
    for (text, rejected) in [(csv, 0), (json.to_owned(), 1)] {
        let chunk = read(text);
        assert_eq!((chunk.batch.passwords.len(), chunk.rejects.len()), (3, rejected));
        let noon = "2026-03-15T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert!(chunk.batch.passwords.iter().all(|p| p.time == noon), "{:?}", chunk.batch.passwords);
        assert_eq!(chunk.notes.times_without_zone, 1, "of lines that were accepted");
    }
    let log = event("cowrie.session.connect", r#","protocol":"ssh""#).replace("00Z", "00");
    let chunk = read(log);
    assert_eq!((chunk.batch.incidents.len(), chunk.notes.times_without_zone), (1, 1));
}

#[test]
fn an_unknown_country_is_none() {
    let line = |country: &str| format!("2026-03-15T12:00:00Z,{},fwlogs,big_port_scan,192.0.2.1,{country}\n", token());
    let csv: String = ["-", "ZZ", "T1", "XX", "", "CZ", "CZE"].map(line).concat();
    let chunk = read(format!("time,device_token,trap,action,ip,country\n{csv}"));
    let countries: Vec<_> = chunk.batch.incidents.iter().map(|i| i.country.map(|c| c.to_string())).collect();
    assert_eq!(countries, [None, None, None, None, None, Some("CZ".to_owned())]);
    assert_eq!(rejects(&chunk)[0].0, 8);
    let json = line("-").trim_end().split(',').zip(["time", "device_token", "trap", "action", "ip", "country"]).fold(
        serde_json::Map::new(),
        |mut object, (value, name)| {
            object.insert(name.to_owned(), value.into());
            object
        },
    );
    assert_eq!(read(serde_json::to_vec(&json).unwrap()).batch.incidents[0].country, None);
}

#[test]
fn a_banner_before_the_events_is_rejected_alone() {
    let log = format!("\n[-] Starting\n{}\n", event("cowrie.session.connect", r#","protocol":"ssh""#));
    let mut reader = open(log, Format::Auto).unwrap();
    assert_eq!(reader.format(), Format::Cowrie);
    let chunk = reader.next_batch(10).unwrap().unwrap();
    assert_eq!((chunk.batch.incidents.len(), chunk.ignored, chunk.rejects[0].line), (1, 1, 2));
    // A line of CSV that begins with a brace is no object: the error is about its header.
    let error = open("time,colour\n{a}\n", Format::Auto).err().unwrap().to_string();
    assert!(error.contains("unknown column \"colour\""), "{error}");
    let header = open(format!("{PASSWORDS}{}\n", r#"{"time":1}"#), Format::Auto).unwrap();
    assert_eq!(header.format(), Format::Csv, "a header is clear");
}

#[test]
fn an_array_is_named_in_every_format() {
    for format in [Format::Auto, Format::Ndjson, Format::Cowrie] {
        for text in ["[\n {\n", "[{\"eventid\":\"cowrie.session.connect\"}]", "\n[ \r\n"] {
            let error = open(text, format).err().unwrap().to_string();
            assert!(error.contains("JSON array") && error.contains("jq -c '.[]'"), "{error}");
        }
    }
}

#[test]
fn lines_may_end_with_cr() {
    let row = "2026-03-15T12:00:00Z,1,23,TCP\r";
    let chunk = read(format!("\u{feff}time,raw_count,port,protocol\r\r{row}{row}bad\r"));
    assert_eq!((chunk.batch.ports.len(), chunk.ignored, chunk.lines_read), (2, 1, 5));
    assert_eq!(rejects(&chunk)[0].0, 5);
    let long = format!("time,raw_count,port,protocol\r{}", row.repeat(100_000));
    let mut reader = Reader::open(Cursor::new(long), Format::Auto, options()).unwrap();
    let mut summary = Summary::default();
    while let Some(chunk) = reader.next_batch(10_000).unwrap() {
        summary.add(&chunk);
    }
    assert_eq!((summary.ports, summary.rejected, reader.lines_read()), (100_000, 0, 100_001));
}

#[test]
fn events_of_2015_and_of_no_sensor_count() {
    let log = ["KIPP0001", "KIPP0002", "KIPP0003", "KIPP0005", "KIPP0009", "KIPP0011"]
        .map(|name| event(name, r#","username":"a","password":"b""#).replace(r#""sensor":"x","#, ""));
    let mut reader = open(log.join("\n"), Format::Auto).unwrap();
    assert_eq!(reader.format(), Format::Cowrie);
    let chunk = reader.next_batch(10).unwrap().unwrap();
    let actions: Vec<_> = chunk.batch.incidents.iter().map(|i| (i.trap, i.action)).collect();
    let haas = |action| (Trap::Haas, action);
    assert_eq!(actions, [Action::Connect, Action::Login, Action::Login, Action::Message].map(haas));
    assert_eq!((chunk.batch.passwords.len(), chunk.ignored, chunk.rejects.len()), (2, 2, 0));
    assert_eq!(chunk.notes.without_sensor, 4);
    assert!(chunk.batch.incidents.iter().all(|i| i.identity.sn.is_empty()));
}

#[test]
fn an_interrupted_reading_goes_on_where_it_was() {
    let mut csv = format!("\n{PASSWORDS}").into_bytes();
    csv.extend(b"2026-03-15T12:00:00Z,1,a,\"b\nc\"\nbad\n2026-03-15T12:00:00Z,1,d,\"e\n\n2026-03-15T12:00:00Z,1,f,g\n");
    for bytes in [csv, cowrie_fixture().to_vec()] {
        let mut whole = Vec::new();
        let mut reader = open(bytes.clone(), Format::Auto).unwrap();
        while let Some(chunk) = reader.next_batch(1).unwrap() {
            whole.push(chunk);
        }
        for chunk in &whole {
            let mut reader = open(bytes.clone(), Format::Auto).unwrap();
            assert_eq!(reader.skip_lines(chunk.lines_read).unwrap(), chunk.lines_read);
            let mut rest = Vec::new();
            while let Some(chunk) = reader.next_batch(1).unwrap() {
                rest.push(chunk);
            }
            // A record that may go on is not done with, and comes again.
            let done = whole.iter().position(|c| c.lines_read == chunk.lines_read).unwrap();
            assert_eq!(rest, whole[done + 1..]);
        }
        assert!(open(bytes, Format::Auto).unwrap().skip_lines(1_000_000).unwrap() < 100);
    }
}

/// The user names and rejects of a file of passwords from line `from` on, and how many lines are done with.
fn read_on(text: &str, ending: Ending, from: u64) -> (Vec<String>, usize, u64) {
    let source = Cursor::new(text.to_owned());
    let mut reader = Reader::open(source, Format::Csv, Options { ending, ..options() }).unwrap();
    let from = from.max(1); // the header
    assert_eq!(reader.skip_lines(from).unwrap(), from, "it skips no further");
    let (mut names, mut rejected, mut told) = (Vec::new(), 0, from);
    while let Some(chunk) = reader.next_batch(10).unwrap() {
        names.extend(chunk.batch.passwords.into_iter().map(|p| p.username));
        rejected += chunk.rejects.len();
        told = chunk.lines_read;
    }
    assert_eq!(told, reader.lines_done(), "a chunk tells no more");
    (names, rejected, told)
}

#[test]
fn a_record_within_quotes_is_read_when_the_file_has_grown() {
    let row = |name: &str| format!("2026-03-15T12:00:00Z,1,{name},admin\n");
    let begun = format!("{PASSWORDS}{}2026-03-15T12:00:00Z,1,multi,\"\nsome\n\n", row("a"));
    let grown = format!("{begun}lines\"\n{}", row("b"));
    for (ending, rejected) in [(Ending::File, 2), (Ending::Growing, 0)] {
        assert_eq!(read_on(&begun, ending, 0), (vec!["a".to_owned()], rejected, 2));
        assert_eq!(read_on(&grown, ending, 2), (vec!["multi".to_owned(), "b".to_owned()], 0, 7));
    }
    // Nobody knows of lines behind an open quote what they are, until the file has grown or is at rest.
    let behind = format!("{PASSWORDS}2026-03-15T12:00:00Z,1,\"x,admin\n{}", row("b"));
    assert_eq!(read_on(&behind, Ending::Growing, 0), (vec![], 0, 1));
    assert_eq!(read_on(&behind, Ending::File, 0), (vec!["b".to_owned()], 1, 3));
    // Reports that were given out do not come again, though a record spans the line by now.
    let closed = format!("{behind}y\",admin\n{}", row("c"));
    assert_eq!(read_on(&closed, Ending::File, 3), (vec!["c".to_owned()], 1, 5));
}

#[test]
fn half_a_last_row_waits_while_the_file_is_written() {
    let row = |name: &str| format!("2026-03-15T12:00:00Z,1,{name},admin\n");
    let whole = format!("{PASSWORDS}{}{}", row("a"), row("b"));
    for cut in [1, 3, 20] {
        let half = &whole[..whole.len() - cut];
        assert_eq!(read_on(half, Ending::Growing, 0), (vec!["a".to_owned()], 0, 2), "{half}");
    }
    assert_eq!(read_on(&whole, Ending::Growing, 2), (vec!["b".to_owned()], 0, 3));
    for ending in [Ending::File, Ending::Pipe] {
        assert_eq!(read_on(&whole[..whole.len() - 1], ending, 0), (vec!["a".to_owned(), "b".to_owned()], 0, 3));
    }
}

#[test]
fn the_summary_adds_up() {
    let mut reader = open(cowrie_fixture(), Format::Cowrie).unwrap();
    let mut summary = Summary::default();
    while let Some(chunk) = reader.next_batch(2).unwrap() {
        assert!(chunk.batch.len() + chunk.rejects.len() <= 3);
        summary.add(&chunk);
    }
    assert_eq!(summary.accepted + summary.rejected + summary.ignored, reader.lines_read());
    assert_eq!((summary.incidents, summary.passwords, summary.rejected), (9, 5, 3));
}

#[test]
fn readers_and_worlds_can_move_to_another_thread() {
    fn movable<T: Send + 'static>() {}
    movable::<Reader>();
    movable::<sview_feed::History>();
    movable::<sview_feed::Trickle>();
    movable::<FeedError>();
}
