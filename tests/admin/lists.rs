//! Tests of pages and lists of jobs.

use std::time::Duration;

use sview_jobs::{NewJob, Outcome, Take};
use sview_model::Queue;
use sview_testing::both;
use sview_testing::http::{Answer, get};

use crate::site::{HOSTILE, assert_harmless, ids, new_job, push, queues, queues_at, serve, waits};

both! {
    async fn jobs_are_listed_newest_first_by_filter_and_in_pages(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let a = push(&queues, &new_job(Queue::QuickCache, "alpha")).await;
        let b = push(&queues, &NewJob { delay: Duration::from_secs(900), ..new_job(Queue::QuickCache, "beta") }).await;
        let c = push(&queues, &new_job(Queue::SlowCache, "gamma")).await;
        let list = |query: &str| ids(&get(&format!("{url}/api/jobs?{query}")).json());
        assert_eq!(list(""), [c.clone(), b.clone(), a.clone()]);
        assert_eq!(list("queue=quick-cache"), [b.clone(), a.clone()]);
        assert_eq!(list("state=scheduled,running"), [b.as_str()]);
        assert_eq!(list("text=GAMMA"), [c.as_str()]);
        assert_eq!(list("job=aggregate"), [""; 0]);
        assert_eq!(list("until=2026-01-01T00:00"), [""; 0]);
        assert_eq!(list("from=2026-01-01T00:00&state=&queue=").len(), 3);
        let page = get(&format!("{url}/api/jobs?limit=2")).json();
        assert_eq!(ids(&page), [c, b.clone()]);
        assert_eq!(list(&format!("before={}", page["before"].as_str().unwrap())), [a]);
        for wrong in ["state=asleep", "queue=x", "from=soon", "before=x", "limit=x"] {
            assert_eq!(get(&format!("{url}/api/jobs?{wrong}")).status, 400, "{wrong}");
            assert_eq!(get(&format!("{url}/jobs?{wrong}")).status, 400, "{wrong}");
        }
        let html = get(&format!("{url}/jobs?state=scheduled")).body;
        for kind in sview_jobs::JOB_NAMES {
            assert!(html.contains(&format!("<option value=\"{kind}\">")), "{kind} cannot be chosen: {html}");
        }
        assert!(html.contains("beta") && !html.contains("alpha"), "{html}");
        let counts = get(&format!("{url}/api/jobs/counts")).json();
        assert_eq!(counts["queues"][1]["states"]["scheduled"], 1);
    }

    async fn jobs_are_listed_by_run_time_and_counted_by_kind(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let mut by_queueing = Vec::new();
        for (key, ran) in [("slow", 400), ("quick", 0), ("middle", 150)] {
            by_queueing.push(push(&queues, &new_job(Queue::QuickCache, key)).await);
            let Take::Job(taken) = queues.ledger().take(&[Queue::QuickCache.into()], "w", Duration::from_secs(60)).await.unwrap() else {
                panic!("nothing to take")
            };
            tokio::time::sleep(Duration::from_millis(ran)).await;
            let outcome = if key == "middle" { Outcome::Dead { error: "e".into() } } else { Outcome::Done };
            queues.ledger().finish(&taken.claim, &outcome).await.unwrap();
        }
        by_queueing.push(push(&queues, &new_job(Queue::QuickCache, "waiting")).await);
        let list = |query: &str| get(&format!("{url}/api/jobs?{query}")).json();
        let seconds = |page: &serde_json::Value| -> Vec<f64> {
            page["jobs"].as_array().unwrap().iter().filter_map(|job| job["ran_seconds"].as_f64()).collect()
        };
        let sorted = list("sort=ran");
        assert!(seconds(&sorted).is_sorted_by(|a, b| a >= b) && ids(&sorted)[0] == by_queueing[0], "{sorted}");
        assert_eq!((ids(&sorted).len(), ids(&sorted).last()), (4, by_queueing.last()), "what never ran comes last");
        assert_eq!(ids(&list("sort=ran&limit=1")).len(), 1);
        assert!(list("sort=ran&limit=1")["before"].is_null(), "there is one page");
        by_queueing.reverse();
        assert_eq!(ids(&list("sort=queued")), by_queueing);
        for wrong in ["sort=slow", "sort=RAN", "ids=x", &format!("sort=ran&before={}", by_queueing[0])] {
            assert_eq!(get(&format!("{url}/api/jobs?{wrong}")).status, 400, "{wrong}");
            assert_eq!(get(&format!("{url}/jobs?{wrong}")).status, 400, "{wrong}");
        }
        let page = get(&format!("{url}/jobs?queue=quick-cache")).body;
        assert!(page.contains("href=\"/jobs?queue=quick-cache&amp;sort=ran\""), "the head leads to the other order: {page}");
        let page = get(&format!("{url}/jobs?sort=ran&queue=quick-cache")).body;
        assert!(page.contains("aria-sort=\"descending\"") && page.contains("href=\"/jobs?queue=quick-cache\""), "{page}");

        let kinds = get(&format!("{url}/api/jobs/counts")).json()["kinds"].clone();
        let [kind] = &kinds.as_array().unwrap()[..] else { panic!("{kinds}") };
        assert_eq!((kind["job"].as_str(), kind["done"].as_u64(), kind["failed"].as_u64()), (Some("probe"), Some(2), Some(1)));
        assert!(kind["max"].as_f64().unwrap() >= 0.4 && kind["p50"].as_f64() <= kind["p95"].as_f64(), "{kind}");
        assert_eq!(kind["hours"].as_array().unwrap().len(), 25);
        let page = get(&url).body;
        assert!(page.contains("/jobs?job=probe&amp;sort=ran") && page.contains("probe: 3 attempts in the last 24 hours"), "{page}");
    }

    async fn a_lost_worker_is_shown_with_what_it_was_at(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let id = push(&queues(&deployment).await, &new_job(Queue::QuickCache, "left")).await;
        // The same ledger, some minutes ago.
        let ago = sview_jobs::ClockShift::default();
        ago.set_millis(-300_000);
        let earlier = queues_at(&deployment, ago).await;
        let worker = sview_jobs::WorkerInfo {
            name: "w7".into(), host: "<b>h</b>".into(), pid: 4711, queues: vec![Queue::QuickCache.into()], slots: 1,
            since: sview_jobs::machine_now(), running: vec![(id.parse().unwrap(), HOSTILE.into())],
        };
        earlier.ledger().beat(&worker).await.unwrap();
        let workers = get(&format!("{url}/api/jobs/workers")).json();
        assert_eq!(workers["workers"].as_array().unwrap().len(), 0);
        let lost = &workers["lost"][0];
        assert_eq!((lost["name"].as_str(), lost["pid"].as_u64(), lost["was_running"][0]["state"].as_str()), (Some("w7"), Some(4711), Some("queued")));
        let page = get(&format!("{url}/workers"));
        assert_harmless(&page, "workers");
        assert!(page.body.contains("Lost in the last 7 days") && page.body.contains("process 4711"), "{}", page.body);
        assert!(page.body.contains(&format!("/jobs/{id}")) && page.body.contains("which is queued now"), "{}", page.body);
    }

    async fn no_page_has_hostile_words_as_markup(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        push(&queues, &new_job(Queue::Aggregation, "k")).await;
        let Take::Job(taken) = queues.ledger().take(&[Queue::Aggregation.into()], "w3", Duration::from_secs(60)).await.unwrap() else {
            panic!("nothing to take")
        };
        queues.ledger().finish(&taken.claim, &Outcome::Dead { error: HOSTILE.into() }).await.unwrap();
        let id = taken.record.id;
        let typed = "%3Cscript%3Ealert(1)%3C/script%3E%22%E2%80%AE";
        let pages = [
            "/".into(), "/jobs".into(), format!("/jobs?text={typed}&job={typed}"), format!("/jobs/{id}"), "/workers".into(),
            "/status".into(), "/dead".into(), format!("/jobs?error={typed}&sort=ran"), "/schedule".into(), "/due".into(), "/cache".into(), format!("/cache?text={typed}"), "/actions".into(),
            format!("/confirm?action=delete&id={id}"), format!("/confirm?action=delete&all=yes&text={typed}"),
        ];
        for page in &pages {
            let answer = get(&format!("{url}{page}"));
            // The fields of forms hold what was typed, escaped, and only there may it reorder anything.
            let fields = page.contains("%80%AE");
            let body = if fields { answer.body.replace('\u{202e}', "") } else { answer.body.clone() };
            assert_harmless(&Answer { body, ..answer }, page);
        }
        let page = get(&format!("{url}/jobs/{id}")).body;
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        // Only what can be the id of a job may have been purged.
        for nowhere in ["/nothing", "/jobs/nothing", "/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/x"] {
            let answer = get(&format!("{url}{nowhere}"));
            assert!(answer.status == 404 && !answer.body.contains("purged"), "{nowhere}: {}", answer.body);
            assert!(answer.body.contains("There is no such page"), "{nowhere}: {}", answer.body);
        }
        assert_eq!(get(&format!("{url}/api/jobs/nothing")).status, 400);
        let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let answer = get(&format!("{url}/api/jobs/{unknown}"));
        assert!(answer.status == 404 && answer.body.contains("kept for 7 days (SVIEW_KEEP_JOBS_DAYS)"), "{}", answer.body);
        let (_shorter, shorter) = serve(&deployment, &[("SVIEW_KEEP_JOBS_DAYS", "3")]);
        assert!(get(&format!("{shorter}/jobs/{unknown}")).body.contains("kept for 3 days"));
    }

    async fn it_is_said_why_a_job_waits(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let first = push(&queues, &new_job(Queue::Aggregation, "first")).await;
        assert_eq!(waits(&url, &first), ["no worker serves aggregation"]);
        queues.ledger().pause(Queue::Aggregation.into(), true).await.unwrap();
        assert_eq!(waits(&url, &first)[0], "its queue aggregation is paused");
        queues.ledger().pause(Queue::Aggregation.into(), false).await.unwrap();
        let worker = sview_jobs::WorkerInfo {
            name: "w3".into(), host: "h".into(), pid: 1, queues: vec![Queue::Aggregation.into(), Queue::QuickCache.into()], slots: 1,
            since: sview_jobs::machine_now(), running: Vec::new(),
        };
        queues.ledger().beat(&worker).await.unwrap();
        assert_eq!(waits(&url, &first), ["nothing holds it up; a worker takes it in a moment"]);
        let second = push(&queues, &new_job(Queue::QuickCache, "second")).await;
        assert_eq!(waits(&url, &second), ["1 job of the more urgent queue aggregation goes first"]);
        queues.ledger().take(&worker.queues, "w3", Duration::from_secs(60)).await.unwrap();
        assert_eq!(waits(&url, &second), ["the only slot of aggregation, quick-cache is busy"]);
        let page = get(&format!("{url}/jobs/{second}")).body;
        assert!(page.contains("Blocked by ") && page.contains("running for ") && page.contains("on worker w3"), "{page}");
        assert_eq!(waits(&url, &first), [""; 0]);
        let later = NewJob { delay: Duration::from_secs(99), ..new_job(Queue::QuickCache, "later") };
        let later = push(&queues, &later).await;
        assert!(waits(&url, &later)[0].starts_with("scheduled: runs in 1 min 3"), "{:?}", waits(&url, &later));
        assert!(get(&format!("{url}/workers")).body.contains("1 of 1"));
    }
}
