//! What pages and lists show of jobs.

use std::time::Duration;

use sview_jobs::{NewJob, Outcome, Take};
use sview_model::Queue;
use sview_testing::both;
use sview_testing::http::{Answer, get};

use crate::site::{HOSTILE, assert_harmless, ids, new_job, push, queues, serve, waits};

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

    async fn no_page_has_hostile_words_as_markup(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        push(&queues, &new_job(Queue::Aggregation, "k")).await;
        let Take::Job(taken) = queues.take(&[Queue::Aggregation], "w3", Duration::from_secs(60)).await.unwrap() else {
            panic!("nothing to take")
        };
        queues.finish(&taken.claim, &Outcome::Dead { error: HOSTILE.into() }).await.unwrap();
        let id = taken.record.id;
        let typed = "%3Cscript%3Ealert(1)%3C/script%3E%22%E2%80%AE";
        let pages = [
            "/".into(), "/jobs".into(), format!("/jobs?text={typed}&job={typed}"), format!("/jobs/{id}"), "/workers".into(),
            "/schedule".into(), "/due".into(), "/cache".into(), format!("/cache?text={typed}"), "/actions".into(),
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
        assert_eq!(get(&format!("{url}/jobs/nothing")).status, 404);
        assert_eq!(get(&format!("{url}/api/jobs/nothing")).status, 400);
        let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let answer = get(&format!("{url}/api/jobs/{unknown}"));
        assert!(answer.status == 404 && answer.body.contains("kept for 7 days (SVIEW_KEEP_JOBS_DAYS)"), "{}", answer.body);
        let (_shorter, shorter) = serve(&deployment, &[("SVIEW_KEEP_JOBS_DAYS", "3")]);
        assert!(get(&format!("{shorter}/jobs/{unknown}")).body.contains("kept for 3 days"));
        assert_eq!(get(&format!("{url}/nothing")).status, 404);
    }

    async fn it_is_said_why_a_job_waits(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let first = push(&queues, &new_job(Queue::Aggregation, "first")).await;
        assert_eq!(waits(&url, &first), ["no worker serves aggregation"]);
        queues.pause(Queue::Aggregation, true).await.unwrap();
        assert_eq!(waits(&url, &first)[0], "its queue aggregation is paused");
        queues.pause(Queue::Aggregation, false).await.unwrap();
        let worker = sview_jobs::WorkerInfo {
            name: "w3".into(), host: "h".into(), pid: 1, queues: vec![Queue::Aggregation, Queue::QuickCache], slots: 1,
            since: sview_jobs::machine_now(), running: Vec::new(),
        };
        queues.beat(&worker).await.unwrap();
        assert_eq!(waits(&url, &first), ["nothing holds it up; a worker takes it in a moment"]);
        let second = push(&queues, &new_job(Queue::QuickCache, "second")).await;
        assert_eq!(waits(&url, &second), ["1 job of the more urgent queue aggregation goes first"]);
        queues.take(&worker.queues, "w3", Duration::from_secs(60)).await.unwrap();
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
