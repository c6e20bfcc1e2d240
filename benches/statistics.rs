//! How long aggregation and resources take, side by side with the plain way, in one run:
//!
//! `cargo bench -p sview-store --bench statistics -- DIRECTORY [DATABASE_URL]`
//!
//! DIRECTORY holds identity.csv, incidents.csv, passwords.csv and ports.csv; DATABASE_URL is an empty database (default: an SQLite
//! file in a temporary directory). The plain way is one INSERT … SELECT a table, and one query a resource over the wide tables.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{Format, Options, Reader};
use sview_model::{Kind, Period, Precision, Request};
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
    let ours = timed(|| aggregate_all(&reports, now)).await;
    row(&format!("{store}: aggregation of the whole history"), ours, Some(plain));
    reports.analyze().await.unwrap();

    let (mut ours, mut slowest) = (Duration::ZERO, (Duration::ZERO, String::new()));
    for period in Period::ALL {
        for kind in Kind::ALL {
            let took = timed(|| async { reports.compute_group(*kind, *period, now).await.unwrap().len() }).await;
            ours += took;
            if took > slowest.0 {
                slowest = (took, format!("{kind} {period}"));
            }
        }
    }
    let (mut plain, mut slowest_plain) = (Duration::ZERO, (Duration::ZERO, String::new()));
    for request in Request::precached() {
        let took = timed(|| async { reports.compute_wide(&request, now).await.unwrap() }).await;
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

    let next = now + TimeDelta::minutes(15);
    let again = timed(|| async {
        aggregate_all(&reports, next).await;
        for period in Period::ALL.iter().filter(|p| p.due_finish(next) > p.due_finish(now)) {
            for kind in Kind::ALL {
                reports.compute_group(*kind, *period, next).await.unwrap();
            }
        }
    })
    .await;
    row(&format!("{store}: the refresh a quarter later, against the first"), again, Some(ours));
    println!("| {store}: resident memory of the process | {} MB | | |", resident() / 1024);
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
        let mut reader = Reader::open(file, Format::Csv, Options { now, geoip: None }).unwrap();
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
            while matches!(reports.aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
        }
    }
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
}
