//! A thousand visitors who ask two web processes for the same value at once.

use std::sync::{Arc, Barrier};

use sview_store::{Reports, Settings};
use sview_testing::{Random, Server, both, http, patiently, sview};

use crate::members::Member;
use crate::reports::{batch, document, settle};
use crate::{NOW, SVIEW};

const ASKERS: usize = 1_000;

both! {
    async fn a_thousand_askers_of_two_web_processes_have_a_value_computed_once(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        reports.insert(&batch(500, &mut Random(0x5eed_5eed_5eed_5eed)), None).await.unwrap();
        let _scheduler = Member::start(&deployment, &["scheduler"], &[]);
        let _workers = [
            Member::start(&deployment, &["worker", "aggregation", "quick-cache"], &[]),
            Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &[]),
        ];
        settle(&deployment, &[], 90);
        // All askers come from one address, and all may be connected at once.
        let unlimited = [
            ("SVIEW_NOW", NOW),
            ("SVIEW_RLIMIT_MAX_HITS", "0"),
            ("SVIEW_RLIMIT_ALL_HITS", "0"),
            ("SVIEW_MAX_CONNECTIONS_PER_CLIENT", "0"),
        ];
        let web = [(); 2].map(|()| Server::start(sview(SVIEW, &deployment, &["serve"]).envs(unlimited)));
        let url = |server: &Server| format!("{}/api/resource?name=selected_attacker_incidents_graph&ip=192.0.2.7&period=1m", server.url);
        let barrier = Arc::new(Barrier::new(ASKERS));
        let ask = |n: usize| {
            let (url, barrier) = (url(&web[n % 2]), Arc::clone(&barrier));
            let asker = std::thread::Builder::new().stack_size(512 << 10);
            asker.spawn(move || {
                barrier.wait();
                let answer = http::get(&url);
                assert_eq!(answer.status, 200, "{}", answer.body);
            }).unwrap()
        };
        let asking: Vec<_> = (0..ASKERS).map(ask).collect();
        for thread in asking {
            thread.join().unwrap();
        }
        let there = patiently(|| http::get(&url(&web[0])), |answer| !answer.json()["data"].is_null());
        assert!(there.json()["data"].as_array().unwrap().iter().any(|point| point["count"] != 0));
        let jobs = document(&deployment, &["view-jobs", "--name", "cache-resource", "--json"]);
        let jobs = jobs["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        assert_eq!((&jobs[0]["state"], &jobs[0]["attempts"]), (&"done".into(), &1.into()));
    }
}
