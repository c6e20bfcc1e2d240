//! Connections to the database: pages keep theirs, and a full pool is no outage.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures::future::join_all;
use sview_model::{Batch, Port};
use sview_store::{Error, Outage, Reports, Settings};
use sview_testing::{Backend, Deployment, Patience, both};

/// Polls a future until it has waited `waits` times, then drops it. Returns whether it was done before.
async fn dropped_after<T>(waits: usize, future: impl Future<Output = T>) -> bool {
    let (mut future, mut waited) = (pin!(future), 0);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if waited == waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

both! {
    async fn a_dropped_transaction_leaves_no_trace_in_the_pool(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
        reports.migrate().await.unwrap();
        let time = "2026-03-15T12:34:56Z".parse().unwrap();
        let port = Port { time, raw_count: 1, port: 23, protocol: "TCP".parse().unwrap() };
        let batch = Batch { ports: vec![port], ..Batch::default() };
        for waits in 0..48 {
            // With one wait more each time, until all of it is done once.
            dropped_after(waits % 12, reports.hold()).await;
            reports.insert(&batch, None).await.unwrap_or_else(|error| panic!("after {waits}: {error}"));
            dropped_after(waits % 12, reports.analyze()).await;
            reports.hold().await.unwrap_or_else(|error| panic!("after {waits}: {error}"));
            dropped_after(waits % 12, reports.ping()).await;
            reports.ping().await.unwrap_or_else(|error| panic!("after {waits}: {error}"));
        }
    }

    async fn pages_keep_connections_that_jobs_do_not_use(deployment: Deployment) {
        let pages = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
        pages.migrate().await.unwrap();
        let jobs = pages.apart(2);
        let _all = [jobs.hold().await.unwrap(), jobs.hold().await.unwrap()];
        pages.rollup().coverage().await.unwrap();
        let _last = pages.hold().await.unwrap();
        // Readiness needs none of them.
        pages.ping().await.unwrap();
        jobs.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_pool_is_no_outage() {
    let deployment = Deployment::new(Backend::Production).await;
    let reports = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
    reports.migrate().await.unwrap();
    let _all = reports.hold().await.unwrap();
    let error = reports.rollup().coverage().await.unwrap_err();
    assert!(matches!(error, Error::Busy(1)) && error.outage().is_none(), "{error}");
    assert!(error.to_string().contains("SVIEW_DATABASE_CONNECTIONS"), "{error}");
}

#[tokio::test]
async fn an_error_of_the_timeline_query_costs_no_connection() {
    let deployment = without_timeline("").await;
    let reports = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
    for _ in 0..3 {
        assert!(revisions(&reports).await.iter().all(Option::is_none), "the timeline is not known");
        reports.ping().await.unwrap();
    }
    deployment.sql("DROP FUNCTION public.pg_walfile_name(pg_lsn)").await;
    assert!(revisions(&reports).await.iter().all(Option::is_some), "it is asked for again");
}

#[tokio::test]
async fn a_server_that_tells_no_timeline_is_taken_to_have_one() {
    let deployment = without_timeline("USING ERRCODE = 'insufficient_privilege'").await;
    let reports = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
    assert!(revisions(&reports).await.iter().all(Option::is_some));
}

/// A deployment whose query for the timeline fails.
async fn without_timeline(options: &str) -> Deployment {
    let mut deployment = Deployment::new(Backend::Production).await;
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let function = format!(
        "CREATE FUNCTION public.pg_walfile_name(pg_lsn) RETURNS text LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'no timeline today' {options}; END $$"
    );
    deployment.sql(&function).await;
    let separator = if deployment.database_url.contains('?') { '&' } else { '?' };
    deployment.database_url += &format!("{separator}options=-c%20search_path%3Dpublic%2Cpg_catalog");
    deployment
}

async fn revisions(reports: &Reports) -> Vec<Option<i64>> {
    reports.rollup().coverage().await.unwrap().iter().map(|c| c.revision).collect()
}

#[tokio::test]
async fn migrations_take_turns_whatever_the_isolation_level() {
    for level in ["repeatable read", "serializable"] {
        let deployment = Deployment::new(Backend::Production).await;
        deployment
            .sql(&format!("ALTER DATABASE {} SET default_transaction_isolation = '{level}'", deployment.prefix))
            .await;
        let open = || Reports::open(&deployment.database_url, Settings::default()).unwrap();
        let all = [open(), open(), open(), open()];
        for migrated in join_all(all.iter().map(Reports::migrate)).await {
            migrated.unwrap_or_else(|error| panic!("{level}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_connection_that_stays_read_only_is_replaced() {
    let deployment = Deployment::new(Backend::Production).await;
    let reports = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
    reports.migrate().await.unwrap();
    let name = &deployment.prefix;
    deployment.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let time = "2026-03-15T12:34:56Z".parse().unwrap();
    let port = Port { time, raw_count: 1, port: 23, protocol: "TCP".parse().unwrap() };
    let batch = Batch { ports: vec![port], ..Batch::default() };
    let read_only = reports.insert(&batch, None).await.unwrap_err();
    assert_eq!(read_only.outage(), Some(Outage::ReadOnly), "{read_only}");
    assert_eq!(reports.ping().await.unwrap_err().outage(), Some(Outage::ReadOnly));
    reports.rollup().coverage().await.expect("it can be read");
    let new = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
    assert!(revisions(&new).await.iter().all(Option::is_none), "read-only sessions tell no timeline");
    // Only sessions that begin from now on can write, as after a promotion behind the same address.
    let writable =
        format!("SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only");
    deployment.sql(&writable).await;
    let patience = Patience::default();
    while reports.insert(&batch, None).await.is_err() || reports.ping().await.is_err() {
        patience.look_again(|| "the connections are still read-only".to_owned()).await;
    }
}
