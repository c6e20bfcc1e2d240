//! Aggregation under fire. The process is killed at random moments, again and again, while reports keep coming, some of them late. Then it
//! may finish, and every precision must equal a sum over the raw rows.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision};
use sview_store::{Reports, Settings};
use sview_testing::{Random, both};

const NOW: &str = "2026-03-15T12:34:56Z";
const KILLS: u32 = 50;

fn aggregator() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/aggregate");
    assert!(path.exists(), "cargo builds examples before it runs tests: {}", path.display());
    path
}

both! {
    async fn fifty_kills_neither_lose_nor_double_a_report(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let mut random = Random(0x5eed_5eed_5eed_5eed);
        reports.insert(&random.reports(now, 4_000), None).await.unwrap();

        let (stop, inserted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(4_000)));
        let feeding = {
            let (reports, stop, inserted) = (reports.clone(), Arc::clone(&stop), Arc::clone(&inserted));
            tokio::spawn(async move {
                let mut random = Random(0xfeed_feed_feed_feed);
                while !stop.load(Ordering::Relaxed) {
                    reports.insert(&random.reports(now, 60), None).await.unwrap();
                    inserted.fetch_add(60, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        };

        let (mut kills, mut runs) = (0, 0);
        while kills < KILLS {
            runs += 1;
            assert!(runs < 10 * KILLS, "it ends before it is killed: {kills} kills in {runs} runs");
            let mut child = Command::new(aggregator())
                .args([&deployment.database_url, NOW])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            lines.next(); // it has begun
            std::thread::sleep(Duration::from_micros(random.below(60_000)));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap(); // SIGKILL
                kills += 1;
            }
            child.wait().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        feeding.await.unwrap();

        let done = Command::new(aggregator()).args([&deployment.database_url, NOW]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        for kind in Kind::ALL {
            for precision in Precision::AGGREGATED {
                let differences = reports.rollup().differences(*kind, *precision, None).await.unwrap();
                assert!(differences.is_empty(), "{kind} {precision} after {kills} kills: {differences:?}");
            }
        }
        let coverage = reports.rollup().coverage().await.unwrap();
        assert!(coverage.iter().all(|c| c.watermark == Some(c.precision.due_to(now)) && c.pending == 0), "{coverage:?}");
    }
}
