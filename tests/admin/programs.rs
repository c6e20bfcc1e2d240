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
        // Every route for programs, with its methods, as the router has it.
        let source = include_str!("../../src/admin/mod.rs");
        let routes: Vec<(&str, &str)> = source.lines().filter_map(|line| {
            line.trim().strip_prefix(".route(\"")?.split_once('"').filter(|(path, _)| path.starts_with("/api/"))
        }).collect();
        assert!(routes.len() >= 7, "{routes:?}");
        for (path, handlers) in &routes {
            for method in ["get", "post"] {
                let routed = handlers.contains(&format!("{method}("));
                assert_eq!(document["paths"][path][method].is_object(), routed, "{method} {path}");
            }
        }
        let described = document["paths"].as_object().unwrap();
        for path in described.keys() {
            assert!(path == "/metrics" || routes.iter().any(|(route, _)| route == path), "{path} is no route");
        }
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
