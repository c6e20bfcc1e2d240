//! A server of operators' pages, and the ledger that it has.

use std::time::Duration;

use serde_json::{Value, json};
use sview_jobs::{Action, ClockShift, LedgerSettings, NewJob, Pushed, Queues, State, redis_ledger, sqlite_ledger};
use sview_model::Queue;
use sview_testing::http::{self, Answer, get};
use sview_testing::{Deployment, Server, sview};

pub(crate) const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
pub(crate) const FULL: &str = "full-0123456789abcdef";
pub(crate) const READ: &str = "read-0123456789abcdef";
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'\u{202e}&";

/// A server of pages, without workers: what waits goes on waiting.
pub(crate) fn serve(deployment: &Deployment, more: &[(&str, &str)]) -> (Server, String) {
    let mut command = sview(SVIEW, deployment, &["serve"]);
    command.env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0").envs(more.iter().copied());
    let server = Server::start(&mut command);
    let url = server.admin_url();
    (server, url)
}

/// The ledger that the server has.
pub(crate) async fn queues(deployment: &Deployment) -> Queues {
    queues_at(deployment, ClockShift::default()).await
}

/// The ledger that the server has, at another time.
pub(crate) async fn queues_at(deployment: &Deployment, clock: ClockShift) -> Queues {
    let settings = LedgerSettings { clock, ..LedgerSettings::default() };
    match &deployment.redis_url {
        Some(url) => Queues::new(redis_ledger(url, &deployment.prefix, settings).unwrap()),
        None => Queues::new(sqlite_ledger(&deployment.data_dir.join("jobs.sqlite"), settings).await.unwrap()),
    }
}

pub(crate) fn new_job(queue: Queue, key: &str) -> NewJob {
    NewJob {
        id: None,
        name: "probe".into(),
        queue: queue.into(),
        key: key.into(),
        payload: json!({ "typed": HOSTILE }).to_string(),
        words: format!("probe {key} {HOSTILE}"),
        cause: "test".into(),
        max_attempts: 3,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    }
}

pub(crate) async fn push(queues: &Queues, job: &NewJob) -> String {
    let Pushed::Queued(id) = queues.ledger().push(job).await.unwrap() else { panic!("held") };
    id.to_string()
}

pub(crate) async fn state(queues: &Queues, id: &str) -> Option<State> {
    queues.ledger().get(id.parse().unwrap()).await.unwrap().map(|record| record.state)
}

pub(crate) async fn newest_action(queues: &Queues) -> Action {
    queues.ledger().actions(1).await.unwrap().remove(0)
}

pub(crate) fn ids(answer: &Value) -> Vec<String> {
    answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn waits(url: &str, id: &str) -> Vec<String> {
    let job = get(&format!("{url}/api/jobs/{id}")).json();
    job["waits"].as_array().unwrap().iter().map(|wait| wait["words"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) fn assert_harmless(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    for bad in ["<script>alert", "\u{202e}"] {
        assert!(!answer.body.contains(bad), "{what} has {bad:?}");
    }
    assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{what}");
    assert!(!answer.body.contains("style=\"") && !answer.body.contains("onclick"), "{what}");
}

/// Posts JSON.
pub(crate) fn send_json(url: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    http::post_body(url, "application/json", body, headers)
}
