//! Worker pools: apalis workers over the ledger, supervised.
//!
//! A pool serves its queues in strict order with a number of slots. It takes a job only when a slot is free. If its ledger fails, the pool
//! ends, as apalis' workers do. It is started again with growing pauses, for ever, and its jobs in progress go on meanwhile. The slow queue
//! has a pool of its own, so that it never holds up the others.

mod policy;
mod thread;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{WorkerBuilder, WorkerError};
use apalis_ledger::{Backoff, Group, Ledger, LogThrottle, StorageConfig};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sview_model::Queue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::policy::{PoolPolicy, Watch};
pub(crate) use self::thread::Contained;
use self::thread::OwnThread;
use crate::health::{Unfailing, spawn_forever};
use crate::job::Registry;
use crate::{QueueName, Queues, WorkerInfo};

/// How workers behave. The defaults are for production; tests shorten them.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// How long a job is leased; renewed every third of it. A vanished worker's job is another's after about two of these.
    /// Default 20 s.
    pub lease: Duration,
    /// How often an idle worker looks, besides being woken. Default 1 s.
    pub poll: Duration,
    /// The time between two announcements of a worker, which also looks for vanished ones. Default 5 s.
    pub care: Duration,
    /// How long a shutdown waits for jobs in progress before it hands them back. Default 30 s.
    pub grace: Duration,
    /// The limit of an attempt; `None` (the default): the queue's limit.
    pub time_limit: Option<Duration>,
    /// How long failed jobs wait; `None` (the default): [`Backoff::DEFAULT`], or [`Backoff::UNREADABLE`] for an unreadable payload.
    pub backoff: Option<Backoff>,
    /// How long jobs wait for a server that is away. Default 3 s, so that they run within ten seconds of its return,
    /// though an attempt may have to find out first.
    pub outage: Backoff,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(20),
            poll: Duration::from_secs(1),
            care: Duration::from_secs(5),
            grace: Duration::from_secs(30),
            time_limit: None,
            backoff: None,
            outage: Backoff { first: Duration::from_secs(3), factor: 1, max: Duration::from_secs(3) },
        }
    }
}

/// A pool to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The queues that it serves, most urgent first.
    pub queues: Vec<Queue>,
    /// How many jobs it runs at once; at least 1.
    pub concurrency: usize,
}

impl Pool {
    /// The pools for some queues: one for all that are quick, and one for the slow queue, which holds up nobody.
    #[must_use]
    pub fn for_queues(queues: &[Queue], concurrency: usize) -> Vec<Self> {
        let (slow, quick): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| **queue == Queue::SlowCache);
        let pools = [quick, slow].into_iter().filter(|queues| !queues.is_empty());
        pools.map(|queues| Self { queues, concurrency }).collect()
    }
}

/// The reason why a pool cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The error of its last death.
    pub error: String,
    /// The time since when it cannot work.
    pub since: DateTime<Utc>,
    /// How often it was started again since.
    pub restarts: u32,
}

/// How a pool is.
#[derive(Clone, Debug)]
pub struct PoolHealth {
    /// The worker, and its running jobs.
    pub worker: WorkerInfo,
    /// The reason why it cannot work; `None` when it works.
    pub trouble: Option<Trouble>,
}

/// Running pools. Stopped by the token that they were started with; [`Workers::stopped`] waits for that.
#[derive(Debug)]
pub struct Workers {
    pools: Vec<Arc<Running>>,
    tasks: TaskTracker,
}

/// A running pool.
struct Running {
    group: Group,
    watch: Arc<Watch>,
    registry: Registry,
    settings: WorkerSettings,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.group.fmt(f)
    }
}

impl Workers {
    /// Starts pools that run the registry's jobs until `stop` is cancelled. Must be called within a Tokio runtime.
    #[must_use]
    pub fn start(
        queues: &Queues,
        registry: Registry,
        pools: &[Pool],
        settings: &WorkerSettings,
        stop: &CancellationToken,
    ) -> Self {
        let tasks = TaskTracker::new();
        let mut running = Vec::new();
        for pool in pools {
            let names: Vec<QueueName> = pool.queues.iter().map(|queue| (*queue).into()).collect();
            let watch = Arc::new(Watch::new(&names));
            let policy = PoolPolicy { watch: watch.clone(), settings: settings.clone() };
            let config = StorageConfig {
                backoff: settings.backoff.unwrap_or(Backoff::DEFAULT),
                unreadable: settings.backoff.unwrap_or(Backoff::UNREADABLE),
                lease: settings.lease,
                poll: settings.poll,
                slots: Some(pool.concurrency.max(1)),
                ..StorageConfig::default()
            };
            let group = Group::new(queues.ledger().clone(), &names, config, policy);
            let pool = Arc::new(Running { group, watch, registry: registry.clone(), settings: settings.clone() });
            tasks.spawn(supervise(pool.clone(), names, stop.clone()));
            running.push(pool);
        }
        tasks.close();
        Self { pools: running, tasks }
    }

    /// How the pools are.
    #[must_use]
    pub fn health(&self) -> Vec<PoolHealth> {
        let health = |pool: &Arc<Running>| PoolHealth {
            worker: pool.group.info(),
            trouble: pool.watch.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        self.pools.iter().map(health).collect()
    }

    /// Waits until all pools have stopped: at once for idle ones, after the jobs in progress or the grace period for others.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Throttles the log of this process' pools that cannot work.
struct TroubledPools {
    throttle: LogThrottle,
    /// How many they are.
    count: Mutex<usize>,
}

static POOLS: TroubledPools = TroubledPools { throttle: LogThrottle::new(), count: Mutex::new(0) };

impl TroubledPools {
    /// Notes the death of a pool: its first since it worked, or another.
    fn died(&self, first: bool, worker: &str, place: &str, error: &str) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += usize::from(first);
        if let Some(times) = self.throttle.happened() {
            tracing::warn!(worker, place, error, times, "a worker pool failed; it is being restarted");
        }
    }

    /// Notes that a pool works again. When that is the last one, it is logged.
    fn works_again(&self, worker: &str) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        if *count == 0
            && let Some(lasted) = self.throttle.over()
        {
            tracing::info!(worker, lasted_s = lasted.as_secs(), "the worker pools recovered");
        }
    }
}

/// Keeps a pool running until `stop` is cancelled, then lets it finish.
///
/// apalis' `Monitor` is not enough for that. It restarts a failed worker without a pause, and drops all that the worker has in progress. It
/// reports no health either.
async fn supervise(pool: Arc<Running>, queues: Vec<QueueName>, stop: CancellationToken) {
    let cared_for = pool.clone();
    let care = spawn_forever("care of workers", &stop, move || care(cared_for.clone()));
    let work = async {
        futures::future::join_all(queues.iter().map(|queue| serve(&pool, *queue, &stop))).await;
        pool.group.idle().await;
    };
    let grace = async {
        stop.cancelled().await;
        tokio::time::sleep(pool.settings.grace).await;
        pool.group.abandon();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = work => {}
        () = grace => {}
    }
    // Its last sign of life must not come after its end.
    care.abort();
    let _ = care.await;
    if let Err(error) = pool.group.gone().await {
        tracing::debug!(%error, "could not record that a worker stopped");
    }
}

/// Keeps the worker of a queue running until `stop` is cancelled.
async fn serve(pool: &Arc<Running>, queue: QueueName, stop: &CancellationToken) {
    // The first command after a server's return may still fail by its absence, so a worker is back after two of the longest pauses.
    const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
    let mut pause = PAUSES.0;
    for restarts in 0_u32.. {
        if stop.is_cancelled() {
            return;
        }
        let begun = Instant::now();
        let name = format!("{}/{queue}#{restarts}", pool.group.name());
        // A task of its own: a panic in apalis is a death like any other.
        let death = match tokio::spawn(work(pool, queue, &name, stop.clone())).await {
            Ok(Ok(())) if stop.is_cancelled() => return,
            Ok(Ok(())) => "the worker ended by itself".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        pool.watch.died(&name, &pool.group.ledger().place(), &death);
        pause = if begun.elapsed() > PAUSES.1 { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The longest that a job of a queue may run.
fn time_limit(settings: &WorkerSettings, queue: QueueName) -> Duration {
    settings.time_limit.unwrap_or_else(|| queue.as_str().parse().unwrap_or(Queue::QuickCache).time_limit())
}

/// One life of a queue's worker.
fn work(
    pool: &Running,
    queue: QueueName,
    name: &str,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    let worker = WorkerBuilder::new(name)
        .backend(pool.group.storage::<serde_json::Value>(queue))
        .catch_panic()
        .timeout(time_limit(&pool.settings, queue))
        .layer(OwnThread)
        .build(pool.registry.router());
    let stopped = async move {
        stop.cancelled().await;
        Ok::<_, WorkerError>(())
    };
    worker.run_until(stopped).boxed()
}

/// Announces the pool every few seconds, and reclaims jobs of vanished workers.
async fn care(pool: Arc<Running>) -> Unfailing {
    loop {
        if let Err(error) = pool.group.beat().await {
            tracing::debug!(%error, "could not record the heartbeat of a worker");
        }
        rescue(pool.group.ledger()).await;
        tokio::time::sleep(pool.settings.care).await;
    }
}

/// Takes jobs back from vanished workers, and says so.
pub(crate) async fn rescue(ledger: &dyn Ledger) {
    match ledger.rescue().await {
        Ok(rescued) => {
            if rescued.queued + rescued.dead > 0 {
                tracing::warn!(
                    queued = rescued.queued,
                    dead = rescued.dead,
                    "reclaimed the jobs of workers whose lease expired"
                );
            }
            if rescued.mended > 0 {
                tracing::warn!(
                    mended = rescued.mended,
                    "repaired the ledger after Redis lost keys: claims and queues agree again"
                );
            }
        }
        Err(error) => tracing::debug!(%error, "could not look for expired leases"),
    }
}
