//! The faults that keep apalis-redis' own storage out, each shown against the locked version: `just apalis-faults`. A test that fails says
//! that its fault is mended.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{TaskSink as _, WorkerBuilder};
use apalis_core::backend::ListQueues as _;
use apalis_core::error::{BoxDynError, WorkerError};
use apalis_core::task::builder::TaskBuilder;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use redis::AsyncCommands as _;

use crate::server::Server;

#[path = "../conformance/server.rs"]
mod server;

/// Long enough for what is to be seen, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);

struct Lab {
    connection: ConnectionManager,
    _server: Server,
    _directory: tempfile::TempDir,
}

impl Lab {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path().to_owned());
        let client = redis::Client::open(server.url()).unwrap();
        Self { connection: client.get_connection_manager().await.unwrap(), _server: server, _directory: directory }
    }

    /// A storage whose workers look for jobs five times a second.
    fn storage(&self, config: Config) -> RedisStorage<u32> {
        let config = config.queue("q").heartbeat_interval(Duration::from_millis(200)).missed_heartbeats(100);
        RedisStorage::new(self.connection.clone()).with_config(config.batch_size(1))
    }
}

/// A handler that counts its runs, and their number.
fn counted(
    ends: fn() -> Result<(), BoxDynError>,
) -> (impl Fn(u32) -> std::future::Ready<Result<(), BoxDynError>> + Clone + Send, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    let handler = move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(ends())
    };
    (handler, runs)
}

/// Waits until a number is reached; panics after a minute.
async fn reaches(runs: &AtomicUsize, number: usize) {
    let reached = async {
        while runs.load(Ordering::SeqCst) < number {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, reached).await.expect("the fault is mended: it did not happen within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn max_attempts_is_ignored() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default());
    storage.push_task(TaskBuilder::new(1).max_attempts(2).build()).await.unwrap();
    let (handler, runs) = counted(|| Err("no luck".into()));
    let worker = tokio::spawn(WorkerBuilder::new("w").backend(storage).build(handler).run());
    reaches(&runs, 3).await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_thousand_due_jobs_kill_every_worker() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default());
    storage.push_bulk((0..9_000).collect()).await.unwrap();
    for life in 0..2 {
        let (handler, runs) = counted(|| Ok(()));
        let worker = WorkerBuilder::new(format!("w{life}").as_str()).backend(storage.clone()).build(handler).run();
        let died: Result<(), WorkerError> = tokio::time::timeout(LONG, worker).await.expect("mended: the worker lives");
        let error = died.expect_err("mended: the worker works").to_string();
        assert!(error.contains("unpack"), "{error}");
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_held_after_its_job_is_done() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default().idempotency_ttl(Some(Duration::from_secs(3_600))));
    let task = || TaskBuilder::new(1).idempotency_key("same").build();
    storage.push_task(task()).await.unwrap();
    let (handler, runs) = counted(|| Ok(()));
    let worker = tokio::spawn(WorkerBuilder::new("w").backend(storage.clone()).build(handler).run());
    reaches(&runs, 1).await;
    storage.push_task(task()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    worker.abort();
    assert_eq!(runs.load(Ordering::SeqCst), 1, "mended: the key was free");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_time_to_live_keys_hold_nothing() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default().idempotency_ttl(None));
    for _ in 0..2 {
        storage.push_task(TaskBuilder::new(1).idempotency_key("same").build()).await.unwrap();
    }
    let (handler, runs) = counted(|| Ok(()));
    let worker = tokio::spawn(WorkerBuilder::new("w").backend(storage).build(handler).run());
    reaches(&runs, 2).await;
    worker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_not_dead_after_its_attempts() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default());
    storage.push_task(TaskBuilder::new(1).max_attempts(3).build()).await.unwrap();
    let (handler, runs) = counted(|| panic!("as the test wants it"));
    let worker = tokio::spawn(futures::FutureExt::boxed(
        WorkerBuilder::new("w").backend(storage.clone()).catch_panic().build(handler).run(),
    ));
    reaches(&runs, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    worker.abort();
    let dead: u64 = lab.connection.clone().zcard(storage.get_config().dead_jobs_set()).await.unwrap();
    let runs = runs.load(Ordering::SeqCst);
    assert!(dead == 0 && runs != 3, "mended: it was tried {runs} times, and {dead} is dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_payload_kills_the_worker() {
    let lab = Lab::new().await;
    let mut texts = RedisStorage::<String>::new(lab.connection.clone())
        .with_config(lab.storage(Config::default()).get_config().clone());
    texts.push("no number".to_owned()).await.unwrap();
    let (handler, _) = counted(|| Ok(()));
    let worker = WorkerBuilder::new("w").backend(lab.storage(Config::default())).build(handler).run();
    let died = tokio::time::timeout(LONG, worker).await.expect("mended: the worker lives");
    assert!(died.is_err(), "mended: the worker goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_cannot_be_listed() {
    let lab = Lab::new().await;
    let mut storage = lab.storage(Config::default());
    storage.push(1).await.unwrap();
    let (handler, runs) = counted(|| Ok(()));
    let worker = tokio::spawn(WorkerBuilder::new("w").backend(storage.clone()).build(handler).run());
    reaches(&runs, 1).await;
    let listed = storage.list_queues().await;
    worker.abort();
    let right = listed.is_ok_and(|queues| queues.iter().any(|queue| queue.stats.iter().any(|s| s.value == "1")));
    assert!(!right, "mended: the queue is listed with its job");
}
