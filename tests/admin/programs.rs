//! The JSON describes itself.

use sview_jobs::State;
use sview_model::Queue;
use sview_testing::http::{get, post};
use sview_testing::{both, strict_addresses};

use crate::site::{new_job, push, queues, send_json, serve, state};

both! {
    async fn operators_programs_are_told_which_parameters_there_are(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        assert!(strict_addresses(&url) >= 9);
        for query in ["limit=0", "limit=501", "limit=many", "state=asleep", "queue=x", "from=soon", "before=x"] {
            assert_eq!(get(&format!("{url}/api/jobs?{query}")).status, 400, "{query}");
        }
        for query in ["x=1", "Name=", "%FF=x"] {
            let answer = get(&format!("{url}/events?{query}"));
            assert!(answer.status == 400 && answer.body.contains("no parameter"), "{query}: {} {}", answer.status, answer.body);
        }
        // A field that is misspelt must not make an order mean more jobs.
        let queues = queues(&deployment).await;
        let id = push(&queues, &new_job(Queue::QuickCache, "k")).await;
        let answer = send_json(&format!("{url}/api/jobs/actions"), r#"{"action":"cancel","all":"yes","quue":"slow-cache"}"#, &[]);
        assert!(answer.status == 400 && answer.body.contains("`queue`"), "{} {}", answer.status, answer.body);
        let form = [("action", "cancel"), ("all", "yes"), ("quue", "slow-cache")];
        assert_eq!(post(&format!("{url}/act"), &form, &[]).status, 400);
        assert_eq!(state(&queues, &id).await, Some(State::Queued));
        assert_eq!(get(&format!("{url}/jobs?utm_source=x&utm_source=y")).status, 200, "pages are for people");
    }

    async fn the_operators_api_describes_itself_and_the_public_one_does_not_tell_of_it(deployment: Deployment) {
        let (server, url) = serve(&deployment, &[]);
        let document = get(&format!("{url}/api/openapi.json")).json();
        assert_eq!(document["openapi"], "3.1.0");
        // The answer about a job has the job's own fields.
        let queues = queues(&deployment).await;
        let id = push(&queues, &new_job(Queue::QuickCache, "k")).await;
        let job = get(&format!("{url}/api/jobs/{id}")).json();
        let said = document["components"]["schemas"]["Job"]["properties"].as_object().unwrap();
        assert_eq!(said.keys().collect::<Vec<_>>(), job.as_object().unwrap().keys().collect::<Vec<_>>());
        // Whoever sends a body may send too much of it, or another sort.
        for item in document["paths"].as_object().unwrap().values() {
            if item["post"]["requestBody"].is_object() {
                for status in ["400", "413", "415"] {
                    let described = &item["post"]["responses"][status];
                    assert!(described["content"]["application/json"].is_object(), "{status}: {item}");
                }
            }
        }
        let public = get(&format!("{}/api/openapi.json", server.url)).body;
        assert!(public.contains("/api/resource") && !public.contains("/api/jobs"));
        assert_eq!(get(&format!("{}/api/jobs", server.url)).status, 404);
    }
}
