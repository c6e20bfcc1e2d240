//! Measures the queue itself, on both ledgers: the time from a push to the start of its job, and the jobs a second. Also measures how many
//! commands an idle fleet sends to Redis.
//!
//! `cargo bench -p sview-jobs --bench jobs -- [redis://…]`; without an address Redis is left out.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement prints its table, and ends when it cannot measure

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apalis_ledger::Lease;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sview_jobs::{
    Cause, Context, Greylisting, Job, JobError, JobId, LedgerSettings, Pool, Queues, RedisConnection, Registry,
    Scheduler, Statistics, WorkerSettings, Workers, redis_ledger, sqlite_ledger,
};
use sview_model::{Clock, Kind, Precision, Queue, Request};
use sview_store::{Computed, Coverage, RedisCache, Reports, Settings, Step};
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
}

async fn note(gauge: Gauge, lease: Lease) -> Result<(), JobError> {
    let _ = gauge.started.send(Instant::now());
    lease.after_done(async move {
        if gauge.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            gauge.all_done.notify_one();
        }
    });
    Ok(())
}

/// Prints a line of the table: idle latency in milliseconds, pushes and jobs a second.
async fn measure(name: &str, producer: &Queues, worker: &Queues, concurrency: usize) {
    const PUSHES: usize = 300;
    const JOBS: usize = 3000;
    let (started, mut starts) = mpsc::unbounded_channel();
    let gauge = Gauge { started, left: Arc::default(), all_done: Arc::default() };
    let (stop, pool) = (CancellationToken::new(), Pool { queues: vec![Queue::QuickCache], concurrency });
    let start = || {
        let gauge = gauge.clone();
        let registry =
            Registry::default().with::<Nothing, _, _>(move |_: Nothing, lease: Lease| note(gauge.clone(), lease));
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

    worker.ledger().pause(Queue::QuickCache.into(), true).await.unwrap();
    gauge.left.store(JOBS, Ordering::SeqCst);
    let begun = Instant::now();
    for n in 0..JOBS {
        producer.enqueue(&Nothing(PUSHES + n), &Cause::Command("latency")).await.unwrap();
    }
    let pushes = JOBS as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    worker.ledger().pause(Queue::QuickCache.into(), false).await.unwrap();
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

/// A store in which nothing is due.
struct NoReports;

#[async_trait]
impl Statistics for NoReports {
    async fn aggregate(&self, _: Kind, _: Precision, _: DateTime<Utc>) -> sview_store::Result<Step> {
        Ok(Step::Idle)
    }
    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>> {
        let all = Kind::ALL.iter().flat_map(|kind| Precision::AGGREGATED.iter().map(|p| (*kind, *p)));
        let now = Clock::System.now();
        let covered = |(kind, precision): (Kind, Precision)| Coverage {
            kind,
            precision,
            watermark: Some(precision.due_to(now)),
            pending: 0,
            revision: Some(0),
        };
        Ok(all.map(covered).collect())
    }
    async fn compute(&self, request: &Request, now: DateTime<Utc>) -> sview_store::Result<Computed> {
        let span = request.period().span(now);
        let data = sview_model::Data::empty(&request.resource());
        Ok(Computed { data, span, complete_to: span.finish, revision: 0, reported: None })
    }
}

/// Commands that a Redis server has carried out.
async fn commands(url: &str) -> u64 {
    let connection = redis::Client::open(url).unwrap();
    let mut connection = connection.get_multiplexed_async_connection().await.unwrap();
    let info: String = redis::cmd("INFO").arg("stats").query_async(&mut connection).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap();
    line.trim().parse().unwrap()
}

/// Prints how many commands a second an idle fleet of four workers and two schedulers sends. A script counts as one, and so does each
/// command in it.
async fn idle(url: &str) {
    const SECONDS: u64 = 60;
    let prefix = format!("idle-{}", JobId::generate());
    let stop = CancellationToken::new();
    let directory = tempfile::tempdir().unwrap();
    let reports = format!("sqlite://{}/reports.sqlite", directory.path().display());
    let reports = Reports::open(&reports, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let greylist = Greylisting { reports, settings: Arc::default() };
    let (mut workers, mut schedulers) = (Vec::new(), Vec::new());
    for member in 0..6 {
        let connection = RedisConnection::new(url.parse().unwrap());
        let context = Context {
            statistics: Arc::new(NoReports),
            cache: Arc::new(RedisCache::new(connection, &prefix)),
            queues: Queues::new(redis_ledger(url, &prefix, LedgerSettings::default()).unwrap()),
            greylist: greylist.clone(),
            clock: Clock::System,
        };
        if member < 4 {
            let (pools, registry) = (Pool::for_queues(Queue::ALL, 6), Registry::of(&context));
            workers.push(Workers::start(&context.queues, registry, &pools, &WorkerSettings::default(), &stop));
        } else {
            schedulers.push(Scheduler::start(&context, &stop));
        }
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = commands(url).await;
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let sent = commands(url).await - before;
    println!(
        "\nIdle, 4 workers with 2 pools each and 2 schedulers: {} Redis commands a second, with those that scripts call",
        sent / SECONDS
    );
    stop.cancel();
    for workers in workers {
        workers.stopped().await;
    }
    for scheduler in schedulers {
        scheduler.stopped().await;
    }
}

#[tokio::main]
async fn main() {
    println!("| ledger                       | concurrency | p50 ms | p99 ms | max ms | pushes/s | jobs/s |");
    println!("|------------------------------|-------------|--------|--------|--------|----------|--------|");
    let directory = std::env::temp_dir().join(format!("sview-latency-{}", JobId::generate()));
    std::fs::create_dir(&directory).unwrap();
    for concurrency in [1, 8] {
        let file = directory.join(format!("jobs-{concurrency}.sqlite"));
        let queues = Queues::new(sqlite_ledger(&file, LedgerSettings::default()).await.unwrap());
        measure("SQLite, one process", &queues, &queues, concurrency).await;
        if let Some(url) = address() {
            let open = || {
                let prefix = format!("latency-{}", JobId::generate());
                move || Queues::new(redis_ledger(&url, &prefix, LedgerSettings::default()).unwrap())
            };
            let ledger = open();
            let queues = ledger();
            measure("Redis, one process", &queues, &queues, concurrency).await;
            measure("Redis, woken over Redis", &ledger(), &ledger(), concurrency).await;
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
    if let Some(url) = address() {
        idle(&url).await;
    }
}

/// The address of Redis. `cargo bench` adds a word of its own.
fn address() -> Option<String> {
    std::env::args().skip(1).find(|argument| argument.starts_with("redis"))
}
