//! The embedded ledger's file while another process writes to it for long.

use std::time::Duration;

use apalis_ledger::{LedgerSettings, Renewed, Take, machine_now};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::lab::{Lab, QUICK, new_job};

const LEASE: Duration = Duration::from_millis(600);

/// Holds the file's write lock for longer than a lease; returns when it was given back.
async fn occupied(lab: &Lab) -> tokio::task::JoinHandle<i64> {
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", lab.file().display())).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(LEASE + Duration::from_millis(200)).await;
        let given_back = machine_now().timestamp_millis();
        other.execute("COMMIT").await.unwrap();
        given_back
    })
}

async fn lease_until(lab: &Lab) -> i64 {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", lab.file().display())).await.unwrap();
    sqlx::query_scalar("SELECT lease_until FROM job").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_begins_when_it_is_given_and_not_when_somebody_began_to_wait_for_the_file() {
    let lab = Lab::sqlite(LedgerSettings::default()).await;
    lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
    let lease = i64::try_from(LEASE.as_millis()).unwrap();

    let busy = occupied(&lab).await;
    let Take::Job(taken) = lab.queues.take(&[QUICK], "w", LEASE).await.unwrap() else { panic!("nothing taken") };
    let given_back = busy.await.unwrap();
    assert!(lease_until(&lab).await >= given_back + lease, "it has run out before it was held");
    assert!(taken.record.started_at.unwrap().timestamp_millis() >= given_back);

    let busy = occupied(&lab).await;
    assert_eq!(lab.queues.renew(&taken.claim, LEASE).await.unwrap(), Renewed::Held);
    let given_back = busy.await.unwrap();
    assert!(lease_until(&lab).await >= given_back + lease);
}
