//! Times retention against a deletion hour by hour from the beginning of the table: `retention DATABASE_URL ROWS [plainly]`. The
//! database must be empty.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Batch, Kind, Port, Precision, Protocol};
use sview_store::{Reports, Settings, Step};

const NOW: &str = "2026-03-15T12:00:00Z";

/// Reports of so many days are deleted.
const DAYS: i64 = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, rows, plainly @ ..] = args.as_slice() else {
        return Err("usage: retention DATABASE_URL ROWS [plainly]".into());
    };
    let (rows, now): (i64, DateTime<Utc>) = (rows.parse()?, NOW.parse()?);
    let settings = Settings { keep: Some(TimeDelta::days(1)), ..Settings::default() };
    let reports = Reports::open(url, settings)?;
    reports.migrate().await?;
    for kind in Kind::ALL {
        while let Step::Built { .. } = reports.rollup().aggregate(*kind, Precision::Quarterly, now).await? {}
    }
    // As if they had been aggregated: what retention takes does not depend on it.
    let (begun, each) = (Instant::now(), TimeDelta::days(DAYS).num_microseconds().unwrap_or_default() / rows);
    let first = now - TimeDelta::days(DAYS + 3);
    let port = |i: i64| {
        let time = first + TimeDelta::microseconds(i * each);
        Port { time, raw_count: 1, port: 1 + (i % 60_000) as u16, protocol: Protocol::Tcp }
    };
    let mut next = 0;
    while next < rows {
        let batch: Vec<Port> = (next..rows.min(next + 10_000)).map(port).collect();
        next += batch.len() as i64;
        reports.insert_unmarked(&Batch { ports: batch, ..Batch::default() }).await?;
    }
    reports.analyze().await?;
    println!("{rows} rows over {DAYS} days inserted in {:.1} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let deleted = if plainly.is_empty() {
        reports.rollup().forget_reports(now).await?.rows
    } else {
        reports.delete_hourly(Kind::Ports, now - TimeDelta::days(1)).await?
    };
    println!("{deleted} rows deleted in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
