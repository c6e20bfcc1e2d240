//! Tests of operators' actions, without a browser: each action acts, and is logged first.

use std::time::Duration;

use serde_json::json;
use sview_jobs::{Filter, NewJob, Outcome, State, Take};
use sview_model::Queue;
use sview_testing::http::{get, get_with, post};
use sview_testing::{both, run, sview};

use crate::site::{
    HOSTILE, SVIEW, assert_harmless, ids, new_job, newest_action, push, queues, send_json, serve, state,
};

both! {
    async fn every_action_acts_and_is_written_down_first(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let act = |form: &[(&str, &str)]| post(&format!("{url}/act"), form, &[]);
        let id = push(&queues, &new_job(Queue::QuickCache, "one")).await;

        // Asking changes nothing.
        let asked = get(&format!("{url}/confirm?action=cancel&id={id}"));
        assert!(asked.status == 200 && asked.body.contains("method=\"post\""), "{}", asked.body);
        assert_eq!(state(&queues, &id).await, Some(State::Queued));
        assert_eq!(queues.ledger().actions(9).await.unwrap().len(), 0);

        let answer = act(&[("action", "cancel"), ("id", &id)]);
        assert_eq!((answer.status, answer.header("location")), (303, format!("/jobs/{id}").as_str()));
        assert_eq!(state(&queues, &id).await, Some(State::Cancelled));
        let action = newest_action(&queues).await;
        assert_eq!((action.who.as_str(), action.peer.as_str()), ("no token (loopback)", "127.0.0.1"));
        assert!(action.what.starts_with(&format!("cancel {id}: probe one")), "{action:?}");
        // The result is shown once.
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let page = get_with(&format!("{url}/jobs/{id}"), &[("cookie", &cookie)]);
        assert!(page.body.contains("1 job cancelled."), "{}", page.body);
        assert!(page.header("set-cookie").contains("sview_said=;"), "{}", page.header("set-cookie"));

        act(&[("action", "retry"), ("id", &id)]);
        assert_eq!(state(&queues, &id).await, Some(State::Queued));
        assert!(newest_action(&queues).await.what.starts_with("retry "));
        act(&[("action", "delete"), ("id", &id)]);
        assert_eq!(state(&queues, &id).await, None);
        assert!(newest_action(&queues).await.what.starts_with("delete "));

        let later = NewJob { delay: Duration::from_secs(900), ..new_job(Queue::QuickCache, "later") };
        let later = push(&queues, &later).await;
        act(&[("action", "retry"), ("id", &later)]);
        assert_eq!(state(&queues, &later).await, Some(State::Queued), "a scheduled job runs now");

        act(&[("action", "pause"), ("queue", "slow-cache")]);
        assert!(queues.ledger().counts().await.unwrap()[2].paused);
        assert_eq!(newest_action(&queues).await.what, "pause queue slow-cache");
        act(&[("action", "resume"), ("queue", "slow-cache")]);
        assert!(!queues.ledger().counts().await.unwrap()[2].paused);

        let answer = act(&[("action", "run"), ("producer", "refresh")]);
        assert_eq!((answer.status, answer.header("location")), (303, "/schedule"));
        assert_eq!(newest_action(&queues).await.what, "run producer refresh");
        let aggregations = Filter { queue: Some(Queue::Aggregation.into()), ..Filter::default() };
        let queued = queues.ledger().list(&aggregations).await.unwrap();
        assert!(queued.iter().any(|job| job.name == "aggregate" && job.cause == "operator"), "{queued:?}");

        let page = get(&format!("{url}/actions")).body;
        assert!(page.contains("run producer refresh") && page.contains("pause queue slow-cache"), "{page}");
        for wrong in [
            vec![("action", "explode")], vec![("action", "delete")], vec![("action", "delete"), ("all", "no")],
            vec![("action", "pause"), ("queue", "x")], vec![("action", "run"), ("producer", "x")],
            vec![("action", "delete"), ("all", "yes"), ("state", "x")],
        ] {
            let before = queues.ledger().actions(99).await.unwrap().len();
            assert_eq!(act(&wrong).status, 400, "{wrong:?}");
            assert_eq!(queues.ledger().actions(99).await.unwrap().len(), before);
        }
    }

    async fn an_action_on_all_that_match_spares_the_others(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        for key in ["a1", "a2"] {
            push(&queues, &new_job(Queue::QuickCache, key)).await;
        }
        let other = push(&queues, &new_job(Queue::SlowCache, "b")).await;
        let asked = get(&format!("{url}/confirm?action=cancel&all=yes&queue=quick-cache"));
        assert!(asked.body.contains("Cancel 2 jobs?") && asked.body.contains("name=\"until\""), "{}", asked.body);
        assert!(asked.body.contains("All jobs are meant that are in queue quick-cache."), "{}", asked.body);
        assert!(asked.body.contains("These are 2 queued, queued from 2"), "{}", asked.body);
        let order = json!({ "action": "cancel", "all": "yes", "queue": "quick-cache" }).to_string();
        let did = send_json(&format!("{url}/api/jobs/actions"), &order, &[]);
        assert_eq!(did.json()["changed"], 2, "{}", did.body);
        assert_eq!(state(&queues, &other).await, Some(State::Queued));
        assert_eq!(newest_action(&queues).await.what, "cancel all of queue=quick-cache: 2 jobs");
        assert_eq!(get(&format!("{url}/api/jobs/actions")).json()["actions"][0]["what"], "cancel all of queue=quick-cache: 2 jobs");
    }

    async fn what_was_retried_or_cancelled_is_shown_then(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let mut dead = Vec::new();
        for (key, error) in [("a", "took longer than 600 s"), ("b", "took longer than 7200 s"), ("c", "no such table")] {
            let id = push(&queues, &new_job(Queue::QuickCache, key)).await;
            let Take::Job(taken) = queues.ledger().take(&[Queue::QuickCache.into()], "w", Duration::from_secs(60)).await.unwrap() else {
                panic!("nothing to take")
            };
            queues.ledger().finish(&taken.claim, &Outcome::Dead { error: error.into() }).await.unwrap();
            dead.push(id);
        }
        // The groups of the dead, and an action on one of them.
        let groups = get(&format!("{url}/api/jobs/dead")).json();
        assert_eq!(groups["looked_through"], 3);
        let told: Vec<_> = groups["groups"].as_array().unwrap().iter().map(|group| (group["error"].as_str().unwrap(), group["count"].as_u64().unwrap())).collect();
        assert_eq!(told, [("took longer than # s", 2), ("no such table", 1)]);
        let page = get(&format!("{url}/dead")).body;
        let link = "/jobs?state=dead&amp;error=took%20longer%20than%20%23%20s";
        assert!(page.contains(link), "{link} is not in {page}");
        let list = ids(&get(&format!("{url}/api/jobs?state=dead&error=took%20longer%20than%20%23%20s")).json());
        assert_eq!(list, [dead[1].as_str(), dead[0].as_str()]);
        let fields = [("action", "retry"), ("all", "yes"), ("state", "dead"), ("error", "took longer than # s")];
        let asked = get(&format!("{url}/confirm?action=retry&all=yes&state=dead&error=took%20longer%20than%20%23%20s")).body;
        assert!(asked.contains("Retry 2 jobs?") && asked.contains("name=\"error\" value=\"took longer than # s\""), "{asked}");

        let answer = post(&format!("{url}/act"), &fields, &[]);
        let landed = answer.header("location").to_owned();
        assert!(answer.status == 303 && landed.starts_with("/jobs?ids="), "{landed}");
        assert_eq!(state(&queues, &dead[2]).await, Some(State::Dead), "the other group is left alone");
        let groups = get(&format!("{url}/api/jobs/dead")).json();
        assert_eq!((&groups["looked_through"], &groups["groups"][0]["error"]), (&1.into(), &"no such table".into()), "shown at once");
        let page = get(&format!("{url}{landed}")).body;
        assert!(page.contains("probe a") && page.contains("probe b") && !page.contains("probe c"), "{page}");
        assert!(!page.contains("No job matches"), "{page}");
        // All that this page shows is all that an action on it means.
        let named = landed.trim_start_matches("/jobs?ids=").replace("%2C", ",");
        let order = json!({ "action": "cancel", "all": "yes", "ids": named.split(',').next().unwrap() }).to_string();
        assert_eq!(send_json(&format!("{url}/api/jobs/actions"), &order, &[]).json()["changed"], 1);
        let answer = post(&format!("{url}/act"), &[("action", "cancel"), ("all", "yes"), ("state", "queued")], &[]);
        let page = get(&format!("{url}{}", answer.header("location"))).body;
        assert!(page.contains("cancelled") && !page.contains("No job matches"), "{page}");
        // A deleted job is nowhere.
        let answer = post(&format!("{url}/act"), &[("action", "delete"), ("all", "yes"), ("state", "dead")], &[]);
        assert_eq!(answer.header("location"), "/jobs?state=dead");
    }

    async fn an_action_without_a_filter_says_that_it_means_all_jobs(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        for key in ["a", "b"] {
            push(&queues, &new_job(Queue::QuickCache, key)).await;
        }
        let Take::Job(taken) = queues.ledger().take(&[Queue::QuickCache.into()], "w", Duration::from_secs(60)).await.unwrap() else {
            panic!("nothing to take")
        };
        queues.ledger().finish(&taken.claim, &Outcome::Dead { error: "why".into() }).await.unwrap();
        push(&queues, &NewJob { delay: Duration::from_secs(900), ..new_job(Queue::SlowCache, "c") }).await;
        assert!(get(&format!("{url}/jobs")).body.contains("All jobs:"));
        assert!(get(&format!("{url}/jobs?state=dead")).body.contains("All that match the filter:"));

        let asked = get(&format!("{url}/confirm?action=delete&all=yes")).body;
        for said in [
            "Delete 3 jobs?", "No filter is set: all jobs are meant, of every queue and kind.",
            "These are 1 queued, 1 scheduled and 1 dead, queued from 2", "Jobs that are running are left as they are.",
        ] {
            assert!(asked.contains(said), "{said} is not in {asked}");
        }
        // A job queued after the question is not deleted by its answer.
        let until = asked.split("name=\"until\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let late = push(&queues, &new_job(Queue::QuickCache, "late")).await;
        post(&format!("{url}/act"), &[("action", "delete"), ("all", "yes"), ("until", &until)], &[]);
        assert_eq!(newest_action(&queues).await.what, format!("delete all jobs queued before {until}: 3 jobs"));
        assert_eq!(ids(&get(&format!("{url}/api/jobs")).json()), [late]);
        // Nothing is in a state to which that does anything.
        let asked = get(&format!("{url}/confirm?action=retry&all=yes&state=queued")).body;
        assert!(asked.contains("Retry 0 jobs?") && asked.contains("Jobs that are queued are left as they are."), "{asked}");
        assert!(!asked.contains(">Retry them<"), "{asked}");
        let order = json!({ "action": "delete", "all": "yes" }).to_string();
        assert_eq!(send_json(&format!("{url}/api/jobs/actions"), &order, &[]).json()["changed"], 1);
        assert_eq!(newest_action(&queues).await.what, "delete all jobs: 1 job");
    }

    async fn what_is_done_by_command_is_written_down_too(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        for (args, what) in [
            (&["clear-cache"][..], "clear-cache: 0 values"),
            (&["clear-timeouts", "resource", "1w"], "clear-timeouts resource 1w"),
            (&["clear-timeouts", "aggregation", "daily"], "clear-timeouts aggregation daily"),
            (&["migrate-period", "hourly"], "migrate-period hourly"),
        ] {
            let before = queues.ledger().actions(99).await.unwrap().len();
            let dry: Vec<&str> = args.iter().copied().chain(["-d"]).collect();
            run(&mut sview(SVIEW, &deployment, &dry));
            assert_eq!(queues.ledger().actions(99).await.unwrap().len(), before, "a dry run does nothing");
            run(sview(SVIEW, &deployment, args).env("USER", HOSTILE));
            let action = newest_action(&queues).await;
            assert_eq!(action.what, what);
            assert!(action.who.starts_with("command by <script>") && !action.who.contains('\u{202e}'), "{action:?}");
            assert!(!action.peer.is_empty());
        }
        let span = ["rollup", "rebuild", "--kind", "ports", "--precision", "daily", "--from", "2026-03-01", "--to", "2026-03-02"];
        run(&mut sview(SVIEW, &deployment, &span));
        assert!(newest_action(&queues).await.what.starts_with("rollup rebuild of "), "{:?}", newest_action(&queues).await);
        assert_harmless(&get(&format!("{url}/actions")), "the log");
    }
}
