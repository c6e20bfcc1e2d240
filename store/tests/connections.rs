//! Connections to the database: pages keep theirs, and a full pool is no outage.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use sview_store::{Error, Reports, Settings};
use sview_testing::{Backend, Deployment, both};

both! {
    async fn pages_keep_connections_that_jobs_do_not_use(deployment: Deployment) {
        let pages = Reports::open(&deployment.database_url, Settings { connections: 1, ..Settings::default() }).unwrap();
        pages.migrate().await.unwrap();
        let jobs = pages.apart(2);
        let _all = [jobs.hold().await.unwrap(), jobs.hold().await.unwrap()];
        pages.coverage().await.unwrap();
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
    let error = reports.coverage().await.unwrap_err();
    assert!(matches!(error, Error::Busy(1)) && error.outage().is_none(), "{error}");
    assert!(error.to_string().contains("SVIEW_DATABASE_CONNECTIONS"), "{error}");
}
