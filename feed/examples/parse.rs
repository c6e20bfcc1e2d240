//! Reads a file of reports, stores nothing, and says how fast that was: `cargo run --release --example parse -- FILE [FORMAT]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::{error::Error, fs::File, time::Instant};

use sview_feed::{Ending, Format, Options, Reader, Summary};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: parse FILE [auto|csv|ndjson|cowrie]")?;
    let format = arguments.next().map_or(Ok(Format::Auto), |word| word.parse())?;
    let options = Options { now: chrono::Utc::now(), geoip: None, ending: Ending::File };

    let start = Instant::now();
    let mut reader = Reader::open(File::open(&path)?, format, options)?;
    let mut summary = Summary::default();
    while let Some(chunk) = reader.next_batch(10_000)? {
        summary.add(&chunk);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{path} ({}): {:.0} lines a second, {:.2} s",
        reader.format(),
        reader.lines_read() as f64 / seconds,
        seconds
    );
    println!("{summary}");
    Ok(())
}
