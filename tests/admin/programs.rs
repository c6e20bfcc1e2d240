//! The JSON describes itself.

use sview_model::Queue;
use sview_testing::both;
use sview_testing::http::get;

use crate::site::{new_job, push, queues, serve};

both! {
    async fn the_operators_api_describes_itself_and_the_public_one_does_not_tell_of_it(deployment: Deployment) {
        let (server, url) = serve(&deployment, &[]);
        let document = get(&format!("{url}/api/openapi.json")).json();
        assert_eq!(document["openapi"], "3.1.0");
        // What it says of a job is what a job has.
        let queues = queues(&deployment).await;
        let id = push(&queues, &new_job(Queue::QuickCache, "k")).await;
        let job = get(&format!("{url}/api/jobs/{id}")).json();
        let said = document["components"]["schemas"]["Job"]["properties"].as_object().unwrap();
        assert_eq!(said.keys().collect::<Vec<_>>(), job.as_object().unwrap().keys().collect::<Vec<_>>());
        let public = get(&format!("{}/api/openapi.json", server.url)).body;
        assert!(public.contains("/api/resource") && !public.contains("/api/jobs"));
        assert_eq!(get(&format!("{}/api/jobs", server.url)).status, 404);
    }
}
