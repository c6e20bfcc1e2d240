//! apalis-board, as any program that shows a storage of apalis: every call of its API answers, with the right numbers.

use apalis_board_api::framework::{ApiBuilder, RegisterRoute as _};
use apalis_ledger::{LedgerStorage, Outcome, StorageConfig, WorkerInfo, machine_now};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::lab::{QUICK, SLOW, both, new_job};

/// The answer of a call, which must be 200.
async fn call(api: &Router, method: Method, path: &str, body: Option<Value>) -> Value {
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let answer = api.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

/// The value of a statistic.
fn value(statistics: &Value, title: &str) -> u64 {
    let found = statistics.as_array().unwrap().iter().find(|statistic| statistic["title"] == title).unwrap();
    found["value"].as_str().unwrap().parse().unwrap()
}

both! {
    async fn every_call_of_the_boards_api_is_right(lab: Lab) {
        for n in 0..3 {
            lab.queues.push(&new_job(QUICK, &format!("k{n}"))).await.unwrap();
        }
        lab.queues.push(&new_job(SLOW, "slow")).await.unwrap();
        let done = lab.take(&[QUICK]).await;
        lab.queues.finish(&done.claim, &Outcome::Done).await.unwrap();
        let worker = WorkerInfo {
            name: "w1".into(), host: "h".into(), pid: 7, queues: vec![QUICK], slots: 2, since: machine_now(), running: Vec::new(),
        };
        lab.queues.beat(&worker).await.unwrap();

        let storage = |queue| LedgerStorage::<Value>::new(lab.queues.clone(), queue, StorageConfig::default());
        let api = ApiBuilder::new(Router::new()).register("quick", storage(QUICK)).register("slow", storage(SLOW)).build();
        let get = async |path: &str| call(&api, Method::GET, path, None).await;

        let queues = get("/queues").await;
        let names: Vec<&str> = queues.as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["urgent", "quick", "slow"]);
        assert_eq!((value(&queues[1]["stats"], "queued"), value(&queues[1]["stats"], "done")), (2, 1));
        assert_eq!(queues[1]["workers"], json!(["w1"]));
        let activity = |queue: &Value| queue["activity"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
        assert_eq!((activity(&queues[1]), activity(&queues[2])), (1, 0));

        assert_eq!(value(&get("/overview").await, "queued"), 3);
        let stats = get("/queues/quick/stats").await;
        assert_eq!((value(&stats, "queued"), value(&stats, "done")), (2, 1));

        let len = |list: &Value| list.as_array().unwrap().len();
        assert_eq!((len(&get("/workers").await), len(&get("/queues/quick/workers").await)), (1, 1));
        assert_eq!(len(&get("/queues/slow/workers").await), 0);
        assert_eq!(len(&get("/tasks?page_size=50").await), 4);
        assert_eq!(len(&get("/queues/quick/tasks").await), 3);
        assert_eq!(len(&get("/queues/quick/tasks?status=Done").await), 1);
        assert_eq!(len(&get("/queues/quick/tasks?status=Queued&page=2&page_size=1").await), 1);
        assert_eq!(len(&get("/queues/quick/tasks?status=Failed").await), 0);

        let one = get(&format!("/queues/quick/tasks/{}", done.record.id)).await;
        assert!(one.to_string().contains(&done.record.id.to_string()), "{one}");

        call(&api, Method::PUT, "/queues/quick/tasks", Some(json!({ "pushed": true }))).await;
        assert_eq!(value(&get("/queues/quick/stats").await, "queued"), 3);
    }
}
