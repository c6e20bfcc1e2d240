//! For whatever watches over the process, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use sview_testing::{Backend, Deployment, Relay, Server, both, http, patiently, sview, told};

use crate::site::{SVIEW, full, start};

both! {
    async fn a_process_that_can_do_its_work_says_so(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let alive = http::get(&format!("{}/healthz", server.url));
        assert_eq!((alive.status, alive.body.as_str(), alive.header("cache-control")), (200, "ok\n", "no-store"));
        let ready = http::get(&format!("{}/readyz", server.url));
        assert_eq!(ready.status, 200, "{}", ready.body);
        assert_eq!(ready.json(), serde_json::json!({"database": "ok", "cache": "ok", "queues": "ok", "loops": "ok"}));
    }

    async fn a_process_with_workers_and_a_schedule_says_how_they_are(deployment: Deployment) {
        let server = start(&deployment, "up", &[]);
        let parts = ["database", "cache", "queues", "loops", "pools", "schedule"];
        let whole: serde_json::Map<_, _> = parts.iter().map(|part| ((*part).to_owned(), "ok".into())).collect();
        patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.json() == serde_json::Value::Object(whole.clone()));
    }

    async fn a_request_in_progress_is_finished_and_the_process_ends_well(deployment: Deployment) {
        let mut server = start(&deployment, "up", &[]);
        let address = server.url.trim_start_matches("http://").to_owned();
        // One connection that was used and stays open, one that never asks, and one in the middle of its question.
        let mut idle = TcpStream::connect(&address).unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        idle.read_exact(&mut [0; 12]).unwrap();
        let silent = TcpStream::connect(&address).unwrap();
        let mut open = TcpStream::connect(&address).unwrap();
        open.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let finishing = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            open.write_all(b"\r\n").unwrap();
            let mut answer = String::new();
            open.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(server.terminate(Duration::from_secs(30)), "{}", server.log());
        let answer = finishing.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer:?}");
        drop(silent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_finishes_a_request_does_not_hold_up_the_end_for_ever() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut server = start(&deployment, "serve", &[]);
    let mut half = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.terminate(Duration::from_secs(40)), "{}", server.log());
    drop(half);
}

/// Returns the answer of `/readyz`, with its status.
fn ready(server: &Server) -> (u16, serde_json::Value) {
    let answer = http::get(&format!("{}/readyz", server.url));
    (answer.status, answer.json())
}

/// Waits until `/readyz` says so: what it says may be a second old.
fn until_ready_says(server: &Server, status: u16, report: &serde_json::Value) {
    patiently(
        || http::get(&format!("{}/readyz", server.url)),
        |answer| answer.status == status && answer.json() == *report,
    );
}

/// Only the production back end has parts that go away while the process lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_process_lives_says_so_and_comes_back_with_it() {
    let deployment = Deployment::new(Backend::Production).await;
    let mut relay = Relay::before(deployment.redis_url.as_deref().unwrap()).await;
    let server = start(&deployment, "serve", &[("SVIEW_REDIS_URL", &relay.url)]);
    assert_eq!(ready(&server).0, 200);
    relay.cut().await;
    let away = "failing: unreachable";
    until_ready_says(
        &server,
        503,
        &serde_json::json!({"database": "ok", "cache": away, "queues": away, "loops": "ok"}),
    );
    assert_eq!(http::get(&format!("{}/healthz", server.url)).status, 200);
    let page = http::get(&format!("{}/?period=1h", server.url));
    assert_eq!(page.status, 503);
    assert!(page.body.contains("Error 503") && !page.body.to_lowercase().contains("redis"), "{}", page.body);
    let api = http::get(&format!("{}/api/resource?name=all_incidents_graph", server.url));
    assert!(api.status == 503 && api.json()["error"].is_string(), "{}", api.body);
    relay.restore().await;
    patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.status == 200);
    assert_eq!(http::get(&format!("{}/?period=1h", server.url)).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_before_its_redis_and_says_that_it_is_not_ready() {
    let deployment = Deployment::new(Backend::Production).await;
    let server = start(&deployment, "serve", &[("SVIEW_REDIS_URL", "redis://127.0.0.1:9/")]);
    assert_eq!(ready(&server).0, 503);
    assert_eq!(http::get(&format!("{}/healthz", server.url)).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_named_and_the_process_ends() {
    let deployment = Deployment::new(Backend::Embedded).await;
    for url in ["sqlite:///proc/nowhere/reports.sqlite", "postgres://sview@127.0.0.1:9/none"] {
        let out =
            sview(SVIEW, &deployment, &["serve"]).env("SVIEW_DATABASE_URL", url).stdin(Stdio::null()).output().unwrap();
        assert!(!out.status.success() && told(&out).contains("SVIEW_DATABASE_URL"), "{url}: {}", told(&out));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_what_is_cached_is_served_on() {
    let deployment = Deployment::new(Backend::Production).await;
    drop(full(&deployment, &[]));
    let mut relay = Relay::before(&deployment.database_url).await;
    let environment = [("SVIEW_DATABASE_URL", relay.url.as_str()), ("SVIEW_ADMIN_LISTEN", "127.0.0.1:0")];
    let server = start(&deployment, "serve", &environment);
    assert_eq!(ready(&server).0, 200);
    relay.cut().await;
    let away = serde_json::json!({"database": "failing: unreachable", "cache": "ok", "queues": "ok", "loops": "ok"});
    until_ready_says(&server, 503, &away);
    let page = http::get(&format!("{}/?period=1h", server.url));
    assert!(page.status == 200 && page.body.contains("data-state=\"ready\""), "{}", page.body);
    // Operators see their queues, and what is wrong.
    let operators = http::get(&server.admin_url());
    assert!(operators.status == 200 && operators.body.contains("unreachable"), "{}", operators.body);
    relay.restore().await;
    patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.status == 200);
}
