//! Sources made to take long: reading takes time by their length, not by its square.
//!
//! A reader that is quadratic needs hours for one of them, a linear one seconds.
#![allow(clippy::unwrap_used)] // a panic is the report of a failure, in what the tests share too

use std::{io::Cursor, sync::mpsc, thread, time::Duration};

use sview_feed::{Ending, Format, Options, Reader, Summary};

/// The length of each source, in bytes.
const LENGTH: usize = 10 << 20;

/// How long a machine under load may take for one.
const PATIENCE: Duration = Duration::from_secs(600);

/// Reads a source of about [`LENGTH`] bytes: `beginning`, and the pieces again and again.
fn read(format: Format, beginning: &str, pieces: &[&str]) -> Summary {
    let mut text = String::with_capacity(LENGTH + 1024);
    text.push_str(beginning);
    while text.len() < LENGTH {
        pieces.iter().for_each(|piece| text.push_str(piece));
    }
    whole(format, text)
}

fn whole(format: Format, text: String) -> Summary {
    let (done, summary) = mpsc::channel();
    let length = text.len();
    thread::spawn(move || {
        let options = Options { now: "2026-03-15T12:34:56Z".parse().unwrap(), geoip: None, ending: Ending::File };
        let mut reader = Reader::open(Cursor::new(text), format, options).unwrap();
        let mut summary = Summary::default();
        while let Some(chunk) = reader.next_batch(10_000).unwrap() {
            summary.add(&chunk);
        }
        done.send(summary).unwrap();
    });
    summary.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{length} bytes of {format}: {e}"))
}

const HEADER: &str = "time,raw_count,username,password\n";
const GOOD: &str = "2026-03-15T12:00:00Z,1,root,admin\n";

#[test]
fn quotes_that_never_close() {
    // The last quote of the line is open, whether its first one opens or closes a field.
    let short = read(Format::Csv, HEADER, &["a\",\"\n", "a\",\"\n", "a\",\"\n", GOOD]);
    assert!(short.passwords > 200_000 && short.rejected > 600_000, "{short}");
    let fields = read(Format::Csv, HEADER, &["2026-03-15T12:00:00Z,1,root,\"open\n", GOOD]);
    assert!(fields.passwords > 100_000 && fields.rejected > 100_000, "{fields}");
}

#[test]
fn quotes_that_close_with_too_many_fields_or_too_few() {
    let open = "a\",\"bbbbbbbbbbbbbbbbbbbb\n".repeat(20_000);
    let many = read(Format::Csv, HEADER, &[&open, "end\"\n", GOOD]);
    assert!(many.passwords >= 20 && many.rejected > 400_000, "{many}");
    let few = read(Format::Csv, HEADER, &["a,\"b\n", &GOOD.repeat(10_000), "end\"\n", GOOD]);
    assert!(few.passwords > 300_000 && few.rejected > 30, "{few}");
}

#[test]
fn quotes_that_close_with_a_fault() {
    let open = "a\",\"bbbbbbbbbbbbbbbbbbbb\n".repeat(20_000);
    let summary = read(Format::Csv, HEADER, &[&open, "\"fault\n", GOOD]);
    assert!(summary.passwords >= 20 && summary.rejected > 400_000, "{summary}");
}

#[test]
fn quotes_before_a_line_without_an_end() {
    let quotes = "a\",\"\n".repeat(80_000);
    let summary = read(Format::Csv, HEADER, &[&quotes, &"x".repeat(LENGTH / 2), "\n", GOOD]);
    assert!(summary.passwords >= 1 && summary.rejected > 80_000, "{summary}");
}

#[test]
fn fields_and_quotes_without_number() {
    for piece in [",", "\"\"", "\",\"", "a\"", "\r", "\0"] {
        let line = format!("{}\n", piece.repeat(300_000));
        let summary = read(Format::Csv, HEADER, &[&line, GOOD]);
        assert!(summary.passwords >= 1 && summary.rejected + summary.ignored > 0, "{piece:?}: {summary}");
    }
}

#[test]
fn json_that_nests_and_never_closes() {
    for piece in ["[", "{\"a\":", "\"", "\\", "\"\\ud800", "{\"username\":[", "{\"time\":1,", "\"a\":1,"] {
        let line = format!("{{\"a\":{}\n", piece.repeat(500_000 / piece.len()));
        for format in [Format::Ndjson, Format::Cowrie] {
            let summary = read(format, "", &[&line]);
            assert!(summary.rejected >= 10 && summary.accepted == 0, "{piece:?}: {summary}");
        }
    }
    let short = read(Format::Auto, "{}\n", &["{\n", "{\"time\":\"\n", "[[[[[[[[\n"]);
    assert!(short.rejected > 1_000_000, "{short}");
}

#[test]
fn strings_of_escapes() {
    for escape in [r"\ud800", r"\ud83d\ude00", r"\u0000", r"\\", "\u{fffd}"] {
        let text = escape.repeat(60_000 / escape.len());
        let json = format!("{{\"time\":\"2026-03-15T12:00:00Z\",\"username\":\"{text}\",\"password\":\"{text}\"}}\n");
        let summary = read(Format::Ndjson, "", &[&json]);
        assert!(summary.passwords >= 80, "{escape}: {summary}");
    }
}

#[test]
fn a_log_of_sessions_that_never_end() {
    let mut log = String::new();
    while log.len() < LENGTH {
        log.push_str(&format!(
            "{{\"eventid\":\"cowrie.session.connect\",\"session\":\"{:x}\",\"protocol\":\"ssh\",\"src_ip\":\"192.0.2.1\",\
             \"timestamp\":\"2026-03-15T12:00:00Z\"}}\n",
            log.len() % 3_000_017
        ));
    }
    let summary = whole(Format::Auto, log);
    assert!(summary.incidents > 50_000 && summary.rejected == 0, "{summary}");
}

#[test]
fn one_event_as_long_as_the_source() {
    let text = r"\u0001".repeat(LENGTH / 6);
    let log = format!(
        "{{\"eventid\":\"cowrie.login.failed\",\"src_ip\":\"192.0.2.1\",\"timestamp\":\"2026-03-15T12:00:00Z\",\
         \"username\":\"root\",\"password\":\"{text}\"}}\n"
    );
    let summary = whole(Format::Cowrie, log);
    assert_eq!((summary.incidents, summary.passwords, summary.notes.long_credentials), (1, 0, 1));
}
