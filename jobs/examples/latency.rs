//! Measures the queue itself, on both ledgers: how long from a push to the start of its job, and how many jobs a second.
//!
//! `cargo run --release -p sview-jobs --example latency [redis://…]`; without an address Redis is left out.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement prints its table, and ends when it cannot measure

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sview_jobs::{
    Cause, Failure, Job, JobId, LedgerSettings, Pool, Queues, RedisLedger, Registry, SqliteLedger, WorkerSettings,
    Workers,
};
use sview_model::Queue;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct Nothing(usize);

#[derive(Clone)]
struct Gauge {
    started: mpsc::UnboundedSender<Instant>,
    left: Arc<AtomicUsize>,
    all_done: Arc<Notify>,
}

impl Job for Nothing {
    type Context = Gauge;
    const NAME: &'static str = "nothing";

    fn queue(&self) -> Queue {
        Queue::QuickCache
    }
    fn key(&self) -> String {
        self.0.to_string()
    }
    fn words(&self) -> String {
        format!("nothing {}", self.0)
    }
    async fn run(&self, gauge: &Gauge) -> Result<(), Failure> {
        let _ = gauge.started.send(Instant::now());
        Ok(())
    }
    async fn after_done(&self, gauge: &Gauge) -> Result<(), Failure> {
        if gauge.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            gauge.all_done.notify_one();
        }
        Ok(())
    }
}

/// Prints a line of the table: idle latency in milliseconds, pushes and jobs a second.
async fn measure(name: &str, producer: &Queues, worker: &Queues, concurrency: usize) {
    const PUSHES: usize = 300;
    const JOBS: usize = 3000;
    let (started, mut starts) = mpsc::unbounded_channel();
    let gauge = Gauge { started, left: Arc::default(), all_done: Arc::default() };
    let (stop, pool) = (CancellationToken::new(), Pool { queues: vec![Queue::QuickCache], concurrency });
    let start = || {
        let registry = Registry::default().with::<Nothing>(gauge.clone());
        Workers::start(worker, registry, std::slice::from_ref(&pool), &WorkerSettings::default(), &stop)
    };
    let workers = start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    gauge.left.store(usize::MAX, Ordering::SeqCst);
    let mut waits = Vec::new();
    for n in 0..PUSHES {
        let pushed = Instant::now();
        producer.enqueue(&Nothing(n), &Cause::Command("latency")).await.unwrap();
        waits.push(starts.recv().await.unwrap() - pushed);
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)].as_secs_f64() * 1e3;

    worker.pause(Queue::QuickCache, true).await.unwrap();
    gauge.left.store(JOBS, Ordering::SeqCst);
    let begun = Instant::now();
    for n in 0..JOBS {
        producer.enqueue(&Nothing(PUSHES + n), &Cause::Command("latency")).await.unwrap();
    }
    let pushes = JOBS as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    worker.pause(Queue::QuickCache, false).await.unwrap();
    gauge.all_done.notified().await;
    let jobs = JOBS as f64 / begun.elapsed().as_secs_f64();
    stop.cancel();
    workers.stopped().await;
    println!(
        "| {name:<28} | {concurrency:>11} | {:>6.2} | {:>6.2} | {:>6.2} | {pushes:>8.0} | {jobs:>6.0} |",
        at(50),
        at(99),
        at(100)
    );
}

#[tokio::main]
async fn main() {
    println!("| ledger                       | concurrency | p50 ms | p99 ms | max ms | pushes/s | jobs/s |");
    println!("|------------------------------|-------------|--------|--------|--------|----------|--------|");
    let directory = std::env::temp_dir().join(format!("sview-latency-{}", JobId::generate()));
    std::fs::create_dir(&directory).unwrap();
    for concurrency in [1, 8] {
        let file = directory.join(format!("jobs-{concurrency}.sqlite"));
        let queues = Queues::new(SqliteLedger::open(&file, LedgerSettings::default()).await.unwrap());
        measure("SQLite, one process", &queues, &queues, concurrency).await;
        if let Some(url) = std::env::args().nth(1) {
            let open = || {
                let prefix = format!("latency-{}", JobId::generate());
                move || Queues::new(RedisLedger::new(&url, &prefix, LedgerSettings::default()).unwrap())
            };
            let ledger = open();
            let queues = ledger();
            measure("Redis, one process", &queues, &queues, concurrency).await;
            measure("Redis, woken over Redis", &ledger(), &ledger(), concurrency).await;
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
}
