//! A worker that is suspended in a transaction, as by SIGSTOP or in a frozen virtual machine. Others take its place, and it does nothing
//! when it wakes.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use sview_model::{Kind, Precision};
use sview_store::{Reports, Settings};
use sview_testing::{Backend, Deployment, Random, http};

use crate::members::{Member, free_port};
use crate::reports::{assert_whole, batch, document, settle};

/// Far longer than a lease and the server's limit for a session that is idle in a transaction.
const PATIENCE: Duration = Duration::from_secs(300);

/// The sessions of sview in this database of which that holds.
async fn sessions(connection: &mut PgConnection, condition: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'sview' AND {condition}"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(connection).await.unwrap();
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_suspended_in_a_transaction_is_replaced_and_does_nothing_when_it_wakes() {
    const WAITS: &str = "wait_event_type = 'Lock' AND query LIKE 'INSERT INTO incidents_quarterly%'";
    const SUSPENDED: &str = "state = 'idle in transaction' AND query LIKE 'INSERT INTO incidents_quarterly%'";
    let deployment = Deployment::new(Backend::Production).await;
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    reports.insert(&batch(2_000, &mut random), None).await.unwrap();

    // While another session has the table, the worker waits in its transaction, with the lock of the aggregation in hand.
    let mut other = PgConnection::connect(&deployment.database_url).await.unwrap();
    let mut watch = PgConnection::connect(&deployment.database_url).await.unwrap();
    let mut first = Member::start(&deployment, &["worker", "aggregation"], &[]);
    let begun = Instant::now();
    loop {
        run(&mut other, "BEGIN").await;
        run(&mut other, "LOCK TABLE incidents_quarterly IN SHARE MODE").await;
        let _ = document(&deployment, &["aggregate-period", "quarterly", "--json"]);
        while sessions(&mut watch, WAITS).await == 0 {
            assert!(first.runs() && begun.elapsed() < PATIENCE, "{}", first.log());
            pause().await;
        }
        first.signal("STOP");
        run(&mut other, "COMMIT").await;
        while sessions(&mut watch, WAITS).await > 0 {
            pause().await;
        }
        // Unless its wait for the table was over just before.
        if sessions(&mut watch, SUSPENDED).await == 1 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", first.log());
        first.signal("CONT");
    }

    let port = free_port();
    let admin = [("SVIEW_ADMIN_LISTEN", format!("127.0.0.1:{port}"))];
    let second = Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &admin);
    let (mut said, begun) = (false, Instant::now());
    loop {
        if let Some(page) = http::try_get(&format!("http://127.0.0.1:{port}/due")) {
            said |= page.body.contains("Held up") && page.body.contains("idle in transaction for");
        }
        let coverage = reports.rollup().coverage().await.unwrap();
        let of = |c: &&sview_store::Coverage| c.kind == Kind::Incidents && c.precision == Precision::Quarterly;
        if coverage.iter().find(of).is_some_and(|c| c.watermark.is_some() && c.pending == 0) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", second.log());
        pause().await;
    }
    assert!(said, "the operators' page says who holds the lock");
    assert_eq!(sessions(&mut watch, SUSPENDED).await, 0);

    first.signal("CONT");
    let begun = Instant::now();
    while !first.log().contains("job lost its lease") {
        assert!(first.runs() && begun.elapsed() < PATIENCE, "{}", first.log());
        pause().await;
    }
    assert_eq!(reports.rollup().differences(Kind::Incidents, Precision::Quarterly, None).await.unwrap(), []);

    // It works on, as the other does.
    reports.insert(&batch(100, &mut random), None).await.unwrap();
    let members = [first, second];
    let _ = document(&deployment, &["refresh", "--json"]);
    settle(&deployment, &members, PATIENCE.as_secs());
    assert_whole(&deployment).await;
    for member in &members {
        assert!(!member.log().contains("panicked"), "{}", member.log());
    }
}
