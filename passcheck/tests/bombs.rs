//! Lists made to take long: reading takes time by their length, not by its square.
#![allow(clippy::unwrap_used)] // a panic is the report of a failure

use std::io::{Cursor, Write as _};
use std::sync::mpsc;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use sview_model::HashKind;
use sview_passcheck::Lines;

/// How many entries and bad lines a list has.
fn read(list: Vec<u8>) -> (u64, u64) {
    let (done, counts) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut good, mut bad) = (0, 0);
        let mut lines = Lines::new(Cursor::new(list), HashKind::Sha1, None).unwrap();
        while let Some(line) = lines.read().unwrap() {
            if line.is_ok() { good += 1 } else { bad += 1 }
        }
        done.send((good, bad)).unwrap();
    });
    // A machine under load may take long; what is quadratic takes hours.
    counts.recv_timeout(Duration::from_secs(600)).unwrap()
}

#[test]
fn ten_megabytes_of_anything_are_read_in_linear_time() {
    let good = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3\n";
    let entry = good.trim_end();
    for piece in [
        "\"\n",
        "\"",
        "\"\",\"",
        ",",
        ";",
        "\0",
        "\r",
        &format!("{entry},\"telnet"),
        &format!("{entry},{}\n", "telnet;".repeat(140)),
        &format!("{entry},{}\n", ";".repeat(960)),
        &format!("\"{}\n", "x".repeat(1022)),
        &format!("{}\n", " ".repeat(1023)),
    ] {
        let mut list = piece.repeat((10 << 20) / piece.len()).into_bytes();
        list.extend_from_slice(b"\n");
        list.extend_from_slice(good.as_bytes());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&list).unwrap();
        let plain = read(list);
        assert!(plain.0 >= 1, "{piece:?}");
        assert_eq!(read(gzip.finish().unwrap()), plain, "{piece:?}");
    }
}
