//! Tests of TimescaleDB's chunks, compressed ones too. `tests/timescale.sh URL` runs this over a server that has the extension. Everywhere
//! else plain PostgreSQL stands in, with a view and a function of the names that sview asks for.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Action, Batch, Identity, Incident, Kind, Precision, Span, Trap};
use sview_store::{Deleted, Rebuild, Reports, Settings, Step};
use sview_testing::{Backend, Deployment};

const NOW: &str = "2026-03-15T12:34:56Z";

/// The tables that hold a kind's rows.
const TABLES: [&str; 4] = ["incidents", "incidents_quarterly", "incidents_hourly", "incidents_daily"];

/// Chunks of seven days since 1970, as TimescaleDB has them by default.
const STAND_IN: &str = "
CREATE SCHEMA timescaledb_information;
CREATE VIEW timescaledb_information.hypertables AS
  SELECT schemaname AS hypertable_schema, tablename AS hypertable_name FROM pg_tables WHERE tablename = 'incidents';
CREATE FUNCTION drop_chunks(relation regclass, older_than timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('WITH gone AS (DELETE FROM %s WHERE date_bin(%L, time, %L) + interval %L <= $1 RETURNING time)
    SELECT DISTINCT date_bin(%L, time, %L)::text FROM gone', relation, '7 days', 'epoch', '7 days', '7 days', 'epoch') USING older_than;
END $$;
";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

fn with_extension() -> bool {
    std::env::var_os("SVIEW_TEST_TIMESCALE").is_some()
}

async fn open(settings: Settings) -> (Deployment, Reports) {
    let deployment = Deployment::new(Backend::Production).await;
    deployment.sql(if with_extension() { "CREATE EXTENSION IF NOT EXISTS timescaledb" } else { STAND_IN }).await;
    let reports = Reports::open(&deployment.database_url, settings).unwrap();
    reports.migrate().await.unwrap();
    (deployment, reports)
}

fn incident(time: DateTime<Utc>, attacker: u32) -> Incident {
    Incident {
        time,
        raw_count: 1,
        identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().unwrap() },
        trap: Trap::Fwlogs,
        action: Action::SmallPortScan,
        ip: std::net::Ipv4Addr::from(0x0a00_0000 + attacker).into(),
        country: "CZ".parse().ok(),
    }
}

async fn insert(reports: &Reports, incidents: Vec<Incident>) {
    reports.insert(&Batch { incidents, ..Batch::default() }, None).await.unwrap();
}

async fn aggregate(reports: &Reports) {
    for precision in Precision::AGGREGATED {
        while matches!(
            reports.rollup().aggregate(Kind::Incidents, *precision, now()).await.unwrap(),
            Step::Built { .. }
        ) {}
    }
}

/// Every precision holds so many incidents, and what a recount says.
async fn assert_whole(reports: &Reports, count: i64) {
    for precision in Precision::AGGREGATED {
        let sums = reports.bucket_sums(Kind::Incidents, *precision).await.unwrap();
        assert_eq!(sums.iter().sum::<i64>(), count, "{precision}");
        let differences = reports.rollup().differences(Kind::Incidents, *precision, None).await.unwrap();
        assert!(differences.iter().all(|d| d.excuse.is_some()), "{precision}: {differences:?}");
    }
}

async fn compress(deployment: &Deployment) {
    for table in TABLES.iter().filter(|_| with_extension()) {
        deployment.sql(&format!("ALTER TABLE {table} SET (timescaledb.compress)")).await;
        assert!(
            deployment.sql(&format!("SELECT compress_chunk(chunk) FROM show_chunks('{table}') AS chunk")).await > 0
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_reports_of_a_compressed_day_count_and_it_can_be_rebuilt() {
    let (deployment, reports) = open(Settings::default()).await;
    // More rows in a bucket of a day than TimescaleDB unpacks in a transaction by default, which is 100,000.
    let (rows, day) = (120_000, now() - TimeDelta::days(5));
    let incidents = (0..rows).map(|i| incident(day + TimeDelta::milliseconds(i64::from(i) * 200), i)).collect();
    insert(&reports, incidents).await;
    aggregate(&reports).await;
    compress(&deployment).await;

    insert(&reports, vec![incident(day, 7), incident(day, 200_000)]).await;
    aggregate(&reports).await;
    assert_whole(&reports, i64::from(rows) + 2).await;

    compress_again(&deployment).await;
    for precision in Precision::AGGREGATED {
        let mut span = Span::new(day - TimeDelta::days(2), now());
        while let Some(step) =
            reports.rollup().rebuild(Kind::Incidents, *precision, span, Rebuild::default()).await.unwrap()
        {
            assert_eq!(step.refused, []);
            span.finish = step.span.start;
        }
    }
    assert_whole(&reports, i64::from(rows) + 2).await;
}

async fn compress_again(deployment: &Deployment) {
    for table in TABLES.iter().filter(|_| with_extension()) {
        deployment.sql(&format!("SELECT compress_chunk(chunk, true) FROM show_chunks('{table}') AS chunk")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_drops_whole_chunks_and_leaves_the_others() {
    const KEPT: TimeDelta = TimeDelta::days(10);
    const CHUNK: TimeDelta = TimeDelta::days(7);
    let (deployment, reports) = open(Settings { keep: Some(KEPT), ..Settings::default() }).await;
    let times: Vec<DateTime<Utc>> =
        (1..=400).map(|i| Precision::Daily.floor(now()) - TimeDelta::hours(3 * i)).collect();
    insert(&reports, times.iter().zip(0..).map(|(time, i)| incident(*time, i)).collect()).await;
    assert_eq!(reports.rollup().forget_reports(now()).await.unwrap(), Deleted::default(), "nothing is aggregated yet");
    aggregate(&reports).await;
    assert_whole(&reports, 400).await;
    compress(&deployment).await;

    let Deleted { rows, chunks } = reports.rollup().forget_reports(now()).await.unwrap();
    assert_eq!(rows, 0);
    // 50 days less those that are kept, and less the chunk in which both are.
    assert!((4..=6).contains(&chunks), "{chunks} chunks");
    assert_eq!(reports.rollup().forget_reports(now()).await.unwrap(), Deleted::default());
    let horizon = Precision::Daily.floor(now() - KEPT);
    let least = times.iter().filter(|time| **time >= horizon).count() as u64;
    let most = times.iter().filter(|time| **time >= horizon - CHUNK).count() as u64;
    let left = deployment.sql("SELECT FROM incidents").await;
    assert!((least..=most).contains(&left), "{least} to {most} rows are kept: {left}");
    assert_whole(&reports, 400).await;

    // A report that comes too late does not count, and goes with the chunk that it makes.
    insert(&reports, vec![incident("2001-01-01T00:00:00Z".parse().unwrap(), 1)]).await;
    aggregate(&reports).await;
    assert_eq!(reports.rollup().forget_reports(now()).await.unwrap(), Deleted { rows: 0, chunks: 1 });
    assert_whole(&reports, 400).await;
}
