//! Operators' pages, their JSON and metrics: what is shown, who may act, what is written down.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sview_jobs::{
    Action, Filter, LedgerSettings, NewJob, Outcome, Pushed, Queues, RedisLedger, SqliteLedger, State, Take,
};
use sview_model::Queue;
use sview_testing::http::{self, Answer, get, get_with, post};
use sview_testing::{Deployment, Server, both, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const FULL: &str = "full-0123456789abcdef";
const READ: &str = "read-0123456789abcdef";
const HOSTILE: &str = "<script>alert(1)</script>\"'\u{202e}&";

/// A server of pages, without workers: what waits goes on waiting.
fn serve(deployment: &Deployment, more: &[(&str, &str)]) -> (Server, String) {
    let mut command = sview(SVIEW, deployment, &["serve"]);
    command.env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0").envs(more.iter().copied());
    let server = Server::start(&mut command);
    let url = server.admin_url();
    (server, url)
}

/// The ledger that the server has.
async fn queues(deployment: &Deployment) -> Queues {
    match &deployment.redis_url {
        Some(url) => Queues::new(RedisLedger::new(url, &deployment.prefix, LedgerSettings::default()).unwrap()),
        None => {
            let path = deployment.data_dir.join("jobs.sqlite");
            Queues::new(SqliteLedger::open(&path, LedgerSettings::default()).await.unwrap())
        }
    }
}

fn new_job(queue: Queue, key: &str) -> NewJob {
    NewJob {
        name: "probe".into(),
        queue,
        key: key.into(),
        payload: json!({ "typed": HOSTILE }).to_string(),
        words: format!("probe {key} {HOSTILE}"),
        cause: "test".into(),
        max_attempts: 3,
        delay: Duration::ZERO,
        room: u64::MAX,
    }
}

async fn push(queues: &Queues, job: &NewJob) -> String {
    let Pushed::Queued(id) = queues.push(job).await.unwrap() else { panic!("held") };
    id.to_string()
}

async fn state(queues: &Queues, id: &str) -> Option<State> {
    queues.get(id.parse().unwrap()).await.unwrap().map(|record| record.state)
}

async fn newest_action(queues: &Queues) -> Action {
    queues.actions(1).await.unwrap().remove(0)
}

fn ids(answer: &Value) -> Vec<String> {
    answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

fn waits(url: &str, id: &str) -> Vec<String> {
    let job = get(&format!("{url}/api/jobs/{id}")).json();
    job["waits"].as_array().unwrap().iter().map(|wait| wait["words"].as_str().unwrap().to_owned()).collect()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn assert_harmless(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    for bad in ["<script>alert", "\u{202e}"] {
        assert!(!answer.body.contains(bad), "{what} has {bad:?}");
    }
    assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{what}");
    assert!(!answer.body.contains("style=\"") && !answer.body.contains("onclick"), "{what}");
}

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

    async fn every_action_acts_and_is_written_down_first(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let act = |form: &[(&str, &str)]| post(&format!("{url}/act"), form, &[]);
        let id = push(&queues, &new_job(Queue::QuickCache, "one")).await;

        // Asking changes nothing.
        let asked = get(&format!("{url}/confirm?action=cancel&id={id}"));
        assert!(asked.status == 200 && asked.body.contains("method=\"post\""), "{}", asked.body);
        assert_eq!(state(&queues, &id).await, Some(State::Queued));
        assert_eq!(queues.actions(9).await.unwrap().len(), 0);

        let answer = act(&[("action", "cancel"), ("id", &id)]);
        assert_eq!((answer.status, answer.header("location")), (303, format!("/jobs/{id}").as_str()));
        assert_eq!(state(&queues, &id).await, Some(State::Cancelled));
        let action = newest_action(&queues).await;
        assert_eq!((action.who.as_str(), action.peer.as_str()), ("no token (loopback)", "127.0.0.1"));
        assert!(action.what.starts_with(&format!("cancel {id}: probe one")), "{action:?}");
        // What came of it is said once.
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
        assert!(queues.counts().await.unwrap()[2].paused);
        assert_eq!(newest_action(&queues).await.what, "pause queue slow-cache");
        act(&[("action", "resume"), ("queue", "slow-cache")]);
        assert!(!queues.counts().await.unwrap()[2].paused);

        let answer = act(&[("action", "run"), ("producer", "refresh")]);
        assert_eq!((answer.status, answer.header("location")), (303, "/schedule"));
        assert_eq!(newest_action(&queues).await.what, "run producer refresh");
        let aggregations = Filter { queue: Some(Queue::Aggregation), ..Filter::default() };
        let queued = queues.list(&aggregations).await.unwrap();
        assert!(queued.iter().any(|job| job.name == "aggregate" && job.cause == "operator"), "{queued:?}");

        let page = get(&format!("{url}/actions")).body;
        assert!(page.contains("run producer refresh") && page.contains("pause queue slow-cache"), "{page}");
        for wrong in [
            vec![("action", "explode")], vec![("action", "delete")], vec![("action", "delete"), ("all", "no")],
            vec![("action", "pause"), ("queue", "x")], vec![("action", "run"), ("producer", "x")],
            vec![("action", "delete"), ("all", "yes"), ("state", "x")],
        ] {
            let before = queues.actions(99).await.unwrap().len();
            assert_eq!(act(&wrong).status, 400, "{wrong:?}");
            assert_eq!(queues.actions(99).await.unwrap().len(), before);
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

    async fn an_action_without_a_filter_says_that_it_means_all_jobs(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        for key in ["a", "b"] {
            push(&queues, &new_job(Queue::QuickCache, key)).await;
        }
        let Take::Job(taken) = queues.take(&[Queue::QuickCache], "w", Duration::from_secs(60)).await.unwrap() else {
            panic!("nothing to take")
        };
        queues.finish(&taken.claim, &Outcome::Dead { error: "why".into() }).await.unwrap();
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
        // What is queued after the question is not deleted by its answer.
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
            let before = queues.actions(99).await.unwrap().len();
            let dry: Vec<&str> = args.iter().copied().chain(["-d"]).collect();
            run(&mut sview(SVIEW, &deployment, &dry));
            assert_eq!(queues.actions(99).await.unwrap().len(), before, "a dry run does nothing");
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

    async fn workers_and_schedulers_serve_the_pages_too_where_they_are_told_to(deployment: Deployment) {
        for args in [&["worker", "quick-cache"][..], &["scheduler"]] {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (url, listen) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
            let mut command = sview(SVIEW, &deployment, args);
            let mut process = command.env("SVIEW_ADMIN_LISTEN", &listen).stderr(Stdio::null()).spawn().unwrap();
            let begun = Instant::now();
            while http::try_get(&format!("{url}/api/jobs/counts")).is_none() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{args:?} does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
            for path in ["/", "/workers", "/schedule", "/metrics"] {
                assert_eq!(get(&format!("{url}{path}")).status, 200, "{args:?} {path}");
            }
            // It ends well when it is told to, open pages or not.
            assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
            assert!(process.wait().unwrap().success(), "{args:?}");
        }
    }

    async fn cookies_are_for_tls_only_behind_a_proxy_that_does_it(deployment: Deployment) {
        let (server, url) =
            serve(&deployment, &[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_TRUSTED_PROXIES", "127.0.0.1")]);
        let (token, address) = ("a".repeat(64), format!("{}/api/device/add", server.url));
        for (proto, secure) in [("https", true), ("http", false)] {
            let said = [("x-forwarded-proto", proto), ("sec-fetch-site", "same-origin")];
            let login = post(&format!("{url}/login"), &[("token", FULL)], &said);
            assert_eq!((login.status, login.header("set-cookie").contains("Secure")), (303, secure), "{:?}", login.headers);
            let device = post(&address, &[("device_token", &token)], &said);
            assert_eq!((device.status, device.header("set-cookie").contains("Secure")), (303, secure), "{:?}", device.headers);
        }
        drop(server);
        // From whom nobody trusts it is only a claim.
        let (server, _) = serve(&deployment, &[]);
        let device = post(&format!("{}/api/device/add", server.url), &[("device_token", &token)], &[("x-forwarded-proto", "https")]);
        assert!(device.status == 303 && !device.header("set-cookie").contains("Secure"), "{:?}", device.headers);
    }

    async fn the_operators_api_describes_itself_and_the_public_one_does_not_tell_of_it(deployment: Deployment) {
        let (server, url) = serve(&deployment, &[]);
        let document = get(&format!("{url}/api/openapi.json")).json();
        assert_eq!(document["openapi"], "3.1.0");
        // Every route for programs, with its methods, as the router has it.
        let source = include_str!("../src/admin/mod.rs");
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

    async fn tokens_say_who_may_look_and_who_may_act(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_ADMIN_READ_TOKEN", READ)]);
        let queues = queues(&deployment).await;
        let answer = get(&format!("{url}/jobs?state=dead"));
        assert_eq!((answer.status, answer.header("location")), (303, "/login?next=%2Fjobs%3Fstate%3Ddead"));
        for path in ["/api/jobs", "/metrics", "/events", "/api/nothing"] {
            let answer = get(&format!("{url}{path}"));
            assert_eq!(answer.status, 401, "{path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        }
        let with = |token: &str, path: &str| get_with(&format!("{url}{path}"), &[("authorization", &bearer(token))]);
        assert_eq!(with("wrong-0123456789abcdef", "/api/jobs").status, 401);
        assert_eq!(with(READ, "/api/jobs").status, 200);
        assert_eq!(with(READ, "/metrics").status, 200);
        assert_eq!(with(FULL, "/jobs").status, 200);
        assert!(!with(READ, "/").body.contains("action=\"/act\"") && with(FULL, "/").body.contains("action=\"/act\""));

        let pause = [("action", "pause"), ("queue", "slow-cache")];
        let acts = |token: &str| post(&format!("{url}/act"), &pause, &[("authorization", &bearer(token))]).status;
        assert_eq!(post(&format!("{url}/act"), &pause, &[]).status, 303, "to the login form");
        assert_eq!(acts(READ), 403);
        assert_eq!(with(READ, "/confirm?action=delete&all=yes").status, 403);
        assert!(!queues.counts().await.unwrap()[2].paused && queues.actions(9).await.unwrap().is_empty());
        assert_eq!(acts(FULL), 303);
        assert_eq!(newest_action(&queues).await.who, "full token (bearer)");

        // The form.
        assert!(get(&format!("{url}/login")).body.contains("type=\"password\""));
        let sign_in = |token: &str| post(&format!("{url}/login"), &[("token", token), ("next", "/jobs")], &[]);
        assert_eq!(sign_in("wrong-0123456789abcdef").status, 403);
        let answer = sign_in(READ);
        assert_eq!((answer.status, answer.header("location")), (303, "/jobs"));
        let set = answer.header("set-cookie");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let page = get_with(&format!("{url}/jobs"), &[("cookie", &cookie)]);
        assert!(page.status == 200 && page.body.contains("read only"), "{}", page.body);
        assert_eq!(post(&format!("{url}/act"), &pause, &[("cookie", &cookie)]).status, 403);
        let forged = cookie.replacen("read.", "full.", 1);
        assert_eq!(get_with(&format!("{url}/jobs"), &[("cookie", &forged)]).status, 303, "{forged}");
        assert_eq!(sign_in(FULL).status, 303);
        assert_eq!(get(&format!("{url}/healthz")).status, 303, "nothing is open but the form");
    }

    async fn a_foreign_site_can_cause_nothing(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let pause = [("action", "pause"), ("queue", "slow-cache")];
        for headers in [
            [("sec-fetch-site", "cross-site"), ("x", "")], [("sec-fetch-site", "same-site"), ("x", "")],
            [("origin", "https://evil.example"), ("x", "")], [("origin", "null"), ("x", "")],
        ] {
            assert_eq!(post(&format!("{url}/act"), &pause, &headers).status, 403, "{headers:?}");
            let order = json!({ "action": "pause", "queue": "slow-cache" }).to_string();
            assert_eq!(send_json(&format!("{url}/api/jobs/actions"), &order, &headers).status, 403, "{headers:?}");
        }
        // A foreign page that reaches loopback by a name of its own.
        assert_eq!(get_with(&format!("{url}/jobs"), &[("host", "evil.example")]).status, 403);
        assert!(queues.actions(9).await.unwrap().is_empty() && !queues.counts().await.unwrap()[2].paused);
        let own = [("sec-fetch-site", "same-origin")];
        assert_eq!(post(&format!("{url}/act"), &pause, &own).status, 303);
        assert_eq!(get(&format!("{url}/act")).status, 405, "GET acts on nothing");
    }

    async fn metrics_are_served_as_documented(deployment: Deployment) {
        let (server, url) = serve(&deployment, &[]);
        get(&format!("{}/?period=1w", server.url));
        get(&format!("{}/no/such/%3Cpage%3E", server.url));
        let answer = get(&format!("{url}/metrics"));
        assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
        let names = metric_names(&answer.body);
        for name in documented(include_str!("../docs/ADMIN.md")) {
            assert!(names.contains(&name), "{name} is documented, and not served: {names:?}");
        }
        for name in &names {
            assert!(documented(include_str!("../docs/ADMIN.md")).contains(name), "{name} is served, and not documented");
        }
        for name in dashboard_names() {
            assert!(names.contains(&name), "the dashboard asks for {name}");
        }
        assert!(answer.body.contains("route=\"/\",status=\"200\"") && answer.body.contains("route=\"none\",status=\"404\""));
        assert!(!answer.body.contains("such"), "no label is what somebody typed");
        let missing = answer.body.lines().find(|l| l.starts_with("sview_cache_reads_total{result=\"missing\"}")).unwrap();
        assert!(!missing.ends_with(" 0"), "{missing}");
    }
}

/// Posts JSON.
fn send_json(url: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    http::post_body(url, "application/json", body, headers)
}

/// The names of all families, as samples and queries begin with; fails where a line is none of the format.
fn metric_names(text: &str) -> Vec<String> {
    assert!(text.ends_with("# EOF\n"));
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            names.push(if kind == "counter" { format!("{name}_total") } else { name.to_owned() });
        } else if !line.starts_with("# ") {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            assert!(labels.is_empty() || labels.ends_with("\"}"), "{line}");
            let last = names.last().unwrap_or_else(|| panic!("{line}"));
            assert!(name.starts_with(last.as_str()), "{line} belongs to no family before it");
        } else {
            assert!(["# HELP ", "# UNIT ", "# EOF"].iter().any(|start| line.starts_with(start)), "{line}");
        }
    }
    names
}

/// Metrics that a text names between backquotes.
fn documented(text: &str) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2).map(|word| word.split('{').next().unwrap_or_default());
    words.filter(|word| word.starts_with("sview_")).map(str::to_owned).collect()
}

/// Metrics that the dashboard's queries name, without what histograms add.
fn dashboard_names() -> Vec<String> {
    fn queries(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| queries(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
            _ => {}
        }
    }
    let (mut found, mut names) = (Vec::new(), Vec::new());
    queries(&serde_json::from_str(include_str!("../docs/grafana.json")).unwrap(), &mut found);
    for query in &found {
        for word in query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| w.starts_with("sview_"))
        {
            let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
            names.push(histogram.unwrap_or(word).to_owned());
        }
    }
    assert!(names.len() > 10, "{names:?}");
    names
}

#[test]
fn an_open_address_demands_a_token() {
    let deployment =
        tokio::runtime::Runtime::new().unwrap().block_on(Deployment::new(sview_testing::Backend::Embedded));
    let refused = |variables: &[(&str, &str)]| {
        let out = sview(SVIEW, &deployment, &["serve"]).envs(variables.iter().copied()).output().unwrap();
        assert!(!out.status.success(), "{variables:?}");
        told(&out)
    };
    let text = refused(&[("SVIEW_ADMIN_LISTEN", "0.0.0.0:0")]);
    assert!(text.contains("SVIEW_ADMIN_TOKEN") && text.contains("SVIEW_ADMIN_LISTEN"), "{text}");
    assert!(refused(&[("SVIEW_ADMIN_READ_TOKEN", READ)]).contains("needs SVIEW_ADMIN_TOKEN"));
    assert!(refused(&[("SVIEW_ADMIN_TOKEN", "short")]).contains("--admin-token"));
    assert!(refused(&[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_ADMIN_READ_TOKEN", FULL)]).contains("the same"));
    assert!(refused(&[("SVIEW_ADMIN_LISTEN", "nowhere")]).contains("--admin-listen"));
    let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_LISTEN", "0.0.0.0:0"), ("SVIEW_ADMIN_TOKEN", FULL)]);
    let url = url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(get_with(&format!("{url}/api/jobs"), &[("authorization", &bearer(FULL))]).status, 200);
}

#[test]
fn a_taken_default_address_is_only_a_warning() {
    let deployment =
        tokio::runtime::Runtime::new().unwrap().block_on(Deployment::new(sview_testing::Backend::Embedded));
    // Whoever has it, now somebody does.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8081");
    let mut command = sview(SVIEW, &deployment, &["serve"]);
    let server = Server::start(command.env_remove("SVIEW_ADMIN_LISTEN"));
    assert_eq!(get(&format!("{}/healthz", server.url)).status, 200);
    for _ in 0..500 {
        if server.log().contains("no operators' pages") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{}", server.log());
}

#[test]
fn pages_hear_of_changes_as_events() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let (mut server, url) = serve(&deployment, &[]);
    let queues = runtime.block_on(queues(&deployment));
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.unwrap());
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200") && head.iter().any(|line| line.contains("text/event-stream")), "{head:?}");
    runtime.block_on(push(&queues, &new_job(Queue::SlowCache, "k")));
    assert!(lines.any(|line| line.contains("data: changed")));
    // An open stream does not keep the process.
    assert!(server.terminate(Duration::from_secs(10)), "{}", server.log());
}
