//! Worker pools: apalis workers over the ledger, supervised.
//!
//! A pool serves its queues in strict order with so many slots; a job is taken only when a slot is free. A pool whose ledger
//! fails dies, as apalis' workers do, and is started again with growing pauses, for ever; its jobs in progress go on meanwhile.
//! The pool of the slow queue is one of its own, so that it never holds up the others.

mod backend;
mod runner;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use chrono::{DateTime, Utc};
use sview_model::Queue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::backend::{LedgerBackend, Occupied};
use self::runner::Runner;
use crate::Queues;
use crate::health::{Unfailing, spawn_forever};
use crate::job::{Backoff, Registry};
use crate::throttle::LogThrottle;
use crate::{JobId, WorkerInfo};

/// How workers behave. The defaults are for production; tests shorten them.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// How long a job is leased; renewed every third of it. A vanished worker's job is another's after about two of these.
    /// Default 20 s.
    pub lease: Duration,
    /// How often an idle worker looks, besides being woken. Default 1 s.
    pub poll: Duration,
    /// How often a worker tells that it lives and looks for vanished ones. Default 5 s.
    pub care: Duration,
    /// How long a shutdown waits for jobs in progress before it hands them back. Default 30 s.
    pub grace: Duration,
    /// How long an attempt may take; `None` (the default): what the queue says.
    pub time_limit: Option<Duration>,
    /// How long failed jobs wait; `None` (the default): what the job says.
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

/// What ails a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The error of its last death.
    pub error: String,
    /// Since when it cannot work.
    pub since: DateTime<Utc>,
    /// How often it was started again since.
    pub restarts: u32,
}

/// How a pool is.
#[derive(Clone, Debug)]
pub struct PoolHealth {
    /// The worker, and what it runs.
    pub worker: WorkerInfo,
    /// What ails it; `None` when it works.
    pub trouble: Option<Trouble>,
}

/// Running pools. Stopped by the token that they were started with; [`Workers::stopped`] waits for that.
#[derive(Debug)]
pub struct Workers {
    pools: Vec<Arc<Runner>>,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("name", &self.name).field("queues", &self.queues).finish_non_exhaustive()
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
        let (registry, tasks) = (Arc::new(registry), TaskTracker::new());
        let mut runners = Vec::new();
        for pool in pools {
            let runner = Arc::new(Runner::new(
                instance_name(),
                pool.queues.iter().map(|queue| (*queue).into()).collect(),
                pool.concurrency.max(1),
                queues.clone(),
                registry.clone(),
                settings.clone(),
            ));
            tasks.spawn(supervise(runner.clone(), stop.clone()));
            runners.push(runner);
        }
        tasks.close();
        Self { pools: runners, tasks }
    }

    /// How the pools are.
    #[must_use]
    pub fn health(&self) -> Vec<PoolHealth> {
        let health = |runner: &Arc<Runner>| PoolHealth {
            worker: runner.info(),
            trouble: runner.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        self.pools.iter().map(health).collect()
    }

    /// Waits until all pools have stopped: at once for idle ones, after the jobs in progress or the grace period for others.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Keeps a pool running until it is told to stop, then lets it finish.
async fn supervise(runner: Arc<Runner>, stop: CancellationToken) {
    // The first command after a server's return may still be told of its absence, so a pool is back after two of the longest.
    const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
    let mut pause = PAUSES.0;
    let mut restarts = 0;
    let cared_for = runner.clone();
    let care = spawn_forever("care of workers", &stop, move || care(cared_for.clone()));
    let work = async {
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let name = format!("{}#{restarts}", runner.name);
            // A task of its own: a panic in apalis is a death like any other.
            let death = match tokio::spawn(work(runner.clone(), name, stop.clone())).await {
                Ok(Ok(())) if stop.is_cancelled() => break,
                Ok(Ok(())) => "the worker ended by itself".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            restarts += 1;
            note_trouble(&runner, &death);
            pause = if begun.elapsed() > PAUSES.1 { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        runner.tracker.close();
        runner.tracker.wait().await;
    };
    let grace = async {
        stop.cancelled().await;
        tokio::time::sleep(runner.settings.grace).await;
        runner.abandon.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = work => {}
        () = grace => {}
    }
    // Its last sign of life must not come after its end.
    care.abort();
    let _ = care.await;
    if let Err(error) = runner.ledger.gone(&runner.name).await {
        tracing::debug!(%error, "the end of a worker was not noted");
    }
}

/// What is logged of the pools of this process that cannot work.
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
            tracing::warn!(worker, place, error, times, "a worker pool died; it is started again until it works");
        }
    }

    /// Notes that a pool works again. When that is the last one, it is logged.
    fn works_again(&self, worker: &str) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        if *count == 0
            && let Some(lasted) = self.throttle.over()
        {
            tracing::info!(worker, lasted_s = lasted.as_secs(), "the worker pools work again");
        }
    }
}

fn note_trouble(runner: &Runner, error: &str) {
    let mut trouble = runner.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    runner.heartbeat.fail(error.to_owned());
    let (since, restarts) = trouble.as_ref().map_or((crate::machine_now(), 0), |t| (t.since, t.restarts));
    let place = runner.ledger.place();
    POOLS.died(trouble.is_none(), &runner.name, &place, error);
    *trouble = Some(Trouble { error: error.to_owned(), since, restarts: restarts + 1 });
}

/// One life of an apalis worker.
async fn work(runner: Arc<Runner>, name: String, stop: CancellationToken) -> Result<(), WorkerError> {
    WorkerBuilder::new(name.as_str())
        .backend(LedgerBackend::new(runner.clone(), &stop))
        .data(runner)
        .build(handle)
        .run_until(async move {
            stop.cancelled().await;
            Ok::<_, WorkerError>(())
        })
        .await
}

/// The handler that apalis calls for every job, whatever its type: a task of its own, which a dying pool does not take along.
async fn handle(job: Occupied, runner: Data<Arc<Runner>>) {
    let runner = Arc::clone(&runner);
    let tracker = runner.tracker.clone();
    let Occupied { taken, slot } = job;
    let attempt = tracker.spawn(async move {
        runner.attempt(taken).await;
        drop(slot);
    });
    if let Err(error) = attempt.await {
        tracing::error!(%error, "an attempt's wrapper failed; the job is rescued when its lease runs out");
    }
}

/// Tells every few seconds that the worker lives, and takes jobs back from those that do not.
async fn care(runner: Arc<Runner>) -> Unfailing {
    loop {
        if let Err(error) = runner.beat().await {
            tracing::debug!(%error, "a sign of life was not noted");
        }
        rescue(&runner.ledger).await;
        tokio::time::sleep(runner.settings.care).await;
    }
}

/// Takes jobs back from vanished workers, and says so.
pub(crate) async fn rescue(queues: &Queues) {
    match queues.rescue().await {
        Ok(rescued) => {
            if rescued.queued + rescued.dead > 0 {
                tracing::warn!(
                    queued = rescued.queued,
                    dead = rescued.dead,
                    "jobs of vanished workers were taken back"
                );
            }
            if rescued.mended > 0 {
                tracing::warn!(
                    mended = rescued.mended,
                    "keys of the ledger were lost; claims and queues were put right"
                );
            }
        }
        Err(error) => tracing::debug!(%error, "no look for vanished workers"),
    }
}

/// A name that no other start of a worker or a process has.
pub(crate) fn instance_name() -> String {
    format!("{}/{}/{}", host(), std::process::id(), JobId::generate())
}

/// The machine's name, for people; escaped.
#[must_use]
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "host".to_owned(), |name| crate::in_words(name.trim(), 64))
}
