//! How long aggregation and resources take, side by side with the plain way, in one run:
//!
//! `cargo bench -p sview-store --bench statistics -- DIRECTORY [DATABASE_URL]`
//!
//! DIRECTORY holds identity.csv, incidents.csv, passwords.csv and ports.csv; DATABASE_URL is an empty database (default: an SQLite
//! file in a temporary directory). The plain way is one INSERT … SELECT a table, and one query a resource over the wide tables.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, clippy::cast_possible_wrap)]

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{Ending, Format, Options, Reader};
use sview_model::{Batch, Kind, Period, Precision, Request};
use sview_store::{Reports, Settings, Step};

const NOW: &str = "2026-03-15T12:34:56Z";

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(directory) = args.first() else {
        println!("usage: statistics DIRECTORY [DATABASE_URL]");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let url = args.get(1).cloned().unwrap_or_else(|| format!("sqlite://{}/reports.sqlite", temporary.path().display()));
    let reports = Reports::open(&url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let store = url.split(':').next().unwrap_or_default();

    let began = Instant::now();
    let rows = ingest(&reports, Path::new(directory), now).await;
    row(&format!("{store}: ingest of {rows} rows"), began.elapsed(), None);
    reports.analyze().await.unwrap();

    let plain = timed(|| async { reports.aggregate_plainly(now).await.unwrap() }).await;
    let first = timed(|| aggregate_all(&reports, now)).await;
    row(&format!("{store}: aggregation of the whole history"), first, Some(plain));
    reports.analyze().await.unwrap();

    let (mut ours, mut slowest) = (Duration::ZERO, (Duration::ZERO, String::new()));
    for period in Period::ALL {
        for kind in Kind::ALL {
            let took =
                timed(|| async { reports.statistics().compute_group(*kind, *period, now).await.unwrap().len() }).await;
            ours += took;
            if took > slowest.0 {
                slowest = (took, format!("{kind} {period}"));
            }
        }
    }
    let (mut plain, mut slowest_plain) = (Duration::ZERO, (Duration::ZERO, String::new()));
    for request in Request::precached() {
        let took = timed(|| async { reports.statistics().compute_wide(&request, now).await.unwrap() }).await;
        plain += took;
        if took > slowest_plain.0 {
            slowest_plain = (took, request.to_string());
        }
    }
    row(&format!("{store}: all 161 precached values"), ours, Some(plain));
    row(
        &format!("{store}: the slowest group ({}) against the slowest value ({})", slowest.1, slowest_plain.1),
        slowest.0,
        Some(slowest_plain.0),
    );

    // One more quarter of an hour of reports comes in, and what is due by then is aggregated and computed.
    let next = now + TimeDelta::minutes(15);
    let more = one_more_quarter(Path::new(directory), now);
    reports.insert(&more, None).await.unwrap();
    let aggregated = timed(|| aggregate_all(&reports, next)).await;
    row(
        &format!("{store}: aggregation a quarter and {} rows later, against the first", more.len()),
        aggregated,
        Some(first),
    );
    let computed = timed(|| async {
        for period in Period::ALL.iter().filter(|p| p.due_finish(next) > p.due_finish(now)) {
            for kind in Kind::ALL {
                reports.statistics().compute_group(*kind, *period, next).await.unwrap();
            }
        }
    })
    .await;
    row(&format!("{store}: values due a quarter later, against the first"), computed, Some(ours));
}

fn row(what: &str, ours: Duration, plain: Option<Duration>) {
    let plain_text = plain.map_or(String::new(), |p| format!("{:.2} s", p.as_secs_f64()));
    let ratio = plain.map_or(String::new(), |p| format!("{:.1}×", p.as_secs_f64() / ours.as_secs_f64()));
    println!("| {what} | {:.2} s | {plain_text} | {ratio} |", ours.as_secs_f64());
}

async fn timed<T, F: Future<Output = T>>(work: impl FnOnce() -> F) -> Duration {
    let began = Instant::now();
    std::hint::black_box(work().await);
    began.elapsed()
}

async fn ingest(reports: &Reports, directory: &Path, now: DateTime<Utc>) -> usize {
    let mut rows = 0;
    for name in ["identity", "incidents", "passwords", "ports"] {
        let file = File::open(directory.join(format!("{name}.csv"))).unwrap();
        let mut reader = Reader::open(file, Format::Csv, Options { now, geoip: None, ending: Ending::File }).unwrap();
        while let Some(chunk) = reader.next_batch(50_000).unwrap() {
            rows += chunk.batch.len();
            reports.insert(&chunk.batch, None).await.unwrap();
        }
    }
    rows
}

async fn aggregate_all(reports: &Reports, now: DateTime<Utc>) {
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            while matches!(reports.rollup().aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
        }
    }
}

/// The first reports of the data set, again, at times within the quarter after `now`.
fn one_more_quarter(directory: &Path, now: DateTime<Utc>) -> Batch {
    let first = |name: &str, rows: usize| {
        let file = File::open(directory.join(format!("{name}.csv"))).unwrap();
        let mut reader = Reader::open(file, Format::Csv, Options { now, geoip: None, ending: Ending::File }).unwrap();
        reader.next_batch(rows).unwrap().map(|chunk| chunk.batch).unwrap_or_default()
    };
    let moment = |i: usize| now + TimeDelta::milliseconds(i as i64 * 31 % 900_000);
    let mut batch = Batch {
        incidents: first("incidents", 25_000).incidents,
        passwords: first("passwords", 7_500).passwords,
        ports: first("ports", 7_500).ports,
        ..Batch::default()
    };
    batch.incidents.iter_mut().enumerate().for_each(|(i, r)| r.time = moment(i));
    batch.passwords.iter_mut().enumerate().for_each(|(i, r)| r.time = moment(i));
    batch.ports.iter_mut().enumerate().for_each(|(i, r)| r.time = moment(i));
    batch
}
