//! Tests of cards' text about the refresh of an old value.

use std::time::Duration;

use sview_jobs::{NewJob, Outcome, Pushed, Queues, Take};
use sview_model::Queue;
use sview_testing::{Server, both, http, run, sview};

use crate::places::services;
use crate::site::{NOW, SVIEW, ingest};

/// So long after all was computed that values of a day are due, and still cached.
const LATER: &str = "2026-03-15T13:10:56Z";

/// Has a job of this key end as a dead one.
async fn die(queues: &Queues, key: &str) {
    let job = NewJob {
        id: None,
        name: "probe".into(),
        queue: Queue::QuickCache.into(),
        key: key.into(),
        payload: "{}".into(),
        words: "a probe".into(),
        cause: "test".into(),
        max_attempts: 1,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    };
    let Pushed::Queued(_) = queues.ledger().push(&job).await.unwrap() else { panic!("{key} is under way") };
    let Take::Job(taken) =
        queues.ledger().take(&[Queue::QuickCache.into()], "w", Duration::from_secs(60)).await.unwrap()
    else {
        panic!("nothing to take")
    };
    queues.ledger().finish(&taken.claim, &Outcome::Dead { error: "broken".into() }).await.unwrap();
}

both! {
    async fn a_card_says_that_its_refresh_failed(deployment: Deployment) {
        ingest(&deployment);
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let services = services(&deployment, LATER, &[]).await;
        let queues = &services.jobs.queues;
        // Ports wait for an aggregation that died; the job that caches passwords died itself.
        die(queues, "aggregate:ports:quarterly").await;
        die(queues, "cache-group:passwords:1d").await;
        let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", LATER));
        let page = |path: &str| http::get(&format!("{}{path}?period=1d", server.url)).body;
        for (path, cards) in [("/ports/", 3), ("/passwords/", 4)] {
            for _ in 0..2 {
                let body = page(path);
                assert_eq!(body.matches("The refresh failed at <time").count(), cards, "{path}: {body}");
                assert_eq!(body.matches("data-state=\"ready\"").count(), cards, "{path}: {body}");
            }
        }
        let body = page("/attackers/");
        assert_eq!(body.matches(">refreshing<").count(), 5, "nothing failed there: {body}");
        // Values that are missing say it too.
        run(sview(SVIEW, &deployment, &["clear-cache"]).env("SVIEW_NOW", LATER));
        tokio::time::sleep(Duration::from_secs(1)).await; // a page is kept for a second
        let body = page("/ports/");
        assert_eq!(body.matches("data-state=\"failed\"").count(), 3, "{body}");
        assert!(body.contains("The last attempts failed, at ") && body.contains("it is tried again at "), "{body}");
    }
}
