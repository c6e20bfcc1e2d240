//! The schedule: every periodic job in one table, on apalis' cron streams. Any number of schedulers may run; of each tick one acts.
//!
//! Ticks come by the machine's time, even under a frozen clock. A tick that comes late or early is skipped, after a host was suspended or a
//! clock was set. The next tick does its work, because that work is derived from watermarks and times.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use apalis_cron::{CronScheduler, Tick};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sview_model::counted;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use times::Schedule;

use self::times::Ticks;
use crate::health::{Component, Heartbeat, Unfailing, forever};
use crate::refresh::{Suggestion, Verdict, refresh};
use crate::{
    Cause, Context, CountPasswords, Error, ForgetReports, Job, MakeGreylist, Pushed, Result, machine_now, workers,
};

/// Something that is done by the clock.
pub struct Producer {
    /// Its name, in records and claims.
    pub name: &'static str,
    /// The times of the ticks.
    pub schedule: Schedule,
    /// A summary of its work, for people.
    pub what: &'static str,
    effect: fn(Context, Cause) -> BoxFuture<'static, Result<String>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("name", &self.name).field("schedule", &self.schedule).finish_non_exhaustive()
    }
}

/// Every producer.
pub static PRODUCERS: [Producer; 5] = [
    Producer {
        name: REFRESH,
        schedule: Schedule::minutely(0),
        what: "queues the aggregations and cachings that are due",
        effect: |context, cause| {
            async move {
                let suggestions = refresh(&context, context.clock.now(), &cause, false).await?;
                Ok(summary(&suggestions))
            }
            .boxed()
        },
    },
    Producer {
        name: "greylist",
        // When the quarter of an hour has been aggregated.
        schedule: Schedule::hourly(&[4, 19, 34, 49], 30),
        what: "queues the making of the greylist, and of the day's where it is missing",
        effect: |context, cause| async move { enqueue(&context, &MakeGreylist {}, &cause).await }.boxed(),
    },
    Producer {
        name: "vacuum",
        schedule: Schedule::hourly(&[7], 30),
        what: "deletes ended jobs and cached values after their retention",
        effect: |context, _| {
            async move {
                let jobs = context.queues.ledger().vacuum().await?;
                let values = context.cache.vacuum().await?;
                Ok(format!("deleted {} and {}", counted(jobs, "job"), counted(values, "cached value")))
            }
            .boxed()
        },
    },
    Producer {
        name: "retention",
        // When the refresh of the minute has been done.
        schedule: Schedule::hourly(&[50], 20),
        what: "queues the deleting of reports that are aggregated and older than they are to be kept",
        effect: |context, cause| {
            async move {
                match context.statistics.keep() {
                    Some(_) => enqueue(&context, &ForgetReports {}, &cause).await,
                    None => Ok("reports are kept for good".to_owned()),
                }
            }
            .boxed()
        },
    },
    Producer {
        name: "count-passwords",
        // A day is counted once it is aggregated; the later ticks are for reports that come late.
        schedule: Schedule::hourly(&[20], 0),
        what: "counts the passwords of days, for the password checker",
        effect: |context, cause| async move { enqueue(&context, &CountPasswords {}, &cause).await }.boxed(),
    },
];

/// Queues a job, and says so.
async fn enqueue(context: &Context, job: &impl Job, cause: &Cause) -> Result<String> {
    let pushed = context.queues.enqueue(job, cause).await?;
    Ok(match pushed {
        Pushed::Queued(_) => "1 job queued",
        Pushed::Already { .. } => "it is under way",
    }
    .to_owned())
}

fn summary(suggestions: &[Suggestion]) -> String {
    let queued = suggestions.iter().filter(|s| s.verdict == Verdict::Queue).count();
    format!("{} queued, {} skipped", counted(queued as u64, "job"), suggestions.len() - queued)
}

/// How far off its time a tick may come.
const STALE: TimeDelta = TimeDelta::seconds(30);

/// The producer of every minute.
const REFRESH: &str = "refresh";

/// How long no tick of the refresh may be acted on: three of them may be lost.
const SILENCE: Duration = Duration::from_secs(200);

/// How long a producer may take.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// A producer, as an operator sees it.
#[derive(Clone, Debug)]
pub struct Ticking {
    /// Its row in the table.
    pub producer: &'static Producer,
    /// The last tick that somebody acted on, in any process.
    pub last: Option<DateTime<Utc>>,
    /// The time of the next tick.
    pub next: Option<DateTime<Utc>>,
}

/// The next tick of the producer of this name, by the machine's time.
#[must_use]
pub fn next_tick(name: &str) -> Option<DateTime<Utc>> {
    let producer = PRODUCERS.iter().find(|producer| producer.name == name)?;
    Some(producer.schedule.next_after(machine_now()))
}

/// The producers with their last and next ticks.
pub async fn ticking(context: &Context) -> Result<Vec<Ticking>> {
    let mut all = Vec::with_capacity(PRODUCERS.len());
    for producer in &PRODUCERS {
        let (last, next) = (context.queues.ledger().last_tick(producer.name).await?, next_tick(producer.name));
        all.push(Ticking { producer, last, next });
    }
    Ok(all)
}

/// Does the work of a periodic job's tick at once, even if another process does it too: the effects are claimed job by job. Returns a
/// summary of the work. `cause` is recorded in the queued jobs.
pub async fn run_now(context: &Context, producer: &Producer, cause: Cause) -> Result<String> {
    match tokio::time::timeout(TIME_LIMIT, (producer.effect)(context.clone(), cause)).await {
        Ok(done) => done,
        Err(_) => Err(Error::Slow { producer: producer.name, seconds: TIME_LIMIT.as_secs() }),
    }
}

/// A running scheduler. Stopped by the token that it was started with.
#[derive(Debug)]
pub struct Scheduler {
    tasks: TaskTracker,
    errors: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Scheduler {
    /// Starts all producers, refreshes and makes the greylist once at once, and looks for vanished workers. Must be called within a Tokio runtime.
    #[must_use]
    pub fn start(context: &Context, stop: &CancellationToken) -> Self {
        let (tasks, errors) = (TaskTracker::new(), Arc::new(Mutex::default()));
        for producer in &PRODUCERS {
            // The refresh of every minute shows whether the schedule goes on.
            let heartbeat =
                (producer.name == REFRESH).then(|| Heartbeat::new(Component::Schedule, "last tick", Some(SILENCE)));
            let state = Arc::new(State {
                producer,
                context: context.clone(),
                errors: Arc::clone(&errors),
                busy: tokio::sync::Mutex::default(),
                heartbeat,
            });
            tasks.spawn(supervise(state, stop.clone()));
        }
        let (starting, stopped) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = begin(&starting) => {}
                () = stopped.cancelled() => {}
            }
        });
        let (queues, stopped) = (context.queues.clone(), stop.clone());
        tasks.spawn(forever("rescue", stop, move || {
            let (queues, stopped) = (queues.clone(), stopped.clone());
            async move {
                while !stopped.is_cancelled() {
                    workers::rescue(&**queues.ledger()).await;
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(5)) => {}
                        () = stopped.cancelled() => {}
                    }
                }
                Unfailing::Ok(())
            }
        }));
        tasks.close();
        Self { tasks, errors }
    }

    /// The producers whose last tick failed in this process, and why.
    #[must_use]
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has stopped.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Does at once what would wait for its first tick.
async fn begin(context: &Context) {
    match refresh(context, context.clock.now(), &Cause::Start, false).await {
        Ok(suggestions) => tracing::info!(done = summary(&suggestions), "refresh at start"),
        Err(error) => tracing::warn!(%error, "the refresh at start failed; the next tick runs it"),
    }
    if let Err(error) = context.queues.send(MakeGreylist {}, &Cause::Start).await {
        tracing::warn!(%error, "the greylist could not be made at start; the next tick makes it");
    }
}

struct State {
    producer: &'static Producer,
    context: Context,
    errors: Arc<Mutex<Vec<(&'static str, String)>>>,
    /// Held while the periodic job acts: a tick that comes meanwhile is skipped.
    busy: tokio::sync::Mutex<()>,
    /// Beats with each tick that was acted on, here or elsewhere.
    heartbeat: Option<Heartbeat>,
}

/// Keeps a producer's ticks coming. apalis' stream ends with an error when it misses one; a new one begins with the next.
fn supervise(state: Arc<State>, stop: CancellationToken) -> BoxFuture<'static, ()> {
    let mut restarts = 0_u32;
    let stopped = stop.clone();
    forever(&format!("schedule of {}", state.producer.name), &stop, move || {
        let (state, stop) = (state.clone(), stopped.clone());
        let number = restarts;
        restarts = restarts.wrapping_add(1);
        async move {
            tick_on(state, number, stop.clone()).await.map_err(|error| error.to_string())?;
            if stop.is_cancelled() { Ok(()) } else { Err("the ticks ended".to_owned()) }
        }
    })
}

async fn tick_on(state: Arc<State>, restarts: u32, stop: CancellationToken) -> Result<(), WorkerError> {
    let ticks = Ticks::new(state.producer.schedule);
    let name = format!("{}/{}#{restarts}", state.producer.name, std::process::id());
    WorkerBuilder::new(name.as_str())
        .backend(CronScheduler::new(ticks))
        .data(state)
        .build(tick)
        .run_until(async move {
            stop.cancelled().await;
            Ok::<_, WorkerError>(())
        })
        .await
}

async fn tick(tick: Tick, state: Data<Arc<State>>) {
    let at = i64::try_from(tick.get_timestamp()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    if let Some(at) = at {
        act(&state, at, machine_now()).await;
    }
}

/// Acts on a tick that comes at `now` by the machine's clock, if nobody else does.
async fn act(state: &State, at: DateTime<Utc>, now: DateTime<Utc>) {
    let (producer, queues) = (state.producer, &state.context.queues);
    let off = now - at;
    if off.abs() > STALE {
        tracing::warn!(producer = producer.name, tick = %at, off_s = off.num_seconds(), "skipped a late schedule tick; the next one runs as usual");
        return;
    }
    let Ok(_busy) = state.busy.try_lock() else {
        tracing::warn!(producer = producer.name, tick = %at, "skipped a schedule tick because an earlier one is still running");
        return;
    };
    let done = async {
        if queues.ledger().claim_tick(producer.name, at).await? {
            (producer.effect)(state.context.clone(), Cause::Tick(producer.name)).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let error = match tokio::time::timeout(TIME_LIMIT, done).await {
        Ok(Ok(Some(done))) => {
            tracing::debug!(producer = producer.name, tick = %at, done, "tick");
            None
        }
        // Somebody else acts on it.
        Ok(Ok(None)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("took longer than {} s", TIME_LIMIT.as_secs())),
    };
    if let (None, Some(heartbeat)) = (&error, &state.heartbeat) {
        heartbeat.beat();
    }
    let mut errors = state.errors.lock().unwrap_or_else(PoisonError::into_inner);
    errors.retain(|(name, _)| *name != producer.name);
    if let Some(error) = error {
        tracing::warn!(producer = producer.name, tick = %at, error, "a schedule tick failed; the next one does its work");
        errors.push((producer.name, error));
    }
}

mod times;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
